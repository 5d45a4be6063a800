"""How users, topics, posts and categories of a forum are read, and what their states say.

Belongs here: walks, second looks and censuses. Does not belong here: single calls (`client`).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Collection, Container, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.discourse import beside
from connectors.discourse.client import Forum, later
from connectors.discourse.likes import Likes
from connectors.discourse.links import with_links
from connectors.discourse.revisions import Revisions
from connectors.discourse.streams import ACTIVITY_OVERLAP, REREAD_EVERY, TAIL
from connectors.incremental import CENSUS_EVERY, NewestFirstWalk, is_due
from connectors.pagination import batches
from connectors.records import members, pick, split, values

if TYPE_CHECKING:
    from connectors.discourse import Settings

POSTS_PER_BATCH = 20
LOOKBACK_IDS = 50
POSTS_REREAD_PER_TOPIC = 200
REGULAR, MODERATOR_ACTION = 1, 2
SSO_REFRESH_EVERY = timedelta(days=30)

_MARKED = (
    *("username", "name", "email", "active", "staged", "admin", "moderator", "trust_level"),
    *("suspended_till", "silenced_till"),
)
_TOPIC_MARKED = ("posts_count", "like_count", "highest_post_number", "has_accepted_answer")


class Reader:
    """Reads the streams of one forum."""

    def __init__(self, forum: Forum, settings: Settings) -> None:
        self._forum = forum
        self._settings = settings

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        if stream.name == "users":
            return self._users(state, window)
        if stream.name == "topics":
            return self._topics(stream, state, window)
        if stream.name == "categories":
            return self._categories(state)
        if stream.name == "likes":
            return beside.read(Likes(self._forum, state), self._forum, state, window)
        if stream.name == "revisions":
            return beside.read(Revisions(self._forum), self._forum, state, window)
        return self._posts(state, window)

    # Users

    def _users(self, state: State, window: Window) -> Iterator[Page]:
        """Read the whole list, by age so that new users come last.

        State: `walk`, `known` (see `_lacks`), and with `sso` the `marks` of users whose
        sign-on was asked for, since `marks_at`.
        """
        if not self._settings.sso:  # what is landed without sign-on is to be asked for again
            state.pop("marks", None)
            state.pop("marks_at", None)
        elif is_due(state, "marks_at", SSO_REFRESH_EVERY, window):
            state |= {"marks": {}, "marks_at": window.now.isoformat()}
        walk = state.pop("walk", None)
        seen: set[int] = set()
        for first in [walk["position"]] if walk else [1, 1]:
            shown: set[int] = set()
            for number in itertools.count(first):  # pages count from 1, and page 0 is page 1
                rows = self._forum.user_page(number)
                keys = {key for row in rows if (key := values(row, "id")[0]) is not None}
                if keys <= shown:
                    break
                shown |= keys
                unchanged: list[str] = []
                if self._settings.sso:
                    rows, unchanged, marks = self._with_sign_on(rows, state["marks"])
                    state |= {"marks": marks}
                here = state | {"walk": {"position": number}}
                yield Page(records=rows, seen_keys=unchanged, state=here)
            seen |= shown
            if not _lacks(seen, state):
                break
        if walk is None:
            state["known"] = {"count": len(seen), "newest": max(seen, default=0)}
        yield Page(state=state, census_complete=walk is None)

    def _with_sign_on(
        self, rows: Sequence[bytes], marks: dict[str, int]
    ) -> tuple[list[bytes], list[str], dict[str, int]]:
        """Splice the sign-on record into the bytes of each new or changed user.

        Only a user's own page tells it. Unchanged users are seen but not read: what the list
        says of them would wipe out what their page told.
        """
        marks, records, unchanged = dict(marks), [], []
        for row in rows:
            key, mark = user_mark(row)
            if marks.get(str(key)) == mark:
                unchanged.append(str(key))
                continue
            detail = (
                self._forum.get_or_none(f"/admin/users/{key}.json") if key is not None else None
            )
            records.append(_spliced(row, detail) if detail else row)
            marks[str(key)] = mark
        return records, unchanged, marks

    # Categories

    def _categories(self, state: State) -> Iterator[Page]:
        """Read them all: there are few. State: `known` (see `_lacks`)."""
        seen: set[int] = set()
        for _ in range(2):
            for rows in self._forum.category_pages():
                seen |= {key for row in rows if (key := values(row, "id")[0]) is not None}
                yield Page(records=rows)
            if not _lacks(seen, state):
                break
        state["known"] = {"count": len(seen), "newest": max(seen, default=0)}
        yield Page(state=state, census_complete=True)

    # Topics

    def _topics(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read what was active since the last walk; now and then a longer tail, or everything.

        State: that of `NewestFirstWalk`, `known`, `census_at`, `tail` (id -> bumped_at of the
        topics of the last 14 days, also of those that came since it was read) and `tail_at`.
        """
        walk = NewestFirstWalk.begin(stream, state, window)
        is_whole = is_tail = False
        if walk.position is None and window.since is None:
            is_whole = walk.floor is None or is_due(state, "census_at", CENSUS_EVERY, window)
            is_tail = is_whole or is_due(state, "tail_at", REREAD_EVERY, window)
        tail_from = (window.now - TAIL).isoformat()
        if is_tail:
            walk.floor = None if is_whole else min(str(walk.floor), tail_from)
        seen: dict[int, str] = {}
        for first in (walk.position or 0, 0):
            for number, rows in self._forum.topic_pages(walk.floor, first):
                told = [values(row, "id", "bumped_at") for row in rows]
                bumps = {key: at for key, at in told if key is not None and at is not None}
                seen |= bumps
                if number == 0:
                    for at in bumps.values():
                        walk.see(at)
                # Were it not for the tail, nobody would ask for what is gone when it is read.
                young = {str(key): at for key, at in bumps.items() if later(at, tail_from)}
                if young:
                    state["tail"] = {**state.get("tail", {}), **young}
                # A deletion pulls later topics one place up: a page is done when the next is.
                yield Page(records=rows, state=walk.at(number))
            if not (is_whole and _lacks(seen, state)):
                break
        state = walk.done()
        missed: list[Tombstone] = []
        if is_tail:
            if not is_whole:
                missed = self._gone_topics(state.get("tail", {}), seen, str(walk.floor))
            state["tail"] = {str(k): at for k, at in seen.items() if later(at, tail_from)}
            state["tail_at"] = window.now.isoformat()
        if is_whole:
            state["known"] = {"count": len(seen), "newest": max(seen, default=0)}
            state["census_at"] = window.now.isoformat()
        yield Page(tombstones=missed, state=state, census_complete=is_whole)

    def _gone_topics(
        self, tail: dict[str, str], seen: Container[int], floor: str
    ) -> list[Tombstone]:
        """Return the topics that should have been listed and that the forum denies."""
        return [
            Tombstone(key=key)
            for key, bumped in tail.items()
            if int(key) not in seen and later(bumped, floor) and self._forum.topic(int(key)) is None
        ]

    # Posts

    def _posts(self, state: State, window: Window) -> Iterator[Page]:
        """Read new posts by id, then the topics of the last 14 days that changed.

        State: `walk` and `high` (see `_new_posts`), `topics` (id -> mark, post ids),
        `seen_to` (when topics were last compared) and `reread_at` (when all of them were).
        """
        if window.full_refresh:
            kept = window.before.keys() & {"topics", "seen_to"}
            state |= {name: window.before[name] for name in kept}
        if "walk" in state:  # begun by an earlier sync
            yield from self._new_posts(state, window)
        yield from self._new_posts(state, window)

        is_reread = is_due(state, "reread_at", REREAD_EVERY, window)
        floor = posts_floor(state, window)
        held: dict[str, dict[str, Any]] = state.get("topics", {})
        listed: dict[str, str] = {}
        for _, rows in self._forum.topic_pages(floor, 0):
            for row in map(listed_topic, rows):
                if row is not None and later(row.bumped, floor):
                    listed[row.key] = row.mark
        left = {k: v["mark"] for k, v in held.items() if k not in listed}
        for key, mark in listed.items():
            before = held.get(key, {"mark": "", "ids": []})
            if before["mark"] == mark and not is_reread:
                continue
            records, tombstones, ids = self._reread(int(key), before["ids"])
            held = held | {key: {"mark": mark, "ids": ids}}
            yield Page(records=records, tombstones=tombstones, state=state | {"topics": held})
        for key, mark in left.items():
            records, tombstones = [], []
            if later(mark.split()[0], floor):  # not aged, yet no longer listed
                records, tombstones, _ = self._reread(int(key), held[key]["ids"])
            held = {k: v for k, v in held.items() if k != key}
            yield Page(records=records, tombstones=tombstones, state=state | {"topics": held})
        state |= {"topics": held, "seen_to": window.now.isoformat()}
        if is_reread:
            state["reread_at"] = window.now.isoformat()
        yield Page(state=state, census_complete=window.full_refresh)

    def _new_posts(self, state: State, window: Window) -> Iterator[Page]:
        """Walk down the ids from the newest to `high`, up to which all are read.

        A walk keeps both ends of what it has done, `top` and `at`, and goes on below `at`
        after a crash. Young posts are noted under their topics: one may be gone before those
        are compared.
        """
        walk = state.pop("walk", {"top": None, "at": None})
        top = walk["top"]
        floor = max(state.get("high", 0) - LOOKBACK_IDS, 0)
        for at, rows in self._forum.post_pages(walk["at"], floor):
            found = [values(row, "id", "created_at") for row in rows]
            ids = [key for key, _ in found if key is not None]
            if top is None and ids:
                top = max(ids) + 1
            is_below = (
                window.since
                and rows
                and not any(made and later(made, window.since.isoformat()) for _, made in found)
            )
            kept = [row for row in rows if _is_kept(row)]
            state["topics"] = _noted(kept, state.get("topics", {}), window.now - TAIL)
            here = state | {"walk": {"top": top, "at": floor if is_below else at}}
            yield Page(records=[with_links(row) for row in kept], state=here)
            if is_below:
                break
        if top is not None:
            state["high"] = max(top - 1, state.get("high", 0))

    def _reread(
        self, topic_id: int, known: Sequence[int]
    ) -> tuple[list[bytes], list[Tombstone], list[int]]:
        """Return a topic's posts, tombstones of those that left it, and the ids it has now."""
        view = self._forum.topic(topic_id)
        rows: list[bytes] = []
        ids: list[int] = []
        if view is not None:
            rows = split(view, "post_stream", "posts")
            ids = pick(view, "post_stream", "stream") or []
            shown = {values(row, "id")[0] for row in rows}
            rest = [key for key in ids[-POSTS_REREAD_PER_TOPIC:] if key not in shown]
            for keys in batches(rest, POSTS_PER_BATCH):
                batch = [("post_ids[]", key) for key in keys]
                rows += split(
                    self._forum.get(f"/t/{topic_id}/posts.json", batch), "post_stream", "posts"
                )
        unkept = {values(row, "id")[0] for row in rows if not _is_kept(row)}
        ids = [key for key in ids if key not in unkept]
        records = [with_links(row) for row in rows if _is_kept(row)]
        tombstones = []
        for key in sorted({*known} - {*ids}):
            post = self._forum.get_or_none(f"/posts/{key}.json")
            deleted_at, home = values(post, "deleted_at", "topic_id") if post else (None, None)
            if post is None or deleted_at is not None or home == topic_id or not _is_kept(post):
                tombstones.append(Tombstone(key=str(key)))
            else:
                records.append(with_links(post))  # moved to another topic
        return records, tombstones, ids


