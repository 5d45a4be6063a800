"""Large reads through Bulk API 2.0 jobs, against the emulated organization, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Window
from connectors.errors import ServerError
from connectors.landing import Landing
from connectors.planning import plan_source
from connectors.records import Projected, project, split
from connectors.salesforce import bulk
from connectors.salesforce.reads import Reader
from connectors.sync import sync_stream
from tests.connectors.test_salesforce import Crm, live

LARGE = 30


@pytest.fixture
def crm(tmp_path: Path, serve: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> Crm:
    monkeypatch.setattr(bulk, "FROM_RECORDS", LARGE)
    monkeypatch.setattr(bulk, "JOB_RECORDS", 60)
    monkeypatch.setattr(bulk, "PAGE_RECORDS", 20)
    monkeypatch.setattr(bulk, "LOOK_AFTER_S", 0.01)
    return Crm(tmp_path, serve)


def spread(crm: Crm, count: int, sobject: str = "Contact", **fields: Any) -> list[str]:
    """Insert records a minute apart."""
    fields = fields or {"LastName": "Weaver"}
    at = crm.clock.now()
    ids = [
        crm.org.insert(sobject, fields, at + n * timedelta(minutes=1)) for n in range(count)
    ]  # fmt: skip
    crm.clock.advance(days=1)
    return ids


def jobs(crm: Crm) -> int:
    return crm.asked().get("POST jobs/query", 0)


def test_few_records_come_by_pages_and_many_by_jobs_that_are_deleted(crm, landed):
    few = spread(crm, LARGE - 1)
    crm.sync("contacts")
    assert jobs(crm) == 0
    many = spread(crm, 200)
    result = crm.sync("contacts")
    assert (result.rows, result.missing, result.extra) == (200, 0, 0)
    assert set(live(landed("crm.contacts"))) == {*few, *many}
    assert 4 <= jobs(crm) <= 8
    assert crm.asked()["DELETE jobs/query/{id}"] == jobs(crm)
    assert crm.sync("contacts").rows == 0


def test_many_records_of_one_stamp_are_one_job(crm, landed):
    at = crm.clock.now()
    ids = [crm.org.insert("Contact", {"LastName": "Mass"}, at) for _ in range(100)]
    ids += spread(crm, 50)
    assert crm.sync("contacts").rows == 150
    assert set(live(landed("crm.contacts"))) == set(ids)
    assert jobs(crm) == 2


def test_what_is_in_the_bin_comes_as_deleted_from_a_job(crm, landed):
    ids = spread(crm, 40, "Lead", LastName="Carder", Company="Wool")
    crm.sync("leads")
    crm.org.merge("Lead", ids[0], [ids[1]], crm.clock.now())
    for id in ids[2:]:
        crm.org.delete("Lead", id, crm.clock.now())
    crm.clock.advance(days=1)
    before = jobs(crm)
    assert crm.sync("leads").deletes == 39 and jobs(crm) == before + 1
    rows = landed("crm.leads")
    assert rows[ids[1]][:2] == ("delete", ids[0])
    assert set(live(rows)) == {ids[0]}


def broken_off(crm: Crm, after: int) -> int:
    """Break a sync off after so many pages of results; return how many records landed."""
    source = crm.open()
    source.session.attempts = 1
    crm.set_faults({"kind": "503", "match": "/results", "after": after, "times": None})
    with pytest.raises(ServerError):
        crm.sync("contacts", source)
    crm.set_faults()
    return len(list(Landing(crm.home).stream("crm", "contacts").current_keys()))


def test_a_crash_goes_on_at_the_next_page_of_the_same_job(crm, landed, monkeypatch):
    monkeypatch.setattr(bulk, "JOB_RECORDS", 1_000)
    ids = spread(crm, 100)
    held = broken_off(crm, after=2)
    assert held == 40
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates, jobs(crm)) == (60, 0, 1)
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_job_that_is_gone_starts_its_window_anew(crm, landed, monkeypatch):
    monkeypatch.setattr(bulk, "JOB_RECORDS", 1_000)
    ids = spread(crm, 100)
    broken_off(crm, after=2)
    crm.clock.advance(days=8)
    result = crm.sync("contacts")
    assert (result.rows, jobs(crm)) == (60, 2)  # the 40 that are held come again unchanged
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_results_that_expire_between_two_pages_start_the_window_anew(crm, landed):
    ids = spread(crm, 100)
    crm.set_faults({"kind": "expired_job", "match": "/results", "after": 1, "times": 1})
    crm.sync("contacts")
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_failed_job_is_tried_again_and_then_given_up_in_words(crm, landed):
    ids = spread(crm, 40)
    crm.org.bulk_failures = 2
    crm.sync("contacts")
    assert set(live(landed("crm.contacts"))) == set(ids) and jobs(crm) == 3
    spread(crm, 40)
    crm.org.bulk_failures = 3
    with pytest.raises(ServerError, match=r"3 bulk jobs .* came to nothing \(the last is `Failed`"):
        crm.sync("contacts")


def test_an_object_that_is_not_in_bulk_comes_by_pages(crm, landed):
    crm.org.not_in_bulk = {"Contact"}
    ids = spread(crm, 100)
    result = crm.sync("contacts")
    assert result.notes == ("Contact: no bulk job to be had, read page by page",)
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_spent_bulk_quota_goes_on_by_pages_where_the_jobs_ended(crm, landed):
    crm.org.bulk_daily_jobs = 1
    ids = spread(crm, 150)
    result = crm.sync("contacts")
    assert (result.rows, result.duplicates, jobs(crm)) == (150, 0, 2)
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_query_that_takes_the_org_too_long_is_left_to_a_job(crm, landed):
    ids = spread(crm, LARGE - 1)
    crm.set_faults({"kind": "query_timeout", "match": "/queryAll", "times": 1})
    result = crm.sync("contacts")
    assert (result.rows, result.missing, jobs(crm)) == (len(ids), 0, 1)
    crm.set_faults({"kind": "query_timeout", "match": "/queryAll", "times": None})
    with pytest.raises(ServerError, match=r"gave up on a query .* `QUERY_TIMEOUT`"):
        crm.sync("contacts")


def test_fields_that_csv_cannot_say_keep_an_object_out_of_bulk(crm, landed):
    ids = spread(crm, 40, LastName="Weaver", MailingCity="Ghent")
    source = crm.open(fields={"Contact": ["MailingAddress"]})
    crm.sync("contacts", source)
    assert jobs(crm) == 0
    assert live(landed("crm.contacts"))[ids[0]]["MailingAddress"]["city"] == "Ghent"


def test_a_session_that_ends_among_a_jobs_pages_is_renewed(crm, landed):
    ids = spread(crm, 100)
    crm.set_faults(
        {"kind": "expired_session", "match": "/results", "after": 1, "times": 1},
        {"kind": "expired_session", "method": "POST", "match": "jobs/query", "times": 1},
    )
    crm.sync("contacts")
    assert crm.asked()["POST token"] == 3
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_a_page_cut_in_the_middle_is_asked_for_again(crm, landed):
    ids = spread(crm, 100)
    crm.set_faults({"kind": "truncated", "match": "/results", "times": 1})
    crm.sync("contacts")
    assert set(live(landed("crm.contacts"))) == set(ids)


def test_formulas_of_a_large_object_are_read_again_by_jobs(crm, landed):
    described = {"name": "Score__c", "type": "double", "calculated": True, "scale": 2}
    crm.org.add_custom_field("Account", described)
    crm.settings["fields"] = {"Account": [{"name": "Score__c", "type": "decimal"}]}
    ids = spread(crm, 100, "Account", Name="Mill")
    crm.sync("accounts")
    before = jobs(crm)
    for id in ids:
        crm.org.touch_formula("Account", id, "Score__c", 1.5)
    crm.clock.advance(days=1)
    assert crm.sync("accounts").rows == 100 and jobs(crm) > before
    assert {account["Score__c"] for account in live(landed("crm.accounts")).values()} == {1.5}


def test_a_window_asked_for_by_hand_may_use_jobs_too(crm, landed):
    spread(crm, 40)
    since = crm.clock.now()
    late = spread(crm, 40)
    source = crm.open()
    sync_stream(source, crm.stream("contacts", source), crm.home, since=since)
    assert set(live(landed("crm.contacts"))) == set(late) and jobs(crm) == 1


def test_a_text_with_nul_is_quarantined_whichever_way_it_comes(crm, landed):
    crm.org.add_custom_field("Contact", {"name": "Note__c", "type": "textarea", "length": 99})
    spread(crm, 40, LastName="Weaver", Note__c="nul \0 here")
    source = crm.open(fields={"Contact": ["Note__c"]})
    assert crm.sync("contacts", source).quarantined == 40 and jobs(crm) == 1


def test_the_plan_tells_what_jobs_cost(crm):
    spread(crm, 100)
    source = crm.open()
    cost = source.plan(crm.stream("contacts", source), {}, Window(now=crm.clock.now()))
    (step,) = (step for step in cost.steps if step.what == "bulk jobs")
    assert step.how == "100 records by COUNT(), in 2 bulk jobs of 20 a page"
    crm.sync("contacts")
    assert step.calls >= sum(n for name, n in crm.asked().items() if "jobs" in name)


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)


@given(
    note=st.one_of(
        st.none(), TEXTS, st.sampled_from(["NA", "null", '"', '""', "a\r\nb", ",", "\n"])
    ),
    amount=st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=2)),
    seats=st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
    flag=st.booleans(),
    at=st.one_of(st.none(), st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1))),
)  # fmt: skip
@settings(max_examples=40)
def records_agree(crm: Crm, reader: Reader, stream: Any, **given: Any) -> None:
    at = given["at"] and given["at"].replace(tzinfo=UTC)
    fields = {"Note__c": given["note"], "Amount__c": given["amount"], "Seats__c": given["seats"],
              "Flag__c": given["flag"], "At__c": at}  # fmt: skip
    id = crm.org.insert("Contact", {"LastName": "NA"} | fields, crm.clock.now())
    shape = reader.shape(stream)
    query = f"SELECT {', '.join(shape.fields)} FROM Contact WHERE Id = '{id}'"
    (by_page,) = split(reader._org.get(reader._org.query(query)), "records")
    job = reader._jobs.create(query)
    reader._jobs.wait(job)
    ((rows, _),) = reader._jobs.pages(job, None)
    (by_job,) = bulk.records(rows, shape.types)
    landed = project(by_job, stream)
    assert isinstance(landed, Projected)
    assert landed == project(by_page, stream)


def test_a_record_lands_as_the_same_text_whichever_way_it_comes(crm):
    types = {"Note__c": "textarea", "Amount__c": "currency", "Seats__c": "int",
             "Flag__c": "boolean", "At__c": "datetime"}  # fmt: skip
    for name, kind in types.items():
        described = {"name": name, "type": kind, "length": 255, "precision": 18, "scale": 2}
        crm.org.add_custom_field("Contact", described)
    source = crm.open(fields={"Contact": list(types)})
    records_agree(crm, source._reader, crm.stream("contacts", source))


def test_numbers_keep_their_digits_and_bytes_that_are_no_text_are_kept_for_quarantine(crm):
    types = {"Amount": "currency", "Id": "id"}
    rows = bulk._rows(
        b'"Id","Amount"\n"1","1250.10"\n"2","1.0E7"\n"3\xff","12345678901234567890"\n'
    )
    texts = bulk.records(rows, types)
    assert texts[0] == b'{"Id":"1","Amount":1250.10}'
    assert texts[1] == b'{"Id":"2","Amount":1.0E7}'
    assert texts[2] == b'{"Id":"3\xff","Amount":12345678901234567890}'
    assert json.loads(texts[0])["Amount"] == 1250.1


def test_a_job_that_takes_hours_is_left_and_waited_for_by_the_next_sync(crm, landed, monkeypatch):
    ids = spread(crm, 40)
    crm.org.bulk_looks = 4
    monkeypatch.setattr(bulk, "GIVE_UP_AFTER_S", 0.01)
    with pytest.raises(ServerError, match="is still `InProgress` after 0 hours"):
        crm.sync("contacts")
    crm.sync("contacts")
    assert set(live(landed("crm.contacts"))) == set(ids) and jobs(crm) == 1


def test_a_page_with_fewer_rows_than_it_promises_is_never_believed(crm, monkeypatch):
    spread(crm, 40)
    source = crm.open()
    ask = source._org.answer

    def lying(path: str, headers: Any) -> Any:
        answer = ask(path, headers)
        answer.headers["Sforce-NumberOfRecords"] = "21"
        return answer

    monkeypatch.setattr(source._org, "answer", lying)
    with pytest.raises(ServerError, match="hold other than the `21` records they promise"):
        crm.sync("contacts", source)


def test_a_long_history_in_spans_is_whole_and_a_full_refresh_finds_what_left_without_a_trace(
    crm, landed
):
    ids = spread(crm, 300)
    first = crm.sync("contacts")
    assert (first.rows, first.spans_left, first.missing, first.extra) == (300, 0, 0, 0)
    crm.org.table("Contact").remove(ids[7])  # not even the delete log tells
    crm.org.delete("Contact", ids[8], crm.clock.now())
    crm.clock.advance(seconds=3600)
    source = crm.open()
    again = sync_stream(source, crm.stream("contacts", source), crm.home, full_refresh=True)
    assert (again.deletes, again.missing, again.extra) == (2, 0, 0)
    assert set(live(landed("crm.contacts"))) == {*ids} - {*ids[7:9]}


def test_a_plan_tells_what_reading_in_spans_costs(crm, tmp_path):
    spread(crm, 300)
    source = crm.open()
    stream = crm.stream("contacts", source)
    planned = plan_source(source, [stream], tmp_path).next.cost.calls
    before = source.session.requests_made
    sync_stream(source, stream, tmp_path)
    made = source.session.requests_made - before
    assert made == pytest.approx(planned, rel=0.5)
