"""Why two profiles are one, told from the published tables, and found by any id there ever was."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigError
from rapport.cli import main
from rapport.config import Config
from rapport.identity.explain import Way, explain
from rapport.identity.ways import LINKS, ways
from tests.rapport import published

ANN, BOB, OLD, GONE = "per_ann", "per_bob", "per_old", "per_gone"
LEAD, CONTACT, USER, ORDER = "crm:leads:1", "crm:contacts:2", "forum:users:3", "shop:orders:4"
STRANGER = "forum:users:9"
SOURCES = "sources: {forum: {type: discourse, url: https://f.example, api_key: k, api_username: u}}"


def profile(key: str, person: str | None, name: str, email: str | None = None) -> dict[str, Any]:
    return {
        "profile_key": key, "source": key.partition(":")[0], "silo": "crm", "entity": "person",
        "person_id": person, "display_name": name, "email": email, "is_deleted": False,
    }  # fmt: skip


def pair(left: str, right: str, state: str = "live", **more: Any) -> dict[str, Any]:
    owners = {STRANGER: BOB}
    return {
        "entity": "person", "left_key": left, "right_key": right, "state": state,
        "left_id": owners.get(left, ANN), "right_id": owners.get(right, ANN), "tier": 3,
        "rule_id": "verified_email", "words": "same e-mail address", "names": "agree",
        "evidence": "a***@acme.com", "precision": 0.9, "n_reviewed": 0, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Ann has four profiles in a row, Bob one that resembles hers."""
    config = published.configure(tmp_path_factory.mktemp("home"), SOURCES)
    firm = profile("crm:accounts:7", None, "Acme") | {
        "entity": "organization", "organization_id": "org_acme",
    }  # fmt: skip
    path = published.write(
        config.home,
        {
            "dim_profile": [
                profile(LEAD, ANN, "Ann [bold]Lee[/bold]"),
                profile(CONTACT, ANN, "Ann Lee", "ann@acme.com"),
                profile(USER, ANN, "annlee", "Ann@acme.com"),
                profile(ORDER, ANN, ""),
                profile(STRANGER, BOB, "Anna\x1b[31m Lee"),
                firm,
            ],
            "dim_person_field": [
                {"person_id": ANN, "field": "display_name", "value": "Ann Lee", "rule": "confirmed",
                 "profile_key": CONTACT, "runner_up_value": "Ann Le\x1b[1m",
                 "runner_up_profile_key": LEAD, "n_contradicting": 3},
                {"person_id": ANN, "field": "title", "value": "Weaver", "rule": "pinned",
                 "n_contradicting": 0},
            ],
            "identity_explanation": [
                pair(CONTACT, LEAD, far_key=LEAD, steps=1, confidence=0.9),
                pair(CONTACT, USER, far_key=USER, steps=1, confidence=0.9),
                pair(USER, ORDER, far_key=ORDER, steps=2, confidence=0.45, precision=0.5,
                     n_reviewed=10, n_right=9),
                pair(LEAD, USER, "refused", refusal="the names disagree"),
                pair(STRANGER, USER, "suggested", words="a rare name", evidence=None),
                pair(CONTACT, STRANGER, "vetoed", refusal="kept apart by identity/links.csv:2: no"),
            ],
        },
    )  # fmt: skip
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table identity_redirect (old_id varchar, entity varchar, current_id varchar, "
            "since timestamptz)"
        )
        connection.execute(
            f"insert into identity_redirect values ('{OLD}', 'person', '{ANN}', '2026-01-02'), "
            f"('{GONE}', 'person', null, '2026-01-02')"
        )
    return config


def keys(way: Way) -> list[str]:
    return [way.start, *(step.there for step in way.steps)]


def test_each_profile_has_its_way_to_the_one_that_was_there_first(config: Config) -> None:
    told = explain(config, ANN)
    assert (told.anchor, told.other_id) == (CONTACT, None)
    assert [(keys(way), way.confidence) for way in told.ways] == [
        ([LEAD, CONTACT], 0.9),
        ([USER, CONTACT], 0.9),
        ([ORDER, USER, CONTACT], 0.45),
    ]
    assert told == explain(config, ORDER), "a profile stands for whom it belongs to"


def test_two_profiles_are_joined_by_their_own_shortest_way(config: Config) -> None:
    [way] = explain(config, LEAD, ORDER).ways
    assert keys(way) == [LEAD, CONTACT, USER, ORDER]
    assert way.confidence == pytest.approx(0.9 * 0.9 * 0.5)
    assert [step.precision for step in way.steps] == [0.9, 0.9, 0.5]


