"""What sources say they have, and what is guessed about it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import registry
from connectors.base import Stream
from connectors.discovery import Discovery, FoundField, discover, guess_pii, looks_like, shape
from connectors.mapped import guess_column
from connectors.sync import sync_stream
from sandbox.server import PORTS, Sandbox, serve


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with serve(people=60, seed=7, port=0, vendors=PORTS) as sandbox:
        org = sandbox.world.org
        region = {"name": "Region__c", "type": "picklist", "label": "Sales region"}
        org.add_custom_field("Account", {**region, "picklistValues": ["North"]})
        org.add_custom_field("Account", {"name": "CSM_Email__c", "type": "email"})
        org.add_custom_field("Account", {"name": "Plan__c", "type": "textarea", "length": 4000})
        org.add_custom_object("Survey__c", prefix="a0S", label="Survey")
        yield sandbox


def discovered(company: Sandbox, name: str, home: Path, **changed: Any) -> Discovery:
    settings = company.credentials["sources"][name] | changed
    return discover(registry.open_source(name, settings.pop("type"), settings, home=home))


def fields(found: Discovery, stream: str) -> dict[str, FoundField]:
    [it] = [each for each in found.streams if each.stream.name == stream]
    return {field.name: field for field in it.fields}


def test_salesforce_describes_its_custom_fields_with_type_label_and_a_guess(company, tmp_path):
    account = fields(discovered(company, "crm", tmp_path), "accounts")
    region = account["Region__c"]
    assert (region.is_taken, region.is_custom) == (False, True)
    assert (region.vendor_type, region.type, region.label) == ("picklist", "text", "Sales region")
    assert account["CSM_Email__c"].pii == "direct"
    assert account["Plan__c"].pii == "text"
    assert all(f.pii_basis.startswith("guess: ") for f in account.values() if not f.is_taken)
    taken = account["Renewal_Date__c"]
    assert (taken.is_taken, taken.type, taken.pii_basis) == (True, "date", "declared")
    assert not account["BillingAddress"].can_be_taken


def test_what_is_taken_comes_first_and_nothing_is_listed_twice(company, tmp_path):
    for found in discovered(company, "crm", tmp_path).streams:
        names = [field.name for field in found.fields]
        assert len(names) == len(set(names))
        taken = [field.is_taken for field in found.fields]
        assert taken == sorted(taken, reverse=True)
        assert found.is_complete


def test_objects_that_are_not_read_are_listed_and_hidden_ones_are_said_to_be(company, tmp_path):
    found = discovered(company, "crm", tmp_path, objects=["Subscription__c", "Secret__c"])
    objects = {each.name: each for each in found.objects or ()}
    assert objects["Survey__c"].is_custom and objects["Survey__c"].can_be_read
    assert "Account" not in objects
    assert "not visible" in found.streams[-1].note
    asked = discovered(company, "crm", tmp_path, objects=["Subscription__c", "Survey__c"])
    assert "Survey__c" not in {each.name for each in asked.objects or ()}


def test_a_forum_shows_the_names_of_what_is_left_out_and_never_a_value(company, tmp_path):
    found = discovered(company, "forum", tmp_path)
    posts = fields(found, "posts")
    assert not posts["cooked"].is_taken and posts["cooked"].pii == "text"
    assert not posts["raw"].is_taken
    assert posts["like_count" if "like_count" in posts else "reads"].type == "integer"
    written = next(post.raw for post in company.world.forum.posts.values() if len(post.raw) > 20)
    assert written not in repr(found)
    assert "private_messages" in {each.name for each in found.objects or ()}


def test_what_a_setting_of_the_forum_would_take_is_named_with_it(company, tmp_path):
    users = fields(discovered(company, "forum", tmp_path, sso=False, show_emails=False), "users")
    assert "`show_emails: true`" in users["email"].note and not users["email"].is_taken
    assert "`sso: true`" in users["single_sign_on_record.external_id"].note
    users = fields(discovered(company, "forum", tmp_path), "users")
    assert users["email"].is_taken and users["email"].pii == "direct"


def test_a_list_that_is_closed_to_the_key_says_so_and_the_others_are_shown(company, tmp_path):
    forum = company.world.forum
    plain = next(u.username for u in forum.users.values() if u.id > 0 and not u.staff and u.active)
    found = discovered(company, "forum", tmp_path, api_username=plain)
    users, topics, *_ = found.streams
    assert "cannot tell" in users.how and users.note
    assert any(not field.is_taken for field in topics.fields)


def test_files_show_the_columns_of_the_newest_one(tmp_path):
    (tmp_path / "old.csv").write_text("id,gone\n1,x\n")
    newest = tmp_path / "new.csv"
    newest.write_text("id,email,total,paid_at,remark\n1,a@b.example,3.50,2026-01-02,\n")
    (tmp_path / "old.csv").touch()
    newest.touch()
    declared = {"path": "*.csv", "key": "id", "fields": ["email", "status"]}
    source = registry.open_source(
        "shop", "files", {"streams": {"orders": declared}}, home=tmp_path, folder=tmp_path
    )
    [found] = discover(source).streams
    shown = {field.name: (field.is_taken, field.type) for field in found.fields}
    assert shown == {
        "id": (True, "integer"),
        "email": (True, "text"),
        "total": (False, "decimal"),
        "paid_at": (False, "date"),
        "remark": (False, "text"),
    }
    assert found.unseen == ("status",)
    assert "`new.csv`" in found.how


def test_a_network_shows_what_is_left_out_below_what_is_taken_and_never_a_text(company, tmp_path):
    found = discovered(company, "social", tmp_path)
    posts = fields(found, "posts")
    assert posts["uri"].is_taken and posts["record.createdAt"].is_taken
    assert not posts["record.text"].is_taken and posts["record.text"].pii == "text"
    assert not posts["author.handle"].is_taken
    assert posts["likeCount"].type == "integer"
    assert not fields(found, "profiles")["description"].is_taken
    assert "other_posts" in {each.name for each in found.objects or ()}
    written = next(post.record["text"] for post in company.world.network.posts.values())
    assert written not in repr(found)


def test_a_database_shows_its_columns_and_lines_that_read_its_other_tables(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.executescript("""
            create table orders (id integer primary key, email text, total numeric, at timestamp);
            create table "Site Visits" (page text, person_id text, seen date);
            create table refunds (order_id integer, line integer, updated_at timestamp,
                                  primary key (order_id, line));
            create view totals as select email, sum(total) as total from orders group by 1;
            insert into refunds values (7, 1, '2026-01-02 03:04:05');
        """)
    streams = {
        "orders": {"table": "orders", "key": "id", "snapshot": True, "fields": ["total"]},
        "days": {"query": "select 1 as id, '2026-01-02' as day", "key": "id", "snapshot": True},
    }

    def opened(streams: dict[str, Any]) -> Any:
        settings = {"url": "sqlite:///shop.db", "streams": streams}
        return registry.open_source("shop", "sql", settings, home=tmp_path, folder=tmp_path)

    found = discover(opened(streams))
    orders, days = fields(found, "orders"), fields(found, "days")
    assert {name: (f.is_taken, f.type) for name, f in orders.items()} == {
        "id": (True, "integer"),
        "total": (True, "decimal"),
        "email": (False, "text"),
        "at": (False, "timestamp"),
    }
    assert (orders["email"].pii, orders["total"].vendor_type) == ("direct", "numeric")
    assert days["day"].type == "date"
    tables = {each.name: each for each in found.objects or ()}
    assert list(tables) == ["Site Visits", "refunds", "totals"]
    assert "person_id text" in tables["Site Visits"].note

    lines = "\n".join(line for each in tables.values() for line in each.lines)
    pasted = yaml.safe_load(lines)
    assert pasted["refunds"]["key"] == ["order_id", "line"]
    assert pasted["refunds"]["cursor"] == "updated_at"
    assert pasted["site_visits"]["snapshot"] is True
    source = opened(pasted)
    assert source.check().ok
    [refunds] = [stream for stream in source.streams() if stream.name == "refunds"]
    assert sync_stream(source, refunds, tmp_path).rows == 1


def test_a_connector_without_an_answer_shows_its_declarations_and_says_so():
    class Silent:
        type = name = "silent"

        def streams(self) -> list[Stream]:
            return [Stream(name="a", key=("id",), fields=("id", "at"), types={"at": "timestamp"})]

    source: Any = Silent()
    found = discover(source)
    assert [(f.name, f.type) for f in found.streams[0].fields] == [
        ("id", "text"),
        ("at", "timestamp"),
    ]
    assert "cannot tell" in found.streams[0].how
    assert found.objects is None


@pytest.mark.parametrize(
    ("name", "type_", "length", "guess"),
    [
        ("Work_Email__c", "string", 80, "direct"),
        ("MobilePhone", "string", 40, "direct"),
        ("Contact_Name__c", "string", 80, "direct"),
        ("Birthdate", "date", 0, "direct"),
        ("birth_date", "date", 0, "direct"),
        ("x", "phone", 0, "direct"),
        ("Notes__c", "string", 80, "text"),
        ("Anything__c", "textarea", 32_000, "text"),
        ("Anything__c", "string", 1_000, "text"),
        ("External_Id__c", "string", 40, "pseudonym"),
        ("user_id", "", 0, "pseudonym"),
        ("salesforcecontactid", "string", 0, "pseudonym"),
        ("Account__c", "reference", 18, "pseudonym"),
        ("thread_id", "", 0, "none"),
        ("Tier__c", "picklist", 255, "none"),
        ("ProductName", "string", 80, "none"),
        ("Shipments__c", "double", 0, "none"),
    ],
)
def test_a_guess_reads_names_and_types(name, type_, length, guess):
    assert guess_pii(name, type_, length)[0] == guess


MAP = [
    {"to": "person", "columns": {"name": "who", "id": "nr", "organization": "firm"}},
    {"to": "organization", "columns": {"name": "title", "custom": [{"name": "plan"}]}},
    {"to": "purchase", "columns": {"person": {"first_of": ["buyer", "buyer_email"]}}},
]


@pytest.mark.parametrize(
    ("column", "guess"),
    [
        ("who", "direct"),
        ("name", "direct"),
        ("nr", "pseudonym"),
        ("firm", "pseudonym"),
        ("title", "none"),
        ("plan", "none"),
        ("buyer", "pseudonym"),
        ("buyer_email", "direct"),
        ("remark", "text"),
    ],
)
def test_what_a_column_is_mapped_to_tells_what_it_shows(column, guess):
    assert guess_column(column, MAP)[0] == guess


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5))
def test_any_records_have_a_shape_with_every_name_once(records):
    found = shape(json.dumps(record).encode() for record in records)
    assert set(found) == {name for record in records for name in record}
    assert set(found.values()) <= {"text", "integer", "decimal", "boolean", "json", "date",
                                   "timestamp"}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([], "text"),
        ([None], "text"),
        (["1", "20"], "integer"),
        (["1", "2.50"], "decimal"),
        (["007"], "text"),
        (["1", "x"], "text"),
        (["2026-01-02"], "date"),
        (["2026-01-02T03:04:05Z", None], "timestamp"),
        (["2026-01-02 03:04"], "timestamp"),
        (["true", "False"], "boolean"),
        ([[1], {"a": 1}], "json"),
    ],
)
def test_a_type_is_what_all_values_could_be(values, type_):
    assert looks_like(values) == type_


def test_broken_records_have_no_shape():
    assert shape([b"{", b"[1]", b"3", b'{"a": true}']) == {"a": "boolean"}
