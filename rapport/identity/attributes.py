"""Whether two records of nothing but attributes (name, birthday, address) are one person's.

Belongs here: which records meet, how well they agree, and how likely that makes them one, learned
from the records themselves (Fellegi and Sunter's model, by expectation and maximization). Does not
belong here: identifiers such as mailboxes, which rules join, or what a likely pair leads to
(`identity_rule`).

No labels are needed. What values have by chance is read from random pairs. What records of one
person have in common is learned from the pairs that meet in some value; pairs that meet in none
are taken to be two strangers'. Two people need not be strangers: relatives share a name and a
roof, twins a birthday too. How many such pairs a list holds is learned beside, so that what they
share proves nothing in a list of families, and much where nobody lives with anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow

from rapport.identity.names import read_name

LARGEST_BLOCK = 1_000
"""Records; what more of them share says nothing about who is one, and comparing them costs most."""

RANDOM_PAIRS = 200_000
MISSING = -1
_ROUNDS = 100
_SETTLED = 1e-6

Floats = np.ndarray[Any, np.dtype[np.float64]]
Levels = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """A column of the records that is compared.

    Attributes:
        name: of the column; compared as text, null and empty are missing.
        edits: differences of up to so many letters are levels of their own, in rising order.
        swapped_with: another column that people mistake for this one, as given and family name.
        meets: records that have this value in common are compared.
        shared_by: kinds of two people (of `KINDS`) who have it in common as if they were one.
    """

    name: str
    edits: tuple[int, ...] = ()
    swapped_with: str | None = None
    meets: bool = False
    shared_by: tuple[str, ...] = ()

    @property
    def n_levels(self) -> int:
        """Return how many levels of agreement there are: 0 is to be equal, the last to differ."""
        return 2 + (self.swapped_with is not None) + len(self.edits)


ONE, STRANGERS = "one person", "strangers"
FAMILY = {"relatives": 0.9, "twins": 0.05, "namesakes": 0.05}
"""Pairs of relatives under one roof, and how many of them at most were born on one day, or are a
parent and a child of one given name. These are too rare to be learned, the others are not."""
KINDS = (ONE, "neighbors", "housemates", *FAMILY, STRANGERS)
"""What the people of two records can be to each other."""
_ROOF = ("housemates", *FAMILY)

UNSEEN = 3.0
"""Pairs; a kind of which none was seen may still be so many (upper end of the 95 % interval)."""

NUMBER = "personal_number"
PERSON = (
    Attribute(
        name="given_name", edits=(1, 3), swapped_with="family_name", meets=True,
        shared_by=("namesakes",),
    ),
    Attribute(
        name="family_name", edits=(1, 3), swapped_with="given_name", meets=True,
        shared_by=(*FAMILY,),
    ),
    Attribute(name="birth_date", edits=(1, 2), meets=True, shared_by=("twins",)),
    Attribute(name=NUMBER, edits=(1, 2), meets=True),
    Attribute(name="house_number", edits=(1,), shared_by=_ROOF),
    Attribute(name="street", edits=(1, 3), shared_by=_ROOF),
    Attribute(name="postcode", edits=(1, 2), meets=True, shared_by=("neighbors", *_ROOF)),
    Attribute(name="city", edits=(1, 3), shared_by=("neighbors", *_ROOF)),
)  # fmt: skip
"""What lists of people tell of them beside how they are reached."""

BORN_AS = ("given_name", "birth_date")
ADDRESS, ENOUGH_OF_AN_ADDRESS = ("house_number", "street", "postcode"), 2
"""Neither twins nor namesakes share all of this, whatever family name came or went."""

SURE, LIKELY = 0.99, 0.5
"""Probabilities from which records are one person's, and from which somebody should look."""

