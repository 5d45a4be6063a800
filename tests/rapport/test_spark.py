"""Spark where it is not installed; `tests/spark` has the rest."""

from __future__ import annotations

import sys

import pytest

from rapport import spark


def test_without_pyspark_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert spark.missing() == (
        "PySpark is missing: run `make spark`, or install the extra `spark`."
    )
