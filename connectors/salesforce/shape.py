"""What a user sees of an object of a Salesforce org, and what follows for reading it.

Belongs here: describe's word on fields, stamps, formulas. Does not belong here: asking for rows
(`reads`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from connectors.base import Stream
from connectors.salesforce.bulk import NO_VALUE_TYPES
from connectors.salesforce.client import Org
from connectors.salesforce.streams import OBJECTS_ONLY_IN_SOME_ORGS, ONLY_IN_SOME_ORGS

STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")
"""What changes are asked for by: the first that the object has and lets be filtered."""
FIELD_LIST_BYTES = 9_000
"""Longest list of fields beside which 200 ids still fit into an address."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object as this user sees it.

    Attributes:
        fields: what to ask for, deletion marks included; empty: the object cannot be seen.
        types: field -> describe's type.
        cursor: the stamp to ask by; None: there is none, so everything is read each time.
        formulas: fields taken that change without any stamp: formulas and roll-ups.
        has_delete_log: whether the vendor lists what was deleted.
        coverage: in words, what this user or the API withholds.
    """

    fields: tuple[str, ...] = ()
    types: Mapping[str, str]
    cursor: str | None = None
    formulas: tuple[str, ...] = ()
    has_delete_log: bool = False
    coverage: str | None = None

    @property
    def fits_bulk(self) -> bool:
        """Whether a job could bring these fields."""
        return not any(self.types[name] in NO_VALUE_TYPES for name in self.fields)

    @property
    def head(self) -> tuple[str, ...]:
        """The fields that tell records, their versions and their deletion."""
        marks = {"Id", self.cursor, "IsDeleted", "MasterRecordId"}
        return tuple(name for name in self.fields if name in marks)

    def parts(self) -> Iterator[tuple[str, ...]]:
        """Yield the fields in lists that fit into an address, the head's in the first."""
        part, size = list(self.head), 0
        for name in self.fields:
            if name in self.head:
                continue
            size += len(quote_plus(f", {name}"))
            if size > FIELD_LIST_BYTES:
                yield tuple(part)
                part, size = [], 0
            part.append(name)
        yield tuple(part)


def shape_of(org: Org, stream: Stream, reread_days: int) -> Shape:
    """Describe an object and return what can be read of it.

    Field-level security removes a field from describe, and asking for it all the same is an
    error for the whole query.

    Args:
        reread_days: after how many days formulas are read again; 0: never.
    """
    how_fresh = "seen only when the record changes"
    if reread_days:
        how_fresh = (
            f"read again every {reread_days} days" if reread_days > 1 else "read again daily"
        )
    told = org.described(stream.object_name)
    described = told["fields"]
    types = {name: field["type"] for name, field in described.items()}
    if "Id" not in described:
        why = "not visible to this user"
        if stream.object_name in OBJECTS_ONLY_IN_SOME_ORGS:
            why = "not switched on in this org, or not visible to this user"
        return Shape(types=types, coverage=f"{stream.object_name}: {why}")
    cursor = next((n for n in STAMPS if n in described and described[n]["filterable"]), None)
    taken = tuple(name for name in stream.fields if name in described)
    marks = [name for name in (cursor, "IsDeleted", "MasterRecordId") if name in described]
    optional = ONLY_IN_SOME_ORGS.get(stream.object_name, "").split()
    hidden = [f for f in stream.fields if f not in described and f not in optional]
    formulas = tuple(f for f in taken if described[f].get("calculated"))
    notes = []
    if hidden:
        notes.append(f"not visible to this user: {', '.join(hidden)}")
    if formulas:
        notes.append(f"formulas, {how_fresh}: {', '.join(formulas)}")
    if cursor is None:
        notes.append("no stamp to ask by: read as a whole each time")
    return Shape(
        fields=tuple(dict.fromkeys((*taken, *(mark for mark in marks if mark)))),
        types=types,
        cursor=cursor,
        formulas=formulas,
        has_delete_log=bool(told.get("replicateable")) and stream.deletes == "tombstones",
        coverage=f"{stream.object_name}: {'; '.join(notes)}" if notes else None,
    )
