"""Nobody clicks: Dagster's own processes on a company, one vendor of which refuses us.

Real `dagster-daemon` and `dagster-webserver`, started as docs/schedule.md tells, with everything
on a schedule of a minute. One story in the order of the tests, on one start of the processes.
It waits for the clock, four minutes and more, so it is told when asked for
(`make test-unattended`).
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import duckdb
import pytest
import requests
import yaml

from assets import instance as instances
from rapport import build
from rapport import config as configuration
from rapport.config import Config
from rapport.dbt import ROOT, ensure_parsed
from sandbox.server import Sandbox, serve

pytestmark = pytest.mark.unattended

WRONG_TOKEN = "pat-na1-00000000-0000-0000-0000-0123456789ab"
EVERY_MINUTE = "* * * * *"
DAYS_AHEAD = 2
LONG_S = 600.0  # for a busy machine; an idle one publishes a minute after the tick
Found = TypeVar("Found")


@pytest.fixture(scope="session", autouse=True)
def asked_for(pytestconfig: pytest.Config) -> None:
    if pytestconfig.option.markexpr != "unattended":
        pytest.skip("waits for the clock: make test-unattended")


@dataclass
class Site:
    """A server that runs unattended: its configuration, its history, its processes."""

    config: Config
    sandbox: Sandbox
    instance: dg.DagsterInstance
    alerts: list[dict[str, str]]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """Start one of Dagster's commands in a process group of its own."""
        command = [str(Path(sys.executable).with_name(name)), *arguments]
        command += ["--workspace", str(ROOT / "workspace.yaml")]
        log = self.config.home / f"{name}.log"
        with log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ
                | {
                    "RAPPORT_CONFIG": str(self.config.path),
                    "DAGSTER_HOME": str(instances.folder(self.config)),
                    "PYTHONPATH": str(ROOT),
                    "HUB_TOKEN": WRONG_TOKEN,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill -9 a command and all that it started, runs included."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def ask(self, query: str, **variables: Any) -> Any:
        """Return what the webserver answers to a GraphQL query, as the UI asks it."""
        answer = requests.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        )
        tree = answer.json()
        assert "errors" not in tree, tree
        return tree["data"]

    def runs(self, job: str, *statuses: dg.DagsterRunStatus) -> list[dg.RunRecord]:
        """Return the runs of a job, oldest first."""
        wanted = dg.RunsFilter(job_name=job, statuses=list(statuses))
        return list(self.instance.get_run_records(wanted, ascending=True))

    def publication(self) -> Path:
        """Return the published file itself, behind the links."""
        return (self.config.home / "warehouse.duckdb").resolve()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.config.home / "warehouse.duckdb"), read_only=True) as opened:
            return opened.execute(sql).fetchall()


