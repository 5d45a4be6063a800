"""What the tests of the relationship tables share: their SQL, compiled once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dbt.ledger import Models

PROJECT = Path(__file__).parents[2] / "dbt_project"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The metric models, compiled once."""
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("compiled")
    os.environ["RAPPORT_BUILD_DB"] = str(folder / "build.duckdb")
    result = dbtRunner().invoke(
        [
            *("--quiet", "compile", "--select", "path:models/metrics", "default_behavior_weights"),
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target-path", str(folder), "--log-path", str(folder)),
        ]
    )
    assert result.success, result.exception
    return Models(folder / "manifest.json", PROJECT / "seeds")
