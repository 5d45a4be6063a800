"""Everything Dagster loads, put together.

Belongs here: wiring. Does not belong here: any logic; each sibling module exports what it
defines. Loading reads rapport.yml and dbt's manifest and nothing else: no secret, no network, no
database. A location without a rapport.yml loads with the dbt models alone and says so; a wrong
rapport.yml does not load, and its message names the key.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from assets.dbt import dbt_models
from assets.jobs import check_cron_lines, metrics_job, schedules, sync_jobs, whole_job
from assets.publish import published_assets
from assets.resources import OnEvent, Sources, Warehouse, silent
from assets.sensors import failure_alert
from assets.streams import RETRIES, stream_assets
from connectors.errors import ConfigError
from rapport import config as configuration
from rapport.config import Config
from rapport.dbt import PROJECT


def build_defs(
    config: Config | None = None,
    *,
    project: Path = PROJECT,
    on_event: OnEvent = silent,
    sources: Sources | None = None,
    warehouse: Warehouse | None = None,
    retries: dg.RetryPolicy | None = RETRIES,
) -> dg.Definitions:
    """Return the definitions for a configuration (default: the rapport.yml that is found).

    Args:
        project: folder of the dbt project, parsed.
        on_event: receives a line of text per step, for whoever waits for a run.
        sources, warehouse: what the steps work with, if not the real ones.
        retries: how a sync is tried again that may succeed later.

    Raises:
        ConfigError: rapport.yml is wrong.
        BuildError: the dbt project is not parsed.
    """
    config = config or found_config()
    check_cron_lines(config)
    models = dbt_models(config, project)
    syncs = sync_jobs(config)
    metrics = metrics_job(models)
    return dg.Definitions(
        assets=[*stream_assets(config, retries), models, *published_assets(config, models.keys)],
        jobs=[*syncs, metrics, whole_job()],
        schedules=schedules(config, syncs, metrics),
        sensors=[failure_alert(config)],
        resources={
            "sources": sources or Sources(config, on_event),
            "warehouse": warehouse or Warehouse(config, on_event),
        },
        executor=dg.in_process_executor,
    )


def found_config() -> Config:
    """Return the rapport.yml that is found, or one without sources when there is none."""
    try:
        path = configuration.find()
    except ConfigError as error:
        dg.get_dagster_logger().warning(f"Only the dbt models are loaded: {error}")
        return configuration.parse({}, Path.cwd() / configuration.CONFIG_NAME)
    return configuration.load(path)
