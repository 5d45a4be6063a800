"""Why profiles are one person or organization, and why others are not, of what is published.

Belongs here: looking a person, an organization or a profile up, its ways of links, what was
considered and not joined, and printing that. Does not belong here: deciding anything (`graph`), or
the ways of all profiles at once (`ways`).

The published tables are asked, not the build database: the ids are those that people hold, and a
build may go on meanwhile. Only one component is read, so that size does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from rich.console import Console

from connectors.errors import ConfigError, suggestion
from rapport.config import Config
from rapport.identity.lines import digested
from rapport.identity.ways import LINKS, ways
from rapport.report import words
from rapport.report.facts import opened
from rapport.report.warehouse import Query, Row

CONSIDERED_PRINTED = 12
_KEY_LIMIT = 120
_EMAILS_HINTED = 3


@dataclass(frozen=True, kw_only=True)
class Step:
    """One link of a way: `here` and `there` are one by this rule and this masked evidence."""

    here: str
    there: str
    rule_id: str
    words: str
    id_type: str | None
    evidence: str | None
    names: str
    precision: float | None
    n_reviewed: int | None
    n_right: int | None


@dataclass(frozen=True, kw_only=True)
class Way:
    """The shortest way of links from one profile to another, and the product of precisions."""

    start: str
    end: str
    steps: Sequence[Step]
    confidence: float | None


@dataclass(frozen=True, kw_only=True)
class Considered:
    """A pair that was looked at and not joined; `other` is the one of somebody else."""

    profile: str
    other: str
    other_id: str
    other_name: str | None
    state: str
    refusal: str | None
    rule_id: str
    words: str
    evidence: str | None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The value of a field that is shown, and why: a row of `dim_person_field`, say."""

    field: str
    value: str
    profile_key: str | None
    rule: str
    runner_up_value: str | None
    runner_up_profile_key: str | None
    n_contradicting: int


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is known of one person or organization, or of two profiles.

    Attributes:
        entity: person or organization.
        id: whose profiles these are; of two that are not one, the first one's.
        other_id: the second one's, where two are not one; else None.
        retired: ids that were asked for and lead here now.
        profiles: rows `profile_key`, `source`, `silo`, `name`, `id`.
        shown: what is shown of it, field by field; of two that are not one, of neither.
        anchor: the profile that was there first.
        ways: from each profile to the anchor, or from the one asked for to the other.
        considered: what speaks for more, and why it was not enough.
    """

    entity: str
    id: str
    other_id: str | None
    retired: Sequence[str]
    profiles: Sequence[Row]
    shown: Sequence[Shown]
    anchor: str
    ways: Sequence[Way]
    considered: Sequence[Considered]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, ready for JSON."""
        return asdict(self)


def explain(config: Config, asked: str, other: str | None = None) -> Explanation:
    """Explain a person, an organization or a profile, or what two of them are to each other.

    Args:
        asked, other: ids of persons or organizations, retired ones too, or profile keys.

    Raises:
        BuildError: nothing is published yet.
        ConfigError: there is no such person, organization or profile.
    """
    with opened(config) as query:
        first = _found(query, config, digested(asked))
        second = _found(query, config, digested(other)) if other else first
        retired = [one.retired for one in (first, second) if one.retired]
        if first.entity != second.entity:
            raise ConfigError(
                f"`{asked}` ({first.entity}) and `{other}` ({second.entity}) are never "
                "one. Ask for two of a kind."
            )
        # The table is sorted by `left_id`: half of this reads but a few rows.
        pairs = query.rows(
            "select * from identity_explanation where left_id = $id union all "
            "select * from identity_explanation where right_id = $id and left_id <> $id "
            "order by tier, left_key, right_key, rule_id, evidence",
            id=first.id,
        )
        seen = _profiles(query, first, second, pairs)
        profiles = [row for row in seen if row["id"] == first.id]
        live = [pair for pair in pairs if pair["state"] == "live"]
        next_pairs = {pair["far_key"]: pair for pair in live if pair["far_key"]}
        anchor = next(
            row["profile_key"] for row in profiles if row["profile_key"] not in next_pairs
        )
        apart = second.id if second.id != first.id else None
        start, end = first.profile or anchor, second.profile or anchor
        if apart:
            profiles = [*profiles, *(row for row in seen if row["id"] == second.id)]
            told: list[Way] = []
        elif other and start != end:
            told = [_way_between(live, start, end)]
        else:
            told = [_way(key, next_pairs) for key in next_pairs]
        return Explanation(
            entity=first.entity,
            id=first.id,
            other_id=apart,
            retired=list(dict.fromkeys(retired)),
            profiles=profiles,
            shown=[] if apart else _shown(query, first),
            anchor=anchor,
            ways=told,
            considered=_considered(pairs, first.id, apart, seen),
        )


