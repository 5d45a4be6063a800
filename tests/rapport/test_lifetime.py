"""The buying models, against published parameters, their own laws and simulated buyers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import hyp2f1

from rapport import lifetime
from rapport.lifetime import Fit, Floats

CDNOW = Path(__file__).resolve().parents[1] / "data" / "cdnow.parquet"
PAPER = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
positive = st.floats(0.05, 20)


@pytest.fixture(scope="module")
def sample() -> dict[str, Floats]:
    """The 2,357 customers of the papers, up to the end of September 1997."""
    columns = duckdb.sql(
        f"""
        with days as (
            select customer, "date"::date as day, sum(dollars::decimal(9, 2)) as spend,
                row_number() over (partition by customer order by "date") as number
            from '{CDNOW}' where in_sample = 1 and "date" <= '1997-09-30'
            group by customer, "date"
        )
        select
            count(*) - 1.0 as repeats,
            (max(day) - min(day)) / 7.0 as recency,
            (date '1997-09-30' - min(day)) / 7.0 as age,
            coalesce(avg(spend) filter (where number > 1), 0)::double as mean_spend
        from days group by customer order by customer
        """
    ).fetchnumpy()
    found = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    return found | {"count": np.ones(len(found["age"]))}


@pytest.fixture(scope="module")
def bg_nbd(sample: dict[str, Floats]) -> Fit:
    return lifetime.fit_buying(
        "bg_nbd", *(sample[name] for name in ("repeats", "recency", "age", "count"))
    )


def test_cdnow_gives_the_parameters_of_the_paper(bg_nbd: Fit) -> None:
    assert {name: round(value, 3) for name, value in bg_nbd.parameters.items()} == PAPER
    assert bg_nbd.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert (bg_nbd.state, bg_nbd.parties) == ("fitted", 2357)


def test_cdnow_gives_the_published_parameters_where_the_first_purchase_can_be_the_last(
    sample: dict[str, Floats],
) -> None:
    """BTYDplus prints 0.525, 6.183, 0.891, 1.614 and -9582 for the same customers."""
    fit = lifetime.fit_buying(
        "mbg_nbd", *(sample[name] for name in ("repeats", "recency", "age", "count"))
    )
    found = {name: round(value, 3) for name, value in fit.parameters.items()}
    assert found == {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}
    assert round(fit.log_likelihood) == -9582


def test_cdnow_spends_as_published(sample: dict[str, Floats]) -> None:
    again = sample["repeats"] > 0
    assert again.sum() == 946
    fit = lifetime.fit_spending(
        *(sample[name][again] for name in ("repeats", "mean_spend", "count"))
    )
    found = {name: round(value, 2) for name, value in fit.parameters.items()}
    assert found == {"p": 6.25, "q": 3.74, "gamma": 15.44}


def test_the_first_customer_is_expected_to_buy_as_in_the_paper(bg_nbd: Fit) -> None:
    one = lifetime.outlook(
        "bg_nbd", bg_nbd.parameters, np.array([2.0]), np.array([30.43]), np.array([38.86]), 39
    )
    assert one.expected[0] == pytest.approx(1.226, abs=0.0005)
    assert [round(lifetime.share_beyond(n, bg_nbd.parameters), 3) for n in (1, 2, 3)] == [
        0.754, 0.612, 0.519,
    ]  # fmt: skip


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
@settings(max_examples=60)
@given(st.tuples(positive, positive, positive, positive), st.integers(0, 2**32 - 1))
def test_the_gradient_is_the_slope_of_the_likelihood(
    model: lifetime.BuyingModel, parameters: tuple[float, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    repeats = rng.integers(0, 6, 8).astype(float)
    age = rng.uniform(1, 50, 8)
    recency = np.where(repeats > 0, rng.uniform(0, age), 0.0)
    count = rng.integers(1, 9, 8).astype(float)
    for likelihood, at in (
        (lifetime._buying_likelihood(model, repeats, recency, age, count), parameters),
        (lifetime._spending_likelihood(repeats + 1, age, count), parameters[:3]),
    ):
        point = np.array(at)
        slope = approx_fprime(point, lambda x, of=likelihood: of(x)[0], 1e-7 * point)
        size = 1 + np.abs(slope)
        assert np.all(np.abs(likelihood(point)[1] - slope) <= 2e-4 * size * (1 + 1 / point))


@settings(max_examples=100)
@given(
    st.tuples(positive, positive, st.floats(1.05, 9), positive),
    st.integers(0, 12),
    st.floats(0, 1),
    st.floats(0.1, 150),
    st.floats(0.1, 60),
)
def test_the_sum_over_purchases_is_the_closed_form_of_the_paper(
    parameters: tuple[float, ...], repeats: int, share: float, age: float, weeks: float
) -> None:
    r, alpha, a, b = parameters
    x, recency = float(repeats), share * age if repeats else 0.0
    told = lifetime.outlook(
        "bg_nbd",
        dict(zip(("r", "alpha", "a", "b"), parameters, strict=True)),
        *(np.array([value]) for value in (x, recency, age)),
        weeks,
    )
    z = weeks / (alpha + age + weeks)
    closed = (
        (a + b + x - 1)
        / (a - 1)
        * (1 - (1 - z) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z))
    )
    if repeats:
        closed /= 1 + a / (b + x - 1) * ((alpha + age) / (alpha + recency)) ** (r + x)
    if np.isfinite(closed) and closed >= 0:  # hyp2f1 loses its digits at times
        assert told.expected[0] == pytest.approx(closed, rel=1e-5, abs=1e-7)
    assert 0 < told.p_alive[0] <= 1
    assert told.low[0] <= told.high[0]


def test_who_bought_once_has_not_stopped_unless_the_first_purchase_can_be_the_last() -> None:
    once = (np.array([0.0]), np.array([0.0]), np.array([200.0]), 39.0)
    assert lifetime.outlook("bg_nbd", PAPER, *once).p_alive[0] == 1
    assert lifetime.outlook("mbg_nbd", PAPER, *once).p_alive[0] < 0.6


def test_a_fit_ends_where_no_parameter_makes_it_better(
    sample: dict[str, Floats], bg_nbd: Fit
) -> None:
    rows = (sample[name] for name in ("repeats", "recency", "age", "count"))
    point = np.array(list(bg_nbd.parameters.values()))
    slopes = lifetime._buying_likelihood("bg_nbd", *rows)(point)[1] * point / bg_nbd.parties
    assert np.max(np.abs(slopes)) < 1e-8


def test_rows_may_come_in_any_order_and_split(sample: dict[str, Floats], bg_nbd: Fit) -> None:
    names = ("repeats", "recency", "age", "count")
    order = np.random.default_rng(3).permutation(len(sample["age"]))
    halves = [np.concatenate([sample[name][order], sample[name]]) for name in names]
    halves[3] = halves[3] / 2
    assert lifetime.fit_buying("bg_nbd", *halves) == bg_nbd


def simulated(
    rng: np.random.Generator, people: int, *, leaves: tuple[float, float] | None
) -> tuple[list[list[float]], Floats]:
    """Return weeks of repeat purchases, and weeks watched, of buyers of known making.

    They buy at rates ~ Gamma(0.8, 6) and stop with chances ~ Beta(leaves), or never.
    """
    age = rng.uniform(40, 80, people)
    histories = []
    for end in age:
        rate, stops = rng.gamma(0.8, 1 / 6), rng.beta(*leaves) if leaves else 0.0
        at, history = rng.exponential(1 / rate), []
        while at < end:
            history.append(at)
            if rng.random() < stops:
                break
            at += rng.exponential(1 / rate)
        histories.append(history)
    return histories, age


def known(histories: list[list[float]], age: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return repeats, recency, age and count, as known when so many weeks had passed."""
    seen = [[at for at in history if at < end] for history, end in zip(histories, age, strict=True)]
    return (
        np.array([float(len(history)) for history in seen]),
        np.array([max(history, default=0.0) for history in seen]),
        age,
        np.ones(len(age)),
    )


