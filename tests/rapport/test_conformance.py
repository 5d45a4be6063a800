"""The battery: it holds for the connectors, and notices what does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from connectors.changes import Changes
from connectors.errors import ConfigError
from connectors.incremental import ChangeWalk
from connectors.landing import StreamLanding
from rapport.cli import DONE, FAILED, WRONG, main
from rapport.conformance import battery
from rapport.conformance.faults import FAULTS
from rapport.conformance.killing import Helper
from rapport.conformance.laws import KEPT, STATE
from rapport.conformance.play import Play
from rapport.conformance.report import as_page
from rapport.conformance.stage import ROWS_PER_PAGE, stage_for

ROOT = Path(__file__).parents[2]
TYPES = ("salesforce", "hubspot", "discourse", "bluesky")
SHORT = {
    "salesforce": ("contacts", "future_stamps", "disk_full"),
    "hubspot": ("contacts", "merge_chain"),
    "discourse": ("posts", "deleted"),
    "bluesky": ("notifications", "deleted"),
}
"""Type -> a stream, and faults that once broke a law there or that only it has."""


def test_there_are_at_least_thirty_faults_each_named_once():
    names = [fault.id for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30


@pytest.mark.parametrize("type_", TYPES)
def test_a_connector_holds_every_law_through_a_few_faults(type_):
    stream, *names = SHORT[type_]
    verdicts = battery.examine(type_, {}, faults=battery.chosen(names), streams=[stream])
    assert [(v.fault.id, v.why_not, v.broken) for v in verdicts] == [(n, None, ()) for n in names]


def test_a_sync_that_loses_its_last_row_of_a_page_is_noticed():
    real = Changes.rows
    with mock.patch.object(Changes, "rows", lambda *args: real(*args)[:-1]):
        [verdict] = battery.examine("salesforce", {}, faults=battery.chosen(["cut_json"]))
    assert KEPT in {law for law, _ in verdict.broken}


def test_a_state_that_runs_ahead_of_its_rows_is_noticed():
    real = StreamLanding.commit

    def ahead(self, rows, *, state, sync, loaded_at):
        if not sync.get("finished_at"):
            state = {**state, "walk": None, "cursor": "2026-06-01T13:00:00+00:00"}
        return real(self, rows, state=state, sync=sync, loaded_at=loaded_at)

    with mock.patch.object(StreamLanding, "commit", ahead):
        [verdict] = battery.examine("salesforce", {}, faults=battery.chosen(["deleted"]))
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
