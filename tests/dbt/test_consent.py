"""What people told of themselves joins them, and what they ask for keeps them apart.

Belongs here: claims, suppressions and the lines of both on a hand-made company. Does not belong
here: how a line is read (`tests/rapport/identity/test_claims.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rapport.identity.state import TABLES
from tests.dbt.build import build
from tests.dbt.landing_fixture import FIRST_SYNC, KNOWN_AT, Landing

pytestmark = pytest.mark.dbt

Query = Callable[[str], list[tuple[Any, ...]]]
LAYERS = ("path:models/staging", "path:models/identity", "path:seeds")
FIELDS = {"forum_name": "forum", "wall_name": "wall"}
TOLD = date(2026, 1, 2)
DORA_APART = {"per_00000000000000d1": "desk:people:dora", "per_00000000000000d2": "wall:profiles:d"}
"""The ids that Dora's record and her account had before she claimed it."""


def company(revoked: date | None = None) -> Landing:
    """A desk that wrote down who people are elsewhere, a forum of our own, and a network."""
    landing = Landing(
        {"desk": ("files", "crm"), "forum": ("discourse", "forum"), "wall": ("bluesky", "social")}
    )

    def person(key: str, name: str, email: str | None = None, **told: str) -> None:
        record = {"id": key, "name": name, "email": email, "custom": json.dumps(told)}
        landing.add("mapped__people", record, stream="people")

    def user(number: int, username: str, name: str, email: str | None = None) -> None:
        record = {"id": number, "username": username, "name": name, "email": email}
        landing.add("discourse__users", {**record, "active": True})

    def account(did: str, *handles: str, shows: str | None = None) -> None:
        for days, handle in enumerate(handles):
            at = FIRST_SYNC + timedelta(days=days)
            record = {"did": did, "handle": handle, "displayName": shows}
            landing.add("bluesky__profiles", record, key=did, version=at, loaded_at=at)

    person("ann", "Ann Miller", forum_name=" @AnnM", wall_name="ann.example")
    user(1, "annm", "Ann Miller")
    account("a", "ann.example", "ann.later.example", shows="Ann 🧶")
    person("bob", "Bob Stone", forum_name="eveadams", wall_name="nobody.example")
    user(2, "eveadams", "Eve Adams")
    person("cara", "Cara Wells", wall_name="taken.example")
    account("c1", "taken.example", "cara.example")
    account("c2", "taken.example")
    person("dora", "Dora Finch")
    account("d", "dora.example")
    person("hal", "Hal Jones", wall_name="hal.example")
    account("h", "hal.example", shows="Joseph")
    person("emil", "Emil Grant", wall_name="emil.example", forum_name="emil")
    user(5, "emil", "Emil Grant")
    account("e", "emil.example")
    person("fay", "Fay Harper", "fay@mill.example")
    user(6, "fay", "Fay Harper", "Fay@Mill.example")
    person("gus", "Gus Ivory", "gus+desk@gmail.com")
    user(7, "gus", "Gus Ivory", "gus@gmail.com")

    def claim(line: int, handle: str, key: str, basis: str, *until: date | None) -> tuple[Any, ...]:
        expires_at, revoked_at = (*until, None, None)[:2]
        return (line, f"identity/claims.csv:{line}", "wall", handle, None, f"desk:people:{key}",
                basis, "mail of May", "dana", TOLD, expires_at, revoked_at)  # fmt: skip

    def digest(email: str) -> str:
        return hashlib.sha256(email.encode()).hexdigest()

    def suppression(line: int, key: str | None, email: str, scope: str) -> tuple[Any, ...]:
        told = (key, None if key else digest(email), scope, "she asked")
        return (line, f"identity/suppressions.csv:{line}", *told)

    landing.control |= {
        "custom_fields": [("desk", "people", name, "text", "direct") for name in FIELDS],
        "handle_fields": [("desk", "people", name, wall) for name, wall in FIELDS.items()],
        "identity_claim": [
            claim(2, "dora.example", "dora", "ticket_supplied", None, revoked),
            claim(3, "cara.example", "cara", "staff_asserted"),
            claim(4, "cara.example", "cara", "ticket_supplied", date(2026, 6, 29)),
            claim(5, "cara.example", "nobody", "ticket_supplied"),
        ],
        "identity_suppression": [
            suppression(2, "desk:people:emil", "", "link_social"),
            suppression(3, None, "fay@mill.example", "profile"),
            suppression(4, None, "gus@gmail.com", "all"),
            suppression(5, None, "who@mill.example", "profile"),
            suppression(6, None, "who@mill.example", "all"),
        ],
        "identity_link": [
            (
                2,
                "identity/links.csv:2",
                "link",
                "profile",
                "wall:profiles:c1",
                "profile",
                "desk:people:cara",
                "it is she",
            ),
            (
                3,
                "identity/links.csv:3",
                "link",
                "profile",
                "desk:people:zoe",
                "email",
                "who@mill.example",
                "who",
            ),
        ],
        "identity_identifier_flag": [
            (2, "email", None, "fay", "@mill.example", "ok", "hers"),
            (3, "email", None, "zoe", "@mill.example", "ok", "hers"),
        ],
        "identity_ledger": [
            ("person", id_, key, datetime(2026, 1, 1, tzinfo=UTC), None, id_)
            for id_, key in DORA_APART.items()
        ],
    }
    return landing