def user_mark(row: bytes) -> tuple[Any, int]:
    """Return a user's id, and what changes with whatever is worth reading their page for."""
    key, *identity = values(row, "id", *_MARKED)
    return key, zlib.crc32(msgspec.json.encode(identity))


class Listed(NamedTuple):
    """A topic as a list shows it; `mark` changes with whatever is worth reading it again for."""

    key: str
    bumped: str
    mark: str
    posts_count: int


def listed_topic(row: bytes) -> Listed | None:
    key, bumped, *rest = values(row, "id", "bumped_at", *_TOPIC_MARKED)
    if key is None or bumped is None:
        return None
    return Listed(str(key), bumped, f"{bumped} {zlib.crc32(repr(rest).encode())}", rest[0] or 0)


def posts_floor(state: State, window: Window) -> str:
    """Return since when topics are compared: for the tail's time, or since the last sync."""
    floors = [(window.now - TAIL).isoformat()]
    if "seen_to" in state:
        floors.append((datetime.fromisoformat(state["seen_to"]) - ACTIVITY_OVERLAP).isoformat())
    return min(floors)


def _noted(posts: Sequence[bytes], topics: dict[str, Any], since: datetime) -> dict[str, Any]:
    """Return `topics` with the ids of posts written since then, to be compared with theirs."""
    noted = dict(topics)
    for post in posts:
        key, topic, at = values(post, "id", "topic_id", "created_at")
        if key is not None and topic is not None and at and later(at, since.isoformat()):
            before = noted.get(str(topic), {"mark": f"{at} unread", "ids": []})
            if key not in before["ids"]:
                noted[str(topic)] = before | {"ids": [*before["ids"], key]}
    return noted


def _is_kept(post: bytes) -> bool:
    """Keep people's posts and moderators' notes: no small actions, never a whisper.

    A post whose type cannot be read goes on, to be quarantined.
    """
    return values(post, "post_type")[0] in (REGULAR, MODERATOR_ACTION, None)


def _spliced(row: bytes, detail: bytes) -> bytes:
    """Put the sign-on record of a user's own page behind the fields of the list."""
    told = members(detail).get("single_sign_on_record", msgspec.Raw(b"null"))
    return msgspec.json.encode(members(row) | {"single_sign_on_record": told})


def _lacks(seen: Collection[int], state: State) -> bool:
    """Tell whether a walk showed fewer of the old ids than the one before it.

    Either they are deleted, or a deletion during the walk pulled others across the edge of
    a page: only what a second walk misses too is believed to be gone.
    """
    known = state.get("known")
    return known is not None and sum(key <= known["newest"] for key in seen) < known["count"]
