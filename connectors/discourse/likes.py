"""Who liked which post, and who reacted to it with what.

Belongs here: which posts are asked about, and what their answers say of likes taken back.
Does not belong here: how many likes a post has, which comes with it (`reads`).

A list of posts shows their counts, 50 posts a call; who it was takes a call per post. So only posts
whose counts differ from those held are asked about.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from connectors.base import Page, State, Tombstone, Window
from connectors.discourse.client import LIKE, Forum, later
from connectors.discourse.streams import LIKES_AT_FIRST, REREAD_EVERY, TAIL
from connectors.incremental import is_due
from connectors.records import values

Liked = dict[str, dict[str, Any]]
"""Post -> `mark` of its counts, `users` who reacted, and whether these are likers alone (`plain`).

Of young posts, and never changed.
"""


def read(forum: Forum, state: State, window: Window) -> Iterator[Page]:
    """Walk down the posts of a year at first, then once a day those of the last 14 days.

    State: `liked` (see `Liked`), `lists` (whether all reactions were ever listed), `reread_at`
    and, while it goes on, `walk` (see `begun`).
    """
    forum.lists_reactors = state.get("lists")
    walk = state.pop("walk", None) if window.since is None else None
    if walk is None:
        if window.since is None and not is_due(state, "reread_at", REREAD_EVERY, window):
            yield Page(state=state)
            return
        walk = begun(state, window)
    young = (datetime.fromisoformat(walk["began"]) - TAIL).isoformat()
    for at, rows in forum.post_pages(walk["at"]):
        passed = range(at, walk["at"] or sys.maxsize)
        page = _compared(forum, rows, state.get("liked", {}), passed, walk["floor"], young)
        walk = walk | {"at": at}
        state = state | {"liked": page.liked, "lists": forum.lists_reactors or None}
        here = state if window.since else state | {"walk": walk}
        yield Page(records=page.records, tombstones=page.tombstones, state=here)
        if page.newest and walk["floor"] and not later(page.newest, walk["floor"]):
            break
    if window.since is None:
        oldest = walk["at"] or 0
        liked = {key: told for key, told in state.get("liked", {}).items() if int(key) >= oldest}
        state = state | {"liked": liked, "reread_at": walk["began"]}
    yield Page(state=state, census_complete=window.full_refresh)


def begun(state: State, window: Window) -> dict[str, Any]:
    """Return the walk that would begin now: where it is, since when, and how far down it goes."""
    floor = window.since or window.now - (TAIL if "reread_at" in state else LIKES_AT_FIRST)
    return {
        "at": None,
        "began": window.now.isoformat(),
        "floor": None if window.full_refresh else floor.isoformat(),
    }


class _Compared(NamedTuple):
    """What a page of posts brought; `newest` is when the youngest of them was written."""

    records: list[bytes]
    tombstones: list[Tombstone]
    liked: Liked
    newest: str | None


def _compared(
    forum: Forum, rows: Sequence[bytes], liked: Liked, passed: range, floor: str | None, young: str
) -> _Compared:
    """Ask about the posts of a page that changed; `passed` are the ids that it would show.

    Those written before `floor` are left out, and those since `young` are kept in mind.

    Of a post that it does not show, because it or its topic is deleted, nobody sees the likes.
    """
    records: list[bytes] = []
    tombstones: list[Tombstone] = []
    shown = {str(values(row, "id")[0]) for row in rows}
    held = dict(liked)
    for key in liked:
        if int(key) in passed and key not in shown:
            tombstones += _taken_back(key, held.pop(key)["users"])
    written = []
    for row in rows:
        key, created_at = values(row, "id", "created_at")
        before = held.get(str(key), {"mark": 0, "users": []})
        mark = counts_mark(row)
        written += [created_at] if created_at else []
        is_old = floor is not None and created_at and not later(created_at, floor)
        is_told = mark == before["mark"] and (
            forum.lists_reactors is False or not before.get("plain")
        )
        if key is None or is_old or is_told:
            continue
        likers = of_post(forum, row) if mark else []
        if likers is None:
            continue
        users = [user for liker in likers if (user := values(liker, "id")[0]) is not None]
        records += likers
        tombstones += _taken_back(key, {*before["users"]} - {*users})
        held.pop(str(key), None)
        if mark and created_at and later(created_at, young):
            is_plain = forum.lists_reactors is False and values(row, "reactions")[0] is not None
            held[str(key)] = {"mark": mark, "users": users} | ({"plain": True} if is_plain else {})
    newest = max(written, key=datetime.fromisoformat, default=None)
    return _Compared(records, tombstones, held, newest)


def of_post(forum: Forum, post: bytes) -> list[bytes] | None:
    """Ask who liked a post, and put its id before what is told of each; None: it is not there."""
    key = values(post, "id")[0]
    likers = forum.likers(key, with_emoji=values(post, "reactions")[0] is not None)
    return None if likers is None else [_of_post(key, liker) for liker in likers]


def counts_mark(post: bytes) -> int:
    """Return what changes with the counts of a post's likes and reactions; 0: it has none."""
    actions, reactions = map(_objects, values(post, "actions_summary", "reactions"))
    told = [["", action["count"]] for action in actions
            if action.get("id") == LIKE and action.get("count")]  # fmt: skip
    told += [[str(reaction.get("id")), reaction.get("count")] for reaction in reactions]
    return zlib.crc32(msgspec.json.encode(sorted(told, key=str))) if told else 0


def _of_post(post: int, liker: bytes) -> bytes:
    # As text: a reaction that is no text for us must not cost the ids beside it.
    told = liker.lstrip()
    return b'{"post_id":%d,' % post + told[1:] if told.startswith(b'{"') else liker


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _taken_back(post: int | str, users: Iterable[int]) -> list[Tombstone]:
    return [Tombstone(key=f"[{post},{user}]") for user in sorted(users)]
