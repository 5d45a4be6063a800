"""Plans of builds that follow each other by seconds, for tests that publish without dbt."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from rapport.build import BuildPlan

START = datetime(2026, 11, 1, tzinfo=UTC)


def plan(step: int) -> BuildPlan:
    return BuildPlan(
        needed=True,
        reason="test",
        as_of=date(2026, 11, 1),
        known_at=START + timedelta(seconds=step),
        basis="as_known",
        full_refresh=False,
        fingerprint={"as_of": "2026-11-01"},
    )
