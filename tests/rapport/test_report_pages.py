"""Goals and questions in the report: what stands on a page is what stands in the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rapport import report, strategy
from rapport.config import Config
from rapport.report import pages, scoreboard, topics, words
from rapport.report.questions import Column, Question
from tests.rapport import published
from tests.rapport.published import AS_OF, ROOT, company, configure

Tables = dict[str, list[dict[str, Any]]]
ASKED = [(topic.name, one) for topic in topics.TOPICS for one in topic.questions]
ASKED += [("engagement", one) for one in topics.tiers.QUESTIONS]
READ_AS = {  # unit of a contract -> the functions of `words` that say it
    "share": {"percent", "signed"}, "days": {"days"}, "hours": {"duration"}, "money": {"money"},
    "points": {"score"}, "percent": {"of_100"}, "date": {"numeric_day"}, "bits": {"rarity"},
    "as unit says": {"measure"}, "text": {"sentence", "name"}, "purchase days": {"count", "ratio"},
    "people": {"count", "ratio"}, "index": {"ratio"}, "steps": {"count", "bare"},
}  # fmt: skip


NUMBERS = {  # what a heading promises, written down apart from the pages
    ("ties", "radar"): {
        "Ties between people": "ties", "Strength": "strength", "Last used": "days_since",
    },
    ("ties", "missed"): {
        "Organizations depending": "organizations_depending",
        "People depending": "people_depending", "Answers in a year": "answers",
    },
    ("ties", "important"): {"Place": "rank", "Importance": "importance", "Ties": "reach_part",
                            "Attention": "attention_part", "Joins others": "bridge_part"},
    ("silence", "save"): {"Place": "save_rank", "Usual gap": "usual_gap_days",
                          "Quiet for": "current_gap_days"},
    ("silence", "check"): {
        "People on its first day": "people", "Named": "listed",
        "Right, by our order": "precision_by_score",
        "Right, by last visit": "precision_by_recency", "Right, blindly": "lost_share",
    },
    ("journeys", "whole"): {"Journeys": "journeys", "Half took up to": "median_wait_hours",
                            "Nine of ten up to": "p90_wait_hours"},
    ("journeys", "remove"): {"Place": "removal_rank", "Cost": "hand_off_cost_hours",
                             "Hand-overs": "hand_offs"},
    ("journeys", "waiting"): {"Share of all waiting": "wait_share", "Times": "moves",
                              "Half waited up to": "median_wait_hours"},
    ("journeys", "open"): {"Open for": "age_hours", "Waited for us": "wait_on_us_hours"},
    ("lifetime", "lasting"): {
        "Came": "came", "Watched long enough": "watched", "There after a year": "alive_365d",
        "Half ended by": "median_days", "Mean, first year": "rmst_12m_days",
    },
    ("lifetime", "lengthening"): {"Longer than those before by": "delta_days"},
    ("lifetime", "leaving"): {"Left": "gone", "Came once": "gone_after_one_share"},
    ("money", "worth"): {"Paid so far": "spend", "Cost to serve": "cost_to_serve",
                         "Left after it": "profit", "Expected": "expected_spend"},
    ("money", "expected"): {"Place": "expected_rank", "In 365 days": "spend_365d"},
    ("engagement", "next-tier"): {"Rules missing": "rules_missing", "Furthest off by": "next_gap",
                                  "Review in": "days_to_review"},
    ("engagement", "tier-loss"): {"Lost in": "days_to_loss"},
}  # fmt: skip


class Cells(HTMLParser):
    """Rows of the tables of every section by its id: heading -> text of the cell."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[dict[str, str]]] = {}
        self._section = ""
        self._label: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._section = given.get("id") or ""
        elif tag == "tr":
            self.found.setdefault(self._section, []).append({})
        elif tag == "td":
            self._label = given.get("data-label") or ""
            self.found[self._section][-1][self._label] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._label = None

    def handle_data(self, data: str) -> None:
        if self._label is not None:
            row = self.found[self._section][-1]
            row[self._label] = " ".join(f"{row[self._label]} {data}".split())

    def rows(self, section: str) -> list[dict[str, str]]:
        return [row for row in self.found.get(section, []) if row]


