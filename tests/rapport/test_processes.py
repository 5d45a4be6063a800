"""`rapport dev` leaves nothing behind, however it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.fences import ROOT

CHILDREN = 3
PATIENCE_S = 20

STARTER = f"""
import subprocess, sys, time
children = [
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    for _ in range({CHILDREN})
]
with open("children", "w") as file:
    file.write(" ".join(str(child.pid) for child in children) + "\\n")
LAST
"""
"""Starts others as Dagster does, and does nothing for them when it is told to stop."""


def started(last: str, folder: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Run the starter as `rapport dev` runs Dagster; return it with its children's ids."""
    command = [sys.executable, "-c", STARTER.replace("LAST", last)]
    ours = (
        f"import sys; from rapport.development import run_group; sys.exit(run_group({command!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", ours],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    told = folder / "children"
    end = time.monotonic() + PATIENCE_S
    while not (told.exists() and told.read_text().endswith("\n")):
        assert time.monotonic() < end, "nothing was started"
        time.sleep(0.05)
    return process, [int(word) for word in told.read_text().split()]


def is_running(process: int) -> bool:
    """Tell whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_dagster_and_all_it_started(number: int, tmp_path: Path) -> None:
    process, children = started("time.sleep(600)", tmp_path)
    assert len(children) == CHILDREN and all(map(is_running, children))
    process.send_signal(number)
    process.wait(timeout=PATIENCE_S)
    assert not list(filter(is_running, children))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_what_dagster_leaves_behind_when_it_fails_ends_too(tmp_path: Path) -> None:
    process, children = started("sys.exit(3)", tmp_path)
    assert process.wait(timeout=PATIENCE_S) == 3
    assert not list(filter(is_running, children))
