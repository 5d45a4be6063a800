"""Campaigns of the generated company, and the promises that its people make."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from sandbox.world import World

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return World(people=200, seed=7, now=NOW)


def test_campaigns_have_every_trap(world: World) -> None:
    traps = Counter(trap[0] for trap in world.truth.traps if trap[2] == "campaign_members")
    assert set(traps) == {"campaign_never_held", "written_despite_opt_out", "invitation_withdrawn"}


def test_nobody_responds_to_a_campaign_before_it_begins(world: World) -> None:
    campaigns = {row["Id"]: row for row in world.org.rows("Campaign")}
    answers = [row for row in world.org.rows("CampaignMember") if row["HasResponded"]]
    assert answers
    for row in answers:
        campaign = campaigns[row["CampaignId"]]
        assert campaign["Status"] != "Planned"
        assert row["FirstRespondedDate"] >= campaign["StartDate"]


def test_planned_tasks_are_done_in_time_late_or_never(world: World) -> None:
    planned = [
        row
        for row in world.org.rows("Task")
        if row["ActivityDate"]
        and (row["CompletedDateTime"] is None or row["CompletedDateTime"] > row["CreatedDate"])
    ]
    kept = Counter(
        row["CompletedDateTime"] and row["CompletedDateTime"][:10] <= row["ActivityDate"]
        for row in planned
    )
    assert min(kept[True], kept[False], kept[None]) > 5
