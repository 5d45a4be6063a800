"""Records of a HubSpot account that have a change stamp: by search, by list, from the archive.

Belongs here: which records are due, in which order they come, and what says that one is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.backfill import one_ahead
from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.hubspot.client import NEXT, Account, filtered, id_of, ms
from connectors.hubspot.streams import CHANGED, CREATED, LOOKBACK, MERGED, wanted
from connectors.incremental import (
    ChangeWalk,
    census_is_due,
    change_walks,
    is_due,
    new_fields,
)
from connectors.pagination import LoopGuard, cursors
from connectors.records import parse_stamp, pick, split, values

COUNT_EVERY = timedelta(days=1)


def read(account: Account, stream: Stream, state: State, window: Window) -> Iterator[Page]:
    """Read what changed by search; at first and weekly everything by list; then the archive.

    State: that of `ChangeWalk`, `since` (where the user let history begin), `archived_to`
    (when the archive was read; it had `archived` records), `counted` (by the source, at
    `counted_at`; it holds while nothing changes), `census_at` and `fields` (see `new_fields`).
    """
    is_first = "cursor" not in state and "walk" not in state
    kind, names = stream.object_name, wanted(stream)
    new = new_fields(names, state)
    is_census = is_list_due(stream, state, window)
    if is_first:  # what is read as a whole has lost nothing yet, but before a full refresh
        for name in ("census_at", "archived_to"):
            state[name] = window.before.get(name, window.now.isoformat())
        if window.since:
            state["since"] = window.since.isoformat()
    if is_first or is_census:
        state["fields"] = names
    elif "fields" in state:
        state["fields"] = [name for name in state["fields"] if name in names]
    shown = 0
    for walk in change_walks(stream, state, window):
        position = walk.position or ({"list": None} if is_census else {"search": "0"})
        for records, at in one_ahead(record_pages(account, kind, names, walk, position)):
            kept = [row for row in records if _is_since(row, state.get("since"))]
            shown += len(kept)
            yield Page(
                records=kept,
                tombstones=[gone for row in kept for gone in _merges(row)],
                seen_keys=[str(id_of(row)) for row in records if len(kept) < len(records)],
                state=walk.at(at) if at else None,
            )
    state = walk.done()
    listed = shown
    if not is_first:
        since = datetime.fromisoformat(state["archived_to"]) - LOOKBACK
        archived = list(_archived(account, stream))
        gone = [row for row in archived if row.at is None or row.at >= since]
        shown += len(gone)
        state |= {"archived_to": window.now.isoformat(), "archived": len(archived)}
        yield Page(tombstones=gone, state=state)
    notes = []
    if is_census:
        state |= {"census_at": window.now.isoformat(), "counted": listed}
        state["counted_at"] = state["census_at"]
        if new:
            notes.append(f"{kind}: {listed:,} records read again for {', '.join(new)}")
    elif shown or is_due(state, "counted_at", COUNT_EVERY, window):
        counted = account.count(kind, held_filters(stream, state))
        state |= {"counted": counted, "counted_at": window.now.isoformat()}
    yield Page(
        state=state,
        source_count=None if is_census else state.get("counted"),
        census_complete=is_census,
        notes=notes,
    )


def record_pages(
    account: Account, kind: str, names: Sequence[str], walk: ChangeWalk, position: Mapping[str, Any]
) -> Iterator[tuple[list[bytes], dict[str, Any] | None]]:
    """Yield (records, position behind them or None at the end) from a position on.

    A list shows all live records, by id. A search shows those changed in the walk's window;
    it stops at 10,000 and many records can share a stamp, so each page is a search of its
    own, for the ids above the last one.
    """
    guard = LoopGuard(account.session.place)
    while True:
        if "list" in position:
            body = account.list_page(kind, names, position["list"])
            records = split(body, "results")
            after = pick(body, *NEXT)
            position = {"list": after}
        else:
            filters = change_filters(kind, walk, above=position["search"])
            body = account.search(kind, names, filters)
            records = split(body, "results")
            after = max((id_of(row) for row in records), default=None)
            if pick(body, "paging", "next") is None:
                after = None
            position = {"search": str(after)}
        if after is None:
            yield records, None
            return
        guard.check(str(after))
        yield records, dict(position)


def _archived(account: Account, stream: Stream) -> Iterator[Tombstone]:
    """Yield all that is in the archive: its list knows no filter by time."""
    ask = partial(account.list_page, stream.object_name, ["hs_object_id"], archived=True)
    for body, _ in cursors(ask, *NEXT, place=account.session.place):
        for row in split(body, "results"):
            key, stamp = values(row, "id", "archivedAt")
            if key:
                yield Tombstone(key=str(key), at=parse_stamp(stamp or ""))


def is_list_due(stream: Stream, state: State, window: Window) -> bool:
    """Tell whether records are read by list: all of them at first, then weekly.

    A property chosen since is empty in all that is held, and no stamp tells: then, too.
    """
    is_asked = window.since is not None or window.until is not None
    if "walk" in state or is_asked:
        return False
    is_new = "cursor" not in state or new_fields(wanted(stream), state)
    return bool(is_new) or census_is_due(state, window)


def change_filters(kind: str, walk: ChangeWalk, *, above: str = "0") -> list[dict[str, str]]:
    """Return what is true of the records that a walk reads, behind an id."""
    changed = CHANGED.get(kind, "hs_lastmodifieddate")
    filters = [filtered("hs_object_id", "GT", above), filtered(changed, "LT", ms(walk.end))]
    if walk.start is not None:
        filters.append(filtered(changed, "GTE", ms(walk.start)))
    return filters


def held_filters(stream: Stream, state: State) -> list[dict[str, str]]:
    """Return what is true of the live records that are to be held."""
    kind, end = stream.object_name, ms(datetime.fromisoformat(state["cursor"]))
    filters = [filtered(CREATED.get(kind, "hs_createdate"), "LT", end)]
    if "since" in state:
        changed, since = CHANGED.get(kind, "hs_lastmodifieddate"), state["since"]
        filters.append(filtered(changed, "GTE", ms(datetime.fromisoformat(since))))
    return filters


def _is_since(record: bytes, since: str | None) -> bool:
    at = parse_stamp(str(values(record, "updatedAt")[0])) if since else None
    return since is None or at is None or at >= datetime.fromisoformat(since)


def _merges(record: bytes) -> Iterator[Tombstone]:
    """Yield what was merged into this record: `1;2`, for contacts also `1:epoch_ms;2:epoch_ms`.

    A merge makes a new record, and nothing else tells of the old ones.
    """
    key, properties = values(record, "id", "properties")
    gone: dict[str, datetime | None] = {}
    for name in MERGED:
        told = (properties or {}).get(name) if isinstance(properties, dict) else None
        for part in str(told or "").split(";"):
            old, _, stamp = part.strip().partition(":")
            if old and old != key:
                gone[old] = parse_stamp(stamp) or gone.get(old)
    for old, at in gone.items():
        yield Tombstone(key=old, merged_into=str(key), at=at)
