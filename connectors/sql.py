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

Belongs here: what may be asked of a database, and its errors. Does not belong here: what the
columns mean (`map:`) or their types.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from connectors import redaction
from connectors.base import Check, Page, Policy, Rejected, State, Stream, Tombstone, Window
from connectors.errors import (
    AuthError,
    BadRequest,
    ConfigError,
    RapportError,
    ServerError,
    Unreachable,
)
from connectors.incremental import ChangeWalk
from connectors.records import Projected, parse_stamp, project
from connectors.session import Session

if TYPE_CHECKING:
    import sqlalchemy as sa

TYPE = "sql"
SILO = "other"
POLICY = Policy()

FIRST_ROWS = 50
MOST_ROWS_PER_PAGE = 1_000
BYTES_PER_PAGE = 4 * 1024 * 1024
MOST_WITHOUT_CURSOR = 1_000
LOCK_WAIT_S = 30
EARLIEST_UNIX_TIME = 10**9
"""Smaller whole numbers (before 2001) are taken for counters, not for times."""

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+[smhd]$")]
Scalar = str | int | float | bool


class Deleted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The column that marks a row as deleted.

    Attributes:
        column: its name; it need not be among `fields`.
        values: what it holds in a deleted row; absent: anything but empty, false and 0.
    """

    column: str
    values: list[Scalar] | None = None


class SqlStream(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One entry of `streams:`; exactly one of `table` and `query`.

    Attributes:
        table: a table or view, with its schema if need be (`shop.orders`).
        query: one SELECT, without ORDER BY.
        key: columns that identify a row.
        cursor: column that grows when a row changes. With it only what is new is read.
        cursor_type: what the cursor holds: times (also as ISO 8601 text or Unix time), or
            numbers that only grow.
        lag: the newest part of time that is left for the next sync (`90s`, `15m`, `2h`, `1d`).
        lookback: how much before the cursor is read again, for rows that appear late.
        snapshot: the whole table is read each time; rows it no longer shows are deleted.
        deleted: the column that marks deleted rows.
        fields: columns to take; absent: all, it is the user's own table.
        timezone: zone of times without one, as `Europe/Berlin`.
        count: count the rows at each sync, to compare with what is held. Switch it off where
            counting takes too long.
        map: to which unified table the rows lead.
    """

    table: str | None = None
    query: str | None = None
    key: str | list[str]
    cursor: str | None = None
    cursor_type: Literal["timestamp", "number"] = "timestamp"
    lag: Duration = "0s"
    lookback: Duration = "15m"
    snapshot: bool = False
    deleted: Deleted | None = None
    fields: list[str] | None = None
    timezone: str = "UTC"
    count: bool = True
    map: Any = None


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `sql`.

    Attributes:
        url: SQLAlchemy's address of the database. The path of an SQLite file is relative to the
            folder of rapport.yml.
        password: put into `url`, so that its special characters need no escapes.
        streams: name -> table or query.
        folder: where relative paths start; set to the folder of rapport.yml.
    """

    url: str
    password: str | None = None
    streams: dict[str, SqlStream]
    folder: str = "."


STREAMS: tuple[Stream, ...] = ()
"""None of its own: rapport.yml declares them."""


def connect(name: str, settings: Settings, session: Session) -> Database:
    """Return the source; nothing is asked yet. The address's secrets are masked from now on."""
    return Database(name, settings)


