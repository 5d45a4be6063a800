"""The one HTTP session that connectors and the SDKs they use ride on.

Belongs here: time-outs, retries, waits for limits, the shared budget of calls,
the server's clock, and what an answer must be before it is believed. Does not
belong here: paths, paging and the meaning of a vendor's error codes, which a
connector hands in as `limits` and as hints.

What is tried again: no connection, no answer in time, a broken body, 5xx. GET and
its like always; a POST only if it cannot have been carried out (no connection,
429, 503), or if the source only ever asks. Waits between tries have full jitter. A limit
(429, or what `limits` recognizes) waits as long as the vendor says, up to `max_wait_s` in all.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests import exceptions as broken

from connectors import redaction
from connectors.budget import Budget, Usage, Windows
from connectors.errors import (
    AuthError,
    BadRequest,
    ConfigError,
    QuotaSpent,
    RapportError,
    RateLimited,
    ServerError,
    Unreachable,
)
from connectors.records import is_whole

log = redaction.logger

# The 10 kB that requests reads at once cost a quarter more CPU than this.
requests.models.CONTENT_CHUNK_SIZE = 2**16

Answer = TypeVar("Answer")

UNAVAILABLE = "the vendor says that it is not available"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_BACKOFF_S = 30.0
ANSWERS_TIMED = 100
RESET_HEADERS = ("Retry-After", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset")


@dataclass(frozen=True)
class Limit:
    """What a vendor's answer says about its limits.

    Attributes:
        wait_s: seconds until the next call may leave; None: the vendor does not say.
        spent: a daily quota is used up: waiting is pointless today.
        reason: in words, for progress and errors.
        window_s: the span of seconds in which calls are counted; None: the vendor does not say.
    """

    wait_s: float | None
    spent: bool = False
    reason: str = ""
    window_s: float | None = None


Limits = Callable[[requests.Response], Limit | None]
Usages = Callable[[requests.Response], Iterable[Usage]]

QUOTA_FROM_S = 12 * 3600.0
"""A limit over so long a span is not waited for: it is a quota."""
QUOTA_TOLD_FOR_S = 60.0
"""After this, a call may go and find out how much of a quota is left by now."""


class Session(requests.Session):
    """A `requests.Session` that waits, retries, masks and counts.

    Raises `Unreachable`, `ServerError`, `RateLimited`, `QuotaSpent` from any call; answers
    below 500 that are no limit are returned as they are (see `fetch` and `check`).

    Attributes:
        place: `source.stream`, named by every error; the source alone at first.
        base_url: put before a path that starts with `/`.
        requests_made: calls sent, retries included.
        waits_s: seconds waited for limits, budget and retries.
        answers_s: seconds that each of the last answers took to begin, newest last.
        calls_per_window: see `budget.Windows`; may be changed until the first call.
        usages: what an answer tells of limits that were not hit; the `RateLimit` headers if None.
        quota_reserve: share of a day's quota that is left to other programs.
        keeps_reserve: whether calls end with `QuotaSpent` when only that is left (a sync's do).
        only_asks: no POST of this source changes anything, so each may be tried again.
        sleep: how a wait passes; `time.sleep` unless time is not real.
        on_wait: called with (seconds, reason) before each such wait.
    """

    def __init__(
        self,
        source: str,
        *,
        secrets: Iterable[str] = (),
        limits: Limits | None = None,
        usages: Usages | None = None,
        quota_reserve: float = 0.0,
        calls_per_window: Windows = (),
        budget_dir: Path | None = None,
        timeout: tuple[float, float] = (10.0, 60.0),
        on_wait: Callable[[float, str], None] | None = None,
        base_url: str = "",
        attempts: int = 5,
        backoff_s: float = 0.5,
        max_wait_s: float = 900.0,
    ) -> None:
        super().__init__()
        self.source = self.place = source
        self.secrets = tuple(secret for secret in secrets if secret)
        redaction.register(self.secrets)
        self.limits = limits
        self.usages = usages
        self.quota_reserve = quota_reserve
        self.keeps_reserve = False
        self._quota: tuple[Usage, float] | None = None
        self.timeout = timeout
        self.on_wait = on_wait
        self.base_url = base_url.rstrip("/")
        self.attempts = attempts
        self.backoff_s = backoff_s
        self.max_wait_s = max_wait_s
        self.requests_made = 0
        self.waits_s = 0.0
        self.answers_s: deque[float] = deque(maxlen=ANSWERS_TIMED)
        self.only_asks = False
        self.sleep: Callable[[float], None] = time.sleep
        self.calls_per_window = calls_per_window
        self._budget_dir = budget_dir
        # With any `auth` set, requests does not look into ~/.netrc, whose password would
        # silently replace ours.
        self.auth = _leave_as_is
        self._environments: dict[tuple[str, str], Any] = {}
        self._count_lock = threading.Lock()
        self._clock_offset: timedelta | None = None

    # Clock

    def server_now(self) -> datetime:
        """Return the server's time (UTC, from its last `Date` header), else our own.

        Before the first answer, asks `base_url` once.
        """
        if self._clock_offset is None and self.base_url:
            self.request("HEAD", self.base_url, allow_redirects=False)
        return datetime.now(UTC) + (self._clock_offset or timedelta(0))

    @property
    def clock_skew_s(self) -> float:
        """Return the server's clock minus ours, in seconds."""
        return (self.server_now() - datetime.now(UTC)).total_seconds()

    # Requests

    def fetch(
        self,
        method: str,
        path_or_url: str,
        *,
        hint: str = "",
        refusal: Callable[[requests.Response], RapportError] | None = None,
        **kwargs: Any,
    ) -> bytes:
        """Ask a JSON endpoint and return the body, UTF-8 without a byte order mark.

        Args:
            method: HTTP method.
            path_or_url: a path is put behind `base_url`.
            hint: what a refused credential needs, in a sentence ("It needs scope `x`.").
            refusal: makes the error of an answer of 400 and above, for vendors whose error
                codes matter more than the status.
            **kwargs: as for `requests.Session.request`.

        Raises:
            AuthError: 401 or 403.
            BadRequest: any other 4xx; `status` tells which.
            ServerError: the answer is not JSON, or ends in the middle.
        """
        url = self.base_url + path_or_url if path_or_url.startswith("/") else path_or_url
        for attempt in range(1, self.attempts + 1):
            response = self.request(method, url, **kwargs)
            if refusal is not None and response.status_code >= 400:
                raise refusal(response)
            self.check(response, hint)
            body = _plain(response.content)
            if is_whole(body):
                return body
            if body[:1] not in (b"{", b"["):
                raise ServerError(
                    f"{self.place}: `{_path(response.url)}` answered HTTP "
                    f"{response.status_code} with "
                    f"`{_content_type(response)}` ({len(body):,} bytes), which is not JSON. "
                    "Is the address right, or does a login page or a proxy stand in the way?",
                    place=self.place,
                    status=response.status_code,
                )
            if attempt < self.attempts:
                self._wait(self._backoff(attempt), "an answer ended in the middle")
        raise ServerError(
            f"{self.place}: the answer of `{_path(response.url)}` ended in the middle, "
            f"{self.attempts} times (the last after {len(body):,} bytes). Try again later.",
            place=self.place,
            status=response.status_code,
        )

    def check(self, response: requests.Response, hint: str = "") -> requests.Response:
        """Return `response` if it is below 400; else raise as `fetch` does."""
        status = response.status_code
        if status < 400:
            return response
        what = f"{self.place}: HTTP {status} from `{_path(response.url)}`."
        if status in (401, 403):
            raise AuthError(f"{what} {hint or 'The credential was refused or lacks a permission.'}")
        raise BadRequest(
            f"{what} The vendor refuses this request; asking again will not help.",
            place=self.place,
            status=status,
        )

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().request(method, url, *args, **kwargs)
        except (broken.MissingSchema, broken.InvalidSchema, broken.InvalidURL):
            raise ConfigError(
                f"{self.place}: `{redaction.mask(_without_query(str(url)))}` is not an address "
                "that can be asked. Check `url` in rapport.yml."
            ) from None
        except (broken.InvalidHeader, UnicodeEncodeError):
            raise ConfigError(
                f"{self.place}: a credential holds a line break, a blank or a letter that cannot "
                "travel in a request. Check the environment variables that rapport.yml names."
            ) from None

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """As `requests` does, but look for a host's proxies once: it would at each call, long."""
        if proxies or stream is not None or verify is not None or cert is not None:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        host = urlsplit(url)[:2]
        if host not in self._environments:
            self._environments[host] = super().merge_environment_settings(
                url, proxies, stream, verify, cert
            )
        return {**self._environments[host]}

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.timeout
        limited_s = 0.0
        attempt = limits_met = 0
        while True:
            self._keep_reserve()
            self._wait(self.budget.book(), "the budget of calls")
            with self._count_lock:
                self.requests_made += 1
            try:
                response = super().send(request, **kwargs)
            except RapportError:  # from a redirect, which comes through here again
                raise
            except broken.TooManyRedirects:
                raise ServerError(
                    f"{self.place}: `{_path(request.url)}` redirects in circles. "
                    "Check `url` in rapport.yml.",
                    place=self.place,
                ) from None
            except broken.SSLError:
                raise self._unreachable(request, "its certificate is not accepted") from None
            except (
                broken.ConnectionError,
                broken.Timeout,
                broken.ChunkedEncodingError,
                broken.ContentDecodingError,
            ) as error:
                attempt += 1
                if attempt >= self.attempts or not self._may_repeat(request, error):
                    raise self._unreachable(request, _reason(error)) from None
                self._wait(self._backoff(attempt), _reason(error))
                continue

            self.answers_s.append(response.elapsed.total_seconds())
            self._note_clock(response)
            self._note_usage(response)
            limit = (self.limits(response) if self.limits else None) or default_limit(response)
            if limit is not None:
                limits_met += 1
                wait_s = self._backoff(limits_met) if limit.wait_s is None else limit.wait_s
                # A little later than asked, and not all at once.
                wait_s += random.uniform(0, 0.05 * wait_s + 0.05)
                limited_s += wait_s
                self._give_up_on(limit, request, response, limited_s)
                response.close()
                if response.status_code == requests.codes.too_many_requests:
                    self.budget.refused(wait_s, limit.window_s)
                else:
                    self.budget.hold(wait_s)
                self._wait(wait_s, limit.reason or "the vendor's limit")
                continue
            if response.status_code < 500:
                return response
            attempt += 1
            if attempt >= self.attempts or not self._may_repeat(request, response):
                raise ServerError(
                    f"{self.place}: HTTP {response.status_code} from `{_path(request.url)}`"
                    f"{f', {attempt} times' if attempt > 1 else ''}. Try again later.",
                    place=self.place,
                    status=response.status_code,
                )
            response.close()
            self._wait(self._backoff(attempt), f"HTTP {response.status_code}")

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Take every secret header off a request that is redirected to another host."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        here, there = urlsplit(response.request.url or ""), urlsplit(prepared_request.url or "")
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            for name, value in list(prepared_request.headers.items()):
                if any(secret in str(value) for secret in self.secrets):
                    del prepared_request.headers[name]

    # Parts

    def _give_up_on(
        self,
        limit: Limit,
        request: requests.PreparedRequest,
        response: requests.Response,
        limited_s: float,
    ) -> None:
        status = response.status_code
        if limit.spent:
            raise QuotaSpent(
                f"{self.place}: {limit.reason or 'the daily quota of calls is used up'} "
                f"(HTTP {status} from `{_path(request.url)}`). What was read is kept; the next "
                "sync goes on from there.",
                place=self.place,
                status=status,
            )
        if limited_s > self.max_wait_s and status == requests.codes.service_unavailable:
            raise ServerError(
                f"{self.place}: {limit.reason or UNAVAILABLE} (HTTP {status} from "
                f"`{_path(request.url)}`), for longer than the {self.max_wait_s:g} s we wait. "
                "Try again later.",
                place=self.place,
                status=status,
            )
        if limited_s > self.max_wait_s:
            raise RateLimited(
                f"{self.place}: {limit.reason or 'the vendor limits our calls'} (HTTP {status} "
                f"from `{_path(request.url)}`), and would for longer than the "
                f"{self.max_wait_s:g} s we wait. Try again later.",
                place=self.place,
                status=status,
            )

    def _unreachable(self, request: requests.PreparedRequest, reason: str) -> Unreachable:
        return Unreachable(
            f"{self.place}: `{urlsplit(request.url or '').netloc}` cannot be reached: {reason}. "
            "Check `url` in rapport.yml and the network.",
            place=self.place,
        )

    def _may_repeat(
        self, request: requests.PreparedRequest, failure: Exception | requests.Response
    ) -> bool:
        if request.method in SAFE_METHODS or self.only_asks:
            return True
        if isinstance(failure, requests.Response):
            return failure.status_code == 503
        reason = getattr(failure.args[0] if failure.args else None, "reason", None)
        return isinstance(failure, broken.ConnectTimeout) or isinstance(
            reason, urllib3.exceptions.NewConnectionError
        )

    def _backoff(self, attempt: int) -> float:
        return random.uniform(0, min(LONGEST_BACKOFF_S, self.backoff_s * 2.0**attempt))

    def _wait(self, seconds: float, reason: str) -> None:
        if seconds <= 0:
            return
        with self._count_lock:
            self.waits_s += seconds
        if seconds >= 1:
            log.info("%s: waiting %.1f s: %s", self.place, seconds, reason)
        if self.on_wait:
            self.on_wait(seconds, reason)
        self.sleep(seconds)

    def _note_clock(self, response: requests.Response) -> None:
        server = _http_date(response.headers.get("Date"))
        if server is not None:
            self._clock_offset = server - datetime.now(UTC)

    def _note_usage(self, response: requests.Response) -> None:
        told = self.usages(response) if self.usages else rate_limits(response, self.budget.windows)
        for usage in told:
            if usage.seconds >= QUOTA_FROM_S:
                self._quota = (usage, time.monotonic())
            else:
                self.budget.learn(usage)

    def _keep_reserve(self) -> None:
        if not (self.keeps_reserve and self._quota):
            return
        usage, told_at = self._quota
        is_old = time.monotonic() - told_at > QUOTA_TOLD_FOR_S
        if is_old or usage.left > self.quota_reserve * usage.limit:
            return
        raise QuotaSpent(
            f"{self.place}: `{usage.left:,}` of the `{usage.limit:,}` calls a day are left, and "
            f"`quota_reserve` keeps {self.quota_reserve:.0%} of them for other programs. What was "
            "read is kept; the next sync goes on from there.",
            place=self.place,
        )

    @cached_property
    def budget(self) -> Budget:
        return self.budget_of("", self.calls_per_window)

    def pause(self, seconds: float, reason: str) -> None:
        """Wait for what the vendor is still at, told and counted as any other wait."""
        self._wait(seconds, reason)

    def await_slot(self, budget: Budget, reason: str) -> None:
        """Wait for the next slot of a budget that some calls have besides the common one."""
        self._wait(budget.book(), reason)

    def budget_of(self, kind: str, windows: Windows) -> Budget:
        """Return the budget of one kind of calls, shared by all who use this credential."""
        if self._budget_dir is None:
            return Budget(windows)
        path = self._budget_dir / f"{self._owner}{kind and f'-{kind}'}.json"
        return Budget(windows, path, lambda: self.place)

    def own_file(self, folder: str) -> Path | None:
        """Return this credential's file in a folder beside that of the budgets, if there is one."""
        return self._budget_dir and self._budget_dir.with_name(folder) / f"{self._owner}.json"

    @cached_property
    def _owner(self) -> str:
        """A name per credential that does not help anybody to guess the credential."""
        owner = "\0".join(sorted(self.secrets)) or self.source
        return hashlib.scrypt(owner.encode(), salt=b"rapport", n=2**12, r=8, p=1, dklen=6).hex()


def with_renewal(
    call: Callable[[], Answer], over: type[RapportError], renew: Callable[[], object]
) -> Answer:
    """Return what `call` answers; if it raises `over`, `renew` the credential and try once more."""
    try:
        return call()
    except over:
        renew()
        return call()


def default_limit(response: requests.Response) -> Limit | None:
    """Read HTTP 429, or 503 with `Retry-After`; `Limit.wait_s` is None without a header."""
    status, headers = response.status_code, response.headers
    if status != 429 and not (status == 503 and "Retry-After" in headers):
        return None
    now = _http_date(headers.get("Date")) or datetime.now(UTC)
    waits = (seconds_until(headers[name], now) for name in RESET_HEADERS if name in headers)
    reason = UNAVAILABLE if status == requests.codes.service_unavailable else ""
    return Limit(next((s for s in waits if s is not None), None), reason=reason)


def rate_limits(response: requests.Response, windows: Windows) -> Iterator[Usage]:
    """Read `RateLimit-Limit`, `-Remaining`, `-Reset` and `-Policy` (`3000;w=300`).

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
    Only for a window that is declared: a route can have limits of its own.
    """
    headers = response.headers
    limit, left = headers.get("RateLimit-Limit", ""), headers.get("RateLimit-Remaining", "")
    span = re.search(r";\s*w=(\d+)", headers.get("RateLimit-Policy", ""))
    if not (limit.isdigit() and left.isdigit() and span):
        return
    if (int(limit), float(span[1])) in windows:
        now = _http_date(headers.get("Date")) or datetime.now(UTC)
        reset_s = seconds_until(headers.get("RateLimit-Reset", ""), now)
        yield Usage(limit=int(limit), left=int(left), seconds=float(span[1]), reset_s=reset_s)


def seconds_until(reset: str, now: datetime) -> float | None:
    """Read the four kinds of reset clock; None if it is none of them.

    Seconds left (`30`, `1.5`), Unix time (`1763784000`, also in ms), ISO 8601
    (`2026-01-31T09:12:00Z`) or an HTTP date.
    """
    reset = reset.strip()
    if re.fullmatch(r"\d+(\.\d+)?", reset):
        number = float(reset)
        if number < 1e8:
            return number
        return max(0.0, (number / 1000 if number > 1e11 else number) - now.timestamp())
    try:
        at = datetime.fromisoformat(reset)
    except ValueError:
        parsed = _http_date(reset)
        if parsed is None:
            return None
        at = parsed
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def _leave_as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(error: Exception) -> str:
    """Say in words what broke; the original text may carry the address with its secrets."""
    if isinstance(error, broken.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, broken.Timeout):
        return "no answer in time"
    if isinstance(error, broken.ProxyError):
        return "the proxy does not answer"
    if isinstance(error, broken.ChunkedEncodingError | broken.ContentDecodingError):
        return "the answer breaks off"
    text = str(error)
    if "Name or service not known" in text or "resolve" in text or "getaddrinfo" in text:
        return "there is no such host"
    if "refused" in text:
        return "the connection is refused"
    return "the connection breaks off"


def _plain(body: bytes) -> bytes:
    """Return a body without byte order mark, and without gzip that its headers do not admit to."""
    if body.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):
            body = gzip.decompress(body)
    return body.removeprefix(b"\xef\xbb\xbf").strip()


def _http_date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def _content_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "no content type").split(";")[0][:60]


def _path(url: str | None) -> str:
    return redaction.mask(urlsplit(url or "").path or "/")


def _without_query(url: str) -> str:
    return url.split("?")[0].rpartition("@")[2]
