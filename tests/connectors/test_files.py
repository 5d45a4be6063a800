"""Exports as people really make them."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import Quarantine, files, open_source, sync_stream
from connectors.errors import ConfigError, LandingError


class Exports:
    """A folder with one stream `orders` on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "exports"
        self.folder.mkdir()
        self.home = folder
        self.declared: dict = {"path": "exports/*", "key": ["id"]}

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def source(self):
        settings = {"streams": {"orders": self.declared}}
        return open_source("shop", "files", settings, home=self.home, folder=self.home)

    def check(self):
        return self.source().check().detail

    def sync(self, **options):
        source = self.source()
        (stream,) = source.streams()
        return sync_stream(source, stream, self.home, **options)

    def quarantined(self):
        lines = Quarantine(self.home, "shop", "orders").lines()
        return [(line.key, line.reason, line.detail) for line in lines]


@pytest.fixture
def exports(tmp_path):
    return Exports(tmp_path)


@pytest.fixture
def rows(landed):
    def rows():
        return {
            key: json.loads(record)
            for key, (op, _, record) in landed("shop.orders").items()
            if op == "upsert"
        }

    return rows


# CSV


def test_every_value_of_a_csv_is_text_and_an_empty_one_null(exports, rows):
    exports.write("a.csv", 'id,total,note\n007,1.10,"a ""quoted"",\nnote"\n2,,\n')
    exports.sync()
    assert rows() == {
        "007": {"id": "007", "total": "1.10", "note": 'a "quoted",\nnote'},
        "2": {"id": "2", "total": None, "note": None},
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("utf-8", "id,name\n1,Zoë €\n".encode()),
        ("byte order mark", "id,name\n1,Zoë €\n".encode("utf-8-sig")),
        ("utf-16", "id,name\n1,Zoë €\n".encode("utf-16")),
        ("windows", "id,name\n1,Zoë €\n".encode("cp1252")),
        ("semicolons", "id;name\n1;Zoë €\n".encode()),
        ("tabs", "id\tname\n1\tZoë €\n".encode()),
        ("bars", "id|name\n1|Zoë €\n".encode()),
        ("carriage returns", "id,name\r\n1,Zoë €\r\n".encode()),
        ("blank lines and spaces", " id , name\n\n1,Zoë €\n\n".encode()),
    ],
)
def test_a_csv_is_read_however_it_was_written(exports, rows, name, content):
    exports.write("a.csv", content)
    result = exports.sync()
    assert rows() == {"1": {"id": "1", "name": "Zoë €"}}
    guessed = ("a.csv: not UTF-8, read as Windows-1252; `encoding:` says otherwise",)
    assert result.notes == (guessed if name == "windows" else ())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,name\n1,Zoë\n2,Bo".encode()),
        ("a.csv", "id,name\n1,Zoë\n2,Bo".encode("utf-16")),
        ("a.jsonl", '{"id": 1, "name": "Zoë"}\n{"id": 2, "name": "Bo"}'.encode()),
    ],
)
def test_a_last_line_without_its_end_waits_while_the_file_is_young(exports, rows, name, content):
    path = exports.write(name, content)
    result = exports.sync()
    assert set(rows()) == {"1"}
    assert result.notes == (f"{name}: its last line has no end yet and waits for the next sync",)
    assert exports.sync().rows == 0
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    assert exports.sync().rows == 1
    assert set(rows()) == {"1", "2"}


def test_a_row_that_was_read_in_mid_write_does_not_outlive_what_was_written(exports, rows):
    """Without its zone the stamp of half a row lies behind that of the whole one."""
    exports.declared["cursor"] = "at"
    whole = "id,name,at\n1,Bo,2026-03-01T12:00:00+05:00\n"
    exports.write("a.csv", whole[:-7])
    exports.sync()
    exports.write("a.csv", whole)
    exports.sync()
    assert rows()["1"]["at"] == "2026-03-01T12:00:00+05:00"


