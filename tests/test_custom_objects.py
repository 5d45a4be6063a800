"""Objects that a company made itself, from the vendors over HTTP to tables and segments.

Told as a story in the order of the tests: the last one changes what the vendors hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
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

Objects = dict[str, list[dict[str, Any]]]
"""Name of a custom object -> its records, ordered by key."""


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with serve(people=80, seed=7, port=0, vendors=("salesforce", "hubspot")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def config(company: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A home with what both vendors held at first."""
    made = demo.write_config(tmp_path_factory.mktemp("custom"), company.credentials)
    rules = yaml.safe_load(made.strategy_path.read_text(encoding="utf-8"))
    rules["segments"].append({"name": "plan", "from": {"custom": "Plan__c"}})
    made.strategy_path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    sync_and_build(made)
    return made


def sync_and_build(config: Config) -> None:
    """Sync what the tables need, and build them on what has landed."""
    for name, wanted in STREAMS.items():
        source = config.open(name)
        for stream in source.streams():
            if stream.name in wanted or "machine" in stream.name:
                sync_stream(source, stream, config.home)
    build.prepare(config, build.plan(config))
    tables = ("--select", "+bridge_organization_segment", "+dim_person")
    results = dbt.run(config.home, ["build", *tables, "--exclude-resource-type", "unit_test"])
    assert dbt.failure(results, config.home) is None


