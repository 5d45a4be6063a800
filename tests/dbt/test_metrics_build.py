"""The relationship tables, built by dbt itself: contracts, unit tests and kept history."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from rapport import restatement
from tests.dbt.ledger import SNAPSHOT_TABLES, Ledger, Models, contents, noon
from tests.dbt.test_metrics import AS_OF, random_world

PROJECT = Path(__file__).parents[2] / "dbt_project"
METRICS = PROJECT / "models" / "metrics"
EARLIER = AS_OF - timedelta(days=31)
LATER = AS_OF + timedelta(days=7)
NOWHERE = Path("nowhere")
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

    def build(ledger: Ledger, *arguments: str, published: Path = NOWHERE) -> dict[str, Any]:
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
        ledger.execute(
            "create or replace table warehouse.main.identity_event as from control.identity_event"
        )
        ledger.execute("detach warehouse")
        with duckdb.connect(str(database)) as connection:
            restatement.load(connection, published, {}, reads_anew=False)
        result = dbtRunner().invoke(
            [
                *("--quiet", "build", "--select", "path:models/metrics", "ops_restatement"),
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


def told(database: Path) -> list[dict[str, Any]]:
    """The rows of `ops_restatement`."""
    return ask(database, "select * from ops_restatement order by all")


def ask(database: Path, sql: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def cell(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["as_of"], row["table_name"], row["column_name"]


def grain(table: str) -> list[str]:
    """The columns of which no two rows of a table have the same."""
    [model] = yaml.safe_load((METRICS / f"{table}.yml").read_text("utf-8"))["models"]
    [key] = [test["primary_key"] for test in model["data_tests"] if "primary_key" in test]
    columns: list[str] = key["arguments"]["columns"]
    return columns


def different(before: Path, after: Path) -> Counter[tuple[Any, ...]]:
    """Count the rows that differ between two databases, per day, table and column."""
    found: Counter[tuple[Any, ...]] = Counter()
    for table in SNAPSHOT_TABLES:
        old, new = (
            {tuple(row[name] for name in grain(table)): row for row in rows}
            for rows in (ask(database, f"select * from {table}") for database in (before, after))
        )
        for key in old.keys() | new.keys():
            if key not in old or key not in new:
                found[key[0], table, "*"] += 1
            else:
                changed = {name for name, value in new[key].items() if value != old[key][name]}
                found.update((key[0], table, name) for name in changed - {"known_at"})
    return found


def test_every_snapshot_table_is_watched_by_what_names_its_rows() -> None:
    """The tables that a restatement compares are all that keep a slice per day."""
    macro = (PROJECT / "macros" / "restatement.sql").read_text("utf-8").split("{% endmacro %}")[0]
    watched = {
        table: re.findall(r"\w+", keys)
        for table, keys in re.findall(r"'(rel_\w+)': \[(.*?)\]", macro)
    }
    keeping = {
        path.stem
        for path in (PROJECT / "models").rglob("*.sql")
        if "config(**snapshot_table())" in path.read_text("utf-8")
    }
    assert watched.keys() == keeping == set(SNAPSHOT_TABLES)
    assert {table: ["as_of", "basis", *keys] for table, keys in watched.items()} == {
        table: grain(table) for table in keeping
    }


def test_a_build_replaces_its_own_snapshots_keeps_all_others_and_says_what_it_restates(
    models: Models, warehouse: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """A whole story on few builds, each of which costs seconds."""

    def world(days: int) -> Ledger:
        ledger = random_world(models, random.Random(11))
        ledger.execute("update control.run set known_at = known_at + to_days(?)", [days])
        return ledger

    build, published = tmp_path / "build.duckdb", tmp_path / "warehouse.duckdb"
    first = warehouse(world(0))
    shutil.copy(build, published)
    assert told(build) == []

    warehouse(world(1), published=published)
    assert not different(published, build), "the same landing gives the same bytes"
    assert told(build) == []
    shutil.copy(build, published)

    def with_late(days: int) -> Ledger:
        ledger = world(days)
        landed = ledger.known_at + timedelta(days=1, hours=5)
        late = {"thread_id": "act-0001", "loaded_at": landed}
        ledger.act("forum:posts:late", "per_005", noon(EARLIER), "answer", **late)
        return ledger

    warehouse(with_late(2), published=published)
    rows = told(build)
    assert {(row["as_of"], row["cause"], row["late_records"]) for row in rows} == {
        (EARLIER, "1 late record: forum.posts 1", 1)
    }
    changed = different(published, build)
    assert {cell(row): row["rows_changed"] for row in rows} == {
        place: count for place, count in changed.items() if place[0] != AS_OF
    }
    assert any(day == AS_OF for day, *_ in changed), "which is not over, so it is filled up"
    wrote = {cell(row): row for row in rows}[EARLIER, "rel_community_health", "contributions"]
    assert int(wrote["value_after"]) == int(wrote["value_before"]) + 1

    # That was not published: a week later the same is said of what people have seen, once.
    next_week = with_late(9)
    next_week.execute("delete from control.snapshots where as_of <> ?", [EARLIER])
    next_week.execute("update control.run set as_of = ?", [LATER])
    next_week.add("control.snapshots", {"as_of": LATER, "basis": "as_known"})
    later = warehouse(next_week, "--full-refresh", published=published)
    for table in SNAPSHOT_TABLES:
        assert len(first[table]) < len(later[table]), "history survives a full refresh"
    afresh = {"known_at_after": rows[0]["known_at_after"] + timedelta(days=7)}
    assert told(build) == [row | afresh for row in rows]


def test_dbt_and_the_compiled_sql_give_the_same_rows(
    models: Models, warehouse: Callable[..., dict[str, Any]]
) -> None:
    world = random_world(models, random.Random(12)).build()
    expected = contents(world, SNAPSHOT_TABLES)
    for name in models.steps:
        world.execute(f"drop table {name}")
    assert warehouse(world) == expected
