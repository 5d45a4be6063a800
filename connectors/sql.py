"""sql: tables and queries of any database that SQLAlchemy has an address for.

`url: postgresql://reader@host/shop`, `sqlite:///crm.db`, `mysql+pymysql://...`: SQLite and
PostgreSQL (pg8000) come along, for others install SQLAlchemy's driver. Access needed: to
connect, and SELECT on what is named; a user without any other right is the best guard, the
ones built in are: a read-only transaction (PostgreSQL, MySQL), `mode=ro` and `query_only`
(SQLite), one SELECT of which we write the frame, and never a commit. What deletes look like:
`snapshot: true` reads the whole table, and what it no longer shows is deleted; `deleted:`
names the column by which a loader or an application marks them; otherwise nobody tells, and
only `--full-refresh` finds them.

An incremental stream reads one query in the order of (cursor, key) and remembers how far it
came. Its cursor is the greatest stamp seen, never the time of the sync: a loader may bring
rows hours after they were stamped. From there on everything is read again (with `lookback`
before it), so that rows with the same stamp are never lost; unchanged ones are not landed.

A record is one JSON object per row. PostgreSQL writes it itself (`row_to_json`), so its
digits, JSON columns, arrays and infinities are its own; of other databases decimals stay
exact, bytes become base64, and a number that JSON does not have becomes text.

Belongs here: how far a stream has been read, and what that says about deletes. Does not belong
here: connections and their errors (`database`), rows (`tables`), what columns mean (`map:`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from connectors.base import Check, Page, Policy, Rejected, State, Stream, Tombstone, Window
from connectors.catalog import found_stream, other_tables
from connectors.database import ReadOnly, check_query, without_semicolon
from connectors.discovery import Discovery
from connectors.errors import ConfigError
from connectors.incremental import ChangeWalk, begun_anew, new_fields
from connectors.planning import Allowance, Cost
from connectors.records import Projected, parse_stamp, project
from connectors.session import Session
from connectors.tables import (
    Counts,
    Row,
    Rows,
    SqlStream,
    TimeForm,
    check_declaration,
    duration,
    fields_of,
    key_of,
    pack,
    unpack,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

TYPE = "sql"
SILO = "other"
POLICY = Policy()

MOST_WITHOUT_CURSOR = 1_000
"""Rows that a sync brings to quarantine because their cursor is empty; all are counted."""


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `sql`.

    Attributes:
        url: SQLAlchemy's address of the database. The path of an SQLite file is relative to the
            folder of rapport.yml.
        password: put into `url`, so that its special characters need no escapes.
        streams: name -> table or query.
        clock: a SELECT of the time by which rows are stamped, where that is not our clock.
        folder: where relative paths start; set to the folder of rapport.yml.
    """

    url: str
    password: str | None = None
    streams: dict[str, SqlStream]
    clock: str | None = None
    folder: str = "."


STREAMS: tuple[Stream, ...] = ()
"""None of its own: rapport.yml declares them."""


def connect(name: str, settings: Settings, session: Session) -> Database:
    """Return the source; nothing is asked yet."""
    return Database(name, settings)


