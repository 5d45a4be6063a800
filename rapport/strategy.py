"""strategy.yml: the one file a leader edits, checked and turned into rows that SQL joins.

Belongs here: its keys, their defaults and their meaning as parameters. Does not belong here:
any formula (`dbt_project/models/metrics`). Without the file every descriptive number is built
and no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from connectors.base import PrivateFact
from connectors.errors import ConfigError, suggestion
from rapport import goals, tiers
from rapport.config import convert, read_yaml
from rapport.private import CLASSES, STEMS

STRATEGY_NAME = "strategy.yml"
EVERYBODY = "all"
"""Type and value of the segment that is the whole business."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


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
        save_list: how many an owner can look after at a time.
    """

    slowing: float = 2.0
    quiet: float = 4.0
    save_list: int = 20


class EngagementLevels(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who counts as leading, contributing and participating; the rest is exploring.

    Shares of the people who did something within a year, by engagement score: 0.98 means that
    98 of 100 have a lower one.
    """

    leading: float = 0.98
    contributing: float = 0.90
    participating: float = 0.60


class Value(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the value of a relationship is counted with; what is not said stays unknown.

    Attributes:
        outlook_days: how far expectations look ahead.
        margin_share: what is left of a sale, as a share of it, before the cost to serve.
        service_hour: what an hour of ours costs, in the home currency of rapport.yml.
        service_minutes: kind of act of ours -> minutes it takes.
    """

    outlook_days: int = 365
    margin_share: float | None = None
    service_hour: float | None = None
    service_minutes: dict[str, float] = {}


class Owners(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which role answers where a record names nobody of us.

    Attributes:
        relationships: for people and organizations without an owner.
        community: for the community as a whole and its parts.
        processes: for the steps of cases and conversations.
        qualities: for what erodes trust, respect, appreciation, communication, kindness.
    """

    relationships: str = "leadership"
    community: str = "leadership"
    processes: str = "leadership"
    qualities: str = "leadership"


class Privacy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What nobody's record may tell, and how long what people told themselves counts.

    Attributes:
        fetched_personal: what is found out about somebody is denied; nothing else can be chosen.
        deny_classes: private facts that are refused wherever a field or an interest names one.
        volunteered_expiry_days: days after which an interest somebody told us is not used any
            more, unless told again.
    """

    fetched_personal: Literal["deny"] = "deny"
    deny_classes: list[PrivateFact] = msgspec.field(default_factory=lambda: list(CLASSES))
    volunteered_expiry_days: int = 730


class CadenceStep(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A kind of day whose repetition is measured, beside days with a purchase.

    Attributes:
        name: what the step is called in `rel_cadence`.
        behaviors: an act of any of them makes the day count.
        where: `community` counts public acts in forums and social places alone.
    """

    name: str
    behaviors: list[str]
    where: Literal["anywhere", "community"] = "anywhere"


CONTRIBUTION = CadenceStep(
    name="contribution",
    behaviors=["post", "question", "answer", "accepted_answer", "reply", "comment"],
    where="community",
)


class SegmentValue(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a segment's value stands; exactly one of the two.

    Attributes:
        custom: a custom field that rapport.yml takes, of people or of their organizations.
        column: `party_kind`, `industry` or `owner` (who of us looks after them).
    """

    custom: str | None = None
    column: Literal["party_kind", "industry", "owner"] | None = None


Indicator = Literal[
    "accepted_never_thanked",
    "answered_within_day",
    "answers_thanked",
    "asked_again",
    "cases_reopened",
    "contributions_thanked",
    "conversations_begun",
    "handed_on",
    "left_unanswered",
    "mailings_opted_out",
    "mailings_responded",
    "newcomers_answered",
    "newcomers_ignored",
    "promises_kept",
    "promises_overdue",
    "questions_helped",
    "reactions_unkind",
    "response_hours",
    "survey_satisfaction",
    "written_despite_refusal",
    "written_with_consent",
]
"""Those of `dbt_project/seeds/track_indicator.csv`."""


class Segment(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """One way to divide people and organizations; everybody has one value of it.

    Attributes:
        name: what the division is called in the tables (`segment_type`).
        source: written `from`: where the value stands.
    """

    name: str
    source: SegmentValue


class Goal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a number of a relationship is to come to.

    Attributes:
        metric: a column that stands per segment; `rapport.goals` tells which.
        target: at least or at most a number, like `>= 0.8`.
        by: a day, or a month for its last one.
        owner: who answers for it.
        horizon: whether it is about next steps or about what lasts.
        serves: the goal that it is a step to: its relationship, a dot, and its metric.
        signed_off: the day on which the owner agreed to it.
    """

    metric: str
    target: str
    by: str
    owner: str
    horizon: Literal["short", "long"] = "long"
    serves: str | None = None
    signed_off: date | None = None


class Relationship(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A relationship that matters, and its goals.

    Attributes:
        id: what it is called in the tables.
        why: one sentence, shown beside its goals.
        segment: name of a segment -> its value; none: everybody.
        goals: what is to become of it.
        tier_programme: the programme whose members they are.
    """

    id: str
    why: str = ""
    segment: dict[str, str] = {}
    goals: list[Goal] = []
    tier_programme: str | None = None


class Strategy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole file; every key but `vision` has a default."""

    version: str
    vision: Vision
    event_definitions: Events = msgspec.field(default_factory=Events)
    behaviors: Behaviors = msgspec.field(default_factory=Behaviors)
    community: Community = msgspec.field(default_factory=Community)
    disengagement: Levels = msgspec.field(default_factory=Levels)
    levels: EngagementLevels = msgspec.field(default_factory=EngagementLevels)
    value: Value = msgspec.field(default_factory=Value)
    owners: Owners = msgspec.field(default_factory=Owners)
    privacy: Privacy = msgspec.field(default_factory=Privacy)
    cadence: list[CadenceStep] = msgspec.field(default_factory=lambda: [CONTRIBUTION])
    segments: list[Segment] = []
    qualities: dict[str, list[Indicator]] = {}
    relationships: list[Relationship] = []
    tier_programmes: dict[str, tiers.Programme] = {}


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
    _check(strategy, path.name)
    return strategy


def fingerprint(path: Path) -> str:
    """Return the file's text, or nothing when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What SQL joins: the rows of the `control` tables that a strategy fills.

    Attributes:
        weights: (behavior, weight, half_life_days); None where its default holds.
        settings: (name, value).
        segment_rules: (segment_type, `custom` or `column`, field).
        cadence_steps: (step, behavior, in the community alone).
        service_minutes: (kind of act, minutes it takes us).
        qualities: (quality, indicator).
        private_stems: (class of private facts, what names it contain).
        goals: one per goal, in the order of the file.
        tiers: the tier programmes.
    """

    weights: list[tuple[str, float | None, float | None]]
    settings: list[tuple[str, str]]
    segment_rules: list[tuple[str, str, str]]
    cadence_steps: list[tuple[str, str, bool]]
    service_minutes: list[tuple[str, float]]
    qualities: list[tuple[str, str]]
    private_stems: list[tuple[str, str]]
    goals: list[GoalRow]
    tiers: tiers.Rows


class GoalRow(NamedTuple):
    """A goal as SQL joins it, or a relationship that has none: then only its own words are told.

    Attributes:
        goal: the name of the relationship, a dot, and the metric; without a goal the name alone.
        relationship: its `id`.
        metric_table: the table that has the metric.
        metric: the column.
        unit: what it is counted in.
        is_additive: the numbers of segments add up to that of the whole.
        segment_type: name of the segment, or `all`.
        segment: its value, or `all`.
        direction: `at least` or `at most`.
        target: the number to come to.
        due_on: by the end of this day.
        owner: who answers for it.
        horizon: `short` or `long`.
        why: why the relationship matters.
        serves: the goal above it.
        signed_off_on: when its owner agreed to it.
    """

    goal: str
    relationship: str
    metric_table: str | None
    metric: str | None
    unit: str | None
    is_additive: bool | None
    segment_type: str
    segment: str
    direction: str | None
    target: float | None
    due_on: date | None
    owner: str | None
    horizon: str | None
    why: str
    serves: str | None
    signed_off_on: date | None


def parameters(path: Path) -> Parameters:
    """Return what a strategy file says, or the defaults when there is none."""
    strategy = load(path)
    chosen = strategy or Strategy(
        version="none", vision=Vision(statement="", archetype="community")
    )
    weights, lives = chosen.behaviors.weights, chosen.behaviors.half_life_days
    settings = [
        ("has_strategy", "true" if strategy else "false"),
        ("strategy_version", chosen.version),
        ("quiet_days", str(chosen.event_definitions.defection.quiet_days)),
        ("thriving_quick_ratio", str(chosen.community.quick_ratio)),
        ("thriving_answered_share", str(chosen.community.answered_share)),
        ("thriving_absence_factor", str(chosen.community.absence_factor)),
        ("slowing_gap_ratio", str(chosen.disengagement.slowing)),
        ("quiet_gap_ratio", str(chosen.disengagement.quiet)),
        ("save_list", str(chosen.disengagement.save_list)),
        ("leading_share", str(chosen.levels.leading)),
        ("contributing_share", str(chosen.levels.contributing)),
        ("participating_share", str(chosen.levels.participating)),
        ("outlook_days", str(chosen.value.outlook_days)),
        *(
            (f"owner_of_{what}", getattr(chosen.owners, what).strip())
            for what in Owners.__struct_fields__
        ),
        ("volunteered_expiry_days", str(chosen.privacy.volunteered_expiry_days)),
    ]
    for name in ("margin_share", "service_hour"):
        if (value := getattr(chosen.value, name)) is not None:
            settings.append((name, str(value)))
    if "default" in lives:
        settings.append(("half_life_days", str(lives["default"])))
    return Parameters(
        weights=[
            (behavior, weights.get(behavior), lives.get(behavior))
            for behavior in sorted({*weights, *lives} - {"default"})
        ],
        settings=settings,
        segment_rules=[
            (segment.name, "custom", segment.source.custom)
            if segment.source.custom
            else (segment.name, "column", segment.source.column or "")
            for segment in chosen.segments
        ],
        cadence_steps=[
            (step.name, behavior, step.where == "community")
            for step in chosen.cadence
            for behavior in dict.fromkeys(step.behaviors)
        ],
        service_minutes=sorted(chosen.value.service_minutes.items()),
        qualities=[
            (quality, indicator)
            for quality, indicators in chosen.qualities.items()
            for indicator in dict.fromkeys(indicators)
        ],
        private_stems=[
            (kind, stem)
            for kind in dict.fromkeys(chosen.privacy.deny_classes)
            for stem in STEMS[kind]
        ],
        goals=list(_goals(chosen, path.name)),
        tiers=tiers.rows(
            chosen.tier_programmes,
            {
                one.tier_programme: _segment(one)
                for one in chosen.relationships
                if one.tier_programme is not None
            },
            EVERYBODY,
        ),
    )


def _segment(relationship: Relationship) -> tuple[str, str]:
    """Return name and value of the segment that a relationship is with."""
    [segment] = relationship.segment.items() or [(EVERYBODY, EVERYBODY)]
    return segment


def _goals(strategy: Strategy, where: str) -> Iterator[GoalRow]:
    """Yield every goal; raise `ConfigError` for one that means nothing."""
    for relationship in strategy.relationships:
        segment_type, segment = _segment(relationship)
        if not relationship.goals:
            yield GoalRow(
                goal=relationship.id,
                relationship=relationship.id,
                metric_table=None,
                metric=None,
                unit=None,
                is_additive=None,
                segment_type=segment_type,
                segment=segment,
                direction=None,
                target=None,
                due_on=None,
                owner=None,
                horizon=None,
                why=relationship.why,
                serves=None,
                signed_off_on=None,
            )
        for goal in relationship.goals:
            place = f"{where}: relationships.{relationship.id}.goals"
            metric = goals.metric(goal.metric, f"{place}.metric")
            comparison, number = goals.target(goal.target, f"{place}.{metric.name}.target")
            if not goal.owner.strip():
                raise ConfigError(
                    f"{place}.{metric.name}.owner is empty. A goal that nobody answers for is a "
                    "wish; write who does."
                )
            yield GoalRow(
                goal=f"{relationship.id}.{metric.name}",
                relationship=relationship.id,
                metric_table=metric.table,
                metric=metric.name,
                unit=metric.unit,
                is_additive=metric.is_additive,
                segment_type=segment_type,
                segment=segment,
                direction="at least" if comparison == ">=" else "at most",
                target=number,
                due_on=goals.due_on(goal.by, f"{place}.{metric.name}.by"),
                owner=goal.owner.strip(),
                horizon=goal.horizon,
                why=relationship.why,
                serves=goal.serves,
                signed_off_on=goal.signed_off,
            )


def _check(strategy: Strategy, where: str) -> None:
    """Raise `ConfigError` for what the types alone do not tell."""
    for behavior, days in strategy.behaviors.half_life_days.items():
        if days <= 0:
            raise ConfigError(
                f"{where}: behaviors.half_life_days.{behavior} is {days:g}. "
                "Write the days after which an act counts half, more than 0."
            )
    levels = strategy.levels
    if not 0 <= levels.participating <= levels.contributing <= levels.leading <= 1:
        raise ConfigError(
            f"{where}: levels are shares of people from 0 to 1 that rise from participating "
            f"({levels.participating:g}) over contributing ({levels.contributing:g}) to leading "
            f"({levels.leading:g})."
        )
    if strategy.disengagement.save_list < 1:
        raise ConfigError(
            f"{where}: disengagement.save_list is {strategy.disengagement.save_list}. "
            "Write how many people an owner can look after at a time, 1 or more."
        )
    if strategy.value.outlook_days < 1:
        raise ConfigError(
            f"{where}: value.outlook_days is {strategy.value.outlook_days}. "
            "Write how many days expectations look ahead, 1 or more."
        )
    for what in Owners.__struct_fields__:
        if not getattr(strategy.owners, what).strip():
            raise ConfigError(
                f"{where}: owners.{what} is empty. What nobody answers for stays as it is; write "
                "a role, or leave the key out for `leadership`."
            )
    if strategy.privacy.volunteered_expiry_days < 1:
        raise ConfigError(
            f"{where}: privacy.volunteered_expiry_days is "
            f"{strategy.privacy.volunteered_expiry_days}. "
            "Write how many days an interest that somebody told us counts, 1 or more."
        )
    _check_names([step.name for step in strategy.cadence], "cadence", {"purchase"}, where)
    _check_names(
        [segment.name for segment in strategy.segments],
        "segments",
        {"all", "silo", "place", "arrival_28d", "arrival_84d", "arrival_364d"},
        where,
    )
    _check_names(list(strategy.qualities), "qualities", (), where)
    for segment in strategy.segments:
        if (segment.source.custom is None) == (segment.source.column is None):
            raise ConfigError(
                f"{where}: segments.{segment.name}.from needs exactly one of `custom` (a custom "
                "field) and `column`."
            )
    _check_names([one.id for one in strategy.relationships], "relationships", (), where)
    known = {segment.name for segment in strategy.segments}
    for relationship in strategy.relationships:
        place = f"{where}: relationships.{relationship.id}"
        if len(relationship.segment) > 1:
            raise ConfigError(
                f"{place}.segment names {len(relationship.segment)} segments. "
                "Write one segment and its value, or none for everybody."
            )
        for name in relationship.segment.keys() - known:
            raise ConfigError(
                f"{place}.segment is of `{name}`, which is not under segments."
                f"{suggestion(name, known)} Add it there."
            )
        metrics = [goal.metric for goal in relationship.goals]
        if len(set(metrics)) < len(metrics):
            raise ConfigError(
                f"{place}.goals has two goals for one metric. Keep one; goals for parts of the "
                "business are relationships of their own."
            )
    _check_ladder([row for row in _goals(strategy, where) if row.metric], where)
    _check_tiers(strategy, where)


def _check_ladder(rows: Sequence[GoalRow], where: str) -> None:
    """Raise `ConfigError` where a goal is a step to nothing, or to itself."""
    above = {row.goal: row.serves for row in rows}
    for row in rows:
        if row.serves is not None and row.serves not in above:
            raise ConfigError(
                f"{where}: relationships.{row.relationship}.goals.{row.metric}.serves is "
                f"`{row.serves}`, which is no goal of this file.{suggestion(row.serves, above)} "
                "Write relationship and metric of the goal above, with a dot between them."
            )
    for row in rows:
        passed, goal = [row.goal], row.serves
        while goal is not None:
            passed.append(goal)
            if goal in passed[:-1]:
                raise ConfigError(
                    f"{where}: relationships.{row.relationship}.goals.{row.metric}.serves leads "
                    f"in a circle: {' to '.join(passed)}. Leave it out of the goal that is the "
                    "end in sight."
                )
            goal = above[goal]


def _check_tiers(strategy: Strategy, where: str) -> None:
    programmes = strategy.tier_programmes
    _check_names(list(programmes), "tier_programmes", (), where)
    for name, programme in programmes.items():
        place = f"tier_programmes.{name}"
        _check_names(list(programme.measures), f"{place}.measures", (), where)
        _check_names([tier.name for tier in programme.tiers], f"{place}.tiers", (), where)
        tiers.check(programme, f"{where}: {place}")
    members: dict[str, str] = {}
    for relationship in strategy.relationships:
        named = relationship.tier_programme
        if named is None:
            continue
        told = f"{where}: relationships.{relationship.id}.tier_programme is `{named}`"
        if named not in programmes:
            raise ConfigError(
                f"{told}, which is not under tier_programmes.{suggestion(named, programmes)} "
                "Add it there."
            )
        if named in members:
            raise ConfigError(
                f"{told}, as it is for `{members[named]}`. A programme has the members of one "
                "relationship; write one of its own."
            )
        members[named] = relationship.id


def _check_names(names: Sequence[str], place: str, taken: Container[str], where: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{where}: `{name}` under {place} is part of tables; "
                "use a small letter, then small letters, digits and `_`."
            )
        if name in taken or names.count(name) > 1:
            raise ConfigError(f"{where}: the name `{name}` under {place} is taken. Choose another.")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of strategy.yml for editors; it names every metric of a goal."""
    schema = msgspec.json.schema(Strategy)
    goal = schema["$defs"]["Goal"]["properties"]
    goal["metric"] = {"enum": sorted(metric.name for metric in goals.metrics())}
    goal["target"] = {"type": "string", "pattern": goals.TARGET.pattern}
    goal["owner"] = {"type": "string", "pattern": r"\S"}
    schema["$defs"]["Relationship"]["properties"]["segment"]["maxProperties"] = 1
    measure = schema["$defs"]["Measure"]
    measure["properties"]["column"] = {"enum": tiers.columns()}
    measure["oneOf"] = [{"required": [origin]} for origin in tiers.ORIGINS]
    schema["$defs"]["Bound"]["oneOf"] = [{"required": [side]} for side in tiers.SIDES]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": STRATEGY_NAME,
    } | schema
