"""OAuth2 access tokens: by a refresh token, or by client credentials.

Belongs here: when a token is asked for, and keeping refresh tokens that work once. Does not belong
here: where a token is put in a request (the connector).

Some vendors take a refresh token back as soon as it was used and send another one along. That one
is on disk before anything is done with it, in a file that only its owner reads, under a lock: two
processes never spend the same one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import requests
from filelock import FileLock

from connectors import redaction
from connectors.errors import AuthError, RapportError, writing
from connectors.records import values
from connectors.session import Session

MARGIN_S = 60.0
"""A token that ends so soon is not used any more."""
LASTS_S = 600.0
"""How long a token is used whose vendor does not say."""


class TokenFile:
    """A token on disk that works once: its owner alone reads it, and one process spends it.

    Args:
        place: whose token it is, for what is said when the disk refuses it.
        path: of the file; None: the token is kept in memory.
    """

    def __init__(self, place: str, path: Path | None) -> None:
        self._place = place
        self._path = path
        self._kept: str | None = None

    @contextmanager
    def held(self) -> Iterator[str | None]:
        """Hold the newest token, None if there is none: nobody else spends it meanwhile."""
        if self._path is None:
            yield self._kept
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_suffix(".lock")):
            with suppress(FileNotFoundError, msgspec.DecodeError):
                self._kept = msgspec.json.decode(self._path.read_bytes(), type=str)
            if self._kept:
                redaction.register([self._kept])
            yield self._kept

    def keep(self, token: str) -> None:
        """Put a token in place of the one before; it is on disk when this returns."""
        self._kept = token
        if self._path is None:
            return
        beside = self._path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with writing(self._place, self._path.name):
            with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(token))
                file.flush()
                os.fsync(file.fileno())
            Path(beside).replace(self._path)


class AccessTokens:
    """The access tokens of one credential.

    Args:
        session: asks for them.
        url: of the token endpoint; a path starts at the session's `base_url`.
        form: `client_id`, `client_secret`, and `scope` if the vendor wants one.
        refresh_token: the first one, from rapport.yml; None: client credentials.
    """

    def __init__(
        self, session: Session, url: str, form: dict[str, str], refresh_token: str | None
    ) -> None:
        self._session = session
        self._url = url
        self._form = form
        self._first = refresh_token
        self._file = TokenFile(session.place, session.own_file("tokens"))
        self._threads = threading.Lock()
        self._token = ""
        self._ends = datetime.min.replace(tzinfo=UTC)

    def get(self, spent: str | None = None) -> str:
        """Return a token that holds for a minute at least, and that is not `spent`.

        Raises:
            AuthError: the vendor gives none.
        """
        with self._threads:
            if self._token in ("", spent) or datetime.now(UTC) >= self._ends:
                if self._first is None:
                    self._ask(None)
                else:
                    with self._file.held() as kept:
                        self._ask(kept or self._first)
            return self._token

    def _ask(self, refresh_token: str | None) -> None:
        grant = (
            {"grant_type": "refresh_token", "refresh_token": refresh_token}
            if refresh_token
            else {"grant_type": "client_credentials"}
        )
        body = self._session.fetch(
            "POST", self._url, data=grant | self._form, refusal=self._refusal
        )
        token, lasts_s, following = values(body, "access_token", "expires_in", "refresh_token")
        redaction.register([text for text in (token, following) if isinstance(text, str)])
        if not isinstance(token, str):
            raise AuthError(
                f"{self._session.place}: the answer of `token_url` has no `access_token`. Check "
                "the address."
            )
        if isinstance(following, str) and following != refresh_token:
            self._file.keep(following)
        with suppress(TypeError, ValueError):
            lasts_s = float(lasts_s)
        span = lasts_s if isinstance(lasts_s, float) else LASTS_S
        self._token = token
        self._ends = datetime.now(UTC) + timedelta(seconds=max(span - MARGIN_S, span / 2))

    def _refusal(self, answer: requests.Response) -> RapportError:
        return AuthError(
            f"{self._session.place}: HTTP {answer.status_code} from `token_url`. Check "
            "`client_id`, `client_secret` and `refresh_token`; a refresh token that was spent "
            "elsewhere must be made anew."
        )