def test_what_was_not_joined_is_told_with_the_reason(config: Config) -> None:
    told = explain(config, ANN).considered
    assert [(one.profile, one.other, one.other_id, one.state) for one in told] == [
        (CONTACT, STRANGER, BOB, "vetoed"),
        (LEAD, USER, ANN, "refused"),
        (USER, STRANGER, BOB, "suggested"),
    ]
    apart = explain(config, STRANGER, CONTACT)
    assert (apart.id, apart.other_id, apart.ways) == (BOB, ANN, [])
    assert [one.refusal for one in apart.considered if one.state == "vetoed"] == [
        "kept apart by identity/links.csv:2: no"
    ]


def test_what_is_shown_says_of_which_profile_and_before_what(config: Config) -> None:
    name, title = explain(config, ANN).shown
    assert (name.field, name.value, name.profile_key) == ("display_name", "Ann Lee", CONTACT)
    assert (name.rule, name.runner_up_profile_key, name.n_contradicting) == ("confirmed", LEAD, 3)
    assert (title.value, title.profile_key, title.rule) == ("Weaver", None, "pinned")
    assert explain(config, STRANGER, CONTACT).shown == []


def test_a_retired_id_leads_to_the_living_one(config: Config) -> None:
    told = explain(config, OLD)
    assert (told.id, told.retired) == (ANN, [OLD])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "per_nobody",
            "`per_nobody` is no person, organization or profile that is published. `dim_profile` "
            "has all ids; a profile key is `<source>:<stream>:<key>`.",
        ),
        (
            "ann@ACME.com",
            "`ann@ACME.com` is no person, organization or profile that is published. This e-mail "
            f"address is in: `{CONTACT}`, `{USER}`. `dim_profile` has all ids; a profile key is "
            "`<source>:<stream>:<key>`.",
        ),
        (
            "forun:users:3",
            "`forun:users:3` is no person, organization or profile that is published. Did you mean "
            "`forum`? `dim_profile` has all ids; a profile key is `<source>:<stream>:<key>`.",
        ),
        (
            GONE,
            f"`{GONE}` was retired on 2026-01-02: none of its profiles is left. `identity_event` "
            "tells what became of it.",
        ),
    ],
)
def test_what_is_not_there_is_said_with_a_hint(config: Config, asked: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        explain(config, asked)
    assert str(caught.value) == message


def test_a_person_and_an_organization_are_not_compared(config: Config) -> None:
    with pytest.raises(ConfigError) as caught:
        explain(config, ANN, "org_acme")
    assert str(caught.value) == (
        f"`{ANN}` (person) and `org_acme` (organization) are never one. Ask for two of a kind."
    )


def test_the_command_prints_it_and_names_of_strangers_steer_nothing(config: Config) -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["--config", str(config.path), "explain", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    text = said(OLD)
    assert "\x1b" not in text
    assert "crm:leads:1 (Ann [bold]Lee[/bold]): sure to 90.0 %" in text
    assert "the rule is right in 50.0 %; here in 9 of 10 reviewed" in text
    assert "vetoed: kept apart by identity/links.csv:2: no" in text
    assert "  display_name: Ann Lee, of crm:contacts:2 (Ann Lee) (confirmed; else Ann Le" in text
    assert ", 2 other values more)\n  title: Weaver (pinned)\n" in text
    assert "per_ann and per_bob are two persons." in said(ANN, STRANGER)
    assert json.loads(said(ANN, "--json"))["anchor"] == CONTACT
    wrong = CliRunner().invoke(main, ["--config", str(config.path), "explain", "per_nobody"])
    assert wrong.exit_code == 2


NODES = st.sampled_from([f"p{number}" for number in range(7)])


@settings(max_examples=25)
@given(st.sets(st.tuples(NODES, NODES).filter(lambda ends: ends[0] < ends[1]), min_size=1))
def test_ways_are_shortest_whatever_the_order(edges: set[tuple[str, str]]) -> None:
    def found(rows: list[tuple[str, str]]) -> dict[str, dict[str, Any]]:
        table = pa.Table.from_pylist(
            [{"left_key": left, "right_key": right, "rule_id": "r", "tier": 1, "precision": 0.5}
             for left, right in rows], LINKS,
        )  # fmt: skip
        told = ways(table, pa.table({"profile_key": ["p0"]})).to_pylist()
        return {row["profile_key"]: row for row in told}

    here = found(sorted(edges))
    assert here == found(sorted(edges, reverse=True))
    both = edges | {(right, left) for left, right in edges}
    distance, frontier = {"p0": 0}, ["p0"]
    while frontier:
        frontier = sorted({b for a, b in both if a in frontier and b not in distance})
        distance |= dict.fromkeys(frontier, max(distance.values()) + 1)
    assert {key: row["steps"] for key, row in here.items()} == {
        key: steps for key, steps in distance.items() if steps
    }
    assert all(row["confidence"] == 0.5 ** row["steps"] for row in here.values())
    assert all((key, row["next_key"]) in both for key, row in here.items())
