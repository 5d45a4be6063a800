"""What the vendor of a declared API holds: one shelf of records for each stream.

Belongs here: records made from a declaration, their order, what deleting does to them, and reading
a question back through the template that asked it. Does not belong here: requests (`rest`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import Stream
from connectors.records import Projected, project
from connectors.rest.declared import added_name, key_of, references, stream_of
from connectors.rest.settings import Archived, ByKey, Census, RestStream, Tombstones
from sandbox.clock import Clock

CHILDREN = 2
"""Records in each list below a record of another stream."""

FIRST_ANNOUNCEMENT = 900_000
"""Number of the first record that says that another one is gone."""

_PLACEHOLDER = re.compile(r"\{((?:cursor|end)(?::[^{}]+)?|[a-z]\w*\.\w+)\}")

Rank = tuple[Any, ...]
"""Where a record stands in its list."""


@dataclass
class Item:
    """One record.

    Attributes:
        number: of the record that the stage's verbs name; `child`: which of those below it.
        place: grows with every change, as in a feed.
        is_gone: it is marked as deleted, or on the list of deleted ones.
    """

    number: int
    child: int
    row: dict[str, Any]
    at: datetime
    visible_at: datetime
    place: int
    version: int = 1
    is_gone: bool = False


@dataclass
class Shelf:
    """The records of one stream."""

    name: str
    declared: RestStream
    clock: Clock
    late: timedelta = timedelta(0)
    items: dict[tuple[int, int], Item] = field(default_factory=dict)
    places: int = 0

    def __post_init__(self) -> None:
        self.stream: Stream = stream_of(self.name, self.declared)
        self.above = references(self.declared)
        added = {added_name(*reference) for reference in self.above}
        self.key = [name for name in key_of(self.declared) if name not in added]
        paging, deletes = self.declared.paging, self.declared.deletes
        self.order = paging.field if isinstance(paging, ByKey) else None
        self.mark = deletes.field if isinstance(deletes, Tombstones) else None
        own = {*self.key, self.declared.cursor, self.order, self.mark}
        taken = ["title"] if "*" in self.declared.fields else self.declared.fields
        self.others = [name for name in taken if name not in own | added]
        self.is_immutable = self.declared.incremental == "forward" and self.order in self.key

    @property
    def texts(self) -> list[str]:
        """Return the fields that may hold anything."""
        return [name for name in self.others if self.declared.types.get(name, "text") == "text"]

    # Verbs

    def create(self, number: int, at: datetime) -> None:
        """Put a record on the shelf; below another stream, the list of that record."""
        for child in range(CHILDREN if self.above else 1):
            item = Item(number, child, {}, at, at + self.late, 0)
            self.items[number, child] = item
            self._write(item, at)

    def change(self, number: int, at: datetime) -> None:
        """Change a record, unless it is of a feed that never changes."""
        for item in self._of(number):
            if not self.is_immutable and not item.is_gone:
                item.version += 1
                self._write(item, at)

    def delete(self, number: int, at: datetime) -> None:
        """Delete a record in the way that is declared to show; if none is, it stays."""
        deletes = self.declared.deletes
        for item in self._of(number):
            if isinstance(deletes, Census):
                del self.items[item.number, item.child]
            elif isinstance(deletes, Tombstones) and deletes.key is not None:
                self._announce(self.items.pop((item.number, item.child)), deletes, at)
            elif deletes is not None:
                item.is_gone = True
                self._write(item, at)

    def restore(self, number: int, at: datetime) -> None:
        """Bring a deleted record back."""
        if not self._of(number):
            self.create(number, at)
        for item in self._of(number):
            item.is_gone = False
            item.version += 1
            self._write(item, at)

    def _of(self, number: int) -> list[Item]:
        return [item for (one, _), item in list(self.items.items()) if one == number]

    def _announce(self, gone: Item, deletes: Tombstones, at: datetime) -> None:
        """Put a record on the shelf that says that another one is gone."""
        number = FIRST_ANNOUNCEMENT + self.places
        item = Item(number, 0, {}, at, at + self.late, 0, is_gone=True)
        self.items[number, 0] = item
        self._write(item, at)
        put(item.row, str(deletes.key), gone.row[self.key[0]])

    def _write(self, item: Item, at: datetime) -> None:
        self.places += 1
        item.at, item.visible_at, item.place = at, at + self.late, self.places
        row: dict[str, Any] = {}
        for name in self.others:
            put(row, name, self._value(name, item))
        if self.declared.cursor:
            is_number = self.declared.types.get(self.declared.cursor) == "integer"
            stamp = int(at.timestamp()) if is_number else f"{at:%Y-%m-%dT%H:%M:%SZ}"
            put(row, self.declared.cursor, stamp)
        for name in self.key:
            put(row, name, self._numbered(name, item.number * 10 + item.child))
        if self.order not in (None, self.declared.cursor, *self.key):
            put(row, str(self.order), self._numbered(str(self.order), item.place))
        if self.mark is not None and isinstance(self.declared.deletes, Tombstones):
            values = self.declared.deletes.values
            put(row, self.mark, (values[0] if values else True) if item.is_gone else None)
        item.row = row

    def _numbered(self, name: str, number: int) -> Any:
        is_number = self.declared.types.get(name) == "integer"
        return number if is_number else f"{number:08d}"

    def _value(self, name: str, item: Item) -> Any:
        number = item.number * 100 + item.version
        values: dict[str, Any] = {
            "integer": number,
            "decimal": number + 0.25,
            "boolean": bool(number % 2),
            "timestamp": f"{item.at:%Y-%m-%dT%H:%M:%SZ}",
            "date": f"{item.at:%Y-%m-%d}",
            "json": {"number": number},
        }
        text = f"{name} of {item.number}, version {item.version}"
        return values.get(self.declared.types.get(name, "text"), text)

    # What a list shows

    def listed(
        self,
        times: Mapping[str, datetime],
        *,
        number: int | None = None,
        of_archived: bool = False,
    ) -> list[tuple[Rank, dict[str, Any]]]:
        """Return what is shown now, in its order, each with its rank.

        Args:
            times: `cursor` and `end`, as far as they were asked for.
            number: the record above, for a list below another stream.
            of_archived: the list of deleted records in place of the others.
        """
        has_list = isinstance(self.declared.deletes, Archived)
        start, end = times.get("cursor"), times.get("end")
        shown = [
            (self._rank(item), item.row)
            for item in self.items.values()
            if item.visible_at <= self.clock.now()
            and (number is None or item.number == number)
            and (not has_list or item.is_gone == of_archived)
            and (start is None or item.at >= start)
            and (end is None or item.at < end)
        ]
        return sorted(shown, key=lambda each: each[0], reverse=self.is_descending)

    @property
    def is_descending(self) -> bool:
        return self.declared.incremental == "newest_first"

    def _rank(self, item: Item) -> Rank:
        if self.order is not None:
            return (item.row[self.order],)
        if self.declared.incremental == "forward":
            return (item.place,)
        if self.declared.incremental == "full":
            return (item.number, item.child)
        return (item.at.isoformat(), item.number, item.child)

    def live(self) -> int:
        """Count the records that are not deleted."""
        return sum(not item.is_gone for item in self.items.values())

    def truth(self, above: Mapping[int, Mapping[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield key and record of what must be held.

        Args:
            above: number -> what records below it are landed with; without those that are gone.
        """
        for item in self.items.values():
            if item.is_gone or (self.above and item.number not in above):
                continue
            added = above.get(item.number, {})
            found = project(json.dumps({**added, **item.row}).encode(), self.stream)
            assert isinstance(found, Projected)
            yield found.key, {**added, **item.row}


