"""Charts as Vega-Lite specifications: snapshots over a year, spreads, acts per week.

Belongs here: marks, scales and sizes. Does not belong here: which number is drawn and in which
words (`panels`), colors (`templates/style.css`; a chart names them as CSS variables, so that it
follows light, dark and print).

Why Vega-Lite in the reader's browser, and not pictures made here: a chart is laid out for the
width it is shown at, so its letters stay readable on a phone; every mark tells its value and n
when pointed at; and a thousand pages cost nothing but their data (a picture costs 30 ms). The
library lies once beside the pages (`assets/`), speaks to nobody, and evaluates its expressions
with an interpreter, so that the pages can forbid `eval` and inline script. Without script, or
where a chart could not be drawn, the table under it stands open with the same numbers.

House rules: one axis, n at every mark, medians with their spread, what was rebuilt later
(`backcast`) hollow, what rests on few sources grey, and a gap in the data stays a gap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from rapport.report import words
from rapport.report.dossiers import WEEKS, Weeks

LIBRARY = f"vega-{version('vl-convert-python')}.js"  # Vega, Vega-Lite and Vega-Embed in one
LOW_COVERAGE = 0.5
FEW_ACTS = 4  # acts in a week that fill half a band, if no week has more
CUT = 4  # times the highest median: where the line up to a far higher end of a spread stops
_HEIGHT = 104
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_CONFIG: dict[str, Any] = {
    "background": None,
    "view": {"stroke": None},
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif",
    "axis": {
        "labelColor": "var(--soft)", "domainColor": "var(--grey)", "grid": False, "ticks": False,
        "title": None, "labelFontSize": 11, "labelPadding": 6,
    },
    "text": {"fontSize": 10.5, "fill": "var(--soft)"},
}  # fmt: skip
_FRAME: dict[str, Any] = {
    "$schema": _SCHEMA, "config": _CONFIG, "width": "container",
    "autosize": {"type": "fit-x", "contains": "padding"},
}  # fmt: skip
_TIP = {"field": "tip", "type": "nominal"}

Text = Callable[[float | None], str]
Spec = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One value in a chart.

    Attributes:
        label: where it stands on the axis, unique in its chart.
        value: what is drawn; None is a gap.
        low, high: its spread; None when unknown.
        n: how many the value rests on; None when the value is itself a count.
        tip: the whole of it as a sentence.
        state: `known`, `backcast` (rebuilt later) or `low` (few of its sources could be seen).
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    tip: str = ""
    state: str = "known"


def state(basis: str | None, coverage: float | None) -> str:
    """Return the state of a mark."""
    if coverage is not None and coverage < LOW_COVERAGE:
        return "low"
    return "known" if basis == "as_known" else "backcast"


def as_json(spec: Spec) -> Markup:
    """Return a specification as text that may stand inside a script element."""
    return Markup(escaped(json.dumps(spec, ensure_ascii=False, separators=(",", ":"))))


def escaped(text: str) -> str:
    """Return JSON in which no character of a stranger's name can end the element around it."""
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def over_time(marks: Sequence[Mark], text: Text, *, reference: float | None = None) -> Spec:
    """Draw a value per step: bars for counts, else points on a line, with spreads if known.

    A count is written over its bar, of other values the last one; n stands below each.
    """
    counts = all(mark.n is None for mark in marks)
    top = _top(marks, reference)
    last = next((mark for mark in reversed(marks) if mark.value is not None), None)
    values = [
        {
            "x": mark.label, "v": mark.value, "tip": mark.tip, "state": mark.state,
            "lo": mark.low, "hi": None if mark.high is None else min(mark.high, top),
            "n": words.compact(mark.n) if mark.value is not None and mark.n is not None else "",
            "over": "?" if mark.value is None
            else words.compact(mark.value) if counts
            else text(mark.value) if mark is last else "",
            "at": mark.value or 0, "row": i % 2,
        }
        for i, mark in enumerate(marks)
    ]  # fmt: skip
    y: Spec = {"field": "v", "type": "quantitative", "axis": None,
               "scale": {"domain": [0, top], "nice": False}}  # fmt: skip
    layers: list[Spec] = []
    if reference is not None:
        layers.append({
            "mark": {"type": "rule", "stroke": "var(--soft)", "strokeDash": [2, 3]},
            "encoding": {"y": {"datum": reference, "type": "quantitative"},
                         "x": {"value": 0}, "x2": {"value": "width"}},
        })  # fmt: skip
    if counts:
        layers.append({
            "mark": {"type": "bar", "cornerRadiusEnd": 1.5, "width": {"band": 0.7}},
            "encoding": {"y": y, "fill": _fill(), "tooltip": _TIP},
        })  # fmt: skip
    else:
        if any(mark.high is not None for mark in marks):
            layers.append({
                "mark": {"type": "rule", "stroke": "var(--spread)", "strokeWidth": 3,
                         "strokeCap": "round"},
                "encoding": {"y": {**y, "field": "lo"}, "y2": {"field": "hi"}},
            })  # fmt: skip
        layers += [
            {
                "mark": {"type": "line", "stroke": "var(--accent)", "strokeWidth": 1.2,
                         "opacity": 0.55, "invalid": "break-paths-show-domains"},
                "encoding": {"y": y},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 44, "opacity": 1,
                         "strokeWidth": 1.3},
                "encoding": {"y": y, "fill": _fill(), "stroke": _stroke(), "tooltip": _TIP},
            },
        ]  # fmt: skip
        layers += [
            {
                "transform": [{"filter": f"datum.row == {row}"}],
                "mark": {"type": "text", "baseline": "top", "fontSize": 9.5},
                "encoding": {"y": {"value": _HEIGHT + 4 + 11 * row}, "text": {"field": "n"},
                             "tooltip": _TIP},
            }
            for row in (0, 1)  # two rows: the numbers of a year do not fit beside each other
        ]  # fmt: skip
    layers.append({
        "mark": {"type": "text", "baseline": "bottom", "dy": -5,
                 "fill": "var(--ink)", "fontSize": 9 if counts else 11,
                 **({} if counts else {"align": "left", "baseline": "middle", "dx": 7, "dy": 0})},
        "encoding": {"y": {**y, "field": "at"}, "text": {"field": "over"}, "tooltip": _TIP},
    })  # fmt: skip
    shown = {marks[i].label: i for i in (0, len(marks) // 2, len(marks) - 1)} if marks else {}
    axis = {
        "labelExpr": f"indexof({json.dumps(list(shown))}, datum.value) >= 0 ? datum.label : ''",
        "labelAngle": 0, "labelOverlap": False, "labelPadding": 6 if counts else 28,
        "labelLimit": 90,
    }  # fmt: skip
    # Named in order: a layer that leaves gaps out would else put them last.
    x: Spec = {"field": "x", "type": "ordinal", "sort": [mark.label for mark in marks],
               "axis": axis}  # fmt: skip
    return _spec(values, layers, x, right=6 if counts else 30)


def steps(marks: Sequence[Mark], text: Text) -> Spec:
    """Draw a value per ordered step, each labelled: bars, or points with their spread."""
    spreads = any(mark.high is not None for mark in marks)
    top = _top(marks, None)
    values = [
        {
            "x": mark.label, "v": mark.value, "lo": mark.low, "hi": mark.high, "tip": mark.tip,
            "state": mark.state, "over": "?" if mark.value is None else text(mark.value),
            "at": mark.value or 0,
            "n": "" if mark.n is None else f"n {words.compact(mark.n)}",
        }
        for mark in marks
    ]  # fmt: skip
    y: Spec = {"field": "v", "type": "quantitative", "axis": None, "scale": {"domain": [0, top]}}
    layers: list[Spec]
    if spreads:
        layers = [
            {
                "mark": {"type": "rule", "stroke": "var(--spread)", "strokeWidth": 4,
                         "strokeCap": "round"},
                "encoding": {"y": {**y, "field": "lo"}, "y2": {"field": "hi"}, "tooltip": _TIP},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 56, "opacity": 1},
                "encoding": {"y": y, "fill": _fill(), "stroke": _stroke(), "tooltip": _TIP},
            },
        ]  # fmt: skip
    else:
        layers = [{
            "mark": {"type": "bar", "cornerRadiusEnd": 2, "width": {"band": 0.6}},
            "encoding": {"y": y, "fill": _fill(), "tooltip": _TIP},
        }]  # fmt: skip
    layers += [
        {
            "mark": {"type": "text", "fill": "var(--ink)",
                     **({"align": "left", "dx": 7} if spreads
                        else {"baseline": "bottom", "dy": -4})},
            "encoding": {"y": {**y, "field": "at"}, "text": {"field": "over"}},
        },
        {
            "mark": {"type": "text", "baseline": "top", "fontSize": 9.5},
            "encoding": {"y": {"value": _HEIGHT + 4}, "text": {"field": "n"}},
        },
    ]  # fmt: skip
    axis = {"labelAngle": 0, "labelPadding": 19, "labelOverlap": False, "labelLimit": 60}
    return _spec(values, layers, {"field": "x", "type": "ordinal", "sort": None, "axis": axis})


def ranges(marks: Sequence[Mark], text: Text) -> Spec:
    """Draw one line per named row: its spread, its median, and both in figures beside it."""
    top = max([mark.high or mark.value or 0 for mark in marks], default=0) or 1
    values = [
        {
            "row": mark.label, "v": mark.value, "lo": mark.low, "hi": mark.high, "tip": mark.tip,
            "state": mark.state, "end": mark.high if mark.high is not None else mark.value or 0,
            "said": f"{text(mark.value)}  n {words.compact(mark.n)}",
        }
        for mark in marks
    ]  # fmt: skip
    x: Spec = {"field": "v", "type": "quantitative", "axis": None,
               "scale": {"domain": [0, top * 1.55]}}  # fmt: skip
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "stroke": "var(--spread)", "strokeWidth": 5,
                     "strokeCap": "round"},
            "encoding": {"x": {**x, "field": "lo"}, "x2": {"field": "hi"}, "tooltip": _TIP},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": x, "fill": _fill(), "stroke": _stroke(), "tooltip": _TIP},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 9, "fontSize": 11},
            "encoding": {"x": {**x, "field": "end"}, "text": {"field": "said"}, "tooltip": _TIP},
        },
    ]  # fmt: skip
    axis = {"labelLimit": 110, "domain": False, "labelColor": "var(--ink)"}
    return {
        **_FRAME, "height": 26 * max(len(marks), 1),
        "data": {"values": values}, "layer": layers,
        "encoding": {"y": {"field": "row", "type": "ordinal", "sort": None, "axis": axis}},
    }  # fmt: skip