@dataclass(frozen=True, kw_only=True)
class _Found:
    entity: str
    id: str
    profile: str | None = None
    retired: str | None = None


def _found(query: Query, config: Config, asked: str) -> _Found:
    for row in query.rows(
        "select entity, coalesce(person_id, organization_id) as id, profile_key "
        "from dim_profile where profile_key = $asked",
        asked=asked,
    ):
        return _Found(entity=row["entity"], id=row["id"], profile=row["profile_key"])
    living = (
        "select entity, coalesce(person_id, organization_id) as id from dim_profile "
        "where person_id = $asked or organization_id = $asked limit 1"
    )
    for row in query.rows(living, asked=asked):
        return _Found(entity=row["entity"], id=row["id"])
    for row in query.rows(
        "select current_id, since::date as since from identity_redirect where old_id = $asked",
        asked=asked,
    ):
        if row["current_id"] is None:
            raise ConfigError(
                f"`{asked}` was retired on {row['since']}: none of its profiles is left. "
                "`identity_event` tells what became of it."
            )
        for current in query.rows(living, asked=row["current_id"]):
            return _Found(entity=current["entity"], id=current["id"], retired=asked)
    raise ConfigError(
        f"`{asked}` is no person, organization or profile that is published."
        f"{_hint(query, config, asked)} `dim_profile` has all ids; a profile key is "
        "`<source>:<stream>:<key>`."
    )


def _hint(query: Query, config: Config, asked: str) -> str:
    if ":" in asked:
        source = asked.partition(":")[0]
        return "" if source in config.sources else suggestion(source, tuple(config.sources))
    holders = query.rows(
        "select profile_key from dim_profile where lower(email) = lower($asked) order by 1",
        asked=asked,
    )
    keys = ", ".join(f"`{row['profile_key']}`" for row in holders[:_EMAILS_HINTED])
    return f" This e-mail address is in: {keys}." if keys else ""


def _profiles(
    query: Query, first: _Found, second: _Found, pairs: Sequence[Row]
) -> list[dict[str, Any]]:
    """Return the profiles of both, and all others that pairs name; the current ones first."""
    return query.rows(
        "select profile_key, source, silo, coalesce(display_name, email) as name, "
        f"{first.entity}_id as id "
        "from dim_profile "
        f"where {first.entity}_id in ($first, $second) or profile_key in (select unnest($keys)) "
        "order by coalesce(is_deleted, false), profile_key",
        first=first.id,
        second=second.id,
        keys=sorted({pair[side] for pair in pairs for side in ("left_key", "right_key")}),
    )


def _shown(query: Query, found: _Found) -> list[Shown]:
    rows = query.rows(
        f"select {', '.join(Shown.__annotations__)} from dim_{found.entity}_field "
        f"where {found.entity}_id = $id order by field",
        id=found.id,
    )
    return [Shown(**row) for row in rows]


def _step(pair: Row, here: str) -> Step:
    there = pair["right_key"] if pair["left_key"] == here else pair["left_key"]
    kept = {name: pair[name] for name in Step.__annotations__ if name not in ("here", "there")}
    return Step(here=here, there=there, **kept)


def _way(start: str, next_pairs: Mapping[str, Row]) -> Way:
    """Follow the links that lead a profile to its anchor."""
    steps: list[Step] = []
    here = start
    while here in next_pairs:
        steps.append(_step(next_pairs[here], here))
        here = steps[-1].there
    return Way(start=start, end=here, steps=steps, confidence=next_pairs[start]["confidence"])


def _way_between(live: Sequence[Row], start: str, end: str) -> Way:
    """Return the shortest way between two profiles of one component."""
    links = pa.Table.from_pylist(
        [{name: pair[name] for name in LINKS.names} for pair in live], LINKS
    )
    found = ways(links, pa.table({"profile_key": [end]})).to_pylist()
    pairs = {(pair["left_key"], pair["right_key"], pair["rule_id"], pair["evidence"]): pair
             for pair in live}  # fmt: skip
    next_pairs = {}
    for row in found:
        left, right = sorted((row["profile_key"], row["next_key"]))
        pair = pairs[left, right, row["rule_id"], row["evidence"]]
        next_pairs[row["profile_key"]] = {**pair, "confidence": row["confidence"]}
    return _way(start, next_pairs)


