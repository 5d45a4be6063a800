"""The tables that the tricky landing must become, row by row where it matters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rapport.identity.state import TABLES
from tests.dbt.build import build
from tests.dbt.landing_fixture import (
    ACCOUNT,
    CASE,
    CONTACT,
    DEAL,
    EVENT,
    GUEST,
    KNOWN_AT,
    LEAD,
    TASK,
    USER,
    Landing,
    by_address,
    sf_id,
    tricky,
)

pytestmark = pytest.mark.dbt

LAYERS = ("--exclude", "path:models/metrics")
GLOBEX, INITECH = f"crm:accounts:{sf_id(ACCOUNT, 1)}", f"crm:accounts:{sf_id(ACCOUNT, 2)}"
ROBERT, ANN = f"crm:contacts:{sf_id(CONTACT, 1)}", f"crm:contacts:{sf_id(CONTACT, 2)}"
DANA = f"crm:users:{sf_id(USER, 1)}"


class Tables:
    """Reads the finished database; ids are named by a profile that has them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    def values(self, query: str) -> list[Any]:
        return [row[0] for row in self.rows(query)]

    def person(self, profile_key: str) -> str:
        return str(self._id("person_id", profile_key))

    def organization(self, profile_key: str) -> str:
        return str(self._id("organization_id", profile_key))

    def _id(self, column: str, profile_key: str) -> Any:
        [value] = self.values(
            f"select {column} from dim_profile where profile_key = '{profile_key}'"
        )
        return value


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The tricky organization, built once."""
    database = tmp_path_factory.mktemp("golden") / "build.duckdb"
    build(database, tricky(), *LAYERS)
    yield Tables(database)


def test_a_version_that_cannot_be_typed_says_why_and_the_good_one_stays(tables: Tables) -> None:
    assert tables.rows(
        "select _key, _error from stg_salesforce__contacts where _error is not null"
    ) == [(sf_id(CONTACT, 1), "CreatedDate is not a timestamp")]
    assert tables.values("select _error from stg_mapped__purchases where id = '3'") == [
        "amount is not a decimal"
    ]
    assert tables.values(f"select title from identity_profile where profile_key = '{ROBERT}'") == [
        "CTO"
    ]
    assert tables.values(
        "select count(*) from fct_purchase where purchase_id = 'shop:orders:3'"
    ) == [0]


def test_a_sign_in_is_of_the_person_who_buys_under_the_same_address(tables: Tables) -> None:
    assert tables.rows(
        "select login_id, product, occurred_at::varchar, person_id = (select person_id "
        "from fct_purchase where purchase_id = 'shop:orders:1') from fct_login"
    ) == [("shop:logins:l1", "Editor", "2026-06-05 08:00:00+00", True)]
    assert tables.values("select _error from stg_mapped__logins where id = 'l2'") == [
        "occurred_at is not a timestamp"
    ]


def test_an_anonymous_answer_counts_and_one_without_a_time_or_a_number_waits(
    tables: Tables,
) -> None:
    bob = tables.person(by_address("shop:orders", "bob.miller@globex.com"))
    assert tables.rows(
        "select survey_answer_id, person_id, kind, score, scale_low, scale_high "
        "from fct_survey_answer order by 1"
    ) == [
        ("shop:survey:s1", bob, "nps", Decimal(10), Decimal(0), Decimal(10)),
        ("shop:survey:s2", None, "csat", Decimal(4), Decimal(1), Decimal(5)),
    ]
    assert tables.values(
        "select _error from stg_mapped__survey_answers where _error is not null"
    ) == ["score is not a decimal"]


def test_a_promise_is_kept_until_its_day_is_over_and_a_log_is_none(tables: Tables) -> None:
    ann, dana = tables.person(ANN), tables.person(DANA)
    hooli = tables.organization("shop:firms:Hooli")
    tasks = [f"crm:tasks:{sf_id(TASK, number)}" for number in (3, 11, 12, 15)]
    assert tables.rows(
        "select commitment_id, person_id, owner_person_id, due_at::varchar, outcome "
        "from fct_commitment where source = 'crm' order by 1"
    ) == [
        (tasks[0], ann, dana, "2026-07-31 00:00:00+00", "open"),
        (tasks[1], ann, dana, "2026-06-11 00:00:00+00", "kept"),
        (tasks[2], ann, dana, "2026-06-11 00:00:00+00", "late"),
        (tasks[3], ann, dana, "1900-01-02 00:00:00+00", "unknown"),
    ]
    assert tables.rows(
        "select commitment_id, organization_id, kind, is_ours, outcome "
        "from fct_commitment where source = 'shop' order by 1"
    ) == [
        ("shop:promises:p1", hooli, "delivery", False, "kept"),
        ("shop:promises:p2", hooli, "delivery", True, "unknown"),
        ("shop:promises:p3", hooli, "delivery", True, "called_off"),
    ]


def test_a_planned_campaign_has_told_nobody_and_none_before_it_began(tables: Tables) -> None:
    lead = tables.person(f"crm:leads:{sf_id(LEAD, 1)}")
    bob = tables.person(by_address("shop:orders", "bob.miller@globex.com"))
    members = [f"crm:campaign_members:{sf_id('00v', number)}" for number in (1, 2)]
    assert tables.rows(
        "select message_sent_id, person_id, message, channel, occurred_at::varchar "
        "from fct_message_sent order by 1"
    ) == [
        (members[0], tables.person(ANN), "Spring 1", "web", "2026-05-10 00:00:00+00"),
        (members[1], lead, "Spring 1", "web", "2026-05-12 10:00:00+00"),
        ("shop:mails:m1", bob, "June news", "email", "2026-06-15 09:00:00+00"),
    ]  # fmt: skip


def test_a_response_is_of_who_got_the_message_and_one_to_nothing_known_of_nobody(
    tables: Tables,
) -> None:
    member = f"crm:campaign_members:{sf_id('00v', 1)}"
    bob = tables.person(by_address("shop:orders", "bob.miller@globex.com"))
    assert tables.rows(
        "select message_response_id, message_sent_id, person_id, kind, is_automatic, "
        "occurred_at::varchar from fct_message_response order by 1"
    ) == [
        (member, member, tables.person(ANN), "responded", None, "2026-05-10 00:00:00+00"),
        ("shop:events:r1", "shop:mails:m1", bob, "open", True, "2026-06-15 09:00:02+00"),
        ("shop:events:r2", None, None, "click", None, "2026-06-15 09:00:02+00"),
    ]


def test_interests_are_those_of_fields_that_are_declared_for_them(tables: Tables) -> None:
    told, long_ago = "2026-06-02 00:00:00+00", "2024-06-30 00:00:00+00"
    assert tables.rows(
        "select person_id, interest, source, told_at::varchar, expires_on::varchar "
        "from bridge_person_interest order by interest"
    ) == [
        (tables.person("shop:members:1"), interest, "shop", at, expires)
        for interest, at, expires in (
            ("chess", told, "2028-06-01"),
            ("dyeing", None, None),
            ("felting", told, "2028-06-01"),
            ("lace", long_ago, "2026-06-30"),  # not yet
            ("sea kayaking", None, None),
        )
    ], "what expired, and what names a private fact, is not there"


def test_a_box_that_nobody_ticked_is_no_consent_and_an_individuals_answer_is_the_leads(
    tables: Tables,
) -> None:
    purpose = sf_id("0ZW", 1)
    assert tables.rows(
        "select purpose_id, channel, answer, is_current, occurred_at::varchar, "
        "valid_until::date::varchar from fct_consent "
        f"where profile_key = 'crm:leads:{sf_id(LEAD, 11)}' order by 1, 2, 5"
    ) == [
        (purpose, "any", "refused", True, "2026-05-01 10:00:00+00", None),
        (purpose, "phone", "granted", True, "2026-05-01 10:00:00+00", "2026-12-31"),
        ("all", "email", "refused", False, "2026-06-03 00:00:00+00", None),
        ("all", "email", "granted", True, "2026-06-05 00:00:00+00", None),
        ("all", "web", "granted", True, "2026-05-01 10:00:00+00", None),
        ("profiling", "any", "refused", True, "2026-06-01 00:00:00+00", None),
    ]


def test_nothing_loaded_after_known_at_is_seen(tables: Tables) -> None:
    assert tables.values(f"select title from identity_profile where profile_key = '{ANN}'") == [
        None
    ]
    [(last_seen_at,)] = tables.rows(
        f"select last_seen_at from dim_profile where profile_key = '{ANN}'"
    )
    assert last_seen_at <= KNOWN_AT


def test_custom_fields_keep_their_digits_and_fill_what_they_mean(tables: Tables) -> None:
    [row] = tables.rows(
        "select name, renewal_date::varchar, renewal_amount, currency, custom "
        f"from dim_organization where organization_id = '{tables.organization(GLOBEX)}'"
    )
    assert row[:4] == ("Globex", "2026-09-30", Decimal("1234567890123456.78"), "EUR")
    assert row[4].startswith('{"Plan__c": [')
    assert row[4].endswith(
        '], "Renewal_Amount__c": 1234567890123456.78, "Renewal_Date__c": "2026-09-30", '
        '"Tier__c": "Gold \\"A\\""}'
    )


def test_the_records_of_a_custom_object_stand_under_its_name(tables: Tables) -> None:
    organization = tables.organization(GLOBEX)
    [custom] = tables.values(
        f"select custom from dim_organization where organization_id = '{organization}'"
    )
    globex, old = (f'"Account__c": "{sf_id(ACCOUNT, number)}"' for number in (1, 9))
    plan = sf_id("a0P", 1)
    # of both sources, by key; none deleted; a number keeps its digits; the field gives way
    assert custom.partition("], ")[0] == (
        f'{{"Plan__c": [{{"_record_key": "crm:plan__c:{plan}", {globex}, '
        f'"Buyer__c": "{sf_id(CONTACT, 1)}", "Ends_On__c": "2026-09-30", "Is_Trial__c": true, '
        f'"Lead__c": "{sf_id(LEAD, 1)}", "Price__c": 1234567890123456.78, "Seats__c": 12}}, '
        f'{{"_record_key": "crm:plan__c:{sf_id("a0P", 2)}", {globex}, "Is_Trial__c": false, '
        f'"Seats__c": 3}}, '
        f'{{"_record_key": "old_crm:plan__c:{sf_id("a0P", 3)}", {old}, '
        '"Seats__c": "some \\"seats\\""}'
    )
    assert json.loads(custom)["Tier__c"] == 'Gold "A"'


def test_a_person_has_the_custom_fields_of_all_profiles_that_are_there(tables: Tables) -> None:
    [custom] = tables.values(
        f"select custom from dim_person where person_id = '{tables.person(ROBERT)}'"
    )
    told = json.loads(custom)
    assert list(told) == ["Level__c", "Origin__c", "Plan__c"]
    assert told["Level__c"] == "Ä \t1"  # the contact's before the lead's
    assert told["Origin__c"] == {"fair": ["Köln", 2026]}
    # one plan, though it names the person's contact and lead
    assert [plan["_record_key"] for plan in told["Plan__c"]] == [f"crm:plan__c:{sf_id('a0P', 1)}"]


def test_custom_fields_stand_typed_and_divide_people_and_organizations(tables: Tables) -> None:
    globex = tables.organization(GLOBEX)
    assert tables.rows(
        "select entity, entity_id, source, stream, field, type, value_text, value_number, "
        "value_date::varchar, pii from dim_custom_field "
        "where stream = 'accounts' and field <> 'Plan__c' order by field"
    ) == [
        ("organization", globex, "crm", "accounts", "Renewal_Amount__c", "decimal",
         "1234567890123456.78", Decimal("1234567890123456.78"), None, "none"),
        ("organization", globex, "crm", "accounts", "Renewal_Date__c", "date",
         "2026-09-30", None, "2026-09-30", "none"),
        ("organization", globex, "crm", "accounts", "Tier__c", "text",
         'Gold "A"', None, None, "none"),
    ]  # fmt: skip
    assert tables.values(
        "select segment from bridge_organization_segment "
        f"where segment_type = 'tier' and organization_id = '{globex}'"
    ) == ['Gold "A"']
    segments = dict(
        tables.rows(
            "select segment_type, segment from bridge_person_segment "
            f"where person_id = '{tables.person(ROBERT)}'"
        )
    )
    assert segments == {"tier": 'Gold "A"', "kind": "customer"}
    assert tables.values(
        "select distinct count(*) from bridge_person_segment group by person_id"
    ) == [2]


def test_merges_are_followed_to_their_end(tables: Tables) -> None:
    assert dict(
        tables.rows("select native_id, merged_into from dim_profile where merged_into is not null")
    ) == {
        sf_id(ACCOUNT, 3): GLOBEX,
        sf_id(ACCOUNT, 4): GLOBEX,
        sf_id(CONTACT, 5): ROBERT,
    }
    for number in (3, 4):
        merged = tables.organization(f"crm:accounts:{sf_id(ACCOUNT, number)}")
        assert merged == tables.organization(GLOBEX)


def test_one_person_across_lead_contact_forum_case_and_order(tables: Tables) -> None:
    everywhere = {
        ROBERT,
        f"crm:contacts:{sf_id(CONTACT, 5)}",
        f"crm:leads:{sf_id(LEAD, 1)}",
        by_address("crm:cases", "bob.miller@globex.com"),
        "forum:users:1",
        by_address("shop:orders", "bob.miller@globex.com"),
    }
    person = tables.person(ROBERT)
    assert (
        set(tables.values(f"select profile_key from dim_profile where person_id = '{person}'"))
        == everywhere
    )
    assert tables.rows(
        "select display_name, primary_email, party_kind, n_profiles, silos, is_linked, owner_name "
        f"from dim_person where person_id = '{person}'"
    ) == [
        ("Robert Miller", "bob.miller+forum@globex.com", "customer", 5, "crm,forum,orders", True,
         "Dana Scully")
    ]  # fmt: skip


def test_single_sign_on_joins_by_the_short_form_of_an_id(tables: Tables) -> None:
    assert tables.person("forum:users:3") == tables.person(ANN)


def test_one_mailbox_is_one_in_all_its_spellings(tables: Tables) -> None:
    assert tables.person("forum:users:8") == tables.person(
        by_address("shop:orders", "new@gmail.com")
    )


def test_one_of_us_is_one_person(tables: Tables) -> None:
    assert tables.person("forum:users:5") == tables.person(DANA)
    assert set(tables.values("select display_name from dim_person where is_staff")) == {
        "Dana Scully",
        "Gavin Belson",
    }


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        (ANN, "forum:users:2", "the names disagree"),
        (
            f"crm:contacts:{sf_id(CONTACT, 4)}",
            "forum:users:6",
            "a mailbox of a task, not of a person",
        ),
        (ANN, f"crm:leads:{sf_id(LEAD, 3)}", "the names do not agree fully"),
        (
            f"crm:contacts:{sf_id(CONTACT, 3)}",
            f"crm:contacts:{sf_id(CONTACT, 4)}",
            "the names disagree",
        ),
    ],
)
def test_refused_pairs_keep_their_reason(
    tables: Tables, left: str, right: str, reason: str
) -> None:
    assert tables.values(
        "select refusal from identity_edge "
        f"where left_key = '{left}' and right_key = '{right}' and state = 'refused'"
    ) == [reason]
    assert tables.person(left) != tables.person(right)


def test_no_evidence_shows_a_whole_address_or_number(tables: Tables) -> None:
    evidence = tables.values("select evidence from identity_edge where evidence is not null")
    assert "b***@globex.com" in evidence
    assert all("***" in text and "miller" not in text and len(text) < 20 for text in evidence)


def test_no_key_of_a_profile_holds_an_address(tables: Tables) -> None:
    columns = tables.rows(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'main' and data_type = 'VARCHAR' and table_name not like 'stg_%' "
        "and (column_name like '%\\_key' escape '\\' or column_name in ('native_id', 'cause'))"
    )
    assert ("identity_ledger", "profile_key") in columns
    for table, column in columns:
        if column not in ("name_key", "handle_key", "record_key"):
            found = f"select {column} from {table} where {column} like '%@%'"
            assert tables.values(found) == [], (table, column)
    assert tables.rows(
        "select email, native_id from dim_profile where stream = 'orders' and email is not null "
        "order by 1"
    ) == [
        (address, by_address("", address)[1:])
        for address in ("bob.miller@globex.com", "new@gmail.com")
    ]


def test_phone_and_agreeing_name_join_across_spellings(tables: Tables) -> None:
    assert tables.person(f"crm:contacts:{sf_id(CONTACT, 3)}") == tables.person(
        f"crm:leads:{sf_id(LEAD, 2)}"
    )


def test_a_change_of_employer_closes_one_stay_and_opens_the_next(tables: Tables) -> None:
    moved = datetime(2026, 6, 10, tzinfo=UTC)
    assert tables.rows(
        "select organization_id, basis, valid_from, valid_to, is_current "
        "from bridge_person_organization "
        f"where person_id = '{tables.person(ANN)}' order by valid_from"
    ) == [
        (tables.organization(GLOBEX), "record", datetime(2024, 1, 10, 8, tzinfo=UTC), moved, False),
        (tables.organization(INITECH), "record", moved, None, True),
    ]


def test_a_title_that_says_somebody_left_ends_the_stay(tables: Tables) -> None:
    made = datetime(2024, 1, 10, 8, tzinfo=UTC)
    stays = [
        tables.rows(
            "select title, valid_from, valid_to, is_current from bridge_person_organization "
            f"where person_id = '{tables.person(f'crm:contacts:{sf_id(CONTACT, number)}')}' "
            "order by valid_from"
        )
        for number in (6, 7)
    ]
    left, came_back = datetime(2026, 6, 10, tzinfo=UTC), datetime(2026, 6, 20, tzinfo=UTC)
    assert stays == [
        [(None, made, datetime(2026, 3, 1, tzinfo=UTC), False)],
        [("Head of Buying", made, left, False), ("Head of Buying", came_back, None, True)],
    ]


def test_an_interaction_counts_for_the_organization_at_its_time(tables: Tables) -> None:
    found = dict(tables.rows("select interaction_id, organization_id from fct_interaction"))
    assert found[f"crm:tasks:{sf_id(TASK, 1)}"] == tables.organization(GLOBEX)
    assert found[f"crm:tasks:{sf_id(TASK, 2)}"] == tables.organization(INITECH)
    # earlier than the first stay that is known
    assert found["forum:posts:107"] == tables.organization(GLOBEX)


def test_orders_and_sign_ins_count_for_the_organization_of_their_time(tables: Tables) -> None:
    found = dict(tables.rows("select purchase_id, organization_id from fct_purchase"))
    globex = tables.organization(GLOBEX)
    assert found == {
        "shop:orders:1": globex,
        "shop:orders:2": None,  # free mail shows no organization
        "shop:orders:4": tables.organization("shop:firms:Hooli"),  # the order's own word
    }
    assert tables.values("select organization_id from fct_login") == [globex]


def test_an_address_shows_the_organization_where_no_record_does(tables: Tables) -> None:
    assert tables.rows(
        "select organization_id, basis from bridge_person_organization "
        f"where person_id = '{tables.person('forum:users:7')}'"
    ) == [(tables.organization(GLOBEX), "email_domain")]
    # free mail, even as an organization's web address, shows none
    assert tables.values(
        "select count(*) from identity_organization_domain where domain = 'gmail.com'"
    ) == [0]


def test_forum_posts_become_questions_answers_and_replies(tables: Tables) -> None:
    rows = tables.rows(
        "select split_part(interaction_id, ':', 3), kind, direction, "
        "split_part(in_reply_to_interaction_id, ':', 3), split_part(target_profile_key, ':', 3), "
        "is_accepted, is_deleted from fct_interaction where source = 'forum' order by 1"
    )
    assert rows == [
        ("100", "question", "inbound", None, None, None, False),
        ("101", "answer", "peer", "100", "1", True, False),
        ("102", "reply", "outbound", "101", "2", False, False),
        ("103", "answer", "peer", "100", "1", False, True),
        ("104", "reply", "peer", "101", "2", False, False),
        ("107", "answer", "peer", "100", "1", False, False),
        ("108", "answer", "outbound", "100", "1", False, False),
        ("109", "answer", "peer", "100", "1", False, True),
        ("110", "announcement", "outbound", None, None, None, False),
        ("111", "reply", "inbound", "110", "5", False, False),
    ]


def test_a_place_of_the_forum_has_its_name_or_else_its_number(tables: Tables) -> None:
    assert tables.rows(
        "select distinct split_part(thread_id, ':', 3), place from fct_interaction "
        "where source = 'forum' order by 1"
    ) == [("100", "Help > Warping"), ("110", "9")]


def test_activities_have_a_direction_and_an_open_task_is_no_act(tables: Tables) -> None:
    assert tables.rows(
        "select interaction_id, kind, direction, actor_profile_key, is_staff_actor "
        "from fct_interaction where stream in ('tasks', 'events') "
        f"and (kind <> 'task' or interaction_id = 'crm:tasks:{sf_id(TASK, 3)}') order by 1"
    ) == [
        (f"crm:events:{sf_id(EVENT, 1)}", "meeting", "outbound", DANA, True),
        (f"crm:tasks:{sf_id(TASK, 1)}", "call", "inbound", ANN, False),
        (f"crm:tasks:{sf_id(TASK, 2)}", "email", "outbound", DANA, True),
    ]


def test_everybody_at_a_meeting_was_met_once_and_nobody_who_did_not_come(tables: Tables) -> None:
    event, owner = f"crm:events:{sf_id(EVENT, 1)}", tables.person(DANA)
    named = f"crm:leads:{sf_id(LEAD, 2)}"
    assert tables.rows(
        "select interaction_id, kind, direction, thread_id, actor_person_id, target_person_id "
        "from fct_interaction where stream = 'event_relations' and not is_deleted order by 1"
    ) == [
        (f"crm:event_relations:{sf_id(GUEST, n)}", "meeting", "outbound", event, *people)
        for n, people in (
            (3, (owner, tables.person(ROBERT))),
            (8, (tables.person(f"crm:users:{sf_id(USER, 2)}"), tables.person(named))),
            (10, (owner, tables.person(f"crm:contacts:{sf_id(CONTACT, 4)}"))),
        )
    ]
    assert tables.values(
        "select interaction_id from fct_interaction where stream = 'event_relations' and is_deleted"
    ) == [f"crm:event_relations:{sf_id(GUEST, 6)}"]


def test_a_call_with_two_people_is_an_act_of_each_and_an_open_task_of_none(tables: Tables) -> None:
    third = tables.person(f"crm:contacts:{sf_id(CONTACT, 3)}")
    assert tables.rows(
        "select interaction_id, kind, direction, actor_person_id, target_person_id, occurred_at "
        "from fct_interaction where stream = 'task_relations' order by 1"
    ) == [
        ("crm:task_relations:0RT1", "call", "inbound", third, tables.person(DANA),
         datetime(2026, 5, 4, tzinfo=UTC)),
        ("crm:task_relations:0RT2", "email", "outbound", tables.person(DANA), third,
         datetime(2026, 6, 20, 9, tzinfo=UTC)),
    ]  # fmt: skip


def test_who_a_case_was_given_to_is_told_once_and_a_queue_is_nobody(tables: Tables) -> None:
    robot = tables.person(f"crm:users:{sf_id(USER, 2)}")
    assert tables.rows(
        "select case_event_id, actor_person_id, is_staff, assigned_person_id, is_public "
        "from fct_case_event where kind = 'assigned' order by 1"
    ) == [
        ("crm:case_history:0171", robot, False, tables.person(DANA), False),
        ("crm:case_history:0174", robot, False, None, False),
    ]


def test_the_first_response_is_a_person_s_that_the_asker_could_see(tables: Tables) -> None:
    case = f"crm:cases:{sf_id(CASE, 1)}"
    assert tables.rows(
        "select organization_id, person_id, owner_person_id, channel, is_closed, "
        f"first_response_at, n_staff from fct_case where case_id = '{case}'"
    ) == [
        (tables.organization(GLOBEX), tables.person(ROBERT), tables.person(DANA), "email", True,
         datetime(2026, 6, 1, 10, 30, tzinfo=UTC), 1)
    ]  # fmt: skip
    assert tables.rows(
        f"select kind, is_staff, is_public from fct_case_event where case_id = '{case}' "
        "order by occurred_at"
    ) == [
        ("opened", False, True),
        ("comment", False, True),
        ("note", True, False),
        ("assigned", False, False),
        ("assigned", False, False),
        ("comment", True, True),
        ("closed", None, True),
    ]


def test_deals_and_their_people(tables: Tables) -> None:
    assert tables.rows(
        "select deal_id, organization_id, amount, currency, is_won, closed_at "
        "from fct_deal where source = 'crm' order by 1"
    ) == [
        (f"crm:opportunities:{sf_id(DEAL, 1)}", tables.organization(GLOBEX), Decimal("1000.50"),
         "EUR", True, datetime(2026, 5, 1, tzinfo=UTC)),
        (f"crm:opportunities:{sf_id(DEAL, 2)}", tables.organization(INITECH), None, "EUR", False,
         None),
    ]  # fmt: skip
    assert tables.rows("select person_id, role, is_primary from bridge_deal_person") == [
        (tables.person(ROBERT), "Decision Maker", True)
    ]


def test_imported_questions_know_their_accepted_answer(tables: Tables) -> None:
    assert tables.rows(
        "select split_part(interaction_id, ':', 3), thread_id, direction, is_accepted "
        "from fct_interaction where stream = 'qa' order by 1"
    ) == [
        ("a1", "shop:qa:q1", "peer", False),
        ("a2", "shop:qa:q1", "peer", True),
        ("a3", "shop:qa:q2", "unknown", False),
        ("c1", "shop:qa:q1", "peer", None),
        ("q1", "shop:qa:q1", "inbound", None),
        ("q2", "shop:qa:q2", "unknown", None),
    ]


def test_one_record_can_show_a_person_and_their_organization(tables: Tables) -> None:
    firm, person = "shop:customers:ALFKI#organization", "shop:customers:ALFKI"
    assert tables.rows(
        "select entity, profile_key, organization_key from dim_profile "
        "where native_id = 'ALFKI' order by 1"
    ) == [("organization", firm, None), ("person", person, firm)]
    assert tables.values(
        f"select organization_id from dim_person where person_id = '{tables.person(person)}'"
    ) == [tables.organization(firm)]


def test_a_second_build_adds_what_landed_since_and_nothing_else(
    tables: Tables, tmp_path: Path
) -> None:
    database = tmp_path / "build.duckdb"
    database.write_bytes(tables.path.read_bytes())
    landing = tricky()
    later = KNOWN_AT - timedelta(hours=1)
    landing.delete("salesforce__contacts", sf_id(CONTACT, 3), at=later)
    landing.add("discourse__users", {"id": 3, "username": "annie", "email": "annie@gmail.com"},
                version=later, loaded_at=later)  # fmt: skip
    held = tables.values("select count(*) from stg_salesforce__contacts")[0]
    build(database, landing, *LAYERS)

    after = Tables(database)
    assert after.values("select count(*) from stg_salesforce__contacts") == [held + 1]
    assert after.rows(
        f"select is_deleted, display_name from dim_profile where native_id = '{sf_id(CONTACT, 3)}'"
    ) == [(True, "Jonathan Smith")]
    # without the sign-on's id nothing joins the two any more, and the contact keeps its id
    assert after.person("forum:users:3") != after.person(ANN) == tables.person(ANN)


def test_ids_go_on_from_the_last_build_and_people_overrule_every_rule(
    tables: Tables, tmp_path: Path
) -> None:
    database = tmp_path / "build.duckdb"
    maria, hans = (f"crm:contacts:{sf_id(CONTACT, number)}" for number in (4, 6))
    lead, order = f"crm:leads:{sf_id(LEAD, 1)}", by_address("shop:orders", "new@gmail.com")
    landing = tricky()
    landing.control |= {
        name: tables.rows(f"select {', '.join(shape.names)} from {name}")
        for name, shape in TABLES.items()
    }
    hans_said = ("link", "email", "Hans.Weber@globex.com", "profile", maria, "she married")
    robert_said = ("unlink", "profile", lead, "profile", ROBERT, "father and son")
    landing.control["identity_link"] = [
        (2, "identity/links.csv:2", *hans_said),
        (3, "identity/links.csv:3", *robert_said),
    ]
    landing.control["identity_identifier_flag"] = [
        (2, "email", "support@globex.com", None, None, "ok", "Maria's own"),
        (3, "email", None, "new", "@gmail.com", "blocked", "a list"),
    ]
    layers = ("path:models/staging", "path:models/identity", "path:seeds")
    build(database, landing, "--select", *layers)
    after = Tables(database)

    ids = dict(after.rows("select profile_key, person_id from identity_person_map"))
    was = dict(tables.rows("select profile_key, person_id from identity_person_map"))
    moved = {key for key, id_ in was.items() if ids[key] != id_}
    assert ids[maria] == ids[hans] != ids[lead] != ids[ROBERT] == was[ROBERT]
    assert moved == {lead, order, *(key for key in (maria, hans) if was[key] != ids[maria])}
    [gone] = {was[maria], was[hans]} - {ids[maria]}
    assert after.rows("select old_id, current_id, since from identity_redirect") == [
        (gone, ids[maria], KNOWN_AT)
    ]
    told = (
        "select event, id, other_id, cause from identity_event "
        "where event <> 'mint' order by event, cause"
    )
    assert after.rows(told) == [
        ("merge", gone, ids[maria], "override_link"),
        ("split", was[lead], ids[lead], "kept apart by identity/links.csv:3"),
        ("split", was[order], ids[order], "people say"),
    ]
    assert after.rows(
        "select rule_id, evidence, state from identity_edge "
        f"where left_key = '{ROBERT}' and right_key = '{lead}' order by rule_id, evidence"
    ) == [
        ("converted_lead", None, "vetoed"),
        ("override_unlink", "identity/links.csv:3", "vetoed"),
        ("place_and_name", "***bex", "vetoed"),
        ("place_and_name", "***com", "vetoed"),
        ("rare_name", "***ert", "vetoed"),
    ]
    assert after.rows(
        "select value, flag, reason from identity_identifier_book "
        "where value in ('support@globex.com', 'new@gmail.com') order by 1"
    ) == [
        ("new@gmail.com", "blocked", "people say: a list"),
        ("support@globex.com", "ok", None),
    ]


def test_the_same_landing_gives_the_same_tables(tables: Tables, tmp_path: Path) -> None:
    database = tmp_path / "build.duckdb"
    landing = tricky()
    for rows in landing.rows.values():
        rows.reverse()
    build(database, landing, *LAYERS)
    again = Tables(database)
    for table in (
        *("dim_person", "dim_organization", "bridge_person_organization", "fct_interaction"),
        *("fct_case", "fct_case_event", "fct_deal", "fct_purchase", "fct_login", "identity_edge"),
    ):
        query = f"select * from {table} order by all"
        assert again.rows(query) == tables.rows(query), table


def test_no_source_at_all_gives_typed_empty_tables(tmp_path: Path) -> None:
    database = tmp_path / "build.duckdb"
    build(database, Landing({}))
    empty = Tables(database)
    for table in empty.values(
        "select table_name from information_schema.tables where table_schema = 'main' "
        "and (table_name like 'dim%' or table_name like 'fct%' or table_name like 'bridge%')"
    ):
        assert empty.values(f"select count(*) from {table}") == [0], table


def test_every_count_of_the_unified_tables_is_that_of_the_rows_behind_it(tables: Tables) -> None:
    for party in ("person", "organization"):
        profiles = (
            f"select {party}_id, count(*) filter (not is_deleted) as n_profiles from dim_profile "
            f"where entity = '{party}' and {party}_id is not null group by all"
        )
        counted = f"select {party}_id, n_profiles from dim_{party}"
        assert tables.rows(f"{counted} order by 1") == tables.rows(f"{profiles} order by 1") != []
        contradicted = f"select 1 from dim_{party}_field where "
        assert (
            tables.rows(contradicted + "(runner_up_value is null) <> (n_contradicting = 0)") == []
        )
    assert tables.rows(
        "select 1 from dim_person where n_silos <> len(string_split(silos, ',')) or n_silos <> "
        "(select count(distinct silo) from dim_profile where person_id = dim_person.person_id)"
    ) == []  # fmt: skip
    assert tables.rows(
        "select case_id, n_staff from fct_case where n_staff is not null order by 1"
    ) == tables.rows(
        "select case_id, count(distinct actor_person_id) filter (is_staff) from fct_case_event "
        "where split_part(case_id, ':', 1) in (select split_part(case_id, ':', 1) "
        "from fct_case_event where kind in ('comment', 'note')) group by all order by 1"
    )  # fmt: skip


def test_who_acted_on_a_case_is_unknown_where_its_source_tells_of_no_act(tables: Tables) -> None:
    told = dict(tables.rows("select source, max(n_staff) from fct_case group by all"))
    assert told["crm"] == 1
    assert told["shop"] is None


@pytest.mark.parametrize(
    ("fact", "person"),
    [
        ("fct_interaction", "actor_person_id"),
        ("fct_purchase", "person_id"),
        ("fct_login", "person_id"),
        ("fct_case", "person_id"),
        ("fct_survey_answer", "person_id"),
        ("fct_commitment", "person_id"),
        ("fct_message_sent", "person_id"),
        ("fct_message_response", "person_id"),
        ("fct_deal", "owner_person_id"),
    ],
)
def test_people_and_organizations_with_the_unknown_ones_add_up_to_the_business(
    tables: Tables, fact: str, person: str
) -> None:
    [business] = tables.values(f"select count(*) from {fact}")
    [unknown_person, unknown_organization] = tables.rows(
        f"select count(*) filter ({person} is null), count(*) filter (organization_id is null) "
        f"from {fact}"
    )[0]
    people = tables.values(
        f"select count(*) from {fact} as facts "
        f"inner join dim_person as people on facts.{person} = people.person_id "
        "group by people.person_id"
    )
    organizations = tables.values(
        f"select count(*) from {fact} as facts inner join dim_organization as organizations "
        "on facts.organization_id = organizations.organization_id group by organizations.name"
    )
    assert business > 0
    assert sum(people) + unknown_person == business
    assert sum(organizations) + unknown_organization == business
    # each in one segment of such a rule: the segments and nobody's add up to the business, too
    for party, unknown in (
        ("person", unknown_person), ("organization", unknown_organization)
    ):  # fmt: skip
        column = person if party == "person" else "organization_id"
        segments = tables.values(
            f"select count(*) from {fact} as facts "
            f"inner join bridge_{party}_segment as bridge on facts.{column} = bridge.{party}_id "
            "where segment_type = 'kind' group by segment"
        )
        assert sum(segments) + unknown == business


@pytest.mark.parametrize("party", ["person", "organization"])
def test_everybody_is_in_a_segment_of_every_rule_and_in_no_business_but_this(
    tables: Tables, party: str
) -> None:
    everybody = tables.values(f"select {party}_id from dim_{party} order by 1")
    rules = tables.values("select segment_type from control.segment_rules")
    assert rules
    for rule in rules:
        assert (
            tables.values(
                f"select distinct {party}_id from bridge_{party}_segment "
                f"where segment_type = '{rule}' order by 1"
            )
            == everybody
        )