class Database:
    """A database that is only read."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        for stream, declared in settings.streams.items():
            check_declaration(f"sources.{name}.streams.{stream}", declared)
        if settings.clock is not None:
            check_query(f"sources.{name}.clock", settings.clock)

    def streams(self) -> Sequence[Stream]:
        """Return one stream per entry of `streams:`; the database is not asked."""
        return [
            Stream(
                name=name,
                key=key_of(declared),
                fields=fields_of(declared),
                cursor=declared.cursor,
                cursor_trusted=declared.cursor_type == "timestamp",
                sync_mode="full" if declared.snapshot else "incremental",
                lag=duration(declared.lag),
                lookback=duration(declared.lookback),
                deletes="census"
                if declared.snapshot
                else ("tombstones" if declared.deleted else "none"),
                object_name=declared.table or "query",
                zone=declared.timezone,
            )
            for name, declared in self.settings.streams.items()
        ]

    def check(self) -> Check:
        """Connect, and look at the columns of every stream without reading a row."""
        with self._database.connected(self.name) as connection:
            dialect = connection.dialect
        for name in self.settings.streams:
            with self._database.connected(f"{self.name}.{name}") as connection:
                Rows(f"{self.name}.{name}", self.settings.streams[name], connection)
        version = ".".join(map(str, dialect.server_version_info or ()))
        count = len(self.settings.streams)
        return Check(
            ok=True,
            account=self._database.account,
            detail=f"{dialect.name} {version}, read-only, {count} stream{'s' * (count != 1)}",
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield a stream's rows: changed ones in the order of (cursor, key), or all of them.

        State: `cursor` (UTC, or a number), `columns` seen so far, `fields` (see `begun_anew`), and
        `walk` while one is under way. A snapshot is read in one go: `--since` and `--until` do not
        apply to it.

        Raises:
            ConfigError: no such table or column, a query that is refused, a missing driver.
            AuthError: the database refuses the user, or SELECT.
            Unreachable, ServerError: worth another try.
        """
        declared = self.settings.streams[stream.name]
        place = f"{self.name}.{stream.name}"
        with self._database.connected(place) as connection:
            window = self._by_its_clock(window, connection)
            rows = Rows(place, declared, connection)
            notes = [*_changed_columns(rows.columns, state.get("columns")), *rows.notes]
            new, state = new_fields(stream.fields, state), begun_anew(stream.fields, state, window)
            if new and state.keys() == {"fields"}:
                notes.append(f"read again for {', '.join(new)}")
            facts = {"columns": rows.columns, "fields": state["fields"]}
            if notes:
                yield Page(notes=notes)
            if declared.snapshot:
                pages = self._whole(stream, rows)
            elif declared.cursor_type == "number":
                pages = self._by_number(stream, rows, state, window)
            else:
                pages = self._by_time(stream, rows, state, window)
            for page in pages:
                if page.state is None:
                    yield page
                else:
                    yield dataclasses.replace(page, state={**page.state, **facts})

    def discover(self) -> Discovery:
        """List the columns of every stream, and the tables that no stream reads."""
        streams = []
        for stream in self.streams():
            declared, place = self.settings.streams[stream.name], f"{self.name}.{stream.name}"
            with self._database.connected(place) as connection:
                rows = Rows(place, declared, connection)
                streams.append(found_stream(stream, declared, rows, connection))
        with self._database.connected(self.name) as connection:
            tables, how = other_tables(connection, self.settings.streams.values())
        return Discovery(streams=tuple(streams), objects=tables, how=how)

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count the rows that `read` would select, by the same conditions; no calls are made."""
        declared = self.settings.streams[stream.name]
        place = f"{self.name}.{stream.name}"
        with self._database.connected(place) as connection:
            window = self._by_its_clock(window, connection)
            state = begun_anew(stream.fields, state, window)
            due = self._due(stream, Rows(place, declared, connection), state, window)
        how = "count(*) with the conditions of the read, those marked as deleted included"
        if due is None:
            how = "cannot tell: `count: false` says that counting takes too long"
        return Cost(records=due, records_how=how)

    def _due(self, stream: Stream, rows: Rows, state: State, window: Window) -> int | None:
        if rows.declared.snapshot:
            return rows.due()
        if rows.declared.cursor_type == "number":
            return rows.due(unpack(state.get("cursor")), None, unpack(state.get("walk")))
        form = TimeForm.of(rows)
        if form is None:
            return 0
        walk = ChangeWalk.begin(stream, state, window)
        return rows.due(*_bounds(form, walk), unpack(walk.position))

    def _by_its_clock(self, window: Window, connection: sa.Connection) -> Window:
        if self.settings.clock is None:
            return window
        now = _time_told(self.name, self.settings.clock, connection)
        return dataclasses.replace(window, now=now)

    def allowance(self) -> Allowance:
        """A database has no quota of calls."""
        return Allowance(how="a database has no quota of calls")

    @cached_property
    def _database(self) -> ReadOnly:
        settings = self.settings
        return ReadOnly(self.name, settings.url, settings.password, Path(settings.folder))

    # Walks

    def _whole(self, stream: Stream, rows: Rows) -> Iterator[Page]:
        for batch in rows.read():
            yield _page(stream, batch)
        yield Page(state={}, census_complete=True)

    def _by_time(self, stream: Stream, rows: Rows, state: State, window: Window) -> Iterator[Page]:
        walk = ChangeWalk.begin(stream, state, window)
        form = TimeForm.of(rows)
        if form is None:
            none = rows.counts(None)
            yield Page(source_count=none.live, notes=none.notes(rows))
            yield from _left_out(stream, rows, None, none, window.full_refresh)
            yield Page(state=_without_walk(state), census_complete=_is_complete(window))
            return
        start, end = _bounds(form, walk)
        counts = rows.counts(end)
        yield Page(source_count=counts.live, notes=counts.notes(rows))
        last = unpack(walk.position)
        for batch in rows.read(start, end, last):
            last = batch[-1].position
            yield _page(stream, batch, walk.at(pack(last)))
        yield from _left_out(stream, rows, end, counts, window.full_refresh)
        # The cursor ends at the greatest stamp seen and not with the window: a loader may still
        # bring what was stamped in between.
        stamps = (parse_stamp(str(state.get("cursor"))), form.instant(last[0]) if last else None)
        seen = max((at for at in stamps if at), default=None)
        done = state
        if seen is not None and walk.done() != state:
            done = dataclasses.replace(walk, end=min(seen, walk.end)).done()
        yield Page(state=_without_walk(done), census_complete=_is_complete(window))

    def _by_number(
        self, stream: Stream, rows: Rows, state: State, window: Window
    ) -> Iterator[Page]:
        if window.since or window.until:
            yield Page(notes=["the cursor is a number: --since and --until do not apply"])
        counts = rows.counts(None)
        yield Page(source_count=counts.live, notes=counts.notes(rows))
        held = {} if window.full_refresh else state
        walk = held.get("walk")
        for batch in rows.read(unpack(held.get("cursor")), None, unpack(walk)):
            walk = pack(batch[-1].position)
            yield _page(stream, batch, {**held, "walk": walk})
        yield from _left_out(stream, rows, None, counts, window.full_refresh)
        done = {"cursor": walk[0]} if walk else _without_walk(held)
        yield Page(state=done, census_complete=_is_complete(window))


def _bounds(form: TimeForm, walk: ChangeWalk) -> tuple[Any, Any]:
    """Return a walk's window as the cursor column would hold it."""
    start = form.bound(walk.start) if walk.start is not None else None
    return start, form.bound(walk.end, after=True)


