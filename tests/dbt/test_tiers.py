"""Tier programmes: rules as data, held against published bounds and the laws of any programme."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapport import strategy, tiers
from tests.dbt.ledger import Ledger, Models, noon
from tests.dbt.test_metrics import AS_OF, days_ago

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "examples" / "strategies" / "published_tiers" / "strategy.yml"


def published(ledger: Ledger, name: str) -> None:
    found = strategy.load(PUBLISHED)
    assert found
    ledger.enroll({name: msgspec.to_builtins(found.tier_programmes[name])})


def member(ledger: Ledger, person: str, days_known: int = 400, **fields: float | None) -> None:
    """Add somebody with custom fields, as a CRM tells them; None: the CRM does not tell."""
    created_at = noon(AS_OF - timedelta(days=days_known))
    ledger.person(person, created_at=created_at)
    key = f"crm:contacts:{person}"
    ledger.add("dim_profile", {"profile_key": key, "entity": "person", "person_id": person})
    for field, value in fields.items():
        if value is not None:
            ledger.add(
                "dim_custom_field",
                {
                    "entity": "person",
                    "entity_id": person,
                    "profile_key": key,
                    "record_key": key,
                    "field": field,
                    "type": "text",  # as exports tell it
                    "value_text": f"{value:.9f}",
                    "pii": "none",
                },
            )


def tiers_of(ledger: Ledger) -> dict[str, str | None]:
    rows = ledger.build().rows(f"select person_id, tier from rel_tier where as_of = '{AS_OF}'")
    return {row["person_id"]: row["tier"] for row in rows}


HOST = {
    "stays_365d": 10,
    "nights_365d": 20,
    "inquiries_365d": 100,
    "inquiries_answered_24h_365d": 90,
    "host_cancellations_365d": 0,
    "rating_365d": 4.8,
}
SELLER = {
    "sales_365d": 100,
    "sold_for_365d": 1000,
    "defects_365d": 3,
    "cases_unresolved_365d": 2,
    "late_365d": 5,
    "tracked_365d": 95,
    "sales_91d": 30,
    "defects_91d": 3,
    "cases_unresolved_91d": 2,
    "late_91d": 5,
    "tracked_91d": 30,
}
BIG_SELLER = SELLER | {"sales_365d": 10_000, "tracked_365d": 9_500}
BUSY_SELLER = SELLER | {
    "sales_365d": 4000, "tracked_365d": 0, "defects_365d": 4000, "sales_91d": 400,
    "tracked_91d": 380,
}  # fmt: skip
POWER = {
    "sold_for_365d": 3000,
    "sales_365d": 100,
    "feedback_365d": 100,
    "feedback_positive_365d": 98,
    **{
        f"stars_{of}": 4.5
        for of in ("described", "communication", "shipping_time", "shipping_cost")
    },
    **{
        f"low_stars_{of}_365d": 3
        for of in ("described", "communication", "shipping_time", "shipping_cost")
    },
}
POWER_1000 = POWER | {"sales_365d": 1000}
BASIC = {"topics_entered": 5, "posts_read": 30, "minutes_read": 10}
MEMBER = {
    "topics_entered": 20,
    "posts_read": 100,
    "minutes_read": 60,
    "days_visited": 15,
    "likes_given": 1,
    "likes_received": 1,
    "topics_replied": 3,
}
REGULAR = MEMBER | {
    "topics_entered": 200,
    "posts_read": 500,
    "days_visited_100d": 50,
    "topics_replied_100d": 10,
    "topics_viewed_100d": 25,
    "new_topics_100d": 100,
    "posts_read_100d": 250,
    "new_posts_100d": 1000,
    "likes_given_100d": 30,
    "likes_received_100d": 20,
    "likers_100d": 5,
    "days_liked_100d": 7,
    "flagged_posts_100d": 5,
    "flaggers_100d": 5,
    "suspensions_100d": 0,
}
Case = tuple[str, Mapping[str, float | None], str | None]
SUPERHOST: list[Case] = [
    ("ten stays", HOST, "superhost"),
    ("nine stays", HOST | {"stays_365d": 9}, None),
    ("3 stays, 100 nights", HOST | {"stays_365d": 3, "nights_365d": 100}, "superhost"),
    ("3 stays, 99 nights", HOST | {"stays_365d": 3, "nights_365d": 99}, None),
    ("2 stays, 100 nights", HOST | {"stays_365d": 2, "nights_365d": 100}, None),
    ("89 % answered", HOST | {"inquiries_answered_24h_365d": 89}, None),
    ("91 % answered", HOST | {"inquiries_answered_24h_365d": 91}, "superhost"),
    ("1.0 % canceled", HOST | {"stays_365d": 100, "host_cancellations_365d": 1}, None),
    ("0.99 % canceled", HOST | {"stays_365d": 101, "host_cancellations_365d": 1}, "superhost"),
    ("2 of 100 canceled", HOST | {"stays_365d": 100, "host_cancellations_365d": 2}, None),
    ("rated 4.79", HOST | {"rating_365d": 4.79}, None),
    ("rated 4.81", HOST | {"rating_365d": 4.81}, "superhost"),
    ("rating unknown", HOST | {"rating_365d": None}, None),
    ("nights unknown", HOST | {"nights_365d": None}, "superhost"),
]
TOP_RATED: list[Case] = [
    ("at every bound", SELLER, "top_rated"),
    ("99 sales", SELLER | {"sales_365d": 99}, None),
    ("101 sales", SELLER | {"sales_365d": 101, "tracked_365d": 96}, "top_rated"),
    ("999.99 sold", SELLER | {"sold_for_365d": 999.99}, None),
    ("4 defects of 100", SELLER | {"defects_365d": 4}, None),
    ("50 defects of 10000", BIG_SELLER | {"defects_365d": 50}, "top_rated"),
    ("51 defects of 10000", BIG_SELLER | {"defects_365d": 51}, None),
    ("3 unresolved of 100", SELLER | {"cases_unresolved_365d": 3}, None),
    ("30 unresolved of 10000", BIG_SELLER | {"cases_unresolved_365d": 30}, "top_rated"),
    ("31 unresolved of 10000", BIG_SELLER | {"cases_unresolved_365d": 31}, None),
    ("6 late of 100", SELLER | {"late_365d": 6}, None),
    (
        "6 late of 200",
        SELLER | {"sales_365d": 200, "late_365d": 6, "tracked_365d": 190},
        "top_rated",
    ),
    ("94 tracked of 100", SELLER | {"tracked_365d": 94}, None),
    ("400 sold in 3 months", BUSY_SELLER, "top_rated"),
    ("399 sold in 3 months", BUSY_SELLER | {"sales_91d": 399, "tracked_91d": 399}, None),
    ("bad last 3 months", BUSY_SELLER | {"tracked_91d": 379}, None),
]
POWER_SELLER: list[Case] = [
    ("at every bound", POWER, "bronze"),
    ("97 % positive", POWER | {"feedback_positive_365d": 97}, None),
    ("99 % positive", POWER | {"feedback_positive_365d": 99}, "bronze"),
    ("described 4.49", POWER | {"stars_described": 4.49}, None),
    ("shipping cost 4.51", POWER | {"stars_shipping_cost": 4.51}, "bronze"),
    ("shipping cost 4.49", POWER | {"stars_shipping_cost": 4.49}, None),
    ("4 of 100 low", POWER | {"low_stars_described_365d": 4}, None),
    ("10 of 1000 low", POWER_1000 | {"low_stars_described_365d": 10}, "bronze"),
    ("11 of 1000 low", POWER_1000 | {"low_stars_described_365d": 11}, None),
    ("20 of 1000 slow", POWER_1000 | {"low_stars_shipping_time_365d": 20}, "bronze"),
    ("21 of 1000 slow", POWER_1000 | {"low_stars_shipping_time_365d": 21}, None),
    ("99 sales", POWER | {"sales_365d": 99}, None),
    ("2999.99 sold", POWER | {"sold_for_365d": 2999.99}, None),
    *(
        (f"{tier}, {name}", POWER | {"sold_for_365d": money, "sales_365d": sales}, got)
        for below, tier, amount, number in (
            ("bronze", "silver", 36_000, 3_600),
            ("silver", "gold", 120_000, 12_000),
            ("gold", "platinum", 300_000, 30_000),
            ("platinum", "titanium", 1_800_000, 180_000),
        )
        for name, money, sales, got in (
            ("exactly", amount, number, tier),
            ("above", amount + 0.01, number + 1, tier),
            ("one sale less", amount, number - 1, below),
            ("a cent less", amount - 0.01, number, below),
        )
    ),
]
TRUST_LEVEL: list[Case] = [
    ("level 1", BASIC, "basic"),
    *((f"level 1, {name} less", BASIC | {name: at - 1}, None) for name, at in BASIC.items()),
    ("level 2", MEMBER, "member"),
    *((f"level 2, {name} less", MEMBER | {name: at - 1}, "basic") for name, at in MEMBER.items()),
    ("level 3", REGULAR, "regular"),
    *(
        (f"level 3, {name} less", REGULAR | {name: at - 1}, "member")
        for name, at in REGULAR.items()
        if name.startswith(("topics_entered", "posts_read", "likers"))
        or (name.endswith("_100d") and not name.startswith(("new", "flag", "susp")))
    ),
    ("6 flagged", REGULAR | {"flagged_posts_100d": 6}, "member"),
    ("6 flaggers", REGULAR | {"flaggers_100d": 6}, "member"),
    ("suspended", REGULAR | {"suspensions_100d": 1}, "member"),
    ("500 topics", REGULAR | {"topics_viewed_100d": 500, "new_topics_100d": 9999}, "regular"),
    ("499 topics", REGULAR | {"topics_viewed_100d": 499, "new_topics_100d": 9999}, "member"),
    ("20000 posts", REGULAR | {"posts_read_100d": 20_000, "new_posts_100d": 10**6}, "regular"),
    ("19999 posts", REGULAR | {"posts_read_100d": 19_999, "new_posts_100d": 10**6}, "member"),
]


@pytest.mark.parametrize(
    ("name", "as_of", "cases"),
    [
        ("superhost", date(2026, 4, 1), SUPERHOST),
        ("top_rated", date(2026, 4, 20), TOP_RATED),
        ("power_seller", date(2026, 4, 20), POWER_SELLER),
        ("trust_level", date(2026, 4, 13), TRUST_LEVEL),
    ],
)
def test_published_tiers_are_given_exactly_from_their_bounds_on(
    models: Models, name: str, as_of: date, cases: list[Case]
) -> None:
    ledger = Ledger(models, as_of)
    published(ledger, name)
    for person, fields, _ in cases:
        member(ledger, person, **fields)
    rows = ledger.build().rows("select person_id, tier from rel_tier")
    assert {row["person_id"]: row["tier"] for row in rows} == {
        person: tier for person, _, tier in cases
    }


def test_unknown_is_neither_met_nor_failed(models: Models) -> None:
    ledger = Ledger(models, date(2026, 4, 1))
    published(ledger, "superhost")
    member(ledger, "told", **HOST)
    member(ledger, "untold", **(HOST | {"rating_365d": None}))
    member(ledger, "failing", **(HOST | {"rating_365d": None, "stays_365d": 2}))
    told, untold, failing = (
        ledger.build().one(f"select * from rel_tier where person_id = '{person}'")
        for person in ("told", "untold", "failing")
    )
    assert (told["status"], told["coverage"], told["n"]) == ("moved up", 1, 6)
    assert (untold["status"], untold["rules_missing"], untold["rules_unknown"]) == (
        "cannot tell", 0, 1,
    )  # fmt: skip
    assert untold["action"] == "find out which source would tell rating"
    assert untold["missing_1"] == "rating unknown, at least 4.8 needed"
    assert (untold["n"], untold["next_gap"]) == (5, None)
    assert (failing["status"], failing["rules_missing"], failing["rules_unknown"]) == ("none", 1, 1)


def test_what_is_missing_is_told_with_the_largest_distance_first(models: Models) -> None:
    ledger = Ledger(models, date(2026, 4, 20))
    published(ledger, "top_rated")
    member(ledger, "ann", **(SELLER | {"sales_365d": 80, "sold_for_365d": 100, "late_365d": 6}))
    row = ledger.build().one("select * from rel_tier")
    assert (row["tier"], row["tier_rank"], row["next_tier"]) == (None, 0, "top_rated")
    assert [row[f"missing_{n}"] for n in (1, 2, 3)] == [
        "sold for 100, at least 1000 needed",
        "late rate 0.075, at most 0.03 (or at most 5 of them) needed",
        "sales 80, at least 100 needed",
    ]
    assert (row["rules_missing"], float(row["next_gap"])) == (3, 0.9)
    assert row["reason_1"] == "for top_rated: sold for 100, at least 1000 needed"


def test_of_rules_of_which_one_is_enough_the_nearest_is_told(models: Models) -> None:
    ledger = Ledger(models, date(2026, 4, 1))
    published(ledger, "superhost")
    member(ledger, "ann", **(HOST | {"stays_365d": 9, "nights_365d": 80}))
    row = ledger.build().one("select * from rel_tier")
    assert row["missing_1"] == "stays 9, at least 10 needed, or 1 other rule"
    assert row["rules_missing"] == 1


@pytest.mark.parametrize(("days_known", "tier"), [(89, None), (90, "old"), (91, "old")])
def test_days_since_the_first_profile_count_up_to_the_review(
    models: Models, days_known: int, tier: str | None
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(
        {
            "tenure": {
                "owner": "lead",
                "measures": {"tenure": {"since": "created_at"}},
                "tiers": [{"name": "old", "all": [{"tenure": {"min": 90}}]}],
            }
        },
    )
    member(ledger, "ann", days_known)
    ledger.person("nobody knows since when")
    row = ledger.build().one("select * from rel_tier where person_id = 'ann'")
    assert row["tier"] == tier
    assert row["tier_since"] == (AS_OF - timedelta(days=days_known - 90) if tier else None)
    other = ledger.one("select status, missing_1 from rel_tier where person_id <> 'ann'")
    assert other == {"status": "cannot tell", "missing_1": "tenure unknown, at least 90 needed"}


# ---------------------------------------------------------------- reviews, grace, low water


def guild(**keys: Any) -> dict[str, Any]:
    """Return a programme of one tier that asks for ten answers in a hundred days."""
    return {
        "guild": {
            "owner": "community_lead",
            "measures": {"answers": {"acts": ["answer", "accepted_answer"], "days": 100}},
            "tiers": [
                {"name": "helper", "all": [{"answers": {"min": 10}}], "perks": ["badge", "call"]}
            ],
            **keys,
        }
    }


def answers(ledger: Ledger, person: str, ages: list[int]) -> None:
    """Let somebody answer once on each of the days that are so many before the snapshot's."""
    ledger.person(person)
    for number, age in enumerate(ages):
        ledger.act(f"{person}-{number}", person, days_ago(age), "answer", thread_id="q")


