"""What a connector is run against: a small vendor that can be changed, harmed and asked for truth.

Belongs here: the words that faults are written in (`Stage`), and serving an emulator so that
requests can be counted, answers rewritten and something done in between (`Emulated`).
Does not belong here: one vendor's objects (a module each), or what goes wrong when (`faults`).
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors import registry
from connectors.base import Source
from connectors.errors import ConfigError
from sandbox.clock import Clock
from sandbox.faults import Faults

SOURCE = "stage"
"""What the source under test is called, whatever its name in rapport.yml."""

OPENED_AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROWS_PER_PAGE = 10
TOKEN_NAMES = ("access_token", "refresh_token", "accessJwt", "refreshJwt")

Truth = dict[str, Any]
"""`_key` -> what must be held of a live record, see `Stage.agrees`."""

KINDS = {"http": "An API", "files": "Files", "database": "A database"}
"""What a source is, of which each has faults of its own."""

Rewrite = Callable[[str, Any], Any]
"""Changes a parsed answer: (path, body) -> body."""


class Stage(ABC):
    """A vendor for one play: fresh, small, deterministic.

    Attributes:
        type: of the source. `streams`: those under test, one for each way of reading.
        kind: one of `KINDS`.
        lacks: ability, or `stream.ability` -> why this stage does not have it, in words; faults
            name what they need.
        limits: constants of the connector, by their dotted names -> what they are here, so that
            little data has pages.
        beside: streams that are read by way of another one's records.
        below: streams whose lists are asked for one by one, for each record of another.
        clock: the stage's time. `settings`: of the source, as in rapport.yml.
        secrets: texts that must not be found anywhere afterwards.
        settling: how far time moves before each of the syncs after which all must be known.
    """

    type: ClassVar[str]
    kind: ClassVar[str]
    streams: ClassVar[tuple[str, ...]]
    lacks: ClassVar[Mapping[str, str]] = {}
    limits: ClassVar[Mapping[str, Any]] = {}
    beside: ClassVar[tuple[str, ...]] = ()
    below: ClassVar[tuple[str, ...]] = ()
    settling: ClassVar[tuple[timedelta, ...]] = (timedelta(hours=2), timedelta(days=8))

    settings: dict[str, Any]
    secrets: set[str]

    def __init__(self) -> None:
        self.clock = Clock(OPENED_AT)
        self.secrets = set()

    def open(self, home: Path) -> Source:
        """Return the source, ready to be read."""
        return registry.open_source(SOURCE, self.type, self.settings, home=home)

    @abstractmethod
    def create(self, count: int, *, tied: bool = False) -> list[str]:
        """Make records, a second apart or all at once, and return their names for the verbs."""

    @abstractmethod
    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        """Change records that are there, so that their stamps move."""

    @abstractmethod
    def delete(self, names: Collection[str]) -> None:
        """Delete records as a user of the vendor does."""

    @abstractmethod
    def living(self) -> list[str]:
        """Return the names of records that verbs may be applied to, oldest first."""

    @abstractmethod
    def truth(self, stream: str) -> Truth:
        """Return what is true now, read from the vendor's own store."""

    @abstractmethod
    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        """Tell whether a landed record says what is true of it."""

    def restore(self, names: Collection[str]) -> None:
        """Bring deleted records back."""
        raise NotImplementedError

    def merge(self, names: Sequence[str]) -> str:
        """Merge records, the later ones into the first; return the name of what is left."""
        raise NotImplementedError

    def heirs(self, stream: str) -> dict[str, str]:
        """Return merged-away `_key` -> the live one that stands for it."""
        return {}

    @contextlib.contextmanager
    def playing(self) -> Iterator[None]:
        """Hold what the stage needs while it is played on."""
        with narrowed(self.limits):
            yield


@contextlib.contextmanager
def narrowed(limits: Mapping[str, Any]) -> Iterator[None]:
    """Set constants of modules, by their dotted names, until the block ends."""
    with contextlib.ExitStack() as stack:
        for name, value in limits.items():
            stack.enter_context(mock.patch(name, value))
        yield


def stage_for(type_: str) -> Callable[[Mapping[str, Any]], Stage]:
    """Return what makes a stage for a source of this type, given its settings.

    Raises:
        ConfigError: there is none.
    """
    try:
        found = importlib.import_module(f"rapport.conformance.{type_}")
    except ModuleNotFoundError:
        raise ConfigError(
            f"There is no stage to test a source of type `{type_}` on. "
            "See docs/conformance.md for the types that have one."
        ) from None
    made: Callable[[Mapping[str, Any]], Stage] = found.make
    return made


