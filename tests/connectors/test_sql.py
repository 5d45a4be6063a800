"""Real databases: SQLite always, PostgreSQL where its programs are installed."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from connectors import Quarantine, open_source, sync_stream, tables
from connectors.base import Window
from connectors.errors import (
    AuthError,
    ConfigError,
    LandingError,
    RapportError,
    ServerError,
    Unreachable,
)
from connectors.landing import Landing
from rapport.conformance.postgres import PASSWORD, Cluster, postgres_programs, running

LONG_AGO = "2026-01-01 10:00:00"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (`apt-get install postgresql`)")
    with running() as made:
        yield made


class Base:
    """One database with a stream `orders` on it, as rapport.yml would declare it."""

    def __init__(self, home: Path, address: sa.URL, **settings: Any) -> None:
        self.home = home
        self.engine = sa.create_engine(address, poolclass=sa.NullPool)
        self.is_postgres = self.engine.dialect.name == "postgresql"
        self.settings: dict[str, Any] = settings
        self.declared: dict[str, Any] = {
            "table": "orders", "key": ["id"], "cursor": "updated_at", "lookback": "0s",
        }  # fmt: skip

    def run(self, *statements: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement), values)

    def source(self) -> Any:
        settings = {**self.settings, "streams": {"orders": self.declared}}
        return open_source("shop", "sql", settings, home=self.home, folder=self.home)

    def sync(self, **options: Any) -> Any:
        source = self.source()
        (stream,) = source.streams()
        return sync_stream(source, stream, self.home, **options)

    def pages(self, state: dict[str, Any] | None = None, **window: Any) -> list[Any]:
        source = self.source()
        (stream,) = source.streams()
        return list(source.read(stream, state or {}, Window(now=datetime.now(UTC), **window)))

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = Landing(self.home).stream("shop", "orders").state()["state"]  # type: ignore[index]
        return state

    def quarantined(self) -> list[tuple[str | None, str, str]]:
        lines = Quarantine(self.home, "shop", "orders").lines()
        return [(line.key, line.reason, line.detail) for line in lines]


def lite(folder: Path, name: str = "shop.db") -> Base:
    sqlite3.connect(folder / name).close()
    url = sa.URL.create("sqlite", database=str(folder / name))
    return Base(folder, url, url=f"sqlite:///{name}")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Base]:
    made = lite(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def postgres(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Base]:
    """A database of its own and a user `reader` that may read what comes to be in it."""
    name = f"shop_{abs(hash(request.node.nodeid)):x}"
    admin = sa.create_engine(
        cluster.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
        connection.exec_driver_sql(
            "do $$ begin create role reader login; exception when duplicate_object then end $$"
        )
        quoted = PASSWORD.replace("'", "''")
        connection.exec_driver_sql(f"alter role reader password '{quoted}'")
    made = Base(
        tmp_path,
        cluster.url(name),
        url=f"postgresql://reader@127.0.0.1:{cluster.port}/{name}",
        password=PASSWORD,
    )
    made.run("alter default privileges grant select on tables to reader")
    yield made
    with admin.connect() as connection:
        connection.exec_driver_sql(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgres"])
def base(request: pytest.FixtureRequest) -> Base:
    """The same on both."""
    made: Base = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def rows(landed: Any) -> Any:
    def rows() -> dict[str, Any]:
        return {
            key: json.loads(record)
            for key, (op, _, record) in landed("shop.orders").items()
            if op == "upsert"
        }

    return rows


def orders(base: Base, *values: tuple[Any, ...], columns: str = "id, updated_at, name") -> None:
    marks = ", ".join(f":v{i}" for i in range(len(values[0])))
    rows = [{f"v{i}": value for i, value in enumerate(row)} for row in values]
    with base.engine.begin() as connection:
        connection.execute(sa.text(f"insert into orders ({columns}) values ({marks})"), rows)


def create(base: Base, columns: str = "id integer, updated_at timestamp, name text") -> None:
    base.run(f"create table orders ({columns})")


# Incremental


def test_only_what_changed_is_landed_and_rows_with_one_stamp_are_never_lost(
    base: Base, rows: Any
) -> None:
    create(base)
    orders(base, (1, "2026-01-01 10:00:00", "a"), (2, "2026-01-01 11:00:00", "b"))
    first = base.sync()
    assert (first.rows, first.source_count, first.held_count) == (2, 2, 2)
    assert first.cursor_to == "2026-01-01T11:00:00+00:00"

    again = base.sync()
    assert not again.changed

    # The same moment as the cursor, and a key below the last one.
    orders(base, (0, "2026-01-01 11:00:00", "tie"), (3, "2026-01-02 00:00:00.123456", "c"))
    base.run("update orders set name = 'A', updated_at = '2026-01-02 00:00:00' where id = 1")
    second = base.sync()
    assert second.rows == 3
    assert {key: row["name"] for key, row in rows().items()} == {
        "0": "tie", "1": "A", "2": "b", "3": "c",
    }  # fmt: skip
    assert base.state()["cursor"] == "2026-01-02T00:00:00.123456+00:00"


def test_a_row_that_appears_late_is_found_by_lookback_and_counted(base: Base, rows: Any) -> None:
    create(base)
    orders(base, (1, "2026-01-01 10:00:00", "a"))
    base.sync()
    orders(base, (2, "2026-01-01 09:50:00", "late"), (3, "2026-01-01 08:00:00", "too late"))
    assert base.sync().rows == 0
    base.declared["lookback"] = "15m"
    result = base.sync()
    assert (result.rows, result.late) == (1, 1)
    assert set(rows()) == {"1", "2"}
    # What nobody read shows in the comparison with what the database counts.
    assert (result.source_count, result.missing) == (3, 1)


def test_the_newest_part_of_time_can_be_left_for_later(base: Base, rows: Any) -> None:
    create(base)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    hour_ago, minute_ago = (str(now - timedelta(minutes=m)) for m in (60, 1))
    orders(base, (1, hour_ago, "old"), (2, minute_ago, "new"))
    base.declared["lag"] = "10m"
    assert base.sync().rows == 1
    base.declared["lag"] = "0s"
    assert base.sync().rows == 1
    assert set(rows()) == {"1", "2"}


def test_a_source_may_name_the_clock_that_stamps_its_rows(base: Base, rows: Any) -> None:
    create(base)
    orders(
        base, (1, LONG_AGO, "a"), (2, "2199-01-01 00:00:00", "b"), (3, "2199-01-03 00:00:00", "c")
    )
    base.settings["clock"] = "select '2199-01-02 00:00:00';"
    result = base.sync()
    assert set(rows()) == {"1", "2"}
    assert result.cursor_to == "2199-01-01T00:00:00+00:00"
    base.settings["clock"] = "select 'noon'"
    with pytest.raises(ConfigError, match=r"sources\.shop\.clock tells `noon`, which is no time"):
        base.sync()
    base.settings["clock"] = "delete from orders"
    with pytest.raises(ConfigError, match=r"sources\.shop\.clock: only a SELECT is run"):
        base.source()


def test_rows_from_the_future_wait_and_do_not_move_the_cursor(base: Base, rows: Any) -> None:
    create(base)
    orders(base, (1, "2026-01-01 10:00:00", "a"), (2, "2199-01-01 00:00:00", "wrong"))
    result = base.sync()
    assert set(rows()) == {"1"}
    assert result.cursor_to == "2026-01-01T10:00:00+00:00"
    assert result.missing == 1
    assert result.notes == (
        "rows whose `updated_at` is not before now wait for it: 1. If they should not, look at "
        "`timezone`",
    )


def test_rows_without_a_cursor_are_quarantined_with_advice(base: Base, rows: Any) -> None:
    create(base)
    orders(base, (1, "2026-01-01 10:00:00", "a"), (2, None, "b"), (None, None, "no key"))
    result = base.sync()
    assert set(rows()) == {"1"}
    assert sorted(reason for _, reason, _ in base.quarantined()) == ["no_cursor", "no_key"]
    assert result.quarantined == 2
    assert result.missing == 2
    assert result.notes == (
        "rows without `updated_at` are not read: 2. A `query` with coalesce(...) can give them one",
    )
    base.sync()
    assert len(base.quarantined()) == 2

    base.declared |= {
        "query": "select id, coalesce(updated_at, timestamp '2026-01-01 00:00:00') as updated_at, "
        "name from orders where id > 0"
        if base.is_postgres
        else "select id, coalesce(updated_at, '2026-01-01 00:00:00') as updated_at, name "
        "from orders where id > 0;"
    }
    del base.declared["table"]
    base.sync(full_refresh=True)
    assert set(rows()) == {"1", "2"}


def test_a_cursor_may_be_a_number(base: Base, rows: Any) -> None:
    create(base, "id integer, version bigint, name text")
    base.declared |= {"cursor": "version", "cursor_type": "number"}
    orders(base, (1, 99_999_999, "a"), (2, 9, "b"), columns="id, version, name")
    first = base.sync()
    assert (first.rows, first.source_count) == (2, 2)
    assert not base.sync().changed
    # A digit more must not look older.
    base.run("update orders set version = 100000000, name = 'A' where id = 1")
    orders(base, (3, 99_999_999, "tie"), columns="id, version, name")
    assert base.sync().rows == 2
    assert {key: row["name"] for key, row in rows().items()} == {"1": "A", "2": "b", "3": "tie"}


def test_a_counter_is_not_taken_for_a_time(base: Base) -> None:
    create(base, "id integer, version integer, name text")
    base.declared["cursor"] = "version"
    orders(base, (1, 17, "a"), columns="id, version, name")
    with pytest.raises(ConfigError, match=r"holds no times.*`cursor_type: number`"):
        base.sync()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00.500Z"),
        ("2026-01-01T10:00:00.000000+00:00", "2026-01-01T10:30:00.000000+00:00"),
        ("2026-01-01", "2026-01-02"),
        (1767261600, 1767261601),
        (1767261600000, 1767261600001),
        ("1767261600", "1767261601"),
        ("2026-01-01T12:00:00+02:00", "2026-01-01T12:30:00+02:00"),
    ],
)
def test_times_are_read_however_sqlite_keeps_them(
    sqlite: Base, rows: Any, first: Any, second: Any
) -> None:
    create(sqlite, "id integer, updated_at, name text")
    orders(sqlite, (1, first, "a"))
    assert sqlite.sync().rows == 1
    assert not sqlite.sync().changed
    orders(sqlite, (2, second, "b"))
    sqlite.declared["lookback"] = "1h"
    assert sqlite.sync().rows == 1
    assert set(rows()) == {"1", "2"}


def test_a_day_as_cursor_takes_today_in_again_and_again(base: Base, rows: Any) -> None:
    create(base, "id integer, updated_at date, name text")
    today = str(datetime.now(UTC).date())
    orders(base, (1, today, "morning"))
    assert base.sync().rows == 1
    orders(base, (2, today, "evening"))
    assert base.sync().rows == 1
    assert set(rows()) == {"1", "2"}


def test_times_without_a_zone_are_read_in_the_zone_of_the_stream(base: Base, rows: Any) -> None:
    create(base)
    just_now = datetime.now(ZoneInfo("Europe/Berlin")) - timedelta(minutes=1)
    base.declared["timezone"] = "Europe/Berlin"
    orders(base, (1, "2026-07-01 12:00:00", "summer"), (2, str(just_now)[:19], "just now"))
    result = base.sync()
    assert result.rows == 2
    base.run("delete from orders where id = 2")
    assert not base.sync().changed
    versions = Landing(base.home).stream("shop", "orders").held(["1"])
    assert versions["1"][0].version == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_since_and_until_bound_a_sync_and_leave_no_gap_behind(base: Base, rows: Any) -> None:
    create(base)
    orders(base, *((day, f"2026-01-0{day} 10:00:00", "x") for day in range(1, 7)))

    def at(day: int) -> datetime:
        return datetime(2026, 1, day, tzinfo=UTC)

    base.sync(until=at(3))
    assert set(rows()) == {"1", "2"}
    base.sync(since=at(5))
    assert set(rows()) == {"1", "2", "5", "6"}
    base.sync()
    assert set(rows()) == {"1", "2", "3", "4", "5", "6"}


def test_an_interrupted_walk_goes_on_behind_the_last_page(
    base: Base, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "FIRST_ROWS", 3)
    monkeypatch.setattr(tables, "MOST_ROWS_PER_PAGE", 3)
    create(base, "a integer, b text, updated_at timestamp, name text")
    base.declared["key"] = ["a", "b"]
    # Few stamps, many ties: a page ends in the middle of one. As texts, 10 came before 8.
    values = [(8 + i % 5, f"k{i:02d}", f"2026-01-0{1 + i // 8} 10:00:00.5", "x") for i in range(20)]
    orders(base, *values, columns="a, b, updated_at, name")
    pages = [page for page in base.pages() if page.records]
    assert [len(page.records) for page in pages] == [3, 3, 3, 3, 3, 3, 2]
    for number, page in enumerate(pages):
        state = json.loads(json.dumps(page.state))
        rest = [record for later in base.pages(state) for record in later.records]
        assert rest == [record for later in pages[number + 1 :] for record in later.records]


def test_a_walk_by_number_goes_on_behind_the_last_number(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "FIRST_ROWS", 3)
    monkeypatch.setattr(tables, "MOST_ROWS_PER_PAGE", 3)
    create(base)
    base.declared |= {"cursor": "id", "cursor_type": "number"}
    orders(base, *((i, None, "x") for i in (8, 100, 9, 10, 12, 11)))
    first, *_ = (page for page in base.pages() if page.records)
    assert [json.loads(record)["id"] for record in first.records] == [8, 9, 10]
    later = [record for page in base.pages(first.state) for record in page.records]
    assert [json.loads(record)["id"] for record in later] == [11, 12, 100]


def test_a_sync_that_dies_keeps_its_pages_and_the_next_one_asks_for_the_rest(
    base: Base, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "FIRST_ROWS", 10)
    monkeypatch.setattr(tables, "MOST_ROWS_PER_PAGE", 10)
    create(base)
    orders(base, *((i, f"2026-01-01 10:00:{i:02d}", "x") for i in range(40)))
    source = base.source()
    (stream,) = source.streams()
    read = source.read

    def breaks(*arguments: Any) -> Any:
        for number, page in enumerate(read(*arguments)):
            if number == 3:
                raise Unreachable("gone", place="shop.orders")
            yield page

    source.read = breaks
    with pytest.raises(Unreachable):
        sync_stream(source, stream, base.home)
    assert len(rows()) == 20
    result = base.sync()
    assert result.rows == 20
    assert len(rows()) == 40
    assert "walk" not in base.state()


def test_a_lost_connection_says_so_and_the_walk_can_go_on(
    postgres: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "FIRST_ROWS", 10)
    monkeypatch.setattr(tables, "MOST_ROWS_PER_PAGE", 10)
    create(postgres)
    orders(postgres, *((i, f"2026-01-01 10:00:{i:02d}", "x") for i in range(40)))
    source = postgres.source()
    (stream,) = source.streams()
    reading = source.read(stream, {}, Window(now=datetime.now(UTC)))
    page = next(page for page in reading if page.records)
    postgres.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'reader'")
    with pytest.raises(Unreachable, match=r"no connection to .* or it was lost"):
        list(reading)
    assert sum(len(later.records) for later in postgres.pages(page.state)) == 30


@given(
    st.lists(
        st.none() | st.text() | st.integers() | st.binary() | st.uuids() | st.dates()
        | st.datetimes(timezones=st.just(UTC)) | st.decimals(allow_nan=False)
        | st.floats(allow_nan=False, allow_infinity=False)
    )
)  # fmt: skip
def test_a_position_survives_the_state(position: list[Any]) -> None:
    state = json.loads(json.dumps(tables.pack(tuple(position))))
    assert tables.unpack(state) == tuple(position)


def test_counting_can_be_left_out(base: Base, rows: Any) -> None:
    create(base)
    base.declared["count"] = False
    orders(base, (1, LONG_AGO, "a"))
    result = base.sync()
    assert (result.rows, result.source_count) == (1, None)


# Deletes


def test_a_snapshot_deletes_what_it_no_longer_shows(base: Base, landed: Any) -> None:
    create(base)
    base.declared = {"table": "orders", "key": "id", "snapshot": True}
    orders(base, (1, LONG_AGO, "a"), (2, None, "b"))
    assert base.sync().rows == 2
    assert not base.sync().changed
    base.run("delete from orders where id = 1", "update orders set name = 'B' where id = 2")
    result = base.sync()
    assert (result.rows, result.deletes, result.held_count) == (1, 1, 1)
    assert landed("shop.orders")["1"][0] == "delete"


def test_a_snapshot_that_lost_most_of_its_rows_is_refused(base: Base, rows: Any) -> None:
    create(base)
    base.declared = {"table": "orders", "key": "id", "snapshot": True}
    orders(base, *((i, LONG_AGO, "x") for i in range(80)))
    base.sync()
    base.run("delete from orders")
    with pytest.raises(LandingError, match="lost permission"):
        base.sync()
    assert len(rows()) == 80


@pytest.mark.parametrize(
    ("kind", "mark", "live", "values"),
    [
        ("boolean", True, False, [True]),
        ("boolean", True, None, None),
        ("integer", 1, 0, [True]),
        ("text", "Y", "N", ["y"]),
        ("text", "archived", "open", ["deleted", "archived"]),
        ("timestamp", "2026-01-02 09:00:00", None, None),
    ],
)
def test_a_column_marks_deleted_rows(
    base: Base, landed: Any, kind: str, mark: Any, live: Any, values: Any
) -> None:
    create(base, f"id integer, updated_at timestamp, name text, gone {kind}")
    base.declared |= {"deleted": {"column": "gone", "values": values}, "fields": ["name"]}
    columns = "id, updated_at, name, gone"
    orders(base, (1, LONG_AGO, "a", live), (2, LONG_AGO, "b", live), columns=columns)
    orders(base, (3, LONG_AGO, "never held", mark), columns=columns)
    first = base.sync()
    assert (first.rows, first.deletes, first.source_count, first.missing) == (2, 0, 2, 0)
    base.run(
        "update orders set gone = :mark, updated_at = '2026-01-02 10:00:00' where id = 1", mark=mark
    )
    second = base.sync()
    assert (second.deletes, second.source_count, second.extra) == (1, 1, 0)
    assert landed("shop.orders")["1"][0] == "delete"
    assert json.loads(landed("shop.orders")["2"][2]) == {
        "id": 2, "updated_at": json.loads(landed("shop.orders")["2"][2])["updated_at"], "name": "b",
    }  # fmt: skip
    base.run(
        "update orders set gone = :mark, updated_at = '2026-01-03 10:00:00' where id = 1", mark=live
    )
    base.sync()
    assert landed("shop.orders")["1"][0] == "upsert"


def test_a_full_refresh_finds_rows_that_are_gone_and_spares_those_that_wait(
    base: Base, landed: Any
) -> None:
    create(base)
    orders(base, *((i, LONG_AGO, "x") for i in range(4)))
    base.sync()
    base.run(
        "delete from orders where id = 0",
        "update orders set updated_at = '2199-01-01 00:00:00' where id = 1",
        "update orders set updated_at = null where id = 2",
    )
    assert base.sync().extra == 1
    result = base.sync(full_refresh=True)
    assert result.deletes == 1
    assert {key: op for key, (op, _, _) in landed("shop.orders").items()} == {
        "0": "delete", "1": "upsert", "2": "upsert", "3": "upsert",
    }  # fmt: skip


# Tables that another loader brought


def test_a_time_limit_of_the_database_is_told_as_one(postgres: Base) -> None:
    create(postgres)
    orders(postgres, (1, "2026-01-01 10:00:00", "a"))
    postgres.run(
        "do $$ begin execute format('alter role reader in database %I set statement_timeout = 200',"
        " current_database()); end $$"
    )
    del postgres.declared["table"]
    postgres.declared["query"] = "select *, pg_sleep(5)::text as nap from orders"
    with pytest.raises(ServerError, match="took too long"):
        postgres.sync()


def test_a_table_as_airbyte_leaves_it(postgres: Base, landed: Any) -> None:
    create(
        postgres,
        "_airbyte_raw_id text, _airbyte_extracted_at timestamptz, _airbyte_meta jsonb, id bigint, "
        "properties jsonb, _ab_cdc_deleted_at text",
    )
    postgres.declared |= {
        "cursor": "_airbyte_extracted_at",
        "lookback": "6h",
        "deleted": {"column": "_ab_cdc_deleted_at"},
        "fields": ["properties"],
    }
    insert = (
        "insert into orders select md5(n::text), timestamptz '2026-01-01 10:00Z', "
        "'{\"changes\": []}', n, jsonb_build_object('email', n || '@example.com', "
        "'total', 1.10) from generate_series(1, 3) as s(n)"
    )
    postgres.run(insert)
    assert postgres.sync().rows == 3
    # The next load replaces rows, marks one, and is stamped when it began.
    postgres.run(
        "update orders set _ab_cdc_deleted_at = '2026-01-01T10:30:00Z', "
        "_airbyte_extracted_at = '2026-01-01 11:00Z' where id = 3",
        "insert into orders values ('x', '2026-01-01 09:00Z', '{}', 4, '{}')",
    )
    result = postgres.sync()
    assert (result.rows, result.deletes, result.late) == (1, 1, 1)
    assert landed("shop.orders")["1"][2] == (
        '{"_airbyte_extracted_at":"2026-01-01T10:00:00+00:00","id":1,'
        '"properties":{"email": "1@example.com", "total": 1.10}}'
    )


def test_a_table_in_history_mode_shows_its_newest_version(base: Base, landed: Any) -> None:
    create(
        base,
        "id text, name text, _fivetran_start timestamp, _fivetran_active boolean, "
        "_fivetran_synced timestamp",
    )
    base.declared = {
        "query": "select * from (select *, row_number() over (partition by id "
        "order by _fivetran_start desc) as version from orders) as versions where version = 1",
        "key": "id",
        "cursor": "_fivetran_synced",
        "deleted": {"column": "_fivetran_active", "values": [False]},
        "fields": ["name"],
    }
    columns = "id, name, _fivetran_start, _fivetran_active, _fivetran_synced"
    first, second, third = (f"2026-01-0{day} 10:00:00" for day in (1, 2, 3))
    orders(base, ("a", "A1", first, True, first), ("b", "B1", first, True, first), columns=columns)
    base.sync()
    # One load closes a version, opens the next, and deletes another record.
    base.run(
        f"update orders set _fivetran_active = false, _fivetran_synced = '{second}'",
    )
    orders(base, ("a", "A2", second, True, second), columns=columns)
    base.sync()
    assert {key: op for key, (op, _, _) in landed("shop.orders").items()} == {
        "a": "upsert", "b": "delete",
    }  # fmt: skip
    assert json.loads(landed("shop.orders")["a"][2])["name"] == "A2"
    orders(base, ("b", "B2", third, True, third), columns=columns)
    base.sync()
    assert landed("shop.orders")["b"][0] == "upsert"


# Values


def test_values_of_postgresql_arrive_as_it_writes_them(postgres: Base, landed: Any) -> None:
    postgres.run(
        "create type mood as enum ('glad', 'sad')",
        """create table orders (
            id uuid, updated_at timestamptz, total numeric, exact numeric(30, 10), half real,
            double double precision, far timestamp, day date, doc json, tree jsonb, tags text[],
            mood mood, photo bytea, flag boolean, big bigint, span interval, "Mixed % Case" text,
            address inet, hour time)""",
        r"""insert into orders values (
            '6b1f5a0e-0000-4000-8000-000000000001', '2026-01-01 10:00:00.123456+02', 1.10,
            12345678901234567890.1234567890, 0.1, 'NaN', 'infinity', '2026-02-30'::text::date - 1,
            '{"b": 1.10,  "a": [1e400]}', '{"b": 1.10}', '{"x", null, "y\"z"}',
            'sad', '\x00ff10', true, 9007199254740993, '1 day 2 hours', 'it''s', '10.0.0.1',
            '10:00:00')""".replace("'2026-02-30'::text::date - 1", "'2026-02-28'"),
    )
    result = postgres.sync()
    assert result.notes == ("bytes are kept as base64: photo",)
    (record,) = [record for _, _, record in landed("shop.orders").values()]
    assert record == (
        '{"id":"6b1f5a0e-0000-4000-8000-000000000001",'
        '"updated_at":"2026-01-01T08:00:00.123456+00:00","total":1.10,'
        '"exact":12345678901234567890.1234567890,"half":0.1,"double":"NaN","far":"infinity",'
        '"day":"2026-02-28","doc":{"b": 1.10,  "a": [1e400]},"tree":{"b": 1.10},'
        '"tags":["x",null,"y\\"z"],"mood":"sad","photo":"AP8Q","flag":true,'
        '"big":9007199254740993,"span":"1 day 02:00:00","Mixed % Case":"it\'s",'
        '"address":"10.0.0.1","hour":"10:00:00"}'
    )
    assert postgres.state()["cursor"] == "2026-01-01T08:00:00.123456+00:00"


def test_stamps_beyond_any_calendar_stop_nothing(postgres: Base, rows: Any) -> None:
    create(postgres, "id integer, updated_at timestamptz, born timestamp, name text")
    columns = "id, updated_at, born, name"
    orders(postgres, (1, "2026-01-01 10:00Z", "0044-03-15 00:00 BC", "a"), columns=columns)
    orders(postgres, (2, "infinity", None, "b"), (3, "-infinity", None, "c"), columns=columns)
    orders(postgres, (4, "20260-01-01 10:00Z", "99999-01-01", "d"), columns=columns)
    result = postgres.sync()
    assert set(rows()) == {"1", "3"}
    assert rows()["1"]["born"] == "0044-03-15T00:00:00 BC"
    assert result.missing == 2


def test_json_that_no_reader_agrees_on_is_quarantined(postgres: Base, rows: Any) -> None:
    create(postgres, "id integer, updated_at timestamp, doc json")
    columns = "id, updated_at, doc"
    orders(postgres, (1, LONG_AGO, '{"a": 1}'), (2, LONG_AGO, '{"a": 1, "a": 2}'), columns=columns)
    orders(postgres, (3, LONG_AGO, r'"\u0000"'), (4, LONG_AGO, r'"\ud800"'), columns=columns)
    postgres.sync()
    assert set(rows()) == {"1"}
    assert [(key, reason) for key, reason, _ in postgres.quarantined()] == [
        ("2", "duplicate_name"), ("3", "nul"), ("4", "lone_surrogate"),
    ]  # fmt: skip


def test_values_of_sqlite_arrive_whole_or_in_quarantine(sqlite: Base, landed: Any) -> None:
    create(sqlite, "id integer, updated_at text, value")
    columns = "id, updated_at, value"
    values = [1.10, 2**63 - 1, b"\x00\xff\x10", float("inf"), "Zoë <b>", None, "x" * 3_000_000]
    rows = [(i, LONG_AGO, value) for i, value in enumerate(values)]
    orders(sqlite, *rows, columns=columns)
    sqlite.run(
        f"insert into orders values (90, '{LONG_AGO}', cast(x'41ff42' as text))",
        f"insert into orders values (91, '{LONG_AGO}', 'a' || char(0) || 'b')",
    )
    sqlite.sync()
    found = {key: json.loads(record)["value"] for key, (_, _, record) in
             landed("shop.orders").items()}  # fmt: skip
    assert found == {
        "0": 1.1, "1": 2**63 - 1, "2": "AP8Q", "3": "Infinity", "4": "Zoë <b>", "5": None,
        "6": "x" * 3_000_000,
    }  # fmt: skip
    assert [(key, reason) for key, reason, _ in sqlite.quarantined()] == [
        ("90", "invalid_json"), ("91", "nul"),
    ]  # fmt: skip


def test_values_that_drivers_hand_over_become_json() -> None:
    from decimal import Decimal
    from uuid import UUID

    given = {
        "decimal": Decimal("1.10"), "large": 2**70, "nan": Decimal("NaN"), "aware":
        datetime(2026, 1, 1, tzinfo=UTC), "naive": datetime(2026, 1, 1, 10), "uuid": UUID(int=1),
        "list": [float("nan"), Decimal("2.50")], "set": {"a"}, "map": {"x": float("-inf")},
        "bytes": memoryview(b"\x00\xff\x10"), "complex": complex(1, 2),
    }  # fmt: skip
    assert tables.as_json(given.keys(), given.values()) == (
        b'{"decimal":1.10,"large":1180591620717411303424,"nan":"NaN",'
        b'"aware":"2026-01-01T00:00:00Z","naive":"2026-01-01T10:00:00",'
        b'"uuid":"00000000-0000-0000-0000-000000000001","list":["NaN",2.50],"set":["a"],'
        b'"map":{"x":"-Infinity"},"bytes":"AP8Q","complex":"(1+2j)"}'
    )


def test_only_the_chosen_columns_leave_the_database(base: Base, landed: Any) -> None:
    create(base, "id integer, updated_at timestamp, name text, iban text")
    base.declared["fields"] = ["name"]
    orders(base, (1, LONG_AGO, "a", "DE00 1234"), columns="id, updated_at, name, iban")
    base.sync()
    ((_, _, record),) = landed("shop.orders").values()
    assert list(json.loads(record)) == ["id", "updated_at", "name"]


@pytest.mark.parametrize("cursor", ["updated_at", "id"])
def test_a_column_chosen_later_is_read_of_every_row_once(
    sqlite: Base, rows: Any, cursor: str
) -> None:
    sqlite.run("create table orders (id integer, updated_at timestamp, name text, town text)")
    for number in range(1, 4):
        stamp = f"2026-03-0{number} 09:00:00"
        sqlite.run(f"insert into orders values ({number}, '{stamp}', 'Ada', 'Leeds')")
    sqlite.declared |= {"cursor": cursor, "fields": ["name"]}
    sqlite.declared |= {"cursor_type": "number"} if cursor == "id" else {}
    sqlite.sync()
    sqlite.declared["fields"] = ["name", "town"]
    result = sqlite.sync()
    assert (result.rows, result.notes) == (3, ("new column: town", "read again for town"))
    assert {row["town"] for row in rows().values()} == {"Leeds"}
    assert sqlite.sync().rows == 0


def test_a_query_may_hold_colons_percents_comments_and_words_of_writing(
    base: Base, rows: Any
) -> None:
    create(base)
    orders(base, (1, LONG_AGO, "50% :off; delete"))
    del base.declared["table"]
    base.declared["query"] = """
        -- insert; nothing
        with o as (select * from orders /* update */ where name like '%:off; delete%')
        select o.*, '10:30 :x' as "delete", name as "update" from o;  -- the end
    """
    base.sync()
    assert rows()["1"]["delete"] == "10:30 :x"
    assert rows()["1"]["name"] == "50% :off; delete"


def test_memory_does_not_grow_with_the_table(base: Base) -> None:
    create(base, "id integer, updated_at timestamp, name text")
    numbers = (
        "generate_series(1, 30000) as s(n)"
        if base.is_postgres
        else "(with recursive s(n) as (select 1 union all select n + 1 from s where n < 30000) "
        "select n from s)"
    )
    padding = "repeat('x', 2000)" if base.is_postgres else "hex(zeroblob(1000))"
    base.run(f"insert into orders select n, '{LONG_AGO}', {padding} from {numbers}")
    source = base.source()
    (stream,) = source.streams()
    tracemalloc.start()
    records = sum(
        len(page.records) for page in source.read(stream, {}, Window(now=datetime.now(UTC)))
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert records == 30_000  # 60 MB of text
    assert peak < 16 * 2**20


# Changes of shape


def test_new_and_lost_columns_are_told_and_the_rest_goes_on(base: Base, rows: Any) -> None:
    create(base, "id integer, updated_at timestamp, name text, old text")
    orders(base, (1, LONG_AGO, "a"))
    assert base.sync().notes == ()
    base.run("alter table orders add column tier text", "alter table orders drop column old")
    orders(base, (2, "2026-02-01 10:00:00", "b", "gold"), columns="id, updated_at, name, tier")
    result = base.sync()
    assert result.notes == ("new column: tier", "lost column: old")
    assert rows()["2"]["tier"] == "gold"
    assert base.sync().notes == ()


def test_a_column_that_is_named_and_lost_is_an_error_with_a_suggestion(base: Base) -> None:
    create(base)
    base.declared["fields"] = ["nam"]
    with pytest.raises(ConfigError) as caught:
        base.sync()
    assert str(caught.value) == (
        "shop.orders: there is no column `nam`. Did you mean `name`? Columns: id, updated_at, name."
    )


@pytest.mark.parametrize(
    "mapping",
    [
        {"to": "person", "columns": {"email": "nam"}},
        {"to": "person", "columns": {"email": {"first_of": ["name", "nam"]}}},
        {"to": "person", "columns": {"custom": ["nam"]}},
        [{"to": "person", "columns": {"id": "id"}, "where": {"nam": "a"}}],
    ],
)
def test_a_mapped_column_that_is_not_there_stops_check_and_sync(
    sqlite: Base, mapping: object
) -> None:
    create(sqlite)
    sqlite.declared["map"] = mapping
    for ask in (sqlite.source().check, sqlite.sync):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert "there is no column `nam`. Did you mean `name`?" in str(caught.value)


def test_a_mapped_column_must_be_among_the_fields_that_are_taken(sqlite: Base) -> None:
    create(sqlite)
    sqlite.declared |= {"fields": ["id"], "map": {"to": "person", "columns": {"email": "name"}}}
    with pytest.raises(ConfigError, match="`map` names the column `name`, which `fields` leaves"):
        sqlite.source()


# Read-only


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("delete from orders", "only a SELECT is run; this is none"),
        ("drop table orders", "only a SELECT is run; this is none"),
        ("select 1 as id; drop table orders", "more than one statement"),
        ("with x as (delete from orders returning *) select * from x", "the word `delete`"),
        ("select * into copied from orders", "the word `into`"),
        ("select * from orders for update", "the word `update`"),
    ],
)
def test_a_statement_that_writes_is_refused_before_it_is_sent(
    sqlite: Base, query: str, said: str
) -> None:
    sqlite.declared = {"query": query, "key": "id", "snapshot": True}
    with pytest.raises(ConfigError, match=said):
        sqlite.source()


def test_the_database_itself_refuses_to_write(base: Base) -> None:
    create(base)
    with base.source()._database.connected("shop") as connection, pytest.raises(sa.exc.DBAPIError):
        connection.exec_driver_sql("insert into orders (id) values (1)")


def test_a_function_that_writes_is_refused_by_postgresql(postgres: Base) -> None:
    postgres.run("create sequence numbers", "grant usage on sequence numbers to reader")
    postgres.declared = {
        "query": "select nextval('numbers') as id", "key": "id", "snapshot": True,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="wants to write, and the connection only reads"):
        postgres.sync()


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    settings = {"url": "sqlite:///nowhere.db", "streams": {}}
    source = open_source("shop", "sql", settings, home=tmp_path, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"there is no file `nowhere.db`"):
        source.check()
    assert not (tmp_path / "nowhere.db").exists()


def test_an_sqlite_file_may_have_any_name(tmp_path: Path) -> None:
    base = lite(tmp_path, "we ird%20#?.db")
    base.settings["url"] = str(sa.URL.create("sqlite", database="we ird%20#?.db"))
    create(base)
    assert base.source().check().detail.startswith("sqlite 3.")


# Errors


def test_a_missing_table_names_the_one_that_was_meant(base: Base) -> None:
    create(base)
    base.declared["table"] = "Order"
    with pytest.raises(ConfigError) as caught:
        base.sync()
    assert str(caught.value) == (
        "shop.orders: there is no table `Order`, or it may not be seen. Did you mean `orders`? "
        "Name it with its schema, as `sales.orders`."
    )


def test_a_table_may_lie_in_a_schema(postgres: Base, rows: Any) -> None:
    postgres.run(
        'create schema "Sales"', 'create table "Sales".orders as select 1 as id, now() as at',
        'grant usage on schema "Sales" to reader', 'grant select on "Sales".orders to reader',
    )  # fmt: skip
    postgres.declared |= {"table": "Sales.orders", "cursor": "at"}
    postgres.sync()
    assert set(rows()) == {"1"}


def test_a_query_with_two_columns_of_one_name_says_so(postgres: Base) -> None:
    create(postgres)
    postgres.declared = {
        "query": "select a.id, b.id from orders a join orders b using (id)", "key": "id",
        "snapshot": True,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="two columns `id`"):
        postgres.sync()


@pytest.mark.parametrize("query", ["select id from", "select id, nope from orders"])
def test_a_wrong_query_repeats_what_the_database_says(base: Base, query: str) -> None:
    create(base)
    base.declared = {"query": query, "key": "id", "snapshot": True}
    with pytest.raises(ConfigError, match=r"The database says: .*(syntax|nope)"):
        base.sync()


def test_a_missing_permission_names_what_to_grant(postgres: Base, rows: Any) -> None:
    create(postgres)
    orders(postgres, (1, LONG_AGO, "secret"))
    postgres.run("revoke select on orders from reader")
    with pytest.raises(AuthError, match=r"permission denied for table orders\. Grant SELECT\."):
        postgres.sync()
    # Rights on single columns are enough.
    postgres.run("grant select (id, updated_at) on orders to reader")
    postgres.declared["fields"] = ["id"]
    postgres.sync()
    assert set(rows()["1"]) == {"id", "updated_at"}


def test_a_value_that_fails_in_a_query_is_not_repeated(postgres: Base) -> None:
    create(postgres)
    orders(postgres, (1, LONG_AGO, "ada@example.com"))
    postgres.declared = {
        "query": "select id, name::integer as n from orders", "key": "id", "snapshot": True,
    }  # fmt: skip
    with pytest.raises(RapportError) as caught:
        postgres.sync()
    assert "22P02" in str(caught.value)
    assert "ada@" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"password": "wrong-Pa55word"}, AuthError, "refused the user or its password"),
        ({"url": "postgresql://reader@127.0.0.1:1/shop"}, Unreachable, "no connection to"),
        ({"url": "postgresql://reader:inUrl5ecret@127.0.0.1:1/shop?nonsense=1"}, ConfigError,
         "knows no option `nonsense`"),
        ({"url": "postgresql//reader:inUrl5ecret@h/shop"}, ConfigError, "no address of a database"),
        ({"url": "oracle://reader:inUrl5ecret@h/shop"}, ConfigError, "needs the Python package"),
        ({"url": "nosuch://reader:inUrl5ecret@h/shop"}, ConfigError, "no kind of database"),
    ],
)  # fmt: skip
def test_no_password_shows_in_an_error_or_a_log(
    postgres: Base, change: dict[str, str], error: type, said: str, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    postgres.settings = {"password": PASSWORD, **postgres.settings, **change}
    if "inUrl" in postgres.settings["url"]:
        del postgres.settings["password"]
    with pytest.raises(error, match=said) as caught:
        postgres.source().check()
    chain = [caught.value]
    while chain[-1].__cause__:
        chain.append(chain[-1].__cause__)
    told = " ".join(map(str, chain)) + caplog.text
    for secret in (PASSWORD, "wrong-Pa55word", "inUrl5ecret"):
        assert secret not in told


def test_a_database_that_is_not_there_is_a_matter_of_configuration(
    cluster: Cluster, tmp_path: Path
) -> None:
    base = Base(tmp_path, cluster.url("nowhere"), url=str(cluster.url("nowhere")))
    base.settings["password"] = PASSWORD
    with pytest.raises(ConfigError, match='database "nowhere" does not exist'):
        base.source().check()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_addresses_of_hosted_databases_are_understood(cluster: Cluster, postgres: Base) -> None:
    create(postgres)
    plain = postgres.settings["url"].replace("postgresql:", "postgres:")
    postgres.settings["url"] = f"{plain}?sslmode=require&channel_binding=require&connect_timeout=9"
    postgres.declared = {
        "query": "select s.ssl as id from pg_stat_ssl s where s.pid = pg_backend_pid()",
        "key": "id", "snapshot": True,
    }  # fmt: skip
    (page, *_) = [page for page in postgres.pages() if page.records]
    assert page.records == [b'{"id":true}']
    postgres.settings["url"] = f"{plain}?sslmode=verify-full"
    with pytest.raises(Unreachable):
        postgres.source().check()
    postgres.settings["url"] = (
        f"{plain}?sslmode=verify-ca&sslrootcert={cluster.folder}/certificate.pem"
    )
    assert postgres.source().check().ok


def test_check_says_what_is_there_and_reads_no_row(base: Base) -> None:
    create(base)
    check = base.source().check()
    assert check.ok
    assert check.detail.endswith("read-only, 1 stream")
    assert PASSWORD not in check.account


# Declarations


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"query": "select 1"}, "write either `table:` or `query:`"),
        ({"cursor": None}, "write `cursor:` .* or `snapshot: true`"),
        ({"timezone": "Europe/Berlino"}, "there is no time zone `Europe/Berlino`"),
        ({"lookback": "soon"}, "lookback"),
        ({"key": []}, "`key` is empty"),
        ({"tabel": "x"}, "unknown key `tabel`"),
    ],
)
def test_a_mistake_in_a_declaration_is_named(
    sqlite: Base, change: dict[str, Any], said: str
) -> None:
    sqlite.declared |= change
    with pytest.raises(ConfigError, match=said):
        sqlite.source()


def test_streams_are_declared_without_the_address(tmp_path: Path) -> None:
    settings = {
        "url": "${WAREHOUSE_URL}",
        "streams": {"orders": {"table": "orders", "key": "id", "cursor": "at", "lag": "2h"}},
    }
    (stream,) = open_source("shop", "sql", settings, home=tmp_path).streams()
    assert (stream.key, stream.lag) == (("id",), timedelta(hours=2))
