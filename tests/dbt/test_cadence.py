"""Cadence: how many come again, and how fast, worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.report import words
from tests.dbt.ledger import Ledger, Models, noon
from tests.dbt.test_metrics import AS_OF, days_ago, random_world, worlds


def shop(models: Models, **customers: Iterable[int]) -> Ledger:
    """Customers who bought so many days ago; a day given twice is two purchases."""
    ledger = Ledger(models, AS_OF)
    ledger.configure(shop="orders")
    for customer, ages in customers.items():
        ledger.person(customer)
        for number, age in enumerate(ages):
            buy(ledger, f"{customer}-{number}", days_ago(age), person_id=customer)
    return ledger


def buy(ledger: Ledger, key: str, at: Any, **columns: Any) -> None:
    row = {"purchase_id": key, "source": "shop", "occurred_at": at, "loaded_at": at, **columns}
    ledger.add("fct_purchase", row)


def cadence(ledger: Ledger, ordinal: int, **where: str) -> dict[str, Any]:
    wanted = {"step": "purchase", "segment": "all", "as_of": str(AS_OF), **where}
    conditions = " and ".join(f"{name} = '{value}'" for name, value in wanted.items())
    return ledger.one(f"select * from rel_cadence where ordinal = {ordinal} and {conditions}")


def test_days_from_first_to_fourth_purchase_follow_a_hand_made_shop(models: Models) -> None:
    ledger = shop(
        models,
        quick=(400, 390, 385, 382),
        slow=(400, 300, 200, 100, 100, 10),
        steady=(300, 270, 240, 210),
        stopped=(365, 300, 299),
        once=(50,),
    )
    row = cadence(ledger.build(), 4)
    assert (row["started"], row["reached"], row["reached_share"]) == (5, 3, 0.6)
    # 18, 300 and 90 days after the first
    assert (row["p25_days"], row["median_days"], row["p75_days"]) == (54, 90, 195)
    # at 18 days one of five, at 90 one of three (`once` was watched for 50), at 300 one of two
    assert row["reached_share_90d"] == pytest.approx(1 - 4 / 5 * 2 / 3)
    assert row["reached_share_180d"] == row["reached_share_90d"]
    assert row["reached_share_365d"] == pytest.approx(1 - 4 / 5 * 2 / 3 * 1 / 2)
    # from the third: 3, 100, 30 days; before that 5, 100, 30
    assert (row["median_gap_days"], row["median_previous_gap_days"]) == (30, 30)
    assert row["acceleration"] == 1
    assert row["trip_wire_days"] == Decimal("72.0")
    assert (row["waiting"], row["past_trip_wire"]) == (1, 1)
    assert row["reason_1"] == "4th purchase: reached by 3 of 5, half of them within 90 days"
    assert row["reason_2"] == "1 waits for it longer than the 72 days that 4 of 5 needed"
    fifth = cadence(ledger, 5)
    assert (fifth["reached"], fifth["median_gap_days"]) == (1, 90), "two orders of one day are one"


def test_a_half_day_rounds_up_in_the_reason_as_on_the_page(models: Models) -> None:
    row = cadence(shop(models, one=(100, 55), other=(100, 54)).build(), 2)
    assert row["median_days"] == Decimal("45.5")
    assert row["reason_1"] == (
        f"2nd purchase: reached by 2 of 2, half of them within {words.days(row['median_days'])}"
    )
    assert row["reason_1"].endswith(" 46 days")


def test_people_come_faster_when_their_gaps_shrink(models: Models) -> None:
    row = cadence(shop(models, one=(100, 60, 50), other=(90, 70, 60)).build(), 3)
    # gaps before: 40 and 20, gaps now: 10 and 10
    assert row["acceleration"] == 3
    assert cadence(shop(models, one=(100, 60)).build(), 2)["acceleration"] is None


def test_who_cannot_have_got_there_yet_is_no_failure(models: Models) -> None:
    ledger = shop(models, **{f"old{n}": (500, 420) for n in range(3)}, young=(30,))
    row = cadence(ledger.build(), 2)
    assert row["reached_share"] == 0.75
    assert row["reached_share_90d"] == 1.0, "of those watched for long enough all came again"
    ledger = shop(models, young=(30,), younger=(20, 10))
    row = cadence(ledger.build(), 2)
    assert (row["reached_share"], row["reached_share_90d"]) == (0.5, None)


def test_an_organization_buys_where_no_person_is_known(models: Models) -> None:
    ledger = shop(models, ann=(100,))
    for age in (90, 80):
        buy(ledger, f"acme-{age}", days_ago(age), organization_id="acme")
    row = cadence(ledger.build(), 2)
    assert (row["started"], row["reached"]) == (2, 1)


def test_contributions_are_counted_as_the_strategy_says(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    for behavior in ("post", "reply"):
        ledger.add(
            "control.cadence_steps",
            {"step": "contribution", "behavior": behavior, "is_community_only": True},
        )
    ledger.add("control.cadence_steps", {"step": "talk", "behavior": "call"})
    ledger.execute("update control.cadence_steps set is_community_only = false where step = 'talk'")
    ledger.person("us", is_staff=True)
    for person in ("ann", "us"):
        ledger.act(f"{person}-1", person, days_ago(100), "post")
        ledger.act(f"{person}-2", person, days_ago(93), "reply")
        ledger.act(f"{person}-like", person, days_ago(50), "reaction")
        ledger.act(f"{person}-mail", person, days_ago(40), "reply", silo="crm", channel="email")
        ledger.act(f"{person}-call", person, days_ago(30), "call", silo="crm", channel="phone")
    ledger.build()
    second = cadence(ledger, 2, step="contribution")
    assert (second["started"], second["reached"], second["median_days"]) == (1, 1, 7)
    assert cadence(ledger, 3, step="contribution")["reached"] == 0
    assert cadence(ledger, 2, step="talk")["started"] == 1
    assert (second["coverage"], cadence(ledger, 2, step="talk")["coverage"]) == (
        1.0,
        pytest.approx(2 / 3),
    )


def test_a_past_day_shows_what_had_happened_by_then(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=60)])
    ledger.configure(shop="orders")
    for customer, ages in {"ann": (100, 70, 20), "bob": (90, 50), "cid": (10,)}.items():
        for age in ages:
            buy(ledger, f"{customer}-{age}", days_ago(age), person_id=customer)
    ledger.build()
    past = {"as_of": str(AS_OF - timedelta(days=60))}
    before, now = cadence(ledger, 2, **past), cadence(ledger, 2)
    assert (before["started"], before["reached"], before["waiting"]) == (2, 1, 1)
    assert (now["started"], now["reached"], now["waiting"]) == (3, 2, 1)
    assert cadence(ledger, 3, **past)["reached"] == 0


@worlds
@given(seed=st.integers(0, 10**6))
def test_shares_agree_with_a_second_hand_calculation(models: Models, seed: int) -> None:
    ledger = random_world(models, random.Random(seed)).build()
    days: dict[str, set[date]] = {}
    for row in ledger.rows(
        "select coalesce(actor_person_id, organization_id) party, day from int_acts__counted "
        "where kind = 'purchase' and not is_by_staff and not is_by_bot"
    ):
        if row["party"] is not None:
            days.setdefault(row["party"], set()).add(row["day"])
    for ordinal in (2, 3, 4):
        waits = sorted(
            ((sorted(d)[ordinal - 1] - min(d)).days, True)
            if len(d) >= ordinal
            else ((AS_OF - min(d)).days, False)
            for d in days.values()
        )
        row = cadence(ledger, ordinal)
        assert (row["started"], row["reached"]) == (len(days), sum(over for _, over in waits))
        assert row["reached"] + row["waiting"] <= row["started"]
        for horizon in (90, 180, 365):
            survival = 1.0
            for wait in sorted({wait for wait, over in waits if over and wait <= horizon}):
                at_risk = sum(other >= wait for other, _ in waits)
                survival *= 1 - sum(one == (wait, True) for one in waits) / at_risk
            told = row[f"reached_share_{horizon}d"]
            if told is None:
                assert waits[-1][0] < horizon
            else:
                assert told == pytest.approx(1 - survival, abs=1e-8)


def test_a_snapshot_of_a_future_day_does_not_see_it(models: Models) -> None:
    ledger = shop(models, ann=(10,))
    buy(ledger, "later", noon(AS_OF + timedelta(days=3)), person_id="ann")
    assert cadence(ledger.build(), 2)["reached"] == 0
