"""What each step of the demo costs, beside its floors: `make bench`.

Belongs here: CPU-seconds (user and system, children included) and peak memory of whole
processes, in one run, so that ratios hold on a noisy machine. Does not belong here: any
threshold, and any wall-clock time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.costs import ROOT, Cost, machine, measure, spent, write_section
from rapport.dbt import parsed_folder
from sandbox.server import PORTS

BIN = Path(sys.executable).parent
PEOPLE = 2000
NOW = "2026-06-30T00:00:00+00:00"


@contextmanager
def served(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a sandbox in a process of its own, until the block ends."""
    process = subprocess.Popen(
        [str(BIN / "rapport"), "sandbox", "--people", str(PEOPLE), "--now", NOW,
         "--port", str(port)],
        cwd=folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            try:
                # the last one to listen
                last = port + max(PORTS.values())
                urllib.request.urlopen(f"http://127.0.0.1:{last}/sandbox/clock", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()


def layers(home: Path) -> list[str]:
    """Return a table of the last build's nodes by layer, with the seconds that dbt noted."""
    manifest = json.loads((parsed_folder() / "manifest.json").read_bytes())["nodes"]
    results = json.loads((home / "dbt" / "run_results.json").read_bytes())["results"]
    found: dict[str, list[tuple[float, str]]] = {}
    for result in results:
        node = manifest[result["unique_id"]]
        layer = node["fqn"][1] if node["resource_type"] == "model" else node["resource_type"] + "s"
        found.setdefault(layer, []).append((result["execution_time"], node["name"]))
    lines = ["| layer | nodes | seconds | slowest |", "| --- | ---: | ---: | --- |"]
    for layer, nodes in found.items():
        seconds, name = max(nodes)
        total = sum(second for second, _ in nodes)
        lines.append(f"| {layer} | {len(nodes)} | {total:.1f} | {name} ({seconds:.1f}) |")
    return lines


def run(folder: Path) -> tuple[list[Cost], list[str]]:
    """Measure every step once, in a new folder; return the costs and the build by layer."""
    rapport, python, dbt = str(BIN / "rapport"), sys.executable, str(BIN / "dbt")
    costs = [
        measure(f"floor: python -c 'import {name}'", [python, "-c", f"import {name}"], folder, {})
        for name in ("connectors", "dagster", "dagster_dbt", "dbt.cli.main")
    ]
    with served(folder, 8800) as sandbox:
        made = spent(sandbox)
        costs.append(Cost("sandbox: generate the company", made, 0))
        costs.append(
            measure("rapport sync, everything", [rapport, "sync", "--sandbox"], folder, {})
        )
        costs.append(Cost("sandbox: serve that sync", spent(sandbox) - made, 0))
        costs.append(
            measure("rapport sync, nothing new", [rapport, "sync", "--sandbox"], folder, {})
        )
        costs.append(
            measure(
                "rapport build (dbt, publish, report)", [rapport, "build", "--sandbox"], folder, {}
            )
        )
        home = folder / ".rapport" / "sandbox"
        inside = layers(home)
        shutil.copy(home / "build.duckdb", folder / "bare.duckdb")
        environment = {"RAPPORT_BUILD_DB": str(folder / "bare.duckdb"), "PYTHONPATH": str(ROOT)}
        project = ["--project-dir", str(ROOT / "dbt_project"),
                   "--profiles-dir", str(ROOT / "dbt_project")]  # fmt: skip
        costs.append(
            measure(
                "floor: bare dbt build --full-refresh of the same models",
                [dbt, "--quiet", "build", "--full-refresh", *project],
                folder,
                environment,
            )
        )
        costs.append(measure("rapport run, nothing new", [rapport, "run", "--sandbox"], folder, {}))
    costs.append(
        measure(
            "rapport demo, the whole road",
            [rapport, "demo", "--people", str(PEOPLE), "--home", str(folder / "demo")],
            folder,
            {},
        )
    )
    return costs, inside


def report(costs: Sequence[Cost], inside: Sequence[str]) -> list[str]:
    """Return the results as lines of the report."""
    lines = [
        f"Written by `make bench` on {machine()}, {PEOPLE:,} people. "
        "CPU-seconds of whole processes with their children; byte-code present. "
        "Read ratios, not seconds: a floor and a step were measured in the same run.",
        "",
        "| step | CPU-s | peak MB |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| {cost.step} | {cost.cpu_s:.1f} | {f'{cost.peak_mb:.0f}' if cost.peak_mb else ''} |"
        for cost in costs
    ]
    found = {cost.step: cost.cpu_s for cost in costs}
    whole = found["rapport demo, the whole road"]
    bare = found["floor: bare dbt build --full-refresh of the same models"]
    again = found["rapport run, nothing new"]
    lines += [
        "",
        f"- The whole demo costs {whole / bare:.1f} times the bare `dbt build` of its models.",
        f"- A run with nothing new costs {again / whole:.0%} of the demo.",
        "",
        "Inside the build, by the clock and several at once: read shares, not seconds.",
        "",
        *inside,
    ]
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs, inside = run(Path(folder))
    write_section("What the demo costs", report(costs, inside))


if __name__ == "__main__":
    main()
