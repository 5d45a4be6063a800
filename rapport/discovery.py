"""What `rapport discover` shows: a source's streams and fields, and what it has besides.

Belongs here: putting a discovery into plain values, into a terminal, and into lines to paste
into rapport.yml. Does not belong here: asking the source (`connectors.discovery`).
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.base import DeleteStrategy, Stream
from connectors.discovery import Discovery, FoundField, FoundStream, discover
from rapport.config import Config
from rapport.syncing import chosen_streams

DELETES: dict[DeleteStrategy, str] = {
    "tombstones": "the source lists deleted records",
    "archived": "the source lists archived records",
    "census": "a complete walk no longer shows them",
    "reread": "recent records are read again",
    "none": "the source never deletes, or never tells",
}

MEANINGS = (
    (r"salesforce(contact|lead)id|ssoid|externalid", "external_id"),
    (r"renewaldate", "renewal_date"),
    (r"renewalamount", "renewal_amount"),
)
"""Name of a field, in small letters without underscores -> the `meaning:` to think of."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Discovered:
    """A source's discovery with what rapport.yml says about it.

    Attributes:
        is_one_stream: a single stream was asked for: all its fields are worth showing.
        configured: object name -> entries under `fields:` now; None: this type has no such key.
    """

    source: str
    type: str
    found: Discovery
    is_one_stream: bool
    configured: dict[str, list[Any]] | None


def discovered(config: Config, selection: str) -> Discovered:
    """Ask the source of `SOURCE` or `SOURCE.STREAM` what it has.

    Raises:
        ConfigError: there is no such source or stream, or an environment variable is missing.
        RapportError: what the source raises.
    """
    [(name, wanted)] = chosen_streams(config, [selection]).items()
    source = config.source(name)
    found = discover(config.open(name))
    names = {stream.name for stream in wanted}
    streams = tuple(each for each in found.streams if each.stream.name in names)
    takes_fields = any(each.fields_key for each in found.streams)
    return Discovered(
        source=name,
        type=source.type,
        found=dataclasses.replace(found, streams=streams),
        is_one_stream="." in selection,
        configured=dict(source.settings.get("fields") or {}) if takes_fields else None,
    )


def as_dict(it: Discovered) -> dict[str, Any]:
    """Return plain values for JSON; durations are seconds, null means that it cannot be told."""
    objects = it.found.objects
    return {
        "source": it.source,
        "type": it.type,
        "streams": [_stream_dict(stream) for stream in it.found.streams],
        "objects_not_read": None if objects is None else [dataclasses.asdict(o) for o in objects],
        "objects_how": it.found.how,
        "snippet": snippet(it),
    }


def _stream_dict(found: FoundStream) -> dict[str, Any]:
    stream = found.stream
    return {
        "name": stream.name,
        "object_name": stream.object_name,
        "key": list(stream.key),
        "cursor": stream.cursor,
        "cursor_trusted": stream.cursor_trusted,
        "sync_mode": stream.sync_mode,
        "deletes": stream.deletes,
        "deletes_how": DELETES[stream.deletes],
        "lag_s": stream.lag.total_seconds(),
        "lookback_s": stream.lookback.total_seconds(),
        "coverage": stream.coverage,
        "takes_everything": "*" in stream.fields,
        "fields": [dataclasses.asdict(field) for field in found.fields],
        "fields_how": found.how,
        "fields_are_complete": found.is_complete,
        "unseen": list(found.unseen),
        "note": found.note,
    }


# Lines to paste


def snippet(it: Discovered) -> str | None:
    """Return `fields:` for rapport.yml with all custom fields, those configured now first.

    It replaces the `fields:` that is there. Of a database: entries of `streams:` to choose from.
    None: nothing can be added.
    """
    if it.configured is None:
        return _tables(it)
    blocks: dict[str, list[str]] = {
        key: [_flow(entry) for entry in entries] for key, entries in it.configured.items()
    }
    is_new = False
    for found in it.found.streams:
        for field in _custom(found):
            blocks.setdefault(found.fields_key, []).append(_entry(field))
            is_new = True
    if not is_new:
        return None
    lines = ["sources:", f"  {it.source}:", "    fields:"]
    for key, entries in blocks.items():
        lines += [f"      {key}:", *(f"        - {entry}" for entry in entries)]
    return "\n".join(lines)


