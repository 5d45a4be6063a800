"""How an object of a Salesforce org is read: what changed, what went, a count, now and then all.

Belongs here: walks, their state and what is true of the rows they read. Does not belong here:
single calls (`client`), jobs (`bulk`), what there is to read (`shape`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from connectors import incremental
from connectors.base import Backfill, Page, State, Stream, Tombstone, Window
from connectors.errors import ServerError
from connectors.incremental import (
    CENSUS_EVERY,
    ChangeWalk,
    census_is_due,
    change_walks,
    cut_walk,
    is_due,
)
from connectors.pagination import LoopGuard, next_links
from connectors.records import members, parse_stamp, pick, split, values
from connectors.salesforce import bulk
from connectors.salesforce.bulk import JobGone, Jobs, NotInBulk
from connectors.salesforce.client import MAX_URL_BYTES, Org, QueryTimeout, Refused
from connectors.salesforce.shape import Shape, shape_of

ROWS_IN_PARTS = 200
RECORDS_PER_SPAN = 20_000
"""Ten pages and more: what a span costs beside them, a description, weighs little."""
MOST_SPANS = 16
JOBS_PER_WINDOW = 3
DELETE_LOG_REACH = timedelta(days=15)
DELETE_LOG_EVERY = timedelta(hours=1)
"""Most deletions come through the bin: one call an hour for the others is enough."""


class _TooMany(Exception):
    """More records than REST should bring."""


class _LongHistory(Exception):
    """More records than one walk should bring; how many spans should."""


class _Found(NamedTuple):
    """Records of a page, what it says is gone, and the last row's stamp and id."""

    records: list[bytes]
    tombstones: list[Tombstone]
    last: list[str] | None


class Reread(ChangeWalk):
    """Reads what has no new stamp, as a walk of its own beside the cursor.

    In the state it is `reread`: `end` and `position`.
    """

    def within(self, state: State) -> Reread:
        """Return this walk with the state that changes have left."""
        return Reread(self.start, self.end, self.position, state, True)

    def at(self, position: Any) -> State:
        """Return the state in the middle of the walk."""
        return {**self._state, "reread": {"end": literal(self.end), "position": position}}

    def done(self) -> State:
        """Return the state after the walk."""
        return {name: value for name, value in self._state.items() if name != "reread"}


