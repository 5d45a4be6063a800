"""How each stream of Bluesky is read: searches in slices of time, lists, and what is gone.

Belongs here: walks and their states. Does not belong here: single calls (`client`), or what a
post says (`posts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.bluesky.client import CURSOR_REFUSED, PER_PAGE, Network
from connectors.bluesky.posts import (
    Post,
    author_of,
    indexed_at,
    is_for_everybody,
    read_post,
    reasons,
    sort_at,
    with_more,
)
from connectors.errors import ServerError
from connectors.incremental import ChangeWalk, NewestFirstWalk, is_due
from connectors.pagination import LoopGuard, batches
from connectors.records import members, parse_stamp, pick, split, values

if TYPE_CHECKING:
    from connectors.bluesky import Settings

PER_BATCH = 25
LONGEST_SLICE = timedelta(days=30)
SHORTEST_SLICE = timedelta(minutes=1)
TAIL = timedelta(days=14)
REREAD_EVERY = timedelta(days=1)
SURE_AFTER = timedelta(hours=1)
SURE_OF_MANY_AFTER = timedelta(days=1)
MANY, MANY_SHARE = 20, 0.20
REASONS = ("mention", "reply", "quote")
REACTIONS = ("like", "repost")
AUTHOR_FEED = "app.bsky.feed.getAuthorFeed"
NOTIFICATIONS = "app.bsky.notification.listNotifications"
POSTS = ("app.bsky.feed.getPosts", "uris", "posts", "uri")
PROFILES = ("app.bsky.actor.getProfiles", "actors", "profiles", "did")
"""Method, parameter, list in the answer, and key of those that leave out what is gone."""
GIVERS = {
    "app.bsky.feed.like": ("app.bsky.feed.getLikes", "likes"),
    "app.bsky.feed.repost": ("app.bsky.feed.getRepostedBy", "repostedBy"),
}
"""Collection of a record -> method and list in the answer that tell whose such records a post has.

In the first they are the `actor` of a like, in the second just accounts.
"""


class Reader:
    """Reads the streams of one account."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self._network = network
        self._settings = settings
        self._unsplit: list[str] = []

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        if window.full_refresh:  # no list shows what is gone, so it goes on being asked for
            kept = window.before.keys() & {"tail", "missing"}
            state |= {name: window.before[name] for name in kept}
        if stream.name == "posts":
            return self._posts(stream, state, window)
        if stream.name == "notifications":
            return self._notifications(stream, state, window)
        if stream.name == "reactions":
            return self._reactions(stream, state, window)
        return self._profiles(stream, state, window)

    # Posts

    def _posts(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read our own posts, search slice by slice for those about us, then ask again.

        State: that of `ChangeWalk` (position: up to where slices are done) and of `_reread`.
        """
        self._unsplit = []
        walk = ChangeWalk.begin(stream, state, window)
        start = start_of(walk, window, self._settings.history_days)
        if walk.position is None:
            for rows in self._own_posts(start):
                records = self._about_us(rows, state, window)
                yield Page(records=records, state=walk.at(None))
        for done_to, rows in self._found_in(start, walk.end):
            records = self._about_us(rows, state, window)
            yield Page(records=records, state=walk.at(done_to.isoformat()))
        again, gone = self._reread(POSTS, state, window)
        yield Page(
            records=self._about_us(again, state, window),
            tombstones=gone,
            state=walk.done(),
            notes=self._unsplit,
        )

    def _own_posts(self, start: datetime) -> Iterator[list[bytes]]:
        asked = {"actor": self._network.us(), "filter": "posts_with_replies", "limit": PER_PAGE}
        for body in self._network.pages(AUTHOR_FEED, asked):
            items = [members(row) for row in split(body, "feed")]
            # a repost has a reason; what has no post goes on, to be quarantined
            rows = [bytes(item.get("post", b"{}")) for item in items if "reason" not in item]
            young = [row for row in rows if sort_at(row) >= start]
            yield young
            if rows and not young:
                return

    def _found_in(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, list[bytes]]]:
        """Yield (end of the slice, posts that any of our questions found in it), oldest first."""
        for since, until in slices(start, end):
            found: dict[str | bytes, bytes] = {}
            for question in questions(self._network.us(), self._settings):
                found |= by_key(self._search(question, since, until), "uri")
            yield until, list(found.values())

    def _search(self, question: Mapping[str, Any], start: datetime, until: datetime) -> list[bytes]:
        """Search a slice of time, in halves if the pages stop before its beginning.

        "It may not be possible to paginate through all hits" says the lexicon, and no answer
        tells that it was not: a full page without a cursor does, or a cursor that the server
        does not take back.
        """
        rows, is_whole = self._search_once(question, start, until)
        if is_whole:
            return rows
        if until - start <= SHORTEST_SLICE:
            self._unsplit = ["the search shows more posts of one minute than it lets us read"]
            return rows
        middle = start + (until - start) / 2
        return self._search(question, start, middle) + self._search(question, middle, until)

    def _search_once(
        self, question: Mapping[str, Any], start: datetime, until: datetime
    ) -> tuple[list[bytes], bool]:
        asked = {"since": start.isoformat(), "until": until.isoformat(), **question}
        guard = LoopGuard(self._network.session.place)
        rows: list[bytes] = []
        while True:
            try:
                body = self._network.search_page(asked)
            except ServerError as error:
                # A server that does not know `until` would refuse it for every half, too.
                is_cut = all(sort_at(row) < until for row in rows)
                if "cursor" in asked and error.status in CURSOR_REFUSED and is_cut:
                    return rows, False
                raise
            page, cursor = split(body, "posts"), pick(body, "cursor")
            # Some servers do not know `since`: then we notice that we are below it.
            young = [row for row in page if sort_at(row) >= start]
            rows += young
            if page and not young:
                return rows, True
            if cursor is None:
                lacks = len(rows) >= PER_PAGE and (pick(body, "hitsTotal") or 0) > len(rows)
                return rows, len(page) < PER_PAGE and not lacks
            guard.check(cursor)
            asked["cursor"] = cursor

    def _about_us(self, rows: Sequence[bytes], state: State, window: Window) -> list[bytes]:
        """Keep the posts about us, each with the reasons, and note the young ones in `tail`."""
        records = []
        tail = dict(state.get("tail", {}))
        for row in rows:
            post = read_post(row)
            if post is None:  # goes on, to be quarantined
                records.append(row)
                continue
            about = self._why(post)
            if about:
                records.append(with_more(row, {"about": about}))
                tail[post.uri] = post.indexedAt
        state["tail"] = _younger(tail, window.now - TAIL)
        return records

    def _why(self, post: Post) -> list[str]:
        return reasons(post, self._network.us(), self._settings)

    # Notifications

    def _notifications(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read what is new, newest first; a walk that broke off begins at the top again.

        The vendor answers an old cursor with HTTP 500, so no state holds one.
        State: that of `NewestFirstWalk` and of `_reread`.
        """
        walk = NewestFirstWalk.begin(stream, state, window)
        tail = dict(state.get("tail", {}))
        for number, rows in enumerate(self._told(REASONS, floor_of(walk, state, window))):
            for row in rows:
                uri, at = values(row, "uri", "indexedAt")
                if isinstance(uri, str) and isinstance(at, str):
                    tail[uri] = at
                    if number == 0:
                        walk.see(at)
            # Were it not for the tail, nobody would ask again for what was landed before a crash.
            yield Page(records=rows, state={**state, "tail": dict(tail)})
        state["tail"] = _younger(tail, window.now - TAIL)
        _, gone = self._reread(POSTS, state, window)
        yield Page(tombstones=gone, state=walk.done())

    def _told(self, reasons: Sequence[str], floor: datetime | None) -> Iterator[list[bytes]]:
        """Yield pages of notifications for these reasons, newest first, down to `floor`."""
        asked = {"reasons": reasons, "limit": PER_PAGE}
        for body in self._network.pages(NOTIFICATIONS, asked, signed=True):
            rows = split(body, "notifications")
            young = [row for row in rows if floor is None or indexed_at(row) >= floor]
            yield young
            if rows and not young:
                return

    # Reactions

    def _reactions(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read who liked or reposted a post of ours; once a day all those of the last 14 days.

        State: that of `NewestFirstWalk`, `tail` (URI -> when, which post) and `reread_at`.
        """
        walk = NewestFirstWalk.begin(stream, state, window)
        is_daily = is_due(state, "reread_at", REREAD_EVERY, window)
        oldest = window.now - timedelta(days=self._settings.history_days)
        tail = dict(state.get("tail", {}))
        shown: set[str] = set()
        told = self._told(REACTIONS, floor_of(walk, state, window) or oldest)
        for number, rows in enumerate(told):
            for row in rows:
                uri, at, post = values(row, "uri", "indexedAt", "reasonSubject")
                if is_address(uri) and isinstance(at, str):
                    shown.add(uri)
                    tail[uri] = [at, post if is_address(post) else None]
                    if number == 0:
                        walk.see(at)
            yield Page(records=rows, state={**state, "tail": dict(tail)})
        tail = {
            uri: [at, post] for uri, (at, post) in tail.items() if _moment(at) >= window.now - TAIL
        }
        gone: list[str] = []
        if is_daily and window.since is None and window.until is None:
            missed = {uri: post for uri, (_, post) in tail.items() if uri not in shown}
            gone = taken_back(self._network, missed, {uri: tail[uri][1] for uri in shown & {*tail}})
            state["reread_at"] = window.now.isoformat()
        state["tail"] = {uri: held for uri, held in tail.items() if uri not in gone}
        yield Page(tombstones=[Tombstone(key=uri) for uri in gone], state=walk.done())

    # Profiles

    def _profiles(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read who wrote what is new about us, then ask again for everybody known.

        State: that of `ChangeWalk` and of `_reread`, whose tail holds everybody.
        """
        self._unsplit = []
        walk = ChangeWalk.begin(stream, state, window)
        start = start_of(walk, window, self._settings.history_days)
        known = dict(state.get("tail", {}))
        now = window.now.isoformat()

        def taken(authors: Sequence[bytes]) -> list[bytes]:
            records = [self._profile(author) for author in authors]
            dids = (values(record, "did")[0] for record in records)
            known.update((did, now) for did in dids if isinstance(did, str))
            state["tail"] = dict(known)
            return records

        if walk.position is None:
            us = self._network.get("app.bsky.actor.getProfile", {"actor": self._network.us()})
            yield Page(records=taken([us]), state=walk.at(None))
            likers = REACTIONS if self._settings.likers else ()
            for rows in self._told((*REASONS, *likers), start):
                yield Page(records=taken([author_of(row) for row in rows]), state=walk.at(None))
        for done_to, rows in self._found_in(start, walk.end):
            authors = [
                author_of(row) for row in rows if (post := read_post(row)) and self._why(post)
            ]
            yield Page(records=taken(authors), state=walk.at(done_to.isoformat()))
        again, gone = self._reread(PROFILES, state, window)
        records = [self._profile(row) for row in again]
        yield Page(records=records, tombstones=gone, state=walk.done(), notes=self._unsplit)

    def _profile(self, view: bytes) -> bytes:
        """Reduce a view of an account to what we take, in one order whatever the view's."""
        told = members(view)
        names = ("did", "handle", "displayName") if is_for_everybody(view) else ("did",)
        kept = {name: told[name] for name in names if name in told}
        is_ours = values(view, "did")[0] == self._network.us()
        return msgspec.json.encode({**kept, "ours": is_ours})

    # What is gone

    def _reread(
        self, method: tuple[str, str, str, str], state: State, window: Window
    ) -> tuple[list[bytes], list[Tombstone]]:
        """Ask once a day for everything in `tail`, and sooner for what was left out last time.

        Returns what is there and tombstones of what is not. When much is missing at once, an
        outage is likelier than deletions: then a day must lie between, not an hour.
        State: `tail` (key -> time), `missing` (key -> left out since), `reread_at`.
        """
        if window.since is not None or window.until is not None:
            return [], []
        nsid, parameter, listed, key = method
        now, tail = window.now, state.get("tail", {})
        missing = {name: at for name, at in state.get("missing", {}).items() if name in tail}
        asked = to_reread(state, window)
        if is_due(state, "reread_at", REREAD_EVERY, window):
            state["reread_at"] = now.isoformat()
        shown: dict[str | bytes, bytes] = {}
        for batch in batches(asked, PER_BATCH):
            shown |= by_key(split(self._network.get(nsid, {parameter: batch}), listed), key)
        omitted = [name for name in asked if name not in shown]
        is_mass = len(omitted) >= MANY and len(omitted) > MANY_SHARE * len(asked)
        sure = _older(missing, now - (SURE_OF_MANY_AFTER if is_mass else SURE_AFTER))
        gone = [name for name in omitted if name in sure]
        kept = {name: at for name, at in missing.items() if name not in shown and name not in gone}
        state["missing"] = {name: now.isoformat() for name in omitted if name not in gone} | kept
        state["tail"] = {name: at for name, at in tail.items() if name not in gone}
        return list(shown.values()), [Tombstone(key=name) for name in gone]


def taken_back(network: Network, missed: Mapping[str, str], listed: Mapping[str, str]) -> list[str]:
    """Return which likes and reposts (URI -> post) their posts do not show, either.

    Our own list hides those of accounts that block us; a post shows them to everybody else, but
    not their URIs: of somebody who likes a post once more, only the one that is `listed` stands.
    """
    standing = {_given(uri, post) for uri, post in listed.items()}
    shown: dict[tuple[str, str, str], set[str]] = {}
    gone = []
    for uri, post in sorted(missed.items(), reverse=True):
        did, collection, _ = given = _given(uri, post)
        asked = GIVERS.get(collection)
        if asked is None:
            continue
        if post is None or given in standing:
            gone.append(uri)
            continue
        if (*asked, post) not in shown:
            shown[*asked, post] = _givers(network, *asked, post)
        if did not in shown[*asked, post]:
            gone.append(uri)
        standing.add(given)
    return gone


def by_key(rows: Sequence[bytes], key: str) -> dict[str | bytes, bytes]:
    """Return rows by their key; one that has none stands for itself, to be quarantined."""
    found = ((values(row, key)[0], row) for row in rows)
    return {name if isinstance(name, str) else row: row for name, row in found}


def is_address(value: Any) -> bool:
    """Tell whether a value is a record's URI: the vendor refuses to be asked about others."""
    return isinstance(value, str) and re.fullmatch(r"at://[^/]+/[^/]+/[^/]+", value) is not None


def _given(uri: str, post: str | None) -> tuple[str, str, str | None]:
    """Return who gave a post what, which they can do once at a time."""
    _, _, did, collection, *_ = uri.split("/")
    return did, collection, post


def _givers(network: Network, nsid: str, listed: str, post: str) -> set[str]:
    rows = (
        row
        for body in network.pages(nsid, {"uri": post, "limit": PER_PAGE})
        for row in split(body, listed)
    )
    return {pick(row, "actor", "did") or pick(row, "did") for row in rows}


# What is due, and which questions ask for it


def start_of(walk: ChangeWalk, window: Window, history_days: int) -> datetime:
    """Return where a walk begins to search."""
    if walk.position is not None:
        return datetime.fromisoformat(walk.position)
    return walk.start or window.now - timedelta(days=history_days)


def floor_of(walk: NewestFirstWalk, state: State, window: Window) -> datetime | None:
    """Return down to where a walk reads notifications; None: to the end of the list.

    The list is ordered by the earlier of both clocks, and shows only that: what was dated back
    comes up below what was read before. So once a day all of the tail is walked.
    """
    floor = parse_stamp(walk.floor) if walk.floor else None
    if floor is None or window.since is not None:
        return floor
    is_daily = is_due(state, "reread_at", REREAD_EVERY, window)
    return min(floor, window.now - TAIL) if is_daily else floor


def slices(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans of time that are searched one after the other."""
    while start < end:
        until = min(start + LONGEST_SLICE, end)
        yield start, until
        start = until


def questions(us: str, asked: Settings) -> list[dict[str, Any]]:
    """Return what each slice is searched for."""
    return [
        {"mentions": us},
        *({"domain": domain} for domain in asked.domains),
        *({"tag": tag.lstrip("#")} for tag in asked.tags),
        *({"q": '"' + word.replace('"', "") + '"'} for word in asked.words),
    ]


def to_reread(state: State, window: Window) -> list[str]:
    """Return the keys to ask for again: all of `tail` once a day, sooner what was left out."""
    tail = state.get("tail", {})
    if is_due(state, "reread_at", REREAD_EVERY, window):
        return list(tail)
    missing = {name: at for name, at in state.get("missing", {}).items() if name in tail}
    return list(_older(missing, window.now - SURE_AFTER))


def _younger(stamps: Mapping[str, str], than: datetime) -> dict[str, str]:
    return {name: at for name, at in stamps.items() if _moment(at) >= than}


def _older(stamps: Mapping[str, str], than: datetime) -> dict[str, str]:
    return {name: at for name, at in stamps.items() if _moment(at) <= than}


def _moment(stamp: str) -> datetime:
    return parse_stamp(stamp) or datetime.min.replace(tzinfo=UTC)
