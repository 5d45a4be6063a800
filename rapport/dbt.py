"""dbt as Rapport runs it: parsed once for every home, one process per build, results as data.

Belongs here: when the project is parsed, the process, and what it tells. Does not belong here:
what a build is and when it is due (`rapport.build`), how it looks in Dagster (`assets.dbt`).

Why not the `dbt` command: dbt parses the whole project again whenever the path of the database
differs from the last one, so for every home, and formats each of its thousands of debug events
whether anybody reads them or not. Each costs a fifth of a build. Here the parsed project comes
from a folder of its own, which dbt run by hand never touches, beside the SQL that metrics compile
to; and of what dbt would write at the end only the results are written.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from connectors.errors import BuildError

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "dbt_project"
DATABASE_NAME = "build.duckdb"  # its stem stands in every parsed name, so it is alike in all homes
TARGET_NAME = "dbt"
SUCCEEDED = ("success", "pass", "no-op", "warn")
PUBLISHED_PREFIXES = (
    "dim_", "fct_", "bridge_", "rel_", "ops_", "identity_claim", "identity_event",
    "identity_explanation", "identity_redirect", "identity_rule_standing", "identity_suggestion",
)  # fmt: skip
"""What the names of published tables begin with; of identity only what people read."""

LARGE = 500_000_000
"""Bytes of a database from which a build has DuckDB use one thread more than there are cores."""

_PARSED_STATE = "partial_parse.msgpack"
_RESULTS = "run_results.json"


@dataclass(frozen=True, kw_only=True)
class NodeResult:
    """What became of one model, seed or test.

    Attributes:
        unique_id: dbt's name of it.
        status: dbt's word: `success`, `pass`, `warn`, `fail`, `error` or `skipped`.
        seconds: how long it took.
        failures: rows that a test found; None if it is none.
        message: dbt's words.
    """

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str


def parsed_folder(project: Path = PROJECT) -> Path:
    """Return where the parsed project lies: `manifest.json` and dbt's own state."""
    return project / "target" / "parsed"


def is_stale(project: Path = PROJECT) -> bool:
    """Return whether the parsed project is absent or older than a file it was made from."""
    path = parsed_folder(project) / "manifest.json"
    if not path.exists():
        return True
    made = path.stat().st_mtime
    inputs = ("models", "macros", "seeds", "tests")
    files = [file for folder in inputs for file in (project / folder).rglob("*")]
    files += [project / "dbt_project.yml", project / "profiles.yml"]
    return any(file.stat().st_mtime > made for file in files)


def ensure_parsed(project: Path = PROJECT) -> None:
    """Run `dbt parse` if the project has changed since; of several processes one does.

    Raises:
        BuildError: the project cannot be parsed.
    """
    folder = parsed_folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not is_stale(project):
            return
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("dbt")), "--quiet", "--log-level-file", "none",
                "parse", *_folders(project, folder),
            ],
            env=_environment(Path(DATABASE_NAME)),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    if done.returncode:
        raise BuildError(f"dbt cannot parse {project.name}: {(done.stdout + done.stderr).strip()}")


def run(home: Path, arguments: Sequence[str], project: Path = PROJECT) -> list[NodeResult]:
    """Run a dbt command on the build database of `home` and return what became of each node.

    The SQL that was run and dbt's own results lie in `<home>/dbt`.

    Raises:
        BuildError: dbt ended without results; a node that failed is a result.
    """
    ensure_parsed(project)
    target = home / TARGET_NAME
    results = target / _RESULTS
    results.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "rapport.dbt", str(project), str(target), *arguments],
        env=_environment(home / DATABASE_NAME),
        capture_output=True,
        text=True,
        check=False,
    )
    if not results.exists():
        complaint = (done.stdout + done.stderr).strip() or f"Its exit status: {done.returncode}."
        raise BuildError(f"dbt failed; nothing was published. {complaint[-1000:]}")
    return [
        NodeResult(
            unique_id=result["unique_id"],
            status=result["status"],
            seconds=result["execution_time"],
            failures=result["failures"],
            message=" ".join((result["message"] or "").split()),
        )
        for result in json.loads(results.read_bytes())["results"]
    ]


def failure(results: Sequence[NodeResult], home: Path) -> BuildError | None:
    """Return what to raise for results of which some failed; None if all went well."""
    failed = [one for one in results if one.status not in (*SUCCEEDED, "skipped")]
    if not failed:
        return None
    told = " ".join(f"{one.unique_id.split('.')[2]}: {one.message}" for one in failed)
    return BuildError(
        f"dbt failed; nothing was published. {told[:1000]} "
        f"The SQL as run is in {home / TARGET_NAME / 'run'}."
    )


def _folders(project: Path, target: Path) -> list[str]:
    return [
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(target), "--log-path", str(target)),
    ]


def _environment(database: Path) -> dict[str, str]:
    return os.environ | {
        "RAPPORT_BUILD_DB": str(database),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _main(project: str, target: str, *arguments: str) -> None:
    """Be the process that `run` starts."""
    gc.disable()  # what dbt makes it keeps to its end, which is near; looking costs 1 CPU-s
    import duckdb
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    with duckdb.connect() as connection:
        [(cores,)] = connection.execute("select current_setting('threads')").fetchall()
    # dbt's second thread works in DuckDB, too. One thread more than there are cores costs a small
    # build half a CPU-s; a large one is a tenth quicker: no core waits for the last great table.
    database = Path(os.environ["RAPPORT_BUILD_DB"])
    is_large = database.exists() and database.stat().st_size >= LARGE
    os.environ["RAPPORT_ENGINE_THREADS"] = str(cores if is_large else max(1, cores - 1))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # matrices of models are small; idle threads spin
    state = (parsed_folder(Path(project)) / _PARSED_STATE).read_bytes()
    manifest = Manifest.from_msgpack(state, decoder=extended_mashumuro_decoder)
    # the manifest once more, and the graph: a third of a second
    silence = ("--log-level", "none", "--log-level-file", "none", "--no-write-json")
    folders = _folders(Path(project), Path(target))
    done = dbtRunner(manifest=manifest).invoke([*silence, *arguments, *folders])
    if isinstance(done.result, RunExecutionResult):
        done.result.write(str(Path(target) / _RESULTS))
    if done.exception:
        print(done.exception, file=sys.stderr)
    sys.exit(0 if done.success else 1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
