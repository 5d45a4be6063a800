"""How Bluesky is asked: the public host as nobody, the account's host after a login.

Belongs here: single calls, pages of calls, logins, limits and refusals. Does not belong here:
what is asked for, and what is made of it (`reads`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from connectors import redaction
from connectors.errors import AuthError, BadRequest, ConfigError, RapportError, ServerError
from connectors.oauth import TokenFile
from connectors.pagination import cursors
from connectors.records import pick, values
from connectors.session import Limit, Session

if TYPE_CHECKING:
    from connectors.bluesky import Settings

PER_PAGE = 100
CREATE_SESSION = "com.atproto.server.createSession"
REFRESH_SESSION = "com.atproto.server.refreshSession"
SEARCH = "app.bsky.feed.searchPosts"
CURSOR_REFUSED = (500, 502)  # the second by way of the account's host

LOGIN_HINT = (
    "The account refused `handle` with `app_password`. Make an app password under Settings > "
    "Privacy and security; the account's own password is not for programs."
)


class Network:
    """Asks for one account. See the module."""

    def __init__(self, settings: Settings, session: Session) -> None:
        self.settings = settings
        self.session = session
        self.handle = settings.handle.removeprefix("@")  # no server takes it with the sign
        self.search_is_closed = False
        self._did: str | None = None

    def us(self) -> str:
        """Return our account's DID."""
        if self._did is None:
            try:
                profile = self.get("app.bsky.actor.getProfile", {"actor": self.handle})
            except BadRequest:
                raise ConfigError(
                    f"{self.session.place}: the network shows no account `{self.handle}`. "
                    "Check `handle` in rapport.yml."
                ) from None
            self._did = str(pick(profile, "did"))
        return self._did

    def pages(
        self, nsid: str, asked: Mapping[str, Any], *, signed: bool = False
    ) -> Iterator[bytes]:
        """Yield the pages of a method, the newest first.

        Where the server does not take a cursor back, the list is begun at its top again, for as
        long as that leads further down: its first pages then come twice.
        """
        get = self.get_signed if signed else self.get

        def page(cursor: str | None) -> bytes:
            return get(nsid, {**asked, **({"cursor": cursor} if cursor else {})})

        deepest = 0
        while True:
            depth = 0
            try:
                for body, _ in cursors(page, "cursor", place=self.session.place):
                    depth += 1
                    yield body
                return
            except ServerError as error:
                if error.status not in CURSOR_REFUSED or depth <= deepest:
                    raise
                deepest = depth

    def search_page(self, asked: Mapping[str, Any]) -> bytes:
        """Return a page of a search, after a login if it needs one."""
        asked = {"q": "*", "sort": "latest", "limit": PER_PAGE, **asked}
        if not self.search_is_closed:
            try:
                return self.get(SEARCH, asked)
            except AuthError:  # "may require authentication", says the lexicon
                self.search_is_closed = True
        return self.get_signed(SEARCH, asked)

    def get(self, nsid: str, asked: Any = None) -> bytes:
        """Ask the public host, as nobody: it sees what everybody sees, blocked or not."""
        address = f"{self.settings.public_url.rstrip('/')}/xrpc/{nsid}"
        return self.session.fetch("GET", address, params=asked)

    def get_signed(self, nsid: str, asked: Any = None) -> bytes:
        """Ask the account's host; a token whose time is over is refreshed, once."""
        token = self._token()
        try:
            return self._fetch_signed("GET", nsid, token, asked)
        except _Expired:
            return self._fetch_signed("GET", nsid, self._token(spent=token), asked)

    def _fetch_signed(self, method: str, nsid: str, token: str, asked: Any = None) -> bytes:
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.fetch(
            method, f"/xrpc/{nsid}", params=asked, headers=headers, refusal=_refusal(self.session)
        )

    def _token(self, spent: str | None = None) -> str:
        """Return the access token that this process has, or the one after `spent`."""
        asked = self.settings
        key = (asked.url, self.handle, asked.app_password)
        login = LOGINS.setdefault(
            key, _Login(TokenFile(self.session.place, self.session.own_file("tokens")))
        )
        with login.lock:
            if login.access in ("", spent):
                with login.file.held() as refresh:
                    body = self._refreshed(refresh) or self.session.fetch(
                        "POST",
                        f"/xrpc/{CREATE_SESSION}",
                        json={"identifier": self.handle, "password": asked.app_password},
                        hint=LOGIN_HINT,
                    )
                    access, refresh = values(body, "accessJwt", "refreshJwt")
                    redaction.register((access, refresh))
                    login.file.keep(refresh)  # before the session is used
                    login.access = access
            return login.access

    def _refreshed(self, refresh: str | None) -> bytes | None:
        """Refresh a session, which spends its token; None if a new login is needed."""
        if refresh is None:
            return None
        try:
            return self._fetch_signed("POST", REFRESH_SESSION, refresh)
        except _Expired:
            return None


@dataclass
class _Login:
    """The session of one account, shared by its streams; its refresh token outlives us."""

    file: TokenFile
    access: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


LOGINS: dict[tuple[str, str, str], _Login] = {}


class _Expired(RapportError):
    """A token is not, or no longer, accepted."""


def limits(answer: requests.Response) -> Limit | None:
    """Tell the quota of logins a day, which is not worth waiting for, from the short limits.

    https://docs.bsky.app/docs/advanced-guides/rate-limits
    """
    is_login = answer.url.endswith(CREATE_SESSION)
    policy = answer.headers.get("RateLimit-Policy", "")
    if answer.status_code == requests.codes.too_many_requests and is_login and "w=86400" in policy:
        return Limit(None, spent=True, reason="the 300 logins a day of this account are used up")
    return None


def _refusal(session: Session) -> Callable[[requests.Response], RapportError]:
    def read(answer: requests.Response) -> RapportError:
        if pick(answer.content, "error") in ("ExpiredToken", "InvalidToken"):
            return _Expired(f"{session.place}: the session is over.")
        try:
            session.check(answer, LOGIN_HINT)
        except RapportError as error:
            return error
        raise AssertionError("only answers of 400 and above are refusals")

    return read
