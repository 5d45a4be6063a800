"""The dbt models as assets, built by one dbt invocation per run.

Belongs here: how a dbt node looks in Dagster, which streams feed a dbt source, and the step that
runs dbt. Does not belong here: what a build is and when it is due (`rapport.build`), or SQL.

Lineage: dbt reads `landing.<type>__<stream>`, one source per *type*; in Dagster the models that
read it depend on the streams of every configured source of that type, and `landing.mapped__*` on
the streams whose `map:` fills it. So the graph runs from a vendor's stream to the report.

dbt is a process of its own (`rapport.dbt`), and Dagster hears of its nodes when it has ended:
only then another connection may open the file. Row counts come from the one look that
`rapport.build` takes at the finished database, not from a query per model.
"""

# Dagster reads the annotations of a step when it is defined: they must not be put off.
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from assets.partitions import as_of_days
from assets.resources import PUBLISHED_WAREHOUSE, Warehouse
from assets.streams import OWNER, failing_clearly, stream_key, sync_job_name
from connectors.errors import BuildError
from rapport import mapping
from rapport.config import Config, declared_streams
from rapport.dbt import PROJECT, NodeResult, ensure_parsed, failure, parsed_folder, run

MODELS_STEP = "dbt_models"
RESTATEMENTS = "ops_restatement"
WRITER_POOL = "duckdb_writer"
LONGEST_WAIT_FOR_SOURCES_S = 20 * 60
LONGEST_WAIT_FOR_A_START_S = 60
WAIT_STEP_S = 5.0
UNDER_DAGSTER_DEV = "DAGSTER_IS_DEV_CLI"
_SEVERITY = {"warn": dg.AssetCheckSeverity.WARN}


class Translator(DagsterDbtTranslator):
    """Give every dbt node its key, group, owner, partitions and real upstream streams."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._feeds = feeding_streams(config)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """Return the node's spec, dbt sources replaced by the streams that feed them."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        deps = [dep for dep in spec.deps if not _is_dbt_source(dep.asset_key)]
        streams = {
            stream
            for dep in spec.deps
            if _is_dbt_source(dep.asset_key)
            for stream in self._feeds.get(dep.asset_key.path[1], ())
        }
        deps += [dg.AssetDep(stream) for stream in sorted(streams)]
        return spec.replace_attributes(deps=deps)

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return `[<model>]`, or `[landing, <table>]` for a dbt source."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], name])
        return dg.AssetKey(name)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the description of the YAML file, without the SQL."""
        name = dbt_resource_props["name"].replace("_", " ")
        kind = dbt_resource_props["resource_type"]
        return dbt_resource_props.get("description") or f"The {kind} {name}."

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the layer: the folder below `models/`."""
        parts = dbt_resource_props["fqn"]
        if dbt_resource_props["resource_type"] == "model" and len(parts) > 2:
            return str(parts[1])
        return "seeds"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        """Return the team named under `meta.owner`, or the team that owns everything else."""
        owner = dbt_resource_props.get("config", {}).get("meta", {}).get("owner")
        return [f"team:{owner}"] if owner else [OWNER]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the layer besides the tags of dbt."""
        tags = dict(super().get_tags(dbt_resource_props))
        return tags | {"layer": self.get_group_name(dbt_resource_props)}

    def get_partitions_def(
        self, dbt_resource_props: Mapping[str, Any]
    ) -> dg.PartitionsDefinition | None:
        """Return the days of `as_of` for a metric table that keeps snapshots."""
        return as_of_days(self._config) if is_snapshot(dbt_resource_props) else None


def is_snapshot(node: Mapping[str, Any]) -> bool:
    """Return whether a node is a metric table that keeps a slice per `as_of`.

    A table that every build replaces as a whole (a ledger) has an `as_of` but no past slices.
    """
    keeps = node.get("config", {}).get("materialized") != "table"
    return keeps and node["name"].startswith("rel_") and "as_of" in node.get("columns", {})


def feeding_streams(config: Config) -> dict[str, set[dg.AssetKey]]:
    """Return, per table of dbt's `landing` source, the streams whose files it shows."""
    feeds: dict[str, set[dg.AssetKey]] = {}
    for name, source in config.sources.items():
        for stream in declared_streams(config, name):
            table = f"{source.type}__{stream.name}"
            feeds.setdefault(table, set()).add(stream_key(name, stream.name))
    for mapped in mapping.mapped_streams(config.sources.values(), config.path.name):
        for found in mapped.maps:
            table = f"mapped__{mapping.PLURAL[found.to]}"
            feeds.setdefault(table, set()).add(stream_key(mapped.source, mapped.stream))
    return feeds


