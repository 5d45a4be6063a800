"""Small charts as inline SVG: twelve months of one number, and a gap against a usual gap.

Belongs here: geometry. Does not belong here: which number is drawn (`panels`), colors and fonts
(`templates/style.css`, by class).

House rules: one axis each, n at every mark, medians with their spread, what was rebuilt later
(`backcast`) hollow, what rests on few sources grey, and a gap in the data stays a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup, escape

from rapport.report import words

WIDTH, HEIGHT = 340, 132
_LEFT, _RIGHT, _TOP = 4, 4, 18
_BASE, _BASE_OF_COUNTS = 97, 110  # counts need no line of n below
_N_LINE, _DAY_LINE = 109, 127
LOW_COVERAGE = 0.5
CUT = 5  # times the highest median: where the line up to a p90 ends
FULL_GAP_DAYS = 90  # silence that fills its bar


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One snapshot in a chart.

    Attributes:
        as_of: the snapshot's day.
        basis: `as_known` or `backcast`; None when there is no snapshot.
        value: what is drawn; None is a gap.
        n: how many the value rests on; None when the value is itself a count.
        high: upper end of the spread (p90); None when unknown.
        coverage: share of the needed sources that could be seen.
    """

    as_of: date
    basis: str | None
    value: float | None
    n: int | None = None
    high: float | None = None
    coverage: float = 1.0

    @property
    def css(self) -> str:
        """Return the mark's classes."""
        if self.coverage < LOW_COVERAGE:
            return "mark low"
        return "mark known" if self.basis == "as_known" else "mark backcast"


