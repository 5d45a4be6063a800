"""No publication of a run that makes too many people one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from rapport import config, publish
from rapport.build import BUILD_NAME, BuildPlan
from rapport.config import Config
from rapport.identity.gate import LEAST_MERGED, MOST_IN_ONE, MergesRefused, merges
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
    home: Config, n_before: int, people: Sequence[Sequence[int]], rule: str = "own_mailbox"
) -> Path:
    """Leave a build that makes `people` of `n_before` published ones of a profile each."""
    before = assign(LEDGER.empty_table(), components([[n] for n in range(n_before)]), AT)
    joined = [two for one in people for two in pairwise(one)]
    edges = pa.Table.from_pylist(
        [
            {
                "left_key": key(left), "right_key": key(right), "rule_id": rule,
                "evidence": "s***@acme.example", "state": "live", "refusal": None,
            }
            for left, right in joined
        ],
        schema=pa.schema(
            [(name, pa.string())
             for name in ("left_key", "right_key", "rule_id", "evidence", "state", "refusal")]
        ),
    )  # fmt: skip
    known = {number for one in people for number in one}
    rest = [[number] for number in range(n_before) if number not in known]
    at = AT + timedelta(days=1)
    after = assign(before, components([*people, *rest]), at)
    tables = {
        "control.identity_ledger": before,
        "identity_ledger": after,
        "identity_change": changes(before, after, edges, at),
        "identity_edge": edges,
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
    assert not (home.home / publish.WAREHOUSE_NAME).exists()
    assert publish.publish(home, PLAN, accept_merges=True).tables["dim_person"] == 1


@pytest.mark.parametrize(
    ("n_before", "people"),
    [
        (10_000, [[2 * n, 2 * n + 1] for n in range(50)]),
        (100, [[2 * n, 2 * n + 1] for n in range(LEAST_MERGED)]),
        (0, [list(range(10)) for _ in range(1)]),
        (100, [list(range(MOST_IN_ONE))]),
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
    built(home, 10_000, [list(range(MOST_IN_ONE + 1))])
    with pytest.raises(MergesRefused, match=r"^21 people .*, most of those by `s\*\*\*@acme"):
        publish.publish(home, PLAN)


def test_people_who_join_by_hand_mean_it(home: Config) -> None:
    built(home, 100, [[2 * n, 2 * n + 1] for n in range(45)], rule="override_link")
    publish.publish(home, PLAN)


def test_what_is_joined_over_somebody_new_has_its_rule_named(home: Config) -> None:
    people = [[2 * n, 1000 + n, 2 * n + 1] for n in range(LEAST_MERGED + 1)]
    built(home, 100, people)
    with pytest.raises(MergesRefused, match=r"`own_mailbox` \(42 pairs\)"):
        publish.publish(home, PLAN)
