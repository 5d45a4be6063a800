"""Runs dbt on a landing that a test wrote, in process and without touching the project folder.

Belongs here: one function. Does not belong here: what is landed (`landing_fixture`).
"""

from __future__ import annotations

import os
from pathlib import Path

from dbt.contracts.graph.manifest import Manifest

from tests.dbt.landing_fixture import Landing

PROJECT = Path(__file__).parents[2] / "dbt_project"

_parsed: list[Manifest] = []


def build(database: Path, landing: Landing, *arguments: str) -> dict[str, str]:
    """Write the landing, run `dbt build` and return node name -> status; raise if one fails."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    landing.write(database)
    os.environ["RAPPORT_BUILD_DB"] = str(database)
    folders = [
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(database.parent), "--log-path", str(database.parent)),
    ]
    result = dbtRunner(manifest=_manifest(tuple(folders))).invoke(
        ["build", "--quiet", *arguments, *folders]
    )
    if result.exception is not None:
        raise result.exception
    DuckDBConnectionManager.env().close()  # it stays open as long as the process, which is a test
    statuses = {run.node.name: str(run.status) for run in result.result}
    failed = {
        run.node.name: run.message
        for run in result.result
        if run.status not in ("success", "pass", "no-op")
    }
    assert not failed, failed
    return statuses


def _manifest(folders: tuple[str, ...]) -> Manifest:
    """Parse the project once for all builds of a test session."""
    from dbt.cli.main import dbtRunner

    if not _parsed:
        parsed = dbtRunner().invoke(["parse", "--quiet", *folders])
        assert isinstance(parsed.result, Manifest), parsed.exception
        _parsed.append(parsed.result)
    # a run leaves its compiled text in the manifest, and ephemeral models would be taken from it
    return _parsed[0].deepcopy()
