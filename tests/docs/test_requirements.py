"""The page of the requirements: every demand has its row, and no row claims what nothing shows."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
import yaml

from rapport import cli, reference
from rapport.dbt import PROJECT
from tests.docs.fences import ROOT

ROWS = reference.requirements()
COLUMNS = {
    model["name"]: {column["name"] for column in model["columns"]}
    for path in (PROJECT / "models").rglob("*.yml")
    for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ())
    if "columns" in model
}


@cache
def names_in(path: str) -> set[str]:
    """Return the names of the tests in a file of this repository."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_the_page_is_what_the_models_and_the_file_declare() -> None:
    page = reference.REQUIREMENTS_PAGE.read_text(encoding="utf-8")
    assert page == reference.requirements_page(), "run `python -m rapport.reference`"


def test_every_demand_has_its_row() -> None:
    assert list(ROWS) == list(range(1, 167))


@pytest.mark.parametrize("number", ROWS)
def test_a_row_is_shown_by_a_test_that_is_there_or_says_why_it_waits(number: int) -> None:
    row = ROWS[number]
    assert row.test or row.waits
    assert bool(row.by) == bool(row.test), "what answers it, and what shows that, go together"
    if row.test:
        path, _, name = row.test.partition("::")
        assert name in names_in(path)
    if row.waits:
        assert row.waits.endswith((".", "?")), "a sentence"


@pytest.mark.parametrize("number", [number for number, row in ROWS.items() if row.by])
def test_what_answers_a_demand_is_there(number: int) -> None:
    for place in ROWS[number].by:
        if not place.startswith("`"):
            table, _, column = place.partition(".")
            assert column in COLUMNS[table], place
        elif command := re.fullmatch(r"`rapport (\w+)`", place):
            assert command[1] in cli.main.commands
        elif re.fullmatch(r"`docs/\w+\.md`", place):
            assert (ROOT / place.strip("`")).is_file()
        elif re.fullmatch(r"`(fct|dim|bridge)_\w+`", place):
            assert place.strip("`") in COLUMNS


def test_the_models_say_the_same_as_the_file() -> None:
    told = {
        (number, place.partition(".")[0])
        for number, row in ROWS.items()
        for place in row.by
        if not place.startswith("`")
    }
    declared = {
        (number, model)
        for model, numbers in reference.answered_by_models().items()
        for number in numbers
    }
    assert told == declared


def test_every_relationship_table_answers_a_demand() -> None:
    tables = {name for name in COLUMNS if name.startswith("rel_")}
    assert len(tables) > 15
    assert {table for table in tables if not reference.answered_by_models().get(table)} == set()
