"""Getting from page to page, and from sync to sync."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Stream, Window
from connectors.errors import ServerError
from connectors.incremental import ChangeWalk, NewestFirstWalk, is_due
from connectors.pagination import Part, next_links, numbered, overlapping

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAG, LOOKBACK = timedelta(minutes=1), timedelta(minutes=5)
STREAM = Stream(name="s", key=("id",), fields=("id",), lag=LAG, lookback=LOOKBACK)


def test_links_are_followed_to_the_end():
    pages = {"/a": (b"1", "/b"), "/b": (b"2", "/c"), "/c": (b"3", None)}
    links = dict(pages.values())
    found = list(next_links(lambda path: pages[path][0], "/a", links.__getitem__, place="x.y"))
    assert found == [(b"1", "/b"), (b"2", "/c"), (b"3", None)]


def test_links_that_lead_back_are_an_error():
    with pytest.raises(ServerError, match=r"x\.y: the vendor's paging walks in circles"):
        list(next_links(lambda path: b"", "/a", lambda body: "/a", place="x.y"))


def test_pages_are_counted_to_the_end_and_an_empty_one_is_not_the_end():
    bodies = {1: b"x", 2: b"", 3: b"y", 4: b"last"}
    found = list(numbered(bodies.__getitem__, lambda body: body == b"last", start=1, place="x.y"))
    assert [number for _, number in found] == [2, 3, 4, None]


def test_offsets_count_in_steps():
    asked = []
    pages = numbered(
        lambda offset: (asked.append(offset), b"%d" % offset)[1],
        lambda body: body == b"100",
        start=0,
        step=50,
        place="x.y",
    )
    assert len(list(pages)) == 3
    assert asked == [0, 50, 100]


def test_a_vendor_that_ignores_the_page_number_is_an_error():
    with pytest.raises(ServerError, match="circles"):
        list(numbered(lambda number: b"same", lambda body: False, start=1, place="x.y"))


def test_a_first_change_walk_reads_from_the_beginning_to_now_minus_lag():
    walk = ChangeWalk.begin(STREAM, {}, Window(now=NOW))
    assert (walk.start, walk.end, walk.position) == (None, NOW - LAG, None)


def test_a_list_whose_parts_never_meet_is_an_error_and_not_a_walk_without_end():
    fresh = map(str, count())

    def ask(offset: int) -> Part:
        return Part(offset, [next(fresh).encode() for _ in range(3)], ended=False)

    walk = overlapping(ask, bytes.decode, place="x.y")
    assert next(walk) == ([b"0", b"1", b"2"], [3, "2"])
    with pytest.raises(ServerError, match=r"x\.y: the pages do not fit together, 21 times"):
        list(walk)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
def test_change_windows_leave_no_gap_and_repeat_the_look_back(minutes):
    state, read_to = {}, None
    for later in sorted(minutes):
        walk = ChangeWalk.begin(STREAM, state, Window(now=NOW + timedelta(minutes=later)))
        if read_to is not None:
            assert walk.start == read_to - LOOKBACK
        assert walk.end == NOW + timedelta(minutes=later) - LAG
        state, read_to = walk.done(), walk.end
        assert set(state) == {"cursor"}


def test_an_interrupted_change_walk_goes_on_with_its_own_bounds():
    walk = ChangeWalk.begin(STREAM, {"cursor": "2026-03-01T00:00:00+00:00"}, Window(now=NOW))
    state = walk.at("/page/2")
    assert state["cursor"] == "2026-03-01T00:00:00+00:00"
    again = ChangeWalk.begin(STREAM, state, Window(now=NOW + timedelta(hours=3)))
    assert (again.start, again.end, again.position) == (walk.start, walk.end, "/page/2")
    assert again.done() == {"cursor": walk.end.isoformat()}


def test_a_window_asked_for_by_hand_does_not_move_the_cursor_over_a_gap():
    state = {"cursor": "2026-02-01T00:00:00+00:00"}
    old = Window(now=NOW, since=NOW - timedelta(days=90), until=NOW - timedelta(days=60))
    assert ChangeWalk.begin(STREAM, state, old).done() == state
    gap = Window(now=NOW, since=NOW - timedelta(days=1))
    assert ChangeWalk.begin(STREAM, state, gap).done() == state
    wide = Window(now=NOW, since=NOW - timedelta(days=90))
    assert ChangeWalk.begin(STREAM, state, wide).done() == {"cursor": (NOW - LAG).isoformat()}


def test_a_full_refresh_forgets_the_cursor():
    state = {"cursor": "2026-02-01T00:00:00+00:00", "walk": {"start": None, "end": "x"}}
    walk = ChangeWalk.begin(STREAM, state, Window(now=NOW, full_refresh=True))
    assert (walk.start, walk.position) == (None, None)


def test_newest_first_moves_its_watermark_only_after_the_whole_walk():
    state = {"cursor": "2026-02-01T00:00:00+00:00"}
    walk = NewestFirstWalk.begin(STREAM, state, Window(now=NOW))
    walk.see("2026-02-28T10:00:00Z")
    walk.see("2026-02-28T09:00:00Z")
    interrupted = walk.at(3)
    assert interrupted["cursor"] == state["cursor"]
    assert not walk.is_below_floor("2026-01-31T23:56:00Z")
    assert walk.is_below_floor("2026-01-31T23:54:00Z")

    again = NewestFirstWalk.begin(STREAM, interrupted, Window(now=NOW))
    assert again.position == 3
    assert again.is_below_floor("2026-01-31T23:54:00Z")
    assert again.done() == {"cursor": "2026-02-28T10:00:00+00:00"}


def test_newest_first_over_nothing_keeps_its_watermark():
    state = {"cursor": "2026-02-01T00:00:00+00:00"}
    assert NewestFirstWalk.begin(STREAM, state, Window(now=NOW)).done() == state


def test_a_stamp_of_the_year_2999_does_not_put_all_that_is_new_below_the_floor():
    walk = NewestFirstWalk.begin(STREAM, {}, Window(now=NOW))
    walk.see("2999-12-31T23:59:59Z")
    assert walk.done() == {"cursor": NOW.isoformat()}
    before = {"cursor": "2999-12-31T23:59:59+00:00"}  # of a clock that was wrong meanwhile
    walk = NewestFirstWalk.begin(STREAM, before, Window(now=NOW))
    assert not walk.is_below_floor(NOW.isoformat())
    walk.see("2026-02-28T10:00:00Z")
    assert walk.done() == {"cursor": "2026-02-28T10:00:00+00:00"}


@pytest.mark.parametrize(
    ("hours", "due"),
    [(None, True), (-30, True), (-24, True), (-23, True), (-22, False), (0, False), (1, False),
     (25, True), (50_000, True)],
)  # fmt: skip
def test_what_was_done_long_ago_or_by_a_clock_that_ran_ahead_is_due(hours, due):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    state = {} if hours is None else {"at": (now + timedelta(hours=hours)).isoformat()}
    assert is_due(state, "at", timedelta(days=1), Window(now=now)) is due