def standing(ledger: Ledger, person: str = "ann") -> dict[str, Any]:
    return ledger.one(f"select * from rel_tier where person_id = '{person}' and as_of = '{AS_OF}'")


def test_acts_of_the_last_days_count_from_the_first_of_them_to_the_last(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild())
    answers(ledger, "in", [*range(9), 99])
    answers(ledger, "out", [*range(9), 100])
    ledger.person("silent")
    ledger.build()
    assert standing(ledger, "in")["tier"] == "helper"
    out = standing(ledger, "out")
    assert (out["tier"], out["missing_1"]) == (None, "answers 9, at least 10 needed")
    silent = standing(ledger, "silent")
    assert silent["missing_1"] == "answers 0, at least 10 needed"


def test_what_nobody_ever_did_is_unknown_and_not_nought(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild())
    ledger.person("ann")
    ledger.act("post", "ann", days_ago(9), "post")
    row = standing(ledger.build())
    assert (row["status"], row["missing_1"]) == (
        "cannot tell", "answers unknown, at least 10 needed",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("met_until", "status", "tier", "days_to_loss"),
    [
        (0, "held", "helper", None),
        (1, "at risk", "helper", 14),
        (14, "at risk", "helper", 1),
        (15, "moved down", None, None),
    ],
)
def test_a_tier_stays_through_its_days_of_grace(
    models: Models, met_until: int, status: str, tier: str | None, days_to_loss: int | None
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild(grace_days=14))
    oldest = 99 + met_until  # it falls out of the hundred days after the last on which it was met
    answers(ledger, "ann", [oldest - number for number in range(10)])
    row = standing(ledger.build())
    assert (row["status"], row["tier"], row["days_to_loss"]) == (status, tier, days_to_loss)
    assert row["previous_tier"] == "helper"
    assert row["tier_since"] == (AS_OF - timedelta(days=oldest - 9) if tier else None)
    assert (row["action"] is not None) == (status in ("at risk", "moved down"))
    assert (row["owner"], row["perks"]) == ("community_lead", "badge, call" if tier else None)


