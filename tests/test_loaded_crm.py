"""A CRM that another loader brought, end to end, against counts taken from its tables directly."""

from __future__ import annotations

import re
import runpy
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from connectors.landing import Landing
from connectors.quarantine import Quarantine
from connectors.sync import sync_stream
from rapport import config
from rapport.build import mapped_streams
from rapport.cli import DONE, main

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "loaded_crm"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAREHOUSE_URL", "sqlite:///crm.db")
    for path in EXAMPLE.glob("*.yml"):
        shutil.copy(path, tmp_path)
    runpy.run_path(str(EXAMPLE / "fill.py"))["fill"](tmp_path / "crm.db")
    return tmp_path


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the loaded database itself."""
    with sqlite3.connect(folder / "crm.db") as connection:
        return connection.execute(sql).fetchall()


def change(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "crm.db") as connection:
        connection.execute(sql)
    connection.close()


def sync(folder: Path) -> dict[str, Any]:
    loaded = config.load(folder)
    source = loaded.open("crm")
    return {stream.name: sync_stream(source, stream, loaded.home) for stream in source.streams()}


def test_the_second_sync_brings_what_the_loader_changed_and_nothing_else(folder: Path) -> None:
    first = sync(folder)
    assert {name: result.missing for name, result in first.items()} == {
        "users": 0, "accounts": 1, "contacts": 1, "opportunities": 0, "cases": 0, "tasks": 0,
    }  # fmt: skip
    home = folder / ".rapport"
    assert Quarantine(home, "crm", "accounts").reasons() == {"invalid_json": 1}
    assert Quarantine(home, "crm", "contacts").reasons() == {"no_cursor": 1}
    assert not any(result.changed for result in sync(folder).values())

    [(open_deal,)] = ask(
        folder, "select min(id) from opportunity where _fivetran_active and not is_closed"
    )
    later = "2026-06-30 20:00:00.000"
    for sql in (
        "update contact set _fivetran_deleted = true, _fivetran_synced = '{later}' "
        "where id = (select min(id) from contact where not _fivetran_deleted)",
        # History mode closes a version and opens the next one in the same load.
        "update opportunity set _fivetran_active = false, _fivetran_end = '{later}', "
        "_fivetran_synced = '{later}' where id = '{deal}' and _fivetran_active",
        "insert into opportunity select id, account_id, owner_id, name, 'Closed Won', amount, "
        "true, true, created_date, '2026-06-30', '{later}', '9999-12-31 23:59:59', true, '{later}' "
        "from opportunity where id = '{deal}' order by _fivetran_start desc limit 1",
    ):
        change(folder, sql.format(later=later, deal=open_deal))
    second = sync(folder)
    assert (second["contacts"].rows, second["contacts"].deletes) == (0, 1)
    assert (second["opportunities"].rows, second["opportunities"].deletes) == (1, 0)
    assert open_deal in set(Landing(home).stream("crm", "opportunities").current_keys())


def test_what_the_page_on_databases_shows_is_accepted(tmp_path: Path) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "connect" / "database.md").read_text(encoding="utf-8")
    whole, *blocks = (
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.S)
    )
    streams = {name: stream for block in blocks for name, stream in block.items()}
    whole["sources"]["crm"] = {"type": "sql", "url": "sqlite:///crm.db", "streams": streams}
    shown = config.parse(whole, tmp_path / "rapport.yml")
    assert [stream.name for stream in config.declared_streams(shown, "shop")] == ["orders", "plans"]
    assert [stream.deletes for stream in config.declared_streams(shown, "crm")] == [
        "tombstones", "census",
    ]  # fmt: skip
    assert [mapped.stream for mapped in mapped_streams(shown, Landing(shown.home))] == [
        "orders", "plans", "people",
    ]  # fmt: skip


@pytest.mark.demo
def test_a_loaded_crm_becomes_people_organizations_deals_and_cases(folder: Path) -> None:
    result = CliRunner().invoke(main, ["--config", str(folder), "run"], catch_exceptions=False)
    assert result.exit_code == DONE, result.output

    def rows(sql: str) -> list[tuple[Any, ...]]:
        path = folder / ".rapport" / "warehouse.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    # Others are known by what refers to them alone: contacts that were deleted before we came.
    assert rows(
        "select count(*) from dim_profile where stream = 'contacts' and given_name is not null"
    ) == ask(
        folder,
        "select count(*) from contact where not _fivetran_deleted and _fivetran_synced is not null",
    )
    assert rows("select count(*) from dim_person where is_staff") == [(6,)]
    newest = "(select *, max(_fivetran_start) from opportunity group by id) where _fivetran_active"
    assert rows(
        "select count(*), count(*) filter (where is_won), sum(amount)::double from fct_deal "
        "where not is_deleted"
    ) == ask(
        folder, f"select count(*), sum(is_won), round(sum(cast(amount as real)), 2) from {newest}"
    )
    # Without an amount nothing is known to be paid.
    assert rows("select count(*) from fct_purchase") == ask(
        folder, f"select count(*) from {newest} and is_won and amount is not null"
    )
    # A queue owns cases and is nobody.
    assert rows(
        "select count(*), count(owner_person_id) from fct_case where not is_deleted"
    ) == ask(
        folder,
        "select count(*), count(*) filter (where owner_id like '005%') from \"case\" "
        "where not _fivetran_deleted",
    )
    assert rows("select count(*) from fct_interaction where kind = 'call'") == ask(
        folder,
        "select count(*) from task where not _fivetran_deleted and status = 'Completed' "
        "and task_subtype = 'Call' and who_id like '003%'",
    )
