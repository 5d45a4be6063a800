"""Records as bytes: cut out of a page, checked, reduced to the allowed fields.

Belongs here: everything that looks inside a record before it is landed. Does not
belong here: types (decided in staging), or where records go (`landing`,
`quarantine`).

A record is never rebuilt from parsed values: what is kept are the vendor's own
bytes, so that `1.10` stays `1.10` and 20-digit numbers keep their digits. There are two
ways to that end, and a tested law that they agree: record by record, with the reason of
what is wrong (`project`), and a page at once, for pages with nothing wrong (`_project_clean`).
"""

from __future__ import annotations

import json
import re
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from zoneinfo import ZoneInfo

import msgspec

from connectors.base import Rejected, Stream

if TYPE_CHECKING:
    import pyarrow as pa

Raw = msgspec.Raw
Members = dict[str, Raw]

MAX_DEPTH = 100
"""Levels of nesting. Engines that read landing stop earlier than Python does."""

AT_ONCE = 100
"""Records checked together: so few that their values stay in the processor's cache."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, in microseconds since 1970."""


def to_us(at: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    """Return the time, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


class UnexpectedShape(ValueError):
    """A page lacks the part that should hold the records."""


class Projected(NamedTuple):
    """A record fit for landing: its `_key`, the source's change stamp if trusted, its text."""

    key: str
    version: datetime | None
    text: bytes


@dataclass
class Records:
    """Records fit for landing, column by column: their `Projected`, in the order they came.

    Attributes:
        versions: in microseconds since 1970 (`to_us`).
        texts: as they will be written, in pieces. A page's are put together while they are in the
            processor's cache, and a million small objects less wait to be landed.
    """

    keys: list[str] = field(default_factory=list)
    versions: list[int | None] = field(default_factory=list)
    texts: list[pa.StringArray] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Projected]:
        versions = (None if at is None else from_us(at) for at in self.versions)
        texts = (text for piece in self.texts for text in piece.cast("binary").to_pylist())
        return map(Projected, self.keys, versions, texts)

    def __getitem__(self, rows: slice) -> Records:
        import pyarrow as pa

        texts = pa.chunked_array(self.texts)[rows]
        return Records(self.keys[rows], self.versions[rows], texts.chunks)

    def extend(self, others: Records) -> None:
        """Add further records."""
        self.keys += others.keys
        self.versions += others.versions
        self.texts += others.texts

    def newest(self) -> int | None:
        """Return the greatest of the versions."""
        versions = self.versions
        given: Any = [at for at in versions if at is not None] if None in versions else versions
        return max(given, default=None)


