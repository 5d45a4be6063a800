"""Ids that outlive runs: the laws of their ledger, and a day in the life of 20,000 profiles."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.identity.graph import Components
from rapport.identity.ledger import COMPONENTS, LEDGER, assign, changes, concerned

START = datetime(2026, 6, 1, 3, tzinfo=UTC)
NO_EDGES = pa.table(
    {
        name: pa.array([], pa.string())
        for name in ("left_key", "right_key", "rule_id", "state", "refusal")
    }
)

Groups = Iterable[Iterable[str]]


def components(groups: Groups, weights: Mapping[str, int] | None = None) -> pa.Table:
    """Return groups of profile keys as the ledger takes them; the smallest key is the anchor."""
    rows = [
        ("person", key, min(group), min(group), (weights or {}).get(key, 1))
        for group in map(sorted, groups)
        for key in group
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(COMPONENTS)
    return pa.table(dict(zip(COMPONENTS.names, columns, strict=True)), schema=COMPONENTS)


def runs(*history: Groups, previous: pa.Table | None = None, first: int = 0) -> list[pa.Table]:
    """Return the ledger after each day of a history."""
    ledgers = [LEDGER.empty_table() if previous is None else previous]
    for day, groups in enumerate(history, start=first):
        ledgers.append(assign(ledgers[-1], components(groups), START + timedelta(days=day)))
    return ledgers[1:]


def living(ledger: pa.Table) -> dict[str, str]:
    """Return profile -> id now."""
    return {row["profile_key"]: row["id"] for row in ledger.to_pylist() if not row["retired_at"]}


def told(before: pa.Table, after: pa.Table, edges: pa.Table = NO_EDGES) -> list[tuple[str, ...]]:
    rows = changes(before, after, edges, START + timedelta(days=90)).to_pylist()
    return [(row["event"], row["id"], row["other_id"], row["cause"]) for row in rows]


def first_id(anchor: str) -> str:
    return f"per_{hashlib.md5(anchor.encode()).hexdigest()[:16]}"


def test_a_first_run_names_components_after_their_anchors() -> None:
    [ledger] = runs([["a", "b"], ["c"]])
    assert living(ledger) == {"a": first_id("a"), "b": first_id("a"), "c": first_id("c")}
    assert told(LEDGER.empty_table(), ledger) == [
        ("mint", id_, None, None) for id_ in sorted({first_id("a"), first_id("c")})
    ]


def test_an_anchor_that_appears_later_does_not_rename_anybody() -> None:
    first, second = runs([["b", "c"]], [["a", "b", "c"]])
    assert set(living(second).values()) == set(living(first).values())
    assert told(first, second) == []


def test_the_heavier_part_keeps_the_id_and_the_other_gets_a_new_one() -> None:
    first, second = runs([["a", "b", "c"]], [["a"], ["b", "c"]])
    old = first_id("a")
    assert living(second)["b"] == living(second)["c"] == old
    new = living(second)["a"]
    assert new not in living(first).values()
    assert told(first, second) == [
        ("mint", new, None, None),
        ("split", old, new, "no link is left"),
    ]


def test_weight_decides_and_not_number() -> None:
    [first] = runs([["a", "b", "c"]])
    parts = components([["a"], ["b", "c"]], {"a": 3})
    second = assign(first, parts, START + timedelta(days=1))
    assert living(second)["a"] == first_id("a") != living(second)["b"]


def test_who_is_joined_retires_and_leads_to_the_one_that_stays() -> None:
    first, second, third, fourth = runs(
        [["a", "b"], ["c"], ["d"]], [["a", "b", "c"], ["d"]], [["a", "b", "c", "d"]], [["d"]]
    )
    leads = {row["id"]: row["current_id"] for row in third.to_pylist()}
    assert leads == {first_id(key): first_id("a") for key in "acd"}
    assert told(first, second) == [("merge", first_id("c"), first_id("a"), None)]
    assert living(fourth) == {"d": first_id("a")}, "who is left goes on under the id they had"


def test_whose_profiles_vanish_retires_and_comes_back_with_them() -> None:
    first, second, third = runs([["a"], ["b"]], [["b"]], [["a", "x"], ["b"]])
    assert told(first, second) == [("retire", first_id("a"), None, "none of its profiles is left")]
    assert living(third)["x"] == first_id("a")
    assert told(second, third) == [("restore", first_id("a"), None, None)]


def test_an_id_is_not_given_again_to_somebody_else() -> None:
    """The anchor left; whoever it becomes the anchor of has an id of their own."""
    first, second = runs([["a", "b", "c"]], [["a", "x"], ["b", "c"]])
    assert living(second)["a"] != first_id("a") == living(second)["b"]
    assert living(second)["a"].startswith("per_")
    assert len(living(second)["a"]) == len(first_id("a"))
    assert living(first)["a"] == first_id("a")


def test_causes_are_the_rules_that_joined_and_what_parted() -> None:
    joined = {"left_key": "a", "right_key": "c", "state": "live", "refusal": None}
    edges = pa.Table.from_pylist(
        [
            joined | {"rule_id": "verified_email"},
            joined | {"rule_id": "override_link"},
            {"left_key": "a", "right_key": "b", "rule_id": "phone", "state": "live",
             "refusal": None},
        ],
        schema=NO_EDGES.schema,
    )  # fmt: skip
    first, second, third = runs([["a", "b"], ["c"]], [["a", "b", "c"]], [["a", "b"], ["c"]])
    assert told(first, second, edges) == [
        ("merge", first_id("c"), first_id("a"), "override_link, verified_email")
    ]
    parted = pa.Table.from_pylist(
        [joined | {"rule_id": "verified_email", "state": "vetoed", "refusal": "kept apart"}],
        schema=NO_EDGES.schema,
    )
    assert told(second, third, parted) == [
        ("restore", first_id("c"), first_id("a"), None),
        ("split", first_id("a"), first_id("c"), "kept apart"),
    ]


def test_a_part_of_the_winner_is_not_taken_for_somebody_it_once_absorbed() -> None:
    """The joined and parted again get their own ids, whatever the winner had absorbed before."""
    ledgers = runs(
        [["1", "2"], ["3", "4", "4b"], ["5"]],
        [["1", "2", "3", "4", "4b"], ["5"]],
        [["1", "2", "3", "4", "4b", "5"]],
        [["1", "2", "3", "4", "4b"], ["5"]],
    )
    assert living(ledgers[3]) == living(ledgers[1])


def test_people_and_organizations_have_ids_of_their_own() -> None:
    table = components([["a"], ["b"]])
    entities = table.set_column(0, "entity", pa.array(["person", "organization"]))
    ledger = assign(LEDGER.empty_table(), entities, START)
    assert [living(ledger)[key][:4] for key in "ab"] == ["per_", "org_"]


KEYS = "abcdefgh"
labels = st.lists(st.integers(0, 4), min_size=len(KEYS), max_size=len(KEYS))  # 0: it is not there
worlds = st.lists(st.tuples(labels, labels, labels), min_size=1, max_size=15)


def days(worlds: list[tuple[list[int], ...]]) -> list[list[list[str]]]:
    """Return the groups of each day, of worlds that have nothing to do with each other.

    A run costs the same for one as for many, so the laws are tried on many at once.
    """
    return [
        [
            [f"{world}{key}" for key, label in zip(KEYS, day, strict=True) if label == group]
            for world, day in enumerate(today)
            for group in sorted(set(day) - {0})
        ]
        for today in zip(*worlds, strict=True)
    ]


histories = worlds.map(days)
law = settings(max_examples=6)


@law
@given(histories, st.randoms(use_true_random=False))
def test_the_same_people_again_change_nothing_in_whatever_order(
    history: list[Groups], chance: random.Random
) -> None:
    last = runs(*history)[-1]
    rows = components(history[-1]).to_pylist()
    known = last.to_pylist()
    chance.shuffle(rows)
    chance.shuffle(known)
    again = assign(
        pa.Table.from_pylist(known, schema=LEDGER),
        pa.Table.from_pylist(rows, schema=COMPONENTS),
        START + timedelta(days=60),
    )
    assert sorted(map(str, again.to_pylist())) == sorted(map(str, last.to_pylist()))
    assert told(last, again) == []


@law
@given(histories, st.randoms(use_true_random=False))
def test_link_then_unlink_restores_both_ids(history: list[Groups], chance: random.Random) -> None:
    groups = [list(group) for group in history[-1]]
    chance.shuffle(groups)
    pairs = [[*chain(*groups[n : n + 2])] for n in range(0, len(groups), 2)]
    before = runs(*history)[-1]
    linked, unlinked = runs(pairs, groups, previous=before, first=50)
    assert len(set(living(linked).values())) == len(pairs)
    assert living(unlinked) == living(before)
    restored = {id_ for event, id_, *_ in told(linked, unlinked) if event == "restore"}
    assert restored == set(living(before).values()) - set(living(linked).values())


@law
@given(histories)
def test_every_id_resolves_and_none_is_given_to_other_people(history: list[Groups]) -> None:
    ledgers = [LEDGER.empty_table(), *runs(*history)]
    for before, after, groups in zip(ledgers, ledgers[1:], history, strict=False):
        now = living(after)
        # one id per component, one component per id
        assert {key: {k for k in now if now[k] == id_} for key, id_ in now.items()} == {
            key: set(group) for group in groups for key in group
        }
        ids = {row["id"] for row in after.to_pylist()}
        assert ids >= {row["id"] for row in before.to_pylist()}
        held_before: dict[str, set[str]] = {}
        for row in before.to_pylist():
            held_before.setdefault(row["id"], set()).add(row["profile_key"])
        for row in after.to_pylist():
            assert (row["current_id"] == row["id"]) == (row["retired_at"] is None)
            if row["current_id"] is not None:
                assert row["current_id"] in now.values()
            elif row["profile_key"] in now:
                pytest.fail("a profile of a retired id is here, but the id leads nowhere")
        for id_ in set(now.values()) & held_before.keys():
            assert held_before[id_] & {key for key in now if now[key] == id_}


@law
@given(histories)
def test_every_changed_id_has_an_event(history: list[Groups]) -> None:
    ledgers = [LEDGER.empty_table(), *runs(*history)]
    for before, after in pairwise(ledgers):
        was, now = living(before), living(after)
        events = told(before, after)
        flows = {(old, new) for event, old, new, _ in events if event in ("merge", "split")}
        assert flows == {(was[key], now[key]) for key in was.keys() & now if was[key] != now[key]}
        ids_before = {row["id"] for row in before.to_pylist()}
        assert {id_ for event, id_, *_ in events if event == "mint"} == (
            set(now.values()) - ids_before
        )


def in_part(before: pa.Table, yesterday: pa.Table, today: pa.Table, day: int) -> pa.Table:
    """Return the ledger after a day on which only what changed is looked at."""
    rows, earlier = ({tuple(row.values()) for row in one.to_pylist()} for one in (today, yesterday))
    changed = {row[2] for row in rows ^ earlier}
    touched = sorted({row[1] for row in rows | earlier if row[2] in changed})
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        session.register("before", before)
        session.execute(
            "create view ledger as select *, hash(profile_key) as key_hash, hash(id) as id_hash "
            "from before"
        )
        session.execute(
            "create table touched as "
            "select unnest(?) as profile_key, hash(profile_key) as key_hash",
            [touched],
        )
        held = concerned(session, "ledger", "touched")

    def of_held(table: pa.Table) -> pa.Array:
        return pc.is_in(table["profile_key"], held["profile_key"])

    known = held.filter(pc.is_valid(held["id"]))
    after = assign(known, today.filter(of_held(today)), START + timedelta(days=day))
    assert told(before, pa.concat_tables([after, before.filter(pc.invert(of_held(before)))])) == (
        told(known, after)
    )
    return pa.concat_tables([before.filter(pc.invert(of_held(before))), after])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_concerned_alone_becomes_what_it_becomes_with_all(seed: int) -> None:
    chance = random.Random(seed)
    whole, yesterday = LEDGER.empty_table(), COMPONENTS.empty_table()
    label = {f"{world:02}{key}": 0 for world in range(60) for key in KEYS}  # 0: it is not there
    weights = dict.fromkeys(label, 1)
    for day in range(7):
        for key in label:
            if chance.random() < 0.2:
                label[key], weights[key] = chance.randrange(4), chance.choice((1, 1, 2))
        groups: dict[tuple[str, int], list[str]] = {}
        for key, group in label.items():
            if group:
                groups.setdefault((key[:2], group), []).append(key)
        today = components(groups.values(), weights)
        part = in_part(whole, yesterday, today, day)
        whole, yesterday = assign(whole, today, START + timedelta(days=day)), today
        assert sorted(map(str, part.to_pylist())) == sorted(map(str, whole.to_pylist()))


SHARES = {"@": 0.95, "+": 0.7, "#": 0.5}


def day_in_the_life(people: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return the groups before and after a day with 1 % new profiles and 0.3 % corrections.

    A profile carries up to three of its person's values (address, number, login); whoever shares
    one is one. A correction takes a value away from a profile.
    """
    chance = random.Random(seed)
    values: dict[str, set[str]] = {}

    def profile(person: int) -> None:
        own = {f"{kind}{person}" for kind, share in SHARES.items() if chance.random() < share}
        values[f"crm:contacts:{len(values):06d}"] = own

    def groups() -> list[list[str]]:
        together = Components()
        for key, held in values.items():
            for value in held:
                together.join(value, key)
        return list(together.members(values).values())

    for person in range(people):
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            profile(person)
    before, held = groups(), list(values)
    for key in chance.sample(held, round(0.003 * len(held))):
        if values[key]:
            values[key].remove(chance.choice(sorted(values[key])))
    for _ in range(round(0.01 * len(held))):
        profile(chance.randrange(2 * people))  # every second one is new
    return before, groups()


@pytest.mark.parametrize("seed", [11, 23])
def test_an_ordinary_day_changes_few_ids_and_tells_each(seed: int) -> None:
    yesterday, today = day_in_the_life(people=12_000, seed=seed)
    first, second = runs(yesterday, today)
    was, now = living(first), living(second)
    assert len(was) > 19_000
    changed = {key for key in was if was[key] != now[key]}
    assert 0 < len(changed) <= 0.0008 * len(was)
    events = told(first, second)
    flows = {(old, new) for event, old, new, _ in events if event in ("merge", "split")}
    assert flows == {(was[key], now[key]) for key in changed}