class Database:
    """A database that is only read."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        for stream, declared in settings.streams.items():
            _check_declaration(f"sources.{name}.streams.{stream}", declared)
        if "${" not in settings.url:
            redaction.register(_secrets_of(_parse_url(name, settings)))

    def streams(self) -> Sequence[Stream]:
        """Return one stream per entry of `streams:`; the database is not asked."""
        return [
            Stream(
                name=name,
                key=_key(declared),
                fields=_fields(declared),
                cursor=declared.cursor,
                cursor_trusted=declared.cursor_type == "timestamp",
                sync_mode="full" if declared.snapshot else "incremental",
                lag=_duration(declared.lag),
                lookback=_duration(declared.lookback),
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
        with self._connected(self.name) as connection:
            dialect = connection.dialect
        for name in self.settings.streams:
            with self._connected(f"{self.name}.{name}") as connection:
                _Rows(f"{self.name}.{name}", self.settings.streams[name], connection)
        version = ".".join(map(str, dialect.server_version_info or ()))
        count = len(self.settings.streams)
        return Check(
            ok=True,
            account=_account(_parse_url(self.name, self.settings)),
            detail=f"{dialect.name} {version}, read-only, {count} stream{'s' * (count != 1)}",
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield a stream's rows: changed ones in the order of (cursor, key), or all of them.

        State: `cursor` (UTC, or a number), `columns` seen so far, and `walk` while one is under
        way. A snapshot is read in one go: `--since` and `--until` do not apply to it.

        Raises:
            ConfigError: no such table or column, a query that is refused, a missing driver.
            AuthError: the database refuses the user, or SELECT.
            Unreachable, ServerError: worth another try.
        """
        declared = self.settings.streams[stream.name]
        place = f"{self.name}.{stream.name}"
        with self._connected(place) as connection:
            rows = _Rows(place, declared, connection)
            notes = [*_changed_columns(rows.columns, state.get("columns")), *rows.notes]
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
                    yield dataclasses.replace(page, state={**page.state, "columns": rows.columns})

    # Walks

    def _whole(self, stream: Stream, rows: _Rows) -> Iterator[Page]:
        for batch in rows.read():
            yield _page(stream, batch)
        yield Page(state={}, census_complete=True)

    def _by_time(self, stream: Stream, rows: _Rows, state: State, window: Window) -> Iterator[Page]:
        walk = ChangeWalk.begin(stream, state, window)
        form = _TimeForm.of(rows)
        if form is None:
            none = rows.counts(None)
            yield Page(source_count=none.live, notes=none.notes(rows))
            yield from _left_out(stream, rows, None, none, window.full_refresh)
            yield Page(state=_without_walk(state), census_complete=_is_complete(window))
            return
        end = form.bound(walk.end, after=True)
        counts = rows.counts(end)
        yield Page(source_count=counts.live, notes=counts.notes(rows))
        start = form.bound(walk.start) if walk.start is not None else None
        last = _unpack(walk.position)
        for batch in rows.read(start, end, last):
            last = batch[-1].position
            yield _page(stream, batch, walk.at(_pack(last)))
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
        self, stream: Stream, rows: _Rows, state: State, window: Window
    ) -> Iterator[Page]:
        if window.since or window.until:
            yield Page(notes=["the cursor is a number: --since and --until do not apply"])
        counts = rows.counts(None)
        yield Page(source_count=counts.live, notes=counts.notes(rows))
        position = None if window.full_refresh else _unpack(state.get("walk"))
        start = None if window.full_refresh else _unpack(state.get("cursor"))
        cursor = state.get("cursor")
        for batch in rows.read(start, None, position):
            packed = _pack(batch[-1].position)
            cursor = packed[0]
            yield _page(stream, batch, {**state, "walk": packed})
        yield from _left_out(stream, rows, None, counts, window.full_refresh)
        done = {} if cursor is None else {"cursor": cursor}
        yield Page(state=done, census_complete=_is_complete(window))

    # Connection

    @contextmanager
    def _connected(self, place: str) -> Iterator[sa.Connection]:
        """Open a connection that cannot write, and close it without a commit."""
        import sqlalchemy as sa

        engine = self._engine
        try:
            with self._opened(engine, place) as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, UnicodeDecodeError, OSError) as error:
            raise _explained(error, place, _parse_url(self.name, self.settings)) from None
        finally:
            engine.dispose()

    def _opened(self, engine: sa.Engine, place: str) -> sa.Connection:
        try:
            return engine.connect()
        except TypeError as error:
            option = re.search(r"keyword argument '(\w+)'", str(error))
            if option is None:
                raise
            raise ConfigError(
                f"{place}: the driver of `{engine.url.drivername}` knows no option `{option[1]}`. "
                "Take it out of `url`."
            ) from None

    @cached_property
    def _engine(self) -> sa.Engine:
        import sqlalchemy as sa

        url = _parse_url(self.name, self.settings)
        redaction.register(_secrets_of(url))
        try:
            url, options = _driver_options(url, self.name, Path(self.settings.folder))
            engine = sa.create_engine(
                url, poolclass=sa.NullPool, hide_parameters=True, connect_args=options
            )
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise _no_driver(self.name, url, error) from None
        _make_read_only(engine)
        return engine


# Declarations


def _key(declared: SqlStream) -> tuple[str, ...]:
    return (declared.key,) if isinstance(declared.key, str) else tuple(declared.key)


def _fields(declared: SqlStream) -> tuple[str, ...]:
    """Return the allow-list; key and cursor belong to it whether named or not."""
    if declared.fields is None:
        return ("*",)
    needed = [*_key(declared), *([declared.cursor] if declared.cursor else [])]
    return tuple(dict.fromkeys([*needed, *declared.fields]))


def _duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * SECONDS[text[-1]])


def _check_declaration(place: str, declared: SqlStream) -> None:
    if (declared.table is None) == (declared.query is None):
        raise ConfigError(f"{place}: write either `table:` or `query:`.")
    if not _key(declared):
        raise ConfigError(f"{place}: `key` is empty. Name the columns that identify a row.")
    if declared.cursor is None and not declared.snapshot:
        raise ConfigError(
            f"{place}: write `cursor:` (a column that grows when a row changes, to read only "
            "what is new) or `snapshot: true` (to read the whole table each time)."
        )
    try:
        ZoneInfo(declared.timezone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"{place}: there is no time zone `{declared.timezone}`. Write one like `Europe/Berlin`."
        ) from None
    if declared.query is not None:
        _check_query(place, declared.query)


_QUIET = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\]
      | --[^\n]* | /\*.*?\*/ | \$(\w*)\$.*?\$\1\$""",
    re.VERBOSE | re.DOTALL,
)
"""Parts of a statement that are no words of SQL: texts, quoted names, comments."""
_WRITES = re.compile(r"\b(insert|update|delete|merge|into)\b", re.IGNORECASE)


def _check_query(place: str, query: str) -> None:
    """Refuse what is not one SELECT; the database's read-only mode is the second guard."""
    words = _QUIET.sub(" ", _without_semicolon(query)).strip()
    if not re.match(r"(select|with|values)\b", words, re.IGNORECASE):
        raise ConfigError(f"{place}.query: only a SELECT is run; this is none.")
    if ";" in words:
        raise ConfigError(f"{place}.query: holds more than one statement. Write a single SELECT.")
    written = _WRITES.search(words)
    if written:
        raise ConfigError(
            f"{place}.query: the word `{written[0]}` belongs to a statement that writes; only a "
            "SELECT is run. If it is a column's name, put it into double quotes."
        )


def _without_semicolon(query: str) -> str:
    words = _QUIET.sub(lambda quiet: " " * len(quiet[0]), query).rstrip()
    return query[: len(words) - 1] if words.endswith(";") else query


# Address and driver


def _parse_url(name: str, settings: Settings) -> sa.URL:
    import sqlalchemy as sa

    try:
        url = sa.make_url(settings.url)
    except (sa.exc.ArgumentError, ValueError):
        # What was written may hold a password, and is never repeated.
        raise ConfigError(
            f"sources.{name}.url is no address of a database. Write it like "
            "`postgresql://user@host:5432/database` or `sqlite:///file.db`."
        ) from None
    if settings.password:
        url = url.set(password=settings.password)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+pg8000")
    return url


def _secrets_of(url: sa.URL) -> list[str]:
    from connectors.registry import SECRET_SETTING

    texts = [str(value) for name, value in url.query.items() if SECRET_SETTING.search(name)]
    return [text for text in (str(url.password or ""), *texts) if text]


def _account(url: sa.URL) -> str:
    """Return user, host and database; an SQLite file by its name."""
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "").name
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"{user}{url.host or 'localhost'}{port}/{url.database or ''}"


