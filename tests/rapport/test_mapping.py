"""What `map:` promises, tried on landing-shaped Parquet files with real DuckDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest

from connectors.errors import ConfigError
from rapport import mapping
from rapport.mapping import MAP_SCHEMA, MappedStream


def land(folder: Path, stream: str, records: list[Any], ops: list[str] | None = None) -> str:
    """Write records (dicts or JSON text) as one landing-shaped file; return its path."""
    path = folder / f"{stream}.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "create table landed (_key varchar, _seq bigint, _op varchar, _merged_into varchar, "
            "_version timestamptz, _loaded_at timestamptz, _sync_id varchar, record varchar)"
        )
        for seq, record in enumerate(records):
            text = record if isinstance(record, str) else json.dumps(record)
            key = str(json.loads(text).get("Id"))
            connection.execute(
                "insert into landed values "
                "(?, ?, ?, null, timestamptz '2026-01-01', timestamptz '2026-01-01', 's', ?)",
                [key, seq, (ops or ["upsert"] * len(records))[seq], text],
            )
        connection.execute(f"copy landed to '{path}' (format parquet)")
    return str(path)


def mapped(target: str, *streams: MappedStream) -> list[dict[str, Any]]:
    """Return the rows that the streams bring to a target, in order of key and sequence."""
    query = " union all ".join(mapping.queries(streams)[target])
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        result = connection.execute(f"select * from ({query}) order by _stream, _key, _seq")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def stream(folder: Path, name: str, records: list[Any], raw: Any, **more: Any) -> MappedStream:
    return MappedStream(
        source="site",
        stream=name,
        maps=mapping.parse(raw, f"sources.site.streams.{name}"),
        files=[land(folder, name, records)],
        **more,
    )


POST = {"Id": "2", "Kind": "2", "Parent": "1", "Owner": "9", "At": "2011-10-11T19:44:27.657"}
INTERACTION = {
    "to": "interaction",
    "columns": {
        "person": "Owner",
        "kind": {"column": "Kind", "values": {"1": "question", "2": "answer"}},
        "occurred_at": "At",
        "in_reply_to": "Parent",
        "thread": {"first_of": ["Parent", "Id"]},
        "channel": {"value": "forum"},
    },
}


def test_a_record_becomes_a_row_with_translated_values_constants_and_qualified_references(
    tmp_path: Path,
) -> None:
    people = stream(tmp_path, "users", [{"Id": "9"}], {"to": "person", "columns": {"name": "Id"}})
    [row] = mapped("interaction", stream(tmp_path, "posts", [POST], INTERACTION), people)
    assert row["_source"] == "site"
    assert row["_key"] == "2"
    assert row["kind"] == "answer"
    assert row["channel"] == "forum"
    assert row["person"] == "site:users:9"
    assert row["in_reply_to"] == row["thread"] == "site:posts:1"
    assert row["occurred_at"] == "2011-10-11T19:44:27.657000Z"


def test_a_person_given_by_address_is_qualified_as_an_address(tmp_path: Path) -> None:
    raw = {"to": "purchase", "columns": {"person": "Mail", "occurred_at": "At", "amount": "Sum"}}
    record = {"Id": "1", "Mail": " Ada@Example.com ", "At": "2026-01-02", "Sum": "1.10"}
    [row] = mapped("purchase", stream(tmp_path, "orders", [record], raw))
    assert row["person"] == "site:orders:mailto:ada@example.com"
    assert row["amount"] == "1.10"


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ({"column": "Kind", "values": {"2": "answer"}}, ["answer", "3", None]),
        (
            {"column": "Kind", "values": {"2": "answer"}, "default": "post"},
            ["answer", "post", "post"],
        ),
        ({"column": "Kind", "default": "post"}, ["2", "3", "post"]),
    ],
)
def test_a_default_stands_for_what_is_not_listed_or_empty(
    tmp_path: Path, column: dict[str, Any], found: list[str | None]
) -> None:
    raw = {"to": "interaction", "columns": {"occurred_at": "At", "kind": column}}
    records = [POST | {"Id": str(i), "Kind": kind} for i, kind in enumerate(("2", "3", ""))]
    rows = mapped("interaction", stream(tmp_path, "posts", records, raw))
    assert [row["kind"] for row in rows] == found


def test_digits_of_numbers_stay_as_written(tmp_path: Path) -> None:
    raw = {"to": "purchase", "columns": {"occurred_at": "At", "amount": "Sum"}}
    text = '{"Id":"1","At":"2026-01-02","Sum":12345678901234567890.120}'
    [row] = mapped("purchase", stream(tmp_path, "orders", [text], raw))
    assert row["amount"] == "12345678901234567890.120"


@pytest.mark.parametrize(
    ("written", "column", "instant"),
    [
        ("2011-10-11T19:44:27.657", {}, "2011-10-11T19:44:27.657000Z"),
        ("2016-07-01 05:33", {"timezone": "America/New_York"}, "2016-07-01T09:33:00.000000Z"),
        ("7/1/2016 5:33", {"format": "%m/%d/%Y %H:%M"}, "2016-07-01T05:33:00.000000Z"),
        ("2016-07-01T05:33:00+02:00", {"timezone": "Asia/Tokyo"}, "2016-07-01T05:33:00+02:00"),
        (
            1_467_351_180,
            {"format": "unix", "timezone": "Asia/Tokyo"},
            "2016-07-01T05:33:00.000000Z",
        ),
        ("1467351180.25", {"format": "unix"}, "2016-07-01T05:33:00.250000Z"),
        (1_467_351_180_007, {"format": "unix_ms"}, "2016-07-01T05:33:00.007000Z"),
        (-1_000, {"format": "unix_ms"}, "1969-12-31T23:59:59.000000Z"),
        ("soon", {"format": "unix_ms"}, "soon"),
        ("9" * 40, {"format": "unix_ms"}, "9" * 40),
        ("yesterday", {}, "yesterday"),
    ],
)
def test_times_get_a_zone_and_what_is_no_time_is_left_for_staging_to_judge(
    tmp_path: Path, written: str | int, column: dict[str, str], instant: str
) -> None:
    raw = {
        "to": "interaction",
        "columns": {"kind": {"value": "x"}, "occurred_at": {"column": "At", **column}},
    }
    [row] = mapped("interaction", stream(tmp_path, "s", [{"Id": "1", "At": written}], raw))
    assert row["occurred_at"] == instant


def test_a_decimal_comma_is_declared_not_guessed(tmp_path: Path) -> None:
    raw = {
        "to": "purchase",
        "columns": {"occurred_at": "At", "amount": {"column": "Sum", "decimal": ","}},
    }
    record = {"Id": "1", "At": "2026-01-02", "Sum": "1.234,50"}
    [row] = mapped("purchase", stream(tmp_path, "s", [record], raw))
    assert row["amount"] == "1234.50"


def test_a_record_that_no_longer_matches_becomes_a_delete_and_one_that_never_did_is_absent(
    tmp_path: Path,
) -> None:
    raw = {
        "to": "purchase",
        "columns": {"occurred_at": "At"},
        "where": {"Status": "paid", "Note": None},
    }
    records = [
        {"Id": "1", "At": "2026-01-02", "Status": "paid"},
        {"Id": "2", "At": "2026-01-02", "Status": "open"},
        {"Id": "3", "At": "2026-01-02", "Status": "paid", "Note": "test order"},
        {"Id": "1", "At": "2026-01-02", "Status": "refunded"},
    ]
    rows = mapped("purchase", stream(tmp_path, "s", records, raw))
    assert [(row["_key"], row["_op"]) for row in rows] == [("1", "upsert"), ("1", "delete")]


def test_several_files_reach_one_table_and_one_file_several_tables(tmp_path: Path) -> None:
    deal = {
        "Id": "7",
        "Account": "Cancity",
        "Opened": "2016-10-20",
        "Closed": "2017-03-01",
    }
    several = [
        {"to": "deal", "columns": {"organization": "Account", "closed_at": "Closed"}},
        {
            "to": "interaction",
            "suffix": "opened",
            "columns": {"kind": {"value": "engagement"}, "occurred_at": "Opened"},
        },
        {
            "to": "interaction",
            "suffix": "closed",
            "columns": {"kind": {"value": "order"}, "occurred_at": "Closed"},
        },
    ]
    accounts = {"to": "organization", "columns": {"name": "Id"}}
    streams = (
        stream(tmp_path, "deals", [deal], several),
        stream(tmp_path, "posts", [POST], INTERACTION),
        stream(tmp_path, "accounts", [{"Id": "Cancity"}], accounts),
    )
    assert [row["_key"] for row in mapped("interaction", *streams)] == ["7#closed", "7#opened", "2"]
    assert mapped("deal", *streams)[0]["organization"] == "site:accounts:Cancity"


def test_custom_fields_become_one_json_object(tmp_path: Path) -> None:
    raw = {
        "to": "person",
        "columns": {"name": "Name", "custom": ["Tier", {"name": "O'Neill", "pii": "text"}]},
    }
    record = {"Id": "1", "Name": "A", "Tier": "gold", "O'Neill": 'say "hi"'}
    [row] = mapped("person", stream(tmp_path, "s", [record], raw))
    assert json.loads(row["custom"]) == {"Tier": "gold", "O'Neill": 'say "hi"'}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            {"to": "person", "columns": {"emial": "Mail"}},
            "columns.emial is no column of `person`. Did you mean `email`?",
        ),
        (
            {"to": "person", "colums": {}},
            "unknown key `sources.site.streams.s.map.colums`. Did you mean `columns`?",
        ),
        ({"to": "purchase", "columns": {}}, "needs the column `occurred_at`"),
        (
            {"to": "person", "columns": {"name": {"column": "A", "value": "B"}}},
            "needs exactly one of",
        ),
        ({"to": "person", "columns": {"custom": [{"name": "A", "pii": "secret"}]}}, "pii"),
        ({"to": "person", "columns": {"name": ["A", "B"]}}, "Only `custom` takes one"),
        (
            {"to": "person", "columns": {"name": "A"}, "values": {"nmae": {}}},
            "Did you mean `name`?",
        ),
        (
            [{"to": "person", "columns": {"name": "A"}}, {"to": "person", "columns": {}}],
            "Give each its own `suffix:`",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_remedy(raw: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mapping.parse(raw, "sources.site.streams.s")
    assert said in str(caught.value)


def test_an_answer_of_an_api_is_mapped_from_inside_its_objects(tmp_path: Path) -> None:
    records = [{"Id": "7", "author": {"id": 12345678901234567890, "name": "A"}, "At": "2026-01-01"}]
    raw = {"to": "case", "columns": {"person": "author.id", "opened_at": "At"}}
    [row] = mapped("case", stream(tmp_path, "issues", records, raw, is_nested=True))
    assert row["person"] == "site:issues:12345678901234567890"
    [flat] = mapped("case", stream(tmp_path, "issues", records, raw))
    assert flat["person"] is None
    both = {"to": "case", "columns": {"person": "author.id", "owner": "author", "opened_at": "At"}}
    with pytest.raises(ConfigError, match=r"takes both `author` and `author\.id` inside"):
        mapped("case", stream(tmp_path, "issues", records, both, is_nested=True))


def test_a_reference_that_could_mean_two_streams_must_say_which(tmp_path: Path) -> None:
    person = {"to": "person", "columns": {"name": "Id"}}
    streams = [
        stream(tmp_path, "users", [], person),
        stream(tmp_path, "guests", [], person),
        stream(tmp_path, "posts", [POST], INTERACTION),
    ]
    with pytest.raises(ConfigError, match="could mean the streams `users`, `guests`"):
        mapping.queries(streams)


def test_the_schema_for_editors_accepts_what_is_accepted() -> None:
    jsonschema.validate(INTERACTION, MAP_SCHEMA)
    jsonschema.validate([INTERACTION, INTERACTION], MAP_SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"to": "nobody", "columns": {}}, MAP_SCHEMA)


def test_a_response_names_the_message_of_the_stream_that_sends_them(tmp_path: Path) -> None:
    mails = {"to": "message_sent", "columns": {"person": "To", "occurred_at": "At"}}
    answers = {
        "to": "message_response",
        "columns": {"message_sent": "Mail", "occurred_at": "At", "kind": {"value": "click"}},
    }
    sent = stream(tmp_path, "mails", [{"Id": "7", "To": "ann@x.io", "At": "2026-06-01"}], mails)
    clicks = stream(tmp_path, "clicks", [{"Id": "1", "Mail": "7", "At": "2026-06-02"}], answers)
    [row] = mapped("message_response", clicks, sent)
    assert row["message_sent"] == "site:mails:7"
