"""What a sync would cost: calls, time and share of the day's quota, told before it runs.

Belongs here: the words in which a connector answers `plan()` and `allowance()`, the answer for
one that has no such method, and the arithmetic from calls to minutes. Does not belong here: how
many records are due (the connector asks its vendor with cheap counts), and how it is shown.

A plan is an estimate made now for a sync later. Every number carries how it was got, and what
cannot be told is None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from connectors.base import Source, State, Stream, Window
from connectors.budget import Windows
from connectors.errors import RapportError
from connectors.landing import Footer, Landing
from connectors.session import Session

RECORDS_PER_S = 10_000
"""How fast records are checked and landed: a careful figure for one core, beside the calls."""


ALWAYS = "every time"
"""`Step.how` of what each read does, whatever has changed."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of what a read does.

    Attributes:
        what: in words (`pages of changed records`).
        calls: how many it takes.
        how: where that number comes from (`4,500 records by COUNT(), 1,500 a page`).
        is_metered: whether they count toward the daily quota.
        windows: limits that these calls have besides the common ones.
    """

    what: str
    calls: int
    how: str
    is_metered: bool = True
    windows: Windows = ()


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one read of a stream would take.

    Attributes:
        steps: its calls; empty: none are made (files).
        records: how many would come; `size_bytes`: how much would be read; None: cannot tell.
        records_how: where `records` comes from.
        notes: what the numbers leave out, in words.
    """

    steps: tuple[Step, ...] = ()
    records: int | None = None
    records_how: str = ""
    size_bytes: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def calls(self) -> int:
        """All calls."""
        return sum(step.calls for step in self.steps)

    @property
    def metered_calls(self) -> int:
        """The calls that count toward the daily quota."""
        return sum(step.calls for step in self.steps if step.is_metered)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What the vendor lets us do.

    Attributes:
        per_day: calls a day, for all programs together; `left`: of these, now. None: there is
            no such quota, or the vendor does not tell.
        windows: calls allowed per span of seconds; none: not declared.
        opening: calls that a sync makes once, whichever its streams (login, clock).
        how: where the numbers come from.
    """

    per_day: int | None = None
    left: int | None = None
    windows: Windows = ()
    opening: tuple[Step, ...] = ()
    how: str = "the vendor's quota is not known to this connector"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A cost with its time and its share of the day.

    Attributes:
        seconds: about how long; None: cannot tell. `seconds_how`: where it comes from.
        quota_share: metered calls by the calls of a day; None: no quota is known.
    """

    cost: Cost
    seconds: float | None
    seconds_how: str
    quota_share: float | None


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """The next sync of a stream, and one from the beginning.

    Attributes:
        mode: of the next sync: `first`, `incremental`, `full` (this stream reads everything
            each time) or `resumed` (it goes on with an interrupted walk).
        next, full: None: cannot tell; `full` is what `--full-refresh` would cost.
        note: why not, or what failed.
        error: what the vendor or the connector said instead of an answer.
    """

    stream: str
    mode: str
    next: Estimate | None = None
    full: Estimate | None = None
    note: str = ""
    error: RapportError | None = None


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """The plan of a source.

    Attributes:
        next, full: its streams together with `allowance.opening`; None: a stream cannot tell.
        calls_made: what asking for this plan cost.
    """

    source: str
    type: str
    streams: tuple[StreamPlan, ...]
    allowance: Allowance
    next: Estimate | None
    full: Estimate | None
    calls_made: int


class Plans(Protocol):
    """The optional parts of `connectors.base.Source` that this module asks."""

    def plan(self, stream: Stream, state: State, window: Window) -> Cost | None:
        """Return what `read` with these arguments would cost, by a few cheap questions.

        None: the source does not tell.
        """

    def allowance(self) -> Allowance:
        """Return what the vendor lets us do."""


def plan_source(source: Source, streams: Iterable[Stream], home: Path) -> SourcePlan:
    """Ask `source` what syncing `streams` would cost now, given what has landed in `home`.

    A stream that fails has its error in its plan. Nothing is written or locked.

    Raises:
        RapportError: the source as a whole does not answer.
    """
    session = getattr(source, "session", None)
    clock = _Clock(session if isinstance(session, Session) else None)
    asked: Any = getattr(source, "allowance", None)
    allowance = cast(Plans, source).allowance() if asked else _declared(clock.session)
    # One moment for all, so that a connector may ask once for what two reads share.
    now = clock.session.server_now() if clock.session else datetime.now(UTC)
    drafts = [_draft(source, stream, home, now) for stream in streams]
    pace = _Pace.of(clock, [footer for _, footer in drafts], allowance)
    plans = tuple(_estimated(draft, pace) for draft, _ in drafts)
    return SourcePlan(
        source=source.name,
        type=source.type,
        streams=plans,
        allowance=allowance,
        next=_together([plan.next for plan in plans], allowance.opening, pace),
        full=_together([plan.full for plan in plans], allowance.opening, pace),
        calls_made=clock.calls,
    )


