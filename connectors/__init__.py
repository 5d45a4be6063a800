"""Connectors: from vendors' APIs to landing files, usable from a notebook.

Belongs here: the public names. Nothing in this package knows of Dagster or dbt.

    source = open_source("forum", "discourse", {"url": ..., "api_key": ...}, home=home)
    for stream in source.streams():
        print(sync_stream(source, stream, home))
"""

from connectors.base import (
    Backfill,
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
from connectors.discovery import Discovery, FoundField, FoundObject, FoundStream, discover
from connectors.landing import Landing
from connectors.planning import Allowance, Cost, SourcePlan, Step, plan_source
from connectors.quarantine import Quarantine
from connectors.registry import open_source
from connectors.session import Limit, Session
from connectors.sync import Progress, SyncResult, sync_stream

__all__ = [
    "Allowance",
    "Backfill",
    "Check",
    "Cost",
    "Discovery",
    "FoundField",
    "FoundObject",
    "FoundStream",
    "Landing",
    "Limit",
    "Page",
    "Policy",
    "Progress",
    "Quarantine",
    "Rejected",
    "Session",
    "Source",
    "SourcePlan",
    "State",
    "Step",
    "Stream",
    "SyncResult",
    "Tombstone",
    "Window",
    "discover",
    "open_source",
    "plan_source",
    "sync_stream",
]