@pytest.mark.parametrize(("left", "tier"), [(9, "helper"), (8, None)])
def test_a_tier_stays_above_its_low_water_mark(models: Models, left: int, tier: str | None) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild(low_water=0.9))
    answers(ledger, "ann", [*range(120, 130 - left), *range(90, 90 - left, -1)])
    answers(ledger, "bob", list(range(9)))
    row = standing(ledger.build())
    assert row["tier"] == tier
    assert standing(ledger, "bob")["tier"] is None, "to come in it takes all of it"
    if tier:
        assert (row["status"], row["keep_margin"]) == ("held", 0)
        assert row["closest_rule"] == "answers 9, at least 9 keeps it"


@pytest.mark.parametrize(
    ("review", "met_on", "since", "days_to_review"),
    [
        ({"every": "quarter"}, date(2026, 1, 1), date(2026, 1, 1), 1),
        ({"every": "quarter"}, date(2026, 1, 2), None, 1),
        ({"every": "quarter", "day": 20}, date(2026, 1, 20), date(2026, 1, 20), 20),
        ({"every": "month", "day": 20}, date(2026, 3, 20), date(2026, 3, 20), 20),
        ({"every": "month", "day": 20}, date(2026, 3, 21), None, 20),
        ({"every": "month", "day": 20}, date(2026, 1, 21), date(2026, 2, 20), 20),
        ({"every": "day"}, date(2026, 3, 21), date(2026, 3, 21), 1),
    ],
)
def test_tiers_are_given_on_review_days_alone(
    models: Models,
    review: dict[str, Any],
    met_on: date,
    since: date | None,
    days_to_review: int,
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild(review=review))
    last = (AS_OF - met_on).days
    answers(ledger, "ann", [last + number for number in range(10)])
    row = standing(ledger.build())
    assert row["tier_since"] == since
    assert (row["tier"] is None) == (since is None)
    assert row["days_to_review"] == days_to_review
    if since is None:
        assert row["reason_1"].startswith("meets all that helper asks for; the review is in ")


