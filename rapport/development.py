"""`rapport dev`: Dagster's UI on a configuration, with nothing empty.

Belongs here: what has to be true before Dagster starts, and that nothing of it outlives us. Does
not belong here: any definition (`assets`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from assets import instance
from connectors.errors import BuildError
from rapport import config as configuration
from rapport import demo
from rapport.dbt import ROOT

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 15.0  # for processes that were asked to stop


def open_dagster(path: Path | None, port: int) -> int:
    """Open Dagster on rapport.yml, or on the demo where there is none; return its exit status.

    The demo is run first if it has not been, and its sandbox is served meanwhile, so that
    schedules have something to sync.
    """
    given = path or os.environ.get(configuration.CONFIG_ENV) or Path(configuration.CONFIG_NAME)
    with ExitStack() as stack:
        if path is None and not Path(given).exists():
            given = _demo(stack)
        config = configuration.load(given)
        instance.prepare(config).dispose()
        environment = os.environ | {
            configuration.CONFIG_ENV: str(config.path),
            "DAGSTER_HOME": str(instance.folder(config)),
        }
        command = [
            str(Path(sys.executable).with_name("dagster")), "dev",
            "--workspace", str(ROOT / "workspace.yaml"), "--port", str(port),
        ]  # fmt: skip
        return run_group(command, environment, ROOT)


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


def _demo(stack: ExitStack) -> Path:
    from sandbox.server import serve

    home = demo.DEMO_HOME
    if not (home / "sandbox.json").exists():
        status = run_group([sys.executable, "-m", "rapport.cli", "demo"])
        if status:
            raise BuildError(f"the demo ended with status {status}; the lines above say why.")
    size = json.loads((home / "sandbox.json").read_text(encoding="utf-8"))
    running = stack.enter_context(
        serve(
            people=size["people"],
            seed=size["seed"],
            port=demo.base_port(),
            now=datetime.fromisoformat(size["now"]),
        )
    )
    return demo.write_config(home, running.credentials).path
