"""Which of several values of a person is shown, and why.

Belongs here: the declared order of criteria and pins on a hand-made company. Does not belong here:
who is one person (`test_identity`, `test_consent`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from tests.dbt.build import build
from tests.dbt.landing_fixture import Landing

pytestmark = pytest.mark.dbt

Query = Callable[[str], list[tuple[Any, ...]]]
ANN, RETIRED = "per_00000000000000a1", "per_00000000000000a9"
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


def company() -> Landing:
    landing = Landing({"desk": ("files", "crm"), "forum": ("discourse", "forum")})

    def person(key: str, name: str, email: str, **more: Any) -> None:
        record = {"id": key, "name": name, "email": email, **more}
        landing.add("mapped__people", record, stream="people")

    def user(number: int, name: str, email: str) -> None:
        record = {"id": number, "username": f"u{number}", "name": name, "email": email}
        landing.add("discourse__users", {**record, "active": True})

    person("ann", "Ann Miller", "ann@mill.example", given_name="Ann", phone="+14155550111")
    person("ann-2", "ann miller ", "ann@mill.example", phone="+14155550122",
           created_at="2025-01-01T00:00:00Z")  # fmt: skip
    user(1, "Annie Miller", "ann@mill.example")
    person("bob", "Bob Stone", "info@mill.example", organization="desk:people:Mill")
    user(2, "Bob Stone", "bob@mill.example")
    person("gus", "Gus Ivory", "gus@mill.example")
    order = {"person": "desk:people:gus", "occurred_at": "2026-06-05T10:00:00Z", "amount": "5"}
    landing.add("mapped__purchases", {"id": "o1", **order}, stream="orders")
    landing.control |= {
        "identity_link": [
            (number, f"identity/links.csv:{number}", "link", "profile", left, "profile", right, why)
            for number, left, right, why in (
                (2, "desk:people:bob", "forum:users:2", "he said so"),
                (3, "desk:people:ann", "forum:users:1", "so did she"),
                (4, "desk:people:ann", "desk:people:ann-2", "twice"),
            )
        ],
        "identity_suppression": [
            (2, "identity/suppressions.csv:2", None,
             hashlib.sha256(b"gus@mill.example").hexdigest(), "all", "he asked"),
        ],
        "identity_pin": [
            (line, f"identity/pins.csv:{line}", subject, field, value, date(2026, 6, line))
            for line, (subject, field, value) in enumerate(
                [
                    (RETIRED, "title", "Weaver"),
                    ("desk:people:ann", "title", "Head weaver"),
                    ("forum:users:2", "given_name", "Robert"),
                    ("per_00000000000000ff", "given_name", "Nobody"),
                ],
                start=2,
            )
        ],
        "identity_ledger": [
            ("person", ANN, "desk:people:ann", EARLIER, None, ANN),
            ("person", RETIRED, "forum:users:1", EARLIER, EARLIER, ANN),
        ],
    }  # fmt: skip
    return landing


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Query:
    database = tmp_path_factory.mktemp("record") / "build.duckdb"
    build(database, company(), "--select", "+dim_person", "+fct_purchase", "identity_line")

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return ask


def fields(query: Query, key: str) -> dict[str, tuple[Any, ...]]:
    return {
        field: tuple(rest)
        for field, *rest in query(
            "select field, value, profile_key, rule, runner_up_value, runner_up_profile_key, "
            "n_contradicting from dim_person_field where person_id = "
            f"(select person_id from identity_person_map where profile_key = '{key}')"
        )
    }


def test_a_value_says_where_it_is_from_and_what_it_was_chosen_before(query: Query) -> None:
    ann = fields(query, "desk:people:ann")
    first, second, forum = "desk:people:ann", "desk:people:ann-2", "forum:users:1"
    # the older record writes the same name another way: it contradicts nobody
    assert ann["display_name"] == ("ann miller ", second, "source_rank", "Annie Miller", forum, 1)
    assert ann["primary_phone"] == ("+14155550122", second, "oldest", "+14155550111", first, 1)
    assert ann["given_name"] == ("Ann", first, "agreed", None, None, 0)
    assert ann["primary_email"][:3] == ("ann@mill.example", forum, "agreed")


def test_an_own_address_is_shown_before_that_of_a_task(query: Query) -> None:
    bob = fields(query, "desk:people:bob")["primary_email"]
    desk, forum = "desk:people:bob", "forum:users:2"
    assert bob == ("bob@mill.example", forum, "own_mailbox", "info@mill.example", desk, 1)


def test_a_pin_stays_through_a_merge_and_the_last_word_counts(query: Query) -> None:
    assert fields(query, "forum:users:1")["title"] == (
        *("Head weaver", "desk:people:ann", "pinned", "Weaver", None, 1),
    )
    assert fields(query, "desk:people:bob")["given_name"][:3] == (
        *("Robert", "forum:users:2", "pinned"),
    )
    assert query("select file, line, problem from identity_line") == [
        ("identity/pins.csv", 5, "nobody known is meant")
    ]


def test_a_person_shows_what_the_fields_say(query: Query) -> None:
    assert query(
        f"select display_name, title, primary_phone from dim_person where person_id = '{ANN}'"
    ) == [("ann miller ", "Head weaver", "+14155550122")]
    for field in ("display_name", "given_name", "family_name", "primary_email", "primary_phone"):
        assert not query(
            f"(select person_id, {field} from dim_person where {field} is not null) except "
            f"(select person_id, value from dim_person_field where field = '{field}')"
        )


def test_who_asked_to_be_gone_is_in_no_table_and_the_sale_stays(query: Query) -> None:
    assert query("select person_id, amount from fct_purchase where person_id is null") != []
    assert not query("select 1 from dim_person where display_name like 'Gus%'")
    assert not query("select 1 from dim_profile where profile_key like '%gus%'")
