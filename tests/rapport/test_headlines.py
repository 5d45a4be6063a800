from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from connectors.errors import BuildError
from rapport import headlines
from rapport.config import Config
from tests.rapport import published
from tests.rapport.published import company, configure


def printed(config: Config, mark: str | None = None) -> str:
    out = StringIO()
    headlines.print_all(Console(file=out, width=110, highlight=False), config, mark)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = configure(tmp_path / "home", strategy=True)
    published.write(config.home, company(["Ada", "Grace"]))
    return config


def test_the_headlines_name_people_organizations_and_the_community_with_n(config: Config) -> None:
    text = printed(config)
    for line in (
        "people                   70 (besides 3 colleagues, 0 bots)",
        "interactions             120: email 60, answer 20, comment 20, question 20",
        "forum people in the CRM  100 % (n = 40 active in 90 days)",
        "forum people known to    crm 60 %, support 25 %, any 70 %",
        "answered within 7 days  62 % (n = 99 questions)",
        "help in the community  28 days  364 days  all time",
        "median first response    3.2 h     5.5 h   unknown",
        "top helper's share        11 %   unknown   unknown",
        "Organizations to look after, 5 of 55",
        "Grace  usually in touch every 5 days, now 15 days quiet",
        "People drifting away, 5 of 70",
        "in quarantine  nothing",
        "share of questions that were solved: no answer was ever marked as accepted",
    ):
        assert line in text


def test_the_fourth_purchase_is_told_with_n_and_spread(tmp_path: Path) -> None:
    config = configure(tmp_path / "home", strategy=True)
    ladder = published.snapshot() | {
        "step": "purchase", "segment_type": "all", "segment": "all", "ordinal": 4, "started": 1200,
        "reached": 431, "reached_share_365d": 0.352, "p25_days": 51.5, "median_days": 93,
        "p75_days": 170,
    }  # fmt: skip
    others = [ladder | {"ordinal": 3}, ladder | {"segment_type": "tier", "segment": "Gold"}]
    wrong = [row | {"reached": 7, "started": 9} for row in others]
    published.write(config.home, company(["Ada"]) | {"rel_cadence": [*wrong, ladder]})
    text = " ".join(printed(config).split())
    assert "4th purchase 35 % within a year of the first (n = 1,200 buyers); the 431 who" in text
    assert "took 93 days at the median, half of them 52 to 170" in text
    assert headlines.numbers(config)["fourth_purchase"]["reached"] == 431

    published.write(config.home, company(["Ada"]))
    assert "4th purchase" not in printed(config)
    assert headlines.numbers(config)["fourth_purchase"] is None


def test_the_headlines_say_where_everything_is_and_how_to_open_it(config: Config) -> None:
    text = printed(config).replace("\n", "").replace(" ", "")
    assert f"duckdb-readonly{config.home / 'warehouse.duckdb'}".replace(" ", "") in text
    assert str(config.home / "report" / "index.html") in text
    assert str(config.home / "marts") in text


def test_a_mark_stands_above_and_below(config: Config) -> None:
    lines = printed(config, "SANDBOX DATA").splitlines()
    assert lines[0] == lines[-1] == "SANDBOX DATA"


def test_the_numbers_are_plain_json_with_null_for_unknown(tmp_path: Path) -> None:
    config = configure(tmp_path)
    published.write(config.home, company(["Ada"], silos=("crm",), verdicts=False))
    values = json.loads(json.dumps(headlines.numbers(config)))
    assert values["people"] == 70
    assert values["forum_people_linked_to_crm"]["share"] is None
    assert values["answered_7d_share"] is None
    assert values["verdict"] is None
    assert values["organizations_to_look_after"]["total"] == 55
    whys = {item["why"] for item in values["unknown"]}
    assert {"no forum is connected", "no cases are connected"} <= whys


def test_an_empty_warehouse_prints_unknown(tmp_path: Path) -> None:
    config = configure(tmp_path)
    published.write(config.home, {})
    text = printed(config)
    assert "people                   unknown" in text
    assert "organizations            unknown" in text
    assert "whether questions get answered: no forum is connected" in text
    assert "how the relationship with each organization fares: no source names" in text


def test_names_of_strangers_neither_steer_the_terminal_nor_the_markup(tmp_path: Path) -> None:
    config = configure(tmp_path)
    published.write(config.home, company())
    text = printed(config)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[31mred [0m [bold]markup[/bold]" in text or "<script>" in text


def test_headlines_without_a_warehouse_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="Run `rapport run`"):
        headlines.numbers(configure(tmp_path))
