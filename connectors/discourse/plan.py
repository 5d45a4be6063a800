"""What reading a forum would cost, from the site's counts and the first pages of its lists.

Belongs here: estimates of what `reads` would ask for.
"""

from __future__ import annotations

import functools
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from connectors.base import State, Stream, Window
from connectors.discourse.beside import NOTHING, Beside, begun
from connectors.discourse.client import (
    POSTS_WINDOW_IDS,
    REACTORS_PER_PAGE,
    TOPICS_PER_PAGE,
    Forum,
    later,
)
from connectors.discourse.likes import Likes
from connectors.discourse.reads import (
    LOOKBACK_IDS,
    POSTS_PER_BATCH,
    POSTS_REREAD_PER_TOPIC,
    SSO_REFRESH_EVERY,
    Listed,
    listed_topic,
    posts_floor,
    user_mark,
)
from connectors.discourse.revisions import Revisions
from connectors.discourse.streams import REREAD_EVERY, TAIL
from connectors.incremental import CENSUS_EVERY, NewestFirstWalk, is_due
from connectors.planning import ALWAYS, Allowance, Cost, Step
from connectors.records import pick, split, values

if TYPE_CHECKING:
    from connectors.discourse import Settings

USERS_PER_PAGE = 100
POSTS_PER_VIEW = 20
ADMIN_CALLS_PER_MINUTE = 60  # a forum's default, which its administrators can change
PAGES_SAMPLED = 3
HALVINGS = 6
WORDS = {
    "liked": ("liked", f"a post with more than {REACTORS_PER_PAGE} likes takes further calls"),
    "edited": ("edited", "an edit that was hidden or undone takes one call per edit of its post"),
}
TWICE = "if any was deleted since, the whole list is read twice, to be sure of it"


class _Active(NamedTuple):
    """Topics active since some time: those listed, how many in all, and how that is known."""

    rows: list[Listed]
    total: int
    how: str


