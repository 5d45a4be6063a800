"""Tables of pairs, decided in bulk."""

from __future__ import annotations

import random
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.identity.edges import EDGES, PAIRS, TRAITS, edges
from rapport.identity.graph import LARGEST_PERSON, Pair, Traits, decide
from rapport.identity.names import Nicknames, read_name

NICKNAMES = Nicknames([("bob", "robert")])

FULL_NAMES = [*["Ann Lee"] * 6, "Lee, Ann", "Bob Lee", "Robert Lee", "R Lee", "Ann", "Eve Fay"]
MAILBOXES = [*[()] * 3, ("ann@a.example",), ("anne@a.example",), ("eve@b.example", "eve@a.example")]


def small_worlds(
    chance: random.Random,
) -> tuple[list[Pair], dict[str, Traits], dict[tuple[str, str], str]]:
    """Return pairs, traits and vetoes of many worlds of four profiles: plain ones and others."""
    pairs: list[Pair] = []
    traits: dict[str, Traits] = {}
    vetoes: dict[tuple[str, str], str] = {}
    for world in range(60):
        keys = [f"{world:02}{letter}" for letter in "abcd"]
        for key in keys:
            traits[key] = Traits(
                name=read_name(None, None, chance.choice(FULL_NAMES)),
                account_of=chance.choice([None] * 4 + ["forum"]),
                stream=chance.choice([None, None, "crm:contacts"]),
                mailboxes=chance.choice(MAILBOXES),
            )
        for _ in range(chance.randrange(1, 7)):
            left, right = sorted(chance.sample(keys, 2))
            pairs.append(
                Pair(
                    left=left,
                    right=right,
                    tier=chance.randrange(6),
                    needs_agreement=chance.random() < 0.3,
                    refusal="it is shared" if chance.random() < 0.1 else None,
                    band="suggest" if chance.random() < 0.1 else "auto",
                    asks_in_doubt=chance.random() < 0.2,
                )
            )
        if chance.random() < 0.1:
            left, right = sorted(chance.sample(keys, 2))
            vetoes[left, right] = "no"
    return pairs, traits, vetoes


def pair_table(pairs: list[Pair]) -> pa.Table:
    rows = [
        {
            "left_key": pair.left, "right_key": pair.right, "entity": "person",
            "rule_id": f"rule {pair.tier}", "evidence": str(index), "tier": pair.tier,
            "needs_agreement": pair.needs_agreement, "refusal": pair.refusal, "band": pair.band,
            "asks_in_doubt": pair.asks_in_doubt,
        }
        for index, pair in enumerate(pairs)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PAIRS)


def trait_table(traits: dict[str, Traits]) -> pa.Table:
    rows = [
        {
            "profile_key": key, "given": " ".join(known.name.given) or None,
            "family": " ".join(known.name.family) or None, "account_of": known.account_of,
            "stream": known.stream, "mailboxes": " ".join(known.mailboxes) or None,
        }
        for key, known in traits.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TRAITS)


@settings(max_examples=10)
@given(st.randoms(use_true_random=True))
def test_in_bulk_every_pair_becomes_what_it_becomes_one_by_one(chance: random.Random) -> None:
    pairs, traits, vetoes = small_worlds(chance)
    found = edges(pair_table(pairs), trait_table(traits), NICKNAMES, vetoes).to_pylist()
    assert sorted(
        (int(row["evidence"]), row["state"], row["names"], row["refusal"], row["component_key"])
        for row in found
    ) == [
        (index, made.state, made.names, made.refusal, made.component)
        for index, made in enumerate(decide(pairs, traits, NICKNAMES, vetoes))
    ]


@settings(max_examples=5)
@given(st.randoms(use_true_random=True))
def test_in_bulk_who_is_kept_out_and_what_is_doubted_is_as_if_each_pair_said_so(
    chance: random.Random,
) -> None:
    pairs, traits, vetoes = small_worlds(chance)
    out = {key: f"{key} is out" for key in traits if chance.random() < 0.05}
    doubtful = {(pair.left, pair.right) for pair in pairs if chance.random() < 0.1}
    told = [
        replace(
            pair,
            refusal=out.get(pair.left) or out.get(pair.right) or pair.refusal,
            band="suggest"
            if pair.asks_in_doubt and (pair.left, pair.right) in doubtful
            else pair.band,
        )
        for pair in pairs
    ]
    apart = edges(
        pair_table(pairs), trait_table(traits), NICKNAMES, vetoes,
        kept_out=out, doubtful=doubtful,
    )  # fmt: skip
    at_once = edges(pair_table(told), trait_table(traits), NICKNAMES, vetoes)
    assert apart.sort_by("evidence") == at_once.sort_by("evidence")


def test_plain_people_are_not_thought_about(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        "rapport.identity.edges.decide", lambda pairs, *rest: seen.append(len(pairs)) or []
    )
    name = read_name(None, None, "Ann Lee")
    pairs = [Pair(left="a", right="b", tier=3), Pair(left="b", right="c", tier=3)]
    traits = {key: Traits(name=name, mailboxes=("ann@a.example",)) for key in "abc"}
    states = edges(pair_table(pairs), trait_table(traits), NICKNAMES, {}).column("state")
    assert (seen, states.to_pylist()) == ([0], ["live", "live"])


def test_what_is_too_large_is_held_for_review_in_bulk_too() -> None:
    crowd = [f"p{number:02}" for number in range(LARGEST_PERSON + 1)]
    pairs = [Pair(left=crowd[0], right=other, tier=3) for other in crowd[1:]]
    found = edges(pair_table(pairs), trait_table({}), NICKNAMES, {})
    assert set(found.column("refusal").to_pylist()) == {
        "held for review: it would join 13 profiles"
    }


def test_no_pairs_are_no_edges() -> None:
    assert edges(pair_table([]), trait_table({}), NICKNAMES, {}) == EDGES.empty_table()


@settings(max_examples=5)
@given(st.randoms(use_true_random=True))
def test_whom_nothing_new_touches_stays_as_they_are(chance: random.Random) -> None:
    pairs, traits, vetoes = small_worlds(chance)
    together = edges(pair_table(pairs), trait_table(traits), NICKNAMES, vetoes).to_pylist()
    touched = {f"{world:02}" for world in range(60) if chance.random() < 0.2}
    some = [pair for pair in pairs if pair.left[:2] in touched]
    alone = edges(pair_table(some), trait_table(traits), NICKNAMES, vetoes).to_pylist()

    def outcomes(rows: list[dict[str, str]]) -> list[tuple[str | None, ...]]:
        columns = ("left_key", "right_key", "rule_id", "state", "refusal", "component_key")
        return sorted(
            (
                tuple(row[column] for column in columns)
                for row in rows
                if row["left_key"][:2] in touched
            ),
            key=str,
        )

    assert outcomes(alone) == outcomes(together)
