"""One landing, two engines, the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb
import pytest

from connectors.landing import Landing, Row
from rapport import build, dbt, demo, spark, syncing
from rapport.config import Config
from sandbox.server import serve
from tests.dbt.landing_fixture import CONTACT, DEAL, sf_id, sf_time
from tests.spark.comparison import differences

pytestmark = pytest.mark.dbt

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PEOPLE = 120
LATER = datetime(2026, 6, 30, 1, 2, 3, 456789, tzinfo=UTC)

HOSTILE = (
    r'{"LastName": "O\u0027Hara\"; drop table x -- \\ ${y} {{ z }}", "FirstName": "İß🙂\u2028"}',
    r'{"LastName": "ΟΔΥΣΣΕΥΣ", "Email": "ΝΙΚΟΣ@İstanbul.example", "Title": "tab\there\nline"}',
    # what cannot be typed stays, with its reason
    r'{"LastName": "Untyped", "IsPersonAccount": "maybe", "CreatedDate": "yesterday"}',
    r'{"LastName": "Impossible", "CreatedDate": "2023-02-29T00:00:00.000Z"}',
    r'{"LastName": "Offset", "CreatedDate": "2024-02-29T23:59:59.987654-0330"}',
    r'{"LastName": "Empty", "Email": "", "CreatedDate": "", "IsPersonAccount": null}',
    r'{"LastName": "Nested", "Title": {"a": [1, "x"]}, "FirstName": 17}',
)
AMOUNTS = ("1234567890123456.78", "0.1", "-0.000000001", '"12.50"', '"1_000"', "1e3", '"much"')


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A home whose landing was synced from emulated vendors, and then met hostile records."""
    with serve(people=PEOPLE, seed=11, port=0, now=NOW) as sandbox:
        made = demo.write_config(tmp_path_factory.mktemp("spark"), sandbox.credentials)
        outcomes = syncing.sync_selected(made, [])
    assert not [outcome for outcome in outcomes if outcome.error]
    land(made, "contacts", CONTACT, [*HOSTILE, None])
    created = sf_time("2024-01-10 08:00")
    deals = [f'{{"Amount": {amount}, "CreatedDate": "{created}"}}' for amount in AMOUNTS]
    land(made, "opportunities", DEAL, deals)
    return made


def land(config: Config, stream: str, prefix: str, records: Sequence[str | None]) -> None:
    """Land texts as they stand, with an id each; None is the tombstone of one never held."""
    rows = []
    for number, text in enumerate(records):
        key = sf_id(prefix, 900 + number)
        record = f'{{"Id": "{key}", {text[1:]}'.encode() if text else None
        rows.append(Row(key, "upsert" if text else "delete", LATER, record))
    landing = Landing(config.home).stream("crm", stream)
    with landing.lock():
        landing.commit(rows, state={}, sync={"done": True}, loaded_at=LATER)


@pytest.fixture(scope="module")
def built(config: Config) -> set[str]:
    """The landing built by both engines, for the same day and moment."""
    plan = build.plan(config)
    build.prepare(config, plan)
    build.run_dbt(config, plan)
    return set(spark.build_tables(config, plan))


def tables(config: Config) -> set[str]:
    with duckdb.connect(str(config.home / build.BUILD_NAME), read_only=True) as connection:
        return {
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'main'"
            ).fetchall()
        }


def on_spark(query: str) -> list[tuple[object, ...]]:
    from pyspark.sql import SparkSession

    return [tuple(row) for row in SparkSession.builder.getOrCreate().sql(query).collect()]


def test_every_table_is_built(config: Config, built: set[str]) -> None:
    metrics = {path.stem for path in (dbt.PROJECT / "models" / "metrics").glob("rel_*.sql")}
    assert len(metrics) > 5
    assert metrics | {"dim_person", "identity_edge", "stg_discourse__posts"} <= tables(config)
    assert tables(config) <= built
    assert not [name for name in metrics if on_spark(f"select count(*) from main.{name}") == [(0,)]]


def test_the_landing_has_what_an_engine_could_read_differently(
    config: Config, built: set[str]
) -> None:
    [(versions, untyped)] = on_spark(
        "select count(*), count(_error) from main.stg_salesforce__contacts"
    )
    assert versions > PEOPLE / 2
    assert untyped == 2
    assert on_spark(
        "select cast(created_at as string) from main.stg_salesforce__contacts "
        "where family_name = 'Offset'"
    ) == [("2024-03-01 03:29:59.987654",)]
    assert ("1234567890123456.780000000",) in on_spark(
        "select cast(amount as string) from main.stg_salesforce__opportunities"
    )


def test_every_row_and_column_equals_duckdb(config: Config, built: set[str]) -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    found = {
        table: told
        for table in sorted(tables(config) - {"identity_seen"})  # has the id of the build itself
        if (told := differences(
            config.home / build.BUILD_NAME, table, session.table(f"main.{table}").toArrow()
        ))
    }  # fmt: skip
    assert not found


def test_a_second_build_takes_the_place_of_the_first(config: Config, built: set[str]) -> None:
    count = "select count(*), count(distinct as_of) from main.rel_data_trust"
    before = on_spark(count)
    assert spark.build_tables(config, build.plan(config), ["rel_data_trust"]) == ["rel_data_trust"]
    assert on_spark(count) == before
