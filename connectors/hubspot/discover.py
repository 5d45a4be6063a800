"""What a HubSpot account has: properties of what is read, and objects that are not.

Belongs here: turning the properties and schemas APIs into `connectors.discovery`'s words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from connectors.base import Stream, by_field
from connectors.discovery import (
    Discovery,
    FoundField,
    FoundObject,
    FoundStream,
    guess_pii,
    taken,
    taken_fields,
)
from connectors.hubspot.client import Account, ScopeMissing
from connectors.hubspot.streams import (
    BEHAVIOR,
    EMAIL_EVENTS,
    ENVELOPE,
    LEADS,
    MEMBERSHIPS,
    has_properties,
    scope_of,
)

_TYPE_OF = by_field(decimal="number", boolean="bool", timestamp="datetime", date="date")
"""The vendor's types of properties -> ours; all others are text."""
_OF_ITS_OWN = (
    FoundObject(
        name=MEMBERSHIPS,
        label="Members of lists",
        note="`members_of` takes those of the lists it names",
    ),
    FoundObject(
        name=EMAIL_EVENTS,
        label="What became of each e-mail at each recipient",
        note="`email_events: true` takes them",
    ),
    FoundObject(
        name=BEHAVIOR,
        label="Events of behavior",
        note="`events` takes those of the types it names",
    ),
    FoundObject(name=LEADS, label="Leads", can_be_read=True),
)
"""Streams that are read only where rapport.yml asks for them."""


def discovered(account: Account, streams: tuple[Stream, ...]) -> Discovery:
    """List the properties of every kind of record that is read, and the account's own objects."""
    taken_names = {stream.name for stream in streams}
    not_asked_for = (found for found in _OF_ITS_OWN if found.name not in taken_names)
    how = "the account's own objects, and what HubSpot is known to have besides"
    try:
        own = _own_objects(account, {stream.object_name for stream in streams})
    except ScopeMissing:
        own = ()
        how = "what HubSpot is known to have; own objects need the scope `crm.schemas.custom.read`"
    return Discovery(
        streams=tuple(_found(account, stream) for stream in streams),
        objects=(*own, *not_asked_for),
        how=how,
    )


def _own_objects(account: Account, read: set[str]) -> tuple[FoundObject, ...]:
    """Return the objects that `objects` can name, by the name that is theirs alone."""
    return tuple(
        FoundObject(
            name=schema["fullyQualifiedName"],
            label=(schema.get("labels") or {}).get("plural", ""),
            is_custom=True,
            can_be_read=True,
            note="",
        )
        for schema in account.schemas()
        if not read & {schema["fullyQualifiedName"], schema["objectTypeId"], schema["name"]}
    )


def _found(account: Account, stream: Stream) -> FoundStream:
    if not has_properties(stream):
        return FoundStream(
            stream=stream,
            fields=taken_fields(stream),
            how="cannot tell: these records have no properties",
            is_complete=False,
        )
    try:
        described = {told["name"]: told for told in account.properties(stream.object_name)}
    except ScopeMissing:
        return FoundStream(
            stream=stream,
            fields=taken_fields(stream),
            how=f"not visible: needs the scope `{scope_of(stream.name)}`",
            is_complete=False,
        )
    names = [field.removeprefix("properties.") for field in stream.fields[len(ENVELOPE) :]]
    return FoundStream(
        stream=stream,
        fields=(
            *(taken(stream, name) for name in ENVELOPE),
            *(
                _found_field(stream, described[name])
                for name in (*names, *(n for n in described if n not in names))
                if name in described
            ),
        ),
        how="the account's own list of properties, without sensitive ones",
        is_complete=True,
        unseen=tuple(name for name in names if name not in described),
        fields_key=stream.object_name,
    )


def _found_field(stream: Stream, told: Mapping[str, Any]) -> FoundField:
    """Return a property as ours, those outside the allow-list with a guess at `pii`."""
    calculated = "calculated: seen when the record changes, or weekly"
    facts: dict[str, Any] = {
        "vendor_type": told["type"],
        "label": told.get("label", ""),
        "is_custom": not told.get("hubspotDefined"),
        "note": calculated if told.get("calculated") else "",
    }
    if f"properties.{told['name']}" in stream.fields:
        field = taken(stream, f"properties.{told['name']}", **facts)
        return dataclasses.replace(field, name=told["name"])
    kind = "phone" if told["type"] == "phone_number" else str(told.get("fieldType"))
    pii, basis = guess_pii(told["name"], kind)
    return FoundField(
        name=told["name"],
        is_taken=False,
        type=_TYPE_OF.get(told["type"], "text"),
        pii=pii,
        pii_basis=basis,
        **facts,
    )