def until(what: str, probe: Callable[[], Found], within_s: float) -> Found:
    """Return the first true answer of `probe`; fail by name when there is none in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(0.5)
    raise AssertionError(f"within {within_s:.0f} s: not {what}")


@pytest.fixture(scope="module")
def alerts() -> Iterator[tuple[str, list[dict[str, str]]]]:
    received: list[dict[str, str]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/T0KEN", received
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def site(
    alerts: tuple[str, list[dict[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    address, received = alerts
    home = tmp_path_factory.mktemp("site")
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS_AHEAD)
    with serve(
        people=150, seed=11, port=0, now=now, vendors=("salesforce", "discourse", "hubspot")
    ) as sandbox:
        config = write_config(home, sandbox, address)
        ensure_parsed()
        with instances.prepare(config) as instance:
            running = Site(config, sandbox, instance, received, port=free_port())
            try:
                running.start("dagster-daemon", "run")
                running.start(
                    "dagster-webserver", "--host", "127.0.0.1", "--port", str(running.port)
                )
                yield running
            finally:
                for name in list(running.processes):
                    running.kill(name)


def write_config(home: Path, sandbox: Sandbox, webhook: str) -> Config:
    """Write a rapport.yml with everything on the minute, and a token that the hub refuses."""
    known = sandbox.credentials
    known["sources"]["hub"]["access_token"] = "${HUB_TOKEN}"
    for source in known["sources"].values():
        source["schedule"] = EVERY_MINUTE
    tree = {
        "home": ".",
        "as_of": "now",
        "schedule": EVERY_MINUTE,
        "own_domains": known["own_domains"],
        "alerts": {"webhook": webhook},
        "sources": known["sources"],
    }
    path = home / configuration.CONFIG_NAME
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return configuration.load(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_first_tick_syncs_and_publishes_while_one_vendor_refuses_us(site: Site) -> None:
    until("published", lambda: counts_people(site), within_s=LONG_S)
    (published,) = site.query("select as_of, known_at from publication")
    assert published[0] == datetime.now(UTC).date()
    for source in ("crm", "forum"):
        first = site.runs(f"sync_{source}")[0].dagster_run
        assert first.status == dg.DagsterRunStatus.SUCCESS
        assert first.tags["dagster/schedule_name"] == f"sync_{source}_schedule"
    assert site.runs("sync_hub")[0].dagster_run.status == dg.DagsterRunStatus.FAILURE


def counts_people(site: Site) -> bool:
    return site.publication().exists() and site.query("from dim_person limit 1") != []


def test_schedules_and_the_alert_are_on_without_a_click(site: Site) -> None:
    known = until("loaded", lambda: definitions(site), within_s=LONG_S)
    assert {name for name, on in known.items() if on == "RUNNING"} >= {
        "sync_crm_schedule",
        "sync_forum_schedule",
        "sync_hub_schedule",
        "metrics_schedule",
        "failure_alert",
    }


def definitions(site: Site) -> dict[str, str]:
    """Return schedule or sensor -> its status, as the UI lists them."""
    try:
        data = site.ask(
            "{ repositoriesOrError { ... on RepositoryConnection { nodes {"
            " schedules { name scheduleState { status } }"
            " sensors { name sensorState { status } } } } } }"
        )
    except requests.ConnectionError:
        return {}
    return {
        entry["name"]: (entry.get("scheduleState") or entry["sensorState"])["status"]
        for node in data["repositoriesOrError"]["nodes"]
        for entry in (*node["schedules"], *node["sensors"])
    }


def test_the_failing_vendor_is_told_to_the_webhook_without_its_secret(site: Site) -> None:
    until("alerted", lambda: site.alerts, within_s=LONG_S)
    alert = site.alerts[0]
    failed = site.runs("sync_hub")[0].dagster_run
    assert alert["job"] == "sync_hub"
    assert alert["step"].startswith("hub__")
    assert alert["error"] == "AuthError"
    assert alert["message"].startswith("hub.")
    assert alert["run_url"].endswith(f"/runs/{failed.run_id}")
    assert {alert["job"] for alert in site.alerts} == {"sync_hub"}
    for path in site.config.home.rglob("*"):
        if path.is_file():
            assert WRONG_TOKEN.encode() not in path.read_bytes(), path
    assert WRONG_TOKEN not in json.dumps(site.alerts)


def test_a_past_day_is_backfilled_from_the_ui_and_no_other_number_moves(site: Site) -> None:
    until("at rest", lambda: is_at_rest(site), within_s=LONG_S)
    tables = snapshot_tables(site)
    ((today,),) = site.query("select as_of from publication")
    day = today - timedelta(days=100)
    before = {table: rows_of(site, table, today) for table in tables}
    assert not rows_of(site, "rel_organization", day)
    launched = site.ask(
        "mutation($ask: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $ask) {"
        " __typename ... on LaunchBackfillSuccess { backfillId } } }",
        ask={
            "assetSelection": [{"path": [table]} for table in tables],
            "partitionNames": [day.isoformat()],
            "fromFailure": False,
        },
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess"

    def ended() -> bool:
        backfill = site.ask(
            "query($id: String!) { partitionBackfillOrError(backfillId: $id) {"
            " ... on PartitionBackfill { status } } }",
            id=launched["backfillId"],
        )["partitionBackfillOrError"]
        assert "FAILED" not in backfill["status"]
        return bool(backfill["status"] == "COMPLETED_SUCCESS")

    until("backfilled", ended, within_s=LONG_S)
    for table in ("rel_organization", "rel_community_health"):
        bases = site.query(f"select distinct basis from {table} where as_of = '{day}'")
        assert bases == [("backcast",)], table
    assert {table: rows_of(site, table, today) for table in tables} == before


def snapshot_tables(site: Site) -> list[str]:
    """Return the assets with a partition per day, as the UI lists them."""
    nodes = site.ask("{ assetNodes { assetKey { path } isPartitioned } }")["assetNodes"]
    return sorted(node["assetKey"]["path"][-1] for node in nodes if node["isPartitioned"])


def rows_of(site: Site, table: str, day: date) -> list[tuple[Any, ...]]:
    return site.query(f"select * from {table} where as_of = '{day}' order by all")


def is_at_rest(site: Site) -> bool:
    """Return whether everything that has landed is published; time stands still meanwhile."""
    return not build.plan(site.config).needed


def test_after_a_kill_of_everything_the_next_ticks_go_on_with_what_is_new(site: Site) -> None:
    # Meetings are planned ahead.
    newest = "select max(occurred_at) from fct_interaction where occurred_at < now()"
    ((before,),) = site.query(newest)
    (killed, *_) = until(
        "syncing", lambda: site.runs("sync_crm", dg.DagsterRunStatus.STARTED), within_s=LONG_S
    )
    site.kill("dagster-daemon")
    site.sandbox.advance(days=DAYS_AHEAD)
    site.start("dagster-daemon", "run")
    until("published anew", lambda: site.query(newest)[0][0] > before, within_s=LONG_S)
    found = site.instance.get_run_by_id(killed.dagster_run.run_id)
    assert found is not None and found.status == dg.DagsterRunStatus.FAILURE
    assert site.runs("sync_crm", dg.DagsterRunStatus.SUCCESS)[-1].storage_id > killed.storage_id


def test_runs_of_a_job_never_pile_up(site: Site) -> None:
    for job in ("sync_crm", "sync_forum", "sync_hub", "metrics"):
        # What the daemon repeats after a crash may meet the next tick; the pool orders the two.
        runs = [run for run in site.runs(job) if run.dagster_run.parent_run_id is None]
        assert len(runs) > 1
        for run, following in itertools.pairwise(runs):
            assert run.end_time is not None
            assert run.end_time <= following.create_timestamp.timestamp() + 1, job
