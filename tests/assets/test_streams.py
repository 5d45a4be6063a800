"""A stream as an asset: what lands, what is told, what is tried again."""

from __future__ import annotations

import dagster as dg

from connectors.errors import AuthError, QuotaSpent, Unreachable
from connectors.landing import Landing

ACCOUNTS = dg.AssetKey(["crm", "accounts"])


def metadata(result, key: dg.AssetKey) -> dict:
    for event in result.get_asset_materialization_events():
        if event.asset_key == key:
            return {name: value.value for name, value in event.materialization.metadata.items()}
    raise AssertionError(f"{key} was not materialized")


def checks(result, key: dg.AssetKey) -> dict[str, bool]:
    found = result.get_asset_check_evaluations()
    return {c.check_name: c.passed for c in found if c.asset_key == key}


def error_of(result) -> str:
    data = result.get_step_failure_events()[0].step_failure_data
    return data.error.to_string()


def attempts(result, step: str) -> int:
    kinds = [e.event_type_value for e in result.all_events if e.step_key == step]
    return kinds.count("STEP_START") + kinds.count("STEP_RESTARTED")


def test_a_stream_lands_files_and_tells_what_it_did(lab) -> None:
    result = lab.run("sync_crm")
    assert result.success
    told = metadata(result, ACCOUNTS)
    assert told["rows"] == told["dagster/row_count"] == 2
    assert told["source_count"] == 2 and told["missing"] == told["extra"] == 0
    assert told["ended_early"] is False
    landed = Landing(lab.config.home).stream("crm", "accounts").footer()
    assert landed is not None and landed.counts["rows"] == 2
    assert checks(result, ACCOUNTS) == {"reconciliation": True, "schema_drift": True}


def test_a_refused_credential_is_not_tried_again_and_other_sources_go_on(lab) -> None:
    crm = lab.sources.open("crm")
    crm.fails = AuthError("crm: HTTP 401. The secret in `SF_SECRET` was refused.")
    result = lab.run("sync_crm")
    assert not result.success
    assert attempts(result, "crm__accounts") == 1
    assert "The secret in `SF_SECRET` was refused." in error_of(result)
    assert lab.run("sync_forum").success


def test_an_unreachable_vendor_is_tried_again(lab) -> None:
    lab.sources.open("crm").fails = Unreachable("crm: no connection.", place="crm")
    result = lab.run("sync_crm")
    assert not result.success
    assert attempts(result, "crm__accounts") == 3


def test_a_stream_that_another_sync_holds_says_so(lab) -> None:
    with Landing(lab.config.home).stream("crm", "accounts").lock():
        result = lab.run("sync_crm")
    assert not result.success
    assert "another sync of this stream is running" in error_of(result)
    assert attempts(result, "crm__accounts") == 3
    assert ACCOUNTS not in {e.asset_key for e in result.get_asset_materialization_events()}


def test_a_spent_quota_ends_early_and_succeeds(lab) -> None:
    lab.sources.open("crm").fails = QuotaSpent("crm: quota.", place="crm")
    result = lab.run("sync_crm")
    assert result.success
    assert metadata(result, ACCOUNTS)["ended_early"] is True


def test_a_new_field_of_the_source_is_reported_once(lab) -> None:
    assert lab.run("sync_forum").success
    forum = lab.sources.open("forum")
    forum.extra = {"mood": "sunny"}
    again = {"ops": {"forum__topics": {"config": {"full_refresh": True}}}}
    topics = dg.AssetKey(["forum", "topics"])
    job = lab.definitions.resolve_job_def("sync_forum")

    def sync():
        return job.execute_in_process(
            instance=lab.instance, run_config=again, asset_selection=[topics]
        )

    first, second = sync(), sync()
    drift = [c for c in first.get_asset_check_evaluations() if c.check_name == "schema_drift"]
    assert [(c.passed, c.metadata["new_fields"].value) for c in drift] == [(False, ["mood"])]
    assert checks(second, topics)["schema_drift"]


def test_a_count_that_differs_is_a_warning(lab) -> None:
    class Counting(type(lab.sources.open("forum"))):
        def read(self, stream, state, window):
            from dataclasses import replace

            for page in super().read(stream, state, window):
                yield replace(page, source_count=5)

    lab.sources.fakes["forum"] = Counting("forum")
    result = lab.run("sync_forum")
    assert result.success
    posts = dg.AssetKey(["forum", "posts"])
    assert checks(result, posts)["reconciliation"] is False
    assert metadata(result, posts)["missing"] == 3
