"""The Salesforce connector against the emulated organization, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from connectors import registry, salesforce
from connectors.base import Stream, Window
from connectors.errors import AuthError, ConfigError, ServerError
from connectors.landing import Landing
from connectors.sync import SyncResult, sync_stream
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.salesforce.http import app
from sandbox.salesforce.org import Org

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Crm:
    """An organization, its clock, and a connector that asks it."""

    def __init__(self, home: Path, serve: Callable[[Any], str], **settings: Any) -> None:
        self.home = home
        self.org = Org()
        self.clock = Clock(START)
        self.faults = Faults()
        self.emulator = app(self.org, self.clock, self.faults)
        self.settings = {
            "client_id": self.org.client_id,
            "client_secret": self.org.client_secret,
            "domain": self.org.domain,
            "url": serve(self.emulator),
            **settings,
        }

    def open(self, **changed: Any) -> salesforce.Salesforce:
        source = registry.open_source("crm", "salesforce", self.settings | changed, home=self.home)
        assert isinstance(source, salesforce.Salesforce)
        source.session.backoff_s = 0.01
        return source

    def stream(self, name: str, source: salesforce.Salesforce) -> Stream:
        return next(stream for stream in source.streams() if stream.name == name)

    def sync(self, name: str, source: salesforce.Salesforce | None = None) -> SyncResult:
        source = source or self.open()
        return sync_stream(source, self.stream(name, source), self.home)

    def insert(self, sobject: str, count: int = 1, **fields: Any) -> list[str]:
        """Insert records a minute ago, several to a second, and let the clock pass the lag."""
        ids = [
            self.org.insert(sobject, fields, self.clock.now() + timedelta(seconds=i // 700))
            for i in range(count)
        ]
        self.clock.advance(seconds=3600)
        return ids

    def asked(self) -> dict[str, int]:
        """Return how often each resource was asked for."""
        answer = requests.get(f"{self.settings['url']}/sandbox/requests", timeout=10)
        counters: dict[str, int] = answer.json()
        return counters

    def set_faults(self, *faults: dict[str, Any]) -> None:
        self.faults.set({"salesforce": faults})


@pytest.fixture
def crm(tmp_path: Path, serve: Callable[[Any], str]) -> Crm:
    return Crm(tmp_path, serve)


def live(rows: dict[str, Any]) -> dict[str, Any]:
    return {key: json.loads(record) for key, (op, _, record) in rows.items() if op == "upsert"}


def test_every_record_arrives_once_whatever_the_size_of_the_pages(crm, landed):
    ids = crm.insert("Contact", 4_500, LastName="Weaver", Email="w@mill.example")
    result = crm.sync("contacts")
    assert set(live(landed("crm.contacts"))) == set(ids)
    assert (result.rows, result.duplicates, result.missing, result.extra) == (4_500, 0, 0, 0)
    assert result.source_count == 4_500


def test_only_allowed_fields_are_landed_and_numbers_keep_their_digits(crm, landed):
    crm.insert(
        "Opportunity",
        Name="Looms",
        StageName="Prospecting",
        CloseDate="2026-06-30",
        Amount=1250.10,
        Description="private words",
    )
    crm.sync("opportunities")
    ((_, _, record),) = landed("crm.opportunities").values()
    stream = crm.stream("opportunities", crm.open())
    assert set(json.loads(record)) <= set(stream.fields)
    assert "attributes" not in record and "private words" not in record
    assert '"Amount":1250.1' in record


def test_a_second_sync_lands_only_what_changed(crm, landed):
    ids = crm.insert("Contact", 50, LastName="Weaver")
    crm.sync("contacts")
    nothing = crm.sync("contacts")
    assert (nothing.rows, nothing.deletes, nothing.changed) == (0, 0, False)
    crm.org.update("Contact", ids[7], {"LastName": "Dyer"}, crm.clock.now())
    crm.clock.advance(seconds=120)
    assert crm.sync("contacts").rows == 1
    assert live(landed("crm.contacts"))[ids[7]]["LastName"] == "Dyer"


def test_deleted_merged_and_undeleted_records_are_followed(crm, landed):
    gone, master, loser = crm.insert("Account", 3, Name="Mill")
    crm.sync("accounts")
    crm.org.delete("Account", gone, crm.clock.now())
    crm.org.merge("Account", master, [loser], crm.clock.now())
    crm.clock.advance(days=1)
    assert crm.sync("accounts").deletes == 2
    rows = landed("crm.accounts")
    assert rows[gone][:2] == ("delete", None)
    assert rows[loser][:2] == ("delete", master)
    crm.org.undelete("Account", gone, crm.clock.now())
    crm.clock.advance(days=1)
    crm.sync("accounts")
    assert set(live(landed("crm.accounts"))) == {gone, master}


def test_a_record_that_never_went_through_the_bin_is_found_in_the_delete_log(crm, landed):
    ids = crm.insert("Lead", 60, LastName="Carder", Company="Wool")
    crm.sync("leads")
    crm.clock.advance(seconds=3600)
    crm.org.purge("Lead", ids[3], crm.clock.now())
    crm.clock.advance(seconds=3600)
    found = crm.sync("leads")
    assert (found.deletes, found.missing, found.extra) == (1, 0, 0)
    assert set(live(landed("crm.leads"))) == set(ids) - {ids[3]}
    asked = crm.asked()["GET sobjects/Lead/deleted"]
    assert crm.sync("leads").deletes == 0
    assert crm.asked()["GET sobjects/Lead/deleted"] == asked  # not due for an hour


def purged_unseen(crm: Crm, days: float) -> list[str]:
    """Purge one of 60 held leads, let time pass, and return the ids that are left."""
    ids = crm.insert("Lead", 60, LastName="Carder", Company="Wool")
    crm.sync("leads")
    crm.clock.advance(seconds=3600)
    crm.org.purge("Lead", ids.pop(3), crm.clock.now())
    crm.clock.advance(days=days)
    return ids


def test_a_gap_in_the_delete_log_is_closed_by_a_census_at_once(crm, landed):
    ids = purged_unseen(crm, days=0.5)
    crm.org.cut_delete_log("Lead", crm.clock.now() - timedelta(hours=1))
    found = crm.sync("leads")
    assert (found.deletes, found.extra) == (1, 0)
    assert set(live(landed("crm.leads"))) == set(ids)


@pytest.mark.parametrize("days", [3, 20])
def test_a_delete_log_that_refuses_or_ends_too_early_means_a_census(crm, landed, days):
    ids = purged_unseen(crm, days)
    crm.org.replicated_ids = 0  # more ids than one answer may hold
    assert crm.sync("leads").deletes == 1
    assert set(live(landed("crm.leads"))) == set(ids)


def test_records_gone_without_a_trace_are_found_by_counting_and_a_census(crm, landed):
    crm.org.not_replicated = {"Lead"}
    ids = purged_unseen(crm, days=0.1)
    too_many = crm.sync("leads")
    assert (too_many.deletes, too_many.extra) == (0, 1)
    crm.clock.advance(days=1)
    found = crm.sync("leads")
    assert (found.deletes, found.extra) == (1, 0)
    assert set(live(landed("crm.leads"))) == set(ids)
    assert "GET sobjects/Lead/deleted" not in crm.asked()


def formulas(crm: Crm, count: int) -> list[str]:
    """Give accounts a formula, sync them, let a day pass, and let two formulas change."""
    described = {"name": "Score__c", "type": "double", "calculated": True, "scale": 2}
    crm.org.add_custom_field("Account", described)
    crm.settings["fields"] = {"Account": [{"name": "Score__c", "type": "decimal"}]}
    ids = crm.insert("Account", count, Name="Mill")
    crm.sync("accounts")
    crm.clock.advance(seconds=3600)
    for id in ids[:2]:
        crm.org.touch_formula("Account", id, "Score__c", 7.5)
    return ids


def test_a_formula_that_changed_without_a_stamp_arrives_within_a_day(crm, landed):
    ids = formulas(crm, 10)
    assert crm.sync("accounts").rows == 0
    crm.clock.advance(days=1)
    source = crm.open()
    due = Landing(crm.home).stream("crm", "accounts").footer().state
    cost = source.plan(crm.stream("accounts", source), due, Window(now=crm.clock.now()))
    assert "formulas read again" in {step.what for step in cost.steps} and cost.records == 10
    result = crm.sync("accounts")
    assert result.rows == 2
    assert "Account: 10 records read again for Score__c" in result.notes
    accounts = live(landed("crm.accounts"))
    assert [accounts[id]["Score__c"] for id in ids] == [7.5, 7.5] + [None] * 8
    crm.clock.advance(seconds=3600)
    assert crm.sync("accounts").notes == ("Account: formulas, read again daily: Score__c",)


def test_reading_formulas_again_can_be_switched_off(crm):
    formulas(crm, 10)
    crm.clock.advance(days=9)
    result = crm.sync("accounts", crm.open(reread_days=0))
    assert result.rows == 0
    assert result.notes == ("Account: formulas, seen only when the record changes: Score__c",)


def test_reading_again_goes_on_where_it_broke_off_and_changes_are_read_first(crm, landed):
    ids = formulas(crm, 4_500)
    crm.org.update("Account", ids[-1], {"Name": "Dye works"}, crm.clock.now())
    for id in ids[:-1]:
        crm.org.touch_formula("Account", id, "Score__c", 8.5)
    crm.clock.advance(days=1)
    source = crm.open()
    crm.set_faults({"kind": "limit_daily", "match": "/query/0", "times": None})
    early = crm.sync("accounts", source)
    assert early.ended_early and 1 < early.rows < 4_500
    assert live(landed("crm.accounts"))[ids[-1]]["Name"] == "Dye works"
    crm.set_faults()
    result = crm.sync("accounts")
    assert early.rows + result.rows == 4_500
    assert {account["Score__c"] for account in live(landed("crm.accounts")).values()} == {8.5, None}


def test_a_chain_of_merges_can_be_followed_to_its_end(crm, landed):
    first, second, third = crm.insert("Contact", 3, LastName="Weaver")
    crm.sync("contacts")
    crm.org.merge("Contact", second, [first], crm.clock.now())
    crm.clock.advance(seconds=3600)
    crm.org.merge("Contact", third, [second], crm.clock.now())
    crm.clock.advance(seconds=3600)
    assert crm.sync("contacts").deletes == 2
    rows = landed("crm.contacts")
    assert [rows[key][:2] for key in (first, second)] == [("delete", second), ("delete", third)]
    assert set(live(rows)) == {third}


@pytest.mark.parametrize("is_stamped", [False, True])
def test_children_of_a_merged_record_are_led_on_by_its_tombstone(crm, landed, is_stamped):
    crm.org.merge_moves_children = is_stamped
    master, loser = crm.insert("Account", 2, Name="Mill")
    (child,) = crm.insert("Contact", LastName="Weaver", AccountId=loser)
    crm.sync("accounts")
    crm.sync("contacts")
    crm.org.merge("Account", master, [loser], crm.clock.now())
    crm.clock.advance(seconds=3600)
    crm.sync("accounts")
    assert crm.sync("contacts").rows == int(is_stamped)
    held = live(landed("crm.contacts"))[child]["AccountId"]
    assert held == (master if is_stamped else loser)
    assert landed("crm.accounts")[loser][:2] == ("delete", master)
    crm.org.update("Contact", child, {"Title": "Dyer"}, crm.clock.now())
    crm.clock.advance(seconds=3600)
    crm.sync("contacts")
    assert live(landed("crm.contacts"))[child]["AccountId"] == master


def test_a_converted_lead_stays_and_names_what_came_of_it(crm, landed):
    (lead,) = crm.insert("Lead", LastName="Carder", Company="Wool")
    (task,) = crm.insert("Task", Subject="Call", WhoId=lead, Status="Completed")
    for stream in ("leads", "tasks"):
        crm.sync(stream)
    came = crm.org.convert_lead(lead, crm.clock.now(), opportunity={"Amount": 5})
    crm.clock.advance(seconds=3600)
    streams = ("leads", "accounts", "contacts", "opportunities", "opportunity_contact_roles")
    for stream in streams:
        assert (crm.sync(stream).rows, crm.sync(stream).missing) == (1, 0)
    told = live(landed("crm.leads"))[lead]
    assert told["IsConverted"] is True and told["ConvertedDate"] == "2026-03-01"
    assert told["ConvertedContactId"] == came["contact_id"] in landed("crm.contacts")
    assert told["ConvertedAccountId"] == came["account_id"] in landed("crm.accounts")
    assert told["ConvertedOpportunityId"] == came["opportunity_id"] in landed("crm.opportunities")
    # its task went to the contact without a stamp: the lead leads there
    assert crm.sync("tasks").rows == 0
    assert live(landed("crm.tasks"))[task]["WhoId"] == lead


def test_only_whole_descriptions_are_asked_for(tmp_path, serve):
    asked: list[tuple[str, dict[bytes, bytes]]] = []

    class Listening(Crm):
        def listen(self) -> Any:
            async def heard(scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] == "http":
                    asked.append((scope["path"], dict(scope["headers"])))
                await self.emulator(scope, receive, send)

            return heard

    crm = Listening(tmp_path, serve)
    crm.settings["url"] = serve(crm.listen())
    source = crm.open()
    for _ in range(2):
        crm.sync("contacts", source)
    described = [headers for path, headers in asked if path.endswith("/describe")]
    # the client library takes a 304 for a failure
    assert len(described) == 2 and not any(b"if-modified-since" in found for found in described)


def test_the_delete_log_is_asked_in_utc_whatever_the_offset(crm):
    east = timezone(timedelta(hours=5))
    path = crm.open()._org.deleted("Lead", START.astimezone(east), START + timedelta(days=1))
    assert "start=2026-03-01T09%3A00%3A00Z&end=2026-03-02T09%3A00%3A00Z" in path


def test_a_merge_is_known_though_its_loser_left_the_bin_before_the_log_told(crm, landed):
    loser, master = crm.insert("Contact", 2, LastName="Weaver")
    crm.sync("contacts")
    crm.org.merge("Contact", master, [loser], crm.clock.now())
    crm.clock.advance(days=1)
    crm.sync("contacts")
    crm.clock.advance(days=10)
    crm.org.purge("Contact", loser, crm.clock.now())
    crm.clock.advance(days=10)
    crm.sync("contacts")
    assert landed("crm.contacts")[loser][:2] == ("delete", master)


def test_deleted_seen_undeleted_and_deleted_again_ends_as_the_source_has_it(crm, landed):
    (id,) = crm.insert("Contact", LastName="Weaver")
    crm.sync("contacts")
    for there in (False, True, False, True):
        change = crm.org.undelete if there else crm.org.delete
        change("Contact", id, crm.clock.now())
        crm.clock.advance(seconds=3600)
        crm.sync("contacts")
        assert (id in live(landed("crm.contacts"))) is there


def test_a_full_refresh_finds_what_is_gone_without_waiting_for_a_census(crm, landed):
    ids = crm.insert("Lead", 60, LastName="Carder", Company="Wool")
    crm.sync("leads")
    crm.org.purge("Lead", ids[3])
    source = crm.open()
    leads = crm.stream("leads", source)
    result = sync_stream(source, leads, crm.home, full_refresh=True)
    assert (result.rows, result.deletes) == (59, 1)


def test_archived_activities_and_comments_are_read_and_counted(crm, landed):
    old = crm.insert("Task", Subject="Call", ActivityDate="2024-01-01", Status="Completed")
    (case,) = crm.insert("Case", Subject="Loom stuck")
    comment = crm.insert("CaseComment", ParentId=case, CommentBody="secret", IsPublished=True)
    tasks = crm.sync("tasks")
    assert (set(live(landed("crm.tasks"))), tasks.missing, tasks.extra) == (set(old), 0, 0)
    crm.sync("case_comments")
    assert set(live(landed("crm.case_comments"))) == set(comment)
    assert "secret" not in landed("crm.case_comments")[comment[0]][2]


def test_a_sync_that_broke_between_pages_goes_on_behind_the_last_row(crm, landed):
    ids = crm.insert("Contact", 4_500, LastName="Weaver")
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "503", "match": "/query", "after": 2, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source)
    held = len(landed("crm.contacts"))
    assert 0 < held < len(ids)
    crm.set_faults()
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates) == (len(ids) - held, 0)
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_an_expired_locator_costs_one_page_at_most(crm, landed):
    ids = crm.insert("Contact", 4_500, LastName="Weaver")
    crm.set_faults({"kind": "expired_locator", "match": "/query/0", "after": 1, "times": 1})
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates) == (len(ids), 0)
    # the changes twice, then the count
    assert crm.asked()["GET queryAll"] == 3
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_records_of_one_stamp_arrive_once_though_the_walk_breaks_off_among_them(crm, landed):
    at = crm.clock.now()
    ids = [crm.org.insert("Contact", {"LastName": "Mass"}, at) for _ in range(4_500)]
    crm.clock.advance(seconds=3600)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "503", "match": "/query/0", "after": 1, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source)
    held = len(landed("crm.contacts"))
    crm.set_faults({"kind": "expired_locator", "match": "/query/0", "times": 1})
    result = crm.sync("contacts")
    assert 0 < held < len(ids) and (result.rows, result.duplicates) == (len(ids) - held, 0)
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_session_that_ends_in_the_middle_is_renewed_once(crm, landed):
    ids = crm.insert("Contact", 2_500, LastName="Weaver")
    crm.set_faults({"kind": "expired_session", "match": "/query", "after": 1, "times": 1})
    assert crm.sync("contacts").rows == len(ids)
    assert crm.asked()["POST token"] == 2


def test_a_session_that_never_holds_is_an_error_after_one_more_login(crm):
    crm.insert("Contact", LastName="Weaver")
    crm.set_faults({"kind": "expired_session", "match": "/queryAll", "times": None})
    with pytest.raises(AuthError, match="HTTP 401 `INVALID_SESSION_ID`"):
        crm.sync("contacts")
    assert crm.asked()["POST token"] == 2


def test_a_spent_day_ends_the_sync_early_and_the_next_one_goes_on(crm, landed):
    ids = crm.insert("Contact", 4_500, LastName="Weaver")
    crm.set_faults({"kind": "limit_daily", "match": "/query", "after": 2, "times": None})
    early = crm.sync("contacts")
    assert early.ended_early and 0 < early.rows < len(ids)
    crm.set_faults()
    assert crm.sync("contacts").rows == len(ids) - early.rows


def test_too_many_long_calls_at_once_are_waited_for(crm, monkeypatch):
    monkeypatch.setattr("connectors.salesforce.client.CONCURRENT_LIMIT_WAIT_S", 0.05)
    crm.insert("Contact", LastName="Weaver")
    crm.set_faults({"kind": "limit_concurrent", "match": "/queryAll", "times": 2})
    result = crm.sync("contacts")
    assert result.rows == 1 and result.waits_s >= 0.1 and not result.ended_early


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("api-usage=18/5000", [4_982]),
        ("api-usage=18/5000; api-bursts=1/750", [4_982]),
        ("api-usage=18/5000; per-app-api-usage=17/250(appName=rapport)", [233]),
        ("per-app-api-usage=17/9000(appName=rapport); api-usage=5100/5000", [0]),
        ("api-bursts=1/750", []),
    ],
)
def test_of_the_quotas_that_an_answer_tells_the_one_that_ends_first_counts(told, left):
    answer = requests.Response()
    answer.headers["Sforce-Limit-Info"] = told
    assert [usage.left for usage in salesforce.usages(answer)] == left


@pytest.mark.parametrize("code", ["API_DISABLED_FOR_ORG", "INSUFFICIENT_ACCESS"])
def test_a_403_that_is_no_limit_is_an_error_at_once(crm, code):
    answer = requests.Response()
    answer.status_code, answer._content = 403, json.dumps([{"errorCode": code}]).encode()
    assert salesforce.limits(answer) is None
    refusal = crm.open()._org._refusal(403, answer.content)
    assert isinstance(refusal, AuthError) and f"HTTP 403 `{code}`" in str(refusal)


def test_a_row_that_became_visible_late_is_found_by_look_back_and_counted(crm, landed):
    crm.insert("Contact", LastName="Weaver")
    crm.org.late_visible_s = 240
    late = crm.org.insert("Contact", {"LastName": "Late"}, crm.clock.now())
    crm.org.late_visible_s = 0
    crm.clock.advance(seconds=180)
    assert crm.sync("contacts").rows == 1
    crm.clock.advance(seconds=180)
    result = crm.sync("contacts")
    assert (result.rows, result.late) == (1, 1)
    assert late in landed("crm.contacts")


def test_a_field_the_user_may_not_see_is_coverage_and_not_an_error(crm, landed):
    (key,) = crm.insert("Contact", LastName="Weaver", Email="w@mill.example")
    crm.org.hidden_fields["Contact"] = {"Email", "Phone"}
    result = crm.sync("contacts")
    assert result.notes == ("Contact: not visible to this user: Email, Phone",)
    assert "Email" not in live(landed("crm.contacts"))[key]


def test_a_field_seen_again_is_read_of_every_record_once(crm, landed):
    ids = crm.insert("Contact", 4_500, LastName="Weaver", Email="w@mill.example")
    crm.org.hidden_fields["Contact"] = {"Email"}
    crm.sync("contacts")
    crm.org.hidden_fields.clear()
    crm.settings["fields"] = {"Contact": ["AssistantName"]}
    source = crm.open()
    due = Landing(crm.home).stream("crm", "contacts").footer().state
    cost = source.plan(crm.stream("contacts", source), due, Window(now=crm.clock.now()))
    assert {"all for new fields"} < {step.what for step in cost.steps} and cost.records == 4_500
    crm.set_faults({"kind": "limit_daily", "match": "/query/0", "times": None})
    early = crm.sync("contacts", source)
    assert early.ended_early and 0 < early.rows < 4_500
    crm.set_faults()
    result = crm.sync("contacts")
    assert early.rows + result.rows == 4_500
    assert {record["Email"] for record in live(landed("crm.contacts")).values()} == {
        "w@mill.example"
    }
    assert crm.sync("contacts").notes == () and set(live(landed("crm.contacts"))) == set(ids)


def test_a_field_of_a_window_asked_for_by_hand_is_still_due_elsewhere(crm, landed):
    (early,) = crm.insert("Contact", LastName="Weaver", Email="w@mill.example")
    crm.org.hidden_fields["Contact"] = {"Email"}
    crm.sync("contacts")
    crm.org.hidden_fields.clear()
    source = crm.open()
    sync_stream(source, crm.stream("contacts", source), crm.home, since=crm.clock.now())
    result = crm.sync("contacts")
    assert result.notes == ("Contact: 1 records read again for Email",)
    assert live(landed("crm.contacts"))[early]["Email"] == "w@mill.example"


def test_a_field_shown_while_a_first_walk_is_broken_off_is_read_of_all(crm, landed):
    crm.insert("Contact", 4_500, LastName="Weaver", Email="w@mill.example")
    crm.org.hidden_fields["Contact"] = {"Email"}
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "503", "match": "/query", "after": 2, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source)
    crm.set_faults()
    crm.org.hidden_fields.clear()
    for _ in range(2):
        crm.sync("contacts")
    assert {told["Email"] for told in live(landed("crm.contacts")).values()} == {"w@mill.example"}


def test_what_skips_the_bin_before_a_full_refresh_that_breaks_off_is_in_the_log_after_it(
    crm, landed
):
    ids = crm.insert("Lead", 4_500, LastName="Carder", Company="Wool")
    crm.sync("leads")
    crm.org.delete("Lead", ids[4], crm.clock.now())
    crm.org.purge("Lead", ids[4], crm.clock.now())
    crm.clock.advance(days=2)
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "503", "match": "/query", "after": 2, "times": None})
    with pytest.raises(ServerError):
        sync_stream(source, crm.stream("leads", source), crm.home, full_refresh=True)
    crm.set_faults()
    crm.sync("leads")
    assert ids[4] not in live(landed("crm.leads"))


def test_custom_fields_and_objects_come_by_configuration(crm, landed):
    crm.org.add_custom_field("Account", {"name": "Tier__c", "type": "string", "length": 20})
    crm.org.add_custom_field(
        "Account", {"name": "Score__c", "type": "double", "calculated": True, "scale": 2}
    )
    crm.org.add_custom_object("Subscription__c", prefix="a01")
    crm.org.add_custom_field("Subscription__c", {"name": "Seats__c", "type": "int"})
    crm.settings |= {
        "fields": {
            "Account": ["Tier__c", {"name": "Score__c", "type": "decimal", "pii": "pseudonym"}],
            "Subscription__c": [{"name": "Seats__c", "type": "integer", "meaning": "seats"}],
        },
        "objects": ["Subscription__c"],
    }
    (mill,) = crm.insert("Account", Name="Mill", Tier__c="gold")
    (plan,) = crm.insert("Subscription__c", Name="Plan", Seats__c=12)
    source = crm.open()
    accounts = crm.stream("accounts", source)
    assert accounts.types["Score__c"] == "decimal" and accounts.pii["Score__c"] == "pseudonym"
    result = crm.sync("accounts", source)
    assert result.notes == ("Account: formulas, read again daily: Score__c",)
    crm.sync("subscription__c", source)
    assert live(landed("crm.accounts"))[mill]["Tier__c"] == "gold"
    assert live(landed("crm.subscription__c"))[plan]["Seats__c"] == 12


def test_person_accounts_bring_their_fields_where_the_org_has_them(crm, landed):
    for field in ("PersonEmail", "FirstName", "LastName"):
        crm.org.add_custom_field("Account", {"name": field, "type": "string", "length": 80})
    (ada,) = crm.insert("Account", Name="Ada Weaver", PersonEmail="ada@mill.example")
    assert crm.sync("accounts").notes == ()
    assert live(landed("crm.accounts"))[ada]["PersonEmail"] == "ada@mill.example"


def test_an_object_the_org_does_not_show_is_coverage(crm):
    crm.settings["objects"] = ["Ghost__c"]
    result = crm.sync("ghost__c")
    assert (result.rows, result.notes) == (0, ("Ghost__c: not visible to this user",))


def test_fields_of_an_object_that_is_not_read_are_a_mistake_with_a_suggestion(crm):
    with pytest.raises(ConfigError) as mistake:
        crm.open(fields={"Acount": ["Tier__c"]})
    assert str(mistake.value) == (
        "crm: `fields: Acount` names no object that fields can be added to. Did you mean "
        "`Account`? Name it under `objects` first."
    )


def wide_accounts(crm: Crm, count: int) -> dict[str, str]:
    """Give accounts more fields than an address can name; return a record's values."""
    names = [f"Field_number_{i:04}__c" for i in range(1_000)]
    for name in names:
        crm.org.add_custom_field("Account", {"name": name, "type": "string", "length": 9})
    crm.settings["fields"] = {"Account": names}
    told = {name: name[13:17] for name in names}
    crm.insert("Account", count, Name="Mill", **told)
    return told