def built(database: Path, landing: Landing) -> Query:
    build(database, landing, "--select", *LAYERS)

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    return query


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory) -> Query:
    return built(tmp_path_factory.mktemp("claimed") / "build.duckdb", company())


def people(query: Query) -> dict[str, str]:
    return dict(query("select profile_key, person_id from identity_person_map"))


def edges(query: Query, key: str) -> list[tuple[Any, ...]]:
    return query(
        "select rule_id, evidence, state, refusal from identity_edge "
        f"where '{key}' in (left_key, right_key) order by all"
    )


def test_a_handle_that_somebody_gave_us_joins_though_it_changed_since(claimed: Query) -> None:
    found = people(claimed)
    assert found["desk:people:ann"] == found["forum:users:1"] == found["wall:profiles:a"]
    assert edges(claimed, "wall:profiles:a") == [
        ("claimed_handle", "desk.people.wall_name", "live", None)
    ]


def test_a_claim_that_names_contradict_is_a_question(claimed: Query) -> None:
    found = people(claimed)
    assert found["desk:people:bob"] != found["forum:users:2"]
    assert edges(claimed, "forum:users:2") == [
        ("claimed_handle", "desk.people.forum_name", "suggested", "the names disagree")
    ]


def test_a_handle_that_is_somebody_elses_by_now_is_a_question(claimed: Query) -> None:
    assert edges(claimed, "wall:profiles:h") == [
        ("claimed_handle", "desk.people.wall_name", "suggested", None)
    ]
    assert claimed(
        "select left_key, rule_id from identity_suggestion where right_key = 'wall:profiles:h'"
    ) == [("desk:people:hal", "claimed_handle")]


def test_every_claim_says_what_it_is_worth(claimed: Query) -> None:
    assert claimed(
        "select place, record_key, handle_key, state from identity_claim "
        "where state <> 'in_force' order by all"
    ) == [
        ("desk.people.wall_name", "desk:people:bob", None, "unknown_handle"),
        ("desk.people.wall_name", "desk:people:cara", None, "ambiguous"),
        ("identity/claims.csv:3", "desk:people:cara", "wall:profiles:c1", "not_allowed"),
        ("identity/claims.csv:4", "desk:people:cara", "wall:profiles:c1", "expired"),
        ("identity/claims.csv:5", "desk:people:nobody", "wall:profiles:c1", "unknown_profile"),
    ]
    found = people(claimed)
    assert found["desk:people:cara"] != found["wall:profiles:c1"]


def test_nobody_is_linked_with_another_network_against_their_wish(claimed: Query) -> None:
    found = people(claimed)
    assert found["desk:people:emil"] == found["forum:users:5"] != found["wall:profiles:e"]
    [(_, _, state, refusal)] = edges(claimed, "wall:profiles:e")
    assert (state, refusal) == ("vetoed", "kept off other networks by identity/suppressions.csv:2")


def test_who_wants_to_be_alone_joins_nobody_and_who_wants_to_be_gone_is(claimed: Query) -> None:
    found = people(claimed)
    assert found["desk:people:fay"] != found["forum:users:6"]
    assert {refusal for *_, refusal in edges(claimed, "forum:users:6")} == {
        "it joins nobody by identity/suppressions.csv:3"
    }
    assert not {"desk:people:gus", "forum:users:7"} & found.keys()
    # the list of who is gone may be kept when everything else is
    assert not claimed("select 1 from identity_identifier where value like 'gus%'")


def test_a_line_that_means_nobody_or_does_nothing_says_so(claimed: Query) -> None:
    assert claimed("select file || ':' || line, problem from identity_line order by all") == [
        ("identity/claims.csv:3", "no link of wall may rest on staff_asserted"),
        ("identity/claims.csv:5", "there is no such profile"),
        ("identity/identifiers.csv:3", "nobody has such a value"),
        (
            "identity/links.csv:2",
            "nobody claimed the profile of another network; identity/claims.csv has the basis",
        ),
        ("identity/links.csv:3", "left is nobody known"),
        ("identity/links.csv:3", "right is nobody known"),
        ("identity/suppressions.csv:5", "nobody known is meant"),
    ]


def test_a_revoked_claim_gives_both_the_ids_they_had(claimed: Query, tmp_path: Path) -> None:
    dora, account = DORA_APART.values()
    joined = people(claimed)
    assert joined[dora] == joined[account]

    landing = company(revoked=KNOWN_AT.date())
    landing.control["run"] = [(KNOWN_AT.date(), KNOWN_AT + timedelta(days=1))]
    landing.control |= {
        name: claimed(f"select {', '.join(shape.names)} from {name}")
        for name, shape in TABLES.items()
    }
    after = built(tmp_path / "build.duckdb", landing)
    parted = people(after)
    assert {parted[key]: key for key in (dora, account)} == DORA_APART
    assert {key for key in joined if joined[key] != parted[key]} <= {dora, account}
    assert edges(after, account) == [
        ("claimed_handle", "identity/claims.csv:2", "refused", "the claim was revoked")
    ]
    [gone] = {id_ for id_ in DORA_APART if id_ != joined[dora]}
    assert ("restore", gone) in after("select event, id from identity_event")
