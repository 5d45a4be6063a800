"""Whatever the paging and whatever changes meanwhile: what lands is what the source has."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import open_source, sync_stream
from connectors.errors import RapportError, ServerError
from connectors.sync import Progress, SyncResult
from tests.connectors.conftest import CURRENT
from tests.connectors.rest_api import BEGAN, TICK, Product

BASE = {"key": "id", "fields": ["title", "updated_at", "deleted"]}
MANNERS: dict[str, dict[str, Any]] = {
    "offset": {
        "path": "/redmine", "records": "issues",
        "paging": {"kind": "offset", "size": 9, "size_param": "limit", "total": "total_count"},
    },
    "offset without a count": {
        "path": "/countless", "records": "issues",
        "paging": {"kind": "offset", "size": 9, "size_param": "limit"},
    },
    "page": {
        "path": "/github", "records": "$",
        "paging": {"kind": "page", "size": 9, "size_param": "per_page"},
    },
    "page of a fixed size": {
        "path": "/plain", "records": "$", "paging": {"kind": "page", "first": 0},
    },
    "link in the body": {
        "path": "/django", "records": "results", "paging": {"kind": "link", "next": "next"},
    },
    "cursor": {
        "path": "/slack", "records": "messages",
        "paging": {"kind": "cursor", "next": "response_metadata.next_cursor", "param": "cursor",
                   "size": 9, "size_param": "limit"},
    },
    "keyset": {
        "path": "/stripe", "records": "data",
        "paging": {"kind": "keyset", "field": "id", "param": "starting_after", "more": "has_more",
                   "size": 9, "size_param": "limit"},
    },
    "keyset without a sign": {
        "path": "/stripe", "records": "data",
        "paging": {"kind": "keyset", "field": "id", "param": "starting_after"},
    },
}  # fmt: skip
LINKS = {
    "path": "/github", "records": "$",
    "paging": {"kind": "link", "size": 9, "size_param": "per_page"},
}  # fmt: skip


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    made = Product()
    yield made
    made.close()


def sync(product: Product, home: Path, stream: dict[str, Any], **options: Any) -> SyncResult:
    settings = {"url": product.url, "streams": {"things": {**BASE, **stream}}}
    source = open_source("src", "rest", settings, home=home, folder=home)
    source.session.backoff_s = 0.001
    return sync_stream(source, source.streams()[0], home, **options)


def held(home: Path) -> dict[str, str]:
    files = str(home / "landing/src/things/*.parquet")
    return {
        key: json.loads(row["record"])["title"]
        for key, row in duckdb.execute(CURRENT, [files]).fetchall()
        if row["op"] == "upsert"
    }


CHANGES = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["add", "edit", "delete"]), st.integers(0, 99)),
    max_size=12,
)


def change_meanwhile(product: Product, changes: list[tuple[int, str, int]]) -> None:
    """Change the table before the requests that `changes` number."""

    def before(number: int) -> None:
        table = product.table
        for index, (at, kind, which) in enumerate(changes):
            if at != number:
                continue
            ids = sorted(table.rows)
            if kind == "add" or not ids:
                table.add(f"added {index}")
            elif kind == "edit":
                table.edit(ids[which % len(ids)], f"edited {index}")
            else:  # several at once: an overlap of a record alone would not notice one
                for number in ids[which % len(ids) :][: 1 + which % 4]:
                    table.delete(number)

    product.before = before


@pytest.mark.parametrize("manner", MANNERS)
@given(count=st.integers(0, 40), most=st.integers(5, 12), changes=CHANGES)
@settings(max_examples=12)
def test_no_record_that_stays_is_lost_while_a_list_is_read(
    product: Product, manner: str, count: int, most: int, changes: list[tuple[int, str, int]]
) -> None:
    """The page's edge is where others lose records: a deletion moves them up unread."""
    table = product.start_over(most=most)
    for number in range(count):
        table.add(f"old {number}")
    at_first = table.truth()
    change_meanwhile(product, changes)
    with tempfile.TemporaryDirectory() as folder:
        sync(product, Path(folder), MANNERS[manner] | {"deletes": {"kind": "census"}})
        assert at_first.keys() & table.truth().keys() <= held(Path(folder)).keys()
        product.before = lambda number: None
        result = sync(product, Path(folder), MANNERS[manner] | {"deletes": {"kind": "census"}})
        assert held(Path(folder)) == table.truth()
        assert (result.missing, result.extra) == (0, 0)