def _tables(it: Discovered) -> str | None:
    """Return `streams:` for fields that are left out and tables that no stream reads."""
    objects = () if it.is_one_stream else it.found.objects or ()
    lines = [line for each in it.found.streams for line in each.lines]
    lines += [line for table in objects for line in table.lines]
    if not lines:
        return None
    return "\n".join(
        ["sources:", f"  {it.source}:", "    streams:", *(f"      {line}" for line in lines)]
    )


def _custom(found: FoundStream) -> list[FoundField]:
    """Return the fields a customer made that could be taken and are not."""
    return [
        field
        for field in found.not_taken
        if found.fields_key and field.is_custom and field.can_be_taken
    ]


def _entry(field: FoundField) -> str:
    facts = {"name": field.name, "type": field.type, "pii": field.pii}
    usual = {"type": "text", "pii": "none"}
    told = "; ".join(
        filter(None, (field.label, field.vendor_type, field.pii_basis, field.note, _meaning(field)))
    )
    return f"{_flow({k: v for k, v in facts.items() if usual.get(k) != v})}  # {_printable(told)}"


def _meaning(field: FoundField) -> str:
    """Return the `meaning:` that a field may have by its name; empty if none comes to mind.

    An id that another system gave is the surest link between two sources.
    """
    words = field.name.lower().replace("_", "")
    for pattern, meaning in MEANINGS:
        if re.search(pattern, words):
            return f"perhaps meaning: {meaning}"
    return ""


def _flow(entry: Any) -> str:
    """Return an entry in YAML's flow style; JSON's quotes do where a word needs some."""
    if isinstance(entry, dict):
        return f"{{{', '.join(f'{key}: {_flow(value)}' for key, value in entry.items())}}}"
    text = str(entry)
    return text if re.fullmatch(r"[A-Za-z]\w*", text) else json.dumps(text)


# Terminal


