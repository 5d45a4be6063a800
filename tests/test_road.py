"""The whole road on a small generated company: vendor APIs to published numbers.

Slow by the standards of this suite, so few: one company, one home, told as a story in the order
of the tests. What every step in it promises alone is tested beside that step.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from assets.run import run_job
from connectors.landing import Landing
from rapport import demo
from rapport.cli import DONE, FAILED, main
from rapport.config import Config
from sandbox.server import Sandbox, serve

pytestmark = pytest.mark.demo

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PEOPLE = 150


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(people=PEOPLE, seed=11, port=0, now=NOW) as running:
        yield running


@pytest.fixture(scope="module")
def config(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A home that a first whole run has filled."""
    made = demo.write_config(tmp_path_factory.mktemp("road"), sandbox.credentials)
    run_job(made)
    return made


def landed(config: Config) -> dict[str, dict[str, str]]:
    """Return place -> key -> record of everything that is held and not deleted."""
    landing = Landing(config.home)
    held = {}
    with duckdb.connect() as connection:
        for source, stream in landing.list_streams():
            files = [str(path) for path in landing.stream(source, stream).files()]
            rows = connection.execute(
                "select _key, record from (select *, row_number() over "
                "(partition by _key order by _version desc, _seq desc) as place "
                f"from read_parquet({files})) where place = 1 and _op = 'upsert'"
            ).fetchall()
            held[f"{source}.{stream}"] = dict(rows)
    return held


