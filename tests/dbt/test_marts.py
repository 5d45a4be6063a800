"""What holds for all tables that people open: they are there, add up, and tell what is unknown.

Belongs here: laws over every unified table or every relationship table at once. Does not belong
here: what one number means (`test_metrics`, `test_engagement`, `test_cadence`).
"""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_metrics import AS_OF, days_ago, random_world

PROJECT = Path(__file__).parents[2] / "dbt_project"
UNIFIED = (
    "dim_person dim_organization dim_profile bridge_person_organization fct_interaction "
    "fct_purchase fct_case fct_case_event fct_deal fct_message_sent fct_message_response "
    "fct_reaction fct_survey_answer fct_commitment fct_login bridge_person_interest"
).split()
OURS = ("per_000", "per_001")
"""The colleague and the program of `random_world`."""


def test_every_table_of_the_unified_model_is_there_and_keeps_its_contract(models: Models) -> None:
    assert set(UNIFIED) <= set(models.tables)
    declared = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))["models"]["rapport"]
    assert (
        declared["unified"]["+contract"] == declared["metrics"]["+contract"] == {"enforced": True}
    )
    loosened = [
        path.stem
        for folder in ("unified", "metrics")
        for path in (PROJECT / "models" / folder).glob("*.*")
        if "'enforced': false" in path.read_text("utf-8") and not path.stem.startswith("int_")
    ]
    assert loosened == []


def columns_in(models: Models, table: str, *units: str) -> list[str]:
    found = []
    for name, column in models.columns[table].items():
        meta = column["config"]["meta"]
        if meta.get("unit") in units:
            found.append(name)
    return found


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("rel_community_health", "as_of, basis, segment_type, segment"),
        ("rel_engagement_segment", "as_of, basis, segment_type, segment"),
        ("rel_cadence", "as_of, basis, step, segment_type, segment, ordinal"),
    ],
)
def test_colleagues_and_programs_are_no_people_of_any_table(
    models: Models, table: str, keys: str
) -> None:
    def counted(with_ours: bool) -> list[dict[str, Any]]:
        ledger = random_world(models, random.Random(5))
        for step in ("post", "purchase"):
            row = {"step": step, "behavior": step, "is_community_only": False}
            ledger.add("control.cadence_steps", row)
        if with_ours:
            for number, name in enumerate(OURS * 20):
                ledger.act(f"ours-{number}", name, days_ago(3 + number), "post")
                act = {"person_id": name, "occurred_at": days_ago(number), "source": "shop"}
                act["loaded_at"] = days_ago(number)
                ledger.add("fct_purchase", {"purchase_id": f"p-{number}", **act})
                ledger.add("fct_login", {"login_id": f"l-{number}", **act})
        names = ", ".join(columns_in(models, table, "people", "parties"))
        return ledger.build().rows(f"select {keys}, {names} from {table} order by {keys}")

    assert counted(with_ours=True) == counted(with_ours=False) != []


@pytest.mark.parametrize("table", ["rel_engagement", "rel_disengagement", "rel_organization"])
def test_no_row_of_a_person_is_one_of_us_or_a_program(models: Models, table: str) -> None:
    ledger = random_world(models, random.Random(6))
    for name in OURS:
        row = {"person_id": name, "organization_id": "org_0", "basis": "record"}
        since = {"is_primary": True, "valid_from": days_ago(200), "stay_from": days_ago(200)}
        ledger.add("bridge_person_organization", {**row, **since})
        for number in range(20):
            ledger.act(f"{name}-{number}", name, days_ago(number), "post")
    ledger.build()
    columns = [name for name in models.columns[table] if name.endswith("person_id")]
    columns.remove("owner_person_id")  # who of us looks after them
    for column in columns:
        rows = ledger.rows(f"select distinct {column} as person from {table}")
        assert not {row["person"] for row in rows} & set(OURS), column
    if table == "rel_organization":
        outside = ledger.one(
            "select count(*) as n from bridge_person_organization inner join dim_person "
            "using (person_id) where not is_staff and not is_bot"
        )
        known = ledger.one(f"select sum(people_known) as n from {table} where as_of = '{AS_OF}'")
        assert known == outside


def test_what_everybody_did_is_marked_where_it_was_one_of_us(models: Models) -> None:
    ledger = random_world(models, random.Random(7)).build()
    rows = ledger.rows(
        "select distinct person_id, is_staff, is_bot from rel_activity_daily "
        f"where person_id in {OURS} or is_staff or is_bot order by 1"
    )
    marks = {row["person_id"]: (row["is_staff"], row["is_bot"]) for row in rows}
    assert marks == {"per_000": (True, False), "per_001": (False, True)}


