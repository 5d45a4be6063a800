"""The emulated HubSpot, asked by the vendor's own Python clients over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests
from hubspot import HubSpot
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import (
    ApiException,
    BatchReadInputSimplePublicObjectId,
    PublicObjectSearchRequest,
)
from hubspot.crm.contacts.exceptions import (
    ForbiddenException,
    NotFoundException,
    ServiceException,
    UnauthorizedException,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.hubspot import ApiError, Portal, app
from sandbox.hubspot.search import matching

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EARLIER = NOW - timedelta(days=30)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@dataclass
class Tenant:
    """A running emulator and its parts."""

    portal: Portal
    clock: Clock
    faults: Faults
    url: str

    def client(self, token: str | None = None) -> HubSpot:
        access_token = self.portal.access_token if token is None else token
        return HubSpot(access_token=access_token, host=self.url, base_url=self.url)

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {how.pop('token', self.portal.access_token)}"}
        return requests.request(method, self.url + path, headers=headers, timeout=5, **how)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> requests.Response:
        return self.call("POST", path, json=body)

    def search(self, name: str, **body: Any) -> Any:
        answer = self.post(f"/crm/v3/objects/{name}/search", body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def tenant(on_stage: Callable[[Any], str]) -> Tenant:
    portal, clock, faults = Portal(), Clock(NOW), Faults()
    portal.calls_per_10_s = portal.searches_per_second = 10_000
    return Tenant(portal, clock, faults, on_stage(app(portal, clock, faults)))


def people(portal: Portal, count: int) -> list[str]:
    return [
        portal.create(
            "contacts",
            {"email": f"n{n}@acme.example", "firstname": "No", "lastname": f"{n:04d}"},
            EARLIER + n * SECOND,
        )
        for n in range(count)
    ]


def found(portal: Portal, name: str, *filters: dict[str, Any], **body: Any) -> list[str]:
    groups = [{"filters": list(filters)}] if filters else []
    ids = matching(portal, portal.table(name), {"filterGroups": groups, **body})
    return [str(id) for id in ids]


# Lists and records


def test_the_client_pages_through_all_contacts_and_none_twice(tenant: Tenant):
    made = people(tenant.portal, 130)
    read = tenant.client().crm.contacts.get_all(properties=["email"])
    assert [contact.id for contact in read] == made
    assert {len(id) for id in made} > {2, 3}
    assert read[0].properties["email"] == "n0@acme.example"
    assert tenant.get("/sandbox/requests") == {"GET crm/objects/{type}": 2}


def test_a_page_is_ten_long_and_ends_with_the_last_id(tenant: Tenant):
    made = people(tenant.portal, 12)
    page = tenant.get("/crm/v3/objects/contacts")
    assert [record["id"] for record in page["results"]] == made[:10]
    assert page["paging"]["next"]["after"] == made[9]
    last = requests.get(
        page["paging"]["next"]["link"],
        headers={"Authorization": f"Bearer {tenant.portal.access_token}"},
        timeout=5,
    ).json()
    assert [record["id"] for record in last["results"]] == made[10:]
    assert "paging" not in last


@pytest.mark.parametrize("limit", [0, 101, "many"])
def test_a_page_length_beyond_the_bounds_is_refused(tenant: Tenant, limit: Any):
    answer = tenant.call("GET", "/crm/v3/objects/contacts", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
    with_history = {"limit": 51, "propertiesWithHistory": "email"}
    assert tenant.call("GET", "/crm/v3/objects/contacts", params=with_history).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/crm/v3/objects/contacts/{id}",
        "/crm/v3/objects/contacts/{id}/",
        "/crm/v3/objects/contact/{id}",
        "/crm/v3/objects/0-1/{id}",
        "/crm/objects/2026-03/contacts/{id}",
        "/crm/objects/2026-03/0-1/{id}/",
    ],
)
def test_one_record_has_many_addresses(tenant: Tenant, path: str):
    (id,) = people(tenant.portal, 1)
    assert tenant.get(path.format(id=id))["id"] == id


@pytest.mark.parametrize(
    "query",
    ["properties=phone&properties=city", "properties=phone%2Ccity", "properties=phone,city"],
)
def test_properties_come_by_repeated_keys_and_by_commas(tenant: Tenant, query: str):
    id = tenant.portal.create("contacts", {"phone": "0 49", "firstname": "A"}, EARLIER)
    answer = tenant.get(f"/crm/v3/objects/contacts/{id}?{query}&properties=nonsense")
    assert answer["properties"] == {
        "createdate": "2026-10-23T00:00:00Z",
        "hs_object_id": id,
        "lastmodifieddate": "2026-10-23T00:00:00Z",
        "phone": "0 49",
        "city": None,
    }


@pytest.mark.parametrize("spelled", ["True", "true", "TRUE"])
def test_pythons_booleans_are_understood(tenant: Tenant, spelled: str):
    first, second = people(tenant.portal, 2)
    tenant.portal.archive("contacts", first, NOW)
    page = tenant.get("/crm/v3/objects/contacts", archived=spelled)
    assert [record["id"] for record in page["results"]] == [first]
    read = tenant.client().crm.contacts.basic_api.get_page(archived=False).results
    assert [contact.id for contact in read] == [second]


def test_all_values_are_texts_and_times_show_milliseconds_only_where_there_are(tenant: Tenant):
    at = EARLIER + timedelta(milliseconds=250)
    id = tenant.portal.create(
        "deals",
        {
            "dealname": "Loom",
            "amount": 12.5,
            "closedate": NOW,
            "pipeline": "default",
            "dealstage": "closedwon",
        },
        at,
    )
    wanted = "amount,closedate,createdate,hs_is_closed,hs_deal_stage_probability"
    record = tenant.get(f"/crm/v3/objects/deals/{id}", properties=wanted)
    assert record["properties"] == {
        "amount": "12.5",
        "closedate": "2026-11-22T00:00:00Z",
        "createdate": "2026-10-23T00:00:00.250Z",
        "hs_deal_stage_probability": "1.0",
        "hs_is_closed": "true",
        "hs_lastmodifieddate": "2026-10-23T00:00:00.250Z",
        "hs_object_id": id,
    }
    assert record["createdAt"] == record["updatedAt"] == "2026-10-23T00:00:00.250Z"
    assert record["url"].endswith(f"/record/0-3/{id}")


def test_contacts_alone_have_a_stamp_of_their_own_name(tenant: Tenant):
    portal = tenant.portal
    for name, table in portal.tables.items():
        stamp = "lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate"
        assert table.kind.stamp == stamp and stamp in table.kind.properties


def test_history_is_newest_first_and_knows_who_and_how(tenant: Tenant):
    portal = tenant.portal
    (id,) = people(portal, 1)
    portal.update("contacts", id, {"lastname": "New"}, NOW - HOUR, by=77)
    portal.update("contacts", id, {"lastname": "New"}, NOW)
    answer = tenant.get(f"/crm/v3/objects/contacts/{id}", propertiesWithHistory="lastname,email")
    assert answer["propertiesWithHistory"]["lastname"] == [
        {
            "value": "New",
            "timestamp": "2026-11-21T23:00:00Z",
            "sourceType": "CRM_UI",
            "sourceId": "userId:77",
            "updatedByUserId": 77,
        },
        {"value": "0000", "timestamp": "2026-10-23T00:00:00Z", "sourceType": "CRM_UI"},
    ]
    assert answer["updatedAt"] == "2026-11-21T23:00:00Z"
    for n in range(60):
        portal.update("contacts", id, {"city": f"c{n}"}, NOW)
    kept = tenant.get(f"/crm/v3/objects/contacts/{id}", propertiesWithHistory="city")
    assert len(kept["propertiesWithHistory"]["city"]) == 46


# Batches


def test_a_batch_read_is_in_another_order_and_says_207_for_what_is_missing(tenant: Tenant):
    made = people(tenant.portal, 9)
    tenant.portal.archive("contacts", made[0], NOW)
    api = tenant.client().crm.contacts.batch_api

    def read(ids: list[str]) -> Any:
        inputs = [{"id": id} for id in ids]
        return api.read(
            BatchReadInputSimplePublicObjectId(
                inputs=inputs, properties=["email"], properties_with_history=[]
            )
        )

    whole = read(made[1:])
    assert type(whole).__name__ == "BatchResponseSimplePublicObject"
    ids = [record.id for record in whole.results]
    assert sorted(ids, key=int) == made[1:] and ids != made[1:]
    partial = read([*made, "7", made[1]])
    assert type(partial).__name__ == "BatchResponseSimplePublicObjectWithErrors"
    assert len(partial.results) == 8
    assert partial.num_errors == 1
    assert partial.errors[0].context == {"ids": [made[0], "7"]}
    assert partial.errors[0].category == "OBJECT_NOT_FOUND"


def test_a_batch_reads_by_a_unique_property_and_refuses_too_many(tenant: Tenant):
    made = people(tenant.portal, 2)
    body = {"inputs": [{"id": "N1@acme.example"}], "idProperty": "email", "properties": []}
    answer = tenant.post("/crm/v3/objects/contacts/batch/read", body)
    assert [record["id"] for record in answer.json()["results"]] == [made[1]]
    many = {"inputs": [{"id": "1"}] * 101}
    assert tenant.post("/crm/v3/objects/contacts/batch/read", many).status_code == 400
    fifty_one = {"inputs": [{"id": "1"}] * 51, "propertiesWithHistory": ["email"]}
    assert tenant.post("/crm/v3/objects/contacts/batch/read", fifty_one).status_code == 400


# Writes


def test_foreign_clients_create_change_and_archive(tenant: Tenant):
    api = tenant.client().crm.contacts.basic_api
    company = tenant.portal.create("companies", {"name": "Acme"}, EARLIER)
    made = api.create(
        {
            "properties": {"email": "Ann@Acme.example", "firstname": "Ann"},
            "associations": [
                {
                    "to": {"id": company},
                    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}],
                }
            ],
        }
    )
    assert made.properties["email"] == "ann@acme.example"
    assert made.properties["hs_email_domain"] == "acme.example"
    linked = api.get_by_id(made.id, associations=["companies"]).associations["companies"]
    assert [(one.id, one.type) for one in linked.results] == [
        (company, "contact_to_company_unlabeled"),
        (company, "contact_to_company"),
    ]
    api.update(made.id, {"properties": {"firstname": ""}})
    assert api.get_by_id(made.id, properties=["firstname"]).properties["firstname"] is None
    api.archive(made.id)
    with pytest.raises(NotFoundException):
        api.get_by_id(made.id)
    gone = api.get_by_id(made.id, archived=True)
    assert gone.archived and gone.archived_at == NOW


def test_batches_write_upsert_and_archive(tenant: Tenant):
    def post(act: str, *inputs: dict[str, Any]) -> requests.Response:
        return tenant.post(f"/crm/v3/objects/contacts/batch/{act}", {"inputs": inputs})

    made = post("create", {"properties": {"email": "a@x.example"}})
    assert made.status_code == 201
    id = made.json()["results"][0]["id"]
    upserted = post(
        "upsert",
        {"id": "a@x.example", "idProperty": "email", "properties": {"city": "Ulm"}},
        {"id": "b@x.example", "idProperty": "email", "properties": {"city": "Bonn"}},
    ).json()["results"]
    assert [one["new"] for one in upserted] == [False, True]
    changed = post("update", {"id": id, "properties": {"city": "Kiel"}}, {"id": "4"})
    assert changed.status_code == 207 and changed.json()["numErrors"] == 1
    assert post("archive", {"id": id}).status_code == 204
    assert [record["id"] for record in tenant.get("/crm/v3/objects/contacts")["results"]] == [
        upserted[1]["id"]
    ]


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("contacts", {"nonsense": "1"}, "PROPERTY_DOESNT_EXIST"),
        ("contacts", {"lastmodifieddate": "2026-01-01"}, "READ_ONLY_VALUE"),
        ("contacts", {"lifecyclestage": "friend"}, "INVALID_OPTION"),
        ("companies", {"annualrevenue": "much"}, "INVALID_INTEGER"),
        ("deals", {"closedate": "soon"}, "INVALID_LONG"),
        ("tickets", {"hs_pipeline_stage": "99"}, "INVALID_OPTION"),
    ],
)
def test_a_wrong_write_is_refused(tenant: Tenant, name: str, values: dict, code: str):
    answer = tenant.post(f"/crm/v3/objects/{name}", {"properties": values})
    assert answer.status_code == 400
    body = answer.json()
    assert body["category"] == "VALIDATION_ERROR"
    assert body["errors"][0]["code"] == code
    assert tenant.get(f"/crm/v3/objects/{name}")["results"] == []


def test_an_address_belongs_to_one_contact(tenant: Tenant):
    (id,) = people(tenant.portal, 1)
    answer = tenant.post("/crm/v3/objects/contacts", {"properties": {"email": "N0@acme.example"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {id}"
    assert answer.json()["category"] == "CONFLICT"


def test_feedback_is_read_only(tenant: Tenant):
    tenant.portal.create("feedback_submissions", {"hs_value": 9, "hs_survey_type": "NPS"}, NOW)
    api = tenant.client().crm.objects.feedback_submissions.basic_api
    (one,) = api.get_page().results
    assert set(one.properties) == {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}
    (one,) = api.get_page(properties=["hs_value", "hs_survey_type"]).results
    assert (one.properties["hs_value"], one.properties["hs_survey_type"]) == ("9", "NPS")
    refused = tenant.post("/crm/v3/objects/feedback_submissions", {"properties": {}})
    assert refused.status_code == 405


def test_a_ticket_closes_and_opens_with_its_stage():
    portal = Portal()
    ticket = portal.create("tickets", {"subject": "x", "hs_pipeline_stage": "1"}, EARLIER)
    portal.update("tickets", ticket, {"hs_pipeline_stage": "4"}, EARLIER + HOUR)
    closed = portal.get("tickets", ticket).properties
    assert (closed["closed_date"], closed["time_to_close"]) == ("2026-10-23T01:00:00Z", "3600000")
    portal.update("tickets", ticket, {"hs_pipeline_stage": "3"}, NOW)
    assert "closed_date" not in portal.get("tickets", ticket).properties


def test_the_same_writes_give_the_same_ids():
    assert people(Portal(), 3) == people(Portal(), 3) == ["51", "101", "151"]


# Archive, merge, erasure


def test_an_archived_record_is_listed_apart_for_90_days(tenant: Tenant):
    portal = tenant.portal
    gone, left = people(portal, 2)
    portal.archive("contacts", gone, NOW)
    assert found(portal, "contacts") == [left]
    (listed,) = tenant.get("/crm/v3/objects/contacts", archived="true")["results"]
    assert listed["archived"] is True
    assert listed["archivedAt"] == "2026-11-22T00:00:00Z"
    tenant.clock.advance(days=90)
    assert tenant.get("/crm/v3/objects/contacts", archived="true")["results"] == []


def test_a_restored_record_comes_back_under_its_id_and_stamped_anew():
    portal = Portal()
    (id,) = people(portal, 1)
    portal.archive("contacts", id, NOW - HOUR)
    portal.create("contacts", {"email": "other@acme.example"}, NOW)
    portal.restore("contacts", id, NOW)
    assert portal.get("contacts", id).archived_at is None
    assert portal.get("contacts", id).updated_at == NOW
    with pytest.raises(ApiError, match="already exists"):
        portal.create("contacts", {"email": "n0@acme.example"}, NOW)


def test_a_merge_makes_a_new_record_that_both_old_ids_lead_to(tenant: Tenant):
    portal = tenant.portal
    first, second, third = people(portal, 3)
    portal.update("contacts", second, {"city": "Ulm"}, EARLIER)
    company = portal.create("companies", {"name": "Acme"}, EARLIER)
    portal.associate("contacts", second, "companies", company, EARLIER)
    answer = tenant.post(
        "/crm/v3/objects/contacts/merge", {"primaryObjectId": first, "objectIdToMerge": second}
    )
    new = answer.json()["id"]
    assert new not in (first, second)
    wanted = "email,city,hs_merged_object_ids,hs_calculated_merged_vids,hs_additional_emails"
    for id in (first, second, new):
        record = tenant.get(f"/crm/v3/objects/contacts/{id}", properties=wanted)
        assert record["id"] == new
    values = record["properties"]
    assert (values["email"], values["city"]) == ("n0@acme.example", "Ulm")
    assert values["hs_additional_emails"] == "n1@acme.example"
    assert values["hs_merged_object_ids"] == f"{first};{second}"
    stamp = int(NOW.timestamp() * 1000)
    assert values["hs_calculated_merged_vids"] == f"{first}:{stamp};{second}:{stamp}"
    for archived in ("false", "true"):
        listed = tenant.get("/crm/v3/objects/contacts", archived=archived)["results"]
        assert {one["id"] for one in listed} == ({third, new} if archived == "false" else set())
    assert [link[0] for link in portal.links("contacts", int(new), "companies")] == [int(company)]
    refused = tenant.post("/crm/v3/objects/contacts", {"properties": {"email": "n1@acme.example"}})
    assert refused.status_code == 409


def test_chained_merges_name_all_that_went_into_them_in_one_property_only():
    portal = Portal()
    first, second, third = people(portal, 3)
    middle = portal.merge("contacts", first, second, EARLIER + DAY)
    last = portal.merge("contacts", third, middle, NOW)
    values = portal.get("contacts", first).properties
    assert portal.get("contacts", first).id == int(last)
    assert values["hs_merged_object_ids"].split(";") == [first, second, third, middle]
    assert [pair.split(":")[0] for pair in values["hs_calculated_merged_vids"].split(";")] == [
        third,
        middle,
    ]
    assert values["hs_additional_emails"] == "n0@acme.example;n1@acme.example"


def test_activities_do_not_merge(tenant: Tenant):
    one, other = (tenant.portal.create("calls", {"hs_timestamp": NOW}, NOW) for _ in range(2))
    body = {"primaryObjectId": one, "objectIdToMerge": other}
    assert tenant.post("/crm/v3/objects/calls/merge", body).status_code == 400


def test_an_erased_contact_leaves_nothing(tenant: Tenant):
    portal = tenant.portal
    first, second = people(portal, 2)
    call = portal.create("calls", {"hs_timestamp": NOW}, NOW)
    portal.associate("calls", call, "contacts", first, NOW)
    merged = portal.merge("contacts", first, second, NOW)
    answer = tenant.post("/crm/v3/objects/contacts/gdpr-delete", {"objectId": merged})
    assert answer.status_code == 204
    for id in (first, second, merged):
        assert tenant.call("GET", f"/crm/v3/objects/contacts/{id}").status_code == 404
    for archived in ("false", "true"):
        assert tenant.get("/crm/v3/objects/contacts", archived=archived)["results"] == []
    assert portal.links("calls", int(call), "contacts") == []
    again = tenant.post("/crm/v3/objects/contacts", {"properties": {"email": "n0@acme.example"}})
    assert again.status_code == 400


def test_erasing_an_unknown_address_blocks_it(tenant: Tenant):
    body = {"objectId": "new@x.example", "idProperty": "email"}
    assert tenant.post("/crm/v3/objects/contacts/gdpr-delete", body).status_code == 204
    assert tenant.portal.blocked_emails == {"new@x.example"}


# Search


@pytest.fixture(scope="module")
def library() -> Portal:
    portal = Portal()
    rows = (
        ("Åsa", "Weaver", "asa@mill.example", "customer", EARLIER),
        ("Bo", "Dyer", "bo@mill.example", "lead", EARLIER + DAY),
        ("Cy", "Weaver-Mill", None, "lead", EARLIER + 2 * DAY),
        ("Di", None, "di@loom.example", None, EARLIER + 3 * DAY),
    )
    for first, last, email, stage, at in rows:
        values = {"firstname": first, "lastname": last, "email": email, "lifecyclestage": stage}
        portal.create("contacts", values, at)
    return portal


def stamp(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (("firstname", "EQ", "BO"), ["Bo"]),
        (("lifecyclestage", "NEQ", "lead"), ["Åsa", "Di"]),
        (("createdate", "GT", stamp(EARLIER + DAY)), ["Cy", "Di"]),
        (("createdate", "GTE", "2026-10-24T00:00:00Z"), ["Bo", "Cy", "Di"]),
        (("lastmodifieddate", "LT", stamp(EARLIER + DAY)), ["Åsa"]),
        (("hs_object_id", "LTE", "101"), ["Åsa", "Bo"]),
        (("hs_object_id", "GT", "99"), ["Bo", "Cy", "Di"]),
        (("email", "HAS_PROPERTY", None), ["Åsa", "Bo", "Di"]),
        (("email", "NOT_HAS_PROPERTY", None), ["Cy"]),
        (("lifecyclestage", "IN", ["lead", "customer"]), ["Åsa", "Bo", "Cy"]),
        (("lifecyclestage", "NOT_IN", ["lead"]), ["Åsa"]),
        (("firstname", "IN", ["Bo"]), []),
        (("firstname", "IN", ["bo"]), ["Bo"]),
        (("lastname", "CONTAINS_TOKEN", "weaver"), ["Åsa", "Cy"]),
        (("email", "CONTAINS_TOKEN", "*@mill.example"), ["Åsa", "Bo"]),
        (("lastname", "NOT_CONTAINS_TOKEN", "weaver"), ["Bo", "Di"]),
        (("createdate", "BETWEEN", (stamp(EARLIER), stamp(EARLIER + DAY))), ["Åsa", "Bo"]),
    ],
)
def test_filters_find_what_the_vendor_would(library: Portal, one: tuple, expected: list[str]):
    name, operator, value = one
    asked: dict[str, Any] = {"propertyName": name, "operator": operator}
    if isinstance(value, list):
        asked["values"] = value
    elif isinstance(value, tuple):
        asked["value"], asked["highValue"] = value
    elif value is not None:
        asked["value"] = value
    ids = found(library, "contacts", asked)
    assert [library.get("contacts", id).properties["firstname"] for id in ids] == expected


def test_groups_are_alternatives_and_filters_add_up(library: Portal):
    lead = {"propertyName": "lifecyclestage", "operator": "EQ", "value": "lead"}
    mill = {"propertyName": "lastname", "operator": "CONTAINS_TOKEN", "value": "mill"}
    none = {"propertyName": "lifecyclestage", "operator": "NOT_HAS_PROPERTY"}
    body = {"filterGroups": [{"filters": [lead, mill]}, {"filters": [none]}]}
    assert matching(library, library.table("contacts"), body) == [151, 201]
    assert len(found(library, "contacts", query="weaver mill")) == 2


@pytest.mark.parametrize(
    ("sorts", "expected"),
    [
        (["firstname"], ["101", "151", "201", "51"]),
        (["-createdate"], ["201", "151", "101", "51"]),
        ([{"propertyName": "lastname", "direction": "DESCENDING"}], ["151", "51", "101", "201"]),
        (["-hs_object_id", "firstname"], ["201", "151", "101", "51"]),
        ([], ["51", "101", "151", "201"]),
    ],
)
def test_one_sort_counts_and_missing_values_come_last(
    library: Portal, sorts: list, expected: list[str]
):
    assert found(library, "contacts", sorts=sorts) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE"}]}]},
        {
            "filterGroups": [
                {"filters": [{"propertyName": "nonsense", "operator": "EQ", "value": 1}]}
            ]
        },
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "GT"}]}]},
        {
            "filterGroups": [
                {"filters": [{"propertyName": "email", "operator": "IN", "value": "a"}]}
            ]
        },
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": "all"},
        {"sorts": ["nonsense"]},
        {"limit": 201},
        {"after": "next"},
        {"filter": []},
        {"query": "x" * 3_100},
    ],
)
def test_a_search_that_makes_no_sense_is_a_400(tenant: Tenant, body: dict[str, Any]):
    answer = tenant.post("/crm/v3/objects/contacts/search", body)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


@given(
    st.lists(st.integers(0, 20), max_size=30),
    st.lists(st.integers(-1, 21), min_size=1, max_size=5),
)
@settings(max_examples=30)
def test_half_open_windows_of_the_stamp_show_each_record_once(stamps: list[int], cuts: list[int]):
    portal = Portal()
    made = [portal.create("companies", {"name": "c"}, EARLIER + n * SECOND) for n in stamps]
    edges = [EARLIER - DAY, *(EARLIER + cut * SECOND for cut in sorted(cuts)), NOW]
    seen = [
        id
        for low, high in pairwise(edges)
        for id in found(
            portal,
            "companies",
            {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": stamp(low)},
            {"propertyName": "hs_lastmodifieddate", "operator": "LT", "value": stamp(high)},
        )
    ]
    assert sorted(seen, key=int) == made


def test_search_ends_at_10_000_though_it_promises_more(tenant: Tenant):
    portal = tenant.portal
    for n in range(10_150):
        portal.create("companies", {"name": f"c{n}"}, EARLIER)
    assert portal.update_all("companies", {"city": "Ulm"}, NOW) == 10_150
    since = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": stamp(NOW)}
    body = {"filterGroups": [{"filters": [since]}], "limit": 200}
    api = tenant.client().crm.companies.search_api
    last = tenant.search("companies", **body, after="9800")
    assert (last["total"], len(last["results"])) == (10_150, 200)
    assert last["paging"]["next"] == {"after": "10000"}
    with pytest.raises(Exception, match="400") as refused:
        api.do_search({**body, "after": "10000"})
    assert refused.value.status == 400
    # The way out: by id behind the last one, inside the same bound.
    behind = {"propertyName": "hs_object_id", "operator": "GT", "value": last["results"][-1]["id"]}
    rest = tenant.search(
        "companies", filterGroups=[{"filters": [since, behind]}], sorts=["hs_object_id"], limit=200
    )
    assert (rest["total"], len(rest["results"])) == (150, 150)


def test_how_many_results_a_search_shows_can_be_set(tenant: Tenant):
    assert tenant.portal.results_max == 10_000
    tenant.portal.results_max = 5
    people(tenant.portal, 9)
    assert len(tenant.search("contacts", limit=5)["results"]) == 5
    refused = tenant.post("/crm/v3/objects/contacts/search", {"limit": 5, "after": "5"})
    assert refused.status_code == 400


def test_the_index_lags_and_a_hit_shows_the_record_as_it_is_now(tenant: Tenant):
    portal = tenant.portal
    (old,) = people(portal, 1)
    portal.index_lag_s = 60
    portal.update("contacts", old, {"city": "Ulm"}, NOW)
    new = portal.create("contacts", {"firstname": "New"}, NOW)
    before = {"propertyName": "lastmodifieddate", "operator": "LT", "value": stamp(NOW)}
    hit = tenant.search("contacts", filterGroups=[{"filters": [before]}], properties=["city"])
    assert [one["properties"]["city"] for one in hit["results"]] == ["Ulm"]
    assert hit["results"][0]["updatedAt"] == "2026-11-22T00:00:00Z"
    assert new not in [one["id"] for one in tenant.search("contacts")["results"]]
    listed = tenant.get("/crm/v3/objects/contacts")["results"]
    assert [one["id"] for one in listed] == [old, new]
    tenant.clock.advance(seconds=60)
    assert [one["id"] for one in tenant.search("contacts")["results"]] == [old, new]


def test_the_client_searches_with_its_own_words(tenant: Tenant):
    made = people(tenant.portal, 25)
    answer = tenant.client().crm.contacts.search_api.do_search(
        PublicObjectSearchRequest(
            filter_groups=[
                {"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": made[4]}]}
            ],
            sorts=["hs_object_id"],
            properties=["email"],
            limit=8,
            after="8",
        )
    )
    assert answer.total == 20
    assert [one.id for one in answer.results] == made[13:21]
    assert answer.paging.next.after == "16"


# Links


def company_of_many(portal: Portal, count: int) -> tuple[str, list[str]]:
    company = portal.create("companies", {"name": "Acme"}, EARLIER)
    contacts = people(portal, count)
    for contact in contacts:
        portal.associate("contacts", contact, "companies", company, EARLIER)
    return company, contacts


def test_a_batch_of_links_pages_row_by_row_and_names_what_has_none(tenant: Tenant):
    portal = tenant.portal
    company, contacts = company_of_many(portal, 7)
    lonely = portal.create("companies", {"name": "Lonely"}, EARLIER)
    portal.links_per_row = 3
    api = tenant.client().crm.associations.v4.batch_api
    seen: list[str] = []
    inputs: list[dict[str, str]] = [{"id": company}, {"id": lonely}]
    while inputs:
        answer = api.get_page(
            "companies", "contacts", BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs)
        )
        if {"id": lonely} in inputs:
            (error,) = answer.errors
            assert error.sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"
            assert error.context["fromObjectId"] == [lonely]
            assert error.message == f"No contact is associated with company {lonely}."
        inputs = []
        for row in answer.results:
            seen += [one.to_object_id for one in row.to]
            if row.paging:
                inputs.append({"id": company, "after": row.paging.next.after})
    assert seen == contacts


def test_the_link_of_v4_has_a_number_and_the_dated_one_a_text(tenant: Tenant):
    company, (contact,) = company_of_many(tenant.portal, 1)
    plain = {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}
    primary = {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}
    body = {"inputs": [{"id": contact}]}
    for path, to in (
        ("/crm/v4/associations/contacts/companies/batch/read", int(company)),
        ("/crm/associations/2026-03/contacts/companies/batch/read", company),
    ):
        (row,) = tenant.post(path, body).json()["results"]
        assert row == {
            "from": {"id": contact},
            "to": [{"toObjectId": to, "associationTypes": [plain, primary]}],
        }
    one = tenant.get(f"/crm/v4/objects/contacts/{contact}/associations/companies")
    assert one["results"][0]["toObjectId"] == int(company)
    old = tenant.post("/crm/v3/associations/contacts/companies/batch/read", body).json()
    assert [to["type"] for to in old["results"][0]["to"]] == [
        "contact_to_company_unlabeled",
        "contact_to_company",
    ]


def test_links_in_a_record_of_a_list_page_too(tenant: Tenant):
    company, _ = company_of_many(tenant.portal, 130)
    record = tenant.get(f"/crm/v3/objects/companies/{company}", associations="contacts")
    links = record["associations"]["contacts"]
    assert len({one["id"] for one in links["results"]}) == 100
    following = tenant.get(links["paging"]["next"]["link"])
    assert len({one["id"] for one in following["results"]}) == 30


def test_labels_have_two_ends_and_do_not_stand_alone(tenant: Tenant):
    portal = tenant.portal
    champion = portal.add_label("contacts", "companies", "Champion", "Championed by")
    company, (contact,) = company_of_many(portal, 1)
    portal.associate("contacts", contact, "companies", company, NOW, types=[champion])
    api = tenant.client().crm.associations.v4
    (one,) = api.basic_api.get_page("contacts", contact, "companies").results
    assert {kind.label for kind in one.association_types} == {None, "Primary", "Champion"}
    (back,) = api.basic_api.get_page("companies", company, "contacts").results
    assert {kind.label for kind in back.association_types} == {None, "Primary", "Championed by"}
    labels = api.schema.definitions_api.get_all("contacts", "companies").results
    assert (champion, "USER_DEFINED", "Champion") in {
        (one.type_id, one.category, one.label) for one in labels
    }
    assert len(tenant.get("/crm/associations/v4/contacts/companies/labels")["results"]) == 3


def test_the_first_company_is_the_primary_one_until_another_is():
    portal = Portal()
    company, (contact,) = company_of_many(portal, 1)
    second = portal.create("companies", {"name": "Second"}, EARLIER)
    portal.associate("contacts", contact, "companies", second, EARLIER)
    table, record = portal.table("contacts"), portal.get("contacts", contact)
    assert portal.value(table, record, "associatedcompanyid") == company
    portal.associate("contacts", contact, "companies", second, NOW, types=[1])
    assert portal.value(table, record, "associatedcompanyid") == second
    labels = [
        [kind.label for kind in kinds] for _, kinds in portal.links("contacts", 51, "companies")
    ]
    assert labels == [[None], [None, "Primary"]]


def test_a_link_moves_no_stamp_but_an_activity_logged_does(tenant: Tenant):
    portal = tenant.portal
    company, (contact,) = company_of_many(portal, 1)
    assert portal.get("contacts", contact).updated_at == EARLIER
    call = portal.create("calls", {"hs_timestamp": NOW - HOUR}, NOW)
    portal.associate("calls", call, "contacts", contact, NOW)
    record = portal.get("contacts", contact)
    assert record.updated_at == NOW
    assert record.properties["notes_last_contacted"] == "2026-11-21T23:00:00Z"
    portal.dissociate("contacts", contact, "companies", company, NOW + HOUR)
    assert portal.get("contacts", contact).updated_at == NOW
    portal.links_move_stamps = True
    portal.associate("contacts", contact, "companies", company, NOW + HOUR)
    assert portal.get("companies", company).updated_at == NOW + HOUR


def test_links_to_archived_records_are_not_told(tenant: Tenant):
    portal = tenant.portal
    company, (first, second) = company_of_many(portal, 2)
    portal.archive("contacts", first, NOW)
    assert [id for id, _ in portal.links("companies", int(company), "contacts")] == [int(second)]
    portal.restore("contacts", first, NOW)
    assert len(portal.links("companies", int(company), "contacts")) == 2


def test_foreign_clients_link_and_unlink(tenant: Tenant):
    portal = tenant.portal
    (contact,) = people(portal, 1)
    company = portal.create("companies", {"name": "Acme"}, EARLIER)
    api = tenant.client().crm.associations.v4.basic_api
    api.create_default("contacts", contact, "companies", company)
    assert len(portal.links("contacts", int(contact), "companies")) == 1
    api.archive("contacts", contact, "companies", company)
    assert portal.links("contacts", int(contact), "companies") == []


# Owners, properties, pipelines, objects of one's own


def test_an_owner_without_a_seat_is_archived_and_has_lost_the_user_id(tenant: Tenant):
    portal = tenant.portal
    kept = portal.add_owner("a@h.example", "Ann", "Weaver", EARLIER, team="Support")
    gone = portal.add_owner("b@h.example", "Bo", "Dyer", EARLIER)
    contact = portal.create("contacts", {"hubspot_owner_id": gone}, EARLIER)
    portal.deactivate_owner(gone, NOW)
    api = tenant.client().crm.owners.owners_api
    (active,) = api.get_page().results
    assert active.id == kept != str(active.user_id)
    assert active.teams[0].name == "Support"
    (archived,) = api.get_page(archived=True).results
    assert (archived.id, archived.user_id) == (gone, None)
    assert archived.user_id_including_inactive is not None
    assert api.get_by_id(active.user_id, id_property="userId").id == kept
    assert tenant.call("GET", f"/crm/v3/owners/{gone}").status_code == 404
    assert portal.get("contacts", contact).properties["hubspot_owner_id"] == gone


def test_owners_are_answered_with_and_without_a_slash(tenant: Tenant):
    tenant.portal.add_owner("a@h.example", "Ann", "Weaver", EARLIER)
    answers = [
        tenant.call("GET", path, allow_redirects=False).json()
        for path in ("/crm/v3/owners", "/crm/v3/owners/", "/crm/owners/2026-03")
    ]
    assert answers[0] == answers[1] == answers[2]


def test_properties_tell_custom_ones_and_hide_sensitive_ones(tenant: Tenant):
    portal = tenant.portal
    portal.add_property("contacts", {"name": "guild", "type": "enumeration", "options": ["a"]})
    portal.add_property("contacts", {"name": "health", "dataSensitivity": "sensitive"})
    read = tenant.client().crm.properties.core_api.get_all("contacts").results
    by_name = {one.name: one for one in read}
    assert not by_name["guild"].hubspot_defined and by_name["email"].hubspot_defined
    assert by_name["guild"].options[0].value == "a"
    assert by_name["hubspot_owner_id"].referenced_object_type == "OWNER"
    assert "health" not in by_name
    id = portal.create("contacts", {"health": "fine", "guild": "a"}, NOW)
    record = tenant.get(f"/crm/v3/objects/contacts/{id}", properties="health,guild")
    assert record["properties"]["guild"] == "a" and "health" not in record["properties"]
    path = "/crm/v3/properties/contacts?dataSensitivity=sensitive"
    assert tenant.call("GET", path).status_code == 403
    portal.scopes.add("crm.objects.contacts.sensitive.read")
    assert [one["name"] for one in tenant.get(path)["results"]] == ["health"]


def test_pipelines_tell_which_stages_are_ends(tenant: Tenant):
    api = tenant.client().crm.pipelines.pipelines_api
    (tickets,) = api.get_all("tickets").results
    assert {stage.id: stage.metadata["ticketState"] for stage in tickets.stages} == {
        "1": "OPEN", "2": "OPEN", "3": "OPEN", "4": "CLOSED",
    }  # fmt: skip
    (deals,) = api.get_all("deals").results
    assert deals.stages[5].metadata == {"isClosed": "true", "probability": "1.0"}
    one = tenant.client().crm.pipelines.pipeline_stages_api.get_by_id(
        "deals", "default", "closedwon"
    )
    assert one.label == "Closed Won"


def test_an_object_of_ones_own_is_declared_written_linked_and_searched(tenant: Tenant):
    portal = tenant.portal
    kind = portal.add_custom_object(
        "machines",
        singular="machine",
        properties=[{"name": "serial", "hasUniqueValue": True}, {"name": "made", "type": "date"}],
        linked_to=["companies"],
    )
    company = portal.create("companies", {"name": "Acme"}, NOW)
    machine = portal.create("machines", {"serial": "HL-1", "made": NOW.date()}, NOW)
    portal.associate("machines", machine, "companies", company, NOW)
    (schema,) = tenant.client().crm.schemas.core_api.get_all(archived=False).results
    assert (schema.object_type_id, schema.fully_qualified_name) == (
        kind.type_id,
        kind.fully_qualified_name,
    )
    for name in (kind.type_id, "machines", kind.fully_qualified_name):
        read = tenant.client().crm.objects.basic_api.get_page(name, properties=["serial"]).results
        assert [one.properties["serial"] for one in read] == ["HL-1"]
    by_serial = tenant.get("/crm/v3/objects/machines/HL-1", idProperty="serial")
    assert by_serial["id"] == machine
    assert len(portal.links("companies", int(company), "machines")) == 1


# Lists, consent, mailings, account


def test_lists_page_by_offset_and_their_members_by_cursor(tenant: Tenant):
    portal = tenant.portal
    contacts = people(portal, 5)
    ids = [portal.add_list(f"List {n}", EARLIER) for n in range(3)]
    for number, contact in enumerate(reversed(contacts)):
        portal.add_to_list(ids[0], contact, EARLIER + number * HOUR)
    merged = portal.merge("contacts", contacts[0], contacts[1], NOW)
    api = tenant.client().crm.lists
    page = api.lists_api.do_search(list_search_request={"count": 2, "offset": 0, "query": ""})
    assert (page.total, page.offset, page.has_more) == (3, 2, True)
    assert tenant.get(f"/crm/v3/lists/{ids[0]}")["list"]["size"] == 4
    members = api.memberships_api.get_page(ids[0], limit=3)
    assert [one.record_id for one in members.results] == contacts[2:]
    rest = api.memberships_api.get_page(ids[0], limit=3, after=members.paging.next.after)
    assert [one.record_id for one in rest.results] == [merged]
    joined = api.memberships_api.get_page_ordered_by_added_to_list_date(ids[0]).results
    assert joined[0].record_id == contacts[4]


def test_forms_are_the_vendors_own_kind_unless_others_are_asked_for(tenant: Tenant):
    portal = tenant.portal
    ids = [portal.add_form(f"Form {n}", EARLIER) for n in range(3)]
    captured = portal.add_form("Old page", EARLIER, kind="captured")
    portal.archive_form(ids[0], NOW)
    api = tenant.client().marketing.forms.forms_api
    page = api.get_page(limit=1)
    assert [form.id for form in page.results] == [ids[1]]
    rest = api.get_page(limit=5, after=page.paging.next.after)
    assert [form.id for form in rest.results] == [ids[2]]
    everything = api.get_page(form_types=["all"])
    assert [form.id for form in everything.results] == [*ids[1:], captured]
    assert [form.id for form in api.get_page(archived=True).results] == [ids[0]]
    assert api.get_by_id(ids[1]).name == "Form 1"


def test_submissions_come_newest_first_and_shift_under_a_cursor(tenant: Tenant):
    portal = tenant.portal
    form = portal.add_form("Newsletter", EARLIER)
    ids = [
        portal.submit_form(form, {"email": f"n{n}@acme.example"}, EARLIER + n * HOUR)
        for n in range(5)
    ]
    path = f"/form-integrations/v1/submissions/forms/{form}"
    page = tenant.get(path, limit=2)
    assert [one["conversionId"] for one in page["results"]] == ids[:2:-1]
    assert page["results"][0] == {
        "conversionId": ids[4],
        "submittedAt": int((EARLIER + 4 * HOUR).timestamp() * 1000),
        "values": [{"name": "email", "value": "n4@acme.example", "objectTypeId": "0-1"}],
        "pageUrl": "https://harborlooms.example/",
    }
    portal.submit_form(form, {"email": "new@acme.example"}, NOW)
    rest = tenant.get(path, limit=50, after=page["paging"]["next"]["after"])
    assert [one["conversionId"] for one in rest["results"]] == ids[3::-1]
    assert tenant.call("GET", path, params={"limit": 51}).status_code == 400
    assert tenant.call("GET", path.replace("/v1", "/v3")).status_code == 404
    contact = portal.create("contacts", {"email": "n3@acme.example"}, NOW)
    portal.erase(contact, NOW)
    assert len(tenant.get(path, limit=50)["results"]) == 5
    again = portal.submit_form(form, {"email": "n5@acme.example"}, NOW)
    assert again not in ids and len(tenant.get(path, limit=50)["results"]) == 6


def test_a_campaign_tells_no_property_that_is_not_asked_for(tenant: Tenant):
    portal = tenant.portal
    ids = [portal.add_campaign(f"Campaign {n}", EARLIER, hs_goal="More looms") for n in range(3)]
    page = tenant.get("/marketing/v3/campaigns", limit=2)
    assert [one["properties"] for one in page["results"]] == [{}, {}]
    assert page["total"] == 3
    rest = tenant.get(
        "/marketing/v3/campaigns", after=page["paging"]["next"]["after"], properties="hs_name"
    )
    assert [one["properties"] for one in rest["results"]] == [{"hs_name": "Campaign 2"}]
    one = tenant.get(f"/marketing/v3/campaigns/{ids[0]}", properties="hs_name,hs_goal")
    assert one["properties"] == {"hs_name": "Campaign 0", "hs_goal": "More looms"}


def test_a_batch_can_fail_for_some_of_its_inputs_alone(tenant: Tenant):
    contacts = people(tenant.portal, 3)
    company, _ = company_of_many(tenant.portal, 0)
    tenant.portal.associate("contacts", contacts[0], "companies", company, NOW)
    tenant.portal.failing[contacts[0]] = 2
    inputs = [{"id": id} for id in contacts]
    body = {"inputs": inputs, "properties": ["email"], "propertiesWithHistory": []}
    api = tenant.client().crm.contacts.batch_api
    told = api.read(body)  # the client raises nothing
    assert (told.num_errors, told.errors[0].category) == (1, "INTERNAL_ERROR")
    assert {one.id for one in told.results} == set(contacts[1:])
    links = tenant.post("/crm/v4/associations/contacts/companies/batch/read", {"inputs": inputs})
    assert (links.status_code, links.json()["results"], links.json()["numErrors"]) == (207, [], 3)
    assert len(api.read(body).results) == 3


def test_only_the_newer_consent_api_tells_no_from_never_asked(tenant: Tenant):
    portal = tenant.portal
    portal.add_subscription(11, "News", "Monthly", EARLIER)
    portal.add_subscription(12, "Events", "Near you", EARLIER)
    portal.set_consent("A@x.example", 11, "UNSUBSCRIBED", NOW)
    api = tenant.client().communication_preferences
    old = api.status_api.get_email_status("a@x.example")
    assert [one.status for one in old.subscription_statuses] == ["NOT_SUBSCRIBED"] * 2
    new = tenant.get("/communication-preferences/v4/statuses/a@x.example", channel="EMAIL")
    assert [(one["subscriptionId"], one["status"]) for one in new["results"]] == [
        (11, "UNSUBSCRIBED"),
        (12, "NOT_SPECIFIED"),
    ]
    assert len(api.definition_api.get_page().subscription_definitions) == 2
    body = {"inputs": ["a@x.example", "nonsense"]}
    batch = tenant.call(
        "POST", "/communication-preferences/v4/statuses/batch/read?channel=EMAIL", json=body
    )
    assert batch.status_code == 207
    assert len(batch.json()["results"]) == len(batch.json()["errors"]) == 1


def test_who_wants_no_mail_at_all_is_out_of_every_subscription_and_stamped(tenant: Tenant):
    portal = tenant.portal
    (contact,) = people(portal, 1)
    portal.add_subscription(11, "News", "Monthly", EARLIER)
    portal.set_consent("n0@acme.example", 11, "SUBSCRIBED", EARLIER, legal_basis="NON_GDPR")
    portal.opt_out("n0@acme.example", NOW)
    record = portal.get("contacts", contact)
    assert (record.properties["hs_email_optout"], record.updated_at) == ("true", NOW)
    (old,) = (
        tenant.client()
        .communication_preferences.status_api.get_email_status("n0@acme.example")
        .subscription_statuses
    )
    assert (old.status, old.source_of_status) == ("NOT_SUBSCRIBED", "PORTAL_WIDE_STATUS")
    path = "/communication-preferences/v4/statuses/n0@acme.example/unsubscribe-all?channel=EMAIL"
    (wide,) = tenant.get(path)["results"]
    assert (wide["wideStatusType"], wide["status"]) == ("PORTAL_WIDE", "UNSUBSCRIBED")


def test_mailings_count_what_became_of_them_and_move_contacts(tenant: Tenant):
    portal = tenant.portal
    contacts = people(portal, 4)
    draft = portal.add_marketing_email("Later", "Soon", EARLIER)
    email = portal.add_marketing_email("November", "Hello", EARLIER)
    portal.publish(email, EARLIER)
    for contact in contacts:
        portal.note_delivery(email, contact, "sent", EARLIER + DAY)
    portal.note_delivery(email, contacts[0], "bounce", EARLIER + DAY)
    portal.note_delivery(email, contacts[1], "open", EARLIER + 2 * DAY)
    api = tenant.client().marketing.emails
    page = api.marketing_emails_api.get_page(include_stats=True)
    assert (page.total, [one.id for one in page.results]) == (2, [draft, email])
    stats = page.results[1].stats
    assert (stats.counters["sent"], stats.counters["delivered"], stats.counters["open"]) == (
        4,
        3,
        1,
    )
    assert stats.ratios["openratio"] == 33.333
    total = api.statistics_api.get_emails_list(start_timestamp=EARLIER - DAY, end_timestamp=NOW)
    assert total.emails == [int(email)] and total.aggregate.counters["sent"] == 4
    values = portal.get("contacts", contacts[1]).properties
    assert (values["hs_email_delivered"], values["hs_email_open"]) == ("1", "1")
    assert portal.get("contacts", contacts[1]).updated_at == EARLIER + 2 * DAY


def mailing(portal: Portal, contacts: list[str]) -> str:
    """Send an e-mail: one bounces, one is opened by a program and a person, one has enough."""
    portal.add_subscription(11, "News", "Monthly", EARLIER)
    email = portal.add_marketing_email("November", "Hello", EARLIER, subscription=11)
    portal.publish(email, EARLIER)
    for contact in contacts:
        portal.note_delivery(email, contact, "sent", EARLIER + DAY)
    portal.note_delivery(email, contacts[0], "bounce", EARLIER + DAY + HOUR)
    portal.note_delivery(email, contacts[1], "open", EARLIER + 2 * DAY, is_filtered=True)
    portal.note_delivery(email, contacts[1], "open", EARLIER + 3 * DAY)
    portal.note_delivery(email, contacts[2], "unsubscribed", EARLIER + 4 * DAY, is_wide=True)
    return email


def test_what_became_of_each_mail_comes_newest_first_and_points_at_its_sending(tenant: Tenant):
    portal = tenant.portal
    mailing(portal, people(portal, 3))
    events, offset, path = [], None, "/email/public/v1/events"
    while True:
        page = tenant.get(path, limit=4, **({"offset": offset} if offset else {}))
        events += page["events"]
        if not page["hasMore"]:
            break
        offset = page["offset"]
    assert [one["type"] for one in events] == [
        "STATUSCHANGE", "OPEN", "OPEN", "BOUNCE", *["DELIVERED"] * 3, *["SENT"] * 3,
    ]  # fmt: skip
    sent = {one["recipient"]: {"id": one["id"], "created": one["created"]} for one in events[-3:]}
    assert all(one["sentBy"] == sent[one["recipient"]] for one in events[:-3])
    left, human, robot, bounce = events[:4]
    assert left["portalSubscriptionStatus"] == "UNSUBSCRIBED"
    assert left["subscriptions"] == [{"id": 11, "status": "UNSUBSCRIBED"}]
    assert (robot["filteredEvent"], human["filteredEvent"]) == (True, False)
    (overruled,) = [one for one in events if "obsoletedBy" in one]
    assert overruled["type"] == "DELIVERED"
    assert overruled["obsoletedBy"] == {"id": bounce["id"], "created": bounce["created"]}
    assert tenant.get(f"{path}/{bounce['created']}/{bounce['id']}") == bounce
    assert tenant.call("GET", f"{path}/1/{bounce['id']}").status_code == 404
    assert len(tenant.get(path)["events"]) == 10
    (stats,) = tenant.get("/marketing/v3/emails", includeStats=True)["results"]
    assert stats["allEmailCampaignIds"] == [str(robot["emailCampaignId"])]
    assert stats["stats"]["counters"]["open"] == 1


def test_both_ends_of_a_span_of_events_belong_to_it(tenant: Tenant):
    portal = tenant.portal
    mailing(portal, people(portal, 3))
    path = "/email/public/v1/events"

    def types(**query: Any) -> list[str]:
        return [one["type"] for one in tenant.get(path, **query)["events"]]

    bounced = int((EARLIER + DAY + HOUR).timestamp() * 1000)
    opened = int((EARLIER + 2 * DAY).timestamp() * 1000)
    span = {"startTimestamp": bounced, "endTimestamp": opened}
    assert types(**span) == ["OPEN", "BOUNCE"]
    assert types(**span, excludeFilteredEvents="true") == ["BOUNCE"]
    assert types(startTimestamp=bounced + 1, endTimestamp=opened - 1) == []
    assert types(eventType="SENT", recipient="N1@acme.example") == ["SENT"]
    assert types(campaignId="1") == []
    assert tenant.call("GET", path, params={"limit": 1001}).status_code == 400
    refusal = tenant.call("GET", path, params={"eventType": "OPENED"})
    assert refusal.status_code == 400 and "EventType" in refusal.json()["message"]


def test_an_erased_contacts_mails_leave_the_log_and_what_they_do_later_is_not_written(
    tenant: Tenant,
):
    portal = tenant.portal
    contacts = people(portal, 3)
    email = mailing(portal, contacts)
    portal.erase(contacts[1], NOW)
    portal.note_delivery(email, contacts[1], "click", NOW)
    told = tenant.get("/email/public/v1/events", limit=1000)["events"]
    assert {one["recipient"] for one in told} == {"n0@acme.example", "n2@acme.example"}


def test_events_of_behavior_are_filtered_by_type_record_and_time(tenant: Tenant):
    portal = tenant.portal
    one, other = people(portal, 2)
    for hours, contact in enumerate((one, other, one)):
        at = EARLIER + hours * HOUR
        portal.note_occurrence("e_visited_page", "contacts", contact, at, hs_city="lund")
    portal.note_occurrence("pe1_bought", "contacts", one, EARLIER)
    api = tenant.client().events.events_api
    page = api.get_page(event_type="e_visited_page", limit=2)
    assert [event.object_id for event in page.results] == [one, other]
    rest = api.get_page(event_type="e_visited_page", limit=2, after=page.paging.next.after)
    assert (rest.results[0].occurred_at, rest.paging) == (EARLIER, None)
    mine = api.get_page(object_type="contact", object_id=int(one), sort=["occurredAt"])
    assert len(mine.results) == 3 and mine.results[-1].occurred_at == EARLIER + 2 * HOUR
    span = api.get_page(occurred_after=EARLIER, occurred_before=EARLIER + 2 * HOUR)
    assert [event.object_id for event in span.results] == [other]
    for query in ({"objectId": one}, {"sort": "id"}):
        assert tenant.call("GET", "/events/v3/events", params=query).status_code == 400
    dated = tenant.get("/events/event-occurrences/2026-03/event-types")
    assert dated == {"eventTypes": ["e_visited_page", "pe1_bought"]}
    portal.erase(one, NOW)
    assert len(tenant.get("/events/v3/events")["results"]) == 1


def test_a_lead_is_about_a_contact(tenant: Tenant):
    (contact,) = people(tenant.portal, 1)
    properties = {"hs_lead_name": "Loom for No", "hs_pipeline_stage": "new-stage-id"}
    path = "/crm/v3/objects/leads"
    assert tenant.post(path, {"properties": properties}).status_code == 400
    kinds = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}]
    body = {"properties": properties, "associations": [{"to": {"id": contact}, "types": kinds}]}
    lead = tenant.post(path, body).json()["id"]
    assert tenant.get("/crm/v3/objects/0-136")["results"][0]["id"] == lead
    (link,) = tenant.get(f"/crm/v4/objects/leads/{lead}/associations/contacts")["results"]
    assert {(kind["typeId"], kind["label"]) for kind in link["associationTypes"]} == {
        (578, "Primary"), (608, None),
    }  # fmt: skip
    (line,) = tenant.get("/crm/v3/pipelines/leads")["results"]
    assert [stage["label"] for stage in line["stages"]][-2:] == ["Qualified", "Unqualified"]
    tenant.portal.scopes -= {"crm.objects.leads.read"}
    assert tenant.call("GET", path).status_code == 403


def test_who_did_not_leave_all_mail_has_no_wide_status(tenant: Tenant):
    tenant.portal.opt_out("n0@acme.example", NOW)
    path = "/communication-preferences/v4/statuses/{}/unsubscribe-all?channel=EMAIL"
    assert tenant.get(path.format("n1@acme.example"))["results"] == []
    batch = "/communication-preferences/v4/statuses/batch/unsubscribe-all/read?channel=EMAIL"
    told = tenant.post(batch, {"inputs": ["n0@acme.example", "n1@acme.example"]}).json()["results"]
    assert [len(one["wideStatuses"]) for one in told] == [1, 0]


def test_the_account_tells_its_calls_of_today(tenant: Tenant):
    assert tenant.get("/account-info/v3/details")["utcOffset"] == "-05:00"
    (usage,) = tenant.get("/account-info/2026-03/api-usage/daily/private-apps")["results"]
    assert (usage["currentUsage"], usage["usageLimit"]) == (2, 625_000)
    assert usage["resetsAt"] == "2026-11-22T05:00:00Z"
    tenant.clock.advance(seconds=5 * 3600)
    (usage,) = tenant.get("/account-info/v3/api-usage/daily")["results"]
    assert usage["currentUsage"] == 1


# Tokens, scopes, limits, errors


def test_a_wrong_token_is_the_vendors_401(tenant: Tenant):
    with pytest.raises(UnauthorizedException) as refused:
        tenant.client("pat-na1-nonsense").crm.contacts.basic_api.get_page()
    body = json.loads(refused.value.body)
    assert body["category"] == "INVALID_AUTHENTICATION"
    assert body["correlationId"] == refused.value.headers["X-HubSpot-Correlation-Id"]
    bare = requests.get(f"{tenant.url}/crm/v3/objects/contacts", timeout=5)
    assert bare.status_code == 401


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03"])
def test_a_refreshed_token_lives_half_an_hour(tenant: Tenant, version: str):
    portal = tenant.portal
    form = {
        "grant_type": "refresh_token",
        "client_id": portal.client_id,
        "client_secret": portal.client_secret,
        "refresh_token": portal.refresh_token,
    }
    path = f"{tenant.url}/oauth/{version}/token"
    granted = requests.post(path, data=form, timeout=5).json()
    assert granted["expires_in"] == 1800
    assert ("token_use" in granted) == (version != "v1")
    api = tenant.client(granted["access_token"]).crm.contacts.basic_api
    answer = api.get_page_with_http_info()
    assert "X-HubSpot-RateLimit-Max" in answer[2]
    assert "X-HubSpot-RateLimit-Daily" not in answer[2]
    tenant.clock.advance(seconds=1801)
    with pytest.raises(UnauthorizedException) as refused:
        api.get_page()
    body = json.loads(refused.value.body)
    assert body["category"] == "EXPIRED_AUTHENTICATION"
    assert body["context"] == {"expire time": ["2026-11-22T00:30:00Z"]}
    wrong = requests.post(path, data=form | {"refresh_token": "x"}, timeout=5)
    assert (wrong.status_code, wrong.json()["status"]) == (400, "BAD_REFRESH_TOKEN")
    assert requests.post(path, params=form, timeout=5).status_code == 400


def test_the_clients_own_refresh_works(tenant: Tenant):
    portal = tenant.portal
    granted = tenant.client().oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id=portal.client_id,
        client_secret=portal.client_secret,
        refresh_token=portal.refresh_token,
    )
    info = tenant.client().oauth.access_tokens_api.get(granted.access_token)
    assert info.hub_id == portal.portal_id and "tickets" in info.scopes


def test_a_private_app_can_ask_for_its_scopes(tenant: Tenant):
    path = "/oauth/v2/private-apps/get/access-token-info"
    told = tenant.post(path, {"tokenKey": tenant.portal.access_token}).json()
    assert set(told["scopes"]) == tenant.portal.scopes


def test_a_missing_scope_is_named(tenant: Tenant):
    tenant.portal.scopes.discard("crm.objects.companies.read")
    assert tenant.get("/crm/v3/objects/contacts")["results"] == []
    answer = tenant.call("GET", "/crm/v3/objects/companies")
    assert answer.status_code == 403
    body = answer.json()
    assert body["category"] == "MISSING_SCOPES"
    assert body["errors"][0]["context"] == {
        "requiredGranularScopes": ["crm.objects.companies.read"]
    }
    with pytest.raises(Exception, match="403"):
        tenant.client().crm.companies.basic_api.get_page()


def test_objects_that_the_app_was_not_granted_are_refused_and_unknown_ones_are_not_objects(
    tenant: Tenant,
):
    """A tap that asks for the properties of every object there is goes on after a 403."""
    for name, status in (("goal_targets", 403), ("unicorns", 400)):
        for path in (f"/crm/v3/properties/{name}", f"/crm/v3/objects/{name}"):
            assert tenant.call("GET", path).status_code == status


def test_limits_are_told_except_by_search(tenant: Tenant):
    answer = tenant.call("GET", "/crm/v3/objects/contacts")
    for name, value in (
        ("Daily", "625000"),
        ("Daily-Remaining", "624999"),
        ("Interval-Milliseconds", "10000"),
        ("Max", "10000"),
        ("Remaining", "9999"),
        ("Secondly", "1000"),
        ("Secondly-Remaining", "999"),
    ):
        assert answer.headers[f"X-HubSpot-RateLimit-{name}"] == value
    assert answer.headers["Date"] == "Sun, 22 Nov 2026 00:00:00 GMT"
    searched = tenant.post("/crm/v3/objects/contacts/search", {})
    assert not [name for name in searched.headers if "ratelimit" in name.lower()]
    assert "X-HubSpot-Correlation-Id" in searched.headers


def test_too_many_calls_in_ten_seconds_are_refused_without_a_category(tenant: Tenant):
    tenant.portal.calls_per_10_s = 3
    for _ in range(3):
        tenant.get("/crm/v3/objects/contacts")
    answer = tenant.call("GET", "/crm/v3/objects/contacts")
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers
    assert answer.headers["X-HubSpot-RateLimit-Remaining"] == "0"
    body = answer.json()
    assert (body["policyName"], body["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert "category" not in body


def test_too_many_searches_in_a_second_are_refused_without_headers(tenant: Tenant):
    tenant.portal.searches_per_second = 2
    answers = [tenant.post("/crm/v3/objects/contacts/search", {}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["policyName"] == "SECONDLY"
    assert answers[2].json()["message"] == "You have reached your secondly limit."
    assert not [name for name in answers[2].headers if "ratelimit" in name.lower()]
    assert tenant.call("GET", "/crm/v3/objects/contacts").status_code == 200


def test_the_daily_limit_holds_until_midnight_where_the_account_is(tenant: Tenant):
    tenant.portal.daily_limit = 1
    tenant.get("/crm/v3/objects/contacts")
    answer = tenant.call("GET", "/crm/v3/objects/contacts")
    assert (answer.status_code, answer.json()["policyName"]) == (429, "DAILY")
    assert answer.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
    tenant.clock.advance(seconds=5 * 3600)
    assert tenant.call("GET", "/crm/v3/objects/contacts").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/crm/v3/objects/contacts/7",
        "/crm/v3/objects/contacts/seven",
        "/crm/v3/owners/7",
        "/crm/v3/properties/contacts/nonsense",
        "/crm/v3/pipelines/deals/nonsense",
        "/crm/v3/lists/7",
        "/marketing/v3/emails/7",
        "/nonsense",
        "/crm/objects/1999-03/contacts",
    ],
)
def test_what_is_not_there_is_a_404(tenant: Tenant, path: str):
    answer = tenant.call("GET", path)
    assert answer.status_code in (400, 404)
    assert answer.json()["status"] == "error"
    assert set(answer.json()) >= {"message", "correlationId", "category"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/crm/v3/objects/contacts/search", []),
        ("/crm/v3/objects/contacts/search", {"filterGroups": [1]}),
        ("/crm/v3/objects/contacts/search", {"sorts": [1]}),
        ("/crm/v3/objects/contacts/batch/read", {"inputs": ["51"]}),
        ("/crm/v3/objects/contacts/batch/read", {}),
        ("/crm/v3/objects/contacts/batch/create", {"inputs": [None]}),
        ("/crm/v3/objects/contacts", {"associations": [{"to": {"id": "1"}, "types": [{}]}]}),
        ("/crm/v3/objects/contacts/merge", {"primaryObjectId": "1"}),
        ("/crm/v4/associations/contacts/companies/batch/read", {"inputs": 1}),
        ("/crm/v3/lists/search", {"offset": "a"}),
        ("/communication-preferences/v4/statuses/batch/read", {"inputs": ["a@x.example"]}),
    ],
)
def test_a_body_of_another_shape_is_refused_in_words(tenant: Tenant, path: str, body: Any):
    answer = tenant.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_an_unknown_object_and_a_broken_body_are_400s(tenant: Tenant):
    assert tenant.call("GET", "/crm/v3/objects/nonsense").status_code == 400
    broken = tenant.call("POST", "/crm/v3/objects/contacts/search", data=b"{")
    assert broken.status_code == 400


def test_a_url_beyond_15_kb_is_too_long(tenant: Tenant):
    names = ",".join(f"property_number_{n}" for n in range(900))
    answer = tenant.call("GET", f"/crm/v3/objects/contacts?properties={names}")
    assert answer.status_code == 414
    assert "html" in answer.headers["Content-Type"]


# Faults and the side door


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("429", 429, "TEN_SECONDLY_ROLLING"),
        ("500", 500, "internal error"),
        ("423", 423, "LOCKED"),
        ("477", 477, "MIGRATION"),
        ("502", 502, "Bad Gateway"),
        ("524", 524, "timeout"),
        ("limit_ten_secondly", 429, "TEN_SECONDLY_ROLLING"),
        ("limit_secondly", 429, "SECONDLY"),
        ("limit_daily", 429, "DAILY"),
    ],
)
def test_the_vendors_own_faults_have_its_shape(tenant: Tenant, kind: str, status: int, word: str):
    tenant.faults.set({"hubspot": [{"kind": kind, "wait_s": 7}]})
    answer = tenant.call("GET", "/crm/v3/objects/contacts")
    assert (answer.status_code, word in answer.text) == (status, True)
    assert answer.headers.get("Retry-After") == (None if status >= 500 else "7")
    assert tenant.call("GET", "/crm/v3/objects/contacts").status_code == 200


def test_a_fault_reaches_the_client_as_its_exception(tenant: Tenant):
    tenant.faults.set({"hubspot": [{"kind": "500"}, {"kind": "limit_ten_secondly", "after": 1}]})
    api = tenant.client().crm.contacts.basic_api
    with pytest.raises(ServiceException):
        api.get_page()
    with pytest.raises(ApiException) as refused:
        api.get_page()
    assert refused.value.status == 429


def test_an_expired_token_fault_ends_oauth_and_not_the_private_app(tenant: Tenant):
    tenant.faults.set({"hubspot": [{"kind": "expired_token"}]})
    with pytest.raises(UnauthorizedException) as refused:
        tenant.client().crm.contacts.basic_api.get_page()
    assert "EXPIRED_AUTHENTICATION" in refused.value.body
    assert tenant.client().crm.contacts.basic_api.get_page().results == []


def test_a_missing_scope_reaches_the_client_as_forbidden(tenant: Tenant):
    tenant.portal.scopes.discard("crm.objects.contacts.read")
    with pytest.raises(ForbiddenException):
        tenant.client().crm.contacts.basic_api.get_page()


def test_the_side_door_moves_time_and_tells_credentials(tenant: Tenant):
    moved = requests.post(f"{tenant.url}/sandbox/advance", json={"days": 2}, timeout=5)
    assert moved.json() == {"now": "2026-11-24T00:00:00+00:00"}
    told = requests.get(f"{tenant.url}/sandbox/credentials", timeout=5).json()
    assert told["access_token"] == tenant.portal.access_token


# A second opinion: the vendor's newer client, which checks every answer

STRICT = """
import json, sys
from hubspot_sdk import HubSpot

