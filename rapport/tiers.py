"""Tier programmes of strategy.yml: what they measure, ask for and when they are reviewed, as rows.

Belongs here: the shape of a programme, its mistakes, and the rows that SQL joins. Does not belong
here: any programme in particular (that is data), or who has which tier (`rel_tier`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

import msgspec

from connectors.errors import ConfigError, suggestion
from rapport import goals

PERSON_GRAIN = ["as_of", "basis", "person_id"]
"""The key of a table whose numbers can be measures: one row per snapshot and person."""

_HOW_IT_WAS_MADE = ("n", "coverage", "p_return_days")
ANY = "any"

Indicator = Literal[
    "accepted_never_thanked",
    "answered_within_day",
    "answers_thanked",
    "asked_again",
    "contributions_thanked",
    "conversations_begun",
    "left_unanswered",
    "mailings_opted_out",
    "mailings_responded",
    "newcomers_ignored",
    "promises_kept",
    "promises_overdue",
    "reactions_unkind",
    "survey_satisfaction",
]
"""Shares of `dbt_project/seeds/track_indicator.csv` that tell about the other side."""

Days = Annotated[int, msgspec.Meta(ge=1)]
Words = Annotated[str, msgspec.Meta(pattern=r"\S")]


class Short(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A shorter window that takes the place of the long one for whoever does enough in it.

    Attributes:
        part: the measure that is the part in it.
        of: the measure that is the whole in it.
        at_least: from this much of the whole on.
    """

    part: str
    of: str
    at_least: float


