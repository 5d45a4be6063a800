"""Records of attributes alone: learned without labels, whatever their order."""

from __future__ import annotations

import random

import numpy as np
import pyarrow
import pytest

from rapport.identity.attributes import (
    KINDS,
    LIKENESSES,
    MISSING,
    ONE,
    PERSON,
    Attribute,
    Model,
    learn,
    likely_pairs,
    likenesses,
)

ATTRIBUTES = (
    Attribute(name="given", edits=(1,), swapped_with="family", meets=True),
    Attribute(name="family", edits=(1,), swapped_with="given", meets=True),
    Attribute(name="born", edits=(1,), meets=True),
    Attribute(name="street", edits=(1, 3)),
)


def word(dice: random.Random, length: int = 7) -> str:
    return "".join(dice.choice("abcdefghijklmnop") for _ in range(length))


def records(people: int = 150) -> tuple[list[dict[str, str | None]], set[tuple[str, str]]]:
    """Return every person twice, the second time with what goes wrong when people type."""
    dice = random.Random(5)
    givens, families = ([word(dice, 5) for _ in range(20)] for _ in range(2))
    rows: list[dict[str, str | None]] = []
    for number in range(people):
        row: dict[str, str | None] = {
            "key": f"a{number:03d}",
            "given": dice.choice(givens),
            "family": dice.choice(families),
            "born": f"{dice.randrange(1930, 2005)}{dice.randrange(1, 13):02d}",
            "street": word(dice),
        }
        again = row | {"key": f"b{number:03d}"}
        wrong = dice.choice(("given", "family", "born", "street", "swap", "none"))
        if wrong == "swap":
            again["given"], again["family"] = row["family"], row["given"]
        elif wrong == "none":
            again["street"] = None
        else:
            text = str(row[wrong])
            again[wrong] = f"{text[:2]}x{text[3:]}"
        rows += [row, again]
    return rows, {(f"a{number:03d}", f"b{number:03d}") for number in range(people)}


def found(rows: list[dict[str, str | None]], **how: float) -> set[tuple[str, str]]:
    table = likely_pairs(pyarrow.Table.from_pylist(rows), "key", ATTRIBUTES, **how)
    return set(zip(table["left"].to_pylist(), table["right"].to_pylist(), strict=True))


def test_records_of_one_person_are_found_without_labels() -> None:
    rows, truth = records()
    pairs = found(rows)
    assert len(pairs & truth) >= 0.98 * len(truth)
    assert len(pairs & truth) >= 0.98 * len(pairs)


def test_the_order_of_records_does_not_matter_and_a_stricter_bound_finds_fewer() -> None:
    rows, _ = records(people=60)
    pairs = found(rows)
    assert found(rows[::-1]) == pairs
    assert found(rows, at_least=0.999) <= pairs


def test_a_value_that_crowds_share_brings_nobody_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rapport.identity.attributes.LARGEST_BLOCK", 10)
    rows = [
        {"key": f"k{n:02d}", "given": "test", "family": "test", "born": "1970", "street": "x"}
        for n in range(11)
    ]
    assert found(rows) == set()
    assert len(found(rows[:10], at_least=0.0)) == 45


def test_what_is_missing_says_nothing() -> None:
    rates = [np.array([0.9, 0.1])] * 2, [np.array([0.1, 0.9])] * 2
    shared = np.array([[float(kind == ONE)] * 2 for kind in KINDS])
    shares = np.array([0.01 if kind == ONE else 0.99 / (len(KINDS) - 1) for kind in KINDS])
    model = Model(shares, *rates, shared)
    found = model.probabilities(np.array([[MISSING, MISSING], [0, MISSING], [1, MISSING]]))
    nothing, agreeing, differing = found[:, KINDS.index(ONE)]
    assert nothing == pytest.approx(0.01)
    assert agreeing > nothing > differing


