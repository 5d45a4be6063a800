"""Engagement: who is close to us, checked on people small enough to work out by hand."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from rapport import strategy
from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago, random_world

STARTS = Path(__file__).parents[2] / "examples" / "strategies"
HALF = Decimal("0.5")
SIDES = ("part", "other_part")


def engagement(ledger: Ledger, person: str) -> dict[str, Any]:
    return ledger.one(
        f"select * from rel_engagement where person_id = '{person}' and as_of = '{AS_OF}'"
    )


def with_strategy(ledger: Ledger, **settings: str) -> None:
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    for name, value in settings.items():
        ledger.add("control.settings", {"name": name, "value": value})


def community(models: Models, **ages: tuple[int, ...]) -> Ledger:
    """People of a forum who replied so many days ago."""
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum", crm="crm")
    for person, days in ages.items():
        ledger.person(person)
        for age in days:
            ledger.act(f"{person}-{age}", person, days_ago(age), "reply")
    return ledger


def test_every_act_counts_half_after_each_half_life(models: Models) -> None:
    ledger = community(models)
    ledger.person("ann")
    for age in (0, 62, 124):
        ledger.act(f"answer-{age}", "ann", days_ago(age), "answer")
    ledger.act("solved", "ann", days_ago(120), "answer", is_accepted=True)
    ledger.act("mail", "ann", days_ago(62), "email", silo="crm", channel="email")
    row = engagement(ledger.build(), "ann")
    # 4 + 2 + 1, an accepted answer of 7 with a half-life of 120, a mail of 2
    assert row["forum_part"] == 7 + 7 * HALF
    assert row["crm_part"] == 1
    assert row["score"] == Decimal("11.5")
    assert (row["top_behavior"], row["commitment"], row["n"]) == ("answer", 3, 5)
    assert row["support_part"] is None, "nobody looked at support"
    assert row["reason_1"] == "answered somebody's question twice in 90 days"


def test_the_weights_and_half_lives_of_the_strategy_win(models: Models) -> None:
    ledger = community(models)
    ledger.person("ann")
    ledger.act("a", "ann", days_ago(10), "answer")
    ledger.act("b", "ann", days_ago(10), "reply")
    ledger.act("c", "ann", days_ago(20), "webinar")
    chosen = {"behavior": "answer", "weight": 10, "half_life_days": 5}
    ledger.add("control.behavior_weights", chosen)
    ledger.add("control.settings", {"name": "half_life_days", "value": "10"})
    row = engagement(ledger.build(), "ann")
    # 10 / 4 with its own half-life; 2 / 2 and, of an unnamed behavior, 1 / 4 with the common one
    assert row["score"] == Decimal("3.75")
    assert row["commitment"] == 4


def test_each_kind_of_network_puts_others_first(models: Models) -> None:
    """Three start files of `examples/strategies`, the same people, three orders."""

    def ranking(archetype: str) -> list[str]:
        ledger = community(models)
        ledger.configure(help="support")
        chosen = strategy.parameters(STARTS / archetype / "strategy.yml")
        for behavior, weight, half_life_days in chosen.weights:
            columns = {"behavior": behavior, "weight": weight, "half_life_days": half_life_days}
            ledger.add("control.behavior_weights", columns)
        with_strategy(ledger, **dict(chosen.settings))
        for person, kinds in {
            "helper": ["answer", "reply"],
            "met": ["meeting", "call"],
            "asked": ["survey", "case_opened", "question"],
        }.items():
            ledger.person(person)
            for number, kind in enumerate(kinds):
                ledger.act(f"{person}-{number}", person, days_ago(number), kind)
        ledger.build()
        return [
            row["person_id"]
            for row in ledger.rows(
                f"select person_id from rel_engagement where as_of = '{AS_OF}' order by score desc"
            )
        ]

    assert ranking("community") == ["helper", "met", "asked"]
    assert ranking("concierge") == ["met", "asked", "helper"]
    assert ranking("marketplace") == ["asked", "helper", "met"]


def test_one_big_spender_never_outranks_twelve_steady_months(models: Models) -> None:
    ledger = community(models, steady=tuple(range(5, 365, 28)))
    ledger.configure(shop="orders")
    ledger.person("spender")
    ledger.add(
        "fct_purchase",
        {
            "purchase_id": "p",
            "source": "shop",
            "person_id": "spender",
            "occurred_at": days_ago(5),
            "amount": Decimal(10**9),
            "loaded_at": days_ago(5),
        },
    )
    ledger.build()
    steady, spender = engagement(ledger, "steady"), engagement(ledger, "spender")
    assert (steady["consistency"], steady["months_active"]) == (1.0, 13)
    assert (spender["score"], spender["top_behavior"], spender["commitment"]) == (0, None, 0)
    assert (steady["percentile"], spender["percentile"]) == (100, 0)


@pytest.mark.parametrize(
    ("ages", "days_28", "days_90", "streak", "months", "reason"),
    [
        ((0, 7, 14, 40), 3, 4, 3, (2, 2), "active on 3 days of the last 28, 3 weeks in a row"),
        ((6, 13), 2, 2, 2, (1, 1), "active on 2 days of the last 28, 2 weeks in a row"),
        ((7, 14), 2, 2, 0, (1, 1), "active on 2 days of the last 28"),
        ((3, 15, 27), 3, 3, 1, (1, 1), "active on 3 days of the last 28"),
        ((28, 89), 0, 2, 0, (2, 4), "last seen 28 days ago"),
        ((90,), 0, 0, 0, (1, 4), "last seen 90 days ago"),
    ],
)
def test_presence_counts_days_weeks_and_months(
    models: Models,
    ages: tuple[int, ...],
    days_28: int,
    days_90: int,
    streak: int,
    months: tuple[int, int],
    reason: str,
) -> None:
    row = engagement(community(models, ann=ages).build(), "ann")
    assert (row["active_days_28d"], row["active_days_90d"]) == (days_28, days_90)
    assert row["streak_weeks"] == streak
    assert (row["months_active"], row["months_known"]) == months
    assert row["consistency"] == pytest.approx(months[0] / months[1])
    assert reason in (row["reason_1"], row["reason_2"])


def test_importance_rises_with_each_of_its_parts_and_leaves_out_what_nobody_knows(
    models: Models,
) -> None:
    def row(days: int, silos: int, prompted: int | None) -> dict[str, Any]:
        ledger = community(models)
        ledger.configure(help="support")
        ledger.person("ann")
        for number in range(days):
            silo = ("forum", "crm", "support")[number % silos]
            columns = {"silo": silo, "channel": "forum" if silo == "forum" else "email"}
            if prompted is not None:
                columns["is_prompted"] = number < prompted
            ledger.act(f"{number}", "ann", days_ago(number), "reply", **columns)
        return engagement(ledger.build(), "ann")

    whole = row(28, 3, 0)
    assert whole["importance_in_life"] == 100
    assert [whole[f"importance_{part}_part"] for part in ("active", "silos", "unprompted")] == [
        50,
        25,
        25,
    ]
    unknown = row(14, 1, None)
    assert unknown["importance_unprompted_part"] is None
    assert unknown["unprompted_share"] is None
    # of 75 points: 50 * 14/28 and 25 * 1/3
    assert unknown["importance_active_part"] == Decimal("33.33")
    assert unknown["importance_silos_part"] == Decimal("11.11")
    assert unknown["importance_in_life"] == Decimal("44.44")
    rising = [
        row(7, 1, 7),
        row(8, 1, 8),
        row(8, 2, 8),
        row(8, 3, 8),
        row(8, 3, 4),
        row(8, 3, 0),
    ]
    values = [one["importance_in_life"] for one in rising]
    assert values == sorted(set(values))


def test_levels_are_shares_of_the_people_of_a_year_and_wait_for_a_strategy(
    models: Models,
) -> None:
    # who replied on more days is closer; the eleventh has been away for too long to be ranked
    ages = {f"p{n:02}": tuple(range(1, n + 2)) for n in range(10)} | {"gone": (364,)}
    row = engagement(community(models, **ages).build(), "p09")
    assert (row["level"], row["percentile"]) == (None, 100)

    ledger = community(models, **ages)
    with_strategy(ledger)
    ledger.build()
    levels = {row["person_id"]: row["level"] for row in ledger.rows("select * from rel_engagement")}
    # percentiles are 0, 11.11 .. 88.89, 100: bounds at 60, 90 and 98
    assert levels == {
        **{f"p{n:02}": 4 for n in range(6)},
        **{f"p{n:02}": 3 for n in range(6, 9)},
        "p09": 1,
        "gone": None,
    }

    ledger = community(models, **ages)
    with_strategy(ledger, leading_share="0.8", contributing_share="0.5", participating_share="0")
    ledger.build()
    assert [
        engagement(ledger, f"p{n:02}")["level"] for n in (0, 4, 5, 7, 8, 9)
    ] == [3, 3, 2, 2, 1, 1]  # fmt: skip


def test_a_change_in_score_is_told_in_words(models: Models) -> None:
    ledger = community(models, riser=(40, 3, 2, 1), faller=(40, 39, 38, 37), newcomer=(1,))
    ledger.build()
    riser, faller = engagement(ledger, "riser"), engagement(ledger, "faller")
    assert riser["reason_3"] == "up from 1.7 to 7.1 in 28 days"
    assert faller["reason_3"] == "down from 7.1 to 5.2 in 28 days"
    assert engagement(ledger, "newcomer")["previous_score"] is None
    assert engagement(ledger, "newcomer")["reason_3"] == "new within 28 days"


def test_staff_and_bots_have_no_engagement_of_their_own(models: Models) -> None:
    ledger = community(models, ann=(1,))
    ledger.person("us", is_staff=True)
    ledger.person("robot", is_bot=True)
    for person in ("us", "robot"):
        ledger.act(person, person, days_ago(1), "reply")
    assert [row["person_id"] for row in ledger.build().rows("select * from rel_engagement")] == [
        "ann"
    ]


def test_how_the_parts_of_each_score_go_together_is_their_rank_correlation(models: Models) -> None:
    """Against scipy, over everybody of whom all parts are known that are of anybody."""
    ledger = random_world(models, random.Random(5)).build()
    rows = ledger.rows("select * from rel_part_correlation")
    assert {row["as_of"] for row in rows} == {AS_OF}
    assert len({(row["score"], row["part"], row["other_part"]) for row in rows}) == len(rows)
    told = 0
    for row in rows:
        table, _, _ = row["score"].partition(".")
        parts = sorted(
            {one[side] for one in rows if one["score"] == row["score"] for side in SIDES}
        )
        values = ledger.execute(
            f"select {row['part']}::double, {row['other_part']}::double from {table} "
            f"where as_of = '{AS_OF}' and {' and '.join(f'{part} is not null' for part in parts)}"
        ).fetchall()
        assert row["n"] == len(values)
        one, other = zip(*values, strict=True)
        if len(set(one)) == 1 or len(set(other)) == 1:
            assert row["correlation"] is None
            continue
        told += 1
        expected = stats.spearmanr(one, other).statistic
        assert float(row["correlation"]) == pytest.approx(expected, abs=1e-6)
    assert told >= 8
