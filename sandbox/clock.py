"""The sandbox's one clock: it stands still until somebody moves it.

Belongs here: the time that every emulator tells and that the world grows by.
Does not belong here: what happens when time moves (`sandbox.world`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


class Clock:
    """A settable clock in UTC.

    Args:
        now: where it stands, timezone-aware; default: today's midnight UTC.
    """

    def __init__(self, now: datetime | None = None) -> None:
        if now is None:
            now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if now.tzinfo is None:
            raise ValueError(f"the clock needs a timezone-aware time, got {now.isoformat()}")
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time, timezone-aware, UTC."""
        return self._now

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move forward and return the new time; going back raises ValueError."""
        step = timedelta(days=days, seconds=seconds)
        if step < timedelta(0):
            raise ValueError("the sandbox's time only moves forward")
        self._now += step
        return self._now

    def http_date(self) -> str:
        """Return the time as an HTTP `Date` header."""
        return format_datetime(self._now, usegmt=True)
