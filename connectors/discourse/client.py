"""How a Discourse forum is asked: lists, single things, limits, what does not exist for us.

Belongs here: single calls and pages of calls. Does not belong here: what is due, and what is made
of it (`reads`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from connectors.discourse.streams import ACTIVITY_OVERLAP
from connectors.errors import AuthError, BadRequest, ServerError
from connectors.pagination import LoopGuard, numbered
from connectors.records import members, pick, split, values
from connectors.session import Limit, Session, default_limit

if TYPE_CHECKING:
    from connectors.discourse import Settings

TOPICS_PER_PAGE = 100
POSTS_WINDOW_IDS = 50
LIKERS_PER_PAGE = 200
REACTORS_PER_PAGE = 50
LIKE = 2  # among the actions on a post; the others are flags

KEY_HINT = "The forum refused `api_key` with `api_username`; look at its Admin > API keys."
ADMIN_HINT = (
    "The admin lists are closed to `api_username`: such a key sees public content only. "
    "Give an API key of a staff user."
)


class Forum:
    """Asks one forum. See the module."""

    def __init__(self, settings: Settings, session: Session) -> None:
        self.session = session
        self._settings = settings
        self._has_filter = True
        self.lists_reactors: bool | None = None  # nobody has asked

    def user_page(self, number: int, *, seen_last_first: bool = False) -> list[bytes]:
        """Return a page of the admin list, by age or by who was seen last."""
        asked: dict[str, Any] = {"order": "created", "asc": "true", "page": number}
        if seen_last_first:
            asked |= {"order": "seen", "asc": "false"}
        if self._settings.show_emails:
            asked["show_emails"] = "true"
        try:
            return split(self.get("/admin/users/list/new.json", asked, hint=ADMIN_HINT))
        except BadRequest as refusal:
            if refusal.status != requests.codes.not_found:
                raise
            # To others than staff the admin pages do not even exist.
            raise AuthError(f"{self.session.place}: HTTP 404 for users. {ADMIN_HINT}") from None

    def topic_pages(self, floor: str | None, first: int) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (page number, topics), last active first, down to `floor`.

        Newest first on purpose: a bump during the walk can only repeat a topic, while in
        ascending order it would pull an unread one across the page's edge.
        """

        def is_last(body: bytes) -> bool:
            # Pinned topics lead a page whatever their age, so any young one keeps us going.
            bumps = [values(row, "bumped_at")[0] for row in split(body, "topic_list", "topics")]
            is_below = bumps and not any(b and later(b, floor or b) for b in bumps)
            return bool(is_below) or pick(body, "topic_list", "more_topics_url") is None

        pages = numbered(
            lambda number: self.topic_list(floor, number),
            is_last,
            start=first,
            place=self.session.place,
        )
        for number, (body, _) in enumerate(pages, first):
            yield number, split(body, "topic_list", "topics")

    def topic_list(self, floor: str | None, number: int) -> bytes:
        """Ask for a page of `/filter.json`, or of `/latest.json` where that is too new."""
        page = {"page": number, "per_page": TOPICS_PER_PAGE}
        if self._has_filter:
            query = "order:activity"
            if floor is not None:
                day = datetime.fromisoformat(floor) - ACTIVITY_OVERLAP
                query += f" activity-after:{day:%Y-%m-%d}"
            body = self.get_or_none("/filter.json", {"q": query, **page})
            if body is not None:
                return body
            self._has_filter = False
        return self.get("/latest.json", {"order": "activity", **page})

    def category_pages(self, parent: int | None = None) -> Iterator[list[bytes]]:
        """Yield the categories below `parent` (None: all of them), each once.

        Usually one answer has them all, nested. A forum with many shows 20 a page, with so few
        of those below each that the others have to be asked for.
        https://github.com/discourse/discourse/blob/main/app/models/category_list.rb
        """
        asked = {"include_subcategories": "true"}
        if parent is not None:
            asked["parent_category_id"] = str(parent)
        seen: set[int] = set()
        below: dict[int, list[int]] = {}
        for number in itertools.count(1):
            body = self.get("/categories.json", {**asked, "page": number})
            rows = [
                row
                for top in split(body, "category_list", "categories")
                for row in _with_those_below(top)
                if values(row, "id")[0] not in seen
            ]
            yield rows
            if not rows:  # past the end, where older versions show everything again
                break
            found = [values(row, "id", "subcategory_ids") for row in rows]
            seen.update(key for key, _ in found)
            below |= {key: ids for key, ids in found if key is not None and ids}
        for key, ids in below.items():
            if not seen.issuperset(ids):
                yield from self.category_pages(key)

    def topic(self, topic_id: int) -> bytes | None:
        """Return a topic that everybody who may read the forum can see, else None."""
        view = self.get_or_none(f"/t/{topic_id}.json")
        if view is None or pick(view, "deleted_at") or pick(view, "archetype") != "regular":
            return None
        return view

    def post_pages(self, before: int | None, floor: int = 0) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (id below which to go on, posts), the newest first, from below `before` to `floor`.

        A page may be short or empty without being the last: older versions answer a window of
        50 ids (https://github.com/discourse/discourse/pull/3126). Of the first page that says
        nothing, either: the newest 50 may all be private or deleted.
        """
        while before is None or before > floor:
            rows = split(self.get("/posts.json", before and {"before": before}), "latest_posts")
            ids = [key for row in rows if (key := values(row, "id")[0]) is not None]
            if before is None and not ids:
                before = self.newest_listed() + 1
                continue
            below = max(ids) if before is None else before - 1
            before = min([*ids, below]) if ids else below + 2 - POSTS_WINDOW_IDS
            yield before, rows

    def newest_listed(self) -> int:
        """Return the newest id of the topic that was written in last; 0: there is none for us."""
        topics = [
            (written or bumped, key)
            for row in split(self.topic_list(None, 0), "topic_list", "topics")
            for key, written, bumped in [values(row, "id", "last_posted_at", "bumped_at")]
            if key is not None and (written or bumped)
        ]
        _, key = max(topics, key=lambda told: datetime.fromisoformat(told[0]), default=("", None))
        view = None if key is None else self.topic(key)
        return max(pick(view, "post_stream", "stream") or [0]) if view else 0

    def likers(self, post_id: int, *, with_emoji: bool) -> list[bytes] | None:
        """Return who liked a post; of a forum with emoji also who reacted with which.

        The plugin of the emoji lists both since 2025; before, and without it, likes alone are
        listed. None: the post is not there.
        https://github.com/discourse/discourse/tree/main/plugins/discourse-reactions
        """
        if with_emoji and self.lists_reactors is not False:
            path = f"/discourse-reactions/posts/{post_id}/reactions-users-list.json"
            found = self._listed(path, {}, REACTORS_PER_PAGE, "users")
            if found is not None or self.lists_reactors:
                self.lists_reactors = True
                return found
        asked = {"id": post_id, "post_action_type_id": LIKE}
        found = self._listed("/post_action_users.json", asked, LIKERS_PER_PAGE, "post_action_users")
        if found is not None and with_emoji:
            self.lists_reactors = False  # the post is there, so it was the list that is not
        return found

    def revision(self, post_id: int, number: int | None) -> bytes | None:
        """Return an edit of a post, by default the newest; None: there is none for us."""
        return self.get_or_none(f"/posts/{post_id}/revisions/{number or 'latest'}.json")

    def post(self, post_id: str) -> bytes | None:
        """Return a post that everybody who may read its topic can see, else None."""
        row = self.get_or_none(f"/posts/{post_id}.json")
        return None if row is None or pick(row, "deleted_at") else row

    def _listed(self, path: str, asked: dict[str, int], size: int, at: str) -> list[bytes] | None:
        """Return all pages of a list, None if there is none for us."""
        guard = LoopGuard(self.session.place)
        rows: list[bytes] = []
        while body := self.get_or_none(path, {**asked, "limit": size, "page": len(rows) // size}):
            page = split(body, at)
            rows += page
            if len(page) < size:
                return rows
            guard.check(body)
        return rows or None

    def get(self, path: str, asked: Any = None, hint: str = KEY_HINT) -> bytes:
        """Return what a path answers; an error that comes with HTTP 200 is one all the same.

        Taken for a topic, it would say that the topic and its posts are gone.
        """
        body = self.session.fetch("GET", path, params=asked, hint=hint)
        if body.startswith(b"{") and members(body).keys() & {"errors", "error_type"}:
            raise ServerError(
                f"{self.session.place}: `{path}` answered HTTP 200 with an error instead of data. "
                "Try again later.",
                place=self.session.place,
                status=requests.codes.ok,
            )
        return body

    def get_or_none(self, path: str, asked: Any = None) -> bytes | None:
        """Return None for what does not exist, or not for us."""
        try:
            return self.get(path, asked)
        except BadRequest as refusal:
            if refusal.status not in (requests.codes.not_found, requests.codes.gone):
                raise
        except AuthError:
            self.who()  # raises if it is the key that is refused, not this one thing
        return None

    def who(self) -> dict[str, Any]:
        """Return the user that the key acts as."""
        return pick(self.get("/session/current.json"), "current_user") or {}


def _with_those_below(category: bytes) -> Iterator[bytes]:
    yield category
    for below in split(bytes(members(category).get("subcategory_list", b"null"))):
        yield from _with_those_below(below)


def limits(answer: requests.Response) -> Limit | None:
    """Read the wait of the controllers' 429, `extras.wait_seconds`; the other has headers, one of
    which names the limit of an address that was met: of 10 seconds, or of 60.

    https://github.com/discourse/discourse/blob/main/app/controllers/application_controller.rb
    https://github.com/discourse/discourse/blob/main/lib/middleware/request_tracker.rb
    """
    if answer.status_code != requests.codes.too_many_requests:
        return None
    limit = default_limit(answer)
    code = answer.headers.get("Discourse-Rate-Limit-Error-Code", "")
    if limit and (named := re.fullmatch(r"ip_(\d+)_secs_limit", code)):
        return replace(limit, reason="the forum's limit of an address", window_s=float(named[1]))
    wait_s = pick(answer.content, "extras", "wait_seconds")
    return Limit(float(wait_s), reason="the forum's limit") if wait_s is not None else None


def later(stamp: str, than: str) -> bool:
    """Tell whether a stamp is not before another."""
    return datetime.fromisoformat(stamp) >= datetime.fromisoformat(than)
