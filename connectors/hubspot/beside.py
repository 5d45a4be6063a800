"""What lies beside records of a HubSpot account and changes without them: links and consents.

Belongs here: asking for it in batches, for records that changed and now and then for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.hubspot.client import (
    CONSENT_PATH,
    NEXT,
    ROWS_PER_SEARCH,
    Account,
    ScopeMissing,
    id_of,
    spliced,
)
from connectors.hubspot.objects import record_pages
from connectors.hubspot.streams import scope_of
from connectors.incremental import ChangeWalk, change_walks, is_due
from connectors.pagination import batches
from connectors.records import pick, split, values

if TYPE_CHECKING:
    from hubspot import HubSpot as Client

INPUTS_PER_ASSOCIATION_CALL = 1_000
INPUTS_PER_CONSENT_CALL = 100
REREAD_EVERY = {"associations": timedelta(days=1), "subscription_statuses": timedelta(days=7)}

Linked = Mapping[str, Sequence[str]]
"""Kind of record -> the kinds whose links to it are read."""


def read(
    account: Account, linked: Linked, stream: Stream, state: State, window: Window
) -> Iterator[Page]:
    """Read what belongs to changed records; after `REREAD_EVERY` to all of them.

    State: that of `ChangeWalk`, and `whole_at`.
    """
    are_links = stream.name == "associations"
    kinds, name = lies_beside(stream, linked)
    notes: list[str] = []
    is_whole = is_whole_due(stream, state, window)
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
                    if are_links:
                        records, tombstones = _links(account, kind, linked[kind], rows)
                    else:
                        records, tombstones = _consents(account, rows)
                    here = walk.at({"kind": kind} | at) if at else None
                    yield Page(records=records, tombstones=tombstones, state=here)
            except ScopeMissing:
                scope = scope_of(kind if len(kinds) > 1 else stream.name)
                notes.append(f"{kind}: not visible: needs the scope `{scope}`")
        if "list" in start:
            walk.note(whole_at=window.now.isoformat())
    yield Page(state=walk.done(), census_complete=is_whole and not notes, notes=notes)


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

    Version 4 alone tells `no` from `never asked`; the client library has version 3.
    """
    records = []
    found = [values(row, "id", "properties") for row in rows]
    ids = {told["email"].lower(): str(key) for key, told in found if told and told.get("email")}
    for emails in batches(list(ids), INPUTS_PER_CONSENT_CALL):
        body = account.ask_path("POST", CONSENT_PATH, json={"inputs": emails})
        for row in split(body, "results"):
            email = str(values(row, "subscriberIdString")[0]).lower()
            records.append(spliced(row, contactId=ids.get(email, "")))
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
        unclear: set[str] = set()
        inputs: list[dict[str, str]] = [{"id": key} for key in ids]
        while inputs:
            body = account.ask(_links_call(kind, other, inputs))
            unclear |= _failed(body)
            inputs = []
            for row in split(body, "results"):
                key = str(pick(row, "from", "id"))
                found.setdefault(key, []).extend(map(msgspec.Raw, split(row, "to")))
                if after := pick(row, *NEXT):
                    inputs.append({"id": key, "after": after})
        for key, links in found.items():
            # the order means nothing and differs from call to call
            links.sort(key=lambda link: int(values(bytes(link), "toObjectId")[0] or 0))
            records.append(
                msgspec.json.encode({"fromType": kind, "fromId": key, "toType": other, "to": links})
            )
        tombstones += [
            Tombstone(key=msgspec.json.encode([kind, key, other]).decode())
            for key in ids
            if key not in found and key not in unclear
        ]
    return records, tombstones


def is_whole_due(stream: Stream, state: State, window: Window) -> bool:
    """Tell whether what lies beside records is read for all of them."""
    is_asked = window.since is not None or window.until is not None
    every = REREAD_EVERY[stream.name]
    return "walk" not in state and not is_asked and is_due(state, "whole_at", every, window)


def lies_beside(stream: Stream, linked: Linked) -> tuple[list[str], str]:
    """Return the kinds of records that a stream lies beside, and their property it needs."""
    if stream.name == "associations":
        return list(linked), "hs_object_id"
    return ["contacts"], "email"


def _failed(body: bytes) -> set[str]:
    """Return the ids that a 207 answer says nothing sure about: not those without any link."""
    return {
        str(key)
        for error in pick(body, "errors") or ()
        if "NO_ASSOCIATIONS_FOUND" not in str(error.get("subCategory"))
        for keys in (error.get("context") or {}).values()
        for key in (keys if isinstance(keys, list) else [keys])
    }


def _links_call(kind: str, other: str, inputs: list[dict[str, str]]) -> Callable[[Client], bytes]:
    return lambda client: client.crm.associations.v4.batch_api.get_page(
        kind, other, {"inputs": inputs}, _preload_content=False
    )
