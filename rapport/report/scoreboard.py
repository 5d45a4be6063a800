"""Goals of strategy.yml and how they fare, and every version of that file.

Belongs here: reading `rel_scoreboard` and `ops_strategy_version`. Does not belong here: drawing
(`panels`), what a goal may be about (`rapport.goals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rapport.report import facts, words
from rapport.report.facts import Facts
from rapport.report.warehouse import Query, Row

_STATES = ("reached", "on course", "off course", "missed", "too early", "cannot tell")
BEGIN = """\
version: 2026-11
vision: {statement: A place where makers help makers, archetype: community}
relationships:
  - id: community
    why: nobody is left alone with a question
    goals:
      - {metric: answered_7d_share, target: ">= 0.9", by: 2027-06, owner: support_lead}
"""
"""A strategy.yml to begin with."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal.

    Attributes:
        row: its row of `rel_scoreboard` for the published day.
        meaning: what the number is, as its table says; empty where that is not published.
        history: its newest row of each of the last 14 steps of 28 days, oldest first.
    """

    row: Row
    meaning: str
    history: Sequence[Row | None]


@dataclass(frozen=True, kw_only=True)
class Scoreboard:
    """All goals, and the versions of strategy.yml, newest first.

    Attributes:
        goals: by relationship, in alphabetical order; those due first come first.
        bare: the rows of relationships that have no goal.
        versions: rows `number`, `version`, `since`, `until` (UTC, text), `changes`.
    """

    goals: Sequence[Goal]
    bare: Sequence[Row]
    versions: Sequence[Row]

    @property
    def relationships(self) -> list[tuple[str, str, list[Goal]]]:
        """(relationship, why it matters, its goals)."""
        parts = groupby(self.goals, key=lambda goal: (goal.row["relationship"], goal.row["why"]))
        return [(name, why or "", list(goals)) for (name, why), goals in parts]

    @property
    def finding(self) -> str:
        """How many goals are in which state, in one sentence."""
        counts = {
            state: sum(goal.row["status"] == state for goal in self.goals) for state in _STATES
        }
        told = [f"{words.count(n)} {state}" for state, n in counts.items() if n]
        if not told:
            return "Goals: none are set"
        return f"{words.plural(len(self.goals), 'goal')}: {', '.join(told)}"


def gather(query: Query, found: Facts) -> Scoreboard:
    """Return how the goals stand on the published day; none without a strategy."""
    versions = query.rows(
        "select number, version, strftime(since, '%Y-%m-%d %H:%M') as since, "
        "strftime(until, '%Y-%m-%d %H:%M') as until, changes "
        "from ops_strategy_version order by number desc"
    )
    if not found.strategy:
        return Scoreboard(goals=(), bare=(), versions=versions)
    snapshots = query.by(
        "goal",
        "select * exclude (known_at) from rel_scoreboard where as_of <= $as_of "
        "order by as_of, basis = 'as_known'",
        as_of=found.as_of,
    )
    today = query.rows(
        "select * exclude (known_at) from rel_scoreboard where as_of = $as_of and basis = $basis "
        "order by relationship, why, due_on, goal",
        as_of=found.as_of,
        basis=found.basis,
    )
    meanings = _meanings(query)
    return Scoreboard(
        goals=[
            Goal(
                row=row,
                meaning=meanings.get((row["metric_table"], row["metric"]), ""),
                history=facts.steps(snapshots[row["goal"]], found.as_of),
            )
            for row in today
            if row["metric"] is not None
        ],
        bare=[row for row in today if row["metric"] is None],
        versions=versions,
    )


def _meanings(query: Query) -> Mapping[tuple[str, str], str]:
    rows = query.rows(
        "select table_name, column_name, comment from duckdb_columns() "
        "where table_name like 'rel_%' and comment is not null"
    )
    return {(row["table_name"], row["column_name"]): row["comment"] for row in rows}