def least_seconds(calls: int, windows: Windows) -> float:
    """Return how long so many calls take at least: the first of each window leave at once."""
    return max((seconds * ((calls - 1) // n) for n, seconds in windows if calls > 0), default=0.0)


def pages(records: int, per_page: int) -> int:
    """Return how many pages hold so many records; an empty list has one page too."""
    return max(1, math.ceil(records / per_page))


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A stream's costs before anything is known about time."""

    stream: str
    mode: str
    next: Cost | None = None
    full: Cost | None = None
    note: str = ""
    error: RapportError | None = None


def _draft(
    source: Source, stream: Stream, home: Path, now: datetime
) -> tuple[_Draft, Footer | None]:
    landing = Landing(home).stream(source.name, stream.name)
    footer = landing.footer()
    state: State = footer.state if footer else {}
    mode = _mode(stream, state)
    if not hasattr(source, "plan"):
        note = f"cannot tell: this connector has no cheap way to count{_last_calls(footer)}"
        return _Draft(stream=stream.name, mode=mode, note=note), footer
    planner = cast(Plans, source)
    window = Window(now=now, held_count=landing.count)
    session = getattr(source, "session", None)
    if isinstance(session, Session):
        session.place = f"{source.name}.{stream.name}"
    try:
        following = planner.plan(stream, deepcopy(state), window)
        full = planner.plan(stream, {}, replace(window, full_refresh=True))
        is_told = following is not None and full is not None
        note = "" if is_told else f"cannot tell: the source does not count{_last_calls(footer)}"
        return _Draft(stream=stream.name, mode=mode, next=following, full=full, note=note), footer
    except RapportError as error:
        return _Draft(stream=stream.name, mode=mode, error=error), footer


def _last_calls(footer: Footer | None) -> str:
    if not footer or not footer.sync.get("finished_at"):
        return ""
    return f"; its last sync made {footer.sync.get('requests', 0):,} calls"


def _mode(stream: Stream, state: State) -> str:
    if "walk" in state or "backfill" in state:
        return "resumed"
    if not state:
        return "first"
    return stream.sync_mode


def _declared(session: Session | None) -> Allowance:
    windows = session.budget.windows if session else ()
    return Allowance(windows=windows)


class _Clock:
    """Times the calls of a plan: how long one takes now, here."""

    def __init__(self, session: Session | None) -> None:
        self.session = session
        self._before = session.requests_made if session else 0

    @property
    def calls(self) -> int:
        return self.session.requests_made - self._before if self.session else 0

    @property
    def seconds_per_call(self) -> float | None:
        """Return the middle one of the answers' times, of two the lower: to count takes longer
        than to list. What the plan did besides asking tells nothing."""
        if self.session is None or self.calls == 0:
            return None
        answers = sorted([*self.session.answers_s][-self.calls :])
        return answers[(len(answers) - 1) // 2] if answers else None


@dataclass(frozen=True)
class _Pace:
    """How fast calls and records go."""

    seconds_per_call: float | None
    allowance: Allowance

    @classmethod
    def of(cls, clock: _Clock, footers: Sequence[Footer | None], allowance: Allowance) -> _Pace:
        for footer in footers:
            sync = footer.sync if footer else {}
            if _was_faster(sync, allowance.windows):
                allowance = replace(allowance, windows=())
        return cls(clock.seconds_per_call, allowance)

    def estimate(self, cost: Cost) -> Estimate:
        seconds, how = self._seconds(cost)
        per_day = self.allowance.per_day
        return Estimate(
            cost=cost,
            seconds=seconds,
            seconds_how=how,
            quota_share=cost.metered_calls / per_day if per_day else None,
        )

    def _seconds(self, cost: Cost) -> tuple[float | None, str]:
        if cost.calls and self.seconds_per_call is None:
            return None, "cannot tell: no call could be timed"
        if not cost.calls and cost.records is None:
            return None, "cannot tell: how many records there are is not known"
        per_call = self.seconds_per_call or 0.0
        calling = cost.calls * per_call
        landing = (cost.records or 0) / RECORDS_PER_S
        parts = []
        if cost.calls:
            parts.append(f"{cost.calls:,} calls at {per_call * 1000:.0f} ms, as timed now")
        if cost.records:
            parts.append(f"{cost.records:,} records at {RECORDS_PER_S:,}/s")
        limited = least_seconds(cost.calls, self.allowance.windows)
        own = [step for step in cost.steps if step.windows]
        own_limited = sum(least_seconds(step.calls, step.windows) for step in own)
        if own_limited > max(limited, calling + landing):
            n, seconds = min(own[0].windows, key=_rate)
            calls = sum(step.calls for step in own)
            return own_limited, f"{calls:,} {own[0].what}, ... within {n} in {seconds:g} s"
        if limited > calling + landing:
            n, seconds = min(self.allowance.windows, key=_rate)
            return limited, f"{cost.calls:,} calls within {n} calls in {seconds:g} s"
        return calling + landing, " + ".join(parts)


def _rate(window: tuple[int, float]) -> float:
    """Return calls per second; the lowest of several is what tells in the long run."""
    calls, seconds = window
    return calls / seconds


def _was_faster(sync: dict[str, Any], windows: Windows) -> bool:
    """Tell whether a past sync went faster than `windows` allow: then they do not hold here."""
    if not (windows and sync.get("finished_at") and sync.get("started_at")):
        return False
    began, ended = (datetime.fromisoformat(sync[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds() < least_seconds(sync.get("requests", 0), windows)


def _estimated(draft: _Draft, pace: _Pace) -> StreamPlan:
    return StreamPlan(
        stream=draft.stream,
        mode=draft.mode,
        next=pace.estimate(draft.next) if draft.next else None,
        full=pace.estimate(draft.full) if draft.full else None,
        note=draft.note,
        error=draft.error,
    )


def _together(
    estimates: Sequence[Estimate | None], opening: tuple[Step, ...], pace: _Pace
) -> Estimate | None:
    """Add up streams that are read one after the other; None if one of them cannot tell."""
    costs = [estimate.cost for estimate in estimates if estimate is not None]
    if len(costs) < len(estimates):
        return None
    records = [cost.records for cost in costs if cost.records is not None]
    sizes = [cost.size_bytes for cost in costs if cost.size_bytes is not None]
    return pace.estimate(
        Cost(
            steps=opening + tuple(step for cost in costs for step in cost.steps),
            records=sum(records) if len(records) == len(costs) else None,
            size_bytes=sum(sizes) if sizes else None,
        )
    )
