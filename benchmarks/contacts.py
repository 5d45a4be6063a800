"""A CRM of a few lines that serves contacts over HTTP, as fast as Python can.

Belongs here: the records that every case reads, and the server, which runs as a process of
its own: `python -m benchmarks.contacts RECORDS` prints its port. Pages are serialized before
the first request, so that serving costs next to nothing.

    GET /contacts?after=PAGE             all records, 1,000 a page, in the order of their ids
    GET /contacts?since=STAMP&after=PAGE  what changed since: nothing, until
    POST /change                         changes every hundredth record
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PER_PAGE = 1_000
BLOCK = 100
"""Pages that are different; the next block of pages repeats them with other ids."""

FIELDS = (
    "id createdAt updatedAt archived email firstname lastname phone jobtitle company stage score "
    "visits note address"
).split()
TITLES = ('Head of "Things"', "Büroleitung", "R&D / Labor", "経理", "Chief Herding Officer", "")
NOTES = (
    "met at the fair: asked for a call, prefers e-mail \\ no phone",
    "line one\nline two\twith a tab and an emoji 😀",
    "Grüße aus Köln, zufrieden mit der Lieferung",
    "asked about the last invoice",
)


def record(number: int, block: str, updated_at: str) -> dict[str, Any]:
    """Return contact `number` of a block: 15 fields, objects nested two deep, about 434 bytes."""
    pick = random.Random(number)
    created = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=pick.randrange(60_000_000))
    return {
        "id": f"7{block}{number:05d}",
        "createdAt": _text(created),
        "updatedAt": updated_at,
        "archived": False,
        "email": f"person{block}.{number}@example{pick.randrange(900)}.com",
        "firstname": pick.choice(("Ada", "Zoë", "Jürgen", "Grace", "Łukasz", "Mary Ann")),
        "lastname": pick.choice(("O'Neil", "Schmidt", "de la Cruz", "Hopper")),
        "phone": f"+49 30 {pick.randrange(10**7):07d}",
        "jobtitle": pick.choice(TITLES),
        "company": f"Example {pick.randrange(5000)} GmbH",
        "stage": pick.choice(("lead", "customer", "partner")),
        "score": round(pick.random() * 100, 4),
        "visits": pick.randrange(500),
        "note": pick.choice(NOTES) if pick.random() < 0.8 else None,
        "address": {
            "city": pick.choice(("Berlin", "São Paulo", "Lyon")),
            "zip": f"{pick.randrange(10**5):05d}",
            "geo": {"lat": round(pick.uniform(-90, 90), 5), "lon": round(pick.uniform(0, 90), 5)},
        },
    }


def any_stamp(number: int) -> str:
    """Return a stamp of the past year; in the order of ids they rise and fall."""
    seconds = random.Random(-number).randrange(30_000_000)
    return _text(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


class Contacts:
    """The pages of `records` contacts; `@@@@` stands for the number of the block."""

    def __init__(self, records: int) -> None:
        self.pages = records // PER_PAGE
        self.block = [
            _serialized(record(n, "@@@@", any_stamp(n)) for n in range(at, at + PER_PAGE))
            for at in range(0, min(self.pages, BLOCK) * PER_PAGE, PER_PAGE)
        ]
        self.changed: list[bytes] = []

    def change(self) -> None:
        """Change every hundredth record, now."""
        now = _text(datetime.now(UTC))
        numbers = range(0, self.pages * PER_PAGE, 100)
        rows = [record(n % (BLOCK * PER_PAGE), _block(n // (BLOCK * PER_PAGE)), now)
                | {"stage": "customer again"} for n in numbers]  # fmt: skip
        self.changed = [
            _serialized(rows[at : at + PER_PAGE]) for at in range(0, len(rows), PER_PAGE)
        ]

    def page(self, number: int, since: bool) -> bytes:
        """Return the body of a page; a last page names no next one."""
        if since:
            pages = len(self.changed)
            items = self.changed[number] if number < pages else b""
        else:
            pages = self.pages
            items = self.block[number % BLOCK].replace(b"@@@@", _block(number // BLOCK).encode())
        paging = b'{"next":{"after":"%d"}}' % (number + 1) if number + 1 < pages else b"{}"
        return b'{"results":[%b],"paging":%b}' % (items, paging)


def _block(number: int) -> str:
    return f"{number:04d}"


def _serialized(rows: Any) -> bytes:
    return b",".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows
    )


def serve(contacts: Contacts) -> None:
    """Serve until killed; print the port first."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            body = contacts.page(int(asked.get("after", ["0"])[0]), "since" in asked)
            self._answer(body)

        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            contacts.change()
            self._answer(b"{}")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(Contacts(int(sys.argv[1])))
