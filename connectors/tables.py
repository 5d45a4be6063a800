"""One table or query of a database: what rapport.yml says of it, and its rows.

Belongs here: which columns there are, how rows are selected in the order of (cursor, key), the
form in which a database keeps times, and values as JSON. Does not belong here: connections
(`database`), or how far a stream has been read (`sql`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from connectors.database import check_query, sqlstate, without_semicolon
from connectors.errors import ConfigError, suggestion
from connectors.mapped import check_taken, mapped_columns
from connectors.records import parse_stamp

if TYPE_CHECKING:
    import sqlalchemy as sa

FIRST_ROWS = 50
MOST_ROWS_PER_PAGE = 1_000
BYTES_PER_PAGE = 4 * 1024 * 1024
EARLIEST_UNIX_TIME = 10**9
"""Smaller whole numbers (before 2001) are taken for counters, not for times."""
BYTEA = 17
"""PostgreSQL's number of the type, `select 'bytea'::regtype::oid`."""
TIMES = {1114: "2000-01-01 00:00:00", 1184: "2000-01-01 00:00:00+00", 1082: "2000-01-01"}
"""PostgreSQL's timestamp, timestamptz and date, and how they look."""

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


def key_of(declared: SqlStream) -> tuple[str, ...]:
    """Return the columns that identify a row."""
    return (declared.key,) if isinstance(declared.key, str) else tuple(declared.key)


def fields_of(declared: SqlStream) -> tuple[str, ...]:
    """Return the allow-list; key and cursor belong to it whether named or not."""
    if declared.fields is None:
        return ("*",)
    needed = [*key_of(declared), *([declared.cursor] if declared.cursor else [])]
    return tuple(dict.fromkeys([*needed, *declared.fields]))


def duration(text: str) -> timedelta:
    """Turn `90s`, `15m`, `2h` or `1d` into a length of time."""
    return timedelta(seconds=int(text[:-1]) * SECONDS[text[-1]])


def check_declaration(place: str, declared: SqlStream) -> None:
    """Raise `ConfigError`, naming `place`, if a stream cannot be read as it is declared."""
    if (declared.table is None) == (declared.query is None):
        raise ConfigError(f"{place}: write either `table:` or `query:`.")
    if not key_of(declared):
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
    check_taken(place, declared.map, fields_of(declared))
    if declared.query is not None:
        check_query(f"{place}.query", declared.query)


# Rows of one stream

Position = tuple[Any, ...]
"""Cursor and key of a row, in the database's own form: where a walk goes on."""


@dataclass(frozen=True)
class Row:
    """A row as JSON, whether it is marked as deleted, and where it stands (snapshots: nowhere)."""

    record: bytes
    is_deleted: bool
    position: Position


@dataclass(frozen=True)
class Counts:
    """Rows of a stream; None: not counted."""

    live: int | None = None
    without_cursor: int = 0
    not_yet: int = 0

    def notes(self, rows: Rows) -> list[str]:
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


