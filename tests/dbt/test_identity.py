"""Which profiles become one person, and what takes that back.

Belongs here: the rules, the book and the bands on a hand-made company. Does not belong here: how
right they are on many people (`benchmarks.identity`), or the guards alone
(`tests/rapport/identity`).
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rapport.identity.state import TABLES
from tests.dbt.build import build
from tests.dbt.landing_fixture import FIRST_SYNC, Landing
from tests.dbt.test_incremental import differences

pytestmark = pytest.mark.dbt

Query = Callable[[str], list[tuple[Any, ...]]]


def members() -> list[dict[str, str]]:
    """Return 80 people twice, with nothing but attributes; the first few the second time amiss."""
    dice = random.Random(3)

    def word(letters: int) -> str:
        return "".join(dice.choice("abcdefghijklmnop") for _ in range(letters)).title()

    streets = [word(8) for _ in range(25)]
    people = [
        {
            "given_name": word(6), "family_name": word(8), "street": dice.choice(streets),
            "house_number": str(dice.randrange(1, 99)), "postcode": str(dice.randrange(1000, 1040)),
            "birth_date": f"{dice.randrange(1930, 2005)}-{dice.randrange(1, 13):02d}-17",
            "personal_number": str(dice.randrange(10**8, 10**9)),
        }
        for _ in range(80)
    ]  # fmt: skip
    again = [dict(person) for person in people]
    again[0] |= {"given_name": people[0]["family_name"], "family_name": people[0]["given_name"]}
    again[1] |= {"given_name": word(6), "street": word(8)}  # under another name, as numbered
    again[2].pop("personal_number")
    again[2] |= {"birth_date": people[2]["birth_date"].replace("-17", "-11")}
    for number in (3, 4):
        people[number].pop("personal_number"), again[number].pop("personal_number")
    again[3] |= {"given_name": word(6)}  # a twin
    again[4] |= {"family_name": word(8)}  # married
    return [record for pair in zip(people, again, strict=True) for record in pair]


def company() -> Landing:
    """Two lists of people in imported files, with one trap to each surname."""
    landing = Landing({"club": ("files", "forum"), "desk": ("files", "help_desk")})

    def person(source: str, key: str, name: str, email: str | None = None, **more: str) -> None:
        record = {"id": key, "name": name, "email": email, **more}
        landing.add("mapped__people", record, source=source, stream="people")

    person("club", "own-1", "Olivia Reed", "Olivia.Reed+club@googlemail.com")
    person("desk", "own-2", "", "oliviareed@gmail.com")

    person("club", "new-1", "Jana Novak", "jn@mill.example")
    person("desk", "new-2", "Jana Novak", "jn@mill.example")
    person("desk", "new-3", "Tom Hughes", "jn@mill.example")
    person("club", "new-4", "", "jn@mill.example")

    person("club", "place-1", "Bob Sawyer", "info@loom.example")
    person("desk", "place-2", "SAWYER, Robert", "robert.sawyer@loom.example")

    person("club", "twin-1", "Laura Walker", "laura.walker@dye.example")
    person("desk", "twin-2", "Laura Walker", "laura.walker2@dye.example")

    person("club", "slip-1", "Daniel Ward", "daniel.ward@yahoo.com")
    person("desk", "slip-2", "Daniel Ward", "danile.ward@yahoo.com")

    person("club", "rare-1", "Zoe Quillfeather", "zoe@gmail.com")
    person("desk", "rare-2", "Zoe Quillfeather", "zq@silk.example")

    person("club", "phone-1", "Emil Stone", phone="+14155550111")
    person("desk", "phone-2", "Emil Stone", phone="(415) 555-0111")
    for number, name in enumerate(
        ("Ada Hall", "Bo Hall", "Cy Dorn", "Di Ekin", "Ed Finn", "Flo Gast", "Gil Hahn")
    ):
        person("club", f"house-{number}", name, phone="+14155550177")
    person("desk", "house-again", "Ada Hall", phone="+14155550177")

    for number, record in enumerate(members()):  # each in both lists, one after the other
        landing.add("mapped__people", {"id": f"alike-{number}"} | record,
                    source=("club", "desk")[number % 2], stream="people")  # fmt: skip

    for number in (1, 2, 3):  # three of them, two in one list
        person("club" if number < 3 else "desk", f"name-{number}", "Ina Rarebell")

    for number in range(13):
        person("club", f"crowd-{number}", "", "everybody@home.example")

    for number, letter in enumerate("abcdefghijklmnopqrst"):
        family = f"{letter.upper()}{letter}dale"
        person("club", f"hostile-{number}", "", "test@test.com")
        person("club", f"hostile-{number}b", "", phone="+1 212 555 0143")
        person("desk", f"hostile-{number}c", f"Ida {family}", phone="(212) 555-0143")
        person("club", f"hostile-{number}d", f"Ida {family}er", "box@cellar.example")
        # one name, and mailboxes of one provider that are each a letter apart
        person("desk", f"hostile-{number}e", "Ann Leeds", f"{letter}nnleeds@gmail.com")
        # two families with many given names on one mailbox
        given, kin = f"{letter.upper()}{letter}ert", ("Oaken", "Rayner")[number % 2]
        person("desk", f"hostile-{number}f", f"{given} {kin}", "hall@manor.example")
        # Latin, Cyrillic and full-width letters that look the same
        lookalike = ("Ann", "\u0410nn", "\uff21nn")[number % 3]
        person("club", f"hostile-{number}g", f"{lookalike} Leeson", "ann@mirror.example")
    return landing


def review(rule: str, left: str, right: str, verdict: str) -> tuple[str, ...]:
    """Return a row of `control.reviews`."""
    return (f"identity/reviews.csv:{left}", rule, left, right, verdict, "looked at")


def built(folder: Path, landing: Landing) -> Query:
    """Return a way to ask the tables of a build."""
    database = folder / "build.duckdb"
    last = ("identity_suggestion", "identity_explanation", "identity_seen")
    build(database, landing, "--select", *(f"+{name}" for name in last))

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return query


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Query:
    return built(tmp_path_factory.mktemp("first"), company())


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Query:
    """The same company when others use Emil's number, and somebody has reviewed pairs."""
    landing = company()
    for key, name in (("phone-3", "Ada Long"), ("phone-4", "Ben Short")):
        landing.add(
            "mapped__people",
            {"id": key, "name": name, "phone": "+1 415 555 0111"},
            source="desk",
            stream="people",
        )
    landing.control["reviews"] = [
        *(
            review("place_and_name", f"club:people:{n}", f"desk:people:{n}", "yes" if n else "no")
            for n in range(100)
        ),
        *(review("own_mailbox", f"club:people:{n}", f"desk:people:{n}", "yes") for n in range(5)),
        review("own_mailbox", "club:people:0", "desk:people:0", "yes"),
        review("own_mailbox", "club:people:9", "desk:people:9", "unsure"),
        review("rare_name", "club:people:rare-1", "desk:people:rare-2", "yes"),
        review("rare_name", "club:people:name-1", "desk:people:name-3", "no"),
        review("email_and_name", "club:people:new-1", "desk:people:new-2", "no"),
    ]
    return built(tmp_path_factory.mktemp("later"), landing)