def pages_of(config: Config, tables: Tables) -> dict[str, str]:
    published.write(config.home, tables)
    folder = report.render(config).parent
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return company(["Ada Byron", "Bo Li", "Cy Xu"])


@pytest.fixture(scope="module")
def site(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    config = configure(tmp_path_factory.mktemp("pages"), strategy=True)
    return pages_of(config, tables)


def told(column: Column, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each number of a cell as it should read, from the row of the table."""
    for name, spec in column.places:
        if column.kind in ("number", "text", "do", "role") and name in row:
            tell = getattr(words, spec)
            unit = {"money": "currency", "measure": "unit"}.get(spec)
            if row[name] is not None:
                yield name, tell(row[name], row[unit]) if unit else tell(row[name])


@pytest.mark.parametrize(
    ("page", "question"), [pair for pair in ASKED if not pair[1].source], ids=lambda one: str(
        getattr(one, "id", one))
)  # fmt: skip
def test_every_number_of_an_answer_is_that_of_its_table(
    page: str, question: Question, site: dict[str, str], tables: Tables
) -> None:
    shown = Cells(site[page]).rows(question.id)
    assert shown
    held = tables[question.table]
    for cells in shown:
        # One row of the table says all of what the row of the page does.
        assert [
            row
            for row in held
            if all(
                text in cells["" if place == 0 else column.heading]
                for place, column in enumerate(question.columns)
                for _, text in told(column, row)
            )
        ], cells


@pytest.mark.parametrize(("page", "question"), NUMBERS)
def test_a_heading_stands_over_the_number_it_promises(
    page: str, question: str, site: dict[str, str], tables: Tables
) -> None:
    [table] = [one.table for name, one in ASKED if (name, one.id) == (page, question)]

    def reads(row: dict[str, Any], column: str) -> str:
        [told] = {
            "share": [words.percent], "days": [words.days], "hours": [words.duration],
            "points": [words.score], "money": [lambda value: words.money(value, "USD")],
        }.get(published.unit(table, column), [words.count])  # fmt: skip
        return told(row[column])

    promised = NUMBERS[page, question]
    held = [
        tuple(reads(row, column) for column in promised.values())
        for row in tables[table]
        if all(row.get(column) is not None for column in promised.values())
    ]
    shown = Cells(site[page]).rows(question)
    assert shown
    for cells in shown:
        said = [cells[heading] for heading in promised]
        assert [
            row
            for row in held
            if all(f"{cell} ".startswith(f"{text} ") for cell, text in zip(said, row, strict=True))
        ], cells


def test_rows_that_are_added_up_count_what_the_table_holds(
    site: dict[str, str], tables: Tables
) -> None:
    tiers = {row[""]: row for row in Cells(site["engagement"]).rows("tiers")}
    assert tiers["helper"]["People"] == "3" and tiers["helper"]["About to lose it"] == "3"
    assert tiers["no tier yet"]["People"] == "3"
    people = tables["rel_disengagement"]
    levels = {row[""]: row["People now"] for row in Cells(site["silence"]).rows("levels")}
    for level in ("slowing", "quiet"):
        assert levels[level] == str(sum(row["level"] == level for row in people))
    [effort] = Cells(site["journeys"]).rows("effort")
    assert (effort["Journeys"], effort["Wait for us"], effort["Wait for them"]) == ("5", "3", "2")
    [sides] = Cells(site["ties"]).rows("sides")
    assert (sides[""], sides["Ties"]) == ("customer and staff", "4")
    [kept] = Cells(site["qualities"]).rows("supports")
    assert kept == {
        "": "promises kept in time by us", "Customers": "30 % n = 300", "Prospects": "unknown",
        "Partners": "unknown", "Suppliers": "unknown", "Staff": "37 % n = 310",
    }  # fmt: skip
    [slow] = Cells(site["qualities"]).rows("erodes")
    assert slow["Customers"] == f"{words.duration(0.31)} n = 301"  # hours, not a share
    [unlit] = Cells(site["qualities"]).rows("unlit")
    assert unlit["Read this to know it"] == "Cy Xu"


@pytest.mark.parametrize(("page", "question"), ASKED, ids=lambda one: getattr(one, "id", one))
def test_a_column_is_told_in_the_unit_that_its_contract_declares(
    page: str, question: Question
) -> None:
    known = published.columns(question.table)
    for column in question.columns:
        for name, spec in column.places:
            if name in known and column.kind == "number":
                unit = published.unit(question.table, name)
                assert spec in READ_AS.get(unit, {"count"}), (question.id, name, unit)


def test_no_amount_of_money_stands_outside_the_page_about_it() -> None:
    for page, question in ASKED:
        if page != "money":
            for name in question.fields:
                if name in published.columns(question.table):
                    assert published.unit(question.table, name) != "money", (page, name)


def test_goals_show_target_number_before_state_cause_action_and_owner(
    site: dict[str, str], tables: Tables
) -> None:
    share, count = (row for row in Cells(site["goals"]).rows("goals-1") if "Target" in row)
    assert share[""].startswith("Answered in 7 days")
    assert share["Target"] == "at least 90 % by 2027-06-30"
    assert share["Now"].startswith("62 %") and share["Before"] == "31 %"
    assert share["How it stands"].startswith("off course 28 % missing")
    row = tables["rel_scoreboard"][0]
    assert share["What moved it"] == row["reason_1"] and share["What to do"] == row["action"]
    assert share["Answers for it"] == row["owner"]
    assert count["Now"].startswith("12") and count["Before"] == "6"
    assert "Why: Bo Li" in site["goals"]
    assert "2 goals: 1 on course, 1 off course" in site["goals"]
    assert "signed off on 2" in site["goals"] and "a step to <bdi>" in site["goals"]
    assert "<h2>Press</h2>" in site["goals"] and "No goal yet: set a goal." in site["goals"]
    # the year of each, as a table: today and both steps before it
    text = " ".join(re.sub(r"<[^>]+>", " ", site["goals"]).split())
    assert f"{AS_OF} 62 % {row['n']} as known then" in text


def test_versions_of_the_strategy_stand_with_their_days_and_changes(site: dict[str, str]) -> None:
    now, first = Cells(site["goals"]).rows("versions")
    assert now["Since"] == "2026-11-23 04:00" and now["Until"] == "in force"
    assert now["Changed"] == "levels is 3, was 1"
    assert first["Changed"].startswith("4 places vision.statement is Bo Li levels is 1")


def test_without_a_strategy_the_page_of_goals_says_how_to_begin_and_judges_nothing(
    tmp_path: Path,
) -> None:
    config = configure(tmp_path)
    found = pages_of(config, company(["Ada"]))  # what an earlier strategy said is in the tables
    page = found["goals"]
    assert "there is no strategy.yml" in page and "relationships:" in page
    assert 'class="chip' not in page and "off course" not in page
    config.strategy_path.write_text(scoreboard.BEGIN, encoding="utf-8")
    assert "waits for strategy.yml" in found["silence"].split("</h1>")[0]
    assert not Cells(found["silence"]).rows("levels") + Cells(found["silence"]).rows("save")
    begun = strategy.load(config.strategy_path)
    assert begun and begun.relationships[0].goals
    newer = pages_of(config, {})["goals"]
    assert "newer than these tables" in newer


def test_pages_without_data_say_unknown_and_what_would_light_it(tmp_path: Path) -> None:
    found = pages_of(configure(tmp_path, strategy=True), {})
    for topic in topics.TOPICS:
        assert "unknown" in found[topic.name].split("</h1>")[0].lower(), topic.name
        first = topic.questions[-1].nothing
        assert f"Unknown: {first}" in found[topic.name] or first in found[topic.name]
        assert "<table" not in found[topic.name]
        assert not re.search(r"<h1>[^<]*\b0\b", found[topic.name])


def test_nobody_without_a_basis_is_named_on_any_page(tmp_path: Path) -> None:
    """An account that no record claims, a person who is in no table any more, and a bot."""
    rows = company(["Ada"])
    rows["dim_person"][1] |= {"silos": "social", "display_name": "@secret", "is_linked": False}
    rows["dim_person"][2] |= {"is_bot": True, "display_name": "robot"}
    gone = "per_00000000000000ff"
    for table in ("rel_bond", "rel_importance", "rel_tier", "rel_journey_case", "rel_value"):
        someone = {"person_id", "other_person_id", "party_id"} & rows[table][1].keys()
        rows[table].append(rows[table][1] | dict.fromkeys(someone, gone))
    config = configure(tmp_path, strategy=True)
    published.write(config.home, rows)
    folder = report.render(config).parent
    for path in folder.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert "@secret" not in page and gone not in page, path.name
        for i in (1, 2):
            assert f"per_{i:016x}" not in page, path.name
    important = Cells((folder / "ties.html").read_text(encoding="utf-8")).rows("important")
    assert len(important) == 3  # of five: neither the account, nor the bot, nor who is gone


def test_only_the_published_day_as_it_was_known_is_shown(
    site: dict[str, str], tables: Tables, tmp_path: Path
) -> None:
    more = dict(tables)
    for table in {question.table for _, question in ASKED}:
        more[table] = [
            *tables[table],
            *(row | {"as_of": AS_OF - timedelta(days=28)} for row in tables[table]),
            *(row | {"basis": "backcast"} for row in tables[table]),
        ]
    found = pages_of(configure(tmp_path, strategy=True), more)
    for topic in topics.TOPICS:
        assert found[topic.name] == site[topic.name]


def test_ties_that_rest_on_a_shared_interest_are_added_up(tmp_path: Path) -> None:
    rows = company(["Ada"])
    config = configure(tmp_path, strategy=True)
    for shared, told in (
        ([1, 2, 0, None], "2"),
        ([0, None, None, None], "0"),
        ([None] * 4, "unknown"),
    ):
        for row, mutual in zip(rows["rel_bond"], shared, strict=True):
            row["mutual_interests"] = mutual
        [sides] = Cells(pages_of(config, rows)["ties"]).rows("sides")
        assert (sides["Ties"], sides["Share an interest"]) == ("4", told)


def test_tiers_that_moved_are_counted_over_a_year(tmp_path: Path) -> None:
    rows = company(["Ada"])
    held = rows["rel_tier_flow"]
    up = held[1] | {"from_tier": "none", "movement": "entry", "people": 1}
    down = held[1] | {"to_tier": "none", "movement": "exit", "people": 2}
    for back, moves in ((29, [held[1], down]), (27, [up]), (400, [up])):
        rows["rel_tier_flow"] = rows["rel_tier_flow"] + [
            move | {"as_of": AS_OF - timedelta(days=back), "basis": "backcast"} for move in moves
        ]
    rows["rel_tier_flow"].append(held[1] | {"basis": "backcast", "people": 50})
    shown = Cells(pages_of(configure(tmp_path, strategy=True), rows)["engagement"]).rows(
        "tier-moves"
    )
    assert [(row[""], row["Moved up"], row["Moved down"], row["With a tier"]) for row in shown] == [
        (AS_OF.isoformat(), "0", "0", "3"),
        ((AS_OF - timedelta(days=29)).isoformat(), "0", "2", "3"),
    ]  # one day of each 28, the newest, as it was known; nothing older than a year


def test_every_word_of_an_indicator_is_told() -> None:
    seed = (ROOT / "dbt_project/seeds/track_indicator.csv").read_text(encoding="utf-8")
    for line in seed.splitlines()[1:]:
        indicator = line.split(",")[0]
        assert words.indicator(indicator) != words.kind(indicator)


def test_the_first_page_links_every_page_with_what_it_finds(site: dict[str, str]) -> None:
    listed = site["index"].split('<section id="pages">')[1].split("</section>")[0]
    for name in pages.ABOUT:
        if name != "index":
            said = listed.split(f'href="{name}.html"')[1].split("</dd>")[0]
            finding = said.split("<b>")[1].split("</b>")[0]
            assert len(finding) > 15, name
            if name in {topic.name for topic in topics.TOPICS} | {"goals"}:
                assert f"<h1>{finding}</h1>" in site[name]
        for page in site.values():
            assert f'href="{name}.html"' in page  # one navigation


def test_each_chart_has_its_numbers_in_a_table_that_stands_open_without_script(
    site: dict[str, str],
) -> None:
    for name, page in site.items():
        charts = page.split('<div class="chart"')[1:]
        for chart in charts:
            numbers = chart.split("</figure>")[0].split("</script>")[1]
            assert '<details class="numbers" open>' in numbers, name
            assert numbers.count("<tr>") > 1 and numbers.count("<td>") > 1, name
