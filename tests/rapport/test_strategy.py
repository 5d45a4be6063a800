"""strategy.yml: without it no verdicts, with it the parameters it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import ConfigError
from rapport import strategy

MINIMAL = 'version: 2026-11\nvision: {statement: "Makers help makers", archetype: community}\n'


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "`vision` is missing"),
        (MINIMAL.replace("community}", "comunity}"), "`vision.archetype`: invalid enum value"),
        (MINIMAL + "behaviours: {}\n", "Did you mean `behaviors`?"),
        (MINIMAL + "community: {quick_ratoi: 1}\n", "Did you mean `quick_ratio`?"),
        (MINIMAL + "behaviors: {half_life_days: {call: 0}}\n", "half_life_days.call is 0"),
        (MINIMAL + "disengagement: {save_list: 0}\n", "disengagement.save_list is 0"),
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
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        strategy.load(path)
    assert said in str(caught.value)
