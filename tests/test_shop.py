"""The generated company's shop: from its database to purchases, sign-ins and the ladder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from assets.run import run_job
from connectors.sync import sync_stream
from rapport import demo
from rapport.config import Config
from rapport.status import stream_lines
from sandbox.server import Sandbox, serve

pytestmark = pytest.mark.demo

NOW = datetime(2026, 6, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    vendors = ("salesforce", "shop")
    with serve(people=250, seed=5, port=0, now=NOW, vendors=vendors) as running:
        yield running


@pytest.fixture(scope="module")
def config(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Config:
    made = demo.write_config(tmp_path_factory.mktemp("shop"), sandbox.credentials)
    run_job(made)
    return made


def ask(config: Config, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(config.home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(sql).fetchall()


def truly_bought(sandbox: Sandbox, folder: Path) -> set[tuple[Any, ...]]:
    sandbox.write_truth(folder)
    names = ("purchase_id", "occurred_at", "amount", "currency")
    rows = pq.read_table(folder / "purchases.parquet").select(names).to_pylist()
    return {tuple(row.values()) for row in rows}


def held(config: Config) -> set[tuple[Any, ...]]:
    rows = ask(
        config,
        "select purchase_id, epoch_us(occurred_at), amount, currency from fct_purchase",
    )
    return {
        (key, datetime.fromtimestamp(at / 1e6, UTC), amount, currency)
        for key, at, amount, currency in rows
    }


def test_purchases_are_what_was_paid_and_kept_to_the_cent(
    sandbox: Sandbox, config: Config, tmp_path: Path
) -> None:
    bought = truly_bought(sandbox, tmp_path)
    assert len(bought) > 200
    assert {row[3] for row in bought} == {"USD", "EUR"}
    assert held(config) == bought


def test_an_order_number_that_two_systems_gave_is_two_purchases(config: Config) -> None:
    twice = ask(
        config,
        "select count(*) from (select regexp_extract(purchase_id, '[0-9]+') from fct_purchase "
        "group by all having count(*) = 2)",
    )
    assert twice[0][0] > 20


def test_who_buys_is_whom_the_crm_knows_by_the_same_address(
    sandbox: Sandbox, config: Config, tmp_path: Path
) -> None:
    """Two profiles that are one person here are one person in truth."""
    sandbox.write_truth(tmp_path)
    true = {
        row["profile_key"]: row["person"]
        for row in pq.read_table(tmp_path / "profiles.parquet").to_pylist()
    }
    pairs = ask(
        config,
        "select a.profile_key, b.profile_key from dim_profile a join dim_profile b "
        "using (person_id) where a.source = 'shop' and b.source = 'crm' "
        "and a.stream = 'customers' and b.stream in ('contacts', 'leads')",
    )
    right = [true[ours] == true[theirs] for ours, theirs in pairs if true[ours] is not None]
    assert len(right) > 15
    assert sum(right) / len(right) > 0.95
    [(mailboxes, together)] = ask(
        config,
        "select count(*), max(n) from (select count(*) over (partition by person_id) as n "
        "from dim_profile where source = 'shop' and display_name like 'Purchasing %')",
    )
    assert (mailboxes > 0, together) == (True, 1), "a mailbox of many is no link between them"


def test_the_purchase_ladder_has_its_steps(config: Config) -> None:
    ladder = ask(
        config,
        "select ordinal, started, reached, median_days from rel_cadence "
        "where as_of = date '2026-06-30' and step = 'purchase' and segment_type = 'all' "
        "order by ordinal",
    )
    assert [row[0] for row in ladder] == list(range(2, 9))
    reached = [row[2] for row in ladder]
    assert reached == sorted(reached, reverse=True)
    assert 0 < reached[2] < ladder[2][1]
    assert 30 < ladder[2][3] < 300, "days to the fourth purchase"


def test_every_sign_in_is_there_and_counts_as_coming_by(sandbox: Sandbox, config: Config) -> None:
    [(logins,)] = sandbox.world.shop.rows("select count(*) from logins")
    assert ask(config, "select count(*), count(person_id) from fct_login") == [(logins, logins)]
    counted = ask(
        config,
        "select sum(events)::int from rel_activity_daily "
        "where behavior = 'login' and role = 'actor'",
    )
    assert counted == [(logins,)]


def test_nothing_of_a_week_is_missed_and_what_is_taken_back_is_gone(
    sandbox: Sandbox, config: Config, tmp_path: Path
) -> None:
    before = held(config)
    for days in (0.6, 2.4, 4):
        sandbox.advance(days=days)
        shop = config.open("shop")
        for stream in shop.streams():
            sync_stream(shop, stream, config.home)
    made = demo.write_config(config.home, sandbox.credentials)
    run_job(made)
    bought = truly_bought(sandbox, tmp_path)
    assert before - bought, "cancelled, refunded or deleted meanwhile"
    assert bought - before
    assert held(config) == bought
    lines = {line["place"]: line for line in stream_lines(made)}
    assert not any(lines[f"shop.{name}"]["quarantined"] for name in ("customers", "orders"))
