"""Lifetimes: who stays, how long, and whether it grows; worked out by hand and by law."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_cadence import shop
from tests.dbt.test_metrics import AS_OF, random_world, worlds

QUIET = 90


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
    assert [longer[name] for name in ("model_beyond_1", "expected_purchases")] == [None, None]
    arrived = lifetime(ledger, 90, cohort_type="arrival_84d", cohort="3")
    # Cid, 200 days ago, and Dan, 240
    assert (arrived["came"], arrived["ended"], arrived["gone"]) == (2, 1, 0)
    assert ((AS_OF - arrived["came_from"]).days, (AS_OF - arrived["came_until"]).days) == (251, 168)


def test_without_purchases_nothing_is_said_of_them(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.person("ann")
    ledger.build()
    assert ledger.rows("select * from rel_lifetime") == []
    assert ledger.rows("select * from rel_value") == []
    assert [row["state"] for row in ledger.rows("select * from rel_value_model")] == []


def test_period_retention_is_who_came_again_of_those_who_were_there(models: Models) -> None:
    """[a, b, c] and then [b, c, d, e, f]: two of three."""
    ledger = shop(models, a=(40,), b=(40, 9), c=(30, 3), d=(2,), e=(9,), f=(11,))
    row = lifetime(ledger.build())
    assert row["previous_active_28d"] == 3
    assert row["period_retention_28d"] == pytest.approx(2 / 3)
    assert row["rolling_retention"] == 1


def product_limit(lives: Iterable[tuple[int, bool]], at: int) -> float:
    """Return the share that lives longer than `at` days, the textbook way."""
    told, share = list(lives), 1.0
    for day in sorted({days for days, over in told if over and days <= at}):
        at_risk = sum(days >= day for days, _ in told)
        share *= 1 - sum(one == (day, True) for one in told) / at_risk
    return share


@worlds
@given(seed=st.integers(0, 10**6))
def test_curve_and_mean_are_the_product_limit_and_its_area(models: Models, seed: int) -> None:
    rng = random.Random(seed)
    customers = {
        f"c{number}": sorted(rng.sample(range(600), rng.randint(1, 9)), reverse=True)
        for number in range(25)
    }
    row = lifetime(shop(models, **customers).build(), QUIET)
    lives = []
    for ages in customers.values():
        silence = next(
            age for age, later in zip(ages, [*ages[1:], -1000], strict=True) if age - later > QUIET
        )
        if silence > QUIET:
            lives.append((ages[0] - silence, True))
        elif ages[0] >= QUIET:
            lives.append((ages[0] - QUIET, False))
    assert (row["watched"], row["ended"]) == (len(lives), sum(over for _, over in lives))
    longest = max(lives)
    for days in (30, 90, 180, 365):
        expected = product_limit(lives, days)
        told = row[f"alive_{days}d"]
        if told is None:
            assert longest[0] < days
        else:
            assert told == pytest.approx(expected, abs=1e-8)
    if row["rmst_12m_days"] is not None:
        area = sum(product_limit(lives, day) for day in range(365))
        assert row["rmst_12m_days"] == pytest.approx(area, abs=1e-5)
        variance = 0.0
        for day in sorted({days for days, over in lives if over and days < 365}):
            at_risk = sum(days >= day for days, _ in lives)
            ended = sum(one == (day, True) for one in lives)
            if ended < at_risk:
                rest = sum(product_limit(lives, later) for later in range(day, 365))
                variance += rest**2 * ended / (at_risk * (at_risk - ended))
        reach = 1.959964 * math.sqrt(variance)
        assert row["rmst_12m_low"] == pytest.approx(max(area - reach, 0), abs=1e-4)
        assert row["rmst_12m_high"] == pytest.approx(min(area + reach, 365), abs=1e-4)


# ---------------------------------------------------------------- are we lengthening it?


def many_worlds(
    models: Models, number: int, seed: int, *, longer_in: Sequence[int] = (), factor: float = 1
) -> Ledger:
    """Return lifetimes of `number` companies, each under a step of its own.

    In each, 600 people come over 560 days and stay 100 days on average, coming every 30 days. Who
    came in the spans `longer_in` of 84 days (counted back, from 1) stays `factor` times as long.
    """
    rng = np.random.default_rng(seed)
    people = 600
    age = rng.integers(0, 560, (number, people))
    stays = rng.exponential(100, (number, people))
    stays = np.where(np.isin(1 + age // 84, longer_in), factor * stays, stays).astype(int)
    lives = pa.table(
        {
            "step": np.repeat([f"w{world}" for world in range(number)], people),
            "party_id": np.tile([f"p{person}" for person in range(people)], number),
            "age": age.ravel(),
            "stays": stays.ravel(),
        }
    )
    ledger = Ledger(models, AS_OF)
    ledger.con.register("lives", lives)
    ledger.add("control.settings", {"name": "quiet_days", "value": str(QUIET)})
    ledger.execute(
        f"""
        create table int_parties__steps as
        with days as (
            select distinct
                step, party_id, date '{AS_OF}' - age::int + least(i * 30, stays)::int as day
            from lives, range(0, 60) as t(i) where i * 30 <= stays + 29
        )
        select step, false as is_community_only, party_id, day,
            min(day) over (partition by step, party_id) as first_day,
            row_number() over (partition by step, party_id order by day) as steps,
            lead(day) over (partition by step, party_id order by day) as next_day
        from days where day <= date '{AS_OF}'
        """
    )
    for name, columns in {
        "int_silos__seen": "as_of date, basis varchar, silo varchar, is_seen boolean",
        "int_purchases__fits": "as_of date, basis varchar, model varchar, state varchar, a double, "
        "b double",
        "int_purchases__histories": "as_of date, basis varchar, party_id varchar, first_day date, "
        "repeats int, recency_days int, age_days int",
        "int_purchases__outlook": "as_of date, basis varchar, model varchar, repeats int, "
        "recency_days int, age_days int, expected double",
    }.items():
        ledger.execute(f"create table {name} ({columns})")
    ledger.execute(f"create table rel_lifetime as {models.steps['rel_lifetime']}")
    return ledger


ARRIVALS = f"quiet_days = {QUIET} and cohort_type = 'arrival_84d' and delta_days is not null"


def test_where_nothing_changed_the_interval_covers_zero_as_often_as_it_says(
    models: Models,
) -> None:
    worlds_ = 250
    ledger = many_worlds(models, worlds_, seed=4)
    [(compared, covered)] = ledger.execute(
        f"select count(*), avg((delta_low <= 0 and 0 <= delta_high)::int) from rel_lifetime "
        f"where {ARRIVALS}"
    ).fetchall()
    assert compared >= 1000
    assert 0.93 <= covered <= 0.97
    [(alarmed,)] = ledger.execute(
        "select count(distinct step) from rel_lifetime "
        f"where {ARRIVALS} and delta_finding <> 'no difference'"
    ).fetchall()
    # one in twenty, and what chance adds to that in 250 worlds (99 of 100)
    assert alarmed <= 0.05 * worlds_ + 2.33 * math.sqrt(worlds_ * 0.05 * 0.95)


def test_the_cohort_that_lives_longer_is_found(models: Models) -> None:
    ledger = many_worlds(models, 40, seed=5, longer_in=[4], factor=2.5)
    found = dict(
        ledger.execute(
            "select cohort, count(*) from rel_lifetime "
            f"where {ARRIVALS} and delta_finding = 'longer' group by cohort"
        ).fetchall()
    )
    assert found["4"] >= 36
    assert sum(found.values()) - found["4"] <= 4
    [(after,)] = ledger.execute(
        "select count(*) from rel_lifetime "
        f"where {ARRIVALS} and delta_finding = 'shorter' and cohort = '3'"
    ).fetchall()
    assert after >= 30, "those who came after them stay as short as everybody"
    row = ledger.one(
        f"select * from rel_lifetime where {ARRIVALS} and delta_finding = 'longer' "
        "and cohort = '4' order by step limit 1"
    )
    assert row["reason_1"].startswith("those who came then stay ")
    assert row["delta_horizon_days"] == 3 * 84 - QUIET


def test_cohorts_of_one_kind_add_up_to_everybody(models: Models) -> None:
    ledger = random_world(models, random.Random(3)).build()
    rows = ledger.rows(
        "select step, quiet_days, as_of, basis, cohort_type, sum(came)::int, sum(watched)::int, "
        "sum(ended)::int, sum(gone)::int, sum(previous_active_28d)::int from rel_lifetime "
        "where cohort_type = 'all' or cohort_type like 'arrival%' group by all"
    )
    wholes: dict[Any, set[Any]] = {}
    for row in rows:
        key, counts = tuple(row.values())[:4], tuple(row.values())[5:]
        wholes.setdefault(key, set()).add(counts)
    assert wholes
    assert all(len(counts) == 1 for counts in wholes.values())