def test_a_tier_is_lost_at_a_second_look_where_grace_covers_the_first(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[date(2026, 3, 19), date(2026, 3, 21)])
    ledger.enroll(guild(review={"every": "month", "day": 20}, grace_days=40))
    # ten until the 11th of February: met on January 20th, not on February 20th nor March 20th
    first = (AS_OF - date(2025, 11, 4)).days
    answers(ledger, "ann", [first - number for number in range(10)])
    rows = ledger.build().rows("select as_of, tier, status, days_to_loss from rel_tier order by 1")
    assert [tuple(row.values()) for row in rows] == [
        (date(2026, 3, 19), "helper", "at risk", 1),
        (date(2026, 3, 21), None, "moved down", None),
        (AS_OF, None, "moved down", None),
    ]


def test_a_tier_that_was_lost_begins_anew(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild())
    answers(ledger, "ann", [*range(300, 310), *range(5, 15)])
    assert standing(ledger.build())["tier_since"] == AS_OF - timedelta(days=5)


# ---------------------------------------------------------------- where measures are from


def test_every_column_that_can_be_a_measure_is_read(models: Models) -> None:
    """What the checks of strategy.yml let through is what SQL reads."""
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    answers(ledger, "ann", [3, 9, 20])
    answers(ledger, "bob", [3])
    names = tiers.columns()
    measures = {name.replace(".", "_"): {"column": name} for name in names}
    rules = [{name: {"min": 10**6}} for name in measures]
    ledger.enroll(
        {"all": {"owner": "lead", "measures": measures, "tiers": [{"name": "top", "all": rules}]}},
    )
    rows = ledger.build().rows(
        "select measure, value from int_tiers__rules inner join int_tiers__members using (member) "
        "where person_id = 'ann' and look = 'today'"
    )
    found = {row["measure"]: row["value"] for row in rows}
    for name in names:
        table, column = name.split(".")
        told = ledger.one(
            f"select cast({column} as decimal(28, 9)) as value from {table} "
            f"where person_id = 'ann' and as_of = '{AS_OF}'"
        )
        assert found[name.replace(".", "_")] == told["value"], name


