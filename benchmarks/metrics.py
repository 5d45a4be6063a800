"""What the relationship tables cost: `python -m benchmarks.metrics [PEOPLE ...]`.

Belongs here: the metric models by dbt on generated unified tables, beside as many nodes that do
nothing, and their section of `benchmarks/README.md`. Does not belong here: the rows
(`metrics_company`), and the road to the unified tables (`demo`).
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.costs import ROOT, Cost, machine, measure, write_section
from benchmarks.metrics_company import STRATEGY, empty, make
from rapport import dbt

SELECTION = (
    "path:models/metrics", "default_behavior_weights", "asking_kind", "track_indicator",
    "track_quality",
)  # fmt: skip
SMALL = 2_400
EVENTS_PER_PERSON = {SMALL: 27}
"""Interactions per person; ten in larger companies, of whose people most are hardly known."""
SIZES = (SMALL, 100_000, 1_000_000)
GOAL_CPU_S = 4
"""For all tables of about 70,000 events, beyond what dbt charges for our nodes without a row."""
GOAL_S, GOAL_MB = 120, 6_000
"""For a million people with ten million interactions."""
RESULTS = "run_results.json"
NO_COLUMNS = "cast(null as date) as as_of, cast(null as varchar) as basis"
"""Of a node without a contract; a table that keeps snapshots needs these."""
EVENT_TABLES = ("fct_interaction", "fct_purchase", "fct_login")


@dataclass(frozen=True)
class Built:
    """What a build of the metrics cost, and on what.

    Attributes:
        snapshots: days that were computed; a first build looks back a year.
        is_first: whether no table of the kind was there before.
        seconds: by the clock.
        nodes: (seconds by the clock, name) of each, the slowest first.
    """

    people: int
    events: int
    snapshots: int
    is_first: bool
    cost: Cost
    seconds: float
    nodes: Sequence[tuple[float, str]]


def built(home: Path, people: int, snapshots: int) -> Built:
    """Build the metric tables for the last so many days of those in `control.snapshots`."""
    with duckdb.connect(str(home / dbt.DATABASE_NAME)) as connection:
        connection.execute(
            "delete from control.snapshots where as_of not in "
            "(select as_of from control.snapshots order by as_of desc limit ?)",
            [snapshots],
        )
        counts = " + ".join(f"(select count(*) from {name})" for name in EVENT_TABLES)
        [(events,)] = connection.execute(f"select {counts}").fetchall()
    is_first = not (home / RESULTS).exists()
    what = f"{people:,} people, {events:,} events, {snapshots} snapshots"
    cost, seconds = run(home, dbt.PROJECT, what, ["--select", *SELECTION])
    results = json.loads((home / RESULTS).read_bytes())["results"]
    nodes = sorted((one["execution_time"], one["unique_id"].split(".")[2]) for one in results)
    return Built(people, events, snapshots, is_first, cost, seconds, nodes[::-1])


def run(home: Path, project: Path, what: str, selection: Sequence[str]) -> tuple[Cost, float]:
    """Run `dbt build` as `rapport build` does, without tests; return cost and seconds."""
    dbt.ensure_parsed(project)
    command = [
        *(sys.executable, "-m", "rapport.dbt", str(project), str(home), "build"),
        *(*selection, "--exclude-resource-type", "unit_test", "test"),
    ]
    began = time.perf_counter()
    environment = {"RAPPORT_BUILD_DB": str(home / dbt.DATABASE_NAME), "PYTHONPATH": str(ROOT)}
    cost = measure(what, command, home, environment)
    return cost, time.perf_counter() - began


def floor(folder: Path, nodes: int) -> Cost:
    """Return what dbt costs with so many models that select one number."""
    project = folder / "nothing"
    (project / "models").mkdir(parents=True)
    shutil.copy(dbt.PROJECT / "profiles.yml", project)
    settings = "name: nothing\nprofile: rapport\nmodels: {nothing: {+materialized: table}}\n"
    (project / "dbt_project.yml").write_text(settings)
    for node in range(nodes):
        (project / "models" / f"nothing_{node}.sql").write_text("select 1 as one")
    home = folder / "floor"
    home.mkdir()
    cost, _ = run(home, project, f"floor: {nodes} nodes of `select 1`", [])
    return cost


def hollow(folder: Path) -> tuple[tuple[Cost, Cost], int]:
    """Return what dbt costs with our own nodes, none of which selects a row, and their number.

    Contracts, comments, materializations and the size of the project are those of the real ones.
    Twice, as with them: where no table is yet, and on those of the last build.
    """
    dbt.ensure_parsed()
    project = folder / "hollow"
    shutil.copytree(dbt.PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    manifest = json.loads((dbt.parsed_folder() / "manifest.json").read_bytes())
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or "metrics" not in node["fqn"]:
            continue
        path = project / node["original_file_path"]
        columns = [
            f"cast(null as {column['data_type']}) as {name}"
            for name, column in node["columns"].items()
            if node["name"].startswith("rel_")
        ]
        config = path.read_text().partition("\n")[0] if path.suffix == ".sql" else ""
        path.unlink()
        body = f"{config}\nselect {', '.join(columns) or NO_COLUMNS} limit 0"
        path.with_suffix(".sql").write_text(body)
    home = empty(folder / "empty", STRATEGY, {}).parent
    first, again = (
        run(home, project, f"floor: our nodes without a row, {which}", ["--select", *SELECTION])[0]
        for which in ("first", "again")
    )
    return (first, again), len(json.loads((home / RESULTS).read_bytes())["results"])


def report(
    floor: Cost, hollow: tuple[Cost, Cost], nodes: int, builds: Sequence[Built]
) -> list[str]:
    """Return the results as lines of the report."""
    first, again = hollow
    lines = [
        f"Written by `python -m benchmarks.metrics` on {machine()}: the {nodes} nodes of "
        "`models/metrics` by one `dbt build` without tests, on unified tables that SQL filled. "
        "Events are interactions, orders and sign-ins; a first build has 14 snapshots, a day's "
        "one. "
        "CPU-seconds of whole processes; seconds by the clock count whatever else ran. "
        f"Floors: {nodes} models `select 1` cost {floor.cpu_s:.1f} CPU-s. Our own project and "
        "nodes, with contracts and comments but no row, cost "
        f"{first.cpu_s:.1f} CPU-s where no table is yet and {again.cpu_s:.1f} CPU-s on those of "
        "the last build: that is what dbt charges to start and for each node, and the goal for "
        "the smallest company counts what is beyond it.",
        "",
        "| people | events | snapshots | CPU-s | beyond `select 1` | beyond no row | s | peak MB "
        "| goal |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in builds:
        beyond = one.cost.cpu_s - (first if one.is_first else again).cpu_s
        lines.append(
            f"| {one.people:,} | {one.events:,} | {one.snapshots} | {one.cost.cpu_s:.1f} "
            f"| {one.cost.cpu_s - floor.cpu_s:.1f} | {beyond:.1f} "
            f"| {one.seconds:.0f} | {one.cost.peak_mb:.0f} | {goal(one, beyond)} |"
        )
    lines += ["", "By the clock, two at once: read shares, not seconds.", ""]
    for one in builds:
        slowest = ", ".join(f"{name} ({seconds:.1f})" for seconds, name in one.nodes[:6])
        lines.append(f"- {one.people:,} people, {one.snapshots} snapshots: {slowest}.")
    larger = [one for one in builds if one.people > SMALL]
    return [*lines, *(growth(*pair) for pair in itertools.pairwise(larger))]


def goal(build: Built, beyond: float) -> str:
    """Return which goal a build has, and whether it met it; `beyond`: its CPU-s without dbt's."""
    if build.people == SMALL:
        met = beyond < GOAL_CPU_S
        return f"{GOAL_CPU_S} CPU-s: {'met' if met else 'missed'}"
    if build.people == max(SIZES):
        met = build.seconds < GOAL_S and build.cost.peak_mb < GOAL_MB
        return f"{GOAL_S} s, {GOAL_MB // 1000} GB: {'met' if met else 'missed'}"
    return ""