def weekly(weeks: Weeks, as_of: date, quiet_since: date | None) -> Spec:
    """Draw a year of acts per week, a band per silo: theirs upwards, ours downwards.

    Args:
        weeks: (first day, silo, theirs) -> acts.
        quiet_since: their last sign of life; the days since are shaded.
    """
    silos = sorted({silo for _, silo, _ in weeks})
    top = max(FEW_ACTS, *weeks.values())
    first = as_of - timedelta(days=7 * WEEKS - 1)
    values = [
        {
            "x": (day - first).days + 3, "y": silos.index(silo), "theirs": theirs,
            "y2": silos.index(silo) + (-1 if theirs else 1) * 0.42 * (n / top) ** 0.5,
            "tip": f"{words.week(day)}: {words.silo(silo)}, "
            f"n = {n} {'by them' if theirs else 'by us'}",
        }
        for (day, silo, theirs), n in sorted(weeks.items())
    ]  # fmt: skip
    days = [first + timedelta(days=i) for i in range(7 * WEEKS)]
    quarters = [day for day in days if day.day == 1 and day.month % 3 == as_of.month % 3]
    x: Spec = {
        "field": "x", "type": "quantitative",
        "scale": {"domain": [0, 7 * WEEKS - 1], "nice": False, "zero": False},
        "axis": {
            "values": [(day - first).days for day in quarters], "labelFlush": True,
            "labelExpr": f"{json.dumps([words.month(day) for day in quarters])}"
            f"[indexof({json.dumps([(day - first).days for day in quarters])}, datum.value)]",
        },
    }  # fmt: skip
    names = [words.silo(silo) for silo in silos]
    y: Spec = {"field": "y", "type": "quantitative",
               "axis": {"values": list(range(len(silos))), "domain": False,
                        "labelExpr": f"{json.dumps(names, ensure_ascii=False)}[datum.value]",
                        "labelColor": "var(--ink)", "labelLimit": 90},
               "scale": {"domain": [-0.6, len(silos) - 0.4], "reverse": True, "nice": False,
                         "zero": False}}  # fmt: skip
    layers: list[Spec] = []
    if quiet_since is not None and first <= quiet_since < as_of:
        layers.append({
            "data": {"values": [{"x": (quiet_since - first).days, "x2": 7 * WEEKS - 1}]},
            "mark": {"type": "rect", "fill": "var(--warm)", "opacity": 0.1},
            "encoding": {"x": x, "x2": {"field": "x2"}},
        })  # fmt: skip
    layers += [
        {
            "data": {"values": [{"y": i} for i in range(len(silos))]},
            "mark": {"type": "rule", "stroke": "var(--line)"},
            "encoding": {"y": y},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 4},
            "encoding": {
                "x": x, "y": y, "y2": {"field": "y2"}, "tooltip": _TIP,
                "stroke": {"field": "theirs", "type": "nominal", "legend": None,
                           "scale": {"domain": [True, False],
                                     "range": ["var(--accent)", "var(--ours)"]}},
            },
        },
    ]  # fmt: skip
    return {
        **_FRAME,
        "height": 56 * max(len(silos), 1), "data": {"values": values}, "layer": layers,
    }  # fmt: skip


