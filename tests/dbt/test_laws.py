"""The laws of the macros on DuckDB; `tests/spark` holds Spark to the same."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.dbt.build import PROJECT
from tests.dbt.laws import broken

FOLDERS = ("models", "macros")


@pytest.mark.dbt
def test_every_law_holds_on_duckdb(tmp_path: Path) -> None:
    os.environ["RAPPORT_BUILD_DB"] = str(tmp_path / "build.duckdb")
    assert not broken("duckdb", "--target-path", str(tmp_path), "--log-path", str(tmp_path))


def test_replacing_the_first_match_or_all_is_the_same_everywhere() -> None:
    """DuckDB replaces the first match, Spark all; what both run is bound to an end of the text."""
    for folder in FOLDERS:
        for path in (PROJECT / folder).rglob("*.sql"):
            text = re.sub(r"(?s){% macro spark__.*?endmacro", "", path.read_text("utf-8"))
            for call in re.findall(r"regexp_replace\((?:[^']*'){2}", text):
                pattern = call.split("'")[1]
                assert pattern.startswith("^") or pattern.endswith("$"), (path.name, call)


def test_no_model_names_a_moment_as_one_engine_does() -> None:
    for path in (PROJECT / "models").rglob("*.sql"):
        assert "timestamptz" not in path.read_text("utf-8"), path.name


def test_nothing_asks_for_the_graph_which_a_build_of_a_parsed_project_lacks() -> None:
    for folder in FOLDERS:
        for path in (PROJECT / folder).rglob("*.sql"):
            assert not re.search(r"\bgraph\.", path.read_text("utf-8")), path.name
