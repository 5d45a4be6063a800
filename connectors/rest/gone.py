"""What says that a record of a `rest` source is gone.

Belongs here: telling living records from tombstones. Does not belong here: lists of what is
archived and complete walks (`reads`).
"""

from __future__ import annotations

from typing import Any

from connectors.base import Page, State, Stream, Tombstone
from connectors.records import Projected, pick, project
from connectors.rest.settings import RestStream, Tombstones


def page_of(
    stream: Stream, declared: RestStream, records: list[bytes], state: State | None
) -> Page:
    """Return records as a page, with tombstones for those that say what is gone."""
    deletes = declared.deletes
    if not isinstance(deletes, Tombstones):
        return Page(records=records, state=state)
    live, gone = [], []
    for row in records:
        tombstone = _tombstone(row, stream, deletes) if _says_gone(row, deletes) else None
        if tombstone is None:
            live.append(row)
        else:
            gone.append(tombstone)
    return Page(records=live, tombstones=gone, state=state)


def _says_gone(record: bytes, deletes: Tombstones) -> bool:
    told = _text(pick(record, *deletes.field.split(".")))
    if deletes.values is None:
        return told not in ("", "0", "false")
    return told in map(_text, deletes.values)


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _tombstone(record: bytes, stream: Stream, deletes: Tombstones) -> Tombstone | None:
    found = project(record, stream)
    if not isinstance(found, Projected):
        return None
    if deletes.key is None:
        return Tombstone(key=found.key, at=found.version)
    other = pick(record, *deletes.key.split("."))
    return None if other is None else Tombstone(key=str(other), at=found.version)
