"""Syncs in a process of their own, ended by `kill -9`: at a checkpoint's edge or at any moment.

Belongs here: the process that dies, and the one that starts it. A helper process imports everything
once and forks for each sync, for a fork of this process would take its threads' locks along.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from connectors import registry, sync_stream
from connectors.session import Session
from rapport.conformance.stage import SOURCE, narrowed


class Helper:
    """Starts syncs that are killed. See the module."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def sync(
        self,
        type_: str,
        settings: dict[str, Any],
        stream: str,
        home: Path,
        *,
        at: int | None = None,
        is_landed: bool = False,
        after_s: float | None = None,
        limits: Mapping[str, Any] | None = None,
        checkpoint_bytes: int = 1,
    ) -> bool:
        """Sync in another process and return whether it was killed before it ended.

        Args:
            at: kill at this checkpoint, counted from 1; `is_landed`: behind it, not before.
            after_s: or kill so many seconds after the start.
            limits: see `Stage.limits`. `checkpoint_bytes`: see `sync_stream`.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
        asked = {
            "type": type_, "settings": settings, "stream": stream, "home": str(home),
            "at": at, "is_landed": is_landed, "after_s": after_s, "limits": dict(limits or {}),
            "checkpoint_bytes": checkpoint_bytes,
        }  # fmt: skip
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip() == "killed"

    def close(self) -> None:
        """End the helper process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


@contextlib.contextmanager
def helping() -> Iterator[Helper]:
    """Yield a helper, which is ended with the block."""
    helper = Helper()
    try:
        yield helper
    finally:
        helper.close()


def _serve() -> None:
    """Read what to sync from standard input, a line each; answer `killed` or `ended`."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _die_in(asked)
            os._exit(0)
        if asked["after_s"] is not None:
            time.sleep(asked["after_s"])
            # Even if it has ended, its number is nobody else's until we have waited for it.
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("killed\n" if was_killed else "ended\n")
        sys.stdout.flush()


def _die_in(asked: dict[str, Any]) -> None:
    real_link, count = os.link, 0

    def link(*args: Any, **kwargs: Any) -> None:
        nonlocal count
        count += 1
        if count == asked["at"] and not asked["is_landed"]:
            os.kill(os.getpid(), signal.SIGKILL)
        real_link(*args, **kwargs)
        if count == asked["at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    home = Path(asked["home"])
    source = registry.open_source(SOURCE, asked["type"], asked["settings"], home=home)
    session = getattr(source, "session", None)
    if isinstance(session, Session):
        session.sleep = lambda _: None
    stream = next(s for s in source.streams() if s.name == asked["stream"])
    # A link gives a landing file its name.
    with mock.patch.object(os, "link", link), narrowed(asked["limits"]):
        sync_stream(source, stream, home, checkpoint_bytes=asked["checkpoint_bytes"])


if __name__ == "__main__":
    for name in ("duckdb", "hubspot", "simple_salesforce.api", "sqlalchemy"):
        importlib.import_module(name)  # once here rather than in each fork

    _serve()
