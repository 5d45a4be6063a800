"""The Dagster instance of a home folder: `<home>/dagster`, with its settings and pools.

Belongs here: making an instance ready, so that the command line and `dagster dev` share one
history. Does not belong here: what the settings are (`dagster.yaml`).
"""

from __future__ import annotations

import functools
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.storage.event_log.sqlite import sqlite_event_log

from assets.dbt import WRITER_POOL
from assets.streams import pool_of
from rapport.config import Config

SETTINGS = Path(__file__).resolve().parent.parent / "dagster.yaml"
SLOTS_PER_POOL = 1


def folder(config: Config) -> Path:
    """Return what `DAGSTER_HOME` is for this configuration."""
    return config.home / "dagster"


def prepare(config: Config) -> dg.DagsterInstance:
    """Return the persistent instance of a configuration's home, made at first use.

    Its settings are copied from the shipped `dagster.yaml` once; later changes to the copy stay.
    Pools are created here: left to their first use, two runs at once would both get in.
    """
    home = folder(config)
    home.mkdir(parents=True, exist_ok=True)
    settings = home / SETTINGS.name
    if not settings.exists():
        shutil.copyfile(SETTINGS, settings)
    instance = dg.DagsterInstance.from_config(str(home))
    known = {pool.name for pool in instance.event_log_storage.get_pool_limits()}
    for pool in [WRITER_POOL, *map(pool_of, config.sources)]:
        if pool not in known:
            instance.event_log_storage.set_concurrency_slots(pool, SLOTS_PER_POOL)
    return instance


@functools.cache
def flush_history_lazily() -> None:
    """Let this process write Dagster's history without waiting for the disk after each event.

    Dagster commits several times per event to SQLite, a thousand times in a build, and every
    commit waits for the disk: on a busy one, longer than the build itself. A killed process
    loses nothing by this; a power failure may cost the history, which is not the data.
    """

    def no_waiting(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("pragma synchronous = off")

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "connect", no_waiting)


@functools.cache
def keep_history_open() -> None:
    """Let this process prepare each statement of Dagster's history once.

    Dagster makes a new SQLAlchemy engine for every event and database, and with it forgets its
    compiled statements: a third of what recording a build costs. There is no setting for it.
    """
    made: dict[str, sqlalchemy.Engine] = {}

    def engine(address: str, **settings: Any) -> sqlalchemy.Engine:
        if address not in made:
            made[address] = sqlalchemy.create_engine(address, **settings)
        return made[address]

    sqlite_event_log.create_engine = engine  # type: ignore[attr-defined, assignment]
