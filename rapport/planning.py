"""What `rapport plan` shows: calls, time and share of the daily quota, before a sync.

Belongs here: planning several sources side by side, and putting plans into plain values and into
a terminal. Does not belong here: asking what is due (`connectors.planning` and the connectors).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.errors import RapportError
from connectors.planning import (
    ALWAYS,
    Cost,
    Estimate,
    SourcePlan,
    Step,
    StreamPlan,
    plan_source,
)
from rapport.config import Config
from rapport.syncing import chosen_streams


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planned:
    """The plan of a source, or what went wrong instead."""

    source: str
    plan: SourcePlan | None = None
    error: RapportError | None = None

    @property
    def errors(self) -> list[RapportError]:
        """What went wrong, with the source or with one of its streams."""
        if self.error:
            return [self.error]
        return [each.error for each in (self.plan.streams if self.plan else ()) if each.error]


def plan_selected(config: Config, selection: Sequence[str]) -> list[Planned]:
    """Plan `SOURCE` or `SOURCE.STREAM` names (none: everything), sources in parallel.

    Raises:
        ConfigError: a name does not exist.
    """
    chosen = chosen_streams(config, selection)

    def plan(name: str) -> Planned:
        try:
            source = config.open(name)
            wanted = {stream.name for stream in chosen[name]}
            streams = [stream for stream in source.streams() if stream.name in wanted]
            return Planned(source=name, plan=plan_source(source, streams, config.home))
        except RapportError as error:
            return Planned(source=name, error=error)

    with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
        return list(pool.map(plan, chosen))


def as_dict(planned: Planned) -> dict[str, Any]:
    """Return plain values for JSON: shares are 0 to 1, null means that it cannot be told."""
    if planned.plan is None:
        return {"source": planned.source, "error": str(planned.error)}
    plan = planned.plan
    allowance = plan.allowance
    return {
        "source": plan.source,
        "type": plan.type,
        "error": None,
        "quota": {
            "per_day": allowance.per_day,
            "left": allowance.left,
            "windows": [{"calls": n, "seconds": seconds} for n, seconds in allowance.windows],
            "how": allowance.how,
        },
        "calls_made_for_this_plan": plan.calls_made,
        "next": _estimate_dict(plan.next),
        "full": _estimate_dict(plan.full),
        "streams": [
            {
                "stream": each.stream,
                "mode": each.mode,
                "next": _estimate_dict(each.next),
                "full": _estimate_dict(each.full),
                "note": each.note,
                "error": str(each.error) if each.error else None,
            }
            for each in plan.streams
        ],
    }


def _estimate_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    cost = estimate.cost
    return {
        "calls": cost.calls,
        "metered_calls": cost.metered_calls,
        "steps": [dataclasses.asdict(step) for step in cost.steps],
        "records": cost.records,
        "records_how": cost.records_how,
        "size_bytes": cost.size_bytes,
        "seconds": None if estimate.seconds is None else round(estimate.seconds, 1),
        "seconds_how": estimate.seconds_how,
        "quota_share": estimate.quota_share,
        "notes": list(cost.notes),
    }


# Terminal


def print_plan(console: Console, plan: SourcePlan) -> None:
    """Print the plan of a source: the next sync, one from the beginning, and how it is known."""

    def say(text: str = "") -> None:
        console.print(text, markup=False, soft_wrap=True)

    say(f"{plan.source} ({plan.type}): {_quota(plan)}")
    table = Table(box=None, pad_edge=False)
    for heading in ("stream", "next sync"):
        table.add_column(heading, no_wrap=True)
    for heading in ("calls", "records", "time", "full: calls", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in plan.streams:
        table.add_row(each.stream, each.mode, *_next_cells(each.next), *_full_cells(each.full))
    if len(plan.streams) > 1 or plan.allowance.opening:
        table.add_row("all", "", *_next_cells(plan.next), *_full_cells(plan.full), style="bold")
    console.print(table)
    for name, together, of in (
        ("next sync", plan.next, "next"),
        ("full refresh", plan.full, "full"),
    ):
        if of == "full" and all(each.next == each.full for each in plan.streams):
            say("\nThe full refresh: the same.")
            break
        say(f"\nThe {name}{_summary(plan, together)}")
        for each in plan.streams:
            say(f"  {each.stream}: {_how(each, getattr(each, of))}")
        if together:
            for step in plan.allowance.opening:
                say(f"  {_step(step)}")
    say(f"\nAsking for this took {plan.calls_made:,} call{'s' * (plan.calls_made != 1)}.")


def _quota(plan: SourcePlan) -> str:
    allowance = plan.allowance
    facts = []
    if allowance.per_day is not None:
        left = "?" if allowance.left is None else f"{allowance.left:,}"
        facts.append(f"{left} of {allowance.per_day:,} calls left today")
    facts += [f"{n:,} calls in {seconds:g} s" for n, seconds in allowance.windows]
    return f"{', '.join(facts)} ({allowance.how})" if facts else allowance.how


def _next_cells(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["?"] * 3
    cost = estimate.cost
    return [f"{cost.calls:,}", _number(cost.records), duration(estimate.seconds)]


def _full_cells(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["?"] * 2
    return [f"{estimate.cost.calls:,}", duration(estimate.seconds)]


def _summary(plan: SourcePlan, estimate: Estimate | None) -> str:
    """Return the end of a sentence: time, share of the day, and whether today is enough."""
    if estimate is None:
        return ": cannot tell in all, because of the streams with `?`."
    facts = [f"{duration(estimate.seconds)} ({estimate.seconds_how or 'nothing to read'})"]
    metered, left = estimate.cost.metered_calls, plan.allowance.left
    if estimate.quota_share is not None:
        facts.append(f"{share(estimate.quota_share)} of a day's calls ({metered:,} count)")
    if left is not None and metered > left:
        facts.append(
            f"more than the {left:,} left today: it would end early, and the next one go on"
        )
    return f": {'; '.join(facts)}."


def _how(plan: StreamPlan, estimate: Estimate | None) -> str:
    if estimate is None:
        return "see the error below" if plan.error else plan.note
    cost = estimate.cost
    parts = [_step(step) for step in cost.steps] or [_records(cost)]
    return "; ".join([*parts, *cost.notes])


def _step(step: Step) -> str:
    return f"{step.what} {step.calls:,}" + (f" ({step.how})" if step.how != ALWAYS else "")


def _records(cost: Cost) -> str:
    size = "" if cost.size_bytes is None else f", {cost.size_bytes / 1e6:,.1f} MB"
    return f"no calls; {_number(cost.records)} records{size} ({cost.records_how})"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Return a time for people: `?`, `< 1 s`, `12 s`, `3 min`, `2.5 h`."""
    if seconds is None:
        return "?"
    if seconds < 1:
        return "< 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def share(value: float | None) -> str:
    """Return a share of the day's calls in percent."""
    if value is None:
        return "?"
    return "less than 0.1 %" if 0 < value < 0.001 else f"{value:.1%}".replace("%", " %")
