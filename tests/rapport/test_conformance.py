"""The battery: it holds for the connectors, and notices what does not hold.

Here a few plays for each stage. All plays of all stages take an hour: `make test-conformance`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from connectors import files
from connectors.changes import Changes
from connectors.errors import ConfigError
from connectors.incremental import ChangeWalk
from connectors.landing import StreamLanding
from connectors.sync import _Sync
from rapport.cli import DONE, FAILED, WRONG, main
from rapport.conformance import battery
from rapport.conformance.battery import FAULTS
from rapport.conformance.killing import Helper
from rapport.conformance.laws import EQUAL, KEPT, STATE
from rapport.conformance.play import Play
from rapport.conformance.postgres import postgres_programs
from rapport.conformance.report import as_page
from rapport.conformance.stage import ROWS_PER_PAGE, stage_for
from tests.rapport.rest_examples import EXAMPLES, TIMED

ROOT = Path(__file__).parents[2]
TYPES = ("salesforce", "hubspot", "discourse", "bluesky", "rest", "files", "sql")
SHORT = {
    "salesforce": ("contacts", "future_stamps", "disk_full"),
    "hubspot": ("contacts", "merge_chain"),
    "discourse": ("posts", "deleted"),
    "bluesky": ("notifications", "deleted", "refresh_broken"),
    "files": ("csv", "torn_file", "touched"),
    "sql": ("marked", "deleted", "locked"),
}
"""Type -> a stream, and faults that once broke a law there or that only it has."""


def test_there_are_at_least_thirty_faults_each_named_once():
    names = [fault.id for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30


POSTGRES = {"url": "postgresql://vendor.invalid/shop"}


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        ("task_relations", "deleted"),
        ("task_relations", "merge_chain"),
        ("case_history", "ties"),
        ("case_history", "error_inside"),
    ],
)
def test_what_skips_the_bin_and_what_is_only_added_holds_every_law_too(stream, fault):
    [verdict] = battery.examine("salesforce", {}, faults=battery.chosen([fault]), streams=[stream])
    assert (verdict.why_not, verdict.broken) == (None, ())


@pytest.mark.parametrize("type_", SHORT)
def test_a_connector_holds_every_law_through_a_few_faults(type_):
    stream, *names = SHORT[type_]
    verdicts = battery.examine(type_, {}, faults=battery.chosen(names), streams=[stream])
    assert [(v.fault.id, v.why_not, v.broken) for v in verdicts] == [(n, None, ()) for n in names]


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        ("leads", "deleted"),
        ("email_events", "empty_page"),
        ("email_events", "future_stamps"),
        ("email_events", "place_lost"),
        ("behavior_events", "place_lost"),
    ],
)
def test_what_hubspot_reads_where_it_is_asked_for_holds_every_law(stream, fault):
    [verdict] = battery.examine("hubspot", {}, faults=battery.chosen([fault]), streams=[stream])
    assert (verdict.why_not, verdict.broken) == (None, ())


@pytest.mark.parametrize(
    ("example", "stream", "fault"),
    [
        ("offset", "things", "total_zero"),
        ("page", "things", "deleted"),
        ("page of a fixed size", "things", "deleted"),
        ("link", "things", "deleted"),
        ("link in the header", "things", "left_over"),
        ("link in the header", "things", "future_stamps"),
        ("cursor", "changes", "deleted"),
        ("keyset", "things", "deleted"),
        ("keyset", "things", "bad_records"),
        ("keyset", "events", "left_over"),
        ("searched for", "things", "deleted"),
        ("all at once", "things", "deleted"),
    ],
)
def test_a_declared_source_of_every_kind_is_played(example, stream, fault):
    [verdict] = battery.examine(
        "rest", EXAMPLES[example], faults=battery.chosen([fault]), streams=[stream]
    )
    assert (verdict.why_not, verdict.broken) == (None, ())


def test_every_kind_of_paging_and_every_incremental_pattern_has_an_example():
    streams = [stream for one in EXAMPLES.values() for stream in one["streams"].values()]
    kinds = {stream["paging"]["kind"] for stream in streams if "paging" in stream}
    assert kinds == {"page", "offset", "link", "cursor", "keyset"}
    patterns = {stream.get("incremental", "full") for stream in streams}
    assert patterns == {"full", "updated_since", "newest_first", "forward"}


@pytest.mark.parametrize(
    ("type_", "stream"), [("discourse", "likes"), ("bluesky", "notifications")]
)
def test_a_full_refresh_that_forgets_what_it_was_to_ask_for_again_is_noticed(type_, stream):
    told = _Sync._window
    faults = battery.chosen(["refresh_broken"])
    with mock.patch.object(_Sync, "_window", lambda sync: replace(told(sync), before={})):
        [verdict] = battery.examine(type_, {}, faults=faults, streams=[stream])
    assert EQUAL in {law for law, _ in verdict.broken}


def test_a_declaration_that_loses_records_is_noticed():
    """Behind a stamp that several records bear, those that did not fit on the page are gone."""
    paging = {"kind": "keyset", "field": "at", "param": "behind"}
    stream = TIMED | {"path": "/things", "paging": paging}
    [verdict] = battery.examine(
        "rest", {"streams": {"things": stream}}, faults=battery.chosen(["ties"])
    )
    assert KEPT in {law for law, _ in verdict.broken}


def test_no_question_of_a_declared_source_leaves_this_machine():
    settings = EXAMPLES["page"] | {"url": "https://vendor.invalid", "headers": {"X-Key": "mine"}}
    stage = stage_for("rest")(settings | {"auth": {"kind": "bearer", "token": "mine-12345"}})
    stage.connect_to("http://127.0.0.1:1")
    told = json.dumps(stage.settings)
    assert "vendor.invalid" not in told and "mine" not in told
    assert stage.settings["streams"]["things"]["path"] == "/v2/things"


def test_half_a_line_that_outlives_the_whole_one_is_noticed():
    with mock.patch.object(files, "UNFINISHED_S", -1.0):
        [verdict] = battery.examine(
            "files", {}, faults=battery.chosen(["torn_file"]), streams=["csv"]
        )
    assert EQUAL in {law for law, _ in verdict.broken}


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed")
def test_postgresql_is_played_where_its_programs_are():
    verdicts = battery.examine(
        "sql", POSTGRES, faults=battery.chosen(["connection_killed"]), streams=["by_time"]
    )
    assert [(v.why_not, v.broken) for v in verdicts] == [(None, ())]


def test_a_fault_of_another_kind_of_source_does_not_apply():
    [verdict] = battery.examine(
        "sql", {}, faults=battery.chosen(["torn_file"]), streams=["by_time"]
    )
    assert verdict.why_not == "it happens to files only"


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("type_", "settings"),
    [
        *((type_, {}) for type_ in TYPES if type_ != "rest"),
        ("sql", POSTGRES),
        *(("rest", example) for example in EXAMPLES.values()),
    ],
)
def test_every_law_holds_through_every_fault(type_, settings, pytestconfig):
    if pytestconfig.option.markexpr != "conformance":
        pytest.skip("takes an hour: make test-conformance")
    verdicts = battery.examine(type_, settings)
    assert [(v.fault.id, v.stream, v.broken) for v in verdicts if v.broken] == []


def test_a_sync_that_loses_its_last_row_of_a_page_is_noticed():
    real = Changes.rows
    with mock.patch.object(Changes, "rows", lambda *args: real(*args)[:-1]):
        [verdict] = battery.examine(
            "salesforce", {}, faults=battery.chosen(["cut_json"]), streams=["contacts"]
        )
    assert KEPT in {law for law, _ in verdict.broken}


def test_a_state_that_runs_ahead_of_its_rows_is_noticed():
    real = StreamLanding.commit

    def ahead(self, rows, *, state, sync, loaded_at):
        if not sync.get("finished_at"):
            state = {**state, "walk": None, "cursor": "2026-06-01T13:00:00+00:00"}
        return real(self, rows, state=state, sync=sync, loaded_at=loaded_at)

    with mock.patch.object(StreamLanding, "commit", ahead):
        [verdict] = battery.examine(
            "salesforce", {}, faults=battery.chosen(["deleted"]), streams=["contacts"]
        )
    assert STATE in {law for law, _ in verdict.broken}


@pytest.mark.parametrize("forgets", [False, True])
def test_pages_asked_for_again_are_told_from_what_a_look_back_shows(forgets, tmp_path):
    stage = stage_for("hubspot")({})
    stage.connect_to("http://stage")
    stage.create(45)
    stage.clock.advance(days=1)
    young = stage.create(5)
    stage.clock.advance(seconds=400)
    undisturbed = Play(stage, "contacts", tmp_path / "undisturbed", Helper())
    stage.forget()
    for _ in range(2):
        undisturbed.attempt(within=True)
    looked_back = stage.shown_again()
    assert sum("properties" in text for text in looked_back) >= len(young)

    play = Play(stage, "contacts", tmp_path / "broken", Helper())
    stage.forget()
    stage.fail("500", after=5, times=None)
    assert play.attempt(within=True).error is not None
    stage.heal()
    begin = ChangeWalk.begin

    def forgetful(stream, state, window):
        if forgets and "walk" in state:
            state = {**state, "walk": {**state["walk"], "position": None}}
        return begin(stream, state, window)

    with mock.patch.object(ChangeWalk, "begin", forgetful):
        assert play.attempt(within=True).error is None
    again = (stage.shown_again() - looked_back).total()
    assert (again > ROWS_PER_PAGE) == forgets


def test_the_table_of_the_page_is_the_battery_s_own():
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert page.endswith(as_page({name: stage_for(name)({}) for name in TYPES}))


def test_fields_and_objects_of_the_settings_are_on_the_stage():
    settings = {"fields": {"Contact": [{"name": "Loom__c"}]}, "objects": ["Survey__c"]}
    stage = stage_for("salesforce")(settings | {"client_secret": "not to be used"})
    assert "Loom__c" in stage.org.sobject("Contact").fields and stage.org.has("Survey__c")
    assert "not to be used" not in str(stage.settings)


def test_the_command_says_that_the_vendor_is_not_asked_and_prints_the_laws(tmp_path):
    config = tmp_path / "rapport.yml"
    config.write_text(
        "sources: {talk: {type: discourse, url: 'https://forum.invalid', api_key: x}}"
    )

    def run(*words):
        return CliRunner().invoke(main, ["--config", str(config), "test", *words])

    told = run("talk.users", "--fault", "left_over")
    assert told.exit_code == DONE and "The vendor itself is not asked" in told.output
    assert "nothing lost" in told.output
    listed = run("talk.users", "--fault", "left_over", "--json")
    assert json.loads(listed.output)["laws"][KEPT] == {"plays": 1, "held": 1}
    assert run("talk.users", "--fault", "leftover").exit_code == WRONG
    assert run("talk.nobody").exit_code == WRONG
    broken = [battery.Verdict(fault=FAULTS[0], stream="users", broken=((KEPT, "one"),))]
    with mock.patch.object(battery, "examine", lambda *_, **__: broken):
        assert run("talk").exit_code == FAILED


def test_a_type_without_a_stage_says_so():
    with pytest.raises(ConfigError, match="no stage"):
        stage_for("nothing")