def print_all(console: Console, it: Discovered) -> None:
    """Print a discovery; names and labels come from the vendor and are printed as they are."""

    def say(text: str = "") -> None:
        console.print(text, markup=False, soft_wrap=True)

    table = Table(box=None, pad_edge=False)
    for heading in ("stream", "sync", "deletes"):
        table.add_column(heading, no_wrap=True)
    for heading in ("taken", "left out", "custom"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found in it.found.streams:
        stream = found.stream
        table.add_row(
            stream.name, stream.sync_mode, stream.deletes,
            "all" if "*" in stream.fields else f"{len(stream.fields)}", *_left_out(found),
        )  # fmt: skip
    say(f"{it.source} ({it.type})")
    console.print(table)
    _notes(say, it)
    for found in it.found.streams:
        if it.is_one_stream:
            _fields(console, say, "Fields taken", found, [f for f in found.fields if f.is_taken])
            _fields(console, say, "Fields left out", found, found.not_taken)
        else:
            custom = [field for field in found.not_taken if field.is_custom]
            _fields(console, say, "Custom fields left out", found, custom)
    if not it.is_one_stream:
        _other_fields(say, it)
        _objects(say, it)
    lines = snippet(it)
    if lines and any(found.lines for found in it.found.streams):
        say("\nTo take fields that are left out, let these lines replace those of their stream in")
        say("rapport.yml. Types and `pii` are guesses; keep out what nobody needs.\n")
        say(lines)
    elif lines and it.configured is None:
        say(f"\nTo read a table, put its lines under `streams:` of source `{it.source}` in")
        say("rapport.yml, without the columns that nobody needs.\n")
        say(lines)
    elif lines:
        say(f"\nTo take the custom fields, let this replace `fields:` of source `{it.source}` in")
        say("rapport.yml. `pii` is a guess by name and type: correct it before you sync.\n")
        say(lines)


def _notes(say: Any, it: Discovered) -> None:
    _grouped(say, it, "How they are read", [_reading(found.stream) for found in it.found.streams])
    used = dict.fromkeys(found.stream.deletes for found in it.found.streams)
    say("\nHow deletes are learned: " + "; ".join(f"{how}: {DELETES[how]}" for how in used))
    for title, notes in (
        ("What a source cannot tell", [(f, f.stream.coverage) for f in it.found.streams]),
        ("Worth knowing", [(f, f.note) for f in it.found.streams]),
        ("On the allow-list, not shown", [(f, ", ".join(f.unseen)) for f in it.found.streams]),
    ):
        lines = [f"  {found.stream.name}: {_printable(text)}" for found, text in notes if text]
        if lines:
            say(f"\n{title}:")
            for line in lines:
                say(line)
    _grouped(say, it, "Where the fields come from", [found.how for found in it.found.streams])


def _reading(stream: Stream) -> str:
    facts = [f"key {', '.join(stream.key)}"]
    if stream.cursor:
        facts.append(f"cursor {stream.cursor}")
    if stream.lag:
        facts.append(f"the newest {_span(stream.lag.total_seconds())} is left for the next sync")
    if stream.lookback:
        facts.append(f"{_span(stream.lookback.total_seconds())} before the cursor is read again")
    return "; ".join(facts)


def _grouped(say: Any, it: Discovered, title: str, texts: Iterable[str]) -> None:
    """Print each text once, behind the streams that it is true of."""
    names: dict[str, list[str]] = {}
    for found, text in zip(it.found.streams, texts, strict=True):
        names.setdefault(text, []).append(found.stream.name)
    say(f"\n{title}:")
    for text, of in names.items():
        who = "all" if len(of) == len(it.found.streams) > 1 else ", ".join(of)
        say(f"  {who}: {_printable(text)}")


def _fields(
    console: Console, say: Any, title: str, found: FoundStream, fields: Iterable[FoundField]
) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("field", "type", "label", "pii", "note"):
        table.add_column(heading, overflow="fold")
    for field in fields:
        origin = "custom" if field.is_custom else ""
        pii = field.pii if field.pii_basis == "declared" else f"{field.pii} (guess)"
        table.add_row(
            field.name, field.vendor_type or field.type, _printable(field.label), pii,
            "; ".join(filter(None, (origin, field.note))),
        )  # fmt: skip
    if table.row_count:
        name = found.stream.object_name
        say(f"\n{title}, {found.stream.name}{f' ({name})' if name else ''}:")
        console.print(table, markup=False)


def _other_fields(say: Any, it: Discovered) -> None:
    lines = []
    for found in it.found.streams:
        names = [field.name for field in found.not_taken if not field.is_custom]
        if names:
            lines.append(f"  {found.stream.name}: {', '.join(names)}")
    if lines:
        say("\nOther fields left out:")
        for line in lines:
            say(_printable(line))
        first = it.found.streams[0].stream.name
        say(f"  (with type and label: `rapport discover {it.source}.{first}`)")


def _objects(say: Any, it: Discovered) -> None:
    say(f"\nObjects that are not read ({_printable(it.found.how)}):")
    objects = it.found.objects or ()
    for found in objects:
        if found.is_custom or found.note:
            facts = "; ".join(filter(None, (found.label, found.note)))
            say(_printable(f"  {found.name}: {facts}"))
    rest = [found.name for found in objects if not (found.is_custom or found.note)]
    if rest:
        say(_printable(f"  {', '.join(rest)}"))
    if not objects and it.found.objects is not None:
        say("  none")
    if any(found.can_be_read for found in objects):
        say("  (to read one, name it under `objects:` in rapport.yml)")


def _left_out(found: FoundStream) -> tuple[str, str]:
    """Return how many fields are not taken, and how many of them are custom."""
    if not (found.is_complete or found.not_taken or "*" in found.stream.fields):
        return "?", "?"
    custom = sum(bool(field.is_custom) for field in found.not_taken)
    return f"{len(found.not_taken)}", f"{custom}" if custom else "-"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _printable(text: str) -> str:
    """Return text on one line, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
