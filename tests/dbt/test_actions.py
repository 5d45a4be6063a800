"""What is red names who does what about it, and why; lists are as long as an owner can handle."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dbt.control import control_columns
from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago, organization, random_world, visits

METRICS = Path(__file__).parents[2] / "dbt_project" / "models" / "metrics"
STATES = ("effect", "level", "state", "status", "tier", "verdict")
TABLES: dict[str, dict[str, Any]] = {
    model["name"]: model
    for path in sorted(METRICS.glob("rel_*.yml"))
    for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
}
RED = {
    (name, column["name"]): column["config"]["meta"]["red"]
    for name, model in TABLES.items()
    for column in model["columns"]
    if "red" in column["config"]["meta"]
}


def checks(table: str) -> list[dict[str, Any]]:
    """Return the arguments of a table's tests on its red rows."""
    return [
        test["red_needs_action"]["arguments"]
        for test in TABLES[table]["data_tests"]
        if "red_needs_action" in test
    ]


def with_strategy(ledger: Ledger, **settings: str) -> Ledger:
    for name, value in {"has_strategy": "true", **settings}.items():
        ledger.add("control.settings", {"name": name, "value": value})
    return ledger


def test_every_state_of_a_relationship_table_says_which_of_its_values_are_red() -> None:
    unsaid = {
        (name, column["name"])
        for name, model in TABLES.items()
        for column in model["columns"]
        if column["name"] in STATES and "red" not in column["config"]["meta"]
    }
    assert unsaid == set()


def test_every_red_state_is_checked_by_dbt() -> None:
    checked = {
        (table, check["column"]): check["red"] for table in TABLES for check in checks(table)
    }
    assert checked == {place: values for place, values in RED.items() if values}


@pytest.mark.parametrize("seed", [3, 4])
def test_no_red_row_is_without_action_owner_and_reason(models: Models, seed: int) -> None:
    ledger = with_strategy(random_world(models, random.Random(seed)))
    ledger.execute("update control.goals set owner = 'community_lead'")
    ledger.build()
    reds = 0
    for table in {name for name, _ in RED}:
        for check in checks(table):
            values = ", ".join(
                f"'{value}'" if isinstance(value, str) else str(value) for value in check["red"]
            )
            rows = ledger.rows(
                f"select {check['column']} as state, action, {check.get('owner', 'owner')} as who, "
                f"{check.get('reason', 'reason_1')} as why "
                f"from {table} where {check['column']} in ({values})"
            )
            reds += len(rows)
            assert [row for row in rows if None in row.values()] == [], table
    assert reds > 10


def test_without_a_strategy_nobody_is_told_to_do_anything(models: Models) -> None:
    ledger = random_world(models, random.Random(3))
    for table in control_columns():
        if table == "goals" or table.startswith("tier"):
            ledger.execute(f"delete from control.{table}")
    ledger.build()
    for table in {table for table in TABLES if "action" in models.columns[table]}:
        told = ledger.rows(f"select * from {table} where action is not null or owner is not null")
        assert told == [], table


def test_who_looks_after_the_organization_answers_for_its_people_else_the_role(
    models: Models,
) -> None:
    ledger = with_strategy(Ledger(models, AS_OF), owner_of_relationships="customer_lead")
    ledger.add("dim_organization", {"organization_id": "acme", "owner_person_id": "boss"})
    for name, columns in {
        "own": {"organization_id": "acme", "owner_person_id": "us"},
        "theirs": {"organization_id": "acme"},
        "nobodys": {},
    }.items():
        ledger.person(name, **columns)
        for age in (60, 69, 78):
            ledger.act(f"{name}-{age}", name, days_ago(age), "post")
    rows = ledger.build().rows("select person_id, owner_person_id, owner from rel_disengagement")
    assert {row["person_id"]: (row["owner_person_id"], row["owner"]) for row in rows} == {
        "own": ("us", None),
        "theirs": ("boss", None),
        "nobodys": (None, "customer_lead"),
    }


def test_a_save_list_is_as_long_as_its_owner_can_handle(models: Models) -> None:
    ledger = with_strategy(Ledger(models, AS_OF), save_list="2")
    for owner, names in {"us": "abcd", "you": "e"}.items():
        for number, name in enumerate(names):
            visits(ledger, name, *(50 + 9 * step for step in range(3 + number)))
            ledger.execute(
                "update dim_person set owner_person_id = ? where person_id = ?", [owner, name]
            )
    visits(ledger, "regular", 2, 11, 20)
    visits(ledger, "gone", 200, 209, 218)
    visits(ledger, "seldom", 100)
    visits(ledger, "handle", 50, 59, 68)
    ledger.execute("update dim_person set silos = 'social' where person_id = 'handle'")
    rows = ledger.build().rows(
        "select owner_person_id, save_rank, person_id from rel_disengagement "
        "where save_rank is not null order by 1, 2"
    )
    # who came least often is the most at risk
    assert [tuple(row.values()) for row in rows] == [
        ("us", 1, "a"),
        ("us", 2, "b"),
        ("you", 1, "e"),
    ]


