"""Who is asked about whom, and what becomes of an answer, on a company that dbt has built.

Belongs here: `rapport review` from the questions to the file and the measure of the rules. Does not
belong here: what a verdict does to a person (`test_identity`), or how the file is read
(`tests/rapport/identity/test_overrides.py`).
"""

from __future__ import annotations

import csv
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from connectors.errors import BuildError, ConfigError
from rapport import config as configuration
from rapport.cli import main
from rapport.config import Config
from rapport.identity import reviews
from rapport.identity.reviews import Question, questions, standings, wilson
from tests.dbt.test_identity import built, company

pytestmark = pytest.mark.dbt

DAY = date(2026, 6, 30)
HEADER = "rule_id,left,right,verdict,reason,author,date\n"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    landing = company()
    for name in ("Ada", "Ben", "Cora", "Dirk", "Elsa", "Finn"):
        for source in ("club", "desk"):
            record = {"id": name, "name": f"{name} Webster", "email": f"{name}@web.example".lower()}
            landing.add("mapped__people", record, source=source, stream="people")
    for source in ("club", "desk"):  # a name that a spreadsheet would run
        record = {"id": "sum", "name": "=SUM(A1:A9)", "email": "sum@web.example"}
        landing.add("mapped__people", record, source=source, stream="people")
    folder = tmp_path_factory.mktemp("company")
    built(folder, landing)
    return folder / "build.duckdb"


@pytest.fixture
def config(build: Path, tmp_path: Path) -> Config:
    (tmp_path / ".rapport").mkdir()
    shutil.copy(build, tmp_path / ".rapport" / "build.duckdb")
    (tmp_path / "rapport.yml").write_text("sources: {}\n", encoding="utf-8")
    return configuration.load(tmp_path / "rapport.yml")


def said(config: Config) -> str:
    return (config.folder / "identity" / "reviews.csv").read_text(encoding="utf-8")


def keys(asked: list[Question]) -> list[tuple[str, str]]:
    return [(one.left.profile_key, one.right.profile_key) for one in asked]


def call(config: Config, *arguments: str, answers: str = "") -> Result:
    command = ["--config", str(config.path), "review", "--author", "dana", *arguments]
    result = CliRunner().invoke(main, command, input=answers)
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return result


def test_suggestions_come_first_then_a_sample_of_each_automatic_rule(config: Config) -> None:
    asked = questions(config, sample=2)
    waiting = [one for one in asked if one.gain is not None]
    assert waiting == asked[: len(waiting)]
    assert ("club:people:rare-1", "desk:people:rare-2") in keys(waiting)
    drawn = [rule for one in asked[len(waiting) :] for rule in one.rules]
    assert drawn.count("email_and_name") == 2
    assert len(keys(asked)) == len(set(keys(asked)))
    assert not questions(config, rule="rare_name", sample=9, only_suggestions=True)[0].rules[1:]


def test_the_same_seed_draws_the_same_pairs_and_a_larger_sample_holds_the_smaller(
    config: Config,
) -> None:
    def drawn(sample: int, seed: int) -> list[tuple[str, str]]:
        return keys(questions(config, rule="email_and_name", sample=sample, seed=seed))

    assert drawn(3, 1) == drawn(3, 1) == drawn(4, 1)[:3]
    assert len({tuple(drawn(3, seed)) for seed in range(5)}) > 1


def test_what_was_judged_is_not_asked_again(config: Config) -> None:
    asked = questions(config, sample=1)
    for one in asked:
        reviews.answer(config, one, "unsure", "", "dana", DAY)
    assert not set(keys(asked)) & set(keys(questions(config, sample=9)))


def test_a_pair_that_two_rules_drew_is_asked_once_and_measures_both(config: Config) -> None:
    [one] = [one for one in questions(config) if "place_and_name" in one.rules
             and len(one.rules) > 1][:1]  # fmt: skip
    reviews.answer(config, one, "yes", "", "dana", DAY)
    found = {rule.rule_id: rule.reviewed for rule in standings(config)}
    assert [found[rule] for rule in one.rules] == [1] * len(one.rules)


