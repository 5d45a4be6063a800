"""Figures about one moment: segments, the second and third time, a year of contact by week.

Belongs here: what such a figure says, and its numbers as a table. Does not belong here: figures
over twelve months of snapshots (`panels`), marks and scales (`charts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from rapport.report import charts, words
from rapport.report.charts import Mark
from rapport.report.dossiers import Weeks
from rapport.report.warehouse import Row

ENOUGH = 10  # people from whom on a segment is compared in words


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One chart, ready for a page.

    Attributes:
        title: what it says, in words.
        hint: how it is counted and over which time.
        spec: Vega-Lite, as text for a script element.
        headings, rows: the same numbers as a table.
    """

    title: str
    hint: str
    spec: Markup
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def by_segment(rows: Sequence[Row]) -> Figure:
    """Return the median score of the segments of one rule, with quartiles."""
    marks = [
        Mark(
            label=words.name(row["segment"]),
            value=number(row, "median_score"),
            low=number(row, "p25_score"),
            high=number(row, "p75_score"),
            n=row["n"],
            tip=f"{words.name(row['segment'])}: median {words.score(row['median_score'])}, "
            f"middle half {words.score(row['p25_score'])} to {words.score(row['p75_score'])}, "
            f"n = {words.count(row['n'])} people",
            state=charts.state("as_known", row["coverage"]),
        )
        for row in rows
    ]
    kind = words.kind(rows[0]["segment_type"])
    named = [row for row in rows if row["n"] and row["segment"] != "unknown"]
    told = [row for row in named if row["n"] >= ENOUGH]
    bound = f"{ENOUGH} people or more"
    if len(told) > 1:
        best = max(told, key=lambda row: row["median_score"])
        title = f"By {kind}, closest to us: {words.name(best['segment'])}"
        if len(told) < len(named):
            title += f", of segments with {bound}"
    elif told:
        title = f"By {kind}, only {words.name(told[0]['segment'])} has {bound}"
    else:
        title = f"By {kind}, no segment has {bound}"
    return Figure(
        title=title,
        hint="the dot is the median score of those active within a year, the line spans the "
        "middle half; n: people",
        spec=charts.as_json(charts.ranges(marks, words.score)),
        headings=(kind.capitalize(), "Median score", "Middle half", "n"),
        rows=[
            (
                words.name(row["segment"]),
                words.score(row["median_score"]),
                _spread(words.score, row["p25_score"], row["p75_score"]),
                words.count(row["n"]),
            )
            for row in rows
        ],
    )


def reached(step: str, rows: Sequence[Row]) -> Figure:
    """Return which share gets to the second, third, fourth time."""
    noun = words.kind(step)
    marks = [
        Mark(
            label=words.ordinal(row["ordinal"]),
            value=row["reached_share"],
            n=row["started"],
            tip=f"{words.ordinal(row['ordinal'])} {noun}: {words.percent(row['reached_share'])}, "
            f"{words.count(row['reached'])} of n = {words.count(row['started'])}",
            state=charts.state("as_known", row["coverage"]),
        )
        for row in rows
    ]
    return Figure(
        title=f"{words.percent(rows[0]['reached_share'])} come to a second {noun}",
        hint="of those who began at any time, however long ago; n: who began",
        spec=charts.as_json(charts.steps(marks, words.percent)),
        headings=("Time", "Share", "Got there", "Began"),
        rows=[
            (
                words.ordinal(row["ordinal"]),
                words.percent(row["reached_share"]),
                words.count(row["reached"]),
                words.count(row["started"]),
            )
            for row in rows
        ],
    )


def paced(step: str, rows: Sequence[Row]) -> Figure:
    """Return how many days people need from the first time."""
    noun = words.kind(step)
    marks = [
        Mark(
            label=words.ordinal(row["ordinal"]),
            value=number(row, "median_days"),
            low=number(row, "p25_days"),
            high=number(row, "p75_days"),
            n=row["reached"],
            tip=f"{words.ordinal(row['ordinal'])} {noun}: half within "
            f"{words.days(row['median_days'])}, middle half {words.days(row['p25_days'])} to "
            f"{words.days(row['p75_days'])}, n = {words.count(row['reached'])}",
            state=charts.state("as_known", row["coverage"]),
        )
        for row in rows
    ]
    return Figure(
        title=f"Half of them need {words.days(rows[0]['median_days'])} to the second",
        hint="days from the first; the dot is the median, the line spans the middle half; "
        "n: who got there",
        spec=charts.as_json(charts.steps(marks, words.bare)),
        headings=("Time", "Median", "Middle half", "n"),
        rows=[
            (
                words.ordinal(row["ordinal"]),
                words.days(row["median_days"]),
                _spread(words.days, row["p25_days"], row["p75_days"]),
                words.count(row["reached"]),
            )
            for row in rows
        ],
    )


def survival(row: Row) -> Figure:
    """Return which share of relationships is still there after so many days."""
    days = (30, 90, 180, 270, 365, 545, 730)
    step = words.kind(row["step"])
    shares = [row[f"alive_{day}d"] for day in days]
    marks = [
        Mark(
            label=str(day),
            value=share,
            tip=f"{words.percent(share)} last longer than {words.days(day)}, "
            f"n = {words.count(row['watched'])}",
            state=charts.state("as_known", row["coverage"]),
        )
        for day, share in zip(days, shares, strict=True)
    ]
    return Figure(
        title=f"{step.capitalize()}: {words.percent(row['alive_365d'])} last longer than a year",
        hint=f"share whose lifetime is longer than so many days; n = {words.count(row['watched'])}",
        spec=charts.as_json(charts.steps(marks, words.percent)),
        headings=("Longer than", "Share"),
        rows=[
            (words.days(day), words.percent(share)) for day, share in zip(days, shares, strict=True)
        ],
    )


def weekly(weeks: Weeks, as_of: date, quiet_since: date | None) -> Figure | None:
    """Return a year of contact per silo; None when there was none."""
    if not weeks:
        return None
    theirs = sum(n for (_, _, by_them), n in weeks.items() if by_them)
    ours = sum(weeks.values()) - theirs
    months: dict[date, dict[tuple[str, bool], int]] = {}
    columns = sorted({(silo, by_them) for _, silo, by_them in weeks})
    for (day, silo, by_them), n in sorted(weeks.items()):
        month = months.setdefault(day.replace(day=1), {})
        month[silo, by_them] = month.get((silo, by_them), 0) + n
    return Figure(
        title=f"{words.plural(theirs, 'act')} by them, {words.count(ours)} by us in 52 weeks",
        hint="",
        spec=charts.as_json(charts.weekly(weeks, as_of, quiet_since)),
        headings=("Month", *(f"{words.silo(s)}, {'them' if t else 'us'}" for s, t in columns)),
        rows=[
            (words.month(day), *(words.count(found.get(column, 0)) for column in columns))
            for day, found in sorted(months.items(), reverse=True)
        ],
    )


def _spread(text: charts.Text, low: float | None, high: float | None) -> str:
    return words.UNKNOWN if low is None or high is None else f"{text(low)} to {text(high)}"


def number(row: Row | None, column: str | None) -> float | None:
    """Return a column as a floating number; None where it is unknown."""
    value = row[column] if row and column else None
    return None if value is None else float(value)
