"""Exactly once: what is landed, when, and what a crash costs."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import (
    Check,
    Landing,
    Page,
    Progress,
    Quarantine,
    Rejected,
    Session,
    Stream,
    Tombstone,
    redaction,
    sync_stream,
)
from connectors.errors import (
    LandingError,
    QuotaSpent,
    ServerError,
    StreamLocked,
)
from connectors.landing import Row, read_footer, schema
from connectors.records import UnexpectedShape
from rapport.conformance.faults import full_disk
from tests.connectors.paged_source import THINGS, Paged

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def thing(number, at=0, name="n"):
    """A record stamped `at` seconds after T0."""
    stamp = (T0 + timedelta(seconds=at)).isoformat()
    return json.dumps({"id": number, "at": stamp, "name": name}).encode()


class Fixed:
    """Yields the pages it was given; an exception among them is raised."""

    type = "fixed"
    name = "src"

    def __init__(self, *pages):
        self.pages = pages
        self.asked = []

    def streams(self):
        return [THINGS]

    def check(self):
        return Check(ok=True, account="", detail="")

    def read(self, stream, state, window):
        self.asked.append((state, window))
        for page in self.pages:
            if isinstance(page, BaseException):
                raise page
            yield page


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def run(home):
    def run(*pages, stream=THINGS, **options):
        return sync_stream(Fixed(*pages), stream, home, **options)

    return run


@pytest.fixture
def current(landed):
    def current(place="src.things"):
        return {
            key: json.loads(record)["name"]
            for key, (op, _, record) in landed(place).items()
            if op == "upsert"
        }

    return current


def files(home):
    return Landing(home).stream("src", "things").files()


def footer(home):
    return Landing(home).stream("src", "things").footer()


# Files


def test_a_stream_begins_with_a_typed_file_without_rows(run, home):
    class Down(Fixed):
        def read(self, stream, state, window):
            assert len(files(home)) == 1
            raise ServerError("down", place="src.things")
            yield

    with pytest.raises(ServerError):
        sync_stream(Down(), THINGS, home)
    import pyarrow.parquet as pq

    first = pq.read_table(files(home)[0])
    assert first.num_rows == 0
    assert first.schema.equals(schema())


def test_rows_and_state_lie_in_one_file_named_by_its_first_seq(run, home):
    run(Page(records=[thing(1), thing(2, 5)], state={"cursor": "a"}))
    run(Page(records=[thing(3, 9)], state={"cursor": "b"}))
    assert [path.name for path in files(home)] == [
        "00000000000000000000.parquet",
        "00000000000000000001.parquet",
        "00000000000000000003.parquet",
    ]
    last = footer(home)
    assert last.state == {"cursor": "b"}
    assert last.next_seq == 4
    assert last.counts["rows"] == 3
    assert last.sync["done"] is True
    assert read_footer(files(home)[1], "src.things").state == {"cursor": "a"}


def test_a_sync_of_nothing_new_lands_an_empty_file_that_says_so(run, home):
    run(Page(records=[thing(1)], state={"cursor": "a"}))
    result = run(Page(records=[thing(1)], state={"cursor": "b"}))
    assert (result.rows, result.deletes, result.changed) == (0, 0, False)
    last = footer(home)
    assert (last.state, last.counts["rows"], last.next_seq) == ({"cursor": "b"}, 1, 3)
    assert last.sync["finished_at"]


def test_empty_files_stay_for_a_day_and_no_longer(run, home):
    run(Page(records=[thing(1)]))
    for number in range(5):
        run(Page(state={"cursor": str(number)}))
    assert len(files(home)) == 2 + 5
    two_days_ago = time.time() - 2 * 24 * 3600
    for path in files(home):
        os.utime(path, (two_days_ago, two_days_ago))
    run(Page(records=[thing(2, 1)]))
    assert len(files(home)) == 2 + 2
    assert footer(home).counts["rows"] == 2


def test_a_commit_never_replaces_a_file(run, home):
    run(Page(records=[thing(1)]))
    stream = Landing(home).stream("src", "things")

    def commit(rows):
        stream.commit(rows, state={}, sync={}, loaded_at=T0)

    rivals = []

    class Rivaled(list):
        """Rows in whose midst another writer commits, lock or no lock."""

        def __iter__(self):
            if not rivals:
                rivals.append(1)
                commit([Row("rival", "upsert", None, thing(2))])
            return super().__iter__()

    with pytest.raises(LandingError, match=r"exists already\. Two writers"):
        commit(Rivaled([Row("ours", "upsert", None, thing(3))]))
    assert "rival" in set(stream.current_keys())
    assert not list(stream.folder.glob(".tmp-*"))


def test_a_broken_landing_file_is_named(run, home):
    run(Page(records=[thing(1)]))
    files(home)[-1].write_bytes(b"PAR1 nonsense")
    with pytest.raises(LandingError, match=r"src\.things: the landing file `0+1\.parquet`"):
        run(Page(records=[thing(2)]))


def test_a_full_disk_is_named_and_leaves_what_was_landed_whole(run, home, current, monkeypatch):
    run(Page(records=[thing(1)]))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LandingError, match=r"cannot be written: No space left on device\."):
        run(Page(records=[thing(2)]))
    assert current() == {"1": "n"}
    assert not list(files(home)[0].parent.glob(".tmp-*"))


def test_a_full_disk_at_the_quarantine_lands_nothing_and_loses_no_record(run, home, current):
    bad = [b'{"name": "nobody"}', b'{"name": "somebody"}']
    with (
        full_disk("*.jsonl"),
        pytest.raises(LandingError, match=r"^src\.things: `.+\.jsonl` cannot be written: No sp"),
    ):
        run(Page(records=[thing(1), *bad], state={"cursor": "2026"}))
    assert current() == {} and Landing(home).stream("src", "things").state()["state"] == {}
    run(Page(records=[thing(1), *bad], state={"cursor": "2026"}))
    assert Quarantine(home, "src", "things").reasons() == {"no_key": 2}


def test_a_line_torn_by_a_full_disk_takes_no_later_one_along(home):
    quarantine = Quarantine(home, "src", "things")
    bad = [Rejected(reason="no_key", detail="", text=b'{"a": 1}')]
    with full_disk("*.jsonl"), pytest.raises(LandingError):
        quarantine.add(bad, sync_id="one", seen_at=T0)
    quarantine.add(bad, sync_id="one", seen_at=T0)
    assert len(quarantine.lines()) == 1


@pytest.mark.parametrize("name", [".holder", ".lock"])
def test_a_full_disk_at_the_lock_is_named_and_the_lock_let_go(
    run, home, current, monkeypatch, name
):
    real = os.open

    def full(path, *arguments, **options):
        if str(path).endswith(name):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *arguments, **options)

    with monkeypatch.context() as patched, full_disk(name):
        patched.setattr(os, "open", full)
        with pytest.raises(
            LandingError, match=rf"^src\.things: `{name}` cannot be written: No space"
        ):
            run(Page(records=[thing(1)]))
    run(Page(records=[thing(1)]))
    assert current() == {"1": "n"}


def test_a_full_disk_at_the_budget_of_calls_names_the_stream(home):
    class Asking(Fixed):
        session = Session("src", calls_per_window=[(5, 1)], budget_dir=home / "budgets")

        def read(self, stream, state, window):
            self.session.budget.book()
            yield Page()

    said = r"^src\.things: `.+\.json` cannot be written: No space"
    with full_disk("*.json"), pytest.raises(LandingError, match=said):
        sync_stream(Asking(), THINGS, home)


# Checkpoints


def test_checkpoints_come_by_size(run, home):
    pages = [Page(records=[thing(n, n)], state={"walk": {"page": n}}) for n in range(6)]
    result = run(*pages, checkpoint_bytes=150)
    assert result.rows == 6
    states = [read_footer(path, "x").state for path in files(home)[1:]]
    assert states[0] == {"walk": {"page": 1}}  # a third might come to more
    assert states[-1] == {"walk": {"page": 5}}


def test_pages_that_are_on_their_way_count_toward_a_checkpoint(run, home):
    pages = [Page(records=[thing(n, n)], state={"walk": {"page": n}}) for n in range(6)]
    run(*pages, stream=replace(THINGS, pages_ahead=1), checkpoint_bytes=150)
    states = [read_footer(path, "x").state for path in files(home)[1:]]
    assert states[0] == {"walk": {"page": 0}}


def test_checkpoints_come_by_time(run, home):
    run(*[Page(records=[thing(n, n)]) for n in range(4)], checkpoint_s=0)
    assert len(files(home)) == 1 + 4 + 1


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_complete_pages_are_landed_before_an_error_surfaces(run, home, current, error):
    with pytest.raises(type(error)):
        run(Page(records=[thing(1)], state={"walk": {"page": 2}}), error)
    assert current() == {"1": "n"}
    assert footer(home).state == {"walk": {"page": 2}}
    assert footer(home).sync["done"] is False


def test_a_page_without_state_keeps_the_one_before(run, home):
    with pytest.raises(RuntimeError):
        run(
            Page(records=[thing(1)], state={"walk": {"page": 2}}),
            Page(records=[thing(2, 1)]),
            RuntimeError(),
        )
    assert footer(home).state == {"walk": {"page": 2}}


def test_a_reader_may_work_on_its_state_without_moving_ours(run, home):
    run(Page(state={"cursor": "a", "walk": {"page": 1}}))

    class Careless(Fixed):
        def read(self, stream, state, window):
            state["walk"]["page"] = 2
            yield Page(records=[thing(1)], state=state)
            state["cursor"] = "ahead of the data"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        sync_stream(Careless(), THINGS, home)
    assert footer(home).state == {"cursor": "a", "walk": {"page": 2}}


def test_a_spent_quota_ends_early_and_keeps_its_place(run, home, current):
    spent = QuotaSpent("spent", place="src.things", status=403)
    result = run(Page(records=[thing(1)], state={"walk": {"page": 2}}), spent)
    assert (result.ended_early, result.rows) == (True, 1)
    source = Fixed(Page(state={"cursor": "end"}))
    assert not sync_stream(source, THINGS, home).ended_early
    assert source.asked[0][0] == {"walk": {"page": 2}}


def test_an_answer_of_another_shape_is_the_vendors_error(run):
    with pytest.raises(ServerError, match=r"src\.things: the answer has no list at `a`"):
        run(UnexpectedShape("the answer has no list at `a`"))


def test_secrets_in_foreign_exceptions_are_masked(run):
    redaction.register(["hunter2-secret"])
    with pytest.raises(RuntimeError) as caught:
        run(RuntimeError("GET https://x/?key=hunter2-secret"))
    assert str(caught.value) == "GET https://x/?key=***"


def test_secrets_in_our_own_errors_and_in_notes_are_masked(run, home):
    redaction.register(["hunter2-secret"])
    page = Page(notes=["asked with aHVudGVyMi1zZWNyZXQ="], state={"cursor": "2026"})
    with pytest.raises(ServerError) as caught:
        run(page, ServerError("src.things: no hunter2-secret.", place="src.things"))
    assert str(caught.value) == "src.things: no ***."
    assert footer(home).sync["notes"] == ["asked with ***="]


# One writer


def test_a_second_sync_of_a_stream_says_so_and_loses_nothing(run, home, current):
    inside, leave = threading.Event(), threading.Event()

    class Slow(Fixed):
        def read(self, stream, state, window):
            yield Page(records=[thing(1)])
            inside.set()
            leave.wait(10)
            yield Page(records=[thing(2, 1)])

    first = threading.Thread(target=sync_stream, args=(Slow(), THINGS, home))
    first.start()
    inside.wait(10)
    with pytest.raises(StreamLocked) as caught:
        run(Page(records=[thing(3)]))
    assert str(caught.value).startswith("src.things: another sync of this stream is running (pid ")
    assert str(caught.value).endswith("). Nothing was changed; wait for it to end.")
    leave.set()
    first.join()
    assert set(current()) == {"1", "2"}
    assert run(Page(records=[thing(3, 2)])).rows == 1


# What becomes a row


def test_what_look_back_repeats_is_not_landed_again(run, home):
    run(Page(records=[thing(1, 10), thing(2, 20)], state={"cursor": str(T0)}))
    result = run(Page(records=[thing(2, 20), thing(3, 30)]))
    assert (result.rows, result.late) == (1, 0)


def test_late_arrivals_are_landed_and_counted(run):
    cursor = (T0 + timedelta(seconds=60)).isoformat()
    run(Page(records=[thing(1, 10), thing(2, 50)], state={"cursor": cursor}))
    result = run(Page(records=[thing(1, 10), thing(3, 40), thing(2, 55, "new"), thing(4, 70)]))
    assert (result.rows, result.late) == (3, 2)


def test_the_same_stamp_with_another_text_is_a_new_version(run, current):
    run(Page(records=[thing(1, 10, "old")]))
    assert run(Page(records=[thing(1, 10, "formula changed")])).rows == 1
    assert current() == {"1": "formula changed"}
    assert run(Page(records=[thing(1, 10, "formula changed")])).rows == 0


def test_an_older_version_that_comes_later_does_not_win(run, current):
    run(Page(records=[thing(1, 20, "new"), thing(1, 10, "old")]))
    assert current() == {"1": "new"}
    assert run(Page(records=[thing(1, 10, "old"), thing(1, 20, "new")])).rows == 0


def test_without_a_trusted_stamp_the_last_one_read_wins(run, current):
    loose = replace(THINGS, cursor_trusted=False)
    result = run(Page(records=[thing(1, 20, "a"), thing(1, 10, "b")]), stream=loose)
    assert (result.rows, result.duplicates) == (2, 1)
    assert current() == {"1": "b"}
    assert run(Page(records=[thing(1, 10, "b")]), stream=loose).rows == 0
    assert run(Page(records=[thing(1, 10, "a")]), stream=loose).rows == 1
    assert current() == {"1": "a"}


# Deletes


def test_tombstones_delete_once_and_say_where_a_merged_record_went(run, landed):
    run(Page(records=[thing(1), thing(2), thing(3)]))
    gone = [
        Tombstone(key="1", at=T0 + timedelta(days=1)),
        Tombstone(key="2", at=T0 + timedelta(days=1), merged_into="3"),
        Tombstone(key="never held", at=T0),
    ]
    assert run(Page(tombstones=gone)).deletes == 2
    rows = landed("src.things")
    assert rows["1"][:2] == ("delete", None)
    assert rows["2"][:2] == ("delete", "3")
    assert rows["3"][0] == "upsert"
    assert run(Page(tombstones=gone)).deletes == 0


def test_a_record_that_comes_along_with_its_tombstone_stays_deleted(run, landed):
    page = Page(
        records=[thing(1, 50)], tombstones=[Tombstone(key="1", at=T0 + timedelta(seconds=50))]
    )
    run(Page(records=[thing(1)]))
    assert run(page).deletes == 1
    assert landed("src.things")["1"][0] == "delete"
    assert run(page).changed is False


def test_a_restored_record_outlives_its_tombstone(run, current):
    run(Page(records=[thing(1)], tombstones=[Tombstone(key="1", at=T0 + timedelta(seconds=5))]))
    run(Page(records=[thing(1, 9)]))
    assert current() == {"1": "n"}
    assert run(Page(tombstones=[Tombstone(key="1", at=T0 + timedelta(seconds=5))])).deletes == 0


def test_a_tombstone_in_whole_seconds_deletes_a_record_of_the_same_second(run, current):
    run(Page(records=[thing(1, 5.7)]))
    assert run(Page(tombstones=[Tombstone(key="1", at=T0 + timedelta(seconds=5))])).deletes == 1
    assert current() == {}


def test_a_census_deletes_what_a_complete_walk_does_not_show(run, current):
    run(Page(records=[thing(n) for n in range(5)]))
    result = run(Page(records=[thing(0)]), Page(seen_keys=["1", "3"], census_complete=True))
    assert result.deletes == 2
    assert set(current()) == {"0", "1", "3"}
    assert (result.source_count, result.held_count) == (3, 3)


def test_what_a_census_deleted_comes_back_whatever_its_stamp(run, current):
    run(Page(records=[thing(1, 10)]))
    run(Page(census_complete=True))
    assert current() == {}
    assert run(Page(records=[thing(1, 10)], census_complete=True)).rows == 1
    assert current() == {"1": "n"}
    assert run(Page(records=[thing(1, 10)], census_complete=True)).changed is False
    assert run(Page(records=[thing(1, 11, "newer")], census_complete=True)).rows == 1
    assert current() == {"1": "newer"}


def test_a_census_after_an_interrupted_walk_deletes_nothing(run, current):
    run(Page(records=[thing(1), thing(2)]))
    with pytest.raises(RuntimeError):
        run(Page(records=[thing(1)], state={"walk": {"page": 2}}), RuntimeError())
    result = run(Page(records=[thing(2)], state={}, census_complete=True))
    assert set(current()) == {"1", "2"}
    assert "interrupted walk" in result.notes[0]
    run(Page(records=[thing(2)], census_complete=True))
    assert set(current()) == {"2"}


def test_a_bad_record_is_not_taken_for_deleted(run, current):
    run(Page(records=[thing(1), thing(2)]))
    run(Page(records=[thing(1), b'{"id": 2, "name": "\\ud800"}'], census_complete=True))
    assert set(current()) == {"1", "2"}
    unreadable = run(Page(records=[thing(1), b'{"id" 2}'], census_complete=True))
    assert set(current()) == {"1", "2"}
    assert "could not be made out" in unreadable.notes[0]


def test_a_mass_vanishing_is_refused_until_it_is_confirmed(run, home, current):
    records = [thing(n) for n in range(200)]
    run(Page(records=records, state={"cursor": "a"}))
    for _ in range(2):  # it does not slip through at the second try
        with pytest.raises(LandingError) as caught:
            run(
                Page(records=records[:100], state={"walk": {"page": 1}}),
                Page(state={"cursor": "b"}, census_complete=True),
            )
        assert str(caught.value).startswith(
            "src.things: a complete walk no longer shows `100` of 200 held records (50%)."
        )
        assert "`rapport sync src.things --full-refresh`" in str(caught.value)
        assert footer(home).state == {"cursor": "a"}
    assert len(current()) == 200
    confirmed = run(Page(records=records[:100], census_complete=True), full_refresh=True)
    assert (confirmed.rows, confirmed.deletes) == (100, 100)
    assert len(current()) == 100


def test_the_share_that_may_vanish_is_a_setting(run, current):
    run(Page(records=[thing(n) for n in range(200)]))
    run(Page(records=[thing(n) for n in range(100)], census_complete=True), vanish_share=0.6)
    assert len(current()) == 100


def test_a_full_refresh_is_never_half_empty(run, home, landed, current):
    records = [thing(n, n) for n in range(20)]
    run(Page(records=records, state={"cursor": "old"}))
    seen_alive = []

    class Watched(Fixed):
        def read(self, stream, state, window):
            assert (state, window.full_refresh) == ({}, True)
            for number in range(0, 18, 3):
                yield Page(records=records[number : number + 3])
                seen_alive.append(len(current()))
            yield Page(state={"cursor": "new"}, census_complete=True)

    result = sync_stream(Watched(), THINGS, home, full_refresh=True, checkpoint_s=0)
    assert (result.rows, result.deletes) == (18, 2)
    assert set(seen_alive) == {20}
    assert len(current()) == 18
    assert result.cursor_from == "old"
    assert result.cursor_to == "new"


# Reconciliation, progress, quarantine


def test_the_source_is_reconciled_with_what_is_held(run, home):
    result = run(Page(records=[thing(1), thing(2)], source_count=3))
    assert (result.source_count, result.held_count, result.missing, result.extra) == (3, 2, 1, 0)
    result = run(Page(source_count=1))
    assert (result.missing, result.extra) == (0, 1)
    assert footer(home).sync["held_count"] == 2
    result = run(Page(records=[thing(3, 1)], source_count=3))
    assert (result.held_count, result.missing, result.extra) == (3, 0, 0)
    assert run(Page()).missing is None


def test_progress_tells_rows_and_waits(home):
    heard = []

    class Waiting(Fixed):
        session = Session("src")

        def read(self, stream, state, window):
            assert self.session.place == "src.things"
            yield Page(records=[thing(1)])
            self.session._wait(0.01, "the daily limit")
            yield Page(records=[thing(2, 1)])

    result = sync_stream(Waiting(), THINGS, home, on_progress=heard.append)
    assert [(p.rows, p.waiting_for) for p in heard] == [(1, ""), (1, "the daily limit"), (2, "")]
    assert isinstance(heard[-1], Progress) and heard[-1].rate > 0
    assert result.waits_s == 0.01
    assert Waiting.session.place == "src"


def test_bad_records_are_quarantined_and_the_rest_goes_on(run, home, current):
    redaction.register(["tok-123456"])
    bad = [
        b'{"id": 2, "name": NaN, "email": "a@b.c"}',
        b'{"id": 3, "id": 3}',
        b'{"id": 4, "name": "\\ud800"}',
        b'{"id": 5, "name": "\\u0000 tok-123456 \xff"}',
        b'{"name": "nobody"}',
        b"[]",
    ]
    own = Rejected(reason="ragged_row", detail="line 7")
    result = run(Page(records=[thing(1), *bad, thing(9, 1)], rejected=[own]))
    assert set(current()) == {"1", "9"}
    assert result.quarantined == 7
    lines = Quarantine(home, "src", "things").lines()
    assert [(line.key, line.reason) for line in lines] == [
        (None, "ragged_row"),
        ("2", "invalid_json"),
        ("3", "duplicate_name"),
        ("4", "lone_surrogate"),
        ("5", "invalid_json"),
        (None, "no_key"),
        (None, "not_an_object"),
    ]
    text = next((home / "quarantine" / "src" / "things").iterdir()).read_text()
    assert "a@b.c" not in text
    assert "tok-123456" not in text
    assert "\\\\xff" in text
    assert {line.sync_id for line in lines} == {result.sync_id}


def test_the_same_bad_record_is_kept_once(run, home):
    for _ in range(3):
        assert run(Page(records=[b'{"name": "nobody"}'])).quarantined == 1
    assert Quarantine(home, "src", "things").reasons() == {"no_key": 1}


# Laws

versions = st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from("ab"))


@given(st.lists(st.lists(versions, max_size=6), max_size=4), st.integers(1, 200))
@settings(max_examples=15)
def test_however_pages_are_cut_and_repeated_the_newest_version_is_current(
    tmp_path_factory, pages, checkpoint_bytes
):
    home = tmp_path_factory.mktemp("law")
    made = [Page(records=[thing(*version) for version in page]) for page in pages]
    sync_stream(Fixed(*made), THINGS, home, checkpoint_bytes=checkpoint_bytes)
    expected: dict[str, tuple[int, str]] = {}
    for number, at, name in (version for page in pages for version in page):
        if at >= expected.get(str(number), (-1, ""))[0]:
            expected[str(number)] = (at, name)
    stream = Landing(home).stream("src", "things")
    assert set(stream.current_keys()) == set(expected)
    held = stream.held(list(expected))
    texts = stream.records([rows[-1].seq for rows in held.values()])
    for key, (at, name) in expected.items():
        assert json.loads(texts[held[key][-1].seq]) == json.loads(thing(int(key), at, name))


# kill -9


def test_kill_minus_nine_costs_a_checkpoint_and_nothing_else(vendor, answer, tmp_path, landed):
    per_page, last_page = 10, 60
    asked: list[int] = []

    def page(path):
        number = int(path.rsplit("/", 1)[1])
        asked.append(number)
        time.sleep(0.004)
        first = (number - 1) * per_page
        things = [json.loads(thing(first + i, first + i, "x" * 20)) for i in range(per_page)]
        is_last = number == last_page
        body = {"things": things, "last": is_last, "cursor": "end" if is_last else None}
        return answer(json.dumps(body).encode())

    vendor.answer = lambda path: page(path) if path.startswith("/things") else answer()
    undisturbed = tmp_path / "undisturbed"
    sync_stream(Paged(vendor.url), THINGS, undisturbed)
    asked.clear()

    program = [sys.executable, "-m", "tests.connectors.paged_source", vendor.url, str(tmp_path)]
    dice = random.Random(5)
    kills = 0
    while kills < 6:
        before = len(asked)
        process = subprocess.Popen(program)
        # Wait for the first page (start-up is slow and dull), then let it work for a moment.
        while len(asked) == before and process.poll() is None:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.08))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
        if footer(tmp_path) and footer(tmp_path).sync.get("done"):
            break
    subprocess.run(program, check=True)

    assert kills >= 4
    theirs = Landing(undisturbed).stream("src", "things")
    ours = Landing(tmp_path).stream("src", "things")
    assert ours.footer().state == theirs.footer().state
    assert ours.footer().counts["rows"] == theirs.footer().counts["rows"] == per_page * last_page
    assert set(ours.current_keys()) == set(theirs.current_keys())
    # A checkpoint of 3,000 bytes is five pages; each kill may repeat one, and the page in flight.
    assert len(asked) <= last_page + 1 + kills * (5 + 1)
    seqs = [int(path.stem) for path in ours.files()]
    assert seqs == sorted(set(seqs))
    assert not list(ours.folder.glob(".tmp-*"))


def test_landing_lists_its_streams(run, home):
    run(Page(records=[thing(1)]))
    landing = Landing(home)
    assert landing.list_streams() == [("src", "things")]
    summary = landing.stream("src", "things").summary()
    assert (summary["rows"], summary["files"]) == (1, 2)
    assert landing.stream("src", "nothing").state() is None
    assert landing.stream("src", "nothing").count() == 0


def test_a_stream_of_another_name_is_its_own_folder(home):
    other = Stream(name="others", key=("id",), fields=("id",))
    sync_stream(Fixed(Page(records=[thing(1)])), other, home)
    assert (Path(home) / "landing" / "src" / "others").is_dir()


def test_calls_are_counted_by_what_they_brought(vendor, answer, home):
    pages = [
        {"things": [json.loads(thing(n)) for n in range(4)], "last": False, "cursor": "a"},
        {"things": [], "last": True, "cursor": "b"},
    ]
    vendor.answer = lambda path: answer(json.dumps(pages[int(path[-1]) - 1]).encode())
    source = Paged(vendor.url)
    source.session.server_now = lambda: T0
    first = sync_stream(source, THINGS, home)
    assert (first.requests, first.rows, first.calls_per_change) == (2, 4, 0.5)
    assert sync_stream(source, THINGS, home).calls_per_change is None
    facts = Landing(home).stream("src", "things").footer().sync
    assert (facts["requests"], facts["calls_per_change"]) == (2, None)