def test_a_page_shows_what_both_are_and_masks_what_is_others_too(config: Config) -> None:
    # Jana's address is also a stranger's
    output = call(config, "--rule", "email_and_name", "--sample", "99", answers="s\n" * 99).output
    assert "Jana Novak" in output
    assert "jn@mill.example" not in output
    assert "j***@mill.example" in output
    against = "a mailbox on which people of different names were seen"
    [jana] = [one for one in questions(config, rule="email_and_name", sample=99)
              if one.left.name == "Jana Novak"]  # fmt: skip
    assert jana.left.identifiers == [("email", "j***@mill.example", against)]
    assert "ada@web.example" in output


def test_answers_are_kept_one_by_one_until_somebody_has_enough(config: Config) -> None:
    result = call(
        config, "--rule", "email_and_name", answers='y\nwhat?\nn "twins", I know\nskip\nq\nn late\n'
    )
    assert result.exit_code == 0
    assert "For example: `n father and son`" in result.output
    assert "2 answers in identity/reviews.csv" in result.output
    lines = list(csv.reader(said(config).splitlines()))
    assert [(line[0], line[3], line[4], line[5]) for line in lines] == [
        ("rule_id", "verdict", "reason", "author"),
        ("email_and_name", "yes", "as shown", "dana"),
        ("email_and_name", "no", '"twins", I know', "dana"),
    ]
    assert "email_and_name only suggests from the next build on." in result.output


def test_an_answer_that_contradicts_what_people_said_is_not_taken(config: Config) -> None:
    [one] = questions(config, rule="rare_name", only_suggestions=True)[:1]
    left, right = keys([one])[0]
    (config.folder / "identity").mkdir()
    (config.folder / "identity" / "links.csv").write_text(
        f"action,left,right,reason,author,date\nunlink,{left},{right},father,dana,2026-06-30\n"
    )
    result = call(config, "--rule", "rare_name", "--suggestions", answers="y\nu\nq\n")
    assert "Not taken: identity/links.csv:2: it keeps" in result.output
    assert "1 answer in identity/reviews.csv; the next `rapport build` applies it." in result.output
    assert ",unsure," in said(config)


def test_answers_of_many_at_once_are_all_kept(config: Config) -> None:
    asked = questions(config)[:8]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: reviews.answer(config, one, "yes", "", "dana", DAY), asked))
    lines = list(csv.DictReader(said(config).splitlines()))
    assert sorted((line["left"], line["right"]) for line in lines) == sorted(keys(asked))


def test_a_line_is_added_to_what_somebody_else_wrote_as_they_wrote_it(config: Config) -> None:
    (config.folder / "identity").mkdir()
    path = config.folder / "identity" / "reviews.csv"
    before = (
        "\ufeffdate,author,reason,verdict,right,left,rule_id\r\n2026-01-01,eve,é,no,a:b:1,a:b:2,x"
    )
    path.write_text(before, encoding="utf-8", newline="")
    [one] = questions(config, rule="rare_name", only_suggestions=True)[:1]
    reviews.answer(config, one, "yes", "a, b", "dana", DAY)
    left, right = keys([one])[0]
    assert path.read_bytes().decode() == (
        f'{before}\n2026-06-30,dana,"a, b",yes,{right},{left},rare_name\n'
    )
    assert [path.name for path in path.parent.iterdir()] == ["reviews.csv"], "nothing else is left"