def test_more_fields_than_an_address_can_name_are_read_in_parts(crm, landed):
    told = wide_accounts(crm, 450)
    result = crm.sync("accounts")
    assert (result.rows, result.missing, result.notes) == (450, 0, ())
    assert all(told.items() <= record.items() for record in live(landed("crm.accounts")).values())


def test_a_record_that_changes_while_its_parts_are_read_is_never_torn(crm, landed, monkeypatch):
    wide_accounts(crm, 5)
    changed = crm.org.rows("Account")[2]["Id"]
    source = crm.open()
    ask = source._org.get

    def meanwhile(path: str, rows: int | None = None) -> bytes:
        body = ask(path, rows)
        if "ORDER+BY" in path:
            crm.org.update("Account", changed, {"Field_number_0999__c": "new"}, crm.clock.now())
        return body

    monkeypatch.setattr(source._org, "get", meanwhile)
    result = crm.sync("accounts", source)
    assert result.rows == 4 and "1 records changed while" in result.notes[0]
    crm.clock.advance(seconds=120)
    assert crm.sync("accounts").rows == 1
    assert live(landed("crm.accounts"))[changed]["Field_number_0999__c"] == "new"


@pytest.mark.parametrize("kind", ["406", "420"])
def test_moods_of_the_front_end_are_waited_out(crm, kind):
    crm.insert("Contact", LastName="Weaver")
    crm.set_faults({"kind": kind, "match": "/queryAll", "times": 2})
    result = crm.sync("contacts")
    assert result.rows == 1 and not result.ended_early


