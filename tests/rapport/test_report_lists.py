"""Lists per owner beside the report: who is on them, and what a spreadsheet makes of them."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rapport import report
from rapport.config import Config
from tests.rapport import published
from tests.rapport.published import HOSTILE_NAMES, company, configure

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configure(tmp_path / "home", "own_domains: [acme.example]", strategy=True)


def files(config: Config, tables: Tables, kind: str) -> dict[str, list[dict[str, str]]]:
    """Return file name -> lines of every list of a kind."""
    published.write(config.home, tables)
    folder = report.render(config).parent / "lists"
    found = {}
    for path in sorted(folder.glob(f"{kind}-*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            found[path.name] = list(csv.DictReader(file))
    return found


def test_each_save_list_holds_the_ranked_people_of_one_owner_in_their_order(config: Config) -> None:
    tables = company(["Ada", "Bo", "Cy"])
    staff = [row for row in tables["dim_person"] if row["is_staff"]]
    for person in tables["dim_person"]:
        person["owner_person_id"] = (
            staff[0]["person_id"] if person["display_name"] == "Bo" else None
        )
    staff[0]["display_name"] = "Dana Scully"
    ranked = {row["person_id"] for row in tables["rel_disengagement"] if row["save_rank"]}
    found = files(config, tables, "save")
    assert list(found) == ["save-dana-scully.csv", "save-leadership.csv"]
    assert {line["person"] for line in found["save-dana-scully.csv"]} == {"Bo"}
    assert "Bo" not in {line["person"] for line in found["save-leadership.csv"]}
    pages = [line["page"] for lines in found.values() for line in lines]
    assert {Path(page).stem for page in pages} == ranked
    for lines in found.values():
        assert [int(line["place"]) for line in lines] == list(range(1, len(lines) + 1))
        assert all(line["why"] and line["what_to_do"] for line in lines)
    page = (config.home / "report" / "index.html").read_text(encoding="utf-8")
    assert 'href="lists/save-dana-scully.csv"' in page


def test_who_was_never_thanked_comes_first_and_is_told_so(config: Config) -> None:
    tables = company(["Ada"], silos=["forum"])
    answers = [row for row in tables["fct_interaction"] if row["kind"] == "answer"]
    helpers = sorted({row["actor_person_id"] for row in answers})
    assert len(helpers) == 2
    tables["fct_reaction"] = [
        {
            "observation_id": "1", "interaction_id": row["interaction_id"], "kind": "like",
            "polarity": "positive", "n_change": 1, "observed_at": datetime(2026, 11, 20),
        }
        for row in answers
        if row["actor_person_id"] == helpers[0]
    ]  # fmt: skip
    [lines] = files(config, tables, "thank").values()
    told = ["nobody ever liked or accepted" in line["also"] for line in lines]
    assert told == [True, False]
    assert Path(lines[0]["page"]).stem == helpers[1]


def test_nobody_is_called_never_thanked_where_no_source_tells_thanks(config: Config) -> None:
    [lines] = files(config, company(["Ada"], silos=["forum"]), "thank").values()
    assert not [line for line in lines if "nobody ever liked" in line["also"]]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum(a1)", " =1", *HOSTILE_NAMES])
def test_a_name_is_no_formula_and_stays_on_its_line(config: Config, name: str) -> None:
    for kind in ("save", "thank"):
        found = files(config, company([name]), kind)
        assert found
        for lines in found.values():
            for line in lines:
                assert None not in line, "more cells than heads"
                for cell in line.values():
                    assert "\n" not in cell
                    assert not cell.startswith(("=", "+", "-", "@"))


def test_owners_of_one_name_have_a_file_each(config: Config) -> None:
    tables = company(["Ada"])
    staff = [row["person_id"] for row in tables["dim_person"] if row["is_staff"]]
    for number, person in enumerate(tables["dim_person"]):
        person["owner_person_id"] = staff[number % 2]
    assert len(files(config, tables, "save")) == 2


def test_without_a_strategy_nobody_is_told_to_do_anything(tmp_path: Path) -> None:
    config = configure(tmp_path / "home")
    published.write(config.home, company(["Ada"], verdicts=False))
    assert list((report.render(config).parent / "lists").iterdir()) == []
