"""The REST API of the emulated organization: login, queries and pages, describe, writes.

Belongs here: URLs, headers, sessions, limits, locators, the shapes of answers and errors
(REST API Developer Guide; OAuth 2.0 client credentials and JWT bearer flows).
Does not belong here: what a query matches (`soql`) or a write does (`org`).

Pages are uneven on purpose: the batch size is a wish, wide rows and child rows shrink a
page, and a page is hardly ever as long as the one before.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import re
import zlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.clock import Clock
from sandbox.control import control_routes
from sandbox.faults import Answer, FaultMiddleware, Faults
from sandbox.salesforce import schema, soql
from sandbox.salesforce.bulk import Jobs
from sandbox.salesforce.org import ApiError, Org, Table, parse_datetime, wire_datetime

OLDEST_VERSION, NEWEST_VERSION = 31, 67
BATCH_MIN, BATCH_MAX = 200, 2_000
URL_BYTES_MAX = 16_384
WIDE_ROW_FIELDS = 60
"""Rows of more fields than this come in smaller pages."""
GZIP_FROM_BYTES = 2_048
UPDATED_REACH = timedelta(days=30)
DELETED_REACH = timedelta(days=15)
DAY = timedelta(days=1)
ASSERTION_LIVES_S = 300.0
"""How far ahead a signed login may expire, at most."""

_NOT_FOUND = ApiError(404, "NOT_FOUND", "The requested resource does not exist")
_BAD_LOCATOR = ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
_BAD_SESSION = ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
_DAILY_LIMIT = ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
_CONCURRENT_LIMIT = ApiError(
    403,
    "REQUEST_LIMIT_EXCEEDED",
    "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
)
_UNEXPECTED = ApiError(
    500,
    "UNKNOWN_EXCEPTION",
    "An unexpected error occurred. Please include this ErrorId if you contact support: "
    "1594283190-37516 (1594283190)",
)
_QUERY_TIMEOUT = ApiError(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
_UNAVAILABLE = ApiError(503, "SERVER_UNAVAILABLE", "The server is too busy to handle the request")

_LOGIN_HOSTS = ("login.", "test.")
"""Where people log in; the client credentials flow is not known there."""
_EMULATOR_KEYS = ("childRelationshipName", "cascade", "restrict")
_BRIEF = {
    "activateable": False,
    "associateEntityType": None,
    "associateParentEntity": None,
    "customSetting": False,
    "deepCloneable": False,
    "deprecatedAndHidden": False,
    "feedEnabled": False,
    "hasSubtypes": False,
    "isInterface": False,
    "isSubtype": False,
    "layoutable": True,
    "mruEnabled": True,
    "queryable": True,
    "retrieveable": True,
    "searchable": True,
    "triggerable": True,
    "createable": True,
    "updateable": True,
}


def app(org: Org, clock: Clock, faults: Faults | None = None) -> Starlette:
    """Return the organization's web server as an ASGI application.

    Run it with the server's own `Date` header off: answers carry the clock's. Besides the
    vendor's paths it has the side door of `sandbox.control`. Kinds of faults of its own:
    `500` and `503` (the vendor's JSON), `limit_daily`, `limit_concurrent`, `query_timeout`,
    `expired_session` (all tokens die), `expired_locator` (all cursors die), `expired_job`
    (all bulk jobs are gone), `406` and `420` (the front end is in a mood).
    """
    api = _Api(org, clock)
    faults = faults or Faults()
    credentials = {
        "client_id": org.client_id,
        "client_secret": org.client_secret,
        "domain": org.domain,
    }
    return Starlette(
        routes=[
            Route("/services/oauth2/token", api.token, methods=["POST"]),
            Route("/services/oauth2/userinfo", api.answer, methods=["GET"]),
            Route("/services/data{path:path}", api.answer, methods=_METHODS),
            *control_routes(clock, faults, api.requests, credentials),
        ],
        middleware=[
            Middleware(_WireMiddleware, clock=clock),
            Middleware(
                FaultMiddleware, faults=faults, vendor="salesforce", answers=api.fault_answers()
            ),
        ],
    )


class _Denied(Exception):
    """A login refused: the error's code and description."""


_METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]


@dataclass
class _Cursor:
    """A query whose pages are being fetched; only the session that asked it can go on."""

    token: str
    result: soql.Result
    batch: int
    version: str
    opened_at: datetime


