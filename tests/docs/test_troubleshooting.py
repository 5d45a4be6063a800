"""Every message that a user can meet is on the page, and nothing else is."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assets import dbt as wiring
from assets.resources import Warehouse
from connectors import registry, sync_stream
from connectors.base import Rejected
from connectors.errors import RapportError
from connectors.landing import Landing
from rapport import build, config, dbt, mapping, strategy
from tests.docs.fences import DOCS
from tests.docs.messages import NOT_SAID, Message, messages

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^`` ?(?P<message>.+?) ?``\n:   (?P<advice>.+(?:\n    .+)*)", re.M)


def entries() -> dict[str, str]:
    """Return message -> what the page says about it."""
    found = [(entry["message"], entry["advice"]) for entry in ENTRY.finditer(PAGE)]
    assert len(dict(found)) == len(found), "a message stands twice"
    return dict(found)


def test_every_message_in_the_source_is_explained() -> None:
    known = entries()
    absent = [f"{one.place}: {one.text}" for one in messages() if one.text not in known]
    assert not absent, "add to docs/troubleshooting.md:\n" + "\n".join(absent)


def test_no_message_is_explained_that_is_never_said() -> None:
    said = {one.text for one in messages()}
    assert not [entry for entry in entries() if entry not in said]


def test_every_reason_for_quarantine_is_explained() -> None:
    reasons = set(re.findall(r"`(\w+)`", (Rejected.__doc__ or "").partition("detail:")[0]))
    table = PAGE[PAGE.index("## Quarantine") : PAGE.index("## Build")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == reasons | {"untyped"}


# Messages that no other test provokes.


def load(text: str) -> Callable[[Path], object]:
    def say(folder: Path) -> object:
        (folder / "rapport.yml").write_text(text, encoding="utf-8")
        return config.load(folder)

    return say


def judge(text: str) -> Callable[[Path], object]:
    def say(folder: Path) -> object:
        (folder / "strategy.yml").write_text(PLAIN_STRATEGY + text, encoding="utf-8")
        return strategy.load(folder / "strategy.yml")

    return say


def opened(type_: str, **settings: Any) -> Callable[[Path], object]:
    return lambda folder: registry.open_source("one", type_, settings, home=folder, folder=folder)


def checked(type_: str, **settings: Any) -> Callable[[Path], object]:
    return lambda folder: opened(type_, **settings)(folder).check()  # type: ignore[attr-defined]


def mapped(text: str) -> Callable[[Path], object]:
    def say(folder: Path) -> object:
        loaded = load(text)(folder)
        assert isinstance(loaded, config.Config)
        return mapping.queries(build.mapped_streams(loaded, Landing(loaded.home)))

    return say


def built(folder: Path) -> object:
    loaded = load("sources: {}\n")(folder)
    assert isinstance(loaded, config.Config)
    return build.run_dbt(loaded, SimpleNamespace(arguments=["no-such-command"]))  # type: ignore[arg-type]


def published_alone(folder: Path) -> object:
    loaded = load("sources: {}\n")(folder)
    assert isinstance(loaded, config.Config)
    return Warehouse(loaded).publish("a run that built nothing")


def answered(type_: str, answers: dict[str, tuple[int, object]], **settings: Any) -> Any:
    """Check a source whose vendor answers by the end of the path; `settings` as in rapport.yml."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            found = (answer for end, answer in answers.items() if path.endswith(end))
            status, body = next(found, (404, {}))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_POST = do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    def say(folder: Path) -> object:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return checked(type_, url=f"http://127.0.0.1:{server.server_port}", **settings)(folder)
        finally:
            server.shutdown()
            server.server_close()

    return say


def landed_and_spoiled(folder: Path) -> object:
    """Land two files of one stream and spoil the older one."""
    (folder / "rapport.yml").write_text(
        "home: .\nsources: {shop: {type: files, streams: {orders: {path: '*.csv', key: id}}}}\n"
    )
    for day in (1, 2):
        (folder / f"{day}.csv").write_text(f"id\n{day}\n")
        source = config.load(folder).open("shop")
        sync_stream(source, source.streams()[0], folder)
    stream = Landing(folder).stream("shop", "orders")
    oldest, *_ = stream.files()
    oldest.write_bytes(b"spoiled")
    return list(stream.current_keys())


def locked_database(folder: Path) -> object:
    with (
        closing(sqlite3.connect(folder / "shop.db")) as database,
        pytest.MonkeyPatch.context() as at,
    ):
        at.setattr("connectors.database.LOCK_WAIT_S", 0)
        database.execute("create table orders (id integer, at text)")
        database.execute("begin exclusive")
        return checked("sql", url="sqlite:///shop.db", streams=ORDERS)(folder)


