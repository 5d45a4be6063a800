"""What reading Bluesky would cost, by the hits of searches, our number of posts and first pages.

Belongs here: the same questions as in `reads`, one page each. A search that does not tell its
hits, and a list that goes on, are told apart from what is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.base import State, Stream, Window
from connectors.bluesky.client import PER_PAGE, Network
from connectors.bluesky.posts import author_of, indexed_at
from connectors.bluesky.reads import (
    NOTIFICATIONS,
    PER_BATCH,
    REACTIONS,
    REASONS,
    REREAD_EVERY,
    TAIL,
    floor_of,
    questions,
    slices,
    start_of,
    to_reread,
)
from connectors.incremental import ChangeWalk, NewestFirstWalk, is_due
from connectors.planning import ALWAYS, Allowance, Cost, Step, pages
from connectors.records import pick, split, values

if TYPE_CHECKING:
    from connectors.bluesky import Settings

NO_HITS = "this server's search does not tell its hits: a slice of time is taken for one page"
CUT = "where the search stops early, a slice is asked for again in halves, uncounted here"


@dataclass(frozen=True)
class _Found:
    """What a search tells on its first page; `hits`: None: it does not say."""

    hits: int | None
    shown: int
    authors: frozenset[str]


@dataclass
class _Listed:
    """Notifications on the first page, and whether the list goes on."""

    stamps: list[datetime] = field(default_factory=list)
    uris: list[str] = field(default_factory=list)
    goes_on: bool = False


class Planner:
    """Plans for one account."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self._network = network
        self._settings = settings
        # Streams and both reads of a plan share questions: those of its moment are asked once.
        self._moment: datetime | None = None
        self._found: dict[tuple[str, str, str], _Found] = {}
        self._listed: dict[tuple[str, ...], _Listed] = {}

    def allowance(self) -> Allowance:
        """Return the limit per address: there is no quota of a day but that of logins."""
        return Allowance(
            windows=self._network.session.calls_per_window,
            opening=(
                Step(what="clock", calls=1, how=ALWAYS),
                Step(what="who we are", calls=1, how=ALWAYS),
                Step(what="login", calls=1, how="one of the 300 a day; then it is kept"),
            ),
            how="the vendor's limit per address; a day knows no other quota than 300 logins",
        )

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Return what `Reader.read` with these arguments would cost."""
        if self._moment != window.now:
            self._moment, self._found, self._listed = window.now, {}, {}
        if stream.name == "posts":
            return self._posts(stream, state, window)
        if stream.name == "notifications":
            return self._notifications(stream, state, window)
        if stream.name == "reactions":
            return self._reactions(stream, state, window)
        return self._profiles(stream, state, window)

    def _posts(self, stream: Stream, state: State, window: Window) -> Cost:
        walk = ChangeWalk.begin(stream, state, window)
        start = start_of(walk, window, self._settings.history_days)
        steps = []
        mine = 0
        if walk.position is None:
            mine = self._hits({"author": self._network.us()}, start, walk.end) or 0
            profile = self._network.get("app.bsky.actor.getProfile", {"actor": self._network.us()})
            total = int(pick(profile, "postsCount") or 0)
            calls = min(pages(total, PER_PAGE), math.ceil(mine / PER_PAGE) + 1)
            how = f"{mine:,} of our {total:,} posts since then, {PER_PAGE} a page"
            steps.append(Step(what="pages of our own posts", calls=calls, how=how))
        search, found, notes = self._search(start, walk.end)
        steps.append(search)
        if is_due(state, "reread_at", REREAD_EVERY, window):
            young = max(start, window.now - TAIL) if not state.get("tail") else window.now - TAIL
            asked = [{"author": self._network.us()}, *self._questions]
            count = sum(self._hits(question, young, walk.end) or 0 for question in asked)
        else:
            count = len(to_reread(state, window))
        steps.append(_again("posts", count))
        return Cost(
            steps=tuple(steps),
            records=mine + sum(one.hits or one.shown for one in found),
            records_how="hits of the searches; a post that two of them find counts twice",
            notes=notes,
        )

    def _notifications(self, stream: Stream, state: State, window: Window) -> Cost:
        walk = NewestFirstWalk.begin(stream, state, window)
        step, found, notes = self._told(REASONS, floor_of(walk, state, window), window)
        if is_due(state, "reread_at", REREAD_EVERY, window):
            young = (window.now - TAIL).isoformat()
            held = {uri for uri, at in state.get("tail", {}).items() if at >= young}
            count = len(held | set(self._first_notifications(REASONS).uris))
        else:
            count = len(to_reread(state, window))
        how = "notifications on the first page, and how far apart they are"
        again = _again("posts", count)
        return Cost(steps=(step, again), records=found, records_how=how, notes=notes)

    def _reactions(self, stream: Stream, state: State, window: Window) -> Cost:
        walk = NewestFirstWalk.begin(stream, state, window)
        oldest = window.now - timedelta(days=self._settings.history_days)
        floor = floor_of(walk, state, window) or oldest
        step, found, _ = self._told(REACTIONS, floor, window)
        note = "likes and reposts taken back, which take a call per post that had them"
        how = "notifications on the first page, and how far apart they are"
        return Cost(steps=(step,), records=found, records_how=how, notes=(f"without {note}",))

    def _profiles(self, stream: Stream, state: State, window: Window) -> Cost:
        walk = ChangeWalk.begin(stream, state, window)
        start = start_of(walk, window, self._settings.history_days)
        steps = []
        notes: tuple[str, ...] = ()
        if walk.position is None:
            steps.append(Step(what="our profile", calls=1, how=ALWAYS))
            likers = REACTIONS if self._settings.likers else ()
            step, _, notes = self._told((*REASONS, *likers), start, window)
            steps.append(step)
        search, found, more = self._search(start, walk.end)
        steps.append(search)
        authors = {did for one in found for did in one.authors}
        shown = sum(one.shown for one in found)
        hits = sum(one.hits or one.shown for one in found)
        new = round(len(authors) * hits / shown) if shown else 0
        known = state.get("tail", {})
        if is_due(state, "reread_at", REREAD_EVERY, window):
            count = len(known) + (len(authors - known.keys()) if known else new + 1)
        else:
            count = len(to_reread(state, window))
        steps.append(_again("profiles", count))
        return Cost(
            steps=tuple(steps),
            records=new + count,
            records_how="authors of the newest hits, and those known already",
            notes=tuple(dict.fromkeys((*notes, *more))),
        )

    # Questions

    @property
    def _questions(self) -> list[dict[str, Any]]:
        return questions(self._network.us(), self._settings)

    def _search(self, start: datetime, end: datetime) -> tuple[Step, list[_Found], tuple[str, ...]]:
        """Return the calls for all questions in all slices, and what each question found."""
        count = sum(1 for _ in slices(start, end))
        found = [self._ask(question, start, end) for question in self._questions] if count else []
        calls = sum(
            count * pages(math.ceil((one.hits or 0) / count), PER_PAGE) for one in found if count
        )
        hits = sum(one.hits or 0 for one in found)
        how = (
            f"{len(found)} questions in {count} slices of time, {hits:,} hits in all, "
            f"{PER_PAGE} a page"
        )
        is_blind = any(one.hits is None for one in found)
        return (
            Step(what="searches", calls=calls, how=how),
            found,
            (NO_HITS,) if is_blind else (CUT,),
        )

    def _hits(self, question: Mapping[str, Any], start: datetime, end: datetime) -> int | None:
        return self._ask(question, start, end).hits

    def _ask(self, question: Mapping[str, Any], start: datetime, end: datetime) -> _Found:
        key = (repr(question), start.isoformat(), end.isoformat())
        if key not in self._found:
            asked = {"since": key[1], "until": key[2], **question}
            body = self._network.search_page(asked)
            rows = split(body, "posts")
            hits = pick(body, "hitsTotal")
            if hits is None and pick(body, "cursor") is None:
                hits = len(rows)
            dids = (values(author_of(row), "did")[0] for row in rows)
            authors = frozenset(did for did in dids if isinstance(did, str))
            self._found[key] = _Found(hits, len(rows), authors)
        return self._found[key]

    def _first_notifications(self, reasons: tuple[str, ...]) -> _Listed:
        if reasons not in self._listed:
            asked = {"reasons": reasons, "limit": PER_PAGE}
            body = self._network.get_signed(NOTIFICATIONS, asked)
            rows = split(body, "notifications")
            uris = [str(values(row, "uri")[0]) for row in rows]
            goes_on = pick(body, "cursor") is not None
            self._listed[reasons] = _Listed([indexed_at(row) for row in rows], uris, goes_on)
        return self._listed[reasons]

    def _told(
        self, reasons: tuple[str, ...], floor: datetime | None, window: Window
    ) -> tuple[Step, int, tuple[str, ...]]:
        """Return the calls for the notifications down to `floor`, and how many there are."""
        listed = self._first_notifications(reasons)
        count = sum(floor is None or at >= floor for at in listed.stamps)
        notes: tuple[str, ...] = ()
        what, how = "pages of notifications", f"{count:,} on the first page, which is the last one"
        if count < len(listed.stamps):
            how = f"{count:,} on the first page, and no more"
        elif listed.goes_on and listed.stamps:
            bottom = floor or window.now - timedelta(days=self._settings.history_days)
            span = max(window.now - min(listed.stamps), timedelta(seconds=1))
            count = max(count + 1, round(count * ((window.now - bottom) / span)))
            how = f"about {count:,}, as dense as on the first page, {PER_PAGE} a page"
            if floor is None:
                notes = ("cannot tell how far back the vendor lists notifications: taken for "
                         f"{self._settings.history_days} days",)  # fmt: skip
        return Step(what=what, calls=pages(count, PER_PAGE), how=how), count, notes


def _again(what: str, count: int) -> Step:
    how = f"{count:,} {what} of which some may be gone, {PER_BATCH} at once"
    return Step(what=f"{what} asked for again", calls=math.ceil(count / PER_BATCH), how=how)