@pytest.mark.parametrize("gone", [1, 2, 5, 11])
@pytest.mark.parametrize("manner", ["offset", "offset without a count", "page"])
def test_records_deleted_above_do_not_hide_those_that_move_up(
    product: Product, manner: str, gone: int, tmp_path: Path
) -> None:
    for when in (2, 3, 4):
        table = product.start_over(most=7)
        for number in range(30):
            table.add(f"old {number}")

        def before(number: int, when: int = when) -> None:
            if number == when:
                for each in sorted(product.table.rows)[:gone]:
                    product.table.delete(each)

        product.before = before
        sync(product, tmp_path / str(when), MANNERS[manner])
        assert table.truth().keys() <= held(tmp_path / str(when)).keys()


SINCE = {
    "cursor": "updated_at",
    "incremental": "updated_since",
    "lookback": "0s",
    "params": {"since": "{cursor}", "sort": "updated_at", "with_deleted": "true"},
    "deletes": {"kind": "tombstones", "field": "deleted"},
}


@pytest.mark.parametrize("manner", ["offset", "offset without a count", "page"])
@given(count=st.integers(0, 40), most=st.integers(5, 12), changes=CHANGES)
@settings(max_examples=12)
def test_asking_for_changes_ends_with_what_the_source_has(
    product: Product, manner: str, count: int, most: int, changes: list[tuple[int, str, int]]
) -> None:
    """Sorted by change, every edit moves a record to the end, and the rest up."""
    table = product.start_over(most=most)
    for number in range(count):
        table.add(f"old {number}")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            product.asked.clear()
            change_meanwhile(product, changes)
            sync(product, Path(folder), MANNERS[manner] | SINCE)
        product.before = lambda number: None
        sync(product, Path(folder), MANNERS[manner] | SINCE)
        assert held(Path(folder)) == table.truth()


@given(count=st.integers(0, 40), most=st.integers(5, 12), changes=CHANGES)
@settings(max_examples=12)
def test_newest_first_ends_with_what_the_source_has(
    product: Product, count: int, most: int, changes: list[tuple[int, str, int]]
) -> None:
    stream = MANNERS["offset"] | {
        "cursor": "updated_at", "incremental": "newest_first", "lookback": "0s",
        "params": {"sort": "-updated_at", "with_deleted": "true"},
        "deletes": {"kind": "tombstones", "field": "deleted"},
    }  # fmt: skip
    table = product.start_over(most=most)
    for number in range(count):
        table.now += TICK * (number % 3 == 0)
        table.add(f"old {number}")
    with tempfile.TemporaryDirectory() as folder:
        change_meanwhile(product, changes)
        sync(product, Path(folder), stream)
        product.before = lambda number: None
        sync(product, Path(folder), stream)
        assert held(Path(folder)) == table.truth()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("manner", [*MANNERS, "link in a header", "since", "newest"])
def test_killed_at_any_page_the_next_sync_goes_on_there(
    product: Product, manner: str, tmp_path: Path
) -> None:
    stream = LINKS if manner == "link in a header" else MANNERS.get(manner, MANNERS["offset"])
    if manner == "since":
        stream = stream | SINCE
    if manner == "newest":
        stream = stream | {
            "cursor": "updated_at", "incremental": "newest_first",
            "params": {"sort": "-updated_at"},
        }  # fmt: skip
    table = product.start_over(most=7)
    for number in range(40):
        table.add(f"old {number}")
        table.now += TICK * (number % 2)
    sync(product, tmp_path / "whole", stream)
    needed = len(product.asked)
    for stop in range(1, 5):
        home = tmp_path / str(stop)
        product.asked.clear()

        def kill(progress: Any, stop: int = stop) -> None:
            if progress.pages > stop:
                raise Killed

        with pytest.raises(Killed):
            sync(product, home, stream, on_progress=kill, checkpoint_bytes=1)
        sync(product, home, stream)
        assert held(home) == table.truth()
        # Without a size nothing tells where a walk was: then it is read once more.
        assert len(product.asked) <= needed + (7 if manner == "page of a fixed size" else 2)