def test_a_wrong_secret_is_named_without_being_shown(crm):
    source = crm.open(client_secret="a-wrong-secret")
    with pytest.raises(AuthError) as refusal:
        source.check()
    text = str(refusal.value)
    assert text.startswith("crm: Salesforce refused the login with `invalid_client")
    assert "`client_secret`" in text and "a-wrong-secret" not in text


@pytest.mark.parametrize("domain", ["login", "test"])
def test_a_domain_without_client_credentials_is_refused_before_any_call(crm, domain):
    with pytest.raises(ConfigError, match="Write your My Domain"):
        crm.open(domain=domain).check()


@pytest.mark.parametrize("path", ["/oauth2/token", "/describe"])
def test_a_login_page_in_the_way_is_an_error_that_says_so(crm, path):
    crm.set_faults({"kind": "not_json", "match": path, "times": None})
    with pytest.raises(ServerError, match="something that is not Salesforce's API"):
        crm.sync("contacts")


def test_a_missing_secret_is_named_before_any_call(crm):
    with pytest.raises(ConfigError, match="crm: `client_secret` is missing"):
        crm.open(client_secret=None)


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def signing(crm: Crm, keys: tuple[str, str]) -> dict[str, Any]:
    """Let the org take signed logins; its clock has to be right for that."""
    crm.clock.advance(seconds=(datetime.now(UTC) - crm.clock.now()).total_seconds())
    private, crm.org.certificate = keys
    username = crm.org.get("User", crm.org.user_id)["Username"]
    return {"client_secret": None, "username": username, "private_key": private}


