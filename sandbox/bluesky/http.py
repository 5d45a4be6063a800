"""The XRPC API of a Bluesky network, as an ASGI application: PDS and AppView in one.

Belongs here: methods, JSON views, sessions, who may see what, paging, limits and error
bodies. Does not belong here: what writes do (`sandbox.bluesky.store`).

Faithful to the lexicons of bluesky-social/atproto and the rate limits of
https://docs.bsky.app/docs/advanced-guides/rate-limits. Differences, on purpose: signatures
of tokens are not those of the vendor, avatars lead nowhere, and nothing can be written
through XRPC but sessions. Windows of the limits pass with the wall clock and with the
world's.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.bluesky.store import (
    Account,
    Network,
    Notification,
    Post,
    host_of,
    iso,
)
from sandbox.clock import Clock
from sandbox.control import control_routes
from sandbox.faults import FaultMiddleware, Faults

MOST_PER_PAGE = 100
MOST_URIS = 25
GRACE = timedelta(hours=2)
"""For so long a refresh token that was used gives the same session again."""
CREATE_SESSION = "com.atproto.server.createSession"
REFRESH_SESSION = "com.atproto.server.refreshSession"

_json = msgspec.json.Encoder()
_WORD = re.compile(r'"([^"]+)"|(\S+)')


class Rejected(Exception):
    """An answer that ends the request: carried from wherever it is decided."""

    def __init__(self, status: int, error: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.response = _answer({"error": error, "message": message}, status, headers)


def app(network: Network, clock: Clock, faults: Faults | None = None) -> Starlette:
    """Return the application that serves `network`, with the sandbox's side door.

    Besides the general kinds of `sandbox.faults`, `faults` may ask for `429` and
    `expired_token` in the vendor's own shapes.
    """
    faults = faults or Faults()
    server = _Server(network, clock)
    answers = {
        "429": lambda fault: server.too_many(60.0 if fault.wait_s is None else fault.wait_s),
        "expired_token": lambda _: Rejected(400, "ExpiredToken", "Token has expired").response,
    }
    return Starlette(
        routes=[
            Route("/xrpc/{nsid}", server.call, methods=["GET", "POST"]),
            *control_routes(clock, faults, server.requests, _credentials(network)),
        ],
        middleware=[
            Middleware(_DateHeader, clock=clock),
            Middleware(FaultMiddleware, faults=faults, vendor="bluesky", answers=answers),
        ],
    )


def _credentials(network: Network) -> dict[str, str]:
    """Return the first account that somebody can log in to, if there is one."""
    for account in network.accounts.values():
        if account.password is not None:
            return {"handle": account.handle, "app_password": account.password}
    return {}


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


def _answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_json.encode(body), status, headers=headers, media_type="application/json")


class _Window:
    """Counts calls in a sliding window; times are seconds on the caller's clock."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds = calls, seconds
        self._seen: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Count a call; return 0, or the seconds until one is allowed again."""
        while self._seen and self._seen[0] <= now - self.seconds:
            self._seen.popleft()
        if len(self._seen) >= self.calls:
            return self._seen[0] + self.seconds - now
        self._seen.append(now)
        return 0.0

    def headers(self, now: float, reset: datetime) -> dict[str, str]:
        """Return what the vendor's headers say; the reset is in epoch seconds."""
        left = self._seen[0] + self.seconds - now if self._seen else self.seconds
        return {
            "ratelimit-limit": str(self.calls),
            "ratelimit-remaining": str(self.calls - len(self._seen)),
            "ratelimit-reset": str(int((reset + timedelta(seconds=left)).timestamp()) + 1),
            "ratelimit-policy": f"{self.calls};w={self.seconds:g}",
        }


