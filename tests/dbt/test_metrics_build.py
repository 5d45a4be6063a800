"""The relationship tables, built by dbt itself: contracts, unit tests and kept history."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt.ledger import SNAPSHOT_TABLES, Ledger, Models, contents
from tests.dbt.test_metrics import AS_OF, random_world

PROJECT = Path(__file__).parents[2] / "dbt_project"
EARLIER = AS_OF - timedelta(days=31)
LATER = AS_OF + timedelta(days=7)
pytestmark = pytest.mark.dbt


@pytest.fixture
def warehouse(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Return a function that builds a world with dbt and returns the tables' contents."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    database = tmp_path / "build.duckdb"
    monkeypatch.setenv("RAPPORT_BUILD_DB", str(database))

    def build(ledger: Ledger, *arguments: str) -> dict[str, Any]:
        ledger.execute(f"attach '{database}' as warehouse")
        ledger.execute("create schema if not exists warehouse.control")
        for schema, table in ledger.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'build'"
        ).fetchall():
            if table not in models.seeds:
                ledger.execute(
                    f"create or replace table warehouse.{schema}.{table} "
                    f"as from build.{schema}.{table}"
                )
        ledger.execute("detach warehouse")
        result = dbtRunner().invoke(
            [
                *("--quiet", "build", "--select", "path:models/metrics"),
                *("default_behavior_weights", "asking_kind", "track_indicator", "track_quality"),
                *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
                *("--target-path", str(tmp_path), "--log-path", str(tmp_path), *arguments),
            ]
        )
        assert result.success, result.exception or [
            outcome.message for outcome in result.result if outcome.status in ("error", "fail")
        ]
        DuckDBConnectionManager.env().close()  # it stays open as long as the process
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            ledger.con = connection
            return contents(ledger, SNAPSHOT_TABLES)

    return build


def test_a_build_replaces_its_own_snapshots_and_keeps_all_others(
    models: Models, warehouse: Callable[..., dict[str, Any]]
) -> None:
    seed = random.Random(11).randrange(10**6)
    first = warehouse(random_world(models, random.Random(seed)))

    again = warehouse(random_world(models, random.Random(seed)))
    assert again == first, "the same snapshots stand once"

    next_week = random_world(models, random.Random(seed))
    next_week.execute("delete from control.snapshots")
    next_week.execute("update control.run set as_of = ?", [LATER])
    next_week.add("control.snapshots", {"as_of": LATER, "basis": "as_known"})
    later = warehouse(next_week, "--full-refresh")
    for table in SNAPSHOT_TABLES:
        assert set(first[table]) < set(later[table]), "history survives a full refresh"


def test_dbt_and_the_compiled_sql_give_the_same_rows(
    models: Models, warehouse: Callable[..., dict[str, Any]]
) -> None:
    world = random_world(models, random.Random(12)).build()
    expected = contents(world, SNAPSHOT_TABLES)
    for name in models.steps:
        world.execute(f"drop table {name}")
    assert warehouse(world) == expected
