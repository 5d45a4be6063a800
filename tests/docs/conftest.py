"""What the tests of the documentation share: the first page's commands, run once."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.fences import DOCS, Fence, fences, run, shell

PEOPLE = 200
SANDBOX_PORTS = 10
PATIENCE_S = 60


@dataclass
class FirstSteps:
    """The folder in which the first page was followed, and what each block printed."""

    folder: Path
    environment: dict[str, str]
    port: int
    printed: dict[Fence, str] = field(default_factory=dict)

    @property
    def demo(self) -> Path:
        """The home that `rapport demo` filled."""
        return self.folder / ".rapport" / "demo"


@pytest.fixture(scope="session")
def first_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstSteps]:
    """Follow `start.md` from top to bottom, with a smaller company at other ports.

    Its sandbox goes on serving, and its environment holds what the page exported.
    """
    folder = tmp_path_factory.mktemp("first_steps")
    port = free_ports()
    steps = FirstSteps(folder, shell(folder, people=PEOPLE, port=port), port)
    background: list[subprocess.Popen[bytes]] = []
    try:
        for fence in fences(DOCS / "start.md"):
            if fence.excuse or fence.language == "text":
                continue
            text = at_port(fence.text, port)
            if fence.title == "first terminal":
                background.append(started(text, folder, steps.environment))
                wait_for(port)
            elif fence.title:
                (folder / fence.title).write_text(text, encoding="utf-8")
            else:
                steps.printed[fence] = run(text, folder, steps.environment)
                for line in re.findall(r"^export (.+)$", text, re.M):
                    steps.environment |= dict(word.split("=", 1) for word in line.split())
        yield steps
    finally:
        for process in background:
            # Nothing softer is certain: who runs the tests may have made us deaf to it.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def at_port(text: str, port: int) -> str:
    """Return a text with the sandbox's usual ports moved to where this one serves."""
    return re.sub(
        r"127\.0\.0\.1:(88\d\d)", lambda found: f"127.0.0.1:{port + int(found[1]) - 8800}", text
    )


def free_ports() -> int:
    """Return a port from which on all that a sandbox may take are free."""
    for first in range(23_000, 32_000, SANDBOX_PORTS):
        if all(is_free(first + offset) for offset in range(SANDBOX_PORTS)):
            return first
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def started(text: str, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "-c", text], cwd=folder, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(port: int) -> None:
    """Wait until the sandbox serves."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the sandbox does not answer")
