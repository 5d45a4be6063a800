"""What a process costs, and the page that the results go to.

Belongs here: what every benchmark of this folder measures with, and how it writes its section
of `benchmarks/README.md` without touching the others'. Does not belong here: what is measured.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "benchmarks" / "README.md"


@dataclass(frozen=True)
class Cost:
    """Cost of one process and its children: CPU-seconds and peak resident memory in MB."""

    step: str
    cpu_s: float
    peak_mb: float


def measure(step: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    """Run a command to its end and return what it cost; raise if it fails.

    The peak is the greatest of the process and its children, not their sum. It counts from
    what this process holds, so whoever measures memory must be small itself.
    """
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


def spent(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU-seconds a running process has used so far (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Return where and when this was measured, in words."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def write_section(title: str, lines: Sequence[str]) -> None:
    """Replace the section `# title` of the report, or add it; the others stay."""
    section = "\n".join([f"# {title}", "", *lines]).rstrip() + "\n"
    page = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    sections = [part for part in re.split(r"(?m)^(?=# )", page) if part.strip()]
    titles = [part.splitlines()[0] for part in sections]
    if f"# {title}" in titles:
        sections[titles.index(f"# {title}")] = section
    else:
        sections.append(section)
    REPORT.write_text("\n".join(part.rstrip() + "\n" for part in sections), encoding="utf-8")
    print(f"\nwritten to {REPORT.relative_to(ROOT)}")
