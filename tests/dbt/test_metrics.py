"""The relationship tables, checked on worlds small enough to work out by hand.

The compiled SQL of the models runs on unified tables in memory; what dbt itself adds (contracts,
replacing of snapshots) is checked in `test_metrics_build`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dbt.ledger import SNAPSHOT_TABLES, Ledger, Models, contents, noon

AS_OF = date(2026, 3, 31)
END = datetime(2026, 4, 1, tzinfo=UTC)
MONEY = ("renewal_amount", "open_deal_amount")


def days_ago(days: int) -> datetime:
    """Noon, so many days before the snapshot's day."""
    return noon(AS_OF - timedelta(days=days))


def community(ledger: Ledger, segment: str = "all") -> dict[str, Any]:
    return ledger.one(
        f"select * from rel_community_health where segment = '{segment}' and as_of = '{AS_OF}'"
    )


def ask_and_answer(ledger: Ledger, asker: str, helper: str, times: int = 1) -> None:
    """`times` answers of `helper` to one question of `asker`, three weeks ago."""
    question = f"q-{asker}-{helper}"
    ledger.act(question, asker, days_ago(21), "question", thread_id=question)
    for number in range(times):
        ledger.act(f"{question}-{number}", helper, days_ago(20), "answer", thread_id=question)


# ---------------------------------------------------------------- community: growth