def query(config: Config, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(config.home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def command(config: Config, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "rapport.cli", "--config", str(config.path), *arguments]


def test_a_first_run_fills_every_table_that_these_sources_can_fill(config: Config) -> None:
    counts = {
        table: query(config, f"select count(*) from {table}")[0][0]
        for (table,) in query(config, "show tables")
    }
    unfilled = {table for table, count in counts.items() if not count}
    assert unfilled <= {"fct_purchase"}, "no source of this company sells"
    assert (config.home / "report" / "index.html").stat().st_size > 10_000


def test_the_first_build_shows_a_year_of_snapshots_and_says_that_they_are_rebuilt(
    config: Config,
) -> None:
    days = query(config, "select distinct as_of, basis from rel_community_health order by as_of")
    assert len(days) == 14
    assert (days[-1][0] - days[0][0]).days == 364
    assert {basis for _, basis in days[:-1]} == {"backcast"}


def test_a_second_run_with_nothing_new_does_not_start_dbt(config: Config) -> None:
    before = (config.home / "warehouse.duckdb").resolve()
    held = landed(config)
    result = run_job(config)
    assert not result.built
    assert (config.home / "warehouse.duckdb").resolve() == before
    assert landed(config) == held


def stamps(held: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return CRM place -> key -> change stamp of what is held."""
    return {
        place: {key: json.loads(record)["SystemModstamp"] for key, record in records.items()}
        for place, records in held.items()
        if place.startswith("crm.")
    }


def test_after_time_has_passed_a_sync_brings_exactly_the_changes(
    config: Config, sandbox: Sandbox
) -> None:
    before = landed(config)
    began = datetime.now(UTC)
    sandbox.advance(days=10)
    later = demo.write_config(config.home, sandbox.credentials)
    assert run_job(later).built
    after = landed(later)
    fresh_config = demo.write_config(config.home.parent / "fresh", sandbox.credentials)
    assert CliRunner().invoke(main, ["--config", str(fresh_config.path), "sync"]).exit_code == DONE
    fresh = landed(fresh_config)

    # What is held is what a first sync would bring today, and only what moved has landed again.
    assert stamps(after) == stamps(fresh)
    for place, records in stamps(fresh).items():
        old = stamps(before)[place]
        moved = {key for key, stamp in records.items() if old.get(key) != stamp}
        assert landed_since(later, place, began) == moved, place
    assert after["forum.users"].keys() == fresh["forum.users"].keys()
    assert after["forum.topics"].keys() == fresh["forum.topics"].keys()
    # A forum tells of a deletion only in topics that still move; that is declared as coverage.
    assert after["forum.posts"].keys() >= fresh["forum.posts"].keys()
    for key in after["forum.posts"].keys() - fresh["forum.posts"].keys():
        topic = sandbox.world.forum.topics[sandbox.world.forum.posts[int(key)].topic_id]
        assert topic.deleted_at or sandbox.now - topic.bumped_at > timedelta(days=14)
    gone = [str(t.id) for t in sandbox.world.forum.topics.values() if t.deleted_at]
    counted = query(
        later,
        "select count(*) from fct_interaction where not is_deleted and stream = 'posts' "
        f"and thread_id in (select interaction_id from fct_interaction where is_deleted) "
        f"and {len(gone)} > 0",
    )
    assert counted == [(0,)], "nothing of a deleted topic counts"


def landed_since(config: Config, place: str, moment: datetime) -> set[str]:
    """Return the keys of upserts that were landed after a moment."""
    files = [str(path) for path in Landing(config.home).stream(*place.split(".", 1)).files()]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select _key from read_parquet({files}) where _op = 'upsert' and _loaded_at > ?",
            [moment],
        ).fetchall()
    return {key for (key,) in found}


def test_kill_nine_ten_times_and_the_tables_are_those_of_an_undisturbed_sync(
    config: Config, sandbox: Sandbox
) -> None:
    torn = demo.write_config(config.home.parent / "torn", sandbox.credentials)
    chance = random.Random(5)
    kills = 0
    while kills < 10:
        process = subprocess.Popen(
            command(torn, "sync"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.6, 2.5))
        kills += process.poll() is None
        process.kill()
        process.wait()
    subprocess.run(command(torn, "sync"), check=True, stdout=subprocess.DEVNULL)
    whole = demo.write_config(config.home.parent / "whole", sandbox.credentials)
    subprocess.run(command(whole, "sync"), check=True, stdout=subprocess.DEVNULL)
    assert landed(torn) == landed(whole)


def test_a_second_sync_of_a_stream_says_so_and_loses_nothing(config: Config) -> None:
    before = landed(config)
    with Landing(config.home).stream("forum", "posts").lock():
        other = subprocess.run(
            command(config, "sync", "forum.posts"), capture_output=True, text=True, check=False
        )
    assert other.returncode == FAILED
    said = f"forum.posts: another sync of this stream is running (pid {os.getpid()})"
    assert said in " ".join(other.stderr.split())
    assert landed(config) == before


def test_people_whom_the_world_knows_to_be_two_are_not_joined(
    config: Config, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.write_truth(tmp_path)
    with duckdb.connect(str(config.home / "warehouse.duckdb"), read_only=True) as connection:
        joined = connection.execute(
            "select count(*), count(*) filter (where a.person <> b.person) "
            f"from dim_profile x join dim_profile y on x.person_id = y.person_id "
            f"and x.profile_key < y.profile_key "
            f"join '{tmp_path}/profiles.parquet' a on a.profile_key = x.profile_key "
            f"join '{tmp_path}/profiles.parquet' b on b.profile_key = y.profile_key"
        ).fetchall()
    pairs, wrong = joined[0]
    assert pairs > PEOPLE / 10
    # Namesakes who share a switchboard are planted; a company this small cannot tell them apart.
    assert wrong <= 2


def test_the_command_line_prints_headlines_and_status_as_json(config: Config) -> None:
    printed = CliRunner().invoke(main, ["--config", str(config.path), "status", "--json"])
    assert printed.exit_code == DONE
    assert {line["place"].split(".")[0] for line in json.loads(printed.output)} == {
        "crm",
        "forum",
        "shop",
    }


def test_without_crm_forum_and_strategy_everything_builds_and_reads_unknown(tmp_path: Path) -> None:
    """A source without a record, and silos that are absent altogether."""
    (tmp_path / "orders.csv").write_text("id,mail,at,total\n")
    (tmp_path / "rapport.yml").write_text(
        "sources:\n  shop:\n    type: files\n    silo: orders\n    streams:\n      orders:\n"
        "        path: orders.csv\n        key: [id]\n        map: {to: purchase, "
        "columns: {person: mail, occurred_at: at, amount: total}}\n"
    )
    ran = CliRunner().invoke(main, ["--config", str(tmp_path), "run"], catch_exceptions=False)
    assert ran.exit_code == DONE
    assert "unknown" in ran.output
    assert "strategy.yml" in ran.output
    with duckdb.connect(str(tmp_path / ".rapport" / "warehouse.duckdb"), read_only=True) as built:
        verdicts = built.execute(
            "select count(verdict) from rel_community_health union all "
            "select count(verdict) from rel_organization"
        ).fetchall()
        assert verdicts == [(0,), (0,)]