@pytest.mark.parametrize("gone", [1, 3, 8])
@pytest.mark.parametrize("is_since", [False, True], ids=["whole", "since"])
@pytest.mark.parametrize(
    "manner", ["offset", "offset without a count", "page", "page of a fixed size", "keyset"]
)
def test_a_walk_that_broke_off_loses_nothing_of_a_list_that_shrinks_before_it_goes_on(
    product: Product, manner: str, is_since: bool, gone: int, tmp_path: Path
) -> None:
    """Gone on with where it was, the next page would begin behind records that moved up."""
    # Asked for by stamp, a list shrinks above with every edit; by `id` alone it needs a deletion.
    if is_since and manner == "keyset":
        pytest.skip("behind an `id` there is no order by stamp")
    stream = MANNERS[manner] | (SINCE if is_since else {"deletes": {"kind": "census"}})
    for stop in (1, 2, 3):
        table, home = product.start_over(most=7), tmp_path / str(stop)
        for number in range(40):
            table.add(f"old {number}")
            table.now += TICK

        def kill(progress: Any, stop: int = stop) -> None:
            if progress.pages > stop:
                raise Killed

        with pytest.raises(Killed):
            sync(product, home, stream, on_progress=kill, checkpoint_bytes=1)
        for number in sorted(table.rows)[:gone]:
            if is_since:
                table.edit(number, "edited")
            else:
                table.delete(number)
        sync(product, home, stream)
        assert table.rows.keys() <= {int(key) for key in held(home)}
        sync(product, home, stream)
        assert held(home) == table.truth()


@pytest.mark.parametrize(("manner", "counts"), [("link in a header", True), ("link", False)])
def test_links_that_count_are_told_since_a_list_that_shrinks_hides_records(
    product: Product, manner: str, counts: bool, tmp_path: Path
) -> None:
    stream = LINKS if counts else MANNERS["link in the body"]
    table = product.start_over(most=7)
    for number in range(20):
        table.add(f"old {number}")
    notes = sync(product, tmp_path, stream).notes
    assert bool(notes) == counts and (not counts or "`page=`" in notes[0])


def test_a_link_in_a_header_is_followed_to_the_end(product: Product, tmp_path: Path) -> None:
    table = product.start_over(most=7)
    for number in range(40):
        table.add(f"old {number}")
    sync(product, tmp_path, LINKS)
    assert held(tmp_path) == table.truth()
    assert len(product.asked) == 6


@pytest.mark.parametrize("asked", [2, 5, 10, 1000])
def test_a_size_that_is_cut_in_silence_ends_nothing(
    product: Product, asked: int, tmp_path: Path
) -> None:
    table = product.start_over(most=5)
    for number in range(23):
        table.add(f"old {number}")
    for manner in ("offset", "offset without a count", "page", "keyset without a sign"):
        paging = MANNERS[manner]["paging"] | {"size": asked, "size_param": "limit"}
        if manner == "page":
            paging |= {"size_param": "per_page", "size": max(asked, 5)}
        sync(product, tmp_path / manner, MANNERS[manner] | {"paging": paging})
        assert held(tmp_path / manner) == table.truth(), manner


