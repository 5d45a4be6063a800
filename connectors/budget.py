"""One budget of calls per credential, shared by threads and processes.

Belongs here: when the next call may leave. Does not belong here: what a vendor's
answer means for it (`session`).

A call books the earliest slot that keeps every window (`n` calls in `seconds`),
then waits for it; the bookings lie in one small file under a file lock, so that
two processes queue fairly. A wait demanded by the vendor holds everybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock

from connectors.errors import writing

Windows = Sequence[tuple[int, float]]
"""(calls, seconds) pairs: at most so many calls in any span of so many seconds."""


class Bookings(msgspec.Struct):
    """What the file holds; times are Unix seconds."""

    held_until: float = 0.0
    calls: list[float] = []


class Budget:
    """Slots for calls.

    Args:
        windows: see `Windows`; none: only the vendor's own waits are shared.
        path: file shared by processes; None: the budget is this object's alone.
        place: tells who is booking, for the error of a file that cannot be written.
    """

    def __init__(
        self,
        windows: Windows = (),
        path: Path | None = None,
        place: Callable[[], str] = lambda: "budget",
    ) -> None:
        self.windows = tuple(windows)
        self._path = path
        self._place = place
        self._alone = Bookings()
        self._threads = threading.Lock()

    def book(self) -> float:
        """Book the next slot and return the seconds to wait for it."""
        now = time.time()
        with self._bookings() as bookings:
            slot = max(now, bookings.held_until)
            for calls, seconds in self.windows:
                if len(bookings.calls) >= calls:
                    slot = max(slot, bookings.calls[-calls] + seconds)
            keep = max((calls for calls, _ in self.windows), default=0)
            bookings.calls = [*bookings.calls, slot][-keep:] if keep else []
        return slot - now

    def hold(self, seconds: float) -> None:
        """Let nobody call for so many seconds."""
        with self._bookings() as bookings:
            bookings.held_until = max(bookings.held_until, time.time() + seconds)

    @contextmanager
    def _bookings(self) -> Iterator[Bookings]:
        with self._threads, writing(self._place(), self._path.name if self._path else ""):
            if self._path is None:
                yield self._alone
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock")):
                told = self._path.read_bytes() if self._path.exists() else b""
                try:
                    bookings = msgspec.json.decode(told, type=Bookings)
                except msgspec.DecodeError:
                    # None yet, or torn by a crash: the worst that follows is a wait too few.
                    bookings = Bookings()
                yield bookings
                if (text := msgspec.json.encode(bookings)) != told:
                    self._path.write_bytes(text)