# Paths and templates


def path_of(text: str) -> tuple[str, ...]:
    """Return a declared path as names; one that begins with `@` is a name with dots."""
    return (text,) if text.startswith("@") else tuple(text.split("."))


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a declared path."""
    *above, last = path_of(path)
    for name in above:
        body = body.setdefault(name, {})
    body[last] = value


def told(template: Any, asked: Any) -> dict[str, str]:
    """Return what stands in a question where its template has `{...}`."""
    if isinstance(template, Mapping) and isinstance(asked, Mapping):
        pairs = [(template[name], asked.get(name)) for name in template]
        return {k: v for pair in pairs for k, v in told(*pair).items()}
    if isinstance(template, list) and isinstance(asked, list):
        return {k: v for pair in zip(template, asked, strict=False) for k, v in told(*pair).items()}
    if not isinstance(template, str) or not isinstance(asked, str):
        return {}
    names = _PLACEHOLDER.findall(template)
    parts = map(re.escape, _PLACEHOLDER.split(template)[::2])
    found = re.fullmatch("(.+?)".join(parts), asked)
    return dict(zip(names, found.groups(), strict=True)) if found else {}


def is_template(text: Any) -> bool:
    """Tell whether a declared value has a `{...}` in it."""
    return isinstance(text, str) and bool(_PLACEHOLDER.search(text))


def asked_times(asked: Mapping[str, str]) -> dict[str, datetime]:
    """Return `cursor` and `end` of what was `told`, read as they were written."""
    found = {}
    for name, text in asked.items():
        word, _, form = name.partition(":")
        if word in ("cursor", "end"):
            found[word] = _read(text, form or "iso")
    return found


def _read(text: str, form: str) -> datetime:
    if form in ("unix", "unix_ms"):
        return datetime.fromtimestamp(int(text) / (1000 if form == "unix_ms" else 1), UTC)
    at = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