def _considered(
    pairs: Sequence[Row], id_: str, apart: str | None, seen: Sequence[Row]
) -> list[Considered]:
    """Return what was not joined, one row per pair of profiles: by the strongest rule."""
    found: dict[tuple[str, str], Considered] = {}
    names = {row["profile_key"]: row["name"] for row in seen}
    joined = {(pair["left_key"], pair["right_key"]) for pair in pairs if pair["state"] == "live"}
    for pair in pairs:
        both = pair["left_key"], pair["right_key"]
        if pair["state"] == "live" or both in joined:
            continue
        mine, theirs = both if pair["left_id"] == id_ else reversed(both)
        other_id = pair["right_id"] if pair["left_id"] == id_ else pair["left_id"]
        if apart in (None, other_id):
            found.setdefault(
                both,
                Considered(
                    profile=mine, other=theirs, other_id=other_id, other_name=names.get(theirs),
                    state=pair["state"], refusal=pair["refusal"], rule_id=pair["rule_id"],
                    words=pair["words"], evidence=pair["evidence"],
                ),
            )  # fmt: skip
    return list(found.values())


def print_all(console: Console, told: Explanation) -> None:
    """Print an explanation for a person to read."""

    def say(text: str = "") -> None:
        console.print(text, markup=False, soft_wrap=True)

    names = {row["profile_key"]: row["name"] for row in told.profiles}

    def profile(key: str) -> str:
        name = words.name(names.get(key), "")
        return words.name(key, limit=_KEY_LIMIT) + (f" ({name})" if name else "")

    for old in told.retired:
        say(f"{old} is retired and leads to {told.id}.")
    if told.other_id:
        say(f"{told.id} and {told.other_id} are two {told.entity}s.")
    else:
        say(f"{told.id}: one {told.entity}, {words.plural(len(told.profiles), 'profile')}")
        say(f"  {profile(told.anchor)}: there first")
    for way in told.ways:
        say(f"  {profile(way.start)}{_sure(way.confidence)}")
        for step in way.steps:
            say(f"    - {_because(step.words, step.evidence)}{_standing(step)}")
            say(f"      with {profile(step.there)}")
    if told.shown:
        say("Shown, and why:")
    for field in told.shown:
        source = f", of {profile(field.profile_key)}" if field.profile_key else ""
        say(f"  {field.field}: {words.name(field.value)}{source}{_chosen(field)}")
    if told.considered:
        say("Looked at and not joined:")
    elif told.other_id:
        say("No rule ever looked at the two: they show nothing in common.")
    for one in told.considered[:CONSIDERED_PRINTED]:
        stranger = words.name(one.other_name, "")
        say(
            f"  {profile(one.profile)} and {words.name(one.other, limit=_KEY_LIMIT)}"
            + (f" ({stranger})" if stranger else "")
            + (f", {one.other_id}" if one.other_id != told.id else "")
        )
        why = one.refusal or "waits for somebody to say yes or no: `rapport review --suggestions`"
        say(f"    - {_because(one.words, one.evidence)}")
        say(f"      {one.state}: {words.name(why, limit=300)}")
    more = len(told.considered) - CONSIDERED_PRINTED
    if more > 0:
        say(f"  and {more:,} more: --json has all")


def _chosen(shown: Shown) -> str:
    """Say what a value was chosen before, and by what."""
    if shown.runner_up_value is None:
        return "" if shown.rule == "agreed" else f" ({shown.rule})"
    others = shown.n_contradicting - 1
    return f" ({shown.rule}; else {words.name(shown.runner_up_value)}" + (
        f", {words.plural(others, 'other value')} more)" if others > 0 else ")"
    )


def _because(rule: str, evidence: str | None) -> str:
    return rule + (f": {words.name(evidence, limit=_KEY_LIMIT)}" if evidence else "")


def _standing(step: Step) -> str:
    """Say how often the rule of a step is right."""
    said = [f"names {step.names}"]
    if step.precision is not None:
        said.append(f"the rule is right in {words.tenths(step.precision)}")
    if step.n_reviewed:
        said.append(f"here in {step.n_right:,} of {step.n_reviewed:,} reviewed")
    return f" ({'; '.join(said)})"


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f": sure to {words.tenths(confidence)}"
