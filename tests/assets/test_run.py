"""Running jobs from Python, with a history that stays."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from assets import instance as instances
from assets import run as running
from assets import wiring
from connectors import salesforce
from connectors.errors import AuthError, ConfigError, QuotaSpent, RapportError


@pytest.fixture
def wired(lab, dbt_project, monkeypatch):
    """The lab, with `run_job` using its fakes and a small dbt project."""

    def build_defs(config, **more):
        lab.sources.on_event = lab.warehouse.on_event = more["on_event"]
        return wiring.build_defs(
            config, project=dbt_project, sources=lab.sources, warehouse=lab.warehouse, **more
        )

    monkeypatch.setattr(running, "build_defs", build_defs)
    monkeypatch.setattr(running, "ensure_parsed", lambda: None)
    return lab


@pytest.mark.dbt
def test_everything_is_run_quietly_and_recorded_in_the_home_folder(wired, capfd) -> None:
    lines: list[str] = []
    result = running.run_job(wired.config, on_event=lines.append)
    assert result.built and not result.ended_early
    assert len(result.run_ids) == 1
    order = [line.split()[0] for line in lines]
    assert order.index("forum.posts:") < order.index("Building") < order.index("Published")
    assert lines[-1] == "Wrote the report."
    assert capfd.readouterr() == ("", "")
    with instances.prepare(wired.config) as instance:
        runs = instance.get_runs()
        assert [run.job_name for run in runs] == ["rapport"]
        assert all(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)
        assert all(run.tags[".dagster/repository"] == "__repository__@rapport" for run in runs)


@pytest.mark.dbt
def test_a_failing_source_does_not_stop_the_others_and_its_error_is_raised(wired) -> None:
    wired.sources.open("crm").fails = AuthError("crm: HTTP 401. Ask for a new secret.")
    lines: list[str] = []
    with pytest.raises(AuthError, match="Ask for a new secret"):
        running.run_job(wired.config, on_event=lines.append)
    assert wired.warehouse.calls[-1] == "render"
    others = len(salesforce.STREAMS) - 1
    told = f"failed: crm: HTTP 401. Ask for a new secret. ({others} more streams of crm failed.)"
    assert told in lines


def test_when_no_source_answers_nothing_is_built(wired) -> None:
    for name in ("crm", "forum"):
        wired.sources.open(name).fails = AuthError(f"{name}: HTTP 401.")
    with pytest.raises(AuthError, match="crm: HTTP 401"):
        running.run_job(wired.config)
    assert wired.warehouse.calls == []


def test_a_sync_that_ended_early_is_told(wired) -> None:
    wired.sources.open("forum").fails = QuotaSpent("forum: quota.", place="forum")
    result = running.run_job(wired.config, job="sync_forum")
    assert "forum.posts" in result.ended_early
    assert not result.built


def test_a_day_outside_the_partitions_is_a_mistake_of_the_caller(wired) -> None:
    with pytest.raises(ConfigError, match="`2026-07-01` is not a day"):
        running.run_job(wired.config, job="metrics", as_of=date(2026, 7, 1))


def test_an_error_of_somebody_else_becomes_ours_with_its_step(wired) -> None:
    wired.sources.open("forum").fails = KeyError("surprise")
    with pytest.raises(RapportError, match=r"forum\..*KeyError.*surprise"):
        running.run_job(wired.config, job="sync_forum")


def test_the_instance_has_the_shipped_settings_and_explicit_pools(config) -> None:
    with instances.prepare(config) as instance:
        limits = {
            p.name: (p.limit, p.from_default) for p in instance.event_log_storage.get_pool_limits()
        }
    assert limits == dict.fromkeys(("crm", "forum", "duckdb_writer"), (1, False))
    settings = instances.folder(config) / "dagster.yaml"
    assert settings.read_text() == instances.SETTINGS.read_text()


def test_changed_settings_of_an_instance_stay(config) -> None:
    home = instances.folder(config)
    home.mkdir(parents=True)
    changed = instances.SETTINGS.read_text().replace("runs: 4", "runs: 1")
    (home / "dagster.yaml").write_text(changed)
    instances.prepare(config).dispose()
    assert (home / "dagster.yaml").read_text() == changed


def test_pools_let_one_sync_of_a_source_in_at_a_time(config) -> None:
    with instances.prepare(config) as instance:
        storage = instance.event_log_storage
        assert storage.claim_concurrency_slot("crm", "run_1", "crm__accounts").is_claimed
        assert not storage.claim_concurrency_slot("crm", "run_2", "crm__contacts").is_claimed
        assert storage.claim_concurrency_slot("forum", "run_2", "forum__posts").is_claimed
