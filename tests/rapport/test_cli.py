"""The command line, as somebody meets it who has made a mistake or whose vendor is ill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result

from rapport.cli import DONE, FAILED, WRONG, main
from tests.docs.conftest import free_ports
from tests.docs.fences import ROOT

KEY = "k3y-that-nobody-may-see"


def forum(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "discourse", "url": url, "api_key": "${FORUM_KEY}", "api_username": "r", **more}


def orders(path: str) -> dict[str, Any]:
    stream = {
        "path": path,
        "key": ["id"],
        "map": {"to": "purchase", "columns": {"occurred_at": "at", "amount": "total"}},
    }
    return {"type": "files", "silo": "orders", "streams": {"orders": stream}}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORUM_KEY", KEY)
    monkeypatch.delenv("RAPPORT_CONFIG", raising=False)
    monkeypatch.setattr("connectors.session.LONGEST_BACKOFF_S", 0.01)


def rapport(*arguments: str, sources: dict[str, Any] | None = None) -> Result:
    if sources is not None:
        Path("rapport.yml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert KEY not in result.output
    return result


@contextmanager
def vendor(status: int, body: bytes, content_type: str = "application/json") -> Iterator[str]:
    """Serve one and the same answer to everything; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "command", ["run", "check", "discover crm", "plan", "sync", "build", "status"]
)
def test_without_a_configuration_every_command_names_the_ways_on(command: str) -> None:
    result = rapport(*command.split())
    assert result.exit_code == WRONG
    for way in ("rapport demo", "--sandbox", "docs/configure.md"):
        assert way in result.output


def test_sandbox_without_one_running_says_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapport.demo.DEFAULT_PORT", 9)
    result = rapport("status", "--sandbox")
    assert result.exit_code == WRONG
    assert "Start one with `rapport sandbox`" in result.output


