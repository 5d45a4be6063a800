"""How Dagster learns that the process of a run is gone.

Belongs here: telling a dead run from a live one. Does not belong here: what happens then, which
are settings (`run_monitoring` and `run_retries` in `dagster.yaml`).

Dagster's own launcher leaves a run for ever "started" whose process was killed together with the
server that started it: a reboot, or memory that ran out. Such a run would keep its slot, and the
schedule of its job would wait for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value
from filelock import FileLock, Timeout

# A run of the command line is nobody's child: its process holds a lock that it names in this tag.
PROCESS_TAG = "rapport/process"


@contextmanager
def marked_alive(dagster_home: Path) -> Iterator[dict[str, str]]:
    """Yield the tag of runs that this process executes itself, and hold what it names."""
    name = secrets.token_hex(8)
    path = _lock_path(dagster_home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path):
            yield {PROCESS_TAG: name}
    finally:
        path.unlink(missing_ok=True)


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher of local processes, which can also tell whether one still lives."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Return that it does."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return RUNNING, or NOT_FOUND when the run's process is gone."""
        name = run.tags.get(PROCESS_TAG)
        if name:
            alive = _is_held(_lock_path(Path(self._instance.root_directory), name))
        else:
            alive = self._is_executed_by_its_server(run.run_id)
        if alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "Its process is gone.")

    def _is_executed_by_its_server(self, run_id: str) -> bool:
        client = self._get_grpc_client_for_termination(run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return False
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id))
        except DagsterUserCodeUnreachableError as error:
            # Only a server that is not there is dead; one that takes its time is busy.
            return "UNAVAILABLE" not in str(error)
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel


def _lock_path(dagster_home: Path, name: str) -> Path:
    return dagster_home / "processes" / f"{name}.lock"


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
