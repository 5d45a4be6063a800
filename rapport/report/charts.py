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
_LEFT, _RIGHT, _TOP, _BASE = 4, 4, 18, 96
_N_LINE, _DAY_LINE = 109, 126
LOW_COVERAGE = 0.5


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


def bars(marks: Sequence[Mark], text: Callable[[float | None], str], label: str) -> Markup:
    """Draw one bar per mark from zero; `text` words a value, `label` names the chart."""
    return _chart(marks, text, label, _bar)


def spreads(marks: Sequence[Mark], text: Callable[[float | None], str], label: str) -> Markup:
    """Draw one dot per median with a line up to its p90."""
    return _chart(marks, text, label, _dot)


Drawer = Callable[[Mark, float, float, Callable[[float], float]], str]


def _chart(
    marks: Sequence[Mark], text: Callable[[float | None], str], label: str, draw: Drawer
) -> Markup:
    top = max(
        (max(mark.value, mark.high or 0) for mark in marks if mark.value is not None), default=0
    )
    step = (WIDTH - _LEFT - _RIGHT) / max(len(marks), 1)

    def height(value: float) -> float:
        return _BASE - (value / top if top else 0) * (_BASE - _TOP)

    counts = all(mark.n is None for mark in marks)
    peak = max((m for m in marks if m.value is not None), key=lambda m: m.value or 0, default=None)
    last = len(marks) - 1
    parts = [f'<line class="axis" x1="0" x2="{WIDTH}" y1="{_BASE}" y2="{_BASE}"/>']
    for i, mark in enumerate(marks):
        middle = _LEFT + step * (i + 0.5)
        parts.append(f"<g><title>{escape(_sentence(mark, text))}</title>")
        if mark.value is None:
            parts.append(_text(middle, _BASE - 5, "?", "gap"))
        else:
            parts.append(draw(mark, middle, step, height))
            if counts:
                parts.append(
                    _text(middle, height(mark.value) - 4, words.compact(mark.value), "value")
                )
            elif mark is peak or i == last:
                above = height(max(mark.value, 0)) - 6
                anchor = "end" if i == last else "middle"
                x = WIDTH - 1 if i == last else max(middle, 22)
                if mark is not peak or i == last or last - i > 2:
                    parts.append(_text(x, above, text(mark.value), "value", anchor))
            if mark.n is not None:
                parts.append(_text(middle, _N_LINE, words.compact(mark.n), "n"))
        parts.append("</g>")
    for i, anchor in ((0, "start"), (len(marks) // 2, "middle"), (last, "end")):
        if marks:
            x = {"start": 1, "end": WIDTH - 1}.get(anchor, _LEFT + step * (i + 0.5))
            parts.append(_text(x, _DAY_LINE, words.short_day(marks[i].as_of), "day", anchor))
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _bar(mark: Mark, middle: float, step: float, height: Callable[[float], float]) -> str:
    assert mark.value is not None
    width, y = step * 0.68, height(mark.value)
    # A zero that is known still shows: a hairline on the axis, unlike a gap.
    return (
        f'<rect class="{mark.css}" x="{middle - width / 2:.1f}" y="{min(y, _BASE - 1):.1f}" '
        f'width="{width:.1f}" height="{max(_BASE - y, 1):.1f}" rx="1.5"/>'
    )


def _dot(mark: Mark, middle: float, step: float, height: Callable[[float], float]) -> str:
    assert mark.value is not None
    y = height(mark.value)
    spread = ""
    if mark.high is not None:
        spread = (
            f'<line class="spread" x1="{middle:.1f}" x2="{middle:.1f}" '
            f'y1="{y:.1f}" y2="{height(mark.high):.1f}"/>'
        )
    return f'{spread}<circle class="{mark.css}" cx="{middle:.1f}" cy="{y:.1f}" r="4"/>'


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


def gap(usual: float | None, current: float | None, scale: float) -> Markup:
    """Draw the current gap as a bar and the usual gap as its dark beginning, `scale` days wide."""
    if current is None or not scale:
        return Markup("")
    width = 120
    now = min(float(current) / scale, 1) * width
    drawn = [f'<rect class="now" x="0" y="2" width="{max(now, 1):.1f}" height="6" rx="3"/>']
    if usual is not None:
        before = min(float(usual) / scale, 1) * width
        drawn.append(
            f'<rect class="usual" x="0" y="2" width="{max(before, 1):.1f}" height="6" rx="3"/>'
        )
    return Markup(
        f'<svg class="gap" viewBox="0 0 {width} 10" aria-hidden="true">{"".join(drawn)}</svg>'
    )
