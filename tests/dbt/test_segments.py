"""Segments: business, segment and customer are counted alike, and sums agree."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago, random_world, worlds

ADDITIVE = {
    "rel_community_health": (
        "members", "active", "previous_active", "new_members", "retained", "resurrected",
        "churned", "contributions", "wau", "questions", "questions_7d", "newcomer_questions_7d",
        "first_helped", "answers", "helpers", "n",
    ),
    "rel_engagement_segment": (
        "people", "people_364d", "people_90d", "people_28d", "score", "people_leading",
        "people_contributing", "people_participating", "people_exploring", "moved_up", "held",
        "moved_down", "commitment", "newcomers_tied", "newcomers_untied", "acts_28d", "n",
    ),
    "rel_cadence": ("started", "reached", "waiting", "n"),
}  # fmt: skip
GRAIN = {
    "rel_community_health": ("as_of", "basis"),
    "rel_engagement_segment": ("as_of", "basis"),
    "rel_cadence": ("as_of", "basis", "step", "ordinal"),
}


def divided_world(models: Models, seed: int) -> Ledger:
    """A random world whose people are divided by tier, some of them with none."""
    dice = random.Random(seed)
    ledger = random_world(models, random.Random(seed))
    ledger.add("control.segment_rules", {"segment_type": "tier", "origin": "custom", "field": "T"})
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    for row in ledger.rows("select person_id from dim_person order by 1"):
        if dice.random() < 0.8:
            ledger.add(
                "bridge_person_segment",
                {
                    "person_id": row["person_id"],
                    "segment_type": "tier",
                    "segment": dice.choice(["Gold", "Silver", "unknown"]),
                },
            )
    for number in range(2):
        ledger.add(
            "bridge_organization_segment",
            {"organization_id": f"org_{number}", "segment_type": "tier", "segment": "Gold"},
        )
    return ledger.build()


@worlds
@given(seed=st.integers(0, 10**6))
def test_the_sums_of_segments_are_the_business(models: Models, seed: int) -> None:
    ledger = divided_world(models, seed)
    for table, columns in ADDITIVE.items():
        grain = ", ".join(GRAIN[table])
        sums = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in columns)
        by_rule, whole = (
            ledger.rows(
                f"select {grain}, {sums} from {table} "
                f"where segment_type = '{segment_type}' group by {grain} order by {grain}"
            )
            for segment_type in ("tier", "all")
        )
        assert whole
        if table == "rel_community_health":  # before the first act only the whole has a row
            days = {row["as_of"] for row in by_rule}
            whole = [row for row in whole if row["as_of"] in days]
        assert by_rule == whole, table


def test_without_a_rule_there_is_only_the_business(models: Models) -> None:
    ledger = random_world(models, random.Random(3)).build()
    for table, kinds in (
        ("rel_community_health", {"all", "silo", "place"}),
        ("rel_engagement_segment", {"all"}),
        ("rel_cadence", {"all"}),
    ):
        rows = ledger.rows(f"select distinct segment_type from {table}")
        assert {row["segment_type"] for row in rows} == kinds


def test_a_segment_counts_its_own_askers_helpers_and_ties(models: Models) -> None:
    ledger = divided_world(models, 4)
    rows = ledger.rows(
        "select segment_type, as_of, sum(ties) ties, max(helpers) helpers "
        "from rel_community_health where segment_type in ('all', 'tier') group by all"
    )
    ties = {(row["segment_type"], row["as_of"]): row["ties"] for row in rows}
    for (kind, as_of), number in ties.items():
        if kind == "tier":  # a tie between two segments belongs to both
            assert ties["all", as_of] <= number <= 2 * ties["all", as_of]


def test_gravity_is_as_published(models: Models) -> None:
    """Orbit's own example: commitment of 441, 504 and 666 among thirty draws by 2.1 and 5.4."""
    for before, now, commitment, gravity in (
        ((1, 4, 8, 17), (1, 5, 9, 15), 504, 2.1),
        ((1, 5, 9, 15), (2, 6, 10, 12), 666, 5.4),
    ):
        ledger = Ledger(models, AS_OF)
        ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
        levels = [
            [level for level, people in enumerate(spread, 1) for _ in range(people)]
            for spread in (before, now)
        ]
        for number in range(30):
            ledger.person(f"p{number}")
            ledger.act(f"a{number}", f"p{number}", days_ago(1), "post")
        assert len(ledger.build().rows("select * from rel_engagement")) == 30
        for number, (level_before, level) in enumerate(zip(*levels, strict=True)):
            ledger.con.execute(
                "update rel_engagement set level = ?, previous_level = ? where person_id = ?",
                [level, level_before, f"p{number}"],
            )
        row = ledger.one("select * from rel_engagement_segment")
        assert (row["commitment"], row["gravity"]) == (commitment, pytest.approx(gravity))


def test_what_is_no_purchase_and_what_is_one_are_the_whole(models: Models) -> None:
    ledger = divided_world(models, 6)
    counted = 0
    for row in ledger.rows(
        f"select * from rel_engagement_segment where as_of = '{AS_OF}' and acts_28d > 0"
    ):
        [(bought, acts)] = ledger.execute(
            "select sum(events) filter (where behavior = 'purchase'), sum(events) "
            f"from rel_activity_daily where day > date '{AS_OF}' - 28 and role = 'actor' "
            "and not is_staff and not is_bot and person_id is not null "
            "and (? = 'all' or coalesce((select segment from bridge_person_segment s "
            "where s.person_id = rel_activity_daily.person_id), 'unknown') = ?)",
            [row["segment"], row["segment"]],
        ).fetchall()
        counted += bought or 0
        assert row["acts_28d"] == acts
        assert row["acts_but_purchases_share_28d"] + float(bought or 0) / float(acts) == 1
    assert counted
    ledger.execute("delete from fct_purchase")
    unknown = "select distinct acts_but_purchases_share_28d as share from rel_engagement_segment"
    assert ledger.build().rows(unknown) == [{"share": None}]


