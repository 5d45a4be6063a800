"""A command that takes everything it started with it when it ends.

Belongs here: process groups and signals. Does not belong here: which command, and why.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 8.0  # for processes that were asked to stop


def run_group(
    command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> int:
    """Run a command and whatever it starts, none of which outlives this call.

    Dagster's web server, daemon and code servers would live on if the command alone were told to
    stop: a signal that asks us to goes to their whole process group, and what has not ended
    `PATIENCE_S` later is killed. Must be called in the main thread.

    Returns:
        The command's exit status; 128 and the signal's number if a signal ended it.
    """
    # In a session of its own it hears Ctrl-C once, from us, and not from the terminal as well.
    with subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True) as process:
        asked: list[float] = []

        def forward(number: int, _: object) -> None:
            asked.append(time.monotonic())
            _tell(process.pid, number)

        before = {number: signal.signal(number, forward) for number in STOP_SIGNALS}
        try:
            while process.poll() is None:
                if asked and time.monotonic() > asked[0] + PATIENCE_S:
                    _tell(process.pid, signal.SIGKILL)
                time.sleep(0.1)
            _end(process.pid)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _end(group: int) -> None:
    """Stop what a command left behind: by asking, then by force."""
    end = time.monotonic() + PATIENCE_S
    is_left = _tell(group, signal.SIGTERM)
    while is_left and time.monotonic() < end:
        time.sleep(0.1)
        is_left = _tell(group, 0)
    _tell(group, signal.SIGKILL)


def _tell(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether there is still one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False