given = json.loads(sys.argv[1])
client = HubSpot(
    access_token=given["token"],
    base_url=given["url"],
    _strict_response_validation=True,
    max_retries=0,
)
objects, crm = client.crm.objects, client.crm
contact, company = given["contact"], given["company"]
consents = client.communication_preferences
checks = {
    "list": lambda: list(objects.contacts.list(limit=2, properties=["email", "lastname"])),
    "archived": lambda: list(objects.contacts.list(archived=True)),
    "get": lambda: objects.contacts.get(
        contact, properties_with_history=["lastname"], associations=["companies"]
    ),
    "merged": lambda: objects.contacts.get(given["merged"], properties=["hs_merged_object_ids"]),
    "search": lambda: objects.contacts.search(
        filter_groups=[{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}]}],
        sorts=["-createdate"], properties=["email"], limit=2, after="0",
    ),
    "batch": lambda: objects.contacts.batch.get(
        inputs=[{"id": contact}], properties=["email"], properties_with_history=["email"]
    ),
    "companies": lambda: list(objects.companies.list(properties=["name", "domain"])),
    "deals": lambda: list(objects.deals.list(properties=["dealname", "hs_is_closed"])),
    "tickets": lambda: list(objects.tickets.list(properties=["subject", "hs_ticket_id"])),
    "calls": lambda: list(objects.calls.list(properties=["hs_call_title"])),
    "feedback": lambda: list(objects.feedback_submissions.list(properties=["hs_value"])),
    "owners": lambda: [*crm.owners.list(), *crm.owners.list(archived=True)],
    "properties": lambda: [crm.properties.list(name) for name in ("contacts", "tickets")],
    "pipelines": lambda: [crm.pipelines.list(name) for name in ("deals", "tickets")],
    "schemas": lambda: crm.object_schemas.list(),
    "links": lambda: list(
        crm.associations.list("companies", object_type="contacts", object_id=contact)
    ),
    "batch of links": lambda: crm.associations.batch.get(
        "companies", from_object_type="contacts", inputs=[{"id": contact}]
    ),
    "labels": lambda: crm.associations_schema.labels.list_labels(
        "companies", from_object_type="contacts"
    ),
    "lists": lambda: crm.lists.list_by_search(
        list_ids=[], offset=0, processing_types=["MANUAL"], query=""
    ),
    "list of contacts": lambda: crm.lists.get("1"),
    "members": lambda: list(crm.lists.list_memberships("1")),
    "emails": lambda: list(client.marketing.emails.list(include_stats=True)),
    "campaigns": lambda: list(client.marketing.campaigns.list(properties=["hs_name"])),
    "usage": lambda: client.account.get_daily_private_apps_usage(),
    "account": lambda: client.account.get(),
    "subscriptions": lambda: consents.definitions.list(),
    "statuses": lambda: consents.get_statuses("n0@acme.example", channel="EMAIL"),
    "wide status": lambda: consents.get_unsubscribe_all_status(
        "n0@acme.example", channel="EMAIL"
    ),
    "batch of statuses": lambda: consents.statuses.batch.read(
        channel="EMAIL", inputs=["n0@acme.example"]
    ),
}
told = {}
for name, check in checks.items():
    try:
        found = check()
        told[name] = "empty" if isinstance(found, list) and not found else "valid"
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