def test_what_is_learned_is_what_the_pairs_were_made_of() -> None:
    attributes = [Attribute(name=name) for name in "abc"]
    same, chance = (0.9, 0.8, 0.95), (0.02, 0.05, 0.01)

    def expected(pairs: int, agree: tuple[float, ...]) -> dict[tuple[int, ...], float]:
        patterns: dict[tuple[int, ...], float] = {}
        for number in range(8):
            levels = tuple(number >> bit & 1 for bit in range(3))
            share = 1.0
            for level, rate in zip(levels, agree, strict=True):
                share *= 1 - rate if level else rate
            patterns[levels] = pairs * share
        return patterns

    random_pairs = expected(1_000_000, chance)
    true_pairs = expected(1_000, same)
    seen = {levels: random_pairs[levels] + true_pairs[levels] for levels in random_pairs}
    model = learn(
        {levels: round(count) for levels, count in seen.items()},
        {levels: round(count) for levels, count in random_pairs.items()},
        1_001_000,
        attributes,
    )
    assert model.shares[KINDS.index(ONE)] == pytest.approx(0.001, rel=0.1)
    assert [shares[0] for shares in model.same] == pytest.approx(same, abs=0.03)


def test_no_records_and_one_record_make_no_pair() -> None:
    one = {"key": "a", "given": "ann", "family": "lee", "born": "1970", "street": "x"}
    assert found([one]) == set()


def test_of_a_list_without_attributes_nobody_is_alike() -> None:
    columns = ("profile_key", "full_name", *(each.name for each in PERSON))
    nothing = pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in columns})
    assert likenesses(nothing) == LIKENESSES.empty_table()


def test_a_name_in_one_piece_is_compared_like_its_parts() -> None:
    rows, truth = records()
    whole = [
        {
            "profile_key": row["key"],
            "full_name": f"{row['given']} {row['family']}",
            "birth_date": row["born"],
            "street": row["street"],
        }
        for row in rows
    ]
    columns = [(name, pyarrow.string()) for name in (
        "profile_key", "full_name", *(each.name for each in PERSON))]  # fmt: skip
    found = likenesses(pyarrow.Table.from_pylist(whole, schema=pyarrow.schema(columns)))
    assert found.schema == LIKENESSES
    sure = [pair for pair in found.to_pylist() if pair["rule_id"] == "alike_records"]
    assert {(pair["left_key"], pair["right_key"]) for pair in sure} <= truth
    assert len(sure) >= 0.8 * len(truth)
    assert any("given_name, family_name" in pair["agreeing"] for pair in sure)


def family_lists(families: int) -> tuple[pyarrow.Table, set[tuple[str, str]]]:
    """Return 200 people twice; so many of them with a family of another parent and twins."""
    dice = random.Random(7)
    givens = [word(dice, 6) for _ in range(60)]
    rows, truth = [], set()

    def enter(key: str, given: str, family: str, born: int, address: dict[str, str]) -> None:
        told = {"given_name": given, "family_name": family, "birth_date": str(born)}
        number = {"personal_number": str(dice.randrange(10**8, 10**9))}
        for side in "ab":
            row = {"profile_key": f"{key}{side}"} | told | number | address
            if dice.random() < 0.3:
                row["personal_number"] = ""
            if dice.random() < 0.1:
                row["given_name"] = word(dice, 6)
            rows.append(row)
        truth.add((f"{key}a", f"{key}b"))

    for number in range(200):
        address = {
            "house_number": str(dice.randrange(1, 99)), "street": word(dice),
            "postcode": str(dice.randrange(1000, 1100)), "city": word(dice, 3),
        }  # fmt: skip
        family = word(dice, 8)
        for parent in "01"[: 1 + (number < families)]:
            born = dice.randrange(19300101, 19901231)
            enter(f"{number:03d}-{parent}", dice.choice(givens), family, born, address)
        if number < families:
            born = dice.randrange(20000101, 20191231)
            for twin, given in zip("23", dice.sample(givens, 2), strict=True):
                enter(f"{number:03d}-{twin}", given, family, born, address)
    columns = [(name, pyarrow.string()) for name in (
        "profile_key", "full_name", *(each.name for each in PERSON))]  # fmt: skip
    return pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(columns)), truth


def joined(table: pyarrow.Table) -> set[tuple[str, str]]:
    return {
        (pair["left_key"], pair["right_key"])
        for pair in likenesses(table).to_pylist()
        if pair["rule_id"] != "likely_records"
    }


def test_relatives_are_not_one_person_in_a_list_of_families() -> None:
    table, truth = family_lists(families=100)
    found = joined(table)
    assert found <= truth
    assert len(found) >= 0.8 * len(truth)


def test_where_nobody_lives_with_anybody_another_given_name_parts_nobody() -> None:
    table, truth = family_lists(families=0)
    assert joined(table) == truth