def growth(less: Built, more: Built) -> str:
    """Return how cost grows between two sizes, and where that leads."""
    ratios = [more.cost.cpu_s / less.cost.cpu_s, more.cost.peak_mb / less.cost.peak_mb]
    times = more.people / less.people
    line = (
        f"- From {less.people:,} to {more.people:,} people, {times:.0f} times as many: CPU-seconds "
        f"times {ratios[0]:.1f}, peak memory times {ratios[1]:.1f}."
    )
    if more.people >= max(SIZES):
        return line
    power = math.log(max(SIZES) / more.people, times)
    cpu_s, peak_mb = more.cost.cpu_s * ratios[0] ** power, more.cost.peak_mb * ratios[1] ** power
    return (
        f"{line} Going on like that, {max(SIZES):,} people would take {cpu_s:.0f} CPU-s and "
        f"{peak_mb / 1000:.1f} GB: an estimate, not measured (goal: {GOAL_S} s on two cores, "
        f"{GOAL_MB // 1000} GB)."
    )


def main(sizes: Sequence[int]) -> None:
    """Measure each size and write the section after each, as the largest takes long."""
    builds: list[Built] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        no_row, nodes = hollow(folder)
        nothing = floor(folder, nodes)
        for people in sizes:
            interactions = people * EVENTS_PER_PERSON.get(people, 10)
            home = make(folder / str(people), people, interactions).parent
            for snapshots in (14, 1) if people == SMALL else (1,):
                builds.append(built(home, people, snapshots))
                write_section("The relationship tables", report(nothing, no_row, nodes, builds))
            shutil.rmtree(home.parent)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
