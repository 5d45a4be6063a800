"""From HTTP to landing files, beside a floor and dlt: `python -m benchmarks.landing [RECORDS]`.

Belongs here: which cases run, and what their results say. Does not belong here: the server
(`contacts`), the cases (`landing_cases`, `dlt_peer`). Imports nothing large: what this process
holds would count as the peak memory of its cases.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contacts import PER_PAGE
from benchmarks.costs import ROOT, Cost, machine, measure, write_section

RECORDS = 1_000_000
SIZES_FOR_MEMORY = (100_000, 3_000_000)
REPEATS = 2
"""A case's cost is its lowest: what else runs on the machine only adds."""

DLT = ROOT / "benchmarks" / ".dlt-venv"
DLT_PACKAGES = ("dlt[duckdb,parquet]>=1.31,<2", "duckdb>=2,<3", "requests")

STAGING = """
{{ stage_records(source('landing', 'bench__contacts'), [
    ['contact_id', 'id', 'text'], ['created_at', 'createdAt', 'timestamp'],
    ['updated_at', 'updatedAt', 'timestamp'], ['is_archived', 'archived', 'boolean'],
    ['email', 'email', 'text'], ['given_name', 'firstname', 'text'],
    ['family_name', 'lastname', 'text'], ['phone', 'phone', 'text'],
    ['title', 'jobtitle', 'text'], ['company', 'company', 'text'], ['stage', 'stage', 'text'],
    ['score', 'score', 'decimal'], ['visits', 'visits', 'integer'], ['note', 'note', 'text'],
    ['city', 'address.city', 'text'], ['zip', 'address.zip', 'text'],
    ['geo', 'address.geo', 'json'],
]) }}
"""
SOURCES = """
sources:
  - {name: landing, tables: [{name: bench__contacts}]}
  - {name: control, tables: [{name: custom_fields}, {name: custom_objects}, {name: sources}]}
"""
PROFILE = """
bench: {target: x, outputs: {x: {type: duckdb, path: 'compiled.duckdb', schema: main}}}
"""
PROJECT = """
name: bench
profile: bench
macro-paths: ['%s']
models: {+materialized: incremental, +incremental_strategy: append}
"""
CONTROL = """
create schema control;
create table control.custom_fields (source text, stream text, field text, type text);
create table control.custom_objects (source text, stream text);
create table control.sources (source text, source_type text);
create schema landing;
create table landing.bench__contacts (
    _source text, _stream text, _key text, _seq bigint, _op text, _merged_into text,
    _version timestamptz, _loaded_at timestamptz, _sync_id text, record text
);
"""


