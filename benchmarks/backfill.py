"""How much of a vendor's limit a first sync uses: one reader after another, and spans side by side.

`python -m benchmarks.backfill` serves a list that answers after 100 ms and takes 40 calls a second,
reads 8,000 records of it in both ways, and writes its section of `benchmarks/README.md`.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from benchmarks.costs import machine, write_section
from connectors import Backfill, Check, Landing, Page, Session, State, Stream, Window, sync_stream
from connectors.incremental import ChangeWalk, cut_walk
from connectors.records import pick, split

RECORDS, ROWS = 8_000, 20
CALLS_PER_S = 40
LATENCY_S = 0.1
SPANS = 16
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = Stream(name="things", key=("id",), fields=("id", "at"), cursor="at", spans=True)


class Handler(BaseHTTPRequestHandler):
    """Answers `/things?from=T&until=T&after=ID`: records a minute apart, by id."""

    protocol_version = "HTTP/1.1"
    wbufsize = 2**16  # an answer leaves in one piece

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        time.sleep(LATENCY_S)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        first, last = (
            (datetime.fromisoformat(asked[name]) - BEGIN) // timedelta(minutes=1)
            for name in ("from", "until")
        )
        last = min(last, RECORDS)
        first = max(first, 0, int(asked["after"]) + 1)
        shown = range(first, min(first + ROWS, last))
        things = [{"id": n, "at": (BEGIN + n * timedelta(minutes=1)).isoformat()} for n in shown]
        body = json.dumps({"things": things, "more": first + ROWS < last}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Vendor:
    """Reads the list, in spans or not."""

    type: ClassVar = "bench"
    name = "crm"

    def __init__(self, url: str, *, in_spans: bool) -> None:
        windows = ((CALLS_PER_S, 1.0),)
        self.session = Session(self.name, base_url=url, calls_per_window=windows)
        self.in_spans = in_spans

    def streams(self) -> Sequence[Stream]:
        return (STREAM,)

    def check(self) -> Check:
        return Check(ok=True, account="", detail="")

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        end = BEGIN + RECORDS * timedelta(minutes=1)
        walk = ChangeWalk.begin(stream, state, Window(now=end))
        if self.in_spans and window.may_span:
            spans = cut_walk(walk, BEGIN, SPANS)
            yield Page(backfill=Backfill(spans=spans, live=walk.done(), after=walk.done()))
            return
        yield from self._pages(walk)
        yield Page(state=walk.done())

    def read_span(self, stream: Stream, state: State) -> Iterator[Page]:
        return self._pages(ChangeWalk.of(state))

    def _pages(self, walk: ChangeWalk) -> Iterator[Page]:
        after: Any = -1 if walk.position is None else walk.position
        more = True
        while more:
            asked = {"from": (walk.start or BEGIN).isoformat(), "until": walk.end.isoformat()}
            body = self.session.fetch("GET", "/things", params=asked | {"after": str(after)})
            records = split(body, "things")
            more = bool(pick(body, "more"))
            after = pick(records[-1], "id") if records else after
            yield Page(records=records, state=walk.at(after))


def measure(url: str, *, in_spans: bool) -> tuple[int, int, float]:
    """Return records held, calls made and seconds taken by a first sync."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        result = sync_stream(Vendor(url, in_spans=in_spans), STREAM, Path(folder))
        seconds = time.monotonic() - began
        held = Landing(Path(folder)).stream("crm", "things").count()
    return held, result.requests, seconds


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lines = [
        f"A first sync of {RECORDS:,} records, {ROWS} a page, from a list that answers after "
        f"{LATENCY_S * 1000:.0f} ms and takes {CALLS_PER_S} calls a second ({machine()}).",
        "",
        "| read | records held | calls | seconds | use of the limit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for in_spans in (False, True):
        held, calls, seconds = measure(f"http://127.0.0.1:{server.server_port}", in_spans=in_spans)
        use = calls / (CALLS_PER_S * seconds)
        how = f"in {SPANS} spans, side by side" if in_spans else "one page after the other"
        lines.append(f"| {how} | {held:,} | {calls:,} | {seconds:.1f} | {use:.0%} |")
        print(lines[-1], flush=True)
    write_section("A long history, and the vendor's limit", lines)


if __name__ == "__main__":
    main()