def test_the_queue_by_risk_times_importance_is_its_definition_row_by_row(models: Models) -> None:
    ledger = with_strategy(Ledger(models, AS_OF), save_list="3")
    ledger.configure(forum="forum")
    for number, name in enumerate("abcdefgh"):
        visits(ledger, name, *(50 + 9 * step for step in range(3 + number % 4)))
        owner = "us" if number < 6 else None
        ledger.execute(
            "update dim_person set owner_person_id = ? where person_id = ?", [owner, name]
        )
    for one, other in ("ab", "cb", "db", "fb", "hg"):  # `e` has no tie, `b` most
        for asker, helper in ((one, other), (other, one)):
            key = f"{asker}-{helper}"
            ledger.act(key, asker, days_ago(60), "question", thread_id=key)
            columns = {"thread_id": key, "target_person_id": asker}
            ledger.act(f"{key}-a", helper, days_ago(59), "answer", **columns)
    ledger.build()
    rows = ledger.rows(
        "select d.*, i.importance from rel_disengagement d left join rel_importance i "
        "using (as_of, basis, person_id) where level in ('slowing', 'quiet') and gaps >= 2"
    )
    assert len(rows) == 8
    queues: dict[str | None, list[tuple[Any, ...]]] = {}
    for row in rows:
        share = row["risk"] * (row["importance"] or 0) / 100
        assert row["priority"] == share.quantize(Decimal("0.01"), ROUND_HALF_UP)
        entry = (-row["priority"], row["score"], row["person_id"], row["priority_rank"])
        queues.setdefault(row["owner_person_id"], []).append(entry)
    assert {row["priority"] for row in rows if row["person_id"] == "e"} == {0}
    assert queues.keys() == {"us", None}
    for queue in queues.values():
        places = [entry[-1] for entry in sorted(queue)]
        assert places == [*range(1, 4), None, None, None][: len(places)]
    by_risk = {row["person_id"]: row["save_rank"] for row in rows}
    assert by_risk != {row["person_id"]: row["priority_rank"] for row in rows}


def test_slow_first_answers_alone_are_a_warning_that_says_so(models: Models) -> None:
    ledger = with_strategy(Ledger(models, AS_OF))
    ledger.configure(crm="crm", desk="support")
    organization(ledger, ("ann",), owner_person_id="us")
    for age in (3, 10, 17):
        ledger.act(
            f"met-{age}", "ann", days_ago(age), "meeting", silo="crm", channel="meeting",
            source="crm",
        )  # fmt: skip
    for number in range(3):
        ledger.add(
            "fct_case",
            {
                "case_id": f"case-{number}",
                "organization_id": "acme",
                "opened_at": days_ago(20),
                "first_response_at": days_ago(17),
                "closed_at": days_ago(16),
                "is_closed": True,
                "loaded_at": days_ago(16),
            },
        )
    row = ledger.build().one("select * from rel_organization")
    assert (row["verdict"], row["owner_person_id"], row["owner"]) == ("watch", "us", None)
    assert "first answers took 3 days in the middle" in (row["reason_1"], row["reason_2"])
    assert row["action"] == "find out where first answers get stuck"


def test_what_weakens_a_quality_says_from_what_to_what_and_what_to_do(models: Models) -> None:
    ledger = with_strategy(Ledger(models, AS_OF), owner_of_qualities="service_lead")
    ledger.configure(crm="crm")
    ledger.person("bo", party_kind="customer")
    for age in range(2, 56):
        due = days_ago(age)
        row = {
            "commitment_id": f"task-{age}",
            "person_id": "bo",
            "is_ours": True,
            "due_at": due,
            "outcome": "kept" if age > 27 else "late",
            "fulfilled_at": due,
            "loaded_at": due,
        }
        ledger.add("fct_commitment", row)
    row = ledger.build().one(
        "select * from rel_track where effect = 'weakened' and indicator = 'promises_kept' "
        "and quality = 'trust'"
    )
    assert row["reason_1"] == "100 % before, now 0 %: more than chance would have it"
    assert row["action"] == "say sooner what cannot be kept, and set a new day with them"
    assert row["owner"] == "service_lead"