def manifest(project: Path = PROJECT) -> dict[str, Any]:
    """Return dbt's manifest.

    Raises:
        BuildError: there is none.
    """
    path = parsed_folder(project) / "manifest.json"
    if not path.exists():
        raise BuildError(
            f"`{project.name}` is not parsed. Start by `rapport dev` or `rapport run`, which do it."
        )
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def dbt_models(config: Config, project: Path = PROJECT) -> dg.AssetsDefinition:
    """Return the whole dbt project as one step with one asset per model and seed."""
    if os.environ.get(UNDER_DAGSTER_DEV):
        ensure_parsed(project)
    nodes = manifest(project)
    translator = Translator(config)

    @dbt_assets(
        manifest=nodes,
        name=MODELS_STEP,
        dagster_dbt_translator=translator,
        pool=WRITER_POOL,
        # One run per day: a build describes one `as_of`.
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def build(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        with failing_clearly():
            yield from _build(context, warehouse, nodes, translator, project)

    return build


def _build(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    nodes: dict[str, Any],
    translator: Translator,
    project: Path,
) -> Iterator[Any]:
    wait_for_sources(context, warehouse.config)
    decide = warehouse.plan_part if context.is_subset else warehouse.plan
    plan = decide(context.run.run_id, _asked_day(context))
    if not plan.needed:
        context.log.info(f"dbt is not started: {plan.reason}.")
        warehouse.on_event(f"Nothing to build: {plan.reason}.")
        return
    warehouse.on_event(f"Building the tables as of {plan.as_of}: {plan.reason}.")
    warehouse.prepare(plan)
    arguments = [*plan.arguments, *_selection(context, nodes, translator)]
    results = run(warehouse.config.home, arguments, project)
    failed = failure(results, warehouse.config.home)
    yield from _check_results(context, results, nodes, translator)
    if failed:
        raise failed
    result = warehouse.finish(plan)
    tables = result.tables
    for line in result.unmet:
        context.log.warning(line)
        warehouse.on_event(f"Note: {line}")
    _record_backcasts(context, plan, nodes, translator)
    yield from _outputs(context, results, nodes, translator, tables)
    warehouse.on_event(f"Built {len(tables)} tables.")
    if context.is_subset and PUBLISHED_WAREHOUSE not in (context.run.asset_selection or ()):
        _publish_part(context, warehouse)


def _publish_part(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
    """Show a backfilled day at once: its run holds metric tables and nothing behind them."""
    published = warehouse.publish(context.run.run_id)
    warehouse.render()
    context.log_event(
        dg.AssetMaterialization(
            PUBLISHED_WAREHOUSE,
            metadata={
                "as_of": published.as_of.isoformat(),
                "dagster/row_count": sum(published.tables.values()),
            },
        )
    )


def _check_results(
    context: dg.AssetExecutionContext,
    results: Iterable[NodeResult],
    nodes: dict[str, Any],
    translator: Translator,
) -> Iterator[dg.AssetCheckResult]:
    """Yield a result per dbt test that Dagster waits for: dbt may run more than was selected."""
    for result in results:
        key = get_asset_check_key_for_test(nodes, translator, result.unique_id, project=None)
        if key and key in context.selected_asset_check_keys and result.status != "skipped":
            yield dg.AssetCheckResult(
                passed=result.status == "pass",
                asset_key=key.asset_key,
                check_name=key.name,
                severity=_SEVERITY.get(result.status, dg.AssetCheckSeverity.ERROR),
                metadata={
                    "status": result.status,
                    "seconds": result.seconds,
                    "failed_rows": result.failures or 0,
                },
            )


def _outputs(
    context: dg.AssetExecutionContext,
    results: Iterable[NodeResult],
    nodes: Mapping[str, Any],
    translator: Translator,
    tables: Mapping[str, int],
) -> Iterator[dg.Output[None]]:
    """Yield an output per model and seed that Dagster waits for, with its rows."""
    asked = context.op_execution_context.selected_output_names
    for result in results:
        node = nodes["nodes"][result.unique_id]
        output = translator.get_asset_key(node).to_python_identifier()
        if node["resource_type"] != "test" and output in asked:
            rows = {"dagster/row_count": tables[node["name"]]} if node["name"] in tables else {}
            yield dg.Output(
                None,
                output_name=output,
                metadata={"status": result.status, "seconds": result.seconds, **rows},
            )


def wait_for_sources(context: dg.AssetExecutionContext, config: Config) -> None:
    """Let syncs that are under way end before a *scheduled* build reads what has landed.

    A schedule and not a condition on every source: a source that fails, or comes once a day,
    must not hold up the numbers of all others. Landing is whole at any moment, so waiting is
    for freshness only: for the syncs that are there when this begins, not for later ones;
    not for one that has failed and tries again; and for `LONGEST_WAIT_FOR_SOURCES_S` at most.
    """
    if "dagster/schedule_name" not in context.run.tags:
        return
    jobs = {sync_job_name(name) for name in config.sources}
    under_way = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    begun = context.instance.get_runs(dg.RunsFilter(statuses=under_way))
    waiting_for = {run.run_id: run.job_name for run in begun if run.job_name in jobs}
    if waiting_for:
        context.log.info(f"Waiting for {', '.join(sorted(waiting_for.values()))} to end.")
    began = time.monotonic()
    while waiting_for and time.monotonic() < began + LONGEST_WAIT_FOR_SOURCES_S:
        if time.monotonic() > began + LONGEST_WAIT_FOR_A_START_S:
            under_way = [dg.DagsterRunStatus.STARTED]  # the queue may be waiting for this run
        runs = context.instance.get_runs(
            dg.RunsFilter(run_ids=list(waiting_for), statuses=under_way)
        )
        waiting_for = {
            run.run_id: run.job_name for run in runs if not _has_failed(context.instance, run)
        }
        if waiting_for:
            time.sleep(WAIT_STEP_S)
    if waiting_for:
        context.log.warning("The sources are still busy; building from what has landed so far.")


def _has_failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a step of a run failed, be it that it is tried again later."""
    failures = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_UP_FOR_RETRY}
    return bool(instance.all_logs(run.run_id, of_type=failures))


def _asked_day(context: dg.AssetExecutionContext) -> date | None:
    """Return the partition of this run; backfills name theirs as a range of one day."""
    if context.has_partition_key or context.has_partition_key_range:
        return date.fromisoformat(context.partition_key)
    return None


def _selection(
    context: dg.AssetExecutionContext, nodes: Mapping[str, Any], translator: Translator
) -> list[str]:
    """Return what a dbt command needs for a part of the models; nothing when all are asked for.

    A metric table is built together with the steps before it in its own layer, which hold only
    what the last build asked for, and with what tells which published numbers that changes.
    """
    if not context.is_subset:
        return []
    chosen = [
        f"+{node['name']},{'.'.join(node['fqn'][:2])}" if is_snapshot(node) else node["name"]
        for node in nodes["nodes"].values()
        if translator.get_asset_key(node) in context.selected_asset_keys
        or node["name"] == RESTATEMENTS
    ]
    return ["--indirect-selection", "cautious", "--select", *chosen]


def _record_backcasts(
    context: dg.AssetExecutionContext,
    plan: Any,
    nodes: Mapping[str, Any],
    translator: Translator,
) -> None:
    """Show the past days that a first build computes as the partitions they are.

    Before the day of the run, which is the latest that the UI shows.
    """
    days = [day for day, _ in plan.snapshots if day != plan.as_of]
    for node in nodes["nodes"].values():
        key = translator.get_asset_key(node)
        if is_snapshot(node) and key in context.selected_asset_keys:
            for day in days:
                context.log_event(
                    dg.AssetMaterialization(
                        key, partition=day.isoformat(), metadata={"basis": "backcast"}
                    )
                )


def _is_dbt_source(key: dg.AssetKey) -> bool:
    return len(key.path) == 2 and key.path[0] in ("landing", "control")
