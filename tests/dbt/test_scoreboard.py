"""Goals of the strategy, held against numbers worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from rapport import goals
from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago

ALL = {"segment_type": "all", "segment": "all"}
PAST = [AS_OF - timedelta(days=28 * period) for period in (1, 2, 3)]


def goal(metric: str, target: str, *, due_on: date = AS_OF + timedelta(days=84)) -> dict[str, Any]:
    """Return a row of the control table, as `rapport.strategy` would write it."""
    found = goals.metric(metric, "test")
    comparison, number = goals.target(target, "test")
    return {
        "goal": f"maker.{metric}",
        "relationship": "maker",
        "metric_table": found.table,
        "metric": metric,
        "unit": found.unit,
        "is_additive": found.is_additive,
        **ALL,
        "direction": "at least" if comparison == ">=" else "at most",
        "target": number,
        "due_on": due_on,
        "owner": "community_lead",
        "horizon": "long",
        "why": "they answer other makers",
    }


def growing(models: Models, counts: dict[str, tuple[int, ...]]) -> Ledger:
    """Members of a forum: place -> how many post in it, per span of 28 days, the newest first."""
    ledger = Ledger(models, AS_OF, backcast=PAST)
    ledger.configure(forum="forum")
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    for place, numbers in counts.items():
        for period, number in enumerate(numbers):
            for who in range(number):
                person = f"{place}-{who}"
                if number == max(numbers[: period + 1]) and who >= max((0, *numbers[:period])):
                    ledger.person(person)
                ledger.act(
                    f"{person}-{period}", person, days_ago(28 * period + 3), "post", place=place
                )
    return ledger


def score(ledger: Ledger) -> dict[str, Any]:
    return ledger.one(f"select * from rel_scoreboard where as_of = '{AS_OF}'")


@pytest.mark.parametrize(
    ("target", "days", "status", "gap"),
    [
        (">= 12", 84, "reached", 0),
        (">= 18", 84, "on course", 6),  # 3, 6, 9, 12: three periods more come to 21
        (">= 22", 84, "off course", 10),
        (">= 22", -1, "missed", 10),
        ("<= 5", 84, "off course", 7),
    ],
)
def test_a_goal_is_judged_by_where_the_last_four_periods_lead(
    models: Models, target: str, days: int, status: str, gap: float
) -> None:
    ledger = growing(models, {"help": (12, 9, 6, 3)})
    ledger.add("control.goals", goal("active", target, due_on=AS_OF + timedelta(days=days)))
    row = score(ledger.build())
    past = tuple(row[f"actual_{period}_ago"] for period in (1, 2, 3))
    assert (row["actual"], past, row["change_per_period"]) == (12, (9, 6, 3), 3)
    assert (row["status"], row["gap"]) == (status, gap)
    assert row["projection"] == 12 + 3 * days / 28
    assert (row["action"] is not None) == (status in ("missed", "off course"))
    assert (row["owner"], row["unit"]) == ("community_lead", "people")


def test_the_cause_is_the_part_that_moved_most_the_way_the_whole_moved(models: Models) -> None:
    ledger = growing(models, {"help": (2, 8), "lounge": (9, 10), "workshop": (6, 2)})
    ledger.add("control.goals", goal("active", ">= 30"))
    row = score(ledger.build())
    assert (row["actual"], row["actual_1_ago"]) == (17, 20)
    assert (row["cause_segment_type"], row["cause_segment"]) == ("place", "forum/help")
    assert (row["cause_before"], row["cause_now"]) == (8, 2)
    assert row["reason_1"] == "place forum/help moved most: from 8 to 2"


def test_sentences_tell_shares_in_percent_and_no_count_below_nothing(models: Models) -> None:
    ledger = growing(models, {"help": (2, 8, 14)})
    ledger.add("control.goals", goal("active", ">= 30"), goal("stickiness", ">= 0.9"))
    rows = ledger.build().rows(
        f"select metric, unit, action, projection from rel_scoreboard where as_of = '{AS_OF}'"
    )
    told = {row["metric"]: row for row in rows}
    assert told["active"]["projection"] < 0
    assert told["active"]["action"].endswith("lead to 0")
    assert (told["stickiness"]["unit"], told["stickiness"]["action"][-2:]) == ("share", " %")


def test_what_is_not_known_is_not_judged(models: Models) -> None:
    ledger = growing(models, {"help": (3,)})
    ledger.add("control.goals", goal("active", ">= 30"), goal("solved_share", ">= 0.5"))
    rows = ledger.build().rows(
        "select metric, actual, status, gap, action, owner from rel_scoreboard "
        f"where as_of = '{AS_OF}'"
    )
    [solved] = [row for row in rows if row["metric"] == "solved_share"]
    assert (solved["actual"], solved["gap"], solved["status"]) == (None, None, "cannot tell")
    assert "solved_share" in solved["action"]


def test_a_first_number_is_too_early_to_judge(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.person("ann")
    ledger.act("post", "ann", days_ago(3), "post")
    ledger.add("control.goals", goal("active", ">= 30"))
    row = score(ledger.build())
    assert (row["status"], row["reason_1"]) == ("too early", "there is no number of 28 days ago")


def test_a_goal_of_one_segment_reads_its_number_alone(models: Models) -> None:
    ledger = growing(models, {"help": (4, 2), "lounge": (9, 9)})
    of_help = goal("active", ">= 4") | {"segment_type": "place", "segment": "forum/help"}
    ledger.add("control.goals", of_help)
    row = score(ledger.build())
    assert (row["actual"], row["status"], row["cause_segment"]) == (4, "reached", None)


def test_a_relationship_without_a_goal_has_its_row_and_what_to_do(models: Models) -> None:
    ledger = growing(models, {"help": (4, 2)})
    bare = {"goal": "press", "relationship": "press", "why": "they ask us first"}
    ledger.add("control.goals", goal("active", ">= 4"), {**ALL, **bare})
    rows = ledger.build().rows(
        "select relationship, why, status, owner, reason_1, action like 'set a goal%' as told "
        f"from rel_scoreboard where as_of = '{AS_OF}'"
    )
    [press] = [row for row in rows if row["relationship"] == "press"]
    assert (press["why"], press["status"], press["owner"]) == ("they ask us first", "no goal", None)
    assert (press["reason_1"], press["told"]) == ("the strategy names no goal for it", True)
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("targets", "metrics", "segments", "are_contrary"),
    [
        ((">= 9", "<= 5"), ("active", "active"), ("all", "all"), True),
        ((">= 5", "<= 9"), ("active", "active"), ("all", "all"), False),  # 7 meets both
        ((">= 9", ">= 5"), ("active", "active"), ("all", "all"), False),
        ((">= 9", "<= 5"), ("active", "members"), ("all", "all"), False),
        ((">= 9", "<= 5"), ("active", "active"), ("all", "forum/help"), False),
    ],
)
def test_goals_that_no_number_meets_together_name_each_other(
    models: Models,
    targets: tuple[str, str],
    metrics: tuple[str, str],
    segments: tuple[str, str],
    are_contrary: bool,
) -> None:
    ledger = growing(models, {"help": (7,)})
    for name, target, metric, segment in zip("ab", targets, metrics, segments, strict=True):
        kind = "all" if segment == "all" else "place"
        named = {"goal": f"{name}.{metric}", "relationship": name, "signed_off_on": AS_OF}
        ledger.add(
            "control.goals",
            goal(metric, target) | named | {"segment_type": kind, "segment": segment},
        )
    rows = ledger.build().rows(
        "select goal, contrary_goal, signed_off_on, action from rel_scoreboard "
        f"where as_of = '{AS_OF}' order by goal"
    )
    one, other = rows
    if are_contrary:
        assert (one["contrary_goal"], other["contrary_goal"]) == (other["goal"], one["goal"])
        assert other["goal"] in one["action"] and one["goal"] in other["action"]
    else:
        assert (one["contrary_goal"], other["contrary_goal"]) == (None, None)
    assert one["signed_off_on"] == AS_OF


def test_a_goal_tells_the_goal_above_it(models: Models) -> None:
    ledger = growing(models, {"help": (4, 2)})
    step = goal("active", ">= 4") | {"serves": "maker.members", "horizon": "short"}
    ledger.add("control.goals", step, goal("members", ">= 9"))
    rows = ledger.build().rows(
        f"select goal, serves from rel_scoreboard where as_of = '{AS_OF}' order by goal"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("maker.active", "maker.members"),
        ("maker.members", None),
    ]


def test_the_share_of_goals_is_told_by_what_people_are_to_us(models: Models) -> None:
    ledger = growing(models, {"help": (4, 2)})
    ledger.add(
        "control.segment_rules",
        {"segment_type": "kind", "origin": "column", "field": "party_kind"},
        {"segment_type": "tier", "origin": "custom", "field": "Tier__c"},
    )
    for name, segment_type, segment in (
        ("a", "all", "all"), ("b", "kind", "customer"), ("c", "kind", "customer"),
        ("d", "tier", "supplier"),
    ):  # fmt: skip
        ledger.add(
            "control.goals",
            goal("active", ">= 4")
            | {"goal": f"{name}.active", "segment_type": segment_type, "segment": segment},
        )
    bare = {"goal": "e", "relationship": "e", "segment_type": "kind", "segment": "supplier"}
    ledger.add("control.goals", bare)
    rows = ledger.build().rows(
        "select distinct party_kind, party_kind_goals_share as share from rel_scoreboard "
        f"where as_of = '{AS_OF}'"
    )
    shares = {row["party_kind"]: row["share"] for row in rows}
    assert shares == {"all": 0.5, "customer": 0.5, "supplier": 0.0}


def test_without_goals_there_is_no_scoreboard(models: Models) -> None:
    assert not growing(models, {"help": (4, 2)}).build().rows("select * from rel_scoreboard")


def test_every_metric_of_a_goal_has_its_number(models: Models) -> None:
    """What the checks of strategy.yml let through is what SQL reads, and no name stands twice."""
    ledger = growing(models, {"help": (4, 2)})
    known = goals.metrics()
    assert len({metric.name for metric in known}) == len(known)
    for metric in known:
        ledger.add("control.goals", goal(metric.name, ">= 1"))
    ledger.build()
    for metric in known:
        row = ledger.one(
            f"select b.actual, cast(t.{metric.name} as double) as told, b.n = t.n as same "
            f"from rel_scoreboard b join {metric.table} t using (as_of, basis) "
            f"where b.metric = '{metric.name}' and t.segment = 'all' and as_of = '{AS_OF}'"
        )
        assert row["actual"] == row["told"]
        assert row["same"]
