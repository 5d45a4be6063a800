"""Real HTTP for the emulators: web servers that stay, and on which each test puts its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

OnStage = Callable[[Any], str]
"""Serves an ASGI application until the test ends, and returns its address."""


class Stage:
    """One web server; what it serves changes from test to test."""

    def __init__(self) -> None:
        self.app: Any = None
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(self, log_level="critical", date_header=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def stages() -> Iterator[list[Stage]]:
    """Servers started so far: as many as any one test has needed at once."""
    started: list[Stage] = []
    yield started
    for stage in started:
        stage.close()


@pytest.fixture
def on_stage(stages: list[Stage]) -> OnStage:
    """Serve emulators, each on a server of its own."""
    taken = iter(range(10))

    def put(app: Any) -> str:
        number = next(taken)
        if number == len(stages):
            stages.append(Stage())
        stages[number].app = app
        return stages[number].url

    return put
