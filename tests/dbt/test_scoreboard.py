"""Goals of the strategy, held against numbers worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from rapport import goals
from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago

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
        "segment_type": "all",
        "segment": "all",
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