@pytest.mark.parametrize("domain", ["login", "rapport-sandbox.my"])
def test_a_signed_login_reads_and_is_renewed_in_the_middle_of_a_walk(crm, keys, landed, domain):
    crm.insert("Contact", 2_500, LastName="Weaver")
    login = signing(crm, keys)
    login["private_key"] = login["private_key"].replace("\n", "\\n")  # as environments carry it
    crm.set_faults({"kind": "expired_session", "match": "/query/0", "times": 1})
    source = crm.open(**login, domain=domain)
    assert crm.sync("contacts", source).rows == 2_500
    assert crm.asked()["POST token"] == 2


def test_a_refused_signed_login_says_why_without_the_key(crm, keys):
    login = signing(crm, keys) | {"username": "nobody@mill.example"}
    with pytest.raises(AuthError) as refusal:
        crm.open(**login).check()
    text = str(refusal.value)
    assert "with `invalid_grant: user hasn't approved this consumer`" in text
    assert "PRIVATE KEY" not in text and crm.org.client_id not in text


def test_a_key_that_is_none_is_named_before_any_call(crm, keys):
    with pytest.raises(ConfigError, match="`private_key` is not an RSA key in PEM") as mistake:
        crm.open(**signing(crm, keys) | {"private_key": "a-secret-that-is-no-key"}).check()
    assert "a-secret-that" not in str(mistake.value)