class _Api:
    """The vendor's resources, and what the server remembers between calls."""

    def __init__(self, org: Org, clock: Clock) -> None:
        self.org = org
        self.clock = clock
        self.requests: Counter[str] = Counter()
        self._sessions: dict[str, datetime] = {}
        self._cursors: dict[str, _Cursor] = {}
        self._calls: deque[datetime] = deque()
        self._logins = 0
        self._queries = 0
        self._jobs = Jobs(org, clock)

    def fault_answers(self) -> dict[str, Answer]:
        """Return the vendor's own kinds of faults."""

        def expire(store: dict[str, Any], error: ApiError) -> Answer:
            def answer(_: Any) -> Response:
                store.clear()
                return self.refusal(error)

            return answer

        def expire_jobs(_: Any) -> Response:
            self._jobs.forget()
            return self.refusal(_NOT_FOUND)

        return {
            "500": lambda _: self.refusal(_UNEXPECTED),
            "503": lambda _: self.refusal(_UNAVAILABLE),
            "limit_daily": lambda _: self.refusal(_DAILY_LIMIT),
            "query_timeout": lambda _: self.refusal(_QUERY_TIMEOUT),
            "limit_concurrent": lambda _: self.refusal(_CONCURRENT_LIMIT),
            "expired_session": expire(self._sessions, _BAD_SESSION),
            "expired_locator": expire(self._cursors, _BAD_LOCATOR),
            "expired_job": expire_jobs,
            "406": lambda _: PlainTextResponse("Not Acceptable", status_code=406),
            "420": lambda _: PlainTextResponse("Enhance Your Calm", status_code=420),
        }

    # Login

    async def token(self, request: Request) -> Response:
        """`POST /services/oauth2/token`: the client credentials and the JWT bearer flow."""
        self.requests["POST token"] += 1
        form = {k: v[-1] for k, v in parse_qs((await request.body()).decode()).items()}
        host = request.headers.get("host", "")
        try:
            match form.get("grant_type"):
                case "client_credentials":
                    user_id = self.run_as(form, request.headers.get("authorization", ""), host)
                case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                    user_id = self.asserted(form.get("assertion", ""), host)
                case _:
                    raise _Denied("unsupported_grant_type", "grant type not supported")
        except _Denied as denied:
            error, description = denied.args
            return _json({"error": error, "error_description": description}, 400)
        return _json(self.grant(user_id, host))

    def run_as(self, form: Mapping[str, str], basic: str, host: str) -> str:
        """Return the user that key and secret act for."""
        client_id, secret = form.get("client_id"), form.get("client_secret")
        if basic.lower().startswith("basic "):
            try:
                client_id, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                client_id = secret = None
        if host.startswith(_LOGIN_HOSTS):
            raise _Denied("invalid_grant", "request not supported on this domain")
        if client_id != self.org.client_id:
            raise _Denied("invalid_client_id", "client identifier invalid")
        if secret != self.org.client_secret:
            raise _Denied("invalid_client", "invalid client credentials")
        return self.org.user_id

    def asserted(self, assertion: str, host: str) -> str:
        """Return the user that a signed assertion names, once its signature holds."""
        try:
            claims = jwt.decode(
                assertion,
                self.org.certificate or "",
                algorithms=["RS256"],
                # The world's time and the vendor's wording are judged below.
                options={"verify_exp": False, "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _Denied("invalid_grant", "invalid assertion") from None
        if claims.get("iss") != self.org.client_id:
            raise _Denied("invalid_client_id", "client identifier invalid")
        own = f"https://{self.org.domain}.salesforce.com"
        if claims.get("aud") not in (own, *(f"https://{h}salesforce.com" for h in _LOGIN_HOSTS)):
            raise _Denied("invalid_grant", "audience is invalid")
        left_s = float(claims.get("exp", 0)) - self.clock.now().timestamp()
        if not 0 < left_s <= ASSERTION_LIVES_S:
            raise _Denied("invalid_grant", "expired authorization code")
        users = [user for user in self.org.rows("User") if user["IsActive"]]
        for user in users:
            if user["Username"] == claims.get("sub"):
                return str(user["Id"])
        raise _Denied("invalid_grant", "user hasn't approved this consumer")

    def grant(self, user_id: str, host: str) -> dict[str, str]:
        """Begin a session and return what a client learns of it."""
        now = self.clock.now()
        self._logins += 1
        digest = hashlib.sha256(f"{self.org.client_secret}:{self._logins}".encode()).digest()
        key = base64.b64encode(digest * 3, altchars=b"._").decode()[:91]
        token = f"{self.org.id[:15]}!{key}"
        self._sessions[token] = now
        instance = f"https://{host}"
        if host.startswith(("127.0.0.1", "localhost", "[::1]")):
            instance = f"http://{host}"
        elif host.startswith(_LOGIN_HOSTS):
            instance = f"https://{self.org.domain}.salesforce.com"
        return {
            "access_token": token,
            "signature": base64.b64encode(digest).decode(),
            "scope": "api",
            "instance_url": instance,
            "id": f"https://login.salesforce.com/id/{self.org.id}/{user_id}",
            "token_type": "Bearer",
            "issued_at": str(int(now.timestamp() * 1000)),
        }

    def check_session(self, request: Request) -> None:
        """Refuse a call without a living token; a living one lives on from now."""
        token = _token(request)
        now = self.clock.now()
        used_at = self._sessions.get(token)
        if used_at is None:
            raise _BAD_SESSION
        if now - used_at >= self.org.session_lifetime:
            del self._sessions[token]
            raise _BAD_SESSION
        self._sessions[token] = now

    # Every other resource

    async def answer(self, request: Request) -> Response:
        """Answer any call below `/services/data`, or say who is asking."""
        if request.url.path.endswith("/oauth2/userinfo"):
            return self.userinfo(request)
        parts = [part for part in request.path_params["path"].split("/") if part]
        if not parts:
            self.requests["GET versions"] += 1
            return _json(_versions())
        body = await request.body() if request.method in {"POST", "PATCH", "PUT"} else b""
        try:
            number = re.fullmatch(r"v(\d+)\.0", parts[0])
            if number is None or not OLDEST_VERSION <= int(number[1]) <= NEWEST_VERSION:
                raise _NOT_FOUND
            self.check_session(request)
            self.count_call()
            with self.org.lock:
                return self.resource(request, parts[0], parts[1:], body)
        except ApiError as error:
            return self.refusal(error)

    def resource(self, request: Request, version: str, parts: list[str], body: bytes) -> Response:
        """Find the resource and answer."""
        method = "GET" if request.method == "HEAD" else request.method
        query = request.query_params
        shown = "/".join("{id}" if i and len(p) in {15, 18} else p for i, p in enumerate(parts))
        if parts[:1] in (["query"], ["queryAll"]) and len(parts) > 1:
            shown = f"{parts[0]}/{{locator}}"
        self.requests[f"{method} {shown}"] += 1
        handler: Callable[[], Response]
        match [part if i else part.lower() for i, part in enumerate(parts)]:
            case []:
                handler, allowed = lambda: self.done(_resources(version)), "GET"
            case ["query" | "queryall" as which]:
                handler, allowed = lambda: self.query(request, version, which == "queryall"), "GET"
            case ["query" | "queryall", locator]:
                handler, allowed = lambda: self.next_page(request, locator), "GET"
            case ["jobs", "query"] if method == "POST":
                handler, allowed = lambda: self.create_job(body, version), "POST"
            case ["jobs", "query"]:
                handler, allowed = lambda: self.done(self._jobs.listed()), "GET"
            case ["jobs", "query", id] if method == "PATCH":
                handler, allowed = lambda: self.done(self._jobs.abort(id, _fields(body))), "PATCH"
            case ["jobs", "query", id] if method == "DELETE":
                handler, allowed = lambda: self.delete_job(id), "DELETE"
            case ["jobs", "query", id]:
                handler, allowed = lambda: self.done(self._jobs.look(id)), "GET"
            case ["jobs", "query", id, "results"]:
                handler, allowed = lambda: self.job_results(id, query, version), "GET"
            case ["limits"]:
                handler, allowed = lambda: self.done(self.limits()), "GET"
            case ["sobjects"]:
                handler, allowed = lambda: self.done(self.describe_global(version)), "GET"
            case ["sobjects", name] if method == "POST":
                handler, allowed = lambda: self.create(name, body), "POST"
            case ["sobjects", name]:
                handler, allowed = lambda: self.done(self.basic_information(name, version)), "GET"
            case ["sobjects", name, "describe"]:
                handler, allowed = lambda: self.describe(request, name, version), "GET"
            case ["sobjects", name, "updated"]:
                handler, allowed = lambda: self.done(self.updated(name, query)), "GET"
            case ["sobjects", name, "deleted"]:
                handler, allowed = lambda: self.done(self.deleted(name, query)), "GET"
            case ["sobjects", name, id] if method == "PATCH":
                handler, allowed = lambda: self.change(name, id, body), "PATCH"
            case ["sobjects", name, id] if method == "DELETE":
                handler, allowed = lambda: self.remove(name, id), "DELETE"
            case ["sobjects", name, id]:
                handler, allowed = lambda: self.record(name, id, query, version), "GET"
            case _:
                raise _NOT_FOUND
        if method != allowed:
            raise ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not "
                           f"allowed. Allowed are {allowed}")  # fmt: skip
        return handler()

    def userinfo(self, request: Request) -> Response:
        """`GET /services/oauth2/userinfo`: the user a token acts for."""
        self.requests["GET userinfo"] += 1
        try:
            self.check_session(request)
        except ApiError:
            return PlainTextResponse("Bad_OAuth_Token", status_code=403)
        user = self.org.get("User", self.org.user_id)
        return _json(
            {
                "sub": f"https://login.salesforce.com/id/{self.org.id}/{user['Id']}",
                "user_id": user["Id"],
                "organization_id": self.org.id,
                "preferred_username": user["Username"],
                "name": user["Name"],
                "email": user["Email"],
                "active": user["IsActive"],
            }
        )

    # Limits

    def count_call(self) -> None:
        """Count a call of the last 24 hours; refuse it beyond the daily limit."""
        used = self.used_calls()
        if used >= self.org.daily_limit:
            raise _DAILY_LIMIT
        self._calls.append(self.clock.now())

    def used_calls(self) -> int:
        """Return how many calls the last 24 hours saw."""
        since = self.clock.now() - DAY
        while self._calls and self._calls[0] <= since:
            self._calls.popleft()
        return len(self._calls)

    def limits(self) -> dict[str, dict[str, int]]:
        """`GET limits`."""
        left = {
            "DailyApiRequests": (self.org.daily_limit, self.org.daily_limit - self.used_calls()),
            "DailyBulkApiBatches": (15_000, 15_000),
            "DailyBulkV2QueryFileStorageMB": (
                self.org.bulk_daily_kb // 1024,
                max(0, self._jobs.kilobytes_left()) // 1024,
            ),
            "DailyBulkV2QueryJobs": (self.org.bulk_daily_jobs, self._jobs.jobs_left()),
            "DataStorageMB": (5_120, 4_096),
            "FileStorageMB": (20_480, 20_000),
        }
        return {name: {"Max": most, "Remaining": rest} for name, (most, rest) in left.items()}

    def done(self, value: Any, status: int = 200) -> Response:
        """Return an answer with the limit header."""
        response = _json(value, status)
        response.headers["Sforce-Limit-Info"] = self.limit_info()
        return response

    def limit_info(self) -> str:
        return f"api-usage={self.used_calls()}/{self.org.daily_limit}"

    def refusal(self, error: ApiError) -> Response:
        """Return an error in the vendor's shape."""
        entry: dict[str, Any] = {"message": error.message, "errorCode": error.code}
        if error.fields:
            entry["fields"] = error.fields
        response = self.done([entry], error.status)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Token"
        return response

    # Queries

    def query(self, request: Request, version: str, include_deleted: bool) -> Response:
        """`GET query?q=` and `GET queryAll?q=`: the first page."""
        text = request.query_params.get("q")
        if not text:
            raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
        now = self.clock.now()
        result = soql.run(self.org, text, now, include_deleted=include_deleted)
        wish = re.search(
            r"batchSize\s*=\s*(\d+)", request.headers.get("sforce-query-options", ""), re.IGNORECASE
        )
        batch = min(max(int(wish[1]), BATCH_MIN), BATCH_MAX) if wish else BATCH_MAX
        self._queries += 1
        locator = schema.mint_id("0r8", self._queries)
        cursor = _Cursor(_token(request), result, batch, version, now)
        answer = self.page(locator, cursor, 0)
        if not answer["done"]:
            self._cursors[locator] = cursor
            while len(self._cursors) > self.org.open_cursors:
                del self._cursors[next(iter(self._cursors))]
        return self.done(answer)

    def next_page(self, request: Request, text: str) -> Response:
        """`GET query/<locator>-<offset>`: a following page, as often as asked for.

        A locator is of no use to another session (airbytehq/airbyte#84302).
        """
        locator, _, offset = text.rpartition("-")
        cursor = self._cursors.get(locator)
        if (
            cursor is None
            or cursor.token != _token(request)
            or self.clock.now() - cursor.opened_at >= self.org.locator_lifetime
        ):
            raise _BAD_LOCATOR
        # Put last: the cursor unused for longest is the first to be closed.
        self._cursors[locator] = self._cursors.pop(locator)
        if not offset.isdigit() or not 0 < int(offset) < len(cursor.result.rows):
            raise _BAD_LOCATOR
        return self.done(self.page(locator, cursor, int(offset)))

    def page(self, locator: str, cursor: _Cursor, offset: int) -> dict[str, Any]:
        """Return the page that begins at `offset`; the same one however often asked."""
        result = cursor.result
        rows = result.rows[offset : offset + _page_length(locator, cursor, offset)]
        records: list[dict[str, Any]] = []
        weight = 0
        for row in rows:
            record = result.project(row, cursor.version)
            if result.has_children:
                children = sum(v["totalSize"] for v in record.values() if _is_result(v))
                weight += 1 + children
                if records and weight > cursor.batch:
                    break
            records.append(record)
        end = offset + len(records)
        answer: dict[str, Any] = {"totalSize": result.total, "done": end >= len(result.rows)}
        if not answer["done"]:
            answer["nextRecordsUrl"] = f"/services/data/{cursor.version}/query/{locator}-{end}"
        answer["records"] = records
        return answer

    # Bulk

    def create_job(self, body: bytes, version: str) -> Response:
        """`POST jobs/query`; JSON whatever the caller accepts."""
        return self.done(self._jobs.create(_fields(body), version))

    def delete_job(self, id: str) -> Response:
        """`DELETE jobs/query/<id>`."""
        self._jobs.delete(id)
        return self.nothing()

    def job_results(self, id: str, query: Mapping[str, str], version: str) -> Response:
        """`GET jobs/query/<id>/results`: a page of CSV; the last one's locator reads `null`."""
        body, count, locator = self._jobs.results(id, query, version)
        headers = {
            "Sforce-NumberOfRecords": str(count),
            "Sforce-Locator": locator or "null",
            "Sforce-Limit-Info": self.limit_info(),
        }
        return Response(body, headers=headers, media_type="text/csv; charset=UTF-8")

    # Describe

    def table(self, name: str) -> Table:
        """Return an object's records by the name in a URL."""
        return self.org.table(name)

    def brief(self, name: str, version: str) -> dict[str, Any]:
        """Return what describe says of an object short of its fields."""
        sobject = self.org.sobject(name)
        base = f"/services/data/{version}/sobjects/{sobject.name}"
        deletable = schema.is_deletable(sobject.name)
        return _BRIEF | {
            "custom": sobject.name.endswith("__c"),
            "deletable": deletable,
            "keyPrefix": sobject.prefix,
            "label": sobject.label,
            "labelPlural": sobject.plural,
            "mergeable": sobject.merges,
            "name": sobject.name,
            "replicateable": sobject.name not in self.org.not_replicated,
            "undeletable": deletable,
            "urls": {
                "sobject": base,
                "describe": f"{base}/describe",
                "rowTemplate": f"{base}/{{ID}}",
            },
        }

    def describe_global(self, version: str) -> dict[str, Any]:
        """`GET sobjects`."""
        objects = [self.brief(sobject.name, version) for sobject in self.org.sobjects()]
        return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects}

    def basic_information(self, name: str, version: str) -> dict[str, Any]:
        """`GET sobjects/X`."""
        return {"objectDescribe": self.brief(name, version), "recentItems": []}

    def describe(self, request: Request, name: str, version: str) -> Response:
        """`GET sobjects/X/describe`; 304 when nothing changed since `If-Modified-Since`."""
        sobject = self.org.sobject(name)
        described_at = self.org.described_at
        since = request.headers.get("if-modified-since")
        if since is not None and _http_date(since) >= described_at.replace(microsecond=0):
            headers = {"Sforce-Limit-Info": self.limit_info()}
            return Response(status_code=304, headers=headers)
        fields = [
            {key: value for key, value in field.items() if key not in _EMULATOR_KEYS}
            for field in self.org.readable_fields(sobject.name).values()
        ]
        children = [
            {
                "cascadeDelete": bool(field.get("cascade")),
                "childSObject": child.name,
                "deprecatedAndHidden": False,
                "field": field["name"],
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.get("childRelationshipName"),
                "restrictedDelete": bool(field.get("restrict")),
            }
            for child in self.org.sobjects()
            for field in child.references()
            if sobject.name in field["referenceTo"]
        ]
        whole = self.brief(name, version) | {
            "actionOverrides": [],
            "childRelationships": children,
            "compactLayoutable": True,
            "fields": fields,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "recordTypeInfos": [
                {
                    "active": True,
                    "available": True,
                    "defaultRecordTypeMapping": True,
                    "developerName": "Master",
                    "master": True,
                    "name": "Master",
                    "recordTypeId": "012000000000000AAA",
                    "urls": {
                        "layout": f"/services/data/{version}/sobjects/{sobject.name}"
                        "/describe/layouts/012000000000000AAA"
                    },
                }
            ],
            "searchLayoutable": True,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [{"label": "All", "name": "everything"}],
        }
        response = self.done(whole)
        response.headers["Last-Modified"] = format_datetime(
            described_at.astimezone(UTC), usegmt=True
        )
        return response

    # Replication

    def updated(self, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        """`GET sobjects/X/updated?start=&end=`: ids of live records changed in the span."""
        table = self.table(name)
        self.check_replicated(table)
        now = self.clock.now()
        start, end = _span(query, now, UPDATED_REACH)
        low, high = wire_datetime(start), wire_datetime(end)
        ids = [
            row["Id"]
            for row in table.visible(now)
            if low <= row["SystemModstamp"] < high and not row.get("IsDeleted")
        ]
        return {"ids": ids, "latestDateCovered": self.covered(table, end, now)}

    def deleted(self, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        """`GET sobjects/X/deleted?start=&end=`: what went in the span, hard deletes too."""
        table = self.table(name)
        self.check_replicated(table)
        now = self.clock.now()
        start, end = _span(query, now, DELETED_REACH)
        kept_from = max(now - DELETED_REACH, table.log_from)
        log = sorted((at, id) for id, at in table.deletions.items() if at >= kept_from)
        found = [
            {"id": id, "deletedDate": wire_datetime(at)} for at, id in log if start <= at < end
        ]
        if len(found) > self.org.replicated_ids:
            raise ApiError(400, "EXCEEDED_ID_LIMIT", "Too many IDs: choose a shorter span")
        return {
            "deletedRecords": found,
            "earliestDateAvailable": wire_datetime(kept_from),
            "latestDateCovered": self.covered(table, end, now),
        }

    def check_replicated(self, table: Table) -> None:
        """Refuse an object that describe calls not replicateable."""
        name = table.sobject.name
        if name in self.org.not_replicated:
            raise ApiError(400, "INVALID_TYPE", f"sObject type '{name}' is not replicateable")

    def covered(self, table: Table, end: datetime, now: datetime) -> str:
        """Return up to when the answer is whole: a write still unseen holds it back."""
        covered = wire_datetime(min(end, now))
        return min(covered, table.oldest_unseen(now) or covered)

    # Records

    def record(self, name: str, id: str, query: Mapping[str, str], version: str) -> Response:
        """`GET sobjects/X/<id>[?fields=a,b]`."""
        sobject = self.org.sobject(name)
        if len(id) not in {15, 18} or not id.isalnum():
            raise _NOT_FOUND
        wanted = query.get("fields") or ",".join(self.org.readable_fields(sobject.name))
        text = f"SELECT {wanted} FROM {sobject.name} WHERE Id = '{id}'"
        found = soql.run(self.org, text, self.clock.now())
        if not found.rows:
            raise _NOT_FOUND
        return self.done(found.project(found.rows[0], version))

    def create(self, name: str, body: bytes) -> Response:
        """`POST sobjects/X`."""
        id = self.org.insert(name, _fields(body), self.clock.now())
        return self.done({"id": id, "success": True, "errors": []}, 201)

    def change(self, name: str, id: str, body: bytes) -> Response:
        """`PATCH sobjects/X/<id>`."""
        self.org.update(name, id, _fields(body), self.clock.now())
        return self.nothing()

    def remove(self, name: str, id: str) -> Response:
        """`DELETE sobjects/X/<id>`."""
        self.org.delete(name, id, self.clock.now())
        return self.nothing()

    def nothing(self) -> Response:
        return Response(status_code=204, headers={"Sforce-Limit-Info": self.limit_info()})


class _WireMiddleware:
    """What the vendor's front end does to every call: URL length, `Date`, gzip."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        self.app = app
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        url_bytes = len(scope["raw_path"]) + len(scope["query_string"])
        header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        answer_with = self.app
        if url_bytes > URL_BYTES_MAX:
            answer_with = PlainTextResponse("URI Too Long", status_code=414)
        elif url_bytes + header_bytes > URL_BYTES_MAX:
            answer_with = PlainTextResponse("Request Header Fields Too Large", status_code=431)
        zips = b"gzip" in headers.get(b"accept-encoding", b"")
        date = self.clock.http_date().encode()
        start: Message = {}

        async def send_dressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                # The length is known, and so the headers final, when the body comes.
                start = message
                return
            body = message.get("body", b"")
            if start:
                fields = [*start["headers"], (b"date", date)]
                if zips and len(body) >= GZIP_FROM_BYTES and not message.get("more_body"):
                    body = gzip.compress(body, compresslevel=1, mtime=0)
                    fields = [(k, v) for k, v in fields if k != b"content-length"]
                    fields += [
                        (b"content-length", str(len(body)).encode()),
                        (b"content-encoding", b"gzip"),
                        (b"vary", b"Accept-Encoding"),
                    ]
                await send({**start, "headers": fields})
                start = {}
            await send({**message, "body": body})

        await answer_with(scope, receive, send_dressed)


def _token(request: Request) -> str:
    """Return the access token a call brings, empty without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme in {"Bearer", "OAuth"} else ""


def _json(value: Any, status: int = 200) -> Response:
    content = msgspec.json.encode(value)
    return Response(content, status, media_type="application/json;charset=UTF-8")


def _versions() -> list[dict[str, str]]:
    """Return the releases; three a year, the first of which carries the next year's number."""
    seasons = ("Spring", "Summer", "Winter")
    return [
        {
            "label": f"{seasons[number % 3]} '{(number - 2) // 3 + 5:02d}",
            "url": f"/services/data/v{number}.0",
            "version": f"{number}.0",
        }
        for number in range(OLDEST_VERSION, NEWEST_VERSION + 1)
    ]


def _resources(version: str) -> dict[str, str]:
    names = ("jobs", "limits", "query", "queryAll", "sobjects")
    return {name: f"/services/data/{version}/{name}" for name in names}


def _page_length(locator: str, cursor: _Cursor, offset: int) -> int:
    """Return how many rows this page has: between half and all of the batch size."""
    luck = zlib.crc32(f"{locator}-{offset}".encode()) / 2**32
    length = int(cursor.batch * (0.55 + 0.45 * luck))
    if cursor.result.width > WIDE_ROW_FIELDS:
        length = length * WIDE_ROW_FIELDS // cursor.result.width
    return length


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and "totalSize" in value


def _http_date(text: str) -> datetime:
    """Return the moment of an HTTP date; nonsense is as good as the beginning of time."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _span(query: Mapping[str, str], now: datetime, reach: timedelta) -> tuple[datetime, datetime]:
    """Return start and end of a replication call, seconds cut off."""
    moments = []
    for name in ("start", "end"):
        try:
            moments.append(parse_datetime(query.get(name, "")).replace(second=0, microsecond=0))
        except ValueError:
            message = (
                f"{name}: {query.get(name, '')}, is not a valid value for the type xsd:dateTime"
            )
            raise ApiError(400, "INVALID_DATE_FORMAT", message) from None
    start, end = moments
    if end - start < timedelta(minutes=1):
        message = "endDate must be at least one minute greater than startDate"
        raise ApiError(400, "INVALID_REPLICATION_DATE", message)
    if start < now - reach:
        message = f"startDate cannot be more than {reach.days} days ago"
        raise ApiError(400, "INVALID_REPLICATION_DATE", message)
    return start, end


def _fields(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, "JSON_PARSER_ERROR", str(error)) from None
