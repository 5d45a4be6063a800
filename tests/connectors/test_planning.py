"""What a plan says a sync will cost, against what the sync then costs on the emulated vendors."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import planning, registry
from connectors.base import Stream
from connectors.budget import Budget
from connectors.landing import Landing
from connectors.planning import SourcePlan, least_seconds, plan_source
from connectors.session import Session
from connectors.sync import sync_stream
from sandbox.bluesky.http import _Server
from sandbox.server import PORTS, Sandbox, serve

MOST_OFF = 0.20


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Serve a small company with small pages, so that there are some."""
    monkeypatch.setattr("connectors.salesforce.client.ROWS_PER_PAGE", 200)
    monkeypatch.setattr("connectors.salesforce.plan.ROWS_PER_PAGE_USUALLY", 150)
    for module in ("client", "reads", "plan"):
        monkeypatch.setattr(f"connectors.bluesky.{module}.PER_PAGE", 10)
    with serve(people=150, seed=7, port=0, vendors=PORTS) as sandbox:
        yield sandbox


def opened(company: Sandbox, name: str, home: Path, **changed: Any) -> Any:
    settings = company.credentials["sources"][name] | changed
    type_ = settings.pop("type")
    return registry.open_source(name, type_, settings, home=home)


def planned(company: Sandbox, name: str, home: Path, **changed: Any) -> SourcePlan:
    source = opened(company, name, home, **changed)
    return plan_source(source, source.streams(), home)


def synced(company: Sandbox, name: str, home: Path, **how: Any) -> dict[str, int]:
    """Sync all streams and return the calls of each; `all` has the opening ones too."""
    source = opened(company, name, home)
    before = source.session.requests_made
    calls = {s.name: sync_stream(source, s, home, **how).requests for s in source.streams()}
    return calls | {"all": source.session.requests_made - before}


def is_near(told: int, made: int) -> bool:
    return abs(told - made) <= max(1, MOST_OFF * made)


@pytest.mark.parametrize("name", ["crm", "forum", "hub", "social"])
def test_a_plan_comes_within_a_fifth_of_the_calls_that_are_then_made(name, company, tmp_path):
    plan = planned(company, name, tmp_path)
    assert {each.mode for each in plan.streams} == {"first"}
    calls = synced(company, name, tmp_path)
    assert is_near(plan.next.cost.calls, calls["all"])

    company.advance(days=2)
    plan = planned(company, name, tmp_path)
    calls = synced(company, name, tmp_path)
    assert is_near(plan.next.cost.calls, calls["all"])
    assert plan.next.cost.records < plan.full.cost.records
    opening = sum(step.calls for step in plan.allowance.opening)
    for each in plan.streams:
        assert is_near(each.next.cost.calls, calls[each.stream]) or (
            each.stream == plan.streams[0].stream
            and is_near(each.next.cost.calls + opening, calls[each.stream])
        ), each.stream

    plan = planned(company, name, tmp_path)
    calls = synced(company, name, tmp_path, full_refresh=True)
    assert is_near(plan.full.cost.calls, calls["all"])


def test_the_records_of_a_plan_are_those_that_come(company, tmp_path):
    plan = planned(company, "crm", tmp_path)
    source = opened(company, "crm", tmp_path)
    for each, stream in zip(plan.streams, source.streams(), strict=True):
        result = sync_stream(source, stream, tmp_path)
        assert each.next.cost.records == pytest.approx(result.rows + result.deletes, abs=10)


def test_a_weekly_census_is_planned_when_it_is_due(company, tmp_path):
    synced(company, "crm", tmp_path)
    company.advance(days=8)
    plan = planned(company, "crm", tmp_path)
    steps = [step.what for step in plan.streams[0].next.cost.steps]
    assert "census of ids" in steps
    assert is_near(plan.next.cost.calls, synced(company, "crm", tmp_path)["all"])


def test_a_second_reading_after_deletions_is_warned_of(company, tmp_path):
    synced(company, "forum", tmp_path)
    company.advance(days=8)
    users, topics, *_ = planned(company, "forum", tmp_path).streams
    for each in (users, topics):
        assert any("read twice" in note for note in each.next.cost.notes)


