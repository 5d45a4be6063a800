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

from datetime import UTC

import dagster as dg

from assets.publish import GROUP as PUBLISHED
from assets.streams import stream_key
from connectors.errors import ConfigError
from rapport.config import Config, declared_streams

ALL = "rapport"
METRICS = "metrics"


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


def sync_job_name(source: str) -> str:
    """Return the name of the job that syncs a source."""
    return f"sync_{source}"


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
    running = dg.DefaultScheduleStatus.RUNNING
    found = [
        dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=config.source(job.name.removeprefix("sync_")).schedule,
            execution_timezone="UTC",
            default_status=running,
            description=job.description,
        )
        for job in syncs
    ]

    @dg.schedule(
        name=f"{METRICS}_schedule",
        job=metrics,
        cron_schedule=config.schedule,
        execution_timezone="UTC",
        default_status=running,
        description="Build and publish the numbers of the day; waits for syncs under way.",
    )
    def metrics_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        return dg.RunRequest(partition_key=(config.as_of or today).isoformat())

    return [*found, metrics_schedule]
