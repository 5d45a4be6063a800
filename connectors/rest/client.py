"""How the vendor of a `rest` source is asked: address, credential, limits, refusals.

Belongs here: single calls. Does not belong here: which call comes next (`paging`), and what is
made of the answers (`reads`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
import requests
from requests.auth import _basic_auth_str

from connectors.errors import AuthError, BadRequest, RapportError, ServerError
from connectors.oauth import AccessTokens
from connectors.records import UnexpectedShape, members, pick, split, split_object
from connectors.rest.answers import Answer, names_in, path_in
from connectors.rest.declared import filled, timed, timed_body, windows_of
from connectors.rest.hooks import Hooks
from connectors.rest.settings import (
    Basic,
    Bearer,
    KeyInHeader,
    KeyInQuery,
    OAuth2,
    RestLimits,
    RestStream,
    Settings,
)
from connectors.session import Limit, Session, seconds_until, with_renewal

GONE = (requests.codes.not_found, requests.codes.gone)

Above = Mapping[tuple[str, str], str]
"""(stream, field) -> its text, of the record above that something is asked for."""


class TokenExpired(AuthError):
    """The access token no longer holds; a new one may help."""


@dataclass(frozen=True, kw_only=True)
class Due:
    """Which changes are asked for; None: all of them."""

    start: datetime | None = None
    end: datetime | None = None


EVERYTHING = Due()


class Api:
    """Asks for one source. See the module."""

    def __init__(self, name: str, settings: Settings, session: Session, hooks: Hooks) -> None:
        self.name = name
        self.session = session
        self.hooks = hooks
        self._settings = settings
        self._limits = settings.limits
        self._tokens: AccessTokens | None = None
        session.base_url = settings.url.rstrip("/")
        session.only_asks = True
        session.limits = self._limit
        session.calls_per_window = windows_of(name, settings.limits.calls)
        session.headers.update({"Accept": "application/json", **settings.headers})
        match settings.auth:
            case Bearer(token=token):
                session.headers["Authorization"] = f"Bearer {token}"
            case Basic(user=user, password=password):
                session.headers["Authorization"] = _basic_auth_str(user, password)
            case KeyInHeader(name=header, api_key=key):
                session.headers[header] = key
            case OAuth2() as auth:
                form = {"client_id": auth.client_id, "client_secret": auth.client_secret}
                form |= {"scope": auth.scope} if auth.scope else {}
                self._tokens = AccessTokens(session, auth.token_url, form, auth.refresh_token)

    def page(
        self,
        stream: str,
        declared: RestStream,
        *,
        above: Above,
        due: Due,
        more: Mapping[str, Any],
        link: str | None,
    ) -> Answer:
        """Return a page of a stream.

        Args:
            more: parameters of the page; they go into the body where there is one.
            link: address of the page, in place of path and parameters.
        """
        params = timed(filled(declared.params, above, str), due.start, due.end)
        body = declared.body
        if body is not None:
            body = filled(body, above, str)
            body = timed_body(body, due.start, due.end, self.session.server_now())
            for name, value in more.items():
                body = _with(body, name.split("."), value)
        else:
            params |= more
        path = filled(declared.path, above, lambda text: quote(text, safe=""))
        if link is not None:
            path, params = link, {}
        url, headers, content = self._call(stream, path, params, body)
        content = self.hooks.page(stream, content)
        records = self._split(declared, content)
        return Answer(self.session.place, url, content, headers, records, self._inside)

    def check(self, path: str) -> bytes:
        """Return what a path answers."""
        return self._call("check", path, {}, None)[2]

    def _call(
        self, stream: str, path: str, params: Mapping[str, Any], body: Any
    ) -> tuple[str, Mapping[str, str], bytes]:
        call = {"method": "GET" if body is None else "POST", "path": path, "params": dict(params),
                "headers": {}, "json": body}  # fmt: skip
        call = self.hooks.call("request", stream, call)
        if not call["path"].startswith(("/", "http://", "https://")):
            call["path"] = f"/{call['path']}"
        if isinstance(self._settings.auth, KeyInQuery):
            call["params"] |= {self._settings.auth.name: self._settings.auth.api_key}
        answers: list[requests.Response] = []

        def send(token: str | None) -> bytes:
            bearer = {"Authorization": f"Bearer {token}"} if token else {}
            return self.session.fetch(
                call["method"],
                call["path"],
                params=call["params"],
                headers=bearer | call["headers"],
                json=call["json"],
                refusal=self._refusal,
                hooks={"response": lambda answer, **_: answers.append(answer)},
            )

        content = self._signed(send)
        self._heed(answers[-1])
        return answers[-1].url, answers[-1].headers, content

    def _signed(self, send: Any) -> bytes:
        tokens = self._tokens
        if tokens is None:
            return bytes(send(None))
        used = [tokens.get()]

        def renew() -> None:
            used.append(tokens.get(spent=used[-1]))

        return with_renewal(lambda: bytes(send(used[-1])), TokenExpired, renew)

    def _inside(self, link: str) -> str:
        """Return a link's path and query without credentials, if it leads to the same host."""
        there, here = urlsplit(link), urlsplit(self.session.base_url)
        if there.netloc != here.netloc:
            raise ServerError(
                f"{self.session.place}: the next page is at `{there.hostname}`, which is not the "
                f"host of `url` (`{here.hostname}`); no credential goes there. If it is the same "
                "vendor, let `url` name that host.",
                place=self.session.place,
            )
        query = urlencode(
            [
                (name, value)
                for name, value in parse_qsl(there.query, keep_blank_values=True)
                if value not in self.session.secrets
            ]
        )
        return f"{here.scheme}://{here.netloc}{there.path}{'?' * bool(query)}{query}"

    # Records

    def _split(self, declared: RestStream, body: bytes) -> list[bytes]:
        above, _, last = declared.records.rpartition(".")
        try:
            if last == "*":
                return [
                    _named(name, value)
                    for name, value in split_object(body, *(path_in(body, above) if above else ()))
                ]
            rows = split(body, *(() if last == "$" else path_in(body, declared.records)))
        except UnexpectedShape:
            raise ServerError(
                f"{self.session.place}: the answer has no list at `{declared.records}` "
                f"(`records`). It has: {names_in(body)}.",
                place=self.session.place,
            ) from None
        return [row if row.lstrip()[:1] in (b"{", b"[") else b'{"value":%s}' % row for row in rows]

    # Limits and refusals

    def _limit(self, answer: requests.Response) -> Limit | None:
        """Read what this vendor is declared to say; the session knows the usual forms."""
        told: RestLimits = self._limits
        status = answer.status_code
        if status == told.quota_status:
            return Limit(None, spent=True, reason="the calls of this day are used up")
        if status != requests.codes.too_many_requests and status not in told.status:
            return None
        reason = f"HTTP {status}"
        for path, unit in ((told.wait_s, 1.0), (told.wait_ms, 1000.0)):
            wait = pick(answer.content, *path_in(answer.content, path)) if path else None
            if isinstance(wait, int | float):
                return Limit(wait / unit, reason=reason)
        if told.reset and told.reset in answer.headers:
            return Limit(seconds_until(answer.headers[told.reset], _now()), reason=reason)
        return None if status == requests.codes.too_many_requests else Limit(None, reason=reason)

    def _heed(self, answer: requests.Response) -> None:
        """Let nobody call when the vendor says that no call is left, until there are new ones."""
        told = self._limits
        if not (told.remaining and told.reset and told.reset in answer.headers):
            return
        left = answer.headers.get(told.remaining, "")
        wait_s = seconds_until(answer.headers[told.reset], _now())
        if left.strip() == "0" and wait_s:
            self.session.budget.hold(min(wait_s, self.session.max_wait_s))

    def _refusal(self, answer: requests.Response) -> RapportError:
        place, status = self.session.place, answer.status_code
        path = urlsplit(answer.url).path
        if status == requests.codes.unauthorized and self._tokens is not None:
            return TokenExpired(
                f"{place}: HTTP 401 from `{path}`. A token that was just given is refused: check "
                f"`auth` of source `{self.name}`."
            )
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            return AuthError(
                f"{place}: HTTP {status} from `{path}`. The credential was refused or lacks a "
                f"permission: check `auth` of source `{self.name}`."
            )
        return BadRequest(
            f"{place}: HTTP {status} from `{path}`. The vendor refuses this question; asking again "
            "will not help. Check `path`, `params` and `paging` in rapport.yml.",
            place=place,
            status=status,
        )


def _named(name: str, value: bytes) -> bytes:
    """Put a value's name before what it holds, as `@name`; one that it has itself stays."""
    told = value.lstrip()
    key = b'{"@name":' + msgspec.json.encode(name)
    if not told.startswith(b"{"):
        return key + b',"value":' + value + b"}"
    if "@name" in members(value):
        return value
    inside = told[1:].lstrip()
    return key + (b"" if inside.startswith(b"}") else b",") + inside


def _with(body: Any, path: list[str], value: Any) -> Any:
    """Return a body with a value put at a path, making what lies on the way."""
    name, *below = path
    inner = body.get(name) if isinstance(body, Mapping) else None
    return {**(body or {}), name: _with(inner or {}, below, value) if below else value}


def _now() -> datetime:
    return datetime.now(UTC)
