"""The tables that a small HubSpot account must become: a merge, an archived contact, a ticket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connectors import registry
from connectors.sync import sync_stream
from rapport.conformance.stage import Wire
from sandbox.clock import Clock
from sandbox.hubspot.http import app
from sandbox.hubspot.portal import Portal
from tests.dbt.build import build
from tests.dbt.landing_fixture import ACCOUNT, CONTACT, FIRST_SYNC, Landing, sf_id

pytestmark = pytest.mark.dbt

LAYERS = ("--exclude", "path:models/metrics")
MILL, DYERS = "hub:companies:11", "hub:companies:12"
ADA, BEN, KIT, OLD_ADA, GONE = (f"hub:contacts:{n}" for n in (99, 2, 4, 1, 3))
DANA = "hub:owners:7"
ACCOUNT_OF_DYERS = sf_id(ACCOUNT, 1)
BEN_THERE, SUCCESSOR, EVE_THERE, FAY_THERE, IRIS_THERE = (sf_id(CONTACT, n) for n in range(1, 6))
MOVED = FIRST_SYNC + timedelta(days=8)
DAY_LATER = FIRST_SYNC + timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


def record(key: int, **properties: Any) -> dict[str, Any]:
    created = "2025-03-01T08:00:00.250Z"
    return {"id": str(key), "properties": properties, "createdAt": created, "archived": False}


def link(landing: Landing, kind: str, key: int, other: str, *to: tuple[int, str | None],
         when: datetime = FIRST_SYNC) -> None:  # fmt: skip
    links = [
        {
            "toObjectId": number,
            "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": label},
                {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None},
            ],
        }
        for number, label in to
    ]
    landing.add(
        "hubspot__associations",
        {"fromType": kind, "fromId": str(key), "toType": other, "to": links},
        key=json.dumps([kind, str(key), other]),
        version=when,
        loaded_at=when,
    )


def consent(landing: Landing, contact: int, *said: tuple[int, str, str],
            when: datetime = FIRST_SYNC, left_all: str | None = "not read") -> None:  # fmt: skip
    statuses = [
        {"subscriptionId": number, "status": word, "timestamp": f"{day}T09:00:00Z"}
        | ({"legalBasis": "CONSENT_WITH_NOTICE"} if word == "SUBSCRIBED" else {})
        for number, word, day in said
    ]
    told = {"status": "UNSUBSCRIBED", "timestamp": f"{left_all}T09:00:00Z"}
    unit = {"wideStatusType": "BUSINESS_UNIT_WIDE", "businessUnitId": 7}
    wide = [told | {"wideStatusType": "PORTAL_WIDE"}, told | unit] if left_all else []
    landing.add(
        "hubspot__subscription_statuses",
        {"contactId": str(contact), "statuses": statuses}
        | ({} if left_all == "not read" else {"wideStatuses": wide}),
        key=str(contact),
        version=when,
        loaded_at=when,
    )


def account() -> Landing:
    landing = Landing(
        {
            "hub": ("hubspot", "crm"),
            "desk": ("hubspot", "crm"),
            "forum": ("discourse", "forum"),
            "crm": ("salesforce", "crm"),
        }
    )
    landing.control = {
        "own_domains": [("acme.com",)],
        "settings": [("currency", "EUR")],
        "custom_fields": [
            ("hub", "companies", "renews_on", "date", "none"),
            ("hub", "companies", "renewal_sum", "decimal", "none"),
            ("hub", "contacts", "is_vip", "boolean", "none"),
            ("hub", "contacts", "salesforcecontactid", "text", "pseudonym"),
        ],
        "column_meanings": [
            ("hub", "companies", "renews_on", "renewal_date"),
            ("hub", "companies", "renewal_sum", "renewal_amount"),
            ("hub", "contacts", "salesforcecontactid", "external_id"),
        ],
    }
    landing.add(
        "hubspot__owners",
        {"id": "7", "email": "dana@acme.com", "firstName": "Dana", "lastName": "Scully",
         "type": "PERSON", "archived": True, "createdAt": "2024-01-01T00:00:00Z"},
    )  # fmt: skip
    landing.add("hubspot__owners", {"id": "8", "firstName": "Tier 1", "type": "QUEUE"})
    landing.add(
        "hubspot__companies",
        record(11, name="Mill", domain="mill.example", type="OTHER", lifecyclestage="customer",
               hubspot_owner_id="7", renews_on="2026-09-30", renewal_sum="1234567890123456.78"),
    )  # fmt: skip
    landing.add("hubspot__companies", record(12, name="Dyers", website="https://www.dyers.example"))

    landing.add(
        "hubspot__contacts",
        record(1, email="ada@mill.example", firstname="Ada", lastname="Weaver",
               hs_email_optout="true"),
    )  # fmt: skip
    landing.delete("hubspot__contacts", "1", merged_into="99")
    landing.add(
        "hubspot__contacts",
        record(99, email="ada.weaver@mill.example", hs_additional_emails="ada@mill.example",
               firstname="Ada", lastname="Weaver", jobtitle="CTO", hubspot_owner_id="7",
               hs_email_optout="true", is_vip="true"),
    )  # fmt: skip
    landing.add(
        "hubspot__contacts",
        record(2, email="ben@dyers.example", firstname="Ben", lastname="Dyer",
               lifecyclestage="opportunity", associatedcompanyid="12", hs_email_optout=""),
    )  # fmt: skip
    landing.add("hubspot__contacts", record(3, email="gone@mill.example", firstname="Cy"))
    landing.delete("hubspot__contacts", "3")
    link(landing, "contacts", 99, "companies", (12, None), (11, "Primary"))
    link(landing, "contacts", 99, "companies", (12, "Primary"), when=MOVED)
    landing.add("hubspot__contacts", record(4, email="kit@mail.example", firstname="Kit"))
    link(landing, "contacts", 4, "companies", (12, "Primary"))
    landing.delete("hubspot__associations", '["contacts", "4", "companies"]', at=MOVED)

    landing.add(
        "hubspot__pipelines",
        {"objectType": "tickets", "id": "0", "label": "Support", "stages": [
            {"id": "1", "label": "New", "metadata": {"isClosed": "false", "ticketState": "OPEN"}},
            {"id": "4", "label": "Closed", "metadata": {"isClosed": "true"}}]},
        key='["tickets","0"]',
    )  # fmt: skip
    landing.add(
        "hubspot__tickets",
        record(31, hs_pipeline="0", hs_pipeline_stage="4", hs_ticket_priority="HIGH",
               source_type="EMAIL", hubspot_owner_id="7", closed_date="2025-03-03T10:00:00Z"),
    )  # fmt: skip
    # not read since the merge: it still names the old record
    link(landing, "tickets", 31, "contacts", (1, None))
    landing.add(
        "hubspot__deals",
        record(41, dealname="Renewal", pipeline="default", dealstage="closedwon",
               amount="1000.50", closedate="2026-05-01T12:00:00Z", hs_is_closed="true",
               hs_is_closed_won="true", hubspot_owner_id="7"),
    )  # fmt: skip
    link(landing, "deals", 41, "companies", (11, "Primary"))
    link(landing, "deals", 41, "contacts", (99, "Decision maker"), (2, None))

    def act(kind: str, key: int, to: int, day: str, **properties: Any) -> None:
        landing.add(
            f"hubspot__{kind}",
            record(key, hubspot_owner_id="7", hs_timestamp=f"{day}T09:00:00Z", **properties),
        )
        link(landing, kind, key, "contacts", (2, None), (to, None))

    act("emails", 51, 99, "2025-03-02", hs_email_direction="EMAIL", hs_email_status="SENT",
        hs_email_to_email="Ada.Weaver@mill.example")  # fmt: skip
    link(landing, "emails", 51, "tickets", (31, None))
    act("emails", 52, 99, "2026-06-02", hs_email_direction="INCOMING_EMAIL",
        hs_email_from_email="ada.weaver@mill.example")  # fmt: skip
    act("emails", 53, 99, "2026-06-02", hs_email_direction="DRAFT_EMAIL")
    act("emails", 54, 99, "2026-06-03", hs_email_direction="FORWARDED_EMAIL")
    act("calls", 61, 2, "2026-06-04", hs_call_direction="INBOUND", hs_call_status="COMPLETED")
    act("meetings", 62, 2, "2026-06-05", hs_meeting_start_time="2026-06-06T10:00:00Z")
    act("meetings", 63, 2, "2026-06-05", hs_meeting_outcome="CANCELED")
    act("notes", 64, 2, "2026-06-07")
    act("tasks", 65, 2, "2026-06-08", hs_task_status="COMPLETED")
    act("tasks", 66, 2, "2026-06-08", hs_task_status="NOT_STARTED")
    act("communications", 67, 2, "2026-06-09", hs_communication_channel_type="WHATS_APP")
    landing.add(
        "hubspot__feedback_submissions",
        record(71, hs_contact_id="2", hs_survey_type="NPS", hs_value="9",
               hs_response_group="Promoter", hs_submission_timestamp="2026-06-10T09:00:00Z"),
    )  # fmt: skip
    act("postal_mail", 68, 2, "2026-06-09")
    landing.add("hubspot__forms", {"id": "f1", "name": "Sign up"})
    for key, contact in (("81", "1"), ("82", None)):
        landing.add(
            "hubspot__form_submissions",
            {"conversionId": key, "formId": "f1", "contactId": contact,
             "submittedAt": "2026-06-12T09:00:00+00:00"},
            key=key,
        )  # fmt: skip
    # answered before the merge, by somebody whose old record we never held
    landing.delete("hubspot__contacts", "5", merged_into="2")
    landing.add(
        "hubspot__feedback_submissions",
        record(72, hs_contact_id="5", hs_submission_timestamp="2026-06-11T09:00:00Z"),
    )
    landing.add("hubspot__subscription_types", {"id": "501", "name": "News"})
    refused, granted = ("UNSUBSCRIBED", "2026-06-05"), ("SUBSCRIBED", "2025-04-01")
    consent(landing, 1, (501, *granted))
    landing.delete("hubspot__subscription_statuses", "1")
    consent(landing, 99, (501, *granted), (502, "NOT_SPECIFIED", "2019-03-04"))
    consent(landing, 99, (501, *refused), (502, *refused), when=MOVED, left_all=None)
    consent(landing, 2, (502, "NOT_SPECIFIED", "2019-03-04"))
    # Kit left all mail, came back a week later, and Iris left all mail but for one kind
    consent(landing, 4, (501, *granted), left_all="2026-05-01")
    consent(landing, 4, (501, *granted), when=MOVED, left_all=None)
    consent(landing, 9, (502, *granted), left_all="2026-06-01")
    mailing(landing)
    leads(landing)
    # the sign-on's number for Cy is Ben's by chance
    landing.add(
        "discourse__users",
        {"id": 1, "username": "cy", "single_sign_on_record": {"external_id": "2"}},
    )
    second_crm(landing)
    return landing


def mailing(landing: Landing) -> None:
    """Add what became of an e-mail: a scanner opens it, its reader clicks and leaves."""
    landing.add("hubspot__campaigns", {"id": "c1", "properties": {"hs_name": "Looms"}})
    landing.add(
        "hubspot__marketing_emails",
        {"id": "e1", "name": "June news", "campaign": "c1", "allEmailCampaignIds": ["900", "901"]},
    )

    def event(key: str, kind: str, contact: int | None, hour: int, **more: Any) -> None:
        told = {"id": key, "type": kind, "contactId": contact and str(contact),
                "created": f"2026-06-20T{hour:02}:00:00+00:00", "emailCampaignId": 901}  # fmt: skip
        if sent := more.pop("sent", None):
            told["sentBy"] = {"id": sent}
        landing.add("hubspot__email_events", told | more)

    event("s1", "SENT", 1, 9)  # to the contact that was merged into 99 since
    event("s2", "SENT", 2, 9)
    event("s3", "SENT", None, 9, emailCampaignId=999)  # by an e-mail that is not listed
    event("d1", "DELIVERED", 1, 10, sent="s1")
    event("o1", "OPEN", 1, 10, sent="s1", filteredEvent=True)
    event("o2", "OPEN", 99, 11, sent="s1", filteredEvent=False)
    event("k1", "CLICK", 99, 12, sent="s1", filteredEvent=False)
    unsubscribed = [{"id": 501, "status": "UNSUBSCRIBED"}]
    event("u1", "STATUSCHANGE", 99, 13, source="SOURCE_RECIPIENT",
          portalSubscriptionStatus="SUBSCRIBED", subscriptions=unsubscribed)  # fmt: skip
    event("b1", "BOUNCE", 2, 10, sent="s2", category="UNKNOWN_USER")
    # staff changes what Kit gets, and a list is imported again: no answers to a message
    event("u2", "STATUSCHANGE", 4, 13, source="SOURCE_CONTACTS_APP", emailCampaignId=None,
          portalSubscriptionStatus="UNSUBSCRIBED", subscriptions=[])  # fmt: skip
    event("u3", "STATUSCHANGE", 2, 14, sent="s2", portalSubscriptionStatus="SUBSCRIBED",
          subscriptions=[{"id": 501, "status": "SUBSCRIBED"}])  # fmt: skip
    event("p1", "SPAMREPORT", None, 15, sent="s3")


def leads(landing: Landing) -> None:
    """Add interest in a loom: of a contact, of one that was merged since, and of nobody known."""
    for key, to, name in ((201, 2, "Ben - autumn fair"), (202, 1, "Ada"), (203, 777, "Nobody")):
        landing.add(
            "hubspot__leads",
            record(key, hs_lead_name=name, hs_lead_label="WARM", hubspot_owner_id="7"),
        )
        link(landing, "leads", key, "contacts", (to, "Primary"))
    landing.delete("hubspot__leads", "202", at=MOVED)
    landing.delete("hubspot__associations", '["leads", "202", "contacts"]', at=MOVED)


def read_by_the_connector(landing: Landing, home: Path) -> dict[str, str]:
    """Add what the connector reads of an emulated account (`desk`); return names of its records.

    After a first sync a contact moves to another company, and two contacts of one woman are
    merged. Neither moves the stamp of anything else. The next sync comes a day later.
    """
    portal, clock = Portal(), Clock(FIRST_SYNC - timedelta(days=30))
    portal.calls_per_10_s = portal.searches_per_second = 1_000_000
    settings = {"access_token": portal.access_token, "url": "http://portal"}

    def create(kind: str, **properties: str) -> str:
        return portal.create(kind, properties, clock.now())

    ids = {
        "spinners": create("companies", name="Spinners", domain="spinners.example"),
        "carders": create("companies", name="Carders", domain="carders.example"),
        "mo": create("contacts", firstname="Mo", email="mo@spinners.example"),
        "lu": create("contacts", firstname="Lu", email="lu@carders.example"),
        "louise": create("contacts", firstname="Louise", email="l.loom@home.example"),
        "deal": create("deals", dealname="Wool", dealstage="contractsent", pipeline="default"),
    }
    portal.associate("contacts", ids["mo"], "companies", ids["spinners"], clock.now())
    portal.associate("deals", ids["deal"], "contacts", ids["louise"], clock.now())
    clock.advance(days=30)
    for at in (FIRST_SYNC, DAY_LATER):
        source = registry.open_source("desk", "hubspot", settings, home=home)
        source.session.mount("http://", Wire(app(portal, clock)))  # type: ignore[attr-defined]
        for stream in source.streams():
            if stream.name in ("companies", "contacts", "deals", "associations"):
                folder = home / "landing" / "desk" / stream.name
                before = set(folder.glob("*.parquet"))
                sync_stream(source, stream, home)
                for path in sorted(set(folder.glob("*.parquet")) - before):
                    landing.add_file(f"hubspot__{stream.name}", path, loaded_at=at)
        if at == FIRST_SYNC:
            portal.dissociate("contacts", ids["mo"], "companies", ids["spinners"], clock.now())
            portal.associate("contacts", ids["mo"], "companies", ids["carders"], clock.now())
            ids["merged"] = portal.merge("contacts", ids["lu"], ids["louise"], clock.now())
            clock.advance(days=1)
    return ids


def second_crm(landing: Landing) -> None:
    """Add some of the same people and one of the organizations as another CRM has them."""
    landing.add("salesforce__accounts", {"Id": ACCOUNT_OF_DYERS, "Name": "Dyers & Co"})
    for key, given, family, email in (
        (BEN_THERE, "Benjamin", "Dyer", "Ben@dyers.example"),
        (SUCCESSOR, "Cara", "Woad", "ben@dyers.example"),
        (EVE_THERE, "Eve", "Spinner", None),
        (FAY_THERE, "Fay", "Carder", None),
    ):
        landing.add(
            "salesforce__contacts",
            {"Id": key, "Name": f"{given} {family}", "FirstName": given, "LastName": family,
             "Email": email, "AccountId": ACCOUNT_OF_DYERS if email else None},
        )  # fmt: skip
    iris = {"Id": IRIS_THERE, "Name": "Iris Loom", "FirstName": "Iris", "LastName": "Loom",
            "Email": "iris@dyers.example", "AccountId": ACCOUNT_OF_DYERS}  # fmt: skip
    landing.add("salesforce__contacts", iris)
    left = iris | {"Title": "No longer with the company"}
    landing.add("salesforce__contacts", left, version=MOVED, loaded_at=MOVED)
    landing.add(
        "hubspot__contacts",
        record(9, email="iris@dyers.example", firstname="Iris", lastname="Loom",
               associatedcompanyid="12"),
    )  # fmt: skip
    landing.add(
        "hubspot__contacts",
        record(6, email="eve@wool.example", firstname="Eve", salesforcecontactid=EVE_THERE),
    )
    landing.add(
        "hubspot__contacts",
        record(8, firstname="Gus", lastname="Heddle", salesforcecontactid=FAY_THERE),
    )


class Tables:
    """Reads the finished database."""

    def __init__(self, path: Path, ids: dict[str, str]) -> None:
        self.path = path
        self.ids = ids

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    def person(self, key: str) -> str:
        return str(
            self.rows(f"select person_id from dim_profile where profile_key = '{key}'")[0][0]
        )

    def organization(self, key: str) -> str:
        query = f"select organization_id from dim_profile where profile_key = '{key}'"
        return str(self.rows(query)[0][0])


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("hubspot")
    landing = account()
    ids = read_by_the_connector(landing, folder)
    build(folder / "build.duckdb", landing, *LAYERS)
    yield Tables(folder / "build.duckdb", ids)


def test_a_merge_leads_both_old_and_new_record_to_one_person(tables: Tables) -> None:
    assert tables.person(OLD_ADA) == tables.person(ADA)
    assert tables.rows(
        f"select is_deleted, merged_into from dim_profile where profile_key = '{OLD_ADA}'"
    ) == [(True, ADA)]
    assert tables.rows(
        "select display_name, primary_email, n_profiles, title, owner_name, custom "
        f"from dim_person where person_id = '{tables.person(ADA)}'"
    ) == [
        ("Ada Weaver", "ada.weaver@mill.example", 1, "CTO", "Dana Scully", '{"is_vip": true}')
    ]  # fmt: skip


def test_an_archived_contact_stays_as_deleted(tables: Tables) -> None:
    assert tables.rows(
        f"select display_name, is_deleted, merged_into from dim_profile where profile_key='{GONE}'"
    ) == [("Cy", True, None)]


def test_what_they_said_about_email_is_kept(tables: Tables) -> None:
    assert tables.rows(
        "select contact_id, has_opted_out_of_email from stg_hubspot__contacts "
        "where _source = 'hub' and _op = 'upsert' order by 1"
    ) == [
        ("1", True),
        ("2", None),
        ("3", None),
        ("4", None),
        ("6", None),
        ("8", None),
        ("9", None),
        ("99", True),
    ]


def test_consent_is_what_was_answered_and_never_asked_is_no_answer(tables: Tables) -> None:
    assert tables.rows(
        "select profile_key, person_id, purpose, answer, legal_basis, is_current, occurred_at, "
        f"loaded_at from fct_consent where profile_key = '{ADA}' order by occurred_at, purpose"
    ) == [
        (ADA, tables.person(ADA), "News", "granted", "consent_with_notice", False,
         at("2025-04-01T09:00:00"), FIRST_SYNC),
        # by the contact's flag alone: it was another address of hers
        (ADA, tables.person(ADA), "all", "refused", None, True, FIRST_SYNC, FIRST_SYNC),
        (ADA, tables.person(ADA), "502", "refused", None, True, at("2026-06-05T09:00:00"), MOVED),
        (ADA, tables.person(ADA), "News", "refused", None, True, at("2026-06-05T09:00:00"), MOVED),
    ]  # fmt: skip


def test_who_left_all_mail_is_not_asked_by_what_they_said_of_one_kind(tables: Tables) -> None:
    kit, iris = tables.person(KIT), tables.person("hub:contacts:9")
    assert tables.rows(
        "select person_id, purpose_id, answer, is_current, is_overruled, occurred_at "
        f"from fct_consent where person_id in ('{kit}', '{iris}') order by person_id = '{iris}', "
        "occurred_at, purpose_id"
    ) == [
        (kit, "501", "granted", True, False, at("2025-04-01T09:00:00")),
        (kit, "all", "refused", False, False, at("2026-05-01T09:00:00")),
        (kit, "all", "granted", True, False, MOVED),
        (iris, "502", "granted", True, True, at("2025-04-01T09:00:00")),
        (iris, "all", "refused", True, False, at("2026-06-01T09:00:00")),
    ]


def test_messages_and_what_people_and_programs_did_with_them_stand_by_person(
    tables: Tables,
) -> None:
    ada, ben = tables.person(ADA), tables.person(BEN)
    assert tables.rows(
        "select message_sent_id, person_id, message_id, message, campaign, channel, occurred_at "
        "from fct_message_sent where source = 'hub' order by 1"
    ) == [
        ("hub:email_events:s1", ada, "e1", "June news", "Looms", "email",
         at("2026-06-20T09:00:00")),
        ("hub:email_events:s2", ben, "e1", "June news", "Looms", "email",
         at("2026-06-20T09:00:00")),
        ("hub:email_events:s3", None, "999", None, None, "email", at("2026-06-20T09:00:00")),
    ]  # fmt: skip
    assert tables.rows(
        "select message_response_id, message_sent_id, person_id, kind, is_automatic "
        "from fct_message_response where source = 'hub' order by 1"
    ) == [
        (f"hub:email_events:{key}", f"hub:email_events:{sent}", person, kind, automatic)
        for key, sent, person, kind, automatic in (
            ("b1", "s2", ben, "bounce", None),
            ("k1", "s1", ada, "click", False),
            ("o1", "s1", ada, "open", True),
            ("o2", "s1", ada, "open", False),
            ("p1", "s3", None, "complaint", None),
            ("u1", "s1", ada, "unsubscribe", None),
        )
    ]


def test_a_lead_is_whom_it_is_about_and_a_person_of_its_own_if_nobody_is_known(
    tables: Tables,
) -> None:
    assert tables.rows(
        "select profile_key, person_id, display_name, party_kind, owner_profile_key, is_deleted "
        "from dim_profile where stream = 'leads' order by 1"
    ) == [
        ("hub:leads:201", tables.person(BEN), "Ben - autumn fair", "prospect", DANA, False),
        ("hub:leads:202", tables.person(ADA), "Ada", "prospect", DANA, True),
        ("hub:leads:203", tables.person("hub:leads:203"), "Nobody", "prospect", DANA, False),
    ]
    assert tables.rows(
        f"select display_name from dim_person where person_id = '{tables.person(BEN)}'"
    ) == [("Ben Dyer",)]


def test_a_deactivated_owner_is_one_of_us_and_a_queue_is_nobody(tables: Tables) -> None:
    assert tables.rows(
        "select profile_key, is_staff, is_deleted from dim_profile where stream = 'owners'"
    ) == [(DANA, True, False)]


def test_custom_properties_fill_what_they_mean_and_keep_their_digits(tables: Tables) -> None:
    assert tables.rows(
        "select name, domain, party_kind, renewal_date::varchar, renewal_amount, custom "
        f"from dim_organization where organization_id = '{tables.organization(MILL)}'"
    ) == [
        ("Mill", "mill.example", "customer", "2026-09-30", Decimal("1234567890123456.78"),
         '{"renewal_sum": 1234567890123456.78, "renews_on": "2026-09-30"}')
    ]  # fmt: skip


def test_links_tell_who_was_where_and_when(tables: Tables) -> None:
    assert tables.rows(
        "select organization_id, title, basis, valid_from, valid_to from "
        f"bridge_person_organization where person_id = '{tables.person(ADA)}' "
        "order by valid_from, is_primary"
    ) == [
        (tables.organization(DYERS), "CTO", "relation", at("2025-03-01T08:00:00.250"), MOVED),
        (tables.organization(MILL), "CTO", "record", at("2025-03-01T08:00:00.250"), MOVED),
        (tables.organization(DYERS), "CTO", "record", MOVED, None),
    ]
    # no links known: what the contact itself says
    assert tables.rows(
        "select organization_id, is_current from bridge_person_organization "
        f"where person_id = '{tables.person(BEN)}'"
    ) == [(tables.organization(DYERS), True)]


def test_who_was_moved_without_being_touched_is_there_after_the_next_days_sync(
    tables: Tables,
) -> None:
    mo = tables.person(f"desk:contacts:{tables.ids['mo']}")
    spinners, carders = (
        tables.organization(f"desk:companies:{tables.ids[name]}")
        for name in ("spinners", "carders")
    )
    assert tables.rows(
        "select organization_id, valid_from, valid_to, is_current from bridge_person_organization "
        f"where person_id = '{mo}' order by valid_from"
    ) == [
        (spinners, FIRST_SYNC - timedelta(days=30), DAY_LATER, False),
        (carders, DAY_LATER, None, True),
    ]


def test_a_merge_makes_no_second_person_and_the_deals_of_the_merged_follow(tables: Tables) -> None:
    names = ("lu", "louise", "merged")
    people = {tables.person(f"desk:contacts:{tables.ids[name]}") for name in names}
    assert len(people) == 1
    assert tables.rows("select person_id from bridge_deal_person where deal_id like 'desk:%'") == [
        (people.pop(),)
    ]
    assert tables.rows(
        "select count(*) from dim_person where display_name in ('Lu', 'Louise')"
    ) == [(1,)]


def test_a_link_taken_away_ends_the_stay(tables: Tables) -> None:
    assert tables.rows(
        "select organization_id, valid_to from bridge_person_organization "
        f"where person_id = '{tables.person(KIT)}' and basis = 'record'"
    ) == [(tables.organization(DYERS), MOVED)]


def test_a_ticket_is_a_case_and_its_emails_are_its_events(tables: Tables) -> None:
    assert tables.rows(
        "select case_id, person_id, owner_person_id, channel, status, priority, is_closed, "
        "closed_at, first_response_at, n_staff, organization_id from fct_case"
    ) == [
        ("hub:tickets:31", tables.person(ADA), tables.person(DANA), "email", "Closed", "high",
         True, at("2025-03-03T10:00:00"), at("2025-03-02T09:00:00"), 1,
         tables.organization(MILL))
    ]  # fmt: skip
    assert tables.rows(
        "select kind, is_staff, is_public from fct_case_event order by occurred_at"
    ) == [("opened", False, True), ("comment", True, True), ("closed", None, True)]


def test_engagements_have_a_direction_and_plans_are_no_acts(tables: Tables) -> None:
    assert tables.rows(
        "select split_part(interaction_id, ':', 3), channel, kind, direction, actor_profile_key, "
        "target_profile_key, visibility from fct_interaction where stream <> 'tickets' order by 1"
    ) == [
        ("51", "email", "email", "outbound", DANA, ADA, "public"),
        ("52", "email", "email", "inbound", ADA, DANA, "public"),
        ("54", "email", "email", "unknown", None, None, "public"),
        ("61", "phone", "call", "inbound", BEN, DANA, "public"),
        ("62", "meeting", "meeting", "outbound", DANA, BEN, "public"),
        ("64", "note", "note", "internal", DANA, None, "private"),
        ("65", "task", "task", "outbound", DANA, BEN, "public"),
        ("67", "chat", "other", "outbound", DANA, None, "public"),
        ("68", "other", "other", "unknown", None, None, "public"),
        ("71", "survey", "survey", "inbound", BEN, None, "private"),
        ("72", "survey", "survey", "inbound", BEN, None, "private"),
        ("81", "web", "form", "inbound", ADA, None, "private"),
        ("82", "web", "form", "inbound", None, None, "private"),
    ]


def test_a_survey_answer_has_its_scale_where_the_kind_tells_it_and_the_contact_of_today(
    tables: Tables,
) -> None:
    assert tables.rows(
        "select survey_answer_id, person_id, kind, score, scale_low, scale_high, answer_group, "
        "occurred_at from fct_survey_answer order by 1"
    ) == [
        ("hub:feedback_submissions:71", tables.person(BEN), "nps", Decimal(9), Decimal(0),
         Decimal(10), "promoter", at("2026-06-10T09:00:00")),
        ("hub:feedback_submissions:72", tables.person(BEN), "other", None, None, None, None,
         at("2026-06-11T09:00:00")),
    ]  # fmt: skip


def test_a_task_done_at_a_time_that_nobody_told_is_no_kept_promise(tables: Tables) -> None:
    assert tables.rows(
        "select commitment_id, person_id, owner_person_id, outcome from fct_commitment order by 1"
    ) == [
        ("hub:tasks:65", tables.person(BEN), tables.person(DANA), "unknown"),
        ("hub:tasks:66", tables.person(BEN), tables.person(DANA), "open"),
    ]


def test_deals_know_their_organization_and_people(tables: Tables) -> None:
    assert tables.rows(
        "select deal_id, organization_id, owner_person_id, amount, currency, is_won, closed_at "
        "from fct_deal where source = 'hub'"
    ) == [
        ("hub:deals:41", tables.organization(MILL), tables.person(DANA), Decimal("1000.50"), "EUR",
         True, at("2026-05-01T12:00:00"))
    ]  # fmt: skip
    assert tables.rows(
        "select person_id, role, is_primary from bridge_deal_person "
        "where deal_id like 'hub:%' order by role"
    ) == [(tables.person(ADA), "Decision maker", False), (tables.person(BEN), "contact", True)]


def test_a_number_that_two_systems_use_joins_nobody(tables: Tables) -> None:
    assert tables.person("forum:users:1") != tables.person(BEN)


def test_two_crms_know_one_person_by_address_and_name_and_never_by_the_address_alone(
    tables: Tables,
) -> None:
    assert tables.person(f"crm:contacts:{BEN_THERE}") == tables.person(BEN)
    assert tables.person(f"crm:contacts:{SUCCESSOR}") != tables.person(BEN)


def test_the_id_that_one_crm_keeps_of_the_other_joins_unless_the_names_disagree(
    tables: Tables,
) -> None:
    assert tables.person(f"crm:contacts:{EVE_THERE}") == tables.person("hub:contacts:6")
    assert tables.person(f"crm:contacts:{FAY_THERE}") != tables.person("hub:contacts:8")
    assert tables.rows("select state, refusal from identity_edge where rule_id = 'named_record' "
                       "order by state") == [
        ("live", None), ("refused", "the names disagree")
    ]  # fmt: skip


def test_an_organization_without_a_web_address_is_known_by_where_its_people_write_from(
    tables: Tables,
) -> None:
    assert tables.organization(f"crm:accounts:{ACCOUNT_OF_DYERS}") == tables.organization(DYERS)
    assert tables.organization(MILL) != tables.organization(DYERS)


def test_who_left_by_one_crm_is_gone_although_the_other_was_not_touched(tables: Tables) -> None:
    assert tables.rows(
        "select valid_to, is_current from bridge_person_organization "
        f"where person_id = '{tables.person('hub:contacts:9')}'"
    ) == [(MOVED, False)]