def _driver_options(url: sa.URL, name: str, folder: Path) -> tuple[sa.URL, dict[str, Any]]:
    """Return the address and the arguments as the driver wants them."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_read_only(url, name, folder), {"timeout": LOCK_WAIT_S}
    if url.get_driver_name() == "pg8000":
        return _without_libpq_words(url)
    return url, {}


def _sqlite_read_only(url: sa.URL, name: str, folder: Path) -> sa.URL:
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            f"sources.{name}.url names no SQLite file. Write `sqlite:///file.db`, or four "
            "slashes for a path from the root."
        )
    if url.database.startswith("file:"):
        return url
    path = (folder / url.database).resolve()
    if not path.is_file():
        # SQLite would make an empty database of that name.
        raise ConfigError(
            f"sources.{name}.url: there is no file `{url.database}`, looked for from the folder "
            f"`{folder}`."
        )
    return url.set(database=path.as_uri(), query={"mode": "ro", "uri": "true"})


def _without_libpq_words(url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
    """Translate what addresses of hosted databases carry for libpq, and pg8000 does not know.

    https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
    """
    options: dict[str, Any] = {}
    mode = str(url.query.get("sslmode", "prefer"))
    root = url.query.get("sslrootcert")
    if mode in ("require", "verify-ca", "verify-full"):
        context = ssl.create_default_context(cafile=str(root) if root else None)
        context.check_hostname = mode == "verify-full"
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        options["ssl_context"] = context
    if "connect_timeout" in url.query:
        options["timeout"] = float(str(url.query["connect_timeout"]))
    ours = ["sslmode", "sslrootcert", "connect_timeout", "channel_binding"]
    return url.difference_update_query(ours), options


def _no_driver(name: str, url: sa.URL, error: Exception) -> ConfigError:
    missing = getattr(error, "name", None)
    if isinstance(error, ImportError) and missing:
        return ConfigError(
            f"sources.{name}.url: a database of kind `{url.drivername}` needs the Python package "
            f"`{missing}`, which is not installed. Install it beside Rapport."
        )
    return ConfigError(
        f"sources.{name}.url: `{url.drivername}` is no kind of database that SQLAlchemy knows "
        "here. Install its dialect, or correct the word before `://`."
    )


def _make_read_only(engine: sa.Engine) -> None:
    """Let the database itself refuse every write, and speak of times in UTC."""
    import sqlalchemy as sa

    kind = engine.dialect.name

    def on_connect(connection: Any, _: Any) -> None:
        if kind == "sqlite":
            connection.execute("pragma query_only = on")
            # Bytes that are no UTF-8 travel on, for the record check to find.
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        elif kind in ("mysql", "mariadb"):
            with connection.cursor() as cursor:
                cursor.execute("set session transaction read only")
                cursor.execute("set time_zone = '+00:00'")

    def on_begin(connection: sa.Connection) -> None:
        if kind == "postgresql":
            # Of the transaction alone, so that a pooler hands nothing on to others.
            connection.exec_driver_sql("set transaction isolation level repeatable read, read only")
            connection.exec_driver_sql("set local time zone 'UTC'")
            connection.exec_driver_sql("set local datestyle = 'ISO'")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)


# Rows of one stream

Position = tuple[Any, ...]
"""Cursor and key of a row, in the database's own form: where a walk goes on."""


@dataclass(frozen=True)
class _Row:
    record: bytes
    is_deleted: bool
    position: Position


@dataclass(frozen=True)
class _Counts:
    """Rows of a stream; None: not counted."""

    live: int | None = None
    without_cursor: int = 0
    not_yet: int = 0

    def notes(self, rows: _Rows) -> list[str]:
        cursor = rows.declared.cursor
        notes = []
        if self.without_cursor:
            notes.append(
                f"rows without `{cursor}` are not read: {self.without_cursor:,}. A `query` with "
                "coalesce(...) can give them one"
            )
        if self.not_yet:
            notes.append(
                f"rows whose `{cursor}` is not before now wait for it: {self.not_yet:,}. If they "
                "should not, look at `timezone`"
            )
        return notes