class _Bad(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail


# Pages


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading a broken value raises."""


Top = dict[str, list[Raw] | dict[str, Raw] | str | int | float | bool | None]
"""The members of a page: lists and objects cut into what they hold, other values read."""


class _Page(threading.local):
    """The page this thread looked into last: whether it is whole, its pointer to the next page
    and its records are asked one after the other, and cutting it once serves all three."""

    def __init__(self) -> None:
        self.body: bytes | Raw = b""
        self.members: Top = {}


_page = _Page()


def _top(body: bytes | Raw) -> Top:
    """Return the members of a page."""
    if body is not _page.body:
        _page.members = _DECODE_TOP(body)
        _page.body = body
    return _page.members


def is_whole(body: bytes) -> bool:
    """Tell whether a page is JSON to its end; a single bad record inside does not matter."""
    try:
        _top(body) if body.startswith(b"{") else msgspec.json.decode(body, type=Raw)
    except UNREADABLE:
        return is_balanced(body)
    return True


def split(body: bytes, *path: str) -> list[bytes]:
    """Cut the list at `path` of a JSON page into its items' own bytes.

    A page with a broken item is cut all the same: the item comes as it stands and is
    quarantined later. A null list is empty. Raises `UnexpectedShape` if there is no list.
    """
    try:
        items = _member(body, path)
        if isinstance(items, bytes | Raw):
            items = _DECODE_LIST(items)
    except msgspec.ValidationError as error:
        raise UnexpectedShape(_not_found(path)) from error
    except UNREADABLE:
        return [item for _, item in _scan_at(body, path, b"[")]
    if not isinstance(items, list | None):
        raise UnexpectedShape(_not_found(path))
    return [*map(bytes, items or ())]


def split_object(body: bytes, *path: str) -> list[tuple[str, bytes]]:
    """Cut the object at `path` of a JSON page into its values' own bytes, each with its name.

    As `split` does with a list.
    """
    try:
        named = _member(body, path)
        if isinstance(named, bytes | Raw):
            named = _DECODE_NAMED(named)
    except msgspec.ValidationError as error:
        raise UnexpectedShape(_not_found(path)) from error
    except UNREADABLE:
        found = _scan_at(body, path, b"{")
        return [(name.decode("utf-8", "replace"), item) for name, item in found]
    if not isinstance(named, dict | None):
        raise UnexpectedShape(_not_found(path))
    return [(name, bytes(item)) for name, item in (named or {}).items()]


def pick(body: bytes, *path: str) -> Any:
    """Return the parsed value at `path` of a JSON page, None if a name is missing."""
    try:
        return _parsed(_member(body, path))
    except UnexpectedShape:
        return None
    except UNREADABLE:
        for name in path:
            body = dict(_scan(body)).get(name.encode(), b"null")
        try:
            return msgspec.json.decode(body)
        except UNREADABLE:
            return None


def values(record: bytes, *fields: str) -> tuple[Any, ...]:
    """Return the parsed values of top-level fields, None where missing or unreadable.

    Use it for what steers a walk (ids, stamps); never to rebuild a record.
    """
    try:
        members = _members(record)
        return tuple(
            msgspec.json.decode(members[name]) if name in members else None for name in fields
        )
    except UNREADABLE:
        # What is broken in one field must not stop a walk that goes by another.
        return tuple(pick(record, name) for name in fields)


def members(record: bytes) -> Members:
    """Return each field's own bytes; none of what is no object, which then has no key."""
    try:
        return _members(record)
    except (msgspec.DecodeError, RecursionError):
        return {}


def is_balanced(body: bytes) -> bool:
    """Tell whether every bracket and string of a JSON-like text is closed, in order."""
    open_brackets: list[bytes] = []
    for token in _TOKEN.findall(body):
        if token in (b"{", b"["):
            open_brackets.append(token)
        elif token in (b"}", b"]"):
            if not open_brackets or _CLOSES[token] != open_brackets.pop():
                return False
            if not open_brackets:
                return body.rstrip().endswith(token)
        elif token == b'"':  # opens a string that never ends
            return False
    return False


# Records


def project_page(page: Sequence[bytes], stream: Stream) -> tuple[Records, list[Rejected]]:
    """Project every record of a page, as `project` does."""
    records, rejected = Records(), []
    stamps: list[Any] = []
    texts: list[bytes] = []
    for first in range(0, len(page), AT_ONCE):
        part = list(page[first : first + AT_ONCE])
        clean = _project_clean(part, stream)
        if clean is not None:
            records.keys += clean.keys
            texts += clean.texts
            stamps += clean.stamps
            continue
        for record in part:
            found = project(record, stream)
            if isinstance(found, Rejected):
                rejected.append(found)
            else:
                records.keys.append(found.key)
                texts.append(found.text)
                stamps.append(found.version)
    records.versions = _versions(stamps, stream)
    if texts:
        records.texts.append(joined(texts))
    return records, rejected


def joined(texts: Sequence[bytes]) -> pa.StringArray:
    """Return records as an Arrow column; they are known to be UTF-8."""
    import pyarrow as pa

    ends = array("i", accumulate(map(len, texts), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def project(record: bytes, stream: Stream) -> Projected | Rejected:
    """Check a record and keep the allowed fields of `stream`, digits and all.

    Returns:
        `Projected`, or `Rejected` with a reason: `not_an_object`, `invalid_json`,
        `duplicate_name`, `lone_surrogate`, `nul`, `too_deep`, `no_key`. The text of a
        rejected record holds allowed fields only.
    """
    allowed = _allow_list(stream.fields)
    try:
        _check(record)
        members = _members(record)
        key = _key(members, stream.key)
    except _Bad as bad:
        return Rejected(
            reason=bad.reason,
            detail=bad.detail,
            key=_key_if_any(record, stream.key),
            text=_salvage(record, allowed),
        )
    text = _ENCODE(_keep(members, allowed)) if allowed is not None else record.strip()
    return Projected(key, _stamp_in(members, stream), text)


class _Clean(NamedTuple):
    """Records in which nothing is wrong, column by column; stamps as parsed, not yet read."""

    keys: list[str]
    stamps: list[Any]
    texts: list[bytes]


def _project_clean(records: list[bytes], stream: Stream) -> _Clean | None:
    """Project a page in which nothing can be wrong; return None if that is not certain.

    Each record is parsed and written again. If that gives the same bytes, the record is strict
    JSON, repeats no name (of two members, one would be lost on the way) and has no whitespace
    and no needless escapes: its bytes can be taken as they are.
    """
    return _project_alike(records, stream) or _project_parsed(records, stream)


def _project_alike(records: list[bytes], stream: Stream) -> _Clean | None:
    """Project records that have the same allowed fields in the same order, and nothing else.

    Parsed into the fields of a class, they take half as long as into dicts.
    """
    alike = _alike(records[0], records[-1], stream.fields)
    if alike is None or len(stream.key) > 1 or stream.key[0] not in alike.names:
        return None
    text = b"\n".join([*records, b""])
    try:
        values = alike.decoder.decode_lines(text)
        # As many and the same: no record holds a line break, so each is what was written.
        if len(values) != len(records) or _ENCODE_LINES(values) != text:
            return None
    except UNCLEAN:
        return None
    if (b"\\u" in text and _SUSPECT.search(text)) or _is_deep(
        records if alike.has_lists else records[:1]
    ):
        return None
    keys = _plain_keys([*map(alike.getter(stream.key[0]), values)], is_same=True)
    if keys is None:
        return None
    cursor = stream.cursor if stream.cursor_trusted else None
    if cursor not in alike.names:
        return _Clean(keys, [None] * len(keys), records)
    return _Clean(keys, [*map(alike.getter(cursor), values)], records)


def _project_parsed(records: list[bytes], stream: Stream) -> _Clean | None:
    """Project records of any fields; what is not written again as it was must keep its names."""
    try:
        values = [*map(_DECODE, records)]
        again = [*map(_ENCODE, values)]
    except UNCLEAN:
        return None
    is_same = again == records
    text = b"\n".join(records)
    if (
        {*map(type, values)} != {dict}
        or (not is_same and not _has_same_names(text, b"\n".join(again)))
        or (b"\\u" in text and _SUSPECT.search(text))
        or _is_deep(records)
        or len(stream.key) > 1
    ):
        return None
    keys = _plain_keys([value.get(stream.key[0]) for value in values], is_same)
    if keys is None:
        return None
    allowed = _allow_list(stream.fields)
    if is_same and (allowed is None or _hold_only(values, allowed)):
        texts = records
    elif allowed is None:
        texts = [record.strip() for record in records]
    else:
        texts = [_ENCODE(_keep(_members(record), allowed)) for record in records]
    if stream.cursor is None or not stream.cursor_trusted:
        return _Clean(keys, [None] * len(keys), texts)
    return _Clean(keys, [value.get(stream.cursor) for value in values], texts)


Shape = tuple[tuple[str, Any], ...]
"""Names in their order, each with the shape of an object, `list` or None for any other value."""


def _shape(value: Any, allowed: AllowList | None) -> Shape | None:
    """Return the shape of an object; None if it is none, or holds what is not allowed."""
    if type(value) is not dict:
        return None
    shape: list[tuple[str, Any]] = []
    for name, inner in value.items():
        is_whole = allowed is None or name in allowed.whole
        if type(inner) is dict:
            below = None if is_whole or allowed is None else allowed.below.get(name)
            found = _shape(inner, below) if is_whole or below is not None else None
            if found is None:
                return None
            shape.append((name, found))
        elif is_whole:
            shape.append((name, list if type(inner) is list else None))
        else:
            return None
    return tuple(shape)


class _Alike(NamedTuple):
    """What reads records of one shape.

    Attributes:
        names: of their fields, in order.
    """

    decoder: msgspec.json.Decoder[Any]
    names: list[str]
    has_lists: bool

    def fits(self, record: bytes) -> bool:
        """Tell whether a record is written as it was read: it has these fields, no others."""
        try:
            return _ENCODE(self.decoder.decode(record)) == record
        except UNCLEAN:
            return False

    def getter(self, name: str) -> Callable[[Any], Any]:
        return attrgetter(f"_{self.names.index(name)}")


_alike_last: dict[tuple[str, ...], _Alike] = {}
"""By a stream's fields, what read its records last: most likely it reads the next ones."""


def _alike(first: bytes, last: bytes, fields: tuple[str, ...]) -> _Alike | None:
    """Return what reads the first and the last of some records, if they have the same shape."""
    alike = _alike_last.get(fields)
    if alike is None or not alike.fits(first):
        try:
            shape = _shape(_DECODE(first), _allow_list(fields))
        except UNCLEAN:
            return None
        if shape is None:
            return None
        alike = _alike_last[fields] = _of_shape(shape)
    return alike if alike.fits(last) else None


@lru_cache(maxsize=256)
def _of_shape(shape: Shape) -> _Alike:
    names = [name for name, _ in shape]
    return _Alike(msgspec.json.Decoder(_class(shape)), names, _has_lists(shape))


def _class(shape: Shape) -> type:
    """Return a class whose objects are written with these names, in this order."""
    fields: list[tuple[str, Any]] = []
    for place, (_, inner) in enumerate(shape):
        if inner is None:
            type_: Any = str | int | float | bool | None
        else:
            type_ = Any if inner is list else _class(inner) | None
        fields.append((f"_{place}", type_))
    names = {f"_{place}": name for place, (name, _) in enumerate(shape)}
    return msgspec.defstruct("Alike", fields, rename=names, gc=False)


def _has_lists(shape: Shape) -> bool:
    return any(inner is list or (inner and _has_lists(inner)) for _, inner in shape)


def _is_deep(records: Sequence[bytes]) -> bool:
    """Tell whether any record has so many brackets that it may be nested too deep."""
    half = MAX_DEPTH // 2
    return max(map(bytes.count, records, repeat(b"{"))) > half or (
        max(map(bytes.count, records, repeat(b"["))) > half
    )


def _has_same_names(text: bytes, again: bytes) -> bool:
    """Tell whether as many names as in `text` are left in what was parsed and written `again`.

    Every name is followed by `":`, unless there is whitespace; so can be a text, but a text
    comes out as it went in, unless escapes hide what it holds.
    """
    return text.count(b'":') == again.count(b'":') and not _HIDES_NAMES.search(text)


def _plain_keys(keys: list[Any], is_same: bool) -> list[str] | None:
    """Return the keys if each is one text, not empty, or one integer as it was written."""
    types = {*map(type, keys)}
    if types == {str} and "" not in keys:
        return keys
    return [*map(str, keys)] if is_same and types == {int} else None


def _versions(stamps: Sequence[Any], stream: Stream) -> list[int | None]:
    """Return stamps as microseconds; they are parsed values, or times already."""
    if all(stamp is None for stamp in stamps):
        return [None] * len(stamps)
    import pyarrow as pa

    try:  # Arrow reads texts with a zone, all at once, and refuses any other.
        read = pa.array(stamps, "string").cast(pa.timestamp("us", "UTC"))
        versions: list[int | None] = read.view("int64").to_pylist()
        given = [at for at in versions if at is not None]
        if min(given) >= FIRST_US and max(given) <= LAST_US:
            return versions
    except (TypeError, ValueError):
        pass
    return [_version(stamp, stream) for stamp in stamps]


def _version(stamp: Any, stream: Stream) -> int | None:
    if isinstance(stamp, str):
        stamp = parse_stamp(stamp, stream.zone)
    elif stamp is not None and not isinstance(stamp, datetime):
        stamp = parse_stamp(_ENCODE(stamp).decode(), stream.zone)
    return None if stamp is None else to_us(stamp)


def own_stamp(record: bytes, stream: Stream) -> datetime | None:
    """Return the trusted change stamp that a record carries."""
    return _stamp_in(_members(record), stream)


def _stamp_in(members: Members, stream: Stream) -> datetime | None:
    if stream.cursor is None or not stream.cursor_trusted or stream.cursor not in members:
        return None
    return parse_stamp(_text(bytes(members[stream.cursor])), stream.zone)


def parse_stamp(text: str, zone: str = "UTC") -> datetime | None:
    """Read a change stamp as UTC: ISO 8601 (also `+0000`) or Unix time (above 10^11: in ms).

    Args:
        zone: where a stamp without a zone was written.

    Returns:
        None if it is neither.
    """
    try:
        if text.isascii() and text.isdigit() and len(text) not in (4, 8):
            number = int(text)
            return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
        stamp = datetime.fromisoformat(text)
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
        return stamp if stamp.tzinfo is UTC else stamp.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


# Checks

_DECODE = msgspec.json.Decoder().decode
_ENCODE = msgspec.json.Encoder().encode
_ENCODE_LINES = msgspec.json.Encoder().encode_lines
UNCLEAN = (msgspec.DecodeError, ValueError, OverflowError, RecursionError, TypeError)
"""What reading and writing a record again raises if something may be wrong with it."""
_HIDES_NAMES = re.compile(rb'"\s+:|\\u(?:0022|003[aA])')
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _check(record: bytes) -> None:
    """Raise `_Bad` unless the record is one strict JSON object without repeated names."""
    if record.count(b"{") + record.count(b"[") > MAX_DEPTH and _depth(record) > MAX_DEPTH:
        raise _Bad("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    try:
        text = record.decode().strip(_WHITESPACE)
        value, end = _SCAN(text, 0)
        if end != len(text):
            raise _Bad("invalid_json", f"more text after the record's end at character {end}")
    except UnicodeDecodeError as error:
        raise _Bad("invalid_json", f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise _Bad("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None
    except StopIteration as error:
        raise _Bad("invalid_json", f"no value at character {error.value}") from None
    except json.JSONDecodeError as error:
        reason = "nul" if b"\0" in record else "invalid_json"
        raise _Bad(reason, f"{error.msg} at character {error.pos}") from None
    except ValueError as error:
        raise _Bad("invalid_json", str(error)) from None
    if not isinstance(value, dict):
        raise _Bad("not_an_object", "the record is not a JSON object")
    if _SUSPECT.search(record):
        _check_strings(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Bad("duplicate_name", f"the name `{twice[:80]}` appears more than once")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not JSON")


# The scanner alone: what `json.loads` does around it costs a quarter more. Digits stay text:
# parsing them would cost time, and fail on very long ones.
_SCAN = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=_constant
).scan_once  # type: ignore[attr-defined]
_WHITESPACE = " \t\r\n"


def _check_strings(value: Any) -> None:
    """Look closer at a record that has escapes for NUL or for halves of a surrogate pair."""
    for text in _strings(value):
        if "\0" in text:
            raise _Bad("nul", "a text holds the character NUL")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Bad("lone_surrogate", "a text holds half of a surrogate pair") from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)


def _depth(record: bytes) -> int:
    depth = deepest = 0
    for token in _TOKEN.findall(record):
        if token in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"}", b"]"):
            depth -= 1
    return deepest


# Keys


def _key(members: Members, fields: tuple[str, ...]) -> str:
    parts = [bytes(members[name]) if name in members else b"null" for name in fields]
    for name, part in zip(fields, parts, strict=True):
        if part in (b"null", b'""') or part[:1] in (b"{", b"["):
            raise _Bad("no_key", f"`{name}` is missing, empty or not a plain value")
    if len(parts) == 1:
        return _text(parts[0])
    return "[" + ",".join(part.decode() for part in parts) + "]"


def _key_if_any(record: bytes, fields: tuple[str, ...]) -> str | None:
    """Return the key of a record that may not be JSON, if it shows one."""
    members = {name.decode("utf-8", "replace"): Raw(value) for name, value in _scan(record)}
    try:
        key = _key(members, fields)
        key.encode()
        return key
    except (_Bad, ValueError, msgspec.DecodeError):
        return None


def _text(part: bytes) -> str:
    """Return the text that a JSON string holds, of any other value its own."""
    return str(_DECODE(part)) if part[:1] == b'"' else part.decode()


# Allow-list


class AllowList(NamedTuple):
    """The names kept as they are, and the lists for what is kept in part."""

    whole: set[str]
    below: dict[str, AllowList]


@lru_cache(maxsize=256)
def _allow_list(fields: tuple[str, ...]) -> AllowList | None:
    """Return None for `("*",)`: every field of a user's own file."""
    if fields == ("*",):
        return None
    tree = AllowList(set(), {})
    for path in fields:
        *parents, leaf = path.split(".")
        level = tree
        for parent in parents:
            level = level.below.setdefault(parent, AllowList(set(), {}))
        level.whole.add(leaf)
    return tree


def _hold_only(values: Sequence[Any], allowed: AllowList) -> bool:
    """Tell whether all of these are objects from which `_keep` would remove nothing."""
    if {*map(type, values)} != {dict}:
        return False
    in_part = set[str]().union(*values) - allowed.whole
    return in_part <= allowed.below.keys() and all(
        _hold_only([value[name] for value in values if name in value], allowed.below[name])
        for name in in_part
    )


def _keep(members: Members, allowed: AllowList) -> Members:
    kept = {}
    for name, raw in members.items():
        if name in allowed.whole:
            kept[name] = raw
        elif name in allowed.below:
            kept[name] = _keep_below(raw, allowed.below[name])
    return kept


def _keep_below(raw: Raw, allowed: AllowList) -> Raw:
    """Reduce an object, or each object of a list; anything else says nothing: null."""
    text = bytes(raw)
    if text.startswith(b"{"):
        return Raw(_ENCODE(_keep(_members(text), allowed)))
    if text.startswith(b"["):
        items = msgspec.json.decode(text, type=list[Raw])
        return Raw(_ENCODE([_keep_below(item, allowed) for item in items]))
    return Raw(b"null")


def _salvage(record: bytes, allowed: AllowList | None) -> bytes:
    """Return the allowed top-level fields of a record that cannot be parsed, as they stand.

    A field that is allowed in part only is left out, and so is everything when the
    record's end cannot be found: better lost than leaked.
    """
    if allowed is None:
        return record
    if not is_balanced(record) or not record.lstrip().startswith(b"{"):
        return b""
    kept = [
        b'"%s":%s' % (name, value)
        for name, value in _scan(record)
        if name.decode("utf-8", "replace") in allowed.whole
    ]
    return b"{" + b",".join(kept) + b"}"


# JSON pieces

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,"]', re.DOTALL)
_CLOSES = {b"}": b"{", b"]": b"["}
_DECODE_MEMBERS = msgspec.json.Decoder(Members).decode
_DECODE_TOP = msgspec.json.Decoder(Top).decode
_DECODE_LIST = msgspec.json.Decoder(list[Raw] | None).decode
_DECODE_NAMED = msgspec.json.Decoder(Members | None).decode


def _members(record: bytes | Raw) -> Members:
    return _DECODE_MEMBERS(record)


def _member(body: bytes, path: tuple[str, ...]) -> Any:
    """Return what lies at `path`: text that is not parsed yet, or what `Top` holds."""
    found: Any = body
    for name in path:
        try:
            if found is body:
                found = _top(body)
            elif isinstance(found, Raw):
                found = _members(found)
            found = found[name]
        except (KeyError, TypeError, msgspec.ValidationError):
            raise UnexpectedShape(_not_found(path)) from None
    return found


def _parsed(value: Any) -> Any:
    if isinstance(value, list):
        return [*map(_DECODE, value)]
    if isinstance(value, dict):
        return {name: _DECODE(inner) for name, inner in value.items()}
    return _DECODE(value) if isinstance(value, bytes | Raw) else value


def _not_found(path: tuple[str, ...]) -> str:
    return f"the answer has no list at `{'.'.join(path) or 'its top'}`"


def _scan_at(body: bytes, path: tuple[str, ...], opening: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Scan the list or object at `path` of a page that a JSON parser refuses."""
    inner = body
    for name in path:
        inner = dict(_scan(inner)).get(name.encode(), b"")
    if not inner.strip().startswith(opening):
        raise UnexpectedShape(_not_found(path)) from None
    return _scan(inner)


def _scan(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, value) of an object, or (b"", item) of a list, trusting brackets only.

    For text that a JSON parser refuses; yields nothing after the closing bracket.
    """
    depth = 0
    start = 0
    name = b""
    is_object = body.lstrip().startswith(b"{")
    for match in _TOKEN.finditer(body):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth == 1:
                start = match.end()
        elif token == b":" and depth == 1 and is_object and not name:
            name = body[start : match.start()].strip().strip(b'"')
            start = match.end()
        elif (token == b"," and depth == 1) or (token in (b"}", b"]") and depth == 1):
            value = body[start : match.start()].strip()
            if value:
                yield name, value
            start, name = match.end(), b""
            if token != b",":
                return
        elif token in (b"}", b"]"):
            depth -= 1