def test_an_interrupted_walk_is_planned_from_where_it_stopped(company, tmp_path):
    source = opened(company, "crm", tmp_path)
    tasks = next(stream for stream in source.streams() if stream.name == "tasks")

    def stop(progress: Any) -> None:
        if progress.pages == 2:
            raise KeyboardInterrupt

    before = plan_source(source, [tasks], tmp_path).streams[0]
    with pytest.raises(KeyboardInterrupt):
        sync_stream(source, tasks, tmp_path, on_progress=stop)
    plan = plan_source(source, [tasks], tmp_path).streams[0]
    assert plan.mode == "resumed"
    assert plan.next.cost.calls < before.next.cost.calls
    assert is_near(plan.next.cost.calls, sync_stream(source, tasks, tmp_path).requests)


def test_the_daily_quota_is_the_vendors_and_logging_in_does_not_count(company, tmp_path):
    plan = planned(company, "crm", tmp_path)
    assert plan.allowance.per_day == company.world.org.daily_limit
    assert plan.allowance.left <= plan.allowance.per_day
    assert plan.next.cost.calls == plan.next.cost.metered_calls + 2
    assert plan.next.quota_share == plan.next.cost.metered_calls / plan.allowance.per_day


def test_hubspots_quota_is_that_of_the_account_and_searches_have_a_limit_of_their_own(
    company, tmp_path
):
    company.world.portal.daily_limit = 1_000
    source = opened(company, "hub", tmp_path, calls_per_10_s=100, searches_per_s=4)
    synced(company, "hub", tmp_path)
    plan = plan_source(source, source.streams(), tmp_path)
    assert (plan.allowance.per_day, plan.allowance.windows) == (1_000, ((100, 10.0),))
    assert 0 < plan.allowance.left < 1_000
    searches = sum(step.calls for step in plan.next.cost.steps if step.windows)
    assert searches > 8
    assert plan.next.seconds >= (searches - 4) / 4 - len(plan.streams)


def test_a_hubspot_token_without_a_scope_costs_one_look_and_the_note_names_it(company, tmp_path):
    company.world.portal.scopes -= {"tickets", "content"}
    plan = planned(company, "hub", tmp_path)
    costs = {each.stream: each.next.cost for each in plan.streams}
    for name in ("tickets", "marketing_emails"):
        assert costs[name].calls == 1
        assert "needs the scope" in costs[name].notes[0]
    assert any(note.startswith("tickets: not visible") for note in costs["associations"].notes)


def test_where_a_network_does_not_tell_its_hits_the_plan_says_so(tmp_path, monkeypatch):
    def without_hits(server: Any, request: Any, viewer: Any, search: Any = _Server.search) -> Any:
        return {k: v for k, v in search(server, request, viewer).items() if k != "hitsTotal"}

    monkeypatch.setattr(_Server, "search", without_hits)
    monkeypatch.setattr("connectors.bluesky.client.PER_PAGE", 1)
    with serve(people=60, seed=7, port=0, vendors=PORTS) as company:
        plan = planned(company, "social", tmp_path)
    posts = plan.streams[0].next.cost
    assert any("does not tell its hits" in note for note in posts.notes)
    assert plan.allowance.per_day is None and "300 logins" in plan.allowance.how


def test_an_object_that_is_hidden_costs_one_look(company, tmp_path):
    source = opened(company, "crm", tmp_path, objects=["Subscription__c", "Secret__c"])
    hidden = source.streams()[-1]
    cost = plan_source(source, [hidden], tmp_path).streams[0].next.cost
    assert (cost.calls, cost.records) == (1, 0)
    assert "not visible" in cost.notes[0]


def test_a_plan_leaves_no_trace(company, tmp_path):
    planned(company, "crm", tmp_path)
    planned(company, "forum", tmp_path)
    assert not (tmp_path / "landing").exists()


def test_a_stream_that_is_closed_to_us_does_not_hide_the_others(company, tmp_path):
    plan = planned(company, "forum", tmp_path, api_username=company.world.forum.users[1].username)
    # A key of a plain user sees no admin lists, but the site's counts and the topics.
    assert all(each.error is None for each in plan.streams if each.stream != "users")


