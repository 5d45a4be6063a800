"""`map:` - how a stream of a user's own becomes rows of a unified table, by configuration alone.

Belongs here: what a mapping may say, its checks, and its translation to one SQL query over
landing files. Does not belong here: types (staging decides them; here every value stays text)
and reading files (`connectors.files`).

A mapping turns one record into one row of one target:

    record {"Id": "17", "PostTypeId": "2", "ParentId": "4", "OwnerUserId": "9", ...}
      to: interaction
      columns: {person: OwnerUserId, kind: {column: PostTypeId, values: {"2": answer}},
                in_reply_to: ParentId, occurred_at: CreationDate}
    row    {person: "site:users:9", kind: "answer", in_reply_to: "site:posts:4", ...}

References (a person, an organization, another interaction) leave here qualified as
`<source>:<stream>:<key>`, so that nothing later needs to know how a source was configured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from connectors.base import PrivateClass
from connectors.errors import ConfigError, suggestion
from connectors.mapped import mapped_columns
from rapport.config import SourceConfig, convert

Scalar = str | int | float | bool
Kind = Literal[
    "text",
    "timestamp",
    "date",
    "number",
    "boolean",
    "json",
    "person",
    "organization",
    "interaction",
    "message_sent",
]

TARGETS: dict[str, dict[str, Kind]] = {
    "person": {
        "id": "text", "name": "text", "given_name": "text", "family_name": "text",
        "email": "text", "email_verified": "boolean", "phone": "text", "external_id": "text",
        "birth_date": "text", "personal_number": "text", "house_number": "text",
        "street": "text", "postcode": "text", "city": "text",
        "organization": "organization", "kind": "text", "is_staff": "boolean",
        "is_bot": "boolean", "owner": "person", "created_at": "timestamp", "custom": "json",
    },
    "organization": {
        "id": "text", "name": "text", "domain": "text", "kind": "text", "parent": "organization",
        "owner": "person", "industry": "text", "renewal_date": "date",
        "renewal_amount": "number", "created_at": "timestamp", "custom": "json",
    },
    "interaction": {
        "id": "text", "person": "person", "to_person": "person", "organization": "organization",
        "occurred_at": "timestamp", "kind": "text", "channel": "text", "place": "text",
        "direction": "text", "in_reply_to": "interaction", "thread": "interaction",
        "accepts": "interaction", "visibility": "text", "prompted": "boolean",
    },
    "purchase": {
        "id": "text", "person": "person", "organization": "organization",
        "occurred_at": "timestamp", "amount": "number", "currency": "text",
    },
    "login": {
        "id": "text", "person": "person", "organization": "organization",
        "occurred_at": "timestamp", "product": "text",
    },
    "case": {
        "id": "text", "person": "person", "organization": "organization", "owner": "person",
        "opened_at": "timestamp", "closed_at": "timestamp", "status": "text",
        "priority": "text", "channel": "text",
    },
    "deal": {
        "id": "text", "organization": "organization", "person": "person", "owner": "person",
        "name": "text", "stage": "text", "amount": "number", "currency": "text",
        "is_closed": "boolean", "is_won": "boolean", "created_at": "timestamp",
        "closed_at": "timestamp",
    },
    "survey_answer": {
        "id": "text", "person": "person", "organization": "organization",
        "occurred_at": "timestamp", "survey": "text", "kind": "text", "question": "text",
        "score": "number", "scale_low": "number", "scale_high": "number", "channel": "text",
    },
    "commitment": {
        "id": "text", "person": "person", "organization": "organization", "owner": "person",
        "kind": "text", "made_by": "text", "made_at": "timestamp", "due_at": "timestamp",
        "fulfilled_at": "timestamp", "is_fulfilled": "boolean", "is_called_off": "boolean",
    },
    "message_sent": {
        "id": "text", "person": "person", "organization": "organization",
        "occurred_at": "timestamp", "message": "text", "campaign": "text", "channel": "text",
    },
    "message_response": {
        "id": "text", "person": "person", "organization": "organization",
        "occurred_at": "timestamp", "kind": "text", "message_sent": "message_sent",
        "is_automatic": "boolean",
    },
    "interest": {
        "id": "text", "person": "person", "interest": "text", "occurred_at": "timestamp",
    },
    "membership": {
        "id": "text", "person": "person", "organization": "organization", "role": "text",
        "started_at": "timestamp", "ended_at": "timestamp",
    },
}  # fmt: skip
"""Target -> its columns and what each holds. `id` defaults to the record's key."""