def test_promises_and_payments_of_the_person_are_measures(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.add("control.settings", {"name": "currency", "value": "EUR"})
    ledger.enroll(
        {
            "supplier": {
                "owner": "purchasing",
                "measures": {
                    "kept": {"indicator": "promises_kept", "days": 365},
                    "bought": {"paid": "purchases", "days": 365},
                },
                "tiers": [
                    {"name": "one", "all": [{"kept": {"min": 0.75}}]},
                    {"name": "two", "all": [{"bought": {"min": 100}}]},
                ],
            }
        },
    )
    for person, kept, paid in (("ann", 3, 100), ("bob", 2, 100), ("cid", 3, 99)):
        ledger.person(person)
        for number in range(4):
            ledger.add(
                "fct_commitment",
                {
                    "commitment_id": f"{person}-{number}",
                    "is_ours": False,
                    "person_id": person,
                    "made_at": days_ago(40),
                    "due_at": days_ago(30),
                    "fulfilled_at": days_ago(31 if number < kept else 29),
                    "outcome": "kept" if number < kept else "late",
                    "loaded_at": days_ago(20),
                },
            )
        for currency, amount in (("EUR", paid), ("USD", 10**6)):
            ledger.add(
                "fct_purchase",
                {
                    "purchase_id": f"{person}-{currency}",
                    "person_id": person,
                    "occurred_at": days_ago(9),
                    "amount": amount,
                    "currency": currency,
                    "loaded_at": days_ago(8),
                },
            )
    assert tiers_of(ledger) == {"ann": "two", "bob": None, "cid": "one"}


def test_a_share_begins_from_what_it_is_taken_for(models: Models) -> None:
    ledger = Ledger(models, date(2026, 4, 1))
    prior = {"n": 20, "share": 0.9}
    ledger.enroll(
        {
            "trusted": {
                "owner": "lead",
                "measures": {
                    "good": {"custom": "good"},
                    "rated": {"custom": "rated"},
                    "share": {"part": "good", "of": "rated", "prior": prior},
                },
                "tiers": [{"name": "trusted", "all": [{"share": {"min": 0.98}}]}],
            }
        },
    )
    member(ledger, "1 of 1", good=1, rated=1)
    member(ledger, "79 of 79", good=79, rated=79)
    member(ledger, "80 of 80", good=80, rated=80)
    rows = ledger.build().rows("select person_id, tier from rel_tier")
    assert {row["person_id"]: row["tier"] for row in rows} == {
        "1 of 1": None, "79 of 79": None, "80 of 80": "trusted",
    }  # fmt: skip


def test_members_are_those_of_the_relationship(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild(), {"guild": ("kind", "customer")})
    for person in ("ann", "bob"):
        answers(ledger, person, list(range(10)))
    ledger.person("us", is_staff=True)
    ledger.add(
        "bridge_person_segment",
        {"person_id": "ann", "segment_type": "kind", "segment": "customer"},
        {"person_id": "us", "segment_type": "kind", "segment": "customer"},
    )
    assert tiers_of(ledger) == {"ann": "helper"}


def test_without_programmes_there_are_no_tiers(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    answers(ledger, "ann", list(range(10)))
    assert not ledger.build().rows("select * from rel_tier")


# ---------------------------------------------------------------- laws


laws = settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])


