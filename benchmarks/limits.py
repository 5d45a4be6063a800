"""How much of a vendor's limits a sync uses, and what a million records take under them.

    python -m benchmarks.limits

Belongs here: the run against emulated vendors that keep their default limits and are far away, and
the plan of a million records. Does not belong here: how fast records land (`landing`).

The run is real time under real limits, scaled down in records only; both sources wait side by
side, so that it takes little more than two minutes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from benchmarks.costs import machine, write_section
from connectors import Source, Stream, plan_source, sync_stream
from connectors.budget import Windows
from connectors.hubspot.plan import Planner
from connectors.planning import Estimate
from connectors.registry import open_source
from sandbox.server import Sandbox, serve
from sandbox.world import World

LATENCY_S = 0.1
MILLION = 1_000_000
POSTS = 7_000
CONTACTS = 30_000
GOAL = 0.9


class FarAway(requests.adapters.HTTPAdapter):
    """A network on which each answer takes `LATENCY_S`, the emulator's work included."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        began = time.monotonic()
        response = super().send(*args, **kwargs)
        time.sleep(max(0.0, began + LATENCY_S - time.monotonic()))
        return response


@dataclass(frozen=True)
class Used:
    """What a scaled-down sync did, and what a million records are planned to take."""

    case: str
    records: int
    calls: int
    seconds: float
    limit: str
    share: float
    planned_s: float
    million: Estimate


def opened(company: Sandbox, name: str, stream_name: str, home: Path) -> tuple[Any, Stream]:
    settings = dict(company.credentials["sources"][name])
    source: Any = open_source(name, settings.pop("type"), settings, home=home)
    source.session.mount("http://", FarAway())
    return source, next(s for s in source.streams() if s.name == stream_name)


def planned(source: Source, stream: Stream, home: Path) -> tuple[Estimate, Windows]:
    """Return what `rapport plan` says of the stream's first sync, and the limits it knows of."""
    plan = plan_source(source, [stream], home)
    estimate = plan.streams[0].next
    assert estimate is not None and estimate.seconds is not None, plan.streams[0]
    return estimate, plan.allowance.windows


def measured(
    case: str,
    company: Sandbox,
    name: str,
    stream_name: str,
    folder: Path,
    grow: Callable[[], Any],
) -> Used:
    """Plan and sync a stream; then `grow` it to a million records and plan again."""
    home = folder / name
    source, stream = opened(company, name, stream_name, home)
    expected, windows = planned(source, stream, home)
    source, stream = opened(company, name, stream_name, home)  # nothing asked before is known
    time.sleep(max(seconds for _, seconds in windows))  # what the plan asked counts no more
    began = time.monotonic()
    result = sync_stream(source, stream, home)
    seconds = time.monotonic() - began
    calls, span = min(windows, key=lambda window: window[0] / window[1])
    used = result.requests / seconds / (calls / span)
    with grow():
        source, stream = opened(company, name, stream_name, folder / "new")
        million, _ = planned(source, stream, folder / "new")
    return Used(
        case=case,
        records=result.rows,
        calls=result.requests,
        seconds=seconds,
        limit=f"{calls} in {span:g} s",
        share=min(1.0, used),
        planned_s=expected.seconds or 0.0,
        million=million,
    )


def fill(company: Sandbox) -> None:
    """Add posts to a topic that has been quiet for long, and contacts."""
    forum, portal = company.world.forum, company.world.portal
    long_ago = company.now - timedelta(days=300)
    author = max(forum.users)
    topic = forum.create_topic(author, "The long one", "Who begins?", long_ago)
    for number in range(POSTS):
        forum.reply(topic, author, f"Reply {number} of many, long ago.", long_ago)
    for number in range(CONTACTS):
        portal.create("contacts", {"email": f"contact{number}@example.com"}, long_ago)


def run(folder: Path) -> list[Used]:
    """Measure both sources at once."""
    world = World(people=150, seed=7, vendor_limits=True, vendors=("discourse", "hubspot"))
    with serve(port=0, world=world) as company, ThreadPoolExecutor(2) as pool:
        fill(company)
        forum = pool.submit(
            measured, "forum posts", company, "forum", "posts", folder,
            lambda: mock.patch("connectors.discourse.plan.Planner._newest_post", (MILLION, 50)),
        )  # fmt: skip
        crm = pool.submit(
            measured, "CRM contacts", company, "hub", "contacts", folder,
            lambda: mock.patch.object(Planner, "_count", lambda *_: MILLION),
        )  # fmt: skip
        return [forum.result(), crm.result()]


def report(found: list[Used]) -> list[str]:
    """Return the results in words and a table."""
    lines = [
        f"Written by `python -m benchmarks.limits` on {machine()}: first syncs from emulated "
        "vendors that keep their default limits and take "
        f"{LATENCY_S * 1000:.0f} ms for each answer. The share is that of the calls which the "
        "limit allows in the long run; planned times are of a call as timed while planning.",
        "",
        "| | records | calls | s | s by plan | limit | share used | goal | 1,000,000 by plan |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | --- | --- |",
    ]
    for used in found:
        verdict = "met" if used.share >= GOAL else "**missed**"
        seconds = used.million.seconds or 0.0
        lines.append(
            f"| {used.case} | {used.records:,} | {used.calls:,} | {used.seconds:.0f} "
            f"| {used.planned_s:.0f} | {used.limit} | {used.share:.0%} | {GOAL:.0%}: {verdict} "
            f"| {used.million.cost.calls:,} calls, {seconds / 3_600:.1f} h |"
        )
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = report(run(Path(folder)))
    write_section("Under a vendor's limits", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