def _time_told(name: str, clock: str, connection: sa.Connection) -> datetime:
    """Return the time that the query of `clock:` tells; UTC where it names no zone."""
    told = connection.exec_driver_sql(without_semicolon(clock)).scalar()
    at = parse_stamp(str(told))
    if at is None:
        raise ConfigError(
            f"sources.{name}.clock tells `{told}`, which is no time. Let it select a single one, "
            "as `select now()` does."
        )
    return at


# Pages


def _page(stream: Stream, batch: Sequence[Row], state: State | None = None) -> Page:
    records, tombstones, rejected = [], [], []
    for row in batch:
        if not row.is_deleted:
            records.append(row.record)
            continue
        found = project(row.record, stream)
        if isinstance(found, Projected):
            tombstones.append(Tombstone(key=found.key, at=found.version))
        else:
            rejected.append(found)
    return Page(records=records, tombstones=tombstones, rejected=rejected, state=state)


def _left_out(
    stream: Stream, rows: Rows, end: Any, counts: Counts, is_full: bool
) -> Iterator[Page]:
    """Quarantine rows without a cursor; a full refresh also shows the census what waits."""
    if not is_full and not counts.without_cursor:
        return
    for batch in rows.left_out(end, most=None if is_full else MOST_WITHOUT_CURSOR):
        rejected, seen = [], []
        for row in batch:
            found = project(row.record, stream)
            if isinstance(found, Rejected):
                rejected.append(found)
            elif row.position[0] is not None:
                seen.append(found.key)
            else:
                why = f"`{stream.cursor}` is empty, so no sync would ever notice a change"
                bad = Rejected(reason="no_cursor", detail=why, key=found.key, text=found.text)
                rejected.append(bad)
        yield Page(rejected=rejected, seen_keys=seen)


def _without_walk(state: State) -> State:
    return {name: value for name, value in state.items() if name != "walk"}


def _is_complete(window: Window) -> bool:
    return window.full_refresh and window.since is None and window.until is None


def _changed_columns(columns: Sequence[str], known: Sequence[str] | None) -> list[str]:
    if known is None:
        return []
    new = [name for name in columns if name not in known]
    gone = [name for name in known if name not in columns]
    return [
        f"{word} column{'s' * (len(names) > 1)}: {', '.join(names)}"
        for word, names in (("new", new), ("lost", gone))
        if names
    ]