@laws
@given(seed=st.integers(0, 10**6))
def test_more_of_what_is_good_and_less_of_what_is_bad_never_lowers_a_tier(
    models: Models, seed: int
) -> None:
    dice = random.Random(seed)
    name = dice.choice(["superhost", "top_rated", "power_seller", "trust_level"])
    good, worst = {
        "superhost": (HOST, {"host_cancellations_365d"}),
        "top_rated": (SELLER, {"defects_365d", "cases_unresolved_365d", "late_365d"}),
        "power_seller": (POWER, {field for field in POWER if field.startswith("low_")}),
        "trust_level": (REGULAR, {field for field in REGULAR if field.startswith(("fla", "sus"))}),
    }[name]
    # the whole of a share, what a window is chosen by, and its numbers are neither good nor bad
    neutral = ("sales", "inquiries_365d", "feedback_365d", "new_", "stays")
    ledger = Ledger(models, date(2026, 4, 20 if name != "superhost" else 1))
    published(ledger, name)
    for number in range(12):
        before = {
            field: dice.choice([None, value, value, value * dice.choice([0.5, 0.97, 1.02, 9])])
            for field, value in good.items()
        }
        after = {
            field: value
            if value is None or (field.startswith(neutral) and "_91d" not in field)
            else value / 2
            if field in worst
            else value
            if field.endswith("_91d")
            else value * 1.5
            for field, value in before.items()
        }
        member(ledger, f"{number} before", **before)
        member(ledger, f"{number} after", **after)
    rows = ledger.build().rows("select person_id, tier_rank from rel_tier")
    ranks = {row["person_id"]: row["tier_rank"] for row in rows}
    for number in range(12):
        assert ranks[f"{number} before"] <= ranks[f"{number} after"]


@laws
@given(seed=st.integers(0, 10**6))
def test_the_days_in_between_do_what_reviews_one_by_one_would_do(models: Models, seed: int) -> None:
    """What is computed from changes alone is what a walk from review to review finds."""
    dice = random.Random(seed)
    ledger = Ledger(models, AS_OF)
    choices = {
        f"p{number}": (every, dice.randrange(31), dice.choice([0.5, 0.75, 1.0]))
        for number, every in enumerate(["day", "day", "month", "month", "quarter"])
    }
    for name, (every, grace, low_water) in choices.items():
        [programme] = guild(
            grace_days=grace,
            low_water=low_water,
            review={"every": every},
            measures={"answers": {"acts": ["answer"], "days": 30}},
            tiers=[{"name": "helper", "all": [{"answers": {"min": 4}}]}],
        ).values()
        ledger.enroll({name: programme})
    acts = {
        f"per_{number:02}": [dice.randrange(260) for _ in range(dice.randrange(1, 60))]
        for number in range(30)
    }
    for person, ages in acts.items():
        answers(ledger, person, ages)
    rows = ledger.build().rows("select programme, person_id, tier_since from rel_tier")
    assert len(rows) == len(choices) * len(acts)
    assert any(row["tier_since"] for row in rows)
    for row in rows:
        every, grace, low_water = choices[row["programme"]]
        ages = acts[row["person_id"]]
        since, met_on = None, AS_OF
        for age in range(max(ages), -1, -1):
            day = AS_OF - timedelta(days=age)
            if every != "day" and (day.day > 1 or (every == "quarter" and day.month % 3 != 1)):
                continue
            number = sum(age <= act < age + 30 for act in ages)
            if number >= 4:
                since, met_on = since or day, day
            elif since and number < 4 * low_water and (day - met_on).days > grace:
                since = None
        assert row["tier_since"] == since, (row, every, grace, low_water)


LADDER = {
    "grace_days": 0,
    "low_water": 1.0,
    "review": {"every": "day"},
    "measures": {"answers": {"acts": ["answer"], "days": 56}},
    "tiers": [
        {"name": "helper", "all": [{"answers": {"min": 2}}]},
        {"name": "guide", "all": [{"answers": {"min": 4}}]},
    ],
}


def test_who_moved_between_tiers_in_28_days_is_counted_by_the_way_they_went(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild(**LADDER))
    for person, ages in {
        "rises": [3, 4, 30, 31],
        "rises too": [1, 2, 29, 30, 31],
        "falls": [30, 31, 60, 61],
        "comes": [5, 6],
        "goes": [70, 71],
        "stays": [30, 31],
        "never": [9],
    }.items():
        answers(ledger, person, ages)
    rows = ledger.build().rows("select * from rel_tier_flow")
    assert {
        (row["from_tier"], row["to_tier"]): (row["movement"], row["people"], row["from_share"])
        for row in rows
    } == {
        ("helper", "guide"): ("promotion", 2, 0.5),
        ("helper", "none"): ("exit", 1, 0.25),
        ("helper", "helper"): ("held", 1, 0.25),
        ("guide", "helper"): ("demotion", 1, 1.0),
        ("none", "helper"): ("entry", 1, 0.5),
        ("none", "none"): ("held", 1, 0.5),
    }
    assert {(row["programme"], row["owner"], row["n"], row["coverage"]) for row in rows} == {
        ("guild", "community_lead", 7, 1.0)
    }