LIKENESSES = pyarrow.schema(
    [(name, pyarrow.string()) for name in ("left_key", "right_key", "rule_id", "agreeing")]
)
"""Pairs of profiles, left < right, the rule that they meet under, and what agrees."""


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned.

    Attributes:
        shares: of all pairs of records, for each of `KINDS`.
        same, chance: for each attribute the share of each level, among pairs of one person and
            among pairs by chance.
        shared: for each of `KINDS` and each attribute, whether such people have it in common.
    """

    shares: Floats
    same: Sequence[Floats]
    chance: Sequence[Floats]
    shared: Floats

    def probabilities(self, levels: Levels) -> Floats:
        """Return how likely pairs are of each of `KINDS`; rows are pairs, levels or `MISSING`."""
        same, chance = (
            np.stack(
                [
                    np.where(levels[:, index] == MISSING, 0.0, np.log(shares)[levels[:, index]])
                    for index, shares in enumerate(learned)
                ],
                axis=1,
            )
            for learned in (self.same, self.chance)
        )
        weights = np.log(self.shares) + chance.sum(axis=1, keepdims=True)
        weights = weights + (same - chance) @ self.shared.T
        likely: Floats = np.exp(weights - weights.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        return likely


def likenesses(records: pyarrow.Table) -> pyarrow.Table:
    """Return the pairs of profiles that are likely one person's.

    Args:
        records: one row per profile: `profile_key`, `full_name` and the columns of `PERSON` as
            text. The whole name is read where its parts are missing.

    Returns:
        As `LIKENESSES`, ordered by the keys.
    """
    if not records.num_rows:
        return LIKENESSES.empty_table()
    names = [
        (given, family)
        if given or family
        else tuple(" ".join(words) for words in read_name(None, None, full))
        for given, family, full in zip(
            *(records[column].to_pylist() for column in ("given_name", "family_name", "full_name")),
            strict=True,
        )
    ]
    for index, column in enumerate(("given_name", "family_name")):
        parts = [(name[index] or "").lower() for name in names]
        place = records.schema.get_field_index(column)
        records = records.set_column(place, column, pyarrow.array(parts, pyarrow.string()))
    pairs = likely_pairs(records, "profile_key", PERSON, at_least=LIKELY).to_pylist()
    return pyarrow.Table.from_pylist(
        [
            {
                "left_key": pair["left"],
                "right_key": pair["right"],
                "rule_id": _rule(
                    pair["probability"], pair["agreeing"].split(", "), pair["equal"].split(", ")
                ),
                "agreeing": pair["agreeing"],
            }
            for pair in pairs
        ],
        schema=LIKENESSES,
    )


def _rule(probability: float, agreeing: Sequence[str], equal: Sequence[str]) -> str:
    """Return the rule of a pair with the attributes that agree, and those without any slip.

    What shows plainly why a pair is one person's has a rule of its own, so that people can judge
    it apart: a number, or given name, birthday and address under whatever family name.
    """
    if probability < SURE:
        return "likely_records"
    if NUMBER in agreeing:
        return "number_and_record"
    parts_of_address = sum(name in agreeing for name in ADDRESS)
    if parts_of_address >= ENOUGH_OF_AN_ADDRESS and all(name in equal for name in BORN_AS):
        return "birth_and_address"
    return "alike_records"


def likely_pairs(
    records: pyarrow.Table, key: str, attributes: Sequence[Attribute], *, at_least: float = 0.5
) -> pyarrow.Table:
    """Return the pairs of records that are likely one person's.

    Args:
        records: one row per record, with the key and the attributes as text.
        at_least: probability from which a pair is returned.

    Returns:
        `left`, `right` (keys, left < right), `probability`, `agreeing` (the attributes that
        agree, slips allowed, in their order, between commas) and `equal` (those without a slip,
        but for two that stand for each other), ordered by left and right.
    """
    with duckdb.connect() as session:
        session.execute("set threads to 2; set preserve_insertion_order to false")
        session.register("given", records)
        columns = ", ".join(f'nullif(trim("{each.name}"), \'\') as "{each.name}"'
                            for each in attributes)  # fmt: skip
        session.execute(
            f'create table records as select "{key}" as key, {columns}, '
            f'row_number() over (order by "{key}") - 1 as place from given'
        )
        n_records = session.execute("select count(*) from records").fetchall()[0][0]
        session.execute(f"create table pairs as {_meeting(attributes)}")
        levels = ", ".join(f'{_level(each)} as "{each.name}"' for each in attributes)
        named = ", ".join(f'"{each.name}"' for each in attributes)
        session.execute(
            f"create table compared as select left_key, right_key, {levels} from pairs "
            "inner join records as one on one.key = left_key "
            "inner join records as other on other.key = right_key"
        )
        tally = f"select {named}, count(*) from compared group by all order by all"
        patterns = {row[:-1]: row[-1] for row in session.execute(tally).fetchall()}
        by_chance = {
            row[:-1]: row[-1]
            for row in session.execute(_by_chance(levels, named, n_records)).fetchall()
        }
        model = learn(patterns, by_chance, n_records * (n_records - 1) // 2, attributes)
        found_likely = model.probabilities(_levels(patterns, attributes))[:, KINDS.index(ONE)]
        likely = [
            (*pattern, probability)
            for pattern, probability in zip(patterns, found_likely.tolist(), strict=True)
            if probability >= at_least
        ]
        names = [each.name for each in attributes]
        told = pyarrow.table(
            {
                **{
                    name: pyarrow.array([row[index] for row in likely], pyarrow.int32())
                    for index, name in enumerate(names)
                },
                "probability": pyarrow.array([row[-1] for row in likely], pyarrow.float64()),
            }
        )
        session.register("told", told)
        agreeing = ", ".join(
            f"case when \"{each.name}\" between 0 and {each.n_levels - 2} then '{each.name}' end"
            for each in attributes
        )
        equal = ", ".join(
            f'case when "{each.name}" between 0 and {int(each.swapped_with is not None)} '
            f"then '{each.name}' end"
            for each in attributes
        )
        found: pyarrow.Table = session.sql(
            'select left_key as "left", right_key as "right", probability, '
            f"concat_ws(', ', {agreeing}) as agreeing, concat_ws(', ', {equal}) as equal "
            f"from compared inner join told using ({named}) order by all"
        ).to_arrow_table()
        return found


def learn(
    patterns: Mapping[tuple[int, ...], int],
    by_chance: Mapping[tuple[int, ...], int],
    n_pairs: int,
    attributes: Sequence[Attribute],
) -> Model:
    """Learn a model from levels of agreement and how often they were seen.

    Args:
        patterns: of pairs that meet in some value; by_chance: of random pairs.
        n_pairs: of all records; those that never met count as two people's.
    """
    levels, counts = _levels(patterns, attributes), np.array([*patterns.values()], float)
    others = _levels(by_chance, attributes)
    chance = _shares(others, np.array([*by_chance.values()], float), attributes)
    shared = np.array(
        [[kind == ONE or kind in each.shared_by for each in attributes] for kind in KINDS],
        float,
    )
    # To begin with, records of one person agree mostly, and the more likely the better.
    same = [
        np.array([0.9] + [0.1 / (each.n_levels - 1)] * (each.n_levels - 1)) for each in attributes
    ]
    some = np.array([counts.sum() / 10 * FAMILY.get(kind, 1.0) for kind in KINDS])
    model = Model(_shares_of_kinds(some, n_pairs), same=same, chance=chance, shared=shared)
    for _ in range(_ROUNDS):
        likely = model.probabilities(levels)
        improved = Model(
            _shares_of_kinds(counts @ likely, n_pairs),
            same=_shares(levels, counts * likely[:, KINDS.index(ONE)], attributes),
            chance=chance,
            shared=shared,
        )
        settled = max(
            np.abs(new - old).max() for new, old in zip(improved.same, model.same, strict=True)
        )
        model = improved
        if settled < _SETTLED:
            break
    return model


def _shares_of_kinds(expected: Floats, n_pairs: int) -> Floats:
    """Return the share of each of `KINDS` in all pairs, of how many are expected."""
    found = dict(zip(KINDS, expected.tolist(), strict=True))
    family = sum(found[kind] for kind in FAMILY)
    found |= {kind: family * share for kind, share in FAMILY.items()}
    counts = {kind: max(count, UNSEEN * FAMILY.get(kind, 1.0)) for kind, count in found.items()}
    counts[ONE] = max(found[ONE], 0.5)
    known = sum(count for kind, count in counts.items() if kind != STRANGERS)
    counts[STRANGERS] = max(n_pairs - known, known)
    shares: Floats = np.array([counts[kind] for kind in KINDS])
    shares /= shares.sum()
    return shares


def _levels(patterns: Mapping[tuple[int, ...], int], attributes: Sequence[Attribute]) -> Levels:
    """Return patterns as rows of levels."""
    return np.array([*patterns], np.int64).reshape(-1, len(attributes))


def _shares(levels: Levels, counts: Floats, attributes: Sequence[Attribute]) -> list[Floats]:
    """Return for each attribute the share of each level; no level is quite impossible."""
    shares = []
    for index, each in enumerate(attributes):
        told = levels[:, index] != MISSING
        seen = 0.5 + np.bincount(levels[told, index], counts[told], each.n_levels)
        shares.append(seen / seen.sum())
    return shares


def _level(each: Attribute) -> str:
    one, other = f'one."{each.name}"', f'other."{each.name}"'
    level = 0
    cases = [
        f"when {one} is null or {other} is null then {MISSING}",
        f"when {one} = {other} then 0",
    ]
    if each.swapped_with is not None:
        level += 1
        cases.append(
            f'when {one} = other."{each.swapped_with}" and {other} = one."{each.swapped_with}" '
            f"then {level}"
        )
    for edits in each.edits:
        level += 1
        cases.append(f"when levenshtein({one}, {other}) <= {edits} then {level}")
    return f"case {' '.join(cases)} else {level + 1} end"


def _meeting(attributes: Sequence[Attribute]) -> str:
    """Return the query of the pairs that have a value in common, each once."""
    queries = [
        f"select one.key as left_key, other.key as right_key from records as one "
        f'inner join records as other on one."{each.name}" = other."{each.name}" '
        "and one.key < other.key "
        f'where one."{each.name}" in (select "{each.name}" from records '
        f"group by all having count(*) between 2 and {LARGEST_BLOCK})"
        for each in attributes
        if each.meets
    ]
    return " union ".join(queries)


def _by_chance(levels: str, named: str, n_records: int) -> str:
    """Return the query of the levels of pairs that nothing but chance put together.

    Every record meets others at fixed distances in the order of keys, each time others.
    """
    per_record = max(1, min(n_records - 1, RANDOM_PAIRS // max(n_records, 1)))
    return (
        f"select {named}, count(*) from (select {levels} from records as one "
        f"cross join range(1, {per_record + 1}) as steps(step) "
        f"inner join records as other "
        f"on other.place = (one.place + step * {max(1, n_records // (per_record + 1))}) "
        f"% {max(n_records, 1)} and other.place <> one.place) group by all order by all"
    )
