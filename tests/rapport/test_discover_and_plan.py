"""`rapport discover` and `rapport plan` on emulated vendors, as a user reads and pastes them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from rapport import config as configuration
from rapport import demo
from rapport.cli import DONE, FAILED, main
from rapport.config import Config
from rapport.planning import duration, share
from sandbox.server import Sandbox, serve

HOSTILE_LABEL = "Sales\n  evil: {yes} # \x1b[31m region"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(people=60, seed=7, port=0) as running:
        org = running.world.org
        org.add_custom_field(
            "Account",
            {"name": "Region__c", "type": "string", "length": 40, "label": HOSTILE_LABEL},
        )
        org.add_custom_field("Lead", {"name": "Score__c", "type": "double"})
        org.add_custom_field("Lead", {"name": "Home__c", "type": "location"})
        key = next(iter(org.table("Account").rows))
        org.update("Account", key, {"Region__c": "North"}, running.now)
        org.add_custom_object("Survey__c", prefix="a0S", label="Survey")
        yield running


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Config:
    return demo.write_config(tmp_path, sandbox.credentials)


def rapport(config: Config, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["--config", str(config.path), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def as_json(config: Config, *arguments: str) -> Any:
    result = rapport(config, *arguments, "--json")
    assert result.exit_code == DONE
    return json.loads(result.output)


def test_discover_shows_what_is_read_and_what_is_left_out(config):
    shown = rapport(config, "discover", "crm").output
    for word in (
        *(
            "opportunity_contact_roles",
            "SystemModstamp",
            "incremental",
            "tombstones",
            "10 min before",
        ),
        *("the source lists deleted records", "Region__c", "guess:", "Survey__c: Survey"),
        *("Description", "fields:", "correct it before you sync"),
    ):
        assert word in shown
    assert "\x1b" not in shown


def test_discover_of_one_stream_shows_all_its_fields_and_no_objects(config):
    shown = rapport(config, "discover", "crm.leads").output
    for word in ("Fields taken, leads (Lead):", "Fields left out, leads (Lead):", "Score__c"):
        assert word in shown
    assert "accounts" not in shown.split("To take the custom fields")[0]
    [stream] = as_json(config, "discover", "crm.leads")["streams"]
    assert stream["name"] == "leads"


def test_the_lines_to_paste_keep_what_is_configured_and_bring_the_custom_fields(config):
    lines = as_json(config, "discover", "crm")["snippet"]
    pasted = yaml.safe_load(lines)["sources"]["crm"]["fields"]
    assert pasted["Lead"] == [{"name": "Score__c", "type": "decimal"}]
    before = config.source("crm").settings["fields"]
    assert pasted["Account"][: len(before["Account"])] == before["Account"]

    tree = configuration.read_yaml(config.path)
    tree["sources"]["crm"]["fields"] = pasted
    config.path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert rapport(config, "sync", "crm.accounts").exit_code == DONE
    stored = [
        path.read_bytes() for path in (config.home / "landing/crm/accounts").glob("*.parquet")
    ]
    assert stored
    again = as_json(configuration.load(config.path), "discover", "crm")
    assert again["snippet"] is None
    [accounts] = [stream for stream in again["streams"] if stream["name"] == "accounts"]
    region = next(field for field in accounts["fields"] if field["name"] == "Region__c")
    assert region["is_taken"] and region["pii_basis"] == "declared"


def test_discover_of_a_forum_has_nothing_to_paste_and_says_where_fields_come_from(config):
    found = as_json(config, "discover", "forum")
    assert found["snippet"] is None
    assert {stream["name"]: stream["deletes"] for stream in found["streams"]} == {
        "users": "census",
        "topics": "census",
        "posts": "reread",
        "categories": "census",
    }
    shown = rapport(config, "discover", "forum").output
    assert "what none of them has is not listed" in shown
    assert "private_messages" in shown


def test_the_lines_of_a_database_to_paste_read_its_tables(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table orders (id integer primary key, email text, paid_at text)")
        database.execute("create table plans (id integer primary key, name text)")
    tree: Any = {
        "sources": {
            "shop": {
                "type": "sql",
                "url": "sqlite:///shop.db",
                "streams": {"plans": {"table": "plans", "key": "id", "snapshot": True}},
            }
        }
    }
    path = tmp_path / "rapport.yml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    config = configuration.load(path)
    shown = rapport(config, "discover", "shop").output
    assert "put its lines under `streams:` of source `shop`" in shown
    pasted = yaml.safe_load(as_json(config, "discover", "shop")["snippet"])
    assert list(pasted["sources"]["shop"]["streams"]) == ["orders"]
    tree["sources"]["shop"]["streams"] |= pasted["sources"]["shop"]["streams"]
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert rapport(configuration.load(path), "sync", "shop.orders").exit_code == DONE
    [plan] = as_json(configuration.load(path), "plan", "shop")
    assert (plan["next"]["calls"], plan["quota"]["per_day"]) == (0, None)


def test_plan_shows_calls_time_and_share_of_the_day_with_where_they_come_from(config):
    shown = rapport(config, "plan").output
    for word in (
        *("calls left today", "first", "by COUNT()", "of a day's calls", "60 calls in 60 s"),
        *("about.json", "The full refresh", "Asking for this took"),
    ):
        assert word in shown
    crm, forum = (as_json(config, "plan", name)[0] for name in ("crm", "forum"))
    assert crm["quota"]["per_day"] == 100_000 and 0 < crm["next"]["quota_share"] < 0.01
    assert forum["next"]["quota_share"] is None
    assert forum["next"]["seconds"] > 0
    for source in (crm, forum):
        for stream in source["streams"]:
            steps = stream["next"]["steps"]
            assert all(step["how"] for step in steps)
            assert stream["next"]["calls"] == sum(step["calls"] for step in steps)


def test_plan_knows_what_has_landed(config, sandbox):
    [before] = as_json(config, "plan", "crm.contacts")
    assert rapport(config, "sync", "crm.contacts").exit_code == DONE
    [after] = as_json(config, "plan", "crm.contacts")
    assert [before["streams"][0]["mode"], after["streams"][0]["mode"]] == ["first", "incremental"]
    assert after["next"]["records"] < before["next"]["records"]
    assert after["full"]["records"] >= before["next"]["records"]


def test_plan_warns_when_the_day_is_not_enough(config, sandbox, monkeypatch):
    [plan] = as_json(config, "plan", "crm")
    used = plan["quota"]["per_day"] - plan["quota"]["left"] + plan["calls_made_for_this_plan"]
    monkeypatch.setattr(sandbox.world.org, "daily_limit", used + 150)
    monkeypatch.setattr("connectors.salesforce.plan.ROWS_PER_PAGE_USUALLY", 3)
    shown = rapport(config, "plan", "crm").output
    assert "left today: it would end early, and the next one go on" in shown


def test_plan_goes_on_when_one_source_does_not_answer(config):
    tree = configuration.read_yaml(config.path)
    tree["sources"]["forum"]["api_key"] = "wrong"
    config.path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    result = rapport(config, "plan")
    assert result.exit_code == FAILED
    assert "rapport: forum" in result.output and "crm (salesforce)" in result.output
    told = {plan["source"]: plan for plan in json.loads(rapport(config, "plan", "--json").output)}
    assert told["crm"]["next"]["calls"] > 0
    forum = told["forum"]
    assert "forum" in str(forum["error"] or [stream["error"] for stream in forum["streams"]])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (0, "< 1 s"), (12, "12 s"), (200, "3 min"), (9_000, "2.5 h")],
)
def test_times_read_well(seconds, text):
    assert duration(seconds) == text


def test_shares_read_well():
    assert [share(value) for value in (None, 0.0, 0.0001, 0.25)] == [
        "?", "0.0 %", "less than 0.1 %", "25.0 %",
    ]  # fmt: skip


def test_a_field_that_holds_the_id_of_another_system_is_pointed_out(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    told = sandbox.credentials
    crm = {key: value for key, value in told["sources"]["crm"].items() if key != "fields"}
    bare = demo.write_config(tmp_path, {**told, "sources": {"crm": crm}})
    lines = as_json(bare, "discover", "crm")["snippet"].splitlines()
    hints = {
        line.split("name: ")[1].split(",")[0]: line.partition("perhaps meaning: ")[2]
        for line in lines
        if "name: " in line and "__c" in line
    }
    assert hints["Forum_SSO_Id__c"] == "external_id"
    assert hints["Renewal_Date__c"] == "renewal_date"
    assert hints["Community_Handle__c"] == ""
