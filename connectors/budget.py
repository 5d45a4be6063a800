"""One budget of calls per credential, shared by threads and processes.

Belongs here: when the next call may leave, and what others who use the same credential leave of a
limit. Does not belong here: how a vendor tells it (`session`), and quotas of a day, which are not
waited for.

A call books the earliest slot that keeps every window (`n` calls in `seconds`), then waits for
it; the bookings lie in one small file under a file lock, so that two processes queue fairly. A
wait demanded by the vendor holds everybody.

Of a window we take what the others leave. Where answers tell how many calls are left (`Usage`),
what is used and not booked by us is theirs: when that grows, our share shrinks at once; when it
shrinks, our share comes back over about one window. Where a vendor only ever refuses, a refusal
tells that what we had sent was the most there is; that holds for `PROBE_AFTER` windows, then a
little more is tried. Calls of a share leave evenly spaced, so that others find room between them
and can be seen before a window is used up.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock

from connectors.errors import writing

Windows = Sequence[tuple[int, float]]
"""(calls, seconds) pairs: at most so many calls in any span of so many seconds."""

MARGIN = 0.02
"""Share of a window that is left free for calls that are on their way."""
ALONE_FROM = 0.9
"""With such a share of a window, the first `LEAST_SHARE` of it may leave at once."""
PROBE_AFTER = 10
PROBE_STEP = 0.05
"""Windows without a refusal before more is tried, and how much more per window."""
CALM_WINDOWS = 5
"""Where a vendor begins to count anew, the others seem to be gone each time; this averages that."""
USUAL_SPANS_S = (60.0, 300.0)
"""Windows of vendors that do not tell theirs: the first that is no shorter than the wait asked."""
REMEMBERED = 200
"""Calls remembered where no window is declared."""
LEAST_SHARE = 0.25
LEAST_CALLS = 20
"""A refusal after fewer calls of ours says more about a moment of the others, or about that one
call, than about our share; the second where no window is declared. Where a vendor counts anew, we
begin with such a share at least."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What an answer tells of a limit that all who use the account share.

    Attributes:
        limit: calls allowed in `seconds`. left: of these, now.
        reset_s: when the vendor begins to count anew, in seconds; None: any span counts.
    """

    limit: int
    left: int
    seconds: float
    reset_s: float | None = None


class Share(msgspec.Struct):
    """How many calls of a window are ours.

    Attributes:
        at: as of when. is_told: by answers, not by a refusal.
        resets_at: when the vendor begins to count anew; None: any span counts.
    """

    calls: float
    at: float
    is_told: bool
    resets_at: float | None = None


class Bookings(msgspec.Struct):
    """What the file holds; times are Unix seconds. `shares` are by the seconds of a window."""

    held_until: float = 0.0
    calls: list[float] = []
    shares: dict[str, Share] = {}


class Budget:
    """Slots for calls.

    Args:
        windows: see `Windows`; none: they are learned from the vendor's refusals.
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
        self._keep = max((calls for calls, _ in self.windows), default=REMEMBERED)

    def book(self) -> float:
        """Book the next slot and return the seconds to wait for it."""
        now = time.time()
        with self._bookings() as bookings:
            slot = max(now, bookings.held_until)
            calls = bookings.calls
            for most, seconds in self._limits(bookings):
                allowed = self._allowed(bookings, most, seconds, slot)
                is_burst = _count(calls, slot - seconds, slot) < LEAST_SHARE * most
                if allowed < most and calls and not (is_burst and allowed >= ALONE_FROM * most):
                    slot = max(slot, calls[-1] + seconds / allowed)
                if len(calls) >= allowed:
                    slot = max(slot, calls[-allowed] + seconds)
            bookings.calls = [*calls, slot][-self._keep :]
        return slot - now

    def hold(self, seconds: float) -> None:
        """Let nobody call for so many seconds."""
        with self._bookings() as bookings:
            bookings.held_until = max(bookings.held_until, time.time() + seconds)

    def learn(self, told: Usage) -> None:
        """Take of a window what the others leave, by what an answer tells."""
        now = time.time()
        began = now - told.seconds
        resets_at = None
        if told.reset_s is not None:
            resets_at = now + told.reset_s
            began = max(began, resets_at - told.seconds)
        with self._bookings() as bookings:
            ours = _count(bookings.calls, began, now)
            others = max(0, told.limit - told.left - ours)
            most = told.limit * (1 - MARGIN)
            calls = most - others
            name = f"{told.seconds:g}"
            share = bookings.shares.get(name)
            if share is not None and share.is_told and calls > share.calls:
                back_s = told.seconds if told.reset_s is None else CALM_WINDOWS * told.seconds
                calls = share.calls + (calls - share.calls) * min(1, (now - share.at) / back_s)
                if share.resets_at is not None and now >= share.resets_at:
                    calls = max(calls, LEAST_SHARE * most)
            bookings.shares[name] = Share(max(1.0, calls), now, True, resets_at)

    def refused(self, wait_s: float, window_s: float | None = None) -> None:
        """Hold everybody for the wait that a refusal demands, and learn from it.

        What was on its way when it came is refused as well, and did not count.

        Args:
            window_s: whose calls are used up; None: it is guessed by the wait.
        """
        now = time.time()
        with self._bookings() as bookings:
            is_first = now >= bookings.held_until
            bookings.held_until = max(bookings.held_until, now + wait_s)
            spans = {seconds: calls for calls, seconds in self.windows}
            lengths = spans or USUAL_SPANS_S
            seconds = window_s or min(
                (span for span in lengths if span >= 0.9 * wait_s), default=max(lengths)
            )
            least = LEAST_SHARE * spans[seconds] if seconds in spans else LEAST_CALLS
            share = bookings.shares.get(f"{seconds:g}")
            if share is not None and (share.is_told or not is_first):
                share.calls = max(1.0, share.calls - (not share.is_told))
                return
            ours = _count(bookings.calls, now - seconds, now) - 1
            is_known = bool(spans) or ours < self._keep - 1
            if is_known and ours >= least:
                bookings.shares[f"{seconds:g}"] = Share(ours * (1 - MARGIN), now, is_told=False)

    def _limits(self, bookings: Bookings) -> Windows:
        """Return the windows that hold, those learned from refusals without their number."""
        if self.windows:
            return self.windows
        return [(self._keep, float(name)) for name in bookings.shares]

    def _allowed(self, bookings: Bookings, most: int, seconds: float, at: float) -> int:
        """Return how many of a window's calls are ours at a time."""
        share = bookings.shares.get(f"{seconds:g}")
        if share is None:
            return most
        windows = (at - share.at) / seconds
        if share.is_told:
            if windows > 1:  # what answers told says nothing about the others any more
                return most
            is_anew = share.resets_at is not None and at >= share.resets_at
            return min(most, int(max(share.calls, LEAST_SHARE * most if is_anew else 1)))
        tried = PROBE_STEP * max(0.0, windows - PROBE_AFTER)
        return min(most, int(share.calls * (1 + tried)))

    @contextmanager
    def _bookings(self) -> Iterator[Bookings]:
        with self._threads, writing(self._place(), self._path.name if self._path else ""):
            if self._path is None:
                yield self._alone
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
            with FileLock(self._path.with_suffix(".lock")), self._path.open("r+b") as file:
                told = file.read()
                try:
                    bookings = msgspec.json.decode(told, type=Bookings)
                except msgspec.DecodeError:
                    # None yet, or torn by a crash: the worst that follows is a wait too few.
                    bookings = Bookings()
                yield bookings
                # Never shorter than before: to cut a file off takes as long as the rest of a call.
                file.seek(0)
                file.write(msgspec.json.encode(bookings).ljust(len(told)))


def _count(calls: Sequence[float], after: float, until: float) -> int:
    return bisect_right(calls, until) - bisect_right(calls, after)
