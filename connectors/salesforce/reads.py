"""How an object of a Salesforce org is read: what changed, a count, sometimes a census of ids.

Belongs here: walks, their state and what is true of the rows they read. Does not belong here:
single calls (`client`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.errors import ConfigError
from connectors.incremental import ChangeWalk, census_is_due, change_walks
from connectors.pagination import LoopGuard, next_links
from connectors.records import parse_stamp, pick, split, values
from connectors.salesforce.client import Org, Refused
from connectors.salesforce.streams import ONLY_IN_SOME_ORGS

MAX_URL_BYTES = 16_000
_HEAD = ("Id", "SystemModstamp", "IsDeleted", "MasterRecordId")


class Reader:
    """Reads the objects of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield changes by (SystemModstamp, Id); then the source's count, sometimes a census.

        State: that of `ChangeWalk`, `since` (where the user let history begin), `counted`
        (by the source, when the last sync ended) and `census_at`.
        """
        fields, coverage = self.visible(stream)
        if not fields:
            yield Page(notes=(str(coverage),))
            return
        state = dict(state)
        is_first = "cursor" not in state
        if window.since and is_first:
            state["since"] = literal(window.since)
        is_census = is_census_due(state, window)
        if is_first:  # what was just read as a whole has lost nothing yet
            state["census_at"] = literal(window.now)
        for walk in change_walks(stream, state, window):
            yield from self._walk(stream, fields, walk)
        state = walk.done()
        count = self._count(stream, fields, state, is_first)
        state["counted"] = count
        yield Page(state=state, source_count=count, notes=(coverage,) if coverage else ())
        if is_census:
            yield from self._census(stream)
            state = state | {"census_at": literal(window.now)}
            yield Page(state=state, census_complete=True)

    def _walk(self, stream: Stream, fields: Sequence[str], walk: ChangeWalk) -> Iterator[Page]:
        """Yield the rows of a window; behind the last one if the query's locator expired."""
        guard = LoopGuard(self._org.session.place)
        position = walk.position
        path = first = self._changes(stream, fields, walk, position)
        while path:
            guard.check(path)
            try:
                body = self._org.get(path)
            except Refused as refusal:
                if path == first or "INVALID_QUERY_LOCATOR" not in refusal.codes:
                    raise
                path = first = self._changes(stream, fields, walk, position)
                continue
            records, tombstones = [], []
            for record in split(body, "records"):
                key, stamp, gone, master = values(record, *_HEAD)
                if gone is True and key:
                    at = parse_stamp(stamp or "")
                    tombstones.append(Tombstone(key=key, merged_into=master, at=at))
                else:
                    records.append(record)
                if key and stamp:
                    position = [stamp.replace("+0000", "Z"), key]
            yield Page(records=records, tombstones=tombstones, state=walk.at(position))
            path = pick(body, "nextRecordsUrl")

    def _changes(
        self, stream: Stream, fields: Sequence[str], walk: ChangeWalk, position: Any
    ) -> str:
        """Return the path of the query for a window, or for what is left of it."""
        path = self._org.query(
            f"SELECT {', '.join(fields)} FROM {stream.object_name} "
            f"WHERE {' AND '.join(conditions(walk, position))} ORDER BY SystemModstamp, Id"
        )
        if len(path) > MAX_URL_BYTES:
            raise ConfigError(
                f"{self._org.name}.{stream.name}: {len(fields)} fields make a query of "
                f"`{len(path)}` bytes; Salesforce takes {MAX_URL_BYTES}. "
                f"Name fewer under `fields: {stream.object_name}` in rapport.yml."
            )
        return path

    def _count(self, stream: Stream, fields: Sequence[str], state: State, is_first: bool) -> int:
        """Return how many live records the source has, as far as they are to be held.

        By `queryAll`, for `query` leaves out archived activities. What the lag held back is
        new to us after a first sync, later mostly a change of what we hold.
        """
        end = literal(datetime.fromisoformat(state["cursor"]))
        held = [f"{'SystemModstamp' if is_first else 'CreatedDate'} < {end}"]
        if "since" in state:
            held.append(f"SystemModstamp >= {state['since']}")
        if "IsDeleted" in fields:
            held.append("IsDeleted = false")
        return self._org.count(stream.object_name, held)

    def _census(self, stream: Stream) -> Iterator[Page]:
        """Yield every id the org still has, those in the bin too: their tombstones say more."""
        pages = next_links(
            self._org.get,
            self._org.query(f"SELECT Id FROM {stream.object_name}"),
            lambda body: pick(body, "nextRecordsUrl"),
            place=self._org.session.place,
        )
        for body, _ in pages:
            keys = (values(record, "Id")[0] for record in split(body, "records"))
            yield Page(seen_keys=[key for key in keys if key])

    def visible(self, stream: Stream) -> tuple[tuple[str, ...], str | None]:
        """Return the fields to ask for, and in words what this user or the API withholds.

        Field-level security removes a field from describe, and asking for it all the same
        is an error for the whole query.
        """
        described = self._org.described(stream.object_name)
        if "SystemModstamp" not in described:
            return (), f"{stream.object_name}: not visible to this user"
        extras = tuple(name for name in ("IsDeleted", "MasterRecordId") if name in described)
        taken = tuple(name for name in stream.fields if name in described)
        optional = ONLY_IN_SOME_ORGS.get(stream.object_name, "").split()
        hidden = [f for f in stream.fields if f not in described and f not in optional]
        formulas = [f for f in taken if described[f].get("calculatedFormula")]
        notes = []
        if hidden:
            notes.append(f"not visible to this user: {', '.join(hidden)}")
        if formulas:
            notes.append(f"formulas, seen only when the record changes: {', '.join(formulas)}")
        return taken + extras, f"{stream.object_name}: {'; '.join(notes)}" if notes else None


def conditions(walk: ChangeWalk, position: Any) -> list[str]:
    """Return what is true of the records of a window, or of what is left of it."""
    found = [f"SystemModstamp < {literal(walk.end)}"]
    if position is not None:
        stamp, key = position
        found.append(f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{key}'))")
    elif walk.start is not None:
        found.append(f"SystemModstamp >= {literal(walk.start)}")
    return found


def literal(at: datetime) -> str:
    """Return a moment as SOQL writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_census_due(state: State, window: Window) -> bool:
    """Tell whether ids are counted through: what was just read as a whole has lost nothing."""
    if "walk" in state:
        return False
    return census_is_due(state, window) if "census_at" in state else window.full_refresh