class Reader:
    """Reads the objects of one org."""

    def __init__(self, org: Org, reread_days: int) -> None:
        self._org = org
        self._jobs = Jobs(org)
        self._reread_days = reread_days

    def shape(self, stream: Stream) -> Shape:
        """Return what this user sees of a stream's object."""
        return shape_of(self._org, stream, self._reread_days)

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield changes; then what was deleted, the source's count, sometimes a census.

        State: that of `ChangeWalk`, whose position is [stamp, id] among pages and an object
        among jobs; `since` (where the user let history begin), `counted` (by the source, when
        the last sync ended), `deleted_to` (how far the delete log is read), `census_at`,
        `reread_at`, `reread` (see `Reread`) while records are read again, and `fields` (those
        that all that is held was asked for).
        """
        shape = self.shape(stream)
        if not shape.fields:
            yield Page(notes=(str(shape.coverage),))
            return
        state = dict(state)
        is_first = "cursor" not in state
        if window.since and is_first:
            state["since"] = literal(window.since)
        is_census = stream.deletes != "none" and is_census_due(state, window)
        if is_first:  # what is read as a whole has lost nothing yet, but before a full refresh
            now = literal(window.now)
            for name in ("census_at", "deleted_to"):
                state.setdefault(name, window.before.get(name, now))
            state.setdefault("reread_at", now)
            state.setdefault("fields", list(shape.fields))
        again = self.reread(stream, shape, state, window)
        for walk in change_walks(stream, state, window):
            try:
                may_split = stream.spans and window.may_span and walk.position is None
                yield from self._walk(stream, shape, walk, may_split=may_split)
            except _LongHistory as found:
                yield Page(backfill=self._backfill(stream, shape, walk, found.args[0], window))
                return
        state = walk.done()
        if shape.has_delete_log and not (window.since or window.until):
            gone, state, has_gap = self._deletions(stream, state, window)
            is_census = is_census or has_gap
            yield Page(tombstones=gone, state=state)
        new = new_fields(shape, state)
        if again is not None or not new:
            state["fields"] = list(shape.fields)
        if again is not None:
            again = again.within(state)
            read = 0
            for page in self._walk(stream, shape, again):
                read += len(page.records)
                yield page
            state = again.done() | {"reread_at": literal(window.now)}
            which = ", ".join(new or shape.formulas) or "fields that are new"
            note = f"{stream.object_name}: {read:,} records read again for {which}"
            yield Page(state=state, notes=(note,))
        notes = (shape.coverage,) if shape.coverage else ()
        if stream.deletes == "none":
            yield Page(state=state, notes=notes)
            return
        count = self._count(stream, shape, state, is_first)
        state["counted"] = count
        yield Page(state=state, source_count=count, notes=notes)
        if is_census:
            yield from self._census(stream)
            state = state | {"census_at": literal(window.now)}
            yield Page(state=state, census_complete=True)

    def read_span(self, stream: Stream, state: State) -> Iterator[Page]:
        """Yield the rows of a part of a long history, whose state is that of its walk."""
        yield from self._walk(stream, self.shape(stream), ChangeWalk.of(state))

    def reread(self, stream: Stream, shape: Shape, state: State, window: Window) -> Reread | None:
        """Return the walk over records that no stamp brings; None: not due.

        Formulas change without one, and a field that the user may see since today is empty in
        all that is held.
        """
        cursor = parse_stamp(state.get("cursor", ""))
        if cursor is None or window.since or window.until or window.full_refresh:
            return None
        anew = Reread(None, cursor - stream.lookback, None, state, True)
        if new_fields(shape, state):
            return anew
        if "reread" in state:
            end = parse_stamp(state["reread"]["end"]) or cursor
            return Reread(None, end, state["reread"]["position"], state, True)
        every = timedelta(days=self._reread_days)
        is_on = shape.formulas and self._reread_days
        return anew if is_on and is_due(state, "reread_at", every, window) else None

    def _backfill(
        self, stream: Stream, shape: Shape, walk: ChangeWalk, spans: int, window: Window
    ) -> Backfill:
        """Cut a walk. After a full refresh, only a census tells what was deleted without a trace.

        No record moves from span to span: what changes gets a stamp behind all of them.
        """
        begin = walk.start or parse_stamp(
            self._org.earliest(stream.object_name, str(shape.cursor)) or ""
        )
        live = after = {**walk.done(), "fields": list(shape.fields)}
        if window.full_refresh and stream.deletes != "none":
            after = {**live, "census_at": literal(window.now - CENSUS_EVERY)}
        return Backfill(spans=cut_walk(walk, begin or walk.end, spans), live=live, after=after)

    # Changes

    def _walk(
        self, stream: Stream, shape: Shape, walk: ChangeWalk, *, may_split: bool = False
    ) -> Iterator[Page]:
        """Yield the rows of a window, by pages or, when they are many, by jobs.

        Raises _LongHistory before anything if `may_split` and it had better be read in spans.
        """
        position, may_use_jobs = walk.position, shape.fits_bulk
        if not isinstance(position, dict):
            try:
                yield from self._by_pages(stream, shape, walk, position, may_use_jobs, may_split)
                return
            except _TooMany:
                position = _job_position(walk, position)
        try:
            yield from self._by_jobs(stream, shape, walk, position)
        except NotInBulk as refusal:
            (position,) = refusal.args
            note = f"{stream.object_name}: no bulk job to be had, read page by page"
            yield Page(notes=(note,), state=walk.at(position))
            yield from self._by_pages(stream, shape, walk, position, may_use_jobs=False)

    def _by_pages(
        self,
        stream: Stream,
        shape: Shape,
        walk: ChangeWalk,
        position: Any,
        may_use_jobs: bool,
        may_split: bool = False,
    ) -> Iterator[Page]:
        """Yield rows by (stamp, Id); behind the last one if the query's locator expired."""
        guard = LoopGuard(self._org.session.place)
        parts = [shape.fields]
        if len(self._changes(stream, shape, shape.fields, walk, position)) > MAX_URL_BYTES:
            parts = list(shape.parts())
        rows = ROWS_IN_PARTS if len(parts) > 1 else None
        path = first = self._changes(stream, shape, parts[0], walk, position)
        while path:
            guard.check(path)
            try:
                body = self._org.get(path, rows)
            except QueryTimeout:
                if path == first and may_use_jobs:
                    raise _TooMany from None
                raise
            except Refused as refusal:
                if path == first or "INVALID_QUERY_LOCATOR" not in refusal.codes:
                    raise
                path = first = self._changes(stream, shape, parts[0], walk, position)
                may_split = False
                continue
            if path == first:
                found_in_all = pick(body, "totalSize")
                if not isinstance(found_in_all, int):
                    raise self._org.foreign()
                spans = spans_for(shape, found_in_all) if may_split else 1
                if spans > 1:
                    raise _LongHistory(spans)
                if may_use_jobs and found_in_all >= bulk.FROM_RECORDS:
                    raise _TooMany
            found = _sorted_out(split(body, "records"), shape)
            position = found.last or position
            records, notes = found.records, list[str]()
            if len(parts) > 1 and records:
                records = self._whole(stream, shape, records, parts[1:])
                if torn := len(found.records) - len(records):
                    notes.append(
                        f"{stream.object_name}: {torn} records changed while their "
                        f"{len(shape.fields)} fields were read; the next sync brings them"
                    )
            yield Page(
                records=records, tombstones=found.tombstones, state=walk.at(position), notes=notes
            )
            path = pick(body, "nextRecordsUrl")

    def _changes(
        self,
        stream: Stream,
        shape: Shape,
        fields: Sequence[str],
        walk: ChangeWalk,
        position: Any,
    ) -> str:
        """Return the path of the query for a window, or for what is left of it."""
        order = f"{shape.cursor}, Id" if shape.cursor else "Id"
        where = _where(conditions(walk, position, shape.cursor))
        return self._org.query(
            f"SELECT {', '.join(fields)} FROM {stream.object_name}{where} ORDER BY {order}"
        )

    def _whole(
        self,
        stream: Stream,
        shape: Shape,
        heads: Sequence[bytes],
        parts: Sequence[Sequence[str]],
    ) -> list[bytes]:
        """Return records with the fields of further parts, without those that changed meanwhile.

        Such a record has a stamp by now that belongs to the next walk.
        """
        told = {key: (stamp, [head]) for head in heads for key, stamp in [_version(head, shape)]}
        ids = ", ".join(f"'{key}'" for key in told)
        stamp_too = f"{shape.cursor}, " if shape.cursor else ""
        for part in parts:
            pages = next_links(
                self._org.get,
                self._org.query(
                    f"SELECT Id, {stamp_too}{', '.join(part)} FROM {stream.object_name} "
                    f"WHERE Id IN ({ids})"
                ),
                lambda body: pick(body, "nextRecordsUrl"),
                place=self._org.session.place,
            )
            for record in (record for body, _ in pages for record in split(body, "records")):
                key, stamp = _version(record, shape)
                if key in told and told[key][0] == stamp:
                    told[key][1].append(record)
        return [
            msgspec.json.encode({n: raw for piece in pieces for n, raw in members(piece).items()})
            for _, pieces in told.values()
            if len(pieces) == 1 + len(parts)
        ]

    def _by_jobs(
        self, stream: Stream, shape: Shape, walk: ChangeWalk, position: dict[str, Any]
    ) -> Iterator[Page]:
        """Yield rows of one job after the other, each over its own window of stamps.

        Position: `from` (all before is read), `until` (where this job's window ends), `job`,
        `locator` (of the page to come). Raises NotInBulk with the position to go on from.
        """
        place, failures = self._org.session.place, 0
        while position["from"] != literal(walk.end):
            if "until" not in position:
                until = self._window_end(stream, shape, walk, position["from"])
                if until is None:
                    return
                position = {**position, "until": until}
            if "job" not in position:
                try:
                    job = self._jobs.create(self._job_query(stream, shape, position))
                except NotInBulk:
                    raise NotInBulk({"from": position["from"]}) from None
                position = {**position, "job": job, "locator": None}
                yield Page(state=walk.at(position))
            job = position["job"]
            try:
                self._jobs.wait(job)
                for rows, locator in self._jobs.pages(job, position["locator"]):
                    found = _sorted_out(bulk.records(rows, shape.types), shape)
                    position = {**position, "locator": locator}
                    if locator is None:
                        position = {"from": position["until"]}
                    yield Page(
                        records=found.records,
                        tombstones=found.tombstones,
                        state=walk.at(position),
                    )
            except JobGone as why:
                failures += 1
                if failures >= JOBS_PER_WINDOW:
                    raise ServerError(
                        f"{place}: {failures} bulk jobs for the same records came to nothing "
                        f"(the last is `{why}`). Try again later.",
                        place=place,
                    ) from None
                position = {"from": position["from"], "until": position["until"]}
            else:
                failures = 0
            self._jobs.drop(job)

    def _job_query(self, stream: Stream, shape: Shape, position: dict[str, Any]) -> str:
        """Return a job's query; any ORDER BY would keep the vendor from splitting it."""
        bounds = []
        if shape.cursor and position["from"]:
            bounds.append(f"{shape.cursor} >= {position['from']}")
        if shape.cursor:
            bounds.append(f"{shape.cursor} < {position['until']}")
        return f"SELECT {', '.join(shape.fields)} FROM {stream.object_name}{_where(bounds)}"

    def _window_end(
        self, stream: Stream, shape: Shape, walk: ChangeWalk, start: str | None
    ) -> str | None:
        """Return where the next job's window ends; None if nothing is left."""
        name, cursor = stream.object_name, shape.cursor
        if cursor is None:
            return literal(walk.end)

        def count(since: datetime, until: datetime) -> int:
            bounds = [f"{cursor} >= {literal(since)}", f"{cursor} < {literal(until)}"]
            return self._org.count(name, bounds)

        try:
            begin = parse_stamp(start or self._org.earliest(name, cursor) or "")
            if begin is None or begin >= walk.end:
                return None
            due = count(begin, walk.end)
            if due == 0:
                return None
            return literal(bulk.cut(count, begin, walk.end, due))
        except QueryTimeout:  # too many to be counted: the vendor splits a job by itself
            return literal(walk.end)

    # What is gone, and how many there are

    def _deletions(
        self, stream: Stream, state: State, window: Window
    ) -> tuple[list[Tombstone], State, bool]:
        """Return what the delete log adds, the state after it, and whether it has a gap.

        The log also has what never went through the bin. It reaches back 15 days, less when it
        grows long; what is older shows in a census alone.
        """
        start = deletions_from(state, window)
        if start is None:
            return [], state, False
        after = state | {"deleted_to": literal(window.now)}
        if window.now - start >= DELETE_LOG_REACH:
            return [], after, True
        try:
            body = self._org.get(self._org.deleted(stream.object_name, start, window.now))
        except Refused as refusal:
            if not {"INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"} & {*refusal.codes}:
                raise
            return [], after, True
        earliest = parse_stamp(pick(body, "earliestDateAvailable") or "")
        covered = parse_stamp(pick(body, "latestDateCovered") or "") or start
        gone = [values(entry, "id", "deletedDate") for entry in split(body, "deletedRecords")]
        tombstones = [Tombstone(key=key, at=parse_stamp(at or "")) for key, at in gone if key]
        after = state | {"deleted_to": literal(max(start, covered))}
        return tombstones, after, earliest is not None and earliest > start

    def _count(self, stream: Stream, shape: Shape, state: State, is_first: bool) -> int:
        """Return how many live records the source has, as far as they are to be held.

        By `queryAll`, for `query` leaves out archived activities. What the lag held back is
        new to us after a first sync, later mostly a change of what we hold.
        """
        held = []
        cursor = shape.cursor if is_first or "CreatedDate" not in shape.types else "CreatedDate"
        if shape.cursor and cursor:
            held.append(f"{cursor} < {literal(datetime.fromisoformat(state['cursor']))}")
        if "since" in state and shape.cursor:
            held.append(f"{shape.cursor} >= {state['since']}")
        if "IsDeleted" in shape.fields:
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