def test_ties_on_a_shared_interest_are_six_of_ten(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    names = ["ann", "bob", "cid", "dan", "eve"]
    for name in names:
        ledger.person(name)
    for one, other in itertools.combinations(names, 2):  # ten pairs, each turned to each other
        for number, (asker, helper) in enumerate([(one, other), (other, one)]):
            key = f"{one}-{other}-{number}"
            ledger.act(key, asker, days_ago(20), "question", thread_id=key)
            ledger.act(
                f"{key}-a", helper, days_ago(19), "answer", thread_id=key, target_person_id=asker
            )
    share = "select tied_pairs, interest_tie_share as share from rel_engagement_segment"
    assert ledger.build().one(share) == {"tied_pairs": 10, "share": None}, "nobody told of any"
    for name in names[:4]:  # of ten pairs six are among these four
        interest = {"person_id": name, "interest": "storms", "source": "crm"}
        ledger.add("bridge_person_interest", interest | {"told_at": days_ago(30)})
    assert ledger.build().one(share) == {"tied_pairs": 10, "share": 0.6}


def test_newcomers_with_a_tie_to_leaders_stand_beside_those_without(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(support="support")
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    levels = {"leader": 1, "helper": 2, "crowd": 4}
    for number, level in enumerate((2, 3, 4, 4, 4, 3)):  # three with a tie, three without
        levels[f"new-{number}"] = level
    for name in levels:
        ledger.person(name)
        if not name.startswith("new"):
            ledger.act(name, name, days_ago(400), "email")
    for number, other in enumerate(("leader", "helper", "leader", "crowd", None, "leader")):
        name, first = f"new-{number}", (63, 90, 70, 70, 70, 70)[number]
        ledger.act(name, name, days_ago(first), "email", target_person_id=other)
        if other and number < 5:  # the last one was never answered
            back = days_ago(first - 1)
            ledger.act(f"{name}-b", other, back, "email", target_person_id=name)
    for name, days in (("too-fresh", 62), ("too-old", 91)):
        ledger.person(name)
        ledger.act(name, name, days_ago(days), "email")
        levels[name] = 1
    assert len(ledger.build().rows("select * from rel_engagement")) == len(levels)
    for name, level in levels.items():
        ledger.con.execute("update rel_engagement set level = ? where person_id = ?", [level, name])
    row = ledger.one("select * from rel_engagement_segment")
    assert (row["newcomers_tied"], row["newcomers_tied_reaching_share"]) == (3, 2 / 3)
    assert (row["newcomers_untied"], row["newcomers_untied_reaching_share"]) == (3, 1 / 3)


def test_ties_older_than_a_year_are_alive_where_both_still_turn_to_each_other(
    models: Models,
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(support="support")
    for name in ("ann", "bob", "cid", "dan", "eve", "fay"):
        ledger.person(name)
    mails = {  # pair -> days ago on which the first wrote, on which the other did
        ("ann", "bob"): ((500, 20), (499, 19)),
        ("ann", "cid"): ((500, 20), (499,)),  # got no word back for a year
        ("ann", "dan"): ((500,), (499,)),
        ("ann", "eve"): ((800, 20), (500, 19)),  # two-way since the word back
        ("bob", "cid"): ((800, 20), (799, 19)),  # two-way for longer than two years
        ("bob", "dan"): ((500, 20), (300, 19)),  # two-way for less than one
        ("bob", "eve"): ((500,), ()),
    }
    for (one, other), days in mails.items():
        for (actor, target), ages in zip([(one, other), (other, one)], days, strict=True):
            for age in ages:
                key = f"{actor}-{target}-{age}"
                ledger.act(key, actor, days_ago(age), "email", target_person_id=target)
    found = "select older_ties, older_ties_alive_share from rel_engagement_segment"
    assert ledger.build().one(found) == {"older_ties": 4, "older_ties_alive_share": 2 / 4}


def test_first_answers_are_timed_for_each_tier_on_its_own(models: Models) -> None:
    """Whose question waits how long, by the tier of the asker that a field of the CRM tells."""
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.add("control.segment_rules", {"segment_type": "tier", "origin": "custom", "field": "T"})
    for tier, hours in {"Gold": (1, 2, 3), "Silver": (10, 20, 30)}.items():
        for number, wait in enumerate(hours):
            asker = f"{tier}-{number}"
            ledger.person(asker)
            ledger.add(
                "bridge_person_segment",
                {"person_id": asker, "segment_type": "tier", "segment": tier},
            )
            ledger.act(asker, asker, days_ago(9), "question", thread_id=asker)
            at = days_ago(9) + timedelta(hours=wait)
            ledger.act(f"{asker}-a", "helper", at, "answer", thread_id=asker)
    rows = ledger.build().rows(
        "select segment, questions, median_first_response_hours as median, "
        "p90_first_response_hours as p90 from rel_community_health where segment_type = 'tier'"
    )
    assert {tuple(row.values()) for row in rows if row["questions"]} == {
        ("Gold", 3, 2, 3),
        ("Silver", 3, 20, 30),
    }