class Emulated(Stage):
    """A stage that an emulator of the sandbox serves.

    Attributes:
        vendor: its name in `sandbox.faults`.
        app: the emulator behind the interference.
        asked: (method, path with query) of the requests since `forget`; shown: how often each
            record, as it stood, was sent since then.
        kinds: family of faults -> kinds of `sandbox.faults` that the vendor words its own way.
        lists, pointers, totals: paths in answers of records, of what leads to the next page, of
            counts.
        wrong: an error as the vendor words it, which comes with status 200 here.
        retyped: fields of a record that may hold anything; stamps: those that date it.
        before: done before a request is answered. `rewrites`: done to each JSON answer.
    """

    kind = "http"
    vendor: ClassVar[str]
    kinds: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    lists: ClassVar[tuple[tuple[str, ...], ...]] = ()
    pointers: ClassVar[tuple[tuple[str, ...], ...]] = ()
    totals: ClassVar[tuple[tuple[str, ...], ...]] = ()
    wrong: ClassVar[Any] = {"error": "internal"}
    retyped: ClassVar[tuple[tuple[str, ...], ...]] = ()
    stamps: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        self.asked: list[tuple[str, str]] = []
        self.shown: Counter[str] = Counter()
        self.before: list[Callable[[int], None]] = []
        self.rewrites: list[Rewrite] = []
        self.app: ASGIApp = _Interference(self)
        self.url = ""
        self._emulator: ASGIApp | None = None

    @abstractmethod
    def emulator(self) -> ASGIApp:
        """Return the vendor's server."""

    @abstractmethod
    def connect_to(self, url: str) -> None:
        """Let the settings lead to this address."""

    def forget(self) -> None:
        """Begin counting anew."""
        self.asked.clear()
        self.shown.clear()

    def shown_again(self) -> Counter[str]:
        """Return the records sent more than once since `forget`, and how often beyond that."""
        return self.shown - Counter(self.shown.keys())

    def fail(self, kind: str, *, after: int = 0, times: int | None = 1, match: str = "",
             wait_s: float | None = None) -> None:  # fmt: skip
        """Let requests go wrong from the next one on. See `sandbox.faults.Fault`."""
        fault = {"kind": kind, "after": after, "times": times, "match": match, "wait_s": wait_s}
        self.faults.set({self.vendor: [fault]})

    def heal(self) -> None:
        """Let everything go well again."""
        self.faults.clear()
        self.before.clear()
        self.rewrites.clear()

    def lists_of(self, body: Any) -> list[tuple[str, list[Any]]]:
        """Return the lists of records in an answer, by name."""
        found = [("", body)] if isinstance(body, list) and () in self.lists else []
        for path in self.lists:
            if (at := follow(body, path)) and isinstance(at[0][at[1]], list):
                found.append((".".join(path), at[0][at[1]]))
        return found

    def once_asked(self, count: int, act: Callable[[], None]) -> None:
        """Do something just before the request after `count` further ones is answered."""
        at = len(self.asked) + count

        def look(number: int) -> None:
            if number == at:
                act()

        self.before.append(look)

    def open_within(self, home: Path) -> Source:
        """Return the source on a wire within this process: no sockets, so no broken ones."""
        source = self.open(home)
        session: requests.Session = source.session  # type: ignore[attr-defined]
        for scheme in ("http://", "https://"):
            session.mount(scheme, Wire(self.app))
        return source

    def handle(self) -> ASGIApp:
        if self._emulator is None:
            self._emulator = self.emulator()
        return self._emulator


