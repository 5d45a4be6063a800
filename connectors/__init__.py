"""Connectors: from vendors' APIs to landing files, usable from a notebook.

Belongs here: the public names. Nothing in this package knows of Dagster or dbt.

    source = open_source("forum", "discourse", {"url": ..., "api_key": ...}, home=home)
    for stream in source.streams():
        print(sync_stream(source, stream, home))
"""

from connectors.base import (
    Check,
    Page,
    Policy,
    Rejected,
    Source,
    State,
    Stream,
    Tombstone,
    Window,
)
from connectors.landing import Landing
from connectors.quarantine import Quarantine
from connectors.registry import open_source
from connectors.session import Limit, Session
from connectors.sync import Progress, SyncResult, sync_stream

__all__ = [
    "Check",
    "Landing",
    "Limit",
    "Page",
    "Policy",
    "Progress",
    "Quarantine",
    "Rejected",
    "Session",
    "Source",
    "State",
    "Stream",
    "SyncResult",
    "Tombstone",
    "Window",
    "open_source",
    "sync_stream",
]
