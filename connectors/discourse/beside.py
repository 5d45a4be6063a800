"""What lies beside posts: which posts are asked about, at a call or more per post.

Belongs here: the walk over them, and what is remembered of each. Does not belong here: what is
asked about a post (`likes`, `revisions`).

A list of posts shows of each what changes with what lies beside it, 50 posts a call. So only
posts of which that differs from what is held are asked about.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from connectors.base import Page, State, Tombstone, Window
from connectors.discourse.client import Forum, later
from connectors.discourse.streams import BESIDE_AT_FIRST, REREAD_EVERY, TAIL
from connectors.incremental import CENSUS_EVERY, is_due
from connectors.records import values

Held = dict[str, dict[str, Any]]
"""Post -> its `mark` (None: ask again) and whatever else is to be remembered. Of young posts and of
those that stay; it is never changed."""

NOTHING: dict[str, Any] = {"mark": 0}


class Told(NamedTuple):
    """What asking about a post brought; `held`: what to remember beyond the mark."""

    records: list[bytes]
    gone: list[Tombstone]
    held: dict[str, Any]


class Beside(Protocol):
    """One kind of thing that lies beside posts; `name` is that of the state."""

    name: str

    def mark(self, post: bytes) -> int:
        """Return what changes with what lies beside a post; 0: nothing does."""

    def is_told(self, held: dict[str, Any], mark: int) -> bool:
        """Tell whether a post need not be asked about."""

    def calls(self, post: bytes, held: dict[str, Any]) -> int:
        """Return about how many calls asking about a post takes."""

    def stays(self, held: dict[str, Any]) -> bool:
        """Tell whether a post is looked at now and then however old it is."""

    def told(self, post: bytes, held: dict[str, Any]) -> Told | None:
        """Ask about a post; None: it is not there."""

    def gone(self, key: str, held: dict[str, Any]) -> list[Tombstone]:
        """Return tombstones for all that is held of a post."""

    def facts(self) -> State:
        """Return what else the state is to say."""


def read(beside: Beside, forum: Forum, state: State, window: Window) -> Iterator[Page]:
    """Walk down the posts of a year at first, then once a day those of the last 14 days.

    State: what is `Held`, the facts, `reread_at`, `old_at` (when older ones that stay were looked
    at) and, while it goes on, `walk` (see `begun`).
    """
    if window.full_refresh:
        before = window.before.get(beside.name, {})
        state[beside.name] = {key: told | {"mark": None} for key, told in before.items()}
    walk = state.pop("walk", None) if window.since is None else None
    if walk is None:
        if window.since is None and not is_due(state, "reread_at", REREAD_EVERY, window):
            yield Page(state=state)
            return
        walk = begun(state, window)
    young = (datetime.fromisoformat(walk["began"]) - TAIL).isoformat()
    for at, rows in forum.post_pages(walk["at"]):
        passed = range(at, walk["at"] or sys.maxsize)
        page = _compared(beside, rows, state.get(beside.name, {}), passed, walk["floor"], young)
        walk = walk | {"at": at}
        state = state | {beside.name: page.held} | beside.facts()
        here = state if window.since else state | {"walk": walk}
        yield Page(records=page.records, tombstones=page.tombstones, state=here)
        if page.newest and walk["floor"] and not later(page.newest, walk["floor"]):
            break
    if window.since is None:
        oldest = walk["at"] or 0
        held = state.get(beside.name, {})
        old = {key for key in held if int(key) < oldest and beside.stays(held[key])}
        state = state | {
            beside.name: {key: held[key] for key in held if int(key) >= oldest or key in old},
            "reread_at": walk["began"],
        }
        if is_due(state, "old_at", CENSUS_EVERY, window):
            for key in sorted(old, key=int):
                post = forum.post(key)
                passed = range(int(key), int(key) + 1)
                rows = [] if post is None else [post]
                page = _compared(beside, rows, state[beside.name], passed, None, young)
                state = state | {beside.name: page.held}
                here = state | {"walk": walk}
                yield Page(records=page.records, tombstones=page.tombstones, state=here)
            state = state | {"old_at": walk["began"]}
    yield Page(state=state, census_complete=window.full_refresh)


def begun(state: State, window: Window) -> dict[str, Any]:
    """Return the walk that would begin now: where it is, since when, and how far down it goes."""
    floor = window.since or window.now - (TAIL if "reread_at" in state else BESIDE_AT_FIRST)
    return {
        "at": None,
        "began": window.now.isoformat(),
        "floor": None if window.full_refresh else floor.isoformat(),
    }


class _Compared(NamedTuple):
    """What a page of posts brought; `newest` is when the youngest of them was written."""

    records: list[bytes]
    tombstones: list[Tombstone]
    held: Held
    newest: str | None


def _compared(
    beside: Beside, rows: Sequence[bytes], held: Held, passed: range, floor: str | None, young: str
) -> _Compared:
    """Ask about the posts of a page that changed; `passed` are the ids that it would show.

    Those written before `floor` are left out, and those since `young` are kept in mind.

    Of a post that it does not show, because it or its topic is deleted, nobody sees more.
    """
    records: list[bytes] = []
    tombstones: list[Tombstone] = []
    shown = {str(values(row, "id")[0]) for row in rows}
    kept = dict(held)
    for key in held:
        if int(key) in passed and key not in shown:
            tombstones += beside.gone(key, kept.pop(key))
    written = []
    for row in rows:
        key, created_at = values(row, "id", "created_at")
        before = kept.get(str(key), NOTHING)
        mark = beside.mark(row)
        written += [created_at] if created_at else []
        is_old = floor is not None and created_at and not later(created_at, floor)
        if key is None or is_old or beside.is_told(before, mark):
            continue
        told = beside.told(row, before) if mark else Told([], beside.gone(str(key), before), {})
        if told is None:
            continue
        records += told.records
        tombstones += told.gone
        kept.pop(str(key), None)
        is_kept = created_at and later(created_at, young)
        if mark and (is_kept or beside.stays(told.held)):
            kept[str(key)] = {"mark": mark, **told.held}
    newest = max(written, key=datetime.fromisoformat, default=None)
    return _Compared(records, tombstones, kept, newest)