@laws
@given(seed=st.integers(0, 10**6))
def test_moves_between_tiers_add_up_to_who_has_them_and_to_who_had_them(
    models: Models, seed: int
) -> None:
    """Against `rel_tier` of the same day, and against that of 28 days before."""
    dice = random.Random(seed)
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=28)])
    ledger.enroll(guild(**LADDER))
    for number in range(40):
        answers(ledger, f"p{number}", [dice.randrange(120) for _ in range(dice.randrange(1, 9))])
    ledger.build()
    flows = "select as_of, {} as tier, sum(people)::int as n from rel_tier_flow group by all"
    moved_to, moved_from = (
        {(row["as_of"], row["tier"]): row["n"] for row in ledger.rows(flows.format(side))}
        for side in ("to_tier", "from_tier")
    )
    having = {
        (row["as_of"], row["tier"]): row["n"]
        for row in ledger.rows(
            "select as_of, coalesce(tier, 'none') as tier, count(*) as n from rel_tier group by all"
        )
    }
    assert moved_to == having
    for tier in ("helper", "guide"):
        before = having.get((AS_OF - timedelta(days=28), tier), 0)
        assert moved_from.get((AS_OF, tier), 0) == before


def test_the_directory_of_a_tier_begins_with_who_answers_fastest(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild(**LADDER))
    ledger.person("asker")
    hours = {
        "slow": [9, 9],
        "quick": [1, 3],
        "as quick": [2, 2],
        "as quick, of four": [2, 2, 8, 1],
        "as quick, of three": [2, 1, 3],
        "quickest": [1],
    }
    for person, waits in hours.items():
        ledger.person(person)
        for number, wait in enumerate(waits):
            asked, key = days_ago(20 - number), f"{person}-{number}"
            ledger.act(key, "asker", asked, "question", thread_id=key)
            at = asked + timedelta(hours=wait)
            ledger.act(f"{key}-a", person, at, "answer", thread_id=key)
            # what follows is no first answer, and what the asker writes is none at all
            ledger.act(f"{key}-b", person, at + timedelta(hours=5), "answer", thread_id=key)
            ledger.act(f"{key}-c", "asker", asked, "answer", thread_id=key)
    ledger.act("one", "no tier", days_ago(19), "answer", thread_id="slow-0")
    ledger.person("no tier")
    for age in (5, 6):  # has the tier by answers to what nobody here asked
        ledger.act(f"elsewhere-{age}", "elsewhere", days_ago(age), "answer", thread_id="lost")
    ledger.person("elsewhere")
    ledger.build()
    listed = ledger.rows(
        "select tier, directory_rank as place, person_id, median_answer_hours_364d as hours "
        "from rel_tier where directory_rank is not null order by 1, 2"
    )
    assert [tuple(row.values()) for row in listed] == [
        ("guide", 1, "as quick, of four", 2.0),
        ("guide", 2, "as quick, of three", 2.0),
        ("guide", 3, "as quick", 2.0),
        ("guide", 4, "quick", 2.0),
        ("guide", 5, "slow", 9.0),
        ("helper", 1, "quickest", 1.0),
    ]
    assert standing(ledger, "no tier")["median_answer_hours_364d"] is None
    assert standing(ledger, "elsewhere")["tier"] == "helper"


