"""The page of what three sources tell alone is what a build of them tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapport import alone
from tests.docs.conftest import FirstSteps

pytestmark = pytest.mark.demo


def test_three_sources_light_what_the_page_says_and_the_rest_says_what_it_waits_for(
    tmp_path: Path,
) -> None:
    """A build of its own, of one day: no other test has these three sources and no strategy."""
    found = alone.lit(alone.built(tmp_path))
    unknown = {(table, column) for table, one in found.items() for column in one.unknown}
    assert alone.unlit(found).keys() == unknown, "declared in alone.yml"
    assert alone.PAGE.read_text("utf-8") == alone.page(found), "run `python -m rapport.alone`"


def test_what_is_said_to_light_a_column_does_in_the_demo(first_steps: FirstSteps) -> None:
    found = alone.lit(first_steps.demo / "warehouse.duckdb")
    promised = alone.unlit(found, by_the_demo=True)
    assert len(promised) > 40
    dark = [
        f"{table}.{column}: {remedy}"
        for (table, column), remedy in promised.items()
        if column in found[table].unknown
    ]
    assert dark == []
