"""Who is on which list of a HubSpot account.

Belongs here: which lists are read again. A list tells how many are on it, and when one was last
added or removed, so only lists that changed are read. Who has left is known when all are read.
https://developers.hubspot.com/docs/guides/api/crm/lists/overview
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import requests

from connectors.base import Page, State, Window
from connectors.errors import BadRequest
from connectors.hubspot.client import Account, spliced
from connectors.incremental import census_is_due
from connectors.records import values

ROWS_PER_PAGE = 250

Told = list[str | None]
"""What a list tells: how many are on it, and when one was last added and removed."""


def read(
    account: Account,
    lists: Iterable[Sequence[bytes]],
    names: Sequence[str],
    state: State,
    window: Window,
) -> Iterator[Page]:
    """Read the lists that changed; weekly, and daily while we hold more than they tell, all.

    State: `lists` (id -> what it told when it was read), `counted` and `census_at`.
    """
    told, unknown = chosen(lists, names)
    is_whole = is_whole_due(state, window)
    for key, tells in due(told, state, is_whole).items():
        try:
            for rows in account.pages_of(partial(_page, key)):
                yield Page(records=[spliced(row, listId=key) for row in rows])
        except BadRequest as error:
            if error.status != requests.codes.not_found:
                raise
            continue  # deleted since it was listed
        state = state | {"lists": {**state.get("lists", {}), key: tells}}
        yield Page(state=state)
    sizes = [tells[0] for tells in told.values()]
    count = sum(int(size) for size in sizes if size) if all(sizes) else None
    known = {key: tells for key, tells in state.get("lists", {}).items() if key in told}
    state = state | {"lists": known, "counted": count}
    if is_whole:
        state = state | {"census_at": window.now.isoformat()}
    notes = [f"`members_of`: there is no list `{name}`" for name in unknown]
    yield Page(state=state, census_complete=is_whole, source_count=count, notes=notes)


def chosen(
    lists: Iterable[Sequence[bytes]], names: Sequence[str]
) -> tuple[dict[str, Told], list[str]]:
    """Return what the lists of these names tell (`*` stands for any text), and names of none."""
    told: dict[str, Told] = {}
    found: set[str] = set()
    for row in (row for page in lists for row in page):
        key, name, more = values(row, "listId", "name", "additionalProperties")
        wanted = [pattern for pattern in names if fnmatchcase(str(name), pattern)]
        found.update(wanted)
        if wanted and key is not None:
            told[str(key)] = _tells(more or {})
    return told, [name for name in names if name not in found]


def due(told: Mapping[str, Told], state: State, is_whole: bool) -> dict[str, Told]:
    """Return the lists to read."""
    before = {} if is_whole else state.get("lists", {})
    return {key: tells for key, tells in told.items() if before.get(key) != tells}


def is_whole_due(state: State, window: Window) -> bool:
    """Tell whether all lists are read: only then it shows who has left one."""
    return window.full_refresh or census_is_due(state, window)


def _tells(more: Mapping[str, Any]) -> Told:
    names = ("hs_list_size", "hs_last_record_added_at", "hs_last_record_removed_at")
    return [more.get(name) for name in names]


def _page(key: str, client: Any, after: str | None) -> Any:
    return client.crm.lists.memberships_api.get_page(
        key, limit=ROWS_PER_PAGE, after=after, _preload_content=False
    )
