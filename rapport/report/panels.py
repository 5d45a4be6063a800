"""Figures over twelve months: which numbers of the snapshots are charted, and what each says.

Belongs here: one declaration per figure, the sentence over it and the table beneath it. Does not
belong here: other figures (`figures`), marks and scales (`charts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rapport.report import charts, words
from rapport.report.charts import Mark, Text
from rapport.report.facts import STEP_DAYS
from rapport.report.figures import Figure, number
from rapport.report.warehouse import Row


@dataclass(frozen=True, kw_only=True)
class _Spec:
    """How a column of a snapshot becomes a figure; `{}` in `says` is today's value."""

    says: str
    name: str
    hint: str
    column: str
    text: Text = words.count
    n_column: str | None = None
    n_noun: str = ""
    low_column: str | None = None
    high_column: str | None = None
    reference: float | None = None
    nothing: str = words.UNKNOWN


_COMMUNITY: Sequence[tuple[str, Sequence[_Spec]]] = (
    (
        "Who comes, who stays, who leaves",
        (
            _Spec(
                says="{} people active", name="Active",
                hint="did something in the 28 days before each date", column="active",
            ),
            _Spec(
                says="{} came for the first time", name="New",
                hint="first public act ever, within 28 days", column="new_members",
            ),
            _Spec(
                says="{} stayed", name="Stayed",
                hint="active in these 28 days and in the 28 before", column="retained",
            ),
            _Spec(
                says="{} came back", name="Came back",
                hint="active again after a longer absence", column="resurrected",
            ),
            _Spec(
                says="{} went quiet", name="Went quiet",
                hint="active in the 28 days before, not since", column="churned",
            ),
            _Spec(
                says="{} come for each one who leaves", name="Quick ratio",
                hint="(new + came back) / went quiet; under the dotted 1 it shrinks; n: who left",
                column="quick_ratio", text=words.ratio, n_column="churned", n_noun="who left",
                reference=1,
            ),
        ),
    ),
    (
        "Do questions get answered",
        (
            _Spec(
                says="{} answered within 7 days", name="Answered in 7 days",
                hint="of the questions of 28 days that are 7 days old; n: questions",
                column="answered_7d_share", text=words.percent, n_column="questions_7d",
                n_noun="questions",
            ),
            _Spec(
                says="Half are answered within {}", name="Median first response",
                hint="half wait less; the line reaches to nine of ten; n: questions",
                column="median_first_response_hours", text=words.duration, n_column="questions",
                n_noun="questions", high_column="p90_first_response_hours", nothing="no median",
            ),
            _Spec(
                says="{} of newcomers answered", name="Newcomers answered",
                hint="first questions answered within 7 days; n: questions",
                column="newcomer_answered_7d_share", text=words.percent,
                n_column="newcomer_questions_7d", n_noun="questions",
            ),
        ),
    ),
    (
        "Who carries it",
        (
            _Spec(
                says="{} people answered others", name="Helpers",
                hint="gave an answer within 28 days", column="helpers",
            ),
            _Spec(
                says="The busiest gives {} of the answers", name="Top helper's share",
                hint="of the answers by members; n: answers", column="top_helper_share",
                text=words.percent, n_column="member_answers", n_noun="answers",
            ),
            _Spec(
                says="Half of the answers come from as few as {}", name="Absence factor",
                hint="how many absences it can bear; n: helpers",
                column="helper_absence_factor", n_column="helpers", n_noun="helpers",
            ),
        ),
    ),
)  # fmt: skip

_CONCERNS = (
    _Spec(
        says="{} organizations went quiet", name="Went quiet",
        hint="beyond their own rhythm on that date, not yet gone", column="quiet",
    ),
    _Spec(
        says="{} hang on one contact", name="One contact",
        hint="one person carries 80 % of 180 days of contact", column="single",
    ),
    _Spec(
        says="{} wait for us", name="Slow answers",
        hint="messages or cases that waited too long on that date", column="slow",
    ),
)  # fmt: skip

_HELP: Sequence[tuple[str, str, Text]] = (
    ("Questions", "questions", words.count),
    ("Answered by today", "answered_share", words.percent),
    ("Median first response", "median_first_response_hours", words.duration),
    ("Solved", "solved_share", words.percent),
    ("Answers", "answers", words.count),
    ("Helpers", "helpers", words.count),
    ("Top helper's share", "top_helper_share", words.percent),
    ("Absence factor", "helper_absence_factor", words.count),
)
WINDOWS = (("28 days", ""), ("364 days", "_364d"), ("all time", "_ever"))


def windows(community: Row | None) -> list[tuple[str, list[str]]]:
    """Return (label, value per window) of help over 28 days, 364 days and all time."""
    return [
        (label, [text(number(community, column + suffix)) for _, suffix in WINDOWS])
        for label, column, text in _HELP
        if community
    ]


def community(history: Sequence[Row | None], as_of: date) -> list[tuple[str, list[Figure]]]:
    """Return headings with the figures of community health under each."""
    return [
        (heading, [_over_time(spec, history, as_of) for spec in specs])
        for heading, specs in _COMMUNITY
    ]


def headlines(
    history: Sequence[Row | None], concerns: Sequence[Row | None], as_of: date
) -> list[Figure]:
    """Return the few figures of the first page."""
    found = [
        _over_time(spec, concerns, as_of)
        for spec in _CONCERNS
        if any(row and row[spec.column] is not None for row in concerns)
    ]
    by_column = {spec.column: spec for _, specs in _COMMUNITY for spec in specs}
    if any(row and row["active"] is not None for row in history):
        for column in ("active", "answered_7d_share", "median_first_response_hours"):
            found.append(_over_time(by_column[column], history, as_of))
    return found