def test_an_empty_file_or_half_a_snapshot_deletes_nothing(exports, rows):
    exports.declared["snapshot"] = True
    exports.write("a.csv", "id,name\n1,Zoë\n2,Bo\n3,Al\n")
    exports.sync()
    for content in ("", "id,name\n1,Zoë\n2,B"):
        exports.write("b.csv", content)
        assert exports.sync().deletes == 0
        assert exports.sync(full_refresh=True).deletes == 0
    exports.write("b.csv", "id,name\n1,Zoë\n2,Bo\n")
    assert exports.sync().deletes == 1
    assert set(rows()) == {"1", "2"}


def test_a_decimal_comma_does_not_pass_for_a_delimiter(exports, rows):
    exports.write("a.csv", "id;total;name\n1;3,50;A, B\n2;4,75;C, D\n")
    exports.sync()
    assert rows()["1"] == {"id": "1", "total": "3,50", "name": "A, B"}


def test_encoding_delimiter_and_nulls_can_be_told(exports, rows):
    exports.declared |= {"encoding": "cp437", "delimiter": "#", "null_values": ["NULL", "-"]}
    exports.write("a.csv", "id#name#x\n1#Zoë#NULL\n2#-#NA\n".encode("cp437"))
    exports.sync()
    assert rows() == {
        "1": {"id": "1", "name": "Zoë", "x": None},
        "2": {"id": "2", "name": None, "x": "NA"},
    }


def test_rows_of_another_width_are_quarantined_with_their_line(exports, rows):
    exports.write("a.csv", 'id,name\n1,"two\nlines"\n2\n3,c,d\n4,e\n')
    result = exports.sync()
    assert set(rows()) == {"1", "4"}
    assert result.quarantined == 2
    assert exports.quarantined() == [
        (None, "ragged_row", "a.csv, line 4: 1 fields, 2 columns"),
        (None, "ragged_row", "a.csv, line 5: 3 fields, 2 columns"),
    ]


def test_a_ragged_row_shows_nothing_when_columns_are_chosen(exports):
    exports.declared["fields"] = ["name"]
    exports.write("a.csv", "id,name,iban\n1,a\n2,b,DE00 SECRET\n3,c,DE11,x\n")
    exports.sync()
    (text,) = (line.text for line in Quarantine(exports.home, "shop", "orders").lines()[:1])
    assert text == ""


def test_rows_without_their_key_and_with_nul_are_quarantined(exports, rows):
    exports.write("a.csv", "id,name\n,nobody\n2,a\0b\n3,<script>alert('x')</script>\n")
    result = exports.sync()
    assert [reason for _, reason, _ in exports.quarantined()] == ["no_key", "nul"]
    assert rows()["3"]["name"] == "<script>alert('x')</script>"
    assert (result.rows, result.quarantined) == (1, 2)


def test_of_rows_with_one_key_the_last_wins_and_they_are_counted(exports, rows):
    exports.write("a.csv", "id,name\n1,first\n2,b\n1,last\n")
    exports.write("b.csv", "id,name\n2,later file\n")
    result = exports.sync()
    assert {key: row["name"] for key, row in rows().items()} == {"1": "last", "2": "later file"}
    assert (result.rows, result.duplicates) == (4, 2)


def test_of_rows_with_one_key_the_latest_stamp_wins(exports, rows):
    exports.declared["cursor"] = "at"
    exports.write("a.csv", "id,at,name\n1,2026-03-02,new\n1,2026-03-01,old\n")
    exports.sync()
    assert rows()["1"]["name"] == "new"


def test_stamps_without_zone_belong_to_the_streams_zone(exports):
    exports.declared |= {"cursor": "at", "timezone": "America/New_York"}
    path = exports.write("a.csv", "id,at\n1,2026-01-01 00:00\n")
    exports.sync()
    landed = pq.read_table(sorted((exports.home / "landing/shop/orders").glob("*.parquet"))[1])
    assert landed["_version"][0].as_py().isoformat() == "2026-01-01T05:00:00+00:00"
    assert path.exists()


def test_columns_may_come_and_go_between_files(exports, rows):
    exports.write("2025.csv", "id,name\n1,a\n")
    exports.write("2026.csv", "id,name,email\n2,b,b@x.example\n")
    result = exports.sync()
    assert rows() == {
        "1": {"id": "1", "name": "a"},
        "2": {"id": "2", "name": "b", "email": "b@x.example"},
    }
    assert result.notes == ("2026.csv: new column email",)