def _spec(
    values: Sequence[Mapping[str, Any]], layers: Sequence[Spec], x: Spec, right: int = 30
) -> Spec:
    return {
        **_FRAME, "height": _HEIGHT,
        "padding": {"left": 4, "right": right, "top": 4, "bottom": 2},
        "data": {"values": values}, "encoding": {"x": x}, "layer": layers,
    }  # fmt: skip


def _top(marks: Sequence[Mark], reference: float | None) -> float:
    """Return the upper end of the axis.

    One long tail must not press everything else flat: its line is cut, its words are not.
    """
    tallest = max((mark.value for mark in marks if mark.value is not None), default=0)
    highest = max((mark.high for mark in marks if mark.high is not None), default=0)
    return max(tallest, min(highest, CUT * tallest), reference or 0) * 1.08 or 1


def _fill() -> Spec:
    return _by_state("var(--accent)", "var(--accent-soft)", "var(--grey)")


def _stroke() -> Spec:
    return _by_state("var(--accent)", "var(--accent)", "var(--grey)")


def _by_state(known: str, backcast: str, low: str) -> Spec:
    return {"field": "state", "type": "nominal", "legend": None,
            "scale": {"domain": ["known", "backcast", "low"],
                      "range": [known, backcast, low]}}  # fmt: skip
