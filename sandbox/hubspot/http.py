"""The REST API of the emulated portal: paths of three ages, pages, batches, limits, errors.

Belongs here: URLs, headers, tokens, scopes, limits, the shapes of answers and errors.
Does not belong here: what a search matches (`search`) or a write does (`portal`).

One handler serves a resource under all its addresses: `/crm/v3/objects/…`,
`/crm/v4/objects/…` and `/crm/objects/2026-03/…`, with or without a trailing slash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
import uuid
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode
from zoneinfo import ZoneInfo

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.clock import Clock
from sandbox.control import control_routes
from sandbox.faults import Answer, Fault, FaultMiddleware, Faults
from sandbox.hubspot import search
from sandbox.hubspot.portal import (
    ApiError,
    Campaign,
    EmailEvent,
    Form,
    MarketingEmail,
    Portal,
    Record,
    Table,
    not_found,
)
from sandbox.hubspot.schema import AssociationType, ObjectType, epoch_ms, iso

PAGE_DEFAULT, PAGE_MAX, PAGE_MAX_WITH_HISTORY = 10, 100, 50
BATCH_MAX, BATCH_MAX_WITH_HISTORY = 100, 50
LINKS_BATCH_MAX = 1_000
LINKS_IN_RECORD = 100
"""Associations of one kind in a record of a list before they page."""
OWNERS_DEFAULT, OWNERS_MAX = 100, 500
MEMBERS_DEFAULT, MEMBERS_MAX = 100, 250
FORMS_DEFAULT, FORMS_MAX = 20, 100
SUBMISSIONS_DEFAULT, SUBMISSIONS_MAX = 20, 50
CAMPAIGNS_DEFAULT, CAMPAIGNS_MAX = 50, 100
EVENTS_DEFAULT, EVENTS_MAX = 10, 1_000
EMAIL_EVENT_TYPES = (
    "DROPPED", "UNBOUNCE", "STATUSCHANGE", "DELIVERED", "FORWARD", "BOUNCE", "REPLY", "PRINT",
    "PROCESSED", "UNSUBSCRIBED", "SUPPRESSED", "CLICK_ON_IDENTIFIED_LINK", "SENT", "SELECTED",
    "SPAMREPORT", "OPT_IN_CHANGE", "DEFERRED", "ERROR", "OPEN", "MTA_DROPPED", "CLICK",
)  # fmt: skip
URL_BYTES_MAX = 15_000
NOT_GRANTED = ("goal_targets", "line_items", "products", "quotes")
"""Objects that every portal knows, and for which this app was given no scope."""
SEARCH_MEMORY = 4

_VERSION = re.compile(r"v\d|20\d\d-(03|09)")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_DOCS = "https://developers.hubspot.com"
_TOO_LONG = "<html><head><title>414 Request-URI Too Large</title></head></html>"

_NO_CREDENTIALS = ApiError(
    401,
    "INVALID_AUTHENTICATION",
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
    f"can find more details at {_DOCS}/docs/methods/auth/oauth-overview",
)
_UNEXPECTED = ApiError(500, "INTERNAL_ERROR", "internal error")
_LOCKED = ApiError(423, "LOCKED", "The resource is locked; try again in a moment.")
_CURSOR_GONE = ApiError(400, "VALIDATION_ERROR", "The paging cursor is not valid any more")
_MIGRATING = ApiError(477, "MIGRATION_IN_PROGRESS", "This account is being migrated.")


def app(portal: Portal, clock: Clock, faults: Faults | None = None) -> Starlette:
    """Return the portal's web server as an ASGI application.

    Run it with the server's own `Date` header off: answers carry the clock's. Besides the
    vendor's paths it has the side door of `sandbox.control`. Kinds of faults of its own:
    `500` (the vendor's JSON), `502`, `504`, `524` (a proxy's page), `423` and `477`, `429` and
    `limit_ten_secondly`, `limit_secondly`, `limit_daily` (429 in the vendor's words), all of
    them with a Retry-After only where the fault has `wait_s`; `expired_token` (all OAuth
    tokens die), `cursor_gone` (400).
    """
    api = _Api(portal, clock)
    faults = faults or Faults()
    credentials = {
        "access_token": portal.access_token,
        "client_id": portal.client_id,
        "client_secret": portal.client_secret,
        "refresh_token": portal.refresh_token,
    }
    return Starlette(
        routes=[
            *control_routes(clock, faults, api.requests, credentials),
            Route("/{path:path}", api.answer, methods=_METHODS),
        ],
        middleware=[
            Middleware(_WireMiddleware, clock=clock),
            Middleware(
                FaultMiddleware, faults=faults, vendor="hubspot", answers=api.fault_answers()
            ),
        ],
    )


class _Call:
    """A call taken apart: `version` is the segment that was cut out of `parts`."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.request = request
        self.method = "GET" if request.method == "HEAD" else request.method
        self.path = request.scope["path"]
        self.parts = [part for part in self.path.split("/") if part]
        self.version = ""
        for part in self.parts[1:3]:
            if _VERSION.fullmatch(part):
                self.version = part
                self.parts.remove(part)
                break
        self.body = body
        self.query = parse_qsl(request.scope["query_string"].decode("latin-1"))

    @property
    def is_dated(self) -> bool:
        """Whether the address is of the kind that has a date for a version."""
        return self.version.startswith("20")

    def one(self, name: str, default: str = "") -> str:
        """Return a parameter, the last one given."""
        return next((value for key, value in reversed(self.query) if key == name), default)

    def words(self, name: str) -> list[str]:
        """Return a parameter's values: repeated keys, comma lists, or both."""
        return [
            word.strip()
            for key, value in self.query
            if key == name
            for word in value.split(",")
            if word.strip()
        ]

    def flag(self, name: str) -> bool:
        """Return a yes or no, however it is capitalized."""
        return self.one(name).lower() == "true"

    def limit(self, default: int, most: int) -> int:
        """Return the page length asked for."""
        text = self.one("limit", str(default))
        if not text.lstrip("-").isdigit() or not 0 < int(text) <= most:
            raise ApiError(
                400, "VALIDATION_ERROR", f"Invalid limit `{text}`: must be between 1 and {most}"
            )
        return int(text)

    def after(self) -> int:
        """Return the id a page begins behind."""
        text = self.one("after", "0")
        if not text.isdigit():
            raise ApiError(400, "VALIDATION_ERROR", f"Invalid paging cursor `{text}`")
        return int(text)

    def json(self) -> Any:
        """Return the body; ApiError 400 when it is none."""
        try:
            return msgspec.json.decode(self.body or b"null")
        except msgspec.DecodeError as error:
            raise ApiError(400, "VALIDATION_ERROR", f"Invalid input JSON: {error}") from None

    def fields(self) -> dict[str, Any]:
        """Return the body's object."""
        given = self.json()
        if not isinstance(given, dict):
            raise ApiError(400, "VALIDATION_ERROR", "Invalid input JSON: object expected")
        return given

    def inputs(self, most: int, kind: type = dict) -> list[Any]:
        """Return the entries of a batch, all of one kind."""
        given = self.fields().get("inputs")
        if not isinstance(given, list) or not all(isinstance(one, kind) for one in given):
            raise ApiError(
                400, "VALIDATION_ERROR", "Invalid input JSON: Some required fields were not set: "
                "[inputs]"
            )  # fmt: skip
        if len(given) > most:
            raise ApiError(
                400,
                "VALIDATION_ERROR",
                f"The maximum number of inputs supported in a batch request is {most}. "
                f"Received {len(given)}.",
            )
        return given

    def next_page(self, after: str) -> dict[str, Any]:
        """Return `paging` of an answer that goes on."""
        kept = [(key, value) for key, value in self.query if key != "after"]
        base = f"{self.request.url.scheme}://{self.request.url.netloc}{self.path}"
        return {"next": {"after": after, "link": f"{base}?{urlencode([*kept, ('after', after)])}"}}


Handler = Callable[[], Response]


class _Api:
    """The vendor's resources, and what the server remembers between calls."""

    def __init__(self, portal: Portal, clock: Clock) -> None:
        self.portal = portal
        self.clock = clock
        self.requests: Counter[str] = Counter()
        self._tokens: dict[str, datetime] = {}
        self._calls: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._day = ""
        self._today = 0
        self._minted = 0
        self._answers = 0
        self._found: dict[bytes, list[int]] = {}

    def fault_answers(self) -> dict[str, Answer]:
        """Return the vendor's own kinds of faults."""

        def limit(policy: str) -> Answer:
            return lambda fault: self.too_many(policy, fault.wait_s)

        def waiting(error: ApiError) -> Answer:
            return lambda fault: _wait(self.refusal(error), fault.wait_s)

        def page(status: int, text: str) -> Answer:
            html = f"<html><head><title>{text}</title></head><body>{text}</body></html>"
            return lambda _: HTMLResponse(html, status_code=status)

        def expire(_: Fault) -> Response:
            now = self.clock.now()
            self._tokens = dict.fromkeys(self._tokens, now)
            return self.refusal(_expired(now, now))

        return {
            "500": lambda _: self.refusal(_UNEXPECTED),
            "502": page(502, "502 Bad Gateway"),
            "504": page(504, "504 Gateway Time-out"),
            "524": page(524, "524: A timeout occurred"),
            "423": waiting(_LOCKED),
            "477": waiting(_MIGRATING),
            "429": limit("TEN_SECONDLY_ROLLING"),
            "limit_ten_secondly": limit("TEN_SECONDLY_ROLLING"),
            "limit_secondly": limit("SECONDLY"),
            "limit_daily": limit("DAILY"),
            "expired_token": expire,
            "cursor_gone": lambda _: self.refusal(_CURSOR_GONE),
        }

    # Every call

    async def answer(self, request: Request) -> Response:
        """Answer any call, or say why not."""
        call = _Call(request, await request.body())
        handler, scope, shown = self.resource(call)
        self.requests[f"{call.method} {shown}"] += 1
        is_search = shown == "crm/objects/{type}/search"
        is_login = call.parts[:1] == ["oauth"]
        is_private = False
        try:
            if not is_login:
                is_private = self.check_token(request)
                if handler is None:
                    raise not_found()
                if scope and scope not in self.portal.scopes:
                    raise _missing(scope)
                spent = self.count_call(is_search)
                if spent:
                    return self.too_many(spent, None, is_private=is_private)
            elif handler is None:
                raise not_found()
            with self.portal.lock:
                response = handler()
        except ApiError as error:
            response = self.refusal(error)
        if not (is_login or is_search or response.status_code == 401):
            self.tell_limits(response, is_private)
        return response

    def resource(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Return what answers a call, the scope it needs, and its address for the counters."""
        found = _ROUTES.get(call.parts[0] if call.parts else "")
        return found(self, call) if found else (None, "", "?")

    def crm(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/crm`."""
        match call.method, call.parts[1:]:
            case _, ["objects" | "properties" | "schemas", name, *_] if name in NOT_GRANTED:
                refused = _missing(f"crm.objects.{name}.read")
                return _raising(refused), "", f"crm/{call.parts[1]}/?"
            case _, ["objects", _, *_] | ["associations", _, _, *_]:
                return self.records(call)
            case "GET", ["owners"]:
                return lambda: self.owners(call), "crm.objects.owners.read", "crm/owners"
            case "GET", ["owners", id]:
                return lambda: self.owner(call, id), "crm.objects.owners.read", "crm/owners/{id}"
            case "GET", ["properties", name]:
                return lambda: self.properties(call, name), "", "crm/properties/{type}"
            case "GET", ["properties", name, "groups"]:
                return lambda: self.groups(name), "", "crm/properties/{type}/groups"
            case "GET", ["properties", name, one]:
                shown = "crm/properties/{type}/{name}"
                return lambda: self.one_property(call, name, one), "", shown
            case "POST", ["properties", name, "batch", "read"]:
                shown = "crm/properties/{type}/batch/read"
                return lambda: self.some_properties(call, name), "", shown
            case "GET", ["pipelines", name, *rest]:
                shown = "/".join(["crm/pipelines/{type}", *("{id}", "stages", "{id}")[: len(rest)]])
                return lambda: self.pipelines(name, rest), "", shown
            case "GET", ["schemas"]:
                return self.schemas, "", "crm/schemas"
            case "GET", ["schemas", name]:
                return lambda: self.one_schema(name), "", "crm/schemas/{type}"
            case "GET", ["lists"]:
                return lambda: self.some_lists(call), "crm.lists.read", "crm/lists"
            case "POST", ["lists", "search"]:
                return lambda: self.search_lists(call), "crm.lists.read", "crm/lists/search"
            case "GET", ["lists", id]:
                return lambda: self.one_list(id), "crm.lists.read", "crm/lists/{id}"
            case "GET", ["lists", id, "memberships", *rest] if rest in ([], ["join-order"]):
                shown = "/".join(["crm/lists/{id}/memberships", *rest])
                return lambda: self.members(call, id, bool(rest)), "crm.lists.read", shown
        return None, "", "crm/?"

    def records(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers for records and the links between them."""
        parts = call.parts[1:]
        name = parts[1]
        try:
            kind = self.portal.table(name).kind
        except ApiError as error:
            return _raising(error), "", "crm/objects/?"
        read, write = kind.scope, kind.write_scope
        base = "crm/objects/{type}"
        answer: Handler
        match call.method, parts:
            case "GET", ["objects", _]:
                return lambda: self.listing(call, name), read, base
            case "POST", ["objects", _]:
                return lambda: self.create(call, name), write, base
            case "POST", ["objects", _, "search"]:
                return lambda: self.search(call, name), read, f"{base}/search"
            case "POST", ["objects", _, "batch", "read"]:
                return lambda: self.batch_read(call, name), read, f"{base}/batch/read"
            case "POST", ["objects", _, "batch", "create" | "update" | "upsert" as act]:
                answer = partial(self.batch_write, call, name, act)
                return answer, write, f"{base}/batch/{act}"
            case "POST", ["objects", _, "batch", "archive"]:
                return lambda: self.batch_archive(call, name), write, f"{base}/batch/archive"
            case "POST", ["objects", _, "merge"]:
                return lambda: self.merge(call, name), write, f"{base}/merge"
            case "POST", ["objects", _, "gdpr-delete"] if kind.name == "contacts":
                return lambda: self.gdpr_delete(call), write, f"{base}/gdpr-delete"
            case "GET", ["objects", _, id]:
                return lambda: self.record(call, name, id), read, f"{base}/{{id}}"
            case "PATCH", ["objects", _, id]:
                return lambda: self.change(call, name, id), write, f"{base}/{{id}}"
            case "DELETE", ["objects", _, id]:
                return lambda: self.remove(name, id), write, f"{base}/{{id}}"
            case "GET", ["objects", _, id, "associations", target]:
                answer = partial(self.links, call, name, id, target)
                return answer, read, f"{base}/{{id}}/associations/{{type}}"
            case "PUT" | "DELETE", ["objects", _, id, "associations", *rest] if len(rest) in (2, 3):
                answer = partial(self.change_link, call, name, id, rest)
                return answer, write, f"{base}/{{id}}/associations/{{type}}/{{id}}"
            case "POST", ["associations", _, target, "batch", "read"]:
                answer = partial(self.batch_links, call, name, target)
                return answer, read, "crm/associations/{type}/{type}/batch/read"
            case "GET", ["associations", _, target, "labels" | "types"]:
                answer = partial(self.labels, name, target)
                return answer, read, "crm/associations/{type}/{type}/labels"
        return None, "", f"{base}/?"

    # Tokens and limits

    def oauth(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/oauth`."""
        match call.method, call.parts[1:]:
            case "POST", ["token"]:
                return lambda: self.token(call), "", "oauth/token"
            case "POST", ["token", "introspect"]:
                return lambda: self.introspect(call), "", "oauth/token/introspect"
            case "GET", ["access-tokens", token]:
                return lambda: self.token_info(token), "", "oauth/access-tokens/{token}"
            case "POST", ["private-apps", "get", "access-token-info"]:
                shown = "oauth/private-apps/get/access-token-info"
                return lambda: self.private_app(call), "", shown
        return None, "", "oauth/?"

    def token(self, call: _Call) -> Response:
        """`POST token`: a new access token for a refresh token; fields in the body only."""
        form = {key: values[-1] for key, values in parse_qs(call.body.decode()).items()}
        portal = self.portal
        wrong = ""
        if form.get("grant_type") != "refresh_token":
            wrong = "BAD_GRANT_TYPE"
        elif form.get("client_id") != portal.client_id:
            wrong = "BAD_CLIENT_ID"
        elif form.get("client_secret") != portal.client_secret:
            wrong = "BAD_CLIENT_SECRET"
        elif form.get("refresh_token") != portal.refresh_token:
            wrong = "BAD_REFRESH_TOKEN"
        if wrong:
            what = wrong.removeprefix("BAD_").replace("_", " ").lower()
            body = {"status": wrong, "message": f"missing or invalid {what}"}
            if call.version != "v1":
                kinds = {"BAD_GRANT_TYPE": "unsupported_grant_type", "BAD_REFRESH_TOKEN":
                         "invalid_grant"}  # fmt: skip
                body |= {
                    "error": kinds.get(wrong, "invalid_client"),
                    "error_description": body["message"],
                }
            return self.json({**body, "correlationId": self.correlation()}, 400)
        self._minted += 1
        digest = hashlib.sha256(f"{portal.client_secret}:{self._minted}".encode()).digest()
        token = "C" + base64.urlsafe_b64encode(digest * 7).decode().rstrip("=")
        self._tokens[token] = self.clock.now() + portal.token_lifetime
        answer: dict[str, Any] = {
            "token_type": "bearer",
            "refresh_token": portal.refresh_token,
            "access_token": token,
            "hub_id": portal.portal_id,
            "scopes": sorted(portal.scopes),
            "expires_in": int(portal.token_lifetime.total_seconds()),
        }
        if call.version != "v1":
            answer |= {"token_use": "access_token", "user_id": 100}
        return self.json(answer)

    def token_info(self, token: str) -> Response:
        """`GET access-tokens/<token>`: what a token of the first version may do."""
        expires_at = self._tokens.get(token)
        if expires_at is None or expires_at <= self.clock.now():
            raise not_found()
        return self.json(
            {
                "token": token,
                "user": "integration@harborlooms.example",
                "hub_domain": "harborlooms.example",
                "scopes": sorted(self.portal.scopes),
                "hub_id": self.portal.portal_id,
                "app_id": 4711,
                "expires_in": int((expires_at - self.clock.now()).total_seconds()),
                "user_id": 100,
                "token_type": "access",
            }
        )

    def introspect(self, call: _Call) -> Response:
        """`POST token/introspect`: whether a token lives, and what it may do."""
        form = {key: values[-1] for key, values in parse_qs(call.body.decode()).items()}
        token = form.get("token", "")
        expires_at = self._tokens.get(token)
        if expires_at is None:
            return self.json({"active": False})
        now = self.clock.now()
        return self.json(
            {
                "token": token,
                "token_use": "access_token",
                "token_type": "bearer",
                "active": expires_at > now,
                "client_id": self.portal.client_id,
                "app_id": 4711,
                "hub_id": self.portal.portal_id,
                "user_id": 100,
                "is_private_distribution": True,
                "scopes": sorted(self.portal.scopes),
                "expires_in": max(0, int((expires_at - now).total_seconds())),
            }
        )

    def private_app(self, call: _Call) -> Response:
        """`POST private-apps/get/access-token-info`: the scopes of a private app."""
        if call.fields().get("tokenKey") != self.portal.access_token:
            raise not_found()
        return self.json(
            {
                "userId": 100,
                "hubId": self.portal.portal_id,
                "appId": 4712,
                "scopes": sorted(self.portal.scopes),
            }
        )

    def check_token(self, request: Request) -> bool:
        """Refuse a call without a living token; return whether it is the private app's."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _NO_CREDENTIALS
        if token == self.portal.access_token:
            return True
        expires_at = self._tokens.get(token)
        if expires_at is None:
            raise _NO_CREDENTIALS
        if expires_at <= self.clock.now():
            raise _expired(expires_at, self.clock.now())
        return False

    def count_call(self, is_search: bool) -> str:
        """Count a call; return the limit that refuses it, or nothing.

        Short windows run on the real clock, the day on the portal's.
        """
        portal, now = self.portal, time.monotonic()
        self._turn_day()
        if self._today >= portal.daily_limit:
            return "DAILY"
        for calls, seconds, most, policy in (
            (self._calls, 10.0, portal.calls_per_10_s, "TEN_SECONDLY_ROLLING"),
            (self._searches, 1.0, portal.searches_per_second, "SECONDLY"),
        ):
            while calls and calls[0] <= now - seconds:
                calls.popleft()
            if len(calls) >= most and (calls is self._calls or is_search):
                return policy
        self._calls.append(now)
        if is_search:
            self._searches.append(now)
        self._today += 1
        return ""

    def _turn_day(self) -> None:
        day = self.clock.now().astimezone(ZoneInfo(self.portal.time_zone)).date().isoformat()
        if day != self._day:
            self._day, self._today = day, 0

    def too_many(self, policy: str, wait_s: float | None, *, is_private: bool = True) -> Response:
        """Return a 429 in the vendor's words; it has no `category`.

        A search's answer tells no limits at all.
        """
        response = self.json(
            {
                "status": "error",
                "message": f"You have reached your {policy.lower()} limit.",
                "errorType": "RATE_LIMIT",
                "correlationId": self.correlation(),
                "policyName": policy,
                "groupName": "publicapi:private-apps-api-calls:app",
            },
            429,
        )
        if policy != "SECONDLY":
            self.tell_limits(response, is_private)
            used_up = "-Daily-Remaining" if policy == "DAILY" else "-Remaining"
            if is_private or policy != "DAILY":
                response.headers[f"X-HubSpot-RateLimit{used_up}"] = "0"
        return _wait(response, wait_s)

    def tell_limits(self, response: Response, is_private: bool) -> None:
        """Put the limits into an answer's headers; the daily ones are a private app's."""
        portal, since = self.portal, time.monotonic() - 10
        used = sum(call > since for call in self._calls)
        told = {
            "Interval-Milliseconds": 10_000,
            "Max": portal.calls_per_10_s,
            "Remaining": max(0, portal.calls_per_10_s - used),
            # Of an older limit, and still sent: nothing refuses a call by them.
            "Secondly": portal.calls_per_10_s // 10,
            "Secondly-Remaining": portal.calls_per_10_s // 10 - 1,
        }
        if is_private:
            told |= {
                "Daily": portal.daily_limit,
                "Daily-Remaining": max(0, portal.daily_limit - self._today),
            }
        for name, value in told.items():
            response.headers[f"X-HubSpot-RateLimit-{name}"] = str(value)

    def account(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/account-info`."""
        match call.method, call.parts[1:]:
            case "GET", ["details"]:
                return self.details, "", "account-info/details"
            case "GET", ["api-usage", "daily", *_]:
                return self.usage, "", "account-info/api-usage/daily"
        return None, "", "account-info/?"

    def details(self) -> Response:
        """`GET details`: the account."""
        offset = self.clock.now().astimezone(ZoneInfo(self.portal.time_zone)).utcoffset()
        seconds = int((offset or timedelta()).total_seconds())
        sign, minutes = ("-" if seconds < 0 else "+"), abs(seconds) // 60
        return self.done(
            {
                "portalId": self.portal.portal_id,
                "timeZone": self.portal.time_zone,
                "accountType": "STANDARD",
                "companyCurrency": "USD",
                "additionalCurrencies": ["EUR"],
                "utcOffset": f"{sign}{minutes // 60:02d}:{minutes % 60:02d}",
                "utcOffsetMilliseconds": seconds * 1000,
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )

    def usage(self) -> Response:
        """`GET api-usage/daily`: calls of today."""
        self._turn_day()
        now = self.clock.now().astimezone(ZoneInfo(self.portal.time_zone))
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return self.done(
            {
                "results": [
                    {
                        "name": "private-apps-api-calls-daily",
                        "usageLimit": self.portal.daily_limit,
                        "currentUsage": self._today,
                        "collectedAt": iso(now),
                        "fetchStatus": "SUCCESS",
                        "resetsAt": iso(midnight),
                    }
                ]
            }
        )

    # Answers

    def correlation(self) -> str:
        """Return an id for support to find an answer by."""
        self._answers += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"hubspot:{self._answers}"))

    def json(self, value: Any, status: int = 200) -> Response:
        """Return an answer; every one bears a correlation id."""
        body = msgspec.json.encode(value)
        response = Response(body, status, media_type="application/json;charset=utf-8")
        told = value.get("correlationId") if isinstance(value, dict) else None
        response.headers["X-HubSpot-Correlation-Id"] = told or self.correlation()
        return response

    def done(self, value: Any, status: int = 200) -> Response:
        return self.json(value, status)

    def nothing(self) -> Response:
        headers = {"X-HubSpot-Correlation-Id": self.correlation()}
        return Response(status_code=204, headers=headers)

    def refusal(self, error: ApiError) -> Response:
        """Return an error in the vendor's shape."""
        body: dict[str, Any] = {
            "status": "error",
            "message": error.message,
            "correlationId": self.correlation(),
        }
        if error.context:
            body["context"] = error.context
        if error.errors:
            body["errors"] = error.errors
        if error.links:
            body["links"] = error.links
        body["category"] = error.category
        if error.sub_category:
            body["subCategory"] = error.sub_category
        return self.json(body, error.status)

    def batch(
        self, results: Sequence[Any], errors: Sequence[Any] = (), status: int = 200
    ) -> Response:
        """Return a batch's answer: 207 when part of it failed."""
        now = iso(self.clock.now())
        body: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if errors:
            body |= {"numErrors": len(errors), "errors": errors}
            status = 207
        return self.done({**body, "startedAt": now, "completedAt": now}, status)

    def failing(self, inputs: Sequence[Any]) -> tuple[list[Any], list[dict[str, Any]]]:
        """Return the inputs of a batch that go well, and what is said of those that do not."""
        good, errors = [], []
        for one in inputs:
            id = one if isinstance(one, str) else str(one.get("id", ""))
            if self.portal.failing[id] > 0:
                self.portal.failing[id] -= 1
                errors.append(
                    {
                        "status": "error",
                        "category": "INTERNAL_ERROR",
                        "message": "internal error",
                        "context": {"ids": [id]},
                    }
                )
            else:
                good.append(one)
        return good, errors

    # Records

    def shown(
        self,
        table: Table,
        record: Record,
        wanted: Iterable[str],
        history: Iterable[str] = (),
        linked: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Return a record as every resource shows it.

        What is asked for and not set is null, what there is not is left out, and three
        properties are there whatever is asked for.
        """
        kind, portal = table.kind, self.portal
        names = sorted({*kind.always, *(wanted or kind.default)} & set(self.readable(kind)))
        answer: dict[str, Any] = {
            "id": str(record.id),
            "properties": {name: portal.value(table, record, name) for name in names},
            "createdAt": iso(record.created_at),
            "updatedAt": iso(record.updated_at),
            "archived": record.archived_at is not None,
            "url": f"https://app.hubspot.com/contacts/{portal.portal_id}/record/{kind.type_id}"
            f"/{record.id}",
        }
        if record.archived_at is not None:
            answer["archivedAt"] = iso(record.archived_at)
        if history:
            answer["propertiesWithHistory"] = {
                name: _versions(table, record, name)
                for name in history
                if name in self.readable(kind)
            }
        associations = {}
        for target in linked:
            found = self.links_of(table, record, target)
            if found is not None:
                associations[self.portal.table(target).kind.name] = found
        if associations:
            answer["associations"] = associations
        return answer

    def readable(self, kind: ObjectType) -> list[str]:
        """Return the properties whose values may be read: not the sensitive ones."""
        return [
            name
            for name, described in kind.properties.items()
            if described["dataSensitivity"] == "non_sensitive"
        ]

    def links_of(self, table: Table, record: Record, target: str) -> dict[str, Any] | None:
        """Return what a record is linked to, in the words of v3: a line for each kind of link."""
        other = self.portal.table(target).kind.name
        found = self.portal.links(table.kind.name, record.id, other)
        if not found:
            return None
        answer: dict[str, Any] = {
            "results": [
                {"id": str(id), "type": kind.name}
                for id, kinds in found[:LINKS_IN_RECORD]
                for kind in kinds
            ]
        }
        if len(found) > LINKS_IN_RECORD:
            after = _cursor(found[LINKS_IN_RECORD - 1][0])
            path = f"/crm/v3/objects/{table.kind.name}/{record.id}/associations/{other}"
            answer["paging"] = {"next": {"after": after, "link": f"{path}?after={after}"}}
        return answer

    def listing(self, call: _Call, name: str) -> Response:
        """`GET <type>`: by id, live or archived; `after` is the last id."""
        table = self.portal.table(name)
        history = call.words("propertiesWithHistory")
        limit = call.limit(PAGE_DEFAULT, PAGE_MAX_WITH_HISTORY if history else PAGE_MAX)
        table.expire(self.clock.now())
        ids = table.archived if call.flag("archived") else table.live
        start = bisect_right(ids, call.after())
        chosen = ids[start : start + limit]
        wanted, linked = call.words("properties"), call.words("associations")
        answer: dict[str, Any] = {
            "results": [
                self.shown(table, table.records[id], wanted, history, linked) for id in chosen
            ]
        }
        if start + limit < len(ids):
            answer["paging"] = call.next_page(str(chosen[-1]))
        return self.done(answer)

    def record(self, call: _Call, name: str, id: str) -> Response:
        """`GET <type>/<id>`; an id that was merged away answers with the heir."""
        table = self.portal.table(name)
        table.expire(self.clock.now())
        record = self.portal.find(name, id, call.one("idProperty") or None)
        if record is None or (record.archived_at is not None) != call.flag("archived"):
            raise not_found()
        history = call.words("propertiesWithHistory")
        wanted, linked = call.words("properties"), call.words("associations")
        return self.done(self.shown(table, record, wanted, history, linked))

    def search(self, call: _Call, name: str) -> Response:
        """`POST <type>/search`."""
        if len(call.body) > search.BODY_CHARACTERS_MAX:
            raise ApiError(400, "VALIDATION_ERROR", "The request body is too long")
        body = call.fields()
        table = self.portal.table(name)
        offset, limit = search.page(body, self.portal.results_max)
        now = self.clock.now()
        table.settle(now)
        asked = {key: value for key, value in body.items() if key not in ("after", "limit")}
        key = msgspec.json.encode([table.kind.name, self.portal.writes, iso(now), asked])
        ids = self._found.get(key)
        if ids is None:
            ids = search.matching(self.portal, table, asked)
            self._found[key] = ids
            while len(self._found) > SEARCH_MEMORY:
                del self._found[next(iter(self._found))]
        wanted = [str(word) for word in body.get("properties") or ()]
        answer: dict[str, Any] = {
            "total": len(ids),
            "results": [
                self.shown(table, table.records[id], wanted) for id in ids[offset : offset + limit]
            ],
        }
        if offset + limit < len(ids):
            answer["paging"] = {"next": {"after": str(offset + limit)}}
        return self.done(answer)

    def batch_read(self, call: _Call, name: str) -> Response:
        """`POST <type>/batch/read`; not in the order asked, and without what is not there."""
        body = call.fields()
        history = [str(word) for word in body.get("propertiesWithHistory") or ()]
        inputs = call.inputs(BATCH_MAX_WITH_HISTORY if history else BATCH_MAX)
        table = self.portal.table(name)
        table.expire(self.clock.now())
        by = body.get("idProperty")
        found: dict[int, Record] = {}
        missing = []
        inputs, errors = self.failing(inputs)
        for one in inputs:
            id = str(one.get("id", ""))
            record = self.portal.find(name, id, by)
            if record is None or (record.archived_at is not None) != call.flag("archived"):
                missing.append(id)
            else:
                found[record.id] = record
        wanted = [str(word) for word in body.get("properties") or ()]
        results = [
            self.shown(table, record, wanted, history)
            for _, record in sorted(found.items(), key=lambda pair: binascii.crc32(b"%d" % pair[0]))
        ]
        if missing:
            subject = table.kind.singular.upper()
            errors.append(
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": f"Could not get some {subject} objects, they may be deleted or not "
                    "exist. Check that ids are valid.",
                    "context": {"ids": missing},
                }
            )
        return self.batch(results, errors)

    def create(self, call: _Call, name: str) -> Response:
        """`POST <type>`."""
        table = self.portal.table(name)
        id = self._create(table, call.fields())
        record = self.portal.get(name, id)
        return self.done(self.shown(table, record, record.properties), 201)

    def _create(self, table: Table, fields: Mapping[str, Any]) -> str:
        self._refuse_read_only(table.kind)
        name, now = table.kind.name, self.clock.now()
        properties = fields.get("properties") or {}
        links = []
        for one in fields.get("associations") or ():
            types, to = _type_ids(one.get("types")), one.get("to") or {}
            links.append((self._target_of(name, types), to, types))
        is_about = any(target == "contacts" for target, _, _ in links)
        if name == "leads" and not (is_about and properties.get("hs_lead_name")):
            raise ApiError(400, "VALIDATION_ERROR", "A lead needs hs_lead_name and a contact")
        id = self.portal.create(name, properties, now, source="INTEGRATION")
        for target, to, types in links:
            self.portal.associate(name, id, target, str(to.get("id")), now, types=types)
        return id

    def _target_of(self, name: str, types: Sequence[int]) -> str:
        """Return the object that links of these types lead to."""
        for (source, target), kinds in self.portal.association_types.items():
            if source == name and types and set(types) <= set(kinds):
                return target
        raise ApiError(400, "VALIDATION_ERROR", f"invalid association types {types}")

    def _refuse_read_only(self, kind: ObjectType) -> None:
        if kind.read_only:
            raise ApiError(405, "VALIDATION_ERROR", f"{kind.name} cannot be written")

    def change(self, call: _Call, name: str, id: str) -> Response:
        """`PATCH <type>/<id>`."""
        table = self.portal.table(name)
        self._refuse_read_only(table.kind)
        record = self.portal.find(name, id, call.one("idProperty") or None)
        if record is None:
            raise not_found()
        values = call.fields().get("properties") or {}
        key = self.portal.update(name, record.id, values, self.clock.now(), source="INTEGRATION")
        return self.done(self.shown(table, self.portal.get(name, key), values))

    def remove(self, name: str, id: str) -> Response:
        """`DELETE <type>/<id>`: archives; what is not there is as good as archived."""
        self._refuse_read_only(self.portal.table(name).kind)
        self.portal.archive(name, id, self.clock.now())
        return self.nothing()

    def batch_write(self, call: _Call, name: str, act: str) -> Response:
        """`POST <type>/batch/create|update|upsert`: one refusal refuses all but missing ids."""
        table = self.portal.table(name)
        results, missing = [], []
        for one in call.inputs(BATCH_MAX):
            values = one.get("properties") or {}
            if act == "create":
                key, is_new = self._create(table, one), True
            else:
                self._refuse_read_only(table.kind)
                id, by = str(one.get("id", "")), one.get("idProperty")
                record = self.portal.find(name, id, by)
                if record is None and act == "update":
                    missing.append(id)
                    continue
                is_new = record is None
                if record is None:
                    key = self._create(table, {"properties": {by or "": id, **values}})
                else:
                    now = self.clock.now()
                    key = self.portal.update(name, record.id, values, now, source="INTEGRATION")
            shown = self.shown(table, self.portal.get(name, key), values)
            results.append(shown | ({"new": is_new} if act == "upsert" else {}))
        errors = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"Could not update {table.kind.singular.upper()} {id}",
                "context": {"ids": [id]},
            }
            for id in missing
        ]
        return self.batch(results, errors, 201 if act == "create" else 200)

    def batch_archive(self, call: _Call, name: str) -> Response:
        """`POST <type>/batch/archive`."""
        self._refuse_read_only(self.portal.table(name).kind)
        for one in call.inputs(BATCH_MAX):
            self.portal.archive(name, str(one.get("id", "")), self.clock.now())
        return self.nothing()

    def merge(self, call: _Call, name: str) -> Response:
        """`POST <type>/merge`: the new record."""
        body = call.fields()
        primary, other = body.get("primaryObjectId"), body.get("objectIdToMerge")
        if primary is None or other is None:
            raise ApiError(
                400, "VALIDATION_ERROR", "Some required fields were not set: [primaryObjectId, "
                "objectIdToMerge]"
            )  # fmt: skip
        key = self.portal.merge(name, str(primary), str(other), self.clock.now())
        record = self.portal.get(name, key)
        return self.done(self.shown(self.portal.table(name), record, record.properties))

    def gdpr_delete(self, call: _Call) -> Response:
        """`POST contacts/gdpr-delete`."""
        body = call.fields()
        by = body.get("idProperty")
        self.portal.erase(str(body.get("objectId", "")), self.clock.now(), by_email=by == "email")
        return self.nothing()

    # Links

    def links(self, call: _Call, name: str, id: str, target: str) -> Response:
        """`GET <type>/<id>/associations/<type>`."""
        source, other = self.portal.table(name), self.portal.table(target).kind.name
        record = self.portal.get(name, id)
        limit = call.limit(500, 500)
        found, after = _links_page(
            self.portal.links(source.kind.name, record.id, other), call.one("after"), limit
        )
        results: list[Any] = []
        for key, kinds in found:
            if call.version == "v3":
                results += [{"id": str(key), "type": kind.name} for kind in kinds]
            else:
                results.append(_link(key, kinds, call.is_dated))
        answer: dict[str, Any] = {"results": results}
        if after is not None:
            answer["paging"] = call.next_page(after)
        return self.done(answer)

    def batch_links(self, call: _Call, name: str, target: str) -> Response:
        """`POST associations/<from>/<to>/batch/read`: each row pages by itself.

        A record without a link is no row but an error, and makes the answer a 207.
        """
        source, other = self.portal.table(name), self.portal.table(target)
        here, there = source.kind, other.kind
        rows: list[dict[str, Any]] = []
        inputs, errors = self.failing(call.inputs(LINKS_BATCH_MAX))
        for one in inputs:
            id, after = str(one.get("id", "")), str(one.get("after") or "")
            record = source.get(int(id)) if id.isdigit() else None
            links = [] if record is None else self.portal.links(here.name, record.id, there.name)
            if not links:
                errors.append(
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                        "message": f"No {there.singular} is associated with {here.singular} {id}.",
                        "context": {
                            "fromObjectId": [id],
                            "fromObjectType": [here.singular],
                            "toObjectType": [there.singular],
                        },
                    }
                )
                continue
            found, following = _links_page(links, after, self.portal.links_per_row)
            if call.version == "v3":
                to = [{"id": str(key), "type": kind.name} for key, kinds in found for kind in kinds]
            else:
                to = [_link(key, kinds, call.is_dated) for key, kinds in found]
            row: dict[str, Any] = {"from": {"id": id}, "to": to}
            if following is not None:
                path = f"/crm/v4/objects/{here.name}/{id}/associations/{there.name}"
                link = f"https://api.hubapi.com{path}?after={following}"
                row["paging"] = {"next": {"after": following, "link": link}}
            rows.append(row)
        rows.sort(key=lambda row: binascii.crc32(row["from"]["id"].encode()))
        return self.batch(rows, errors)

    def change_link(self, call: _Call, name: str, id: str, rest: Sequence[str]) -> Response:
        """`PUT` and `DELETE <type>/<id>/associations/[default/]<type>/<id>`."""
        target, other = rest[-2:]
        now = self.clock.now()
        if call.method == "DELETE":
            self.portal.dissociate(name, id, target, other, now)
            return self.nothing()
        types = [] if rest[0] == "default" else _type_ids(call.json())
        self.portal.associate(name, id, target, other, now, types=types)
        return self.done(
            {
                "fromObjectTypeId": self.portal.table(name).kind.type_id,
                "fromObjectId": int(id),
                "toObjectTypeId": self.portal.table(target).kind.type_id,
                "toObjectId": int(other),
                "labels": [],
            },
            201,
        )

    def labels(self, name: str, target: str) -> Response:
        """`GET associations/<from>/<to>/labels`."""
        pair = self.portal.table(name).kind.name, self.portal.table(target).kind.name
        kinds = self.portal.association_types.get(pair, {})
        return self.done({"results": [_type(kind) for kind in kinds.values()]})

    # Owners, properties, pipelines, objects

    def owners(self, call: _Call) -> Response:
        """`GET owners`: those with a seat, or with `archived=true` those without."""
        limit = call.limit(OWNERS_DEFAULT, OWNERS_MAX)
        email, archived = call.one("email"), call.flag("archived")
        ids = sorted(
            int(owner["id"])
            for owner in self.portal.owners.values()
            if owner["archived"] == archived and email in ("", owner["email"])
        )
        start = bisect_right(ids, call.after())
        chosen = ids[start : start + limit]
        answer: dict[str, Any] = {"results": [self.portal.owners[str(id)] for id in chosen]}
        if start + limit < len(ids):
            answer["paging"] = call.next_page(str(chosen[-1]))
        return self.done(answer)

    def owner(self, call: _Call, id: str) -> Response:
        """`GET owners/<id>`: by the owner's id, or the userId when `idProperty` says so."""
        by = {"": "id", "id": "id", "userId": "userIdIncludingInactive"}.get(call.one("idProperty"))
        for owner in self.portal.owners.values():
            if by and str(owner[by]) == id and owner["archived"] == call.flag("archived"):
                return self.done(owner)
        raise not_found()

    def properties(self, call: _Call, name: str) -> Response:
        """`GET properties/<type>`: none that is sensitive unless asked for."""
        kind = self.portal.table(name).kind
        self._check_scope(kind.scope)
        sensitivity = call.one("dataSensitivity", "non_sensitive")
        if sensitivity != "non_sensitive":
            self._check_scope(f"crm.objects.{kind.name}.{sensitivity}.read")
        archived = call.flag("archived")
        return self.done(
            {
                "results": [
                    described
                    for _, described in sorted(kind.properties.items())
                    if described["dataSensitivity"] == sensitivity
                    and described["archived"] == archived
                ]
            }
        )

    def _check_scope(self, scope: str) -> None:
        if scope not in self.portal.scopes:
            raise _missing(scope)

    def one_property(self, call: _Call, name: str, one: str) -> Response:
        """`GET properties/<type>/<name>`."""
        kind = self.portal.table(name).kind
        self._check_scope(kind.scope)
        described = kind.properties.get(one)
        sensitivity = call.one("dataSensitivity", "non_sensitive")
        if described is None or described["dataSensitivity"] != sensitivity:
            raise not_found()
        return self.done(described)

    def some_properties(self, call: _Call, name: str) -> Response:
        """`POST properties/<type>/batch/read`."""
        kind = self.portal.table(name).kind
        self._check_scope(kind.scope)
        names = [str(one.get("name", "")) for one in call.inputs(BATCH_MAX)]
        missing = [one for one in names if one not in self.readable(kind)]
        errors = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"Property {one} does not exist",
                "context": {"name": [one]},
            }
            for one in missing
        ]
        return self.batch([kind.properties[n] for n in names if n not in missing], errors)

    def groups(self, name: str) -> Response:
        """`GET properties/<type>/groups`."""
        kind = self.portal.table(name).kind
        names = dict.fromkeys(described["groupName"] for described in kind.properties.values())
        return self.done(
            {
                "results": [
                    {
                        "name": group,
                        "label": group.capitalize(),
                        "displayOrder": number,
                        "archived": False,
                    }
                    for number, group in enumerate(names)
                ]
            }
        )

    def pipelines(self, name: str, rest: Sequence[str]) -> Response:
        """`GET pipelines/<type>[/<id>[/stages[/<id>]]]`."""
        found: Any = self.portal.pipelines.get(self.portal.table(name).kind.name, [])
        if not rest:
            return self.done({"results": found})
        line = next((line for line in found if line["id"] == rest[0]), None)
        if line is None or rest[1:2] not in ([], ["stages"]):
            raise not_found()
        if len(rest) == 1:
            return self.done(line)
        if len(rest) == 2:
            return self.done({"results": line["stages"]})
        stage = next((stage for stage in line["stages"] if stage["id"] == rest[2]), None)
        if stage is None:
            raise not_found()
        return self.done(stage)

    def schemas(self) -> Response:
        """`GET schemas`: the portal's own objects."""
        kinds = (table.kind for table in self.portal.tables.values())
        own = [self.schema(kind) for kind in kinds if kind.fully_qualified_name]
        return self.done({"results": own})

    def one_schema(self, name: str) -> Response:
        """`GET schemas/<type>`."""
        return self.done(self.schema(self.portal.table(name).kind))

    def schema(self, kind: ObjectType) -> dict[str, Any]:
        """Return an object's description."""
        founded = iso(self.portal.founded)
        return {
            "id": kind.type_id.rpartition("-")[2],
            "objectTypeId": kind.type_id,
            "name": kind.singular,
            "fullyQualifiedName": kind.fully_qualified_name,
            "labels": kind.labels,
            "allowsSensitiveProperties": False,
            "requiredProperties": [],
            "searchableProperties": list(kind.searched),
            "secondaryDisplayProperties": [],
            "primaryDisplayProperty": next(
                (n for n, p in kind.properties.items() if not p["hubspotDefined"]), None
            ),
            "properties": [kind.properties[name] for name in self.readable(kind)],
            "associations": [
                {
                    "id": str(one.type_id),
                    "name": one.name,
                    "fromObjectTypeId": kind.type_id,
                    "toObjectTypeId": self.portal.tables[target].kind.type_id,
                }
                for (source, target), kinds in self.portal.association_types.items()
                if source == kind.name
                for one in kinds.values()
            ],
            "archived": False,
            "createdAt": founded,
            "updatedAt": founded,
        }

    # Lists

    def list_shown(self, id: str) -> dict[str, Any]:
        """Return a list's description."""
        known = self.portal.lists.get(id)
        if known is None:
            raise not_found()
        return {
            "listId": known.id,
            "listVersion": 1,
            "name": known.name,
            "objectTypeId": known.object_type_id,
            "processingType": known.processing,
            "processingStatus": "COMPLETE",
            "createdAt": iso(known.created_at),
            "updatedAt": iso(known.updated_at),
            "createdById": "100",
            "size": len(self._present(id)),
        }

    def _present(self, id: str) -> list[tuple[int, datetime]]:
        """Return the members of a list that are live, by id."""
        known = self.portal.lists[id]
        table = self.portal.table(known.object_type_id)
        return sorted(
            (record, at)
            for record, at in known.members.items()
            if record in table.records and table.records[record].archived_at is None
        )

    def one_list(self, id: str) -> Response:
        """`GET lists/<id>`."""
        return self.done({"list": self.list_shown(id)})

    def some_lists(self, call: _Call) -> Response:
        """`GET lists?listIds=`."""
        return self.done({"lists": [self.list_shown(id) for id in call.words("listIds")]})

    def search_lists(self, call: _Call) -> Response:
        """`POST lists/search`: pages by offset and count."""
        body = call.fields()
        words = str(body.get("query") or "").lower()
        wanted = [str(id) for id in body.get("listIds") or ()]
        kinds = body.get("processingTypes") or ()
        found = [
            known
            for known in self.portal.lists.values()
            if words in known.name.lower()
            and (not wanted or known.id in wanted)
            and (not kinds or known.processing in kinds)
        ]
        offset, count = body.get("offset") or 0, body.get("count") or 20
        if not isinstance(offset, int) or not isinstance(count, int):
            raise ApiError(400, "VALIDATION_ERROR", "Invalid input JSON: offset and count")
        shown = []
        for known in found[offset : offset + count]:
            described = self.list_shown(known.id)
            size = described.pop("size")
            moments = {
                "hs_last_record_added_at": max(known.members.values(), default=None),
                "hs_last_record_removed_at": known.removed_at,
            }
            described["additionalProperties"] = {
                "hs_list_size": str(size),
                "hs_list_reference_count": "0",
                # what is empty is left out
                **{name: str(epoch_ms(at)) for name, at in moments.items() if at is not None},
            }
            shown.append(described)
        return self.done(
            {
                "lists": shown,
                "offset": offset + len(shown),
                "hasMore": offset + count < len(found),
                "total": len(found),
            }
        )

    def members(self, call: _Call, id: str, by_time: bool) -> Response:
        """`GET lists/<id>/memberships[/join-order]`."""
        limit = call.limit(MEMBERS_DEFAULT, MEMBERS_MAX)
        if id not in self.portal.lists:
            raise not_found()
        found = self._present(id)
        if by_time:
            found.sort(key=lambda member: (member[1], member[0]))
        start = _offset(call.one("after"))
        answer: dict[str, Any] = {
            "results": [
                {"recordId": str(record), "membershipTimestamp": iso(at)}
                for record, at in found[start : start + limit]
            ],
            "total": len(found),
        }
        if start + limit < len(found):
            answer["paging"] = call.next_page(_cursor(start + limit))
        return self.done(answer)

    # Consent

    def preferences(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/communication-preferences`."""
        scope, base = "communication_preferences.read", "communication-preferences"
        batch_scope = "communication_preferences.statuses.batch.read"
        match call.method, call.parts[1:]:
            case "GET", ["definitions"]:
                return lambda: self.definitions(call), scope, f"{base}/definitions"
            case "GET", ["status", "email", email] if call.version == "v3":
                return lambda: self.status_v3(email), scope, f"{base}/status/email/{{email}}"
            case "GET", ["statuses", email] if call.version != "v3":
                answer = partial(self.statuses, call, email)
                return answer, scope, f"{base}/statuses/{{email}}"
            case "GET", ["statuses", email, "unsubscribe-all"] if call.version != "v3":
                answer = partial(self.status_wide, call, email)
                return answer, scope, f"{base}/statuses/{{email}}/unsubscribe-all"
            case "POST", ["statuses", "batch", "read"] if call.version != "v3":
                return lambda: self.batch_statuses(call), batch_scope, f"{base}/statuses/batch/read"
            case "POST", ["statuses", "batch", "unsubscribe-all", "read"] if call.version != "v3":
                shown = f"{base}/statuses/batch/unsubscribe-all/read"
                return lambda: self.batch_wide(call), batch_scope, shown
        return None, "", f"{base}/?"

    def action(self, results: Sequence[Any]) -> Response:
        now = iso(self.clock.now())
        return self.done(
            {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        )

    def definitions(self, call: _Call) -> Response:
        """`GET definitions`: the kinds of e-mail there are."""
        known = list(self.portal.subscriptions.values())
        if call.version == "v3":
            return self.done({"subscriptionDefinitions": known})
        return self.action(known)

    def status_v3(self, email: str) -> Response:
        """`GET v3/status/email/<email>`: who never said anything counts as not subscribed."""
        statuses = []
        for id, known in self.portal.subscriptions.items():
            said = self.portal.consent(email, id)
            wide = self.portal.opt_outs.get(email.lower()) is said
            status: dict[str, Any] = {
                "id": str(id),
                "name": known["name"],
                "description": known["description"],
                "status": "SUBSCRIBED" if said.status == "SUBSCRIBED" else "NOT_SUBSCRIBED",
                "sourceOfStatus": "PORTAL_WIDE_STATUS" if wide else "SUBSCRIPTION_STATUS",
                "preferenceGroupName": None,
                "legalBasis": said.legal_basis,
                "legalBasisExplanation": said.explanation,
            }
            statuses.append(status)
        return self.done({"recipient": email, "subscriptionStatuses": statuses})

    def _statuses(self, email: str, only: str = "") -> list[dict[str, Any]]:
        statuses = []
        for id, known in self.portal.subscriptions.items():
            if only and only != str(id):
                continue
            said = self.portal.consent(email, id)
            status: dict[str, Any] = {
                "channel": "EMAIL",
                "subscriberIdString": email,
                "subscriptionId": id,
                "subscriptionName": known["name"],
                "status": said.status,
                "source": said.source,
                "timestamp": iso(said.at),
            }
            if said.legal_basis is not None:
                status |= {
                    "legalBasis": said.legal_basis,
                    "legalBasisExplanation": said.explanation or "",
                }
            statuses.append(status)
        return statuses

    def statuses(self, call: _Call, email: str) -> Response:
        """`GET v4/statuses/<email>?channel=EMAIL`: tells apart no and never asked."""
        _want_channel(call)
        return self.action(self._statuses(email, call.one("subscriptionId")))

    def wide(self, email: str) -> list[dict[str, Any]]:
        """Return that somebody wants no e-mail at all; nothing of who did not say so."""
        said = self.portal.opt_outs.get(email.lower())
        if said is None:
            return []
        return [
            {
                "channel": "EMAIL",
                "subscriberIdString": email,
                "wideStatusType": "PORTAL_WIDE",
                "status": said.status,
                "timestamp": iso(said.at),
            }
        ]

    def status_wide(self, call: _Call, email: str) -> Response:
        """`GET v4/statuses/<email>/unsubscribe-all`."""
        _want_channel(call)
        return self.action(self.wide(email))

    def batch_statuses(self, call: _Call) -> Response:
        """`POST v4/statuses/batch/read?channel=EMAIL`; what is no address is an error."""
        _want_channel(call)
        good, errors = self._addresses(call)
        rows = [{"subscriberIdString": one, "statuses": self._statuses(one)} for one in good]
        return self.batch(rows, errors)

    def batch_wide(self, call: _Call) -> Response:
        """`POST v4/statuses/batch/unsubscribe-all/read?channel=EMAIL`."""
        _want_channel(call)
        good, errors = self._addresses(call)
        rows = [{"subscriberIdString": one, "wideStatuses": self.wide(one)} for one in good]
        return self.batch(rows, errors)

    def _addresses(self, call: _Call) -> tuple[list[str], list[dict[str, Any]]]:
        good = []
        inputs, errors = self.failing(call.inputs(BATCH_MAX, str))
        for one in inputs:
            if "@" in one:
                good.append(one)
            else:
                errors.append(
                    {
                        "status": "error",
                        "category": "VALIDATION_ERROR",
                        "message": f"{one} is not a valid email address",
                        "context": {"subscriberIdString": [one]},
                    }
                )
        return good, errors

    # Marketing

    def marketing(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/marketing`."""
        base = "marketing/emails"
        match call.method, call.parts[1:]:
            case "GET", ["emails"]:
                return lambda: self.emails(call), "content", base
            case "GET", ["emails", "statistics", "list"]:
                return lambda: self.statistics(call), "content", f"{base}/statistics/list"
            case "GET", ["emails", id]:
                return lambda: self.email(call, id), "content", f"{base}/{{id}}"
            case "GET", ["forms"]:
                return lambda: self.forms(call), "forms", "marketing/forms"
            case "GET", ["forms", id]:
                return lambda: self.form(call, id), "forms", "marketing/forms/{id}"
            case "GET", ["campaigns"]:
                answer = partial(self.campaigns, call)
                return answer, "marketing.campaigns.read", "marketing/campaigns"
            case "GET", ["campaigns", id]:
                answer = partial(self.campaign, call, id)
                return answer, "marketing.campaigns.read", "marketing/campaigns/{id}"
        return None, "", f"{base}/?"

    def submissions(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/form-integrations`, which has a version 1 alone."""
        shown = "form-integrations/submissions/forms/{id}"
        match call.method, call.parts[1:]:
            case "GET", ["submissions", "forms", id] if call.version == "v1":
                return lambda: self.submitted(call, id), "forms", shown
        return None, "", "form-integrations/?"

    def email_log(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/email/public`, which has a version 1 alone."""
        base = "email/public/events"
        match call.method, call.parts[1:]:
            case "GET", ["public", "events"] if call.version == "v1":
                return lambda: self.email_events(call), "content", base
            case "GET", ["public", "events", created, id] if call.version == "v1":
                answer = partial(self.email_event, created, id)
                return answer, "content", f"{base}/{{created}}/{{id}}"
        return None, "", f"{base}/?"

    def behavior(self, call: _Call) -> tuple[Handler | None, str, str]:
        """Find what answers below `/events`."""
        match call.method, call.parts[1:]:
            case "GET", ["events" | "event-occurrences"]:
                return lambda: self.occurrences(call), "", "events"
            case "GET", ["events" | "event-occurrences", "event-types"]:
                return self.event_types, "", "events/event-types"
        return None, "", "events/?"

    def event_types(self) -> Response:
        """`GET event-types`: those of the vendor, and what has occurred."""
        seen = {one.kind for one in self.portal.occurrences}
        return self.done({"eventTypes": sorted(seen | {"e_visited_page"})})

    def occurrences(self, call: _Call) -> Response:
        """`GET events`: newest first unless sorted by `occurredAt`."""
        limit = call.limit(PAGE_DEFAULT, PAGE_MAX)
        if (id := call.one("objectId")) and not call.one("objectType"):
            raise ApiError(400, "VALIDATION_ERROR", f"objectId `{id}` needs an objectType")
        sorts = call.words("sort")
        if len(sorts) > 1 or (sorts and sorts[0].removeprefix("-") != "occurredAt"):
            raise ApiError(
                400, "VALIDATION_ERROR", "Only a single sort field 'occurredAt' is supported"
            )
        after = _moment(call.one("occurredAfter"), datetime.min)
        before = min(_moment(call.one("occurredBefore"), datetime.max), self.clock.now())
        found = [
            one
            for one in self.portal.occurrences
            if after < one.at < before
            and call.one("eventType") in ("", one.kind)
            and call.one("objectType").upper() in ("", one.object_type)
            and id in ("", str(one.object_id))
        ]
        found.sort(key=lambda one: (one.at, one.id), reverse=sorts != ["occurredAt"])
        start = _offset(call.one("after"))
        answer: dict[str, Any] = {
            "results": [
                {
                    "id": one.id,
                    "eventType": one.kind,
                    "objectType": one.object_type,
                    "objectId": str(one.object_id),
                    "occurredAt": iso(one.at),
                    "properties": dict(one.properties),
                }
                for one in found[start : start + limit]
            ]
        }
        if start + limit < len(found):
            answer["paging"] = call.next_page(_cursor(start + limit))
        return self.done(answer)

    def email_events(self, call: _Call) -> Response:
        """`GET events`: newest first; both ends of a span belong to it."""
        limit = call.limit(EVENTS_DEFAULT, EVENTS_MAX)
        kind, of = call.one("eventType"), call.one("recipient").lower()
        if kind and kind not in EMAIL_EVENT_TYPES:
            raise ApiError(
                400,
                "VALIDATION_ERROR",
                "Invalid input JSON on line -1, column -1: Cannot deserialize value of type "
                f'`com.hubspot.email.events.EventType` from String "{kind}": not one of the values '
                f"accepted for Enum class: [{', '.join(EMAIL_EVENT_TYPES)}]",
            )
        log, mailings = self.portal.email_log(), self.portal.marketing_emails
        last = min(_moment(call.one("endTimestamp"), datetime.max), self.clock.now())
        end = bisect_right(log, epoch_ms(last), key=lambda one: epoch_ms(one.at))
        if call.one("offset"):
            place = _place(call.one("offset"))
            end = min(end, bisect_left(log, place, key=lambda one: (one.at, one.id)))
        first = _moment(call.one("startTimestamp"), datetime.min)
        found: list[EmailEvent] = []
        for one in reversed(log[:end]):
            if epoch_ms(one.at) < epoch_ms(first) or len(found) > limit:
                break
            if (
                kind in ("", one.kind)
                and of in ("", one.recipient)
                and call.one("campaignId") in ("", str(mailings[one.email].sending))
                and not (call.flag("excludeFilteredEvents") and one.more.get("filteredEvent"))
            ):
                found.append(one)
        shown = found[:limit]
        return self.done(
            {
                "hasMore": len(found) > limit,
                "offset": _cursor(f"{shown[-1].at.isoformat()} {shown[-1].id}") if shown else "",
                "events": [self.email_event_shown(one) for one in shown],
            }
        )

    def email_event(self, created: str, id: str) -> Response:
        """`GET events/<created>/<id>`."""
        one = self.portal.email_events.get(id)
        if one is None or created != str(epoch_ms(one.at)):
            raise not_found()
        return self.done(self.email_event_shown(one))

    def email_event_shown(self, one: EmailEvent) -> dict[str, Any]:
        """Return an event; what does not apply to it is left out."""
        email = self.portal.marketing_emails[one.email]
        answer: dict[str, Any] = {
            "appId": 113,
            "appName": "Batch",
            "created": epoch_ms(one.at),
            "emailCampaignId": email.sending,
            "id": one.id,
            "portalId": self.portal.portal_id,
            "recipient": one.recipient,
            "type": one.kind,
            **one.more,
        }
        for name, told in (("sentBy", one.sent), ("obsoletedBy", one.obsolete)):
            if told is not None:
                answer[name] = {"id": told[0], "created": epoch_ms(told[1])}
        if one.kind == "SENT":
            answer |= {
                "subject": email.subject,
                "from": f"{email.from_name} <{email.reply_to}>",
                "replyTo": [email.reply_to],
                "cc": [],
                "bcc": [],
            }
        if one.kind in ("OPEN", "CLICK"):
            answer |= {
                "userAgent": "Mozilla/5.0",
                "browser": {"family": "Firefox", "name": "Firefox", "type": "Browser"},
                "location": {"city": "Boston", "country": "UNITED STATES"},
            }
        if one.kind == "CLICK":
            answer |= {"url": "https://harborlooms.example/", "referer": "", "linkId": 0}
        return answer

    def forms(self, call: _Call) -> Response:
        """`GET forms`: the vendor's own kind unless `formTypes` names others, or `all`."""
        limit = call.limit(FORMS_DEFAULT, FORMS_MAX)
        kinds = set(call.words("formTypes")) or {"hubspot"}
        found = [
            form
            for form in self.portal.forms.values()
            if (form.archived_at is not None) == call.flag("archived")
            and ("all" in kinds or form.kind in kinds)
        ]
        start = _offset(call.one("after"))
        answer: dict[str, Any] = {
            "results": [self.form_shown(form) for form in found[start : start + limit]]
        }
        if start + limit < len(found):
            answer["paging"] = call.next_page(_cursor(start + limit))
        return self.done(answer)

    def form(self, call: _Call, id: str) -> Response:
        """`GET forms/<id>`."""
        form = self.portal.forms.get(id)
        if form is None or (form.archived_at is not None) != call.flag("archived"):
            raise not_found()
        return self.done(self.form_shown(form))

    def form_shown(self, form: Form) -> dict[str, Any]:
        """Return a form's definition."""
        answer: dict[str, Any] = {
            "id": form.id,
            "name": form.name,
            "formType": form.kind,
            "archived": form.archived_at is not None,
            "createdAt": iso(form.created_at),
            "updatedAt": iso(form.archived_at or form.created_at),
            "fieldGroups": [
                {
                    "groupType": "default_group",
                    "richTextType": "text",
                    "fields": [
                        {
                            "objectTypeId": "0-1",
                            "name": name,
                            "label": name.capitalize(),
                            "required": name == "email",
                            "hidden": False,
                            "fieldType": "email" if name == "email" else "single_line_text",
                        }
                    ],
                }
                for name in form.fields
            ],
            "configuration": {"language": "en", "recaptchaEnabled": False},
            "displayOptions": {"renderRawHtml": False, "theme": "default_style"},
            "legalConsentOptions": {"type": "none"},
        }
        if form.archived_at is not None:
            answer["archivedAt"] = iso(form.archived_at)
        return answer

    def submitted(self, call: _Call, id: str) -> Response:
        """`GET submissions/forms/<id>`: newest first; a cursor counts from the newest.

        So what comes in between two pages moves some of the first one to the second.
        """
        limit = call.limit(SUBMISSIONS_DEFAULT, SUBMISSIONS_MAX)
        form = self.portal.forms.get(id)
        if form is None or form.archived_at is not None:
            raise not_found()
        found = form.submissions[::-1]
        start = _offset(call.one("after"))
        answer: dict[str, Any] = {
            "results": [
                {
                    "conversionId": one.id,
                    "submittedAt": epoch_ms(one.at),
                    "values": [
                        {"name": name, "value": value, "objectTypeId": "0-1"}
                        for name, value in one.values.items()
                    ],
                    "pageUrl": one.page_url,
                }
                for one in found[start : start + limit]
            ]
        }
        if start + limit < len(found):
            answer["paging"] = call.next_page(_cursor(start + limit))
        return self.done(answer)

    def campaigns(self, call: _Call) -> Response:
        """`GET campaigns`: no properties but those asked for."""
        limit = call.limit(CAMPAIGNS_DEFAULT, CAMPAIGNS_MAX)
        found = [
            known
            for known in self.portal.campaigns.values()
            if call.one("name").lower() in known.properties["hs_name"].lower()
        ]
        start = _offset(call.one("after"))
        wanted = call.words("properties")
        answer: dict[str, Any] = {
            "total": len(found),
            "results": [_campaign(known, wanted) for known in found[start : start + limit]],
        }
        if start + limit < len(found):
            answer["paging"] = call.next_page(_cursor(start + limit))
        return self.done(answer)

    def campaign(self, call: _Call, id: str) -> Response:
        """`GET campaigns/<id>`."""
        known = self.portal.campaigns.get(id)
        if known is None:
            raise not_found()
        return self.done(_campaign(known, call.words("properties")))

    def emails(self, call: _Call) -> Response:
        """`GET emails`: by creation; pages by an opaque cursor."""
        limit = call.limit(PAGE_DEFAULT, 300)
        found = [
            email
            for email in self.portal.marketing_emails.values()
            if email.archived == call.flag("archived")
            and _between(call, "created", email.created_at)
            and _between(call, "updated", email.updated_at)
            and call.one("isPublished") in ("", *_spellings(email.published_at is not None))
        ]
        sort = call.one("sort")
        if sort:
            moment = "created_at" if "created" in sort.lower() else "updated_at"
            found.sort(key=lambda email: getattr(email, moment), reverse=sort.startswith("-"))
        start = _offset(call.one("after"))
        chosen = found[start : start + limit]
        answer: dict[str, Any] = {
            "total": len(found),
            "results": [self.email_shown(email, call.flag("includeStats")) for email in chosen],
        }
        if start + limit < len(found):
            answer["paging"] = call.next_page(_cursor(start + limit))
        return self.done(answer)

    def email(self, call: _Call, id: str) -> Response:
        """`GET emails/<id>`."""
        email = self.portal.marketing_emails.get(id)
        if email is None:
            raise not_found()
        return self.done(self.email_shown(email, call.flag("includeStats")))

    def email_shown(self, email: MarketingEmail, with_statistics: bool) -> dict[str, Any]:
        """Return a marketing e-mail."""
        answer: dict[str, Any] = {
            "id": email.id,
            "name": email.name,
            "subject": email.subject,
            "state": email.state,
            "type": "BATCH_EMAIL",
            "subcategory": "batch",
            "language": "en",
            "isAb": False,
            "isPublished": email.published_at is not None,
            "isTransactional": False,
            "archived": email.archived,
            "from": {"fromName": email.from_name, "replyTo": email.reply_to},
            "to": {"contactIds": {"include": [], "exclude": []}, "suppressGraymail": True},
            "createdAt": iso(email.created_at),
            "updatedAt": iso(email.updated_at),
        }
        if email.campaign_id is not None:
            answer |= {
                "campaign": email.campaign_id,
                "campaignName": self.portal.campaigns[email.campaign_id].properties["hs_name"],
            }
        if email.published_at is not None:
            answer |= {
                "primaryEmailCampaignId": str(email.sending),
                "allEmailCampaignIds": [str(email.sending)],
                "publishedAt": iso(email.published_at),
                "publishDate": iso(email.published_at),
            }
        if email.subscription_id is not None:
            known = self.portal.subscriptions[email.subscription_id]
            answer["subscriptionDetails"] = {
                "subscriptionId": known["id"],
                "subscriptionName": known["name"],
            }
        if with_statistics:
            answer["stats"] = _statistics(email.counters)
        return answer

    def statistics(self, call: _Call) -> Response:
        """`GET emails/statistics/list`: of the e-mails published in a span, added up."""
        wanted = set(call.words("emailIds"))
        chosen = [
            email
            for email in self.portal.marketing_emails.values()
            if (not wanted or email.id in wanted)
            and email.published_at is not None
            and _moment(call.one("startTimestamp"), datetime.min)
            <= email.published_at
            <= _moment(call.one("endTimestamp"), datetime.max)
        ]
        total: Counter[str] = Counter()
        for email in chosen:
            total += email.counters
        return self.done(
            {
                "emails": [int(email.id) for email in chosen],
                "aggregate": _statistics(total),
                "campaignAggregations": {},
            }
        )


_ROUTES: dict[str, Callable[[_Api, _Call], tuple[Handler | None, str, str]]] = {
    "crm": _Api.crm,
    "crm-object-schemas": _Api.crm,
    "oauth": _Api.oauth,
    "account-info": _Api.account,
    "communication-preferences": _Api.preferences,
    "marketing": _Api.marketing,
    "form-integrations": _Api.submissions,
    "email": _Api.email_log,
    "events": _Api.behavior,
}


class _WireMiddleware:
    """What the vendor's front end does to every call: URL length, `Date`."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        self.app = app
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer_with = self.app
        if len(scope["raw_path"]) + len(scope["query_string"]) > URL_BYTES_MAX:
            answer_with = HTMLResponse(_TOO_LONG, status_code=414)

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", self.clock.http_date().encode())
                message = {**message, "headers": [*message["headers"], date]}
            await send(message)

        await answer_with(scope, receive, send_dated)


def _raising(error: ApiError) -> Handler:
    def handler() -> Response:
        raise error

    return handler


def _wait(response: Response, wait_s: float | None) -> Response:
    """Tell how long to wait, which the vendor seldom does."""
    if wait_s is not None:
        response.headers["Retry-After"] = f"{wait_s:g}"
    return response


def _expired(expires_at: datetime, now: datetime) -> ApiError:
    minutes = int((now - expires_at).total_seconds()) // 60
    return ApiError(
        401,
        "EXPIRED_AUTHENTICATION",
        f"The OAuth token used to make this call expired {minutes} minute(s) ago.",
        context={"expire time": [iso(expires_at)]},
    )


def _missing(scope: str) -> ApiError:
    address = f"{_DOCS}/scopes"
    return ApiError(
        403,
        "MISSING_SCOPES",
        "This app hasn't been granted all required scopes to make this call. Read more about "
        f"required scopes here: {address}.",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
        ],
        links={"scopes": address},
    )


def _versions(table: Table, record: Record, name: str) -> list[dict[str, Any]]:
    versions = []
    for value, at, source, user_id in table.histories[record.id].get(name, ()):
        shown: dict[str, Any] = {"value": value or "", "timestamp": iso(at), "sourceType": source}
        if user_id is not None:
            shown |= {"sourceId": f"userId:{user_id}", "updatedByUserId": user_id}
        versions.append(shown)
    return versions


def _type(kind: AssociationType) -> dict[str, Any]:
    return {"category": kind.category, "typeId": kind.type_id, "label": kind.label}


def _type_ids(given: Any) -> list[int]:
    """Return the type ids of `[{associationCategory, associationTypeId}, …]`."""
    try:
        return [int(kind["associationTypeId"]) for kind in given]
    except (KeyError, TypeError, ValueError):
        raise ApiError(400, "VALIDATION_ERROR", "Invalid input JSON: association types") from None


def _link(key: int, kinds: Sequence[AssociationType], is_dated: bool) -> dict[str, Any]:
    """Return a link; its `toObjectId` is a number in v4 and a text under a dated address."""
    return {
        "toObjectId": str(key) if is_dated else key,
        "associationTypes": [_type(kind) for kind in kinds],
    }


def _links_page(
    links: Sequence[tuple[int, list[AssociationType]]], after: str, limit: int
) -> tuple[Sequence[tuple[int, list[AssociationType]]], str | None]:
    """Return the links behind a cursor, and the cursor that goes on, if any."""
    start = bisect_right([key for key, _ in links], _offset(after)) if after else 0
    found = links[start : start + limit]
    return found, _cursor(found[-1][0]) if start + limit < len(links) else None


def _cursor(position: int | str) -> str:
    """Return a position as the vendor hides it in a cursor."""
    return base64.b64encode(str(position).encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True))
    except ValueError:
        raise ApiError(400, "VALIDATION_ERROR", f"Invalid paging cursor `{cursor}`") from None


def _place(cursor: str) -> tuple[datetime, str]:
    """Return the moment and id that a cursor of the log of e-mails hides."""
    try:
        at, _, id = base64.b64decode(cursor, validate=True).decode().partition(" ")
        return datetime.fromisoformat(at), id
    except ValueError:
        raise ApiError(400, "VALIDATION_ERROR", f"Invalid paging cursor `{cursor}`") from None


def _want_channel(call: _Call) -> None:
    if call.one("channel") != "EMAIL":
        raise ApiError(400, "VALIDATION_ERROR", "query parameter channel must be one of: [EMAIL]")


def _spellings(value: bool) -> tuple[str, str]:
    return str(value), str(value).lower()


def _moment(text: str, default: datetime) -> datetime:
    """Return a moment of a query, ISO or epoch milliseconds."""
    if not text:
        return default.replace(tzinfo=UTC)
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(400, "VALIDATION_ERROR", f"`{text}` is not a valid time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _between(call: _Call, what: str, moment: datetime) -> bool:
    after = _moment(call.one(f"{what}After"), datetime.min)
    return after <= moment <= _moment(call.one(f"{what}Before"), datetime.max)


def _campaign(known: Campaign, wanted: Sequence[str]) -> dict[str, Any]:
    return {
        "id": known.id,
        "properties": {name: known.properties[name] for name in wanted if name in known.properties},
        "businessUnits": [],
        "createdAt": iso(known.created_at),
        "updatedAt": iso(known.updated_at),
    }


def _statistics(counters: Mapping[str, int]) -> dict[str, Any]:
    """Return counts and percentages; a share of nothing is 0."""
    names = (
        "sent", "delivered", "open", "click", "bounce", "hardbounced", "softbounced",
        "unsubscribed", "spamreport", "reply", "dropped", "selected", "suppressed", "pending",
        "contactslost", "notsent",
    )  # fmt: skip
    counts = {name: counters.get(name, 0) for name in names}

    def share(part: str, whole: str) -> float:
        return round(100 * counts[part] / counts[whole], 3) if counts[whole] else 0.0

    return {
        "counters": counts,
        "ratios": {
            "deliveredratio": share("delivered", "sent"),
            "openratio": share("open", "delivered"),
            "clickratio": share("click", "delivered"),
            "clickthroughratio": share("click", "open"),
            "bounceratio": share("bounce", "sent"),
            "unsubscribedratio": share("unsubscribed", "delivered"),
            "spamreportratio": share("spamreport", "delivered"),
        },
        "deviceBreakdown": {},
        "qualifierStats": {},
    }