class Prior(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a share is taken for before anything is known, so that 1 of 1 is not yet all.

    Attributes:
        n: how many cases that belief weighs.
        share: the share among them.
    """

    n: Annotated[float, msgspec.Meta(gt=0)]
    share: float


class Measure(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A number per person; exactly one of the first eight says where it is from.

    Attributes:
        acts: how often they did any of these behaviors.
        active_days: on how many days they did any of them.
        paid: `purchases`: what they paid, in the home currency. The one measure about money.
        indicator: the share that `rel_track` has of everybody, of this person's occasions.
        custom: a custom field of theirs that rapport.yml takes, read as a number.
        column: `table.column`, a number per person; `columns` tells which.
        since: `created_at`: days since their earliest profile was made.
        part: the measure that is divided by the measure `of`.
        of: see `part`.
        days: how far back acts, active_days, paid and indicator go; without it: ever.
        short: see `Short`; goes with `part`.
        prior: see `Prior`; goes with `part`.
    """

    acts: list[str] | Literal["any"] | None = None
    active_days: list[str] | Literal["any"] | None = None
    paid: Literal["purchases"] | None = None
    indicator: Indicator | None = None
    custom: str | None = None
    column: str | None = None
    since: Literal["created_at"] | None = None
    part: str | None = None
    of: str | None = None
    days: Days | None = None
    short: Short | None = None
    prior: Prior | None = None


ORIGINS = ("acts", "active_days", "paid", "indicator", "custom", "column", "since", "part")
_GOES_WITH = {
    "days": ("acts", "active_days", "paid", "indicator"),
    "of": ("part",),
    "short": ("part",),
    "prior": ("part",),
}


class Bound(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a measure has to be; exactly one of the first four.

    Attributes:
        min: this or more.
        max: this or less.
        above: more than this.
        below: less than this.
        or_count_min: or this many or more of the measure's part.
        or_count_max: or this many or less of the measure's part.
    """

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    or_count_min: float | None = None
    or_count_max: float | None = None


SIDES = {"min": ">=", "max": "<=", "above": ">", "below": "<"}
_UPWARD = (">=", ">")

Rule = Annotated[dict[str, Bound], msgspec.Meta(min_length=1, max_length=1)]


class Tier(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename={"every": "all"}):
    """A tier; it asks for everything that the tiers before it ask for, too.

    Attributes:
        name: what it is called in the tables.
        every: written `all`: rules that all have to hold.
        any: rules of which one has to hold.
        perks: what whoever has it gets.
    """

    name: str
    every: list[Rule] = []
    any: list[Rule] = []
    perks: list[str] = []


class Review(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """On which days tiers are given and taken.

    Attributes:
        every: each day, or once in a month or quarter.
        day: that day of the month, or of the quarter's first one.
    """

    every: Literal["day", "month", "quarter"] = "day"
    day: Annotated[int, msgspec.Meta(ge=1, le=28)] = 1


class Programme(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tiers, from the lowest to the highest, and what they go by.

    Attributes:
        owner: who answers for it.
        measures: name -> where the number is from.
        tiers: from the lowest to the highest.
        review: on which days.
        grace_days: a tier stays for so many days after the last review at which its rules held.
        low_water: it stays, too, while what has to be at least a number is at least this share
            of it.
    """

    owner: Words
    measures: dict[str, Measure]
    tiers: Annotated[list[Tier], msgspec.Meta(min_length=1)]
    review: Review = msgspec.field(default_factory=Review)
    grace_days: Annotated[int, msgspec.Meta(ge=0)] = 0
    low_water: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1


class ProgrammeRow(NamedTuple):
    """A programme as SQL joins it; its members are those of one segment."""

    programme: str
    owner: str
    segment_type: str
    segment: str
    review_every: str
    review_day: int
    grace_days: int


class TierRow(NamedTuple):
    """A tier; ranks rise from 1. Perks are one text."""

    programme: str
    tier_rank: int
    tier: str
    perks: str


class MeasureRow(NamedTuple):
    """A measure that is no share. `days` is None where it goes back for ever.

    Attributes:
        origin: one of `ORIGINS`, but `occasions` and `successes` are the whole and the part of an
            indicator.
        field: the indicator, custom field or column; `any` for acts of every behavior.
    """

    programme: str
    measure: str
    origin: str
    field: str
    days: int | None


class BehaviorRow(NamedTuple):
    """A behavior that a measure counts."""

    programme: str
    measure: str
    behavior: str


class ShareRow(NamedTuple):
    """A measure that is a part of a whole, both measures of the programme."""

    programme: str
    measure: str
    part: str
    whole: str
    short_part: str | None
    short_whole: str | None
    short_at_least: Decimal | None
    prior_n: Decimal
    prior_share: Decimal


class RuleRow(NamedTuple):
    """A rule. Of the rules of a clause one has to hold, of the clauses of a tier all.

    Attributes:
        or_count: the count of the measure's part that does, too; None where there is none.
        keep_threshold: the threshold for staying.
        keep_count: that count, for staying.
        words: the measure in words.
    """

    programme: str
    tier_rank: int
    clause: int
    rule: int
    measure: str
    words: str
    comparison: str
    threshold: Decimal
    or_count: Decimal | None
    keep_threshold: Decimal
    keep_count: Decimal | None


class Rows(NamedTuple):
    """What SQL joins of all programmes."""

    programmes: list[ProgrammeRow]
    tiers: list[TierRow]
    measures: list[MeasureRow]
    behaviors: list[BehaviorRow]
    shares: list[ShareRow]
    rules: list[RuleRow]


def columns() -> list[str]:
    """Return every `table.column` that can be a measure; the macro `tier_columns` names the same.

    Amounts of money are none.
    """
    return [
        f"{table}.{column['name']}"
        for table, grain, column in goals.columns()
        if grain == PERSON_GRAIN
        and "additivity" in column["config"]["meta"]
        and column["config"]["meta"]["unit"] != "money"
        and column["name"] not in _HOW_IT_WAS_MADE
    ]


def check(programme: Programme, place: str) -> None:
    """Raise `ConfigError` for what the types alone do not tell."""
    for name, measure in programme.measures.items():
        _check_measure(measure, f"{place}.measures.{name}", programme.measures)
    for tier in programme.tiers:
        if not tier.every and not tier.any:
            raise ConfigError(
                f"{place}.tiers.{tier.name} asks for nothing. Write a rule under `all` or `any`."
            )
        for rule in (*tier.every, *tier.any):
            [(name, bound)] = rule.items()
            at = f"{place}.tiers.{tier.name}"
            _known(name, at, programme.measures)
            _check_bound(bound, f"{at}.{name}", programme.measures[name])


def _check_measure(measure: Measure, place: str, known: Mapping[str, Measure]) -> None:
    said = [name for name in ORIGINS if getattr(measure, name) is not None]
    if len(said) != 1:
        raise ConfigError(
            f"{place} needs exactly one of {', '.join(f'`{name}`' for name in ORIGINS)}; "
            f"it has {' and '.join(said) or 'none'}."
        )
    for key, origins in _GOES_WITH.items():
        if getattr(measure, key) is not None and said[0] not in origins:
            raise ConfigError(f"{place} has `{key}`, which does not go with `{said[0]}`.")
    if measure.part is not None:
        if measure.of is None:
            raise ConfigError(f"{place} has a `part` of nothing. Write the whole as `of`.")
        short = (measure.short.part, measure.short.of) if measure.short else ()
        for name in (measure.part, measure.of, *short):
            _known(name, place, known)
            if known[name].part is not None or known[name].indicator is not None:
                raise ConfigError(
                    f"{place} is made of `{name}`, which is a share itself. Name two numbers."
                )
    if measure.column is not None and measure.column not in columns():
        raise ConfigError(
            f"{place}.column is `{measure.column}`, which is no number per person."
            f"{suggestion(measure.column, columns())} docs/strategy.md tells which columns are."
        )


def _known(name: str, place: str, known: Mapping[str, Measure]) -> None:
    if name not in known:
        raise ConfigError(
            f"{place} names the measure `{name}`, which is not under measures."
            f"{suggestion(name, known)} Add it there."
        )


def _check_bound(bound: Bound, place: str, measure: Measure) -> None:
    said = [name for name in SIDES if getattr(bound, name) is not None]
    if len(said) != 1:
        raise ConfigError(
            f"{place} needs exactly one of `min`, `max`, `above` and `below`; "
            f"it has {' and '.join(said) or 'none'}."
        )
    for key, sides in (("or_count_min", ("min", "above")), ("or_count_max", ("max", "below"))):
        is_share = measure.part is not None or measure.indicator is not None
        if getattr(bound, key) is not None and not (is_share and said[0] in sides):
            raise ConfigError(
                f"{place} has `{key}`, which goes with `{sides[0]}` or `{sides[1]}` of a share: "
                "a measure with `part` or `indicator`."
            )


def rows(
    programmes: Mapping[str, Programme], members: Mapping[str, tuple[str, str]], everybody: str
) -> Rows:
    """Return what SQL joins.

    Args:
        programmes: by name, checked.
        members: programme -> name of a segment and its value; one that is not there is for all.
        everybody: type and value of the segment that is the whole business.
    """
    made = Rows([], [], [], [], [], [])
    for name, programme in programmes.items():
        made.programmes.append(
            ProgrammeRow(
                name,
                programme.owner.strip(),
                *members.get(name, (everybody, everybody)),
                programme.review.every,
                programme.review.day,
                programme.grace_days,
            )
        )
        for rank, tier in enumerate(programme.tiers, 1):
            made.tiers.append(TierRow(name, rank, tier.name, ", ".join(tier.perks)))
            made.rules.extend(_rules(name, programme, rank, tier))
        for measure, said in programme.measures.items():
            _add_measure(made, name, measure, said)
    return made


def _rules(name: str, programme: Programme, rank: int, tier: Tier) -> Iterator[RuleRow]:
    """Yield the tier's own rules; each under `all` is a clause, those under `any` are the last."""
    clauses = [[rule] for rule in tier.every] + ([tier.any] if tier.any else [])
    for clause, rules in enumerate(clauses, 1):
        for number, rule in enumerate(rules, 1):
            [(measure, bound)] = rule.items()
            [(key, comparison)] = [
                (key, sign) for key, sign in SIDES.items() if getattr(bound, key) is not None
            ]
            counts = (bound.or_count_min, bound.or_count_max)
            count = next((_decimal(count) for count in counts if count is not None), None)
            threshold = _decimal(getattr(bound, key))
            share = _decimal(programme.low_water if comparison in _UPWARD else 1)
            yield RuleRow(
                programme=name,
                tier_rank=rank,
                clause=clause,
                rule=number,
                measure=measure,
                words=measure.replace("_", " "),
                comparison=comparison,
                threshold=threshold,
                or_count=count,
                keep_threshold=min(threshold, threshold * share),
                keep_count=None if count is None else count * share,
            )


def _add_measure(made: Rows, programme: str, name: str, measure: Measure) -> None:
    if measure.part is not None and measure.of is not None:
        short, prior = measure.short, measure.prior
        made.shares.append(
            ShareRow(
                programme=programme,
                measure=name,
                part=measure.part,
                whole=measure.of,
                short_part=short.part if short else None,
                short_whole=short.of if short else None,
                short_at_least=_decimal(short.at_least) if short else None,
                prior_n=_decimal(prior.n if prior else 0),
                prior_share=_decimal(prior.share if prior else 0),
            )
        )
        return
    if measure.indicator is not None:
        part, whole = f"{name}/part", f"{name}/of"  # no name of a measure has a slash
        for hidden, origin in ((part, "successes"), (whole, "occasions")):
            made.measures.append(
                MeasureRow(programme, hidden, origin, measure.indicator, measure.days)
            )
        zero = Decimal(0)
        made.shares.append(ShareRow(programme, name, part, whole, None, None, None, zero, zero))
        return
    [origin] = [one for one in ORIGINS if getattr(measure, one) is not None]
    said = getattr(measure, origin)
    field = ANY if isinstance(said, list) else said
    made.measures.append(MeasureRow(programme, name, origin, field, measure.days))
    if origin in ("acts", "active_days"):
        behaviors = [ANY] if said == ANY else list(dict.fromkeys(said))
        made.behaviors.extend(BehaviorRow(programme, name, behavior) for behavior in behaviors)


def _decimal(number: float) -> Decimal:
    """Return the number as it is written, not as the float beside it."""
    return Decimal(str(number))