def test_check_tells_account_version_and_quota(crm):
    crm.org.hidden_fields["Contact"] = {"Phone"}
    told = crm.open().check()
    assert told.ok and told.account == "rapport-sandbox.my.salesforce.com"
    assert told.detail == "API v62.0, Contact: not visible to this user: Phone"
    assert told.quota_left is not None and 0 < told.quota_left < crm.org.daily_limit


def test_what_the_lag_holds_back_is_not_missing(crm, landed):
    crm.insert("Contact", 3, LastName="Weaver")
    (held_back,) = crm.insert("Contact", LastName="Dyer")
    crm.org.update("Contact", held_back, {"LastName": "Fuller"}, crm.clock.now())
    first = crm.sync("contacts")
    assert (first.rows, first.missing, first.extra) == (3, 0, 0)
    crm.clock.advance(seconds=120)
    assert crm.sync("contacts").missing == 0
    assert len(landed("crm.contacts")) == 4


def test_history_can_begin_late_and_still_reconcile(crm, landed):
    crm.insert("Contact", 5, LastName="Early")
    later = crm.clock.now()
    ids = crm.insert("Contact", 5, LastName="Late")
    source = crm.open()
    result = sync_stream(source, crm.stream("contacts", source), crm.home, since=later)
    assert set(live(landed("crm.contacts"))) == set(ids)
    assert (result.missing, result.extra) == (0, 0)


