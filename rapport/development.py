"""`rapport dev`: Dagster's UI on a configuration, with nothing empty.

Belongs here: what has to be true before Dagster starts. Does not belong here: any definition
(`assets`), that nothing of it outlives us (`processes`).
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from assets import instance
from connectors.errors import BuildError
from rapport import config as configuration
from rapport import demo
from rapport.dbt import ROOT
from rapport.processes import run_group


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
