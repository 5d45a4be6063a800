"""strategy.yml: without it no verdicts, with it the parameters it names."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path
from typing import get_args, get_type_hints

import jsonschema
import pytest
import yaml

from connectors.errors import ConfigError
from rapport import goals as known_goals
from rapport import strategy, tiers
from rapport.config import read_yaml

ROOT = Path(__file__).parents[2]
STARTS = ROOT / "examples" / "strategies"
WEIGHTS = ROOT / "dbt_project" / "seeds" / "default_behavior_weights.csv"
GOAL = "{metric: reciprocity, target: '>= 0.3', by: 2027-03, owner: community_lead}"
MINIMAL = 'version: 2026-11\nvision: {statement: "Makers help makers", archetype: community}\n'


GUILD = (
    "tier_programmes: {guild: {owner: lead, measures: {answers: {acts: [answer], days: 365}, "
    "asked: {acts: any}, share: {part: answers, of: asked}}, "
    "tiers: [{name: star, all: [{answers: {min: 10}}]}]}}\n"
)


def goals(*written: str, segment: str = "{}") -> str:
    """Return a relationship with these goals."""
    return f"relationships: [{{id: maker, segment: {segment}, goals: [{', '.join(written)}]}}]\n"


def test_without_the_file_the_defaults_hold_and_no_verdict_is_given(tmp_path: Path) -> None:
    chosen = strategy.parameters(tmp_path / "strategy.yml")
    assert chosen.weights == []
    assert dict(chosen.settings)["has_strategy"] == "false"
    assert dict(chosen.settings)["quiet_days"] == "180"
    assert chosen.segment_rules == []
    assert ("contribution", "post", True) in chosen.cadence_steps


def test_what_a_leader_writes_becomes_parameters(tmp_path: Path) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(
        MINIMAL + "event_definitions: {defection: {quiet_days: 90}}\n"
        "behaviors: {weights: {answer: 6, question: 3}, half_life_days: {default: 80, post: 9}}\n"
        "levels: {leading: 0.99}\n"
        "cadence: [{name: talk, behaviors: [call, meeting, call]}]\n"
        "value: {service_hour: 55, service_minutes: {meeting: 60, call: 15}}\n"
        "segments: [{name: tier, from: {custom: Tier__c}}, "
        "{name: kind, from: {column: party_kind}}]\n"
        "qualities: {fairness: [promises_kept, asked_again, promises_kept]}\n"
    )
    chosen = strategy.parameters(path)
    assert chosen.weights == [("answer", 6.0, None), ("post", None, 9.0), ("question", 3.0, None)]
    settings = dict(chosen.settings)
    assert settings["has_strategy"] == "true"
    assert settings["quiet_days"] == "90"
    assert settings["half_life_days"] == "80.0"
    assert settings["strategy_version"] == "2026-11"
    assert (settings["service_hour"], settings["outlook_days"]) == ("55.0", "365")
    assert "margin_share" not in settings, "what nobody says stays unknown"
    assert chosen.qualities == [("fairness", "promises_kept"), ("fairness", "asked_again")]
    assert chosen.service_minutes == [("call", 15.0), ("meeting", 60.0)]
    assert (settings["leading_share"], settings["contributing_share"]) == ("0.99", "0.9")
    assert chosen.segment_rules == [("tier", "custom", "Tier__c"), ("kind", "column", "party_kind")]
    assert chosen.cadence_steps == [("talk", "call", False), ("talk", "meeting", False)]


def test_a_goal_becomes_a_row_with_its_metric_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(
        MINIMAL + "segments: [{name: kind, from: {column: party_kind}}]\n"
        "relationships:\n"
        "  - {id: maker, why: they help, goals: [" + GOAL + "]}\n"
        "  - id: supplier\n"
        "    segment: {kind: supplier}\n"
        "    goals: [{metric: people_28d, target: <=4, by: 2027-01-15, owner: purchasing, "
        "horizon: short, serves: maker.reciprocity, signed_off: 2026-11-20}]\n"
        "  - {id: press, why: they ask us first}\n"
    )
    one, other, bare = strategy.parameters(path).goals
    assert (one.goal, one.metric_table, one.unit) == (
        "maker.reciprocity", "rel_community_health", "share",
    )  # fmt: skip
    assert (one.segment_type, one.segment, one.is_additive) == ("all", "all", False)
    assert (one.direction, one.target, one.due_on) == ("at least", 0.3, date(2027, 3, 31))
    assert (one.owner, one.horizon, one.why) == ("community_lead", "long", "they help")
    assert (other.metric_table, other.is_additive) == ("rel_engagement_segment", True)
    assert (other.segment_type, other.segment, other.horizon) == ("kind", "supplier", "short")
    assert (other.direction, other.target, other.due_on) == ("at most", 4, date(2027, 1, 15))
    assert (one.serves, one.signed_off_on) == (None, None)
    assert (other.serves, other.signed_off_on) == ("maker.reciprocity", date(2026, 11, 20))
    assert (bare.goal, bare.metric, bare.why) == ("press", None, "they ask us first")


@pytest.mark.parametrize(
    ("old", "new", "is_right"),
    [
        ("reciprocity", "answered_7d_share", True),
        ("reciprocity", "margin_365d", False),
        ("reciprocity", "calls_made", False),
        ("reciprocity", "handle_time", False),
        (">= 0.3", ">= 3000 EUR", False),
        (", owner: community_lead", "", False),
        ("community_lead", "' '", False),
    ],
)
def test_editors_refuse_the_same_goals(old: str, new: str, is_right: bool) -> None:
    said = yaml.safe_load(MINIMAL + goals(GOAL.replace(old, new)))
    assert jsonschema.Draft202012Validator(strategy.json_schema()).is_valid(said) == is_right


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "`vision` is missing"),
        (MINIMAL.replace("community}", "comunity}"), "`vision.archetype`: invalid enum value"),
        (MINIMAL + "behaviours: {}\n", "Did you mean `behaviors`?"),
        (MINIMAL + "community: {quick_ratoi: 1}\n", "Did you mean `quick_ratio`?"),
        (MINIMAL + "behaviors: {half_life_days: {call: 0}}\n", "half_life_days.call is 0"),
        (MINIMAL + "disengagement: {save_list: 0}\n", "disengagement.save_list is 0"),
        (MINIMAL + "privacy: {volunteered_expiry_days: 0}\n", "volunteered_expiry_days is 0"),
        (MINIMAL + "owners: {community: ' '}\n", "owners.community is empty"),
        (MINIMAL + "privacy: {fetched_personal: allow}\n", "fetched_personal"),
        (MINIMAL + "qualities: {fairness: [promises]}\n", "invalid enum value 'promises'"),
        (MINIMAL + "qualities: {Fair play: [asked_again]}\n", "`Fair play` under qualities"),
        (MINIMAL + "value: {outlook_days: 0}\n", "value.outlook_days is 0"),
        (MINIMAL + "value: {margin: 0.4}\n", "Did you mean `margin_share`?"),
        (MINIMAL + "segments: [{name: arrival_28d, from: {custom: T}}]\n", "is taken"),
        (MINIMAL + "levels: {leading: 0.5}\n", "rise from participating (0.6)"),
        (MINIMAL + "segments: [{name: Tier, from: {custom: T}}]\n", "`Tier` under segments"),
        (MINIMAL + "segments: [{name: place, from: {custom: T}}]\n", "`place` under segments"),
        (MINIMAL + "segments: [{name: a, from: {}}]\n", "exactly one of `custom`"),
        (MINIMAL + "segments: [{name: a, from: {column: parti_kind}}]\n", "invalid enum value"),
        (MINIMAL + "cadence: [{name: purchase, behaviors: [call]}]\n", "under cadence is taken"),
        (MINIMAL + goals(GOAL.replace("reciprocity", "reciprocty")), "Did you mean `reciprocity`?"),
        (
            MINIMAL + goals(GOAL.replace("reciprocity", "p_return")),
            "`p_return`, which is no number",
        ),
        (MINIMAL + goals(GOAL.replace("reciprocity", "margin_365d")), "an amount of money"),
        (MINIMAL + goals(GOAL.replace(">= 0.3", ">= 3000 EUR")), "an amount of money"),
        (MINIMAL + goals(GOAL.replace("reciprocity", "calls_made")), "how much our people do"),
        (MINIMAL + goals(GOAL.replace("reciprocity", "handle_time")), "the time our people take"),
        (
            MINIMAL + goals(GOAL.replace(", owner: community_lead", "")),
            "goals[0].owner` is missing",
        ),
        (MINIMAL + goals(GOAL.replace("community_lead", "' '")), "reciprocity.owner is empty"),
        (MINIMAL + goals(GOAL.replace(">= 0.3", "0.3")), "Write at least or at most a number"),
        (MINIMAL + goals(GOAL.replace("2027-03", "2027-13")), "a month like `2027-03`"),
        (MINIMAL + goals(GOAL, GOAL), "two goals for one metric"),
        (MINIMAL + goals(f"{GOAL[:-1]}, serves: maker.reciprocty}}"), "`maker.reciprocity`?"),
        (MINIMAL + goals(f"{GOAL[:-1]}, serves: maker.reciprocity}}"), "leads in a circle"),
        (MINIMAL + goals(f"{GOAL[:-1]}, signed_off: soon}}"), "signed_off"),
        (MINIMAL + goals(GOAL, segment="{kind: customer}"), "`kind`, which is not under segments"),
        (MINIMAL + goals(GOAL, segment="{kind: customer, tier: gold}"), "names 2 segments"),
        (MINIMAL + goals(GOAL).replace("maker", "Maker"), "`Maker` under relationships"),
        (MINIMAL + GUILD.replace("{answers: {min", "{answer: {min"), "Did you mean `answers`?"),
        (MINIMAL + GUILD.replace("of: asked", "of: askd"), "Did you mean `asked`?"),
        (MINIMAL + GUILD.replace(", of: asked", ""), "has a `part` of nothing"),
        (MINIMAL + GUILD.replace("part: answers", "part: share"), "is a share itself"),
        (MINIMAL + GUILD.replace("acts: any", "days: 3"), "it has none"),
        (MINIMAL + GUILD.replace("acts: any", "acts: any, custom: A"), "it has acts and custom"),
        (MINIMAL + GUILD.replace("acts: any", "custom: A, days: 3"), "not go with `custom`"),
        (
            MINIMAL + GUILD.replace("acts: any", "column: rel_engagement.scor"),
            "Did you mean `rel_engagement.score`?",
        ),
        (
            MINIMAL + GUILD.replace("acts: any", "column: rel_value.margin_365d"),
            "which is no number per person",
        ),
        (MINIMAL + GUILD.replace("min: 10", "min: 10, max: 20"), "it has min and max"),
        (MINIMAL + GUILD.replace("min: 10", "mim: 10"), "Did you mean `min`?"),
        (MINIMAL + GUILD.replace("min: 10", "max: 1, or_count_max: 3"), "of a share"),
        (MINIMAL + GUILD.replace("all: [{answers: {min: 10}}]", "all: []"), "asks for nothing"),
        (MINIMAL + GUILD.replace("owner: lead", "owner: ' '"), "owner"),
        (MINIMAL + GUILD.replace("owner: lead", "grace_days: -1, owner: lead"), "grace_days"),
        (MINIMAL + GUILD.replace("owner: lead", "low_water: 1.2, owner: lead"), "low_water"),
        (
            MINIMAL + GUILD.replace("owner: lead", "review: {every: month, day: 31}, owner: lead"),
            "day",
        ),
        (MINIMAL + GUILD.replace("{guild", "{Guild"), "`Guild` under tier_programmes"),
        (
            MINIMAL + GUILD + "relationships: [{id: maker, tier_programme: gild}]\n",
            "Did you mean `guild`?",
        ),
        (
            MINIMAL + GUILD + "relationships: [{id: maker, tier_programme: guild}, "
            "{id: buyer, tier_programme: guild}]\n",
            "as it is for `maker`",
        ),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        strategy.load(path)
    assert said in str(caught.value)


def test_the_page_names_every_column_that_takes_a_goal() -> None:
    page = (ROOT / "docs" / "strategy.md").read_text(encoding="utf-8")
    listed = re.search(r"These columns take goals:\n\n(.+?)\n\n", page, re.DOTALL)
    assert listed
    assert set(re.findall(r"`(\w+)`", listed[1])) == {
        word for metric in known_goals.metrics() for word in (metric.name, metric.table)
    }


def test_a_programme_becomes_rules_that_are_compared_as_written(tmp_path: Path) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(
        MINIMAL
        + GUILD.replace(
            "owner: lead", "owner: lead, low_water: 0.9, review: {every: month}"
        ).replace(
            "{answers: {min: 10}}", "{answers: {above: 0.07}}, {share: {max: 0.3, or_count_max: 5}}"
        )
        + "segments: [{name: kind, from: {column: party_kind}}]\n"
        "relationships: [{id: maker, segment: {kind: customer}, tier_programme: guild}]\n"
    )
    rows = strategy.parameters(path).tiers
    assert rows.programmes == [("guild", "lead", "kind", "customer", "month", 1, 0)]
    assert rows.measures == [
        ("guild", "answers", "acts", "any", 365), ("guild", "asked", "acts", "any", None),
    ]  # fmt: skip
    assert {row.behavior for row in rows.behaviors} == {"answer", "any"}
    one, other = rows.rules
    assert (one.comparison, str(one.threshold), str(one.keep_threshold)) == (">", "0.07", "0.063")
    assert (other.comparison, str(other.keep_threshold), other.keep_count) == ("<=", "0.3", 5)
    assert (one.clause, other.clause) == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "is_right"),
    [
        ("min: 10", "min: 10", True),
        ("min: 10", "min: 10, max: 20", False),
        ("acts: any", "column: rel_importance.reach", True),
        ("acts: any", "column: rel_importance.weight", False),
        ("acts: any", "acts: any, custom: A", False),
        ("owner: lead", "owner: ' '", False),
    ],
)
def test_editors_refuse_the_same_programmes(old: str, new: str, is_right: bool) -> None:
    said = yaml.safe_load(MINIMAL + GUILD.replace(old, new))
    assert jsonschema.Draft202012Validator(strategy.json_schema()).is_valid(said) == is_right


def test_the_page_names_every_column_that_can_be_a_measure() -> None:
    page = (ROOT / "docs" / "strategy.md").read_text(encoding="utf-8")
    listed = re.search(r"Numbers that can be a `column`:\n\n(.+?)\n\n", page, re.DOTALL)
    assert listed
    told = {
        f"{line[0]}.{column}"
        for entry in listed[1].split("\n- ")
        if (line := re.findall(r"`(\w+)`", entry))
        for column in line[1:]
    }
    assert told == set(tiers.columns())


def test_what_of_the_other_side_can_be_a_measure_is_a_share_that_tracks_has() -> None:
    seed = ROOT / "dbt_project" / "seeds" / "track_indicator.csv"
    with seed.open(encoding="utf-8", newline="") as lines:
        told = {
            row["indicator"]
            for row in csv.DictReader(lines)
            if row["unit"] == "share" and row["given_by"] in ("them", "anyone")
        }
    assert set(get_args(tiers.Indicator)) == told


def test_the_published_programmes_are_a_strategy_that_editors_take() -> None:
    path = STARTS / "published_tiers" / "strategy.yml"
    assert strategy.parameters(path).tiers.rules
    editors = jsonschema.Draft202012Validator(strategy.json_schema())
    assert editors.is_valid(read_yaml(path))


@pytest.mark.parametrize("archetype", get_args(get_type_hints(strategy.Vision)["archetype"]))
def test_every_archetype_has_a_strategy_to_start_from(archetype: str) -> None:
    path = STARTS / archetype / "strategy.yml"
    found = strategy.load(path)
    assert found is not None
    assert found.vision.archetype == archetype
    assert strategy.parameters(path).goals
    with WEIGHTS.open(encoding="utf-8", newline="") as lines:
        assert found.behaviors.weights.keys() <= {row["behavior"] for row in csv.DictReader(lines)}
    editors = jsonschema.Draft202012Validator(strategy.json_schema())
    assert editors.is_valid(read_yaml(path))
