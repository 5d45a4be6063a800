"""What the addresses that a record told before join, and what they must not.

Belongs here: corrected records of a hand-made company. Does not belong here: what addresses of now
do (`test_identity`), or that a part of a run leaves the same (`test_incremental`).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from tests.dbt.landing_fixture import FIRST_SYNC, Landing, by_address
from tests.dbt.test_identity import Query, built, people

pytestmark = pytest.mark.dbt


def company() -> Landing:
    """Records whose address was another a day before, with one case to each surname."""
    landing = Landing(
        {
            "club": ("files", "forum"), "desk": ("files", "help_desk"),
            "talk": ("discourse", "forum"),
        }
    )  # fmt: skip

    def person(source: str, key: str, name: str, *emails: str | None) -> None:
        for number, email in enumerate(emails):
            at = FIRST_SYNC + timedelta(days=number)
            landing.add("mapped__people", {"id": key, "name": name, "email": email},
                        source=source, stream="people", version=at, loaded_at=at)  # fmt: skip

    person("club", "moved-1", "Ann Lee", "alee@mill.example", "ann@wool.example")
    person("desk", "moved-2", "Ann Lee", "alee@mill.example")

    person("club", "own-1", "Carl Berg", "Carl.Berg@home.example", None)
    person("desk", "own-2", "", "carl.berg@home.example")

    person("club", "order-1", "Hugo Blum", "hugo.blum@home.example", "hugo@wool.example")
    order = {
        "id": "o1", "person": "desk:orders:mailto:hugo.blum@home.example",
        "occurred_at": "2026-06-01T00:00:00Z", "amount": "1.00", "currency": "EUR",
    }  # fmt: skip
    landing.add("mapped__purchases", order, source="desk", stream="orders")

    person("club", "amiss-1", "Dora Fink", "egon.maus@home.example", "dora@wool.example")
    person("desk", "amiss-2", "Egon Maus", "egon.maus@home.example")
    person("club", "amiss-3", "Olaf Maus", "egon.maus@home.example", None)

    person("club", "nameless-1", "Finn Holt", "q.gast@home.example", "finn@wool.example")
    person("desk", "nameless-2", "", "q.gast@home.example")

    person("club", "twin-1", "Laura Walker", "lwalker2@dye.example", "lwalker@dye.example")
    person("desk", "twin-2", "Laura Walker", "lwalker2@dye.example")

    person("club", "new-1", "Jana Novak", "jana.novak@mill.example", "jana@wool.example")
    person("desk", "new-2", "Jana Novak", "jana.novak@mill.example")
    person("desk", "new-3", "Tom Hughes", "jana.novak@mill.example")

    person("club", "task-1", "Rita Sand", "info@loom.example", "rita@wool.example")
    person("desk", "task-2", "Rita Sand", "info@loom.example")

    for number, name in enumerate(("Ole Aas", "Per Bull", "Lars Cramer", "Olga Quist")):
        person("club", f"shared-{number}", name, "hall@manor.example", None)
    person("desk", "shared-4", "Olga Quist", "hall@manor.example")

    person("club", "flag-1", "Uwe Lang", "uwe.lang@home.example", None)
    person("desk", "flag-2", "Uwe Lang", "uwe.lang@home.example")

    person("club", "unlink-1", "Vera Moss", "vera.moss@home.example", None)
    person("desk", "unlink-2", "Vera Moss", "vera.moss@home.example")

    person("club", "alone-1", "Gus Hale", "gus.hale@home.example", None)
    person("desk", "alone-2", "Gus Hale", "gus.hale@home.example")

    person("club", "gone-1", "Ida Funk", "ida.funk@home.example", "ida@wool.example")

    user = {"id": 7, "username": "kim", "name": "Kim Dahl", "active": True}
    for number, email in enumerate(("kim.dahl@home.example", "anon7@anonymized.invalid")):
        at = FIRST_SYNC + timedelta(days=number)
        landing.add("discourse__users", user | {"email": email}, version=at, loaded_at=at)

    landing.control = {
        "identity_identifier_flag": [
            (2, "email", "uwe.lang@home.example", None, None, "blocked", "of a bot")
        ],
        "identity_link": [
            (2, "identity/links.csv:2", "unlink", "email", "vera.moss@home.example",
             "profile", "desk:people:unlink-2", "two sisters")
        ],
        "identity_suppression": [
            (n, f"identity/suppressions.csv:{n}", None,
             hashlib.sha256(f"{name}@home.example".encode()).hexdigest(), scope, "asked")
            for n, name, scope in ((2, "gus.hale", "profile"), (3, "ida.funk", "all"))
        ],
    }  # fmt: skip
    return landing


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Query:
    return built(tmp_path_factory.mktemp("past"), company())


def past(query: Query, surname: str) -> list[tuple[str | None, ...]]:
    """Return what became of the pairs of past addresses, of one case."""
    return query(
        "select rule_id, state, refusal from identity_edge where rule_id like 'past_%' "
        f"and left_key like 'club:people:{surname}-%' order by all"
    )


def test_who_changed_an_address_stays_with_a_record_of_that_name(query: Query) -> None:
    assert len(set(people(query, "moved").values())) == 1
    assert past(query, "moved") == [("past_email_and_name", "live", None)]


def test_an_address_that_bears_the_name_of_who_had_it_joins_a_record_without_a_name(
    query: Query,
) -> None:
    assert len(set(people(query, "own").values())) == 1
    assert past(query, "own") == [("past_own_email", "live", None)]


def test_an_order_by_an_address_that_nobody_has_any_more_is_of_who_had_it(query: Query) -> None:
    [(buyer,)] = query(
        "select person_id from identity_person_map where profile_key = "
        f"'{by_address('desk:orders', 'hugo.blum@home.example')}'"
    )
    assert [buyer] == list(people(query, "order").values())


def test_the_explanation_says_that_a_record_had_the_address_before(query: Query) -> None:
    assert query(
        "select words, id_type, evidence, far_key from identity_explanation "
        "where left_key = 'club:people:moved-1' and state = 'live'"
    ) == [
        (
            "one record had the e-mail address before that the other has and both have the same"
            " full name",
            "past_email", "a***@mill.example", "desk:people:moved-2",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "n_people", "refusals"),
    [
        ("amiss", 3, {"the names disagree"}),
        ("nameless", 2, {"the names do not agree fully"}),
        ("twin", 2, {"it would give one person two mailboxes of dye.example"}),
        ("new", 3, {"a mailbox on which people of different names were seen"}),
        ("task", 2, {"a mailbox of a task, not of a person"}),
        ("shared", 5, {"used by 4 surnames"}),
        ("flag", 2, {"people say: of a bot"}),
        ("unlink", 2, {"kept apart by identity/links.csv:2: two sisters"}),
        ("alone", 2, {"it joins nobody by identity/suppressions.csv:2"}),
    ],
)
def test_nobody_is_joined_by_what_was_a_mistake_or_is_somebody_elses_or_must_not(
    query: Query, case: str, n_people: int, refusals: set[str]
) -> None:
    assert len(set(people(query, case).values())) == n_people
    found = past(query, case)
    assert {refusal for _, _, refusal in found} == refusals


def test_a_past_address_makes_no_value_shared(query: Query) -> None:
    assert query(
        "select id_type, n_profiles, flag from identity_identifier_book "
        "where value in ('alee@mill.example', 'hall@manor.example') order by value, id_type"
    ) == [
        ("email", 1, "ok"), ("past_email", 1, "ok"), ("email", 1, "ok"), ("past_email", 4, "shared")
    ]  # fmt: skip


def test_who_asked_to_be_in_no_table_stays_so_under_another_address(query: Query) -> None:
    assert people(query, "gone") == {}


def test_of_an_erased_account_no_address_is_remembered(query: Query) -> None:
    assert query("select email, past_emails from identity_profile where source = 'talk'") == [
        (None, None)
    ]
