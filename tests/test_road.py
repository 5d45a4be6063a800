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
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from assets.run import run_job
from connectors import salesforce
from connectors.landing import Landing
from rapport import demo
from rapport.cli import DONE, FAILED, main
from rapport.config import Config
from sandbox.server import Sandbox, serve
from tests.private_facts import MARK, leaks, plant, planted

pytestmark = pytest.mark.demo

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PEOPLE = 150


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(people=PEOPLE, seed=11, port=0, now=NOW) as running:
        assert plant(running) > 10_000
        contacts = running.world.portal.table("contacts")
        mails = (contacts.records[key].properties.get("email") for key in contacts.live)
        # of so few people perhaps nobody leaves all e-mail by themselves
        running.world.portal.opt_out(next(filter(None, mails)), running.now)
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
    empty = {table for table, count in counts.items() if not count}
    # who reacted is only read with `likers: true`; no id was retired and no day restated yet
    assert empty == {"fct_reaction_given", "identity_redirect", "ops_restatement"}
    assert (config.home / "report" / "index.html").stat().st_size > 10_000


def test_no_private_fact_that_a_source_holds_reaches_anything_that_we_keep(
    config: Config, sandbox: Sandbox
) -> None:
    """Notes, bios, forum profiles and fields that nobody named: not even landed, nor in a log."""
    told = CliRunner().invoke(main, ["--config", str(config.path), "discover", "crm"])
    assert told.exit_code == DONE
    assert MARK not in told.output
    user = next(user for user in sandbox.world.forum.users.values() if user.id > 0)
    with urllib.request.urlopen(f"{sandbox.urls['discourse']}/u/{user.username}.json") as shown:
        assert MARK in shown.read().decode(), "it is there for whoever asks"
    assert list(leaks(config.home)) == []


def test_analysts_see_how_every_stream_compares_with_its_source(config: Config) -> None:
    told = {
        f"{source}.{stream}": rest
        for source, stream, *rest in query(
            config,
            "select source, stream, reconciliation, is_finished, calls, changes, calls_per_change,"
            " missing, reconciled_by, not_reconciled_because from ops_stream",
        )
    }
    assert told["crm.contacts"][0] == "equal"
    assert told["crm.contact_history"][0] == "unknown"
    for place, (result, finished, calls, changes, per_change, missing, how, why) in told.items():
        assert finished, place
        assert (result == "unknown") == (missing is None), place
        assert calls > 0 or how is why is None, place  # files are read without a call
        assert per_change is None if not changes else abs(per_change - calls / changes) < 1e-3


def test_what_became_of_every_mailing_and_all_leads_stand_there_as_the_vendor_has_them(
    config: Config, sandbox: Sandbox
) -> None:
    portal = sandbox.world.portal
    log = portal.email_log()
    sent = dict(
        query(
            config, "select message_sent_id, person_id from fct_message_sent where source = 'hub'"
        )
    )
    assert sent.keys() == {f"hub:email_events:{one.id}" for one in log if one.kind == "SENT"}
    nobodys = sum(person is None for person in sent.values())  # archived since they got it
    assert nobodys < 0.1 * len(sent)
    kinds = {"OPEN": "open", "CLICK": "click", "BOUNCE": "bounce", "STATUSCHANGE": "unsubscribe"}
    assert Counter(
        query(config, "select kind, is_automatic from fct_message_response where source = 'hub'")
    ) == Counter(
        (kinds[one.kind], one.more.get("filteredEvent")) for one in log if one.kind in kinds
    )
    leads = query(
        config, "select profile_key from dim_profile where stream = 'leads' and source = 'hub' "
        "and not is_deleted"
    )  # fmt: skip
    assert {key for (key,) in leads} == {f"hub:leads:{key}" for key in portal.table("leads").live}
    left = query(
        config, "select count(distinct profile_key) from fct_consent where source = 'hub' "
        "and purpose_id = 'all' and answer = 'refused' and is_current"
    )  # fmt: skip
    contacts = portal.table("contacts")
    live = [contacts.records[key].properties for key in contacts.live]
    out = [one for one in live if one.get("hs_email_optout") == "true"]
    assert left == [(len(out),)] and out


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
    """Return CRM place -> key -> change stamp of what is held; histories only know creation."""

    def stamp(record: str) -> str:
        told = json.loads(record)
        return str(told.get("SystemModstamp", told["CreatedDate"]))

    return {
        place: {key: stamp(record) for key, record in records.items()}
        for place, records in held.items()
        if place.startswith("crm.")
    }


