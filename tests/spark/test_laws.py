"""The laws of the macros on Spark."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapport import spark
from tests.dbt.laws import broken

pytestmark = pytest.mark.dbt


def test_every_law_holds_on_spark(session: Path) -> None:
    folders = ("--target-path", str(session / "target"), "--log-path", str(session / "logs"))
    assert not broken("spark", *folders)


def test_what_is_missing_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    told = spark.missing()
    assert told and "\n" not in told
    assert "Java 17 or later is missing" in told