def timeless_clock(folder: Path) -> object:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.execute("create table orders (id integer, at text)")
        database.commit()
    settings = {"url": "sqlite:///shop.db", "clock": "select 'noon'", "streams": ORDERS}
    source = opened("sql", **settings)(folder)
    return sync_stream(source, source.streams()[0], folder)  # type: ignore[attr-defined, arg-type]


PLAIN_STRATEGY = "version: 1\nvision: {statement: To help each other, archetype: community}\n"
ORDERS = {"orders": {"table": "orders", "key": "id", "cursor": "at"}}
SAID_HERE: dict[str, Callable[[Path], object]] = {
    "…: …. Mend the file there.": load("sources:\n\tcrm: {}\n"),
    "… is not readable as YAML: ….": lambda folder: (
        (folder / "rapport.yml").write_bytes(b"home: \xff\xfe"),
        config.load(folder),
    ),
    "…: `…`: ….": load("own_domains: acme.com\n"),
    "…: `…` is missing. Add it.": load("sources: {forum: {type: discourse, api_key: k}}\n"),
    "…: sources.… has type `…`.… Known types: ….": load("sources: {crm: {type: salesfarce}}\n"),
    "…: sources.….silo is `…`.… Silos: ….": load(
        "sources: {orders: {type: files, silo: order, streams: {}}}\n"
    ),
    "…: the source name `…` is part of ids and folder names; use a small letter, then small "
    "letters, digits and `_`.": load("sources: {My CRM: {type: files, streams: {}}}\n"),
    "…: as_of is `…`; write `now` or a day like `2026-06-30`.": load("as_of: yesterday\n"),
    "…: behaviors.half_life_days.… is …. Write the days after which an act counts half, more "
    "than 0.": judge("behaviors: {half_life_days: {default: 0}}\n"),
    "…: `…` under … is part of tables; use a small letter, then small letters, digits and "
    "`_`.": judge("segments: [{name: My Tier, from: {column: industry}}]\n"),
    "…: the name `…` under … is taken. Choose another.": judge(
        "segments: [{name: silo, from: {column: industry}}]\n"
    ),
    "…: `client_secret` is missing. Add it, or `username` with `private_key`.": checked(
        "salesforce", client_id="app", domain="acme.my"
    ),
    "…: `domain` is missing. Write your My Domain, like `acme.my`.": checked(
        "salesforce", client_id="app", client_secret="s"
    ),
    "…: Salesforce gave up on a query (…). Run the sync again later.": answered(
        "salesforce",
        {
            "/token": (
                200,
                {"access_token": "t", "instance_url": "https://acme.my.salesforce.com"},
            ),
            "": (400, [{"errorCode": "QUERY_TIMEOUT", "message": "took too long"}]),
        },
        client_id="app",
        client_secret="s",
        domain="acme.my",
    ),
    "…: `…` answers something that is not HubSpot's API. Check `url` in rapport.yml.": answered(
        "hubspot", {"": (200, {})}, client_id="app", client_secret="s", refresh_token="r"
    ),
    "…: a landing file cannot be read (…). Restore it from a backup, or move the stream's folder "
    "away and sync again.": landed_and_spoiled,
    "…: `…` failed… (…). Try again later.": locked_database,
    "sources.….clock tells `…`, which is no time. Let it select a single one, as `select now()` "
    "does.": timeless_clock,
    "…: `key` is empty. Name the columns that identify a row.": opened(
        "sql", url="sqlite:///a.db", streams={"orders": {"table": "a", "key": [], "cursor": "b"}}
    ),
    "sources.….url names no SQLite file. Write `sqlite:///file.db`, or four slashes for a path "
    "from the root.": checked("sql", url="sqlite://", streams=ORDERS),
    "`…` is not parsed. Start by `rapport dev` or `rapport run`, which do it.": wiring.manifest,
    "dbt cannot parse …: …": dbt.ensure_parsed,
    "dbt failed; nothing was published. …": built,
    "the tables of the last build cannot be gone on with: …. Run the job `metrics` once, then "
    "this.": published_alone,
    "….…: the mapped fields `…` and `…` differ in case alone, which SQL cannot tell apart. "
    "Rename one in the export.": mapped(
        "sources: {crm: {type: files, streams: {people: {path: a.csv, key: id, "
        "map: {to: person, columns: {email: Email, name: email}}}}}}\n"
    ),
}


@pytest.mark.parametrize("message", SAID_HERE)
def test_this_message_is_said_when_it_should_be(message: str, tmp_path: Path) -> None:
    with pytest.raises(RapportError) as caught:
        SAID_HERE[message](tmp_path)
    known = Message("", "", message)
    assert known.fits(str(caught.value)), str(caught.value)


def test_what_cannot_be_provoked_is_still_in_the_source() -> None:
    assert NOT_SAID.keys() <= {one.text for one in messages()}
