"""What lies beside records of a HubSpot account: links, consents, the history of properties.

It changes without them, or is not told along with them.

Belongs here: asking for it in batches, for records that changed and now and then for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import msgspec

from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.hubspot.client import (
    NEXT,
    ROWS_PER_SEARCH,
    Account,
    ScopeMissing,
    id_of,
)
from connectors.hubspot.objects import record_pages
from connectors.hubspot.streams import HISTORY, scope_of
from connectors.incremental import ChangeWalk, change_walks, is_due, new_fields
from connectors.pagination import batches
from connectors.records import members, pick, split, values

INPUTS_PER_ASSOCIATION_CALL = 1_000
INPUTS_PER_CONSENT_CALL = 100
INPUTS_PER_HISTORY_CALL = 50  # the vendor halves a page that tells versions
REREAD_EVERY = {
    "associations": timedelta(days=1),
    "subscription_statuses": timedelta(days=7),
    HISTORY: timedelta(days=7),
}


class Beside(NamedTuple):
    """What is read beside which kinds of records.

    Attributes:
        linked: kind -> the kinds whose links to it are read.
        history: kind -> its properties whose versions are read.
    """

    linked: Mapping[str, Sequence[str]]
    history: Mapping[str, Sequence[str]]

    def of(self, stream: Stream) -> tuple[list[str], str]:
        """Return the kinds of records that a stream lies beside, and their property it needs."""
        if stream.name == "subscription_statuses":
            return ["contacts"], "email"
        return list(self.linked if stream.name == "associations" else self.history), "hs_object_id"

    def asked(self, stream: Stream) -> list[str]:
        """Return what rapport.yml lets a stream hold: `kind.kind of others`, `kind.property`."""
        told = {"associations": self.linked, HISTORY: self.history}.get(stream.name, {})
        return [f"{kind}.{name}" for kind, names in told.items() for name in names]

    def scope_of(self, stream: Stream, kind: str) -> str:
        """Return the scope that a stream needs for records of a kind."""
        return scope_of(stream.name if stream.name == "subscription_statuses" else kind)


def read(
    account: Account, beside: Beside, stream: Stream, state: State, window: Window
) -> Iterator[Page]:
    """Read what belongs to changed records; after `REREAD_EVERY` to all of them.

    A kind of records whose scope is missing is left as it is held.
    State: that of `ChangeWalk`, `whole_at` and `fields` (see `new_fields`).
    """
    kinds, name = beside.of(stream)
    asked = beside.asked(stream)
    new = new_fields(asked, state)
    hidden: dict[str, str] = {}
    read = 0
    is_whole = is_whole_due(beside, stream, state, window)
    if is_whole:
        state["fields"] = asked
    elif "fields" in state:
        state["fields"] = [one for one in state["fields"] if one in asked]
    for walk in change_walks(stream, state, window):
        way: dict[str, Any] = {"list": None} if is_whole else {"search": "0"}
        start = walk.position or {"kind": kinds[0], **way}
        if "list" in start:
            way = {"list": None}
        # a kind may have left the configuration since
        first = kinds.index(start["kind"]) if start["kind"] in kinds else 0
        for kind in kinds[first:]:
            position = start if kind == start["kind"] else way
            try:
                for rows, at in _gathered(account, kind, name, walk, position):
                    read += len(rows)
                    tombstones: list[Tombstone] = []
                    if stream.name == "associations":
                        records, tombstones = _links(account, kind, beside.linked[kind], rows)
                    elif stream.name == HISTORY:
                        records = _histories(account, kind, beside.history[kind], rows)
                    else:
                        records, tombstones = _consents(account, rows)
                    here = walk.at({"kind": kind} | at) if at else None
                    yield Page(records=records, tombstones=tombstones, state=here)
            except ScopeMissing:
                scope = beside.scope_of(stream, kind)
                hidden[kind] = f"{kind}: not visible: needs the scope `{scope}`"
        if "list" in start:
            walk.note(whole_at=window.now.isoformat())
    notes = list(hidden.values())
    if is_whole and new:
        notes.append(f"{stream.name}: {read:,} records read again for {', '.join(new)}")
    yield Page(
        state=walk.done(),
        census_complete=is_whole and len(hidden) < len(kinds),
        census_leaves=tuple(msgspec.json.encode([kind])[:-1].decode() + "," for kind in hidden),
        notes=notes,
    )


def _gathered(
    account: Account, kind: str, name: str, walk: ChangeWalk, position: Mapping[str, Any]
) -> Iterator[tuple[list[bytes], dict[str, Any] | None]]:
    """Yield as many records as one call takes ids, and the position behind them."""
    rows: list[bytes] = []
    for records, at in record_pages(account, kind, [name], walk, position):
        rows += records
        if at is None or len(rows) + ROWS_PER_SEARCH > INPUTS_PER_ASSOCIATION_CALL:
            yield rows, at
            rows = []


def _consents(account: Account, rows: Sequence[bytes]) -> tuple[list[bytes], list[Tombstone]]:
    """Return what contacts said to each kind of e-mail, by contact in place of address.

    Version 4 alone tells `no` from `never asked`; the client library has version 3. Who left all
    e-mail at once is told apart: that goes before anything said of one kind.
    """
    records = []
    found = [values(row, "id", "properties") for row in rows]
    ids = {told["email"].lower(): str(key) for key, told in found if told and told.get("email")}
    for emails in batches(list(ids), INPUTS_PER_CONSENT_CALL):
        wide = {
            str(values(row, "subscriberIdString")[0]).lower(): members(row)["wideStatuses"]
            for body in account.batch(account.wide_consents, emails)
            for row in split(body, "results")
            if "wideStatuses" in members(row)
        }
        for body in account.batch(account.consents, emails):
            for row in split(body, "results"):
                email = str(values(row, "subscriberIdString")[0]).lower()
                told = {"wideStatuses": wide.get(email, msgspec.Raw(b"[]")), **members(row)}
                records.append(msgspec.json.encode({"contactId": ids.get(email, ""), **told}))
    silent = {str(key) for key, _ in found} - {*ids.values()}
    return records, [Tombstone(key=key) for key in sorted(silent)]


def _links(
    account: Account, kind: str, others: Sequence[str], rows: Sequence[bytes]
) -> tuple[list[bytes], list[Tombstone]]:
    """Return the links of these records, and tombstones for those that have none.

    One record holds all links of one record to one kind of others: `fromType`, `fromId`,
    `toType` and the rows of the answer.
    """
    ids = [str(id_of(row)) for row in rows]
    records, tombstones = [], []
    for other in others if ids else ():
        found: dict[str, list[msgspec.Raw]] = {}
        inputs: list[dict[str, str]] = [{"id": key} for key in ids]
        while inputs:
            further = []
            for body in account.batch(partial(account.links, kind, other), inputs):
                for row in split(body, "results"):
                    key = str(pick(row, "from", "id"))
                    found.setdefault(key, []).extend(map(msgspec.Raw, split(row, "to")))
                    if after := pick(row, *NEXT):
                        further.append({"id": key, "after": after})
            inputs = further
        for key, links in found.items():
            # the order means nothing and differs from call to call
            links.sort(key=lambda link: int(values(bytes(link), "toObjectId")[0] or 0))
            records.append(
                msgspec.json.encode({"fromType": kind, "fromId": key, "toType": other, "to": links})
            )
        tombstones += [
            Tombstone(key=msgspec.json.encode([kind, key, other]).decode())
            for key in ids
            if key not in found
        ]
    return records, tombstones


def _histories(
    account: Account, kind: str, names: Sequence[str], rows: Sequence[bytes]
) -> list[bytes]:
    """Return the versions of each property of these records, a record for each, newest first."""
    records = []
    for ids in batches([str(id_of(row)) for row in rows], INPUTS_PER_HISTORY_CALL):
        for body in account.read_batch(kind, ids, ["hs_object_id"], history=names):
            for row in split(body, "results"):
                told = bytes(members(row).get("propertiesWithHistory", b"{}"))
                for name in members(told):
                    if versions := split(told, name):  # none: it never had a value
                        records.append(_history(kind, str(id_of(row)), name, versions))
    return records


def _history(kind: str, key: str, name: str, versions: Sequence[bytes]) -> bytes:
    told = {"objectType": kind, "objectId": key, "property": name}
    return msgspec.json.encode({**told, "versions": [msgspec.Raw(one) for one in versions]})


def is_whole_due(beside: Beside, stream: Stream, state: State, window: Window) -> bool:
    """Tell whether what lies beside records is read for all of them."""
    if "walk" in state or window.since is not None or window.until is not None:
        return False
    is_new = bool(new_fields(beside.asked(stream), state))
    return is_new or is_due(state, "whole_at", REREAD_EVERY[stream.name], window)