def test_columns_without_a_name_or_with_a_taken_one_get_their_own(exports, rows):
    exports.write("a.csv", "id,name,,name\n1,a,b,c\n")
    result = exports.sync()
    assert rows()["1"] == {"id": "1", "name": "a", "column_3": "b", "name_2": "c"}
    assert len(result.notes) == 2


def test_only_chosen_columns_are_landed(exports, rows):
    exports.declared["fields"] = ["name"]
    exports.write("a.csv", "id,name,iban\n1,a,DE00\n")
    exports.sync()
    assert rows() == {"1": {"id": "1", "name": "a"}}


def test_a_file_without_its_key_column_is_a_mistake(exports):
    exports.write("a.csv", "number,name\n1,a\n")
    with pytest.raises(ConfigError) as caught:
        exports.sync()
    assert str(caught.value) == (
        "shop.orders: `a.csv` has no column `id`, which `key:` names. Its columns: number, name."
    )


def test_without_a_key_rows_are_known_by_file_and_line(exports, rows):
    del exports.declared["key"]
    exports.declared["path"] = "exports/**/*.csv"
    exports.write("a.csv", 'name\n"x\ny"\nz\n')
    exports.write("deep/a.csv", "name\nw\n")
    exports.sync()
    assert {key: row["name"] for key, row in rows().items()} == {
        '["a.csv",2]': "x\ny",
        '["a.csv",4]': "z",
        '["deep/a.csv",2]': "w",
    }


# JSON lines, Parquet


def test_json_lines_are_kept_as_they_stand(exports, rows, landed):
    exports.write("a.jsonl", '\ufeff{"id": 1, "total": 1.10, "tags": ["a"]}\n\n{"id": 2}\n{"id"\n')
    exports.sync()
    assert landed("shop.orders")["1"][2] == '{"id": 1, "total": 1.10, "tags": ["a"]}'
    assert set(rows()) == {"1", "2"}
    assert [reason for _, reason, _ in exports.quarantined()] == ["invalid_json"]


def test_json_lines_without_a_key_are_known_by_file_and_line(exports, rows):
    del exports.declared["key"]
    exports.write("a.ndjson", '{"n": 1.10}\n{}\n')
    exports.sync()
    assert set(rows()) == {'["a.ndjson",1]', '["a.ndjson",2]'}
    assert rows()['["a.ndjson",1]'] == {"_file": "a.ndjson", "_line": 1, "n": 1.10}


def test_json_lines_in_utf_16_are_read(exports, rows):
    exports.write("a.jsonl", '{"id": "ë"}\n'.encode("utf-16"))
    exports.sync()
    assert set(rows()) == {"ë"}


@pytest.mark.parametrize("document", ["[\n {}\n]", '[{"id": 1}]'])
def test_a_json_document_is_refused_clearly(exports, document):
    exports.write("a.json", document)
    with pytest.raises(ConfigError, match=r"`a\.json` cannot be read: it is one JSON document"):
        exports.sync()


def test_parquet_keeps_types_and_exact_decimals(exports, landed):
    table = pa.table(
        {
            "id": pa.array([9007199254740993], pa.int64()),
            "total": pa.array([Decimal("12345678901234567890.12")], pa.decimal128(38, 2)),
            "at": pa.array([datetime(2026, 3, 1, 9, 0, 0, 5)], pa.timestamp("ns")),
            "none": pa.array([None], pa.string()),
            "tags": [["a", "b"]],
        }
    )
    pq.write_table(table, exports.folder / "a.parquet")
    exports.sync()
    assert landed("shop.orders")["9007199254740993"][2] == (
        '{"id":9007199254740993,"total":12345678901234567890.12,'
        '"at":"2026-03-01T09:00:00.000005","none":null,"tags":["a","b"]}'
    )


# Files that come, change and go


def test_an_unchanged_file_is_not_read_again(exports, monkeypatch):
    path = exports.write("a.csv", "id,name\n1,a\n")
    assert exports.sync().changed
    monkeypatch.setattr(files, "_fingerprint", lambda *_: pytest.fail("was opened"))
    assert not exports.sync().changed
    monkeypatch.undo()
    path.touch()
    assert not exports.sync().changed


