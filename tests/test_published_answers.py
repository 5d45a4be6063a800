"""Answers that others published, from tables built of their data, loaded by mapping alone.

Belongs here: figures with a source. What a figure means is tested where its table is. Published:
Fader, Hardie and Lee, "Counting your customers the easy way" (2005), and Fader and Hardie, "The
Gamma-Gamma model of monetary value" (2013), on CDNOW; survival of Waltons' flies and of Rossi's
released men as `lifelines` 0.30.3 has them.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rapport import build, config, dbt
from rapport.syncing import sync_selected

pytestmark = pytest.mark.demo

DATA = Path(__file__).parent / "data"
CUT, END = date(1997, 9, 30), date(1998, 6, 30)
QUIET_DAYS = 180
MODELS = ("rel_lifetime", "rel_value_segment", "rel_value_model", "rel_disengagement_check",
          "rel_cadence")  # fmt: skip

Rows = Callable[[str], list[tuple[Any, ...]]]

SHOP = """
home: .rapport
as_of: {as_of}
currency: USD
sources:
  shop:
    type: files
    silo: orders
    streams:
      purchases:
        path: cdnow.parquet
        key: [order]
        map:
          to: purchase
          columns:
            person: {{column: customer, stream: customers}}
            occurred_at: date
            amount: dollars
          where: {where}
"""

LIVES = """
  lives:
    type: files
    silo: forum
    streams:
      days:
        path: lives.csv
        key: [key]
        map:
          to: interaction
          columns:
            person: {column: who, stream: who}
            occurred_at: day
            kind: kind
            channel: {value: forum}
            visibility: {value: public}
"""

STRATEGY = f"""
version: 1
vision: {{statement: "Whoever buys comes again.", archetype: marketplace}}
event_definitions: {{defection: {{quiet_days: {QUIET_DAYS}}}}}
value: {{outlook_days: {(END - CUT).days}}}
cadence:
  - {{name: fly, behaviors: [fly], where: anywhere}}
  - {{name: man, behaviors: [man], where: anywhere}}
