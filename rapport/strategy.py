"""strategy.yml: the one file a leader edits, checked and turned into rows that SQL joins.

Belongs here: its keys, their defaults and their meaning as parameters. Does not belong here:
any formula (`dbt_project/models/metrics`). Without the file every descriptive number is built
and no verdict.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from rapport.config import convert, read_yaml

STRATEGY_NAME = "strategy.yml"


class Vision(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the relationships are for.

    Attributes:
        statement: one sentence, shown on the report.
        archetype: which kind of relationship network this is.
    """

    statement: str
    archetype: Literal["marketplace", "community", "concierge", "peer", "utility"]


class Defection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """When a person or organization counts as gone.

    Attributes:
        quiet_days: days without any activity.
    """

    quiet_days: int = 180


class Events(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the words of the metrics mean here."""

    defection: Defection = msgspec.field(default_factory=Defection)


class Behaviors(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How much each behavior counts and how fast it fades.

    Attributes:
        weights: behavior -> weight, 0 to 10; 0 means it happened to them, not by them.
        half_life_days: behavior -> days until half of it has faded; `default` for the rest.
    """

    weights: dict[str, float] = {}
    half_life_days: dict[str, float] = {}


class Community(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """When a community is called thriving; below any bound it is not.

    Attributes:
        quick_ratio: (new + returned) / lost, at least.
        answered_share: share of questions answered by a person within seven days, at least.
        absence_factor: people who together give half of the answers, at least.
    """

    quick_ratio: float = 1.0
    answered_share: float = 0.8
    absence_factor: int = 5


class Levels(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Current silence against a person's or organization's own usual gap.

    Attributes:
        slowing: from this multiple on, slowing down.
        quiet: from this multiple on, quiet.
    """

    slowing: float = 2.0
    quiet: float = 4.0


class Strategy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole file; every key but `vision` has a default."""

    version: str
    vision: Vision
    event_definitions: Events = msgspec.field(default_factory=Events)
    behaviors: Behaviors = msgspec.field(default_factory=Behaviors)
    community: Community = msgspec.field(default_factory=Community)
    disengagement: Levels = msgspec.field(default_factory=Levels)


def load(path: Path) -> Strategy | None:
    """Return the checked strategy, or None when the file does not exist.

    Raises:
        ConfigError: a key or a value is not known.
    """
    if not path.exists():
        return None
    tree = read_yaml(path) or {}
    if isinstance(tree, dict) and "version" in tree:
        tree["version"] = str(tree["version"])
    strategy: Strategy = convert(tree, Strategy, path.name)
    return strategy


def fingerprint(path: Path) -> str:
    """Return the file's text, or nothing when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def parameters(path: Path) -> tuple[list[tuple[str, float, float | None]], list[tuple[str, str]]]:
    """Return the rows of `control.behavior_weights` and `control.settings`.

    Weights: (behavior, weight, half_life_days or None for the default of its behavior).
    """
    strategy = load(path)
    chosen = strategy or Strategy(
        version="none", vision=Vision(statement="", archetype="community")
    )
    lives = chosen.behaviors.half_life_days
    weights = [
        (behavior, weight, lives.get(behavior, lives.get("default")))
        for behavior, weight in sorted(chosen.behaviors.weights.items())
    ]
    settings = [
        ("has_strategy", "true" if strategy else "false"),
        ("strategy_version", chosen.version),
        ("quiet_days", str(chosen.event_definitions.defection.quiet_days)),
        ("thriving_quick_ratio", str(chosen.community.quick_ratio)),
        ("thriving_answered_share", str(chosen.community.answered_share)),
        ("thriving_absence_factor", str(chosen.community.absence_factor)),
        ("slowing_gap_ratio", str(chosen.disengagement.slowing)),
        ("quiet_gap_ratio", str(chosen.disengagement.quiet)),
    ]
    return weights, settings


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of strategy.yml for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": STRATEGY_NAME,
    } | msgspec.json.schema(Strategy)
