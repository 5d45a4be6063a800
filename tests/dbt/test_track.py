"""Qualities: each indicator worked out by hand, for whom, by whom, and whether it changes."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from rapport.strategy import Indicator
from tests.dbt.conftest import PROJECT
from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago

LOADED = datetime(2029, 1, 1, tzinfo=UTC)
NOW = f"as_of = '{AS_OF}' and basis = 'as_known'"
TRACK = ("trust", "respect", "appreciation", "communication", "kindness")
KINDS = ("customer", "partner", "supplier", "staff")


def world(models: Models) -> Ledger:
    ledger = Ledger(models, AS_OF)
    ledger.configure(crm="crm", forum="forum", desk="support")
    for kind in KINDS[:3]:
        ledger.person(kind, party_kind=kind)
    for name in ("amy", "bo"):
        ledger.person(name, party_kind="staff", is_staff=True)
    ledger.person("robot", is_bot=True)
    return ledger


def said(
    ledger: Ledger, indicator: str, given_by: str, kind: str = "customer", quality: str = ""
) -> dict[str, Any]:
    """The row of an indicator; where several qualities have it, of the one named."""
    return ledger.one(
        f"select * from rel_track where {NOW} and indicator = '{indicator}' "
        f"and given_by = '{given_by}' and party_kind = '{kind}'"
        + (f" and quality = '{quality}'" if quality else "")
    )


def found(ledger: Ledger, *row: str) -> tuple[float | None, int]:
    got = said(ledger, *row)
    return got["value"], got["n"]


def promise(
    ledger: Ledger, days: int, outcome: str, hours: float | None = None, **columns: Any
) -> None:
    """A promise due some days ago, done so many hours after that."""
    due = days_ago(days)
    row = {
        "commitment_id": f"{len(ledger.waiting.get('fct_commitment', []))}",
        "is_ours": True,
        "person_id": "customer",
        "due_at": due,
        "fulfilled_at": None if hours is None else due + timedelta(hours=hours),
        "outcome": outcome,
        "loaded_at": LOADED,
    }
    ledger.add("fct_commitment", row | columns)


def thread(
    ledger: Ledger, key: str, opened: tuple[str, str, int], *acts: tuple[str, float, str],
    **columns: Any,
) -> None:  # fmt: skip
    """(who, kind, days ago), then (who, hours later, kind)."""
    who, kind, days = opened
    ledger.act(key, who, days_ago(days), kind, thread_id=key, **columns)
    columns = columns | {"target_person_id": None}
    for number, (actor, hours, sort) in enumerate(acts):
        at = days_ago(days) + timedelta(hours=hours)
        ledger.act(f"{key}/{number}", actor, at, sort, thread_id=key, **columns)


DESK: dict[str, Any] = {"silo": "support", "source": "desk", "channel": "case"}
MAIL: dict[str, Any] = {"silo": "crm", "source": "crm", "channel": "email"}

# ---------------------------------------------------------------- shape


def test_every_quality_has_two_supporting_and_one_eroding_indicator_for_every_kind(
    models: Models,
) -> None:
    rows = world(models).build().rows(
        "select quality, party_kind, "
        "count(distinct case when direction = 'supports' then indicator end) as supports, "
        "count(distinct case when direction = 'erodes' then indicator end) as erodes "
        f"from rel_track where {NOW} group by all"
    )  # fmt: skip
    assert {(row["quality"], row["party_kind"]) for row in rows} == {
        (quality, kind) for quality in TRACK for kind in KINDS
    }
    assert all(row["supports"] >= 2 and row["erodes"] >= 1 for row in rows), rows


def test_what_nobody_told_is_unknown_and_says_what_would_light_it_up(models: Models) -> None:
    rows = world(models).build().rows(f"select * from rel_track where {NOW}")
    assert {(row["value"], row["n"], row["trend"]) for row in rows} == {(None, 0, None)}
    assert all(row["lit_by"] for row in rows)


def test_the_strategy_knows_the_indicators_that_the_tables_know() -> None:
    with (PROJECT / "seeds" / "track_indicator.csv").open(encoding="utf-8") as file:
        assert sorted({row["indicator"] for row in csv.DictReader(file)}) == list(
            get_args(Indicator)
        )


def test_a_sixth_quality_needs_configuration_alone(models: Models) -> None:
    ledger = world(models)
    promise(ledger, 5, "kept", -1)
    for indicator in ("promises_kept", "asked_again"):
        ledger.add("control.qualities", {"quality": "fairness", "indicator": indicator})
    ledger.add("control.qualities", {"quality": "trust", "indicator": "promises_overdue"})
    ledger.build()
    assert found(ledger, "promises_kept", "us", "customer", "fairness") == (1, 1)
    named = ledger.rows(f"select distinct quality, indicator from rel_track where {NOW}")
    of = {
        q: {row["indicator"] for row in named if row["quality"] == q} for q in (*TRACK, "fairness")
    }
    assert of["fairness"] == {"promises_kept", "asked_again"}
    assert of["trust"] == {"promises_overdue"}, "a quality named anew has what is named"
    assert len(of["respect"]) == 4


# ---------------------------------------------------------------- trust


def test_promises_are_measured_alike_on_both_sides(models: Models) -> None:
    ledger = world(models)
    promise(ledger, 3, "kept", -2)
    promise(ledger, 4, "late", 5)
    promise(ledger, 12, "open")
    promise(ledger, 13, "late", 24 * 6)
    promise(ledger, 5, "called_off")
    promise(ledger, 5, "unknown")
    for days, outcome, hours in ((10, "kept", -1), (11, "kept", -1), (12, "open", None)):
        promise(ledger, days, outcome, hours, person_id="supplier", is_ours=False)
    promise(ledger, 6, "late", 1, person_id="bo", owner_person_id="amy")
    ledger.build()
    assert found(ledger, "promises_kept", "us") == (0.25, 4)
    assert found(ledger, "promises_overdue", "us") == (0.5, 2), "only what fell due a week ago"
    assert found(ledger, "promises_kept", "them", "supplier") == (pytest.approx(2 / 3), 3)
    assert found(ledger, "promises_overdue", "them", "supplier") == (pytest.approx(1 / 3), 3)
    assert found(ledger, "promises_kept", "us", "staff") == (0, 1)
    assert found(ledger, "promises_kept", "them")[0] is None


def test_an_organization_lends_its_kind_to_people_of_whom_none_is_known(models: Models) -> None:
    ledger = world(models)
    ledger.person("driver", party_kind="unknown")
    ledger.add("dim_organization", {"organization_id": "mill", "party_kind": "supplier"})
    promise(ledger, 3, "kept", -1, person_id=None, organization_id="mill", is_ours=False)
    promise(ledger, 3, "late", 1, person_id="driver", organization_id="mill", is_ours=False)
    assert found(ledger.build(), "promises_kept", "them", "supplier") == (0.5, 2)


def test_who_refused_and_was_written_to_all_the_same_erodes_trust(models: Models) -> None:
    ledger = world(models)
    answers = (
        ("customer", "all", "refused", 30),
        ("partner", "news", "granted", 30),
        ("partner", "offers", "refused", 30),
        ("supplier", "news", "refused", 5),
        ("bo", "news", "refused", 50),
        ("bo", "news", "granted", 40),
    )
    for who, purpose, answer, days in answers:
        row = {"profile_key": who, "person_id": who, "purpose_id": purpose, "answer": answer}
        row |= {"channel": "email", "occurred_at": days_ago(days), "loaded_at": LOADED}
        ledger.add("fct_consent", row)
    for number, who in enumerate(("customer", "partner", "supplier", "bo")):
        row = {"message_sent_id": f"m{number}", "source": "crm", "person_id": who}
        row |= {"channel": "email", "occurred_at": days_ago(10), "loaded_at": LOADED}
        ledger.add("fct_message_sent", row)
    ledger.build()
    for kind, consent, despite in (
        ("customer", 0, 1),
        ("partner", 1, 0),
        ("supplier", 0, 0),  # refused only after it was sent
        ("staff", 1, 0),
    ):
        assert found(ledger, "written_with_consent", "us", kind) == (consent, 1)
        assert found(ledger, "written_despite_refusal", "us", kind) == (despite, 1)


def test_a_case_that_its_asker_takes_up_again_was_not_solved(models: Models) -> None:
    ledger = world(models)
    for key, days in (("again", 20), ("thanked_late", 20), ("done", 20), ("fresh", 2)):
        ledger.add("fct_case", {"case_id": key, "person_id": "customer", "loaded_at": LOADED})
        columns = {"case_id": key, "loaded_at": LOADED, "is_public": True}
        closed = {"kind": "closed", "is_staff": True, "occurred_at": days_ago(days)}
        ledger.add("fct_case_event", {"case_event_id": f"{key}#closed"} | columns | closed)
        after = {"again": 3, "thanked_late": 9, "fresh": 1}.get(key)
        if after is not None:
            act = {"kind": "comment", "is_staff": False, "occurred_at": days_ago(days - after)}
            ledger.add("fct_case_event", {"case_event_id": f"{key}/1"} | columns | act)
    assert found(ledger.build(), "cases_reopened", "us") == (pytest.approx(1 / 3), 3)


def test_survey_scores_count_on_their_own_scale(models: Models) -> None:
    ledger = world(models)
    for number, (who, score, high) in enumerate(
        (("customer", 9, 10), ("customer", 1, 2), ("amy", 3, 4), ("customer", 11, 10))
    ):
        row = {"survey_answer_id": f"s{number}", "person_id": who, "score": score}
        row |= {"scale_low": 0, "scale_high": high, "occurred_at": days_ago(3)}
        ledger.add("fct_survey_answer", row | {"loaded_at": LOADED})
    ledger.build()
    assert found(ledger, "survey_satisfaction", "them") == (pytest.approx(0.7), 2)
    assert found(ledger, "survey_satisfaction", "us", "staff") == (0.75, 1)


# ---------------------------------------------------------------- respect and communication


def test_we_are_held_to_the_clock_that_we_hold_them_to(models: Models) -> None:
    ledger = world(models)
    thread(ledger, "c1", ("customer", "case_opened", 20), ("amy", 2, "case_comment"), **DESK)
    thread(
        ledger, "c2", ("customer", "case_opened", 19), ("robot", 1, "case_comment"),
        ("customer", 30, "case_comment"), ("amy", 40, "case_comment"), **DESK,
    )  # fmt: skip
    thread(ledger, "c3", ("customer", "case_opened", 18), **DESK)
    ledger.act(
        "c3/n", "amy", days_ago(18) + timedelta(hours=1), "case_comment", thread_id="c3",
        visibility="private", direction="internal", **DESK,
    )  # fmt: skip
    ours = {"target_person_id": "customer", "direction": "outbound"}
    thread(ledger, "e1", ("amy", "email", 20), ("customer", 4, "email"), **MAIL, **ours)
    thread(
        ledger, "e2", ("amy", "email", 20), ("amy", 50, "email"), ("customer", 60, "email"),
        **MAIL, **ours,
    )  # fmt: skip
    ledger.build()
    assert found(ledger, "answered_within_day", "us") == (pytest.approx(1 / 3), 3)
    assert found(ledger, "left_unanswered", "us") == (pytest.approx(1 / 3), 3)
    assert found(ledger, "response_hours", "us") == (21, 2)
    assert found(ledger, "asked_again", "us") == (pytest.approx(1 / 3), 3)
    assert found(ledger, "answered_within_day", "them") == (0.5, 2)
    assert found(ledger, "left_unanswered", "them") == (0, 2)
    assert found(ledger, "response_hours", "them") == (32, 2)
    assert found(ledger, "asked_again", "them") == (0.5, 2)
    assert found(ledger, "conversations_begun", "us") == (pytest.approx(2 / 5), 5)
    assert found(ledger, "conversations_begun", "them") == (pytest.approx(3 / 5), 5)


def test_an_answer_after_years_is_told_in_hours(models: Models) -> None:
    ledger = world(models)
    hours = 24.0 * 3650
    acts = [("amy", hours, "case_comment")]
    thread(ledger, "c", ("customer", "case_opened", 3660), *acts, **DESK)
    assert found(ledger.build(), "response_hours", "us") == (hours, 1)


def test_mails_of_a_source_that_tells_no_threads_are_not_called_unanswered(models: Models) -> None:
    ledger = world(models)
    for number in range(3):
        thread(ledger, f"e{number}", ("customer", "email", 20), **MAIL)
    assert found(ledger.build(), "left_unanswered", "us") == (None, 0)


def test_a_question_that_a_member_answered_first_was_not_left_by_us(models: Models) -> None:
    ledger = world(models)
    thread(ledger, "q1", ("customer", "question", 20), ("partner", 3, "answer"))
    thread(ledger, "q2", ("customer", "question", 20), ("amy", 3, "answer"))
    thread(ledger, "q3", ("customer", "question", 20), ("amy", 1, "comment"))
    ledger.build()
    assert found(ledger, "left_unanswered", "us") == (0.5, 2)
    assert found(ledger, "questions_helped", "others") == (0.5, 2)
    assert found(ledger, "response_hours", "us") == (3, 1)


def test_hands_and_mailings_count_for_communication(models: Models) -> None:
    ledger = world(models)
    for key, second in (("c1", "bo"), ("c2", "amy")):
        thread(
            ledger, key, ("customer", "case_opened", 20), ("amy", 2, "case_comment"),
            (second, 3, "case_comment"), **DESK,
        )  # fmt: skip
        row = {"case_id": key, "person_id": "customer", "opened_at": days_ago(20)}
        ledger.add("fct_case", row | {"closed_at": days_ago(10), "loaded_at": LOADED})
    for number, kind in enumerate(("click", "unsubscribe", "bounce", None, "scanned")):
        row = {"message_sent_id": f"m{number}", "source": "crm", "person_id": "customer"}
        ledger.add("fct_message_sent", row | {"occurred_at": days_ago(10), "loaded_at": LOADED})
        if kind:
            answer = {"message_response_id": f"r{number}", "kind": kind, **row}
            if kind == "scanned":  # a program opens and clicks all there is
                answer |= {"kind": "click", "is_automatic": True}
            answer |= {"occurred_at": days_ago(9), "loaded_at": LOADED}
            ledger.add("fct_message_response", answer)
    ledger.build()
    assert found(ledger, "handed_on", "us") == (0.5, 2)
    assert found(ledger, "mailings_responded", "them") == (0.2, 5)
    assert found(ledger, "mailings_opted_out", "them") == (0.2, 5)


# ---------------------------------------------------------------- appreciation and kindness


def test_thanks_are_told_by_who_owed_them(models: Models) -> None:
    ledger = world(models)
    thread(ledger, "q1", ("customer", "question", 20), ("amy", 3, "answer"))
    thread(ledger, "q2", ("customer", "question", 20), ("partner", 3, "answer"))
    thread(ledger, "q3", ("amy", "question", 20), ("partner", 3, "answer"))
    for act, by, to in (("q1/0", "customer", "amy"), ("q2/0", "supplier", "partner")):
        row = {"reaction_id": act, "source": "forum", "interaction_id": act}
        row |= {"actor_person_id": by, "target_person_id": to, "polarity": "positive"}
        ledger.add("fct_reaction_given", row | {"first_seen_at": LOADED})
    ledger.build()
    assert found(ledger, "answers_thanked", "them") == (1, 1)
    assert found(ledger, "answers_thanked", "others", "staff") == (1, 1)
    assert found(ledger, "answers_thanked", "others", "partner") == (0, 1), "not the asker"
    assert found(ledger, "answers_thanked", "us", "partner") == (0, 1)


def test_an_accepted_answer_that_nobody_liked_is_seen(models: Models) -> None:
    ledger = world(models)
    for key in ("q1", "q2"):
        thread(ledger, key, ("customer", "question", 20))
        ledger.act(
            f"{key}/a", "partner", days_ago(19), "answer", thread_id=key, is_accepted=True
        )  # fmt: skip
    for number, (kind, polarity) in enumerate((("like", "positive"), ("-1", "negative"))):
        row = {"observation_id": f"o{number}", "interaction_id": "q1/a", "kind": kind}
        row |= {"polarity": polarity, "n_change": 1, "observed_at": LOADED}
        ledger.add("fct_reaction", row)
    ledger.build()
    assert found(ledger, "accepted_never_thanked", "anyone", "partner") == (0.5, 2)
    assert found(ledger, "contributions_thanked", "anyone", "partner") == (0.5, 2)
    assert found(ledger, "contributions_thanked", "anyone") == (0, 2)
    assert found(ledger, "reactions_unkind", "anyone", "partner") == (0.5, 2)


def test_where_only_likes_are_told_unkindness_is_unknown(models: Models) -> None:
    ledger = world(models)
    thread(ledger, "q", ("customer", "question", 20))
    row = {"observation_id": "o", "interaction_id": "q", "kind": "like", "n_change": 1}
    ledger.add("fct_reaction", row | {"polarity": "positive", "observed_at": LOADED})
    ledger.build()
    assert found(ledger, "reactions_unkind", "anyone") == (None, 0)
    assert found(ledger, "contributions_thanked", "anyone") == (1, 1)


def test_newcomers_are_those_who_never_spoke_before(models: Models) -> None:
    ledger = world(models)
    thread(ledger, "q1", ("customer", "question", 20), ("amy", 5, "answer"))
    thread(ledger, "q2", ("customer", "question", 19))
    thread(ledger, "p1", ("partner", "post", 20), ("supplier", 30, "reply"))
    thread(ledger, "p2", ("supplier", "post", 25))
    ledger.build()
    assert found(ledger, "newcomers_answered", "us", "customer", "kindness") == (1, 1)
    assert found(ledger, "newcomers_answered", "others", "partner", "respect") == (0, 1)
    assert found(ledger, "newcomers_ignored", "anyone", "partner") == (0, 1)
    assert found(ledger, "newcomers_ignored", "anyone", "supplier") == (1, 1)


# ---------------------------------------------------------------- change


def test_a_change_beyond_chance_is_told_and_a_small_one_is_not(models: Models) -> None:
    ledger = world(models)
    for number in range(20):
        promise(ledger, 40, "kept", -1)
        promise(ledger, 5, "kept" if number < 10 else "late", 1)
        promise(ledger, 40, "kept", -1, person_id="partner")
        promise(ledger, 5, "kept" if number < 19 else "late", 1, person_id="partner")
    for days in (40, 5):
        promise(ledger, days, "kept" if days == 40 else "late", 1, person_id="supplier")
    ledger.build()
    row = said(ledger, "promises_kept", "us")
    assert (row["value"], row["previous_value"], row["change"]) == (0.5, 1, -0.5)
    assert (row["trend"], row["effect"]) == ("falls", "weakened")
    # pooled share 0.75, hand-made: variance 40/39 * 0.1875
    assert row["z"] == pytest.approx(-0.5 / (40 / 39 * 0.1875 * 0.1) ** 0.5)
    row = said(ledger, "promises_kept", "us", "partner")
    assert (row["trend"], row["effect"]) == ("steady", "holds")
    row = said(ledger, "promises_kept", "us", "supplier")
    assert (row["change"], row["trend"]) == (-1, None), "two promises prove nothing"


def test_what_happened_later_leaves_an_earlier_snapshot_as_it_was(models: Models) -> None:
    def past(*, with_later: bool) -> list[dict[str, Any]]:
        day = AS_OF - timedelta(days=28)
        ledger = Ledger(models, AS_OF, backcast=[day])
        ledger.person("customer", party_kind="customer")
        ledger.person("amy", party_kind="staff", is_staff=True)
        thread(ledger, "c1", ("customer", "case_opened", 40), ("amy", 5, "case_comment"), **DESK)
        promise(ledger, 50, "kept", -1)
        if with_later:
            thread(ledger, "c2", ("customer", "case_opened", 20), ("amy", 5, "email"), **DESK)
            promise(ledger, 27, "late", 9)
            promise(ledger, 5, "kept", -1)
        return ledger.build().rows(
            f"select * exclude (coverage) from rel_track where as_of = '{day}' order by all"
        )

    assert past(with_later=True) == past(with_later=False)
