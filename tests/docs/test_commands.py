"""Every command the documentation shows is run or says why not, and every help text is there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from rapport.cli import DONE, main
from tests.docs.conftest import FirstSteps
from tests.docs.fences import ROOT, Fence, fences, pages, run

README = ROOT / "README.md"
RUN_ELSEWHERE = {"docs/start.md", "docs/add-a-connector.md"}
LANGUAGES = {"bash", "csv", "json", "python", "sql", "text", "yaml"}
MOST_EXCUSES = 6


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*words, name))


@pytest.mark.parametrize("words", list(commands(main)), ids=" ".join)
def test_every_command_has_a_help_text(words: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        result = CliRunner().invoke(main, [*words, flag])
        assert result.exit_code == DONE
        usage, _, rest = result.output.partition("\n\n")
        assert usage.startswith("Usage: ")
        assert len(rest.strip().splitlines()[0].split()) >= 3, result.output


def test_the_help_works_from_a_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rapport.cli", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Commands:" in done.stdout


def test_the_table_of_the_readme_lists_the_commands_there_are_with_their_arguments() -> None:
    listed = re.findall(r"^\| `rapport (\w+)([^`]*)` \|", README.read_text("utf-8"), re.M)
    assert {name for name, _ in listed} == set(main.commands)
    for name, arguments in listed:
        told = [
            parameter.make_metavar(click.Context(main.commands[name]))
            for parameter in main.commands[name].params
            if isinstance(parameter, click.Argument)
        ]
        assert "".join(arguments.split()) == "".join("".join(told).split()), name


def blocks() -> list[Fence]:
    return [fence for page in pages() for fence in fences(page)]


def test_every_block_says_what_language_it_is() -> None:
    marks = {page: len(re.findall(r"^ *```", page.read_text("utf-8"), re.M)) for page in pages()}
    for page, count in marks.items():
        assert len(fences(page)) * 2 == count, f"{page.name}: a block that is not closed"
    assert not [str(fence) for fence in blocks() if fence.language not in LANGUAGES]


def test_few_commands_are_excused_and_each_says_why() -> None:
    excused = [fence for fence in blocks() if fence.excuse]
    assert len(excused) <= MOST_EXCUSES, [str(fence) for fence in excused]
    assert all(fence.language == "bash" for fence in excused)
    assert all(len((fence.excuse or "").split()) >= 3 for fence in excused)


@pytest.mark.parametrize(
    "fence",
    [
        fence
        for fence in blocks()
        if fence.language == "bash" and not fence.excuse and fence.page not in RUN_ELSEWHERE
    ],
    ids=str,
)
@pytest.mark.demo
def test_every_other_command_runs_after_the_first_steps(
    fence: Fence, first_steps: FirstSteps
) -> None:
    steps = [line.partition("#")[0].strip() for line in fence.text.splitlines()]
    made = [step for step in steps if step.startswith("make ")]
    for step in made:
        shown = run(step.replace("make ", "make --dry-run ", 1), ROOT, first_steps.environment)
        assert shown.strip(), step
    rest = "\n".join(step for step in steps if step not in made)
    run(rest, first_steps.folder, first_steps.environment)


def test_every_target_of_the_makefile_is_listed_by_its_help() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.M)
    assert phony
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for target in phony[1].split():
        assert f"make {target} " in shown, target


def test_pages_name_only_files_that_are_there() -> None:
    named = {
        path
        for page in pages()
        for path in re.findall(
            r"`((?:connectors|rapport|assets|dbt_project|examples|tests|sandbox|docs)/[\w./-]+)`",
            page.read_text("utf-8"),
        )
    }
    made = {  # by the tutorial
        "connectors/frontdesk.py",
        "rapport/conformance/frontdesk.py",
        "tests/connectors/test_frontdesk.py",
    }
    logs = {"dbt_project/logs/dbt.log"}
    assert len(named) > 5
    assert not [path for path in named - made - logs if not (ROOT / path).exists()]


def test_no_old_address_of_a_page_is_left_over() -> None:
    for page in pages():
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"
