"""The HubSpot connector against the emulated account, over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from connectors import hubspot, registry
from connectors.base import Stream, Window
from connectors.errors import AuthError, BadRequest, ConfigError, ServerError
from connectors.hubspot import beside, client, mailings
from connectors.landing import Landing
from connectors.planning import plan_source
from connectors.sync import SyncResult, sync_stream
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.hubspot.http import app
from sandbox.hubspot.portal import Portal

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Crm:
    """An account, its clock, and a connector that asks it."""

    def __init__(self, home: Path, serve: Callable[[Any], str], **settings: Any) -> None:
        self.home = home
        self.portal = Portal()
        self.portal.calls_per_10_s = self.portal.searches_per_second = 10**6
        self.clock = Clock(START)
        self.faults = Faults()
        self.settings = {
            "access_token": self.portal.access_token,
            "url": serve(app(self.portal, self.clock, self.faults)),
            "calls_per_10_s": 10**6,
            "searches_per_s": 10**6,
            **settings,
        }

    def open(self, **changed: Any) -> hubspot.HubSpot:
        settings = {k: v for k, v in (self.settings | changed).items() if v is not None}
        source = registry.open_source("crm", "hubspot", settings, home=self.home)
        assert isinstance(source, hubspot.HubSpot)
        source.session.backoff_s = 0.01
        return source

    def stream(self, name: str, source: hubspot.HubSpot) -> Stream:
        return next(stream for stream in source.streams() if stream.name == name)

    def sync(self, name: str, source: hubspot.HubSpot | None = None, **options: Any) -> SyncResult:
        source = source or self.open()
        return sync_stream(source, self.stream(name, source), self.home, **options)

    def create(self, kind: str, count: int = 1, **properties: Any) -> list[str]:
        """Make records, several to a second, and let the clock pass the lag."""
        system = kind == "feedback_submissions"
        ids = [
            self.portal.create(
                kind, properties, self.now + timedelta(seconds=i // 700), system=system
            )
            for i in range(count)
        ]
        self.clock.advance(seconds=3600)
        return ids

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def asked(self) -> dict[str, int]:
        """Return how often each resource was asked for."""
        answer = requests.get(f"{self.settings['url']}/sandbox/requests", timeout=10)
        counters: dict[str, int] = answer.json()
        return counters

    def set_faults(self, *faults: dict[str, Any]) -> None:
        self.faults.set({"hubspot": faults})


@pytest.fixture
def crm(tmp_path: Path, serve: Callable[[Any], str]) -> Crm:
    return Crm(tmp_path, serve)


def to_ids(record: dict[str, Any]) -> list[str]:
    """Return what a record of the stream `associations` leads to."""
    return [str(link["toObjectId"]) for link in record["to"]]


def live(rows: dict[str, Any]) -> dict[str, Any]:
    return {key: json.loads(record) for key, (op, _, record) in rows.items() if op == "upsert"}


def test_a_first_sync_reads_by_list_and_every_record_arrives_once(crm, landed):
    ids = crm.create("contacts", 350, lastname="Weaver")
    result = crm.sync("contacts")
    assert set(live(landed("crm.contacts"))) == set(ids)
    assert (result.rows, result.duplicates, result.missing, result.extra) == (350, 0, 0, 0)
    assert crm.asked()["GET crm/objects/{type}"] == 4
    assert "POST crm/objects/{type}/search" not in crm.asked()


def test_the_next_page_is_on_its_way_while_one_is_worked_on(crm, landed):
    ids = crm.create("contacts", 350, lastname="Weaver")
    source = crm.open()
    behind = []

    def work(progress):
        before, until = progress.pages + 1, time.monotonic() + 10
        while source.session.requests_made <= before and time.monotonic() < until:
            time.sleep(0.01)  # beside the page that is worked on, the clock was asked for
        behind.append(source.session.requests_made - before)

    crm.sync("contacts", source, on_progress=lambda told: told.pages < 4 and work(told))
    assert behind == [1, 1, 1]
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_only_allowed_properties_are_landed_as_the_vendor_wrote_them(crm, landed):
    crm.create("deals", dealname="Looms", pipeline="default", dealstage="contractsent",
               amount="1250.10", description="private words")  # fmt: skip
    crm.create("notes", hs_note_body="private words", hs_timestamp="2026-02-01T10:00:00Z")
    crm.sync("deals")
    crm.sync("notes")
    ((_, _, deal),) = landed("crm.deals").values()
    ((_, _, note),) = landed("crm.notes").values()
    assert "private words" not in deal + note
    assert '"amount":"1250.10"' in deal
    told = json.loads(deal)
    assert set(told) == {"id", "createdAt", "updatedAt", "archived", "properties"}
    assert told["properties"]["closedate"] is None


def test_a_second_sync_searches_what_changed_and_lands_nothing_else(crm, landed):
    ids = crm.create("companies", 40, name="Mill")
    crm.sync("companies")
    nothing = crm.sync("companies")
    assert (nothing.rows, nothing.deletes, nothing.changed) == (0, 0, False)
    crm.portal.update("companies", ids[7], {"name": "Dye works"}, crm.now)
    crm.clock.advance(seconds=120)
    assert crm.sync("companies").rows == 1
    assert live(landed("crm.companies"))[ids[7]]["properties"]["name"] == "Dye works"


def test_a_bulk_change_of_more_than_a_search_shows_is_read_whole(crm, landed):
    count = 1_450
    crm.portal.results_max = 1_000
    crm.portal.create("contacts", {"lastname": "First"}, crm.now)
    crm.clock.advance(days=1)
    crm.sync("contacts")
    table = crm.portal.tables["contacts"]
    for _ in range(count):
        crm.portal.create("contacts", {"lastname": "Weaver"}, crm.now)
    crm.portal.update_all("contacts", {"company": "Mill"}, crm.now)
    crm.clock.advance(seconds=120)
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates, result.missing) == (count + 1, 0, 0)
    assert set(live(landed("crm.contacts"))) == {str(key) for key in table.live}


def test_a_bulk_change_that_broke_off_beyond_the_cap_goes_on_behind_the_last_id(crm, landed):
    crm.portal.results_max = 1_000
    ids = crm.create("contacts", 1_450, lastname="Weaver")
    crm.clock.advance(days=1)
    crm.sync("contacts")
    crm.portal.update_all("contacts", {"company": "Mill"}, crm.now)
    crm.clock.advance(seconds=120)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/search", "after": 6, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source, checkpoint_bytes=1)
    crm.set_faults()
    # some of those already read change once more: the next window shows them
    for key in ids[:3]:
        crm.portal.update("contacts", key, {"company": "Dye works"}, crm.now)
    crm.clock.advance(seconds=120)
    result = crm.sync("contacts")
    assert result.rows == 1_450 - 6 * 200 + 3
    companies = [told["properties"]["company"] for told in live(landed("crm.contacts")).values()]
    assert sorted(companies) == ["Dye works"] * 3 + ["Mill"] * 1_447


def test_what_the_index_shows_late_is_found_by_look_back_and_counted(crm, landed):
    crm.create("contacts", lastname="Weaver")
    crm.sync("contacts")
    crm.portal.index_lag_s = 900
    late = crm.portal.create("contacts", {"lastname": "Late"}, crm.now)
    crm.portal.index_lag_s = 0
    crm.clock.advance(seconds=300)
    assert crm.sync("contacts").rows == 0
    crm.clock.advance(seconds=900)
    result = crm.sync("contacts")
    assert (result.rows, result.late) == (1, 1)
    assert late in landed("crm.contacts")


def test_archived_records_become_deletes_and_restored_ones_come_back(crm, landed):
    gone, kept = crm.create("deals", 2, dealname="Looms")
    crm.sync("deals")
    crm.portal.archive("deals", gone, crm.now)
    archived_at = crm.now
    crm.clock.advance(seconds=600)
    assert crm.sync("deals").deletes == 1
    assert set(live(landed("crm.deals"))) == {kept}
    crm.clock.advance(days=2)
    assert crm.sync("deals").deletes == 0
    crm.portal.restore("deals", gone, crm.now)
    crm.clock.advance(seconds=600)
    assert crm.now > archived_at
    crm.sync("deals")
    assert set(live(landed("crm.deals"))) == {gone, kept}


def test_a_merge_makes_a_new_record_that_both_old_ids_lead_to(crm, landed):
    one, other = crm.create("contacts", 2, lastname="Weaver")
    crm.sync("contacts")
    new = crm.portal.merge("contacts", one, other, crm.now)
    crm.clock.advance(seconds=600)
    result = crm.sync("contacts")
    rows = landed("crm.contacts")
    assert (result.rows, result.deletes) == (1, 2)
    assert rows[one][:2] == rows[other][:2] == ("delete", new)
    # merged once more: the chain ends at the newest
    third = crm.portal.create("contacts", {"lastname": "Weaver"}, crm.now)
    newest = crm.portal.merge("contacts", new, third, crm.now)
    crm.clock.advance(seconds=600)
    crm.sync("contacts")
    rows = landed("crm.contacts")
    assert {rows[key][1] for key in (one, other, new, third)} == {newest}
    assert set(live(rows)) == {newest}


def test_merges_of_merged_records_between_two_syncs_lead_to_the_one_that_is_left(crm, landed):
    ids = crm.create("contacts", 4, lastname="Weaver")
    crm.sync("contacts")
    last = ids[0]
    for other in ids[1:]:  # two of the records in between are never seen
        last = crm.portal.merge("contacts", last, other, crm.now)
        crm.clock.advance(seconds=60)
    crm.clock.advance(seconds=600)
    crm.sync("contacts")
    rows = landed("crm.contacts")
    assert set(live(rows)) == {last}
    assert {rows[key][:2] for key in rows if key != last} == {("delete", last)}
    assert len(rows) == len(ids) + 3


def test_the_links_of_a_merged_record_and_those_of_its_children_follow_it(crm, landed):
    one, other = crm.create("contacts", 2, lastname="Weaver")
    (mill,) = crm.create("companies", name="Mill")
    (deal,) = crm.create("deals", dealname="Looms")
    crm.portal.associate("contacts", one, "companies", mill, crm.now)
    crm.portal.associate("deals", deal, "contacts", other, crm.now)
    crm.sync("associations")
    new = crm.portal.merge("contacts", one, other, crm.now)
    crm.clock.advance(seconds=600)
    crm.sync("associations")  # the new record is one that changed, the deal is not
    own = f'["contacts","{new}","companies"]'
    assert [to_ids(told) for key, told in live(landed("crm.associations")).items() if key == own] \
        == [[mill]]  # fmt: skip
    crm.clock.advance(days=1)
    crm.sync("associations")
    assert {key: to_ids(told) for key, told in live(landed("crm.associations")).items()} == {
        own: [mill], f'["deals","{deal}","contacts"]': [new],
    }  # fmt: skip


def test_an_erased_contact_is_found_by_counting_and_a_complete_list(crm, landed):
    ids = crm.create("contacts", 60, lastname="Weaver")
    crm.sync("contacts")
    crm.portal.erase(ids[3], crm.now)
    crm.clock.advance(days=1)
    counted = crm.sync("contacts")
    assert (counted.deletes, counted.extra) == (0, 1)
    found = crm.sync("contacts")
    assert (found.deletes, found.extra) == (1, 0)
    assert set(live(landed("crm.contacts"))) == set(ids) - {ids[3]}


def test_a_sync_that_broke_between_pages_goes_on_where_it_was(crm, landed):
    ids = crm.create("contacts", 450, lastname="Weaver")
    crm.clock.advance(days=1)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/objects/", "after": 2, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source)
    held = len(landed("crm.contacts"))
    assert held == 200
    crm.set_faults()
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates) == (len(ids) - held, 0)
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_search_that_fails_is_asked_again(crm):
    crm.create("contacts", lastname="Weaver")
    crm.sync("contacts")
    crm.portal.create("contacts", {"lastname": "Dyer"}, crm.now)
    crm.clock.advance(seconds=120)
    crm.set_faults({"kind": "504", "match": "/search", "times": 2})
    assert crm.sync("contacts").rows == 1


@pytest.mark.parametrize("kind", ["limit_ten_secondly", "limit_secondly", "423"])
def test_short_limits_are_waited_for(crm, monkeypatch, kind):
    for name in ("ROLLING_LIMIT_WAIT_S", "SECOND_LIMIT_WAIT_S", "LOCKED_WAIT_S"):
        monkeypatch.setattr(client, name, 0.05)
    crm.create("contacts", lastname="Weaver")
    crm.set_faults({"kind": kind, "match": "/objects/", "times": 2})
    result = crm.sync("contacts")
    assert result.rows == 1 and result.waits_s >= 0.1 and not result.ended_early


def test_a_spent_day_ends_the_sync_early_and_the_next_one_goes_on(crm, landed):
    ids = crm.create("contacts", 450, lastname="Weaver")
    crm.set_faults({"kind": "limit_daily", "match": "/objects/", "after": 2, "times": None})
    early = crm.sync("contacts")
    assert early.ended_early and early.rows == 200
    crm.set_faults()
    assert crm.sync("contacts").rows == len(ids) - 200
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_more_properties_than_an_address_can_hold_are_read_in_batches(crm, landed):
    names = [f"a_rather_long_name_of_a_property_{i:03}" for i in range(200)]
    for name in names:
        crm.portal.add_property("contacts", {"name": name, "type": "string"})
    (key,) = crm.create("contacts", **{names[150]: "here"}, lastname="Weaver")
    crm.settings["fields"] = {"contacts": names}
    crm.sync("contacts")
    assert live(landed("crm.contacts"))[key]["properties"][names[150]] == "here"
    assert crm.asked()["POST crm/objects/{type}/batch/read"] == 1


def test_custom_properties_and_objects_come_by_configuration(crm, landed):
    crm.portal.add_property("contacts", {"name": "tier", "type": "string"})
    crm.portal.add_custom_object(
        "machines", singular="machine", properties=[{"name": "looms", "type": "number"}]
    )
    crm.settings |= {
        "fields": {
            "contacts": [{"name": "tier", "meaning": "tier", "pii": "pseudonym"}],
            "machines": [{"name": "looms", "type": "integer"}],
        },
        "objects": ["machines"],
    }
    (ada,) = crm.create("contacts", lastname="Weaver", tier="gold")
    (machine,) = crm.create("machines", looms="12")
    source = crm.open()
    stream = crm.stream("contacts", source)
    assert stream.pii["properties.tier"] == "pseudonym"
    assert crm.stream("machines", source).types["properties.looms"] == "integer"
    crm.sync("contacts", source)
    crm.sync("machines", source)
    assert live(landed("crm.contacts"))[ada]["properties"]["tier"] == "gold"
    assert live(landed("crm.machines"))[machine]["properties"]["looms"] == "12"


# What is chosen later


def test_a_property_chosen_later_is_read_of_every_record_once(crm, landed):
    crm.portal.add_property("contacts", {"name": "tier", "type": "string"})
    ids = crm.create("contacts", 230, tier="gold")
    crm.sync("contacts")
    crm.settings["fields"] = {"contacts": ["tier"]}
    source = crm.open()
    stream = crm.stream("contacts", source)
    held = Landing(crm.home).stream("crm", "contacts").footer().state
    cost = source.plan(stream, held, Window(now=crm.now))
    result = crm.sync("contacts")
    assert (result.rows, result.deletes) == (230, 0)
    assert result.notes == ("contacts: 230 records read again for tier",)
    assert (cost.calls, cost.records) == (result.requests - 1, 230)  # the clock's
    told = live(landed("crm.contacts"))
    assert {told[key]["properties"]["tier"] for key in ids} == {"gold"}
    again = crm.sync("contacts")
    assert (again.rows, again.notes) == (0, ())


def test_a_property_chosen_while_a_first_walk_is_broken_off_is_read_of_all(crm, landed):
    crm.portal.add_property("contacts", {"name": "tier", "type": "string"})
    crm.create("contacts", 350, tier="gold")
    crm.clock.advance(days=1)  # beyond the look-back
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/objects/", "after": 2, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source)
    crm.set_faults()
    crm.settings["fields"] = {"contacts": ["tier"]}
    for _ in range(2):
        crm.sync("contacts")
    assert {told["properties"]["tier"] for told in live(landed("crm.contacts")).values()} == {
        "gold"
    }


def test_a_property_dropped_and_chosen_once_more_is_read_of_what_changed_meanwhile(crm, landed):
    crm.portal.add_property("contacts", {"name": "tier", "type": "string"})
    with_tier = {"contacts": ["tier"]}
    (ada,) = crm.create("contacts", tier="gold")
    crm.sync("contacts", crm.open(fields=with_tier))
    crm.portal.update("contacts", ada, {"lastname": "Dyer"}, crm.now)
    crm.clock.advance(days=1)
    crm.sync("contacts")
    assert "tier" not in live(landed("crm.contacts"))[ada]["properties"]
    crm.clock.advance(days=1)
    crm.sync("contacts", crm.open(fields=with_tier))
    assert live(landed("crm.contacts"))[ada]["properties"]["tier"] == "gold"


def test_a_property_that_the_portal_gets_after_it_was_chosen_comes_with_its_values(crm, landed):
    ada, bo = crm.create("contacts", 2, lastname="Weaver")
    crm.settings["fields"] = {"contacts": ["tier"]}
    crm.sync("contacts")
    crm.portal.add_property("contacts", {"name": "tier", "type": "string"})
    crm.clock.advance(days=1)
    crm.portal.update("contacts", ada, {"tier": "gold"}, crm.now)
    crm.clock.advance(seconds=3600)
    crm.sync("contacts")
    told = live(landed("crm.contacts"))
    assert told[ada]["properties"]["tier"] == "gold"
    assert told[bo]["properties"].get("tier") is None


def test_the_history_of_a_property_named_later_is_read_at_once(crm, landed):
    crm.settings["history"] = {"contacts": ["lifecyclestage"]}
    ids = crm.create("contacts", 3, lastname="Weaver", lifecyclestage="lead", jobtitle="CTO")
    crm.sync("property_history")
    crm.settings["history"] = {"contacts": ["lifecyclestage", "jobtitle"]}
    result = crm.sync("property_history")
    assert result.notes == ("property_history: 3 records read again for contacts.jobtitle",)
    assert len(live(landed("crm.property_history"))) == 2 * len(ids)
    assert not crm.sync("property_history").changed


def test_the_links_of_an_object_named_later_are_read_at_once(crm, landed):
    crm.portal.add_custom_object(
        "machines", singular="machine", properties=[], linked_to=["contacts"]
    )
    (machine,), (ada,) = crm.create("machines"), crm.create("contacts", lastname="Weaver")
    crm.portal.associate("machines", machine, "contacts", ada, crm.now)
    crm.clock.advance(seconds=7200)
    crm.sync("associations")
    assert live(landed("crm.associations")) == {}
    crm.settings["objects"] = ["machines"]
    crm.sync("associations")
    (told,) = live(landed("crm.associations")).values()
    assert (told["fromType"], to_ids(told)) == ("machines", [ada])


def test_fields_of_an_object_that_is_not_read_are_a_mistake_with_a_suggestion(crm):
    with pytest.raises(ConfigError) as mistake:
        crm.open(fields={"contact": ["tier"]})
    assert str(mistake.value) == (
        "crm: `fields: contact` names no object that fields can be added to. Did you mean "
        "`contacts`? Name it under `objects` first."
    )


def test_history_can_begin_late_and_still_reconcile(crm, landed):
    crm.create("contacts", 5, lastname="Early")
    later = crm.now
    ids = crm.create("contacts", 5, lastname="Late")
    crm.sync("contacts", since=later)
    crm.clock.advance(days=8)
    result = crm.sync("contacts")  # a complete list, which also shows the early ones
    assert set(live(landed("crm.contacts"))) == set(ids)
    assert (result.rows, result.deletes) == (0, 0)


def test_links_are_one_record_for_each_record_and_kind_of_others(crm, landed):
    mill, dyers = crm.create("companies", 2, name="Mill")
    ada, _ = crm.create("contacts", 2, lastname="Weaver")
    crm.portal.associate("contacts", ada, "companies", mill, crm.now)
    crm.clock.advance(seconds=7200)
    crm.sync("associations")
    rows = live(landed("crm.associations"))
    key = f'["contacts","{ada}","companies"]'
    assert list(rows) == [key]
    assert [int(link["toObjectId"]) for link in rows[key]["to"]] == [int(mill)]
    assert {kind["label"] for kind in rows[key]["to"][0]["associationTypes"]} == {None, "Primary"}
    assert not crm.sync("associations").changed

    # no stamp moves: only the daily walk over all notices
    crm.portal.associate("contacts", ada, "companies", dyers, crm.now)
    crm.clock.advance(seconds=600)
    assert not crm.sync("associations").changed
    crm.clock.advance(days=1)
    assert crm.sync("associations").rows == 1
    assert len(live(landed("crm.associations"))[key]["to"]) == 2

    # a record that changes shows at once that its links are gone
    for company in (mill, dyers):
        crm.portal.dissociate("contacts", ada, "companies", company, crm.now)
    crm.portal.update("contacts", ada, {"lastname": "Dyer"}, crm.now)
    crm.clock.advance(seconds=600)
    assert crm.sync("associations").deletes == 1
    assert live(landed("crm.associations")) == {}


def test_a_contact_moved_to_another_company_without_being_touched_is_noticed_in_a_day(crm, landed):
    mill, dyers = crm.create("companies", 2, name="Mill")
    ada, _ = crm.create("contacts", 2, lastname="Weaver")
    crm.portal.associate("contacts", ada, "companies", mill, crm.now)
    crm.clock.advance(seconds=7200)
    crm.sync("associations")
    key = f'["contacts","{ada}","companies"]'
    records = [crm.portal.get("contacts", ada), crm.portal.get("companies", dyers)]
    crm.portal.dissociate("contacts", ada, "companies", mill, crm.now)
    crm.portal.associate("contacts", ada, "companies", dyers, crm.now)
    assert records == [crm.portal.get("contacts", ada), crm.portal.get("companies", dyers)]
    crm.clock.advance(seconds=22 * 3600)
    crm.sync("associations")
    assert to_ids(live(landed("crm.associations"))[key]) == [mill]
    crm.clock.advance(seconds=2 * 3600)
    assert crm.sync("associations").rows == 1
    assert to_ids(live(landed("crm.associations"))[key]) == [dyers]


def test_links_of_one_record_are_read_through_all_their_pages(crm, landed):
    crm.portal.links_per_row = 3
    (deal,) = crm.create("deals", dealname="Looms")
    people = crm.create("contacts", 10, lastname="Weaver")
    for person in people:
        crm.portal.associate("deals", deal, "contacts", person, crm.now)
    crm.sync("associations")
    links = live(landed("crm.associations"))[f'["deals","{deal}","contacts"]']["to"]
    assert [str(link["toObjectId"]) for link in links] == sorted(people, key=int)


def test_a_walk_over_links_that_broke_goes_on_where_it_was(crm, landed, monkeypatch):
    monkeypatch.setattr(beside, "INPUTS_PER_ASSOCIATION_CALL", 100)
    (mill,) = crm.create("companies", name="Mill")
    for person in crm.create("contacts", 250, lastname="Weaver"):
        crm.portal.associate("contacts", person, "companies", mill, crm.now)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/associations/", "after": 1, "times": None})
    with pytest.raises(ServerError):
        crm.sync("associations", source)
    assert len(landed("crm.associations")) == 100
    crm.set_faults()
    assert crm.sync("associations").rows == 150


def test_what_fails_inside_a_batch_is_asked_for_again_and_never_taken_for_gone(crm, landed):
    (mill,) = crm.create("companies", name="Mill")
    people = crm.create("contacts", 3, lastname="Weaver")
    for person in people:
        crm.portal.associate("contacts", person, "companies", mill, crm.now)
    crm.sync("associations")
    crm.clock.advance(days=1)
    crm.portal.failing[people[1]] = 2
    assert not crm.sync("associations").changed
    crm.clock.advance(days=1)
    crm.portal.failing[people[1]] = 100
    with pytest.raises(ServerError) as failure:
        crm.sync("associations")
    assert str(failure.value) == (
        "crm.associations: HubSpot answered a batch without 1 of its records, 4 times. "
        "Sync again later; nothing is lost."
    )
    crm.portal.failing.clear()
    crm.sync("associations")
    assert len(live(landed("crm.associations"))) == 3


def test_consents_are_known_by_contact_and_never_by_address(crm, landed):
    crm.portal.add_subscription(1, "News", "What is new", crm.now)
    (ada,) = crm.create("contacts", lastname="Weaver", email="ada@mill.example")
    crm.create("contacts", lastname="Nobody")
    crm.clock.advance(seconds=7200)
    crm.sync("subscription_statuses")
    rows = landed("crm.subscription_statuses")
    assert list(rows) == [ada] and "mill.example" not in str(rows)
    assert [told["status"] for told in live(rows)[ada]["statuses"]] == ["NOT_SPECIFIED"]
    crm.portal.set_consent("ada@mill.example", 1, "UNSUBSCRIBED", crm.now)
    crm.clock.advance(days=1)
    assert not crm.sync("subscription_statuses").changed
    crm.clock.advance(days=6)
    crm.sync("subscription_statuses")
    rows = landed("crm.subscription_statuses")
    assert [told["status"] for told in live(rows)[ada]["statuses"]] == ["UNSUBSCRIBED"]


def test_the_history_of_properties_is_read_only_where_it_is_asked_for(crm, landed):
    assert "property_history" not in [stream.name for stream in crm.open().streams()]
    crm.settings["history"] = {"contacts": ["lifecyclestage", "jobtitle"], "deals": ["dealstage"]}
    ada, bo = crm.create("contacts", 2, lastname="Weaver", lifecyclestage="lead")
    (deal,) = crm.create("deals", dealname="Looms", dealstage="contractsent", pipeline="default")
    crm.portal.update("contacts", ada, {"lifecyclestage": "customer"}, crm.now, by=7)
    changed_at = crm.now
    crm.clock.advance(seconds=3600)
    crm.sync("property_history")
    told = live(landed("crm.property_history"))
    assert set(told) == {
        *(json.dumps(["contacts", key, "lifecyclestage"], separators=(",", ":"))
          for key in (ada, bo)),
        f'["deals","{deal}","dealstage"]',
    }  # fmt: skip
    newest, oldest = told[f'["contacts","{ada}","lifecyclestage"]']["versions"]
    assert newest == {
        "value": "customer", "timestamp": changed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sourceType": "CRM_UI", "updatedByUserId": 7,
    }  # fmt: skip
    assert oldest["value"] == "lead" and "updatedByUserId" not in oldest
    assert not crm.sync("property_history").changed

    crm.portal.update("deals", deal, {"dealstage": "closedwon"}, crm.now)
    crm.portal.erase(bo, crm.now)
    crm.clock.advance(seconds=3600)
    assert (crm.sync("property_history").rows) == 1
    crm.clock.advance(days=7)
    assert crm.sync("property_history").deletes == 1  # nothing is kept of whom the vendor erased


def test_histories_are_asked_for_fifty_records_at_a_time(crm, landed):
    crm.settings["history"] = {"contacts": ["lifecyclestage"]}
    ids = crm.create("contacts", 120, lastname="Weaver", lifecyclestage="lead")
    merged = crm.portal.merge("contacts", ids[0], ids[1], crm.now)
    crm.clock.advance(seconds=3600)
    crm.sync("property_history")
    assert crm.asked()["POST crm/objects/{type}/batch/read"] == 3
    told = {json.loads(key)[1] for key in live(landed("crm.property_history"))}
    assert told == {merged, *ids[2:]}


def test_a_history_costs_what_its_plan_says(crm):
    crm.settings["history"] = {"contacts": ["lifecyclestage", "jobtitle"]}
    ids = crm.create("contacts", 230, lastname="Weaver", lifecyclestage="lead", jobtitle="CTO")
    crm.clock.advance(seconds=7200)

    def told_and_made() -> tuple[int, int, int | None, int]:
        source = crm.open()
        stream = crm.stream("property_history", source)
        footer = Landing(crm.home).stream("crm", "property_history").footer()
        cost = source.plan(stream, footer.state if footer else {}, Window(now=crm.now))
        result = crm.sync("property_history")
        return cost.calls, result.requests - 1, cost.records, result.rows  # the clock's

    assert told_and_made() == (3 + 5, 3 + 5, 460, 460)
    for key in ids[:60]:
        crm.portal.update("contacts", key, {"lifecyclestage": "customer"}, crm.now)
    crm.clock.advance(seconds=7200)
    assert told_and_made() == (1 + 2, 1 + 2, 120, 60)


def test_older_versions_than_the_vendor_keeps_stay_in_the_versions_we_landed(crm, tmp_path):
    crm.settings["history"] = {"deals": ["dealname"]}
    (deal,) = crm.create("deals", dealname="name 0")
    for n in range(1, 40):
        crm.portal.update("deals", deal, {"dealname": f"name {n}"}, crm.now)
        crm.clock.advance(seconds=3600)
        if n % 10 == 0:
            crm.sync("property_history")
    crm.sync("property_history")
    files = (tmp_path / "landing" / "crm" / "property_history").glob("*.parquet")
    records = [row["record"] for path in files for row in pq.read_table(path).to_pylist()]
    values = {version["value"] for record in records for version in json.loads(record)["versions"]}
    assert len(json.loads(max(records, key=len))["versions"]) < 40
    assert values == {f"name {n}" for n in range(40)}


def test_the_history_of_a_name_is_as_personal_as_the_name(crm):
    def pii(**history: list[str]) -> Any:
        return crm.stream("property_history", crm.open(history=history)).pii

    assert pii(contacts=["lifecyclestage"]) == {}
    assert pii(contacts=["lifecyclestage", "email"]) == {"versions.value": "direct"}


def test_history_of_what_is_not_read_is_a_mistake_with_a_suggestion(crm):
    with pytest.raises(ConfigError) as mistake:
        crm.open(history={"contact": ["lifecyclestage"]})
    assert str(mistake.value) == (
        "crm: `history: contact` names no records whose properties are read. Did you mean "
        "`contacts`? A custom object must stand under `objects` first."
    )


def test_owners_pipelines_and_other_short_lists_are_read_whole(crm, landed):
    dana = crm.portal.add_owner("dana@acme.com", "Dana", "Scully", crm.now)
    fox = crm.portal.add_owner("fox@acme.com", "Fox", "Mulder", crm.now)
    crm.portal.deactivate_owner(fox, crm.now)
    crm.portal.add_subscription(1, "News", "What is new", crm.now)
    email = crm.portal.add_marketing_email("June", "A secret subject", crm.now, subscription=1)
    for name in ("owners", "pipelines", "marketing_emails", "subscription_types"):
        assert crm.sync(name).missing == 0
        assert not crm.sync(name).changed, name
    owners = live(landed("crm.owners"))
    assert {key: owner["archived"] for key, owner in owners.items()} == {dana: False, fox: True}
    assert set(live(landed("crm.pipelines"))) == {'["deals","default"]', '["tickets","0"]'}
    assert set(live(landed("crm.marketing_emails"))) == {email}
    assert "secret" not in str(landed("crm.marketing_emails"))
    assert set(live(landed("crm.subscription_types"))) == {"1"}


def test_campaigns_lists_and_forms_are_read_whole(crm, landed):
    campaigns = [crm.portal.add_campaign(f"Campaign {n}", crm.now) for n in range(120)]
    lists = [crm.portal.add_list(f"List {n}", crm.now) for n in range(130)]
    forms = [crm.portal.add_form("Sign up", crm.now, kind=kind) for kind in ("hubspot", "captured")]
    for name, keys in (("campaigns", campaigns), ("lists", lists), ("forms", forms)):
        assert crm.sync(name).missing == 0
        assert set(live(landed(f"crm.{name}"))) == set(keys), name
        assert not crm.sync(name).changed, name
    names = {told["properties"]["hs_name"] for told in live(landed("crm.campaigns")).values()}
    assert "Campaign 7" in names


def test_members_of_the_lists_that_are_named_come_and_go(crm, landed, monkeypatch):
    monkeypatch.setattr("connectors.hubspot.members.ROWS_PER_PAGE", 2)
    readers, guild, other = (
        crm.portal.add_list(name, crm.now) for name in ("Readers", "Guild 7", "Of no concern")
    )
    ids = crm.create("contacts", 7)
    for key in ids[:5]:
        crm.portal.add_to_list(readers, key, crm.now)
    crm.portal.add_to_list(guild, ids[5], crm.now)
    crm.portal.add_to_list(other, ids[6], crm.now)
    setting = {"members_of": ["Readers", "Guild*", "Nobody's"]}

    def sync(**how: Any) -> SyncResult:
        crm.clock.advance(seconds=60)
        return crm.sync("list_memberships", crm.open(**setting), **how)

    def held() -> set[tuple[str, str]]:
        told = live(landed("crm.list_memberships")).values()
        return {(one["listId"], one["recordId"]) for one in told}

    assert "list_memberships" not in {stream.name for stream in crm.open().streams()}
    first = sync()
    assert held() == {*((readers, key) for key in ids[:5]), (guild, ids[5])}
    assert (first.source_count, first.missing, first.extra) == (6, 0, 0)
    assert first.notes == ("`members_of`: there is no list `Nobody's`",)
    assert sync().requests <= 2  # the lists, and perhaps the clock

    # Who comes is noticed at once, and of the lists that changed alone.
    crm.portal.add_to_list(guild, ids[0], crm.now)
    before = sync()
    assert (before.rows, before.requests <= 3) == (1, True)
    # Who leaves, too, where all lists are read again: after a day, as more are held than counted.
    crm.portal.take_off_list(readers, ids[0], crm.now)
    assert (sync().extra, (readers, ids[0]) in held()) == (1, True)
    crm.clock.advance(days=1)
    assert sync().extra == 0
    assert (readers, ids[0]) not in held()
    # One leaves and another comes: after a week.
    crm.portal.take_off_list(guild, ids[0], crm.now)
    crm.portal.add_to_list(guild, ids[6], crm.now)
    sync()
    assert {(guild, ids[0]), (guild, ids[6])} <= held()
    crm.portal.delete_list(readers)
    crm.clock.advance(days=7)
    sync()
    assert held() == {(guild, ids[5]), (guild, ids[6])}


def test_members_are_planned_by_what_the_lists_tell(crm, monkeypatch):
    monkeypatch.setattr("connectors.hubspot.members.ROWS_PER_PAGE", 2)
    readers = crm.portal.add_list("Readers", crm.now)
    for key in crm.create("contacts", 5):
        crm.portal.add_to_list(readers, key, crm.now)
    source = crm.open(members_of=["*"])
    stream = crm.stream("list_memberships", source)
    [plan] = plan_source(source, [stream], crm.home).streams
    made = crm.sync("list_memberships", source)
    assert (plan.next.cost.calls, plan.next.cost.records) == (1 + 3, 5)
    assert made.requests == plan.next.cost.calls
    [plan] = plan_source(source, [stream], crm.home).streams
    assert (plan.next.cost.calls, plan.full.cost.calls) == (1, 1 + 3)


def test_the_counters_of_a_mailing_come_and_no_rate_of_them(crm, landed):
    email = crm.portal.add_marketing_email("June", "A secret subject", crm.now)
    crm.portal.marketing_emails[email].counters.update(sent=40, open=7)
    crm.sync("marketing_emails")
    stats = live(landed("crm.marketing_emails"))[email]["stats"]
    assert stats.keys() == {"counters"}
    assert (stats["counters"]["sent"], stats["counters"]["open"]) == (40, 7)


def test_submissions_are_known_by_contact_and_never_by_address_or_words(crm, landed):
    form = crm.portal.add_form("Sign up", crm.now, fields=("email", "message"))
    (ada,) = crm.create("contacts", email="ada@mill.example", lastname="Weaver")
    said = {"email": "Ada@Mill.example", "message": "private words"}
    mine = crm.portal.submit_form(form, said, crm.now)
    strangers = crm.portal.submit_form(form, {"email": "who@mill.example"}, crm.now)
    wordless = crm.portal.submit_form(form, {}, crm.now)
    crm.sync("form_submissions")
    rows = landed("crm.form_submissions")
    assert {key: told["contactId"] for key, told in live(rows).items()} == {
        mine: ada, strangers: None, wordless: None,
    }  # fmt: skip
    assert "mill.example" not in str(rows) and "private words" not in str(rows)
    assert live(rows)[mine]["submittedAt"] == crm.now.isoformat()


def test_a_merged_contacts_other_address_is_still_theirs(crm, landed):
    form = crm.portal.add_form("Sign up", crm.now)
    one, other = (
        crm.portal.create("contacts", {"email": f"{name}@mill.example"}, crm.now)
        for name in ("ada", "a.weaver")
    )
    merged = crm.portal.merge("contacts", one, other, crm.now)
    key = crm.portal.submit_form(form, {"email": "a.weaver@mill.example"}, crm.now)
    crm.sync("form_submissions")
    assert live(landed("crm.form_submissions"))[key]["contactId"] == merged


def test_a_form_whose_cursor_is_forgotten_is_begun_at_its_top_again(crm, landed):
    form = crm.portal.add_form("Sign up", crm.now)
    for _ in range(120):
        crm.portal.submit_form(form, {}, crm.now)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/submissions/", "after": 1, "times": None})
    with pytest.raises(ServerError):
        crm.sync("form_submissions", source, checkpoint_bytes=1)
    crm.set_faults({"kind": "cursor_gone", "match": "/submissions/", "times": 1})
    crm.sync("form_submissions")
    assert len(landed("crm.form_submissions")) == 120
    crm.set_faults({"kind": "cursor_gone", "match": "/submissions/", "times": None})
    with pytest.raises(BadRequest):  # what has no cursor was not refused for its sake
        crm.sync("form_submissions")


def test_submissions_are_read_newest_first_down_to_those_that_are_known(crm, landed):
    forms = [crm.portal.add_form(f"Form {n}", crm.now) for n in range(2)]
    for form in forms:
        for n in range(120):
            crm.portal.submit_form(form, {"email": f"n{n}@mill.example"}, crm.now)
            crm.clock.advance(seconds=60)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/submissions/", "after": 4, "times": None})
    with pytest.raises(ServerError):
        crm.sync("form_submissions", source, checkpoint_bytes=1)
    assert len(landed("crm.form_submissions")) == 120 + 50
    crm.set_faults()
    newest = crm.portal.submit_form(forms[1], {}, crm.now)
    crm.sync("form_submissions")  # goes on below, and leaves what came on top to the next one
    crm.sync("form_submissions")
    assert len(landed("crm.form_submissions")) == 241
    assert newest in landed("crm.form_submissions")
    pages = "GET form-integrations/submissions/forms/{id}"
    before = crm.asked()[pages]
    assert not crm.sync("form_submissions").changed
    assert crm.asked()[pages] - before <= 4
    crm.portal.archive_form(forms[0], crm.now)
    assert not crm.sync("form_submissions").changed  # what was said stays said


def mailing(crm: Crm, count: int) -> tuple[str, list[str]]:
    """Send an e-mail to so many, a minute apart; return it and who got it."""
    crm.portal.add_subscription(1, "News", "What is new", crm.now)
    email = crm.portal.add_marketing_email("June", "A secret subject", crm.now, subscription=1)
    crm.portal.publish(email, crm.now)
    ids = [
        crm.portal.create("contacts", {"email": f"n{n}@mill.example"}, crm.now)
        for n in range(count)
    ]
    for key in ids:
        crm.clock.advance(seconds=60)
        crm.portal.note_delivery(email, key, "sent", crm.now)
    crm.clock.advance(seconds=3600)
    return email, ids


def test_what_became_of_a_mailing_is_read_only_where_it_is_asked_for(crm, landed):
    assert "email_events" not in [stream.name for stream in crm.open().streams()]
    crm.settings["email_events"] = True
    email, (ada, bo, cy) = mailing(crm, 3)
    crm.portal.note_delivery(email, ada, "click", crm.now)
    crm.portal.note_delivery(email, bo, "open", crm.now, is_filtered=True)
    crm.portal.note_delivery(email, cy, "unsubscribed", crm.now, is_wide=True)
    clicked_at = crm.now
    crm.clock.advance(seconds=3600)
    crm.sync("email_events")
    rows = landed("crm.email_events")
    told = {(one["contactId"], one["type"]): one for one in live(rows).values()}
    assert set(told) == {
        *((key, kind) for key in (ada, bo, cy) for kind in ("SENT", "DELIVERED")),
        (ada, "CLICK"), (bo, "OPEN"), (cy, "STATUSCHANGE"),
    }  # fmt: skip
    for secret in ("mill.example", "secret", "harborlooms", "Boston", "Mozilla"):
        assert secret not in str(rows)
    assert told[ada, "CLICK"] == {
        "id": told[ada, "CLICK"]["id"], "created": clicked_at.isoformat(), "type": "CLICK",
        "contactId": ada, "emailCampaignId": crm.portal.marketing_emails[email].sending,
        "sentBy": {"id": told[ada, "SENT"]["id"]}, "filteredEvent": False,
    }  # fmt: skip
    assert told[bo, "OPEN"]["filteredEvent"] is True
    assert told[cy, "STATUSCHANGE"]["portalSubscriptionStatus"] == "UNSUBSCRIBED"
    crm.sync("marketing_emails")
    (mail,) = live(landed("crm.marketing_emails")).values()
    assert mail["allEmailCampaignIds"] == [str(told[ada, "CLICK"]["emailCampaignId"])]


def test_later_events_are_asked_for_by_span_and_addresses_once(crm, landed, monkeypatch):
    monkeypatch.setattr(mailings, "ROWS_PER_PAGE", 100)
    crm.settings["email_events"] = True
    email, ids = mailing(crm, 120)
    crm.sync("email_events")
    assert len(landed("crm.email_events")) == 240
    assert crm.asked()["GET email/public/events"] == 3
    assert crm.asked()["POST crm/objects/{type}/batch/read"] == 3  # 50, 50 and 20 new addresses
    crm.clock.advance(days=2)
    crm.portal.note_delivery(email, ids[0], "open", crm.now)
    crm.clock.advance(seconds=3600)
    assert crm.sync("email_events").rows == 1
    assert crm.asked()["GET email/public/events"] == 4
    assert not crm.sync("email_events").changed


def test_a_log_that_breaks_off_goes_on_where_it_was_and_needs_no_cursor_for_it(
    crm, landed, monkeypatch
):
    monkeypatch.setattr(mailings, "ROWS_PER_PAGE", 50)
    crm.settings["email_events"] = True
    email, ids = mailing(crm, 100)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/events", "after": 2, "times": None})
    with pytest.raises(ServerError):
        crm.sync("email_events", source, checkpoint_bytes=1)
    assert len(landed("crm.email_events")) == 100
    crm.portal.note_delivery(email, ids[0], "open", crm.now)
    crm.clock.advance(seconds=3600)
    # the cursor of the next page is refused once, and what came meanwhile is read as well
    crm.set_faults({"kind": "cursor_gone", "match": "/events", "after": 1, "times": 1})
    crm.sync("email_events")
    assert len(landed("crm.email_events")) == 201
    crm.set_faults({"kind": "cursor_gone", "match": "/events", "times": None})
    with pytest.raises(BadRequest):  # what has no cursor was not refused for its sake
        crm.sync("email_events")


def test_a_page_that_promises_more_without_a_cursor_loses_nothing(crm, landed, monkeypatch):
    monkeypatch.setattr(mailings, "ROWS_PER_PAGE", 50)
    crm.settings["email_events"] = True
    mailing(crm, 100)
    asked = client.Account.ask_path

    def forgetful(self, method, path, **what):
        told = json.loads(asked(self, method, path, **what))
        return json.dumps(
            {name: value for name, value in told.items() if name != "offset"}
        ).encode()

    monkeypatch.setattr(client.Account, "ask_path", forgetful)
    crm.sync("email_events")
    assert len(landed("crm.email_events")) == 200


def test_more_events_of_one_moment_than_fit_a_page_are_read_and_end(crm, landed, monkeypatch):
    monkeypatch.setattr(mailings, "ROWS_PER_PAGE", 10)
    crm.settings["email_events"] = True
    email, (ada,) = mailing(crm, 1)
    for _ in range(35):
        crm.portal.note_delivery(email, ada, "open", crm.now)
    crm.clock.advance(seconds=3600)
    crm.set_faults({"kind": "cursor_gone", "match": "/events", "after": 2, "times": 1})
    crm.sync("email_events")
    assert len(landed("crm.email_events")) == 37
    crm.set_faults({"kind": "cursor_gone", "match": "/events", "after": 1, "times": None})
    with pytest.raises(BadRequest):  # no span is shorter than a moment
        crm.sync("email_events", full_refresh=True)


def test_who_got_a_message_is_nobody_once_no_contact_has_the_address(crm, landed):
    crm.settings["email_events"] = True
    _, (ada, bo) = mailing(crm, 2)
    crm.portal.archive("contacts", ada, crm.now)
    merged = crm.portal.merge("contacts", bo, crm.create("contacts", email="b@home.example")[0],
                              crm.now)  # fmt: skip
    crm.clock.advance(seconds=3600)
    crm.sync("email_events")
    told = [one["contactId"] for one in live(landed("crm.email_events")).values()]
    assert sorted(told, key=str) == sorted([None, None, merged, merged], key=str)


def test_a_log_costs_what_its_plan_says(crm, monkeypatch):
    monkeypatch.setattr(mailings, "ROWS_PER_PAGE", 100)
    crm.settings["email_events"] = True
    email, ids = mailing(crm, 150)

    def told_and_made() -> tuple[int, int, int | None, int]:
        source = crm.open()
        stream = crm.stream("email_events", source)
        footer = Landing(crm.home).stream("crm", "email_events").footer()
        cost = source.plan(stream, footer.state if footer else {}, Window(now=crm.now))
        result = crm.sync("email_events")
        return cost.calls, result.requests - 1, cost.records, result.rows  # the clock's

    assert told_and_made() == (3 + 2, 3 + 3, 300, 300)  # a page asks for those it is first to show
    crm.clock.advance(days=1)
    crm.portal.note_delivery(email, ids[0], "open", crm.now)
    crm.clock.advance(seconds=3600)
    assert told_and_made() == (1 + 1, 1 + 1, 5, 1)  # the last hour is read again
    crm.clock.advance(days=1)
    for key in ids:
        crm.portal.note_delivery(email, key, "click", crm.now)
    crm.clock.advance(seconds=3600)
    source = crm.open()
    state = Landing(crm.home).stream("crm", "email_events").footer().state
    cost = source.plan(crm.stream("email_events", source), state, Window(now=crm.now))
    assert cost.notes == (
        "more than 100 events, the log does not tell how many: each further 100 take a call, and "
        "every 100 addresses another",
    )


def test_who_left_all_mail_is_told_apart_from_who_left_one_kind(crm, landed):
    crm.portal.add_subscription(1, "News", "What is new", crm.now)
    ada, bo = (
        crm.portal.create("contacts", {"email": f"{name}@mill.example"}, crm.now)
        for name in ("ada", "bo")
    )
    crm.portal.opt_out("ada@mill.example", crm.now)
    left_at = crm.now
    crm.portal.set_consent("bo@mill.example", 1, "UNSUBSCRIBED", crm.now)
    crm.clock.advance(seconds=3600)
    crm.sync("subscription_statuses")
    told = live(landed("crm.subscription_statuses"))
    assert told[bo]["wideStatuses"] == []
    assert told[ada]["wideStatuses"] == [
        {"wideStatusType": "PORTAL_WIDE", "status": "UNSUBSCRIBED",
         "timestamp": left_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    ]  # fmt: skip
    assert [one["status"] for one in told[ada]["statuses"]] == ["UNSUBSCRIBED"]


def test_leads_come_where_objects_names_them_with_whom_they_are_about(crm, landed):
    assert "leads" not in [stream.name for stream in crm.open().streams()]
    with pytest.raises(ConfigError, match="`fields: leads` names no object"):
        crm.open(fields={"leads": ["source"]})
    assert "leads" in [stream.name for stream in crm.open(objects=["0-136"]).streams()]
    crm.settings["objects"] = ["leads"]
    (ada,) = crm.create("contacts", lastname="Weaver")
    (lead,) = crm.create("leads", hs_lead_name="Ada Weaver", hs_pipeline_stage="new-stage-id")
    crm.portal.associate("leads", lead, "contacts", ada, crm.now, types=[578])
    crm.clock.advance(seconds=3600)
    for name in ("leads", "associations", "pipelines"):
        crm.sync(name)
    assert live(landed("crm.leads"))[lead]["properties"]["hs_lead_name"] == "Ada Weaver"
    assert to_ids(live(landed("crm.associations"))[f'["leads","{lead}","contacts"]']) == [ada]
    assert '["leads","lead-pipeline-id"]' in landed("crm.pipelines")
    crm.portal.archive("leads", lead, crm.now)
    crm.clock.advance(seconds=3600)
    assert crm.sync("leads").deletes == 1
    crm.portal.scopes -= {"crm.objects.leads.read"}
    told = crm.open().check()
    assert not told.ok and "`crm.objects.leads.read`" in told.detail


def visits(crm: Crm, contact: str, count: int, kind: str = "e_visited_page") -> list[str]:
    keys = []
    for _ in range(count):
        crm.clock.advance(seconds=60)
        at = {"hs_url": "https://harborlooms.example/secret", "hs_city": "lund"}
        keys.append(crm.portal.note_occurrence(kind, "contacts", contact, crm.now, **at))
    crm.clock.advance(seconds=3600)
    return keys


def test_events_of_behavior_come_by_the_types_that_are_named(crm, landed):
    assert "behavior_events" not in [stream.name for stream in crm.open().streams()]
    crm.settings["events"] = ["e_visited_page"]
    (ada,) = crm.create("contacts", lastname="Weaver")
    seen = visits(crm, ada, 230)
    bought = visits(crm, ada, 2, "pe1_bought")
    crm.sync("behavior_events")
    rows = live(landed("crm.behavior_events"))
    assert set(rows) == {*seen} and crm.asked()["GET events"] == 3
    assert rows[seen[0]].keys() == {"id", "eventType", "objectType", "objectId", "occurredAt"}
    assert (rows[seen[0]]["objectType"], rows[seen[0]]["objectId"]) == ("CONTACT", ada)
    crm.settings["events"] = ["e_visited_page", "pe1_bought"]  # its past is read as well
    later = visits(crm, ada, 1)
    source = crm.open()
    stream = crm.stream("behavior_events", source)
    state = Landing(crm.home).stream("crm", "behavior_events").footer().state
    assert source.plan(stream, state, Window(now=crm.now)).calls == 2
    crm.sync("behavior_events")
    assert set(landed("crm.behavior_events")) == {*seen, *bought, *later}
    assert not crm.sync("behavior_events").changed
    (note,) = source.plan(stream, {}, Window(now=crm.now)).notes
    assert note.startswith("more than 100 of `e_visited_page`")


def test_behavior_goes_on_after_a_break_and_begins_anew_where_its_cursor_is_forgotten(crm, landed):
    crm.settings["events"] = ["e_visited_page"]
    (ada,) = crm.create("contacts", lastname="Weaver")
    seen = visits(crm, ada, 250)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "502", "match": "/events", "after": 1, "times": None})
    with pytest.raises(ServerError):
        crm.sync("behavior_events", source, checkpoint_bytes=1)
    assert len(landed("crm.behavior_events")) == 100
    crm.set_faults({"kind": "cursor_gone", "match": "/events", "times": 1})
    crm.sync("behavior_events")
    assert set(landed("crm.behavior_events")) == {*seen}
    crm.set_faults({"kind": "cursor_gone", "match": "/events", "times": None})
    with pytest.raises(BadRequest):  # what has no cursor was not refused for its sake
        crm.sync("behavior_events")


def test_discover_tells_how_to_take_what_is_read_only_where_it_is_asked_for(crm):
    def found(**settings: Any) -> dict[str, str]:
        return {found.name: found.note for found in crm.open(**settings).discover().objects or ()}

    assert {"list_memberships", "email_events", "behavior_events", "leads"} <= found().keys()
    assert found()["email_events"] == "`email_events: true` takes them"
    taken = found(objects=["leads"], email_events=True, members_of=["*"], events=["e_x"])
    assert not {"list_memberships", "email_events", "behavior_events", "leads"} & taken.keys()


@pytest.mark.parametrize(
    "name",
    ["tickets", "calls", "emails", "meetings", "notes", "tasks", "communications",
     "postal_mail", "feedback_submissions"],
)  # fmt: skip
def test_every_kind_of_record_is_read_and_read_again(crm, landed, name):
    given = {"hs_pipeline": "0", "hs_pipeline_stage": "1"} if name == "tickets" else {}
    ids = crm.create(name, 3, **given)
    crm.sync(name)
    assert set(live(landed(f"crm.{name}"))) == set(ids)
    crm.clock.advance(days=1)
    counted = crm.sync(name)
    assert (counted.missing, counted.extra, counted.changed) == (0, 0, False)


def test_a_missing_scope_is_coverage_where_many_accounts_lack_the_product(crm):
    crm.portal.scopes -= {"crm.objects.feedback_submissions.read", "tickets"}
    result = crm.sync("feedback_submissions")
    assert (result.rows, result.notes) == (
        0, ("not visible: needs the scope `crm.objects.feedback_submissions.read`",),
    )  # fmt: skip
    assert crm.sync("associations").notes == ("tickets: not visible: needs the scope `tickets`",)
    crm.portal.scopes -= {"crm.objects.companies.read"}
    with pytest.raises(AuthError) as refusal:
        crm.sync("companies")
    assert str(refusal.value) == (
        "crm.companies: HubSpot answered HTTP 403 `MISSING_SCOPES`. The token of source `crm` "
        "needs the scope `crm.objects.companies.read`."
    )


def test_the_links_of_all_that_may_be_seen_are_counted_through_where_a_scope_is_missing(
    crm, landed
):
    mill, dyers = crm.create("companies", 2, name="Mill")
    (ticket,) = crm.create("tickets", hs_pipeline="0", hs_pipeline_stage="1")
    ada, bo = crm.create("contacts", 2, lastname="Weaver")
    for kind, key, company in (
        ("contacts", ada, mill), ("contacts", bo, dyers), ("tickets", ticket, mill),
    ):  # fmt: skip
        crm.portal.associate(kind, key, "companies", company, crm.now)
    crm.clock.advance(seconds=7200)
    assert crm.sync("associations").rows == 3
    crm.portal.scopes -= {"tickets"}
    crm.portal.erase(bo, crm.now)
    crm.clock.advance(days=1)
    result = crm.sync("associations")
    assert (result.deletes, result.extra) == (1, 0)
    assert result.notes == ("tickets: not visible: needs the scope `tickets`",)
    kept = {f'["contacts","{ada}","companies"]', f'["tickets","{ticket}","companies"]'}
    assert set(live(landed("crm.associations"))) == kept


def test_consents_that_nobody_may_see_any_more_stay(crm, landed):
    crm.create("contacts", lastname="Weaver", email="w@mill.example")
    crm.sync("subscription_statuses")
    held = live(landed("crm.subscription_statuses"))
    crm.portal.scopes -= {"communication_preferences.statuses.batch.read"}
    crm.clock.advance(days=8)
    assert crm.sync("subscription_statuses").deletes == 0
    assert held and live(landed("crm.subscription_statuses")) == held


@pytest.mark.parametrize("way", ["archive", "erase"])
def test_what_went_before_a_full_refresh_that_breaks_off_is_noticed_as_soon_as_ever(
    crm, landed, way
):
    ids = crm.create("contacts", 350, lastname="Weaver")
    crm.sync("contacts")
    crm.clock.advance(days=6)
    crm.sync("contacts")
    source = crm.open()
    source.session.attempts = 1
    getattr(crm.portal, way)(*(("contacts",) if way == "archive" else ()), ids[300], crm.now)
    crm.clock.advance(days=1)
    crm.set_faults({"kind": "502", "match": "/objects/", "after": 2, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source, full_refresh=True)
    crm.set_faults()
    for _ in range(2):
        crm.sync("contacts")
    assert ids[300] not in live(landed("crm.contacts"))


def test_a_refused_token_is_named_without_being_shown(crm):
    with pytest.raises(AuthError) as refusal:
        crm.sync("contacts", crm.open(access_token="pat-na1-wrong"))
    text = str(refusal.value)
    assert "`access_token`" in text and "pat-na1-wrong" not in text


def test_oauth_renews_a_token_that_expires_in_the_middle(crm, landed):
    crm.settings |= {
        "access_token": None,
        "client_id": crm.portal.client_id,
        "client_secret": crm.portal.client_secret,
        "refresh_token": crm.portal.refresh_token,
    }
    ids = crm.create("contacts", 250, lastname="Weaver")
    crm.set_faults({"kind": "expired_token", "match": "/objects/", "after": 1, "times": 1})
    assert crm.sync("contacts").rows == len(ids)
    assert crm.asked()["POST oauth/token"] == 2


def test_a_refused_refresh_token_is_an_error_that_says_so(crm):
    source = crm.open(
        access_token=None,
        client_id=crm.portal.client_id,
        client_secret=crm.portal.client_secret,
        refresh_token="na1-wrong",
    )
    with pytest.raises(AuthError) as refusal:
        source.check()
    assert str(refusal.value) == (
        "crm: HubSpot refused the refresh token with HTTP 400 `invalid_grant`. Check `client_id`, "
        "`client_secret` and `refresh_token` of source `crm`."
    )


def test_a_missing_token_is_named_before_any_call(crm):
    with pytest.raises(ConfigError, match="crm: `access_token` is missing"):
        crm.open(access_token=None)


def test_check_tells_account_scopes_properties_and_quota(crm):
    assert crm.open().check().detail == "every kind of record is readable"
    crm.portal.scopes -= {"crm.objects.feedback_submissions.read"}
    told = crm.open(fields={"contacts": ["tier"]}).check()
    assert told.account == f"portal {crm.portal.portal_id}"
    assert not told.ok
    assert told.detail == (
        "contacts: no such property: tier; feedback_submissions: needs the scope "
        "`crm.objects.feedback_submissions.read`"
    )
    assert told.quota_left is not None and 0 < told.quota_left < crm.portal.daily_limit


def test_discover_tells_which_properties_exist_and_are_not_taken(crm):
    crm.portal.add_property("contacts", {"name": "tier", "type": "string"})
    crm.portal.scopes -= {"tickets"}
    found = {told.stream.name: told for told in crm.open().discover().streams}
    contacts = {field.name: field for field in found["contacts"].fields}
    assert contacts["email"].is_taken and contacts["email"].pii == "direct"
    assert (contacts["tier"].is_taken, contacts["tier"].is_custom) == (False, True)
    assert contacts["address"].pii == "direct"
    assert contacts["lastmodifieddate"].type == "timestamp"
    assert not found["tickets"].is_complete and "`tickets`" in found["tickets"].how
    assert found["contacts"].fields_key == "contacts" and found["owners"].fields_key == ""
    taken = crm.open(fields={"contacts": ["tier"]}).discover().streams[0].fields
    assert next(field for field in taken if field.name == "tier").is_taken


def test_an_unknown_object_is_refused_with_a_remedy(crm):
    with pytest.raises(BadRequest, match=r"HTTP 400 `VALIDATION_ERROR`.*`rapport check crm`"):
        crm.sync("ghosts", crm.open(objects=["ghosts"]))


def test_a_login_page_in_the_way_is_an_error_that_says_so(crm):
    crm.set_faults({"kind": "not_json", "match": "/objects/", "times": None})
    with pytest.raises(ServerError, match="which is not JSON"):
        crm.sync("contacts")
