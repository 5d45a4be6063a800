"""A small organization: two sources that need no network, and a dbt project of four models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import msgspec
import pytest

from assets import wiring
from assets.resources import Sources, Warehouse
from connectors.base import Page, State, Stream, Window
from rapport import config as configuration
from rapport.build import BuildPlan, BuildResult
from rapport.config import Config
from rapport.dbt import ensure_parsed
from rapport.publish import Published

MINI_DBT = Path(__file__).parent / "mini_dbt"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
TREE = {
    "as_of": "2026-06-30",
    "schedule": "15 * * * *",
    "alerts": {"webhook": "${ALERTS}"},
    "sources": {
        "crm": {
            "type": "salesforce",
            "domain": "acme.my",
            "client_id": "${SF_ID}",
            "client_secret": "${SF_SECRET}",
            "schedule": "*/10 * * * *",
        },
        "forum": {
            "type": "discourse",
            "url": "https://community.example",
            "api_key": "${DISCOURSE_KEY}",
            "api_username": "rapport",
        },
    },
}


class FakeSource:
    """Two records per stream, each holding every allowed field; or an error."""

    def __init__(self, name: str, fails: Exception | None = None) -> None:
        self.name = name
        self.fails = fails
        self.extra: dict[str, Any] = {}
        self.reads = 0

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        self.reads += 1
        if self.fails:
            raise self.fails
        if "done" in state:
            return
        records = [
            msgspec.json.encode(
                {name.split(".")[0]: "2026-06-01T00:00:00Z" for name in stream.fields}
                | self.extra
                | dict.fromkeys(stream.key, number)
            )
            for number in (1, 2)
        ]
        yield Page(records=records, state={"done": True}, source_count=2)


@dataclass
class FakeSources(Sources):
    """Sources by name, from a dictionary."""

    fakes: dict[str, FakeSource] = field(default_factory=dict)

    def open(self, name: str) -> Any:
        return self.fakes.setdefault(name, FakeSource(name))


@dataclass
class FakeWarehouse(Warehouse):
    """A build database of one landed table; notes what was asked of it."""

    needed: bool = True
    poisoned: bool = False
    calls: list[str] = field(default_factory=list)

    def plan(self, run_id: str, as_of: date | None) -> BuildPlan:
        self.calls.append(f"plan {as_of}")
        day = as_of or date(2026, 6, 30)
        past = day < date(2026, 6, 30)
        plan = BuildPlan(
            needed=self.needed,
            reason="the test says so",
            as_of=day,
            known_at=datetime(2026, 7, 1, tzinfo=UTC),
            basis="backcast" if past else "as_known",
            full_refresh=False,
            fingerprint={},
        )
        self._plans[run_id] = plan
        return plan

    def plan_part(self, run_id: str, as_of: date | None) -> BuildPlan:
        plan = self._plans[run_id] = replace(self.plan(run_id, as_of), needed=True)
        return plan

    def prepare(self, plan: BuildPlan) -> None:
        self.calls.append("prepare")
        key = "null" if self.poisoned else "'1'"
        self.config.home.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(self.config.home / "build.duckdb")) as connection:
            connection.execute("create schema if not exists landing")
            connection.execute("create schema if not exists control")
            connection.execute(
                f"create or replace table landing.discourse__posts as select {key} as _key"
            )
            connection.execute(
                f"create or replace table control.run as select date '{plan.as_of}' as as_of"
            )

    def finish(self, plan: BuildPlan) -> BuildResult:
        self.calls.append("finish")
        return BuildResult(tables={"fct_interaction": 1, "rel_organization": 1}, untyped=0)

    def publish(self, run_id: str) -> Published:
        self.calls.append(f"publish {self._plans[run_id].as_of}")
        path = self.config.home / "warehouse.duckdb"
        shutil.copyfile(self.config.home / "build.duckdb", path)
        return Published(path=path, tables={"fct_interaction": 1}, as_of=self._plans[run_id].as_of)

    def render(self) -> Path:
        self.calls.append("render")
        page = self.config.home / "index.html"
        page.write_text("<html></html>")
        return page


@dataclass
class Lab:
    """One loaded location with fakes behind it."""

    config: Config
    sources: FakeSources
    warehouse: FakeWarehouse
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, job: str, day: str | None = "2026-06-30", **more: Any) -> Any:
        found = self.definitions.resolve_job_def(job)
        return found.execute_in_process(
            instance=self.instance,
            partition_key=day if found.partitions_def else None,
            raise_on_error=False,
            run_config=QUIET,
            **more,
        )


@pytest.fixture(scope="session")
def dbt_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dbt project, parsed once."""
    project = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(MINI_DBT, project)
    ensure_parsed(project)
    return project


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configuration.parse(TREE, tmp_path / "rapport.yml")


@pytest.fixture
def lab(config: Config, dbt_project: Path) -> Iterator[Lab]:
    sources = FakeSources(config)
    warehouse = FakeWarehouse(config)
    definitions = wiring.build_defs(
        config,
        project=dbt_project,
        sources=sources,
        warehouse=warehouse,
        retries=dg.RetryPolicy(max_retries=2, delay=0.01),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        yield Lab(config, sources, warehouse, definitions, instance)


def materialized(result: Any) -> Sequence[str]:
    """Return the keys of what a run materialized, in order."""
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
