"""What each step of the demo costs, beside its floors: `make bench`.

Belongs here: CPU-seconds (user and system, children included) and peak memory of whole
processes, in one run, so that ratios hold on a noisy machine. Does not belong here: any
threshold, and any wall-clock time.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rapport.dbt import parsed_folder
from sandbox.server import PORTS

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REPORT = ROOT / "benchmarks" / "README.md"
PEOPLE = 2000
NOW = "2026-06-30T00:00:00+00:00"


@dataclass(frozen=True)
class Cost:
    """Cost of one process and its children: CPU-seconds and peak resident memory in MB."""

    step: str
    cpu_s: float
    peak_mb: float


def measure(step: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    """Run a command to its end and return what it cost; raise if it fails."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | dict(env), stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{step} failed:\n{log.read_text()[-2000:]}")
    cost = Cost(step, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    print(f"{cost.step:<58} {cost.cpu_s:7.1f} CPU-s {cost.peak_mb:7.0f} MB", flush=True)
    return cost


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


def spent(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU-seconds a running process has used so far (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def report(costs: Sequence[Cost], inside: Sequence[str]) -> str:
    """Return the results as a page."""
    lines = [
        "# What the demo costs",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}, {PEOPLE:,} people. "
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
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs, inside = run(Path(folder))
    REPORT.write_text(report(costs, inside), encoding="utf-8")
    print(f"\nwritten to {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