def people(query: Query, surname: str) -> dict[str, str]:
    """Return the ids of persons by profile, of one trap."""
    return {
        key.rpartition("-")[2]: person
        for key, person in query(
            "select profile_key, person_id from identity_person_map "
            f"where profile_key like '%:people:{surname}-%' order by 1"
        )
    }


def flag(query: Query, value: str) -> list[tuple[Any, ...]]:
    return query(f"select flag, reason from identity_identifier_book where value = '{value}'")


def test_an_own_mailbox_joins_who_tells_no_name(first: Query) -> None:
    assert len(set(people(first, "own").values())) == 1
    assert first(
        "select written from identity_identifier where value = 'oliviareed@gmail.com' order by 1"
    ) == [("olivia.reed+club@googlemail.com",), ("oliviareed@gmail.com",)]


def test_a_mailbox_of_strangers_joins_only_names_that_agree(first: Query) -> None:
    assert flag(first, "jn@mill.example") == [
        ("reissued", "a mailbox on which people of different names were seen")
    ]
    found = people(first, "new")
    assert found["1"] == found["2"]
    assert len(set(found.values())) == 3


def test_one_name_in_one_place_is_one_person_unless_its_mailboxes_are_numbered(
    first: Query,
) -> None:
    assert len(set(people(first, "twin").values())) == 2
    assert first(
        "select refusal from identity_edge where left_key = 'club:people:twin-1' "
        "and rule_id = 'place_and_name'"
    ) == [("it would give one person two mailboxes of dye.example",)]


def test_a_slip_in_an_address_does_not_part_a_person(first: Query) -> None:
    assert len(set(people(first, "slip").values())) == 1


