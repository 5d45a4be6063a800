"""What is loaded, and that loading needs nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from assets import instance as instances
from assets import wiring
from assets.dbt import feeding_streams
from assets.partitions import as_of_days
from assets.resources import PUBLISHED_WAREHOUSE
from assets.streams import LANDING_COLUMNS, longest_gap
from connectors import landing
from connectors.errors import BuildError, ConfigError
from rapport import config as configuration
from rapport.config import Config, declared_streams

FORUM = {
    "type": "discourse",
    "url": "https://community.example",
    "api_key": "${DISCOURSE_KEY}",
    "api_username": "rapport",
}
ROOT = Path(__file__).resolve().parents[2]


def specs(lab) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in lab.definitions.resolve_all_asset_specs()}


def test_definitions_load_without_environment_and_network(
    config: Config, dbt_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("loading touched the network")

    for name in ("ALERTS", "SF_ID", "SF_SECRET", "DISCOURSE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    dg.Definitions.validate_loadable(wiring.build_defs(config, project=dbt_project))
    assert not config.home.exists()


def test_every_stream_and_model_is_an_asset(lab) -> None:
    keys = set(specs(lab))
    streams = {
        f"{name}/{stream.name}"
        for name in ("crm", "forum")
        for stream in declared_streams(lab.config, name)
    }
    models = {"stg_discourse__posts", "fct_interaction", "rel_organization", "rel_activity_daily"}
    assert streams | models | {"published_warehouse", "report"} <= keys


def test_every_asset_has_description_owner_kind_and_group(lab) -> None:
    executable = [
        spec
        for asset in lab.definitions.assets
        if isinstance(asset, dg.AssetsDefinition)
        for spec in asset.specs
    ]
    assert executable
    for spec in executable:
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.group_name and spec.group_name != "default", spec.key


def test_lineage_runs_from_the_vendor_stream_to_the_report(lab) -> None:
    graph = lab.definitions.resolve_asset_graph()
    upstream = graph.get_ancestor_asset_keys(dg.AssetKey("report"))
    assert dg.AssetKey(["forum", "posts"]) in upstream
    assert not any(key.path[0] in ("landing", "control") for key in upstream)


def test_a_dbt_source_is_fed_by_every_source_of_its_type_and_by_mappings(tmp_path: Path) -> None:
    mapped = {
        "path": "people.csv",
        "key": ["id"],
        "map": {"to": "person", "columns": {"name": "n"}},
    }
    tree = {
        "sources": {
            "forum": FORUM,
            "forum_eu": FORUM,
            "exports": {"type": "files", "streams": {"people": mapped}},
        }
    }
    feeds = feeding_streams(configuration.parse(tree, tmp_path / "rapport.yml"))
    assert feeds["discourse__posts"] == {
        dg.AssetKey(["forum", "posts"]),
        dg.AssetKey(["forum_eu", "posts"]),
    }
    assert feeds["mapped__people"] == {dg.AssetKey(["exports", "people"])}


def test_each_source_has_a_pool_and_the_database_has_one_writer(lab) -> None:
    pools = {
        key.to_user_string(): asset.op.pool
        for asset in lab.definitions.assets
        for key in asset.keys
    }
    assert pools["crm/accounts"] == "crm"
    assert pools["forum/posts"] == "forum"
    assert pools["rel_organization"] == pools["published_warehouse"] == "duckdb_writer"


def test_jobs_and_schedules_run_by_the_configured_cron_lines(lab) -> None:
    repository = lab.definitions.get_repository_def()
    assert {"sync_crm", "sync_forum", "metrics", "rapport"} <= set(repository.job_names)
    assert {s.name: (s.cron_schedule, s.job_name) for s in repository.schedule_defs} == {
        "sync_crm_schedule": ("*/10 * * * *", "sync_crm"),
        "sync_forum_schedule": ("*/30 * * * *", "sync_forum"),
        "metrics_schedule": ("15 * * * *", "metrics"),
    }
    assert all(
        s.default_status == dg.DefaultScheduleStatus.RUNNING for s in repository.schedule_defs
    )
    assert [s.default_status for s in repository.sensor_defs if s.name == "failure_alert"] == [
        dg.DefaultSensorStatus.RUNNING
    ]


def tick(lab, instance: dg.DagsterInstance, schedule: str) -> ScheduleExecutionData:
    repository = lab.definitions.get_repository_def()
    now = datetime(2026, 7, 2, 8, 15, tzinfo=UTC)
    with dg.build_schedule_context(
        instance, scheduled_execution_time=now, repository_def=repository
    ) as context:
        return repository.get_schedule_def(schedule).evaluate_tick(context)


def test_the_metrics_schedule_asks_for_the_day_of_the_configuration(lab) -> None:
    with instances.prepare(lab.config) as instance:
        data = tick(lab, instance, "metrics_schedule")
    assert [request.partition_key for request in data.run_requests] == ["2026-06-30"]


def test_a_tick_is_skipped_while_the_last_run_of_the_job_is_under_way(lab) -> None:
    with instances.prepare(lab.config) as instance:
        job = lab.definitions.resolve_job_def("sync_crm")
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        skipped = tick(lab, instance, "sync_crm_schedule")
        assert not skipped.run_requests
        assert f"Run {run.run_id[:8]} of sync_crm is under way" in (skipped.skip_message or "")
        assert tick(lab, instance, "sync_forum_schedule").run_requests
        instance.report_run_failed(run)
        assert tick(lab, instance, "sync_crm_schedule").run_requests


def test_only_metric_tables_with_snapshots_are_partitioned_by_day(lab) -> None:
    partitioned = {name for name, spec in specs(lab).items() if spec.partitions_def}
    assert partitioned == {"rel_organization"}


@pytest.mark.parametrize(
    ("as_of", "last"),
    [
        (None, datetime.now(UTC).date()),
        (date(2019, 5, 31), date(2019, 5, 31)),
        (datetime.now(UTC).date(), datetime.now(UTC).date()),
        (date(2099, 1, 5), date(2099, 1, 5)),
        (date(1995, 1, 5), date(1995, 1, 5)),
    ],
)
def test_days_end_with_the_day_of_the_configuration(
    config: Config, as_of: date | None, last: date
) -> None:
    days = as_of_days(replace(config, as_of=as_of))
    assert days.get_last_partition_key() == last.isoformat()


def test_freshness_follows_the_schedule_of_the_source(lab) -> None:
    found = specs(lab)
    policy = found["crm/accounts"].freshness_policy
    assert policy.warn_window.to_timedelta() == timedelta(minutes=20)
    assert policy.fail_window.to_timedelta() == timedelta(minutes=40)


def test_published_numbers_grow_stale_only_where_time_goes_on(
    lab, config: Config, dbt_project: Path
) -> None:
    assert specs(lab)["published_warehouse"].freshness_policy is None
    going_on = wiring.build_defs(replace(config, as_of=None), project=dbt_project)
    (policy,) = [
        spec.freshness_policy
        for spec in going_on.resolve_all_asset_specs()
        if spec.key == PUBLISHED_WAREHOUSE
    ]
    assert policy.fail_window.to_timedelta() == timedelta(hours=36)


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("*/30 * * * *", timedelta(minutes=30)),
        ("0 9-17 * * 1-5", timedelta(days=2, hours=16)),
        ("0 0 1 * *", timedelta(days=31)),
    ],
)
def test_the_longest_gap_of_a_schedule_counts(schedule: str, gap: timedelta) -> None:
    assert longest_gap(schedule) == gap


def test_the_column_schema_is_the_one_of_landing_files(lab) -> None:
    assert [name for name, _, _ in LANDING_COLUMNS] == landing.schema().names
    schema = specs(lab)["crm/contacts"].metadata["dagster/column_schema"]
    columns = {column.name: column for column in schema.columns}
    assert columns["record.Email"].tags["pii"] == "direct"


def test_a_location_without_rapport_yml_loads_and_holds_no_source(
    dbt_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAPPORT_CONFIG", raising=False)
    definitions = wiring.build_defs(project=dbt_project)
    assert set(definitions.get_repository_def().job_names) & {"sync_crm", "metrics"} == {"metrics"}


def test_a_wrong_rapport_yml_does_not_load(
    dbt_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rapport.yml").write_text("sorces: {}")
    monkeypatch.setenv("RAPPORT_CONFIG", str(tmp_path / "rapport.yml"))
    with pytest.raises(ConfigError, match="sorces"):
        wiring.build_defs(project=dbt_project)


def test_a_schedule_that_is_no_cron_line_is_named(config: Config, dbt_project: Path) -> None:
    crm = replace(config.sources["crm"], schedule="every hour")
    wrong = replace(config, sources={"crm": crm})
    with pytest.raises(ConfigError, match=r"sources\.crm\.schedule is `every hour`"):
        wiring.build_defs(wrong, project=dbt_project)


def test_a_missing_manifest_says_how_to_make_it(config: Config, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="rapport run"):
        wiring.build_defs(config, project=tmp_path)


def test_importing_the_wiring_imports_neither_duckdb_nor_a_vendor_sdk() -> None:
    code = (
        "import sys, assets.wiring; "
        "print([m for m in ('duckdb', 'simple_salesforce', 'hubspot') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
