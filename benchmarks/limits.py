"""How much of a vendor's limits a sync uses, and what a million records take under them.

    python -m benchmarks.limits

Belongs here: the run against emulated vendors that keep their default limits and are far away, and
the plan of a million records. Does not belong here: how fast records land (`landing`).

The run is real time under real limits, scaled down in records only; both sources wait side by
side, so that it takes little more than three minutes. The vendors are a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from benchmarks.costs import ROOT, machine, write_section
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
LARGER_PLAN = 190
"""Calls in 10 seconds of HubSpot's Professional and Enterprise: above what one reader can ask."""

Settings = Mapping[str, Any]


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
    goal: float | None
    planned_s: float
    million: Estimate


def opened(settings: Settings, name: str, stream_name: str, home: Path) -> tuple[Any, Stream]:
    told = dict(settings)
    source: Any = open_source(name, told.pop("type"), told, home=home)
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
    settings: Settings,
    stream_name: str,
    home: Path,
    grow: Callable[[], Any],
    goal: float | None = GOAL,
) -> Used:
    """Plan and sync a stream; then `grow` it to a million records and plan again."""
    name = home.name
    source, stream = opened(settings, name, stream_name, home)
    expected, windows = planned(source, stream, home)
    source, stream = opened(settings, name, stream_name, home)  # nothing asked before is known
    time.sleep(max(seconds for _, seconds in windows))  # what the plan asked counts no more
    began = time.monotonic()
    result = sync_stream(source, stream, home)
    seconds = time.monotonic() - began
    calls, span = min(windows, key=lambda window: window[0] / window[1])
    used = result.requests / seconds / (calls / span)
    with grow():
        source, stream = opened(settings, name, stream_name, home / "new")
        million, _ = planned(source, stream, home / "new")
    return Used(
        case=case,
        records=result.rows,
        calls=result.requests,
        seconds=seconds,
        limit=f"{calls} in {span:g} s",
        share=min(1.0, used),
        goal=goal,
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


def serve_vendors() -> None:
    """Serve both vendors until standard input ends; print what a client needs."""
    world = World(people=150, seed=7, vendor_limits=True, vendors=("discourse", "hubspot"))
    with serve(port=0, world=world) as company:
        fill(company)
        print(json.dumps(company.credentials["sources"]), flush=True)
        sys.stdin.read()


@contextmanager
def vendors() -> Iterator[dict[str, Settings]]:
    """Run `serve_vendors` in a process of its own; yield the settings of each source."""
    command = [sys.executable, "-m", "benchmarks.limits", "serve"]
    server = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout
        yield json.loads(server.stdout.readline())
    finally:
        server.communicate()


def run(folder: Path) -> list[Used]:
    """Measure both sources at once, contacts under two limits."""
    with vendors() as sources, ThreadPoolExecutor(2) as pool:
        forum = pool.submit(
            measured, "forum posts", sources["forum"], "posts", folder / "forum",
            lambda: mock.patch("connectors.discourse.plan.Planner._newest_post", (MILLION, 50)),
        )  # fmt: skip

        def contacts(home: str, settings: Settings, goal: float | None) -> Used:
            def grow() -> Any:
                return mock.patch.object(Planner, "_count", lambda *_: MILLION)

            return measured("CRM contacts", settings, "contacts", folder / home, grow, goal)

        crm = pool.submit(contacts, "hub", sources["hub"], GOAL)
        larger = pool.submit(
            contacts, "larger", {**sources["hub"], "calls_per_10_s": LARGER_PLAN}, None
        )
        return [forum.result(), crm.result(), larger.result()]


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
        met = used.goal is None or used.share >= used.goal
        verdict = "" if used.goal is None else f"{used.goal:.0%}: {'met' if met else '**missed**'}"
        seconds = used.million.seconds or 0.0
        lines.append(
            f"| {used.case} | {used.records:,} | {used.calls:,} | {used.seconds:.0f} "
            f"| {used.planned_s:.0f} | {used.limit} | {used.share:.0%} | {verdict} "
            f"| {used.million.cost.calls:,} calls, {seconds / 3_600:.1f} h |"
        )
    lines += [
        "",
        "- A list is one chain of pages, each behind the one before: when an answer takes "
        f"{LATENCY_S * 1000:.0f} ms, {1 / LATENCY_S:.0f} calls a second are the most.",
    ]
    return lines


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        serve_vendors()
        return
    with tempfile.TemporaryDirectory() as folder:
        lines = report(run(Path(folder)))
    write_section("Under a vendor's limits", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