class Planner:
    """Plans for one forum."""

    def __init__(self, forum: Forum, settings: Settings) -> None:
        self._forum = forum
        self._settings = settings
        self._active: dict[str, _Active] = {}

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, from the site's counts and the first lists."""
        state = dict(state)
        if stream.name == "users":
            return self._plan_users(state, window)
        if stream.name == "topics":
            return self._plan_topics(stream, state, window)
        if stream.name == "categories":
            return self._plan_categories()
        if stream.name == "likes":
            return self._plan_beside(Likes(self._forum, state), state, window)
        if stream.name == "revisions":
            return self._plan_beside(Revisions(self._forum), state, window)
        return self._plan_posts(state, window)

    def allowance(self) -> Allowance:
        """Return the usual limit of an admin key: no answer tells what is left."""
        return Allowance(
            windows=((ADMIN_CALLS_PER_MINUTE, 60.0),),
            opening=(Step(what="clock", calls=1, how=ALWAYS),),
            how="a forum's default for admin keys; its administrators can change it. "
            "There is no daily quota",
        )

    def _plan_users(self, state: State, window: Window) -> Cost:
        known = state.get("known", {}).get("count", 0)
        count = max(known, self._stats.get("users_count", 0))
        how = f"{count:,} users by {'the last walk' if known == count else 'about.json'}"
        skipped = state["walk"]["position"] - 1 if "walk" in state else 0
        listing = Step(
            what="pages of users",
            calls=max(1, math.ceil(count / USERS_PER_PAGE) + 1 - skipped),
            how=f"{how}, {USERS_PER_PAGE} a page, and one to see the end",
        )
        notes = (TWICE,) if "known" in state else ()
        if not self._settings.sso:
            return Cost(steps=(listing,), records=count, records_how=how, notes=notes)
        if is_due(state, "marks_at", SSO_REFRESH_EVERY, window):
            new, why = count, f"each is due every {SSO_REFRESH_EVERY.days} days"
        else:
            new = sum(state["marks"].get(key) != mark for key, mark in self._marks_lately.items())
            why = f"new or changed among the {len(self._marks_lately):,} seen last"
        return Cost(
            steps=(listing, Step(what="pages of one user", calls=new, how=f"{new:,} users, {why}")),
            records=new,
            records_how="users whose own page is read",
            notes=notes,
        )

    def _plan_topics(self, stream: Stream, state: State, window: Window) -> Cost:
        is_resumed = "walk" in state
        walk = NewestFirstWalk.begin(stream, state, window)
        is_whole = not is_resumed and (
            walk.floor is None or is_due(state, "census_at", CENSUS_EVERY, window)
        )
        if is_whole or walk.floor is None:
            count, how = self._stats.get("topics_count", 0), "all topics by about.json"
        else:
            floor = walk.floor
            if not is_resumed and is_due(state, "tail_at", REREAD_EVERY, window):
                floor = min(floor, (window.now - TAIL).isoformat())
            active = self._active_topics(floor)
            count, how = active.total, active.how
        skipped = walk.position or 0
        calls = max(1, count // TOPICS_PER_PAGE + 1 - skipped)
        step = Step(
            what="pages of topics",
            calls=calls,
            how=f"{count:,} topics: {how}, {TOPICS_PER_PAGE} a page",
        )
        notes = (TWICE,) if is_whole and "known" in state else ()
        return Cost(steps=(step,), records=count, records_how=how, notes=notes)

    def _plan_categories(self) -> Cost:
        pages = list(self._forum.category_pages())
        count = sum(len(rows) for rows in pages)
        how = f"{count:,} categories, listed"
        step = Step(what="pages of categories", calls=len(pages), how=how)
        return Cost(steps=(step,), records=count, records_how=how)

    def _plan_posts(self, state: State, window: Window) -> Cost:
        newest, ids_per_page = self._newest_post
        floors = [(newest, max(state.get("high", 0) - LOOKBACK_IDS, 0))]
        if "walk" in state and state["walk"]["at"] is not None:
            top, at = state["walk"]["top"], state["walk"]["at"]
            floors = [(at, floors[0][1]), (newest, max(top - 1 - LOOKBACK_IDS, 0))]
        span = sum(top - floor for top, floor in floors)
        new = Step(
            what="pages of new posts",
            calls=sum(math.ceil((top - floor) / ids_per_page) + 1 for top, floor in floors),
            how=f"{span:,} ids up to the newest, {ids_per_page} a page as on the first one, "
            "and one to see the end",
        )
        is_reread = is_due(state, "reread_at", REREAD_EVERY, window)
        active = self._active_topics(posts_floor(state, window))
        held = state.get("topics", {})
        again = [
            row
            for row in active.rows
            if is_reread or held.get(row.key, {"mark": ""})["mark"] != row.mark
        ]
        views = sum(_view_calls(row.posts_count) for row in again)
        share = active.total / len(active.rows) if active.rows else 1.0
        listing = Step(
            what="pages of active topics",
            calls=active.total // TOPICS_PER_PAGE + 1,
            how=f"{active.total:,} topics: {active.how}",
        )
        reread = Step(
            what="topics read again",
            calls=round(views * share),
            how=f"{round(len(again) * share):,} topics "
            f"{'active lately' if is_reread else 'changed since'}: one call each, and one per "
            f"{POSTS_PER_BATCH} posts beyond {POSTS_PER_VIEW}",
        )
        posts = sum(min(row.posts_count, POSTS_REREAD_PER_TOPIC) for row in again)
        return Cost(
            steps=(new, listing, reread),
            records=min(span, self._stats.get("posts_count", span)) + round(posts * share),
            records_how="new ids, and the posts of topics read again",
            notes=("posts that left their topic take one call each, uncounted here",),
        )

    def _plan_beside(self, beside: Beside, state: State, window: Window) -> Cost:
        if "walk" not in state and not is_due(state, "reread_at", REREAD_EVERY, window):
            return Cost(records=0, records_how="asked for less than a day ago")
        walk = state.get("walk") or begun(state, window)
        newest, ids_per_page = self._newest_post
        top = walk["at"] or newest + 1
        if "reread_at" in state:
            rows, pages, share = self._posts_since(walk["floor"], walk["at"])
            pages, posts = round(pages * share), round(len(rows) * share)
            how = f"{posts:,} posts of the last {TAIL.days} days, by the newest pages"
        else:
            oldest = self._id_at(walk["floor"], top)
            rows = [
                row
                for part in range(PAGES_SAMPLED)
                for row in self._posts_below(top - (top - oldest) * part // PAGES_SAMPLED)
            ]
            total = self._stats.get("posts_count", newest)
            posts = round(total * (top - oldest) / max(newest, 1))
            pages = math.ceil((top - oldest) / ids_per_page) + 1
            how = f"{posts:,} posts by about.json, {ids_per_page} ids a page"
        held = state.get(beside.name, {})
        due = [_calls(beside, row, held, walk["floor"]) for row in rows]
        asked = round(sum(due) * posts / max(len(rows), 1))
        old = 0
        if is_due(state, "old_at", CENSUS_EVERY, window):
            young = {str(values(row, "id")[0]) for row in rows}
            old = sum(beside.stays(told) for key, told in held.items() if key not in young)
        what, note = WORDS[beside.name]
        looked = Step(what="old posts looked at", calls=old, how=f"{old:,} that stay, weekly")
        return Cost(
            steps=(
                Step(what="pages of posts", calls=pages, how=how),
                Step(
                    what=f"{what} posts",
                    calls=asked,
                    how=f"{sum(map(bool, due)):,} of {len(rows):,} posts looked at are {what} "
                    "since they were last asked about",
                ),
                *((looked,) if old else ()),
            ),
            records=None,
            records_how="how many there are is not counted",
            notes=(note,),
        )

    def _posts_below(self, before: int) -> list[bytes]:
        """Return the posts of one page; usually some 50."""
        return next(self._forum.post_pages(before), (0, []))[1]

    def _id_at(self, floor: str | None, top: int) -> int:
        """Return about which id the posts written since `floor` begin; None: at the first."""
        low, high = 0, top
        if floor is None or any(_is_since(row, floor) for row in self._posts_below(min(50, top))):
            return low
        for _ in range(HALVINGS):
            middle = (low + high) // 2
            if any(_is_since(row, floor) for row in self._posts_below(middle)):
                high = middle
            else:
                low = middle
        return high

    def _posts_since(self, floor: str, before: int | None) -> tuple[list[bytes], int, float]:
        """Return the posts of the first pages down to `floor`, the pages, and what to scale by."""
        rows: list[bytes] = []
        stamps: list[datetime] = []
        pages = 0
        for _, page in self._forum.post_pages(before):
            rows += page
            pages += 1
            written = [at for row in page if (at := values(row, "created_at")[0])]
            stamps += map(datetime.fromisoformat, written)
            if written and not any(_is_since(row, floor) for row in page):
                break
            if pages >= PAGES_SAMPLED and len({*stamps}) > 1:
                share = (max(stamps) - datetime.fromisoformat(floor)) / (max(stamps) - min(stamps))
                return rows, pages, share
        return rows, pages, 1.0

    @functools.cached_property
    def _stats(self) -> dict[str, int]:
        """Return the site's own counts; empty if it hides them."""
        return pick(self._forum.get("/about.json"), "about", "stats") or {}

    @functools.cached_property
    def _marks_lately(self) -> dict[str, int]:
        """Return id -> mark of the users seen last: who changed is nearly always among them."""
        marks: dict[str, int] = {}
        for number in range(1, PAGES_SAMPLED + 1):
            rows = self._forum.user_page(number, seen_last_first=True)
            marks |= {str(key): mark for key, mark in map(user_mark, rows) if key is not None}
            if len(rows) < USERS_PER_PAGE:
                break
        return marks

    @functools.cached_property
    def _newest_post(self) -> tuple[int, int]:
        """Return the newest post's id, and how many ids a page of posts goes down."""
        rows = split(self._forum.get("/posts.json"), "latest_posts")
        ids = [key for row in rows if (key := values(row, "id")[0]) is not None]
        if len(ids) < POSTS_WINDOW_IDS:  # either the window of older versions, or all there are
            return max(ids) if ids else self._forum.newest_listed(), POSTS_WINDOW_IDS
        return max(ids), max(ids) - min(ids) + 1

    def _active_topics(self, floor: str) -> _Active:
        """Return the topics active since `floor`, or how many there must be by the first pages."""
        if floor not in self._active:
            rows: list[Listed] = []
            is_all = True
            for number, page in self._forum.topic_pages(floor, 0):
                if number == PAGES_SAMPLED:
                    is_all = False
                    break
                rows += [row for row in map(listed_topic, page) if row and later(row.bumped, floor)]
            count = len(rows)
            if not is_all and rows:
                stamps = [datetime.fromisoformat(row.bumped) for row in rows]
                covered = max(stamps) - min(stamps)
                count = round(count * ((max(stamps) - datetime.fromisoformat(floor)) / covered))
            how = f"active since {floor[:10]}, " + ("listed" if is_all else "by the newest pages")
            self._active[floor] = _Active(rows, count, how)
        return self._active[floor]


def _is_since(post: bytes, floor: str) -> bool:
    written = values(post, "created_at")[0]
    return bool(written) and later(written, floor)


def _calls(beside: Beside, post: bytes, held: dict[str, Any], floor: str | None) -> int:
    """Return how many calls it takes to ask about a post; 0: it need not be asked about."""
    before = held.get(str(values(post, "id")[0]), NOTHING)
    mark = beside.mark(post)
    if mark in (0, before["mark"]) or not (floor is None or _is_since(post, floor)):
        return 0
    return beside.calls(post, before)


def _view_calls(posts_count: int) -> int:
    """Return how many calls `_reread` makes for a topic from which nothing has left."""
    newest = min(posts_count, POSTS_REREAD_PER_TOPIC)
    shown = POSTS_PER_VIEW - (posts_count - newest)  # the view shows the oldest ones
    return 1 + math.ceil(max(0, newest - max(0, shown)) / POSTS_PER_BATCH)