def query(config: Config, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(config.home / build.BUILD_NAME), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(sql).fetchall()


def subscriptions(company: Sandbox) -> list[dict[str, Any]]:
    """Return the CRM's live ones of accounts that it shows already; some it shows late."""
    accounts, records = (
        [row for row in company.world.org.table(name).visible(company.now) if not row["IsDeleted"]]
        for name in ("Account", "Subscription__c")
    )
    known = {account["Id"] for account in accounts}
    return [record for record in records if record["Account__c"] in known]


def held(company: Sandbox, config: Config) -> dict[str, Objects]:
    """Return what the vendors hold: id of a person or organization -> its custom records."""
    whose = dict(
        query(
            config,
            "select profile_key, coalesce(person_id, organization_id) from dim_profile "
            "where not is_deleted",
        )
    )
    records: dict[tuple[str, str], dict[str, Any]] = {}
    for row in subscriptions(company):
        records[whose[f"crm:accounts:{row['Account__c']}"], row["Id"]] = {
            "_record_key": f"crm:subscription__c:{row['Id']}",
            "Account__c": row["Account__c"],
            "Auto_Renews__c": row["Auto_Renews__c"],
            "Monthly_Price__c": Decimal(str(row["Monthly_Price__c"])),
            "Plan__c": row["Plan__c"],
            "Seats__c": Decimal(str(row["Seats__c"])),
            "Starts_On__c": row["Starts_On__c"],
        }
    portal = company.world.portal
    machines = portal.table("machines")
    for key in machines.live:
        taken = ("firmware", "installed_on", "model")
        told = {name: machines.records[key].properties[name] for name in taken}
        for kind in ("companies", "contacts"):
            for other, _ in portal.links("machines", key, kind):
                records[whose[f"hub:{kind}:{other}"], str(key)] = {
                    "_record_key": f"hub:{machines.kind.fully_qualified_name}:{key}",
                    **told,
                }
    found: dict[str, Objects] = {}
    for (owner, _), record in sorted(records.items(), key=lambda one: one[1]["_record_key"]):
        source = record["_record_key"].partition(":")[0]
        name = "Subscription__c" if source == "crm" else machines.kind.fully_qualified_name
        found.setdefault(owner, {}).setdefault(name, []).append(record)
    return found


def shown(config: Config) -> dict[str, Objects]:
    """Return what `custom` shows: the same."""
    rows = query(
        config,
        "select person_id, custom from dim_person where custom is not null union all "
        "select organization_id, custom from dim_organization where custom is not null",
    )
    told = {key: json.loads(custom, parse_float=Decimal) for key, custom in rows}
    objects = {
        key: {name: value for name, value in custom.items() if isinstance(value, list)}
        for key, custom in told.items()
    }
    return {key: found for key, found in objects.items() if found}


def test_salesforces_lookup_brings_a_record_to_its_organization(
    company: Sandbox, config: Config
) -> None:
    rows = query(
        config,
        "select record_key, field, value_text, value_number, entity, profile_key "
        "from dim_custom_field where stream = 'subscription__c'",
    )
    live = subscriptions(company)
    told = {key.rpartition(":")[2] for key, *_ in rows}
    assert len(live) > 5
    assert told == {row["Id"] for row in live}
    one = live[0]
    found = {field: (text, number) for key, field, text, number, *_ in rows if one["Id"] in key}
    assert found["Plan__c"][0] == one["Plan__c"]
    assert int(found["Seats__c"][1]) == int(float(one["Seats__c"]))
    assert {entity for *_, entity, _ in rows} == {"organization"}
    assert {f"crm:accounts:{row['Account__c']}" for row in live} >= {row[-1] for row in rows}


def test_hubspots_associations_bring_a_record_to_its_organization(
    company: Sandbox, config: Config
) -> None:
    rows = query(
        config,
        "select profile_key, record_key, value_text, value_date::varchar from dim_custom_field "
        "where source = 'hub' and stream like '%machine' and field = 'installed_on'",
    )
    machines = company.world.portal.table("machines")
    assert len(rows) >= 3
    assert {int(key.rpartition(":")[2]) for _, key, *_ in rows} <= set(machines.live)
    for profile, key, text, day in rows:
        assert profile.startswith("hub:companies:")
        record = machines.records[int(key.rpartition(":")[2])]
        assert text == day == record.properties["installed_on"]


def test_a_field_of_a_custom_object_can_be_a_segment(config: Config) -> None:
    told = dict(
        query(
            config,
            "select segment, count(*) from bridge_organization_segment "
            "where segment_type = 'plan' group by 1",
        )
    )
    assert told.keys() - {"unknown"} <= {"Studio", "Mill", "Guild"}
    assert told.keys() & {"Studio", "Mill", "Guild"}
    assert [(sum(told.values()),)] == query(config, "select count(*) from dim_organization")


def test_every_version_of_a_custom_record_is_staged(config: Config) -> None:
    for table in ("stg_salesforce__custom_objects", "stg_hubspot__custom_objects"):
        [(count, errors)] = query(
            config, f"select count(*), count(_error) from {table} where custom is not null"
        )
        assert count > 0 and errors == 0


def test_a_custom_object_is_discovered_planned_and_checked_like_any_other(
    company: Sandbox, config: Config
) -> None:
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


def test_records_stand_in_the_json_of_their_organization_as_the_vendors_hold_them(
    company: Sandbox, config: Config
) -> None:
    expected = held(company, config)
    assert {name for objects in expected.values() for name in objects} == {
        "Subscription__c",
        company.world.portal.table("machines").kind.fully_qualified_name,
    }
    assert shown(config) == expected


def test_the_json_follows_what_changes_moves_and_goes(company: Sandbox, config: Config) -> None:
    """The only second build: what landed first must not go on showing through it."""
    world, before = company.world, shown(config)
    org, portal, now = world.org, world.portal, world.clock.now()
    subscriptions = [
        row for row in org.table("Subscription__c").rows.values() if not row["IsDeleted"]
    ]
    changed, moved, gone = subscriptions[:3]
    account = next(row["Account__c"] for row in subscriptions if row not in (changed, moved, gone))
    assert account != moved["Account__c"]
    org.update("Subscription__c", changed["Id"], {"Seats__c": 4321}, now)
    org.update("Subscription__c", moved["Id"], {"Account__c": account}, now)
    org.delete("Subscription__c", gone["Id"], now)

    lent, sold, scrapped = portal.table("machines").live[:3]
    portal.update("machines", lent, {"firmware": "6.0"}, now)
    [(seller, _)] = portal.links("machines", sold, "companies")
    buyer = next(key for key in portal.table("companies").live if key != seller)
    portal.dissociate("machines", sold, "companies", seller, now)
    portal.associate("machines", sold, "companies", buyer, now)
    portal.archive("machines", scrapped, now)
    contact = portal.table("contacts").live[0]
    portal.associate("machines", lent, "contacts", contact, now)

    world.advance(days=2)  # a link that moves no stamp is seen within a day
    sync_and_build(config)
    after = shown(config)
    assert after == held(company, config)

    def places(objects: dict[str, Objects], key: object) -> set[str]:
        return {
            owner
            for owner, named in objects.items()
            for records in named.values()
            for record in records
            if record["_record_key"].endswith(f":{key}")
        }

    assert "4321" in str(after) and "6.0" in str(after)
    for key in (moved["Id"], sold):
        assert places(before, key) and places(after, key) - places(before, key)
        assert not places(before, key) & places(after, key)
    for key in (gone["Id"], scrapped):
        assert places(before, key) and not places(after, key)
    assert {key[:4] for key in places(after, lent)} == {"org_", "per_"}
