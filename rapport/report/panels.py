"""The twelve small charts of community health: which numbers, in which order, in which words.

Belongs here: one declaration per panel. Does not belong here: geometry (`charts`) or what a
number means in full (the page's last section).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from rapport.report import charts, words
from rapport.report.facts import STEP_DAYS, Row

Text = Callable[[float | None], str]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One small chart, ready for the page.

    Attributes:
        now: today's value in words.
        rests_on: what today's value rests on (`n`), in words; empty for a count.
    """

    title: str
    hint: str
    now: str
    rests_on: str
    chart: Markup


@dataclass(frozen=True, kw_only=True)
class _Spec:
    title: str
    hint: str
    column: str
    text: Text = words.count
    n_column: str | None = None
    n_noun: str = ""
    high_column: str | None = None
    reference: float | None = None
    nothing: str = words.UNKNOWN


_GROUPS: Sequence[tuple[str, Sequence[_Spec]]] = (
    (
        "Who comes, who stays, who leaves",
        (
            _Spec(title="Active", hint="did something in the last 28 days", column="active"),
            _Spec(title="New", hint="for the first time", column="new_members"),
            _Spec(title="Stayed", hint="active in the 28 days before, too", column="retained"),
            _Spec(title="Came back", hint="after a longer absence", column="resurrected"),
            _Spec(title="Went quiet", hint="active before, not since", column="churned"),
            _Spec(
                title="Quick ratio",
                hint="who came or came back, per one who left; under 1 shrinks",
                column="quick_ratio",
                text=words.ratio,
                n_column="churned",
                n_noun="who left",
                reference=1,
            ),
        ),
    ),
    (
        "Do questions get answered",
        (
            _Spec(
                title="Answered in 7 days",
                hint="of questions at least seven days old",
                column="answered_7d_share",
                text=words.percent,
                n_column="questions_7d",
                n_noun="questions",
            ),
            _Spec(
                title="Median first response",
                hint="half wait less; the line reaches to nine of ten",
                column="median_first_response_hours",
                text=words.duration,
                n_column="questions",
                n_noun="questions",
                high_column="p90_first_response_hours",
                nothing="no median",
            ),
            _Spec(
                title="Newcomers answered",
                hint="first questions answered within 7 days",
                column="newcomer_answered_7d_share",
                text=words.percent,
                n_column="newcomer_questions_7d",
                n_noun="questions",
            ),
        ),
    ),
    (
        "Who carries it",
        (
            _Spec(title="Helpers", hint="members who answered somebody", column="helpers"),
            _Spec(
                title="Top helper's share",
                hint="of all answers by members",
                column="top_helper_share",
                text=words.percent,
                n_column="member_answers",
                n_noun="answers",
            ),
            _Spec(
                title="Absence factor",
                hint="the fewest people who give half of the answers",
                column="helper_absence_factor",
                text=words.count,
                n_column="helpers",
                n_noun="helpers",
            ),
        ),
    ),
)


def groups(history: Sequence[Row | None], as_of: date) -> list[tuple[str, list[Panel]]]:
    """Return (heading, panels) for snapshots 28 days apart, oldest first, today last."""
    return [
        (heading, [_panel(spec, history, as_of) for spec in specs]) for heading, specs in _GROUPS
    ]


def table(history: Sequence[Row | None]) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the numbers behind the charts, newest first."""
    specs = [spec for _, group in _GROUPS for spec in group]
    rows = [
        [
            f"{row['as_of']}",
            "as known" if row["basis"] == "as_known" else "backcast",
            *(spec.text(_number(row, spec.column)) for spec in specs),
        ]
        for row in reversed(history)
        if row
    ]
    return ["28 days to", "basis", *(spec.title for spec in specs)], rows


WINDOWS = (("28 days", ""), ("364 days", "_364d"), ("all time", "_ever"))
_HELP: Sequence[tuple[str, str, Text]] = (
    ("Questions", "questions", words.count),
    ("Answered so far", "answered_share", words.percent),
    ("Median first response", "median_first_response_hours", words.duration),
    ("Solved", "solved_share", words.percent),
    ("Answers", "answers", words.count),
    ("Helpers", "helpers", words.count),
    ("Top helper's share", "top_helper_share", words.percent),
    ("Absence factor", "helper_absence_factor", words.count),
)


def windows(community: Row | None) -> list[tuple[str, list[str]]]:
    """Return (label, value per window) of help over 28 days, 364 days and all time."""
    return [
        (label, [text(_number(community, column + suffix)) for _, suffix in WINDOWS])
        for label, column, text in _HELP
        if community
    ]


def _panel(spec: _Spec, history: Sequence[Row | None], as_of: date) -> Panel:
    marks = [
        _mark(spec, row, as_of - timedelta(days=STEP_DAYS * (len(history) - 1 - i)))
        for i, row in enumerate(history)
    ]
    today = history[-1] if history else None
    value = _number(today, spec.column) if today else None
    n = today[spec.n_column] if today and spec.n_column else None
    label = f"{spec.title}, twelve months"
    return Panel(
        title=spec.title,
        hint=spec.hint,
        now=spec.text(value) if value is not None or not n else spec.nothing,
        rests_on="" if n is None else f"n = {words.count(n)} {spec.n_noun}",
        chart=charts.spreads(marks, spec.text, label)
        if spec.high_column
        else charts.bars(marks, spec.text, label, spec.reference),
    )


def _mark(spec: _Spec, row: Row | None, day: date) -> charts.Mark:
    if row is None:
        return charts.Mark(as_of=day, basis=None, value=None)
    return charts.Mark(
        as_of=row["as_of"],
        basis=row["basis"],
        value=_number(row, spec.column),
        n=row[spec.n_column] if spec.n_column else None,
        high=_number(row, spec.high_column) if spec.high_column else None,
        coverage=row["coverage"],
    )


def _number(row: Row, column: str) -> float | None:
    value = row[column]
    return None if value is None else float(value)