def test_a_rare_name_is_a_question_and_no_answer(first: Query) -> None:
    assert len(set(people(first, "rare").values())) == 2
    assert (
        "club:people:rare-1", "desk:people:rare-2", "rare_name", 2, 1, "waiting"
    ) in first(
        "select left_key, right_key, rule_id, n_profiles, gain, status from identity_suggestion"
    )  # fmt: skip


def test_records_without_an_address_are_one_person_where_all_they_tell_agrees(
    first: Query,
) -> None:
    found = people(first, "alike")
    parted = [
        number for number in range(80) if found[str(2 * number)] != found[str(2 * number + 1)]
    ]
    assert parted == [3]
    assert len(set(found.values())) == 81
    how = dict(
        first(
            "select left_key, rule_id from identity_edge "
            "where id_type = 'attributes' and state = 'live'"
        )
    )
    assert how["club:people:alike-0"] == how["club:people:alike-2"] == "number_and_record"
    assert how["club:people:alike-4"] == "alike_records"
    assert how["club:people:alike-8"] == "birth_and_address"


def test_of_a_twin_people_are_asked(first: Query) -> None:
    assert first(
        "select state, refusal, evidence from identity_edge where left_key = 'club:people:alike-6'"
    ) == [
        ("suggested", "the names disagree",
         "family_name, birth_date, house_number, street, postcode")
    ]  # fmt: skip


def test_an_identifier_tells_since_when_and_until_when_its_profile_was_seen(tmp_path: Path) -> None:
    landing = Landing({"club": ("files", "forum")})
    days = [FIRST_SYNC + timedelta(days=number) for number in (0, 3, 9)]
    for key, name, seen in (("1", "Ann Lee", days), ("2", "Bo Ray", days[1:2])):
        for day in seen:
            landing.add(
                "mapped__people", {"id": key, "name": name, "email": f"{key}@a.example"},
                source="club", stream="people", version=day, loaded_at=day,
            )  # fmt: skip
    assert built(tmp_path, landing)(
        "select value, first_seen_at, last_seen_at from identity_identifier "
        "where id_type = 'email' order by 1"
    ) == [("1@a.example", days[0], days[2]), ("2@a.example", days[1], days[1])]


def test_a_crowd_on_one_mailbox_is_nobody(first: Query) -> None:
    assert flag(first, "everybody@home.example") == [("shared", "used by 13 profiles")]
    assert len(set(people(first, "crowd").values())) == 13


def test_crowds_of_all_kinds_are_neither_joined_nor_compared(first: Query) -> None:
    hostile = people(first, "hostile")
    assert len(hostile) == 140 == len(set(hostile.values()))
    assert first("select * from identity_edge where left_key like '%hostile-%'") == []
    assert first(
        "select value, flag from identity_identifier_book where n_profiles > 13 order by 1"
    ) == [
        ("+12125550143", "shared"), ("ann@mirror.example", "shared"),
        ("box@cellar.example", "shared"), ("hall@manor.example", "shared"),
        ("test@test.com", "placeholder"),
    ]  # fmt: skip


def test_a_value_that_becomes_shared_withdraws_its_links(first: Query, later: Query) -> None:
    before, after = people(first, "phone"), people(later, "phone")
    assert before["1"] == before["2"]
    assert len({after[number] for number in "1234"}) == 4
    assert later(
        "select rule_id from identity_suggestion where left_key = 'club:people:phone-1'"
    ) == [("shared_phone_and_name",)], "the rule that is right most often asks"


def test_of_one_name_on_a_number_of_many_people_are_asked(first: Query) -> None:
    assert len(set(people(first, "house").values())) == 8
    assert first(
        "select left_key, right_key, state, rule_id from identity_edge "
        "where left_key like '%house%'"
    ) == [
        ("club:people:house-0", "desk:people:house-again", "suggested", "crowded_phone_and_name")
    ]  # fmt: skip


def test_a_rule_that_people_found_wrong_only_suggests(first: Query, later: Query) -> None:
    standing = (
        "select rule_id, band, n_reviewed, round(reviewed_precision_low, 4) "
        "from identity_rule_standing where rule_id in ('place_and_name', 'own_mailbox') order by 1"
    )
    assert first(standing) == [
        ("own_mailbox", "auto", 0, None),
        ("place_and_name", "auto", 0, None),
    ]
    # Wilson, 95 %: 5 of 5 and 99 of 100
    assert later(standing) == [
        ("own_mailbox", "auto", 5, 0.5655),
        ("place_and_name", "suggest", 100, 0.9455),
    ]
    assert len(set(people(first, "place").values())) == 1
    assert len(set(people(later, "place").values())) == 2
    assert len(set(people(later, "own").values())) == 1