def active_people(engaged: Sequence[Row | None], as_of: date) -> list[Figure]:
    """Return how many people did something, and how closely, over a year."""
    specs = (
        _Spec(
            says="{} people did something in 28 days", name="Active people",
            hint="in any silo, without colleagues and bots", column="people_28d",
        ),
        _Spec(
            says="The median score is {}", name="Median score",
            hint="of those active within a year; the line spans the middle half; n: people",
            column="median_score", text=words.score, n_column="people_364d", n_noun="people",
            low_column="p25_score", high_column="p75_score",
        ),
    )  # fmt: skip
    return [_over_time(spec, engaged, as_of) for spec in specs] if any(engaged) else []


def score(scores: Sequence[Row]) -> Figure | None:
    """Return a year of an organization's score; None with nothing to compare."""
    known = [row for row in scores if row["score"] is not None]
    if len(known) < 2:
        return None
    spec = _Spec(
        says="The score stands at {}", name="Score",
        hint="0 to 100, by recency, rhythm, breadth and answers; n: contacts in 180 days",
        column="score", text=words.count, n_column="n", n_noun="contacts",
    )  # fmt: skip
    return _over_time(spec, scores[-14:], scores[-1]["as_of"])


def named(metric: str) -> str:
    """Return how the pages call a number that takes a goal."""
    known = {spec.column: spec.name for _, specs in _COMMUNITY for spec in specs}
    return known.get(metric) or words.goal(metric)


def meaning(metric: str) -> str:
    """Return what such a number is, where a figure says it; else nothing."""
    known = {spec.column: spec.hint for _, specs in _COMMUNITY for spec in specs}
    return known.get(metric, "").split("; n:")[0]


def goal(history: Sequence[Row | None], as_of: date) -> Figure:
    """Return a year of the number of a goal against its target; today's row has to be there."""
    row = history[-1]
    assert row is not None
    known = next(i for i, earlier in enumerate(history) if earlier)
    counted = row["unit"] in ("share", "hours", "days", "ratio")  # on how many, beside
    name = named(row["metric"])
    spec = _Spec(
        says=f"{name}: {{}}",
        name=name,
        hint=f"dotted: {row['direction']} {words.measure(row['target'], row['unit'])}"
        + ("; n: what it was counted on" if counted else ""),
        column="actual",
        text=lambda value: words.measure(value, row["unit"]),
        n_column="n" if counted else None,
        reference=row["target"],
    )
    return _over_time(spec, history[known:], as_of)


def _over_time(spec: _Spec, history: Sequence[Row | None], as_of: date) -> Figure:
    days = [
        row["as_of"] if row else as_of - timedelta(days=STEP_DAYS * (len(history) - 1 - i))
        for i, row in enumerate(history)
    ]
    marks = [_mark(spec, row, day) for row, day in zip(history, days, strict=True)]
    return Figure(
        title=_finding(spec, history),
        hint=spec.hint,
        spec=charts.as_json(charts.over_time(marks, spec.text, reference=spec.reference)),
        headings=("28 days to", spec.name, *(["n"] if spec.n_column else []), "How known"),
        rows=[_cells(spec, row, day) for row, day in zip(history, days, strict=True)][::-1],
    )


def _finding(spec: _Spec, history: Sequence[Row | None]) -> str:
    """Return today's value in words, and how it moved in 28 days."""
    today = history[-1]
    value = number(today, spec.column) if today else None
    if value is None:
        asked = today is not None and spec.n_column is not None and today[spec.n_column]
        return f"{spec.name}: {spec.nothing if asked else words.UNKNOWN}"
    said = spec.says.format(spec.text(value))
    earlier = history[-2] if len(history) > 1 else None
    before = number(earlier, spec.column) if earlier else None
    if before is None:
        return said
    if spec.text(before) == spec.text(value):
        return f"{said}, as 28 days before"
    return f"{said}, {'up' if value > before else 'down'} from {spec.text(before)}"


def _mark(spec: _Spec, row: Row | None, day: date) -> Mark:
    label = words.short_day(day)
    if row is None:
        return Mark(label=label, value=None, tip=f"{words.day(day)}: no snapshot", state="low")
    value, high = number(row, spec.column), number(row, spec.high_column)
    said = [spec.text(value)]
    if high is not None:
        said.append(f"up to {spec.text(high)}")
    if spec.n_column:
        said.append(f"n = {words.count(row[spec.n_column])} {spec.n_noun}")
    said.append(_known(row))
    return Mark(
        label=label,
        value=value,
        low=number(row, spec.low_column) if spec.low_column else value,
        high=high,
        n=row[spec.n_column] or 0 if spec.n_column else None,
        tip=f"{words.day(day)}: {', '.join(said)}",
        state=charts.state(row["basis"], row["coverage"]),
    )


def _cells(spec: _Spec, row: Row | None, day: date) -> list[str]:
    if row is None:
        return [words.numeric_day(day), "no snapshot", *(["?"] if spec.n_column else []), ""]
    value = spec.text(number(row, spec.column))
    high = number(row, spec.high_column)
    said = value if high is None else f"{value} (up to {spec.text(high)})"
    n = [words.count(row[spec.n_column])] if spec.n_column else []
    return [words.numeric_day(day), said, *n, _known(row)]


def _known(row: Row) -> str:
    if charts.state(row["basis"], row["coverage"]) == "low":
        return "low coverage"
    return "as known then" if row["basis"] == "as_known" else "rebuilt later"
