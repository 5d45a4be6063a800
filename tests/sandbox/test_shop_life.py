"""The generated company's shop: of the same people, true to the truth, no trouble to others."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
import pytest

from sandbox.server import serve
from sandbox.shop_life import LEGACY, WEB, Order, address_key
from sandbox.world import World

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ALL = ("salesforce", "discourse", "shop")
TABLES = ("customers", "orders", "order_lines", "refunds", "logins")


def small(people: int = 120, **how: Any) -> World:
    return World(**{"people": people, "seed": 3, "now": NOW, "vendors": ALL, **how})


def tables(world: World) -> list[list[tuple[Any, ...]]]:
    return [world.shop.rows(f"select * from {name}") for name in TABLES]


@pytest.fixture(scope="module")
def world() -> World:
    """A world big enough to hold every trap; only read."""
    return World(people=1500, seed=7, now=NOW, vendors=("shop",))


@pytest.fixture(scope="module")
def truth(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    folder = tmp_path_factory.mktemp("truth")
    world.write_truth(folder)
    return {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}


def test_the_same_seed_makes_the_same_shop_in_however_many_steps() -> None:
    at_once, in_steps = small(), small()
    assert tables(at_once) == tables(in_steps)
    at_once.advance(days=4)
    for _ in range(3):
        in_steps.advance(days=1)
    in_steps.advance(seconds=86_400)
    assert tables(at_once) == tables(in_steps)
    assert at_once.truth == in_steps.truth
    assert tables(small(seed=4)) != tables(small())


def test_the_crm_and_the_forum_are_the_same_with_and_without_a_shop() -> None:
    without, with_one = small(vendors=ALL[:2]), small()
    for name in ("Account", "Contact", "Lead", "Case", "Task", "User"):
        assert without.org.rows(name) == with_one.org.rows(name), name
    assert repr(sorted(without.forum.posts.items())) == repr(sorted(with_one.forum.posts.items()))
    assert tables(without) == [[], [], [], [], []]
    assert not [row for row in without.truth.profiles if row[0] == "shop"]


def test_the_shop_grows_with_the_company_and_with_time(world: World) -> None:
    [(few,)] = small().shop.rows("select count(*) from orders")
    [(many,)] = world.shop.rows("select count(*) from orders")
    assert 6 < many / few < 25, "of 1,500 people and of 120"
    growing = small(300)
    before = tables(growing)
    growing.advance(days=20)
    customers, orders, _, _, logins = (
        len(after) - len(earlier) for earlier, after in zip(before, tables(growing), strict=True)
    )
    assert orders > 5
    assert logins > 5
    assert customers > -8, "some come, some have their account deleted"


SHARES = {
    "guest_checkout": (0.12, 0.30), "late_row": (0.03, 0.07), "paid_by_night_job": (0.08, 0.15),
    "cancelled": (0.015, 0.045), "refunded": (0.015, 0.045), "partly_refunded": (0.01, 0.045),
    "entered_twice": (0.003, 0.02), "test_order": (0.003, 0.04), "nobody_named": (0.004, 0.03),
}  # fmt: skip


def test_the_traps_of_orders_are_laid_at_their_rates(
    world: World, truth: dict[str, list[dict]]
) -> None:
    assert world.sales is not None
    laid = Counter(row["trap"] for row in truth["traps"] if row["stream"] == "orders")
    for trap, (least, most) in SHARES.items():
        assert least < laid[trap] / len(world.sales.orders) < most, trap
    missing = world.shop.rows(
        "select count(*) filter (where updated_at is null), count(*) from orders "
        "where system = 'legacy'"
    )[0]
    assert 0.02 < missing[0] / missing[1] < 0.07


def test_customers_write_their_addresses_as_hurried_hands_do(
    world: World, truth: dict[str, list[dict]]
) -> None:
    laid = Counter(row["trap"] for row in truth["traps"] if row["source_type"] == "shop")
    emails = [email for (email,) in world.shop.rows("select email from customers")]
    given = [email for email in emails if email]
    assert len(given) < len(emails)
    assert laid["email_upper_case"] == sum(email != email.lower() for email in given) > 3
    assert laid["email_trailing_space"] == sum(email != email.rstrip() for email in given) > 3
    shared = world.shop.rows("select count(*) from customers where name like 'Purchasing %'")
    assert laid["shared_mailbox"] == shared[0][0] > 5
    assert laid["hostile_name"] > 0


def test_an_address_in_the_shop_is_often_another_than_in_the_crm() -> None:
    world = World(people=500, seed=7, now=NOW, vendors=("salesforce", "shop"))
    same = other = 0
    in_crm = {row["Id"]: row["Email"] for row in world.org.rows("Contact")}
    in_shop = dict(world.shop.rows("select id, lower(trim(email)) from customers"))
    people = {person.id: person for person in world.population.people}
    for (source, stream, key), profile in world.truth.profiles.items():
        email = in_shop.get(int(key)) if (source, stream) == ("shop", "customers") and (
            key.isdigit()
        ) else None  # fmt: skip
        if email is None or profile.true_id is None:
            continue
        contacts = [in_crm.get(id) for id in people[profile.true_id].contact_ids]
        known = {address.lower() for address in contacts if address}
        same += email in known
        other += bool(known) and email not in known
    assert same > 15
    assert other > 15


def test_the_new_system_gives_the_old_numbers_out_again(world: World) -> None:
    assert world.sales is not None
    numbers = {
        system: [number for (number,) in world.shop.rows(
            "select number from orders where system = ?", system)]
        for system in (LEGACY, WEB)
    }  # fmt: skip
    assert len(set(numbers[LEGACY]) & set(numbers[WEB])) > 300
    last, first = (
        world.shop.rows(f"select {which}(created_at) from orders where system = ?", system)[0][0]
        for which, system in (("max", LEGACY), ("min", WEB))
    )
    assert last < first
    currencies = world.shop.rows("select distinct system, currency from orders")
    assert set(currencies) == {(LEGACY, None), (WEB, "USD"), (WEB, "EUR")}


def test_money_keeps_its_digits_and_adds_up(world: World) -> None:
    rows = world.shop.rows(
        "select total, current_total, (select group_concat(amount) from refunds r where "
        "r.system = o.system and r.number = o.number) from orders o"
    )
    for total, rest, refunds in rows:
        parts = sum((Decimal(part) for part in (refunds or "0").split(",")), Decimal(0))
        assert Decimal(total) == Decimal(rest) + parts
    assert {len(total.partition(".")[2]) for total, _, _ in rows} == {2, 4}


def test_the_night_job_leaves_the_stamp_alone(world: World) -> None:
    [(settled, silent)] = world.shop.rows(
        "select count(*), count(*) filter (where coalesce(updated_at, '') < settled_at) "
        "from orders where settled_at is not null"
    )
    assert settled > 100
    assert silent / settled > 0.9, "but for those refunded afterwards"
    at_once = world.shop.rows("select max(n) from (select count(*) n from orders "
                              "where settled_at is not null group by settled_at)")  # fmt: skip
    assert at_once[0][0] > 2


def test_late_rows_bear_a_stamp_from_before_rows_that_were_there() -> None:
    world = small(people=600)
    late = []
    for _ in range(12):
        [(newest,)] = world.shop.rows("select max(coalesce(updated_at, '')) from orders")
        known = set(world.shop.rows("select system, number from orders"))
        world.advance(days=0.5)
        rows = world.shop.rows("select system, number, updated_at from orders")
        late += [row for row in rows if row[:2] not in known and row[2] < newest]
        earliest = min((row[2] for row in late), default=None)
        assert earliest is None or datetime.fromisoformat(earliest).replace(
            tzinfo=UTC
        ) > NOW - timedelta(days=2)
    assert late


def test_the_truth_of_purchases_is_what_the_database_says_is_paid(
    world: World, truth: dict[str, list[dict]]
) -> None:
    paid = {
        (f'shop:orders:["{system}",{number}]', datetime.fromisoformat(at).replace(tzinfo=UTC),
         Decimal(rest), currency or "USD")
        for system, number, at, rest, currency in world.shop.rows(
            "select system, number, paid_at, current_total, currency from orders "
            "where status in ('paid', 'partially_refunded') and not is_test and deleted_at is null")
    }  # fmt: skip
    told = {
        (row["purchase_id"], row["occurred_at"], row["amount"], row["currency"])
        for row in truth["purchases"]
    }
    assert told == paid
    people = {row["person"] for row in truth["people"]}
    assert {row["person"] for row in truth["purchases"]} <= people | {None}


def test_every_customer_is_in_the_truth_with_the_state(
    world: World, truth: dict[str, list[dict]]
) -> None:
    told = {row["native_id"]: row for row in truth["profiles"] if row["source_type"] == "shop"}
    there = {str(id) for (id,) in world.shop.rows("select id from customers")}
    assert there == {key for key, row in told.items() if row["state"] == "live"
                     and not key.startswith("mailto:")}  # fmt: skip
    assert told[min(there)]["profile_key"] == f"shop:customers:{min(there)}"
    guests = {
        email.strip().lower()
        for (email,) in world.shop.rows(
            "select email from orders where customer_id is null and email is not null"
        )
    }
    assert {address_key(email) for email in guests} <= told.keys()


def days_to_fourth(orders: list[Order]) -> int | None:
    days = sorted({order.paid_at.date() for order in orders if order.paid_at is not None})
    return (days[3] - days[0]).days if len(days) > 3 else None


def test_who_was_called_reaches_the_fourth_purchase_sooner(world: World) -> None:
    assert world.sales is not None
    called = {row[2] for row in world.truth.effects if row[0] == "welcome_call"}
    bought: dict[tuple[bool, str], list[Order]] = {}
    for order in world.sales.orders:
        person = order.buyer.person
        if order.is_purchase and person is not None and order.buyer.account is not None:
            bought.setdefault((person.id in called, person.id), []).append(order)
    waits: dict[bool, list[int]] = {True: [], False: []}
    for (was_called, _), orders in bought.items():
        wait = days_to_fourth(orders)
        if wait is not None:
            waits[was_called].append(wait)
    assert min(map(len, waits.values())) > 50
    assert median(waits[True]) < 0.8 * median(waits[False])


def test_every_day_takes_something_back_once_the_world_is_open() -> None:
    world = small(people=300)
    before = {row[0]: row[4] for row in world.sales.purchases()} if world.sales else {}
    world.advance(days=3)
    assert world.sales is not None
    after = {row[0]: row[4] for row in world.sales.purchases()}
    assert len(before.keys() - after.keys()) >= 6
    assert [key for key in before.keys() & after.keys() if after[key] < before[key]]
    assert [row for row in world.truth.traps if row[0] == "deleted_customer"]


def test_who_reads_sees_whole_days_while_time_moves(tmp_path: Path) -> None:
    with serve(people=100, port=0, now=NOW, vendors=("salesforce", "shop"), data=tmp_path) as box:
        assert box.urls["shop"] == f"sqlite:///{tmp_path / 'shop.db'}"
        assert box.credentials["sources"]["shop"]["url"] == box.urls["shop"]
        address = f"file:{tmp_path / 'shop.db'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as reader:
            reader.execute("begin")
            [before] = reader.execute("select count(*) from logins").fetchall()
            box.advance(days=30)
            assert reader.execute("select count(*) from logins").fetchall() == [before]
            reader.execute("rollback")
            assert reader.execute("select count(*) from logins").fetchall() > [before]
            assert reader.execute("select now from clock").fetchall() == [("2026-12-22 00:00:00",)]
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["shop.db"], "a plain file, without a journal beside it"


def test_a_world_goes_on_after_it_was_served_and_can_be_served_again(tmp_path: Path) -> None:
    world = small(60, vendors=("shop",))
    for _ in range(2):
        with serve(world=world, port=0, data=tmp_path) as sandbox:
            sandbox.advance(days=2)
        world.advance(days=2)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as left:
        assert left.execute("select now from clock").fetchall() == [("2026-11-28 00:00:00",)]
    assert world.shop.rows("select now from clock") == [("2026-11-30 00:00:00",)]


def test_without_a_folder_the_database_is_gone_with_the_sandbox() -> None:
    with serve(people=60, port=0, now=NOW, vendors=("salesforce", "shop")) as sandbox:
        file = Path(sandbox.urls["shop"].removeprefix("sqlite:///"))
        assert file.is_file()
    assert not file.parent.exists()