def test_a_history_is_read_by_creation_and_claims_nothing_about_deletions(crm, landed):
    crm.org.tracked_fields = {"Case": {"Status", "OwnerId"}, "Contact": {"Email"}}
    (case,) = crm.insert("Case", Subject="Loom stuck")
    (person,) = crm.insert("Contact", LastName="Weaver", Email="old@mill.example")
    assert crm.sync("case_history").rows == 1
    crm.org.update("Case", case, {"Status": "Working"}, crm.clock.now())
    crm.org.update("Contact", person, {"Email": "new@mill.example"}, crm.clock.now())
    crm.clock.advance(seconds=3600)
    result = crm.sync("case_history")
    assert (result.rows, result.late, result.source_count) == (1, 0, None)
    changes = sorted(live(landed("crm.case_history")).values(), key=lambda row: row["CreatedDate"])
    assert [(row["Field"], row["OldValue"], row["NewValue"]) for row in changes] == [
        ("created", None, None), ("Status", "New", "Working"),
    ]  # fmt: skip
    crm.sync("contact_history")
    assert "mill.example" not in str(landed("crm.contact_history"))
    assert "GET sobjects/CaseHistory/deleted" not in crm.asked()
    assert "left no trace" in str(crm.stream("case_history", crm.open()).coverage)