def test_people_join_what_was_only_suggested_and_part_what_was_joined(
    first: Query, later: Query
) -> None:
    assert len(set(people(first, "rare").values())) == 2
    assert len(set(people(later, "rare").values())) == 1
    before, after = people(first, "new"), people(later, "new")
    assert before["1"] == before["2"]
    assert after["1"] != after["2"]
    assert later(
        "select distinct state, refusal from identity_edge "
        "where left_key = 'club:people:new-1' and right_key = 'desk:people:new-2'"
    ) == [("vetoed", "kept apart by identity/reviews.csv:club:people:new-1: looked at")]


def test_who_is_answered_is_not_asked_again(first: Query, later: Query) -> None:
    asked = "select right_key from identity_suggestion where left_key = 'club:people:{}' order by 1"
    assert first(asked.format("rare-1")) == [("desk:people:rare-2",)]
    assert later(asked.format("rare-1")) == []
    assert first(asked.format("name-1")) == [("club:people:name-2",), ("desk:people:name-3",)]
    assert later(asked.format("name-1")) == [("club:people:name-2",)]


def test_every_joined_profile_has_one_way_to_the_first_of_its_person(later: Query) -> None:
    [(rarely_wrong,)] = later(
        "select measured_precision from identity_rule where rule_id = 'rare_name'"
    )
    assert later(
        "select count(*) from identity_component where profile_key <> anchor_key and n_profiles > 1"
    ) == later("select count(distinct far_key) from identity_explanation")
    assert later(
        "select left_key, right_key, state, words, precision, confidence, steps "
        "from identity_explanation where left_key like '%:rare-1' order by tier"
    ) == [
        ("club:people:rare-1", "desk:people:rare-2", "live", "people say that they are one",
         1.0, 1.0, 1),
        ("club:people:rare-1", "desk:people:rare-2", "suggested",
         "same full name and nobody bears the family name under another given name",
         rarely_wrong, None, None),
    ]  # fmt: skip
    assert later(
        "select count(*) from identity_explanation where (left_id = right_id) <> (state = 'live') "
        "and state in ('live', 'vetoed')"
    ) == [(0,)]


def test_a_day_on_top_of_a_build_leaves_what_a_build_of_everything_leaves(
    first: Query, tmp_path: Path
) -> None:
    landing = company()
    day = FIRST_SYNC + timedelta(days=1)
    for source, record in (
        ("desk", {"id": "rare-3", "name": "Max Quillfeather"}),
        ("desk", {"id": "phone-2", "name": "Emil Stone", "phone": "+1 415 555 0199"}),
        ("club", {"id": "own-1", "name": "Olivia Reed", "email": "olivia@reed.example"}),
        ("desk", {"id": "crowd-13", "name": "", "email": "everybody@home.example"}),
        ("desk", {"id": "alike-11", "given_name": "Ada", "birth_date": "1931-01-02"}),
    ):
        landing.add(
            "mapped__people", record, source=source, stream="people", version=day, loaded_at=day
        )
    landing.delete("mapped__people", "new-3", source="desk", stream="people")
    landing.control |= {
        **{
            name: first(f"select {', '.join(shape.names)} from {name}")
            for name, shape in TABLES.items()
        },
        "identity_published": first("select name from identity_seen where kind = 'run'"),
    }
    folders = tmp_path / "on top", tmp_path / "anew"
    for folder in folders:
        folder.mkdir()
    [(path,)] = first("select path from duckdb_databases() where database_name = 'build'")
    shutil.copy(path, folders[0] / "build.duckdb")
    query, _ = (built(folder, landing) for folder in folders)
    assert [
        change for (change,) in query("select distinct change from identity_delta order by 1")
    ] == ["changed", "new"]
    assert differences(*(folder / "build.duckdb" for folder in folders)) == {}
    assert len(set(people(query, "own").values())) == 1  # it had the address before
    parted, together = (set(people(one, "phone").values()) for one in (query, first))
    assert len(parted) == 2 > len(together)
    before, after = people(first, "alike"), people(query, "alike")
    assert before["10"] == before["11"]
    assert after["10"] != after["11"]


def test_every_rule_tells_its_words_and_only_known_bands(first: Query) -> None:
    assert first("select count(*) from identity_rule where words = '' or why = ''") == [(0,)]
    assert first(
        "select count(*) from identity_rule where band not in ('auto', 'suggest', 'off')"
    ) == [(0,)]
    assert first(
        "select rule_id from identity_edge where rule_id not in "
        "(select rule_id from identity_rule_standing)"
    ) == []  # fmt: skip