def sdk_python() -> str | None:
    """Return an interpreter that has hubspot-sdk: its pins would not go with ours."""
    for python in (os.environ.get("HUBSPOT_SDK_PYTHON"), sys.executable):
        if (
            python
            and not subprocess.run(
                [python, "-c", "import hubspot_sdk"], capture_output=True, check=False
            ).returncode
        ):
            return python
    return None


def test_every_answer_passes_the_newer_clients_strict_validation(tenant: Tenant):
    python = sdk_python()
    if python is None:
        pytest.skip(
            "needs hubspot-sdk: python -m venv V && V/bin/pip install hubspot-sdk==0.1.0a9, "
            "then HUBSPOT_SDK_PYTHON=V/bin/python"
        )
    portal = tenant.portal
    company, contacts = company_of_many(portal, 5)
    portal.update("companies", company, {"domain": "acme.example"}, NOW)
    portal.merge("contacts", contacts[1], contacts[2], NOW)
    portal.archive("contacts", contacts[3], NOW)
    portal.deactivate_owner(portal.add_owner("b@h.example", "Bo", "Dyer", EARLIER), NOW)
    portal.add_owner("a@h.example", "Ann", "Weaver", EARLIER, team="Support")
    portal.create(
        "deals",
        {
            "dealname": "Plan",
            "amount": "1",
            "closedate": NOW,
            "dealstage": "closedwon",
            "pipeline": "default",
        },
        NOW,
    )
    portal.create("tickets", {"subject": "Help", "hs_pipeline_stage": "1"}, NOW)
    portal.create("calls", {"hs_call_title": "Call", "hs_timestamp": NOW}, NOW)
    portal.create("feedback_submissions", {"hs_value": 9}, NOW)
    portal.add_custom_object("machines", singular="machine", properties=[{"name": "serial"}])
    portal.add_subscription(11, "News", "Monthly", EARLIER)
    portal.set_consent("n0@acme.example", 11, "SUBSCRIBED", NOW, legal_basis="NON_GDPR")
    email = portal.add_marketing_email("November", "Hello", EARLIER, subscription=11)
    portal.publish(email, NOW)
    portal.note_delivery(email, contacts[0], "sent", NOW)
    portal.add_to_list(portal.add_list("Readers", EARLIER), contacts[0], NOW)
    portal.add_campaign("Looms", EARLIER)
    given = {
        "url": tenant.url,
        "token": portal.access_token,
        "contact": contacts[0],
        "company": company,
        "merged": contacts[1],
    }
    done = subprocess.run(
        [python, "-c", STRICT, json.dumps(given)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert {name: said for name, said in told.items() if said != "valid"} == {}
    assert len(told) == 29
