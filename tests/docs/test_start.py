"""The first page works as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sandbox.server import serve
from tests.docs.conftest import FirstSteps
from tests.docs.fences import DOCS, ROOT, fences, missing

PAGE = DOCS / "start.md"


@pytest.mark.demo
def test_every_command_prints_what_the_page_shows(first_steps: FirstSteps) -> None:
    shown = 0
    before = None
    for fence in fences(PAGE):
        if fence.language == "text":
            assert before is not None
            absent = missing(fence.text, first_steps.printed[before])
            assert absent is None, f"{fence}: `{absent}` not in\n{first_steps.printed[before]}"
            shown += 1
        elif fence in first_steps.printed:
            before = fence
    assert shown >= 5


@pytest.mark.demo
def test_the_second_sync_brings_nothing(first_steps: FirstSteps) -> None:
    [printed] = [
        text for fence, text in first_steps.printed.items() if "rapport sync" in fence.text
    ]
    first, second = printed.split("stream ")[1:]
    rows = {line.split()[0]: line.split()[1] for line in second.splitlines()[1:] if "." in line}
    assert "crm.accounts" in rows and "forum.posts" in rows
    assert set(rows.values()) == {"0"}, second
    assert "crm.accounts" in first


@pytest.mark.demo
def test_the_custom_fields_that_were_added_reach_the_tables(first_steps: FirstSteps) -> None:
    import duckdb

    warehouse = first_steps.folder / ".rapport" / "warehouse.duckdb"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [(fields, renewals)] = connection.execute(
            "select (select count(distinct field) from dim_custom_field), count(renewal_date) "
            "from dim_organization"
        ).fetchall()
    assert fields == 2
    assert renewals > 0


def test_the_headlines_on_the_page_are_those_of_the_readme() -> None:
    def headlines(path: Path) -> str:
        [block] = [one.text for one in fences(path) if one.text.startswith("people ")]
        return block.partition("\nreport ")[0]

    shown = headlines(PAGE).splitlines()
    assert len(shown) >= 5
    for line in shown:
        pattern = re.escape(line).replace(re.escape("..."), ".*")
        assert re.search(f"^{pattern}$", headlines(ROOT / "README.md"), re.M), line


def test_the_page_reads_every_vendor_that_a_sandbox_serves() -> None:
    [*_, last] = [fence for fence in fences(PAGE) if fence.title == "rapport.yml"]
    with serve(people=40, port=0) as sandbox:
        served = {source["type"] for source in sandbox.credentials["sources"].values()}
    assert {source["type"] for source in yaml.safe_load(last.text)["sources"].values()} == served


def test_the_credentials_on_the_page_are_those_that_a_sandbox_names() -> None:
    text = PAGE.read_text(encoding="utf-8")
    with serve(people=40, port=0) as sandbox:
        named = sandbox.credentials
    for source, keys in (
        ("crm", ("client_id", "client_secret", "domain")),
        ("forum", ("api_key",)),
        ("hub", ("access_token",)),
        ("social", ("handle", "app_password")),
    ):
        for key in keys:
            assert named["sources"][source][key] in text, key
    [*_, last] = [fence for fence in fences(PAGE) if fence.title == "rapport.yml"]
    assert yaml.safe_load(last.text)["own_domains"] == named["own_domains"]