def test_who_keeps_a_tier_and_was_long_not_thanked_is_to_be_thanked(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.enroll(guild())
    thanked = {"lately": 90, "long ago": 91, "by herself": 3, "never": None, "unkindly": 2}
    for person, age in thanked.items():
        answers(ledger, person, [*range(40, 50)])
        if age is not None:
            ledger.add(
                "fct_reaction_given",
                {
                    "reaction_id": person,
                    "polarity": "negative" if person == "unkindly" else "positive",
                    "actor_person_id": person if person == "by herself" else "somebody",
                    "target_person_id": person,
                    "occurred_at": None if person == "long ago" else days_ago(age),
                    "first_seen_at": days_ago(age),
                },
            )
    answers(ledger, "counted", [*range(40, 50)])
    counter = {"polarity": "positive", "person_id": "counted"}
    ledger.add(
        "fct_reaction",
        counter | {"observation_id": "1", "n_change": 2, "observed_at": days_ago(20)},
        counter | {"observation_id": "2", "n_change": -1, "observed_at": days_ago(5)},
    )
    rows = ledger.build().rows(
        "select person_id, status, days_since_thanked as days, action from rel_tier"
    )
    assert {row.pop("person_id"): tuple(row.values()) for row in rows} == {
        "lately": ("held", 90, None),
        "long ago": ("held", 91, "thank them: nobody has for 91 days"),
        "by herself": ("held", None, "thank them: nobody has ever"),
        "never": ("held", None, "thank them: nobody has ever"),
        "unkindly": ("held", None, "thank them: nobody has ever"),
        "counted": ("held", 20, None),
    }
    tier = ledger.one("select * from rel_tier_service where tier_rank > 0")
    assert (tier["people"], tier["people_thanked_90d"]) == (6, 2)
    assert tier["median_days_since_thanked"] == 90
    ledger.execute("delete from fct_reaction_given")
    ledger.execute("delete from fct_reaction")
    actions = ledger.build().rows("select distinct action from rel_tier")
    assert actions == [{"action": None}], "where nobody tells of thanks nobody knows who got none"


@pytest.mark.parametrize(
    ("wait_of_the_best", "asked", "service"),
    [(30, 12, "worse"), (10, 12, "alike"), (1, 12, "better"), (30, 9, "too few to tell")],
)
def test_where_the_best_wait_longer_than_the_rest_it_is_flagged(
    models: Models, wait_of_the_best: int, asked: int, service: str
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.enroll(guild())
    ledger.person("us", is_staff=True)
    ledger.person("rest")
    answers(ledger, "best", [*range(40, 50)])
    for person, n in (("best", asked), ("rest", 20)):
        for number in range(n):
            key, at = f"{person}-q{number}", days_ago(50 + number)
            ledger.act(key, person, at, "question", thread_id=key)
            wait = 10 + (number % 2) * 2 - 1 if person == "rest" else wait_of_the_best
            if person == "best" and service == "alike":
                wait = 8 + (number % 2) * 4
            after = at + timedelta(hours=wait)
            ledger.act(f"{key}-a", "us", after, "answer", thread_id=key)
    rows = ledger.build().rows("select * from rel_tier_service order by tier_rank")
    rest, best = rows
    assert (rest["tier"], rest["service"], best["service"]) == ("none", None, service)
    assert (best["questions_364d"], best["questions_below_364d"]) == (asked, 20)
    assert best["median_wait_hours_below_364d"] == rest["median_wait_hours_364d"] == 9
    if service == "worse":
        assert best["median_wait_hours_364d"] == wait_of_the_best
        assert best["reason_1"] == (
            "12 of 12 questions waited longer than 9 hours; of those below, half did"
        )
        assert best["action"] == f"answer {best['tier']} first" and best["owner"]
    else:
        assert (best["action"], best["reason_1"]) == (None, None)


@pytest.mark.parametrize("gain", [0, 6])
def test_what_a_tier_changes_is_who_just_met_its_bound_against_who_just_missed_it(
    models: Models, gain: int
) -> None:
    """Ten answers in a hundred days are asked; who came to have ten or eleven gains some days."""
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=28)])
    ledger.enroll(guild())

    def somebody(name: str, answered: list[int], later: int) -> None:
        answers(ledger, name, answered)
        for age in range(later):
            ledger.act(f"{name}-later-{age}", name, days_ago(age), "post")

    for number in range(24):
        n = (8, 9, 10, 11)[number % 4]
        later = n + (-2, 2, -1, 1, 0, 0)[number // 4] + (gain if n >= 10 else 0)
        somebody(f"near-{number}", [*range(95, 95 + n)], later)
    somebody("far below", [*range(95, 100)], 60)
    somebody("far above", [*range(95, 115)], 60)
    somebody("had it before", [*range(95, 105), *range(190, 200)], 60)
    somebody("too late", [*range(80, 90)], 60)
    found = ledger.build().rows("select * from rel_tier_service where tier_rank > 0 order by as_of")
    past, row = found
    assert (row["people_just_above"], row["people_just_below"]) == (12, 12)
    assert row["change_just_above"] == pytest.approx(gain)
    assert row["change_just_below"] == pytest.approx(0)
    assert row["tier_effect"] == pytest.approx(gain)
    assert (row["tier_effect_low"] > 0) == (gain > 0) and row["tier_effect_high"] > 0
    width = 1.96 * (2 * (20 / 11) / 12) ** 0.5  # of -2, 2, -1, 1, 0, 0, each twice
    assert row["tier_effect_high"] - row["tier_effect"] == pytest.approx(width)
    assert past["tier_effect"] is None


def test_a_tier_reads_an_amount_only_where_a_rule_names_one(models: Models) -> None:
    sql = {name: step for name, step in models.steps.items() if isinstance(step, str)}
    reading = {name for name, text in sql.items() if re.search(r"int_tiers__paid\b", text)}
    assert reading == {"int_tiers__changes"}