def small_world(models: Models, silo: str) -> Ledger:
    """One person of one organization who did something in one silo, the only one there is."""
    ledger = Ledger(models, AS_OF)
    ledger.configure(**{silo: silo})
    ledger.person("ann", organization_id="acme")
    ledger.add("dim_organization", {"organization_id": "acme"})
    ledger.add(
        "bridge_person_organization",
        {
            "person_id": "ann",
            "organization_id": "acme",
            "basis": "record",
            "is_primary": True,
            "is_current": True,
            "valid_from": days_ago(300),
            "stay_from": days_ago(300),
        },
    )
    for age in (3, 9, 20):
        where = {"source": silo, "silo": silo, "channel": {"crm": "email"}.get(silo, silo)}
        ledger.act(f"act-{age}", "ann", days_ago(age), "post", organization_id="acme", **where)
    return ledger.build()


@pytest.mark.parametrize(
    ("silo", "table", "columns"),
    [
        ("forum", "rel_organization", "people_active_90d_crm people_active_90d_support open_cases "
         "oldest_open_case_days cases_90d median_first_response_hours requests_90d unanswered_90d "
         "response_part open_deals open_deal_amount renewal_amount"),
        ("crm", "rel_organization", "people_active_90d_forum people_active_90d_support open_cases "
         "cases_90d"),
        ("forum", "rel_engagement", "crm_part support_part social_part"),
        ("crm", "rel_engagement", "forum_part support_part social_part"),
        ("crm", "rel_community_health", "members active contributions questions answers helpers "
         "questions_364d answers_ever ties n"),
        ("crm", "rel_data_trust", "active_forum_people consent_unknown_share"),
    ],
)  # fmt: skip
def test_a_silo_that_nobody_reads_is_unknown_and_never_zero(
    models: Models, silo: str, table: str, columns: str
) -> None:
    rows = small_world(models, silo).rows(f"select {columns.replace(' ', ', ')} from {table}")
    assert all(value is None for row in rows for value in row.values()), rows
    assert rows or table in ("rel_community_health", "rel_data_trust")


@pytest.mark.parametrize("table", ["rel_cadence", "rel_disengagement", "rel_engagement_segment"])
def test_a_company_that_reads_nothing_has_no_rows_of_people(models: Models, table: str) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.person("ann")
    rows = ledger.build().rows(f"select * from {table}")
    counts = columns_in(models, table, "people", "parties", "days", "gaps")
    assert all(not row[name] for row in rows for name in counts if name != "n"), rows


def test_consent_is_unknown_of_those_who_never_answered_or_whose_answer_lapsed(
    models: Models,
) -> None:
    ledger = Ledger(models, AS_OF, backcast=[date(2026, 1, 1)])
    ledger.configure(crm="crm")
    for stream in ("contacts", "leads"):
        ledger.add("control.streams", {"source": "crm", "stream": stream, "rows": 5})
    for person in ("granted", "refused", "lapsed", "silent", "us"):
        ledger.person(person, is_staff=person == "us")
        for stream in ("contacts", "leads"):
            ledger.add(
                "dim_profile",
                {
                    "profile_key": f"crm:{stream}:{person}",
                    "source": "crm",
                    "stream": stream,
                    "silo": "crm",
                    "entity": "person",
                    "person_id": person,
                    "is_staff": person == "us",
                    "created_at": days_ago(200),
                },
            )
    for person, until in (("granted", None), ("refused", None), ("lapsed", days_ago(1))):
        ledger.add(
            "fct_consent",
            {
                "profile_key": f"crm:contacts:{person}",
                "answer": "refused" if person == "refused" else "granted",
                "occurred_at": days_ago(30),
                "valid_until": until,
            },
        )
    rows = ledger.build().rows(
        "select basis, stream, consent_unknown_share as share from rel_data_trust "
        "where source = 'crm' and field = '*' and stream <> '*'"
    )
    assert {(row["basis"], row["stream"]): row["share"] for row in rows} == {
        ("as_known", "contacts"): 0.5,
        ("as_known", "leads"): None,  # asks nobody
        ("backcast", "contacts"): None,  # nobody had answered yet
        ("backcast", "leads"): None,
    }
