"""Pairs to people: refusals, contradictions and sizes."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations as pairs_of

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.identity.graph import (
    LARGEST_PERSON,
    Components,
    Decision,
    Pair,
    Traits,
    decide,
    is_mistyped,
)
from rapport.identity.names import Nicknames, read_name

NICKNAMES = Nicknames()


def named(**full: str) -> dict[str, Traits]:
    return {key: Traits(name=read_name(None, None, text)) for key, text in full.items()}


def with_mailbox(**addresses: str) -> dict[str, Traits]:
    return {key: Traits(mailboxes=(address,)) for key, address in addresses.items()}


def joined(decisions: list[Decision]) -> list[bool]:
    return [decision.state == "live" for decision in decisions]


def test_a_chain_of_pairs_is_one_component() -> None:
    pairs = [Pair(left="b", right="c", tier=3), Pair(left="a", right="b", tier=3)]
    assert [d.component for d in decide(pairs, {}, NICKNAMES)] == ["a", "a"]


def test_names_that_disagree_keep_a_shared_mailbox_apart() -> None:
    [decision] = decide(
        [Pair(left="a", right="b", tier=3)],
        named(a="Ann Lee", b="Eve Adams"),
        NICKNAMES,
    )
    assert (decision.state, decision.refusal) == ("refused", "the names disagree")
    assert decision.component is None


def test_a_phone_number_needs_names_that_agree() -> None:
    pair = Pair(left="a", right="b", tier=5, needs_agreement=True)
    assert joined(decide([pair], named(a="Ann Lee"), NICKNAMES)) == [False]
    assert joined(decide([pair], named(a="Ann Lee", b="Lee, Ann"), NICKNAMES)) == [True]


def test_a_nameless_profile_does_not_join_two_people() -> None:
    decisions = decide(
        [Pair(left="a", right="x", tier=3), Pair(left="b", right="x", tier=5)],
        named(a="Ann Lee", b="Eve Adams"),
        NICKNAMES,
    )
    assert joined(decisions) == [True, False]
    assert decisions[1].refusal == "it would join profiles whose names disagree"


def test_what_the_source_merged_stays_merged() -> None:
    decisions = decide(
        [Pair(left="a", right="b", tier=1), Pair(left="b", right="c", tier=5)],
        named(a="Ann Lee", b="Eve Adams", c="Eve Adams"),
        NICKNAMES,
    )
    assert joined(decisions) == [True, False]


def test_one_person_has_one_account_of_a_place() -> None:
    decisions = decide(
        [Pair(left="crm", right="f1", tier=2), Pair(left="crm", right="f2", tier=3)],
        {"f1": Traits(account_of="forum"), "f2": Traits(account_of="forum")},
        NICKNAMES,
    )
    assert joined(decisions) == [True, False]
    assert decisions[1].refusal == "it would give one person two accounts of forum"


def test_what_is_too_large_is_held_for_review() -> None:
    pairs = [Pair(left="k00", right=f"k{n:02d}", tier=3) for n in range(1, LARGEST_PERSON + 1)]
    decisions = decide(pairs, {}, NICKNAMES)
    assert {d.refusal for d in decisions} == {"held for review: it would join 13 profiles"}
    assert all(joined(decide(pairs[1:], {}, NICKNAMES)))


def test_more_than_two_of_one_stream_are_held_for_review() -> None:
    pairs = [Pair(left="a", right=key, tier=3) for key in "bc"]
    listed = {key: Traits(stream="crm:contacts") for key in "abc"}
    decisions = decide(pairs, listed, NICKNAMES)
    assert {d.refusal for d in decisions} == {
        "held for review: it would join 3 profiles of crm:contacts"
    }
    merged = [Pair(left="a", right="b", tier=1), pairs[1]]
    assert all(joined(decide(merged, listed, NICKNAMES))), "the source itself says so"


def test_a_person_has_one_mailbox_of_a_domain_but_for_a_slip() -> None:
    pair = Pair(left="a", right="b", tier=5)
    [slip] = decide([pair], with_mailbox(a="ann.lee@x.com", b="ann.ele@x.com"), NICKNAMES)
    [other] = decide([pair], with_mailbox(a="ann.lee@x.com", b="ann.lee2@x.com"), NICKNAMES)
    [moved] = decide([pair], with_mailbox(a="ann.lee@x.com", b="ann.lee@y.com"), NICKNAMES)
    assert (slip.state, moved.state) == ("live", "live")
    assert other.refusal == "it would give one person two mailboxes of x.com"


def test_a_name_may_change_between_systems_but_not_in_one_list() -> None:
    def traits(stream: str) -> dict[str, Traits]:
        return {
            "a": Traits(name=read_name(None, None, "Laura Clarke"), stream="crm:contacts"),
            "b": Traits(name=read_name(None, None, "Laura Taylor"), stream=stream),
        }

    pair = Pair(left="a", right="b", tier=3)
    [elsewhere] = decide([pair], traits("forum:users"), NICKNAMES)
    [in_one_list] = decide([pair], traits("crm:contacts"), NICKNAMES)
    assert elsewhere.state == "live"
    assert in_one_list.refusal == (
        "it would join two records of crm:contacts under different names"
    )


def test_a_cut_takes_only_what_lies_between_a_contradiction() -> None:
    known = named(a="Ann Lee", e="Eve Adams")
    pairs = [
        Pair(left="a", right="x", tier=5),
        Pair(left="e", right="x", tier=5),
        Pair(left="a", right="z", tier=5),
        Pair(left="e", right="w", tier=5),
    ]
    assert joined(decide(pairs, known, NICKNAMES)) == [False, False, True, True]


def test_a_bridge_between_two_dense_halves_is_cut_and_both_halves_stay() -> None:
    halves = ("a1", "a2", "a3", "a4"), ("e1", "e2", "e3", "e4")
    # who the ends of the bridge are is told by others of their halves alone
    known = named(a1="Ann Lee", a2="Ann Lee", e3="Eve Adams", e4="Eve Adams")
    pairs = [
        Pair(left=left, right=right, tier=5) for half in halves for left, right in pairs_of(half, 2)
    ]
    straight = [Pair(left="a3", right="e1", tier=5)]
    by_a_stranger = [Pair(left=end, right="x", tier=5) for end in ("a3", "e1")]
    for bridge in (straight, by_a_stranger):
        decisions = decide([*bridge, *pairs], known, NICKNAMES)
        assert {decision.refusal for decision in decisions[: len(bridge)]} == {
            "it would join profiles whose names disagree"
        }
        found = {
            (key, decision.component)
            for pair, decision in zip([*bridge, *pairs], decisions, strict=True)
            for key in (pair.left, pair.right)
            if decision.state == "live"
        }
        assert found == {(key, half[0]) for half in halves for key in half}


def test_a_weaker_rule_does_not_undo_a_stronger_one() -> None:
    known = named(a="Ann Lee", e="Eve Adams")
    pairs = [
        Pair(left="a", right="x", tier=3),
        Pair(left="e", right="x", tier=6),
        Pair(left="e", right="w", tier=6),
    ]
    assert joined(decide(pairs, known, NICKNAMES)) == [True, False, True]


def test_a_rule_that_may_only_suggest_joins_nothing() -> None:
    pairs = [
        Pair(left="a", right="b", tier=8, band="suggest"),
        Pair(left="a", right="c", tier=8, band="suggest"),
    ]
    decisions = decide(pairs, named(a="Ann Lee", c="Eve Adams"), NICKNAMES)
    assert [d.state for d in decisions] == ["suggested", "refused"]
    assert [d.component for d in decisions] == [None, None]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("ann.lee", "ann.lee", False),
        ("ann.lee", "ann.le", True),
        ("ann.lee", "ann.ele", True),
        ("ann.lee", "anm.lee", True),
        ("ann.lee", "annlee", False),
        ("ann.lee", "ann_lee", False),
        ("ann.lee", "ann.lee2", False),
        ("ann.lee1", "ann.lee2", False),
        ("ann.lee", "bnn.led", False),
    ],
)
def test_a_slip_is_one_letter(one: str, other: str, expected: bool) -> None:
    assert is_mistyped(one, other) == is_mistyped(other, one) == expected


keys = st.sampled_from("abcdefgh")
some_pairs = st.lists(
    st.tuples(keys, keys, st.integers(1, 5)).filter(lambda pair: pair[0] < pair[1]), max_size=14
)
some_names = st.dictionaries(keys, st.sampled_from(["Ann Lee", "Eve Adams", "Ann", "Bo Fay"]))


@given(some_pairs, some_names, st.randoms(use_true_random=False))
def test_the_outcome_does_not_depend_on_the_order_of_pairs(
    triples: list[tuple[str, str, int]], full: dict[str, str], shuffle: random.Random
) -> None:
    pairs = [Pair(left=left, right=right, tier=tier) for left, right, tier in triples]
    order = list(range(len(pairs)))
    shuffle.shuffle(order)
    straight = decide(pairs, named(**full), NICKNAMES)
    shuffled = decide([pairs[index] for index in order], named(**full), NICKNAMES)
    assert [straight[index] for index in order] == shuffled


@given(some_pairs, some_names)
def test_no_component_joined_by_evidence_holds_a_contradiction(
    triples: list[tuple[str, str, int]], full: dict[str, str]
) -> None:
    pairs = [Pair(left=left, right=right, tier=max(tier, 3)) for left, right, tier in triples]
    known = named(**full)
    decisions = decide(pairs, known, NICKNAMES)
    components = Components()
    for pair, decision in zip(pairs, decisions, strict=True):
        if decision.state == "live":
            components.join(pair.left, pair.right)
    for members in components.members(known).values():
        full_names = {known[key].name for key in members if known[key].name.is_full}
        assert len(full_names) <= 1


def test_a_link_of_people_joins_names_that_disagree() -> None:
    told = named(a="Ann Lee", b="Eve Adams")
    assert joined(decide([Pair(left="a", right="b", tier=0)], told, NICKNAMES)) == [True]


def test_what_people_keep_apart_stays_apart_at_the_weakest_link() -> None:
    pairs = [
        Pair(left="a", right="b", tier=1),
        Pair(left="a", right="c", tier=3),
        Pair(left="b", right="d", tier=5),
        Pair(left="c", right="d", tier=4),
    ]
    decisions = decide(pairs, {}, NICKNAMES, {("b", "c"): "no"})
    assert [(decision.state, decision.refusal) for decision in decisions] == [
        ("live", None), ("vetoed", "no"), ("vetoed", "no"), ("live", None),
    ]  # fmt: skip


def test_people_undo_even_what_a_source_merged() -> None:
    pair = Pair(left="a", right="b", tier=1)
    [decision] = decide([pair], {}, NICKNAMES, {("a", "b"): "no"})
    assert (decision.state, decision.refusal, decision.component) == ("vetoed", "no", None)


keys = st.sampled_from("abcdef")
two = st.tuples(keys, keys).filter(lambda two: two[0] < two[1])


@given(
    st.lists(st.tuples(two, st.integers(1, 5)), max_size=12),
    st.sets(two, max_size=4),
    st.randoms(use_true_random=False),
)
def test_vetoes_hold_in_whatever_order_and_cost_nothing_elsewhere(
    found: list[tuple[tuple[str, str], int]], apart: set[tuple[str, str]], chance: random.Random
) -> None:
    pairs = [Pair(left=left, right=right, tier=tier) for (left, right), tier in found]
    vetoes = dict.fromkeys(apart, "no")
    decisions = decide(pairs, {}, NICKNAMES, vetoes)
    components = Components()
    for pair, decision in zip(pairs, decisions, strict=True):
        if decision.state == "live":
            components.join(pair.left, pair.right)
    assert all(components.find(left) != components.find(right) for left, right in apart)
    # whatever gave way lies where two who are kept apart would come together
    undone = Components()
    for pair, decision in zip(pairs, decisions, strict=True):
        if decision.state in ("live", "vetoed"):
            undone.join(pair.left, pair.right)
    together = {
        undone.find(left) for left, right in apart if undone.find(left) == undone.find(right)
    }
    for pair, decision in zip(pairs, decisions, strict=True):
        assert decision.state != "vetoed" or undone.find(pair.left) in together
    order = chance.sample(range(len(pairs)), len(pairs))
    shuffled = decide([pairs[index] for index in order], {}, NICKNAMES, vetoes)
    assert shuffled == [decisions[index] for index in order]


def test_a_claim_that_names_or_guards_contradict_is_a_question() -> None:
    told = named(a="Ann Lee", b="Eve Adams")
    told |= {key: Traits(account_of="forum") for key in ("d", "e")}
    claim = Pair(left="a", right="b", tier=3, asks_in_doubt=True)
    second = [
        Pair(left="c", right="d", tier=3, asks_in_doubt=True),
        Pair(left="c", right="e", tier=2),
    ]
    forbidden = Pair(left="f", right="g", tier=3, asks_in_doubt=True, refusal="revoked")
    decisions = decide([claim, *second, forbidden], told, NICKNAMES)
    assert [(decision.state, decision.refusal) for decision in decisions] == [
        ("suggested", "the names disagree"),
        ("suggested", "it would give one person two accounts of forum"),
        ("live", None),
        ("refused", "revoked"),
    ]


def people(pairs: list[Pair], decisions: list[Decision]) -> dict[str, frozenset[str]]:
    """Return key -> everybody it is one with."""
    components = Components()
    for pair, decision in zip(pairs, decisions, strict=True):
        if decision.state == "live":
            components.join(pair.left, pair.right)
    groups = components.members("abcdefgh").values()
    return {key: frozenset(members) for members in groups for key in members}


@given(some_pairs, two, some_names)
def test_a_revoked_claim_leaves_everything_as_if_it_had_never_been(
    triples: list[tuple[str, str, int]], claimed: tuple[str, str], full: dict[str, str]
) -> None:
    others = [Pair(left=left, right=right, tier=tier) for left, right, tier in triples]
    claim = Pair(left=claimed[0], right=claimed[1], tier=3, asks_in_doubt=True)
    revoked = replace(claim, refusal="the claim was revoked")
    never = decide(others, named(**full), NICKNAMES)
    assert decide([*others, revoked], named(**full), NICKNAMES)[:-1] == never

    made = decide([*others, claim], named(**full), NICKNAMES)
    before, after = people([*others, claim], made), people(others, never)
    # nobody moves who has no way to the two
    reached = Components()
    for pair in (*others, claim):
        reached.join(pair.left, pair.right)
    for key in "abcdefgh":
        if reached.find(key) != reached.find(claim.left):
            assert before[key] == after[key]
    # where nothing gave way to the claim, exactly the two that it joined come apart
    if [decision.state for decision in made[:-1]] == [decision.state for decision in never]:
        for key in "abcdefgh":
            was_joined = made[-1].state == "live" and key in before[claim.left]
            parts = after[claim.left] | after[claim.right]
            assert before[key] == (parts if was_joined else after[key])
