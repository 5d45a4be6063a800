"""What a build hands to dbt of the numbers that people have seen already."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connectors.sync import sync_stream
from rapport import build, config
from rapport.config import Config

DAY = date(2026, 6, 30)
LONG_AGO = datetime(2026, 7, 1, tzinfo=UTC)
JUST_NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Config:
    (tmp_path / "orders.csv").write_text("id,mail,at\n1,a@b.example,2026-06-01\n2,c@d.example,x\n")
    stream = {
        "path": "orders.csv",
        "key": ["id"],
        "map": {"to": "purchase", "columns": {"person": "mail", "occurred_at": "at"}},
    }
    source = {"type": "files", "silo": "orders", "streams": {"orders": stream}}
    found = config.parse(
        {"as_of": DAY.isoformat(), "sources": {"shop": source}}, tmp_path / "rapport.yml"
    )
    opened = found.open("shop")
    for one in opened.streams():
        sync_stream(opened, one, found.home)
    return found


def publish(shop: Config, *rows: tuple[date, str, datetime]) -> None:
    with duckdb.connect(str(shop.home / build.WAREHOUSE_NAME)) as connection:
        connection.execute("create table rel_a (as_of date, basis varchar, known_at timestamptz)")
        connection.execute("create table rel_without_days as select 1 as n")
        connection.executemany("insert into rel_a values (?, ?, ?)", [list(row) for row in rows])


def prepared(shop: Config, sql: str) -> list[tuple[Any, ...]]:
    build.prepare(shop, build.plan(shop))
    with duckdb.connect(str(shop.home / build.BUILD_NAME), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(sql).fetchall()


def test_of_a_past_day_the_last_word_counts_and_of_other_days_none(shop: Config) -> None:
    before = DAY - timedelta(days=28)
    publish(
        shop,
        (DAY, "as_known", LONG_AGO),
        (before, "as_known", LONG_AGO),
        (before, "backcast", JUST_NOW),
        (DAY - timedelta(days=1), "as_known", LONG_AGO),
    )
    rows = prepared(shop, "from published.rel_a order by as_of")
    assert [row[:2] for row in rows] == [(before, "backcast"), (DAY, "as_known")]


def test_what_has_landed_since_is_counted_by_stream_from_each_moment(shop: Config) -> None:
    publish(shop, (DAY, "as_known", LONG_AGO), (DAY - timedelta(days=28), "backcast", JUST_NOW))
    assert prepared(shop, "from control.landed_since") == [(LONG_AGO, "shop.orders", 2)]


def test_a_day_that_is_not_over_is_filled_up_and_not_compared(shop: Config) -> None:
    today = datetime.now(UTC).date()
    publish(shop, (today, "as_known", LONG_AGO))
    duckdb.connect(str(shop.home / build.BUILD_NAME)).close()
    now = config.parse({"as_of": "now", "sources": {}}, shop.path)
    build.remember(now, build.plan(now))  # else the first build computes past days as well
    assert prepared(now, "from control.published_snapshots") == []
