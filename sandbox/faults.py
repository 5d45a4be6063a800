"""What shall go wrong, on purpose: a list of faults, and the middleware that acts them out.

Belongs here: counting matching requests, the faults every web service has (errors in
plain text or HTML, silence, cut bodies, answers that are not JSON).
Does not belong here: a vendor's own error shapes; each emulator brings its own as
`answers`.
"""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Answer = Callable[["Fault"], Response]
"""Makes the response that a vendor-specific kind of fault is answered with."""

SILENCE_S = 3600.0
"""How long a time-out keeps quiet when the fault does not say: longer than any client waits."""

_MAINTENANCE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>We are down for maintenance.</h1></body></html>"
)


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    Attributes:
        kind: answered instead of the vendor: `401`, `429`, `429_date` (Retry-After as a date),
            `429_epoch` (X-RateLimit-Reset in Unix time), `500`, `502`, `503_html`, `not_json`
            (200 and an HTML page), `empty` (200 and nothing); `timeout_before` (nothing
            happens, no answer), `timeout_after` (it happens, no answer), `timeout_within` (half
            of the answer, then silence), `truncated` (the connection ends in the middle),
            `cut_json` (half of the text, as if that were all), `gzip_unlabelled` (zipped, and
            no header says so), `with_bom`; or a kind of the vendor's own.
        match: the request's path contains this text.
        method: only requests of this method.
        after: how many matching requests go well first.
        times: how many then go wrong; null: all.
        wait_s: for `429` the Retry-After in seconds; for time-outs how long the silence is.
    """

    kind: str
    match: str = ""
    method: str | None = None
    after: int = 0
    times: int | None = 1
    wait_s: float | None = None


class Faults:
    """The faults of all vendors, settable while the servers run.

    Args:
        rules: vendor (`salesforce`, `discourse`, `bluesky`) -> faults, as dicts or `Fault`s.

    When several faults match one request, all count it and the first one due is acted out.
    """

    def __init__(self, rules: Mapping[str, Sequence[Any]] | None = None) -> None:
        self._lock = threading.Lock()
        self._rules: dict[str, list[Fault]] = {}
        self._seen: dict[str, list[int]] = {}
        self.set(rules or {})

    def set(self, rules: Mapping[str, Sequence[Any]]) -> None:
        """Replace the faults of the vendors named; counting starts anew.

        Raises:
            msgspec.ValidationError: a fault has an unknown key or a wrong type.
        """
        parsed = {
            vendor: [f if isinstance(f, Fault) else msgspec.convert(f, Fault) for f in faults]
            for vendor, faults in rules.items()
        }
        with self._lock:
            for vendor, faults in parsed.items():
                self._rules[vendor] = faults
                self._seen[vendor] = [0] * len(faults)

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._rules.clear()
            self._seen.clear()

    def due(self, vendor: str, method: str, path: str) -> Fault | None:
        """Count a request and return what goes wrong with it, if anything."""
        due: Fault | None = None
        with self._lock:
            for index, fault in enumerate(self._rules.get(vendor, ())):
                if fault.match not in path or fault.method not in (None, method):
                    continue
                self._seen[vendor][index] += 1
                nth = self._seen[vendor][index] - fault.after
                if due is None and nth > 0 and (fault.times is None or nth <= fault.times):
                    due = fault
        return due


class FaultMiddleware:
    """Acts out a vendor's faults in front of its emulator; `/sandbox/` paths are spared.

    Args:
        app: the emulator.
        faults: what goes wrong.
        vendor: whose faults.
        answers: kind -> maker of the answer, for the vendor's own shapes; they go before
            the general ones of the same name.
    """

    def __init__(
        self, app: ASGIApp, *, faults: Faults, vendor: str, answers: Mapping[str, Answer]
    ) -> None:
        self.app = app
        self.faults = faults
        self.vendor = vendor
        self.answers = {**_GENERAL, **answers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, rightly or wrongly."""
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await self.app(scope, receive, send)
            return
        fault = self.faults.due(self.vendor, scope["method"], scope["path"])
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.kind in self.answers:
            await self.answers[fault.kind](fault)(scope, receive, send)
        elif fault.kind == "timeout_before":
            await _silence(fault, receive)
        elif fault.kind == "timeout_after":
            await self.app(scope, receive, _swallow)
            await _silence(fault, receive)
        elif fault.kind == "timeout_within":
            await self.app(scope, receive, _cutting(send))
            await _silence(fault, receive)
        elif fault.kind == "truncated":
            await self.app(scope, receive, _cutting(send))
        elif fault.kind in _CHANGED:
            await self.app(_plain(scope), receive, _changing(send, _CHANGED[fault.kind]))
        else:
            text = f"no such fault: {fault.kind}"
            await PlainTextResponse(text, status_code=501)(scope, receive, send)


def _too_many(fault: Fault) -> Response:
    headers = {} if fault.wait_s is None else {"Retry-After": f"{fault.wait_s:g}"}
    return PlainTextResponse("Too Many Requests", status_code=429, headers=headers)


def _until(name: str, text: Callable[[datetime], str]) -> Answer:
    def answer(fault: Fault) -> Response:
        at = datetime.now(UTC) + timedelta(seconds=fault.wait_s or 0)
        headers = {name: text(at), "Date": format_datetime(datetime.now(UTC), usegmt=True)}
        return PlainTextResponse("Too Many Requests", status_code=429, headers=headers)

    return answer


_GENERAL: dict[str, Answer] = {
    "429": _too_many,
    "429_date": _until("Retry-After", lambda at: format_datetime(at, usegmt=True)),
    "429_epoch": _until("X-RateLimit-Reset", lambda at: str(int(at.timestamp()) + 1)),
    "401": lambda _: PlainTextResponse("Unauthorized", status_code=401),
    "500": lambda _: PlainTextResponse("Internal Server Error", status_code=500),
    "502": lambda _: HTMLResponse("<html><body>Bad Gateway</body></html>", status_code=502),
    "empty": lambda _: Response(media_type="application/json"),
    "503_html": lambda _: HTMLResponse(_MAINTENANCE, status_code=503),
    "not_json": lambda _: HTMLResponse(_MAINTENANCE),
}


_CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "cut_json": lambda body: body[: len(body) // 2],
    "gzip_unlabelled": lambda body: gzip.compress(body, mtime=0),
    "with_bom": lambda body: b"\xef\xbb\xbf" + body,
}
"""Kinds that change the body of an answer which is in order otherwise."""


def _plain(scope: Scope) -> Scope:
    """Return a request that takes no zipped answer."""
    headers = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
    return {**scope, "headers": headers}


def _changing(send: Send, change: Callable[[bytes], bytes]) -> Send:
    """Return a `send` that changes the body, and its length with it."""
    start: Message = {}

    async def send_changed(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        body = change(message.get("body", b""))
        headers = [header for header in start["headers"] if header[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({**start, "headers": headers})
        await send({**message, "body": body})

    return send_changed


async def _silence(fault: Fault, receive: Receive) -> None:
    """Say nothing until the client hangs up or the time is over."""
    until_gone = asyncio.ensure_future(_gone(receive))
    await asyncio.wait({until_gone}, timeout=SILENCE_S if fault.wait_s is None else fault.wait_s)
    until_gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _swallow(message: Message) -> None:
    pass


def _cutting(send: Send) -> Send:
    """Return a `send` that keeps the promised length and delivers half of the body."""

    async def send_half(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return send_half