class _Rows:
    """A table or query, its columns looked up, and how to select from it.

    Attributes:
        columns: the columns that are taken, in the database's order.
        notes: what a user should know about them.
    """

    def __init__(self, place: str, declared: SqlStream, connection: sa.Connection) -> None:
        import sqlalchemy as sa

        self.place = place
        self.declared = declared
        self.connection = connection
        self.is_postgres = connection.dialect.name == "postgresql"
        if declared.query is not None:
            text = _without_semicolon(declared.query)
            # The line break ends a comment; a colon is no parameter here.
            bare = re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", text)
            self._from: Any = sa.text(f"(\n{bare}\n) q")
        else:
            schema, _, table = str(declared.table).rpartition(".")
            self._from = sa.table(table, schema=schema or None)
        types = self._look()
        self.columns = [
            name for name in types if _fields(declared) in (("*",),) or name in _fields(declared)
        ]
        self.types = types
        self.binary = [name for name in self.columns if types[name] == BYTEA]
        self.notes = [f"bytes are kept as base64: {', '.join(self.binary)}"] if self.binary else []

    def _look(self) -> dict[str, Any]:
        """Return column -> the driver's code of its type, every name that is needed among them."""
        import sqlalchemy as sa

        declared = self.declared
        deleted = [declared.deleted.column] if declared.deleted else []
        cursor = [declared.cursor] if declared.cursor else []
        asked = [name for name in _fields(declared) if name != "*"]
        needed = list(dict.fromkeys([*_key(declared), *cursor, *deleted, *asked]))
        try:
            found = self._describe(sa.literal_column("*"))
        except sa.exc.DBAPIError as error:
            if not asked or _sqlstate(error) != "42501":
                raise self._better(error) from None
            # Rights on single columns: `*` is more than may be asked for.
            self.connection.rollback()
            found = self._describe(*map(_column, needed))
        names = [name for name, _ in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(
                f"{self.place}: the query has two columns `{twice}`. Give each a name of its own "
                f"(`as ...`)."
            )
        missing = next((name for name in needed if name not in names), None)
        if missing is not None:
            raise ConfigError(
                f"{self.place}: there is no column `{missing}`.{_suggest(missing, names)} "
                f"Columns: {', '.join(names)}."
            )
        return dict(found)

    def _describe(self, *columns: Any) -> list[tuple[str, Any]]:
        import sqlalchemy as sa

        none = sa.select(*columns).select_from(self._from).where(sa.false())
        result = self.connection.execute(none)
        found = [(str(name), code) for name, code, *_ in result.cursor.description]
        result.close()
        return found

    def _better(self, error: Exception) -> Exception:
        """Say which tables there are, if the one that is named is not."""
        import sqlalchemy as sa

        declared = self.declared
        if declared.table is None or _sqlstate(error) not in ("42P01", "3F000"):
            return error
        self.connection.rollback()
        schema, _, table = declared.table.rpartition(".")
        names: list[str] = []
        try:
            look = sa.inspect(self.connection)
            names = [*look.get_table_names(schema or None), *look.get_view_names(schema or None)]
        except sa.exc.SQLAlchemyError:
            pass
        return ConfigError(
            f"{self.place}: there is no table `{declared.table}`, or it may not be seen."
            f"{_suggest(table, names)} Name it with its schema, as `sales.orders`."
        )

    # Queries

    @property
    def cursor(self) -> Any:
        return _column(self.declared.cursor or "")

    @cached_property
    def is_gone(self) -> Any:
        """Return the condition that marks a deleted row, whatever the column's type."""
        import sqlalchemy as sa

        deleted = self.declared.deleted
        if deleted is None:
            return sa.false()
        text = sa.func.lower(sa.cast(_column(deleted.column), sa.String))
        if deleted.values is None:
            return text.not_in(["", "0", "f", "false"])
        return text.in_([form for value in deleted.values for form in _forms(value)])

    def counts(self, end: Any) -> _Counts:
        """Count all live rows, those without a cursor, and those stamped at or after `end`."""
        import sqlalchemy as sa

        if not self.declared.count:
            return _Counts()

        def number(condition: Any) -> Any:
            return sa.func.count(sa.case((condition, 1)))

        not_yet = sa.false() if end is None else self.cursor >= _bound(end)
        # What cannot be compared with a mark of deletion (null) is live.
        live = sa.func.count() - number(self.is_gone)
        query = sa.select(live, number(self.cursor.is_(None)), number(not_yet))
        return _Counts(
            *(int(count) for count in self.connection.execute(query.select_from(self._from)).one())
        )

    def greatest(self) -> Any:
        """Return the greatest cursor in the database's own form; None: there is none."""
        import sqlalchemy as sa

        query = sa.select(self._own(sa.func.max(self.cursor))).select_from(self._from)
        return self.connection.execute(query).scalar()

    def read(
        self, start: Any = None, end: Any = None, position: Position | None = None
    ) -> Iterator[list[_Row]]:
        """Yield batches of rows stamped in [start, end), behind `position`, in order."""
        query = self._select()
        if self.declared.cursor is not None and not self.declared.snapshot:
            query = query.where(self.cursor.is_not(None))
            if start is not None:
                query = query.where(self.cursor >= _bound(start))
            if end is not None:
                query = query.where(self.cursor < _bound(end))
            if position is not None:
                query = query.where(self._behind(position))
            query = query.order_by(self.cursor, *map(_column, _key(self.declared)))
        return self._batches(query)

    def left_out(self, end: Any, *, most: int | None) -> Iterator[list[_Row]]:
        """Yield the rows that `read` leaves: at or after `end` (its position says), or unstamped.

        Args:
            most: None: all of them; else only so many, and only unstamped ones.
        """
        import sqlalchemy as sa

        outside = self.cursor.is_(None)
        if most is None and end is not None:
            outside = sa.or_(outside, self.cursor >= _bound(end))
        query = self._select().where(outside)
        return self._batches(query if most is None else query.limit(most))

    def _select(self) -> Any:
        import sqlalchemy as sa

        flag = sa.case((self.is_gone, 1), else_=0)
        if self.declared.snapshot:
            own = []
        else:
            own = [self._own(self.cursor), *(self._own(_column(k)) for k in _key(self.declared))]
        columns = [self._as_json()] if self.is_postgres else list(map(_column, self.columns))
        return sa.select(flag, *own, *columns).select_from(self._from)

    def _as_json(self) -> Any:
        import sqlalchemy as sa

        quote = self.connection.dialect.identifier_preparer.quote_identifier
        parts = [
            f"translate(encode({quote(name)}, 'base64'), E'\\n', '') as {quote(name)}"
            if name in self.binary
            else quote(name)
            for name in self.columns
        ]
        row = f"select row_to_json(r) from (select {', '.join(parts)}) r"
        return sa.literal_column(f"({row})::text")

    def _own(self, expression: Any) -> Any:
        """Return an expression that comes back as it can be asked for: PostgreSQL's as text."""
        import sqlalchemy as sa

        return sa.cast(expression, sa.Text) if self.is_postgres else expression

    def _behind(self, position: Position) -> Any:
        """Return the condition for rows after `position` in the order of (cursor, key)."""
        import sqlalchemy as sa

        at, *key = position
        if None in key:
            return self.cursor >= _bound(at)
        columns = list(map(_column, _key(self.declared)))
        later = [
            sa.and_(*(columns[j] == _bound(key[j]) for j in range(i)), columns[i] > _bound(key[i]))
            for i in range(len(columns))
        ]
        # The first half alone is what an index on the cursor can serve.
        return sa.and_(self.cursor >= _bound(at), sa.or_(self.cursor > _bound(at), sa.or_(*later)))

    def _batches(self, query: Any) -> Iterator[list[_Row]]:
        """Yield rows as they stream in, about `BYTES_PER_PAGE` at a time."""
        size = 0 if self.declared.snapshot else 1 + len(_key(self.declared))
        options = {"stream_results": True, "max_row_buffer": 1}
        with self.connection.execute(query, execution_options=options) as result:
            many = FIRST_ROWS
            while found := result.fetchmany(many):
                batch = []
                for flag, *values in found:
                    own, rest = values[:size], values[size:]
                    text = str(rest[0]).encode() if self.is_postgres else _json(self.columns, rest)
                    batch.append(_Row(text, bool(flag), tuple(own)))
                weight = sum(len(row.record) for row in batch) / len(batch)
                many = max(1, min(MOST_ROWS_PER_PAGE, int(BYTES_PER_PAGE / weight)))
                yield batch


BYTEA = 17
"""PostgreSQL's number of the type, `select 'bytea'::regtype::oid`."""
TIMES = {1114: "2000-01-01 00:00:00", 1184: "2000-01-01 00:00:00+00", 1082: "2000-01-01"}
"""PostgreSQL's timestamp, timestamptz and date, and how they look."""


def _column(name: str) -> Any:
    import sqlalchemy as sa

    return sa.column(sa.quoted_name(name, quote=True))


def _bound(value: Any) -> Any:
    """Return a parameter that takes its type from what it is compared with."""
    import sqlalchemy as sa

    return sa.bindparam(None, value, type_=sa.types.NULLTYPE)


def _forms(value: Scalar) -> list[str]:
    """Return how a value may look as text, for `true` and `false` in any database."""
    if isinstance(value, bool):
        return ["true", "t", "1"] if value else ["false", "f", "0"]
    return [str(value).lower()]


# Pages


def _page(stream: Stream, batch: Sequence[_Row], state: State | None = None) -> Page:
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
    stream: Stream, rows: _Rows, end: Any, counts: _Counts, is_full: bool
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


# Times


@dataclass(frozen=True)
class _TimeForm:
    """How a database writes the times of a cursor, learned from one of them.

    Attributes:
        sample: such a time: a datetime, a date, ISO 8601 text or Unix time.
        zone: of times without one.
    """

    sample: Any
    zone: ZoneInfo

    @classmethod
    def of(cls, rows: _Rows) -> _TimeForm | None:
        """Look at the cursor column; None if it holds nothing yet.

        Raises `ConfigError` when its values are no times.
        """
        declared = rows.declared
        sample = TIMES.get(rows.types[declared.cursor or ""]) if rows.is_postgres else None
        sample = sample or rows.greatest()
        if sample is None:
            return None
        form = cls(sample, ZoneInfo(declared.timezone))
        number = form.unix_time
        is_counter = isinstance(sample, float | Decimal) or (
            number is not None and number < EARLIEST_UNIX_TIME
        )
        if is_counter or form.instant(form.sample) is None:
            raise ConfigError(
                f"{rows.place}: the column `{declared.cursor}` holds no times. If it is a number "
                "that grows with every change, add `cursor_type: number`; texts must be ISO 8601."
            )
        return form

    @property
    def unix_time(self) -> int | None:
        """Return the sample if it is a whole number, also one written as text."""
        text = str(self.sample)
        return int(text) if text.isascii() and text.isdigit() else None

    def instant(self, value: Any) -> datetime | None:
        """Return a value of the column as UTC."""
        text = value.isoformat() if isinstance(value, date) else str(value)
        return parse_stamp(text, self.zone.key)

    def bound(self, at: datetime, after: bool = False) -> Any:
        """Return the time as the column would hold it, to compare with.

        Args:
            after: of a column of days: the day after, since a day holds more than its first
                moment.
        """
        sample = self.sample
        if self.unix_time is not None:
            number = int(at.timestamp() * (1_000 if self.unix_time > 1e11 else 1))
            return type(sample)(number)
        own = datetime.fromisoformat(sample) if isinstance(sample, str) else sample
        zone = getattr(own, "tzinfo", None) or self.zone
        local = at.astimezone(zone)
        is_day = len(sample) == 10 if isinstance(sample, str) else not isinstance(own, datetime)
        if is_day:
            day = local.date() + timedelta(days=1 if after else 0)
            return day.isoformat() if isinstance(sample, str) else day
        if isinstance(sample, str):
            # Without its fraction a text sorts before all others of that second.
            return local.strftime(f"%Y-%m-%d{sample[10]}%H:%M:%S")
        return local if own.tzinfo else local.replace(tzinfo=None)


# Values

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def _json(names: Sequence[str], values: Iterable[Any]) -> bytes:
    """Return a row as one JSON object; bytes that are no UTF-8 stay, for the check to find."""
    record = {name: _plain(value) for name, value in zip(names, values, strict=True)}
    try:
        return _ENCODER.encode(record)
    except UnicodeEncodeError:
        text = json.dumps(record, ensure_ascii=False, default=str, separators=(",", ":"))
        return text.encode("utf-8", "surrogateescape")


def _plain(value: Any) -> Any:
    """Return a value that JSON can say; what it cannot (NaN, Infinity) as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else _not_finite(float(value))
    if isinstance(value, int) and not isinstance(value, bool):
        # msgspec writes 64 bits.
        return value if -(2**63) <= value < 2**63 else Decimal(value)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_TAGGED: dict[str, tuple[type, Any]] = {
    "datetime": (datetime, datetime.fromisoformat),
    "date": (date, date.fromisoformat),
    "decimal": (Decimal, Decimal),
    "uuid": (UUID, UUID),
    "hex": (bytes, bytes.fromhex),
}


def _pack(position: Position) -> list[Any]:
    """Return a position as plain JSON values, types kept; `_unpack` is the way back."""
    return [_packed(value) for value in position]


def _packed(value: Any) -> Any:
    for tag, (kind, _) in _TAGGED.items():
        if isinstance(value, kind):
            return {tag: value.hex() if isinstance(value, bytes) else str(value)}
    return value if isinstance(value, str | int | float | None) else str(value)


def _unpack(packed: Any) -> Any:
    if isinstance(packed, list):
        return tuple(_unpack(value) for value in packed)
    if isinstance(packed, dict):
        ((tag, text),) = packed.items()
        return _TAGGED[tag][1](text)
    return packed


# Errors

_SQLITE_STATES = {
    "no such table": "42P01",
    "no such column": "42703",
    "syntax error": "42601",
    "incomplete input": "42601",
    "readonly": "25006",
    "unable to open": "08001",
    "not a database": "3D000",
    "locked": "55P03",
    "busy": "55P03",
}
_MYSQL_STATES = {
    1044: "42501", 1045: "28000", 1049: "3D000", 1054: "42703", 1064: "42601", 1142: "42501",
    1143: "42501", 1146: "42P01", 1792: "25006", 2002: "08001", 2003: "08001", 2005: "08001",
    2006: "08006", 2013: "08006",
}  # fmt: skip


def _sqlstate(error: Exception) -> str:
    """Return the five letters by which the SQL standard names an error, or nothing."""
    orig: Any = getattr(error, "orig", None) or error
    facts = orig.args[0] if orig.args else None
    if isinstance(facts, dict):  # pg8000
        return str(facts.get("C", ""))
    if isinstance(facts, int):
        return _MYSQL_STATES.get(facts, "")
    state = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None)
    if state:
        return str(state)
    words = str(orig)
    return next((state for part, state in _SQLITE_STATES.items() if part in words), "")


def _explained(error: Exception, place: str, url: sa.URL) -> RapportError:
    """Turn what SQLAlchemy and the drivers raise into ours.

    The database's words are repeated only where they name tables and columns, never where they
    could quote a value.
    """
    import sqlalchemy as sa

    state = _sqlstate(error)
    said = f" The database says: {_words(error)}." if state[:2] in ("42", "3D", "3F") else ""
    where = _account(url)
    if isinstance(error, UnicodeDecodeError):
        return ServerError(
            f"{place}: the database sent text that is not UTF-8. Mend it there, or leave the "
            "column out with `fields`.",
            place=place,
        )
    if state.startswith("28"):
        return AuthError(
            f"{place}: `{where}` refused the user or its password. Check `url` and `password`."
        )
    if state == "42501":
        return AuthError(f"{place}: a permission is missing at `{where}`.{said} Grant SELECT.")
    if state == "25006":
        return ConfigError(
            f"{place}: the statement wants to write, and the connection only reads. Nothing was "
            "changed. Write a SELECT that calls no function that writes."
        )
    if state[:2] in ("42", "3D", "3F"):
        return ConfigError(f"{place}: `{where}` cannot do what rapport.yml asks.{said} Correct it.")
    if state.startswith("57014"):
        return ServerError(
            f"{place}: `{where}` broke the query off, as it took too long. Put an index on the "
            "cursor, set `count: false`, or allow the user more time.",
            place=place,
        )
    is_lost = isinstance(error, OSError | sa.exc.InterfaceError) or state[:2] in ("08", "57", "53")
    if is_lost or getattr(error, "connection_invalidated", False):
        return Unreachable(
            f"{place}: no connection to `{where}`, or it was lost. Check host, port and network "
            "and run the sync again; it goes on where it was.",
            place=place,
        )
    if state in ("40001", "55P03") or state.startswith("XX") or not state:
        return ServerError(
            f"{place}: `{where}` failed{f' with `{state}`' if state else ''} "
            f"({type(getattr(error, 'orig', None) or error).__name__}). Try again later.",
            place=place,
        )
    return BadRequest(
        f"{place}: `{where}` refused the query with `{state}`: a value or a function in it fails. "
        "Run it by hand to see where.",
        place=place,
    )


def _words(error: Exception) -> str:
    orig: Any = getattr(error, "orig", None) or error
    facts = orig.args[0] if orig.args else ""
    text = str(facts.get("M", "")) if isinstance(facts, dict) else str(orig)
    return redaction.mask(text.strip().splitlines()[0].rstrip("."))[:200] if text.strip() else "?"


def _suggest(word: str, known: Sequence[str]) -> str:
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1)
    return f" Did you mean `{folded[close[0]]}`?" if close else ""