def test_a_sheet_goes_out_and_comes_back_whole_or_not_at_all(
    config: Config, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.csv"
    result = call(config, "--export", str(sheet))
    assert "fill in `verdict`" in result.output
    rows = list(csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) > 6
    assert [row for row in rows if row["left_shows"].startswith("'=SUM")], "no formula"
    assert not [row for row in rows if row["left_shows"].startswith(("=", "+", "-", "@"))]
    again = call(config, "--export", str(sheet))
    assert (again.exit_code, "is there already" in again.output) == (2, True)

    def fill(*verdicts: str) -> None:
        with sheet.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(
                row | {"verdict": verdict}
                for row, verdict in zip(rows, [*verdicts, *[""] * len(rows)], strict=False)
            )

    fill("yes", "perhaps")
    wrong = call(config, "--import", str(sheet))
    assert (wrong.exit_code, "sheet.csv:3: `verdict` is `perhaps`." in wrong.output) == (2, True)
    assert not (config.folder / "identity" / "reviews.csv").exists()

    fill("Yes", "no", "unsure")
    taken = json.loads(call(config, "--import", str(sheet), "--json").output)
    assert (taken["taken"], taken["known"], taken["open"]) == (3, 0, len(rows) - 3)
    assert json.loads(call(config, "--import", str(sheet), "--json").output)["known"] == 3
    assert len(said(config).splitlines()) == 4

    fill("no")
    opposite = call(config, "--import", str(sheet))
    assert opposite.exit_code == 2
    assert "sheet.csv:2: it keeps" in opposite.output
    assert "which these lines make one: identity/reviews.csv:2." in " ".join(
        opposite.output.split()
    )


def test_a_report_tells_how_right_each_rule_is(config: Config) -> None:
    (config.folder / "identity").mkdir()
    end = "why,dana,2026-06-30\n"
    lines = [
        f"place_and_name,club:a:{n},desk:a:{n},{'yes' if n else 'no'},{end}" for n in range(100)
    ]
    lines += [f"own_mailbox,club:b:{n},desk:b:{n},yes,{end}" for n in range(5)]
    # a pair counts once, and a second look can make sure
    lines += [f"rare_name,a:b:1,a:b:2,{verdict},why,eve,2026-06-30\n" for verdict in
              ("unsure", "yes", "yes")]  # fmt: skip
    (config.folder / "identity" / "reviews.csv").write_text(HEADER + "".join(lines))
    found = {one.rule_id: one for one in standings(config)}
    place, own, rare = (found[name] for name in ("place_and_name", "own_mailbox", "rare_name"))
    assert (place.right, place.wrong, place.band, place.next_band) == (99, 1, "auto", "suggest")
    assert (round(place.low or 0, 4), round(place.high or 0, 4)) == (0.9455, 0.9982)
    assert (own.right, own.next_band, own.change) == (5, "auto", "")
    assert (rare.reviewed, rare.unsure, rare.band) == (1, 0, "suggest")
    output = call(config, "--report").output
    assert "place_and_name only suggests from the next build on." in output
    assert "94.5 % to 99.8 %" in output
    assert "56.5 % to 100 %" in output
    report = json.loads(call(config, "--report", "--json").output)
    assert {one["rule_id"] for one in report["rules"]} == set(found)


def test_wilson_bounds_are_those_of_the_build() -> None:
    # the same as `identity_rule_standing` says in `test_identity`
    assert round(wilson(5, 5)[0], 4) == 0.5655
    assert round(wilson(99, 100)[0], 4) == 0.9455
    assert wilson(0, 0) == (0.0, 1.0)


def test_without_a_build_or_with_a_wrong_word_nothing_is_asked(config: Config) -> None:
    with pytest.raises(ConfigError) as caught:
        questions(config, rule="rare_names")
    assert str(caught.value).startswith(
        "--rule: `rule_id` is `rare_names`. Did you mean `rare_name`? Write one of: "
    )
    wrong = call(config, "--report", "--import", "x.csv")
    assert (wrong.exit_code, "exclude each other" in wrong.output) == (2, True)
    absent = call(config, "--import", "x.csv")
    assert "x.csv: there is no such file. Write one with `--export`." in absent.output
    database = config.home / "build.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("drop table identity_suggestion")
    with pytest.raises(BuildError, match=r"`build.duckdb` was not built by this version\."):
        questions(config)
    database.write_bytes(b"not a database")
    with pytest.raises(BuildError, match=r"`build.duckdb` cannot be read: a build is going on\."):
        questions(config)
    database.unlink()
    with pytest.raises(BuildError, match=r"no `build.duckdb` to read pairs from\."):
        questions(config)