@contextmanager
def killed_at_last(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()


def test_a_sandbox_of_unknown_vendors_names_the_known_ones() -> None:
    result = rapport("sandbox", "--vendors", "salesfarce")
    assert result.exit_code == WRONG
    assert "--vendors: " in result.output
    assert "salesforce, hubspot" in result.output


def test_dagster_is_not_opened_on_a_demo_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapport.demo.DEMO_HOME", Path("no-demo-yet").resolve())
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    result = rapport("dev")
    assert result.exit_code == FAILED
    assert "the demo ended with status 1" in result.output


def test_a_sandbox_names_what_it_serves_and_sigterm_ends_it_well() -> None:
    port = free_ports()
    with subprocess.Popen(
        [sys.executable, "-m", "rapport.cli", "sandbox", "--people", "40", "--port", str(port)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, text=True,
    ) as process, killed_at_last(process):  # fmt: skip
        assert process.stdout
        told: dict[str, str] = {}
        for line in process.stdout:
            if "Ctrl-C" in line:
                assert "--sandbox" not in line, "it is not at the default ports"
                break
            name, address = line.split()
            told[name] = address
        shop = Path(".rapport/sandbox/shop.db").resolve()
        assert told["shop"] == f"sqlite:///{shop}"
        assert told["credentials"] == f"http://127.0.0.1:{port}/sandbox/credentials"
        with urllib.request.urlopen(told["credentials"], timeout=10) as answer:
            text = answer.read().decode()
        assert json.loads(text)["sources"]["crm"]["url"] == told["salesforce"]
        assert '\n  "sources": {' in text, "people read it"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "stopped\n"
        process.wait(timeout=10)
    assert process.returncode == DONE
    assert [path.name for path in shop.parent.iterdir()] == ["shop.db"], "no journal is left"


def test_a_typing_mistake_in_the_configuration_gets_a_suggestion() -> None:
    result = rapport("check", sources={"forum": forum("http://127.0.0.1:1", api_kee="x")})
    assert result.exit_code == WRONG
    assert "unknown key `sources.forum.api_kee`. Did you mean `api_key`?" in result.output


STRATEGY = "version: 1\nvision: {statement: Help, archetype: community}\n"


def shop_with_plans() -> dict[str, Any]:
    """An export that keeps the custom field `plan`."""
    Path("people.csv").write_text("id,email,plan\n1,a@b.org,gold\n")
    columns = {"email": "email", "custom": ["plan"]}
    people = {"path": "people.csv", "key": ["id"], "map": {"to": "person", "columns": columns}}
    return {"shop": {"type": "files", "streams": {"people": people}}}


def test_check_ends_with_a_line_about_the_strategy() -> None:
    sources = shop_with_plans()
    result = rapport("check", sources=sources)
    assert result.exit_code == DONE
    assert "no such file" in result.output.splitlines()[-1]
    Path("strategy.yml").write_text(STRATEGY + "segments: [{name: plan, from: {custom: plan}}]\n")
    result = rapport("check")
    assert result.exit_code == DONE
    path = Path("strategy.yml").resolve()
    assert result.output.splitlines()[-1] == f"ok   strategy (strategy.yml): {path}; 1 segment"
    assert json.loads(rapport("check", "--json").output)[-1]["source"] == "strategy"


def test_check_counts_what_people_say_of_who_is_who() -> None:
    Path("identity").mkdir()
    links = Path("identity/links.csv")
    links.write_text(
        "action,left,right,reason,author,date\n"
        "link,shop:people:1,shop:people:2,she married,dana,2026-06-30\n"
    )
    result = rapport("check", sources=shop_with_plans())
    assert result.exit_code == DONE
    assert result.output.splitlines()[-1].endswith("; 1 link")
    Path(".rapport").mkdir()
    with duckdb.connect(".rapport/build.duckdb") as connection:
        connection.execute(
            "create table identity_line as select 'identity/links.csv' as file, 2 as line, "
            "'left is nobody known' as problem"
        )
    result = rapport("check")
    assert result.exit_code == DONE
    assert result.output.splitlines()[-1].endswith(
        "; 1 link; in the last build identity/links.csv:2: left is nobody known"
    )
    with links.open("a") as file:
        file.write("unlink,shop:people:2,shop:people:1,no,dana,2026-06-30\n")
    result = rapport("check")
    assert result.exit_code == FAILED
    assert "identity/links.csv:3: it keeps `shop:people:2`" in result.output.splitlines()[-1]
    result = rapport("sync")
    assert result.exit_code == WRONG
    assert not Path(".rapport/landing").exists(), "before anything is fetched"


@pytest.mark.parametrize(
    ("command", "status"), [("check", FAILED), ("plan", WRONG), ("sync", WRONG), ("run", WRONG)]
)
def test_a_mistyped_custom_field_in_a_segment_is_found_before_anything_is_fetched(
    command: str, status: int
) -> None:
    Path("strategy.yml").write_text(STRATEGY + "segments: [{name: plan, from: {custom: plna}}]\n")
    result = rapport(command, sources=shop_with_plans())
    assert result.exit_code == status
    assert "segments.plan.from.custom is `plna`, which no source" in result.output
    assert "Did you mean `plan`?" in result.output
    assert not Path(".rapport/landing").exists()


@pytest.mark.parametrize("command", ["check", "plan", "sync", "run", "discover shop", "status"])
def test_a_mistake_in_the_strategy_stops_every_command(command: str) -> None:
    Path("strategy.yml").write_text(STRATEGY + "segmets: []\n")
    result = rapport(*command.split(), sources=shop_with_plans())
    assert result.exit_code in (FAILED, WRONG)
    assert "unknown key `segmets`. Did you mean `segments`?" in result.output


def test_discover_still_answers_when_a_segment_names_a_field_that_is_not_taken_yet() -> None:
    Path("strategy.yml").write_text(STRATEGY + "segments: [{name: tier, from: {custom: tier}}]\n")
    assert rapport("discover", "shop", sources=shop_with_plans()).exit_code == DONE


@pytest.mark.parametrize("command", ["check", "plan", "sync", "discover shop", "status", "build"])
def test_a_mistake_in_a_mapping_stops_every_command(command: str) -> None:
    shop = orders("orders.csv")
    shop["streams"]["orders"]["map"]["columns"]["amuont"] = "total"
    result = rapport(*command.split(), sources={"shop": shop})
    assert result.exit_code == WRONG
    assert "columns.amuont is no column of `purchase`. Did you mean `amount`?" in result.output


def test_a_missing_environment_variable_is_named_and_the_other_source_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FORUM_KEY")
    Path("orders.csv").write_text("id,at,total\n1,2026-01-02,3.50\n")
    sources = {"forum": forum("http://127.0.0.1:1"), "shop": orders("orders.csv")}
    result = rapport("sync", sources=sources)
    assert result.exit_code == WRONG
    assert "needs the environment variable `FORUM_KEY`" in result.output
    assert "shop.orders" in result.output


def test_a_mistyped_source_or_stream_gets_a_suggestion() -> None:
    sources = {"shop": orders("orders.csv")}
    assert "Did you mean `shop`?" in rapport("sync", "shp", sources=sources).output
    result = rapport("sync", "shop.oders")
    assert result.exit_code == WRONG
    assert "Did you mean `orders`?" in result.output


@pytest.mark.parametrize("command", ["discover", "plan"])
def test_discover_and_plan_take_the_names_that_sync_takes(command: str) -> None:
    Path("orders.csv").write_text("id,at,total\n1,2026-01-02,3.50\n")
    sources = {"shop": orders("orders.csv")}
    assert rapport(command, "shop.orders", sources=sources).exit_code == DONE
    for name, meant in (("shp", "shop"), ("shop.oders", "orders")):
        result = rapport(command, name)
        assert result.exit_code == WRONG
        assert f"Did you mean `{meant}`?" in result.output


def test_discover_needs_a_source() -> None:
    result = rapport("discover", sources={"shop": orders("orders.csv")})
    assert result.exit_code == WRONG
    assert "SOURCE" in result.output


@pytest.mark.parametrize("command", ["discover forum", "plan"])
def test_discover_and_plan_of_an_ill_vendor_end_in_one_clear_line(command: str) -> None:
    rapport(sources={"forum": forum("http://127.0.0.1:9")})
    result = rapport(*command.split())
    assert result.exit_code == FAILED
    assert result.output.count("rapport: forum") == 1
    assert "127.0.0.1:9" in result.output
    with vendor(200, b"<html>Maintenance</html>", "text/html") as url:
        rapport(sources={"forum": forum(url)})
        result = rapport(*command.split())
    assert result.exit_code == FAILED
    assert "which is not JSON" in result.output


@pytest.mark.parametrize("command", ["discover shop", "plan shop"])
def test_discover_and_plan_of_files_that_are_not_there_name_the_pattern(command: str) -> None:
    result = rapport(*command.split(), sources={"shop": orders("exports/*.csv")})
    assert result.exit_code == WRONG
    assert "no file matches `exports/*.csv`" in result.output


def test_an_export_is_discovered_and_planned_without_any_call() -> None:
    Path("orders.csv").write_text("id,at,total\n1,2026-01-02,3.50\n")
    found = json.loads(
        rapport("discover", "shop", "--json", sources={"shop": orders("orders.csv")}).output
    )
    names = [field["name"] for field in found["streams"][0]["fields"]]
    assert names == ["id", "at", "total"]
    [plan] = json.loads(rapport("plan", "--json").output)
    assert (plan["next"]["calls"], plan["next"]["records"]) == (0, 1)
    assert plan["calls_made_for_this_plan"] == 0
    assert "no calls; 1 records" in rapport("plan").output


def test_every_command_that_prints_a_table_prints_json_too() -> None:
    for command in ("demo", "run", "check", "discover", "plan", "sync", "build", "status"):
        assert "--json" in rapport(command, "--help").output


def test_an_unreachable_vendor_is_one_clear_line() -> None:
    result = rapport("check", sources={"forum": forum("http://127.0.0.1:9")})
    assert result.exit_code == FAILED
    assert result.output.startswith("FAIL forum (discourse): ")
    assert "forum: " not in result.output
    assert "127.0.0.1:9" in result.output


def test_a_refused_credential_is_one_clear_line() -> None:
    body = b'{"errors":["You are not permitted."],"error_type":"invalid_access"}'
    with vendor(403, body) as url:
        result = rapport("check", sources={"forum": forum(url)})
    assert result.exit_code == FAILED
    assert "FAIL forum (discourse): " in result.output
    assert "key" in result.output


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>Maintenance</html>", "text/html"),
        (b'{"users": [', "application/json"),
        (b"[1, 2, 3]", "application/json"),
    ],
)
def test_an_answer_that_is_not_what_it_claims_stops_its_stream_alone(
    body: bytes, content_type: str
) -> None:
    Path("orders.csv").write_text("id,at,total\n1,2026-01-02,3.50\n")
    with vendor(200, body, content_type) as url:
        sources = {"forum": forum(url), "shop": orders("orders.csv")}
        result = rapport("sync", sources=sources)
    assert result.exit_code == FAILED
    assert "rapport: forum." in result.output
    status = json.loads(rapport("status", "--json").output)
    held = {line["place"]: line["rows"] for line in status}
    assert held["shop.orders"] == 1
    assert held["forum.posts"] == 0


