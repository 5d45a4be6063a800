"""Jobs and when they run.

Belongs here: which assets a job holds, and cron lines. Does not belong here: anything an asset
does, or what a failed run leads to (`sensors`).

| job | holds | runs |
| --- | --- | --- |
| `sync_<source>` | the source's streams | by the source's `schedule` |
| `metrics` | dbt models, published warehouse, report | by `schedule`; waits for running syncs |
| `rapport` | everything, in one run | when asked |

Sources are jobs of their own, so that vendors are read side by side and one that fails stops
nobody else's numbers. In the job `rapport` a failed stream does stop them: a run is one order of
steps.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import dagster as dg

from assets.publish import GROUP as PUBLISHED
from assets.streams import stream_key, sync_job_name
from connectors.errors import ConfigError
from rapport.config import Config, declared_streams

ALL = "rapport"
METRICS = "metrics"
PRIORITY_TAG = "dagster/priority"
NOT_FINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def check_cron_lines(config: Config) -> None:
    """Raise `ConfigError` for a schedule that is no cron line, by its place in rapport.yml."""
    lines = {f"sources.{name}.schedule": source.schedule for name, source in config.sources.items()}
    for place, line in {"schedule": config.schedule, **lines}.items():
        try:
            dg.ScheduleDefinition(name="probe", job_name="probe", cron_schedule=line)
        except dg.DagsterInvalidDefinitionError:
            raise ConfigError(
                f"{config.path.name}: {place} is `{line}`, which is not a cron line. "
                "Write five fields, for example `*/30 * * * *` for every half hour (UTC)."
            ) from None


def sync_jobs(config: Config) -> list[dg.UnresolvedAssetJobDefinition]:
    """Return one job per source."""
    return [
        dg.define_asset_job(
            sync_job_name(name),
            selection=dg.AssetSelection.assets(
                *(stream_key(name, stream.name) for stream in declared_streams(config, name))
            ),
            description=f"Sync every stream of {source.label} ({source.type}).",
            tags={"source": name},
        )
        for name, source in config.sources.items()
    ]


def metrics_job(models: dg.AssetsDefinition) -> dg.UnresolvedAssetJobDefinition:
    """Return the job that turns what has landed into published numbers."""
    return dg.define_asset_job(
        METRICS,
        selection=dg.AssetSelection.assets(models) | dg.AssetSelection.groups(PUBLISHED),
        description="Build the tables from what has landed, publish them, write the report.",
    )


def whole_job() -> dg.UnresolvedAssetJobDefinition:
    """Return the job that holds everything."""
    return dg.define_asset_job(
        ALL,
        selection=dg.AssetSelection.all(),
        description="Everything once, in one run: sync, build, publish, report.",
    )


def schedules(
    config: Config,
    syncs: list[dg.UnresolvedAssetJobDefinition],
    metrics: dg.UnresolvedAssetJobDefinition,
) -> list[dg.ScheduleDefinition]:
    """Return a running schedule per source and one for the metrics, in UTC."""

    def sync(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest()

    def build(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        # Of one minute's runs the syncs leave the queue first.
        return dg.RunRequest(
            partition_key=(config.as_of or today).isoformat(), tags={PRIORITY_TAG: "-1"}
        )

    cron_lines = {sync_job_name(name): source.schedule for name, source in config.sources.items()}
    return [
        *(_schedule(job, cron_lines[job.name], sync) for job in syncs),
        _schedule(metrics, config.schedule, build),
    ]


def _schedule(
    job: dg.UnresolvedAssetJobDefinition,
    cron_line: str,
    request: Callable[[dg.ScheduleEvaluationContext], dg.RunRequest],
) -> dg.ScheduleDefinition:
    """Return a schedule that skips its tick while the job's last run is under way.

    Otherwise a job that takes longer than the time between its ticks would pile up runs, each
    of them waiting in a slot that other sources need.
    """

    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=job.name, statuses=NOT_FINISHED)
        for run in context.instance.get_runs(unfinished, limit=1):
            return dg.SkipReason(
                f"Run {run.run_id[:8]} of {job.name} is under way; the next tick goes on."
            )
        return request(context)

    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron_line,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=job.description,
        execution_fn=tick,
    )
