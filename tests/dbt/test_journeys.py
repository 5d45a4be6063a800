"""Journeys: waits, hands and what a hand-off costs, worked out by hand and on random worlds."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, END, days_ago

NOW = f"as_of = '{AS_OF}' and basis = 'as_known'"
WHOLE = f"{NOW} and from_step = 'all' and window_days = 364"
WORLDS = 200
TEAM = ("amy", "bo", "cy", "di")


def desk(models: Models, *team: str) -> Ledger:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="support")
    ledger.person("asker", is_staff=False)
    ledger.person("robot", is_bot=True)
    for name in team or TEAM:
        ledger.person(name, is_staff=True)
    return ledger


def case(
    ledger: Ledger,
    key: str,
    opened_at: datetime,
    steps: Iterable[tuple[str, float]],
    closed: float | None = None,
) -> None:
    """A case with acts of `who` after so many hours; `who` with a `*` writes a private note."""
    columns: dict[str, Any] = {"silo": "support", "source": "crm", "channel": "case"}
    ledger.act(key, "asker", opened_at, "case_opened", thread_id=key, **columns)
    for number, (who, hours) in enumerate(steps):
        hidden = {"visibility": "private", "direction": "internal"} if who.endswith("*") else {}
        ledger.act(
            f"{key}/{number}", who.rstrip("*"), opened_at + timedelta(hours=hours), "case_comment",
            thread_id=key, **columns, **hidden,
        )  # fmt: skip
    closed_at = None if closed is None else opened_at + timedelta(hours=closed)
    row = {"case_id": key, "opened_at": opened_at, "closed_at": closed_at}
    ledger.add("fct_case", row | {"loaded_at": opened_at, "is_deleted": False})


def edge(ledger: Ledger, from_step: str, to_step: str) -> dict[str, Any]:
    return ledger.one(
        f"select * from rel_journey where {NOW} and window_days = 364 "
        f"and from_step = '{from_step}' and to_step = '{to_step}'"
    )


def journey(ledger: Ledger, key: str) -> dict[str, Any]:
    return ledger.one(f"select * from rel_journey_case where {NOW} and journey_id = '{key}'")


# ---------------------------------------------------------------- steps, waits, hands


def test_a_case_that_went_to_and_fro_is_told_step_by_step(models: Models) -> None:
    ledger = desk(models)
    steps = [("amy", 2), ("bo", 26), ("asker", 30), ("amy*", 31), ("amy", 32)]
    case(ledger, "c", days_ago(20), steps, closed=40)
    row = journey(ledger.build(), "c")
    assert row["process"] == "crm: cases"
    assert (row["steps"], row["acts_by_them"], row["acts_by_us"]) == (7, 2, 4)
    assert (row["people"], row["hand_offs"], row["returns"]) == (2, 2, 1)
    assert (row["age_hours"], row["first_answer_hours"]) == (40, 2)
    assert (row["wait_on_us_hours"], row["wait_on_them_hours"]) == (36, 4)
    assert (row["is_closed"], row["waits_for"]) == (True, None)
    assert row["reason_2"] == "through the hands of 2 people, and back once"
    over = edge(ledger, "we: comment", "we: comment")
    assert (over["moves"], over["hand_offs"], over["returns"]) == (1, 1, 0)
    assert (over["hand_off_wait_hours"], over["median_wait_hours"]) == (24, 24)
    back = edge(ledger, "they: comment", "we: note")
    assert (back["hand_offs"], back["returns"]) == (1, 1), "she had it before they wrote"
    assert edge(ledger, "we: comment", "we: closed")["wait_hours"] == 8
    waits = ledger.one(
        f"select sum(wait_hours) as wait, sum(wait_share) as part from rel_journey where {NOW} "
        "and window_days = 28 and from_step <> 'all'"
    )
    assert (waits["wait"], waits["part"]) == (pytest.approx(40), pytest.approx(1))


def test_an_open_case_waits_for_whoever_did_not_speak_last(models: Models) -> None:
    ledger = desk(models)
    case(ledger, "ours", END - timedelta(hours=100), [("amy", 10), ("asker", 40)])
    case(ledger, "theirs", END - timedelta(days=90), [("amy", 10)])
    ledger.build()
    ours, theirs = journey(ledger, "ours"), journey(ledger, "theirs")
    assert (ours["waits_for"], theirs["waits_for"]) == ("us", "them")
    assert (ours["wait_on_us_hours"], ours["wait_on_them_hours"]) == (70, 30)
    assert (theirs["wait_on_us_hours"], theirs["age_hours"]) == (10, 90 * 24)
    assert (theirs["closed_at"], theirs["is_solved_at_first_contact"]) == (None, None)


@pytest.mark.parametrize(
    ("steps", "closed", "solved"),
    [
        ([("amy", 1)], 2, True),
        ([("amy", 1), ("asker", 2), ("amy", 3)], 4, True),
        ([("amy", 1), ("bo", 2)], 3, False),
        ([("amy", 1), ("asker", 50)], 2, False),
        ([("amy", 1), ("asker", 200)], 2, True),
        ([("amy", 1)], None, None),
    ],
)
def test_solved_at_first_contact_is_one_person_and_a_quiet_week(
    models: Models, steps: list[tuple[str, float]], closed: float | None, solved: bool | None
) -> None:
    ledger = desk(models)
    case(ledger, "c", days_ago(20), steps, closed=closed)
    assert journey(ledger.build(), "c")["is_solved_at_first_contact"] == solved


def test_a_week_must_be_over_before_a_case_counts_as_solved(models: Models) -> None:
    ledger = desk(models)
    case(ledger, "c", days_ago(6), [("amy", 1)], closed=2)
    assert journey(ledger.build(), "c")["is_solved_at_first_contact"] is None


def test_a_program_that_notes_a_mail_takes_nothing_over(models: Models) -> None:
    ledger = desk(models)
    case(ledger, "c", days_ago(9), [("amy", 1), ("robot", 2), ("amy", 3)], closed=4)
    row = journey(ledger.build(), "c")
    assert (row["people"], row["hand_offs"], row["acts_by_them"]) == (1, 0, 2)
    assert edge(ledger, "we: comment", "program: comment")["acts_by_us"] == 0


def test_questions_are_journeys_that_nobody_closes(models: Models) -> None:
    ledger = desk(models)
    ledger.configure(forum="forum")
    ledger.act("q", "asker", days_ago(9), "question", thread_id="q")
    ledger.act("a", "member", days_ago(8), "answer", thread_id="q")
    ledger.act("b", "amy", days_ago(7), "answer", thread_id="q")
    row = journey(ledger.build(), "q")
    assert (row["process"], row["is_closed"], row["age_hours"]) == ("forum: questions", None, None)
    assert (row["people"], row["first_answer_hours"]) == (1, 48)
    assert edge(ledger, "they: asked", "member: answer")["median_wait_hours"] == 24
    assert not ledger.rows(f"select * from rel_journey where {WHOLE}")


def test_another_place_in_the_house_is_another_step(models: Models) -> None:
    ledger = desk(models)
    case(ledger, "c", days_ago(9), [("amy", 1), ("bo", 9)], closed=10)
    ledger.execute("update fct_interaction set place = 'web'")
    ledger.execute("update fct_interaction set place = 'workshop' where interaction_id = 'c/1'")
    assert edge(ledger.build(), "we: comment", "we: comment @ workshop")["hand_offs"] == 1


def test_people_per_case_are_counted_over_closed_cases(models: Models) -> None:
    ledger = desk(models, *(f"s{n:02}" for n in range(12)))
    for number, hands in enumerate((1, 2, 11)):
        steps = [(f"s{hand:02}", 1.0 + hand) for hand in range(hands)]
        case(ledger, f"c{number}", days_ago(9), steps, closed=20)
    case(ledger, "open", days_ago(9), [("s00", 1)])
    row = ledger.build().one(f"select * from rel_journey where {WHOLE}")
    assert (row["journeys"], row["max_people"]) == (3, 11)
    assert row["mean_people"] == pytest.approx(14 / 3)
    assert row["ten_people_share"] == pytest.approx(1 / 3)


def slow_step(ledger: Ledger, others: int) -> None:
    """Amy writes all the notes, two days late; whoever is there answers at once."""
    for number in range(20):
        who = "amy" if number >= others else TEAM[1 + number % 3]
        steps = [(TEAM[number % 3], 0.1), (f"{who}*", 48.0), ("asker", 49), ("asker", 50)]
        case(ledger, f"c{number:02}", days_ago(30), steps, closed=51)


def test_a_slow_step_that_is_one_persons_is_a_bottleneck(models: Models) -> None:
    ledger = desk(models)
    slow_step(ledger, others=2)
    row = edge(ledger.build(), "we: comment", "we: note")
    assert (row["top_person_share"], row["is_single_person_bottleneck"]) == (0.9, True)
    assert row["reason_2"] == "waits for one person, who does 90 % of it"
    assert edge(ledger, "they: opened", "we: comment")["is_single_person_bottleneck"] is False

    shared = desk(models)
    slow_step(shared, others=12)
    row = edge(shared.build(), "we: comment", "we: note")
    assert row["is_single_person_bottleneck"] is False


def test_a_tiny_team_is_not_asked_who_does_how_much(models: Models) -> None:
    ledger = desk(models, "amy", "bo")
    for number in range(20):
        case(ledger, f"c{number:02}", days_ago(30), [("amy", 40), ("bo", 41)], closed=42)
    rows = ledger.build().rows(f"select * from rel_journey where {NOW}")
    assert {(row["top_person_share"], row["is_single_person_bottleneck"]) for row in rows} == {
        (None, None)
    }


# ---------------------------------------------------------------- what a hand-off costs


def service(ledger: Ledger, dice: random.Random, *, costs_h: float, cases: int = 60) -> None:
    """Cases of one to four acts of ours, each another's with one chance in four.

    Everything takes as long as chance has it; a hand-off `costs_h` hours more on average.
    """
    for number in range(cases):
        owner, hours, steps = dice.choice(TEAM), 0.0, []
        for act in range(dice.randrange(1, 5)):
            hours += dice.lognormvariate(1, 1)
            if act and dice.random() < 0.25:
                owner = dice.choice([name for name in TEAM if name != owner])
                hours += dice.expovariate(1 / costs_h) if costs_h else 0.0
            steps.append((owner, hours))
        opened_at = days_ago(40 + dice.randrange(300))
        case(ledger, f"c{number:03}", opened_at, steps, closed=hours + dice.lognormvariate(2, 1))


def test_hand_offs_that_cost_days_are_found_and_the_first_to_go_is_named(models: Models) -> None:
    ledger = desk(models)
    service(ledger, random.Random(5), costs_h=6 * 24)
    whole = ledger.build().one(f"select * from rel_journey where {WHOLE}")
    assert whole["hand_offs_cost_time"] is True
    assert whole["hand_off_z"] > 4
    assert whole["median_hours_with_hand_off"] > whole["median_hours_without_hand_off"] + 72
    assert whole["reason_1"].startswith("with a hand-off it takes ")
    first = edge(ledger, "we: comment", "we: comment")
    assert first["removal_rank"] == 1
    assert first["reason_1"].startswith(f"remove this hand-off first: {first['hand_offs']} times")
    per_hand_off = first["hand_off_cost_hours"] / first["hand_offs"]
    assert 72 < per_hand_off < 288


def test_few_hand_offs_are_called_too_few(models: Models) -> None:
    ledger = desk(models)
    for number in range(9):
        case(ledger, f"c{number}", days_ago(30), [("amy", 1), ("amy", 2)], closed=9)
    for number in range(4):
        case(ledger, f"d{number}", days_ago(30), [("amy", 1), ("bo", 200)], closed=300)
    row = ledger.build().one(f"select * from rel_journey where {WHOLE}")
    assert (row["hand_offs_cost_time"], row["hand_off_z"]) == (None, None)
    assert row["reason_1"] == "too few to tell what hand-offs cost"
    assert row["hand_off_cost_hours"] is None


def test_the_z_is_that_of_ranks_by_hand(models: Models) -> None:
    """Ranks 6 to 10 of ten, nothing tied: (40 - 27.5) / sqrt(5 * 5 * 11 / 12)."""
    ledger = desk(models)
    for number in range(5):
        case(ledger, f"c{number}", days_ago(30), [("amy", 1), ("amy", 2)], closed=9 + number)
        case(ledger, f"d{number}", days_ago(30), [("amy", 1), ("bo", 2)], closed=50 + number)
    row = ledger.build().one(f"select * from rel_journey where {WHOLE}")
    assert float(row["hand_off_z"]) == pytest.approx(12.5 / (25 * 11 / 12) ** 0.5, abs=0.001)
    assert row["hand_offs_cost_time"] is False, "with ten journeys chance cannot be left out"


def test_two_hundred_worlds_in_which_hand_offs_cost_nothing_raise_hardly_an_alarm(
    models: Models,
) -> None:
    """Chance alone exceeds the bound once in a thousand: of 200 worlds more than three would be
    a fault. All worlds are processes of one warehouse, told apart by their source."""
    ledger = desk(models)
    dice = random.Random(11)
    for world in range(WORLDS):
        source = f"w{world:03}"
        held = {name: len(rows) for name, rows in ledger.waiting.items()}
        service(ledger, dice, costs_h=0, cases=30)
        for row in ledger.waiting["fct_interaction"][held.get("fct_interaction", 0) :]:
            row |= {"source": source}
            for name in ("interaction_id", "thread_id"):
                row[name] = f"{source}:{row[name]}"
        for row in ledger.waiting["fct_case"][held.get("fct_case", 0) :]:
            row["case_id"] = f"{source}:{row['case_id']}"
    ledger.build()
    rows = ledger.rows(f"select hand_off_z, hand_offs_cost_time from rel_journey where {WHOLE}")
    assert len(rows) == WORLDS
    tested = [float(row["hand_off_z"]) for row in rows if row["hand_off_z"] is not None]
    assert len(tested) > 0.8 * WORLDS
    assert sum(row["hand_offs_cost_time"] is True for row in rows) <= 3
    # as often above as below, and as far as ranks of chance go
    assert abs(sum(tested) / len(tested)) < 0.25
    assert 0.8 < (sum(z * z for z in tested) / len(tested)) ** 0.5 < 1.2