def test_growth_follows_a_hand_made_month(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    for person, ages in {
        "stayed": (3, 40),
        "came": (5, 6),
        "came-back": (2, 100),
        "left": (30,),
        "long-gone": (200,),
    }.items():
        ledger.person(person)
        for age in ages:
            ledger.act(f"{person}-{age}", person, days_ago(age), "post")
    row = community(ledger.build())
    assert row["members"] == 5
    assert (row["active"], row["previous_active"]) == (3, 2)
    assert (row["new_members"], row["retained"], row["resurrected"], row["churned"]) == (1, 1, 1, 1)
    assert row["quick_ratio"] == 2.0
    assert row["dau"] == 4 / 28
    assert (row["wau"], row["mau"]) == (3, 3)
    assert row["stickiness"] == pytest.approx(4 / 28 / 3)


def test_members_who_never_wrote_count_by_their_profile(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.person("writer")
    ledger.person("reader")
    ledger.act("p", "writer", days_ago(1), "post")
    for person in ("writer", "reader"):
        ledger.add(
            "dim_profile",
            {
                "profile_key": f"forum:users:{person}",
                "source": "forum",
                "entity": "person",
                "person_id": person,
                "created_at": days_ago(50),
            },
        )
    row = community(ledger.build())
    assert (row["members"], row["active"]) == (2, 1)


def test_staff_and_bots_are_no_members(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.person("us", is_staff=True)
    ledger.person("robot", is_bot=True)
    ledger.person("member")
    for person in ("us", "robot", "member"):
        ledger.act(person, person, days_ago(1), "post")
    row = community(ledger.build())
    assert (row["members"], row["active"], row["contributions"]) == (1, 1, 1)


# ---------------------------------------------------------------- community: help


@pytest.mark.parametrize(
    ("answers", "absence_factor"),
    [
        ([1000, 202, 90, 33, 332, 343, 42, 433], 2),  # CHAOSS, contributor absence factor
        ([5] * 8, 4),
        ([8, 1, 2, 5], 1),
        ([1], 1),
    ],
)
def test_absence_factor_is_the_fewest_people_behind_half(
    models: Models, answers: list[int], absence_factor: int
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.act("q", "asker", days_ago(21), "question", thread_id="q")
    for helper, number in enumerate(answers):
        ledger.execute(
            "insert into fct_interaction (interaction_id, source, silo, channel, kind, thread_id, "
            "actor_person_id, occurred_at, loaded_at) "
            "select 'a' || ? || '-' || i, 'forum', 'forum', 'forum', 'answer', 'q', ?, ?, ? "
            "from range(?) t(i)",
            [helper, f"helper-{helper}", days_ago(20), days_ago(20), number],
        )
    row = community(ledger.build())
    assert row["helpers"] == len(answers)
    assert row["answers"] == sum(answers)
    assert row["helper_absence_factor"] == absence_factor
    assert row["top_helper_share"] == pytest.approx(max(answers) / sum(answers))
    assert row["top_5_helpers_share"] == pytest.approx(sum(sorted(answers)[-5:]) / sum(answers))
    mean_difference = sum(abs(a - b) for a in answers for b in answers)
    assert row["helper_gini"] == pytest.approx(mean_difference / (2 * len(answers) * sum(answers)))


@pytest.mark.parametrize(("answers", "elephant_factor"), [([3] * 8, 4), ([4, 1, 1, 2], 1)])
def test_elephant_factor_is_the_fewest_organizations_behind_half(
    models: Models, answers: list[int], elephant_factor: int
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    for number, times in enumerate(answers):
        ledger.person(f"helper-{number}")
        ledger.add(
            "bridge_person_organization",
            {
                "person_id": f"helper-{number}",
                "organization_id": f"org-{number}",
                "basis": "record",
                "is_primary": True,
                "valid_from": days_ago(90),
                "stay_from": days_ago(90),
                "is_current": True,
            },
        )
        ask_and_answer(ledger, "asker", f"helper-{number}", times)
    row = community(ledger.build())
    assert row["elephant_factor"] == elephant_factor
    assert row["organization_known_share"] == 1.0


def test_bots_askers_and_comments_do_not_answer(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.person("robot", is_bot=True)
    for number in range(4):
        ledger.act(f"q{number}", "asker", days_ago(20), "question", thread_id=f"q{number}")
    ledger.act("self", "asker", days_ago(19), "answer", thread_id="q0")
    ledger.act("bot", "robot", days_ago(19), "answer", thread_id="q1")
    ledger.act("comment", "helper", days_ago(19), "comment", thread_id="q2")
    ledger.act("real", "helper", days_ago(19), "answer", thread_id="q3")
    row = community(ledger.build())
    assert (row["questions"], row["answered_share"], row["unanswered_share"]) == (4, 0.25, 0.75)
    assert (row["answers"], row["helpers"]) == (1, 1)


def test_a_question_is_judged_on_seven_days_only_when_they_have_passed(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.act("old", "a", days_ago(20), "question", thread_id="old")
    ledger.act("late", "h", days_ago(5), "answer", thread_id="old")
    ledger.act("quick", "b", days_ago(10), "question", thread_id="quick")
    ledger.act("soon", "h", days_ago(9), "answer", thread_id="quick")
    ledger.act("young", "c", days_ago(2), "question", thread_id="young")
    row = community(ledger.build())
    assert (row["questions"], row["questions_7d"]) == (3, 2)
    assert row["answered_share"] == pytest.approx(2 / 3)
    assert row["answered_7d_share"] == 0.5
    assert row["reason_1"] == "1 of 2 questions got no answer within 7 days"


@pytest.mark.parametrize(
    ("answered", "waiting", "median"),
    [
        ([1, 3], [2, 4], 3),  # 3/4, then 3/4 * 1/2
        ([1, 2], [3, 4], 2),  # 3/4 * 2/3 is exactly one half
        ([1], [2, 3, 4], None),  # never comes down to one half
        ([1, 2, 3], [], 2),
        ([5], [1, 1, 1, 1], 5),  # the young ones leave before, the last one decides
    ],
)
def test_median_first_response_takes_waiting_questions_as_still_waiting(
    models: Models, answered: list[int], waiting: list[int], median: int | None
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    for number, hours in enumerate(answered):
        asked = days_ago(20)
        ledger.act(f"q{number}", "a", asked, "question", thread_id=f"q{number}")
        ledger.act(
            f"a{number}", "h", asked + timedelta(hours=hours), "answer", thread_id=f"q{number}"
        )
    for number, hours in enumerate(waiting):
        ledger.act(f"w{number}", "a", END - timedelta(hours=hours), "question")
    assert community(ledger.build())["median_first_response_hours"] == median


def test_solved_is_unknown_where_nothing_was_ever_accepted(models: Models) -> None:
    for accepted, share in ((None, None), (False, None), (True, 0.5)):
        ledger = Ledger(models, AS_OF)
        ledger.configure(forum="forum")
        for question in ("q1", "q2"):
            ledger.act(question, "a", days_ago(9), "question", thread_id=question)
        ledger.act("a1", "h", days_ago(8), "answer", thread_id="q1", is_accepted=accepted)
        assert community(ledger.build())["solved_share"] == share


def test_help_among_members_is_told_from_help_by_staff(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.person("us", is_staff=True)
    for person in ("ann", "bob", "cid"):
        ledger.person(person)
    for question, asker, helper in (
        ("q1", "ann", "bob"),
        ("q2", "bob", "us"),
        ("q3", "cid", "ann"),
    ):
        ledger.act(question, asker, days_ago(9), "question", thread_id=question)
        ledger.act(
            f"a{question}",
            helper,
            days_ago(8),
            "answer",
            thread_id=question,
            target_person_id=asker,
        )
    row = community(ledger.build())
    assert row["assist_ratio"] == pytest.approx(2 / 3)
    assert row["member_answers_share"] == pytest.approx(2 / 3)
    assert (row["ties"], row["member_tie_share"]) == (3, pytest.approx(2 / 3))
    assert row["reciprocity"] == pytest.approx(2 / 3)  # ann and bob ask and answer
    assert (row["newcomer_questions_7d"], row["newcomer_answered_7d_share"]) == (3, 1.0)


def test_who_goes_over_to_another_channel_stands_out_within_two_windows(models: Models) -> None:
    """Thirty people keep to their own mix of mail and cases; one of them goes over to cases."""
    dice = random.Random(8)
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", support="support")
    for number in range(30):
        person, mail = f"p{number}", 1.0 if number == 7 else (0.1, 0.5, 0.9)[number % 3]
        ledger.person(person)
        for age in range(2, 400, 4):
            channel = "email" if dice.random() < mail else "case"
            if number == 7 and age < 56:
                channel = "case"
            ledger.act(f"{person}-{age}", person, days_ago(age), "contact", channel=channel)
    ledger.person("seldom")
    for age, channel in ((2, "case"), (9, "case"), (90, "email"), (91, "email"), (92, "email")):
        ledger.act(f"seldom-{age}", "seldom", days_ago(age), "contact", channel=channel)
    rows = ledger.build().rows(
        "select person_id, usual_channel, recent_channel, channel_shift as shift "
        f"from rel_disengagement where as_of = '{AS_OF}' order by shift desc nulls last"
    )
    first, second, *_, last = rows
    assert tuple(first.values()) == ("p7", "email", "case", 1)
    assert second["shift"] < Decimal("0.5")
    assert tuple(last.values()) == ("seldom", None, None, None)


def test_who_was_helped_counts_as_back_with_another_thread_within_ninety_days(
    models: Models,
) -> None:
    """Six got their first answer a hundred days ago; two of them came back in time."""
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.person("helper")
    for asker in ("back", "back-late", "same-day", "thanks", "gone", "after-89-days"):
        ledger.person(asker)
        ledger.act(asker, asker, days_ago(101), "question", thread_id=asker)
        ledger.act(f"{asker}-a", "helper", days_ago(100), "answer", thread_id=asker)
    ledger.act("1", "back", days_ago(90), "post", thread_id="another")
    ledger.act("2", "back-late", days_ago(9), "post", thread_id="another")
    ledger.act("3", "same-day", days_ago(100), "post", thread_id="another")
    ledger.act("4", "thanks", days_ago(99), "reply", thread_id="thanks")
    ledger.act("5", "after-89-days", days_ago(11), "post")
    for days, asker in ((119, "before"), (89, "too-fresh"), (300, "old-hand")):
        ledger.person(asker)
        ledger.act(asker, asker, days_ago(days + 1), "question", thread_id=asker)
        ledger.act(f"{asker}-a", "helper", days_ago(days), "answer", thread_id=asker)
    ledger.act("q", "old-hand", days_ago(102), "question", thread_id="q")  # helped before
    ledger.act("q-a", "helper", days_ago(101), "answer", thread_id="q")
    row = community(ledger.build())
    assert (row["first_helped"], row["first_helped_back_share"]) == (6, pytest.approx(2 / 6))


def test_no_forum_is_unknown_and_not_empty(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    row = community(ledger.build())
    assert row["coverage"] == 0.0
    known = {"as_of", "basis", "segment_type", "segment", "window_days", "coverage", "known_at"}
    assert {name for name, value in row.items() if value is not None} == known | {"metric_version"}


def test_a_silent_forum_is_empty_and_not_unknown(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    row = community(ledger.build())
    assert (row["coverage"], row["active"], row["questions"]) == (1.0, 0, 0)
    assert row["answered_share"] is None


# ---------------------------------------------------------------- bounds of a snapshot


def test_a_snapshot_sees_what_happened_by_its_day_and_was_known(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum")
    ledger.act("seen", "a", END - timedelta(seconds=1), "post")
    ledger.act("tomorrow", "b", END, "post")
    ledger.act("gone", "c", days_ago(1), "post", is_deleted=True)
    ledger.act("landed later", "d", days_ago(1), "post", loaded_at=datetime(2031, 1, 1, tzinfo=UTC))
    assert community(ledger.build())["active"] == 1


def test_a_backcast_leaves_out_what_had_not_happened(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[date(2026, 2, 28), date(2025, 1, 31)])
    ledger.configure(forum="forum")
    ledger.act("q", "a", noon(date(2026, 2, 20)), "question", thread_id="q")
    ledger.act("a", "h", noon(date(2026, 3, 2)), "answer", thread_id="q")
    rows = {
        row["as_of"]: row
        for row in ledger.build().rows("select * from rel_community_health where segment = 'all'")
    }
    assert rows[date(2026, 2, 28)]["answered_share"] == 0.0
    assert rows[date(2026, 2, 28)]["members"] == 1
    assert rows[AS_OF]["members"] == 2
    before = rows[date(2025, 1, 31)]
    assert (before["coverage"], before["members"]) == (0.0, None)


# ---------------------------------------------------------------- activity


def test_every_act_stands_once_in_the_ledger(models: Models) -> None:
    ledger = random_world(models, random.Random(5)).build()
    acts = ledger.one(
        "select (select count(*) from fct_interaction where not is_deleted "
        f"and occurred_at < timestamptz '{END}') "
        f"+ (select count(*) from fct_purchase where occurred_at < timestamptz '{END}') as n"
    )["n"]
    assert acts > 50
    assert (
        ledger.one("select sum(events)::int n from rel_activity_daily where role = 'actor'")["n"]
        == acts
    )


def test_a_sign_in_is_coming_by_and_no_contact(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", shop="orders")
    ledger.person("ann")
    ledger.person("us", is_staff=True)
    for name in ("ann", "us"):
        ledger.add(
            "fct_login",
            {"login_id": name, "source": "shop", "person_id": name, "product": "Editor",
             "occurred_at": days_ago(2), "loaded_at": days_ago(1)},
        )  # fmt: skip
    ledger.build()
    assert ledger.rows(
        "select act_id, silo, place, behavior, is_by_staff, is_contact, is_community "
        "from int_acts__counted order by act_id"
    ) == [
        {"act_id": name, "silo": "orders", "place": "Editor", "behavior": "login",
         "is_by_staff": name == "us", "is_contact": False, "is_community": False}
        for name in ("ann", "us")
    ]  # fmt: skip


def test_chosen_weights_win_and_what_happens_to_people_weighs_nothing(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    ledger.person("us", is_staff=True)
    ledger.person("ann")
    ledger.add("control.behavior_weights", {"behavior": "email", "weight": 9.5})
    crm = {"silo": "crm", "channel": "email", "source": "crm"}
    ledger.act("in", "ann", days_ago(3), "email", target_person_id="us", **crm)
    ledger.act(
        "out", "us", days_ago(3), "email", target_person_id="ann", is_staff_actor=True, **crm
    )
    rows = ledger.build().rows("select * from rel_activity_daily order by actor_key, role")
    assert [
        (row["actor_key"], row["role"], row["initiated_by"], row["weighted_events"]) for row in rows
    ] == [
        ("ann", "actor", "them", Decimal("9.500")),
        ("ann", "target", "us", Decimal("0.000")),
        ("us", "actor", "us", Decimal("9.500")),
    ]


def test_whether_an_act_was_prompted_stays_unknown_where_nobody_says(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.act("a", "ann", days_ago(1), "post")
    ledger.act("b", "bob", days_ago(1), "post", is_prompted=False)
    ledger.act("c", "cid", days_ago(1), "post", is_prompted=True)
    rows = ledger.build().rows("select prompted_events from rel_activity_daily order by actor_key")
    assert [row["prompted_events"] for row in rows] == [None, 0, 1]


# ---------------------------------------------------------------- disengagement


def visits(ledger: Ledger, person: str, *ages: int, **columns: Any) -> None:
    """Forum posts of a person, so many days before the snapshot."""
    ledger.person(person)
    for age in ages:
        ledger.act(f"{person}-{age}", person, days_ago(age), "post", **columns)


def test_a_person_is_measured_by_their_own_rhythm(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(forum="forum", crm="crm")
    visits(ledger, "ann", 41, 50, 59, 68)
    for age in (41, 30):
        ledger.act(f"mail-{age}", "ann", days_ago(age), "email", silo="crm", channel="email")
    row = ledger.build().one("select * from rel_disengagement")
    assert (row["usual_gap_days"], row["current_gap_days"]) == (Decimal("9.0"), 30)
    assert row["gap_ratio"] == Decimal("3.33")
    assert (row["silos"], row["active_days"], row["active_days_28d"]) == (2, 5, 0)
    assert row["first_quiet_silo"] == "forum"
    assert row["reason_1"] == "usually every 9 days, now 30 days quiet"
    assert row["reason_2"] == "forum went quiet first, 41 days ago"
    assert row["reason_3"] == "active on 5 days of the last 365"
    assert row["coverage"] == pytest.approx(2 / 3)
    assert (row["p_return"], row["level"], row["action"]) == (None, None, None)


def test_the_score_is_its_parts_and_needs_no_more_than_days(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    visits(ledger, "often", *range(0, 60, 2))
    visits(ledger, "away", 30, 200)
    visits(ledger, "forgotten", 700)
    rows = {row["person_id"]: row for row in ledger.build().rows("select * from rel_disengagement")}
    assert rows["away"]["frequency_part"] == Decimal("1.098612")  # ln 3
    assert rows["away"]["recency_part"] == Decimal("-0.693147")  # -ln 2
    assert rows["away"]["score"] == Decimal("0.405465")
    assert rows["forgotten"]["frequency_part"] == 0
    assert all(row["score"] == row["frequency_part"] + row["recency_part"] for row in rows.values())
    assert [rows[name]["risk"] for name in ("often", "away", "forgotten")] == [0, 50, 100]


def test_a_chance_of_return_is_what_became_of_equal_scores(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    for number in range(60):  # quiet for 12 days 28 days ago; half of them came back
        visits(ledger, f"near-{number:02}", *((40, 5) if number % 2 else (40,)))
    for number in range(60):  # quiet for long; one in ten came back
        visits(ledger, f"far-{number:02}", *((300, 5) if number % 10 == 0 else (300,)))
    rows = ledger.build().rows("select * from rel_disengagement")
    chances = {
        kind: {
            row["p_return"] for row in rows if (row["person_id"][:3], row["active_days"]) == kind
        }
        for kind in (("far", 1), ("nea", 1))
    }
    assert chances == {("far", 1): {0.1}, ("nea", 1): {0.1}}  # both are long gone by now
    assert {row["p_return"] for row in rows if row["current_gap_days"] == 5} == {0.5}
    assert {row["n"] for row in rows} == {120}


def test_a_higher_score_never_has_a_lower_chance(models: Models) -> None:
    rows = (
        random_world(models, random.Random(3), people=150, acts=900)
        .build()
        .rows(
            "select score, p_return from rel_disengagement "
            "where basis = 'as_known' order by score, p_return"
        )
    )
    chances = [row["p_return"] for row in rows]
    assert None not in chances
    assert chances == sorted(chances)
    assert len(set(chances)) > 2


def test_levels_and_actions_wait_for_a_strategy(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    visits(ledger, "active", 5, 14, 23)
    visits(ledger, "slowing", 25, 34, 43)
    visits(ledger, "quiet", 60, 69, 78)
    visits(ledger, "gone", 180, 189, 198)
    rows = ledger.build().rows("select * from rel_disengagement order by current_gap_days")
    assert [row["level"] for row in rows] == ["active", "slowing", "quiet", "gone"]
    assert [row["previous_level"] for row in rows] == [None, "active", "slowing", "quiet"]
    assert [row["action"] for row in rows] == [
        None,
        "look in",
        "get in touch personally",
        "decide: win back or let go",
    ]


# ---------------------------------------------------------------- organizations


def organization(
    ledger: Ledger, people: Iterator[str] | tuple[str, ...] = (), **columns: Any
) -> None:
    """The organization `acme` with some people who belong to it."""
    ledger.add(
        "dim_organization", {"organization_id": "acme", "created_at": days_ago(700), **columns}
    )
    for person in people:
        ledger.person(person)
        ledger.add(
            "bridge_person_organization",
            {
                "person_id": person,
                "organization_id": "acme",
                "basis": "record",
                "is_primary": True,
                "valid_from": days_ago(600),
                "stay_from": days_ago(600),
                "is_current": True,
            },
        )


def mails(ledger: Ledger, person: str, *ages: int) -> None:
    for age in ages:
        key = f"mail-{person}-{age}"
        ledger.act(key, person, days_ago(age), "email", silo="crm", channel="email", source="crm")


@pytest.mark.parametrize(
    ("ann", "bob", "expected"),
    [
        ((10, 20, 30, 40), (50,), (True, 0.8)),
        ((10, 20, 30), (50,), (False, 0.75)),
        ((10,), (), (True, 1.0)),
        ((), (), (None, None)),
        ((200, 300), (), (None, None)),  # contact, but longer ago than 180 days
    ],
)
def test_an_organization_hangs_on_one_person_or_not(
    models: Models, ann: tuple[int, ...], bob: tuple[int, ...], expected: tuple[Any, Any]
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    organization(ledger, ("ann", "bob"))
    mails(ledger, "ann", *ann)
    mails(ledger, "bob", *bob)
    row = ledger.build().one("select * from rel_organization")
    assert (row["is_single_threaded"], row["top_person_share"]) == expected
    assert row["people_known"] == 2


def test_an_organization_is_measured_by_its_own_rhythm(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", forum="forum")
    organization(ledger, ("ann", "bob"), owner_person_id="us")
    mails(ledger, "ann", 20, 30, 50)
    ledger.act("post", "bob", days_ago(40), "post")
    row = ledger.build().one("select * from rel_organization")
    assert (row["usual_gap_days"], row["current_gap_days"]) == (Decimal("10.0"), 20)
    assert row["gap_ratio"] == Decimal("2.00")
    assert (row["people_active_28d"], row["people_active_90d"]) == (1, 2)
    assert (row["people_active_90d_crm"], row["people_active_90d_forum"]) == (1, 1)
    assert row["people_active_90d_support"] is None  # no support silo: unknown
    assert row["open_cases"] is None
    assert row["owner_person_id"] == "us"
    assert row["last_inbound_at"] == days_ago(20)
    assert row["last_outbound_at"] is None
    assert row["unanswered_90d"] == 3
    assert row["reason_1"] == "usually in touch every 10 days, now 20 days quiet"
    assert row["reason_2"] == "3 messages of theirs without an answer"
    # 20 * 160/180, 40 * (4 - 20/10)/3, 20 * 2/3 and 20 * 0/3 out of the 100 that can be known
    assert [row[f"{part}_part"] for part in ("recency", "rhythm", "breadth", "response")] == [
        Decimal("17.77"),
        Decimal("26.66"),
        Decimal("13.33"),
        Decimal("0.00"),
    ]
    assert row["score"] == Decimal("57.76")
    assert row["verdict"] is None


def test_what_we_try_never_ends_a_silence(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    organization(ledger, ("ann",))
    ledger.person("us", is_staff=True)
    mails(ledger, "ann", 60, 70, 80, 90)
    ours: dict[str, Any] = {"silo": "crm", "source": "crm", "direction": "outbound"}
    staff = ours | {"is_staff_actor": True, "target_person_id": "ann"}
    ledger.act("call", "us", days_ago(9), "call", channel="phone", **staff)
    ledger.act("mail", "us", days_ago(6), "email", channel="email", **staff)
    ledger.act("note", "us", days_ago(5), "note", channel="note", **staff)
    ledger.act("nobody", None, days_ago(4), "call", organization_id="acme", **ours)
    row = ledger.build().one("select * from rel_organization")
    assert (row["usual_gap_days"], row["current_gap_days"]) == (Decimal("10.0"), 60)
    assert (row["last_inbound_at"], row["last_outbound_at"]) == (days_ago(60), days_ago(4))
    assert (row["people_active_28d"], row["rhythm_part"]) == (0, Decimal("0.00"))
    assert row["reason_1"] == "usually in touch every 10 days, now 60 days quiet"

    ledger.act("meeting", "us", days_ago(3), "meeting", channel="meeting", **staff)
    row = ledger.build().one("select * from rel_organization")
    assert row["current_gap_days"] == 3, "a meeting needs both sides"


@pytest.mark.parametrize("kind", ["post", "purchase", "login"])
def test_acts_among_members_and_orders_are_signs_of_life(models: Models, kind: str) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", forum="forum", shop="orders")
    organization(ledger, ("ann",))
    if kind == "post":
        ledger.act("post", "ann", days_ago(8), "post", direction="peer")
    else:
        ledger.add(
            f"fct_{kind}",
            {
                f"{kind}_id": "p",
                "source": "shop",
                "organization_id": "acme",
                "occurred_at": days_ago(8),
                "loaded_at": days_ago(8),
            },
        )
    row = ledger.build().one("select * from rel_organization")
    assert (row["current_gap_days"], row["requests_90d"], row["unanswered_90d"]) == (8, 0, 0)


def test_only_what_asks_for_an_answer_waits_for_one(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", forum="forum")
    organization(ledger, ("ann",))
    ledger.person("us", is_staff=True)
    crm = {"silo": "crm", "source": "crm", "channel": "sales", "visibility": "private"}
    for kind in ("order", "reaction", "engagement"):
        ledger.act(kind, "ann", days_ago(8), kind, **crm)
    for kind in ("email", "message", "call", "case_opened"):
        ledger.act(kind, "ann", days_ago(9), kind, **crm)
    ledger.act("open", "ann", days_ago(8), "question")
    ledger.act("among-them", "ann", days_ago(8), "reply", target_person_id="bob")
    ledger.act("at-us", "ann", days_ago(9), "reply", target_person_id="us")
    ledger.build()
    asking = ledger.rows(
        "select day, sum(requests) as requests from int_organizations__contact group by day"
    )
    assert {row["day"]: row["requests"] for row in asking} == {
        AS_OF - timedelta(days=8): 0,
        AS_OF - timedelta(days=9): 5,
    }
    row = ledger.one("select * from rel_organization")
    assert (row["requests_90d"], row["unanswered_90d"]) == (5, 5)


def test_a_request_of_nobody_known_is_answered_by_turning_to_the_organization(
    models: Models,
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    organization(ledger, ("ann",))
    ledger.person("us", is_staff=True)
    crm = {"silo": "crm", "source": "crm", "channel": "phone", "organization_id": "acme"}
    ledger.act("early", None, days_ago(9), "call", direction="inbound", **crm)
    ledger.act(
        "ours", "us", days_ago(8), "call", is_staff_actor=True, target_person_id="ann", **crm
    )
    ledger.act("late", None, days_ago(7), "call", direction="inbound", **crm)
    row = ledger.build().one("select * from rel_organization")
    assert (row["requests_90d"], row["unanswered_90d"]) == (2, 1)


@pytest.mark.parametrize(
    ("ages", "unanswered", "left", "verdict"),
    [
        ((3, 10, 17), 0, False, "healthy"),
        ((13, 20, 27), 0, False, "healthy"),
        ((14, 21, 28), 0, False, "watch"),  # twice the usual week
        ((28, 35, 42), 0, False, "at risk"),  # four times
        ((27,), 0, False, "healthy"),
        ((56,), 0, False, "watch"),  # no gap known: four weeks stand for it
        ((200, 207, 214), 0, False, "at risk"),
        ((3, 10, 17), 1, False, "healthy"),  # one that waits
        ((3, 10, 17), 2, False, "watch"),
        ((3, 10, 17), 0, True, "watch"),
        ((3, 10, 17), 2, True, "at risk"),
        ((14, 21, 28), 0, True, "at risk"),
        ((), 0, False, None),
    ],
)
def test_a_verdict_is_told_by_bounds(
    models: Models, ages: tuple[int, ...], unanswered: int, left: bool, verdict: str | None
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", forum="forum")
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    organization(ledger, ("ann", "bob"))
    if left:
        ledger.execute(
            "update bridge_person_organization set valid_to = ? where person_id = 'ann'",
            [days_ago(1)],
        )
    for age in ages:
        kind = "email" if age in ages[:unanswered] else "note"
        ledger.act(f"{age}", "ann", days_ago(age), kind, silo="crm", source="crm", channel="email")
    row = ledger.build().one("select * from rel_organization")
    assert row["unanswered_90d"] == unanswered
    assert row["verdict"] == verdict


@pytest.mark.parametrize(("age", "verdict"), [(7, "healthy"), (8, "watch")])
def test_a_case_that_waits_for_us_is_a_warning(models: Models, age: int, verdict: str) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    organization(ledger, ("ann",))
    ledger.act("call", "ann", days_ago(1), "note", silo="crm", source="crm", channel="phone")
    case = {"case_id": "one", "organization_id": "acme", "opened_at": days_ago(age)}
    answered = {"first_response_at": days_ago(age), "is_closed": False, "is_deleted": False}
    ledger.add("fct_case", case | answered | {"loaded_at": days_ago(0)})
    assert ledger.build().one("select * from rel_organization")["verdict"] == verdict


def test_a_long_silence_weighs_on_the_score_whatever_came_before(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    organization(ledger, ("ann", "bob", "cid"))
    ledger.person("us", is_staff=True)
    for person in ("ann", "bob", "cid"):
        mails(ledger, person, 45, 47, 49, 51)
        key = f"answer-{person}"
        ledger.act(
            key, "us", days_ago(44), "email", silo="crm", is_staff_actor=True,
            target_person_id=person,
        )  # fmt: skip
    row = ledger.build().one("select * from rel_organization")
    # 20 * 135/180, nothing left of 40, 20 * 3/3 and 20 * 12/12
    assert [row[f"{part}_part"] for part in ("recency", "rhythm", "breadth", "response")] == [
        Decimal(15),
        Decimal(0),
        Decimal(20),
        Decimal(20),
    ]
    assert row["score"] == Decimal(55)


def test_people_of_an_organization_are_unknown_where_no_source_names_them(models: Models) -> None:
    def world(*, with_person: bool) -> dict[str, Any]:
        ledger = Ledger(models, AS_OF)
        ledger.configure(crm="crm")
        organization(ledger)
        ledger.person("agent", is_staff=True)
        ledger.person("elsewhere")
        named = [("agent", "crm"), ("elsewhere", "crm" if with_person else "forum")]
        profiles: list[dict[str, Any]] = [
            {"entity": "organization", "organization_id": "acme", "source": "crm"},
            *({"entity": "person", "person_id": p, "source": s} for p, s in named),
        ]
        for profile in profiles:
            key = f"{profile['source']}:{profile['entity']}:{profile.get('person_id')}"
            staff = profile.get("person_id") == "agent"
            row = {"profile_key": key, "stream": profile["entity"], "is_staff": staff, **profile}
            ledger.add("dim_profile", row | {"is_bot": False, "is_deleted": False})
        ledger.add("control.streams", {"source": "crm", "stream": "organization", "rows": 1})
        for number, age in enumerate((5, 15, 25)):
            ledger.act(
                f"o{number}", None, days_ago(age), "order", silo="crm", source="crm",
                organization_id="acme", direction="inbound",
            )  # fmt: skip
        row = ledger.build().one("select * from rel_organization")
        trust = ledger.one(
            "select * from rel_data_trust where stream = 'organization' and field = '*'"
        )
        return row | {"coverage_text": trust["coverage_text"]}

    people = [
        *("people_known", "people_active_28d", "people_active_90d", "people_active_90d_crm"),
        "breadth_part",
    ]
    unknown = world(with_person=False)
    assert [unknown[name] for name in people] == [None] * 5
    assert unknown["coverage_text"] == "names organizations, and nobody of theirs"
    assert (unknown["current_gap_days"], unknown["unanswered_90d"]) == (5, 0)
    known = world(with_person=True)
    assert [known[name] for name in people] == [0, 0, 0, 0, 0]
    assert known["coverage_text"] is None


def test_an_answer_counts_for_the_person_or_the_thread(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    organization(ledger, ("ann", "bob", "cid"))
    ledger.person("us", is_staff=True)
    mails(ledger, "ann", 20)
    mails(ledger, "bob", 20)
    mails(ledger, "cid", 20)
    crm = {"silo": "crm", "source": "crm", "is_staff_actor": True}
    ledger.act("call", "us", days_ago(18), "call", channel="phone", target_person_id="ann", **crm)
    ledger.act("case", "us", days_ago(18), "email", channel="email", thread_id="mail-bob-20", **crm)
    ledger.act("note", "us", days_ago(18), "note", channel="note", target_person_id="cid", **crm)
    row = ledger.build().one("select * from rel_organization")
    assert (row["requests_90d"], row["unanswered_90d"]) == (3, 1)
    assert row["last_outbound_at"] == days_ago(18)


def test_a_champion_who_left_is_seen_from_the_day_they_left(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=30)])
    ledger.configure(crm="crm")
    organization(ledger, ("ann", "bob"))
    ledger.execute(
        "update bridge_person_organization set valid_to = ?, is_current = false "
        "where person_id = 'ann'",
        [days_ago(10)],
    )
    mails(ledger, "ann", 40, 60, 80)
    mails(ledger, "bob", 35)
    before, after = ledger.build().rows("select * from rel_organization order by as_of")
    assert (before["champion_person_id"], before["champion_left"]) == ("ann", False)
    assert (after["champion_person_id"], after["champion_left"]) == ("ann", True)
    assert after["reason_1"] == "the person with most contact left 10 days ago"
    assert (before["people_known"], after["people_known"]) == (2, 1)


def test_the_champion_is_who_deals_with_us_not_who_writes_most_in_the_forum(
    models: Models,
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", forum="forum")
    organization(ledger, ("ann", "bob"))
    mails(ledger, "ann", 40, 60)
    for age in range(1, 30):
        ledger.act(f"post-{age}", "bob", days_ago(age), "post")
    row = ledger.build().one("select * from rel_organization")
    assert (row["champion_person_id"], row["champion_left"]) == ("ann", False)
    ledger.execute("delete from fct_interaction where kind = 'email'")
    row = ledger.build().one("select * from rel_organization")
    assert row["champion_person_id"] == "bob", "where nobody had direct contact"


@pytest.mark.parametrize(
    ("elsewhere_for", "last_mail", "left"),
    [
        (30, 40, True),
        (27, 40, False),  # four weeks have to pass
        (30, 20, False),  # still deals with us from here
        (650, 90, False),  # was there before they came here
    ],
)
def test_a_champion_who_is_recorded_elsewhere_and_silent_here_has_left(
    models: Models, elsewhere_for: int, last_mail: int, left: bool
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    organization(ledger, ("ann",))
    ledger.add(
        "bridge_person_organization",
        {
            "person_id": "ann",
            "organization_id": "other",
            "basis": "record",
            "is_primary": True,
            "valid_from": days_ago(elsewhere_for),
            "stay_from": days_ago(elsewhere_for),
            "is_current": True,
        },
    )
    for age in (last_mail, 100):
        key = f"mail-{age}"
        ledger.act(
            key, "ann", days_ago(age), "email", silo="crm", channel="email", organization_id="acme"
        )
    row = ledger.build().one("select * from rel_organization")
    assert (row["champion_person_id"], row["champion_left"]) == ("ann", left)


def test_open_cases_are_those_of_that_day(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=30)])
    ledger.configure(crm="crm")
    organization(ledger)
    for key, opened, answered, closed in (
        ("first", 50, 49, 20),
        ("second", 40, None, None),
        ("third", 5, 4, None),
    ):
        ledger.add(
            "fct_case",
            {
                "case_id": key,
                "organization_id": "acme",
                "opened_at": days_ago(opened),
                "first_response_at": None if answered is None else days_ago(answered),
                "closed_at": None if closed is None else days_ago(closed),
                "is_closed": closed is not None,
                "is_deleted": False,
                "loaded_at": days_ago(0),
            },
        )
    before, now = ledger.build().rows("select * from rel_organization order by as_of")
    assert (before["open_cases"], before["oldest_open_case_days"], before["cases_90d"]) == (
        2,
        20,
        2,
    )
    assert (now["open_cases"], now["oldest_open_case_days"], now["cases_90d"]) == (2, 40, 3)
    assert now["median_first_response_hours"] == 24
    assert now["reason_1"] == "2 open cases, the oldest 40 days old"


def test_an_organization_without_activity_has_a_row_of_unknowns(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(orders="other")
    organization(ledger)
    row = ledger.build().one("select * from rel_organization")
    assert row["coverage"] == 0.0
    assert {name for name, value in row.items() if value is not None} == {
        *("as_of", "basis", "organization_id", "coverage", "known_at", "metric_version")
    }


def test_deals_stand_beside_the_score_as_they_were(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=30)])
    ledger.configure(crm="crm")
    organization(ledger, renewal_date=AS_OF + timedelta(days=10), renewal_amount=Decimal(500))
    for key, created, closed in (("won since", 90, 10), ("open", 60, None), ("new", 5, None)):
        ledger.add(
            "fct_deal",
            {
                "deal_id": key,
                "organization_id": "acme",
                "amount": Decimal(100),
                "currency": "EUR",
                "is_closed": closed is not None,
                "created_at": days_ago(created),
                "closed_at": None if closed is None else days_ago(closed),
                "is_deleted": False,
                "loaded_at": days_ago(0),
            },
        )
    before, now = ledger.build().rows("select * from rel_organization order by as_of")
    assert (before["open_deals"], before["open_deal_amount"]) == (2, Decimal(200))
    assert (now["open_deals"], now["open_deal_amount"]) == (2, Decimal(200))
    assert (before["days_to_renewal"], now["days_to_renewal"]) == (40, 10)
    ledger.execute("update fct_deal set currency = 'USD' where deal_id = 'new'")
    assert (
        ledger.build().rows("select * from rel_organization order by as_of")[1]["open_deal_amount"]
        is None
    )


# ---------------------------------------------------------------- trust


def test_trust_tells_what_is_filled_linked_and_contradictory(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=30)])
    ledger.configure(crm="crm", forum="forum")
    ledger.add(
        "control.streams",
        {
            "source": "crm",
            "stream": "contacts",
            "rows": 3,
            "source_count": 4,
            "held_count": 3,
            "last_sync_at": ledger.known_at - timedelta(hours=6),
            "finished": True,
        },
    )
    for source, key, person, name, email in (
        ("crm", "1", "ann", "Ann", "ann@acme.com"),
        ("crm", "2", "bob", "Bob", None),
        ("forum", "7", "ann", " ann ", "ann@home.net"),
        ("forum", "8", "bob", "Robert", None),
    ):
        ledger.add(
            "dim_profile",
            {
                "profile_key": f"{source}:{key}",
                "source": source,
                "stream": "contacts" if source == "crm" else "users",
                "silo": source,
                "entity": "person",
                "person_id": person,
                "display_name": name,
                "email": email,
                "created_at": days_ago(90),
            },
        )
    ledger.build()
    now = ledger.one(
        "select * from rel_data_trust where source = 'crm' and field = '*' and basis = 'as_known'"
    )
    assert (now["rows_held"], now["missing"], now["coverage"]) == (3, 1, 0.75)
    assert (now["freshness_hours"], now["linked_share"]) == (6.0, 1.0)
    assert (now["contradiction_share"], now["consent_unknown_share"]) == (1.0, None)
    past = ledger.one(
        "select * from rel_data_trust where source = 'crm' and field = '*' and basis = 'backcast'"
    )
    assert (past["rows_held"], past["freshness_hours"], past["profiles"]) == (None, None, 2)
    fields = {
        row["field"]: (row["filled_share"], row["contradiction_share"])
        for row in ledger.rows(
            "select * from rel_data_trust where source = 'crm' and basis = 'as_known'"
        )
    }
    assert fields["email"] == (0.5, 0.5)
    assert fields["display_name"] == (1.0, 0.5)
    assert fields["phone"] == (0.0, None)


def test_each_field_says_how_it_is_known_what_for_and_whether_anything_reads_it(
    models: Models,
) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm")
    ledger.add("control.streams", {"source": "crm", "stream": "contacts"})
    profile = {"profile_key": "crm:1", "source": "crm", "stream": "contacts", "silo": "crm"}
    ledger.add("dim_profile", profile | {"entity": "person", "person_id": "ann"})
    for field, pii in (
        ("Tier__c", "none"), ("Points__c", "none"), ("Hobby__c", "none"), ("Unread__c", "none"),
        ("Depth__c", "none"), ("Nickname__c", "direct"),
    ):  # fmt: skip
        ledger.add(
            "control.custom_fields",
            {"source": "crm", "stream": "contacts", "field": field, "pii": pii},
        )
    for field, meaning in (("Hobby__c", "interest"), ("Depth__c", "bond_stage")):
        ledger.add(
            "control.column_meanings",
            {"source": "crm", "stream": "contacts", "field": field, "meaning": meaning},
        )
    for name, field in (("tier", "Tier__c"), ("nick", "Nickname__c")):
        ledger.add(
            "control.segment_rules", {"segment_type": name, "origin": "custom", "field": field}
        )
    for field in ("Tier__c", "Points__c"):
        ledger.add(
            "control.tier_measures", {"programme": "guild", "origin": "custom", "field": field}
        )
    rows = ledger.build().rows(
        "select field, obtained, purpose, is_used from rel_data_trust where source = 'crm'"
    )
    told = {row.pop("field"): tuple(row.values()) for row in rows}
    assert told["*"] == (None, None, None)
    assert told["owner"] == ("observed", "to tell whoever looks after them", True)
    assert told["phone"] == ("told", "to know people again in another source", True)
    assert told["Tier__c"] == ("told", "for the segment tier, for the tiers of guild", True)
    assert told["Points__c"] == ("told", "for the tiers of guild", True)
    assert told["Hobby__c"] == ("told", "for interest", True)
    assert told["Depth__c"] == ("observed", "for bond stage", True)
    # what names a person is read by no number, whatever a rule says
    assert told["Unread__c"] == told["Nickname__c"] == ("told", None, False)
    assert len(told) == 13


def test_trust_tells_for_each_source_and_all_whom_of_the_active_forum_people_it_knows(
    models: Models,
) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=60)])
    ledger.configure(crm="crm", hub="crm", forum="forum")
    knows = {"crm": "ann bob cid eve", "hub": "bob gus", "forum": "ann bob cid dan eve fay"}
    for source, people in knows.items():
        for person in people.split():
            ledger.add(
                "dim_profile",
                {
                    "profile_key": f"{source}:{person}",
                    "source": source,
                    "stream": "people",
                    "silo": "forum" if source == "forum" else "crm",
                    "entity": "person",
                    "person_id": person,
                    "is_deleted": (source, person) == ("crm", "cid"),
                    "created_at": days_ago(30 if source == "hub" else 400),
                },
            )
    ledger.person("fay", is_staff=True)
    for person, day in (("ann", 89), ("bob", 2), ("cid", 3), ("dan", 4), ("eve", 90), ("fay", 1)):
        ledger.act(person, person, days_ago(day), "post", is_staff_actor=person == "fay")
    ledger.build()
    # Eve was active too long ago, Fay is one of us, Cid's record is deleted, Gus is in no forum.
    told = "select source, active_forum_people as n, active_forum_people_share as share "
    rows = ledger.rows(f"{told} from rel_data_trust where stream = '*' and basis = 'as_known'")
    assert {row["source"]: (row["n"], row["share"]) for row in rows} == {
        "crm": (4, 0.5), "hub": (4, 0.25), "*": (4, 0.5),
    }  # fmt: skip
    # Sixty days before, of Ann and Eve, and the second CRM did not know anybody yet.
    rows = ledger.rows(f"{told} from rel_data_trust where stream = '*' and basis = 'backcast'")
    assert {row["source"]: (row["n"], row["share"]) for row in rows} == {
        "crm": (2, 1.0), "*": (2, 1.0),
    }  # fmt: skip


def test_a_build_of_a_past_day_tells_what_is_held_for_that_day_only(models: Models) -> None:
    ledger = Ledger(models, AS_OF, backcast=[AS_OF - timedelta(days=28)])
    ledger.execute("update control.snapshots set basis = 'backcast'")
    ledger.add(
        "control.streams",
        {
            "source": "crm",
            "stream": "accounts",
            "rows": 85,
            "quarantined": 2,
            "source_count": 85,
            "held_count": 85,
            "last_sync_at": ledger.known_at - timedelta(hours=1),
        },
    )
    columns = ["rows_held", "quarantined", "missing", "freshness_hours", "coverage"]
    before, now = ledger.build().rows(
        f"select {', '.join(columns)} from rel_data_trust where field = '*' order by as_of"
    )
    assert list(before.values()) == [None] * 5
    assert list(now.values()) == [85, 2, 0, 1.0, 1.0]


# ---------------------------------------------------------------- laws on any world


def random_world(
    models: Models,
    dice: random.Random,
    *,
    people: int = 12,
    acts: int = 120,
    as_of: date = AS_OF,
    shuffle: Callable[[list[Any]], None] | None = None,
) -> Ledger:
    """People of three organizations who post, ask, answer, mail and buy over nine months."""
    ledger = Ledger(models, as_of, backcast=[as_of - timedelta(days=n) for n in (31, 59, 90)])
    ledger.configure(forum="forum", crm="crm", shop="orders")
    ledger.add("control.streams", {"source": "forum", "stream": "posts", "rows": acts})
    for metric, table in (
        ("reciprocity", "community_health"),
        ("people_28d", "engagement_segment"),
    ):
        ledger.add(
            "control.goals",
            {
                "goal": f"maker.{metric}",
                "metric_table": f"rel_{table}",
                "metric": metric,
                "is_additive": metric == "people_28d",
                "segment_type": "all",
                "segment": "all",
                "direction": "at least",
                "target": 8,
                "due_on": as_of + timedelta(days=50),
            },
        )
    ledger.enroll(
        {
            "guild": {
                "owner": "lead",
                "grace_days": 10,
                "low_water": 0.8,
                "measures": {
                    "answers": {"acts": ["answer", "accepted_answer"], "days": 60},
                    "purchase_days": {"active_days": ["purchase"]},
                    "ties": {"column": "rel_importance.ties"},
                },
                "tiers": [
                    {"name": "helper", "all": [{"answers": {"min": 2}}]},
                    {
                        "name": "guide",
                        "any": [{"ties": {"above": 3}}, {"purchase_days": {"min": 4}}],
                    },
                ],
            }
        }
    )
    names = [f"per_{number:03}" for number in range(people)]
    rows: list[Callable[[], None]] = []
    for number, name in enumerate(names):
        rows.append(
            lambda name=name, number=number: ledger.person(
                name, is_staff=number == 0, is_bot=number == 1
            )
        )
    for number in range(3):
        rows.append(
            lambda number=number: ledger.add(
                "dim_organization",
                {
                    "organization_id": f"org_{number}",
                    "renewal_amount": Decimal(100 + number),
                    "renewal_date": as_of + timedelta(days=number),
                },
            )
        )
        rows.append(
            lambda number=number: ledger.add(
                "fct_deal",
                {
                    "deal_id": f"deal_{number}",
                    "organization_id": f"org_{number}",
                    "amount": Decimal(1000 + number),
                    "currency": "EUR",
                    "is_closed": False,
                    "created_at": noon(as_of - timedelta(days=40 * number)),
                    "loaded_at": noon(as_of - timedelta(days=40 * number)),
                },
            )
        )
    for name in names[2:]:
        home = f"org_{dice.randrange(3)}"
        rows.append(
            lambda name=name, home=home: ledger.add(
                "bridge_person_organization",
                {
                    "person_id": name,
                    "organization_id": home,
                    "basis": "record",
                    "is_primary": True,
                    "valid_from": noon(as_of - timedelta(days=300)),
                    "stay_from": noon(as_of - timedelta(days=300)),
                    "is_current": True,
                },
            )
        )
    questions: list[str] = []
    for number in range(acts):
        at = noon(as_of + timedelta(days=1)) - timedelta(minutes=dice.randrange(270 * 1440))
        actor = dice.choice([*names, *names[2:6], None])
        columns = {"target_person_id": dice.choice([*names, None])}
        kind = dice.choice(["question", "answer", "answer", "post", "email", "call", "purchase"])
        key = f"act-{number:04}"
        if kind == "purchase":
            rows.append(
                lambda key=key, actor=actor, at=at, number=number: ledger.add(
                    "fct_purchase",
                    {
                        "purchase_id": key,
                        "source": "shop",
                        "person_id": actor,
                        "occurred_at": at,
                        "amount": Decimal(number),
                        "loaded_at": at,
                    },
                )
            )
            continue
        if kind in ("email", "call"):
            columns |= {"silo": "crm", "source": "crm", "channel": "email"}
        else:
            columns["place"] = dice.choice(["help", "lounge", None])
        if kind == "question":
            questions.append(key)
        columns["thread_id"] = dice.choice(questions) if kind == "answer" and questions else key
        columns["is_accepted"] = dice.random() < 0.3 if kind == "answer" else None
        columns["is_deleted"] = dice.random() < 0.05
        rows.append(
            lambda key=key, actor=actor, at=at, kind=kind, columns=columns: ledger.act(
                key, actor, at, kind, **columns
            )
        )
    for number in range(acts // 10):
        opened_at = noon(as_of) - timedelta(minutes=dice.randrange(200 * 1440))
        closed_at = dice.choice([None, opened_at + timedelta(days=dice.randrange(1, 9))])
        actors = [dice.choice(names[2:]), *dice.choices(names[:5], k=dice.randrange(5))]
        rows.append(
            lambda key=f"case-{number:02}", opened_at=opened_at, closed_at=closed_at: ledger.add(
                "fct_case",
                {
                    "case_id": key,
                    "opened_at": opened_at,
                    "closed_at": closed_at,
                    "loaded_at": opened_at,
                },
            )
        )
        for step, actor in enumerate(actors):
            rows.append(
                lambda key=f"case-{number:02}", step=step, actor=actor, actors=actors, at=(
                    opened_at
                ): ledger.act(
                    f"{key}-{step}" if step else key,
                    actor,
                    at + timedelta(hours=7 * step),
                    "case_comment" if step else "case_opened",
                    target_person_id=actors[0] if step else None,
                    silo="crm", source="crm", channel="case", thread_id=key,
                )
            )  # fmt: skip
    for name in names[::2]:
        told_at = days_ago(dice.randrange(99)) + (as_of - AS_OF)
        rows.append(
            lambda name=name, told_at=told_at: ledger.add(
                "bridge_person_interest",
                {"person_id": name, "interest": "weather", "source": "crm", "told_at": told_at},
            )
        )
    if shuffle:
        shuffle(rows)
    for add in rows:
        add()
    return ledger


worlds = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@worlds
@given(seed=st.integers(0, 10**6))
def test_flows_explain_every_change_of_the_active(models: Models, seed: int) -> None:
    ledger = random_world(models, random.Random(seed)).build()
    for row in ledger.rows("select * from rel_community_health"):
        came = row["new_members"] + row["resurrected"]
        assert row["active"] == row["retained"] + came
        assert row["active"] == row["previous_active"] + came - row["churned"]
        assert row["active"] <= row["members"]
    for row in ledger.rows(
        "select segment_type, as_of, sum(questions)::int questions, sum(answers)::int answers, "
        "sum(contributions)::int contributions from rel_community_health group by all"
    ):
        whole = ledger.one(
            "select questions, answers, contributions from rel_community_health "
            f"where segment = 'all' and as_of = '{row['as_of']}'"
        )
        assert {name: row[name] for name in whole} == whole
    for row in ledger.rows("select * from rel_organization where score is not null"):
        parts = [row[f"{part}_part"] for part in ("recency", "rhythm", "breadth", "response")]
        assert row["score"] == sum(part for part in parts if part is not None)
        assert 0 <= row["score"] <= 100
    assert not ledger.rows(
        "select * from rel_disengagement where score <> frequency_part + recency_part"
    )


@worlds
@given(seed=st.integers(0, 10**6), days=st.integers(1, 800))
def test_a_world_moved_by_some_days_has_the_same_numbers(
    models: Models, seed: int, days: int
) -> None:
    """Every table of every day; only the days and moments that stand in it move along."""
    here = random_world(models, random.Random(seed)).build()
    there = random_world(models, random.Random(seed), as_of=AS_OF + timedelta(days=days)).build()
    tables = (*SNAPSHOT_TABLES, "rel_activity_daily")
    found = contents(here, tables)
    assert all(found.values()), "no table is without a row to compare"
    assert found == contents(there, tables, moved=timedelta(days=days))


@worlds
@given(seed=st.integers(0, 10**6))
def test_the_order_in_which_rows_arrived_changes_nothing(models: Models, seed: int) -> None:
    tables = (*SNAPSHOT_TABLES, "rel_activity_daily")
    one = random_world(models, random.Random(seed)).build()
    other = random_world(
        models, random.Random(seed), shuffle=random.Random(seed + 1).shuffle
    ).build()
    assert contents(one, tables) == contents(other, tables)


def test_amounts_change_no_number_but_themselves(models: Models) -> None:
    """Each amount is multiplied by a noise of its own: from nothing to a thousand times as much."""
    about_money = {"rel_value", "rel_value_model", "rel_value_segment"}
    blind = {*SNAPSHOT_TABLES, "rel_activity_daily"} - about_money - {"rel_organization"}
    ledger = random_world(models, random.Random(1)).build()
    before = contents(ledger, blind)
    assert all(before.values()), "no table is without a row to compare"
    organizations = contents(ledger, ["rel_organization"])
    but_money = contents(ledger, ["rel_organization"], MONEY)
    for table, key, amount in (
        ("fct_purchase", "purchase_id", "amount"),
        ("fct_deal", "deal_id", "amount"),
        ("dim_organization", "organization_id", "renewal_amount"),
    ):
        noise = f"(hash({key}) % 1000000) / 1000"
        ledger.execute(f"update {table} set {amount} = {amount} * {noise}")
    ledger.build()
    assert contents(ledger, blind) == before
    assert contents(ledger, ["rel_organization"], MONEY) == but_money
    assert contents(ledger, ["rel_organization"]) != organizations


def test_no_model_but_of_organizations_and_value_names_an_amount(models: Models) -> None:
    money = re.compile(r"amount|currency|revenue|price|spend|arr\b", re.IGNORECASE)
    sql = {name: step for name, step in models.steps.items() if isinstance(step, str)}
    reading = {name for name, text in sql.items() if money.search(text)}
    assert reading == {
        "rel_organization", "int_spending__histories", "int_tiers__paid", "rel_value",
        "rel_value_model", "rel_value_segment",
    }  # fmt: skip
    score = sql["rel_organization"].split("---------- score")[1].split("final as")[0]
    assert not money.search(score)


def test_every_column_says_what_it_holds_and_names_nobody(models: Models) -> None:
    for table, columns in models.columns.items():
        for name, column in columns.items():
            meta = column["config"]["meta"]
            assert column["description"], f"{table}.{name}"
            assert meta["pii"] in ("none", "pseudonym"), f"{table}.{name}"
            if column["data_type"].startswith(("bigint", "double", "decimal")):
                assert {"unit", "additivity"} <= meta.keys(), f"{table}.{name}"


def test_a_community_is_called_thriving_by_the_bounds_of_the_strategy(models: Models) -> None:
    for bound, verdict in (("2", "thriving"), ("11", "mixed")):
        ledger = Ledger(models, AS_OF)
        ledger.configure(forum="forum")
        ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
        ledger.add("control.settings", {"name": "thriving_absence_factor", "value": bound})
        for number in range(12):
            ask_and_answer(ledger, f"asker-{number}", f"helper-{number}")
        row = community(ledger.build())
        assert row["helper_absence_factor"] == 6
        assert row["verdict"] == verdict


def test_dropping_the_crm_lowers_coverage_and_breaks_nothing(models: Models) -> None:
    ledger = random_world(models, random.Random(2)).build()
    whole = ledger.one(f"select min(coverage) c from rel_organization where as_of = '{AS_OF}'")
    ledger.execute("delete from control.sources where silo = 'crm'")
    ledger.execute("delete from fct_interaction where silo = 'crm'")
    ledger.build()
    rows = ledger.rows(f"select * from rel_organization where as_of = '{AS_OF}'")
    assert all(row["coverage"] < whole["c"] for row in rows)
    assert {row["people_active_90d_crm"] for row in rows} == {None}
    assert ledger.rows("select * from rel_disengagement")