def test_values_of_any_type_keep_a_history_out_of_bulk(crm, landed, monkeypatch):
    monkeypatch.setattr("connectors.salesforce.bulk.FROM_RECORDS", 1)
    crm.org.tracked_fields = {"Opportunity": {"Amount"}}
    deal = {"Name": "Looms", "StageName": "Prospecting", "CloseDate": "2026-06-30", "Amount": 5}
    (id,) = crm.insert("Opportunity", **deal)
    crm.org.update("Opportunity", id, {"Amount": 7.25}, crm.clock.now())
    crm.clock.advance(seconds=3600)
    crm.sync("opportunity_field_history")
    assert "POST jobs/query" not in crm.asked()
    assert 7.25 in {
        row["NewValue"] for row in live(landed("crm.opportunity_field_history")).values()
    }
    crm.sync("opportunity_history")  # plain types: these fit
    assert crm.asked()["POST jobs/query"] == 1
    amounts = [row["Amount"] for row in live(landed("crm.opportunity_history")).values()]
    assert sorted(amounts) == [5.0, 7.25]


@pytest.mark.parametrize("unfiltered", ["SystemModstamp", "SystemModstamp LastModifiedDate"])
def test_changes_are_asked_for_by_the_first_stamp_that_can_be_filtered(crm, landed, unfiltered):
    for name in unfiltered.split():
        crm.org.sobject("Contact").fields[name]["filterable"] = False
    ids = crm.insert("Contact", 3, LastName="Weaver")
    assert crm.sync("contacts").missing == 0
    assert set(live(landed("crm.contacts"))) == set(ids)
    more = crm.insert("Contact", LastName="Dyer")
    assert crm.sync("contacts").rows == 1
    assert set(live(landed("crm.contacts"))) == {*ids, *more}


def test_an_object_whose_only_stamp_is_a_login_time_is_read_by_it(crm, landed):
    crm.settings |= {"objects": ["LoginHistory"], "fields": {"LoginHistory": ["UserId"]}}
    crm.org.log_in(crm.org.user_id, crm.clock.now())
    crm.clock.advance(seconds=3600)
    assert crm.sync("loginhistory").rows == 1
    crm.org.log_in(crm.org.user_id, crm.clock.now())
    crm.clock.advance(seconds=3600)
    result = crm.sync("loginhistory")
    assert (result.rows, result.missing, result.extra) == (1, 0, 0)
    assert len(live(landed("crm.loginhistory"))) == 2


def test_an_object_without_any_stamp_is_read_as_a_whole_and_says_so(crm, landed):
    for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        crm.org.sobject("Contact").fields[name]["filterable"] = False
    ids = crm.insert("Contact", 2_500, LastName="Weaver")
    crm.set_faults({"kind": "expired_locator", "match": "/query/0", "times": 1})
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates, result.missing) == (2_500, 0, 0)
    assert result.notes == ("Contact: no stamp to ask by: read as a whole each time",)
    crm.org.update("Contact", ids[0], {"LastName": "Dyer"}, crm.clock.now())
    assert crm.sync("contacts").rows == 1
    assert live(landed("crm.contacts"))[ids[0]]["LastName"] == "Dyer"


def test_consent_is_read_with_the_person_it_belongs_to(crm, landed):
    (person,) = crm.insert("Individual", LastName="Weaver", HasOptedOutSolicit=True)
    (contact,) = crm.insert("Contact", LastName="Weaver", IndividualId=person)
    email = {"ParentId": person, "EmailAddress": "w@mill.example"}
    (point,) = crm.insert("ContactPointEmail", **email)
    told = {"Name": "News", "PrivacyConsentStatus": "OptOut", "EffectiveFrom": START}
    (by_point,) = crm.insert("ContactPointConsent", ContactPointId=point, **told)
    (by_type,) = crm.insert(
        "ContactPointTypeConsent", PartyId=person, ContactPointType="Email", **told
    )
    streams = ("individuals", "contacts", "contact_point_emails", "contact_point_consents",
               "contact_point_type_consents")  # fmt: skip
    for stream in streams:
        assert crm.sync(stream).missing == 0
    individual = live(landed("crm.individuals"))[person]
    assert individual["HasOptedOutSolicit"] is True and "LastName" not in individual
    assert live(landed("crm.contacts"))[contact]["IndividualId"] == person
    assert live(landed("crm.contact_point_emails"))[point]["ParentId"] == person
    assert live(landed("crm.contact_point_consents"))[by_point]["PrivacyConsentStatus"] == "OptOut"
    assert live(landed("crm.contact_point_type_consents"))[by_type]["PartyId"] == person


def test_a_feature_that_is_off_is_no_fault_of_the_check(crm):
    crm.org.absent_objects = {"Individual", "ContactPointConsent"}
    assert crm.open().check().detail == "API v62.0, every object and field is readable"
    assert crm.sync("individuals").notes == (
        "Individual: not switched on in this org, or not visible to this user",
    )