class _Interference:
    """Stands before an emulator: counts, acts, shortens pages, rewrites answers."""

    def __init__(self, stage: Emulated) -> None:
        self.stage = stage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stage = self.stage
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await stage.handle()(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        number = len(stage.asked)
        stage.asked.append((scope["method"], f"{scope['path']}?{query}"))
        for act in list(stage.before):
            act(number)
        body = await _whole(receive)
        body = _shorter_body(body)
        headers = [
            _shorter_header(name, value, len(body))
            for name, value in scope["headers"]
            if not (stage.rewrites and name == b"accept-encoding")
        ]
        scope = {**scope, "query_string": _shorter(query).encode("latin-1"), "headers": headers}
        await stage.handle()(scope, _replay(body, receive), _Rewriting(stage, scope["path"], send))


class _Rewriting:
    """A `send` that hands whole JSON answers to the stage's rewrites."""

    def __init__(self, stage: Emulated, path: str, send: Send) -> None:
        self.stage, self.path, self.send = stage, path, send
        self.start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        if self.start is not None:
            start, self.start = self.start, None
            if start["status"] == 200 and not message.get("more_body"):
                message, start = self._rewritten(message, start)
            await self.send(start)
        await self.send(message)

    def _rewritten(self, message: Message, start: Message) -> tuple[Message, Message]:
        body: bytes = message.get("body", b"")
        try:
            parsed = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
        except (ValueError, EOFError, OSError):
            return message, start
        for _, rows in self.stage.lists_of(parsed):
            self.stage.shown.update(json.dumps(row, sort_keys=True) for row in rows)
        if isinstance(parsed, dict):
            told = (parsed.get(name) for name in TOKEN_NAMES)
            self.stage.secrets.update(text for text in told if isinstance(text, str))
        if not self.stage.rewrites:
            return message, start
        for rewrite in self.stage.rewrites:
            parsed = rewrite(self.path, parsed)
        body = json.dumps(parsed).encode()
        headers = [(k, v) for k, v in start["headers"] if k != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        return {**message, "body": body}, {**start, "headers": headers}


async def _whole(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body first."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


# A vendor may fill a page as far as it likes: here with few rows, so that little data has pages.
_LIMIT = re.compile(r"\b(limit|per_page)=(\d+)")


def _shorter(query: str) -> str:
    return _LIMIT.sub(lambda found: f"{found[1]}={min(int(found[2]), ROWS_PER_PAGE)}", query)


def _shorter_body(body: bytes) -> bytes:
    if not body.startswith(b"{") or b'"limit"' not in body:
        return body
    asked = json.loads(body)
    return json.dumps(asked | {"limit": min(asked["limit"], ROWS_PER_PAGE)}).encode()


def _shorter_header(name: bytes, value: bytes, length: int) -> tuple[bytes, bytes]:
    if name == b"sforce-query-options":
        return name, b"batchSize=%d" % ROWS_PER_PAGE
    return name, (b"%d" % length if name == b"content-length" else value)


def follow(body: Any, path: Sequence[str]) -> tuple[Any, str] | None:
    """Return the object that holds the last name of `path`, and that name; None if it is not."""
    for name in path[:-1]:
        body = body.get(name) if isinstance(body, dict) else None
    if isinstance(body, dict) and path and path[-1] in body:
        return body, path[-1]
    return None


class Wire(BaseAdapter):
    """Carries requests to an ASGI application in this process, without an event loop.

    The emulators' handlers never wait for anything but the request's body, so that one step
    takes them to their end.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self.app = app

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        url = urlsplit(str(request.url))
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        headers = [(b"host", url.netloc.encode())]
        headers += [
            (name.lower().encode(), value.encode() if isinstance(value, str) else value)
            for name, value in request.headers.items()
            if name.lower() != "accept-encoding"
        ]
        scope: Scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
            "method": request.method, "scheme": url.scheme, "path": unquote(url.path),
            "raw_path": url.path.encode(), "query_string": url.query.encode(), "headers": headers,
            "root_path": "", "server": (url.hostname, url.port), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        running = self.app(scope, receive, send)
        try:
            running.send(None)  # type: ignore[attr-defined]
        except StopIteration:
            pass
        else:
            raise RuntimeError(f"{url.path}: the emulator waits for something")
        start, parts = sent[0], [message.get("body", b"") for message in sent[1:]]
        answer = requests.Response()
        answer.status_code = start["status"]
        answer.request, answer.url = request, str(request.url)
        raw_headers = urllib3.HTTPHeaderDict()
        for name, value in start["headers"]:
            raw_headers.add(name.decode("latin-1"), value.decode("latin-1"))
        answer.headers = requests.structures.CaseInsensitiveDict(raw_headers)
        answer.raw = urllib3.HTTPResponse(
            io.BytesIO(b"".join(parts)), raw_headers, start["status"], preload_content=False
        )
        answer.encoding = requests.utils.get_encoding_from_headers(answer.headers)
        return answer

    def close(self) -> None:
        pass