"""


def built(folder: Path, text: str, snapshots: dict[date, str]) -> Rows:
    """Sync and build what is in `folder`; return what asks the finished tables."""
    shutil.copy(DATA / "cdnow.parquet", folder)
    (folder / "strategy.yml").write_text(STRATEGY, encoding="utf-8")
    (folder / config.CONFIG_NAME).write_text(text, encoding="utf-8")
    found = config.load(folder / config.CONFIG_NAME)
    for outcome in sync_selected(found, []):
        if outcome.error is not None:
            raise outcome.error
    build.prepare(found, build.plan(found))
    database = found.home / build.BUILD_NAME
    with duckdb.connect(str(database)) as connection:
        connection.execute("delete from control.snapshots")
        connection.executemany(
            "insert into control.snapshots values (?, ?)",
            [list(pair) for pair in snapshots.items()],
        )
    seeds = ["seed"]
    models = ["run", "--select", *(f"+{model}" for model in MODELS)]
    for command in (seeds, models):
        failed = dbt.failure(dbt.run(found.home, command), found.home)
        if failed:
            raise failed

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    return rows


def write_lives(path: Path) -> None:
    """Write the days on which flies and men were there, as a shop sees its customers.

    Who ended came for the last time so many days after the first, long ago. Who was only watched
    for so long still comes: they came that many days before the last day that can be judged.
    """
    with (DATA / "waltons.csv").open() as flies, (DATA / "rossi.csv").open() as men:
        subjects = [
            ("fly", int(float(row["T"])), row["E"] == "1") for row in csv.DictReader(flies)
        ] + [("man", 7 * int(row["week"]), row["arrest"] == "1") for row in csv.DictReader(men)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "who", "kind", "day"])
        for number, (kind, days, is_over) in enumerate(subjects):
            first = CUT - timedelta(days=800 if is_over else QUIET_DAYS + days)
            last = first + timedelta(days=days) if is_over else CUT
            there = {first + timedelta(days=step) for step in range(0, (last - first).days, 60)}
            for day in sorted({*there, last}):
                writer.writerow([f"{number}-{day}", f"{kind}{number}", kind, day])


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """All of CDNOW as of June 1998, and of the cut nine months before."""
    folder = tmp_path_factory.mktemp("everybody")
    yield built(folder, SHOP.format(as_of=END, where="{}"), {CUT: "backcast", END: "backcast"})


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """The 2,357 customers of the papers as of September 1997, and the lives of flies and men."""
    folder = tmp_path_factory.mktemp("sample")
    write_lives(folder / "lives.csv")
    text = SHOP.format(as_of=CUT, where='{in_sample: "1"}') + LIVES
    yield built(folder, text, {CUT: "backcast"})


# ---------------------------------------------------------------- CDNOW, the sample of the papers


def test_the_buying_models_have_the_published_parameters(sample: Rows) -> None:
    found = {
        row[0]: row[1:]
        for row in sample(
            "select model, round(r, 3), round(alpha, 3), round(a, 3), round(b, 3), "
            "round(log_likelihood, 1), n from rel_value_model where model like '%bg_nbd'"
        )
    }
    assert found == {
        "bg_nbd": (0.243, 4.414, 0.793, 2.426, -9582.4, 2357),
        "mbg_nbd": (0.525, 6.183, 0.891, 1.614, -9582.1, 2357),
    }


def test_the_spending_model_has_the_published_parameters(sample: Rows) -> None:
    assert sample(
        "select round(p, 2), round(q, 2), round(gamma, 1), n, currency from rel_value_model "
        "where model = 'gamma_gamma'"
    ) == [(6.25, 3.74, 15.4, 946, "USD")]


def test_a_customer_is_expected_to_buy_as_published(sample: Rows) -> None:
    """Customer 0001 of the sample, 4 of all: 2 repeats, the last in week 30.43 of 38.86."""
    [(expected,)] = sample(
        "select expected_purchases from rel_value join int_purchases__histories h "
        "using (as_of, basis, party_id) where h.repeats = 2 and h.recency_days = 213 "
        "and h.age_days = 272 limit 1"
    )
    assert expected == pytest.approx(1.226, abs=0.0005)


def test_how_often_they_buy_before_they_stop_is_as_published(sample: Rows) -> None:
    assert sample(
        "select round(model_beyond_1, 3), round(model_beyond_2, 3), round(model_beyond_3, 3) "
        "from rel_lifetime where step = 'purchase' and cohort_type = 'all' and is_chosen"
    ) == [(0.754, 0.612, 0.519)]


def test_the_sample_has_the_published_number_of_repeats(sample: Rows) -> None:
    assert sample("select sum(repeats)::int from int_purchases__histories") == [(2457,)]


# ---------------------------------------------------------------- CDNOW, everybody


def test_purchases_before_defection_are_as_published(everybody: Rows) -> None:
    [row] = everybody(
        "select round(gone_after_mean, 2), gone_after_median::double, "
        "round(100 * gone_after_one_share, 1), round(100 * gone_after_four_share, 1) "
        f"from rel_lifetime where as_of = '{END}' and step = 'purchase' "
        "and cohort_type = 'all' and quiet_days = 180"
    )
    # 66.3 is what a silence of more than 181 days gives
    assert row == (1.70, 1.0, 66.2, 8.1)
    [(mean,)] = everybody(
        "select round(gone_after_mean, 2) from rel_lifetime where quiet_days = 365 "
        f"and as_of = '{END}' and step = 'purchase' and cohort_type = 'all'"
    )
    assert mean == 1.31


def test_how_much_hangs_on_how_few_is_as_published(everybody: Rows) -> None:
    assert everybody(
        "select buyers, spend::varchar, round(gini, 4), round(100 * top_20_share, 1) "
        f"from rel_value_segment where as_of = '{END}' and segment_type = 'all'"
    ) == [(23570, "2500315.63", 0.6346, 67.8)]


def test_the_order_of_risk_is_as_right_as_published(everybody: Rows) -> None:
    """0.769 and 0.729, and 0.759 and 0.711 by recency, with repeats where we have active days."""
    assert everybody(
        "select population, round(auc_by_score, 3), round(auc_by_recency, 3) "
        f"from rel_disengagement_check where as_of = '{END}' and horizon_days = 273 "
        "and population <> 'drifting' order by 1"
    ) == [("came again", 0.728, 0.711), ("everybody", 0.769, 0.759)]


def auc(everybody: Rows, column: str, repeaters: bool = False) -> float:
    """Chance that who bought after the cut has the larger value of a column of `rel_value`."""
    [(share,)] = everybody(
        f"""
        with later as (
            select v.party_id, v.{column} as value,
                bool_or(s.day > date '{CUT}') as came
            from rel_value v join int_parties__steps s using (party_id)
            where v.as_of = '{CUT}' and s.step = 'purchase'
            and (v.purchase_days > 1 or not {repeaters}) group by all
        ),
        ranked as (
            select *, rank() over (order by value)
                + (count(*) over (partition by value) - 1) / 2 as place
            from later
        )
        select (sum(place) filter (where came) - count(*) filter (where came)
            * (count(*) filter (where came) + 1) / 2)
            / (count(*) filter (where came) * count(*) filter (where not came)) from ranked
        """
    )
    return float(share)


@pytest.mark.parametrize(
    ("column", "everyone", "repeaters"),
    [("expected_purchases", 0.763, 0.732), ("p_alive", 0.320, 0.700)],
)
def test_bg_nbd_orders_people_as_published(
    everybody: Rows, column: str, everyone: float, repeaters: float
) -> None:
    assert auc(everybody, column) == pytest.approx(everyone, abs=0.001)
    assert auc(everybody, column, repeaters=True) == pytest.approx(repeaters, abs=0.001)


def test_the_ladder_is_as_published(everybody: Rows) -> None:
    ladder = everybody(
        "select ordinal, round(100 * reached_share, 2), median_days::double, p25_days::double, "
        "p75_days::double, round(100 * reached_share_365d, 2) from rel_cadence "
        f"where as_of = '{END}' and step = 'purchase' and ordinal <= 5 order by 1"
    )
    assert [row[1] for row in ladder] == [48.86, 31.72, 22.36, 16.27]
    assert ladder[2][2:] == (198, 94, 326, 18.15)


# ---------------------------------------------------------------- survival


def test_waltons_flies_live_as_published(sample: Rows) -> None:
    """`lifelines`: median 56, 0.827224 beyond day 30, restricted mean 50.133969, variance of it."""
    [row] = sample(
        "select came, ended, median_days, round(alive_30d, 6), round(rmst_12m_days, 6) "
        "from rel_lifetime where step = 'fly' and cohort_type = 'all' "
        "and is_chosen"
    )
    assert row == (163, 156, 56, 0.827224, 50.133969)


def test_rossis_men_stay_free_as_published(sample: Rows) -> None:
    """`lifelines` on days of seven to the week; 318 of 432 were never arrested."""
    [row] = sample(
        "select came, ended, round(alive_30d, 6), round(alive_90d, 6), round(alive_180d, 6), "
        "round(alive_270d, 6), median_days from rel_lifetime "
        "where step = 'man' and cohort_type = 'all' and is_chosen"
    )
    assert row == (432, 114, 0.990741, 0.956019, 0.881944, 0.817130, None)
