"""The stage of a declared API: a server made from the source's own declarations.

It speaks as rapport.yml says that the vendor does: credential, paths, paging, where records, totals
and links lie, what `{cursor}` and `{end}` ask for, how deleted records show. So what is tested is
whether the declarations, read by our connector, keep every row; whether they are true of the vendor
only the vendor can tell. Hooks are left out: they are made for answers that nobody declared.

Belongs here: requests, lists and pages. Does not belong here: records (`rest_records`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.rest.declared import added_name
from connectors.rest.settings import (
    Archived,
    Basic,
    Bearer,
    ByCursor,
    ByKey,
    ByLink,
    ByOffset,
    ByPage,
    Census,
    KeyInHeader,
    KeyInQuery,
    OAuth2,
    Settings,
    Tombstones,
)
from connectors.tables import duration
from rapport.conformance.rest_records import (
    Shelf,
    asked_times,
    is_template,
    path_of,
    put,
    told,
)
from rapport.conformance.stage import ROWS_PER_PAGE, Emulated, Rewrite, Truth
from sandbox.faults import Fault, FaultMiddleware

SECRET = "stage-secret-5f2c81"
TOKEN = "stage-token-9b1e44"
PLACE = "stage_place"
"""Parameter of a link to the next page."""
TOP = "0"
"""A place before the first record."""
SHOWN_LATE = timedelta(minutes=10)
"""A look-back that finds what the fault `late_rows` shows minutes late."""


class Stage(Emulated):
    """One declared API."""

    type = vendor = "rest"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings = _on_stage(settings)
        self.declared = msgspec.convert(self.settings, Settings)
        self.shelves = {
            name: Shelf(name, stream, self.clock) for name, stream in self.declared.streams.items()
        }
        self.numbers: list[int] = []
        self.made = 0
        self.has_empty_page = False
        if self.declared.auth is not None:
            self.secrets |= {SECRET, TOKEN}
        # What a vendor's stage has for good follows from the declarations here.
        vars(self).update(self._answers(), streams=tuple(self.shelves), lacks=dict(self._lacking()))

    def _answers(self) -> dict[str, Any]:
        """Return what `Emulated` and `Stage` want to know of a vendor's answers and habits."""
        declared = list(self.declared.streams.values())
        totals = [path for s in declared for path in (s.paging and s.paging.total, s.count) if path]
        every = [duration(s.deletes.every) for s in declared if isinstance(s.deletes, Census)]
        long = max([timedelta(days=7), *every]) + timedelta(days=1)
        return {
            "kinds": {
                "limited": ("429", "own_limit") if self.declared.limits.status else ("429",),
                "refused_token": ("401",),
                "quota": ("own_quota",),
            },
            "lists": tuple({() if s.records == "$" else path_of(s.records) for s in declared}),
            "pointers": tuple(
                path_of(s.paging.next)
                for s in declared
                if isinstance(s.paging, ByLink | ByCursor) and s.paging.next
            ),
            "totals": tuple(map(path_of, totals)),
            "retyped": tuple(path_of(text) for s in self.shelves.values() for text in s.texts),
            "stamps": tuple((s.cursor,) for s in declared if s.cursor),
            "settling": (timedelta(hours=2), long),
            "below": tuple(name for name, shelf in self.shelves.items() if shelf.above),
        }

    def _lacking(self) -> Iterator[tuple[str, str]]:
        yield "merges", "no declaration speaks of merges"
        if not isinstance(self.declared.auth, OAuth2):
            yield "refused_token", "a credential without OAuth2 does not expire"
        if self.declared.limits.quota_status is None:
            yield "quota", "`limits.quota_status` is not declared"
        for name, shelf in self.shelves.items():
            for ability, reason in _lacking_in(shelf):
                yield f"{name}.{ability}", reason
            if "deletes" not in dict(_lacking_in(shelf)) and self._must_stay(name):
                for ability in ("deletes", "purges", "restores"):
                    yield f"{name}.{ability}", "lists below it do not show what is deleted"

    def _must_stay(self, name: str) -> bool:
        """Tell whether a record may not go, as lists below it would not tell."""
        below = [s for s in self.shelves.values() if name in dict(s.above)]
        return any(not isinstance(s.declared.deletes, Census) for s in below)

    # Verbs

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made = []
        for _ in range(count):
            self.made += 1
            at = self._now(tied)
            for shelf in self.shelves.values():
                shelf.create(self.made, at)
            made.append(self.made)
        self.numbers += made
        return list(map(str, made))

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        for name in names:
            at = self._now(tied)
            for shelf in self.shelves.values():
                shelf.change(int(name), at)

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            at = self._now(False)
            self.numbers.remove(int(name))
            for stream, shelf in self.shelves.items():
                if not self._must_stay(stream):
                    shelf.delete(int(name), at)

    purge = delete

    def restore(self, names: Collection[str]) -> None:
        for name in names:
            at = self._now(False)
            self.numbers.append(int(name))
            for stream, shelf in self.shelves.items():
                if f"{stream}.restores" not in self.lacks:
                    shelf.restore(int(name), at)

    def late(self, seconds: float) -> None:
        """Let further writes show only so long after their stamps."""
        for shelf in self.shelves.values():
            shelf.late = timedelta(seconds=seconds)

    def living(self) -> list[str]:
        return list(map(str, self.numbers))

    def _now(self, tied: bool) -> Any:
        return self.clock.now() if tied else self.clock.advance(seconds=1)

    # Truth

    def truth(self, stream: str) -> Truth:
        shelf = self.shelves[stream]
        return dict(shelf.truth(self._above(shelf)))

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        return all(true.get(name) == value for name, value in record.items())

    def _above(self, shelf: Shelf) -> dict[int, dict[str, str]]:
        """Return number -> what a record is landed with besides its own, of living parents."""
        found: dict[int, dict[str, str]] = {}
        for stream, name in shelf.above:
            parent = self.shelves[stream]
            grand = self._above(parent)
            for item in parent.items.values():
                if not item.is_gone and (not parent.above or item.number in grand):
                    added = found.setdefault(item.number, {})
                    added[added_name(stream, name)] = str(item.row[name])
        return found

    # The server

    def connect_to(self, url: str) -> None:
        self.url = self.settings["url"] = url

    def emulator(self) -> ASGIApp:
        limits = self.declared.limits
        answers = {
            "own_limit": lambda fault: self._limited(fault, limits.status[0]),
            "own_quota": lambda fault: self._limited(fault, limits.quota_status or 429),
        }
        return FaultMiddleware(self._serve, faults=self.faults, vendor=self.type, answers=answers)

    def _limited(self, fault: Fault, status: int) -> Response:
        body: dict[str, Any] = {"error": "too many calls"}
        for path, unit in ((self.declared.limits.wait_s, 1), (self.declared.limits.wait_ms, 1000)):
            if path:
                put(body, path, (fault.wait_s or 1) * unit)
        return JSONResponse(body, status)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        answer = self._answer(request, body)
        answer.headers["Date"] = self.clock.http_date()
        await answer(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        auth = self.declared.auth
        if request.method == "HEAD":
            return Response()
        if isinstance(auth, OAuth2) and request.url.path == auth.token_url:
            return JSONResponse({"access_token": TOKEN, "expires_in": 3600})
        if not self._is_known(request):
            return JSONResponse({"error": "unauthorized"}, 401)
        query = {name: values[-1] for name, values in parse_qs(request.url.query).items()}
        asked = {"path": request.url.path, "params": query,
                 "body": json.loads(body) if body else None}  # fmt: skip
        found = self._which(asked)
        if found is None:
            return JSONResponse({"error": "no such list"}, 404)
        shelf, template, of_archived = found
        said = told(template, asked)
        number = self._parent_asked(shelf, said)
        if shelf.above and number is None:
            return JSONResponse({"error": "no such record"}, 404)
        rows = shelf.listed(asked_times(said), number=number, of_archived=of_archived)
        return self._page(shelf, rows, asked)

    def _is_known(self, request: Request) -> bool:
        headers = request.headers
        match self.declared.auth:
            case Bearer(token=token):
                return headers.get("authorization") == f"Bearer {token}"
            case Basic(user=user, password=password):
                pair = base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()
                return headers.get("authorization") == f"Basic {pair}"
            case KeyInHeader(name=name, api_key=key):
                return headers.get(name) == key
            case KeyInQuery(name=name, api_key=key):
                return request.query_params.get(name) == key
            case OAuth2():
                return headers.get("authorization") == f"Bearer {TOKEN}"
        return True

    def _which(self, asked: Mapping[str, Any]) -> tuple[Shelf, Mapping[str, Any], bool] | None:
        """Return the list that a question is for: of those that fit, the one that says most."""
        fitting = []
        for shelf in self.shelves.values():
            declared = shelf.declared
            lists = [(declared.path, declared.params, False)]
            if isinstance(deletes := declared.deletes, Archived):
                params = {**declared.params, **deletes.params}
                lists.append((deletes.path or declared.path, params, True))
            for path, params, of_archived in lists:
                template = {"path": _rooted(path), "params": params, "body": declared.body}
                if _fits(template, asked):
                    fixed = sum(not is_template(value) for value in params.values())
                    fitting.append((fixed, shelf, template, of_archived))
        if not fitting:
            return None
        _, *best = max(fitting, key=lambda each: each[0])
        return tuple(best)  # type: ignore[return-value]

    def _parent_asked(self, shelf: Shelf, said: Mapping[str, str]) -> int | None:
        """Return the number of the record above that a list was asked for, if it lives."""
        for number, added in self._above(shelf).items():
            wanted = {f"{stream}.{name}": added_name(stream, name) for stream, name in shelf.above}
            if all(unquote(said.get(ref, "")) == added[name] for ref, name in wanted.items()):
                return number
        return None

    # Pages

    def _page(self, shelf: Shelf, rows: list[Any], asked: Mapping[str, Any]) -> Response:
        paging = shelf.declared.paging
        params = _given(asked, paging)
        size = len(rows)
        if paging is not None:
            size = min(int(params.get(paging.size_param or "", ROWS_PER_PAGE)), ROWS_PER_PAGE)
        first, place = 0, None
        match paging:
            case ByPage(param=param, first=one):
                first = (int(params.get(param, one)) - one) * size
            case ByOffset(param=param):
                first = int(params.get(param, 0))
            case ByLink():
                place = asked["params"].get(PLACE)
            case ByCursor(param=param):
                place = params.get(param)
            case ByKey(param=param):
                behind = params.get(param)
                if behind is not None:
                    rows = [each for each in rows if each[0][0] > type(each[0][0])(behind)]
        if place not in (None, TOP):
            last = tuple(json.loads(base64.urlsafe_b64decode(str(place))))
            rows = [r for r in rows if (r[0] < last if shelf.is_descending else r[0] > last)]
        page = rows[first : first + size]
        more = first + size < len(rows)
        following = None
        if page and (more or shelf.declared.incremental == "forward"):
            following = base64.urlsafe_b64encode(json.dumps(page[-1][0]).encode()).decode()
        elif shelf.declared.incremental == "forward":
            following = place
        if self.has_empty_page and isinstance(paging, ByLink | ByCursor) and place is None:
            self.has_empty_page, page, more, following = False, [], True, TOP
        return self._shown(shelf, [row for _, row in page], asked, more, following, len(rows))

    def _shown(
        self,
        shelf: Shelf,
        rows: list[Any],
        asked: Mapping[str, Any],
        more: bool,
        following: str | None,
        total: int,
    ) -> Response:
        """Return a page in the shape that is declared."""
        declared = shelf.declared
        paging = declared.paging
        headers = {}
        link = None
        if isinstance(paging, ByLink) and following is not None:
            query = urlencode({**asked["params"], PLACE: following})
            link = f"{self.url}{asked['path']}?{query}"
            if paging.next is None:
                headers["Link"] = f'<{link}>; rel="next"'
        if declared.records == "$":
            return JSONResponse(rows, headers=headers)
        body: dict[str, Any] = {}
        above, _, last = declared.records.rpartition(".")
        if last == "*":
            named = {
                str(row.get("@name", number)): {k: v for k, v in row.items() if k != "@name"}
                for number, row in enumerate(rows)
            }
            put(body, above, named) if above else body.update(named)
        else:
            put(body, declared.records, rows)
        if declared.count:
            put(body, declared.count, shelf.live())
        if paging is not None:
            if paging.total:
                put(body, paging.total, total)
            if paging.more:
                word, _, path = paging.more.rpartition(" ")
                put(body, path, not more if word == "not" else more)
            if isinstance(paging, ByLink) and paging.next:
                put(body, paging.next, link)
            if isinstance(paging, ByCursor):
                put(body, paging.next, following)
        return JSONResponse(body, headers=headers)

    def empty_page(self) -> Rewrite:
        """Answer the first page of a list with nothing, and lead to it once more."""
        self.has_empty_page = True
        return lambda path, body: body


def _lacking_in(shelf: Shelf) -> Iterator[tuple[str, str]]:
    """Yield (ability, why a stream does not have it)."""
    declared, deletes, paging = shelf.declared, shelf.declared.deletes, shelf.declared.paging
    if deletes is None:
        yield "deletes", "`deletes` is not declared"
    if not isinstance(deletes, Census):
        yield "purges", "only a census finds what leaves no trace"
    if deletes is None or (isinstance(deletes, Tombstones) and deletes.key is not None):
        yield "restores", "nothing declared tells that a record is back"
    if not (paging and paging.total) and not declared.count:
        yield "totals", "neither `paging.total` nor `count` is declared"
    points = isinstance(paging, ByCursor) or (isinstance(paging, ByLink) and paging.next)
    if not points:
        yield "pointers", "no answer's body leads to the next page"
    if not isinstance(paging, ByLink | ByCursor) or declared.incremental == "forward":
        yield "empty_pages", "a page without records is the end of such a list"
    if declared.count or isinstance(deletes, Archived):
        yield "resumes", "what is counted or archived is asked for at every sync"
    if "*" in declared.fields:
        yield "allow_list", "`fields` takes everything"
    if not declared.cursor:
        yield "stamps", "no `cursor` is declared"
    is_timed = declared.incremental in ("updated_since", "newest_first")
    if shelf.above or declared.incremental == "forward":
        yield "late", "what is shown late is found by a look-back, which such a list has not"
    elif is_timed and duration(declared.lookback) < SHOWN_LATE:
        yield "late", f"`lookback` is {declared.lookback}: nothing is declared to show late"


# What is taken of a source's settings


def _on_stage(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with our address and credentials; no question may leave this machine."""
    auth = settings.get("auth")
    streams = {name: _at_home(stream) for name, stream in settings.get("streams", {}).items()}
    limits = {k: v for k, v in settings.get("limits", {}).items() if k != "calls"}
    return {
        "url": "",
        "limits": limits,
        "streams": streams,
        **({"auth": _with_our_secrets(auth)} if auth else {}),
    }


def _at_home(stream: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stream whose paths lead to no host of their own."""
    deletes = stream.get("deletes")
    if deletes and deletes.get("path"):
        stream = {**stream, "deletes": {**deletes, "path": _rooted(deletes["path"])}}
    return {**stream, "path": _rooted(str(stream.get("path", "")))}


def _rooted(path: str) -> str:
    if path.startswith(("http://", "https://")):
        path = urlsplit(path).path
    return path if path.startswith("/") else f"/{path}"


def _with_our_secrets(auth: Mapping[str, Any]) -> dict[str, Any]:
    ours = {"token": TOKEN, "password": SECRET, "client_secret": SECRET, "refresh_token": SECRET}
    told = {name: ours.get(name, value) for name, value in auth.items()}
    if "api_key" in told:
        before, blank, _ = str(told["api_key"]).rpartition(" ")
        told["api_key"] = f"{before}{blank}{SECRET}"
    if "token_url" in told:
        told["token_url"] = _rooted(told["token_url"])
    return told


def _fits(template: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Tell whether a question may have been asked by a list's path and fixed parameters."""
    if is_template(template["path"]):
        is_path = bool(told(template["path"], asked["path"]))
    else:
        is_path = template["path"] == asked["path"]
    fixed = {k: str(v) for k, v in template["params"].items() if not is_template(v)}
    return (
        is_path
        and (template["body"] is None) == (asked["body"] is None)
        and all(asked["params"].get(name) == value for name, value in fixed.items())
    )


def _given(asked: Mapping[str, Any], paging: Any) -> dict[str, Any]:
    """Return the parameters of paging: from the body where there is one."""
    if asked["body"] is None or paging is None:
        return dict(asked["params"])
    found = {}
    for name in (paging.size_param, getattr(paging, "param", None)):
        value: Any = asked["body"]
        for part in (name or "").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if name and value is not None:
            found[name] = value
    return found


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for a source with these settings."""
    return Stage(settings)