class Rows:
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
            text = without_semicolon(declared.query)
            # The line break ends a comment; a colon is no parameter here.
            bare = re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", text)
            self._from: Any = sa.text(f"(\n{bare}\n) q")
        else:
            schema, _, table = str(declared.table).rpartition(".")
            self._from = sa.table(table, schema=schema or None)
        types = self._look()
        taken = fields_of(declared)
        self.columns = [name for name in types if taken == ("*",) or name in taken]
        self.types = types
        self.binary = [name for name in self.columns if types[name] == BYTEA]
        self.notes = [f"bytes are kept as base64: {', '.join(self.binary)}"] if self.binary else []

    def _look(self) -> dict[str, Any]:
        """Return column -> the driver's code of its type, every name that is needed among them."""
        import sqlalchemy as sa

        declared = self.declared
        deleted = [declared.deleted.column] if declared.deleted else []
        cursor = [declared.cursor] if declared.cursor else []
        asked = [name for name in fields_of(declared) if name != "*"]
        mapped = mapped_columns(declared.map)
        needed = list(dict.fromkeys([*key_of(declared), *cursor, *deleted, *asked, *mapped]))
        try:
            found = self._describe(sa.literal_column("*"))
        except sa.exc.DBAPIError as error:
            if not asked or sqlstate(error) != "42501":
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
                f"{self.place}: there is no column `{missing}`.{suggestion(missing, names)} "
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
        if declared.table is None or sqlstate(error) not in ("42P01", "3F000"):
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
            f"{suggestion(table, names)} Name it with its schema, as `sales.orders`."
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

    def counts(self, end: Any) -> Counts:
        """Count all live rows, those without a cursor, and those stamped at or after `end`."""
        import sqlalchemy as sa

        if not self.declared.count:
            return Counts()

        def number(condition: Any) -> Any:
            return sa.func.count(sa.case((condition, 1)))

        not_yet = sa.false() if end is None else self.cursor >= _bound(end)
        # What cannot be compared with a mark of deletion (null) is live.
        live = sa.func.count() - number(self.is_gone)
        query = sa.select(live, number(self.cursor.is_(None)), number(not_yet))
        found = self.connection.execute(query.select_from(self._from)).one()
        return Counts(*(int(count) for count in found))

    def due(
        self, start: Any = None, end: Any = None, position: Position | None = None
    ) -> int | None:
        """Count the rows that `read` with these bounds would yield; None: not to be counted."""
        import sqlalchemy as sa

        if not self.declared.count:
            return None
        query = self._bounded(sa.select(sa.func.count()), start, end, position)
        return int(self.connection.execute(query.select_from(self._from)).scalar_one())

    def greatest(self) -> Any:
        """Return the greatest cursor in the database's own form; None: there is none."""
        import sqlalchemy as sa

        query = sa.select(self._own(sa.func.max(self.cursor))).select_from(self._from)
        return self.connection.execute(query).scalar()

    def read(
        self, start: Any = None, end: Any = None, position: Position | None = None
    ) -> Iterator[list[Row]]:
        """Yield batches of rows stamped in [start, end), behind `position`, in order."""
        query = self._bounded(self._select(), start, end, position)
        if self._is_ordered:
            query = query.order_by(self.cursor, *map(_column, key_of(self.declared)))
        return self._batches(query)

    @property
    def _is_ordered(self) -> bool:
        return self.declared.cursor is not None and not self.declared.snapshot

    def _bounded(self, query: Any, start: Any, end: Any, position: Position | None) -> Any:
        if not self._is_ordered:
            return query
        query = query.where(self.cursor.is_not(None))
        if start is not None:
            query = query.where(self.cursor >= _bound(start))
        if end is not None:
            query = query.where(self.cursor < _bound(end))
        return query if position is None else query.where(self._behind(position))

    def left_out(self, end: Any, *, most: int | None) -> Iterator[list[Row]]:
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
            own = [self._own(self.cursor), *(self._own(_column(k)) for k in key_of(self.declared))]
        columns = [self._asas_json()] if self.is_postgres else list(map(_column, self.columns))
        return sa.select(flag, *own, *columns).select_from(self._from)

    def _asas_json(self) -> Any:
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
        """Return an expression that comes back as it can be asked for: PostgreSQL's as text.

        Under no name: by the column's, `order by` would mean the text, and put 10 before 9.
        https://www.postgresql.org/docs/current/queries-order.html
        """
        import sqlalchemy as sa

        return sa.cast(expression, sa.Text).label(None) if self.is_postgres else expression

    def _behind(self, position: Position) -> Any:
        """Return the condition for rows after `position` in the order of (cursor, key)."""
        import sqlalchemy as sa

        at, *key = position
        if None in key:
            return self.cursor >= _bound(at)
        columns = list(map(_column, key_of(self.declared)))
        later = [
            sa.and_(*(columns[j] == _bound(key[j]) for j in range(i)), columns[i] > _bound(key[i]))
            for i in range(len(columns))
        ]
        # The first half alone is what an index on the cursor can serve.
        return sa.and_(self.cursor >= _bound(at), sa.or_(self.cursor > _bound(at), sa.or_(*later)))

    def _batches(self, query: Any) -> Iterator[list[Row]]:
        """Yield rows as they stream in, about `BYTES_PER_PAGE` at a time."""
        size = 0 if self.declared.snapshot else 1 + len(key_of(self.declared))
        options = {"stream_results": True, "max_row_buffer": 1}
        with self.connection.execute(query, execution_options=options) as result:
            many = FIRST_ROWS
            while found := result.fetchmany(many):
                batch = []
                for flag, *values in found:
                    own, rest = values[:size], values[size:]
                    text = (
                        str(rest[0]).encode() if self.is_postgres else as_json(self.columns, rest)
                    )
                    batch.append(Row(text, bool(flag), tuple(own)))
                weight = sum(len(row.record) for row in batch) / len(batch)
                many = max(1, min(MOST_ROWS_PER_PAGE, int(BYTES_PER_PAGE / weight)))
                yield batch


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


# Times


@dataclass(frozen=True)
class TimeForm:
    """How a database writes the times of a cursor, learned from one of them.

    Attributes:
        sample: such a time: a datetime, a date, ISO 8601 text or Unix time.
        zone: of times without one.
    """

    sample: Any
    zone: ZoneInfo

    @classmethod
    def of(cls, rows: Rows) -> TimeForm | None:
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
            after: rounded up: a day and a second hold more than their first moment.
        """
        sample = self.sample
        if self.unix_time is not None:
            number = at.timestamp() * (1_000 if self.unix_time > 1e11 else 1)
            number = math.ceil(number) if after else math.floor(number)
            return type(sample)(number)
        own = datetime.fromisoformat(sample) if isinstance(sample, str) else sample
        zone = getattr(own, "tzinfo", None) or self.zone
        local = at.astimezone(zone)
        is_day = len(sample) == 10 if isinstance(sample, str) else not isinstance(own, datetime)
        if is_day:
            day = local.date() + timedelta(days=1 if after else 0)
            return day.isoformat() if isinstance(sample, str) else day
        if isinstance(sample, str):
            if after and local.microsecond:
                local += timedelta(seconds=1)
            # Without its fraction a text sorts before all others of that second.
            return local.strftime(f"%Y-%m-%d{sample[10]}%H:%M:%S")
        return local if own.tzinfo else local.replace(tzinfo=None)


# Values

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def as_json(names: Sequence[str], values: Iterable[Any]) -> bytes:
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


def pack(position: Position) -> list[Any]:
    """Return a position as plain JSON values, types kept; `unpack` is the way back."""
    return [_packed(value) for value in position]


def _packed(value: Any) -> Any:
    for tag, (kind, _) in _TAGGED.items():
        if isinstance(value, kind):
            return {tag: value.hex() if isinstance(value, bytes) else str(value)}
    return value if isinstance(value, str | int | float | None) else str(value)


def unpack(packed: Any) -> Any:
    if isinstance(packed, list):
        return tuple(unpack(value) for value in packed)
    if isinstance(packed, dict):
        ((tag, text),) = packed.items()
        return _TAGGED[tag][1](text)
    return packed