def test_bad_rows_of_an_export_are_counted_and_the_rest_lands() -> None:
    Path("orders.csv").write_text("id,at,total\n1,2026-01-02,3.50\n,2026-01-02,1\n3,x\n")
    assert rapport("sync", sources={"shop": orders("orders.csv")}).exit_code == DONE
    [line] = json.loads(rapport("status", "--json").output)
    assert line["rows"] == 1
    assert line["quarantined"] == {"no_key": 1, "ragged_row": 1}
    assert "no_key" in rapport("status").output


def test_a_sync_that_is_piped_cuts_no_name_and_says_what_is_next() -> None:
    Path("orders.csv").write_text("id,at,total\n1,2026-01-02,3.50\n,2026-01-02,1\n")
    export = orders("orders.csv")
    name = "orders_of_the_online_shop_and_of_every_fair_where_somebody_stood_and_sold"
    export["streams"] = {name: export["streams"]["orders"]}
    lines = rapport("sync", sources={"shop": export}).output.splitlines()
    [row] = [line.split() for line in lines if line.startswith(f"shop.{name} ")]
    assert row[1:5] == ["1", "0", "0", "1"]
    folder = Path(".rapport/quarantine/shop", name)
    assert f"1 record of shop.{name} is in quarantine (1 no_key): {folder.resolve()}" in lines
    assert list(folder.iterdir())
    assert lines[-1] == "next: `rapport build`"


def test_the_help_lists_only_what_is_built() -> None:
    listed = rapport("--help").output
    for command in "demo run check discover plan sync build status review explain sandbox".split():
        assert f"  {command} " in listed
    for later in ("erase", "compact"):
        assert f"  {later} " not in listed