def test_a_removed_campaign_member_is_found_though_it_skips_the_bin(crm, landed):
    (campaign,) = crm.insert("Campaign", Name="Fair")
    people = crm.insert("Contact", 3, LastName="Weaver")
    members = [crm.insert("CampaignMember", CampaignId=campaign, ContactId=id)[0] for id in people]
    assert crm.sync("campaign_members").rows == 3
    crm.org.delete("CampaignMember", members[0], crm.clock.now())
    crm.clock.advance(seconds=3600)
    assert crm.sync("campaign_members").deletes == 1
    assert set(live(landed("crm.campaign_members"))) == set(members[1:])


@pytest.mark.parametrize("is_final", [False, True])
def test_a_person_taken_off_a_deal_is_found_with_and_without_the_bin(crm, landed, is_final):
    (deal,) = crm.insert(
        "Opportunity", Name="Looms", StageName="Prospecting", CloseDate="2026-06-30"
    )
    people = crm.insert("Contact", 2, LastName="Weaver")
    first, second = (
        crm.insert("OpportunityContactRole", OpportunityId=deal, ContactId=id, Role="Evaluator")[0]
        for id in people
    )
    assert crm.sync("opportunity_contact_roles").rows == 2
    remove = crm.org.purge if is_final else crm.org.delete
    remove("OpportunityContactRole", first, crm.clock.now())
    crm.clock.advance(seconds=3600)
    result = crm.sync("opportunity_contact_roles")
    assert (result.deletes, result.extra) == (1, 0)
    assert set(live(landed("crm.opportunity_contact_roles"))) == {second}


@pytest.mark.parametrize(("activity", "field"), [("Event", "EventId"), ("Task", "TaskId")])
def test_who_else_an_activity_is_with_is_read_and_who_was_removed_is_gone(
    crm, landed, activity, field
):
    crm.org.shared_activities = True
    (mill,) = crm.insert("Account", Name="Mill")
    first, second, third = crm.insert("Contact", 3, LastName="Weaver")
    when = {"StartDateTime": START} if activity == "Event" else {}
    (act,) = crm.insert(activity, WhoId=first, WhatId=mill, **when)
    relation = f"{activity}Relation"
    more = [crm.insert(relation, **{field: act, "RelationId": id})[0] for id in (second, third)]
    stream = f"{activity.lower()}_relations"
    assert crm.sync(stream).rows == 4  # who and what it is about, too
    told = live(landed(f"crm.{stream}"))
    assert {row["RelationId"]: row["IsWhat"] for row in told.values()} == {
        first: False, second: False, third: False, mill: True,
    }  # fmt: skip
    assert "Response" not in told[more[0]]
    crm.org.delete(relation, more[0], crm.clock.now())  # without the bin
    crm.clock.advance(seconds=3600)
    assert crm.sync(stream).deletes == 1 and more[0] not in live(landed(f"crm.{stream}"))
    crm.org.delete(activity, act, crm.clock.now())
    crm.clock.advance(seconds=3600)
    assert crm.sync(stream).deletes == 3 and not live(landed(f"crm.{stream}"))


def test_without_shared_activities_relations_are_invitations_and_nothing_is_hidden(crm, landed):
    assert crm.sync("task_relations").notes == (
        "TaskRelation: not switched on in this org, or not visible to this user",
    )
    (event,) = crm.insert("Event", StartDateTime=START)
    (guest,) = crm.insert("Contact", LastName="Weaver")
    (id,) = crm.insert("EventRelation", EventId=event, RelationId=guest, Status="Accepted")
    result = crm.sync("event_relations")
    assert (result.rows, result.notes) == (1, ())
    told = live(landed("crm.event_relations"))[id]
    assert (told["IsInvitee"], told["Status"]) == (True, "Accepted") and "IsWhat" not in told


def test_of_a_message_only_who_and_when_is_landed(crm, landed):
    (case,) = crm.insert("Case", Subject="Loom stuck")
    mail = {"ParentId": case, "Incoming": True, "FromAddress": "w@mill.example",
            "Subject": "a secret", "TextBody": "a secret", "MessageDate": START}  # fmt: skip
    (id,) = crm.insert("EmailMessage", **mail)
    relation = {"EmailMessageId": id, "RelationType": "FromAddress"}
    crm.insert("EmailMessageRelation", RelationAddress="w@mill.example", **relation)
    crm.sync("email_messages")
    assert crm.sync("email_message_relations").rows == 1
    assert live(landed("crm.email_messages"))[id]["FromAddress"] == "w@mill.example"
    assert "secret" not in str(landed("crm.email_messages"))


def test_values_of_a_multiple_choice_stay_one_text(crm, landed):
    (account,) = crm.insert("Account", Name="Mill")
    (person,) = crm.insert("Contact", LastName="Weaver", AccountId=account)
    (id,) = crm.insert("AccountContactRelation", AccountId=account, ContactId=person,
                       Roles="Decision Maker;Influencer", IsActive=True)  # fmt: skip
    crm.sync("account_contact_relations")
    relation = live(landed("crm.account_contact_relations"))[id]
    assert relation["Roles"] == "Decision Maker;Influencer"


def test_what_a_sync_of_everything_costs_when_nothing_has_changed_is_as_the_page_says(crm):
    crm.org.shared_activities = True
    source = crm.open()
    for stream in source.streams():
        sync_stream(source, stream, crm.home)

    def calls() -> int:
        before = crm.asked()
        for stream in source.streams():
            assert sync_stream(source, stream, crm.home).rows == 0
        return sum(crm.asked().values()) - sum(before.values())

    told = (Path(__file__).parents[2] / "docs/connect/salesforce.md").read_text()
    at_once = calls()
    crm.clock.advance(seconds=3700)
    after_an_hour = calls()
    assert f"{at_once} calls for all of them, {after_an_hour} once an hour" in " ".join(
        told.split()
    )