class Bench:
    """Runs cases on one server; each case leaves its files in the folder it was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    @contextmanager
    def serving(self, records: int) -> Iterator[None]:
        """Serve that many contacts until the block ends."""
        command = [sys.executable, "-m", "benchmarks.contacts", str(records)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout
            self.url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            yield
        finally:
            server.kill()
            server.wait()

    def ours(self, step: str, case: str, folder: str) -> Cost:
        """Run a case of `landing_cases` in its folder, as it was left by the case before."""
        return self._run(step, [sys.executable, "-m", "benchmarks.landing_cases", case], folder)

    def dlt(self, step: str, case: str, folder: str) -> Cost:
        """Run a case of `dlt_peer`."""
        script = str(ROOT / "benchmarks" / "dlt_peer.py")
        return self._run(step, [str(DLT / "bin" / "python"), script, case], folder)

    def _run(self, step: str, command: Sequence[str], folder: str) -> Cost:
        (self.folder / folder).mkdir(exist_ok=True)
        return measure(
            step, [*command, self.url, str(self.folder / folder)], self.folder,
            {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def requests(self) -> int:
        """Return how many requests the case that ran last says it sent."""
        return int((self.folder / "log.txt").read_text().split("requests=")[1].split()[0])

    def shares(self) -> list[tuple[str, float]]:
        """Return the parts of landing and their shares of its CPU-seconds, greatest first."""
        self.ours("landing, looked at", "shares", "shares")
        lines = (self.folder / "log.txt").read_text().splitlines()
        told = [line.split(" ", 2) for line in lines if line.startswith("share ")]
        return [(part, float(share)) for _, share, part in told]

    def lowest(self, step: str, case: str, folder: str) -> Cost:
        """Run one of our cases `REPEATS` times from nothing and return the lowest of its costs."""
        costs = []
        for _ in range(REPEATS):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            costs.append(self.ours(step, case, folder))
        return Cost(step, min(c.cpu_s for c in costs), min(c.peak_mb for c in costs))


def compile_staging(folder: Path) -> None:
    """Let dbt compile the staging macro: as it first builds, and as it adds what is new."""
    dbt = folder / "dbt"
    (dbt / "models").mkdir(parents=True)
    (dbt / "dbt_project.yml").write_text(PROJECT % (ROOT / "dbt_project" / "macros"))
    (dbt / "profiles.yml").write_text(PROFILE)
    (dbt / "models" / "contacts.sql").write_text(STAGING)
    (dbt / "models" / "sources.yml").write_text(SOURCES)
    connect = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute(sys.argv[2])"
    database = str(dbt / "compiled.duckdb")
    subprocess.run([sys.executable, "-c", connect, database, CONTROL], check=True)
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet"]
    compiled = dbt / "target" / "compiled" / "bench" / "models" / "contacts.sql"
    for name in ("first", "incremental"):
        subprocess.run([*command, "compile"], cwd=dbt, check=True)
        sql = compiled.read_text().replace('"compiled".', "")
        (folder / f"{name}.sql").write_text(sql)
        subprocess.run([*command, "run"], cwd=dbt, check=True)


def has_dlt() -> bool:
    """Tell whether dlt is there, in an environment of its own, made now if it can be."""
    if (DLT / "bin" / "python").exists():
        return True
    try:
        subprocess.run([sys.executable, "-m", "venv", str(DLT)], check=True)
        pip = [str(DLT / "bin" / "python"), "-m", "pip", "--quiet", "install", "--compile"]
        subprocess.run([*pip, *DLT_PACKAGES], check=True)
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(DLT, ignore_errors=True)
        print("dlt cannot be installed here: its cases are left out", file=sys.stderr)
        return False
    return True


def run(folder: Path, records: int) -> list[str]:
    """Measure everything once and return the lines of the report."""
    bench = Bench(folder)
    (folder / "ours" / "home").mkdir(parents=True)
    compile_staging(folder / "ours")
    imports = measure("import connectors", [sys.executable, "-c", "import connectors"], folder,
                      {"PYTHONPATH": str(ROOT)})  # fmt: skip
    with_dlt = has_dlt()
    costs: dict[str, Cost] = {}
    with bench.serving(records):
        costs["floor"] = bench.lowest("floor: requests, bytes read by DuckDB", "floor", "floor")
        costs["landing"] = bench.lowest("landing", "landing", "again")
        shutil.move(folder / "again" / "home" / "landing", folder / "ours" / "home" / "landing")
        costs["typing"] = bench.ours("typing in staging", "typing", "ours")
        costs["no-op"] = bench.ours("sync, nothing new", "landing", "ours")
        no_op_requests = bench.requests()
        shares = bench.shares()
        if with_dlt:
            costs["dlt tuned"] = bench.dlt("dlt tuned", "tuned", "dlt")
            costs["dlt Arrow"] = bench.dlt("dlt Arrow", "arrow", "dlt")
            costs["dlt no-op"] = bench.dlt("dlt, nothing new", "changes", "dlt")
        urllib.request.urlopen(f"{bench.url}/change", data=b"")
        costs["delta"] = bench.ours("sync, 1 % changed", "landing", "ours")
        costs["delta typing"] = bench.ours("typing of the 1 %", "typing", "ours")
        if with_dlt:
            costs["dlt delta"] = bench.dlt("dlt, 1 % changed, merged by key", "changes", "dlt")
    peaks = {records: costs["landing"]}
    for size in SIZES_FOR_MEMORY:
        with bench.serving(size):
            peaks[size] = bench.ours(f"landing of {size:,}", "landing", f"memory-{size}")
    return report(records, costs, peaks, imports, no_op_requests, shares)


def report(
    records: int,
    costs: Mapping[str, Cost],
    peaks: Mapping[int, Cost],
    imports: Cost,
    no_op_requests: int,
    shares: Sequence[tuple[str, float]],
) -> list[str]:
    """Return the results as ratios; goals that are missed say so."""
    floor = costs["floor"].cpu_s

    def line(name: str, case: str, *parts: str, goal: float | None = None) -> str:
        cpu_s = sum(costs[part].cpu_s for part in parts)
        share = floor / cpu_s
        verdict = "" if goal is None else f"{goal:g}: " + ("met" if share >= goal else "**missed**")
        peak_mb = max(costs[part].peak_mb for part in parts)
        return (
            f"| {name} | {case} | {cpu_s:.1f} | {records / cpu_s:,.0f} | {share:.2f} | {verdict} "
            f"| {peak_mb:.0f} |"
        )

    lines = [
        f"Written by `make bench` on {machine()}: {records:,} contacts of about 434 bytes, 15 "
        f"fields, objects nested two deep, {PER_PAGE:,} a page, over HTTP from a process of its "
        f"own. CPU-seconds of whole processes, start-up included, the lower of {REPEATS} runs of "
        "floor and landing. Read ratios, not seconds.",
        "",
        "| | case | CPU-s | rows per CPU-s | share of the floor's | goal | peak MB |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: |",
        line("floor", "requests, raw bytes read by DuckDB: no key, check or state", "floor"),
        line("Rapport", "to committed landing files", "landing", goal=0.7),
        line("Rapport", "the same and typed in staging", "landing", "typing", goal=0.4),
    ]
    if "dlt tuned" in costs:
        lines += [
            line("dlt", "Arrow tables, past the normalizer", "dlt Arrow"),
            line("dlt", "`rest_api`, tuned", "dlt tuned"),
        ]
    lines += ["", "| records | 1 % changed: CPU-s | nothing new: CPU-s |", "| --- | ---: | ---: |"]
    delta = costs["delta"].cpu_s, costs["delta typing"].cpu_s
    lines.append(
        f"| Rapport, landed and typed | {sum(delta):.1f} ({delta[0]:.1f} + {delta[1]:.1f}) "
        f"| {costs['no-op'].cpu_s:.1f} |"
    )
    if "dlt delta" in costs:
        lines.append(
            f"| dlt, merged by key | {costs['dlt delta'].cpu_s:.1f} "
            f"| {costs['dlt no-op'].cpu_s:.1f} |"
        )
    lines += ["", "| landed | " + " | ".join(f"{n:,}" for n in sorted(peaks)) + " |"]
    lines += ["| --- |" + " ---: |" * len(peaks)]
    lines += ["| peak MB | " + " | ".join(f"{peaks[n].peak_mb:.0f}" for n in sorted(peaks)) + " |"]
    lines += [
        "",
        f"- A sync with nothing new sends {no_op_requests} requests.",
        f"- `import connectors` costs {imports.cpu_s:.2f} CPU-s (goal: 0.3).",
    ]
    lines += ["- Where landing's CPU-seconds go, starting the process aside: "]
    lines[-1] += ", ".join(f"{part} {share:.0%}" for part, share in shares) + "."
    if "dlt tuned" in costs:
        tuned, arrow = costs["dlt tuned"].cpu_s, costs["dlt Arrow"].cpu_s
        both = costs["landing"].cpu_s + costs["typing"].cpu_s
        lines += [
            f"- Landing costs {tuned / costs['landing'].cpu_s:.1f} times less than dlt tuned "
            "(goal: 10).",
            f"- Landing and typing cost {arrow / both:.1f} times less than dlt's Arrow way "
            "(goal: 1).",
        ]
    else:
        lines.append("- dlt could not be installed where this ran: its cases are left out.")
    return lines


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        lines = run(Path(folder), records)
    write_section("From HTTP to typed tables", lines)


if __name__ == "__main__":
    main()
