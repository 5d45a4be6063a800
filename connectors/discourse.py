"""Discourse: users, topics and posts of a forum.

https://docs.discourse.org/ and, where that is silent, the server's source.

Auth: an API key of type "All users" or "Single user" with `api_username`. Users come from the
admin lists, so that user must be staff; topics and posts need read access only.
Limits: per instance, by default 60 calls/min for admin keys, 50/10 s and 200/min per address.
No header tells what is left; a 429 comes as text with `Retry-After` or as JSON.
Deletes: nothing is reported. A user is gone when a complete list lacks them; a topic or a post
when it left its list or its topic's `stream` and asking for it by id confirms it.
Never taken: private messages, whispers, small actions, and any text.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import zlib
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import msgspec
import requests

from connectors.base import Check, Page, Policy, State, Stream, Tombstone, Window, by_field
from connectors.discovery import (
    Discovery,
    FoundField,
    FoundObject,
    FoundStream,
    guess_pii,
    shape,
    taken_fields,
)
from connectors.errors import AuthError, BadRequest
from connectors.incremental import NewestFirstWalk
from connectors.pagination import numbered
from connectors.planning import ALWAYS, Allowance, Cost, Step
from connectors.records import pick, split, values
from connectors.session import Limit, Session

TYPE = "discourse"
SILO = "forum"

POSTS_PER_BATCH = 20
POSTS_WINDOW_IDS = 50
LOOKBACK_IDS = 50
POSTS_REREAD_PER_TOPIC = 200
TOPICS_PER_PAGE = 100
REGULAR, MODERATOR_ACTION = 1, 2
ACTIVITY_OVERLAP = timedelta(days=1)  # `activity-after` knows days only, in the server's zone
TAIL = timedelta(days=14)
REREAD_EVERY = timedelta(days=1)
CENSUS_EVERY = timedelta(days=7)
PUNCTUAL = timedelta(hours=1)  # a daily sync that starts a little earlier is still a day later
SSO_REFRESH_EVERY = timedelta(days=30)
USERS_PER_PAGE = 100
POSTS_PER_VIEW = 20
ADMIN_CALLS_PER_MINUTE = 60  # a forum's default, which its administrators can change
PAGES_SAMPLED = 3

KEY_HINT = "The forum refused `api_key` with `api_username`; look at its Admin > API keys."
ADMIN_HINT = (
    "The admin lists are closed to `api_username`: such a key sees public content only. "
    "Give an API key of a staff user."
)

_MARKED = ("username", "name", "email", "active", "staged", "admin", "moderator", "trust_level")
_TOPIC_MARKED = ("posts_count", "like_count", "highest_post_number", "has_accepted_answer")

_TAKEN_BY_SETTING = {
    "email": "`show_emails: true` takes it",
    "secondary_emails": "`show_emails: true` takes it",
    "single_sign_on_record.external_id": "`sso: true` takes it, by one call per user",
}
TWICE = "if any was deleted since, the whole list is read twice, to be sure of it"
_TEXTS = ("raw", "cooked", "excerpt", "title", "fancy_title", "topic_title", "topic_html_title")
_NOT_READ = (
    FoundObject(name="private_messages", label="Messages", note="never taken"),
    FoundObject(name="whispers", label="Whispers and small actions", note="never taken"),
    FoundObject(name="chat_messages", label="Chat", note="not built"),
    FoundObject(name="categories", label="Categories and tags", note="only their ids are taken"),
    FoundObject(name="groups", label="Groups and their members", note="not built"),
    FoundObject(name="badges", label="Badges and who has them", note="not built"),
    FoundObject(name="likes", label="Who liked what", note="only their number is taken"),
    FoundObject(name="polls", label="Polls and votes", note="not built"),
)

POLICY = Policy(
    link_bases=("email", "external_id", "self_link", "manual"),
    text_retention_days=365,
    terms_url="https://www.discourse.org/terms",
    terms_date="2026-11-01",
)

STREAMS: tuple[Stream, ...] = (
    Stream(
        name="users",
        key=("id",),
        fields=(
            *("id", "username", "name", "email", "secondary_emails", "created_at", "last_seen_at"),
            *("active", "staged", "admin", "moderator", "trust_level", "post_count"),
            *("suspended_at", "suspended_till", "silenced_till"),
            "single_sign_on_record.external_id",
        ),
        sync_mode="full",
        deletes="census",
        types=by_field(
            integer="id trust_level post_count",
            boolean="active staged admin moderator",
            timestamp="created_at last_seen_at suspended_at suspended_till silenced_till",
            json="secondary_emails single_sign_on_record",
        ),
        pii=by_field(
            direct="name email secondary_emails",
            pseudonym="id username single_sign_on_record",
        ),
        coverage="an anonymized user stays, under the same id and a name like `anon12345`",
    ),
    Stream(
        name="topics",
        key=("id",),
        fields=(
            *("id", "created_at", "last_posted_at", "bumped_at", "posts_count", "reply_count"),
            *("highest_post_number", "like_count", "category_id", "tags", "archetype", "visible"),
            *("closed", "archived", "pinned", "has_accepted_answer", "deleted_at"),
        ),
        cursor="bumped_at",
        cursor_trusted=False,  # staff can move it back, and most changes leave it alone
        lookback=ACTIVITY_OVERLAP,
        deletes="census",
        types=by_field(
            integer="id posts_count reply_count highest_post_number like_count category_id",
            boolean="visible closed archived pinned has_accepted_answer",
            timestamp="created_at last_posted_at bumped_at deleted_at",
            json="tags",
        ),
        coverage="what does not bump a topic (likes, closing, deletion) is noticed within 1 day "
        "for 14 days after its last activity, then within 7 days",
    ),
    Stream(
        name="posts",
        key=("id",),
        fields=(
            *("id", "topic_id", "post_number", "post_type", "reply_to_post_number", "user_id"),
            *("username", "created_at", "updated_at", "version", "deleted_at", "user_deleted"),
            *("hidden", "staff", "admin", "moderator", "trust_level", "accepted_answer"),
            *("actions_summary.id", "actions_summary.count", "reactions.id", "reactions.count"),
        ),
        cursor="updated_at",
        cursor_trusted=False,  # likes, reactions and accepted answers leave it alone
        lookback=ACTIVITY_OVERLAP,
        deletes="reread",
        types=by_field(
            integer="id topic_id post_number post_type reply_to_post_number user_id version "
            "trust_level",
            boolean="user_deleted hidden staff admin moderator accepted_answer",
            timestamp="created_at updated_at deleted_at",
            json="actions_summary reactions",
        ),
        pii=by_field(pseudonym="user_id username"),
        coverage="edits, likes, deletions and moderators' notes are noticed in topics active "
        "within 14 days, there in the newest 200 posts",
    ),
)


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `discourse` in rapport.yml.

    Attributes:
        url: address of the forum, sub-folder included.
        api_key: API key.
        api_username: user that the key acts as; staff, without muted categories or tags.
        show_emails: take users' e-mail addresses; the forum logs each such call of staff.
        sso: take the id that the forum's single sign-on knows a user by: one call per new or
            changed user.
    """

    url: str
    api_key: str
    api_username: str = "system"
    show_emails: bool = False
    sso: bool = False


