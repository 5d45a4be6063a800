"""Spark where it is not installed; `tests/spark` has the rest."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from connectors.errors import BuildError
from rapport import spark


def test_without_pyspark_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert spark.missing() == (
        "PySpark is missing: run `make spark`, or install the extra `spark`."
    )


def test_what_dbt_says_of_a_spark_that_is_not_there_is_passed_on(tmp_path: Path) -> None:
    if find_spec("dbt.adapters.spark"):
        pytest.skip("dbt-spark is installed, so dbt does not fail for want of it")
    with pytest.raises(BuildError, match=r"dbt failed on Spark: .*adapter"):
        spark._Dbt(tmp_path)
