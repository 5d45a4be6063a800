"""Syncs of one stream on one stage, and everything that came of them.

Belongs here: running syncs as a user's machine would, only without the waiting; reading what was
landed. Does not belong here: what goes wrong (`faults`), or what must hold (`laws`).
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from connectors import redaction, sync_stream
from connectors.base import Source, Stream
from connectors.errors import RapportError
from connectors.landing import Landing, StreamLanding, read_footer
from connectors.quarantine import Quarantine
from connectors.session import Session
from connectors.sync import SyncResult
from rapport.conformance.killing import Helper
from rapport.conformance.stage import SOURCE, Emulated, Stage

SILENCE_S = 0.4
"""How long an answer may take on a stage: nothing there is slow unless it is meant to be."""

MOST_REQUESTS = 3_000
"""A sync on a stage that asks more often than this would never end."""

LandedRow = dict[str, Any]


class TooManyRequests(Exception):
    """A sync goes on and on."""


class Tried(NamedTuple):
    """One sync: its result, or what it raised; `waited_s`: what it would have waited."""

    result: SyncResult | None
    error: BaseException | None
    requests: int
    waited_s: float


@dataclass
class Play:
    """One stream on a fresh stage.

    Attributes:
        home: where it lands. `helper`: runs syncs that are to be killed.
        tried: the syncs so far. `messages`: all that was said, in errors, notes and the log.
        broken: (law, how) of what does not hold.
        compares: whether values are compared, which a fault that rewrites them prevents.
        bad_records: how many must lie in quarantine. `forbidden`: texts no file may hold.
    """

    stage: Stage
    stream_name: str
    home: Path
    helper: Helper
    checkpoint_bytes: int = 1
    tried: list[Tried] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    compares: bool = True
    bad_records: int = 0
    forbidden: set[str] = field(default_factory=set)
    _read: dict[Path, list[LandedRow]] = field(default_factory=dict)

    # Syncs

    def attempt(self, *, within: bool = False, **how: Any) -> Tried:
        """Sync once, come what may."""
        source = self._open(within)
        stream = self.stream_of(source)
        session: Session | None = getattr(source, "session", None)
        began = time.monotonic()
        result: SyncResult | None = None
        error: BaseException | None = None
        with self._listening():
            try:
                how = {"checkpoint_bytes": self.checkpoint_bytes, **how}
                result = sync_stream(source, stream, self.home, **how)
                self.messages += result.notes
            except Exception as raised:
                error = raised
                self.messages.append(_all_of(raised))
        tried = Tried(
            result, error, session.requests_made if session else 0,
            session.waits_s if session else time.monotonic() - began,
        )  # fmt: skip
        self.tried.append(tried)
        return tried

    def sync(self, **how: Any) -> SyncResult:
        """Sync once; it must succeed."""
        tried = self.attempt(**how)
        if tried.error is not None:
            self.breaks("ends, and goes on", f"a sync after the fault failed: {tried.error}")
            raise Ended from tried.error
        assert tried.result is not None
        return tried.result

    def die(self, **how: Any) -> bool:
        """Sync in a process that is killed, see `Helper.sync`; return whether it was."""
        stage = self.stage
        return self.helper.sync(
            stage.type, stage.settings, self.stream_name, self.home, limits=stage.limits, **how
        )

    def settle(self) -> None:
        """Sync until everything must be known that the source promises to notice."""
        for step in (timedelta(0), *self.stage.settling):
            self.stage.clock.advance(seconds=step.total_seconds())
            self.sync()

    def breaks(self, law: str, how: str) -> None:
        """Note that a law does not hold."""
        self.broken.append((law, how))

    def _open(self, within: bool) -> Source:
        stage = self.stage
        if within and isinstance(stage, Emulated):
            source = stage.open_within(self.home)
        else:
            source = stage.open(self.home)
        session = getattr(source, "session", None)
        if isinstance(session, Session):
            hasten(session)
        return source

    def stream_of(self, source: Source) -> Stream:
        """Return the declaration of the stream that is played."""
        return next(s for s in source.streams() if s.name == self.stream_name)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        handler = _Keeping(self.messages)
        logger = logging.getLogger()
        redaction.logger.addHandler(handler)
        logger.addHandler(handler)
        try:
            yield
        finally:
            redaction.logger.removeHandler(handler)
            logger.removeHandler(handler)

    # What was landed

    @property
    def landing(self) -> StreamLanding:
        return Landing(self.home).stream(SOURCE, self.stream_name)

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.home, SOURCE, self.stream_name)

    def rows(self) -> list[LandedRow]:
        """Return every landed row, by `_seq`."""
        for path in self.landing.files():
            if path not in self._read:  # what is landed never changes
                self._read[path] = pq.ParquetFile(path).read(use_threads=False).to_pylist()
        rows = [row for path in self.landing.files() for row in self._read[path]]
        return sorted(rows, key=lambda row: row["_seq"])

    def refreshes(self) -> set[str]:
        """Return the ids of the syncs that were to land everything anew."""
        footers = [read_footer(path, "") for path in self.landing.files()]
        return {f.sync["sync_id"] for f in footers if f.sync.get("mode") == "full_refresh"}

    def current(self) -> dict[str, LandedRow]:
        """Return the current row of each key, deleted ones too."""
        found: dict[str, LandedRow] = {}
        for row in self.rows():
            held = found.get(row["_key"])
            if held is None or (row["_version"], row["_seq"]) >= (held["_version"], held["_seq"]):
                found[row["_key"]] = row
        return found

    def held(self) -> dict[str, dict[str, Any]]:
        """Return the live records, parsed."""
        return {
            key: json.loads(row["record"])
            for key, row in self.current().items()
            if row["_op"] == "upsert"
        }

    def branch(self, home: Path, files: int) -> Play:
        """Return a play that begins from the first landing files, as if we had died there."""
        other = replace(self, home=home, tried=[], messages=[], broken=[])
        if self.quarantine.folder.exists():
            shutil.copytree(self.quarantine.folder, other.quarantine.folder)
        there = other.landing.folder
        there.mkdir(parents=True, exist_ok=True)
        for path in self.landing.files()[:files]:
            shutil.copy2(path, there / path.name)
        return other


class Ended(Exception):
    """A play cannot go on; what broke is noted in it."""


def hasten(session: Session) -> None:
    """Let a session wait for nothing; what it would have waited is counted all the same."""
    session.timeout = (SILENCE_S, SILENCE_S)
    session.backoff_s = 0.01

    def no_sleep(_: float) -> None:
        if session.requests_made > MOST_REQUESTS:
            raise TooManyRequests(f"more than {MOST_REQUESTS:,} requests in a sync")

    session.sleep = no_sleep


class _Keeping(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _all_of(error: BaseException | None) -> str:
    """Return what an error says, and those it came from."""
    said = []
    while error is not None:
        said.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(said)


def is_ours(error: BaseException) -> bool:
    """Tell whether an error is meant to be read by a user."""
    return isinstance(error, RapportError)