HISTORIES = {
    f"crm.{stream.name}": stream.object_name or ""
    for stream in salesforce.STREAMS
    if stream.name.endswith("_history")
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
    # History that went with its record leaves no trace; that is declared as coverage.
    held = stamps(after)
    for place, records in stamps(fresh).items():
        assert place.endswith("_history") or held[place].keys() == records.keys()
        for key in held[place].keys() - records.keys():
            assert sandbox.world.org.table(HISTORIES[place]).rows[key]["IsDeleted"]
        assert {key: held[place].get(key) for key in records} == records
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
    assert pairs > PEOPLE / 2
    # Namesakes who share a switchboard are planted; a company this small cannot tell them apart.
    assert wrong <= 2


def test_two_crms_and_the_forum_meet_where_they_share_what_identifies_and_the_network_does_not(
    config: Config, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Share of the true pairs of profiles that are one person or organization in our tables."""
    sandbox.write_truth(tmp_path)
    found = query(
        config,
        f"with held as (select x.source, x.entity, coalesce(x.person_id, x.organization_id) as id, "
        "coalesce(t.person, t.organization) as true_id "
        f"from dim_profile x join '{tmp_path}/profiles.parquet' t on t.profile_key = x.profile_key "
        "where not x.is_deleted) "
        "select a.entity, a.source || '+' || b.source, count(*) filter (a.id = b.id) / count(*) "
        "from held a join held b on a.source < b.source and a.true_id = b.true_id group by all",
    )
    recall = {(entity, pair): share for entity, pair, share in found}
    for pair in ("crm+forum", "crm+hub", "forum+hub"):
        assert recall["person", pair] > 0.5, recall
    assert recall["organization", "crm+hub"] > 0.6, recall
    assert recall["person", "forum+social"] == 0.0, "no handle is matched by likeness"


def test_whom_other_sources_know_of_the_forum_agrees_with_a_count_from_the_landing(
    config: Config,
) -> None:
    """People who wrote in 90 days, from the records as they landed, against the published share."""
    held = landed(config)
    users, since = held["forum.users"], query(config, "select as_of - 89 from publication")[0][0]
    writers = {
        str(post["user_id"])
        for post in map(json.loads, held["forum.posts"].values())
        if datetime.fromisoformat(post["created_at"]).date() >= since
    }
    people = dict(
        query(config, "select native_id, person_id from dim_profile where source = 'forum'")
    )
    ours = {
        id for (id,) in query(config, "select person_id from dim_person where is_staff or is_bot")
    }
    active = {people[user] for user in writers & users.keys()} - ours
    known: dict[str, set[str]] = {}
    # Where nobody tells since when an account is there, it is known from when we first saw it.
    for source, person in query(
        config,
        "select source, person_id from dim_profile, publication where entity = 'person' "
        "and not is_deleted and silo <> 'forum' "
        "and cast(coalesce(created_at, first_seen_at) as date) <= as_of",
    ):
        known.setdefault(source, set()).add(person)
    assert {"crm", "hub"} <= known.keys()
    known["*"] = set().union(*known.values())
    told = query(
        config,
        "select source, active_forum_people, round(active_forum_people_share * active_forum_people)"
        " from rel_data_trust join publication using (as_of) where stream = '*'",
    )
    assert {row[0]: row[1:] for row in told} == {
        source: (len(active), len(active & ids)) for source, ids in known.items()
    }
    assert 0 < len(active & known["*"]) < len(active)


def test_what_was_planted_is_found(config: Config, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write_truth(tmp_path)
    effects = (
        "(select distinct e.effect, e.true_id, p.organization_id, p.person_id "
        f"from '{tmp_path}/effects.parquet' e "
        f"join '{tmp_path}/profiles.parquet' t "
        "on t.organization = split_part(coalesce(nullif(e.detail, ''), e.true_id), ' to ', 1) "
        "or t.profile_key = 'forum:users:' || e.native_id "
        "join dim_profile p using (profile_key))"
    )
    newest = "as_of = (select as_of from publication)"
    # One true organization can stand in several records that share nothing.
    quiet = query(
        config,
        "select max(verdict = 'at risk' and reason_1 like '%days quiet') "
        f"from rel_organization join {effects} using (organization_id) "
        f"where effect = 'quiet_before_renewal' and {newest} group by true_id",
    )
    assert quiet == [(True,)] * 3
    helper = query(
        config,
        f"select distinct level from rel_disengagement d join {effects} e "
        f"on d.person_id = e.person_id where effect = 'helper_leaves' and {newest}",
    )
    assert helper in ([("slowing",)], [("quiet",)])
    # Before the helper left, nobody gave more answers, and it shows what would be missed.
    [(leaver, since)] = query(
        config, f"select distinct person_id, since::date from {effects} as e "
        f"join '{tmp_path}/effects.parquet' using (effect, true_id) where effect = 'helper_leaves'",
    )  # fmt: skip
    before = f"as_of = (select max(as_of) from rel_importance where as_of < '{since}')"
    [(top, reason)] = query(
        config,
        f"select person_id, reason_1 from rel_importance where {before} "
        "order by answers desc limit 1",
    )
    assert top == leaver
    assert reason.startswith("the only one to answer ")
    [(quiet_days,)] = query(
        config, f"select days_quiet from rel_importance where person_id = '{leaver}' and {newest}"
    )
    assert quiet_days >= 100
    # Each hand-off to another team is one, and takes the days that it was planted with.
    window = "between (select as_of from publication) - 363 and (select as_of from publication)"
    [(handed, days)] = query(
        config,
        f"select count(*), sum(value) from '{tmp_path}/effects.parquet' "
        f"where effect = 'slow_hand_off' and until::date {window}",
    )
    [(found, waited)] = query(
        config,
        "select sum(hand_offs), sum(hand_off_wait_hours) / 24 from rel_journey "
        f"where process = 'crm: cases' and window_days = 364 and from_step <> 'all' and {newest}",
    )
    assert handed > 5
    assert abs(found - handed) <= 1
    assert days < float(waited) < 1.4 * days


def test_the_command_line_prints_headlines_and_status_as_json(config: Config) -> None:
    printed = CliRunner().invoke(main, ["--config", str(config.path), "status", "--json"])
    assert printed.exit_code == DONE
    places = {line["place"].split(".")[0] for line in json.loads(printed.output)}
    assert places == {"crm", "hub", "forum", "social", "shop"}


def test_without_crm_forum_and_strategy_everything_builds_and_reads_unknown(tmp_path: Path) -> None:
    """A source without a record, and silos that are absent altogether."""
    (tmp_path / "orders.csv").write_text("id,mail,at,total\n")
    columns = "religion,Kids,favorite_team,remarks,c7"
    facts = ",".join(planted(name) for name in columns.split(","))
    (tmp_path / "people.csv").write_text(f"id,name,mail,{columns}\n1,Ann,ann@b.example,{facts}\n")
    (tmp_path / "rapport.yml").write_text(
        "sources:\n  shop:\n    type: files\n    silo: orders\n    streams:\n      orders:\n"
        "        path: orders.csv\n        key: [id]\n        map: {to: purchase, "
        "columns: {person: mail, occurred_at: at, amount: total}}\n      people:\n"
        "        path: people.csv\n        key: [id]\n        fields: [id, name, mail]\n"
        "        map: {to: person, columns: {name: name, email: mail}}\n"
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
        assert built.execute("select count(*) from dim_person").fetchall() == [(1,)]
    assert list(leaks(tmp_path / ".rapport")) == [], "private facts in columns of an export"
