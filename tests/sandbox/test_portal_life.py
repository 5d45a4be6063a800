"""The generated company's portal: of the same people, true to the truth, no trouble to others."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import requests
from hubspot import HubSpot

from sandbox.server import serve
from sandbox.world import World

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ALL = ("salesforce", "discourse", "hubspot")


def small(people: int = 120, **how: object) -> World:
    return World(people=people, seed=3, now=NOW, **{"vendors": ALL, **how})  # type: ignore[arg-type]


def fingerprint(world: World) -> str:
    portal = world.portal
    parts = [
        [(name, sorted(table.records.items())) for name, table in portal.tables.items()],
        sorted(portal.consents.items()),
        sorted(portal.marketing_emails.items()),
        sorted(portal.owners.items()),
        [(name, portal.links("contacts", id, "companies")) for name, id in _contacts(world)],
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _contacts(world: World) -> list[tuple[str, int]]:
    return [("contacts", id) for id in world.portal.table("contacts").live]


@pytest.fixture(scope="module")
def world() -> World:
    """A world big enough to hold every trap; only read."""
    return World(people=900, seed=7, now=NOW, vendors=ALL)


@pytest.fixture(scope="module")
def truth(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("truth")
    world.write_truth(folder)
    return {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}


def test_the_same_seed_makes_the_same_portal_in_however_many_steps() -> None:
    at_once, in_steps = small(60), small(60)
    at_once.advance(days=4)
    for _ in range(3):
        in_steps.advance(days=1)
    in_steps.advance(seconds=86_400)
    assert fingerprint(at_once) == fingerprint(in_steps)
    assert at_once.truth == in_steps.truth
    assert fingerprint(small(60, vendors=ALL)) != fingerprint(at_once)


def test_the_crm_and_the_forum_are_the_same_with_and_without_a_portal() -> None:
    without, with_one = small(vendors=ALL[:2]), small()
    for name in ("Account", "Contact", "Lead", "Case", "Task", "User"):
        assert without.org.rows(name) == with_one.org.rows(name), name
    assert repr(sorted(without.forum.posts.items())) == repr(sorted(with_one.forum.posts.items()))
    assert without.portal.table("contacts").live == []
    assert not [row for row in without.truth.profiles if row[0] == "hubspot"]


def test_the_proportions_are_those_of_a_newsletter_and_a_help_desk(world: World) -> None:
    counts = world.counts()
    people = counts["people"]
    engagements = sum(
        counts[f"portal_{name}"]
        for name in ("calls", "emails", "meetings", "notes", "tasks", "communications")
    )
    assert 0.3 < counts["portal_contacts"] / people < 0.5
    assert 0.08 < counts["portal_companies"] / people < 0.17
    assert 0.2 < counts["portal_tickets"] / people < 0.45
    assert 1.0 < engagements / people < 2.2
    assert counts["portal_feedback_submissions"] > 50
    assert len(world.portal.marketing_emails) > 30


def test_every_profile_of_the_portal_is_in_the_truth_with_its_state(
    world: World, truth: dict[str, list[dict]]
) -> None:
    told = {
        (row["stream"], row["native_id"]): row
        for row in truth["profiles"]
        if row["source_type"] == "hubspot"
    }
    for name in ("contacts", "companies"):
        table = world.portal.table(name)
        for id, record in table.records.items():
            row = told[name, str(id)]
            assert row["state"] == ("live" if record.archived_at is None else "deleted")
            assert row["profile_key"] == f"hub:{name}:{id}"
        for id, heir in table.heirs.items():
            row = told[name, str(id)]
            assert (row["state"], row["merged_into"]) == ("merged", str(heir))
            after = told[name, str(heir)]
            assert (after["person"], after["organization"]) == (row["person"], row["organization"])
    assert {row["state"] for row in told.values()} == {"live", "deleted", "merged", "purged"}
    people = {row["person"] for row in truth["people"]}
    assert {row["person"] for row in told.values()} <= people | {None}
    assert {id for stream, id in told if stream == "owners"} == set(world.portal.owners)


TRAPS = {
    "contact_without_company", "name_odd_case", "merged_contact", "duplicate_contact",
    "name_given_only", "handle_volunteered", "test_record", "restored_contact", "ticket_reopened",
    "nickname", "email_missing", "email_typo", "archived_contact", "erased_contact", "merge_chain",
    "merged_company", "duplicate_company", "inactive_owner", "qualified_lead",
}  # fmt: skip


def test_every_trap_is_laid_at_least_once(truth: dict[str, list[dict]]) -> None:
    laid = {row["trap"] for row in truth["traps"] if row["source_type"] == "hubspot"}
    assert laid >= TRAPS


def test_mailings_are_opened_by_people_and_scanners_and_some_bounce_or_are_left_for_good(
    world: World,
) -> None:
    portal = world.portal
    log = portal.email_log()
    kinds = Counter(event.kind for event in log)
    filtered = Counter(event.kind for event in log if event.more.get("filteredEvent"))
    assert kinds["SENT"] == kinds["DELIVERED"] > 5_000
    assert 0 < kinds["BOUNCE"] < 0.1 * kinds["SENT"]
    assert 0.04 < filtered["OPEN"] / kinds["SENT"] < 0.10
    assert filtered["OPEN"] == filtered["CLICK"]
    assert kinds["OPEN"] - filtered["OPEN"] > 3 * filtered["OPEN"]
    assert {event.more["portalSubscriptionStatus"] for event in log
            if event.kind == "STATUSCHANGE"} == {"SUBSCRIBED", "UNSUBSCRIBED"}  # fmt: skip
    counted = sum((email.counters for email in portal.marketing_emails.values()), Counter())
    erased = counted["sent"] - kinds["SENT"]  # who was erased is in the counters alone
    assert 0 <= erased < 0.05 * counted["sent"]


def test_leads_are_of_prospects_and_many_of_them_qualify(
    world: World, truth: dict[str, list[dict]]
) -> None:
    portal = world.portal
    leads = portal.table("leads")
    assert len(leads.live) > 20
    stages = Counter(leads.records[key].properties["hs_pipeline_stage"] for key in leads.live)
    assert stages["qualified-stage-id"] > 5 and stages["unqualified-stage-id"] > 5
    of_contact = {row["native_id"]: row["person"] for row in truth["profiles"]
                  if (row["source_type"], row["stream"]) == ("hubspot", "contacts")}  # fmt: skip
    for row in truth["profiles"]:
        if (row["source_type"], row["stream"]) == ("hubspot", "leads"):
            about = portal.links("leads", int(row["native_id"]), "contacts")
            assert {of_contact[str(contact)] for contact, _ in about} <= {row["person"]}


def test_many_people_are_in_two_or_three_silos(truth: dict[str, list[dict]]) -> None:
    silos: dict[str, set[str]] = {}
    for row in truth["profiles"]:
        if row["person"] is not None:
            silos.setdefault(row["person"], set()).add(row["source_type"])
    pairs = Counter(frozenset(held) for held in silos.values())
    assert pairs[frozenset(ALL)] > 60
    assert pairs[frozenset(("salesforce", "hubspot"))] > 40
    assert pairs[frozenset(("discourse", "hubspot"))] > 40


def test_quiet_organizations_are_silent_in_the_portal_too(
    world: World, truth: dict[str, list[dict]]
) -> None:
    portal = world.portal
    for row in truth["effects"]:
        if row["effect"] != "quiet_before_renewal":
            continue
        people = {
            person.id
            for person in world.population.people
            if person.organization is not None and person.organization.id == row["true_id"]
        }
        contacts = {
            profile["native_id"]
            for profile in truth["profiles"]
            if profile["person"] in people and profile["stream"] == "contacts"
            and profile["source_type"] == "hubspot"
        }  # fmt: skip
        for id in portal.table("tickets").live:
            asked_by = {str(other) for other, _ in portal.links("tickets", id, "contacts")}
            if asked_by & contacts:
                assert portal.get("tickets", id).created_at < row["since"]


def test_tickets_are_answered_and_closed_and_some_are_rated(world: World) -> None:
    portal = world.portal
    tickets = [portal.get("tickets", id) for id in portal.table("tickets").live]
    closed = [ticket for ticket in tickets if "closed_date" in ticket.properties]
    assert len(closed) > 0.9 * len(tickets)
    assert all("first_agent_reply_date" in ticket.properties for ticket in closed)
    rated = [ticket for ticket in tickets if portal.links("tickets", ticket.id,
                                                          "feedback_submissions")]  # fmt: skip
    assert 0.15 < len(rated) / len(tickets) < 0.55


def test_a_week_brings_every_kind_of_change() -> None:
    world = small(200)
    portal, before = world.portal, world.clock.now()
    table = portal.table("contacts")
    seen, live = dict(table.records), set(table.live)
    world.advance(days=7)
    assert set(table.live) - live
    assert any(id in table.heirs for id in live)
    assert any(id in live for id in table.archived)
    assert [id for id in live if id not in table.records and id not in table.heirs]
    assert any(
        id in seen and record.updated_at > before and record.properties != seen[id].properties
        for id, record in table.records.items()
    )
    assert any(trap[0] == "restored_contact" and trap[5] > before for trap in world.truth.traps)


def test_search_knows_of_some_writes_only_after_a_while() -> None:
    world = small(60)
    world.advance(days=1)
    table = world.portal.table("companies")
    table.settle(world.clock.now())
    assert list(table.indexed()) != [table.records[id] for id in table.live]
    world.advance(seconds=300)
    table.settle(world.clock.now())
    assert list(table.indexed()) == [table.records[id] for id in table.live]


def test_ten_thousand_records_bear_one_stamp_only_when_asked() -> None:
    def most(world: World) -> int:
        records = world.portal.table("contacts").records.values()
        return Counter(record.updated_at for record in records).most_common(1)[0][1]

    assert most(small(60)) < 50
    assert most(small(60, portal_import=300)) > 250


def test_its_rapport_yml_takes_the_properties_of_ones_own_but_nothing_sensitive() -> None:
    with serve(people=60, port=0, now=NOW) as sandbox:
        hub = sandbox.credentials["sources"]["hub"]
        portal = sandbox.world.portal
        for name in ("contacts", "companies", "tickets"):
            fields = hub["fields"][name]
            own = {
                told["name"]: told
                for told in portal.table(name).kind.properties.values()
                if not told.get("hubspotDefined")
            }
            taken = {field["name"]: field for field in fields}
            open_to_all = {
                key for key, told in own.items() if told.get("dataSensitivity") != "sensitive"
            }
            assert taken.keys() == open_to_all, name
            for key, field in taken.items():
                kind = {"number": "decimal", "date": "date"}.get(own[key]["type"], "text")
                assert field.get("type", "text") == kind, key


def test_it_makes_nobody_wait_unless_the_vendors_limits_are_asked_for() -> None:
    for vendor_limits, told, calls in ((False, 10_000, 10_000), (True, None, 190)):
        with serve(people=60, port=0, now=NOW, vendor_limits=vendor_limits) as sandbox:
            hub = sandbox.credentials["sources"]["hub"]
            assert hub.get("calls_per_10_s") == told
            assert sandbox.world.portal.calls_per_10_s == calls


def test_it_is_served_beside_the_others_unless_left_out(tmp_path: Path) -> None:
    with serve(people=60, port=0, now=NOW, vendors=ALL[:2]) as sandbox:
        assert set(sandbox.urls) == {"salesforce", "discourse"}
        assert "hub" not in sandbox.credentials["sources"]
    with serve(people=60, port=0, now=NOW, vendors=ALL) as sandbox:
        hub = sandbox.credentials["sources"]["hub"]
        assert hub["url"] == sandbox.urls["hubspot"]
        assert hub["access_token"] == sandbox.world.portal.access_token
        client = HubSpot(access_token=hub["access_token"], host=hub["url"])
        live = [str(id) for id in sandbox.world.portal.table("contacts").live]
        assert [contact.id for contact in client.crm.contacts.get_all()] == live
        requests.post(f"{hub['url']}/sandbox/advance", json={"days": 1}, timeout=30)
        assert sandbox.now == NOW + timedelta(days=1)
        sandbox.write_truth(tmp_path)
        keys = pq.read_table(tmp_path / "profiles.parquet")["profile_key"].to_pylist()
        assert sum(key.startswith("hub:") for key in keys) > 15
