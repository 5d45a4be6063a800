"""Whether a build is due, which days it computes, and what dbt finds before it starts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from connectors import open_source, sync_stream
from connectors.errors import BuildError, ConfigError
from connectors.quarantine import Quarantine
from rapport import build, config
from rapport.config import Config

DAY = date(2026, 6, 30)


@pytest.fixture
def shop(tmp_path: Path) -> Config:
    (tmp_path / "orders.csv").write_text("id,mail,at,total\n1,a@b.example,2026-06-01,3.50\n")
    stream = {
        "path": "orders.csv",
        "key": ["id"],
        "map": {"to": "purchase", "columns": {"person": "mail", "occurred_at": "at"}},
    }
    source = {"type": "files", "silo": "orders", "streams": {"orders": stream}}
    tree = {"as_of": DAY.isoformat(), "own_domains": ["us.example"], "sources": {"shop": source}}
    return config.parse(tree, tmp_path / "rapport.yml")


def sync(shop: Config) -> None:
    source = shop.open("shop")
    for stream in source.streams():
        sync_stream(source, stream, shop.home)


def built(shop: Config) -> None:
    """Pretend that the build that is due now was made and published."""
    plan = build.plan(shop)
    build.prepare(shop, plan)
    build.remember(shop, plan)


def test_the_first_build_computes_a_year_in_steps_of_28_days(shop: Config) -> None:
    plan = build.plan(shop)
    assert plan.needed
    assert plan.reason == "this is the first build"
    assert plan.arguments[:2] == ["build", "--full-refresh"]
    assert plan.arguments[2:] == ["--exclude-resource-type", "unit_test"], "about models, not data"
    days = [day for day, _ in plan.snapshots]
    assert days == [DAY - timedelta(days=28 * step) for step in range(13, -1, -1)]


def test_nothing_new_needs_no_build_and_new_records_do(shop: Config, tmp_path: Path) -> None:
    sync(shop)
    built(shop)
    assert not build.plan(shop).needed
    sync(shop)
    assert not build.plan(shop).needed, "an empty sync is nothing new"
    with (tmp_path / "orders.csv").open("a") as file:
        file.write("2,b@b.example,2026-06-02,1\n")
    sync(shop)
    plan = build.plan(shop)
    assert plan.needed
    assert plan.reason == "new records have landed"
    assert not plan.full_refresh
    assert [day for day, _ in plan.snapshots] == [DAY]


def test_a_build_that_did_not_end_is_made_again(shop: Config) -> None:
    sync(shop)
    built(shop)
    build.prepare(shop, build.plan(shop))  # and the process is killed
    plan = build.plan(shop)
    assert plan.needed
    assert plan.reason == "the last build did not come to its end"
    with pytest.raises(BuildError, match=r"did not come to its end\. Run the job `metrics` once"):
        build.plan_part(shop, DAY - timedelta(days=40))


def test_a_part_computes_its_day_alone_on_what_the_last_build_has_read(shop: Config) -> None:
    sync(shop)
    whole = build.plan(shop)
    build.prepare(shop, whole)
    build.remember(shop, whole)
    past = DAY - timedelta(days=40)
    part = build.plan_part(shop, past)
    assert part.needed
    assert part.snapshots == [(past, "backcast")]
    assert (part.as_of, part.known_at) == (whole.as_of, whole.known_at)
    build.remember(shop, part)
    assert not build.plan(shop).needed, "which build of all is due has not changed"


def test_a_part_needs_a_build_to_go_on_with(shop: Config) -> None:
    with pytest.raises(BuildError, match="this is the first build"):
        build.plan_part(shop)


def test_a_changed_mapping_reads_staging_anew(shop: Config) -> None:
    sync(shop)
    built(shop)
    source = shop.source("shop")
    streams = json.loads(json.dumps(source.settings["streams"]))
    streams["orders"]["map"]["columns"]["amount"] = "total"
    changed = replace(
        shop, sources={"shop": replace(source, settings=source.settings | {"streams": streams})}
    )
    plan = build.plan(changed)
    assert plan.needed
    assert plan.full_refresh


def test_a_past_day_is_restated_beside_the_published_one(shop: Config) -> None:
    sync(shop)
    built(shop)
    plan = build.plan(shop, DAY - timedelta(days=40))
    assert plan.needed
    assert plan.as_of == DAY
    assert plan.snapshots[0] == (DAY - timedelta(days=40), "backcast")
    assert plan.snapshots[-1][0] == DAY
    assert build.plan(shop, DAY + timedelta(days=1)).as_of == DAY + timedelta(days=1)


def test_today_is_as_known_and_a_past_day_is_rebuilt(shop: Config) -> None:
    assert build.plan(shop).basis == ("as_known" if datetime.now(UTC).date() <= DAY else "backcast")
    assert build.plan(replace(shop, as_of=None)).basis == "as_known"


def test_dbt_finds_every_stream_of_every_type_and_the_parameters(shop: Config) -> None:
    sync(shop)
    plan = build.plan(shop)
    build.prepare(shop, plan)
    with duckdb.connect(str(shop.home / build.BUILD_NAME), read_only=True) as connection:
        views = {
            name
            for (name,) in connection.execute(
                "select view_name from duckdb_views() where schema_name = 'landing'"
            ).fetchall()
        }
        assert {"salesforce__contacts", "discourse__posts", "mapped__purchases"} <= views
        for view in views:
            rows = connection.execute(f"select count(*) from landing.{view}").fetchall()[0][0]
            assert rows == (1 if view == "mapped__purchases" else 0)
        assert connection.execute("select as_of from control.run").fetchall() == [(DAY,)]
        assert connection.execute("select domain from control.own_domains").fetchall() == [
            ("us.example",)
        ]
        assert connection.execute("select source, silo from control.sources").fetchall() == [
            ("shop", "orders")
        ]
        [(rows, finished)] = connection.execute(
            "select rows, finished from control.streams where stream = 'orders'"
        ).fetchall()
        assert (rows, finished) == (1, True)


def test_what_people_say_makes_a_build_due_and_reaches_dbt(shop: Config, tmp_path: Path) -> None:
    sync(shop)
    built(shop)
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "links.csv").write_text(
        "action,left,right,reason,author,date\n"
        "unlink,shop:orders:1,email:a@b.example,no,dana,2026-06-30\n"
    )
    (tmp_path / "identity" / "identifiers.csv").write_text(
        "id_type,value,flag,reason,author,date\nemail,list@*,shared,a list,dana,2026-06-30\n"
    )
    (tmp_path / "identity" / "reviews.csv").write_text(
        "rule_id,left,right,verdict,reason,author,date\n"
        "rare_name own_mailbox,shop:orders:2,shop:orders:1,yes,a twin,dana,2026-06-30\n"
    )
    plan = build.plan(shop)
    assert plan.reason == "what people say in identity/ has changed"
    assert not plan.full_refresh
    build.prepare(shop, plan)
    with duckdb.connect(str(shop.home / build.BUILD_NAME), read_only=True) as connection:
        assert connection.execute("from control.identity_link").fetchall() == [
            (2, "identity/links.csv:2", "unlink", "profile", "shop:orders:1", "email",
             "a@b.example", "no")
        ]  # fmt: skip
        assert connection.execute("from control.reviews").fetchall() == [
            ("identity/reviews.csv:2", rule, "shop:orders:1", "shop:orders:2", "yes", "a twin")
            for rule in ("rare_name", "own_mailbox")
        ]
        assert connection.execute("from control.identity_identifier_flag").fetchall() == [
            (2, "email", None, "list@", "", "shared", "a list")
        ]
        assert connection.execute("from control.identity_ledger").fetchall() == []


def test_lines_that_came_to_nothing_are_told_by_builds_and_afterwards(shop: Config) -> None:
    assert build.unmet_lines(shop) == []
    sync(shop)
    plan = build.plan(shop)
    build.prepare(shop, plan)
    assert build.finish(shop, plan).unmet == []
    with duckdb.connect(str(shop.home / build.BUILD_NAME)) as connection:
        connection.execute(
            "create table identity_line as select 'identity/links.csv' as file, "
            "unnest([10, 9]) as line, 'left is nobody known' as problem"
        )
    told = [f"identity/links.csv:{line}: left is nobody known" for line in (9, 10)]
    assert build.finish(shop, plan).unmet == told == build.unmet_lines(shop)


def test_a_field_with_a_handle_says_whose_it_is(shop: Config) -> None:
    handle = {"name": "Handle__c", "pii": "direct", "meaning": "handle"}
    wrong = crm_with_fields(shop, handle | {"network": "shopp"})
    with pytest.raises(ConfigError) as caught:
        build.prepare(wrong, build.plan(wrong))
    assert str(caught.value) == (
        "rapport.yml: sources.crm.fields: `Handle__c` is a handle of `shopp`, which is no source. "
        "Did you mean `shop`? Write as `network` one of: crm, shop."
    )
    taking = crm_with_fields(shop, handle | {"network": "shop"})
    build.prepare(taking, build.plan(taking))
    with duckdb.connect(str(taking.home / build.BUILD_NAME), read_only=True) as connection:
        assert connection.execute("from control.handle_fields").fetchall() == [
            ("crm", "accounts", "Handle__c", "shop")
        ]
        assert connection.execute(
            "select source, count(*) from control.link_policy where is_own_space "
            "group by source order by source"
        ).fetchall() == [("crm", 5), ("shop", 5)]


def test_rows_that_cannot_be_typed_reach_quarantine_with_their_text_once(shop: Config) -> None:
    sync(shop)
    plan = build.plan(shop)
    build.prepare(shop, plan)
    with duckdb.connect(str(shop.home / build.BUILD_NAME)) as connection:
        connection.execute(
            "create table stg_mapped__purchases as select _source, _stream, _key, _seq, "
            "'occurred_at: no time' as _error from landing.mapped__purchases"
        )
    for _ in range(2):
        assert build.finish(shop, plan).untyped == 1
    [line] = Quarantine(shop.home, "shop", "orders").lines()
    assert line.reason == "untyped"
    assert line.detail == "occurred_at: no time"
    assert "a@b.example" in line.text
    with duckdb.connect(str(shop.home / build.BUILD_NAME)) as connection:
        connection.execute("delete from stg_mapped__purchases")
    assert build.finish(shop, plan).untyped == 0
    assert not Quarantine(shop.home, "shop", "orders").lines()


def test_a_field_that_could_be_more_than_a_name_is_refused(shop: Config) -> None:
    crm = {
        "type": "salesforce",
        "domain": "acme.my",
        "client_id": "x",
        "client_secret": "y",
        "fields": {"Account": ["Tier__c') --"]},
    }
    wrong = config.parse({"sources": {"crm": crm}}, shop.path)
    with pytest.raises(ConfigError, match="Field names hold letters"):
        build.prepare(wrong, build.plan(wrong))


def crm_with_fields(shop: Config, *fields: object) -> Config:
    """A CRM that takes fields of accounts, and an export that keeps one of its own."""
    customers = {
        "path": "orders.csv",
        "key": ["id"],
        "map": {
            "to": "person",
            "columns": {
                "email": "mail",
                "custom": ["Plan Name", {"name": "Region", "pii": "direct"}],
            },
        },
    }
    crm = {
        "type": "salesforce",
        "domain": "acme.my",
        "client_id": "x",
        "client_secret": "y",
        "fields": {"Account": [*fields, *fields[:1]]},
    }
    shop_source = {"type": "files", "streams": {"customers": customers}}
    return config.parse({"sources": {"crm": crm, "shop": shop_source}}, shop.path)


def test_custom_fields_of_connectors_and_exports_are_known_once(shop: Config) -> None:
    taking = crm_with_fields(shop, "Tier__c", {"name": "Note__c", "pii": "text"})
    (shop.folder / "strategy.yml").write_text(
        "version: 1\nvision: {statement: x, archetype: peer}\n"
        "segments: [{name: tier, from: {custom: Tier__c}}, {name: plan, from: {custom: Plan Name}}]"
    )
    build.prepare(taking, build.plan(taking))
    with duckdb.connect(str(taking.home / build.BUILD_NAME), read_only=True) as connection:
        assert connection.execute("from control.custom_fields order by all").fetchall() == [
            ("crm", "accounts", "Note__c", "text", "text"),
            ("crm", "accounts", "Tier__c", "text", "none"),
            ("shop", "customers", "Plan Name", "text", "none"),
            ("shop", "customers", "Region", "text", "direct"),
        ]
        assert connection.execute("from control.segment_rules").fetchall() == [
            ("tier", "custom", "Tier__c"),
            ("plan", "custom", "Plan Name"),
        ]
        assert connection.execute(
            "select distinct step, is_community_only from control.cadence_steps"
        ).fetchall() == [("contribution", True)]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("Teir__c", "which no source in rapport.yml takes. Did you mean `Tier__c`?"),
        ("Mail__c", "which shows people"),
    ],
)
def test_a_segment_by_a_field_that_nobody_takes_or_that_shows_people_is_refused(
    shop: Config, field: str, said: str
) -> None:
    taking = crm_with_fields(shop, "Tier__c", {"name": "Mail__c", "pii": "direct"})
    (shop.folder / "strategy.yml").write_text(
        "version: 1\nvision: {statement: x, archetype: peer}\n"
        f"segments: [{{name: tier, from: {{custom: {field}}}}}]"
    )
    with pytest.raises(ConfigError) as caught:
        build.prepare(taking, build.plan(taking))
    assert said in str(caught.value)


def test_a_strategy_is_noted_by_the_first_build_that_reads_it(shop: Config) -> None:
    path = shop.folder / "strategy.yml"
    told = "version: 2026-11\nvision: {statement: x, archetype: peer}\n"
    path.write_text(told + "community: {absence_factor: 0.5}\n")
    with pytest.raises(ConfigError):
        build.prepare(shop, build.plan(shop))
    first = build.plan(shop)
    for text in (told, told, told + "community: {absence_factor: 9}\n"):
        path.write_text(text)
        build.prepare(shop, first if text == told else build.plan(shop))
    with duckdb.connect(str(shop.home / build.BUILD_NAME), read_only=True) as connection:
        rows = connection.execute(
            "select number, version, since, changes from control.strategy_versions order by 1"
        ).fetchall()
    assert [row[:2] for row in rows] == [(1, "2026-11"), (2, "2026-11")]
    assert rows[0][2] == first.known_at < rows[1][2]
    assert rows[1][3] == "community.absence_factor is 9"


def test_every_type_of_source_opens_without_a_request(tmp_path: Path) -> None:
    """Definitions are loaded from declarations alone."""
    settings = {"url": "http://127.0.0.1:1", "api_key": "${KEY}"}
    assert open_source("forum", "discourse", settings, home=tmp_path).streams()
