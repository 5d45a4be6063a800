"""Lifetimes: who stays, how long, and whether it grows; worked out by hand and by law."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.dbt.ledger import Ledger, Models, noon
from tests.dbt.test_cadence import buy, shop
from tests.dbt.test_metrics import AS_OF, days_ago


def lifetime(ledger: Ledger, quiet_days: int = 180, **where: Any) -> dict[str, Any]:
    wanted = {"step": "purchase", "cohort_type": "all", "cohort": "all", "as_of": AS_OF, **where}
    conditions = " and ".join(f"{name} = '{value}'" for name, value in wanted.items())
    return ledger.one(
        f"select * from rel_lifetime where quiet_days = {quiet_days} and {conditions}"
    )


def test_lifetimes_follow_a_hand_made_shop(models: Models) -> None:
    ledger = shop(models, ann=(364, 334, 164), bob=(300,), cid=(200, 20), dan=(240, 180, 120, 60))
    row = lifetime(ledger.build(), 90)
    assert (row["came"], row["watched"], row["ended"]) == (4, 4, 3)
    # Ann came back after 170 days: her lifetime of 30 days was over, and so was Cid's of one day.
    # Dan is still there and was watched for 240 - 90 days.
    assert [row[f"alive_{days}d"] for days in (30, 90, 180)] == [0.25, 0.25, None]
    assert row["median_days"] == 0
    # now gone are Ann, after three days, and Bob, after one
    assert (row["gone"], row["gone_after_mean"], row["gone_after_median"]) == (2, 2, Decimal("2.0"))
    assert (row["gone_after_one_share"], row["gone_after_four_share"]) == (0.5, 0)
    assert row["rolling_retention"] == 0.5
    assert row["coverage"] == 1
    assert row["reason_2"] == (
        "2 of 4 have not come for 90 days; half of these came no more than 2 times"
    )
    longer = lifetime(ledger, 180)
    assert (longer["ended"], longer["gone"], longer["is_chosen"]) == (1, 1, True)