def test_who_liked_what_is_planned_by_the_posts_looked_at(company, tmp_path):
    def source() -> Any:
        return opened(company, "forum", tmp_path, likers=True)

    def both() -> tuple[int, int]:
        [plan] = plan_source(source(), [likes], tmp_path).streams
        return plan.next.cost.calls, sync_stream(source(), likes, tmp_path).requests

    likes = next(stream for stream in source().streams() if stream.name == "likes")
    told, made = both()
    assert told == pytest.approx(made, rel=0.5) and made > 500
    assert both()[0] == 0  # not a day ago
    company.advance(days=2)
    told, made = both()
    assert told == pytest.approx(made, rel=0.5)


def test_who_edited_what_is_planned_by_the_versions_of_the_posts_looked_at(company, tmp_path):
    def source() -> Any:
        return opened(company, "forum", tmp_path, revisions=True)

    revisions = next(stream for stream in source().streams() if stream.name == "revisions")

    def both() -> tuple[int, int]:
        [plan] = plan_source(source(), [revisions], tmp_path).streams
        return plan.next.cost.calls, sync_stream(source(), revisions, tmp_path).requests

    told, made = both()
    assert told == pytest.approx(made, rel=0.5) and made > 50
    assert both()[0] == 0  # not a day ago
    company.advance(days=8)
    told, made = both()
    assert told == pytest.approx(made, rel=0.5)


def test_a_busy_forum_is_told_from_its_newest_topics(company, tmp_path, monkeypatch):
    whole = planned(company, "forum", tmp_path)
    for module in ("client", "plan"):
        monkeypatch.setattr(f"connectors.discourse.{module}.TOPICS_PER_PAGE", 5)
    monkeypatch.setattr("connectors.discourse.plan.PAGES_SAMPLED", 2)
    sampled = planned(company, "forum", tmp_path)
    steps = [
        next(s for p in plan.streams for s in p.next.cost.steps if s.what == "topics read again")
        for plan in (whole, sampled)
    ]
    assert "by the newest pages" in str(sampled.streams)
    assert steps[1].calls == pytest.approx(steps[0].calls, rel=0.5)


# Time


