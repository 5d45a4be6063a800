"""What a Salesforce org has: describe's fields of what is read, and objects that are not.

Belongs here: turning describe into `connectors.discovery`'s words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connectors.base import Stream, by_field
from connectors.discovery import Discovery, FoundField, FoundObject, FoundStream, guess_pii, taken
from connectors.salesforce.client import Org
from connectors.salesforce.streams import ONLY_IN_SOME_ORGS

_TYPE_OF = by_field(
    integer="int long",
    decimal="double currency percent",
    boolean="boolean",
    date="date",
    timestamp="datetime",
    json="address location",
)
"""Describe's types -> ours; any other is text."""
_COMPOUND = ("address", "location")
_PEOPLE = {"Contact", "Individual", "Lead", "User"}
_OF_THE_SYSTEM = re.compile(r"(History|Share|Feed|Tag|ChangeEvent|__e|__mdt)$")


def discovered(org: Org, streams: Sequence[Stream]) -> Discovery:
    """Describe every object that is read, and list those that could be."""
    found = tuple(_found(org, stream) for stream in streams)
    told = org.ask(lambda client: client.restful("sobjects")) or {}
    read = {stream.object_name for stream in streams}
    listed = [o for o in told.get("sobjects", ()) if o["queryable"] and o["name"] not in read]
    shown = [o for o in listed if not _OF_THE_SYSTEM.search(o["name"])]
    shown = [o for o in shown if not (o["deprecatedAndHidden"] or o["customSetting"])]
    return Discovery(
        streams=found,
        objects=tuple(
            FoundObject(
                name=told["name"],
                label=told["label"],
                is_custom=told["custom"],
                can_be_read=True,
            )
            for told in shown
        ),
        how=f"the list of objects, API v{org.api_version}; left out: "
        f"{len(listed) - len(shown)} histories, shares, feeds and settings",
    )


def _found(org: Org, stream: Stream) -> FoundStream:
    described = org.described(stream.object_name)["fields"]
    names = [name for name in stream.fields if name in described]
    names += [name for name in described if name not in stream.fields]
    optional = ONLY_IN_SOME_ORGS.get(stream.object_name, "").split()
    return FoundStream(
        stream=stream,
        fields=tuple(_found_field(stream, described[name]) for name in names),
        how=f"describe, API v{org.api_version}, as the run-as user sees it",
        is_complete=bool(described),
        unseen=tuple(f for f in stream.fields if f not in described and f not in optional),
        fields_key=stream.object_name,
        note="" if described else f"{stream.object_name}: not visible to this user",
    )


def _found_field(stream: Stream, told: dict[str, Any]) -> FoundField:
    """Return a field of describe as ours, those outside the allow-list with a guess at `pii`."""
    notes = []
    if told["name"] in ("IsDeleted", "MasterRecordId"):
        notes.append("asked for to tell deletes, not kept")
    if told.get("calculated"):
        notes.append("formula: changes without a stamp, so the object is read again now and then")
    if told["type"] in _COMPOUND:
        notes.append("compound: take its parts instead")
    if told["type"] == "base64":
        notes.append("content of a file")
    if told["referenceTo"]:
        notes.append(f"refers to {', '.join(told['referenceTo'])}")
    facts = {
        "vendor_type": told["type"],
        "label": told["label"],
        "is_custom": told["custom"],
        "note": "; ".join(notes),
        "can_be_taken": told["type"] not in (*_COMPOUND, "base64"),
    }
    if told["name"] in stream.fields:
        return taken(stream, told["name"], **facts)
    if _PEOPLE & {*told["referenceTo"]}:
        pii, basis = "pseudonym", "guess: refers to a person's record"
    else:
        pii, basis = guess_pii(told["name"], told["type"], told["length"])
    return FoundField(
        name=told["name"],
        is_taken=False,
        type=_TYPE_OF.get(told["type"], "text"),
        pii=pii,
        pii_basis=basis,
        **facts,
    )
