"""The HTTP API of a Discourse forum, as an ASGI application.

Belongs here: routes, JSON shapes, who may see what, paging, limits and error bodies.
Does not belong here: what writes do (`sandbox.discourse.store`).

Faithful to discourse/discourse `lib/topic_query.rb`, `lib/topics_filter.rb`,
`lib/topic_view.rb`, `lib/latest_posts_query.rb`, `lib/admin_user_index_query.rb`,
`lib/middleware/request_tracker.rb`, `app/controllers/post_action_users_controller.rb`,
`app/serializers/post_revision_serializer.rb`, the plugin discourse-reactions and the official
OpenAPI description. Differences, on purpose: drafts,
bookmarks, notifications and suggested topics are always empty, and nothing can be written
through HTTP.
"""

from __future__ import annotations

import html
import math
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.clock import Clock
from sandbox.control import control_routes
from sandbox.discourse.store import (
    REGULAR,
    SYSTEM_ID,
    WHISPER,
    Category,
    Forum,
    Post,
    Revision,
    Topic,
    User,
)
from sandbox.faults import FaultMiddleware, Faults

TOPICS_PER_PAGE = 30
POSTS_PER_CHUNK = 20
PRINT_CHUNK = 1_000
POSTS_WINDOW = 50
USERS_PER_PAGE = 100
DIRECTORY_PER_PAGE = 50
ACTION_USERS_PER_PAGE = 200
REACTORS_PER_PAGE, MOST_REACTORS = 30, 50
USER_ACTIONS_PER_PAGE = 30
CATEGORIES_PER_PAGE = 20
SUBCATEGORIES_PER_CATEGORY = 5
LIKE_ACTION = 2
MOST_REVISIONS = 99
VERSION = "2026.10.0"

_json = msgspec.json.Encoder()
_MENTION = re.compile(r"(?<![\w@])@([\w.\-]{3,60})")
_QUOTE = re.compile(
    r'\[quote="([^,"]+), post:(\d+), topic:(\d+)[^"]*"\]\n?(.*?)\n?\[/quote\]', re.DOTALL
)
_FILTER_TERM = re.compile(r'([a-z\-]+):("[^"]*"|\S+)')
_FILTER_DATE = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}$")
_TAGS = re.compile(r"<[^>]+>")


class Rejected(Exception):
    """An answer that ends the request: carried from wherever it is decided."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def app(forum: Forum, clock: Clock, faults: Faults | None = None) -> Starlette:
    """Return the application that serves `forum`, with the sandbox's side door.

    Besides the general kinds of `sandbox.faults`, `faults` may ask for `429` (JSON),
    `429_text`, `429_crawler` and `503_html` in the vendor's own shapes.
    """
    faults = faults or Faults()
    site = _Site(forum, clock)
    routes = [
        Route(path, site.answer(path, handler), methods=["GET"])
        for path, handler in (
            ("/latest.json", site.latest),
            ("/latest", site.latest),
            ("/filter.json", site.filter),
            ("/filter", site.filter),
            ("/t/{topic_id:int}.json", site.topic),
            ("/t/{slug}/{topic_id:int}.json", site.topic),
            ("/t/{topic_id:int}/posts.json", site.topic_posts),
            ("/posts.json", site.latest_posts),
            ("/posts/{post_id:int}.json", site.post),
            ("/posts/{post_id:int}/revisions/latest.json", site.latest_revision),
            ("/posts/{post_id:int}/revisions/{number:int}.json", site.revision),
            ("/post_action_users.json", site.post_action_users),
            ("/discourse-reactions/posts/{post_id:int}/reactions-users-list.json", site.reactors),
            ("/user_actions.json", site.user_actions),
            ("/admin/users/list/{flag}.json", site.admin_users),
            ("/admin/users/{user_id}.json", site.admin_user),
            ("/u/by-external/{external_id}.json", site.user_by_external),
            ("/u/{username}.json", site.user),
            ("/directory_items.json", site.directory),
            ("/topics/private-messages/{username}.json", site.private_messages),
            ("/categories.json", site.categories),
            ("/site.json", site.site),
            ("/site/basic-info.json", site.basic_info),
            ("/about.json", site.about),
            ("/session/current.json", site.session),
        )
    ]
    answers = {
        "429": lambda fault: rate_limited_json(_seconds(fault.wait_s)),
        "429_text": lambda fault: rate_limited_text(_seconds(fault.wait_s), "ip_10_secs_limit"),
        "429_crawler": lambda fault: rate_limited_crawler(_seconds(fault.wait_s)),
        "503_html": lambda fault: maintenance(
            30 if fault.wait_s is None else _seconds(fault.wait_s)
        ),
    }
    return Starlette(
        routes=[
            *routes,
            Route("/srv/status", site.status),
            *control_routes(clock, faults, site.requests, _credentials(forum)),
        ],
        middleware=[
            Middleware(_DateHeader, clock=clock),
            Middleware(FaultMiddleware, faults=faults, vendor="discourse", answers=answers),
        ],
        exception_handlers={404: site.no_route},
    )


def _credentials(forum: Forum) -> dict[str, str]:
    """Return a key for all users and an administrator to use it as, if there are any."""
    keys = [key for key, bound in forum.api_keys.items() if bound is None]
    admins = [user.username for user in forum.users.values() if user.admin and user.id > 0]
    return {"api_key": keys[0], "api_username": admins[0]} if keys and admins else {}


class _DateHeader:
    """Puts the world's time into every answer, as the server's clock."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self.app = app
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Date"] = self.clock.http_date()
            await send(message)

        await self.app(scope, receive, dated)


def rate_limited_text(seconds: int, code: str) -> Response:
    """Return the middleware's 429: plain text, the code in a header."""
    return PlainTextResponse(
        "Slow down, you're making too many requests.\n"
        f"Please retry again in {seconds} seconds.\nError code: {code}.\n",
        429,
        headers={"Retry-After": str(seconds), "Discourse-Rate-Limit-Error-Code": code},
    )


def rate_limited_json(seconds: int) -> Response:
    """Return the controller's 429: JSON with `extras.wait_seconds`."""
    return _answer(
        {
            "errors": [
                "You’ve performed this action too many times. "
                f"Please wait {seconds} seconds before trying again."
            ],
            "error_type": "rate_limit",
            "extras": {"wait_seconds": seconds, "time_left": f"{seconds} seconds"},
        },
        429,
        {"Retry-After": str(seconds)},
    )


def rate_limited_crawler(seconds: int) -> Response:
    """Return what a slowed-down crawler gets: another plain text."""
    return PlainTextResponse(
        "Too many requests from this crawler, please slow down.\n",
        429,
        headers={"Retry-After": str(seconds)},
    )


def maintenance(seconds: int) -> Response:
    """Return the 503 page of a rebuild: HTML, whatever was asked for."""
    return Response(
        "<!DOCTYPE html>\n<html><head><title>Site Maintenance</title></head><body>"
        "<h1>We'll be back soon!</h1><p>This site is being rebuilt.</p></body></html>",
        503,
        media_type="text/html",
        headers={"Retry-After": str(seconds)},
    )


def _answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        _json.encode(body),
        status,
        headers={"X-Discourse-Version": VERSION, **(headers or {})},
        media_type="application/json",
    )


def _error(status: int, kind: str, text: str) -> Response:
    return _answer({"errors": [text], "error_type": kind}, status)


def _not_found() -> Response:
    return _error(404, "not_found", "The requested URL or resource could not be found.")


def _forbidden() -> Response:
    return _error(403, "invalid_access", "You are not permitted to view the requested resource.")


def _invalid_parameter(name: str) -> Response:
    return _error(
        400, "invalid_parameters", f"You supplied invalid parameters to the request: {name}"
    )


def _iso(at: datetime | None) -> str | None:
    """Return UTC with milliseconds and Z, as Rails writes it."""
    if at is None:
        return None
    return f"{at.isoformat(timespec='milliseconds')[:23]}Z"