REQUIRED = {
    "interaction": ("occurred_at", "kind"),
    "purchase": ("occurred_at",),
    "login": ("occurred_at",),
    "case": ("opened_at",),
    "person": (),
    "organization": (),
    "deal": (),
    "survey_answer": ("occurred_at",),
    "commitment": ("due_at",),
    "message_sent": ("occurred_at",),
    "message_response": ("occurred_at", "kind"),
    "interest": ("person", "interest"),
    "membership": ("person", "organization"),
}
PLURAL = {name: f"{name}s" for name in TARGETS} | {
    "person": "people",
    "message_sent": "messages_sent",
}
REFERENCES = ("person", "organization", "interaction", "message_sent")

_META = "_key _seq _op _merged_into _version _loaded_at _sync_id".split()
_UNIX = {"unix": 1_000_000, "unix_ms": 1_000}
"""Forms of numbers that count since 1970 -> microseconds of one."""
_ISO_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"


class Column(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a target column's value comes from; exactly one of the first three.

    Attributes:
        column: a field of the record.
        value: a constant.
        first_of: fields of the record, the first one that is not empty.
        values: translation of the found value; a value not listed becomes `default`, or stays
            as it is where there is none.
        default: also used when nothing was found.
        stream: for a reference: the stream (of the same source) that it points to.
        timezone: for a time without zone: the zone it was written in (default UTC).
        format: for a time in another form than ISO 8601: its strptime format, or `unix` or
            `unix_ms` for seconds or milliseconds since 1970.
        decimal: for a number: `,` when that is its decimal mark.
        private: `none` where only the field's name suggests a private fact.
    """

    column: str | None = None
    value: Scalar | None = None
    first_of: list[str] | None = None
    values: dict[str, Scalar] = {}
    default: Scalar | None = None
    stream: str | None = None
    timezone: str | None = None
    format: str | None = None
    decimal: Literal[".", ","] = "."
    private: PrivateClass | None = None


class Kept(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A custom field that says what it can show of a person.

    Attributes:
        name: a field of the record.
        pii: none, pseudonym (an id), direct (a name, an address) or text (what people write).
        private: `none` where only the name suggests a private fact.
    """

    name: str
    pii: Literal["none", "pseudonym", "direct", "text"] = "none"
    private: PrivateClass | None = None


class Map(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One mapping of a stream to a unified table.

    Attributes:
        to: one of `TARGETS`.
        columns: target column -> field of the record, or a `Column`; `custom` takes a list of
            fields, each by its name or as `Kept`.
        where: field -> value, list of values, or null (empty); all must hold.
        values: target column -> translation, as a shorthand for `columns.<c>.values`.
        suffix: told apart by this when one record becomes several rows of one target.
    """

    to: Literal[
        "person",
        "organization",
        "interaction",
        "purchase",
        "login",
        "case",
        "deal",
        "survey_answer",
        "commitment",
        "message_sent",
        "message_response",
        "interest",
        "membership",
    ]
    columns: dict[str, str | Column | list[str | Kept]]
    where: dict[str, Scalar | list[Scalar] | None] = {}
    values: dict[str, dict[str, Scalar]] = {}
    suffix: str | None = None


def _schema() -> dict[str, Any]:
    one = msgspec.json.schema(Map)
    definitions = one.pop("$defs")
    body: dict[str, Any] = definitions["Map"]
    text = {"type": "string"}
    listed = {"type": "array", "items": {"anyOf": [text, definitions["Kept"]]}}
    body["properties"]["columns"]["additionalProperties"] = {
        "anyOf": [text, listed, definitions["Column"]]
    }
    body["properties"]["columns"]["propertyNames"] = {
        "enum": sorted({column for columns in TARGETS.values() for column in columns})
    }
    return {"oneOf": [body, {"type": "array", "items": body}]}


MAP_SCHEMA = _schema()
"""JSON Schema of `map:`, self-contained."""


@dataclass(frozen=True, kw_only=True)
class MappedStream:
    """A configured stream with its mappings: what `queries` needs to know.

    Attributes:
        source, stream: its names.
        maps: the checked mappings.
        files: landing files in commit order.
        timezone: zone of times without one, unless the column names its own.
        is_nested: whether `author.id` means a field inside `author`; else names are taken as
            they are, since a column of a file may be called so.
    """

    source: str
    stream: str
    maps: Sequence[Map]
    files: Sequence[str] = ()
    timezone: str = "UTC"
    is_nested: bool = False


def parse(raw: Any, place: str, where: str = "rapport.yml") -> list[Map]:
    """Return the mappings under a `map:` key, checked against the targets.

    Raises:
        ConfigError: an unknown target or column, or a required column is missing.
    """
    entries = raw if isinstance(raw, list) else [raw]
    maps = []
    for index, entry in enumerate(entries):
        here = f"{place}.map[{index}]" if isinstance(raw, list) else f"{place}.map"
        mapping: Map = convert(entry, Map, where, prefix=here)
        _check(mapping, here, where)
        maps.append(mapping)
    suffixes = [(mapping.to, mapping.suffix) for mapping in maps]
    for to, suffix in set(suffixes):
        if suffixes.count((to, suffix)) > 1:
            raise ConfigError(
                f"{where}: {place}.map has several mappings to `{to}`. Give each its own "
                "`suffix:`, so that their rows can be told apart."
            )
    return maps


def mapped_streams(sources: Iterable[SourceConfig], where: str) -> list[MappedStream]:
    """Return every configured stream that carries `map:`, without its landing files.

    Raises:
        ConfigError: a mapping is wrong; `where` names the configuration.
    """
    return [
        MappedStream(
            source=source.name,
            stream=stream,
            maps=parse(settings["map"], f"sources.{source.name}.streams.{stream}", where),
            timezone=settings.get("timezone", "UTC"),
            is_nested=source.type == "rest",
        )
        for source in sources
        for stream, settings in (source.settings.get("streams") or {}).items()
        if isinstance(settings, Mapping) and settings.get("map")
    ]


def kept_fields(mapping: Map) -> list[Kept]:
    """Return the custom fields that a mapping keeps."""
    listed = mapping.columns.get("custom")
    names = listed if isinstance(listed, list) else []
    return [Kept(name=field) if isinstance(field, str) else field for field in names]


def queries(streams: Sequence[MappedStream]) -> dict[str, list[str]]:
    """Return target -> the SELECTs that bring every mapped stream to it (DuckDB SQL).

    Each SELECT has the landing columns and then the target's columns in the order of
    `TARGETS`, all text. A record that once matched `where` and no longer does becomes a delete.
    """
    result: dict[str, list[str]] = {target: [] for target in TARGETS}
    for stream in streams:
        for mapping in stream.maps:
            result[mapping.to].append(_select(stream, mapping, streams))
    return result


def empty_query(target: str) -> str:
    """Return a SELECT of the target's columns without rows."""
    columns = ", ".join(f"null::varchar as {_quoted(name)}" for name in TARGETS[target])
    return (
        "select null::varchar as _source, null::varchar as _stream, null::varchar as _key, "
        "null::bigint as _seq, null::varchar as _op, null::varchar as _merged_into, "
        "null::timestamptz as _version, null::timestamptz as _loaded_at, "
        f"null::varchar as _sync_id, {columns} where false"
    )


def _check(mapping: Map, here: str, where: str) -> None:
    known = TARGETS[mapping.to]
    for name, spec in mapping.columns.items():
        if name not in known:
            raise ConfigError(
                f"{where}: {here}.columns.{name} is no column of `{mapping.to}`."
                f"{suggestion(name, known)} Columns: {', '.join(known)}."
            )
        if isinstance(spec, list) and name != "custom":
            raise ConfigError(
                f"{where}: {here}.columns.{name} is a list. Only `custom` takes one; "
                "for the first field that is not empty write `{first_of: [...]}`."
            )
        if isinstance(spec, Column):
            given = [spec.column is not None, spec.value is not None, bool(spec.first_of)]
            if sum(given) != 1:
                raise ConfigError(
                    f"{where}: {here}.columns.{name} needs exactly one of `column`, `value`, "
                    "`first_of`."
                )
    for name in mapping.values:
        if name not in mapping.columns:
            raise ConfigError(
                f"{where}: {here}.values.{name} translates a column that is not mapped."
                f"{suggestion(name, mapping.columns)}"
            )
    missing = [name for name in REQUIRED[mapping.to] if name not in mapping.columns]
    if missing:
        raise ConfigError(
            f"{where}: {here} maps to `{mapping.to}` and needs the column `{missing[0]}`."
        )


def _select(stream: MappedStream, mapping: Map, streams: Sequence[MappedStream]) -> str:
    fields = sorted(mapped_columns(msgspec.to_builtins(mapping)))
    folded: dict[str, str] = {}
    for name in fields:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise ConfigError(
                f"{stream.source}.{stream.stream}: the mapped fields `{other}` and `{name}` "
                "differ in case alone, which SQL cannot tell apart. Rename one in the export."
            )
    columns = [
        f"{_expression(name, mapping, stream, streams)} as {_quoted(name)}"
        for name in TARGETS[mapping.to]
    ]
    key = "_key" if mapping.suffix is None else f"_key || {_literal('#' + mapping.suffix)}"
    meta = ", ".join(
        {"_key": f"{key} as _key", "_op": "case when matches then _op else 'delete' end as _op"}
        .get(name, name)
        for name in _META
    )  # fmt: skip
    # A DECIMAL member makes DuckDB's JSON reader keep the digits of every number as written;
    # its name is longer than any field's.
    nowhere = "~" * (1 + max(map(len, fields), default=0))
    shape = msgspec.json.encode(_shape(stream, fields) | {nowhere: "DECIMAL(1,0)"})
    flat = ", ".join(f"{_quoted(name)} := {_inside(name, stream)}" for name in fields)
    files = ", ".join(_literal(path) for path in stream.files)
    return f"""select {_literal(stream.source)} as _source, {_literal(stream.stream)} as _stream, {meta}, {", ".join(columns)}
from (
    select *, bool_or(matches) over (partition by _key) as has_matched
    from (
        select *, _op = 'delete' or coalesce({_condition(mapping)}, false) as matches
        from (
            select * exclude (j), struct_pack({flat or "nothing := null"}) as r
            from (
                select *, from_json(record, {_literal(shape.decode())}) as j
                from read_parquet([{files}])
            )
        )
    )
)
where matches or has_matched"""  # noqa: E501


def _shape(stream: MappedStream, fields: Sequence[str]) -> dict[str, Any]:
    """Return what `from_json` is to make of a record: every field as text."""
    shape: dict[str, Any] = {}
    for name in fields:
        *parents, leaf = name.split(".") if stream.is_nested else (name,)
        level = shape
        for parent in parents:
            level = level.setdefault(parent, {})
            if isinstance(level, str):
                raise ConfigError(
                    f"{stream.source}.{stream.stream}: the mapping takes both `{parent}` and "
                    f"`{name}` inside it. Take the parts that you need, each by its name."
                )
        level[leaf] = "VARCHAR"
    return shape


def _inside(name: str, stream: MappedStream) -> str:
    parts = name.split(".") if stream.is_nested else [name]
    return ".".join(["j", *map(_quoted, parts)])


def _condition(mapping: Map) -> str:
    if not mapping.where:
        return "true"
    return " and ".join(
        f"{_field(name)} in ({', '.join(_literal(_text(item)) for item in value)})"
        if isinstance(value, list)
        else f"{_field(name)} is null"
        if value is None
        else f"{_field(name)} = {_literal(_text(value))}"
        for name, value in mapping.where.items()
    )


def _expression(
    name: str, mapping: Map, stream: MappedStream, streams: Sequence[MappedStream]
) -> str:
    kind = TARGETS[mapping.to][name]
    spec = mapping.columns.get(name)
    if spec is None:
        return "_key" if name == "id" else "null::varchar"
    if isinstance(spec, list):
        pairs = ", ".join(
            f"{_literal(kept.name)}, {_field(kept.name)}" for kept in kept_fields(mapping)
        )
        return f"json_object({pairs})::varchar"
    if isinstance(spec, str):
        spec = Column(column=spec)
    text = _found(spec, {**mapping.values.get(name, {}), **spec.values})
    if kind == "timestamp":
        return _instant(text, spec, stream)
    if kind == "date" and spec.format:
        return f"coalesce(({_parsed(text, spec.format)})::date::varchar, {text})"
    if kind == "number" and spec.decimal == ",":
        return f"replace(replace({text}, '.', ''), ',', '.')"
    if kind in REFERENCES:
        return _reference(text, kind, spec, stream, streams)
    return text


def _found(spec: Column, values: Mapping[str, Scalar]) -> str:
    if spec.value is not None:
        return f"{_literal(_text(spec.value))}"
    fields = [spec.column] if spec.column else spec.first_of or []
    text = _field(fields[0]) if len(fields) == 1 else f"coalesce({', '.join(map(_field, fields))})"
    default = None if spec.default is None else _literal(_text(spec.default))
    if values:
        cases = " ".join(
            f"when {_literal(found)} then {_literal(_text(given))}"
            for found, given in values.items()
        )
        text = f"case {text} {cases} else {default or text} end"
    return f"coalesce({text}, {default})" if default else text


def _instant(text: str, spec: Column, stream: MappedStream) -> str:
    """ISO 8601 in UTC for a time without zone; other text stays, for staging to judge."""
    zone = _literal("UTC" if spec.format in _UNIX else spec.timezone or stream.timezone)
    local = _parsed(text, spec.format) if spec.format else f"try_cast({text} as timestamp)"
    utc = f"strftime(timezone({zone}, {local}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if spec.format in _UNIX:
        return f"coalesce({utc}, {text})"
    return (
        f"case when regexp_matches({text}, {_literal(_ISO_ZONE)}) then {text} "
        f"else coalesce({utc}, {text}) end"
    )


def _parsed(text: str, form: str) -> str:
    """Return the time without a zone that a text in a declared form is; null if it is none."""
    if form not in _UNIX:
        return f"try_strptime({text}, {_literal(form)})"
    microseconds = f"try_cast({text} as decimal(38, 6)) * {_UNIX[form]}"
    return f"make_timestamp(try_cast({microseconds} as bigint))"


def _reference(
    text: str, kind: Kind, spec: Column, stream: MappedStream, streams: Sequence[MappedStream]
) -> str:
    target = spec.stream or _only_stream(kind, stream, streams)
    prefix = _literal(f"{stream.source}:{target}:")
    qualified = f"{prefix} || {text}"
    if kind == "person":
        return (
            f"case when contains({text}, '@') then {prefix} || 'mailto:' || lower(trim({text})) "
            f"else {qualified} end"
        )
    return qualified


def _only_stream(kind: Kind, stream: MappedStream, streams: Sequence[MappedStream]) -> str:
    """Return the stream a reference means when the mapping does not say."""
    if kind == "interaction" or any(mapping.to == kind for mapping in stream.maps):
        return stream.stream
    candidates = [
        other.stream
        for other in streams
        if other.source == stream.source and any(mapping.to == kind for mapping in other.maps)
    ]
    if len(candidates) > 1:
        raise ConfigError(
            f"{stream.source}.{stream.stream}: a reference to a {kind} could mean the streams "
            f"{', '.join(f'`{name}`' for name in candidates)}. Say which: "
            "`{column: ..., stream: ...}`."
        )
    return candidates[0] if candidates else stream.stream


def _field(name: str) -> str:
    return f"nullif(trim(r.{_quoted(name)}), '')"


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _literal(text: str) -> str:
    return "'" + re.sub(r"'", "''", text) + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
