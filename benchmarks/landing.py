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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

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

    def lowest(self, step: str, case: str, folder: str) -> Cost:
        """Run one of our cases `REPEATS` times from nothing and return the lowest of its costs."""
        costs = []
        for _ in range(REPEATS):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            costs.append(self.ours(step, case, folder))
        return Cost(step, min(c.cpu_s for c in costs), min(c.peak_mb for c in costs))


def compile_staging(folder: Path) -> None:
    """Let dbt compile the staging macro: for the first build and for one that adds rows."""
    import duckdb

    dbt = folder / "dbt"
    (dbt / "models").mkdir(parents=True)
    (dbt / "dbt_project.yml").write_text(PROJECT % (ROOT / "dbt_project" / "macros"))
    (dbt / "profiles.yml").write_text(PROFILE)
    (dbt / "models" / "contacts.sql").write_text(STAGING)
    (dbt / "models" / "sources.yml").write_text(SOURCES)
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet"]
    for name in ("first", "incremental"):
        with duckdb.connect(str(dbt / "compiled.duckdb")) as database:
            if name == "first":
                database.execute(CONTROL)
        if name == "incremental":
            subprocess.run([*command, "run"], cwd=dbt, check=True)
        subprocess.run([*command, "compile"], cwd=dbt, check=True)
        compiled = dbt / "target" / "compiled" / "bench" / "models" / "contacts.sql"
        sql = compiled.read_text().replace('"compiled".', "")
        (folder / "home").mkdir(exist_ok=True)
        (folder / f"{name}.sql").write_text(sql)


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
    compile_staging(folder / "ours" if (folder / "ours").mkdir() is None else folder)
    start = measure("import connectors", [sys.executable, "-c", "import connectors"], ROOT, {})
    peaks: dict[int, Cost] = {}
    with bench.serving(records):
        floor = bench.lowest("floor: requests, raw bytes read by DuckDB", "floor", "floor")
        landing = bench.lowest("landing", "landing", "again")
        shutil.move(folder / "again" / "home" / "landing", folder / "ours" / "home" / "landing")
        typing = bench.ours("typing in staging", "typing", "ours")
        noop = bench.ours("sync, nothing new", "landing", "ours")
        tuned = arrow = merged = idle = None
        if has_dlt():
            tuned = bench.dlt("dlt tuned", "tuned", "dlt")
            arrow = bench.dlt("dlt Arrow", "arrow", "dlt")
            idle = bench.dlt("dlt, nothing new", "changes", "dlt")
        urllib.request.urlopen(f"{bench.url}/change", data=b"")
        delta = bench.ours("sync, 1 % changed", "landing", "ours")
        delta_typing = bench.ours("typing of the 1 %", "typing", "ours")
        if tuned:
            merged = bench.dlt("dlt, 1 % changed, merged", "changes", "dlt")
    for size in SIZES_FOR_MEMORY:
        with bench.serving(size):
            peaks[size] = bench.ours(f"landing of {size:,}", "landing", f"memory-{size}")
    peaks[records] = landing
    return report(
        records, start, floor, landing, typing, noop, delta, delta_typing,
        (tuned, arrow, idle, merged), peaks,
    )  # fmt: skip
