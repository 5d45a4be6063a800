"""Segments: business, segment and customer are counted alike, and sums agree."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import random_world, worlds

ADDITIVE = {
    "rel_community_health": (
        "members", "active", "previous_active", "new_members", "retained", "resurrected",
        "churned", "contributions", "wau", "questions", "questions_7d", "newcomer_questions_7d",
        "answers", "helpers", "n",
    ),
    "rel_engagement_segment": (
        "people", "people_364d", "people_90d", "people_28d", "score", "people_leading",
        "people_contributing", "people_participating", "people_exploring", "moved_up", "held",
        "moved_down", "n",
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
