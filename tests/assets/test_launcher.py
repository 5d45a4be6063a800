"""A run whose process is gone: it fails, gives its slots back, and a live one is left alone."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon.monitoring.concurrency import execute_concurrency_slots_iteration
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from assets import instance as instances
from assets.launcher import marked_alive

LOG = logging.getLogger(__name__)


@pytest.fixture
def instance(lab):
    with instances.prepare(lab.config) as prepared:
        yield prepared


def started(lab, instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    job = lab.definitions.resolve_job_def("sync_crm")
    return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)


def watch(instance: dg.DagsterInstance) -> None:
    """Do what the daemon does every half minute."""
    daemon = SimpleNamespace(instance=instance, create_request_context=lambda: None)
    assert not any(execute_run_monitoring_iteration(daemon, LOG))


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_of_a_killed_command_line_fails_and_gives_its_slot_back(lab, instance) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from assets.launcher import marked_alive\n"
        "with marked_alive(Path(sys.argv[1])) as tag:\n"
        "    print(next(iter(tag.values())), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, instance.root_directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=instances.SETTINGS.parent,
    )
    assert process.stdout is not None
    run = started(lab, instance, {"rapport/process": process.stdout.readline().strip()})
    storage = instance.event_log_storage
    assert storage.claim_concurrency_slot("crm", run.run_id, "crm__accounts").is_claimed
    watch(instance)
    assert status(instance, run) == dg.DagsterRunStatus.STARTED, "it lives"
    process.kill()
    process.communicate()
    watch(instance)
    assert status(instance, run) == dg.DagsterRunStatus.FAILURE
    assert not storage.claim_concurrency_slot("crm", "next", "crm__accounts").is_claimed
    long_ago = instance.run_monitoring_settings | {"free_slots_after_run_end_seconds": -60}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(instance), "run_monitoring_settings", property(lambda self: long_ago))
        list(execute_concurrency_slots_iteration(SimpleNamespace(instance=instance), LOG))
    assert storage.claim_concurrency_slot("crm", "next", "crm__accounts").is_claimed


def test_a_run_whose_server_is_gone_fails(lab, instance, tmp_path) -> None:
    gone = f'{{"host": "localhost", "socket": "{tmp_path}/gone.sock"}}'
    run = started(lab, instance, {GRPC_INFO_TAG: gone})
    watch(instance)
    assert status(instance, run) == dg.DagsterRunStatus.FAILURE


def test_a_run_in_this_process_lives_until_it_ends(lab, instance) -> None:
    from pathlib import Path

    with marked_alive(Path(instance.root_directory)) as tag:
        run = started(lab, instance, tag)
        assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
    assert not list((Path(instance.root_directory) / "processes").iterdir())
