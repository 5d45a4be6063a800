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
from connectors.discourse.streams import REREAD_EVERY, TAIL
from connectors.incremental import is_due
from connectors.records import members, values

Liked = dict[str, dict[str, Any]]
"""Post -> `mark` of its counts, and `users` who liked it; of young posts, and never changed."""


def read(forum: Forum, state: State, window: Window) -> Iterator[Page]:
    """Walk down all posts once, then once a day those of the last 14 days.

    State: `liked` (see `Liked`), `reread_at`, `whole_at` (when all were read) and, while it
    goes on, `walk`: where it is, since when, and whether it goes down to the first post.
    """
    walk = state.pop("walk", None) if window.since is None else None
    if walk is None:
        if window.since is None and not is_due(state, "reread_at", REREAD_EVERY, window):
            yield Page(state=state)
            return
        walk = begun(state, window)
    young = (datetime.fromisoformat(walk["began"]) - TAIL).isoformat()
    floor = window.since.isoformat() if window.since else young
    for at, rows in forum.post_pages(walk["at"]):
        passed = range(at, walk["at"] or sys.maxsize)
        page = _compared(forum, rows, state.get("liked", {}), passed, young)
        walk = walk | {"at": at}
        state = state | {"liked": page.liked}
        here = state if window.since else state | {"walk": walk}
        yield Page(records=page.records, tombstones=page.tombstones, state=here)
        if page.newest is not None and not walk["is_whole"] and not later(page.newest, floor):
            break
    if window.since is None:
        oldest = walk["at"] or 0
        liked = {key: told for key, told in state.get("liked", {}).items() if int(key) >= oldest}
        state = state | {"liked": liked, "reread_at": walk["began"]}
    if walk["is_whole"]:
        state = state | {"whole_at": walk["began"]}
    yield Page(state=state, census_complete=window.full_refresh)


def begun(state: State, window: Window) -> dict[str, Any]:
    """Return the walk that would begin now."""
    is_whole = window.since is None and "whole_at" not in state
    return {"at": None, "began": window.now.isoformat(), "is_whole": is_whole}


class _Compared(NamedTuple):
    """What a page of posts brought; `newest` is when the youngest of them was written."""

    records: list[bytes]
    tombstones: list[Tombstone]
    liked: Liked
    newest: str | None


def _compared(
    forum: Forum, rows: Sequence[bytes], liked: Liked, passed: range, young: str
) -> _Compared:
    """Ask about the posts of a page that changed; `passed` are the ids that it would show.

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
        if key is None or mark == before["mark"]:
            continue
        likers = of_post(forum, row) if mark else []
        users = [user for liker in likers if (user := values(liker, "id")[0]) is not None]
        records += likers
        tombstones += _taken_back(key, {*before["users"]} - {*users})
        if created_at and later(created_at, young):
            held[str(key)] = {"mark": mark, "users": users}
    newest = max(written, key=datetime.fromisoformat, default=None)
    return _Compared(records, tombstones, held, newest)


def of_post(forum: Forum, post: bytes) -> list[bytes]:
    """Ask who liked a post, and put its id before what is told of each."""
    key = values(post, "id")[0]
    likers = forum.likers(key, with_emoji="reactions" in members(post))
    return [msgspec.json.encode({"post_id": key} | members(liker)) for liker in likers]


def counts_mark(post: bytes) -> int:
    """Return what changes with the counts of a post's likes and reactions; 0: it has none."""
    actions, reactions = map(_objects, values(post, "actions_summary", "reactions"))
    told = [["", action["count"]] for action in actions
            if action.get("id") == LIKE and action.get("count")]  # fmt: skip
    told += [[str(reaction.get("id")), reaction.get("count")] for reaction in reactions]
    return zlib.crc32(msgspec.json.encode(sorted(told))) if told else 0


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _taken_back(post: int | str, users: Iterable[int]) -> list[Tombstone]:
    return [Tombstone(key=f"[{post},{user}]") for user in sorted(users)]
