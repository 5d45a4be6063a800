"""What the tests on Spark share: whether Spark can run here, and one session for all.

Belongs here: skipping with one line that says what is missing. Does not belong here: what is
built or compared.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rapport import spark

HERE = Path(__file__).parent
MISSING = spark.missing()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MISSING:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=MISSING))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        terminalreporter.write_line(f"tests/spark skipped: {MISSING}")


@pytest.fixture(scope="session", autouse=True)
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spark's own settings for small tables, and a folder for what a session leaves behind."""
    folder = tmp_path_factory.mktemp("session")
    os.environ["SPARK_CONF_DIR"] = str(HERE / "conf")
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("RAPPORT_SPARK_HOME", str(folder))
    return folder
