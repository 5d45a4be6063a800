"""Published figures about ties, from tables built of plain files by mapping alone."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import networkx as nx
import pytest

from rapport import build, config, syncing

pytestmark = pytest.mark.demo

CONFIG = """
as_of: 2026-06-30
sources:
  club:
    type: files
    silo: crm
    streams:
      mails:
        path: mails.csv
        key: [id]
        map:
          to: interaction
          columns: {person: one, to_person: other, occurred_at: at, kind: {value: email},
                    channel: {value: email}}
  circle:
    type: files
    silo: forum
    streams:
      posts:
        path: posts.csv
        key: [id]
        map:
          to: interaction
          columns: {person: who, occurred_at: at, kind: {value: post}, thread: thread,
                    channel: {value: forum}}
"""


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The karate club, whose members wrote to each other today, and Orbit's Jennifer, who met
    four others in 4, 3, 1 and 7 threads; two more met in seven threads three months ago."""
    folder = tmp_path_factory.mktemp("ties")
    (folder / "rapport.yml").write_text(CONFIG, encoding="utf-8")
    ties = [(f"m{one + 1}", f"m{other + 1}") for one, other in nx.karate_club_graph().edges]
    mails = [
        (f"{one}-{other}", one, other, "2026-06-30T10:00:00Z")
        for pair in ties
        for one, other in (pair, pair[::-1])
    ]
    write(folder / "mails.csv", ("id", "one", "other", "at"), mails)
    meetings = [("jennifer", name, times, "2026-06-30") for name, times in zip(
        ("amy", "ben", "coe", "dee"), (4, 3, 1, 7), strict=True
    )]  # fmt: skip
    meetings.append(("old", "far", 7, "2026-04-01"))
    posts = [
        (f"{other}-{number}-{who}", who, f"{other}-{number}", f"{day}T10:00:00Z")
        for one, other, times, day in meetings
        for number in range(times)
        for who in (one, other)
    ]
    write(folder / "posts.csv", ("id", "who", "thread", "at"), posts)
    made = config.load(folder)
    assert not [outcome for outcome in syncing.sync_selected(made, []) if outcome.error]
    plan = build.plan(made)
    build.prepare(made, plan)
    build.run_dbt(made, plan)
    return made.home / build.BUILD_NAME


def ask(built: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask about the newest snapshot, with each person by the name that the files have."""
    names = (
        "with names as (select person_id, min(native_id) as name from dim_profile group by all), "
        "placed as (from rel_importance join names using (person_id) "
        "where as_of = date '2026-06-30') "
    )
    with duckdb.connect(str(built), read_only=True) as connection:
        return connection.execute(names + sql).fetchall()


def test_the_karate_club_has_its_published_centralities(built: Path) -> None:
    club = "from placed where name like 'm%'"
    assert ask(built, f"select count(*), sum(two_way_ties) / 2 {club}") == [(34, 78)]
    top = "select name, round({0}, 4) {1} order by {0} desc limit 3"
    assert ask(built, top.format("pagerank", club)) == [
        ("m34", 0.1009), ("m1", 0.0970), ("m33", 0.0717),
    ]  # fmt: skip
    assert ask(built, top.format("betweenness", club)) == [
        ("m1", 0.4376), ("m34", 0.3041), ("m33", 0.1452),
    ]  # fmt: skip


def test_jennifer_reaches_fifteen_and_seven_is_five_after_three_months(built: Path) -> None:
    assert ask(built, "select reach from placed where name = 'jennifer'") == [(15,)]
    assert ask(built, "select round(reach, 1)::double from placed where name = 'old'") == [(5.1,)]