@given(count=st.integers(0, 30), most=st.integers(2, 9), length=st.sampled_from(["7m", "1h", "1d"]))
@settings(max_examples=8)
def test_slices_of_time_leave_no_gap_between_them(
    product: Product, count: int, most: int, length: str
) -> None:
    table = product.start_over(most=most)
    for number in range(count):
        table.add(f"old {number}")
        table.now = table.now.replace(hour=(number * 7) % 12, minute=number)
    table.now = BEGAN
    stream = MANNERS["offset"] | SINCE | {
        "params": {"since": "{cursor}", "until": "{end}"},
        "slices": {"start": "2026-03-01", "length": length}, "deletes": None,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        sync(product, Path(folder), stream)
        assert held(Path(folder)) == table.truth()
        assert length == "1d" or len(product.asked) > 1
        table.edit(table.add(), "late")
        sync(product, Path(folder), stream)
        assert held(Path(folder)) == table.truth()


def test_a_post_search_puts_its_pages_and_times_into_the_body(
    product: Product, tmp_path: Path
) -> None:
    table = product.start_over(most=5)
    for number in range(12):
        table.add(f"old {number}")
    table.now += TICK * 60
    stream = {
        "path": "/search", "records": "hits.items", "cursor": "updated_at",
        "incremental": "updated_since", "lookback": "0s",
        "body": {"filter": {"since": "{cursor}"}},
        "paging": {"kind": "offset", "param": "page.from", "size": 5, "size_param": "page.size",
                   "total": "hits.total"},
    }  # fmt: skip
    sync(product, tmp_path, stream)
    assert held(tmp_path) == table.truth()
    table.edit(3, "edited")
    product.asked.clear()
    sync(product, tmp_path, stream)
    assert held(tmp_path) == table.truth()
    assert json.loads(product.asked[0][1]["json"])["filter"]["since"] > "2026-03-01"
    assert len(product.asked) == 1


def test_what_is_archived_is_found_in_its_own_list(product: Product, tmp_path: Path) -> None:
    table = product.start_over(most=5)
    for number in range(12):
        table.add(f"old {number}")
    stream = MANNERS["offset"] | {"deletes": {"kind": "archived", "params": {"archived": "true"}}}
    sync(product, tmp_path, stream)
    table.delete(3)
    assert sync(product, tmp_path, stream).deletes == 1
    assert held(tmp_path) == table.truth()
    assert sync(product, tmp_path, stream).deletes == 0


@pytest.mark.parametrize("manner", ["cursor", "keyset"])
def test_forward_goes_on_where_paging_ended(product: Product, manner: str, tmp_path: Path) -> None:
    table = product.start_over(most=5)
    for number in range(12):
        table.add(f"old {number}")
    stream = MANNERS[manner] | {"incremental": "forward"}
    sync(product, tmp_path, stream)
    for number in range(8):
        table.add(f"new {number}")
    product.asked.clear()
    sync(product, tmp_path, stream)
    assert held(tmp_path) == table.truth()
    assert len(product.asked) < 4


def test_a_census_is_due_only_now_and_then(product: Product, tmp_path: Path) -> None:
    table = product.start_over(most=5)
    for number in range(12):
        table.add(f"old {number}")
    stream = MANNERS["offset"] | SINCE | {
        "params": {"since": "{cursor}"}, "deletes": {"kind": "census", "every": "2d"},
        "count": "total_count",
    }  # fmt: skip
    sync(product, tmp_path, stream)
    table.delete(3)
    result = sync(product, tmp_path, stream)
    assert (result.deletes, result.extra) == (0, 1)
    table.now = table.now.replace(day=3)
    result = sync(product, tmp_path, stream)
    assert (result.deletes, result.extra) == (1, 0)
    assert held(tmp_path) == table.truth()


def test_a_field_chosen_later_is_read_of_every_record_once(
    product: Product, tmp_path: Path
) -> None:
    table = product.start_over(most=5)
    for number in range(12):
        table.add(f"old {number}")
    stream = MANNERS["offset"] | SINCE | {"params": {"since": "{cursor}"}}
    sync(product, tmp_path, stream | {"fields": ["updated_at"]})
    table.now = table.now.replace(day=3)
    result = sync(product, tmp_path, stream | {"fields": ["updated_at", "title"]})
    assert (result.rows, result.notes) == (12, ("read again for title",))
    assert held(tmp_path) == table.truth()
    assert sync(product, tmp_path, stream | {"fields": ["updated_at", "title"]}).rows == 0


def test_a_full_refresh_that_breaks_off_does_not_put_the_census_off(
    product: Product, tmp_path: Path
) -> None:
    table = product.start_over(most=5)
    for number in range(12):
        table.add(f"old {number}")
    stream = MANNERS["offset"] | SINCE | {
        "params": {"since": "{cursor}"}, "deletes": {"kind": "census", "every": "2d"},
    }  # fmt: skip
    sync(product, tmp_path, stream)
    table.delete(3)
    table.now = table.now.replace(day=2)

    def break_off(progress: Progress) -> None:
        raise ServerError("gone", place="src.things")

    with pytest.raises(ServerError):
        sync(product, tmp_path, stream, full_refresh=True, on_progress=break_off,
             checkpoint_bytes=1)  # fmt: skip
    sync(product, tmp_path, stream)
    table.now = table.now.replace(day=3)
    assert sync(product, tmp_path, stream).deletes == 1


@pytest.mark.parametrize("manner", MANNERS)
def test_a_list_that_repeats_is_an_error_and_never_an_end(
    product: Product, manner: str, tmp_path: Path
) -> None:
    product.start_over(most=5)
    rows = [{"id": number, "title": "same", "updated_at": "2026-03-01T12:00:00Z"}
            for number in range(1, 6)]  # fmt: skip
    page: Any = {"issues": rows, "results": rows, "messages": rows, "data": rows,
                 "total_count": 99, "has_more": True, "next": "/django?same",
                 "response_metadata": {"next_cursor": "same"}}  # fmt: skip
    if MANNERS[manner]["records"] == "$":
        page = rows
    product.special = lambda method, *_: (200, {}, page if method != "HEAD" else {})
    try:
        with pytest.raises(RapportError, match=r"src\.things: .*(circles|do not fit)"):
            sync(product, tmp_path, MANNERS[manner])
    finally:
        product.special = lambda *_: None
    assert len(product.asked) < 60