def test_a_limit_that_a_past_sync_outran_does_not_slow_the_plan(company, tmp_path):
    plan = planned(company, "forum", tmp_path)
    assert "60 calls in 60 s" in plan.next.seconds_how
    assert plan.next.seconds >= 60 * (plan.next.cost.calls // 60 - 1)
    synced(company, "forum", tmp_path)  # the sandbox has no limits by default
    plan = planned(company, "forum", tmp_path)
    assert plan.full.seconds < 60
    assert "as timed now" in plan.full.seconds_how


@given(st.integers(0, 200), st.integers(1, 50), st.floats(0.1, 60))
def test_the_least_time_is_when_a_budget_would_let_the_last_call_go(calls, n, seconds):
    budget = Budget([(n, seconds)])
    wait_s = [budget.book() for _ in range(calls)]
    assert least_seconds(calls, [(n, seconds)]) == pytest.approx(max(wait_s, default=0), abs=0.5)


@given(st.integers(0, 10**6), st.integers(1, 5000))
def test_pages_hold_all_records_and_none_is_spare(records, per_page):
    count = planning.pages(records, per_page)
    assert (count - 1) * per_page < max(records, 1) <= count * per_page


# Files and databases


def test_files_that_are_new_or_changed_are_planned_by_size_and_about_their_rows(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    lines = "".join(f"{i},person{i}@mill.example,{i * 3.5}\n" for i in range(20_000))
    (folder / "1.csv").write_text(f"id,email,total\n{lines}")
    (folder / "2.jsonl").write_text("".join(f'{{"id": {i}}}\n' for i in range(700)))
    pq.write_table(pa.table({"id": range(300)}), folder / "3.parquet")
    streams = {"rows": {"path": "exports/*", "key": "id"}}
    source = registry.open_source(
        "shop", "files", {"streams": streams}, home=tmp_path, folder=tmp_path
    )
    plan = plan_source(source, source.streams(), tmp_path)
    assert plan.next.cost.calls == 0
    assert plan.next.cost.records == pytest.approx(21_000, rel=MOST_OFF)
    assert plan.next.cost.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert plan.next.quota_share is None
    sync_stream(source, source.streams()[0], tmp_path)
    again = plan_source(source, source.streams(), tmp_path)
    assert (again.next.cost.records, again.full.cost.records) == (0, plan.next.cost.records)


@pytest.mark.parametrize(
    "declared",
    [
        {"cursor": "updated_at", "lookback": "1h"},
        {"cursor": "id", "cursor_type": "number"},
        {"snapshot": True},
    ],
)
def test_the_rows_of_a_database_are_planned_by_the_conditions_of_the_read(declared, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table orders (id integer, updated_at text)")
        many = [(n, f"2026-01-{n % 28 + 1:02d} 10:00:00") for n in range(1, 401)]
        database.executemany("insert into orders values (?, ?)", many)

    def source() -> Any:
        streams = {"orders": {"table": "orders", "key": "id", **declared}}
        settings = {"url": "sqlite:///shop.db", "streams": streams}
        return registry.open_source("shop", "sql", settings, home=tmp_path, folder=tmp_path)

    def both(**how: Any) -> tuple[int, int]:
        it = source()
        [plan] = plan_source(it, it.streams(), tmp_path).streams
        estimate = plan.full if how else plan.next
        assert estimate.cost.calls == 0 and estimate.seconds is not None
        return estimate.cost.records, sync_stream(it, it.streams()[0], tmp_path, **how).rows

    assert both() == (400, 400)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        late = [(n, "2026-02-01 10:00:00") for n in range(401, 411)]
        database.executemany("insert into orders values (?, ?)", late)
    due, rows = both()
    assert rows == 10 and rows <= due <= (410 if "snapshot" in declared else 10 + 15)
    assert both(full_refresh=True) == (410, 410)


def test_a_table_that_is_not_to_be_counted_is_not_counted(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table orders (id integer, at text)")
        database.execute("insert into orders values (1, '2026-01-01')")
    declared = {"table": "orders", "key": "id", "cursor": "at", "count": False}
    settings = {"url": "sqlite:///shop.db", "streams": {"orders": declared}}
    source = registry.open_source("shop", "sql", settings, home=tmp_path, folder=tmp_path)
    plan = plan_source(source, source.streams(), tmp_path)
    cost = plan.next.cost
    assert (cost.records, plan.next.seconds) == (None, None)
    assert "`count: false`" in plan.streams[0].next.cost.records_how


# A connector of our own


class Silent:
    """A source with the three methods that every source has."""

    type = "silent"
    name = "silent"

    def __init__(self, session: Session | None = None) -> None:
        if session:
            self.session = session

    def streams(self) -> list[Stream]:
        return [Stream(name="things", key=("id",), fields=("id",))]


def test_what_a_plan_does_besides_asking_is_not_the_time_of_a_call(company, tmp_path):
    class Slow(Silent):
        def plan(self, stream: Stream, state: Any, window: Any) -> planning.Cost:
            time.sleep(0.3)
            self.session.get(company.credentials["sources"]["hub"]["url"])
            step = planning.Step(what="pages", calls=1000, how="known")
            return planning.Cost(steps=(step,), records=0)

    source: Any = Slow(Session("slow"))
    plan = plan_source(source, source.streams(), tmp_path)
    assert 0 < plan.next.seconds < 300


def test_a_connector_that_cannot_count_says_so_and_no_number_is_made_up(tmp_path):
    source: Any = Silent(Session("silent", calls_per_window=[(100, 10.0)]))
    plan = plan_source(source, source.streams(), tmp_path)
    [things] = plan.streams
    assert (things.next, things.full, plan.next, plan.full) == (None, None, None, None)
    assert things.note.startswith("cannot tell")
    assert plan.allowance.windows == ((100, 10.0),)


def test_where_nothing_can_be_counted_the_last_syncs_calls_are_named(tmp_path):
    landing = Landing(tmp_path).stream("silent", "things")
    with landing.lock():
        now = datetime.now(UTC)
        facts = {"requests": 12, "finished_at": (now + timedelta(seconds=3)).isoformat()}
        landing.commit([], state={"cursor": "x"}, sync=facts, loaded_at=now)
    source: Any = Silent()
    [things] = plan_source(source, source.streams(), tmp_path).streams
    assert "its last sync made 12 calls" in things.note
    json.dumps(things.note)