def bars(
    marks: Sequence[Mark],
    text: Callable[[float | None], str],
    label: str,
    reference: float | None = None,
) -> Markup:
    """Draw one bar per mark from zero; `text` words a value, `label` names the chart.

    A count is written over its bar; of other values only the highest and the last are, and n
    stands below each. `reference` is a value to compare with, drawn as a line.
    """
    frame = _Frame(marks, reference or 0)
    numbered = [mark for mark in marks if mark.value is not None]
    peak = max(numbered, key=lambda mark: mark.value or 0, default=None)
    drawn = []
    for i, mark in enumerate(marks):
        if mark.value is None:
            drawn.append(frame.gap(i))
            continue
        x, y, width = frame.middle(i), frame.y(mark.value), frame.step * 0.68
        # A zero that is known still shows: a hairline on the axis, unlike a gap.
        drawn.append(
            f'<rect class="{mark.css}" x="{x - width / 2:.1f}" y="{min(y, frame.base - 1):.1f}" '
            f'width="{width:.1f}" height="{max(frame.base - y, 1):.1f}" rx="1.5"/>'
        )
        if mark.n is None:
            drawn.append(_text(x, y - 4, words.compact(mark.value), "value"))
        elif i == len(marks) - 1:
            drawn.append(_text(WIDTH - 1, y - 5, text(mark.value), "value", "end"))
        elif mark is peak and i < len(marks) - 3:
            drawn.append(_text(max(x, 16), y - 5, text(mark.value), "value"))
    if reference and numbered:
        y = frame.y(reference)
        drawn.append(f'<line class="reference" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return frame.chart(drawn, text, label)


def spreads(marks: Sequence[Mark], text: Callable[[float | None], str], label: str) -> Markup:
    """Draw one dot per median with a line up to its p90; the highest p90 is written over it."""
    frame = _Frame(marks)
    highest = max((m for m in marks if m.high is not None), key=lambda m: m.high or 0, default=None)
    drawn = []
    for i, mark in enumerate(marks):
        if mark.value is None:
            drawn.append(frame.gap(i))
            continue
        x, y = frame.middle(i), frame.y(mark.value)
        if mark.high is not None:
            drawn.append(
                f'<line class="spread" x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{y:.1f}" y2="{frame.y(mark.high):.1f}"/>'
            )
        if mark is highest:
            drawn.append(_text(min(max(x, 16), WIDTH - 20), _TOP - 5, text(mark.high), "day"))
        drawn.append(f'<circle class="{mark.css}" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>')
    return frame.chart(drawn, text, label)


class _Frame:
    """The plane of one chart: from values to points, and what every chart shows."""

    def __init__(self, marks: Sequence[Mark], at_least: float = 0) -> None:
        self._marks = marks
        values = [mark.value for mark in marks if mark.value is not None]
        highs = [mark.high for mark in marks if mark.high is not None]
        # One long tail must not press everything else flat: its line is cut, its words are not.
        tallest = max(values, default=0)
        self._top = max([at_least, tallest, min(max(highs, default=0), CUT * tallest)])
        counts = all(mark.n is None for mark in marks)
        self.base = _BASE_OF_COUNTS if counts else _BASE
        self.step = (WIDTH - _LEFT - _RIGHT) / max(len(marks), 1)

    def middle(self, i: int) -> float:
        return _LEFT + self.step * (i + 0.5)

    def y(self, value: float) -> float:
        return self.base - min(value / self._top if self._top else 0, 1) * (self.base - _TOP)

    def gap(self, i: int) -> str:
        return _text(self.middle(i), self.base - 5, "?", "gap")

    def chart(
        self, drawn: Sequence[str], text: Callable[[float | None], str], label: str
    ) -> Markup:
        """Return the chart: axis, marks, n below each, three days, and a sentence per mark."""
        parts = [f'<line class="axis" x1="0" x2="{WIDTH}" y1="{self.base}" y2="{self.base}"/>']
        parts += drawn
        for i, mark in enumerate(self._marks):
            if mark.n is not None:
                parts.append(_text(self.middle(i), _N_LINE, words.compact(mark.n), "n"))
            # Transparent and as tall as the chart: the sentence shows wherever one points.
            parts.append(
                f'<rect class="touch" x="{_LEFT + self.step * i:.1f}" y="0" '
                f'width="{self.step:.1f}" height="{HEIGHT}">'
                f"<title>{escape(_sentence(mark, text))}</title></rect>"
            )
        last = len(self._marks) - 1
        for i, x, anchor in (
            (0, 1, "start"), (last // 2, self.middle(last // 2), "middle"), (last, WIDTH - 1, "end")
        ):  # fmt: skip
            if self._marks:
                day = words.short_day(self._marks[i].as_of)
                parts.append(_text(x, _DAY_LINE, day, "day", anchor))
        return Markup(
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
        )


def _sentence(mark: Mark, text: Callable[[float | None], str]) -> str:
    if mark.basis is None:
        return f"28 days to {words.day(mark.as_of)}: no snapshot"
    facts = [text(mark.value)]
    if mark.high is not None:
        facts.append(f"nine of ten within {text(mark.high)}")
    if mark.n is not None:
        facts.append(f"n = {words.count(mark.n)}")
    facts.append("as known then" if mark.basis == "as_known" else "rebuilt from what is known now")
    if mark.coverage < LOW_COVERAGE:
        facts.append("low coverage")
    return f"28 days to {words.day(mark.as_of)}: {', '.join(facts)}"


def _text(x: float, y: float, content: str, css: str, anchor: str = "middle") -> str:
    return (
        f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def gap(usual: float | None, current: float | None) -> Markup:
    """Draw the usual gap as a bar over the current one; 90 days and more fill the width."""
    if current is None:
        return Markup("")
    width = 120

    def bar(css: str, days: float, y: int) -> str:
        length = max(min(float(days) / FULL_GAP_DAYS, 1) * width, 2)
        return f'<rect class="{css}" x="0" y="{y}" width="{length:.1f}" height="4" rx="2"/>'

    drawn = [bar("now", current, 5)]
    if usual is not None:
        drawn.append(bar("usual", usual, 0))
    return Markup(
        f'<svg class="gap" viewBox="0 0 {width} 10" aria-hidden="true">{"".join(drawn)}</svg>'
    )
