"""Which of several values of a person or an organization is shown, and why.

Belongs here: the declared order of criteria and pins on a hand-made company. Does not belong here:
who is one person (`test_identity`, `test_consent`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tests.dbt.build import build
from tests.dbt.landing_fixture import Landing

pytestmark = pytest.mark.dbt

Query = Callable[[str], list[tuple[Any, ...]]]
ANN, RETIRED = "per_00000000000000a1", "per_00000000000000a9"
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
JOINED = [
    (5 + number, left, right, "they say so")
    for number, (left, right) in enumerate(
        [
            ("desk:people:waler", "desk:people:waler-2"),
            ("desk:people:waler", "forum:users:3"),
            ("desk:people:waler", "shop:people:w1"),
            ("desk:people:waler", "app:people:w2"),
            ("desk:people:kai", "forum:users:4"),
            ("desk:people:kai", "shop:people:k1"),
            ("desk:people:kai", "app:people:k2"),
            ("desk:people:rob", "forum:users:5"),
            ("desk:people:rob", "shop:people:r1"),
            ("desk:people:pia", "forum:users:6"),
            ("desk:people:pia", "shop:people:p1"),
            ("desk:firms:m", "desk:firms:m-2"),
            ("desk:firms:hat", "shop:firms:hat"),
            ("desk:firms:m", "shop:firms:m"),
            ("desk:firms:m", "app:firms:m"),
        ]
    )
]


def company() -> Landing:
    landing = Landing(
        {
            "desk": ("files", "crm"), "forum": ("discourse", "forum"),
            "shop": ("files", "orders"), "app": ("files", "other"),
        }
    )  # fmt: skip

    def person(key: str, name: str | None, email: str, source: str = "desk", **more: Any) -> None:
        record = {"id": key, "name": name, "email": email, **more}
        landing.add("mapped__people", record, source=source, stream="people")

    def firm(
        key: str, name: str, source: str = "desk", domain: str = "mill.example", **more: Any
    ) -> None:
        record = {"id": key, "name": name, "domain": domain, **more}
        landing.add("mapped__organizations", record, source=source, stream="firms")

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
    # one slip of the pen, told twice by the CRM
    slip = {"given_name": "Ann", "family_name": "Waler", "phone": "+14155550133"}
    person("waler", "Ann Waler", "walker@home.example", **slip)
    person("waler-2", "Ann Waler", "walker@home.example", **slip)
    user(3, "Walker, Ann", "walker@home.example")
    person("w1", "Ann Walker", "walker@home.example", source="shop", phone="+14155550144")
    person("w2", "awalk", "walker@home.example", source="app", phone="+1 415 555 0144")
    # shown by most with an initial or a handle
    person("kai", "Kai Storm", "kai@home.example")
    user(4, "K. Storm", "kai@home.example")
    person("k1", "K. Storm", "kai@home.example", source="shop")
    person("k2", "kstorm", "kai@home.example", source="app")
    # one who goes by another name than in the CRM, and one that is pinned against all
    person("rob", "Robert Ray", "ray@home.example", given_name="Robert", family_name="Ray")
    user(5, "Bob Ray", "ray@home.example")
    person("r1", "Bob Ray", "ray@home.example", source="shop")
    person("pia", "Pia Nowak", "pia@home.example")
    user(6, "Pia Novak", "pia@home.example")
    person("p1", "Pia Novak", "pia@home.example", source="shop")

    firm("m", "Mil", industry="Weaving", renewal_date="2026-09-30", renewal_amount="100.5",
         owner="desk:people:dana")  # fmt: skip
    firm("m-2", "Mil", industry="Yarn")
    firm("m", "Mill Inc", source="shop", industry="Yarn", renewal_date="2027-01-31",
         renewal_amount="7")  # fmt: skip
    firm("m", "Mill, Inc.", source="app", renewal_date="2027-01-31", renewal_amount="8")
    firm("hat", "Hat House", domain="hats.example")
    firm("hat", "Hatters", source="shop", domain="hats.example")
    firm("cap", "Caps.example", domain="caps.example")
    firm("cap", "Cap Works", source="shop", domain="caps.example")
    person("dana", "Dana Grey", "dana@ours.example", is_staff="true")
    order = {"person": "desk:people:gus", "occurred_at": "2026-06-05T10:00:00Z", "amount": "5"}
    landing.add("mapped__purchases", {"id": "o1", **order}, stream="orders")
    order["person"] = "desk:orders:mailto:gus@mill.example"
    landing.add("mapped__purchases", {"id": "o2", **order}, stream="orders")
    landing.control |= {
        "identity_link": [
            (number, f"identity/links.csv:{number}", "link", "profile", left, "profile", right, why)
            for number, left, right, why in (
                (2, "desk:people:bob", "forum:users:2", "he said so"),
                (3, "desk:people:ann", "forum:users:1", "so did she"),
                (4, "desk:people:ann", "desk:people:ann-2", "twice"),
                *JOINED,
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
                    ("desk:people:pia", "display_name", "Pia Nowak-Ray"),
                    ("desk:firms:hat", "name", "hat house"),
                    ("desk:people:pia", "industry", "Hats"),
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
    build(
        database,
        company(),
        "--select",
        "+dim_person",
        "+dim_organization",
        "+fct_purchase",
        "identity_line",
    )

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
    # the forum tells a whole name alone
    assert ann["given_name"] == ("Ann", first, "told_apart", "Annie", forum, 1)
    assert ann["primary_email"][:3] == ("ann@mill.example", forum, "agreed")


def test_an_own_address_is_shown_before_that_of_a_task(query: Query) -> None:
    bob = fields(query, "desk:people:bob")["primary_email"]
    desk, forum = "desk:people:bob", "forum:users:2"
    assert bob == ("bob@mill.example", forum, "own_mailbox", "info@mill.example", desk, 1)


def test_what_several_sources_say_is_shown_before_what_the_strongest_says(query: Query) -> None:
    ann = fields(query, "desk:people:waler")
    slip, shop = "desk:people:waler", "shop:people:w1"
    assert ann["display_name"] == ("Ann Walker", shop, "confirmed", "Ann Waler", slip, 2)
    assert ann["family_name"] == ("Walker", shop, "confirmed", "Waler", slip, 1)
    assert ann["given_name"] == ("Ann", shop, "agreed", None, None, 0)
    # two records of one source are one voice, one number in two spellings are two
    assert ann["primary_phone"] == ("+14155550144", shop, "confirmed", "+14155550133", slip, 1)


def test_an_initial_or_a_handle_outvotes_no_whole_name(query: Query) -> None:
    kai = fields(query, "desk:people:kai")["display_name"]
    assert kai[:4] == ("Kai Storm", "desk:people:kai", "whole_name", "K. Storm")


def test_a_familiar_name_agrees_with_the_one_it_stands_for(query: Query) -> None:
    rob = fields(query, "desk:people:rob")
    assert rob["display_name"] == ("Robert Ray", "desk:people:rob", "agreed", None, None, 0)
    assert rob["given_name"][:4] == ("Robert", "desk:people:rob", "told_apart", "Bob")


def test_a_pin_wins_over_any_number_of_sources(query: Query) -> None:
    assert fields(query, "desk:people:pia")["display_name"] == (
        *("Pia Nowak-Ray", "desk:people:pia", "pinned"),
        *("Pia Novak", "shop:people:p1", 2),
    )
    # a pin that says what one source says contradicts the others alone
    assert organization_fields(query, "desk:firms:hat")["name"] == (
        *("hat house", "desk:firms:hat", "pinned"),
        *("Hatters", "shop:firms:hat", 1),
    )


def organization_fields(query: Query, key: str) -> dict[str, tuple[Any, ...]]:
    return {
        field: tuple(rest)
        for field, *rest in query(
            "select field, value, profile_key, rule, runner_up_value, runner_up_profile_key, "
            "n_contradicting from dim_organization_field where organization_id = "
            "(select organization_id from identity_organization_map "
            f"where profile_key = '{key}')"
        )
    }


def test_a_field_of_an_organization_says_why_it_is_shown(query: Query) -> None:
    mill = organization_fields(query, "desk:firms:m")
    desk, twice, shop = "desk:firms:m", "desk:firms:m-2", "shop:firms:m"
    assert mill["name"] == ("Mill Inc", shop, "confirmed", "Mil", desk, 1)
    assert mill["industry"] == ("Yarn", twice, "confirmed", "Weaving", desk, 1)
    assert mill["domain"] == ("mill.example", desk, "agreed", None, None, 0)
    # day and amount are of one record, whatever most say
    assert mill["renewal_date"] == ("2026-09-30", desk, "source_rank", "2027-01-31", shop, 1)
    assert mill["renewal_amount"] == ("100.50", desk, "source_rank", "7.00", shop, 2)
    assert mill["owner"][:3] == ("desk:people:dana", desk, "agreed")


def test_a_domain_is_no_name_where_anybody_has_one(query: Query) -> None:
    assert organization_fields(query, "desk:firms:cap")["name"] == (
        *("Cap Works", "shop:firms:cap", "whole_name"),
        *("Caps.example", "desk:firms:cap", 1),
    )


def test_an_organization_shows_what_the_fields_say(query: Query) -> None:
    assert query(
        "select name, domain, industry, owner_name, renewal_date, renewal_amount "
        "from dim_organization where domain = 'mill.example'"
    ) == [("Mill Inc", "mill.example", "Yarn", "Dana Grey", date(2026, 9, 30), Decimal("100.50"))]
    for field in ("name", "industry", "renewal_date", "renewal_amount"):
        told = f"select organization_id, value from dim_organization_field where field = '{field}'"
        shown = (
            f"select organization_id, {field}::varchar from dim_organization "
            f"where {field} is not null"
        )
        assert query(f"{shown} order by 1") == query(f"{told} order by 1") != []


def test_a_pin_stays_through_a_merge_and_the_last_word_counts(query: Query) -> None:
    assert fields(query, "forum:users:1")["title"] == (
        *("Head weaver", "desk:people:ann", "pinned", "Weaver", None, 1),
    )
    assert fields(query, "desk:people:bob")["given_name"][:3] == (
        *("Robert", "forum:users:2", "pinned"),
    )
    assert query("select file, line, problem from identity_line") == [
        ("identity/pins.csv", 5, "nobody known is meant"),
        ("identity/pins.csv", 8, "nobody known is meant"),  # a person has no industry
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
    assert query("select count(*) from fct_purchase where person_id is null") == [(2,)]
    assert not query("select 1 from dim_profile where email like 'gus%'")
    assert not query("select 1 from identity_ledger where profile_key like '%gus%'")
    assert not query("select 1 from dim_person where display_name like 'Gus%'")
    assert not query("select 1 from dim_profile where profile_key like '%gus%'")
