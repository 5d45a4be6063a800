"""How dbt writes tables on DuckDB: what replaces what, what stays, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

PROJECT = Path(__file__).parents[2] / "dbt_project"
SETTINGS = {
    "name": "rapport",
    "profile": "rapport",
    "flags": {"send_anonymous_usage_stats": False},
    "models": {"+persist_docs": {"relation": True, "columns": True}},
}
SOURCE = {"name": "control", "schema": "control", "tables": [{"name": "snapshots"}]}
COLUMNS = {"basis": "varchar", "as_of": "date", "told": "varchar"}
WIDER = COLUMNS | {"share": "decimal(2, 1)"}
ROWS = "select {} from {{{{ source('control', 'snapshots') }}}}"
KEPT = "{{{{ config(**snapshot_table()) }}}} " + ROWS
VIEW = "{{{{ config(materialized='view') }}}} select {}"
TABLE = VIEW.replace("view", "table")
PYTHON = "import pyarrow\n\ndef model(dbt, session):\n    return pyarrow.table({{'told': ['{}']}})"
BUILDS = (
    (
        *("2026-01-01", COLUMNS),
        {
            "rel_kept": KEPT.format("as_of, basis, 'a' as told"),
            "rel_fails": KEPT.format("as_of, basis, 'a' as told"),
            "rel_is_wrong": KEPT.format("as_of, basis, 'a' as told"),
            "rel_has_more": KEPT.format("as_of, basis, 'a' as told"),
            "was_view": VIEW.format("'a' as told"),
            "was_table": TABLE.format("'a' as told"),
            "of_python": PYTHON.format("a"),
        },
    ),
    (
        *("2026-01-02", COLUMNS),
        {
            "rel_kept": KEPT.format("as_of, basis, 'b' as told"),
            "was_view": TABLE.format("'b' as told"),
            "was_table": TABLE.format("'b' as told, 1 as more"),
            "of_python": PYTHON.format("b"),
        },
    ),
    (
        *("2026-01-02", WIDER),
        {
            "rel_kept": KEPT.format("2.5 as share, basis, as_of, 'c' as told"),
            "rel_fails": KEPT.format("2.5 as share, as_of, basis, error('no more')::text as told"),
            "rel_is_wrong": KEPT.format("2.5 as share, as_of, basis, 1 as told"),
            "rel_has_more": KEPT.format("2.5 as share, as_of, basis, 'c' as told, 1 as unnamed"),
            "was_table": TABLE.format("error('no more')::text as told"),
        },
    ),
)
"""Day, columns under contract, and the models that are new or changed."""
pytestmark = pytest.mark.dbt


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the macros of ours; dbt is slow to start, so its builds serve all tests."""
    folder = tmp_path_factory.mktemp("writing")
    (folder / "models").mkdir()
    (folder / "macros").mkdir()
    for macros in ("writing.sql", "metrics/snapshots.sql"):
        shutil.copy(PROJECT / "macros" / macros, folder / "macros")
    shutil.copy(PROJECT / "profiles.yml", folder)
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(SETTINGS))
    return folder


@pytest.fixture(scope="module")
def complaints(home: Path) -> Sequence[Sequence[str]]:
    """What dbt complained of in each of the builds."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    found = []
    for day, columns, models in BUILDS:
        with duckdb.connect(str(home / "build.duckdb")) as connection:
            connection.execute("create schema if not exists control")
            connection.execute(
                "create or replace table control.snapshots as "
                f"select date '{day}' as as_of, 'as_known' as basis"
            )
        described = [
            {
                "name": name,
                "description": f"It's of {day}",
                "config": {"contract": {"enforced": True}},
                "columns": [
                    {"name": column, "data_type": of, "description": f"{column} of {day}"}
                    for column, of in columns.items()
                ],
            }
            for name in BUILDS[0][2]
            if name.startswith("rel_")
        ]
        properties = yaml.safe_dump({"models": described, "sources": [SOURCE]})
        (home / "models" / "described.yml").write_text(properties)
        for name, text in models.items():
            (home / "models" / f"{name}.{'py' if text.startswith('import') else 'sql'}").write_text(
                text
            )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAPPORT_BUILD_DB", str(home / "build.duckdb"))
            done = dbtRunner().invoke(
                ["--quiet", "run", "--project-dir", str(home), "--profiles-dir", str(home)]
            )
        DuckDBConnectionManager.env().close()  # it stays open as long as the process
        assert done.exception is None, done.exception
        found.append([one.message for one in done.result if one.status != "success"])
    return found


def ask(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "build.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.usefixtures("complaints")
def test_a_table_of_snapshots_keeps_other_days_gains_columns_and_is_described_anew(
    home: Path,
) -> None:
    rows = ask(home, "select as_of::varchar, basis, told, share::varchar from rel_kept order by 1")
    assert rows == [("2026-01-01", "as_known", "a", None), ("2026-01-02", "as_known", "c", "2.5")]
    assert ask(home, "select comment from duckdb_tables() where table_name = 'rel_kept'") == [
        ("It's of 2026-01-02",)
    ]
    comments = "select column_name, comment from duckdb_columns() where table_name = 'rel_kept'"
    assert dict(ask(home, comments)) == {name: f"{name} of 2026-01-02" for name in WIDER}


@pytest.mark.usefixtures("complaints")
def test_a_table_stands_in_the_place_of_the_last_whatever_that_was_and_no_other_is_left(
    home: Path,
) -> None:
    tables = (
        "select table_name, table_type from information_schema.tables "
        "where table_schema = 'main' order by 1"
    )
    assert ask(home, tables) == [(name, "BASE TABLE") for name in sorted(BUILDS[0][2])]
    for name in ("was_view", "of_python"):
        assert ask(home, f"select told from {name}") == [("b",)], name


def test_a_table_stays_as_it_was_when_its_build_fails_or_its_contract_is_broken(
    home: Path, complaints: Sequence[Sequence[str]]
) -> None:
    *before, last = complaints
    assert before == [[], []]
    assert sum("no more" in one for one in last) == 2
    assert sum("data type mismatch" in one for one in last) == 1
    assert sum("unnamed" in one for one in last) == 1
    assert len(last) == 4
    assert ask(home, "select told, more from was_table") == [("b", 1)]
    for name in ("rel_fails", "rel_is_wrong", "rel_has_more"):
        rows = ask(home, f"select as_of::varchar, told from {name} order by 1")
        assert rows == [("2026-01-01", "a"), ("2026-01-02", "a")], name
