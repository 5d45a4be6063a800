"""Objects that a company made itself, from the vendors over HTTP to tables and segments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
import yaml

from connectors.discovery import discover
from connectors.planning import plan_source
from connectors.registry import open_source
from connectors.sync import sync_stream
from rapport import build, dbt, demo
from rapport.config import Config
from sandbox.server import Sandbox, serve

pytestmark = pytest.mark.dbt

STREAMS = {
    "crm": {"accounts", "contacts", "users", "subscription__c"},
    "hub": {"companies", "contacts", "associations"},
}


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with serve(people=80, seed=7, port=0, vendors=("salesforce", "hubspot")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def built(company: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Any]:
    """Sync what the tables need, and build them."""
    config = demo.write_config(tmp_path_factory.mktemp("custom"), company.credentials)
    rules = yaml.safe_load(config.strategy_path.read_text(encoding="utf-8"))
    rules["segments"].append({"name": "plan", "from": {"custom": "Plan__c"}})
    config.strategy_path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    for name, wanted in STREAMS.items():
        source = config.open(name)
        machines = {stream.name for stream in source.streams() if "machine" in stream.name}
        for stream in source.streams():
            if stream.name in wanted | machines:
                sync_stream(source, stream, config.home)
    plan = build.plan(config)
    build.prepare(config, plan)
    chosen = ("--select", "+bridge_organization_segment", "--exclude-resource-type", "unit_test")
    results = dbt.run(config.home, ["build", *chosen])
    assert dbt.failure(results, config.home) is None
    connection = duckdb.connect(str(config.home / build.BUILD_NAME), read_only=True)
    connection.execute("set timezone = 'UTC'")
    return config, connection


def test_salesforces_lookup_brings_a_record_to_its_organization(company, built):
    _, tables = built
    rows = tables.execute("""
        select record_key, field, value_text, value_number, entity, profile_key
        from dim_custom_field where stream = 'subscription__c'
    """).fetchall()
    org = company.world.org
    live = [row for row in org.table("Subscription__c").rows.values() if not row["IsDeleted"]]
    told = {key.rpartition(":")[2] for key, *_ in rows}
    assert len(live) > 5
    assert told == {row["Id"] for row in live}
    one = live[0]
    found = {field: (text, number) for key, field, text, number, *_ in rows if one["Id"] in key}
    assert found["Plan__c"][0] == one["Plan__c"]
    assert int(found["Seats__c"][1]) == int(float(one["Seats__c"]))
    assert {entity for *_, entity, _ in rows} == {"organization"}
    assert {f"crm:accounts:{row['Account__c']}" for row in live} >= {row[-1] for row in rows}


def test_hubspots_associations_bring_a_record_to_its_organization(company, built):
    _, tables = built
    rows = tables.execute("""
        select profile_key, record_key, value_text, value_date::varchar
        from dim_custom_field
        where source = 'hub' and stream like '%machine' and field = 'installed_on'
    """).fetchall()
    portal = company.world.portal
    machines = portal.table("machines")
    assert len(rows) >= 3
    assert {int(key.rpartition(":")[2]) for _, key, *_ in rows} <= set(machines.live)
    for profile, key, text, day in rows:
        assert profile.startswith("hub:companies:")
        record = machines.records[int(key.rpartition(":")[2])]
        assert text == day == record.properties["installed_on"]


def test_a_field_of_a_custom_object_can_be_a_segment(company, built):
    _, tables = built
    told = dict(
        tables.execute("""
            select segment, count(*) from bridge_organization_segment
            where segment_type = 'plan' group by 1
        """).fetchall()
    )
    assert told.keys() - {"unknown"} <= {"Studio", "Mill", "Guild"}
    assert told.keys() & {"Studio", "Mill", "Guild"}
    [(organizations,)] = tables.execute("select count(*) from dim_organization").fetchall()
    assert sum(told.values()) == organizations


def test_every_version_of_a_custom_record_is_staged(built):
    _, tables = built
    for table in ("stg_salesforce__custom_objects", "stg_hubspot__custom_objects"):
        (count, errors) = tables.execute(
            f"select count(*), count(_error) from {table} where custom is not null"
        ).fetchone()
        assert count > 0 and errors == 0


def test_a_custom_object_is_discovered_planned_and_checked_like_any_other(company, built):
    config, _ = built
    for name in ("crm", "hub"):
        source = config.open(name)
        assert source.check().ok
        stream = source.streams()[-1]
        found = source.discover()
        shown = next(each for each in found.streams if each.stream.name == stream.name)
        assert shown.is_complete and not shown.unseen
        [plan] = plan_source(source, [stream], config.home).streams
        assert plan.error is None and plan.next.cost.calls > 0
    settings = company.credentials["sources"]["hub"]
    without = {k: v for k, v in settings.items() if k not in ("type", "objects", "fields")}
    bare = open_source("hub", "hubspot", without, home=config.home)
    names = {each.name: each for each in discover(bare).objects or ()}
    own = company.world.portal.table("machines").kind.fully_qualified_name
    assert names[own].is_custom and names[own].can_be_read
