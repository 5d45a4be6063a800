"""From landing to report: one dbt invocation, and nothing published that failed a check."""

from __future__ import annotations

from datetime import date

import dagster as dg
import duckdb
import pytest
from dagster._core.events import StepRetryData
from dagster._utils.error import SerializableErrorInfo

from assets import dbt
from rapport.identity import gate

pytestmark = pytest.mark.dbt


def materialized(result) -> list[str]:
    return [e.asset_key.to_user_string() for e in result.get_asset_materialization_events()]


def skipped(result) -> set[str]:
    return {e.step_key for e in result.all_events if e.event_type_value == "STEP_SKIPPED"}


def days_of_rel_organization(lab) -> list[date]:
    with duckdb.connect(str(lab.config.home / "build.duckdb"), read_only=True) as connection:
        rows = connection.execute("select as_of from rel_organization order by 1").fetchall()
    return [day for (day,) in rows]


def test_metrics_build_publish_and_report_in_order(lab) -> None:
    result = lab.run("metrics")
    assert result.success
    assert lab.warehouse.calls == [
        "plan 2026-06-30",
        "prepare",
        "finish",
        "publish 2026-06-30",
        "render",
    ]
    assert materialized(result)[-2:] == ["published_warehouse", "report"]
    by_key = {e.asset_key.to_user_string(): e for e in result.get_asset_materialization_events()}
    assert by_key["rel_organization"].materialization.partition == "2026-06-30"
    assert by_key["fct_interaction"].materialization.partition is None
    told = by_key["fct_interaction"].materialization.metadata
    assert told["dagster/row_count"].value == 1
    passed = {c.check_name: c.passed for c in result.get_asset_check_evaluations()}
    assert passed == {
        "not_null_fct_interaction__key": True,
        "merges": True,
        "readable": True,
    }


def test_a_build_that_makes_too_many_people_one_fails_its_check_and_is_not_published(
    lab, monkeypatch
) -> None:
    def refuse(build) -> None:
        raise gate.MergesRefused("900 of 1000 people")

    found = gate.Merges(n_before=1000, n_merged=900, most_over_one_value=2, has_new_source=False)
    monkeypatch.setattr(gate, "merges", lambda build: found)
    monkeypatch.setattr(lab.warehouse, "publish", refuse)
    result = lab.run("metrics")
    assert not result.success
    assert not {"published_warehouse", "report"} & set(materialized(result))
    [check] = [c for c in result.get_asset_check_evaluations() if c.check_name == "merges"]
    assert (check.passed, check.metadata["merged"].value) == (False, 900)


def test_with_nothing_new_dbt_does_not_start_and_the_run_succeeds(lab) -> None:
    lab.warehouse.needed = False
    result = lab.run("metrics")
    assert result.success
    assert lab.warehouse.calls == ["plan 2026-06-30"]
    assert materialized(result) == []
    assert skipped(result) == {"published_warehouse", "report"}


def test_nothing_is_published_when_a_blocking_check_fails(lab) -> None:
    lab.warehouse.poisoned = True
    result = lab.run("metrics")
    assert not result.success
    assert not [call for call in lab.warehouse.calls if call.startswith("publish")]
    assert "published_warehouse" not in materialized(result)
    checks = {c.check_name: c.passed for c in result.get_asset_check_evaluations()}
    assert checks == {"not_null_fct_interaction__key": False}
    error = result.get_step_failure_events()[0].step_failure_data.error.to_string()
    assert "dbt failed; nothing was published" in error


def test_a_backfill_of_one_metric_builds_it_with_the_steps_of_its_layer(lab) -> None:
    assert lab.run("metrics").success
    lab.warehouse.calls.clear()
    lab.warehouse.needed = False
    result = lab.run("metrics", day="2026-03-31", asset_selection=[dg.AssetKey("rel_organization")])
    assert result.success
    assert set(materialized(result)) == {"rel_organization", "published_warehouse"}
    assert days_of_rel_organization(lab) == [date(2026, 3, 31), date(2026, 6, 30)]
    # Its run ends here, so what it computed is shown here.
    assert lab.warehouse.calls == [
        "plan 2026-03-31",
        "prepare",
        "finish",
        "publish 2026-03-31",
        "render",
    ]
    shown = lab.instance.get_latest_materialization_event(dg.AssetKey("published_warehouse"))
    assert shown.run_id == result.run_id


def test_a_past_day_is_built_as_a_backfill_of_the_ui_asks_for_it(lab) -> None:
    """Dagster's backfills tag their runs with a range of one day instead of a partition."""
    day = "2026-04-30"
    tags = {
        "dagster/asset_partition_range_start": day,
        "dagster/asset_partition_range_end": day,
    }
    result = lab.run("metrics", day=None, tags=tags)
    assert result.success
    assert lab.warehouse.calls[0] == f"plan {day}"
    assert days_of_rel_organization(lab) == [date(2026, 4, 30)]


def sync_under_way(lab, status=dg.DagsterRunStatus.STARTED) -> dg.DagsterRun:
    job = lab.definitions.resolve_job_def("sync_crm")
    return lab.instance.create_run_for_job(job, status=status)


def scheduled(lab, monkeypatch, while_waiting) -> list[float]:
    """Run `metrics` as its schedule does; return what it waited, in seconds."""
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        assert lab.warehouse.calls == []
        while_waiting()

    monkeypatch.setattr(dbt.time, "sleep", sleep)
    lab.warehouse.needed = False
    assert lab.run("metrics", tags={"dagster/schedule_name": "metrics_schedule"}).success
    assert lab.warehouse.calls == ["plan 2026-06-30"]
    return waited


def test_a_scheduled_build_waits_for_syncs_under_way(lab, monkeypatch) -> None:
    sync = sync_under_way(lab)

    def sync_ends() -> None:
        lab.instance.report_run_canceled(lab.instance.get_run_by_id(sync.run_id))

    assert scheduled(lab, monkeypatch, sync_ends) == [dbt.WAIT_STEP_S]


def test_a_scheduled_build_does_not_wait_for_syncs_that_begin_after_it(lab, monkeypatch) -> None:
    sync = sync_under_way(lab)

    def next_tick() -> None:
        sync_under_way(lab)
        lab.instance.report_run_canceled(lab.instance.get_run_by_id(sync.run_id))

    assert scheduled(lab, monkeypatch, next_tick) == [dbt.WAIT_STEP_S]


def test_a_scheduled_build_leaves_a_sync_that_does_not_start(lab, monkeypatch) -> None:
    sync_under_way(lab, dg.DagsterRunStatus.STARTING)

    def a_minute_passes() -> None:
        monkeypatch.setattr(dbt, "LONGEST_WAIT_FOR_A_START_S", -1)

    assert scheduled(lab, monkeypatch, a_minute_passes) == [dbt.WAIT_STEP_S]


def test_a_scheduled_build_does_not_wait_for_a_vendor_that_has_failed(lab, monkeypatch) -> None:
    sync = sync_under_way(lab)

    away = SerializableErrorInfo("Unreachable: crm: no connection.", [], "Unreachable")

    def first_try_fails() -> None:
        job = lab.definitions.resolve_job_def("sync_crm")
        event = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.STEP_UP_FOR_RETRY.value,
            job_name=job.name,
            step_key="crm__accounts",
            event_specific_data=StepRetryData(error=away, seconds_to_wait=30),
        )
        lab.instance.report_dagster_event(event, sync.run_id)

    assert scheduled(lab, monkeypatch, first_try_fails) == [dbt.WAIT_STEP_S]
