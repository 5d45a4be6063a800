"""No publication of a run that makes too many people one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from rapport import config, publish
from rapport.build import BUILD_NAME, WAREHOUSE_NAME, BuildPlan
from rapport.config import Config
from rapport.identity.gate import LEAST_MERGED, MOST_OVER_ONE_VALUE, MergesRefused, merges
from rapport.identity.ledger import COMPONENTS, LEDGER, assign, changes

AT = datetime(2026, 11, 1, tzinfo=UTC)
PLAN = BuildPlan(
    needed=True, reason="test", as_of=date(2026, 11, 1), known_at=AT, basis="as_known",
    full_refresh=False, fingerprint={},
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Config:
    return config.parse({"home": "."}, tmp_path / "rapport.yml")


def key(number: int) -> str:
    """Return the key of a profile: those from 90,000 on are of a second source."""
    return f"{'crm' if number < 90_000 else 'forum'}:people:{number}"


def components(people: Sequence[Sequence[int]]) -> pa.Table:
    rows = [
        ("person", key(number), key(one[0]), key(one[0]), 1) for one in people for number in one
    ]
    return pa.Table.from_pylist(
        [dict(zip(COMPONENTS.names, row, strict=True)) for row in rows], schema=COMPONENTS
    )


def built(
    home: Config,
    n_before: int,
    people: Sequence[Sequence[int]],
    rule: str = "own_mailbox",
    value: Callable[[int], str] = lambda first: f"s{first}@acme.example",
) -> Path:
    """Leave a build that makes `people` of `n_before` published ones of a profile each.

    The profiles of one share the address that `value` gives for the first of them.
    """
    before = assign(LEDGER.empty_table(), components([[n] for n in range(n_before)]), AT)
    joined = [two for one in people for two in pairwise(one)]
    edges = pa.Table.from_pylist(
        [
            {
                "left_key": key(left), "right_key": key(right), "rule_id": rule,
                "id_type": "email", "evidence": "s***@acme.example",
                "state": "live", "refusal": None,
            }
            for left, right in joined
        ],
        schema=pa.schema(
            [(name, pa.string())
             for name in "left_key right_key rule_id id_type evidence state refusal".split()]
        ),
    )  # fmt: skip
    identifiers = pa.Table.from_pylist(
        [
            {"profile_key": key(number), "id_type": "email", "value": value(one[0])}
            for one in people
            for number in one
        ],
        schema=pa.schema([(name, pa.string()) for name in ("profile_key", "id_type", "value")]),
    )
    known = {number for one in people for number in one}
    rest = [[number] for number in range(n_before) if number not in known]
    at = AT + timedelta(days=1)
    after = assign(before, components([*people, *rest]), at)
    tables = {
        "control.identity_ledger": before,
        "identity_ledger": after,
        "identity_change": changes(before, after, edges, at),
        "identity_edge": edges,
        "identity_identifier": identifiers,
    }
    path = home.home / BUILD_NAME
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema control")
        connection.execute("create table dim_person as select 1 as person")
        for name, table in tables.items():
            connection.register("rows", table)
            connection.execute(f"create table {name} as from rows")
    return path


def test_half_a_percent_of_the_people_may_be_merged_and_not_more(home: Config) -> None:
    pairs = [[2 * n, 2 * n + 1] for n in range(51)]
    path = built(home, 10_000, pairs)
    assert merges(path).n_merged == 51
    with pytest.raises(MergesRefused) as refused:
        publish.publish(home, PLAN)
    said = str(refused.value)
    assert said.startswith("51 of 10000 people that were published would be merged into others")
    assert (
        "by the rule `own_mailbox` (51 pairs), most of those by `s***@acme.example` (51)." in said
    )
    assert not (home.home / WAREHOUSE_NAME).exists()
    assert publish.publish(home, PLAN, accept_merges=True).tables["dim_person"] == 1


@pytest.mark.parametrize(
    ("n_before", "people"),
    [
        (10_000, [[2 * n, 2 * n + 1] for n in range(50)]),
        (100, [[2 * n, 2 * n + 1] for n in range(LEAST_MERGED)]),
        (0, [list(range(10)) for _ in range(1)]),
        (100, [list(range(MOST_OVER_ONE_VALUE))]),
    ],
)
def test_an_ordinary_run_is_published(home: Config, n_before: int, people: list[list[int]]) -> None:
    built(home, n_before, people)
    assert publish.publish(home, PLAN).tables["dim_person"] == 1


def test_a_new_source_may_know_that_more_of_them_are_one(home: Config) -> None:
    pairs = [[2 * n, 2 * n + 1] for n in range(300)]
    path = built(home, 10_000, [*pairs, [90_000]])
    assert (merges(path).n_merged, merges(path).limit) == (300, 0.05)
    publish.publish(home, PLAN)


def test_one_value_does_not_make_a_crowd_one(home: Config) -> None:
    path = built(home, 10_000, [list(range(MOST_OVER_ONE_VALUE + 1))])
    assert merges(path).most_over_one_value == 21
    with pytest.raises(MergesRefused, match=r"^21 people .* `email:s\*\*\*@acme.example`"):
        publish.publish(home, PLAN)


def test_one_value_joins_no_crowd_two_by_two(home: Config) -> None:
    pairs = [[2 * n, 2 * n + 1] for n in range(MOST_OVER_ONE_VALUE // 2 + 1)]
    built(home, 10_000, pairs, value=lambda _: "sales@acme.example")
    with pytest.raises(MergesRefused, match=r"^22 people .* It joins 11 pairs by the rule `own_"):
        publish.publish(home, PLAN)


def test_values_that_look_alike_when_masked_are_counted_apart(home: Config) -> None:
    path = built(home, 10_000, [[2 * n, 2 * n + 1] for n in range(MOST_OVER_ONE_VALUE)])
    assert merges(path).most_over_one_value == 2
    publish.publish(home, PLAN)


def test_one_person_may_be_made_of_many_over_values_of_their_own(home: Config) -> None:
    path = built(home, 10_000, [list(range(MOST_OVER_ONE_VALUE + 1))])
    with duckdb.connect(str(path)) as connection:
        connection.execute("update identity_identifier set value = value || rowid // 2")
    assert merges(path).n_merged == MOST_OVER_ONE_VALUE
    publish.publish(home, PLAN)


def test_people_who_join_by_hand_mean_it(home: Config) -> None:
    built(home, 100, [[2 * n, 2 * n + 1] for n in range(45)], rule="override_link")
    publish.publish(home, PLAN)


def test_what_is_joined_over_somebody_new_has_its_rule_named(home: Config) -> None:
    people = [[2 * n, 1000 + n, 2 * n + 1] for n in range(LEAST_MERGED + 1)]
    built(home, 100, people)
    with pytest.raises(MergesRefused, match=r"`own_mailbox` \(42 pairs\)"):
        publish.publish(home, PLAN)