def _avatar(username: str) -> str:
    return f"/letter_avatar_proxy/v4/letter/{username[:1].lower()}/8e8cbc/{{size}}.png"


class _Window:
    """Counts calls in a sliding window of wall-clock time."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls, self._seconds = calls, seconds
        self._seen: deque[float] = deque()

    def wait(self) -> int:
        """Count a call; return 0, or the seconds until one is allowed again."""
        now = time.monotonic()
        while self._seen and self._seen[0] <= now - self._seconds:
            self._seen.popleft()
        if len(self._seen) >= self._calls:
            return max(1, int(self._seen[0] + self._seconds - now + 0.999))
        self._seen.append(now)
        return 0


class _Site:
    """The forum's controllers. `viewer` is the calling user, None when anonymous."""

    def __init__(self, forum: Forum, clock: Clock) -> None:
        self.forum = forum
        self.clock = clock
        self._newest_posts: dict[bool, tuple[datetime, bytes]] = {}
        self._limits: dict[tuple[str, ...], _Window] = {}
        self.requests: Counter[str] = Counter()

    # Who is calling, and how often

    def answer(
        self, route: str, handler: Callable[[Request, User | None], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a controller with counting, limits, authentication and the error bodies."""

        async def endpoint(request: Request) -> Response:
            self.requests[route] += 1
            with self.forum.lock:
                try:
                    self._limit_address(request)
                    return handler(request, self._viewer(request))
                except Rejected as rejected:
                    return rejected.response

        return endpoint

    async def status(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def no_route(self, request: Request, error: Exception) -> Response:
        self.requests["404"] += 1
        return _not_found()

    def _window(self, calls: int, seconds: float, *key: str) -> _Window:
        window = self._limits.get(key)
        if window is None:
            window = self._limits[key] = _Window(calls, seconds)
        return window

    def _limit_address(self, request: Request) -> None:
        settings = self.forum.settings
        address = request.client.host if request.client else "?"
        agent = request.headers.get("user-agent", "").lower()
        for crawler in settings.crawler_agents:
            if crawler in agent and "api-key" not in request.headers:
                wait = self._window(1, settings.crawler_seconds, "crawler", crawler).wait()
                if wait:
                    raise Rejected(rate_limited_crawler(wait))
        for calls, seconds in ((settings.ip_per_10_s, 10), (settings.ip_per_minute, 60)):
            wait = self._window(calls, seconds, "ip", address, str(seconds)).wait()
            if wait:
                raise Rejected(rate_limited_text(wait, f"ip_{seconds}_secs_limit"))

    def _viewer(self, request: Request) -> User | None:
        headers, settings = request.headers, self.forum.settings
        key = headers.get("api-key")
        user_key = headers.get("user-api-key")
        if key is None and user_key is None:
            return None
        if key is None:
            bound = self.forum.api_keys.get(user_key or "")
            if bound is None:
                raise Rejected(_forbidden_key())
            wait = self._window(settings.user_api_per_minute, 60, "user", str(user_key)).wait()
            if wait:
                raise Rejected(rate_limited_json(wait))
            return self.forum.users[bound]
        if key not in self.forum.api_keys:
            raise Rejected(_forbidden_key())
        viewer = self.forum.user_named(headers.get("api-username", ""))
        bound = self.forum.api_keys[key]
        if viewer is None or (bound is not None and bound != viewer.id):
            raise Rejected(_forbidden_key())
        wait = self._window(settings.admin_api_per_minute, 60, "admin").wait()
        if wait:
            raise Rejected(rate_limited_json(wait))
        return viewer

    # Topic lists

    def latest(self, request: Request, viewer: User | None) -> Response:
        query = request.query_params
        order = query.get("order") or "activity"
        topics = self._listed(viewer)
        _sort(topics, order, ascending=query.get("ascending") == "true")
        return self._topic_page(
            request, viewer, topics, "/latest", pinned_first=order in ("activity", "default")
        )

    def filter(self, request: Request, viewer: User | None) -> Response:
        text = request.query_params.get("q", "")
        terms = [(name, value.strip('"')) for name, value in _FILTER_TERM.findall(text)]
        topics = self._listed(viewer)
        order, ascending = "activity", False
        for name, value in terms:
            if name == "order":
                order = value.removesuffix("-asc")
                ascending = value.endswith("-asc")
            elif name == "status":
                topics = self._with_status(topics, value, viewer)
            elif name in ("category", "categories"):
                wanted = {
                    c.id for c in self.forum.categories.values() if c.slug in value.split(",")
                }
                topics = [topic for topic in topics if topic.category_id in wanted]
            elif name in ("tag", "tags"):
                wanted_tags = set(value.split(","))
                topics = [topic for topic in topics if wanted_tags & set(topic.tags)]
            else:
                topics = self._in_range(topics, name, value)
        _sort(topics, order, ascending=ascending)
        return self._topic_page(request, viewer, topics, "/filter", pinned_first=False)

    def _in_range(self, topics: list[Topic], name: str, value: str) -> list[Topic]:
        """Apply `activity-after:` and its like; the vendor ignores what it cannot read."""
        column, _, side = name.rpartition("-")
        attribute = {
            "activity": "bumped_at",
            "created": "created_at",
            "latest-post": "last_posted_at",
        }.get(column)
        bound = self._day(value)
        if attribute is None or bound is None or side not in ("after", "before"):
            return topics
        if side == "after":
            return [topic for topic in topics if getattr(topic, attribute) >= bound]
        return [topic for topic in topics if getattr(topic, attribute) < bound]

    def _day(self, value: str) -> datetime | None:
        """Read YYYY-MM-DD, or a number of days ago, in the server's own zone."""
        zone = ZoneInfo(self.forum.settings.time_zone)
        try:
            if _FILTER_DATE.match(value):
                year, month, day = (int(part) for part in value.split("-"))
                chosen = date(year, month, day)
            else:
                chosen = self.clock.now().astimezone(zone).date() - timedelta(days=int(value))
        except (ValueError, OverflowError):
            return None
        return datetime(chosen.year, chosen.month, chosen.day, tzinfo=zone).astimezone(UTC)

    def _with_status(self, topics: list[Topic], status: str, viewer: User | None) -> list[Topic]:
        if status == "deleted":
            if viewer is None or not viewer.staff:
                return topics
            return [
                topic
                for topic in self.forum.topics.values()
                if topic.deleted_at is not None and topic.archetype == "regular"
            ]
        tests: dict[str, Callable[[Topic], bool]] = {
            "open": lambda topic: not topic.closed and not topic.archived,
            "closed": lambda topic: topic.closed,
            "archived": lambda topic: topic.archived,
            "listed": lambda topic: topic.visible,
            "unlisted": lambda topic: not topic.visible,
            "public": lambda topic: not self._category(topic).read_restricted,
            "solved": lambda topic: topic.accepted_post_id is not None,
            "unsolved": lambda topic: topic.accepted_post_id is None,
        }
        test = tests.get(status)
        return topics if test is None else [topic for topic in topics if test(topic)]

    def _listed(self, viewer: User | None) -> list[Topic]:
        """Return the topics a list may show: no messages, no deleted, no closed doors."""
        staff = viewer is not None and viewer.staff
        return [
            topic
            for topic in self.forum.topics.values()
            if topic.archetype == "regular"
            and topic.deleted_at is None
            and (staff or (topic.visible and not self._category(topic).read_restricted))
        ]

    def _topic_page(
        self,
        request: Request,
        viewer: User | None,
        topics: list[Topic],
        path: str,
        *,
        pinned_first: bool,
    ) -> Response:
        page = _integer(request, "page", 0)
        per_page = min(max(_integer(request, "per_page", TOPICS_PER_PAGE), 1), 100)
        if pinned_first:
            # TopicQuery.prioritize_pinned_topics: global pins lead page 0 whatever their
            # activity, and later offsets are counted among the others only.
            now = self.clock.now()
            pinned = [t for t in topics if t.pinned_at is not None and _leads(t, now)]
            others = [t for t in topics if t.pinned_at is None or not _leads(t, now)]
            if page == 0:
                shown = (pinned + others)[:per_page]
            else:
                start = max(page * per_page - len(pinned), 0)
                shown = others[start : start + per_page]
        else:
            shown = topics[page * per_page : (page + 1) * per_page]
        topic_list: dict[str, Any] = {
            "can_create_topic": viewer is not None,
            "draft": None,
            "draft_key": "new_topic",
            "draft_sequence": 0,
            "per_page": per_page,
            "top_tags": [],
            "topics": [self._topic_row(topic) for topic in shown],
        }
        if len(shown) == per_page:
            kept = [
                f"{name}={value}"
                for name, value in request.query_params.multi_items()
                if name not in ("page", "no_definitions")
            ]
            query = "&".join([*kept, "no_definitions=true", f"page={page + 1}"])
            topic_list["more_topics_url"] = f"{path}?{query}".replace(" ", "%20")
        people = {topic.user_id for topic in shown} | {self._last_poster(topic) for topic in shown}
        return _answer(
            {
                "users": [
                    self._brief(self.forum.users[user_id])
                    for user_id in sorted(user_id for user_id in people if user_id is not None)
                ],
                "primary_groups": [],
                "flair_groups": [],
                "topic_list": topic_list,
            }
        )

    def _topic_row(self, topic: Topic) -> dict[str, Any]:
        """Return a topic as lists show it."""
        counted = [post for post in topic.posts if post.deleted_at is None]
        counted = [post for post in counted if post.post_type != WHISPER] or topic.posts[:1]
        last = self._last_poster(topic)
        posters = []
        if topic.user_id in self.forum.users:
            one = last == topic.user_id
            posters.append(
                {
                    "extras": "latest single" if one else None,
                    "description": "Original Poster" + (", Most Recent Poster" if one else ""),
                    "user_id": topic.user_id,
                    "primary_group_id": None,
                    "flair_group_id": None,
                }
            )
        if last is not None and last != topic.user_id:
            posters.append(
                {
                    "extras": "latest",
                    "description": "Most Recent Poster",
                    "user_id": last,
                    "primary_group_id": None,
                    "flair_group_id": None,
                }
            )
        row: dict[str, Any] = {
            "id": topic.id,
            "title": topic.title,
            "fancy_title": html.escape(topic.title, quote=False),
            "slug": topic.slug,
            "posts_count": len(counted),
            "reply_count": sum(post.reply_to_post_number is not None for post in counted),
            "highest_post_number": counted[-1].post_number,
            "image_url": None,
            "created_at": _iso(topic.created_at),
            "last_posted_at": _iso(topic.last_posted_at),
            "bumped": True,
            "bumped_at": _iso(topic.bumped_at),
            "archetype": topic.archetype,
            "unseen": False,
            "pinned": topic.pinned_at is not None and not self._unpinned(topic),
            "unpinned": None,
            "visible": topic.visible,
            "closed": topic.closed,
            "archived": topic.archived,
            "bookmarked": None,
            "liked": None,
            "tags": self._tags(topic),
            "tags_descriptions": {},
            "views": topic.views + 3 * len(topic.posts),
            "like_count": topic.like_count,
            "op_like_count": len(topic.posts[0].likers or ()),
            "has_summary": len(counted) > 50,
            "last_poster_username": self.forum.users[last].username if last is not None else None,
            "category_id": topic.category_id,
            "pinned_globally": topic.pinned_globally,
            "featured_link": None,
            "has_accepted_answer": topic.accepted_post_id is not None,
            "can_have_answer": self._category(topic).solved,
            "posters": posters,
        }
        if topic.deleted_at is not None:
            row["deleted_at"] = _iso(topic.deleted_at)
        return row

    def private_messages(self, request: Request, viewer: User | None) -> Response:
        owner = self.forum.user_named(request.path_params["username"])
        if owner is None or viewer is None:
            raise Rejected(_not_found())
        if not (viewer.admin or viewer.id == owner.id):
            raise Rejected(_forbidden())
        topics = [
            topic
            for topic in self.forum.topics.values()
            if owner.id in topic.allowed_user_ids and topic.deleted_at is None
        ]
        _sort(topics, "activity", ascending=False)
        return self._topic_page(
            request, viewer, topics, request.url.path.removesuffix(".json"), pinned_first=False
        )

    # One topic and its posts

    def topic(self, request: Request, viewer: User | None) -> Response:
        topic = self._seen_topic(request.path_params["topic_id"], viewer)
        query = request.query_params
        shown = self._visible_posts(topic, viewer, query.get("show_deleted") == "true")
        size = PRINT_CHUNK if query.get("print") == "true" else POSTS_PER_CHUNK
        if size == PRINT_CHUNK:
            wait = self._window(5, 3600, "print").wait()
            if wait:
                raise Rejected(rate_limited_json(wait))
        # Pages of a topic are 1-based, unlike those of lists (TopicView).
        page = max(_integer(request, "page", 1), 1)
        chunk = shown[(page - 1) * size : page * size]
        if not chunk and page > 1:
            raise Rejected(_not_found())
        return _answer(self._topic_view(topic, viewer, shown, chunk, _wants_raw(request)))

    def topic_posts(self, request: Request, viewer: User | None) -> Response:
        topic = self._seen_topic(request.path_params["topic_id"], viewer)
        raw = _wants_raw(request)
        wanted = request.query_params.getlist("post_ids[]")
        if wanted:
            try:
                ids = sorted({int(text) for text in wanted})
            except ValueError:
                raise Rejected(_invalid_parameter("post_ids")) from None
            staff = viewer is not None and viewer.staff
            posts = [
                post
                for post in (self.forum.posts.get(post_id) for post_id in ids)
                if post is not None
                and post.topic_id == topic.id
                and (staff or (post.deleted_at is None and post.post_type != WHISPER))
            ]
        else:
            posts = self._visible_posts(topic, viewer, False)
            start = _integer(request, "post_number", 0)
            posts = [post for post in posts if post.post_number > start][:POSTS_PER_CHUNK]
        return _answer(
            {
                "post_stream": {
                    "posts": [self._post_row(post, topic, viewer, raw) for post in posts]
                },
                "id": topic.id,
            }
        )

    def _seen_topic(self, topic_id: int, viewer: User | None) -> Topic:
        topic = self.forum.topics.get(topic_id)
        if topic is None:
            raise Rejected(_not_found())
        staff = viewer is not None and viewer.staff
        if topic.deleted_at is not None and not staff:
            raise Rejected(_not_found())
        private = topic.archetype == "private_message"
        if private and not (
            viewer is not None and (viewer.admin or viewer.id in topic.allowed_user_ids)
        ):
            raise Rejected(_not_found() if viewer is None else _forbidden())
        if self._category(topic).read_restricted and not staff:
            raise Rejected(_forbidden())
        return topic

    def _visible_posts(self, topic: Topic, viewer: User | None, show_deleted: bool) -> list[Post]:
        """Return the stream: deleted posts only on demand of staff, whispers for staff."""
        staff = viewer is not None and viewer.staff
        return [
            post
            for post in topic.posts
            if (post.deleted_at is None or (staff and (show_deleted or post.post_number == 1)))
            and (post.post_type != WHISPER or staff)
        ]

    def _topic_view(
        self,
        topic: Topic,
        viewer: User | None,
        stream: list[Post],
        chunk: list[Post],
        raw: bool,
    ) -> dict[str, Any]:
        staff = viewer is not None and viewer.staff
        counts: dict[int, int] = {}
        for post in stream:
            if post.user_id in self.forum.users:
                counts[post.user_id] = counts.get(post.user_id, 0) + 1
        row = self._topic_row(topic)
        last = self._last_poster(topic)
        view: dict[str, Any] = {
            "post_stream": {
                "posts": [self._post_row(post, topic, viewer, raw) for post in chunk],
                "stream": [post.id for post in stream],
            },
            "timeline_lookup": [],
            "suggested_topics": [],
            **{
                name: row[name]
                for name in (
                    "tags",
                    "tags_descriptions",
                    "id",
                    "title",
                    "fancy_title",
                    "posts_count",
                    "created_at",
                    "views",
                    "reply_count",
                    "like_count",
                    "last_posted_at",
                    "visible",
                    "closed",
                    "archived",
                    "has_summary",
                    "archetype",
                    "slug",
                    "category_id",
                    "featured_link",
                    "pinned_globally",
                    "image_url",
                    "unpinned",
                    "pinned",
                    "highest_post_number",
                )
            },
            "word_count": sum(len(post.raw.split()) for post in stream),
            "deleted_at": _iso(topic.deleted_at),
            "user_id": topic.user_id,
            "pinned_at": _iso(topic.pinned_at),
            "pinned_until": _iso(topic.pinned_until),
            "slow_mode_seconds": 0,
            "draft": None,
            "draft_key": f"topic_{topic.id}",
            "draft_sequence": 0,
            "current_post_number": chunk[0].post_number if chunk else 1,
            "deleted_by": self._brief_or_none(topic.deleted_by) if staff else None,
            "has_deleted": staff and any(post.deleted_at is not None for post in topic.posts),
            "actions_summary": [
                {"id": kind, "count": 0, "hidden": False, "can_act": staff}
                for kind in (4, 8, 10, 7)
            ],
            "chunk_size": POSTS_PER_CHUNK,
            "bookmarked": False,
            "bookmarks": [],
            "topic_timer": None,
            "message_bus_last_id": 0,
            "participant_count": len(counts),
            "show_read_indicator": False,
            "thumbnails": None,
            "slow_mode_enabled_until": None,
            "details": {
                **dict.fromkeys(
                    (
                        "can_edit",
                        "can_move_posts",
                        "can_delete",
                        "can_remove_allowed_users",
                        "can_review_topic",
                        "can_convert_topic",
                        "can_close_topic",
                        "can_archive_topic",
                        "can_split_merge_topic",
                        "can_edit_staff_notes",
                        "can_toggle_topic_visibility",
                        "can_pin_unpin_topic",
                        "can_moderate_category",
                    ),
                    staff,
                ),
                "can_create_post": viewer is not None,
                "can_reply_as_new_topic": viewer is not None,
                "can_remove_self_id": viewer.id if viewer is not None else 0,
                "notification_level": 1,
                "participants": [
                    {
                        **self._brief(self.forum.users[user_id]),
                        "post_count": count,
                        "primary_group_name": None,
                        "flair_name": None,
                        "flair_url": None,
                        "flair_color": None,
                        "flair_bg_color": None,
                        "admin": self.forum.users[user_id].admin,
                        "moderator": self.forum.users[user_id].moderator,
                        "trust_level": self.forum.users[user_id].trust_level,
                    }
                    for user_id, count in sorted(counts.items(), key=lambda item: -item[1])[:24]
                ],
                "created_by": self._brief_or_none(topic.user_id),
                "last_poster": self._brief_or_none(last),
            },
        }
        if topic.archetype == "private_message":
            view["details"]["allowed_users"] = [
                self._brief(self.forum.users[user_id])
                for user_id in topic.allowed_user_ids
                if user_id in self.forum.users
            ]
        accepted = self.forum.posts.get(topic.accepted_post_id or 0)
        if accepted is not None:
            author = self._brief_or_none(accepted.user_id) or {"username": None, "name": None}
            accepter = self._brief_or_none(topic.accepted_by) or {"username": None, "name": None}
            view["accepted_answer"] = {
                "post_number": accepted.post_number,
                "username": author["username"],
                "name": author["name"],
                "excerpt": _TAGS.sub("", self._cooked(accepted))[:300],
                "accepter_name": accepter["name"],
                "accepter_username": accepter["username"],
            }
        return view

    def post(self, request: Request, viewer: User | None) -> Response:
        post = self.forum.posts.get(request.path_params["post_id"])
        staff = viewer is not None and viewer.staff
        if post is None or (not staff and (post.deleted_at or post.post_type == WHISPER)):
            raise Rejected(_not_found())
        topic = self._seen_topic(post.topic_id, viewer)
        return _answer(self._post_row(post, topic, viewer, raw=True))

    def latest_posts(self, request: Request, viewer: User | None) -> Response:
        staff = viewer is not None and viewer.staff
        now, settings = self.clock.now(), self.forum.settings
        if "before" in request.query_params:
            return _answer(
                {"latest_posts": self._posts_before(_integer(request, "before", 0), viewer)}
            )
        # Only the newest page is cached, for those who see alike.
        cached = self._newest_posts.get(staff)
        if cached is None or now - cached[0] >= timedelta(seconds=settings.posts_cache_s):
            # Without `before` the newest post is shown, in both ways of counting.
            before = self.forum.newest_post_id + (not settings.posts_window)
            body = _json.encode({"latest_posts": self._posts_before(before, viewer)})
            cached = self._newest_posts[staff] = (now, body)
        return Response(cached[1], media_type="application/json")

    def _posts_before(self, before: int, viewer: User | None) -> list[dict[str, Any]]:
        posts = self.forum.posts
        if self.forum.settings.posts_window:
            ids: Iterable[int] = range(before, max(before - POSTS_WINDOW, 0), -1)
        else:
            ids = range(before - 1, 0, -1)
        rows: list[dict[str, Any]] = []
        staff = viewer is not None and viewer.staff
        for post_id in ids:
            post = posts.get(post_id)
            if post is None or post.deleted_at is not None or post.post_type != REGULAR:
                continue
            topic = self.forum.topics[post.topic_id]
            if (
                topic.deleted_at is not None
                or topic.archetype != "regular"
                or not topic.visible
                or (self._category(topic).read_restricted and not staff)
            ):
                continue
            row = self._post_row(post, topic, viewer, raw=viewer is not None)
            row["topic_title"] = topic.title
            row["topic_html_title"] = html.escape(topic.title, quote=False)
            row["category_id"] = topic.category_id
            row["reviewable_id"] = None
            row["excerpt"] = _TAGS.sub("", row["cooked"])[:220]
            row["truncated"] = len(row["cooked"]) > 300
            rows.append(row)
            if len(rows) == POSTS_WINDOW:
                break
        return rows

    def _post_row(self, post: Post, topic: Topic, viewer: User | None, raw: bool) -> dict[str, Any]:
        """Return a post as every endpoint shows it; `raw` only when it was asked for."""
        author = self.forum.users.get(post.user_id) if post.user_id is not None else None
        staff = viewer is not None and viewer.staff
        username = author.username if author is not None else None
        likes = len(post.likers) if post.likers else 0
        actions: list[dict[str, Any]] = []
        if likes:
            actions.append({"id": LIKE_ACTION, "count": likes})
        if viewer is not None:
            if actions:
                actions[0]["can_act"] = True
            else:
                actions.append({"id": LIKE_ACTION, "can_act": True})
            actions += [{"id": kind, "can_act": True} for kind in (3, 4, 8, 7)]
        accepted = topic.accepted_post_id == post.id
        row: dict[str, Any] = {
            "id": post.id,
            "name": author.name if author is not None else None,
            "username": username,
            "avatar_template": _avatar(username or "?"),
            "created_at": _iso(post.created_at),
            "cooked": self._cooked(post),
            "post_number": post.post_number,
            "post_type": post.post_type,
            "posts_count": len(topic.posts),
            "updated_at": _iso(post.updated_at),
            "reply_count": post.reply_count,
            "reply_to_post_number": post.reply_to_post_number,
            "quote_count": 0,
            "incoming_link_count": 0,
            "reads": 3 + likes,
            "readers_count": 2 + likes,
            "score": 0.6 + 15.0 * likes,
            "yours": viewer is not None and viewer.id == post.user_id,
            "topic_id": topic.id,
            "topic_slug": topic.slug,
            "display_username": author.name if author is not None else None,
            "primary_group_name": "staff" if author is not None and author.staff else None,
            "flair_name": None,
            "flair_url": None,
            "flair_bg_color": None,
            "flair_color": None,
            "flair_group_id": None,
            "badges_granted": [],
            "version": self._version(post, staff),
            "can_edit": staff,
            "can_delete": staff and post.deleted_at is None,
            "can_recover": staff and post.deleted_at is not None,
            "can_see_hidden_post": staff,
            "can_wiki": staff,
            "link_counts": [],
            "read": True,
            "user_title": author.title if author is not None else None,
            "bookmarked": False,
            "actions_summary": actions,
            "moderator": author is not None and author.moderator,
            "admin": author is not None and author.admin,
            "staff": author is not None and author.staff,
            "user_id": post.user_id,
            "hidden": post.hidden,
            "trust_level": author.trust_level if author is not None else None,
            "deleted_at": _iso(post.deleted_at),
            "user_deleted": post.user_deleted,
            "edit_reason": post.edit_reason,
            "can_view_edit_history": self._sees_edits(post, viewer),
            "wiki": post.wiki,
            "reviewable_id": 0,
            "reviewable_score_count": 0,
            "reviewable_score_pending_count": 0,
            "post_url": f"/t/{topic.slug}/{topic.id}/{post.post_number}",
            "can_accept_answer": staff and not accepted and post.post_number > 1,
            "can_unaccept_answer": staff and accepted,
            "accepted_answer": accepted,
            "topic_accepted_answer": topic.accepted_post_id is not None,
        }
        if self.forum.settings.reactions:
            row |= {
                "reactions": _reactions(post),
                "current_user_reaction": None,
                "reaction_users_count": likes + len(post.reactions or ()),
                "current_user_used_main_reaction": False,
            }
        if post.action_code is not None:
            row["action_code"] = post.action_code
        if raw:
            row["raw"] = post.raw
        if post.deleted_by is not None:
            row["deleted_by"] = self._brief_or_none(post.deleted_by)
        return row

    # Who edited a post

    def latest_revision(self, request: Request, viewer: User | None) -> Response:
        post = self._revised_post(request, viewer)
        staff = viewer is not None and viewer.staff
        found = [one for one in self.forum.revisions.get(post.id, ()) if staff or not one.hidden]
        if not found:
            raise Rejected(_not_found())
        view = self._revision_view(post, found[-1], viewer)
        if view is None:
            text = "This revision differs too much to be compared."
            return _answer({"errors": [text]}, 422)
        return _answer(view)

    def revision(self, request: Request, viewer: User | None) -> Response:
        number = request.path_params["number"]
        if number < 2:
            raise Rejected(_invalid_parameter("revision"))
        post = self._revised_post(request, viewer)
        found = [one for one in self.forum.revisions.get(post.id, ()) if one.number == number]
        if not found:
            raise Rejected(_not_found())
        view = self._revision_view(post, found[0], viewer)
        if view is None:  # nobody catches that here
            return PlainTextResponse("<h1>Oops</h1>", 500, media_type="text/html")
        return _answer(view)

    def _revised_post(self, request: Request, viewer: User | None) -> Post:
        staff = viewer is not None and viewer.staff
        post = self.forum.posts.get(request.path_params["post_id"])
        if post is None or (not staff and (post.deleted_at or post.hidden)):
            raise Rejected(_not_found())
        self._seen_topic(post.topic_id, viewer)
        return post

    def _sees_edits(self, post: Post, viewer: User | None) -> bool:
        if not post.hidden and (post.wiki or self.forum.settings.edit_history_public):
            return True
        return viewer is not None and (viewer.staff or viewer.id == post.user_id)

    def _version(self, post: Post, staff: bool) -> int:
        if staff:
            return post.version
        return 1 if post.hidden else self.forum.public_version(post)

    def _revision_view(
        self, post: Post, revision: Revision, viewer: User | None
    ) -> dict[str, Any] | None:
        """Return an edit with what was there before and behind it; None: too much to compare."""
        staff = viewer is not None and viewer.staff
        if (revision.hidden and not staff) or not self._sees_edits(post, viewer):
            raise Rejected(_forbidden())
        looks = self._looks(post)
        if revision.number < looks[0][0]:
            return None  # older ones than that are not even counted, which ends in an error
        shown = [look for look in looks if staff or not look[1]]
        number, hidden, before = next(look for look in shown if look[0] == revision.number)
        next_number, next_hidden, after = next(look for look in shown if look[0] > number)
        changed = {name for name in after if after[name] != before[name]}
        old, new = (str(look["raw"] or "") for look in (before, after))
        if "raw" in changed and len(old) + len(new) > self.forum.settings.diff_limit:
            return None
        numbers = [look[0] for look in shown]
        behind = [other for other in numbers if number < other <= post.version]
        editor = self.forum.users.get(revision.user_id or SYSTEM_ID, self.forum.users[SYSTEM_ID])
        view: dict[str, Any] = {
            "created_at": _iso(revision.created_at),
            "post_id": post.id,
            "previous_hidden": hidden,
            "current_hidden": next_hidden,
            "first_revision": numbers[0],
            "previous_revision": max((one for one in numbers if one < number), default=None),
            "current_revision": number,
            "next_revision": behind[0] if behind else None,
            "last_revision": max(one for one in numbers if one <= post.version),
            "current_version": sum(one <= number for one in numbers) + 1,
            "version_count": len(numbers),
            "username": editor.username.lower(),
            "display_username": editor.username,
            "acting_user_name": editor.name,
            "avatar_template": _avatar(editor.username),
            "body_changes": _diff(old, new),
            "can_edit": staff,
        }
        if staff or next_number == number + 1:
            view["edit_reason"] = after["edit_reason"]
        if post.post_number == 1:
            view["title_changes"] = _diff(str(before["title"]), str(after["title"]))
        if "wiki" in changed:
            view["wiki_changes"] = {"previous": before["wiki"], "current": after["wiki"]}
        return view

    def _looks(self, post: Post) -> list[tuple[int, bool, dict[str, Any]]]:
        """Return (number, whether hidden, how the post was before) of edits, and how it is now."""
        now = {
            "raw": post.raw,
            "edit_reason": post.edit_reason,
            "wiki": post.wiki,
            "title": self.forum.topics[post.topic_id].title,
        }
        revisions = self.forum.revisions[post.id]
        looks = [(revisions[-1].number + 1, post.hidden, now)]
        for one in revisions[: -MOST_REVISIONS - 1 : -1]:
            now = {**now, **one.before}
            looks.append((one.number, one.hidden, now))
        return looks[::-1]

    def _cooked(self, post: Post) -> str:
        """Return sanitized HTML: markup is escaped, mentions and quotes become elements."""
        if post.hidden:
            return "<p>This post was flagged by the community and is temporarily hidden.</p>"
        text = post.raw
        quotes: list[str] = []
        if "[quote=" in text:

            def keep(match: re.Match[str]) -> str:
                username, number, topic_id, inner = match.groups()
                quotes.append(
                    f'<aside class="quote no-group" data-username="{html.escape(username)}" '
                    f'data-post="{number}" data-topic="{topic_id}">\n<blockquote>\n'
                    f"<p>{html.escape(inner, quote=False)}</p>\n</blockquote>\n</aside>"
                )
                return f"\n\n\x01{len(quotes) - 1}\x01\n\n"

            text = _QUOTE.sub(keep, text)
        text = html.escape(text, quote=False)
        if "@" in text:
            text = _MENTION.sub(self._mention, text)
        blocks = [block.strip("\n") for block in text.split("\n\n")]
        cooked = "\n".join(
            block if block.startswith("\x01") else f"<p>{block}</p>".replace("\n", "<br>\n")
            for block in blocks
            if block
        )
        for number, quote in enumerate(quotes):
            cooked = cooked.replace(f"\x01{number}\x01", quote)
        return cooked

    def _mention(self, match: re.Match[str]) -> str:
        user = self.forum.user_named(match.group(1).rstrip(".-"))
        if user is None:
            return f'<span class="mention">{match.group(0)}</span>'
        return f'<a class="mention" href="/u/{user.username.lower()}">@{user.username}</a>'

    def post_action_users(self, request: Request, viewer: User | None) -> Response:
        """List who acted on a post in a way, first come first; likes are all there are here."""
        for name in ("post_action_type_id", "id"):
            if name not in request.query_params:
                raise Rejected(_invalid_parameter(name))
        limit = _integer(request, "limit", ACTION_USERS_PER_PAGE)
        if limit > ACTION_USERS_PER_PAGE:
            raise Rejected(_invalid_parameter("limit"))
        post = self.forum.posts.get(_integer(request, "id", 0))
        staff = viewer is not None and viewer.staff
        if post is None or (post.deleted_at is not None and not staff):
            raise Rejected(_forbidden())
        self._seen_topic(post.topic_id, viewer)
        is_like = _integer(request, "post_action_type_id", 0) == LIKE_ACTION
        likers = list(post.likers or ()) if is_like else []
        page = _integer(request, "page", 0)
        body: dict[str, Any] = {
            "post_action_users": [
                {**self._brief(user), "post_url": None, "username_lower": user.username.lower()}
                for user in map(self.forum.users.get, likers[page * limit : (page + 1) * limit])
                if user is not None
            ]
        }
        if len(likers) > limit:
            body["total_rows_post_action_users"] = len(likers)
        return _answer(body)

    def reactors(self, request: Request, viewer: User | None) -> Response:
        """List who reacted to a post with what, likes included, first come first."""
        settings = self.forum.settings
        post = self.forum.posts.get(request.path_params["post_id"])
        has_list = settings.reactions and settings.lists_reactors
        if not has_list or post is None or post.deleted_at is not None:
            raise Rejected(_not_found())
        self._seen_topic(post.topic_id, viewer)
        given = [(at, user_id, "heart") for user_id, at in (post.likers or {}).items()]
        given += [(at, user_id, name) for user_id, (name, at) in (post.reactions or {}).items()]
        wanted = request.query_params.get("reaction_value")
        rows = [
            {**self._brief(self.forum.users[user_id]), "reaction": name}
            for _, user_id, name in sorted(given)
            if user_id in self.forum.users and wanted in (None, "", name)
        ]
        limit = min(max(_integer(request, "limit", REACTORS_PER_PAGE), 1), MOST_REACTORS)
        first = _integer(request, "page", 0) * limit
        return _answer({"users": rows[first : first + limit], "total_rows": len(rows)})

    def user_actions(self, request: Request, viewer: User | None) -> Response:
        """List what a user did: 1 liked, 4 new topic, 5 reply; newest first, 30 a page."""
        user = self.forum.user_named(request.query_params.get("username", ""))
        if user is None:
            raise Rejected(_not_found())
        kinds = {
            int(k) for k in request.query_params.get("filter", "4,5").split(",") if k.isdigit()
        }
        listed = {topic.id for topic in self._listed(viewer)}
        acts: list[tuple[datetime, int, Post]] = []
        for post in self.forum.posts.values():
            if post.topic_id not in listed or post.deleted_at or post.post_type != REGULAR:
                continue
            if post.user_id == user.id:
                acts.append((post.created_at, 4 if post.post_number == 1 else 5, post))
            if post.likers and user.id in post.likers:
                acts.append((post.likers[user.id], 1, post))
        acts = [act for act in acts if act[1] in kinds]
        acts.sort(key=lambda act: (act[0], act[2].id), reverse=True)
        offset = _integer(request, "offset", 0)
        return _answer(
            {
                "user_actions": [
                    {
                        "action_type": kind,
                        "created_at": _iso(at),
                        "post_id": post.id,
                        "post_number": post.post_number,
                        "topic_id": post.topic_id,
                        "title": self.forum.topics[post.topic_id].title,
                        "slug": self.forum.topics[post.topic_id].slug,
                        "acting_user_id": user.id,
                        "acting_username": user.username,
                        "target_user_id": post.user_id,
                        "deleted": False,
                    }
                    for at, kind, post in acts[offset : offset + USER_ACTIONS_PER_PAGE]
                ]
            }
        )

    # Users

    def admin_users(self, request: Request, viewer: User | None) -> Response:
        self._require_staff(viewer)
        query = request.query_params
        now = self.clock.now()
        tests: dict[str, Callable[[User], bool]] = {
            "active": lambda user: user.active,
            "new": lambda user: True,
            "staff": lambda user: user.staff,
            "suspended": lambda user: user.suspended_till is not None and user.suspended_till > now,
            "silenced": lambda user: user.silenced_till is not None and user.silenced_till > now,
            "staged": lambda user: user.staged,
            "pending": lambda user: not user.active,
        }
        test = tests.get(request.path_params["flag"])
        if test is None:
            raise Rejected(_not_found())
        users = [user for user in self.forum.users.values() if test(user)]
        _sort_users(users, query.get("order", ""), ascending=query.get("asc") == "true")
        # Pages count from 1, and page 0 is page 1 (AdminUserIndexQuery).
        page = max(_integer(request, "page", 1), 1)
        shown = users[(page - 1) * USERS_PER_PAGE : page * USERS_PER_PAGE]
        emails = query.get("show_emails") == "true"
        assert viewer is not None
        if emails:
            self.forum.log_staff_action(now, viewer.id, "check_email")
        return _answer([self._admin_row(user, viewer, emails=emails) for user in shown])

    def admin_user(self, request: Request, viewer: User | None) -> Response:
        self._require_staff(viewer)
        assert viewer is not None
        # Negative ids are bots; the vendor routes by number.
        digits = request.path_params["user_id"]
        if not re.fullmatch(r"-?\d{1,12}", digits):
            raise Rejected(_not_found())
        user = self.forum.users.get(int(digits))
        if user is None:
            raise Rejected(_not_found())
        staff_may = user.id > 0
        record = None
        if user.external_id is not None:
            record = {
                "user_id": user.id,
                "external_id": user.external_id,
                "created_at": _iso(user.created_at),
                "updated_at": _iso(user.created_at),
                "external_username": user.username,
                "external_name": user.name,
                "external_avatar_url": None,
                "external_profile_background_url": None,
                "external_card_background_url": None,
            }
            if viewer.admin:
                record["external_email"] = user.external_email
        return _answer(
            {
                **self._admin_row(user, viewer, emails=False),
                "associated_accounts": [],
                "can_send_activation_email": staff_may,
                "can_activate": staff_may and not user.active,
                "can_deactivate": staff_may and user.active,
                "can_change_trust_level": staff_may,
                "ip_address": None,
                "registration_ip_address": None,
                "can_grant_admin": staff_may and not user.admin,
                "can_revoke_admin": staff_may and user.admin,
                "can_grant_moderation": staff_may and not user.moderator,
                "can_revoke_moderation": staff_may and user.moderator,
                "can_impersonate": staff_may,
                "like_count": user.likes_received,
                "like_given_count": user.likes_given,
                "topic_count": user.topic_count,
                "post_edits_count": 0,
                "flags_given_count": 0,
                "flags_received_count": 0,
                "private_topics_count": 0,
                "can_delete_all_posts": staff_may,
                "can_be_deleted": staff_may and user.post_count < 5,
                "can_be_anonymized": staff_may and not user.anonymized,
                "can_be_merged": staff_may,
                "full_suspend_reason": None,
                "latest_export": None,
                "silence_reason": None,
                "full_silence_reason": None,
                "primary_group_id": None,
                "badge_count": min(user.post_count, 9),
                "warnings_received_count": 0,
                "bounce_score": 0,
                "reset_bounce_score_after": None,
                "can_view_action_logs": True,
                "can_disable_second_factor": False,
                "can_delete_sso_record": staff_may,
                "api_key_count": 0,
                "similar_users_count": 0,
                "single_sign_on_record": record,
                "approved_by": None,
                "suspended_by": self._brief_or_none(-1) if user.suspended_at else None,
                "silenced_by": None,
                "penalty_counts": {"silenced": 0, "suspended": int(user.suspended_at is not None)},
                "next_penalty": _iso(self.clock.now()),
                "groups": [],
                "external_ids": {},
                "include_ip": False,
            }
        )

    def _admin_row(self, user: User, viewer: User, *, emails: bool) -> dict[str, Any]:
        now = self.clock.now()
        row = {
            **self._brief(user),
            "active": user.active,
            "admin": user.admin,
            "moderator": user.moderator,
            "last_seen_at": _iso(user.last_seen_at),
            "last_emailed_at": _iso(user.last_seen_at),
            "created_at": _iso(user.created_at),
            "last_seen_age": _age(user.last_seen_at, now),
            "last_emailed_age": _age(user.last_seen_at, now),
            "created_at_age": _age(user.created_at, now),
            "trust_level": user.trust_level,
            "manual_locked_trust_level": None,
            "title": user.title,
            "time_read": user.posts_read * 20 + user.post_count * 90,
            "staged": user.staged,
            "days_visited": user.days_visited,
            "posts_read_count": user.posts_read,
            "topics_entered": user.topics_entered,
            "post_count": user.post_count,
        }
        # A punishment that is over is not shown.
        if user.suspended_till is not None and user.suspended_till > now:
            row["suspended_at"] = _iso(user.suspended_at)
            row["suspended_till"] = _iso(user.suspended_till)
            row["suspended"] = True
        if user.silenced_till is not None and user.silenced_till > now:
            row["silenced"] = True
            row["silenced_till"] = _iso(user.silenced_till)
        # Staff sees its own address, and those of people who only ever wrote by e-mail, unasked.
        if emails or user.staged or user.id == viewer.id:
            row["email"] = user.email
            row["secondary_emails"] = list(user.secondary_emails)
        return row

    def user(self, request: Request, viewer: User | None) -> Response:
        user = self.forum.user_named(request.path_params["username"])
        if user is None:
            raise Rejected(_not_found())
        return _answer({"user_badges": [], "user": self._public(user, viewer)})

    def user_by_external(self, request: Request, viewer: User | None) -> Response:
        if viewer is None or not viewer.admin:
            raise Rejected(_not_found() if viewer is None else _forbidden())
        wanted = request.path_params["external_id"]
        for user in self.forum.users.values():
            if user.external_id == wanted:
                return _answer({"user_badges": [], "user": self._public(user, viewer)})
        raise Rejected(_not_found())

    def _public(self, user: User, viewer: User | None) -> dict[str, Any]:
        return {
            **self._brief(user),
            **({"bio_raw": user.bio} if user.bio is not None else {}),
            "user_fields": dict(user.user_fields),
            "last_posted_at": _iso(user.last_seen_at),
            "last_seen_at": _iso(user.last_seen_at),
            "created_at": _iso(user.created_at),
            "trust_level": user.trust_level,
            "moderator": user.moderator,
            "admin": user.admin,
            "title": user.title,
            "badge_count": min(user.post_count, 9),
            "profile_view_count": user.days_visited,
            "time_read": user.posts_read * 20 + user.post_count * 90,
            "can_edit": viewer is not None and viewer.staff,
        }

    def directory(self, request: Request, viewer: User | None) -> Response:
        query = request.query_params
        if query.get("period", "") not in (
            "all",
            "yearly",
            "quarterly",
            "monthly",
            "weekly",
            "daily",
        ):
            raise Rejected(_invalid_parameter("period"))
        order = query.get("order", "likes_received")
        columns: dict[str, Callable[[User], int]] = {
            "likes_received": lambda user: user.likes_received,
            "likes_given": lambda user: user.likes_given,
            "topics_entered": lambda user: user.topics_entered,
            "topic_count": lambda user: user.topic_count,
            "post_count": lambda user: user.post_count,
            "posts_read": lambda user: user.posts_read,
            "days_visited": lambda user: user.days_visited,
        }
        if order not in columns:
            raise Rejected(_invalid_parameter("order"))
        users = [user for user in self.forum.users.values() if user.id > 0 and user.active]
        sign = 1 if query.get("asc") == "true" else -1
        users.sort(key=lambda user: (sign * columns[order](user), user.id))
        page = _integer(request, "page", 0)
        shown = users[page * DIRECTORY_PER_PAGE : (page + 1) * DIRECTORY_PER_PAGE]
        return _answer(
            {
                "directory_items": [
                    {
                        "id": user.id,
                        **{name: column(user) for name, column in columns.items()},
                        "user": {**self._brief(user), "title": user.title},
                    }
                    for user in shown
                ],
                "meta": {
                    "last_updated_at": _iso(self.clock.now()),
                    "total_rows_directory_items": len(users),
                    "load_more_directory_items": (
                        f"/directory_items?order={order}&page={page + 1}&period={query['period']}"
                    ),
                },
            }
        )

    # The site

    def categories(self, request: Request, viewer: User | None) -> Response:
        """List categories (`CategoryList`): all at once, or in pages with some of those below."""
        query, rows = request.query_params, self._category_rows(viewer)
        parent = _integer(request, "parent_category_id", 0) or None
        page = max(_integer(request, "page", 1), 1)
        shown = [row for row in rows if row.get("parent_category_id") == parent]
        if self.forum.settings.lazy_categories:
            first = (page - 1) * CATEGORIES_PER_PAGE
            shown = shown[first : first + CATEGORIES_PER_PAGE]
            if parent is None:
                below = [
                    [row for row in rows if row.get("parent_category_id") == top["id"]]
                    for top in shown
                ]
                shown += [row for few in below for row in few[:SUBCATEGORIES_PER_CATEGORY]]
        elif page > 1:
            shown = []
        elif query.get("include_subcategories") == "true":
            shown = [_with_subcategories(row, rows) for row in shown]
        return _answer(
            {
                "category_list": {
                    "can_create_category": viewer is not None and viewer.staff,
                    "can_create_topic": viewer is not None,
                    "categories": shown,
                }
            }
        )

    def _category_rows(self, viewer: User | None) -> list[dict[str, Any]]:
        staff = viewer is not None and viewer.staff
        topics: dict[int, int] = {}
        posts: dict[int, int] = {}
        for topic in self._listed(viewer):
            if topic.category_id is not None:
                topics[topic.category_id] = topics.get(topic.category_id, 0) + 1
                posts[topic.category_id] = posts.get(topic.category_id, 0) + len(topic.posts)
        seen = [c for c in self.forum.categories.values() if staff or not c.read_restricted]
        below = {c.id: [other.id for other in seen if other.parent_id == c.id] for c in seen}
        return [
            {
                "id": category.id,
                "name": category.name,
                "color": category.color,
                "text_color": "FFFFFF",
                "style_type": "square",
                "emoji": None,
                "icon": None,
                "slug": category.slug,
                "topic_count": topics.get(category.id, 0),
                "post_count": posts.get(category.id, 0),
                "position": category.id,
                "description": None,
                "description_text": None,
                "description_excerpt": None,
                "topic_url": None,
                "read_restricted": category.read_restricted,
                "permission": 1 if staff else None,
                "notification_level": 1,
                "can_edit": staff,
                "topic_template": None,
                "topic_title_placeholder": None,
                "has_children": bool(below[category.id]),
                "subcategory_count": len(below[category.id]) or None,
                "sort_order": None,
                "sort_ascending": None,
                "show_subcategory_list": False,
                "num_featured_topics": 3,
                "default_view": None,
                "subcategory_list_style": "rows_with_featured_topics",
                "default_top_period": "all",
                "default_list_filter": "all",
                "minimum_required_tags": 0,
                "navigate_to_first_post_after_read": False,
                "topics_day": 0,
                "topics_week": 0,
                "topics_month": 0,
                "topics_year": topics.get(category.id, 0),
                "topics_all_time": topics.get(category.id, 0),
                "is_uncategorized": category.id == 1,
                "subcategory_ids": below[category.id],
                "subcategory_list": None,
                "uploaded_logo": None,
                "uploaded_logo_dark": None,
                "uploaded_background": None,
                "uploaded_background_dark": None,
                **({"parent_category_id": category.parent_id} if category.parent_id else {}),
            }
            for category in seen
        ]

    def site(self, request: Request, viewer: User | None) -> Response:
        return _answer(
            {
                "default_archetype": "regular",
                "post_types": {
                    "regular": 1,
                    "moderator_action": 2,
                    "small_action": 3,
                    "whisper": 4,
                },
                "trust_levels": {"newuser": 0, "basic": 1, "member": 2, "regular": 3, "leader": 4},
                "groups": [],
                "filters": ["latest", "unread", "new", "top", "categories", "hot"],
                "periods": ["all", "yearly", "quarterly", "monthly", "weekly", "daily"],
                "uncategorized_category_id": 1,
                "post_action_types": [
                    {"id": LIKE_ACTION, "name_key": "like", "name": "Like", "is_flag": False}
                ],
                "categories": self._category_rows(viewer),
                "archetypes": [{"id": "regular", "name": "Regular Topic", "options": []}],
                "user_fields": [],
                "auth_providers": [],
            }
        )

    def basic_info(self, request: Request, viewer: User | None) -> Response:
        return _answer(
            {
                "title": self.forum.title,
                "description": "",
                "logo_url": "/images/logo.png",
                "logo_small_url": "/images/logo-small.png",
                "favicon_url": "/favicon.ico",
                "apple_touch_icon_url": "/apple.png",
                "header_primary_color": "333333",
                "header_background_color": "ffffff",
                "login_required": False,
                "locale": "en",
                "include_in_discourse_discover": False,
                "mobile_logo_url": "/images/logo.png",
            }
        )

    def about(self, request: Request, viewer: User | None) -> Response:
        topics = self._listed(None)
        people = [user for user in self.forum.users.values() if user.id > 0 and user.active]
        staff = [user for user in people if user.admin]
        return _answer(
            {
                "users": [self._brief(user) for user in staff],
                "categories": [],
                "about": {
                    "title": self.forum.title,
                    "description": "",
                    "locale": "en",
                    "version": VERSION,
                    "site_creation_date": _iso(self.forum.founded_at),
                    "https": False,
                    "can_see_about_stats": True,
                    "stats": {
                        "topics_count": len(topics),
                        "posts_count": sum(
                            post.deleted_at is None and post.post_type == REGULAR
                            for topic in topics
                            for post in topic.posts
                        ),
                        "users_count": len(people),
                        "likes_count": sum(topic.like_count for topic in topics),
                    },
                    "admin_ids": [user.id for user in staff],
                    "moderator_ids": [user.id for user in people if user.moderator],
                },
            }
        )

    def session(self, request: Request, viewer: User | None) -> Response:
        if viewer is None:
            raise Rejected(_not_found())
        return _answer(
            {
                "current_user": {
                    **self._brief(viewer),
                    "admin": viewer.admin,
                    "moderator": viewer.moderator,
                    "staff": viewer.staff,
                    "trust_level": viewer.trust_level,
                    "title": viewer.title,
                    "read_only": False,
                    "muted_category_ids": [],
                    "muted_tags": [],
                    "whisperer": viewer.staff,
                }
            }
        )

    # Small helpers of the controllers

    def _require_staff(self, viewer: User | None) -> None:
        # Admin routes do not exist for others: 404, not 403 (AdminConstraint).
        if viewer is None or not viewer.staff:
            raise Rejected(_not_found())

    def _category(self, topic: Topic) -> Category:
        return self.forum.categories.get(topic.category_id or 0) or _NO_CATEGORY

    def _tags(self, topic: Topic) -> list[dict[str, Any]]:
        return [{"id": 1 + sum(tag.encode()) % 997, "name": tag, "slug": tag} for tag in topic.tags]

    def _unpinned(self, topic: Topic) -> bool:
        return topic.pinned_until is not None and topic.pinned_until <= self.clock.now()

    def _last_poster(self, topic: Topic) -> int | None:
        for post in reversed(topic.posts):
            if (
                post.deleted_at is None
                and post.post_type == REGULAR
                and post.user_id in self.forum.users
            ):
                return post.user_id
        return topic.user_id if topic.user_id in self.forum.users else None

    @staticmethod
    def _brief(user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "username": user.username,
            "name": user.name,
            "avatar_template": _avatar(user.username),
        }

    def _brief_or_none(self, user_id: int | None) -> dict[str, Any] | None:
        user = self.forum.users.get(user_id) if user_id is not None else None
        return None if user is None else self._brief(user)


_NO_CATEGORY = Category(id=0, name="", slug="", solved=False)


def _forbidden_key() -> Response:
    return _error(
        403,
        "invalid_access",
        "You are not permitted to view the requested resource. The API username or key is invalid.",
    )


def _integer(request: Request, name: str, default: int) -> int:
    """Return a query parameter as Rails' `to_i` would read it, never negative."""
    match = re.match(r"\s*(\d+)", request.query_params.get(name, ""))
    return int(match.group(1)) if match else default


def _seconds(wait_s: float | None) -> int:
    return 1 if wait_s is None else math.ceil(wait_s)


def _wants_raw(request: Request) -> bool:
    return request.query_params.get("include_raw") in ("true", "1")


def _with_subcategories(row: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    below = [other for other in rows if other.get("parent_category_id") == row["id"]]
    return {**row, "subcategory_list": [_with_subcategories(other, rows) for other in below]}


def _leads(topic: Topic, now: datetime) -> bool:
    return (
        topic.pinned_at is not None
        and topic.pinned_globally
        and (topic.pinned_until is None or topic.pinned_until > now)
    )


def _sort(topics: list[Topic], order: str, *, ascending: bool) -> None:
    """Sort in place; of two alike the newer id is the greater one."""
    keys: dict[str, Callable[[Topic], Any]] = {
        "created": attrgetter("created_at"),
        "latest-post": attrgetter("last_posted_at"),
        "likes": attrgetter("like_count"),
        "posts": lambda topic: len(topic.posts),
        "views": attrgetter("views"),
    }
    # Topics come by id; the sort is stable, so only the direction has to be turned first.
    if not ascending:
        topics.reverse()
    topics.sort(key=keys.get(order, attrgetter("bumped_at")), reverse=not ascending)


def _sort_users(users: list[User], order: str, *, ascending: bool) -> None:
    never = datetime(1970, 1, 1, tzinfo=UTC)
    keys: dict[str, Callable[[User], Any]] = {
        "created": lambda user: user.created_at,
        "email": lambda user: user.email,
        "username": lambda user: user.username.lower(),
        "trust_level": lambda user: user.trust_level,
        "days_visited": lambda user: user.days_visited,
        "posts": lambda user: user.post_count,
        "posts_read": lambda user: user.posts_read,
    }
    key = keys.get(order, lambda user: user.last_seen_at or never)
    users.sort(key=lambda user: (key(user), user.id), reverse=not ascending)


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max((now - at).total_seconds(), 0.0)


def _diff(old: str, new: str) -> dict[str, str]:
    """Return two texts side by side, as HTML."""
    old, new = html.escape(old, quote=False), html.escape(new, quote=False)
    if old == new:
        inline = f"<div>{new}</div>"
    else:
        inline = f"<div><del>{old}</del><ins>{new}</ins></div>"
    side = f'<div class="revision-content">{old}</div><div class="revision-content">{new}</div>'
    return {"inline": inline, "side_by_side": side, "side_by_side_markdown": side}


def _reactions(post: Post) -> list[dict[str, Any]]:
    """Return the reactions plugin's list, most used first; a like counts as `heart`."""
    if not post.likers and not post.reactions:
        return []
    counts: dict[str, int] = {}
    if post.likers:
        counts["heart"] = len(post.likers)
    for reaction, _ in (post.reactions or {}).values():
        counts[reaction] = counts.get(reaction, 0) + 1
    return [
        {"id": name, "type": "emoji", "count": count}
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