def test_a_column_chosen_later_is_read_from_every_file_once(exports, rows):
    for number in "12":
        exports.write(f"{number}.csv", f"id,name,town\n{number},Ada,Leeds\n")
    exports.declared["fields"] = ["name"]
    exports.sync()
    exports.declared["fields"] = ["name", "town"]
    assert exports.sync().notes == ("read again for town",)
    assert [row["town"] for row in rows().values()] == ["Leeds", "Leeds"]
    again = exports.sync()
    assert (again.rows, again.notes) == (0, ())


def test_a_changed_file_lands_only_its_changes(exports, rows):
    exports.write("a.csv", "id,name\n1,a\n2,b\n")
    exports.sync()
    exports.write("a.csv", "id,name\n1,a\n2,new\n3,c\n")
    assert exports.sync().rows == 2
    assert {key: row["name"] for key, row in rows().items()} == {"1": "a", "2": "new", "3": "c"}


def test_a_row_that_left_its_file_stays_unless_the_file_is_a_snapshot(exports, rows):
    exports.write("a.csv", "id,name\n1,a\n2,b\n")
    exports.sync()
    exports.write("a.csv", "id,name\n1,a\n")
    assert exports.sync().deletes == 0
    assert set(rows()) == {"1", "2"}


def test_a_snapshot_deletes_what_its_last_file_does_not_show(exports, rows):
    exports.declared["snapshot"] = True
    exports.write("list-1.csv", "id,name\n1,a\n2,b\n")
    exports.sync()
    exports.write("list-2.csv", "id,name\n2,b\n3,c\n")
    result = exports.sync()
    assert (result.rows, result.deletes) == (1, 1)
    assert set(rows()) == {"2", "3"}
    assert (result.source_count, result.held_count) == (2, 2)
    assert not exports.sync().changed


def test_a_snapshot_that_lost_most_of_its_rows_is_refused(exports, rows):
    exports.declared["snapshot"] = True
    everybody = [f"{n},x" for n in range(100)]
    exports.write("list.csv", "\n".join(["id,name", *everybody, ""]))
    exports.sync()
    exports.write("list.csv", "\n".join(["id,name", *everybody[:10], ""]))
    with pytest.raises(LandingError, match=r"no longer shows `90` of 100 held records \(90%\)"):
        exports.sync()
    assert len(rows()) == 100


def test_an_interrupted_file_goes_on_where_it_was(exports, rows, monkeypatch):
    lines = [f"{n},x{n}" for n in range(3_500)]
    exports.write("a.csv", "\n".join(["id,name", *lines, ""]))

    def stop(progress):
        if progress.pages == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exports.sync(on_progress=stop, checkpoint_s=0)
    result = exports.sync()
    assert result.rows + 2_000 == 3_500
    assert len(rows()) == 3_500


