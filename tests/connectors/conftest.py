"""Real HTTP on loopback: ASGI emulators (`serve`), and a vendor of a few lines (`vendor`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
import uvicorn

CURRENT = """
    select _key, arg_max({'op': _op, 'into': _merged_into, 'record': record}, (_version, _seq))
    from read_parquet(?) group by _key
"""


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serve an ASGI app on a free port and return its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any) -> str:
        config = uvicorn.Config(app, port=0, log_level="error", date_header=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        running.append((server, thread))
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def landed(tmp_path: Path) -> Callable[[str], dict[str, tuple[str, str | None, str | None]]]:
    """Return key -> (op, merged into, record) of the current rows of `source.stream`."""

    def read(place: str) -> dict[str, tuple[str, str | None, str | None]]:
        files = str(tmp_path / "landing" / place.replace(".", "/") / "*.parquet")
        rows = duckdb.execute(CURRENT, [files]).fetchall()
        return {key: (row["op"], row["into"], row["record"]) for key, row in rows}

    return read


@dataclass
class Answer:
    """One HTTP answer; `lie` promises more bytes than are sent."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    lie: int = 0


class Vendor:
    """Answers with `answer(path)`; keeps the requests it was sent."""

    def __init__(self) -> None:
        self.answer: Callable[[str], Answer] = lambda path: Answer()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self.rfile.read(length)
                vendor.requests.append((self.command, self.path, dict(self.headers)))
                answer = vendor.answer(self.path)
                self.send_response_only(answer.status)
                headers = {
                    "Date": self.date_time_string(),
                    "Content-Type": "application/json",
                    **answer.headers,
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body) + answer.lie))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)
                if answer.lie:
                    self.close_connection = True

            do_POST = do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def in_turn(self, *answers: Answer) -> None:
        """Give these answers one after the other, the last one for ever."""
        left = list(answers)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    yield made
    made.close()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer
