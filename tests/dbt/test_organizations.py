"""Who works where and since when, which organization is part of which, and of what kind it is.

Belongs here: moves from one employer to the next, hierarchies, kinds of parties, and what must not
make an organization. Does not belong here: which profiles are one person (`test_identity`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from tests.dbt.build import build
from tests.dbt.landing_fixture import (
    ACCOUNT,
    CONTACT,
    FIRST_SYNC,
    LEAD,
    USER,
    Landing,
    sf_id,
    sf_time,
)

pytestmark = pytest.mark.dbt

MADE = datetime(2024, 1, 10, 8, tzinfo=UTC)
MOVED = datetime(2026, 6, 10, 9, tzinfo=UTC)
BACK = datetime(2026, 6, 20, 9, tzinfo=UTC)
CREATED = "2025-03-01T08:00:00.250Z"
NUMBER = "+1 415 555 2671"
NAMESAKES = 60

ACCOUNTS: dict[str, dict[str, Any]] = {
    "group": {"Website": "group.example", "Type": "Customer"},
    "unit": {"ParentId": "group", "Website": "https://www.unit.example/about"},
    "part": {"ParentId": "unit"},
    "elder": {"ParentId": "younger"},
    "younger": {"ParentId": "elder"},
    "orphan": {"ParentId": "purged"},
    "mover": {"Website": "mover.example", "Type": "Channel Partner / Reseller"},
    "bureau": {"Website": "bureau.example", "Type": "Press"},
    "us": {"Website": "ours.example", "Type": "Customer"},
    "mill": {"Type": "Prospect", "Relation__c": "Vendor"},
    "hall in leeds": {"Name": "Guildhall", "Website": "hall-leeds.example"},
    "hall in ghent": {"Name": "Guildhall", "Website": "hall-ghent.example"},
}
NUMBERS = {name: number for number, name in enumerate([*ACCOUNTS, "purged"], 1)}


def account(name: str) -> str:
    return sf_id(ACCOUNT, NUMBERS[name])


def contact(number: int, name: str, employer: str | None, **more: Any) -> dict[str, Any]:
    given, _, family = name.partition(" ")
    return {
        "Id": sf_id(CONTACT, number),
        "Name": name,
        "FirstName": given,
        "LastName": family,
        "AccountId": account(employer) if employer else None,
        "CreatedDate": sf_time("2024-01-10 08:00"),
        **more,
    }


def landing() -> Landing:
    """A company whose people move, whose accounts are nested, and who is lied to."""
    found = Landing(
        {
            "crm": ("salesforce", "crm"),
            "hub": ("hubspot", "crm"),
            "forum": ("discourse", "forum"),
            "list": ("files", "crm"),
            "old": ("files", "crm"),
        },
        control={
            "own_domains": [("ours.example",)],
            "column_meanings": [("crm", "accounts", "Relation__c", "party_kind")],
            "custom_fields": [("crm", "accounts", "Relation__c", "text", "none")],
        },
    )
    _organizations(found)
    _people(found)
    return found


def _organizations(found: Landing) -> None:
    for name, more in ACCOUNTS.items():
        day = "2023-05-01" if name == "elder" else "2024-01-01"
        record = {"Id": account(name), "Name": name.title(), "CreatedDate": sf_time(f"{day} 08:00")}
        record |= more
        if "ParentId" in more:
            record["ParentId"] = account(more["ParentId"])
        found.add("salesforce__accounts", record)
    for key, name, parent in (("71", "Workshop", "72"), ("72", "Holding", None)):
        properties = {"name": name, "hs_parent_company_id": parent}
        record = {"id": key, "properties": properties, "createdAt": CREATED}
        found.add("hubspot__companies", record)
    # one name for many, and a provider as web address
    for source, number in (("list", NAMESAKES), ("old", 1)):
        for key in range(number):
            record = {"id": f"n{key}", "name": "Test", "domain": "gmail.com"}
            found.add("mapped__organizations", record, source=source, stream="firms")
        other = {"id": "named", "name": "Named Only", "parent": f"{source}:firms:n0"}
        found.add("mapped__organizations", other, source=source, stream="firms")


def _people(found: Landing) -> None:
    def crm(record: dict[str, Any], at: datetime = FIRST_SYNC) -> None:
        found.add("salesforce__contacts", record, version=at, loaded_at=at)

    # a new record at the next employer; the number goes along, though others use it, too
    crm(contact(1, "Ada Moss", "unit", Email="ada.moss@unit.example", Phone=NUMBER))
    new = contact(2, "Ada Moss", "mover", Email="ada@mover.example", Phone=NUMBER)
    crm(new | {"CreatedDate": sf_time("2026-05-20 08:00")})
    for number, name, employer in ((3, "Bo Holm", "group"), (4, "Cy Dunn", "part")):
        crm(contact(number, name, employer, Phone=NUMBER))

    # only the address moves on
    eve = contact(10, "Eve Park", "unit", Email="eve.park@unit.example")
    crm(eve)
    crm(eve | {"Email": "eve.park@mover.example"}, MOVED)

    # there and back again
    ray = contact(11, "Ray Back", "unit")
    for employer, at in (("unit", FIRST_SYNC), ("mover", MOVED), ("unit", BACK)):
        crm(ray | {"AccountId": account(employer)}, at)

    # two sources name two organizations
    crm(contact(12, "Sam Dual", "unit", Email="sam.dual@unit.example"))
    found.add(
        "mapped__people",
        {
            "id": "sam",
            "name": "Sam Dual",
            "email": "sam.dual@unit.example",
            "organization": "list:firms:named",
            "created_at": "2025-03-01T00:00:00Z",
        },
        source="list",
        stream="people",
    )

    # relations with dates: the employer's, one beside it, one that is over
    crm(contact(15, "Zoe Board", "unit"))
    for number, (name, more) in enumerate(
        (
            ("unit", {"IsDirect": True, "StartDate": "2019-05-01"}),
            ("group", {"IsDirect": False, "StartDate": "2025-01-01", "EndDate": "2027-12-31"}),
            ("mover", {"IsDirect": False, "EndDate": "2025-06-30", "IsActive": False}),
        )
    ):
        relation = {"Id": f"07kgL00000{number:05}AAA", "AccountId": account(name)}
        relation |= {"ContactId": sf_id(CONTACT, 15), "IsActive": True} | more
        relation["CreatedDate"] = sf_time("2024-01-10 08:00")
        found.add("salesforce__account_contact_relations", relation)

    # companies beside the main one: unlinked and linked again, and made the main one
    for contact_id, name, versions in (
        (81, "Lou Links", (((71, True), (72, False)), ((71, True),), ((71, True), (72, False)))),
        (82, "Pam Raised", (((71, True), (72, False)), ((72, True), (71, False)))),
    ):
        given, family = name.split()
        properties = {"firstname": given, "lastname": family}
        record = {"id": str(contact_id), "properties": properties, "createdAt": CREATED}
        found.add("hubspot__contacts", record)
        for links, at in zip(versions, (FIRST_SYNC, MOVED, BACK), strict=False):
            key = f'["contacts", "{contact_id}", "companies"]'
            told = company_links(contact_id, links)
            found.add("hubspot__associations", told, key=key, version=at, loaded_at=at)

    # memberships by the word of an export: over, going on, to end some day, taken back
    for key, name in (("club", "Rowing Club"), ("guild", "Dyers Guild"), ("board", "Old Board")):
        firm = {"id": key, "name": name}
        found.add("mapped__organizations", firm, source="list", stream="firms")
    found.add("mapped__people", {"id": "lea", "name": "Lea Oar"}, source="list", stream="people")
    for key, more in {
        "m1": {"organization": "list:firms:club", "role": "Cox",
               "started_at": "2024-05-01T00:00:00Z", "ended_at": "2025-05-01T00:00:00Z"},
        "m2": {"organization": "list:firms:guild", "role": "Treasurer",
               "started_at": "2025-03-01T00:00:00Z", "ended_at": "2027-01-01T00:00:00Z"},
        "m3": {"organization": "list:firms:board", "started_at": "2023-01-01T00:00:00Z"},
        "m4": {"person": "list:members:mailto:fay@mail.example", "organization": "list:firms:club"},
    }.items():  # fmt: skip
        told = {"id": key, "person": "list:people:lea", **more}
        found.add("mapped__memberships", told, source="list", stream="members")
    found.delete("mapped__memberships", "m3", source="list", stream="members", at=MOVED)

    # merged: what the lost record said of an employer ends nothing
    crm(contact(13, "Mo Twice", "unit"))
    crm(contact(14, "Mo Twice", "mover", CreatedDate=sf_time("2025-02-02 08:00")))
    found.delete("salesforce__contacts", sf_id(CONTACT, 14), merged_into=sf_id(CONTACT, 13))

    # people of three others write from the bureau, and one slipped
    for number, employer in ((20, "group"), (21, "part"), (22, "orphan")):
        crm(contact(number, f"Agent No{number}", employer, Email=f"a{number}@bureau.example"))
    crm(contact(23, "Kim Slip", "orphan", Email="kim@gmial.com"))
    for number, email in (
        (1, "someone@bureau.example"),
        (2, "pat@gmial.com"),
        (3, "fan@mover.example"),
    ):
        found.add(
            "discourse__users",
            {
                "id": number,
                "username": f"user{number}",
                "email": email,
                "active": True,
                "created_at": "2025-03-01T00:00:00.000Z",
            },
        )

    # namesakes at two organizations of one name, and somebody who tells no more than these names
    crm(contact(31, "Ida Marsh", "hall in leeds", Email="ida.marsh@hall-leeds.example"))
    crm(contact(32, "Ida Marsh", "hall in ghent", Email="ida@hall-ghent.example"))
    lead = {"Id": sf_id(LEAD, 1), "FirstName": "Ida", "LastName": "Marsh", "Company": "Guildhall"}
    found.add("salesforce__leads", lead)

    user = {"Id": sf_id(USER, 1), "Name": "Dana Ours", "Email": "dana@elsewhere.example"}
    found.add("salesforce__users", user | {"UserType": "Standard"})
    # a colleague whom the CRM keeps as a customer's contact
    crm(contact(30, "Cole League", "group", Email="cole@ours.example"))


def company_links(contact_id: int, links: Sequence[tuple[int, bool]]) -> dict[str, Any]:
    """Return the record of a contact's links to companies, (id, whether it is the main one)."""
    return {
        "fromType": "contacts",
        "fromId": str(contact_id),
        "toType": "companies",
        "to": [
            {
                "toObjectId": company,
                "associationTypes": [
                    *([{"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}] * is_main),
                    {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None},
                ],
            }
            for company, is_main in links
        ],
    }


LEAD_KEY = f"crm:leads:{sf_id(LEAD, 1)}"
Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """Return the rows of a query; ids of organizations are shown by their names."""
    database = tmp_path_factory.mktemp("organizations") / "build.duckdb"
    build(database, landing(), "--select", "+dim_person", "+bridge_organization_hierarchy")
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield lambda query: connection.execute(query).fetchall()


def stays(rows: Query, profile_key: str) -> list[tuple[Any, ...]]:
    return rows(
        "select names.name, basis, is_primary, is_start_known, valid_from, valid_to "
        "from bridge_person_organization inner join dim_organization as names "
        "using (organization_id) inner join identity_person_map using (person_id) "
        f"where profile_key = '{profile_key}' order by valid_from, is_primary"
    )


def crm_key(number: int) -> str:
    return f"crm:contacts:{sf_id(CONTACT, number)}"


def test_a_new_record_at_the_next_employer_is_the_same_person_who_moved(rows: Query) -> None:
    moved = datetime(2026, 5, 20, 8, tzinfo=UTC)
    assert stays(rows, crm_key(1)) == [
        ("Unit", "record", True, False, MADE, moved),
        ("Mover", "record", True, False, moved, None),
    ]
    assert stays(rows, crm_key(1)) == stays(rows, crm_key(2))
    assert rows(
        "select rule_id from identity_edge where state = 'live' and "
        f"left_key = '{crm_key(1)}' and right_key = '{crm_key(2)}'"
    ) == [("moved_with_number",)]


def test_who_tells_only_a_name_that_several_organizations_bear_is_a_question(rows: Query) -> None:
    assert rows(
        "select distinct left_key, right_key, rule_id, state from identity_edge "
        f"where left_key in ('{crm_key(31)}', '{crm_key(32)}') and rule_id <> 'rare_name' "
        "order by 1"
    ) == [
        (crm_key(31), LEAD_KEY, "shared_place_and_name", "suggested"),
        (crm_key(32), LEAD_KEY, "shared_place_and_name", "suggested"),
    ]


def test_an_address_that_moves_on_closes_the_stay_and_opens_the_next(rows: Query) -> None:
    assert stays(rows, crm_key(10)) == [
        ("Unit", "record", True, False, MADE, MOVED),
        ("Mover", "email_domain", True, True, MOVED, None),
    ]


def test_who_comes_back_has_a_second_stay(rows: Query) -> None:
    assert stays(rows, crm_key(11)) == [
        ("Unit", "record", True, False, MADE, MOVED),
        ("Mover", "record", True, True, MOVED, BACK),
        ("Unit", "record", True, True, BACK, None),
    ]


def test_where_sources_differ_both_stays_go_on_and_the_newer_is_primary(rows: Query) -> None:
    later = datetime(2025, 3, 1, tzinfo=UTC)
    assert stays(rows, crm_key(12)) == [
        ("Unit", "record", True, False, MADE, later),
        ("Unit", "record", False, False, later, None),
        ("Named Only", "record", True, False, later, None),
    ]
    assert rows(
        "select distinct stay_from from bridge_person_organization inner join identity_person_map "
        f"using (person_id) where profile_key = '{crm_key(12)}' order by 1"
    ) == [(MADE,), (later,)]
    assert rows(
        "select names.name from dim_person inner join identity_person_map using (person_id) "
        "inner join dim_organization as names using (organization_id) "
        f"where profile_key = '{crm_key(12)}'"
    ) == [("Named Only",)]


def test_relations_tell_since_when_and_with_whom_beside_the_employer(rows: Query) -> None:
    assert stays(rows, crm_key(15)) == [
        ("Unit", "record", True, True, datetime(2019, 5, 1, tzinfo=UTC), None),
        ("Mover", "relation", False, False, MADE, datetime(2025, 7, 1, tzinfo=UTC)),
        ("Group", "relation", False, True, datetime(2025, 1, 1, tzinfo=UTC), None),
    ]


def test_a_company_beside_the_main_one_is_a_membership_while_it_is_linked(rows: Query) -> None:
    created = datetime(2025, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC)
    assert stays(rows, "hub:contacts:81") == [
        ("Holding", "relation", False, False, created, MOVED),
        ("Workshop", "record", True, False, created, None),
        ("Holding", "relation", False, True, BACK, None),
    ]
    # the other of the two becomes the employer, and neither was left
    assert stays(rows, "hub:contacts:82") == [
        ("Holding", "relation", False, False, created, MOVED),
        ("Workshop", "record", True, False, created, MOVED),
        ("Workshop", "relation", False, False, MOVED, None),
        ("Holding", "record", True, False, MOVED, None),
    ]


def test_an_export_says_who_belongs_where_in_which_role_and_until_when(rows: Query) -> None:
    joined, left = datetime(2024, 5, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC)
    elected, first = datetime(2025, 3, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    lea = stays(rows, "list:people:lea")
    assert [stay for stay in lea if stay[0] == "Dyers Guild"] == [
        ("Dyers Guild", "relation", True, True, elected, None),
    ]
    assert {(name, *span) for name, _, _, _, *span in lea if name == "Rowing Club"} == {
        ("Rowing Club", joined, elected), ("Rowing Club", elected, left)
    }  # fmt: skip
    assert {(name, at) for name, _, _, _, at, _ in lea if name == "Old Board"} >= {
        ("Old Board", first)
    }
    assert max(until for name, *_, until in lea if name == "Old Board") == MOVED
    assert rows(
        "select names.name, title from bridge_person_organization as stays "
        "inner join dim_organization as names using (organization_id) "
        "where title in ('Cox', 'Treasurer') group by all order by 1"
    ) == [("Dyers Guild", "Treasurer"), ("Rowing Club", "Cox")]


def test_a_member_known_by_an_address_alone_is_somebody(rows: Query) -> None:
    digest = hashlib.sha256(b"fay@mail.example").hexdigest()
    [stay] = stays(rows, f"list:members:mailto:{digest}")
    assert stay == ("Rowing Club", "relation", True, False, FIRST_SYNC, None)


def test_a_merged_record_ends_no_stay_of_the_one_that_is_left(rows: Query) -> None:
    assert ("Unit", None) in [(name, until) for name, *_, until in stays(rows, crm_key(13))]


def test_an_address_of_many_houses_or_of_a_slip_shows_no_employer(rows: Query) -> None:
    assert stays(rows, "forum:users:3") == [
        ("Mover", "email_domain", True, False, datetime(2025, 3, 1, tzinfo=UTC), None)
    ]
    assert stays(rows, "forum:users:1") == stays(rows, "forum:users:2") == []
    assert stays(rows, crm_key(20))[0][0] == "Group"


def test_parts_know_their_parent_and_the_top(rows: Query) -> None:
    assert rows(
        "select one.name, parent.name, top.name, one.depth from dim_organization as one "
        "left join dim_organization as parent "
        "on one.parent_organization_id = parent.organization_id "
        "inner join dim_organization as top "
        "on one.ultimate_parent_organization_id = top.organization_id "
        "where one.name <> 'Test' order by one.depth, one.name"
    ) == [
        ("Bureau", None, "Bureau", 0),
        ("Dyers Guild", None, "Dyers Guild", 0),
        ("Elder", None, "Elder", 0),  # both are told to be part of the other
        ("Group", None, "Group", 0),
        ("Guildhall", None, "Guildhall", 0),
        ("Guildhall", None, "Guildhall", 0),
        ("Holding", None, "Holding", 0),
        ("Mill", None, "Mill", 0),
        ("Mover", None, "Mover", 0),
        ("Old Board", None, "Old Board", 0),
        ("Orphan", None, "Orphan", 0),  # its parent was never read
        ("Rowing Club", None, "Rowing Club", 0),
        ("Us", None, "Us", 0),
        ("Named Only", "Test", "Test", 1),
        ("Unit", "Group", "Group", 1),
        ("Workshop", "Holding", "Holding", 1),
        ("Younger", "Elder", "Elder", 1),
        ("Part", "Unit", "Group", 2),
    ]


def test_what_is_rolled_up_to_the_tops_is_the_business(rows: Query) -> None:
    [(people,)] = rows("select count(*) from dim_person where organization_id is not null")
    by_top = dict(
        rows(
            "select tops.name, count(*) from dim_person as people "
            "inner join bridge_organization_hierarchy as part using (organization_id) "
            "inner join dim_organization as tops "
            "on part.ancestor_organization_id = tops.organization_id "
            "where tops.parent_organization_id is null group by tops.name"
        )
    )
    assert sum(by_top.values()) == people
    [(below,)] = rows(
        "select count(*) from dim_person inner join dim_organization as names "
        "using (organization_id) where names.name in ('Group', 'Unit', 'Part')"
    )
    assert by_top["Group"] == below > 2


def test_one_name_for_many_and_a_provider_join_no_organizations(rows: Query) -> None:
    assert rows(
        "select names.name, count(*), max(names.n_profiles) from dim_organization as names "
        "where names.name in ('Test', 'Named Only') group by names.name order by 1"
    ) == [("Named Only", 1, 2), ("Test", NAMESAKES + 1, 1)]
    assert rows("select domain from identity_organization_domain where domain like 'gm%'") == []


def test_whom_our_own_lists_and_domains_show_is_no_customer(rows: Query) -> None:
    kinds = dict(rows("select display_name, party_kind from dim_person where party_kind <> ''"))
    assert (kinds["Dana Ours"], kinds["Cole League"]) == ("staff", "staff")
    assert kinds["Bo Holm"] == "customer"
    assert kinds["Ray Back"] == "unknown"  # nobody told what the unit is
    assert dict(
        rows(
            "select name, party_kind from dim_organization "
            "where name in ('Group', 'Mover', 'Bureau', 'Us', 'Mill')"
        )
    ) == {
        "Group": "customer",
        "Mover": "partner",
        "Bureau": "press",
        "Us": "staff",  # whatever its record says
        "Mill": "supplier",  # by a field of our own, before the vendor's
    }


def test_no_two_primary_stays_of_a_person_overlap(rows: Query) -> None:
    assert (
        rows(
            "select person_id from bridge_person_organization as one "
            "inner join bridge_person_organization as other using (person_id) "
            "where one.is_primary and other.is_primary and one.valid_from < other.valid_from "
            "and (one.valid_to is null or other.valid_from < one.valid_to)"
        )
        == []
    )
    assert rows("select min(valid_to - valid_from) > interval 0 day "
                "from bridge_person_organization") == [(True,)]  # fmt: skip
