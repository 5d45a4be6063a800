"""Servers that nobody here wrote, on loopback, each on data of its own; absent ones are skipped."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from tests.connectors.test_sql import Cluster, cluster

__all__ = ["cluster"]

REDMINE = Path("/usr/share/redmine")
REDMINE_DATABASE = Path(
    "/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default"
)
REDMINE_KEY = "0123456789abcdef0123456789abcdef01234567"
BOOT_S = 240


@pytest.fixture(scope="session", autouse=True)
def asked_for(pytestconfig: pytest.Config) -> None:
    """Skip unless these were asked for: they take minutes, and install a server."""
    if pytestconfig.option.markexpr != "real":
        pytest.skip("reads real servers: make test-real")


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(BOOT_S * 2):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            requests.get(url, timeout=30)
            return
        except requests.RequestException:
            time.sleep(0.5)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="session")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run Debian's Redmine on a copy of its database, with 230 issues, and return its address."""
    if not (shutil.which("puma") and REDMINE_DATABASE.is_file()):
        pytest.skip(
            "Redmine is not installed (`apt-get install --no-install-recommends redmine "
            "redmine-sqlite puma`)"
        )
    folder = tmp_path_factory.mktemp("redmine")
    shutil.copy(REDMINE_DATABASE, folder / "db.sqlite3")
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
        fill(database)
    port, log = free_port(), folder / "log"
    environment = {
        **os.environ,
        "X_DEBIAN_SITEID": "default",
        "RAILS_ENV": "production",
        "DATABASE_URL": f"sqlite3:{folder / 'db.sqlite3'}",
        "RAILS_LOG_TO_STDOUT": "1",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["puma", "-b", f"tcp://127.0.0.1:{port}", "-t", "2:4", "--dir", str(REDMINE)],
            cwd=REDMINE, env=environment, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def fill(database: sqlite3.Connection) -> None:
    """Turn the API on, give the administrator a key, and make a project with issues."""
    run = database.execute
    now = "datetime('now')"
    run(f"insert into settings(name, value, updated_on) values ('rest_api_enabled', '1', {now})")
    run("update users set must_change_passwd = 0 where id = 1")
    run(
        "insert into tokens(user_id, action, value, created_on, updated_on) "
        f"values (1, 'api', '{REDMINE_KEY}', {now}, {now})"
    )
    run(
        "insert into projects(id, name, identifier, is_public, status, lft, rgt, created_on, "
        f"updated_on) values (1, 'Help', 'help', 1, 1, 1, 2, {now}, {now})"
    )
    run("insert into projects_trackers select 1, id from trackers")
    run("insert into enabled_modules(project_id, name) values (1, 'issue_tracking')")
    for number in range(1, 231):
        # Many share a second, as after an import.
        stamp = f"datetime('2026-01-01', '+{number // 40} minutes')"
        run(
            "insert into issues(id, tracker_id, project_id, subject, status_id, priority_id, "
            "author_id, root_id, lft, rgt, created_on, updated_on) "
            f"values ({number}, 1, 1, 'Issue {number}', 1, 2, 1, {number}, 1, 2, {stamp}, {stamp})"
        )
    database.commit()


SYNAPSE = Path(os.environ.get("RAPPORT_SYNAPSE", Path.home() / ".cache/rapport-real/synapse"))
SYNAPSE_SETTINGS = """
listeners:
  - port: {port}
    type: http
    tls: false
    bind_addresses: ["127.0.0.1"]
    resources: [{{names: [client], compress: false}}]
registration_shared_secret: only-for-tests
trusted_key_servers: []
suppress_key_server_warning: true
# Ten times what it allows unasked: limits are met, and a test does not take minutes.
rc_message: {{per_second: 2, burst_count: 10}}
"""


@dataclass(frozen=True)
class Synapse:
    """A running server; users are made when they log in first."""

    url: str

    def login(self, user: str) -> str:
        register = SYNAPSE / "bin/register_new_matrix_user"
        subprocess.run(
            [register, "-u", user, "-p", "pw", "--no-admin", "-k", "only-for-tests", self.url],
            check=True, capture_output=True,
        )  # fmt: skip
        told = requests.post(
            f"{self.url}/_matrix/client/v3/login",
            json={
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": user},
                "password": "pw",
            },
            timeout=60,
        )
        return str(told.json()["access_token"])


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """Run a Matrix Synapse with nobody in it."""
    python = SYNAPSE / "bin/python"
    if not python.exists():
        pytest.skip(
            "Matrix Synapse is not installed (a virtual environment with `pip install "
            "matrix-synapse` at ~/.cache/rapport-real/synapse, or where RAPPORT_SYNAPSE says)"
        )
    folder, port = tmp_path_factory.mktemp("synapse"), free_port()
    server = [str(python), "-m", "synapse.app.homeserver", "--config-path", "server.yaml"]
    make = ["--server-name", "test.local", "--generate-config", "--report-stats=no"]
    subprocess.run(
        [*server, *make, "--data-directory", str(folder)],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "more.yaml").write_text(SYNAPSE_SETTINGS.format(port=port), encoding="utf-8")
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*server, "--config-path", "more.yaml"], cwd=folder, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(f"{url}/_matrix/client/versions", process, log)
        yield Synapse(url)
    finally:
        process.terminate()
        process.wait(30)


BLUESKY = Path(os.environ.get("RAPPORT_BLUESKY", Path.home() / ".cache/rapport-real/bluesky"))


@dataclass(frozen=True)
class Network:
    """Running servers: the host of the accounts, and the one that shows what all of them wrote."""

    pds: str
    appview: str


@pytest.fixture(scope="session")
def bluesky(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Network]:
    """Run the PDS and the AppView of Bluesky's developers, with nobody in them."""
    if not (BLUESKY / "node_modules/@atproto/dev-env").is_dir() or not shutil.which("node"):
        pytest.skip(
            "Bluesky's servers are not installed (CONTRIBUTING.md; `npm install @atproto/dev-env` "
            "in ~/.cache/rapport-real/bluesky, or where RAPPORT_BLUESKY says)"
        )
    if not shutil.which("redis-server"):
        pytest.skip("Redis is not installed (`apt-get install redis-server`)")
    with sa.create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT").connect() as run:
        run.execute(sa.text("create role bluesky superuser login password 'bluesky'"))
        run.execute(sa.text("create database bluesky"))
    folder, redis_port = tmp_path_factory.mktemp("bluesky"), free_port()
    log = folder / "log"
    database = f"postgresql://bluesky:bluesky@127.0.0.1:{cluster.port}/bluesky"
    environment = {
        **os.environ,
        "DB_POSTGRES_URL": database,
        "REDIS_HOST": f"127.0.0.1:{redis_port}",
        "LOG_ENABLED": "false",
    }
    with log.open("wb") as out:
        redis = subprocess.Popen(
            ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", ""],
            cwd=folder, stdout=out, stderr=out,
        )  # fmt: skip
        servers = subprocess.Popen(
            ["node", str(Path(__file__).with_name("bluesky.cjs")), str(BLUESKY)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True,
        )  # fmt: skip
    try:
        assert servers.stdin and servers.stdout
        line = servers.stdout.readline()
        assert line, log.read_text()[-2000:]
        yield Network(**json.loads(line))
        servers.stdin.close()
    finally:
        servers.kill()
        servers.wait(30)
        redis.terminate()
        redis.wait(30)
