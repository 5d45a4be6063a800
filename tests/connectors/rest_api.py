"""A small product with a REST API, in the manners of several real ones, on real HTTP.

What each manner does is what its vendor documents:

    redmine   offset and limit, `total_count`; a limit above the most is cut in silence
    github    page and per_page, `Link` header; `since`
    django    address of the next page in the body
    slack     cursor in the body, empty at the end
    stripe    records after the last id, `has_more`
    plain     page numbers of a fixed size, nothing else
    search    a POST whose JSON body has filters, `from` and `size`
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TICK = timedelta(seconds=1)


@dataclass
class Table:
    """Records by id, and a clock that moves with every request."""

    most: int = 100
    now: datetime = BEGAN
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    gone: dict[int, dict[str, Any]] = field(default_factory=dict)
    following: int = 1

    def add(self, title: str = "new") -> int:
        number = self.following
        self.following += 1
        self.rows[number] = {"id": number, "title": title, "updated_at": self.stamp}
        return number

    def edit(self, number: int, title: str) -> None:
        self.rows[number] |= {"title": title, "updated_at": self.stamp}

    def delete(self, number: int) -> None:
        self.gone[number] = self.rows.pop(number) | {"updated_at": self.stamp, "deleted": True}

    @property
    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def truth(self) -> dict[str, str]:
        return {str(number): row["title"] for number, row in self.rows.items()}

    def listed(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        """Return the rows that a list shows, in its order."""
        rows = list(self.rows.values())
        if asked.get("archived") == "true":
            rows = list(self.gone.values())
        elif asked.get("with_deleted") == "true":
            rows += self.gone.values()
        if since := asked.get("since"):
            rows = [row for row in rows if row["updated_at"] >= since]
        if until := asked.get("until"):
            rows = [row for row in rows if row["updated_at"] < until]
        order = asked.get("sort", "id")
        rows.sort(key=lambda row: (row[order.lstrip("-")], row["id"]))
        return rows[::-1] if order.startswith("-") else rows


class Product:
    """Serves a `Table`; `before` is called with the number of each request."""

    def __init__(self) -> None:
        self.table = Table()
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.before: Callable[[int], None] = lambda number: None
        self.special: Callable[[str, str, dict[str, str], dict[str, str]], Any] = (
            lambda method, path, asked, headers: None
        )
        product = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                product.answer(self, body)

            do_POST = do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def start_over(self, **settings: Any) -> Table:
        self.__dict__ |= {"table": Table(**settings), "asked": [], "before": lambda number: None}
        return self.table

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        split = urlsplit(request.path)
        asked = dict(parse_qsl(split.query))
        headers = dict(request.headers)
        if body and request.headers.get("Content-Type", "").startswith("application/x-www"):
            asked |= dict(parse_qsl(body.decode()))
        elif body:
            asked |= {"json": body.decode()}
        if request.command != "HEAD":
            self.asked.append((split.path, asked, headers))
            self.before(len(self.asked))
            self.table.now += TICK
        told = self.special(request.command, split.path, asked, headers)
        if told is None:
            manner = getattr(self, split.path.strip("/").split("/")[0] or "root")
            told = (200, {}, manner(asked))
        status, more, content = told
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        request.send_response_only(status)
        request.send_header("Date", format_datetime(self.table.now, usegmt=True))
        request.send_header("Content-Type", "application/json")
        for name, value in {**self._headers, **more}.items():
            request.send_header(name, value)
        self._headers: dict[str, str] = {}
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(text)

    _headers: dict[str, str] = {}  # noqa: RUF012

    # Manners

    def root(self, asked: dict[str, str]) -> Any:
        return {}

    def redmine(self, asked: dict[str, str]) -> Any:
        rows = self.table.listed(asked)
        limit = min(int(asked.get("limit", 25)), self.table.most)
        offset = int(asked.get("offset", 0))
        return {"issues": rows[offset : offset + limit], "total_count": len(rows),
                "offset": offset, "limit": limit}  # fmt: skip

    def countless(self, asked: dict[str, str]) -> Any:
        told = self.redmine(asked)
        return {"issues": told["issues"]}

    def github(self, asked: dict[str, str]) -> Any:
        rows = self.table.listed(asked)
        each = min(int(asked.get("per_page", 30)), self.table.most)
        page = int(asked.get("page", 1))
        if page * each < len(rows):
            query = "&".join(f"{k}={v}" for k, v in {**asked, "page": str(page + 1)}.items())
            self._headers = {"Link": f'<{self.url}/github?{query}>; rel="next", <x>; rel="last"'}
        return rows[(page - 1) * each : page * each]

    def django(self, asked: dict[str, str]) -> Any:
        rows = self.table.listed(asked)
        after = int(asked.get("after", 0))
        rows = [row for row in rows if row["id"] > after]
        page = rows[: self.table.most]
        more = {**asked, "after": str(page[-1]["id"])} if len(rows) > len(page) else None
        following = "&".join(f"{k}={v}" for k, v in more.items()) if more else None
        return {"results": page, "next": following and f"/django?{following}"}

    def slack(self, asked: dict[str, str]) -> Any:
        rows = self.table.listed(asked)
        after = int(asked.get("cursor", "c0")[1:])
        rows = [row for row in rows if row["id"] > after]
        page = rows[: min(int(asked.get("limit", 100)), self.table.most)]
        more = f"c{page[-1]['id']}" if len(rows) > len(page) else ""
        return {"ok": True, "messages": page, "response_metadata": {"next_cursor": more}}

    def stripe(self, asked: dict[str, str]) -> Any:
        after = int(asked.get("starting_after", 0))
        rows = [row for row in self.table.listed(asked) if row["id"] > after]
        limit = min(int(asked.get("limit", 10)), self.table.most)
        return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit}

    def plain(self, asked: dict[str, str]) -> Any:
        page, each = int(asked.get("page", 0)), self.table.most
        return self.table.listed(asked)[page * each : (page + 1) * each]

    def search(self, asked: dict[str, str]) -> Any:
        told = json.loads(asked["json"])
        since = told["filter"]["since"]
        rows = self.table.listed({"since": since, "sort": "updated_at"})
        first, size = told["page"]["from"], min(told["page"]["size"], self.table.most)
        page = rows[first : first + size]
        return {"hits": {"items": page, "total": len(rows)}}