def connect(name: str, settings: Settings, session: Session) -> Discourse:
    """Return the forum as a source; nothing is asked of it yet."""
    session.base_url = settings.url.rstrip("/")
    session.headers.update(
        {
            "Api-Key": settings.api_key,
            "Api-Username": settings.api_username,
            "Accept": "application/json",
        }
    )
    return Discourse(name, settings, session)


class Discourse:
    """One forum. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        self._has_filter = True
        self._active: dict[str, _Active] = {}

    def streams(self) -> Sequence[Stream]:
        """Return the streams, without the fields that the settings do not ask for."""
        unasked = set()
        if not self._settings.show_emails:
            unasked |= {"email", "secondary_emails"}  # staff sees some of them unasked
        if not self._settings.sso:
            unasked.add("single_sign_on_record.external_id")
        return tuple(
            dataclasses.replace(stream, fields=tuple(f for f in stream.fields if f not in unasked))
            for stream in STREAMS
        )

    def check(self) -> Check:
        """Ask who we are, and whether the admin lists are open to us."""
        user = self._who()
        try:
            self._user_page(1)
            detail = "admin lists readable"
        except AuthError:
            detail = ADMIN_HINT
        return Check(
            ok=detail != ADMIN_HINT,
            account=f"user {user.get('id')} at {self.session.base_url}",
            detail=detail,
            clock_skew_s=(self.session.server_now() - datetime.now(UTC)).total_seconds(),
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        if stream.name == "users":
            return self._users(dict(state), window)
        if stream.name == "topics":
            return self._topics(stream, dict(state), window)
        return self._posts(dict(state), window)

    # What there is, and what reading it would cost

    def discover(self) -> Discovery:
        """Look at one page of each list: a forum does not describe itself."""
        samples: dict[str, Callable[[], list[bytes]]] = {
            "users": lambda: self._user_page(1),
            "topics": lambda: split(self._topic_list(None, 0), "topic_list", "topics"),
            "posts": lambda: split(self._get("/posts.json"), "latest_posts"),
        }
        return Discovery(
            streams=tuple(_found(stream, samples[stream.name]) for stream in self.streams()),
            objects=_NOT_READ,
            how="what Discourse is known to have; which of it this forum uses was not asked",
        )

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, from the site's counts and the first lists."""
        state = dict(state)
        if stream.name == "users":
            return self._plan_users(state, window)
        if stream.name == "topics":
            return self._plan_topics(stream, state, window)
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
        if _is_due(state, "marks_at", SSO_REFRESH_EVERY, window):
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
            walk.floor is None or _is_due(state, "census_at", CENSUS_EVERY, window)
        )
        if is_whole or walk.floor is None:
            count, how = self._stats.get("topics_count", 0), "all topics by about.json"
        else:
            floor = walk.floor
            if not is_resumed and _is_due(state, "tail_at", REREAD_EVERY, window):
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
        is_reread = _is_due(state, "reread_at", REREAD_EVERY, window)
        active = self._active_topics(_posts_floor(state, window))
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

    @functools.cached_property
    def _stats(self) -> dict[str, int]:
        """Return the site's own counts; empty if it hides them."""
        return pick(self._get("/about.json"), "about", "stats") or {}

    @functools.cached_property
    def _marks_lately(self) -> dict[str, int]:
        """Return id -> mark of the users seen last: who changed is nearly always among them."""
        marks: dict[str, int] = {}
        for number in range(1, PAGES_SAMPLED + 1):
            rows = self._user_page(number, seen_last_first=True)
            marks |= {str(key): mark for key, mark in map(_user_mark, rows) if key is not None}
            if len(rows) < USERS_PER_PAGE:
                break
        return marks

    @functools.cached_property
    def _newest_post(self) -> tuple[int, int]:
        """Return the newest post's id, and how many ids a page of posts goes down."""
        rows = split(self._get("/posts.json"), "latest_posts")
        ids = [key for row in rows if (key := values(row, "id")[0]) is not None]
        if len(ids) < POSTS_WINDOW_IDS:  # either the window of older versions, or all there are
            return max(ids, default=0), POSTS_WINDOW_IDS
        return max(ids), max(ids) - min(ids) + 1

    def _active_topics(self, floor: str) -> _Active:
        """Return the topics active since `floor`, or how many there must be by the first pages."""
        if floor not in self._active:
            rows: list[_Listed] = []
            is_all = True
            for number, page in self._topic_pages(floor, 0):
                if number == PAGES_SAMPLED:
                    is_all = False
                    break
                rows += [row for row in map(_listed, page) if row and _later(row.bumped, floor)]
            count = len(rows)
            if not is_all and rows:
                stamps = [datetime.fromisoformat(row.bumped) for row in rows]
                covered = max(stamps) - min(stamps)
                count = round(count * ((max(stamps) - datetime.fromisoformat(floor)) / covered))
            how = f"active since {floor[:10]}, " + ("listed" if is_all else "by the newest pages")
            self._active[floor] = _Active(rows, count, how)
        return self._active[floor]

    # Users

    def _users(self, state: State, window: Window) -> Iterator[Page]:
        """Read the whole list, by age so that new users come last.

        State: `walk`, `known` (see `_lacks`), and with `sso` the `marks` of users whose
        sign-on was asked for, since `marks_at`.
        """
        if self._settings.sso and _is_due(state, "marks_at", SSO_REFRESH_EVERY, window):
            state |= {"marks": {}, "marks_at": window.now.isoformat()}
        walk = state.pop("walk", None)
        seen: set[int] = set()
        for first in [walk["position"]] if walk else [1, 1]:
            shown: set[int] = set()
            for number in itertools.count(first):  # pages count from 1, and page 0 is page 1
                rows = self._user_page(number)
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

    def _user_page(self, number: int, *, seen_last_first: bool = False) -> list[bytes]:
        asked: dict[str, Any] = {"order": "created", "asc": "true", "page": number}
        if seen_last_first:
            asked |= {"order": "seen", "asc": "false"}
        if self._settings.show_emails:
            asked["show_emails"] = "true"
        try:
            return split(self._get("/admin/users/list/new.json", asked, hint=ADMIN_HINT))
        except BadRequest as refusal:
            if refusal.status != requests.codes.not_found:
                raise
            # To others than staff the admin pages do not even exist.
            raise AuthError(f"{self.session.place}: HTTP 404 for users. {ADMIN_HINT}") from None

    def _with_sign_on(
        self, rows: Sequence[bytes], marks: dict[str, int]
    ) -> tuple[list[bytes], list[str], dict[str, int]]:
        """Splice the sign-on record into the bytes of each new or changed user.

        Only a user's own page tells it. Unchanged users are seen but not read: what the list
        says of them would wipe out what their page told.
        """
        marks, records, unchanged = dict(marks), [], []
        for row in rows:
            key, mark = _user_mark(row)
            if marks.get(str(key)) == mark:
                unchanged.append(str(key))
                continue
            detail = self._get_or_none(f"/admin/users/{key}.json") if key is not None else None
            records.append(_spliced(row, detail) if detail else row)
            marks[str(key)] = mark
        return records, unchanged, marks

    # Topics

    def _topics(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read what was active since the last walk; now and then a longer tail, or everything.

        State: that of `NewestFirstWalk`, `known`, `census_at`, `tail` (id -> bumped_at of the
        topics of the last 14 days) and `tail_at`.
        """
        walk = NewestFirstWalk.begin(stream, state, window)
        is_whole = is_tail = False
        if walk.position is None and window.since is None:
            is_whole = walk.floor is None or _is_due(state, "census_at", CENSUS_EVERY, window)
            is_tail = is_whole or _is_due(state, "tail_at", REREAD_EVERY, window)
        tail_from = (window.now - TAIL).isoformat()
        if is_tail:
            walk.floor = None if is_whole else min(str(walk.floor), tail_from)
        seen: dict[int, str] = {}
        for first in (walk.position or 0, 0):
            for number, rows in self._topic_pages(walk.floor, first):
                for row in rows:
                    key, bumped = values(row, "id", "bumped_at")
                    if key is not None and bumped is not None:
                        seen[key] = bumped
                        if number == 0:
                            walk.see(bumped)
                # A deletion pulls later topics one place up: a page is done when the next is.
                yield Page(records=rows, state=walk.at(number))
            if not (is_whole and _lacks(seen, state)):
                break
        state = walk.done()
        missed: list[Tombstone] = []
        if is_tail:
            if not is_whole:
                missed = self._gone_topics(state.get("tail", {}), seen, str(walk.floor))
            state["tail"] = {str(k): at for k, at in seen.items() if _later(at, tail_from)}
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
            if int(key) not in seen and _later(bumped, floor) and self._topic(int(key)) is None
        ]

    def _topic_pages(self, floor: str | None, first: int) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (page number, topics), last active first, down to `floor`.

        Newest first on purpose: a bump during the walk can only repeat a topic, while in
        ascending order it would pull an unread one across the page's edge.
        """

        def is_last(body: bytes) -> bool:
            # Pinned topics lead a page whatever their age, so any young one keeps us going.
            bumps = [values(row, "bumped_at")[0] for row in split(body, "topic_list", "topics")]
            is_below = bumps and not any(b and _later(b, floor or b) for b in bumps)
            return bool(is_below) or pick(body, "topic_list", "more_topics_url") is None

        pages = numbered(
            lambda number: self._topic_list(floor, number),
            is_last,
            start=first,
            place=self.session.place,
        )
        for number, (body, _) in enumerate(pages, first):
            yield number, split(body, "topic_list", "topics")

    def _topic_list(self, floor: str | None, number: int) -> bytes:
        """Ask for a page of `/filter.json`, or of `/latest.json` where that is too new."""
        page = {"page": number, "per_page": TOPICS_PER_PAGE}
        if self._has_filter:
            query = "order:activity"
            if floor is not None:
                day = datetime.fromisoformat(floor) - ACTIVITY_OVERLAP
                query += f" activity-after:{day:%Y-%m-%d}"
            body = self._get_or_none("/filter.json", {"q": query, **page})
            if body is not None:
                return body
            self._has_filter = False
        return self._get("/latest.json", {"order": "activity", **page})

    # Posts

    def _posts(self, state: State, window: Window) -> Iterator[Page]:
        """Read new posts by id, then the topics of the last 14 days that changed.

        State: `walk` and `high` (see `_new_posts`), `topics` (id -> mark, post ids),
        `seen_to` (when topics were last compared) and `reread_at` (when all of them were).
        """
        if "walk" in state:  # begun by an earlier sync
            yield from self._new_posts(state, window)
        yield from self._new_posts(state, window)

        is_reread = _is_due(state, "reread_at", REREAD_EVERY, window)
        floor = _posts_floor(state, window)
        held: dict[str, dict[str, Any]] = state.get("topics", {})
        listed: dict[str, str] = {}
        for _, rows in self._topic_pages(floor, 0):
            for row in map(_listed, rows):
                if row is not None and _later(row.bumped, floor):
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
            if _later(mark.split()[0], floor):  # not aged, yet no longer listed
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
        after a crash. A page may be short or empty without being the last: older versions
        answer a window of 50 ids (https://github.com/discourse/discourse/pull/3126).
        """
        walk = state.pop("walk", {"top": None, "at": None})
        top, before = walk["top"], walk["at"]
        floor = max(state.get("high", 0) - LOOKBACK_IDS, 0)
        while before is None or before > floor:
            rows = split(self._get("/posts.json", before and {"before": before}), "latest_posts")
            found = [values(row, "id", "created_at") for row in rows]
            ids = [key for key, _ in found if key is not None]
            if before is None:
                if not ids:
                    break
                top = before = max(ids) + 1
            before = min([*ids, before - 1]) if ids else before - POSTS_WINDOW_IDS
            if (
                window.since
                and rows
                and not any(at and _later(at, window.since.isoformat()) for _, at in found)
            ):
                before = floor
            here = state | {"walk": {"top": top, "at": before}}
            yield Page(records=[row for row in rows if _is_kept(row)], state=here)
        if top is not None:
            state["high"] = max(top - 1, state.get("high", 0))

    def _reread(
        self, topic_id: int, known: Sequence[int]
    ) -> tuple[list[bytes], list[Tombstone], list[int]]:
        """Return a topic's posts, tombstones of those that left it, and the ids it has now."""
        view = self._topic(topic_id)
        rows: list[bytes] = []
        ids: list[int] = []
        if view is not None:
            rows = split(view, "post_stream", "posts")
            ids = pick(view, "post_stream", "stream") or []
            shown = {values(row, "id")[0] for row in rows}
            rest = [key for key in ids[-POSTS_REREAD_PER_TOPIC:] if key not in shown]
            for start in range(0, len(rest), POSTS_PER_BATCH):
                batch = [("post_ids[]", key) for key in rest[start : start + POSTS_PER_BATCH]]
                rows += split(self._get(f"/t/{topic_id}/posts.json", batch), "post_stream", "posts")
        unkept = {values(row, "id")[0] for row in rows if not _is_kept(row)}
        ids = [key for key in ids if key not in unkept]
        records = [row for row in rows if _is_kept(row)]
        tombstones = []
        for key in sorted({*known} - {*ids}):
            post = self._get_or_none(f"/posts/{key}.json")
            deleted_at, home = values(post, "deleted_at", "topic_id") if post else (None, None)
            if post is None or deleted_at is not None or home == topic_id or not _is_kept(post):
                tombstones.append(Tombstone(key=str(key)))
            else:
                records.append(post)  # moved to another topic
        return records, tombstones, ids

    def _topic(self, topic_id: int) -> bytes | None:
        """Return a topic that everybody who may read the forum can see, else None."""
        view = self._get_or_none(f"/t/{topic_id}.json")
        if view is None or pick(view, "deleted_at") or pick(view, "archetype") != "regular":
            return None
        return view

    # Requests

    def _get(self, path: str, asked: Any = None, hint: str = KEY_HINT) -> bytes:
        return self.session.fetch("GET", path, params=asked, hint=hint)

    def _get_or_none(self, path: str, asked: Any = None) -> bytes | None:
        """Return None for what does not exist, or not for us."""
        try:
            return self._get(path, asked)
        except BadRequest as refusal:
            if refusal.status not in (requests.codes.not_found, requests.codes.gone):
                raise
        except AuthError:
            self._who()  # raises if it is the key that is refused, not this one thing
        return None

    def _who(self) -> dict[str, Any]:
        return pick(self._get("/session/current.json"), "current_user") or {}


def limits(answer: requests.Response) -> Limit | None:
    """Read the wait of the controllers' 429, `extras.wait_seconds`; the other has a header.

    https://github.com/discourse/discourse/blob/main/app/controllers/application_controller.rb
    """
    if answer.status_code != requests.codes.too_many_requests:
        return None
    wait_s = pick(answer.content, "extras", "wait_seconds")
    return Limit(float(wait_s), reason="the forum's limit") if wait_s is not None else None


def _user_mark(row: bytes) -> tuple[Any, int]:
    """Return a user's id, and what changes with whatever is worth reading their page for."""
    key, *identity = values(row, "id", *_MARKED)
    return key, zlib.crc32(msgspec.json.encode(identity))


class _Listed(NamedTuple):
    """A topic as a list shows it; `mark` changes with whatever is worth reading it again for."""

    key: str
    bumped: str
    mark: str
    posts_count: int


class _Active(NamedTuple):
    """Topics active since some time: those listed, how many in all, and how that is known."""

    rows: list[_Listed]
    total: int
    how: str


def _listed(row: bytes) -> _Listed | None:
    key, bumped, *rest = values(row, "id", "bumped_at", *_TOPIC_MARKED)
    if key is None or bumped is None:
        return None
    return _Listed(str(key), bumped, f"{bumped} {zlib.crc32(repr(rest).encode())}", rest[0] or 0)


def _posts_floor(state: State, window: Window) -> str:
    """Return since when topics are compared: for the tail's time, or since the last sync."""
    floors = [(window.now - TAIL).isoformat()]
    if "seen_to" in state:
        floors.append((datetime.fromisoformat(state["seen_to"]) - ACTIVITY_OVERLAP).isoformat())
    return min(floors)


def _view_calls(posts_count: int) -> int:
    """Return how many calls `_reread` makes for a topic from which nothing has left."""
    newest = min(posts_count, POSTS_REREAD_PER_TOPIC)
    shown = POSTS_PER_VIEW - (posts_count - newest)  # the view shows the oldest ones
    return 1 + math.ceil(max(0, newest - max(0, shown)) / POSTS_PER_BATCH)


def _found(stream: Stream, sample: Callable[[], list[bytes]]) -> FoundStream:
    """Return a stream with the fields that a page of its records shows."""
    try:
        records = sample()
    except AuthError as refusal:
        return FoundStream(
            stream=stream,
            fields=taken_fields(stream),
            how="cannot tell: the list is closed to this key",
            is_complete=False,
            note=str(refusal),
        )
    types = shape(records)
    taken_below = {name.partition(".")[0] for name in stream.fields}
    others = [name for name in types if name not in taken_below]
    by_setting = [
        name
        for declared in STREAMS
        if declared.name == stream.name
        for name in declared.fields
        if name not in stream.fields
    ]
    fields = taken_fields(stream)
    for name in dict.fromkeys([*by_setting, *others]):
        pii, basis = guess_pii(name)
        if name in _TEXTS:
            pii, basis = "text", "known: what people write"
        fields += (
            FoundField(
                name=name,
                is_taken=False,
                vendor_type=types.get(name, ""),
                type=types.get(name, "text"),
                pii=pii,
                pii_basis=basis,
                note=_TAKEN_BY_SETTING.get(name, ""),
                can_be_taken=False,
            ),
        )
    unseen = [f for f in stream.fields if f.partition(".")[0] not in types] if records else []
    return FoundStream(
        stream=stream,
        fields=fields,
        how=f"a page of {len(records)} records; what none of them has is not listed",
        is_complete=False,
        unseen=tuple(unseen),
    )


def _is_kept(post: bytes) -> bool:
    """Keep people's posts and moderators' notes: no small actions, never a whisper.

    A post whose type cannot be read goes on, to be quarantined.
    """
    return values(post, "post_type")[0] in (REGULAR, MODERATOR_ACTION, None)


def _spliced(row: bytes, detail: bytes) -> bytes:
    """Put the sign-on record of a user's own page behind the fields of the list."""
    members = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    told = msgspec.json.decode(detail, type=dict[str, msgspec.Raw])
    record = told.get("single_sign_on_record", msgspec.Raw(b"null"))
    return msgspec.json.encode(members | {"single_sign_on_record": record})


def _lacks(seen: Collection[int], state: State) -> bool:
    """Tell whether a walk showed fewer of the old ids than the one before it.

    Either they are deleted, or a deletion during the walk pulled others across the edge of
    a page: only what a second walk misses too is believed to be gone.
    """
    known = state.get("known")
    return known is not None and sum(key <= known["newest"] for key in seen) < known["count"]


def _is_due(state: State, name: str, every: timedelta, window: Window) -> bool:
    last = state.get(name)
    return last is None or window.now - datetime.fromisoformat(last) >= every - PUNCTUAL


def _later(stamp: str, than: str) -> bool:
    return datetime.fromisoformat(stamp) >= datetime.fromisoformat(than)