def test_what_simulated_buyers_were_made_with_is_found() -> None:
    buyers = simulated(np.random.default_rng(8), 12_000, leaves=(0.9, 2.5))
    fit = lifetime.fit_buying("bg_nbd", *known(*buyers))
    for name, value in {"r": 0.8, "alpha": 6, "a": 0.9, "b": 2.5}.items():
        assert fit.parameters[name] == pytest.approx(value, rel=0.2), name


def test_the_interval_holds_what_comes_as_often_as_it_says() -> None:
    histories, age = simulated(np.random.default_rng(21), 6000, leaves=(0.9, 2.5))
    early = known(histories, age - 20)
    fit = lifetime.fit_buying("bg_nbd", *early)
    told = lifetime.outlook("bg_nbd", fit.parameters, *early[:3], 20)
    came = known(histories, age)[0] - early[0]
    assert np.mean((told.low <= came) & (came <= told.high)) >= 0.95
    assert told.expected.sum() == pytest.approx(came.sum(), rel=0.06)


def test_what_cannot_be_fitted_says_why() -> None:
    few = known(*simulated(np.random.default_rng(1), 99, leaves=None))
    assert lifetime.fit_buying("bg_nbd", *few).state == "too few"
    once = known([[]] * 500, np.full(500, 30.0))
    assert lifetime.fit_buying("bg_nbd", *once).state == "too few"
    endless = known(*simulated(np.random.default_rng(2), 2000, leaves=None))
    fit = lifetime.fit_buying("bg_nbd", *endless)
    assert (fit.state, dict(fit.parameters)) == ("at a bound", {})
    alike = (np.full(200, 3.0), np.full(200, 20.0), np.ones(200))
    assert lifetime.fit_spending(*alike).state == "at a bound"
