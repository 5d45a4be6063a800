"""Where nothing was planted hardly anything is found, and where it was it is.

Belongs here: a few worlds of `benchmarks.false_alarms`, which makes hundreds. Does not belong
here: hand-offs (`test_journeys`) and lives (`test_lifetime`), which have hundreds of their own.
"""

from __future__ import annotations

import random
from datetime import date

import pytest

from benchmarks.false_alarms import TEAM, Worlds, insert
from benchmarks.metrics_company import AS_OF
from tests.dbt.ledger import Ledger, Models

WORLDS, PLANTED = 60, 12


@pytest.fixture(scope="module")
def ledger(models: Models) -> Ledger:
    """Helpers, organizations and qualities in as many worlds; only read."""
    worlds = Worlds(random.Random(3))
    for name in TEAM:
        worlds.person(name, kind="staff")
    for make in (worlds.helper, worlds.house, worlds.quality):
        for number in range(WORLDS + PLANTED):
            has_effect = number >= WORLDS
            make(f"with{'' if has_effect else 'out'} {number}", has_effect)
    ledger = Ledger(models, date.fromisoformat(AS_OF))
    ledger.configure(**worlds.sources)
    ledger.add("control.settings", {"name": "has_strategy", "value": "true"})
    ledger.build()
    insert(ledger.con, worlds.rows)
    return ledger


def test_a_helper_is_gone_who_left_and_no_other(ledger: Ledger) -> None:
    rows = ledger.rows("select * from rel_disengagement where person_id like 'helper of %'")
    gone = [row["person_id"] for row in rows if row["level"] in ("quiet", "gone")]
    assert sum("without" not in name for name in gone) == PLANTED
    # one in a thousand is silent for four weeks by chance
    assert len(gone) - PLANTED <= 1


def test_a_champion_left_who_did_and_no_other(ledger: Ledger) -> None:
    rows = ledger.rows("select * from rel_organization where organization_id not like '%elsewhere'")
    left = {row["organization_id"] for row in rows if row["champion_left"]}
    assert left == {f"with {number}" for number in range(WORLDS, WORLDS + PLANTED)}


@pytest.mark.parametrize("indicator", ["promises_kept", "response_hours"])
def test_a_quality_changed_where_it_did_and_elsewhere_as_often_as_chance_has_it(
    ledger: Ledger, indicator: str
) -> None:
    rows = ledger.rows(
        "select distinct party_kind, trend, effect from rel_track "
        f"where indicator = '{indicator}' and given_by = 'us' and party_kind like 'with%' "
        "and z is not null"
    )
    assert len(rows) == WORLDS + PLANTED
    found = [row for row in rows if row["effect"] == "weakened" and "out" not in row["party_kind"]]
    assert len(found) >= PLANTED / 2
    alarms = [row for row in rows if row["trend"] != "steady" and "out" in row["party_kind"]]
    assert len(alarms) <= 8, "3 are expected at 1 in 20, more than 8 once in 500 times"
