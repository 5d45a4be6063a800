"""What a database has: tables, views and columns with their types, and lines that would read them.

Belongs here: asking SQLAlchemy's inspector, and guesses about key and cursor. Does not belong
here: rows (`tables`), connections (`database`), or how the answer is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.base import Stream
from connectors.discovery import FoundField, FoundObject, FoundStream, shape
from connectors.mapped import guess_column
from connectors.tables import Rows, SqlStream

if TYPE_CHECKING:
    import sqlalchemy as sa

MOST_TABLES = 300
_SYSTEM = re.compile(r"(information_schema|pg_.*|mysql|performance_schema|sys)$")
_CURSOR = re.compile(
    r"(updated|modified|changed|last_?modified|systemmodstamp|synced|_fivetran_synced|"
    r"_airbyte_extracted)(_?(at|on|date|time|timestamp))?$",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Za-z]\w*")
_NO_NAME = {"", "true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True)
class Column:
    """A column: the database's word for its type, and ours."""

    name: str
    vendor_type: str
    type: str


def found_stream(
    stream: Stream, declared: SqlStream, rows: Rows, connection: sa.Connection
) -> FoundStream:
    """Return a stream with its columns: of a table by the catalog, of a query by its first rows."""
    schema, _, table = (declared.table or "").rpartition(".")
    known = {column.name: column for column in _columns(connection, table, schema or None)}
    how = "the database's catalog"
    if not known:
        how = "the query's columns, typed by its first rows"
        first = next(iter(rows.read()), [])
        types = shape(row.record for row in first)
        known = {name: Column(name, "", types.get(name, "text")) for name in rows.types}
    fields = []
    for name in sorted(known, key=lambda name: name not in rows.columns):
        column = known[name]
        pii, basis = guess_column(name, declared.map)
        fields.append(
            FoundField(
                name=name,
                is_taken=name in rows.columns,
                vendor_type=column.vendor_type,
                type=column.type,
                pii=pii,
                pii_basis=basis,
                note="" if name in rows.columns else "`fields` of the stream can name it",
            )
        )
    return FoundStream(stream=stream, fields=tuple(fields), how=how, is_complete=True)


def other_tables(
    connection: sa.Connection, read: Iterable[SqlStream]
) -> tuple[tuple[FoundObject, ...], str]:
    """Return the tables and views that no stream reads, and where the list comes from."""
    import sqlalchemy as sa

    look = sa.inspect(connection)
    default = look.default_schema_name
    named = {declared.table for declared in read if declared.table}
    found: list[tuple[str, str, str | None, str]] = []
    for schema in look.get_schema_names():
        if _SYSTEM.match(schema):
            continue
        inside = None if schema == default else schema
        for kind, names in (
            ("table", look.get_table_names(inside)),
            ("view", look.get_view_names(inside)),
        ):
            for table in names:
                name = table if inside is None else f"{schema}.{table}"
                if name not in named and f"{schema}.{table}" not in named:
                    found.append((name, table, inside, kind))
    objects = tuple(_table(connection, *it) for it in sorted(found)[:MOST_TABLES])
    how = "the database's catalog, as this user sees it"
    if len(found) > MOST_TABLES:
        how += f"; the first {MOST_TABLES} of {len(found):,}"
    return objects, how


def _table(
    connection: sa.Connection, name: str, table: str, schema: str | None, kind: str
) -> FoundObject:
    columns = _columns(connection, table, schema)
    shown = ", ".join(f"{column.name} {column.vendor_type}" for column in columns)
    return FoundObject(
        name=name,
        label=kind,
        note=shown,
        lines=tuple(_lines(name, columns, _key(connection, table, schema))),
    )


def _lines(name: str, columns: Sequence[Column], key: Sequence[str]) -> Iterable[str]:
    """Yield an entry of `streams:`; what is guessed says so."""
    stream = re.sub(r"\W+", "_", name.lower()).strip("_")
    yield f"{stream if re.match('[a-z]', stream) else f't_{stream}'}:"
    yield f"  table: {_yaml(name)}"
    guess = "" if key else "  # guess: the database names no key"
    named = key or [c.name for c in columns if c.name.lower() == "id"] or [columns[0].name]
    yield f"  key: [{', '.join(map(_yaml, named))}]{guess}"
    cursor = next((c for c in columns if c.type == "timestamp" and _CURSOR.search(c.name)), None)
    if cursor:
        yield f"  cursor: {_yaml(cursor.name)}  # guess: does it grow with every change?"
    else:
        yield "  snapshot: true  # no column is known to grow with every change"
    yield "  fields:"
    for column in columns:
        pii, basis = guess_column(column.name, None)
        person = f"; {pii} ({basis})" if pii != "none" else ""
        yield f"    - {_yaml(column.name)}  # {column.type}{person}"


def _columns(connection: sa.Connection, table: str, schema: str | None) -> list[Column]:
    import sqlalchemy as sa

    try:
        told = sa.inspect(connection).get_columns(table, schema) if table else []
    except sa.exc.NoSuchTableError:
        return []
    return [Column(str(c["name"]), _word(c["type"]), _ours(c["type"])) for c in told]


def _key(connection: sa.Connection, table: str, schema: str | None) -> list[str]:
    import sqlalchemy as sa

    try:
        told = sa.inspect(connection).get_pk_constraint(table, schema)
    except (NotImplementedError, sa.exc.SQLAlchemyError):
        return []
    return list(told.get("constrained_columns") or [])


def _ours(kind: Any) -> str:
    """Return our word for a type of SQLAlchemy's."""
    import sqlalchemy as sa

    for type_, ours in (
        (sa.Boolean, "boolean"),
        (sa.Integer, "integer"),
        (sa.Numeric, "decimal"),
        (sa.DateTime, "timestamp"),
        (sa.Date, "date"),
        (sa.JSON, "json"),
        (sa.ARRAY, "json"),
    ):
        if isinstance(kind, type_):
            return ours
    return "text"


def _word(kind: Any) -> str:
    text = str(kind).lower()
    return "unknown" if text == "null" else text


def _yaml(name: str) -> str:
    """Return a name as YAML takes it; JSON's quotes do where a word needs some."""
    is_plain = _PLAIN.fullmatch(name.replace(".", "_")) and name.lower() not in _NO_NAME
    return name if is_plain else msgspec.json.encode(name).decode()
