"""What became of each e-mail to many at each of its recipients: sent, opened, clicked, left.

Belongs here: how the log of e-mail events is walked, and whose an event is. The address that a
message went to is exchanged for the contact that has it; texts, links and places are not taken.
https://developers.hubspot.com/docs/api-reference/legacy/email-analytics-v1/guide
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.base import Page, State, Stream, Window
from connectors.errors import BadRequest
from connectors.hubspot.client import Account, ms
from connectors.incremental import ChangeWalk, change_walks
from connectors.pagination import LoopGuard
from connectors.records import members, parse_stamp, pick, split, values

EVENTS_PATH = "/email/public/v1/events"
ROWS_PER_PAGE = 1_000
_EPOCH = datetime(2006, 1, 1, tzinfo=UTC)  # before the vendor was founded nothing was sent
ADDRESSES_KEPT = 100_000
"""Addresses whose contact is remembered, so that a mailing's events ask once for each."""


def read(account: Account, stream: Stream, state: State, window: Window) -> Iterator[Page]:
    """Read the events of a span of time, which come newest first.

    State: that of `ChangeWalk`; a position is the moment (ms) of the oldest event that was read.
    """
    contacts: dict[str, str | None] = {}
    for walk in change_walks(stream, state, window):
        for rows, position in pages(account, walk):
            yield Page(records=_records(account, rows, contacts), state=walk.at(position))
        yield Page(state=walk.done())


def pages(account: Account, walk: ChangeWalk) -> Iterator[tuple[list[bytes], int]]:
    """Yield pages of events from a walk's position down, each with the position behind it.

    Both ends of a span belong to it; a moment outside of it is no place to go on from. How long an
    `offset` holds is not documented: one that is refused or missing is left for another span,
    which ends at the oldest event seen.
    """
    position = walk.position or int(ms(walk.end)) - 1
    query: dict[str, Any] = _span(walk, position)
    begun_at, guard = position, LoopGuard(account.session.place)
    while True:
        try:
            body = account.ask_path("GET", EVENTS_PATH, params=query)
        except BadRequest:
            if "offset" not in query or position == begun_at:
                raise
            query, begun_at = _span(walk, position), position
            guard = LoopGuard(account.session.place)
            continue
        rows = split(body, "events")
        low = walk.start or _EPOCH
        moments = [int(ms(at)) for row in rows if (at := _moment(row)) is not None and at >= low]
        position = min([position, *moments])
        yield rows, position
        if not pick(body, "hasMore"):
            return
        offset = pick(body, "offset")
        guard.check(str(offset or position))
        query = query | {"offset": offset} if offset else _span(walk, position)


def _moment(row: bytes) -> datetime | None:
    return parse_stamp(str(values(row, "created")[0]))


def _span(walk: ChangeWalk, end_ms: int) -> dict[str, Any]:
    span: dict[str, Any] = {"limit": ROWS_PER_PAGE, "endTimestamp": end_ms}
    return span | ({"startTimestamp": ms(walk.start)} if walk.start is not None else {})


def _records(
    account: Account, rows: Sequence[bytes], contacts: dict[str, str | None]
) -> list[bytes]:
    """Return events with the contact in place of the address, and their moment in ISO 8601."""
    emails = [str(values(row, "recipient")[0] or "").strip().lower() for row in rows]
    if len(contacts) > ADDRESSES_KEPT:
        contacts.clear()
    unknown = {email for email in emails if email} - contacts.keys()
    contacts |= dict.fromkeys(unknown) | account.contacts_at(unknown)
    records = []
    for row, email in zip(rows, emails, strict=True):
        at = _moment(row)
        told = {"contactId": contacts.get(email), "created": at.isoformat() if at else ""}
        records.append(msgspec.json.encode({**members(row), **told}))
    return records
