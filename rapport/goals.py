"""What a goal of strategy.yml can be about: the numbers that stand per segment.

Belongs here: which columns of the relationship tables take a goal, which never do and why, and
a goal's words as values. Does not belong here: the shape of strategy.yml (`rapport.strategy`),
how a goal fares (`rel_scoreboard`).

The columns come from the YAML beside the dbt models; the macro `goal_columns` names the same ones.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import yaml

from connectors.errors import ConfigError, suggestion
from rapport.dbt import PROJECT

GRAIN = ["as_of", "basis", "segment_type", "segment"]
"""The key of a table whose numbers take goals: one row per snapshot and segment."""

_NO_GOALS = ("n", "coverage", "window_days")  # how a number was made, not how a relationship fares
_HANDLE_TIME = re.compile(r"handl(e|ing)_?(time|hours|minutes)|talk_time|work_hours|aht")
_STAFF_ACTS = re.compile(
    r"(calls|e?mails|meetings|visits|tasks|touches|activities|contacts|messages|cases|tickets)_"
    r"(made|sent|held|logged|done|created|closed|handled|per_\w+)"
)
TARGET = re.compile(r"^(>=|<=) *(-?\d+(?:\.\d+)?)$")
_MONEY = re.compile(r"[$€£¥]|\b[A-Z]{3}\b")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A column that takes goals.

    Attributes:
        table: the relationship table it stands in.
        name: the column.
        unit: what it is counted in.
        is_additive: the numbers of segments add up to that of the whole.
    """

    table: str
    name: str
    unit: str
    is_additive: bool


def metric(name: str, where: str) -> Metric:
    """Return the column that a goal names.

    Raises:
        ConfigError: it is an amount of money, what staff does or how long they take, no column,
            or one that does not stand per segment.
    """
    if _HANDLE_TIME.search(name):
        raise ConfigError(
            f"{where} is `{name}`, the time our people take. Who is timed hurries others off; "
            "set a goal for what the other side gets, like `answered_7d_share`."
        )
    if _STAFF_ACTS.search(name):
        raise ConfigError(
            f"{where} is `{name}`, how much our people do. More of it is no better relationship; "
            "set a goal for what the other side does, like `reciprocity`."
        )
    known = {one.name: one for one in metrics()}
    if name in known:
        return known[name]
    others = {column["name"]: (table, column) for table, _, column in columns()}
    if name not in others:
        raise ConfigError(
            f"{where} is `{name}`, which is no column of a relationship table."
            f"{suggestion(name, known)} docs/strategy.md tells which columns take goals."
        )
    table, column = others[name]
    if column["config"]["meta"].get("unit") == "money":
        raise ConfigError(
            f"{where} is `{name}`, an amount of money. A relationship has no goal in money; "
            "set one for what people do, and watch the amount beside it."
        )
    raise ConfigError(
        f"{where} is `{name}`, which is no number per segment in `{table}`."
        f"{suggestion(name, known)} docs/strategy.md tells which columns take goals."
    )


@cache
def metrics() -> tuple[Metric, ...]:
    """Return every column that takes goals, by table and place in it; no name stands twice."""
    return tuple(
        Metric(
            table=table,
            name=column["name"],
            unit=column["config"]["meta"]["unit"],
            is_additive=column["config"]["meta"]["additivity"] != "none",
        )
        for table, grain, column in columns()
        if grain == GRAIN
        and "additivity" in column["config"]["meta"]
        and column["config"]["meta"]["unit"] != "money"
        and column["name"] not in _NO_GOALS
    )


def target(written: str, where: str) -> tuple[str, float]:
    """Return comparison and number of a target like `>= 0.8`.

    Raises:
        ConfigError: it is an amount of money, or no comparison with a number.
    """
    if _MONEY.search(written):
        raise ConfigError(
            f"{where} is `{written}`, an amount of money. A relationship has no goal in money; "
            "set one for what people do, and watch the amount beside it."
        )
    found = TARGET.fullmatch(written.strip())
    if not found:
        raise ConfigError(
            f"{where} is `{written}`. Write at least or at most a number: `>= 0.8` or `<= 24`."
        )
    return found[1], float(found[2])


def due_on(written: str, where: str) -> date:
    """Return the day by which a goal is to be reached; the last one of a month.

    Raises:
        ConfigError: it is neither a day nor a month.
    """
    month = _MONTH.fullmatch(written)
    try:
        if month:
            year, number = int(month[1]), int(month[2])
            return date(year, number, calendar.monthrange(year, number)[1])
        return date.fromisoformat(written)
    except (ValueError, calendar.IllegalMonthError):
        raise ConfigError(
            f"{where} is `{written}`. Write a day like `2027-03-31` or a month like `2027-03`."
        ) from None


@cache
def columns() -> tuple[tuple[str, list[str], Mapping[str, Any]], ...]:
    """Return (table, its key, column) of all relationship tables."""
    return tuple(_read_columns())


def _read_columns() -> Iterator[tuple[str, list[str], Mapping[str, Any]]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted((PROJECT / "models" / "metrics").glob("rel_*.yml")):
        for model in yaml.load(path.read_text(encoding="utf-8"), loader)["models"]:
            [key] = [
                test["primary_key"]["arguments"]["columns"]
                for test in model["data_tests"]
                if "primary_key" in test
            ]
            for column in model["columns"]:
                yield model["name"], key, column
