"""What a source has: streams as they are read, fields that are left out, objects that are not read.

Belongs here: the words in which a connector answers `discover()`, the answer for one that has
no such method, and guesses about fields nobody has classed. Does not belong here: how a vendor
describes itself (its connector), and how the answer is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import msgspec

from connectors.base import Source, Stream
from connectors.errors import AuthError

CANNOT_TELL = "cannot tell: this connector does not ask which other fields exist"
LONG_TEXT_CHARACTERS = 255

_DIRECT = re.compile(
    r"(^|_)(e?mail|phone|mobile|fax|tel|address|street|birth_?(?:date|day)?|dob|ssn|iban|"
    r"passport|ip|handle|twitter|linkedin|facebook|instagram|skype|signature|avatar|"
    r"username|nickname|"
    r"(?:first|last|full|given|family|maiden|middle|display|contact|person|customer|owner|billing|"
    r"shipping)_?names?)(_|$)"
)
_TEXT = re.compile(
    r"(^|_)(note|comment|description|remark|body|message|bio|about|feedback|summary|cooked|raw|"
    r"excerpt|text|html|reason_text)s?(_|$)"
)
_PSEUDONYM = re.compile(
    r"((?<![a-z])(?:external|sso|login)_?id|(?<![a-z])uuid|"
    # also behind another word, as in HubSpot's `salesforcecontactid`
    r"(?:user|person|contact|member|customer|lead|owner|author)_?id)"
)
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.\d+")


@dataclass(frozen=True, kw_only=True)
class FoundField:
    """A field that the source has.

    Attributes:
        name: as `fields:` in rapport.yml would name it.
        is_taken: whether it is on the allow-list.
        vendor_type: in the vendor's word (`picklist`); empty: it does not say.
        type: text, integer, decimal, boolean, timestamp, date or json: as declared if it is
            taken, else what would fit.
        label: what people see; `is_custom`: made by the customer; None: the vendor does not say.
        pii: none, pseudonym, direct or text.
        pii_basis: `declared`, or `guess: ...` with what it was guessed from.
        note: what else to know, in words.
        can_be_taken: False: `fields:` cannot name it (a compound, a file's content).
    """

    name: str
    is_taken: bool
    vendor_type: str = ""
    type: str = "text"
    label: str = ""
    is_custom: bool | None = None
    pii: str = "none"
    pii_basis: str = "declared"
    note: str = ""
    can_be_taken: bool = True


@dataclass(frozen=True, kw_only=True)
class FoundStream:
    """A stream and the fields its records have.

    Attributes:
        stream: its declaration.
        fields: those taken first, in their order, then the others.
        how: how the others were got, or why they cannot be told.
        is_complete: whether `fields` is all there is.
        unseen: fields on the allow-list that the source did not show.
        fields_key: name under which `fields:` adds to this stream; empty: nothing can be added.
        note: what to know, in words.
        lines: YAML that would take what is left out, to stand under `streams:` in rapport.yml.
    """

    stream: Stream
    fields: tuple[FoundField, ...]
    how: str
    is_complete: bool
    unseen: tuple[str, ...] = ()
    fields_key: str = ""
    note: str = ""
    lines: tuple[str, ...] = ()

    @property
    def not_taken(self) -> tuple[FoundField, ...]:
        """Fields that exist and never reach a file."""
        return tuple(field for field in self.fields if not field.is_taken)


@dataclass(frozen=True, kw_only=True)
class FoundObject:
    """A kind of record that exists at the source and is not read.

    Attributes:
        can_be_read: whether `objects:` in rapport.yml takes its name.
        note: why it is not read, if not for want of asking.
        lines: YAML that would read it, to stand under `streams:` in rapport.yml.
    """

    name: str
    label: str = ""
    is_custom: bool | None = None
    can_be_read: bool = False
    note: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What a source has.

    Attributes:
        streams: in the connector's order.
        objects: kinds of records that are not read; None: cannot tell.
        how: where the list of objects comes from.
    """

    streams: tuple[FoundStream, ...]
    objects: tuple[FoundObject, ...] | None = None
    how: str = "cannot tell: this connector does not ask which other objects exist"


class Discovers(Protocol):
    """The optional part of `connectors.base.Source` that this module asks."""

    def discover(self) -> Discovery:
        """Ask the source what it has. Values of records never come along."""


def discover(source: Source) -> Discovery:
    """Return what `source` has; of one that cannot be asked, what its streams declare."""
    if hasattr(source, "discover"):
        return cast(Discovers, source).discover()
    return Discovery(
        streams=tuple(
            FoundStream(
                stream=stream, fields=taken_fields(stream), how=CANNOT_TELL, is_complete=False
            )
            for stream in source.streams()
        )
    )


def taken_fields(stream: Stream) -> tuple[FoundField, ...]:
    """Return a stream's allow-list as fields; empty where it takes everything."""
    return tuple(taken(stream, name) for name in stream.fields if name != "*")


def taken(stream: Stream, name: str, **told: Any) -> FoundField:
    """Return a field on the allow-list as it is declared, with what the vendor told of it."""
    return FoundField(
        name=name,
        is_taken=True,
        type=stream.types.get(name, "text"),
        pii=stream.pii.get(name, stream.pii.get(name.split(".")[0], "none")),
        **told,
    )


def sampled(
    stream: Stream,
    sample: Callable[[], list[bytes]],
    *,
    added: Collection[str] = (),
    by_setting: Mapping[str, str] | None = None,
    texts: Collection[str] = (),
) -> FoundStream:
    """Return a stream with the fields that a page of its records shows.

    For sources that do not describe themselves. Of an object that is taken in part, the fields
    below it are shown, too.

    Args:
        sample: asks for the page; an `AuthError` becomes a note.
        added: fields on the allow-list that the connector adds, which no page shows.
        by_setting: field that is not taken -> the setting of the source that would take it.
        texts: fields known to hold what people write.
    """
    try:
        records = sample()
    except AuthError as refusal:
        return FoundStream(
            stream=stream,
            fields=taken_fields(stream),
            how="cannot tell: the list is closed to this key",
            is_complete=False,
            note=str(refusal),
        )
    settings = by_setting or {}
    parents = {name.partition(".")[0] for name in (*stream.fields, *settings) if "." in name}
    types = shape(records, parents)
    fields = taken_fields(stream)
    for name in dict.fromkeys([*settings, *types]):
        if name in stream.fields or name in parents:
            continue
        leaf = name.rpartition(".")[2]
        pii, basis = guess_pii(leaf)
        if leaf in texts:
            pii, basis = "text", "known: what people write"
        fields += (
            FoundField(
                name=name,
                is_taken=False,
                vendor_type=types.get(name, ""),
                type=types.get(name, "text"),
                pii=pii,
                pii_basis=basis,
                note=settings.get(name, ""),
                can_be_taken=False,
            ),
        )
    unseen = [
        name for name in stream.fields if name not in added and name.partition(".")[0] not in types
    ]
    return FoundStream(
        stream=stream,
        fields=fields,
        how=f"a page of {len(records)} records; what none of them has is not listed",
        is_complete=False,
        unseen=tuple(unseen) if records else (),
    )


def guess_pii(name: str, vendor_type: str = "", length: int = 0) -> tuple[str, str]:
    """Guess a field's `pii` class from its name and type; return it with what it came from.

    A guess errs on the careful side, and it is no more than that: only who knows what people
    write into a field can class it.
    """
    words = _WORD_STARTS.sub("_", name.removesuffix("__c")).lower()
    kind = vendor_type.lower()
    if kind in ("email", "phone"):
        return "direct", f"guess: type {kind}"
    if kind == "reference":
        return "pseudonym", "guess: refers to another record"
    if found := _DIRECT.search(words):
        return "direct", f"guess: `{found[2]}` in the name"
    if kind in ("textarea", "html") or length > LONG_TEXT_CHARACTERS:
        return "text", "guess: long text"
    if found := _TEXT.search(words):
        return "text", f"guess: `{found[2]}` in the name"
    if found := _PSEUDONYM.search(words):
        return "pseudonym", f"guess: `{found[1]}` in the name"
    return "none", "guess: nothing suggests a person"


def shape(records: Iterable[bytes], parents: Collection[str] = ()) -> dict[str, str]:
    """Return the fields that sample records have, with the type their values look like.

    In the order of first appearance; records that are no JSON object are passed over.

    Args:
        parents: fields whose own fields are shown as well, as `parent.field`.
    """
    values: dict[str, list[Any]] = {}
    for record in records:
        try:
            members = msgspec.json.decode(record)
        except (msgspec.DecodeError, RecursionError):
            continue
        for name, value in members.items() if isinstance(members, dict) else ():
            # the object itself, too: it may be there and empty
            for where, inner in (*(_below(name, value) if name in parents else ()), (name, value)):
                values.setdefault(where, []).append(inner)
    return {name: looks_like(seen) for name, seen in values.items()}


def _below(parent: str, value: Any) -> Iterable[tuple[str, Any]]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield from ((f"{parent}.{name}", inner) for name, inner in item.items())


def looks_like(values: Sequence[Any]) -> str:
    """Return the one declared type that all non-null values could have; else text."""
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {"integer", "decimal"}:
        return "decimal"
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "decimal"
    if isinstance(value, list | dict):
        return "json"
    for pattern, kind in ((_WHOLE, "integer"), (_DECIMAL, "decimal"), (_DATE, "date")):
        if pattern.fullmatch(value):
            return kind
    if _STAMP.match(value):
        return "timestamp"
    return "boolean" if value.lower() in ("true", "false") else "text"