def conditions(walk: ChangeWalk, position: Any, cursor: str | None) -> list[str]:
    """Return what is true of the records of a window, or of what is left of it.

    Args:
        position: None, [stamp, id] of the last row read, or where jobs left off.
    """
    if cursor is None:
        return [f"Id > '{position[1]}'"] if isinstance(position, list) else []
    found = [f"{cursor} < {literal(walk.end)}"]
    if isinstance(position, list):
        stamp, key = position
        found.append(f"({cursor} > {stamp} OR ({cursor} = {stamp} AND Id > '{key}'))")
    elif position is not None and position["from"]:
        found.append(f"{cursor} >= {position['from']}")
    elif walk.start is not None:
        found.append(f"{cursor} >= {literal(walk.start)}")
    return found


def spans_for(shape: Shape, records: int) -> int:
    """Return in how many spans so many records are read: one job of each should be worth it."""
    each = bulk.JOB_RECORDS // 4 if shape.fits_bulk else RECORDS_PER_SPAN
    return min(MOST_SPANS, records // each) if shape.cursor else 1


def literal(at: datetime) -> str:
    """Return a moment as SOQL writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_fields(shape: Shape, state: State) -> tuple[str, ...]:
    """Return the fields that what is held was not asked for: added by rapport.yml or the vendor's
    administrator since. What is read as a whole each time has none."""
    return () if shape.cursor is None else incremental.new_fields(shape.fields, state)


def is_census_due(state: State, window: Window) -> bool:
    """Tell whether ids are counted through: what was just read as a whole has lost nothing."""
    if "walk" in state:
        return False
    return census_is_due(state, window) if "census_at" in state else window.full_refresh


def deletions_from(state: State, window: Window) -> datetime | None:
    """Return from when on the delete log is to be read; None if that is not due."""
    reach = window.now - DELETE_LOG_REACH + DELETE_LOG_EVERY
    start = parse_stamp(state.get("deleted_to", "")) or reach
    return start if window.now - start >= DELETE_LOG_EVERY else None


def _sorted_out(rows: Sequence[bytes], shape: Shape) -> _Found:
    """Tell records from those in the bin."""
    records, tombstones, last = [], [], None
    for row in rows:
        key, stamp, gone, master = values(
            row, "Id", shape.cursor or "", "IsDeleted", "MasterRecordId"
        )
        if gone is True and key:
            at = parse_stamp(stamp or "")
            tombstones.append(Tombstone(key=key, merged_into=master, at=at))
        else:
            records.append(row)
        if key and (stamp or not shape.cursor):
            last = [(stamp or "").replace("+0000", "Z"), key]
    return _Found(records, tombstones, last)


def _version(record: bytes, shape: Shape) -> tuple[Any, Any]:
    key, stamp = values(record, "Id", shape.cursor or "")
    return key, stamp


def _job_position(walk: ChangeWalk, position: Any) -> dict[str, Any]:
    """Return where jobs begin: at the stamp that pages came to, or at the window's start."""
    if position is not None:
        return {"from": position[0] or None}
    return {"from": literal(walk.start) if walk.start else None}


def _where(bounds: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(bounds)}" if bounds else ""
