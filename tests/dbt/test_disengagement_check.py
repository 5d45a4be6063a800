"""Do the lists of those who drift away name the right people? By hand and by law."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago, random_world, visits, worlds


def check(ledger: Ledger, population: str = "everybody", horizon: int = 28) -> dict[str, Any]:
    return ledger.one(
        f"select * from rel_disengagement_check where as_of = '{AS_OF}' "
        f"and population = '{population}' and horizon_days = {horizon}"
    )


def test_the_lists_of_two_owners_are_judged_together(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum", crm="crm", desk="support")
    ledger.add("control.settings", {"name": "save_list", "value": "2"})
    # 28 days ago everybody was a regular of every 5 days, quiet for so long; `back` came since
    for name, quiet, owner, back in (
        ("a1", 60, "ann", False), ("a2", 50, "ann", True), ("a3", 40, "ann", False),
        ("b1", 30, "bob", False), ("fresh", 1, "bob", True), ("gone", 300, "ann", False),
    ):  # fmt: skip
        ages = [28 + quiet + 5 * visit for visit in range(6)]
        visits(ledger, name, *ages, *([3] if back else []))
        ledger.execute(
            "update dim_person set owner_person_id = ? where person_id = ?", [owner, name]
        )
    ledger.build()
    row = check(ledger, "drifting")
    # silent for twice the patience of a week or more, and not yet for 180 days
    assert (row["people"], row["returned"]) == (4, 1)
    # Ann's list has a1 and a2 of three, Bob's b1
    assert (row["listed"], row["save_list"]) == (3, 2)
    assert row["precision_by_score"] == row["precision_by_recency"] == pytest.approx(2 / 3)
    assert row["gain"] == row["gain_low"] == row["gain_high"] == 0
    # a2, who came back, is second of four: one of three pairs is in order
    assert row["auc_by_recency"] == pytest.approx(1 / 3)
    assert row["lost_share"] == 0.75
    assert row["reason_1"] == (
        "2 of the 3 that the lists named did not come within 28 days; by recency alone 2"
    )
    assert (check(ledger)["people"], row["coverage"]) == (6, 1)


def test_the_interval_of_a_share_is_wilsons(models: Models) -> None:
    """8 of 10: 0.490 to 0.943 (Wilson 1927, as any textbook has it)."""
    ledger = Ledger(models, AS_OF)
    for number in range(10):
        visits(ledger, f"p{number}", 100, *([2] if number < 2 else []))
    row = check(ledger.build())
    assert row["precision_by_score"] == 0.8
    assert (row["precision_by_score_low"], row["precision_by_score_high"]) == (
        pytest.approx(0.490162, abs=1e-6),
        pytest.approx(0.943318, abs=1e-6),
    )


@worlds
@given(seed=st.integers(0, 10**6))
def test_the_order_is_as_right_as_all_pairs_say(models: Models, seed: int) -> None:
    ledger = random_world(models, random.Random(seed)).build()
    for horizon in (28, 84):
        people = ledger.rows(
            f"""
            select {horizon} + date_diff('day', max(day) filter (
                    where day <= date '{AS_OF}' - {horizon}), date '{AS_OF}' - {horizon}) as quiet,
                max(day) > date '{AS_OF}' - {horizon} as came
            from int_people__days where is_first_of_day and day <= date '{AS_OF}'
            group by person_number having min(day) <= date '{AS_OF}' - {horizon}
            """
        )
        came = [row["quiet"] for row in people if row["came"]]
        lost = [row["quiet"] for row in people if not row["came"]]
        row = check(ledger, horizon=horizon)
        assert (row["people"], row["returned"]) == (len(people), len(came))
        if came and lost:
            right = sum((x > y) + (x == y) / 2 for x, y in product(lost, came))
            assert row["auc_by_recency"] == pytest.approx(right / len(came) / len(lost))
        else:
            assert row["auc_by_recency"] is None


def test_who_comes_rarely_and_is_late_is_told_from_who_always_comes_back(models: Models) -> None:
    """Recency alone puts those first who have been away longest, however often they came."""
    ledger = Ledger(models, AS_OF)
    ledger.add("control.settings", {"name": "save_list", "value": "40"})
    for number in range(40):  # four visits in a year, away for 30 days, and lost
        visits(ledger, f"rare{number:02}", *range(58, 178, 30))
    for number in range(40):  # there every fourth day, away for 35 days, and back
        visits(ledger, f"often{number:02}", *range(63, 363, 4), 5)
    row = check(ledger.build(), "came again")
    assert (row["precision_by_score"], row["precision_by_recency"]) == (1, 0)
    assert row["gain"] == row["gain_low"] == row["gain_high"] == 1
    assert (row["auc_by_score"], row["auc_by_recency"]) == (1, 0)


def test_an_organization_has_the_chance_of_return_of_those_like_it(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    for number in range(120):
        name, returns = f"{number:03}", number % 3 == 0
        ledger.add(
            "dim_organization", {"organization_id": f"org-{name}", "created_at": days_ago(900)}
        )
        ledger.person(f"p-{name}", organization_id=f"org-{name}")
        for age in (40, *([5] if returns else [])):
            ledger.act(
                f"{name}-{age}", f"p-{name}", days_ago(age), "email", silo="crm", channel="email",
                direction="inbound", organization_id=f"org-{name}",
            )  # fmt: skip
    rows = ledger.build().rows("select * from rel_organization")
    assert {row["p_return_days"] for row in rows} == {28}
    assert [row["p_return"] for row in rows] == [pytest.approx(1 / 3)] * 120
    one = Ledger(models, AS_OF)
    one.configure(crm="crm")
    one.add("dim_organization", {"organization_id": "org", "created_at": days_ago(900)})
    assert one.build().one("select p_return from rel_organization")["p_return"] is None
