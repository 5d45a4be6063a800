"""The published copy: whole, read-only, and never touched by anybody's open handle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connectors.errors import PublishError
from rapport import config, publish
from rapport.build import BUILD_NAME
from rapport.config import Config
from tests.rapport.plans import plan


@pytest.fixture
def home(tmp_path: Path) -> Config:
    return config.parse({"home": "."}, tmp_path / "rapport.yml")


def build(home: Config, value: str) -> None:
    """Fill build.duckdb so that every row of every table holds `value`."""
    home.home.mkdir(exist_ok=True)
    with duckdb.connect(str(home.home / BUILD_NAME)) as connection:
        for table in ("dim_person", "rel_organization", "stg_secret", "identity_edge"):
            connection.execute(
                f"create or replace table {table} as "
                f"select '{value}' as value, i from range(2000) t(i) order by hash(i)"
            )
        connection.execute("comment on table dim_person is 'One row per person; it''s us.'")
        connection.execute("comment on column dim_person.value is 'What it holds.'")
        connection.execute("create or replace view fct_view as select 1 as one")


def values(path: Path) -> dict[str, set[str]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [n for (n,) in connection.execute("show tables").fetchall() if n != "publication"]
        return {
            name: {
                v for (v,) in connection.execute(f"select distinct value from {name}").fetchall()
            }
            for name in names
        }


def test_marts_and_metrics_are_copied_with_comments_and_nothing_else(home: Config) -> None:
    build(home, "one")
    published = publish.publish(home, plan(1))
    assert published.tables == {"dim_person": 2000, "rel_organization": 2000, "publication": 1}
    assert values(published.path) == {"dim_person": {"one"}, "rel_organization": {"one"}}
    assert published.path.stat().st_mode & 0o777 == 0o444
    with duckdb.connect(str(published.path), read_only=True) as connection:
        comments: Any = connection.execute(
            "select comment from duckdb_tables() where table_name = 'dim_person' union all "
            "select comment from duckdb_columns() "
            "where table_name = 'dim_person' and column_name = 'value'"
        ).fetchall()
        assert comments == [("One row per person; it's us.",), ("What it holds.",)]
        parquet = home.home / "marts" / "dim_person.parquet"
        assert connection.execute(f"select count(*) from '{parquet}'").fetchall() == [(2000,)]


def test_equal_rows_make_equal_files_whatever_their_order(home: Config) -> None:
    build(home, "one")
    publish.publish(home, plan(1))
    first = (home.home / "marts" / "dim_person.parquet").read_bytes()
    with duckdb.connect(str(home.home / BUILD_NAME)) as connection:
        connection.execute(
            "create or replace table dim_person as select * from dim_person order by i desc"
        )
    publish.publish(home, plan(2))
    assert (home.home / "marts" / "dim_person.parquet").read_bytes() == first


def test_an_open_reader_keeps_what_it_opened_and_the_next_open_sees_the_new(home: Config) -> None:
    build(home, "one")
    path = publish.publish(home, plan(1)).path
    with duckdb.connect(str(path), read_only=True) as reader:
        build(home, "two")
        publish.publish(home, plan(2))
        publish.publish(home, plan(3))
        publish.publish(home, plan(4))
        assert reader.execute("select distinct value from dim_person").fetchall() == [("one",)]
    assert values(path) == {"dim_person": {"two"}, "rel_organization": {"two"}}


WRITER = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("select count(*) from dim_person").fetchall()
for word in ("before", "after"):
    print("ready", flush=True)
    sys.stdin.readline()
    connection.execute("create or replace table junk_" + word + " as select 1 as x")
    connection.execute("update dim_person set value = 'dirty'")
print("done", flush=True)
sys.stdin.readline()
os._exit(9)
"""


def test_a_client_that_opened_it_read_write_never_reaches_the_new_file(home: Config) -> None:
    """Its write-ahead log, left behind by a crash, must not be replayed onto the new file."""
    build(home, "one")
    path = publish.publish(home, plan(1)).path
    path.resolve().chmod(0o644)  # somebody made it writable, or is root
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin and writer.stdout

    def step(expected: str) -> None:
        assert writer.stdin and writer.stdout
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline().strip() == expected

    assert writer.stdout.readline().strip() == "ready"
    step("ready")  # has written before the swap
    build(home, "two")
    publish.publish(home, plan(2))
    step("done")  # has written after the swap
    writer.stdin.write("\n")
    writer.stdin.flush()
    writer.wait(timeout=30)
    assert values(path) == {"dim_person": {"two"}, "rel_organization": {"two"}}
    with duckdb.connect(str(path)) as connection:
        tables = {name for (name,) in connection.execute("show tables").fetchall()}
    assert tables == {"dim_person", "rel_organization", "publication"}


def test_a_stale_log_beside_the_link_is_moved_away(home: Config) -> None:
    build(home, "one")
    path = publish.publish(home, plan(1)).path
    stale = path.with_name(path.name + ".wal")
    stale.write_bytes(b"left by an old client")
    publish.publish(home, plan(2))
    assert not stale.exists()
    assert values(path)["dim_person"] == {"one"}


READER = """
import duckdb, sys
seen = set()
for _ in range(60):
    connection = duckdb.connect(sys.argv[1], read_only=True)
    seen.add(tuple(sorted(
        value for table in ("dim_person", "rel_organization")
        for (value,) in connection.execute("select distinct value from " + table).fetchall()
    )))
    connection.close()
print(sorted(seen))
"""


def test_a_reader_never_sees_a_mixture_while_runs_publish(home: Config) -> None:
    build(home, "v0")
    path = publish.publish(home, plan(0)).path
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdout=subprocess.PIPE, text=True
    )
    step = 0
    while reader.poll() is None:
        step += 1
        build(home, f"v{step}")
        publish.publish(home, plan(step))
    assert reader.stdout and reader.returncode == 0
    for pair in eval(reader.stdout.read()):
        assert len(set(pair)) == 1, pair


def test_publishing_without_a_build_says_what_to_run(home: Config) -> None:
    with pytest.raises(PublishError, match="Run `rapport build` first"):
        publish.publish(home, plan(1))


def test_a_failed_copy_leaves_the_previous_publication(
    home: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(home, "one")
    path = publish.publish(home, plan(1)).path

    def no_space(*_: object) -> dict[str, int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish, "_copy", no_space)
    with pytest.raises(PublishError, match="the previous warehouse stays"):
        publish.publish(home, plan(2))
    assert values(path)["dim_person"] == {"one"}
    assert len(list((home.home / "published").glob("2*"))) == 1


def test_what_is_swapped_in_stays_if_a_link_to_it_fails(home: Config) -> None:
    build(home, "one")
    path = publish.publish(home, plan(1)).path
    path.unlink()
    in_the_way = home.home / f".{path.name}.next"
    in_the_way.mkdir()
    build(home, "two")
    with pytest.raises(PublishError, match=r"the new tables are in place under .*current"):
        publish.publish(home, plan(2))
    current = home.home / "published" / "current"
    assert values(current / path.name)["dim_person"] == {"two"}

    in_the_way.rmdir()
    assert values(publish.publish(home, plan(3)).path)["dim_person"] == {"two"}
