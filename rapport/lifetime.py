"""How people buy until they stop, and what they spend: three models, fitted to what was bought.

    BG/NBD       everybody buys at a steady rate of their own and may stop after each repeat
                 purchase (Fader, Hardie, Lee 2005, "Counting your customers the easy way")
    MBG/NBD      the same, and some stop after the first (Batislam, Denizel, Filiztekin 2007)
    Gamma-Gamma  what a purchase costs varies around a mean of one's own, whatever the rate
                 (Fader, Hardie 2013, "The Gamma-Gamma model of monetary value")

Belongs here: likelihoods with their gradients, fitting, and what follows from fitted parameters.
Does not belong here: what a purchase is, which parties count, or any table (`dbt_project`).

Parties who did the same are one row with a count: a likelihood then costs what is different, not
what is many. Times are weeks. The two buying models are one formula: `chances`, how often a party
could have stopped, is the number of repeat purchases, or one more where the first one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, psi

Floats = NDArray[np.float64]
BuyingModel = Literal["bg_nbd", "mbg_nbd"]
State = Literal["fitted", "too few", "no convergence", "at a bound"]

DAYS_PER_WEEK = 7
BUYING_PARAMETERS = ("r", "alpha", "a", "b")
OUTLOOK_DAYS = 365
"""How far is looked ahead where the strategy does not say."""
FEWEST_PARTIES = 100
FEWEST_REPEATERS = 30
"""Fewer who bought more than once and four parameters would be a guess."""

_LOWEST, _HIGHEST = np.log(1e-4), np.log(1e5)
_STARTS = (1.0, 0.3, 3.0)
_STEEPEST = 1e-6
"""A fit has converged when no parameter's slope, per party and by its logarithm, is above this."""
_MOST_STEPS = 60
_NUDGE = 1e-5
"""How far a logarithm is moved to see how the slopes change."""
_FLATTEST = 1e-8
"""Where the value curves less than this, it is taken to curve so much."""
_ROUNDING = 1e-12
"""A value is higher than another if it is so by more than this."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What fitting a model came to.

    Attributes:
        state: why there are no parameters, or `fitted`. `too few`: fewer than `FEWEST_PARTIES`
            parties or `FEWEST_REPEATERS` repeaters. `at a bound`: the data ask for a parameter
            without end, as where nobody ever stops. `no convergence`: the search gave up.
        parameters: by name, in the order of the publications; empty unless fitted.
        log_likelihood: of all parties together; not a number unless fitted.
        parties: how many it was fitted to.
    """

    state: State
    parameters: Mapping[str, float]
    log_likelihood: float
    parties: int


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a buying model expects of parties within a time; arrays in the parties' order.

    Attributes:
        p_alive: chance that they have not stopped.
        expected, variance: of the number of purchase days.
        low, high: at most one chance in forty lies below the one, and above the other.
    """

    p_alive: Floats
    expected: Floats
    variance: Floats
    low: Floats
    high: Floats


def fit_buying(
    model: BuyingModel, repeats: Floats, recency: Floats, age: Floats, count: Floats
) -> Fit:
    """Return r, alpha, a and b of a buying model by maximum likelihood.

    Args:
        repeats: purchase days after the first one.
        recency: weeks from the first to the last purchase day.
        age: weeks from the first purchase day to the end of what is known.
        count: parties with these three.
    """
    if _too_few(count, repeats):
        return _unfitted("too few", count)
    repeats, recency, age, count = _grouped(repeats, recency, age, count)
    # scaled, so that alpha is near 1: the search takes steps of one size in all directions
    scale = float(np.average(age, weights=count))
    likelihood = _buying_likelihood(model, repeats, recency / scale, age / scale, count)
    fit = _fit(likelihood, BUYING_PARAMETERS, count)
    return _rescaled(fit, "alpha", scale, per=float(count @ repeats))


def fit_spending(purchases: Floats, mean_spend: Floats, count: Floats) -> Fit:
    """Return p, q and gamma of the Gamma-Gamma model by maximum likelihood.

    Args:
        purchases: purchase days behind the mean, 1 or more.
        mean_spend: mean spend of such a day, more than 0.
        count: parties with these two.
    """
    if _too_few(count, purchases):
        return _unfitted("too few", count)
    purchases, mean_spend, count = _grouped(purchases, mean_spend, count)
    scale = float(np.average(mean_spend, weights=count))
    likelihood = _spending_likelihood(purchases, mean_spend / scale, count)
    fit = _fit(likelihood, ("p", "q", "gamma"), count)
    return _rescaled(fit, "gamma", scale, per=float(count.sum()))


def share_beyond(purchases: int, parameters: Mapping[str, float]) -> float:
    """Return the share of BG/NBD buyers who, given time without end, repeat more often than that.

    P(N > n) = B(a, b + n) / B(a, b): nobody is cut off by the end of the data.
    """
    a, b = parameters["a"], parameters["b"]
    return float(np.prod([(b + n) / (a + b + n) for n in range(purchases)]))


def outlook(
    model: BuyingModel,
    parameters: Mapping[str, float] | Mapping[str, Floats],
    repeats: Floats,
    recency: Floats,
    age: Floats,
    weeks: float,
) -> Outlook:
    """Return what a fitted buying model expects of each party in the next `weeks`.

    Parties of several fits may come together, each with the parameters of its own.

    Who is still there buys at a rate ~ Gamma(r + repeats, alpha + age) and stops with a chance
    ~ Beta(a, b + chances). At least k more purchases come about when k - 1 times they do not stop
    and k come in time: the product of a ratio of beta functions and a negative binomial tail. The
    sum of these over k is the mean, so no hypergeometric function is needed, which has no value
    at a = 1 and loses its digits for large counts.
    """
    r, alpha, a, b = (parameters[name] for name in BUYING_PARAMETERS)
    chances = _chances(model, repeats)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_odds_gone = np.where(
            chances > 0,
            np.log(a) - np.log(b + chances - 1)
            + (r + repeats) * (np.log(alpha + age) - np.log(alpha + recency)),
            -np.inf,
        )  # fmt: skip
    p_alive = expit(-log_odds_gone)

    rate_shape, z = r + repeats, weeks / (alpha + age + weeks)
    exactly = np.exp(rate_shape * np.log1p(-z))  # chance of exactly k orders, were nobody to stop
    in_time, stays = 1 - exactly, np.ones_like(z)
    expected, squared, low, high = (np.zeros_like(z) for _ in range(4))
    k = 1
    while True:
        at_least = p_alive * stays * np.maximum(in_time, 0.0)
        at_least = np.where(at_least > 1e-12, at_least, 0.0)  # whoever else is asked about
        if not at_least.any():
            break
        expected += at_least
        squared += (2 * k - 1) * at_least
        low = np.where(at_least >= 0.975, k, low)
        high = np.where(at_least > 0.025, k, high)
        stays = stays * (b + chances + k - 1) / (a + b + chances + k - 1)
        exactly = exactly * z * (rate_shape + k - 1) / k
        in_time = in_time - exactly
        k += 1
    return Outlook(
        p_alive=p_alive, expected=expected, variance=squared - expected**2, low=low, high=high
    )


def expected_spend(
    parameters: Mapping[str, float], purchases: Floats, mean_spend: Floats
) -> Floats:
    """Return the mean spend of a further purchase day: the own mean, drawn toward everybody's.

    `purchases` is 0 where nothing is known; `mean_spend` does not matter there.
    """
    p, q, gamma = (parameters[name] for name in ("p", "q", "gamma"))
    result: Floats = p * (gamma + purchases * mean_spend) / (p * purchases + q - 1)
    return result


Likelihood = Callable[[Floats], tuple[float, Floats]]
"""Parameters -> log-likelihood and its gradient."""


def _buying_likelihood(
    model: BuyingModel, repeats: Floats, recency: Floats, age: Floats, count: Floats
) -> Likelihood:
    # gamma functions depend on the number of repeats alone, of which there are few
    levels, level = np.unique(repeats, return_inverse=True)
    n = _chances(model, levels)
    weights = np.bincount(level, weights=count)
    total = count.sum()

    def likelihood(parameters: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = parameters
        log_age, log_recency = np.log(alpha + age), np.log(alpha + recency)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds = np.where(n > 0, np.log(a) - np.log(b + n - 1), -np.inf)
            last_chance = np.where(n > 0, 1 / (b + n - 1), 0.0)
        log_odds_gone = log_odds[level] + (r + repeats) * (log_age - log_recency)
        either = np.logaddexp(0.0, log_odds_gone) - (r + repeats) * log_age
        w_stayed = count * expit(-log_odds_gone)
        w_left = count - w_stayed
        by_level = (
            gammaln(r + levels) - gammaln(r) + gammaln(b + n) - gammaln(b)
            + gammaln(a + b) - gammaln(a + b + n)
        )  # fmt: skip
        value = weights @ by_level + total * r * np.log(alpha) + count @ either
        ends = weights @ (psi(a + b) - psi(a + b + n))
        w_left_by_level = np.bincount(level, weights=w_left)
        gradient = np.array(
            [
                weights @ (psi(r + levels) - psi(r)) + total * np.log(alpha)
                - w_stayed @ log_age - w_left @ log_recency,
                total * r / alpha
                - (r + repeats) @ (w_stayed / (alpha + age) + w_left / (alpha + recency)),
                ends + w_left.sum() / a,
                ends + weights @ (psi(b + n) - psi(b)) - w_left_by_level @ last_chance,
            ]
        )  # fmt: skip
        return float(value), gradient

    return likelihood


def _spending_likelihood(purchases: Floats, mean_spend: Floats, count: Floats) -> Likelihood:
    levels, level = np.unique(purchases, return_inverse=True)
    weights = np.bincount(level, weights=count)
    spend = purchases * mean_spend
    log_spend = np.log(spend)
    total, total_log_mean = count.sum(), count @ np.log(mean_spend)

    def likelihood(parameters: Floats) -> tuple[float, Floats]:
        p, q, gamma = parameters
        log_rate = np.log(gamma + spend)
        by_level = gammaln(p * levels + q) - gammaln(p * levels) - gammaln(q)
        value = (
            weights @ by_level + total * q * np.log(gamma) - total_log_mean
            + count @ (p * purchases * log_spend - (p * purchases + q) * log_rate)
        )  # fmt: skip
        at_p = psi(p * levels + q)
        gradient = np.array(
            [
                weights @ (levels * (at_p - psi(p * levels)))
                + (count * purchases) @ (log_spend - log_rate),
                weights @ (at_p - psi(q)) + total * np.log(gamma) - count @ log_rate,
                total * q / gamma - count @ ((p * purchases + q) / (gamma + spend)),
            ]
        )
        return float(value), gradient

    return likelihood


def _fit(likelihood: Likelihood, names: Sequence[str], count: Floats) -> Fit:
    """Return the parameters at which a likelihood is greatest."""
    parties = float(count.sum())

    def slope(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, gradient = likelihood(parameters)
        return -value / parties, -gradient * parameters / parties

    state: State = "no convergence"
    for start in _STARTS:
        logs, value, steepest = _lowest(slope, np.full(len(names), np.log(start)))
        if _at_a_bound(logs):
            state = "at a bound"
        elif steepest <= _STEEPEST:
            return Fit(
                state="fitted",
                parameters=dict(zip(names, np.exp(logs).tolist(), strict=True)),
                log_likelihood=-value * parties,
                parties=round(parties),
            )
    return _unfitted(state, count)


def _lowest(slope: Likelihood, point: Floats) -> tuple[Floats, float, float]:
    """Return where Newton's steps from `point` lead, the value there and the steepest slope.

    Written out, because `scipy.optimize` takes ten times longer to import than a fit to make, and
    because steps that end at the optimum, not near it, give the same digits on every machine.
    """
    value, gradient = slope(point)
    for _ in range(_MOST_STEPS):
        if np.max(np.abs(gradient)) <= _STEEPEST / 1000 or _at_a_bound(point):
            break
        ahead = [slope(point + nudge)[1] for nudge in _NUDGE * np.eye(len(point))]
        curves, ways = np.linalg.eigh((np.array(ahead) - gradient) / _NUDGE)
        # downhill, also where the value curves the wrong way; no parameter by more than e times
        step = -ways @ (ways.T @ gradient / np.maximum(np.abs(curves), _FLATTEST))
        step /= max(1.0, np.max(np.abs(step)))
        following = slope(point + step)
        while following[0] > value + _ROUNDING:
            step /= 2
            following = slope(point + step)
        point, (value, gradient) = point + step, following
    return point, value, float(np.max(np.abs(gradient)))


def _at_a_bound(logs: Floats) -> bool:
    return bool(np.any(logs <= _LOWEST) or np.any(logs >= _HIGHEST))


def _rescaled(fit: Fit, name: str, scale: float, per: float) -> Fit:
    """Return a fit to values divided by `scale` as one to the values themselves.

    `per`: how many densities, each of which is per unit, the likelihood multiplies.
    """
    if fit.state != "fitted":
        return fit
    return replace(
        fit,
        parameters={**fit.parameters, name: fit.parameters[name] * scale},
        log_likelihood=fit.log_likelihood - per * float(np.log(scale)),
    )


def _grouped(*columns: Floats) -> tuple[Floats, ...]:
    """Return the rows that differ, in one order whatever the order given; the last column adds."""
    *keys, count = columns
    order = np.lexsort(keys)
    sorted_keys = [key[order] for key in keys]
    is_new = np.concatenate([[True], np.any([np.diff(key) != 0 for key in sorted_keys], axis=0)])
    added = np.bincount(np.cumsum(is_new) - 1, weights=count[order])
    return (*(key[is_new] for key in sorted_keys), added)


def _too_few(count: Floats, repeats: Floats) -> bool:
    return bool(count.sum() < FEWEST_PARTIES or count[repeats > 0].sum() < FEWEST_REPEATERS)


def _chances(model: BuyingModel, repeats: Floats) -> Floats:
    return repeats + 1 if model == "mbg_nbd" else repeats


def _unfitted(state: State, count: Floats) -> Fit:
    return Fit(state=state, parameters={}, log_likelihood=float("nan"), parties=round(count.sum()))
