"""dbt as a process: parsed when the project has changed, and its results as data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connectors.errors import BuildError
from rapport import dbt


def result(name: str, status: str, message: str = "") -> dbt.NodeResult:
    return dbt.NodeResult(
        unique_id=f"model.rapport.{name}",
        status=status,
        seconds=0.1,
        failures=None,
        message=message,
    )


def test_a_failure_names_the_nodes_that_failed_and_where_their_sql_is(tmp_path: Path) -> None:
    results = [
        result("fct_case", "success"),
        result("dim_person", "error", "Binder Error: no column `nmae`"),
        result("rel_organization", "skipped"),
    ]
    told = str(dbt.failure(results, tmp_path))
    assert "nothing was published. dim_person: Binder Error: no column `nmae`" in told
    assert str(tmp_path / "dbt" / "run") in told
    assert "fct_case" not in told and "rel_organization" not in told


def test_warnings_and_skipped_nodes_alone_are_no_failure(tmp_path: Path) -> None:
    assert dbt.failure([result("a", "warn"), result("b", "no-op")], tmp_path) is None


@pytest.mark.parametrize("changed", ["models/a.sql", "profiles.yml"])
def test_a_project_is_parsed_again_when_a_file_is_newer(tmp_path: Path, changed: str) -> None:
    for name in ("models/a.sql", "dbt_project.yml", "profiles.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert dbt.is_stale(tmp_path)
    parsed = dbt.parsed_folder(tmp_path) / "manifest.json"
    parsed.parent.mkdir(parents=True)
    parsed.write_text("{}")
    assert not dbt.is_stale(tmp_path)
    made = parsed.stat().st_mtime
    os.utime(tmp_path / changed, (made + 1, made + 1))
    assert dbt.is_stale(tmp_path)


@pytest.mark.dbt
def test_a_project_that_cannot_be_parsed_says_so(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: broken\nprofile: none\n")
    (tmp_path / "profiles.yml").write_text("{}")
    with pytest.raises(BuildError, match="dbt cannot parse"):
        dbt.ensure_parsed(tmp_path)
