"""Fitting the models of buying, beside `lifetimes`: `python -m benchmarks.lifetime`.

Belongs here: the purchases of CDNOW as both are given them, our fits, and the page
`benchmarks/lifetime.md`. Does not belong here: the peer's fits (`lifetime_peer`), and whether
figures are as published (`tests/test_published_answers.py`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.costs import ROOT, machine
from rapport import lifetime

PAGE = ROOT / "benchmarks" / "lifetime.md"
PEER = ROOT / "benchmarks" / ".lifetimes-venv"
PEER_PACKAGES = ("lifetimes==0.11.3", "pandas<3", "pyarrow")
DATA = ROOT / "tests" / "data" / "cdnow.parquet"
REPEATS = 3

METHOD = """\
CDNOW to the end of September 1997: the 2,357 customers of the papers, and all 23,570. Both get the
same rows; grouping equal ones is part of our time. `lifetimes` is also timed on rows that were
grouped for it. CPU-seconds of the quickest of three fits in one process each, one after the other.
Read ratios, not seconds.
"""


def histories(path: Path) -> None:
    """Write one row per customer: repeats, weeks, mean spend of a repeat purchase day."""
    duckdb.sql(
        f"""
        copy (
            with days as (
                select customer, max(in_sample) as in_sample, "date"::date as day,
                    sum(dollars::decimal(9, 2)) as spend,
                    row_number() over (partition by customer order by "date") as number
                from '{DATA}' where "date" <= '1997-09-30' group by customer, "date"
            )
            select
                max(in_sample) as in_sample,
                count(*) - 1.0::double as repeats,
                (max(day) - min(day)) / 7.0::double as recency,
                (date '1997-09-30' - min(day)) / 7.0::double as age,
                coalesce(avg(spend) filter (where number > 1), 0)::double as mean_spend
            from days group by customer order by customer
        ) to '{path}' (format parquet)
        """
    )


def quickest(fit: Callable[[], lifetime.Fit]) -> dict[str, Any]:
    """Return what the peer prints of a fit, of ours."""
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        found = fit()
        seconds.append(time.process_time() - began)
    return {
        "seconds": min(seconds),
        "parameters": dict(found.parameters),
    }


def ours(path: Path) -> dict[str, Any]:
    """Return our fits of each population."""
    found = {}
    for name, condition in (("sample", "in_sample = 1"), ("all", "true")):
        columns = duckdb.sql(f"select * from '{path}' where {condition}").fetchnumpy()
        rows = {key: np.asarray(values, dtype=float) for key, values in columns.items()}
        history = [rows[key] for key in ("repeats", "recency", "age")]
        count = np.ones(len(history[0]))
        again = (rows["repeats"] > 0) & (rows["mean_spend"] > 0)
        spent = [rows[key][again] for key in ("repeats", "mean_spend")]
        found[name] = {
            "bg_nbd": quickest(lambda h=history, c=count: lifetime.fit_buying("bg_nbd", *h, c)),
            "mbg_nbd": quickest(lambda h=history, c=count: lifetime.fit_buying("mbg_nbd", *h, c)),
            "gamma_gamma": quickest(lambda s=spent: lifetime.fit_spending(*s, np.ones(len(s[0])))),
        }
    return found


def theirs(path: Path) -> dict[str, Any] | None:
    """Return the peer's, in an environment of its own, made now if it can be; None if not."""
    python = PEER / "bin" / "python"
    if not python.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
            pip = [str(python), "-m", "pip", "--quiet", "install", "--compile"]
            subprocess.run([*pip, *PEER_PACKAGES], check=True)
        except (OSError, subprocess.CalledProcessError):
            shutil.rmtree(PEER, ignore_errors=True)
            print("lifetimes cannot be installed here: nothing to compare with", file=sys.stderr)
            return None
    script = str(ROOT / "benchmarks" / "lifetime_peer.py")
    done = subprocess.run([str(python), "-W", "ignore", script, str(path)], capture_output=True,
                          text=True, check=True)  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def page(mine: dict[str, Any], peer: dict[str, Any]) -> str:
    """Return the page: seconds, ratio and parameters of every fit."""
    lines = [
        "# Fitting the models of buying",
        "",
        f"Measured {machine()}.",
        "",
        METHOD,
        "| customers | model | Rapport, s | lifetimes, s | times | Rapport | lifetimes |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for population, fits in peer.items():
        for name, told in fits.items():
            our = mine[population][name.removesuffix(" grouped")]
            lines.append(
                f"| {population} | {name} | {our['seconds']:.3f} | {told['seconds']:.3f} "
                f"| {told['seconds'] / our['seconds']:.1f} | {_figures(our)} | {_figures(told)} |"
            )
    return "\n".join(lines) + "\n"


def _figures(fit: dict[str, Any]) -> str:
    return ", ".join(f"{value:.3f}" for value in fit["parameters"].values())


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "histories.parquet")
        histories(path)
        peer = theirs(path)
        if peer is None:
            return 1
        text = page(ours(path), peer)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
