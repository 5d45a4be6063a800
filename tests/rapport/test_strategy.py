"""strategy.yml: without it no verdicts, with it the parameters it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import ConfigError
from rapport import strategy

MINIMAL = 'version: 2026-11\nvision: {statement: "Makers help makers", archetype: community}\n'


def test_without_the_file_the_defaults_hold_and_no_verdict_is_given(tmp_path: Path) -> None:
    weights, settings = strategy.parameters(tmp_path / "strategy.yml")
    assert weights == []
    assert dict(settings)["has_strategy"] == "false"
    assert dict(settings)["quiet_days"] == "180"


def test_what_a_leader_writes_becomes_parameters(tmp_path: Path) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(
        MINIMAL + "event_definitions: {defection: {quiet_days: 90}}\n"
        "behaviors: {weights: {answer: 6, question: 3}, half_life_days: {default: 62, answer: 9}}\n"
    )
    weights, settings = strategy.parameters(path)
    assert weights == [("answer", 6.0, 9.0), ("question", 3.0, 62.0)]
    assert dict(settings)["has_strategy"] == "true"
    assert dict(settings)["quiet_days"] == "90"
    assert dict(settings)["strategy_version"] == "2026-11"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "`vision` is missing"),
        (MINIMAL.replace("community}", "comunity}"), "`vision.archetype`: invalid enum value"),
        (MINIMAL + "behaviours: {}\n", "Did you mean `behaviors`?"),
        (MINIMAL + "community: {quick_ratoi: 1}\n", "Did you mean `quick_ratio`?"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "strategy.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        strategy.load(path)
    assert said in str(caught.value)