def test_no_file_is_a_mistake_only_if_there_never_was_one(exports):
    exports.declared["path"] = "exports/*.csv"
    with pytest.raises(ConfigError) as caught:
        exports.sync()
    assert str(caught.value) == (
        "shop.orders: no file matches `exports/*.csv`, looked for from the folder "
        f"`{exports.home}`. Check `path` in rapport.yml."
    )
    path = exports.write("a.csv", "id\n1\n")
    exports.sync()
    path.unlink()
    assert exports.sync().changed is False


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"id,name\n", b"\n"])
def test_an_empty_file_has_no_rows(exports, content):
    exports.write("a.csv", content)
    result = exports.sync()
    assert (result.rows, result.quarantined) == (0, 0)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.parquet", b"PAR1 not really", "it is no whole Parquet file"),
        ("a.xlsx", b"PK", "the format of `a.xlsx` cannot be told from its name"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(exports, name, content, why):
    exports.write(name, content)
    with pytest.raises(ConfigError, match=why):
        exports.sync()


def test_a_wrong_encoding_is_named(exports):
    exports.declared["encoding"] = "utf-8"
    exports.write("a.csv", "id,name\n1,Zoë\n".encode("cp1252"))
    with pytest.raises(ConfigError, match=r"`a\.csv` cannot be read: it is not `utf-8`"):
        exports.sync()


def test_a_file_in_progress_does_not_stop_the_ones_before_it(exports, rows):
    exports.write("a.csv", "id,name\n1,a\n")
    exports.write("b.parquet", b"half written")
    with pytest.raises(ConfigError, match=r"`b\.parquet`"):
        exports.sync()
    assert set(rows()) == {"1"}


def test_a_full_refresh_deletes_what_no_file_shows_any_more(exports, rows):
    exports.write("a.csv", "id,name\n1,a\n2,b\n")
    exports.sync()
    exports.write("a.csv", "id,name\n1,a\n")
    exports.sync()
    result = exports.sync(full_refresh=True)
    assert (result.rows, result.deletes) == (1, 1)
    assert set(rows()) == {"1"}


def test_ten_megabytes_in_one_field_are_landed(exports, rows):
    exports.write("a.csv", 'id,name\n1,"' + "x" * 10_000_000 + '"\n')
    exports.sync()
    assert len(rows()["1"]["name"]) == 10_000_000


def test_a_file_is_never_held_in_memory(exports):
    import tracemalloc

    line = "x" * 200
    exports.write("a.csv", "id,name\n" + "".join(f"{n},{line}\n" for n in range(50_000)))
    settings = {"streams": {"orders": exports.declared}}
    source = open_source("shop", "files", settings, home=exports.home, folder=exports.home)
    (stream,) = source.streams()
    from connectors import Window

    pages = source.read(stream, {}, Window(now=datetime.now().astimezone() + timedelta(0)))
    next(pages)
    tracemalloc.start()
    for _ in pages:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"timezone": "Mars/Base"}, "no time zone `Mars/Base`"),
        ({"encoding": "utf-9"}, "no encoding `utf-9`"),
        ({"delimiter": "::"}, "must be one character"),
        ({"formt": "csv"}, "unknown key `formt`"),
        (
            {"fields": ["a"], "map": {"columns": {"email": "b"}}},
            "column `b`, which `fields` leaves",
        ),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_read(exports, setting, message):
    exports.declared |= setting
    with pytest.raises(ConfigError, match=message):
        exports.sync()


def test_check_counts_the_files(exports):
    exports.write("a.csv", "id\n1\n")
    assert exports.check() == "1 file"


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_check_misses_a_mapped_column_that_the_header_lacks(exports, format_):
    if format_ == "csv":
        exports.write("a.csv", "id,email\n1,a@b.org\n")
    else:
        pq.write_table(pa.table({"id": [1], "email": ["a@b.org"]}), exports.folder / "a.parquet")
    exports.declared["map"] = {"to": "person", "columns": {"email": "mail", "id": "id"}}
    with pytest.raises(ConfigError) as caught:
        exports.check()
    assert str(caught.value) == (
        f"shop.orders: `a.{format_}` has no column `mail`, which `map:` names. "
        "Did you mean `email`? Its columns: id, email."
    )


def test_check_passes_over_what_a_keyless_row_is_given_by_us(exports):
    exports.write("a.csv", "email\na@b.org\n")
    exports.declared |= {"key": None, "map": {"columns": {"id": "_line", "email": "email"}}}
    assert exports.check() == "1 file"


def test_of_json_lines_check_says_what_no_record_of_the_first_ones_has(exports):
    exports.write("a.jsonl", '{"id": 1}\n{"id": 2, "email": "a@b.org"}\n')
    exports.declared["map"] = {"columns": {"email": "email", "name": "nam"}, "where": {"ok": 1}}
    assert exports.check() == (
        "1 file; shop.orders: `map:` names `nam`, `ok`, which none of the first 2 records of "
        "`a.jsonl` has"
    )


def test_a_sync_notes_which_file_lacks_a_mapped_column(exports):
    exports.write("old.csv", "id\n1\n")
    exports.write("young.csv", "id,email\n2,a@b.org\n")
    exports.declared["map"] = {"columns": {"email": "email"}}
    assert "old.csv: no column email, which `map:` names" in exports.sync().notes