class _Server:
    """The methods. `viewer` is the DID of who is logged in, None for everybody."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self.network = network
        self.clock = clock
        self.requests: Counter[str] = Counter()
        self._windows: dict[tuple[str, ...], _Window] = {}
        self._opened_at = clock.now()
        self._tokens: dict[str, tuple[str, str, datetime]] = {}
        self._following: dict[str, dict[str, Any]] = {}
        self._queries: dict[str, Callable[[Request, str | None], Any]] = {
            "app.bsky.actor.getProfile": self.profile,
            "app.bsky.actor.getProfiles": self.profiles,
            "app.bsky.feed.getAuthorFeed": self.author_feed,
            "app.bsky.feed.getLikes": self.likes,
            "app.bsky.feed.getPostThread": self.thread,
            "app.bsky.feed.getPosts": self.posts,
            "app.bsky.feed.getQuotes": self.quotes,
            "app.bsky.feed.getRepostedBy": self.reposted_by,
            "app.bsky.feed.searchPosts": self.search,
            "app.bsky.notification.listNotifications": self.notifications,
            "com.atproto.identity.resolveHandle": self.resolve,
            "com.atproto.server.getSession": self.session,
            "com.atproto.sync.getRepoStatus": self.repo_status,
        }
        self._procedures: dict[str, Callable[[Request, bytes], tuple[Any, dict[str, str]]]] = {
            CREATE_SESSION: self.create_session,
            REFRESH_SESSION: self.refresh_session,
        }

    async def call(self, request: Request) -> Response:
        """Answer one XRPC call."""
        nsid = request.path_params["nsid"]
        self.requests[nsid] += 1
        body = await request.body()
        with self.network.lock:
            try:
                headers = self._limit(request)
                if nsid in self._queries:
                    if request.method != "GET":
                        raise _wrong_method("POST", "GET")
                    answer = self._queries[nsid](request, self._viewer(request))
                elif nsid in self._procedures:
                    if request.method != "POST":
                        raise _wrong_method("GET", "POST")
                    answer, own = self._procedures[nsid](request, body)
                    headers |= own
                else:
                    raise Rejected(501, "MethodNotImplemented", "Method Not Implemented")
                return _answer(answer, 200, headers)
            except Rejected as rejected:
                return rejected.response

    # Limits

    def too_many(self, seconds: float) -> Response:
        """Return the 429 of a limit that ends in so many seconds."""
        window = _Window(1, seconds)
        window.wait(0.0)
        return _too_many(window.headers(0.0, self.clock.now())).response

    def _seconds(self) -> float:
        """Return a clock that runs with the wall's and jumps with the world's."""
        return time.monotonic() + (self.clock.now() - self._opened_at).total_seconds()

    def _count(self, calls: int, seconds: float, *key: str) -> dict[str, str]:
        """Count a call in a window and return its headers; reject it if there are too many."""
        window = self._windows.setdefault((*key, f"{seconds:g}"), _Window(calls, seconds))
        now = self._seconds()
        refused = window.wait(now) > 0
        headers = window.headers(now, self.clock.now())
        if refused:
            raise _too_many(headers)
        return headers

    def _limit(self, request: Request) -> dict[str, str]:
        address = request.client.host if request.client else "?"
        return self._count(self.network.settings.calls_per_5_min, 300, "address", address)

    # Sessions

    def create_session(self, request: Request, body: bytes) -> tuple[Any, dict[str, str]]:
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any])
            identifier, password = str(asked["identifier"]), asked["password"]
        except (msgspec.DecodeError, KeyError):
            raise Rejected(
                400, "InvalidRequest", 'Input must have the property "identifier"'
            ) from None
        settings = self.network.settings
        self._count(settings.logins_per_day, 86_400, "login", identifier)
        headers = self._count(settings.logins_per_5_min, 300, "login", identifier)
        account = self.network.account(identifier)
        if account is None or account.password is None or account.password != password:
            raise Rejected(401, "AuthenticationRequired", "Invalid identifier or password")
        if account.status == "takendown":
            raise Rejected(401, "AccountTakedown", "Account has been taken down")
        return self._new_session(account), headers

    def refresh_session(self, request: Request, body: bytes) -> tuple[Any, dict[str, str]]:
        token = self._bearer(request)
        if token is None:
            raise Rejected(401, "AuthMissing", "Authentication Required")
        did = self._did_of(token, "refresh")
        if token not in self._following:
            self._following[token] = self._new_session(self.network.accounts[did])
            ends_at = min(self._tokens[token][2], self.clock.now() + GRACE)
            self._tokens[token] = (did, "refresh", ends_at)
        return self._following[token], {}

    def session(self, request: Request, viewer: str | None) -> Any:
        if viewer is None:
            raise Rejected(401, "AuthMissing", "Authentication Required")
        return self._session_view(self.network.accounts[viewer])

    def _new_session(self, account: Account) -> dict[str, Any]:
        settings = self.network.settings
        access = self._token(account.did, "access", timedelta(minutes=settings.access_minutes))
        refresh = self._token(account.did, "refresh", timedelta(days=settings.refresh_days))
        return {"accessJwt": access, "refreshJwt": refresh, **self._session_view(account)}

    @staticmethod
    def _session_view(account: Account) -> dict[str, Any]:
        status = {} if account.status == "active" else {"status": account.status}
        active = account.status == "active"
        return {"handle": account.handle, "did": account.did, "active": active, **status}

    def _token(self, did: str, scope: str, life: timedelta) -> str:
        """Return a JWT; only the times and the scope in it mean anything."""
        now = self.clock.now()
        number = len(self._tokens) + sum(self.requests.values())
        claims = {
            "scope": f"com.atproto.{'appPass' if scope == 'access' else scope}",
            "sub": did,
            "jti": hashlib.sha256(f"{number}/{scope}".encode()).hexdigest()[:16],
            "iat": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
        }
        signed = f"{_segment({'typ': 'at+jwt', 'alg': 'HS256'})}.{_segment(claims)}"
        token = f"{signed}.{_base64(hashlib.sha256(signed.encode()).digest())}"
        self._tokens[token] = (did, scope, now + life)
        return token

    @staticmethod
    def _bearer(request: Request) -> str | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return token if kind.lower() == "bearer" and token else None

    def _did_of(self, token: str, scope: str) -> str:
        found = self._tokens.get(token)
        if found is None:
            raise Rejected(400, "InvalidToken", "Token could not be verified")
        did, holds, expires_at = found
        if holds != scope:
            raise Rejected(400, "InvalidToken", "Bad token scope")
        if self.clock.now() >= expires_at:
            raise Rejected(400, "ExpiredToken", "Token has expired")
        return did

    def _viewer(self, request: Request) -> str | None:
        token = self._bearer(request)
        return self._did_of(token, "access") if token is not None else None

    # Feeds

    def search(self, request: Request, viewer: str | None) -> Any:
        query, network = request.query_params, self.network
        if viewer is None and network.settings.search_needs_login:
            raise Rejected(401, "AuthMissing", "Authentication Required")
        if "q" not in query:
            raise Rejected(400, "InvalidRequest", 'Error: Params must have the property "q"')
        limit = self._limit_of(query, 25)
        found = [post for post in self._matching(query) if self._is_shown(post, viewer)]
        if network.settings.own_search:
            return self._own_search(found, query.get("cursor"), limit, viewer)
        offset = self._offset_of(query)
        if query.get("sort") == "top":
            found.sort(key=lambda post: -len(post.likes))
        depth = network.settings.search_depth
        page = found[:depth][offset : offset + limit]
        more = offset + limit < min(len(found), depth)
        return {
            "posts": [self._post_view(post, viewer) for post in page],
            "hitsTotal": min(len(found), depth),
            **({"cursor": str(offset + limit)} if more else {}),
        }

    def _own_search(
        self, found: list[Post], cursor: str | None, limit: int, viewer: str | None
    ) -> Any:
        """Page through posts as the open-source server does: after a time and a cid."""

        def place(post: Post) -> tuple[int, str]:
            return int(post.sort_at.timestamp() * 1000), post.cid

        found.sort(key=place, reverse=True)
        if cursor is not None:
            milliseconds, _, cid = cursor.partition("__")
            if not cid or not milliseconds.lstrip("-").isdigit():
                raise Rejected(500, "InternalServerError", "Internal Server Error")  # as seen
            found = [post for post in found if place(post) < (int(milliseconds), cid)]
        page = found[:limit]
        last = place(page[-1]) if len(page) == limit else None
        return {
            "posts": [self._post_view(post, viewer) for post in page],
            **({"cursor": f"{last[0]}__{last[1]}"} if last else {}),
        }

    def _matching(self, query: Any) -> Iterable[Post]:
        """Yield what a search finds, newest `sort_at` first; `since` counts, `until` does not."""
        is_own = self.network.settings.own_search
        since, until = None if is_own else _moment(query, "since"), _moment(query, "until")
        mentioned = self._did(query["mentions"]) if "mentions" in query else None
        author = self._did(query["author"]) if "author" in query else None
        domain = query.get("domain", "").lower().removeprefix("www.")
        url = query.get("url", "").rstrip("/")
        tags = {tag.lower() for tag in query.getlist("tag")}
        cased: Callable[[str], str] = str if is_own else str.lower
        words = [cased(phrase or word) for phrase, word in _WORD.findall(query["q"]) if word != "*"]
        for post in self.network.newest_first():
            if until is not None and post.sort_at >= until:
                continue
            if since is not None and post.sort_at < since:
                return
            text = cased(post.record["text"])
            if (
                (mentioned is None or mentioned in post.mentions)
                and (author is None or author == post.did)
                and (not domain or any(_leads_to(link, domain) for link in post.links))
                and (not url or any(link.rstrip("/") == url for link in post.links))
                and tags <= post.tags
                and all(word in text for word in words)
                and ("lang" not in query or query["lang"] in post.record["langs"])
            ):
                yield post

    def posts(self, request: Request, viewer: str | None) -> Any:
        uris = request.query_params.getlist("uris")
        if not uris or len(uris) > MOST_URIS:
            text = f"Error: uris must not have more than {MOST_URIS} elements"
            raise Rejected(400, "InvalidRequest", text)
        found = (self.network.posts.get(uri) for uri in dict.fromkeys(uris))
        return {
            "posts": [
                self._post_view(post, viewer)
                for post in found
                if post is not None and self._is_shown(post, viewer)
            ]
        }

    def author_feed(self, request: Request, viewer: str | None) -> Any:
        query = request.query_params
        account = self._account(query.get("actor", ""))
        if viewer is not None and account.did in self.network.accounts[viewer].blocks:
            text = f"Requester has blocked actor: {account.did}"
            raise Rejected(400, "BlockedActor", text)
        if viewer in account.blocks:
            text = f"Requester is blocked by actor: {account.did}"
            raise Rejected(400, "BlockedByActor", text)
        feed = [
            post
            for post in self.network.newest_first()
            if post.did == account.did
            and (query.get("filter") != "posts_no_replies" or post.parent is None)
        ]
        page, cursor = self._page(feed, query, 50)
        return {"feed": [{"post": self._post_view(post, viewer)} for post in page], **cursor}

    def quotes(self, request: Request, viewer: str | None) -> Any:
        query = request.query_params
        uri = self._uri(query)
        post = self.network.posts.get(uri)
        quotes = [self.network.posts[quote] for quote in reversed(post.quotes)] if post else []
        shown = [quote for quote in quotes if self._is_shown(quote, viewer)]
        page, cursor = self._page(shown, query, 50)
        return {"uri": uri, "posts": [self._post_view(quote, viewer) for quote in page], **cursor}

    def likes(self, request: Request, viewer: str | None) -> Any:
        query = request.query_params
        uri = self._uri(query)
        post = self.network.posts.get(uri)
        likes = [
            (did, at)
            for did, (_, at) in (reversed(post.likes.items()) if post else ())
            if self.network.is_served(did) and not self.network.are_apart(viewer, did)
        ]
        page, cursor = self._page(likes, query, 50)
        views = [
            {"indexedAt": iso(at), "createdAt": iso(at), "actor": self._profile(did, viewer)}
            for did, at in page
        ]
        return {"uri": uri, "likes": views, **cursor}

    def reposted_by(self, request: Request, viewer: str | None) -> Any:
        query = request.query_params
        uri = self._uri(query)
        post = self.network.posts.get(uri)
        dids = [
            did
            for did in (reversed(post.reposts) if post else ())
            if self.network.is_served(did) and not self.network.are_apart(viewer, did)
        ]
        page, cursor = self._page(dids, query, 50)
        return {"uri": uri, "repostedBy": [self._profile(did, viewer) for did in page], **cursor}

    def thread(self, request: Request, viewer: str | None) -> Any:
        query = request.query_params
        uri = self._uri(query)
        depth = _number(query, "depth", 6, 0, 1000)
        height = _number(query, "parentHeight", 80, 0, 1000)
        post = self.network.posts.get(uri)
        if post is None or not self.network.is_served(post.did):
            raise Rejected(400, "NotFound", f"Post not found: {uri}")
        view = self._thread_view(uri, viewer, depth)
        here, child = post, view
        while height and "post" in child and here.parent is not None:
            child["parent"] = self._thread_view(here.parent, viewer, 0)
            if here.parent not in self.network.posts:
                break
            here, child, height = self.network.posts[here.parent], child["parent"], height - 1
        return {"thread": view}

    def _thread_view(self, uri: str, viewer: str | None, depth: int) -> dict[str, Any]:
        post = self.network.posts.get(uri)
        defs = "app.bsky.feed.defs"
        if post is None or not self.network.is_served(post.did):
            return {"$type": f"{defs}#notFoundPost", "uri": uri, "notFound": True}
        if self.network.are_apart(viewer, post.did):
            author = {"did": post.did}
            return {"$type": f"{defs}#blockedPost", "uri": uri, "blocked": True, "author": author}
        view: dict[str, Any] = {
            "$type": f"{defs}#threadViewPost",
            "post": self._post_view(post, viewer),
        }
        if depth:
            below = [self._thread_view(reply, viewer, depth - 1) for reply in post.replies]
            view["replies"] = [reply for reply in below if reply["$type"] != f"{defs}#notFoundPost"]
        return view

    def notifications(self, request: Request, viewer: str | None) -> Any:
        if viewer is None:
            raise Rejected(401, "AuthMissing", "Authentication Required")
        query = request.query_params
        reasons = query.getlist("reasons")
        shown = [
            told
            for told in reversed(self.network.notifications[viewer])
            if (not reasons or told.reason in reasons) and self._still_stands(told, viewer)
        ]
        page, cursor = self._page(shown, query, 50)
        return {
            "notifications": [self._notification_view(told, viewer) for told in page],
            "priority": False,
            **cursor,
        }

    def _still_stands(self, told: Notification, viewer: str) -> bool:
        network = self.network
        if not network.is_served(told.did) or network.are_apart(viewer, told.did):
            return False
        if told.reason not in ("like", "repost"):
            return told.uri in network.posts
        subject = network.posts.get(told.subject or "")
        if subject is None:
            return False
        given = subject.likes if told.reason == "like" else subject.reposts
        return told.did in given and given[told.did][0] == told.uri

    # Accounts

    def profile(self, request: Request, viewer: str | None) -> Any:
        account = self._account(request.query_params.get("actor", ""))
        return self._profile(account.did, viewer, detailed=True)

    def profiles(self, request: Request, viewer: str | None) -> Any:
        actors = request.query_params.getlist("actors")
        if not actors or len(actors) > MOST_URIS:
            text = f"Error: actors must not have more than {MOST_URIS} elements"
            raise Rejected(400, "InvalidRequest", text)
        found = (self.network.account(actor) for actor in dict.fromkeys(actors))
        return {
            "profiles": [
                self._profile(account.did, viewer, detailed=True)
                for account in found
                if account is not None and account.status == "active"
            ]
        }

    def resolve(self, request: Request, viewer: str | None) -> Any:
        account = self.network.account(request.query_params.get("handle", ""))
        if account is None:
            raise Rejected(400, "HandleNotFound", "Unable to resolve handle")
        return {"did": account.did}

    def repo_status(self, request: Request, viewer: str | None) -> Any:
        did = request.query_params.get("did", "")
        account = self.network.accounts.get(did)
        if account is None:
            raise Rejected(400, "RepoNotFound", f"Could not find repo for DID: {did}")
        if account.status != "active":
            return {"did": did, "active": False, "status": account.status}
        return {"did": did, "active": True, "rev": "3l3qo2vutsw2b"}

    def _account(self, actor: str) -> Account:
        account = self.network.account(actor)
        if account is None or account.status == "deleted":
            raise Rejected(400, "InvalidRequest", "Profile not found")
        if account.status == "deactivated":
            raise Rejected(400, "AccountDeactivated", "Account is deactivated")
        if account.status != "active":
            raise Rejected(400, "AccountTakedown", "Account has been suspended")
        return account

    def _did(self, actor: str) -> str:
        account = self.network.account(actor)
        return account.did if account else actor

    # Views

    def _is_shown(self, post: Post, viewer: str | None) -> bool:
        return self.network.is_served(post.did) and not self.network.are_apart(viewer, post.did)

    def _profile(self, did: str, viewer: str | None, *, detailed: bool = False) -> dict[str, Any]:
        view = self._author(did, viewer)
        account = self.network.accounts[did]
        view |= {"indexedAt": iso(account.created_at), "description": account.description}
        if detailed:
            posts = sum(post.did == did for post in self.network.posts.values())
            view |= {"followersCount": 41, "followsCount": 17, "postsCount": posts}
        return view

    def _author(self, did: str, viewer: str | None) -> dict[str, Any]:
        account = self.network.accounts[did]
        view: dict[str, Any] = {
            "did": did,
            "handle": account.handle,
            "avatar": f"https://cdn.bsky.app/img/avatar/plain/{did}/none@jpeg",
            "labels": [
                {
                    "src": did,
                    "uri": f"at://{did}/app.bsky.actor.profile/self",
                    "val": label,
                    "cts": iso(account.created_at),
                }
                for label in account.labels
            ],
            "createdAt": iso(account.created_at),
        }
        if account.display_name is not None:
            view["displayName"] = account.display_name
        if viewer is not None:
            view["viewer"] = {"muted": False, "blockedBy": viewer in account.blocks}
        return view

    def _post_view(self, post: Post, viewer: str | None) -> dict[str, Any]:
        view: dict[str, Any] = {
            "uri": post.uri,
            "cid": post.cid,
            "author": self._author(post.did, viewer),
            "record": post.record,
            "bookmarkCount": 0,
            "replyCount": len(post.replies),
            "repostCount": len(post.reposts),
            "likeCount": len(post.likes),
            "quoteCount": len(post.quotes),
            "indexedAt": iso(post.indexed_at),
            "labels": [],
        }
        embed = self._embed_view(post, viewer)
        if embed is not None:
            view["embed"] = embed
        if viewer is not None:
            like = {"like": post.likes[viewer][0]} if viewer in post.likes else {}
            view["viewer"] = {**like, "threadMuted": False, "embeddingDisabled": False}
        return view

    def _embed_view(self, post: Post, viewer: str | None) -> dict[str, Any] | None:
        embed = post.record.get("embed")
        if embed is None:
            return None
        if "external" in embed:
            return {"$type": "app.bsky.embed.external#view", "external": embed["external"]}
        uri, kind = embed["record"]["uri"], "app.bsky.embed.record"
        quoted = self.network.posts.get(uri)
        shown: dict[str, Any]
        if quoted is None or not self.network.is_served(quoted.did):
            shown = {"$type": f"{kind}#viewNotFound", "uri": uri, "notFound": True}
        elif self.network.are_apart(viewer, quoted.did):
            author = {"did": quoted.did}
            shown = {"$type": f"{kind}#viewBlocked", "uri": uri, "blocked": True, "author": author}
        else:
            shown = {
                "$type": f"{kind}#viewRecord",
                "uri": uri,
                "cid": quoted.cid,
                "author": self._author(quoted.did, viewer),
                "value": quoted.record,
                "labels": [],
                "likeCount": len(quoted.likes),
                "replyCount": len(quoted.replies),
                "repostCount": len(quoted.reposts),
                "quoteCount": len(quoted.quotes),
                "indexedAt": iso(quoted.indexed_at),
                "embeds": [],
            }
        return {"$type": f"{kind}#view", "record": shown}

    def _notification_view(self, told: Notification, viewer: str) -> dict[str, Any]:
        if told.reason in ("like", "repost"):
            assert told.subject is not None
            subject = self.network.posts[told.subject]
            record: dict[str, Any] = {
                "$type": f"app.bsky.feed.{told.reason}",
                "createdAt": told.claimed_at,
                "subject": {"cid": subject.cid, "uri": subject.uri},
            }
            cid = subject.cid
        else:
            record, cid = self.network.posts[told.uri].record, self.network.posts[told.uri].cid
        about = {"reasonSubject": told.subject} if told.subject else {}
        return {
            "uri": told.uri,
            "cid": cid,
            "author": self._profile(told.did, viewer),
            "reason": told.reason,
            **about,
            "record": record,
            "isRead": False,
            "indexedAt": iso(told.indexed_at),
            "labels": [],
        }

    # Paging

    def _page(self, items: list[Any], query: Any, default: int) -> tuple[list[Any], dict[str, str]]:
        """Return a page of a list, and its cursor if more follow."""
        limit, offset = self._limit_of(query, default), self._offset_of(query)
        more = offset + limit < len(items)
        cursor = {"cursor": f"{offset + limit}"} if more else {}
        return items[offset : offset + limit], cursor

    @staticmethod
    def _limit_of(query: Any, default: int) -> int:
        return _number(query, "limit", default, 1, MOST_PER_PAGE)

    @staticmethod
    def _offset_of(query: Any) -> int:
        cursor = query.get("cursor", "0")
        if not cursor.isdigit():
            raise Rejected(500, "InternalServerError", "Internal Server Error")  # as seen
        return int(cursor)

    @staticmethod
    def _uri(query: Any) -> str:
        uri = query.get("uri", "")
        if not uri.startswith("at://"):
            raise Rejected(400, "InvalidRequest", "Error: uri must be a valid at-uri")
        return str(uri)


def _wrong_method(got: str, expected: str) -> Rejected:
    text = f"Incorrect HTTP method ({got}) expected {expected}"
    return Rejected(400, "InvalidRequest", text)


def _too_many(headers: dict[str, str]) -> Rejected:
    return Rejected(429, "RateLimitExceeded", "Rate Limit Exceeded", **headers)


def _number(query: Any, name: str, default: int, least: int, most: int) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        raise Rejected(400, "InvalidRequest", f"Error: {name} must be an integer") from None
    if not least <= number <= most:
        side = f"less than {least}" if number < least else f"greater than {most}"
        raise Rejected(400, "InvalidRequest", f"Error: {name} can not be {side}")
    return number


def _moment(query: Any, name: str) -> datetime | None:
    """Read a datetime or a day; what is neither is no bound."""
    try:
        at = datetime.fromisoformat(query.get(name, ""))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _leads_to(link: str, domain: str) -> bool:
    host = host_of(link)
    return host == domain or host.endswith(f".{domain}")


def _segment(value: dict[str, Any]) -> str:
    return _base64(_json.encode(value))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
