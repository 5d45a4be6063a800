"""A long history is read in spans side by side, and nobody can tell from what is held."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from benchmarks.machines import THINGS, Dead, Model, ModelSource, dying
from connectors import Landing, Page, sync_stream
from connectors import sync as sync_module
from connectors.backfill import THREADS, one_ahead, side_by_side
from connectors.errors import QuotaSpent, ServerError

IN_SPANS = THINGS["in_spans"]


@pytest.fixture
def model():
    made = Model()
    made.create(60)
    made.clock.advance(seconds=3600)
    return made


@pytest.fixture
def run(model, tmp_path):
    def run(source=None, **options):
        return sync_stream(
            source or ModelSource(model), IN_SPANS, tmp_path, checkpoint_bytes=1, **options
        )

    return run


@pytest.fixture
def held(landed, model):
    """Return key -> text of what is held and not deleted."""

    def held():
        found = landed(f"{ModelSource.name}.in_spans")
        return {key: json.loads(text)["text"] for key, (op, _, text) in found.items() if text}

    return held


def truth(model):
    return {key: row["text"] for key, row in model.truth("in_spans").items()}


def state(tmp_path):
    return Landing(tmp_path).stream(ModelSource.name, "in_spans").footer().state


def test_every_record_of_every_span_is_held_once(run, model, held, tmp_path):
    result = run()
    assert held() == truth(model)
    assert (result.rows, result.spans_left, result.late) == (60, 0, 0)
    assert state(tmp_path).keys() == {"cursor"}


def test_spans_are_asked_for_at_the_same_time(run, model, held):
    together = threading.Barrier(3, timeout=10)

    class Waiting(ModelSource):
        def read_span(self, stream, state):
            together.wait()  # never opens if one span is read after the other
            return super().read_span(stream, state)

    run(Waiting(model))
    assert held() == truth(model)


def test_a_crash_costs_no_span_more_than_a_page(run, model, held, tmp_path):
    with dying(9, is_landed=True), pytest.raises(Dead):
        run()
    some = len(held())
    assert 0 < some < 60
    assert len(state(tmp_path)["backfill"]["spans"]) > 0
    asked = model.pages
    run()
    assert held() == truth(model)
    # What is left, a last look at each of three spans and at what changed, and a page a span again.
    assert model.pages - asked <= (60 - some) / 4 + 3 + 3 + 16


def test_what_changes_is_seen_while_the_history_is_not_read_yet(run, model, held, tmp_path):
    class Stuck(ModelSource):
        def read_span(self, stream, state):
            raise ServerError("src.in_spans: HTTP 500. Try again later.", place="src.in_spans")
            yield

    for news in ("000060", "000061"):
        with pytest.raises(ServerError):
            run(Stuck(model))
        assert model.create(1) == [news]
        model.clock.advance(seconds=3600)
    with pytest.raises(ServerError):
        run(Stuck(model))
    assert {"000060", "000061"} <= set(held())
    assert len(held()) < 60
    assert len(state(tmp_path)["backfill"]["spans"]) == 3
    run()
    assert held() == truth(model)


def test_changes_are_read_between_the_pages_of_a_backfill(run, model, held, monkeypatch):
    monkeypatch.setattr(sync_module, "CHANGES_EVERY_S", 0.0)
    seen = []

    class Watched(ModelSource):
        def read(self, stream, state, window):
            assert "backfill" not in state
            seen.append(state.get("cursor"))
            return super().read(stream, state, window)

    run(Watched(model))
    assert len(seen) > 10
    assert held() == truth(model)


@pytest.mark.parametrize("act", ["change", "delete"])
def test_what_happens_to_a_record_whose_span_is_being_read_is_not_lost(run, model, held, act):
    names = sorted(model.living())

    class Late(ModelSource):
        """Gives its pages only after they are no longer true."""

        def read_span(self, stream, state):
            pages = list(super().read_span(stream, state))
            with model.one_at_a_time:
                getattr(model, act)(names[:40:7])
            yield from pages

    run(Late(model))
    model.clock.advance(seconds=3600)
    run()
    assert held() == truth(model)


def test_a_full_refresh_that_crashes_leaves_every_record_where_it_was(run, model, held):
    run()
    before = held()
    for at in range(1, 12):
        with dying(at, is_landed=at % 2 == 0), pytest.raises(Dead):
            run(full_refresh=True)
        assert held() == before
    run()
    assert held() == before == truth(model)


def test_a_span_of_time_asked_for_by_hand_leaves_the_cursor_where_it_is(run, model, tmp_path):
    run()
    cursor = state(tmp_path)["cursor"]
    begin = model.clock.now() - timedelta(hours=2)
    result = run(since=begin, until=begin + timedelta(hours=1, minutes=30))
    assert result.rows == 0
    assert state(tmp_path)["cursor"] >= cursor


def test_a_spent_quota_keeps_what_each_span_has_read(run, model, held, tmp_path):
    class Poor(ModelSource):
        def read_span(self, stream, state):
            for number, page in enumerate(super().read_span(stream, state)):
                if number == 2:
                    raise QuotaSpent("src.in_spans: no calls are left.", place="src.in_spans")
                yield page

    result = run(Poor(model))
    assert result.ended_early
    assert result.spans_left == len(state(tmp_path)["backfill"]["spans"]) > 0
    assert 8 <= len(held()) < 60
    assert run().spans_left == 0
    assert held() == truth(model)


def test_an_error_ends_all_threads():
    def read(span):
        yield Page()
        if span["n"] == 3:
            raise ServerError("down", place="src")
        yield Page()

    before = threading.active_count()
    with pytest.raises(ServerError, match="down"):
        list(side_by_side(read, [{"n": n} for n in range(3 * THREADS)]))
    assert threading.active_count() == before


def test_pages_of_a_span_keep_their_order():
    def read(span):
        return (Page(state={"n": span["n"], "page": page}) for page in range(5))

    pages = list(side_by_side(read, [{"n": n} for n in range(20)]))
    for number in range(20):
        states = [page and page.state["page"] for n, page in pages if n == number]
        assert states == [0, 1, 2, 3, 4, None]


# One page ahead


def test_a_page_is_read_while_the_one_before_is_worked_on():
    asked = [threading.Event() for _ in range(5)]

    def read():
        for number, event in enumerate(asked):
            event.set()
            yield number

    shown = []
    for number in one_ahead(read()):
        assert asked[min(number + 1, 4)].wait(10)  # never set if one is read after the other
        assert not any(event.is_set() for event in asked[number + 2 :])
        shown.append(number)
    assert shown == [0, 1, 2, 3, 4]


def test_an_error_comes_where_its_page_would_have():
    def read():
        yield from range(3)
        raise QuotaSpent("src: no calls are left.", place="src")

    shown = []
    with pytest.raises(QuotaSpent):
        for number in one_ahead(read()):
            shown.append(number)
    assert shown == [0, 1, 2]


def test_who_stops_has_read_no_more_than_one_page_in_vain():
    read, before = [], threading.active_count()

    def pages():
        for number in range(100):
            read.append(number)
            yield number

    for number in one_ahead(pages()):
        if number == 3:
            break
    assert threading.active_count() == before
    assert read in ([0, 1, 2, 3], [0, 1, 2, 3, 4])
