"""Bonds and importance, worked out by hand."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import networkx as nx
import pytest

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago

NOW = f"as_of = '{AS_OF}' and basis = 'as_known'"


def network(models: Models, *people: str, backcast: tuple[date, ...] = (), **kinds: str) -> Ledger:
    """People by name; `us="staff"` gives one a kind."""
    ledger = Ledger(models, AS_OF, backcast=backcast)
    ledger.configure(crm="crm", forum="forum")
    for name in dict.fromkeys((*people, *kinds)):
        kind = kinds.get(name, "customer")
        ledger.person(name, party_kind=kind, is_staff=kind == "staff")
    return ledger


def mail(ledger: Ledger, one: str, other: str, age: int = 0, **columns: Any) -> None:
    """One mail from the one to the other, so many days ago."""
    number = len(ledger.waiting.get("fct_interaction", []))
    ledger.act(
        f"mail-{number:05}", one, days_ago(age), "email",
        target_person_id=other, silo="crm", source="crm", channel="email", **columns,
    )  # fmt: skip


def exchange(ledger: Ledger, one: str, other: str, age: int = 0) -> None:
    mail(ledger, one, other, age)
    mail(ledger, other, one, age)


def thread(ledger: Ledger, key: str, *people: str, age: int = 0) -> None:
    """A thread in which all speak, to nobody in particular."""
    for number, name in enumerate(people):
        at = days_ago(age) + timedelta(minutes=number)
        ledger.act(f"{key}-{number:02}", name, at, "post", thread_id=f"{key}-00")


def bond(ledger: Ledger, one: str, other: str, where: str = NOW) -> dict[str, Any]:
    first, second = sorted((one, other))
    return ledger.one(
        f"select * from rel_bond where person_id = '{first}' and other_person_id = '{second}' "
        f"and {where}"
    )


def importance(ledger: Ledger, person: str) -> dict[str, Any]:
    return ledger.one(f"select * from rel_importance where person_id = '{person}' and {NOW}")


# ---------------------------------------------------------------- strength


def test_a_direct_tie_is_worth_ten_and_fades_by_a_tenth_a_month(models: Models) -> None:
    ledger = network(models, "ann", "bob", "cid", "dan", "eve", "fay")
    exchange(ledger, "ann", "bob", 0)
    exchange(ledger, "cid", "dan", 90)
    exchange(ledger, "eve", "fay", 364)
    ledger.build()
    assert bond(ledger, "ann", "bob")["strength"] == 10
    assert bond(ledger, "cid", "dan")["strength"] == Decimal("7.29")
    assert not ledger.rows("select * from rel_bond where person_id = 'eve'")


def test_reach_of_jennifer_is_fifteen_and_seven_fades_to_five(models: Models) -> None:
    ledger = network(models, "jennifer", "amy", "ben", "coe", "dee", "old", "far")
    for name, times in {"amy": 4, "ben": 3, "coe": 1, "dee": 7}.items():
        for number in range(times):
            thread(ledger, f"{name}-{number}", "jennifer", name)
    for number in range(7):
        thread(ledger, f"far-{number}", "old", "far", age=90)
    ledger.build()
    assert importance(ledger, "jennifer")["reach"] == 15
    assert bond(ledger, "dee", "jennifer")["strength"] == 7
    assert round(bond(ledger, "old", "far")["strength"], 1) == Decimal("5.1")


def test_a_tie_never_counts_more_than_ten_and_never_falls_by_more_contact(models: Models) -> None:
    strengths = []
    for mails in (1, 3, 4, 7):
        ledger = network(models, "ann", "bob")
        for number in range(mails):
            exchange(ledger, "ann", "bob", 200 - 28 * number)
        strengths.append(bond(ledger.build(), "ann", "bob")["strength"])
    assert strengths == sorted(strengths)
    assert strengths[-1] == 10


def test_what_goes_one_way_adds_nothing(models: Models) -> None:
    ledger = network(models, "ann", "bob", us="staff")
    for name in ("ann", "bob"):
        mail(ledger, "us", name, 3)
    mail(ledger, "ann", "us", 2)
    ledger.act("note", "us", days_ago(1), "note", target_person_id="bob", silo="crm")
    ledger.act("news", "us", days_ago(1), "announcement")
    ledger.build()
    one_way = bond(ledger, "bob", "us")
    assert (one_way["strength"], one_way["is_two_way"], one_way["reciprocity"]) == (0, False, 0.0)
    assert one_way["reason_1"] == "one turned to the other once in a year and got no word back"
    two_way = bond(ledger, "ann", "us")
    assert (two_way["is_two_way"], two_way["reciprocity"]) == (True, 1.0)
    assert two_way["kind_pair"] == "customer-staff"
    assert not ledger.rows("select * from rel_importance where person_id = 'bob'")


def test_a_question_turns_to_whoever_answers_and_a_meeting_joins_both(models: Models) -> None:
    ledger = network(models, "asker", "helper", "guest", us="staff")
    ledger.act("q", "asker", days_ago(9), "question", thread_id="q")
    ledger.act("a", "helper", days_ago(8), "answer", thread_id="q", target_person_id="asker")
    ledger.act("m", "us", days_ago(7), "meeting", target_person_id="guest", silo="crm")
    ledger.build()
    assert bond(ledger, "asker", "helper")["is_two_way"]
    assert bond(ledger, "guest", "us")["is_two_way"]


def test_who_joins_a_crowd_is_tied_to_nobody_in_it(models: Models) -> None:
    people = [f"p{number:02}" for number in range(24)]
    ledger = network(models, *people)
    thread(ledger, "t", *people)
    ledger.build()
    assert ledger.one(f"select count(*) n from rel_bond where {NOW}")["n"] == 20 * 19 / 2


def test_several_conversations_of_one_day_are_one_day_and_all_their_places(models: Models) -> None:
    ledger = network(models, "ann", "bob")
    exchange(ledger, "ann", "bob", 30)
    ledger.act("m", "ann", days_ago(30), "mention", target_person_id="bob", place="help")
    row = bond(ledger.build(), "ann", "bob")
    assert (row["days_turned_to"], row["strength"]) == (1, 9)
    assert (row["places"], row["silos"]) == (2, "crm,forum")
    assert (row["acts_from_person"], row["acts_from_other_person"]) == (2, 1)


def test_a_past_day_knows_only_the_ties_of_its_time(models: Models) -> None:
    past = AS_OF - timedelta(days=100)
    ledger = network(models, "ann", "bob", backcast=(past,))
    mail(ledger, "ann", "bob", 130)
    mail(ledger, "bob", "ann", 10)
    ledger.build()
    assert bond(ledger, "ann", "bob")["is_two_way"]
    before = bond(ledger, "ann", "bob", f"as_of = '{past}'")
    assert (before["is_two_way"], before["strength"], before["days_since"]) == (False, 0, 30)


# ---------------------------------------------------------------- interests and the owner's word


def tell(ledger: Ledger, person: str, *interests: str, age: int | None = 5) -> None:
    for interest in interests:
        at = None if age is None else days_ago(age)
        row = {"person_id": person, "interest": interest, "source": "crm", "told_at": at}
        ledger.add("bridge_person_interest", row)


def test_weather_is_worth_nothing_and_storm_chasing_ten_bits(models: Models) -> None:
    people = [f"p{number:04}" for number in range(2048)]
    ledger = network(models, *people[:4])
    for person in people:
        tell(ledger, person, "weather")
    for person in people[:2]:
        tell(ledger, person, "storm chasing")
    exchange(ledger, people[2], people[3])
    ledger.build()
    rare = bond(ledger, *people[:2])
    assert (rare["mutual_interests"], rare["specificity_bits"], rare["strength"]) == (2, 10, 0)
    assert rare["reason_2"] == "both told us of an interest that 1 in 1024 has"
    common = bond(ledger, *people[2:4])
    assert (common["mutual_interests"], common["specificity_bits"]) == (1, 0), "kept, not hidden"
    rows = ledger.one(f"select count(*) n from rel_bond where {NOW}")["n"]
    assert rows == 2, "what all have in common ties nobody"


def test_an_interest_of_one_end_is_none(models: Models) -> None:
    ledger = network(models, "customer", "other", us="staff")
    exchange(ledger, "customer", "us")
    tell(ledger, "customer", "hockey")
    tell(ledger, "us", "opera")
    tell(ledger, "other", "hockey", "opera", "rowing")
    row = bond(ledger.build(), "customer", "us")
    assert (row["mutual_interests"], row["specificity_bits"]) == (0, None)


def test_interests_are_unknown_where_nobody_told_any_and_before_they_were_told(
    models: Models,
) -> None:
    past = AS_OF - timedelta(days=30)
    ledger = network(models, "ann", "bob", backcast=(past,))
    exchange(ledger, "ann", "bob", 40)
    assert bond(ledger.build(), "ann", "bob")["mutual_interests"] is None
    for name in ("ann", "bob"):
        tell(ledger, name, "rowing", age=10)
        tell(ledger, name, "chess", age=None)
    tell(ledger, "cid", "opera", age=50)
    ledger.build()
    assert bond(ledger, "ann", "bob")["mutual_interests"] == 2
    assert bond(ledger, "ann", "bob", f"as_of = '{past}'")["mutual_interests"] == 0


def test_the_stage_is_the_owners_word_and_stays_it(models: Models) -> None:
    ledger = network(models, us="staff")
    ledger.person("parked", owner_person_id="us", party_kind="supplier", is_staff=False)
    ledger.add(
        "control.column_meanings",
        {"source": "crm", "stream": "contacts", "field": "Stage__c", "meaning": "bond_stage"},
    )
    ledger.add(
        "dim_custom_field",
        {
            "entity": "person", "entity_id": "parked", "source": "crm", "stream": "contacts",
            "field": "Stage__c", "value_text": "stay at weather", "pii": "none",
        },
    )  # fmt: skip
    row = bond(ledger.build(), "parked", "us")
    assert (row["stage"], row["owner_person_id"]) == ("stay at weather", "us")
    assert (row["strength"], row["reason_1"], row["reason_2"]) == (0, None, None)


# ---------------------------------------------------------------- importance


def karate(models: Models) -> Ledger:
    graph = nx.karate_club_graph()
    ledger = network(models, *(f"m{node + 1:02}" for node in graph))
    for one, other in graph.edges:
        exchange(ledger, f"m{one + 1:02}", f"m{other + 1:02}")
    return ledger.build()


def test_the_karate_club_ranks_as_published(models: Models) -> None:
    rows = karate(models).rows(f"select * from rel_importance where {NOW}")

    def top(column: str) -> list[tuple[str, float]]:
        best = sorted(rows, key=lambda row: -row[column])[:3]
        return [(row["person_id"], round(row[column], 4)) for row in best]

    assert len(rows) == 34
    assert sum(row["two_way_ties"] for row in rows) == 2 * 78
    assert top("pagerank") == [("m34", 0.1009), ("m01", 0.0970), ("m33", 0.0717)]
    assert top("betweenness") == [("m01", 0.4376), ("m34", 0.3041), ("m33", 0.1452)]
    degrees = {row["person_id"]: row["two_way_ties"] for row in rows}
    assert (degrees["m34"], degrees["m01"], degrees["m33"]) == (17, 16, 12)
    assert {row["betweenness_pivots"] for row in rows} == {34}


def test_other_weights_of_the_strategy_make_another_order(models: Models) -> None:
    def order(**weights: int) -> list[str]:
        ledger = network(models, "writer", "caller")
        for behavior, weight in weights.items():
            ledger.add("control.behavior_weights", {"behavior": behavior, "weight": weight})
        exchange(ledger, "writer", "caller")
        for number in range(4):
            ledger.act(f"post-{number}", "writer", days_ago(2), "post")
            ledger.act(f"call-{number}", "caller", days_ago(2), "call", silo="crm")
        ledger.build()
        rows = ledger.rows(f"select person_id from rel_importance where {NOW} order by rank")
        return [row["person_id"] for row in rows]

    assert order(post=9, call=1) == ["writer", "caller"]
    assert order(post=1, call=9) == ["caller", "writer"]


def test_who_carries_the_ties_of_others_would_be_missed(models: Models) -> None:
    ledger = network(models, "hub", *(f"leaf{n}" for n in range(4)), us="staff", them="staff")
    for number in range(4):
        exchange(ledger, "hub", f"leaf{number}")
    exchange(ledger, "hub", "us", 5)
    exchange(ledger, "leaf0", "us", 5)
    exchange(ledger, "us", "them", 5)
    ledger.build()
    hub = importance(ledger, "hub")
    assert (hub["people_depending"], hub["people_without_other"]) == (4, 3)
    assert hub["reason_1"] == "half or more of the ties of 4 people lead here"
    assert (hub["rank"], hub["ranked_people"]) == (1, 5)
    assert importance(ledger, "us")["rank"] == 1, "ours are compared with ours"
    assert importance(ledger, "them")["engagement_part"] is None
    # over two ties: hub - us - them, hub - leaf0 - hub and us, and the leaves back to the others
    assert importance(ledger, "them")["second_degree_ties"] == 2


def test_who_alone_answered_would_be_missed_and_is_seen_to_be_gone(models: Models) -> None:
    ledger = network(models, "helper", "second", *(f"asker{n}" for n in range(4)))
    for number in range(4):
        question = f"q{number}"
        ledger.act(question, f"asker{number}", days_ago(60), "question", thread_id=question)
        columns = {"thread_id": question, "target_person_id": f"asker{number}"}
        ledger.act(f"a{number}", "helper", days_ago(59), "answer", **columns)
        if number == 0:
            ledger.act("b0", "second", days_ago(58), "answer", **columns)
    row = importance(ledger.build(), "helper")
    assert (row["answers"], row["answers_share"], row["questions_alone"]) == (4, 0.8, 3)
    assert row["reason_1"] == (
        "the only one to answer 3 questions in a year, with 80 % of all answers"
    )
    assert row["days_quiet"] == 59


def test_the_quadrant_waits_for_a_strategy_and_for_orders(models: Models) -> None:
    def quadrants(strategy: bool) -> dict[str, str | None]:
        ledger = network(models, *(f"p{n}" for n in range(8)))
        ledger.configure(shop="orders")
        if strategy:
            ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
        for number in range(1, 8):
            exchange(ledger, "p0", f"p{number}")
        exchange(ledger, "p1", "p2")
        for person in ("p0", "p3"):
            row = {"purchase_id": person, "source": "shop", "person_id": person}
            ledger.add("fct_purchase", row | {"occurred_at": days_ago(3), "loaded_at": days_ago(3)})
        ledger.build()
        rows = ledger.rows(f"select person_id, quadrant from rel_importance where {NOW}")
        return {row["person_id"]: row["quadrant"] for row in rows}

    assert set(quadrants(False).values()) == {None}
    told = quadrants(True)
    assert (told["p0"], told["p3"], told["p5"]) == ("important and buying", "buying", "neither")


# ---------------------------------------------------------------- organizations


def belongs(ledger: Ledger, person: str, organization: str) -> None:
    row = {"person_id": person, "organization_id": organization, "basis": "record"}
    ledger.add(
        "bridge_person_organization", row | {"valid_from": days_ago(400), "is_primary": True}
    )


def test_a_relationship_of_three_sides_is_three_bonds(models: Models) -> None:
    ledger = network(models, "buyer", "boss", "partner", us="staff", too="staff")
    for person, home in (("buyer", "acme"), ("boss", "acme"), ("partner", "brokers")):
        belongs(ledger, person, home)
    for one, other in (
        ("buyer", "us"), ("boss", "us"), ("boss", "too"), ("buyer", "partner"), ("partner", "us"),
    ):  # fmt: skip
        exchange(ledger, one, other)
    rows = {
        (row["organization_id"], row["other_organization_id"]): row
        for row in ledger.build().rows(f"select * from rel_bond_organization where {NOW}")
    }
    assert set(rows) == {("acme", "us"), ("acme", "brokers"), ("brokers", "us")}
    acme = rows["acme", "us"]
    assert (acme["ties"], acme["people"], acme["other_people"], acme["strength"]) == (3, 2, 2, 30)
    assert (acme["absence_factor"], acme["top_person_id"]) == (1, "boss")
    assert (acme["other_absence_factor"], acme["top_other_person_id"]) == (1, "us")
    assert acme["reason_1"] == "one of us carries half or more of it"
    assert rows["brokers", "us"]["reason_1"] == "it hangs on one tie between two people"
    assert importance(ledger, "us")["organizations_depending"] == 2


@pytest.mark.parametrize(
    ("exchanges", "absence_factor"),
    [([1, 1, 1, 1, 1, 1, 1, 1], 4), ([4, 1, 1, 1, 1], 1), ([1], 1)],
)
def test_absence_factor_of_an_organization_is_the_fewest_who_carry_half(
    models: Models, exchanges: list[int], absence_factor: int
) -> None:
    ledger = network(models, *(f"c{n}" for n in range(4)), us="staff")
    for number, threads in enumerate(exchanges):
        ledger.person(f"them{number}")
        belongs(ledger, f"them{number}", "acme")
        for count in range(threads):
            thread(ledger, f"t{number}-{count}", f"them{number}", "us")
    row = ledger.build().one(f"select * from rel_bond_organization where {NOW}")
    assert (row["absence_factor"], row["people"]) == (absence_factor, len(exchanges))


def test_nobody_stands_out_among_equals(models: Models) -> None:
    """In a ring of 40 people everybody has the same place, whatever the order of their ids."""
    names = [f"p{number:02}" for number in range(40)]
    random.Random(3).shuffle(names)
    ledger = network(models, *names)
    for number, name in enumerate(names):
        exchange(ledger, name, names[number - 1])
    rows = ledger.build().rows(f"select * from rel_importance where {NOW}")
    assert {(row["rank"], row["importance"], row["people_without_other"]) for row in rows} == {
        (1, 0, 0)
    }
