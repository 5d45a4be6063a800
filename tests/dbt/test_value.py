"""What relationships bring, cost and promise, worked out by hand."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.dbt.ledger import Ledger, Models
from tests.dbt.test_cadence import buy, shop
from tests.dbt.test_metrics import AS_OF, days_ago


def counted_in(ledger: Ledger, **value: str) -> None:
    """Set what strategy.yml says under `value`, and a home currency."""
    for name, said in {"currency": "EUR", **value}.items():
        ledger.add("control.settings", {"name": name, "value": said})


def sell(ledger: Ledger, who: str, age: int, amount: str, currency: str | None = "EUR") -> None:
    buy(
        ledger, f"{who}-{age}-{amount}", days_ago(age), person_id=who, amount=amount,
        currency=currency,
    )  # fmt: skip


def value(ledger: Ledger, party: str, currency: str = "EUR") -> dict[str, Any]:
    return ledger.one(
        f"select * from rel_value where party_id = '{party}' and currency = '{currency}'"
    )


def test_margin_and_cost_are_what_the_strategy_says(models: Models) -> None:
    ledger = Ledger(models, AS_OF)
    ledger.configure(shop="orders", crm="crm")
    counted_in(ledger, margin_share="0.4", service_hour="60")
    ledger.add("control.service_minutes", {"kind": "call", "minutes": 15})
    ledger.add("control.service_minutes", {"kind": "meeting", "minutes": 45})
    ledger.person("us", is_staff=True)
    for who in ("ann", "bob"):
        ledger.person(who, organization_id="acme")
    sell(ledger, "ann", 500, "100.10")
    sell(ledger, "ann", 20, "50")
    sell(ledger, "ann", 20, "7", "USD")
    crm = {"silo": "crm", "channel": "phone", "source": "crm", "visibility": "private"}
    for key, age, kind in (("c1", 400, "call"), ("c2", 9, "call"), ("m", 8, "meeting")):
        ledger.act(key, "us", days_ago(age), kind, target_person_id="ann", **crm)
    ledger.act("c3", "us", days_ago(3), "call", target_person_id="bob", **crm)
    ledger.act("mail", "us", days_ago(3), "email", target_person_id="bob", **crm)
    ledger.act("theirs", "bob", days_ago(3), "call", target_person_id="us", **crm)
    ledger.build()
    ann = value(ledger, "ann")
    assert (ann["spend"], ann["spend_365d"]) == (Decimal("150.10"), Decimal("50.00"))
    assert (ann["margin"], ann["margin_365d"]) == (Decimal("60.04"), Decimal("20.00"))
    assert (ann["cost_to_serve"], ann["cost_to_serve_365d"]) == (75, 60)
    assert (ann["profit"], ann["profit_365d"]) == (Decimal("-14.96"), Decimal("-40.00"))
    assert (ann["person_id"], ann["organization_id"]) == ("ann", "acme")
    bob = value(ledger, "bob")
    assert (bob["spend"], bob["cost_to_serve"], bob["purchase_days"]) == (0, 15, 0)
    dollars = value(ledger, "ann", "USD")
    assert (dollars["spend"], dollars["cost_to_serve"], dollars["profit"]) == (7, None, None)
    everybody = ledger.one("select * from rel_value_segment where currency = 'EUR'")
    # all our minutes with anybody: three calls and a meeting
    assert everybody["cost_to_serve"] == 3 * 15 + 45
    assert (everybody["parties"], everybody["buyers"]) == (2, 1)


def test_what_nobody_says_stays_unknown(models: Models) -> None:
    ledger = shop(models)
    ledger.person("ann")
    sell(ledger, "ann", 20, "50", None)
    row = value(ledger.build(), "ann", "unknown")
    assert row["spend"] == 50
    unknown = ("margin", "cost_to_serve", "profit", "expected_spend", "p_alive", "expected_rank")
    assert [row[name] for name in unknown] == [None] * len(unknown)
    models_ = {
        row["model"]: (row["state"], row["reason_1"])
        for row in ledger.rows("select * from rel_value_model")
    }
    assert models_ == dict.fromkeys(
        ("bg_nbd", "mbg_nbd"),
        ("too few", "fewer than 100 buyers, or than 30 who bought again"),
    )


def test_how_much_hangs_on_how_few(models: Models) -> None:
    ledger = shop(models)
    spent = [100, 20, 20, 20, 20, 10, 5, 3, 1, 1]
    for number, amount in enumerate(spent):
        ledger.person(f"p{number}")
        sell(ledger, f"p{number}", 10 + number, str(amount))
    row = ledger.build().one("select * from rel_value_segment")
    mean_difference = sum(abs(a - b) for a in spent for b in spent)
    assert row["gini"] == pytest.approx(mean_difference / (2 * len(spent) * sum(spent)))
    assert (row["top_1_share"], row["top_10_share"], row["top_20_share"]) == (0.5, 0.5, 0.6)
    assert row["mean_spend"] == 20
    assert row["reason_1"] == "a fifth of the buyers brought 60 % of what was spent"


def test_a_segment_of_few_is_drawn_toward_all(models: Models) -> None:
    ledger = shop(models)
    ledger.add("control.segment_rules", {"segment_type": "tier", "origin": "custom", "field": "T"})
    rng = random.Random(4)
    # the two of `lucky` spent most, which two of sixty do by chance
    for number in range(62):
        who, tier = f"p{number:02}", "lucky" if number < 2 else ("a", "b")[number % 2]
        ledger.person(who)
        ledger.add(
            "bridge_person_segment", {"person_id": who, "segment_type": "tier", "segment": tier}
        )
        amount = 130 if tier == "lucky" else rng.gauss(120 if tier == "a" else 60, 50)
        sell(ledger, who, 5 + number, f"{max(amount, 1):.2f}")
    rows = {
        row["segment"]: row
        for row in ledger.build().rows(
            "select * from rel_value_segment where segment_type = 'tier'"
        )
    }
    everybody = ledger.one("select * from rel_value_segment where segment_type = 'all'")
    assert sum(row["spend"] for row in rows.values()) == everybody["spend"]
    assert everybody["shrunk_mean_spend"] is None
    for row in rows.values():
        mean, shrunk = row["mean_spend"], row["shrunk_mean_spend"]
        assert abs(shrunk - everybody["mean_spend"]) < abs(mean - everybody["mean_spend"])
    pull = {
        tier: (row["mean_spend"] - row["shrunk_mean_spend"])
        / (row["mean_spend"] - everybody["mean_spend"])
        for tier, row in rows.items()
    }
    assert pull["lucky"] > 2 * pull["a"]
    assert rows["lucky"]["mean_spend"] == max(row["mean_spend"] for row in rows.values())
    assert (rows["a"]["spend_rank"], rows["b"]["spend_rank"]) == (1, 3)


@pytest.fixture(scope="module")
def steady_shop(models: Models) -> Ledger:
    """Four hundred customers of known making, in one currency."""
    ledger = shop(models)
    counted_in(ledger, margin_share="0.5", outlook_days="182")
    rng = np.random.default_rng(6)
    for number in range(400):
        who = f"p{number:03}"
        ledger.person(who)
        age, rate, stops = rng.integers(200, 600), rng.gamma(0.9, 1 / 60), rng.beta(0.9, 2.5)
        scale = rng.gamma(4, 1 / 15)
        at = 0.0
        while at < age:
            sell(ledger, who, int(age - at), f"{rng.gamma(6, 1 / scale) + 0.01:.2f}")
            if at and rng.random() < stops:
                break
            at += rng.exponential(1 / rate)
    return ledger.build()


def test_expectations_of_parties_add_up(steady_shop: Ledger) -> None:
    states = {
        row["model"]: row["state"] for row in steady_shop.rows("select * from rel_value_model")
    }
    assert states == dict.fromkeys(("bg_nbd", "mbg_nbd", "gamma_gamma"), "fitted")
    rows = steady_shop.rows("select * from rel_value")
    assert {row["expected_within_days"] for row in rows} == {182}
    whole = steady_shop.one("select * from rel_value_segment")
    assert whole["expected_spend"] == sum(row["expected_spend"] for row in rows)
    low, high = whole["expected_spend_low"], whole["expected_spend_high"]
    assert low < whole["expected_spend"] < high
    assert sorted(row["expected_rank"] for row in rows)[0] == 1
    for row in rows:
        assert row["expected_margin"] == pytest.approx(
            row["expected_spend"] / 2, abs=Decimal("0.01")
        )
        spend = float(row["expected_per_purchase"]) * row["expected_purchases"]
        assert float(row["expected_spend"]) == pytest.approx(spend, abs=0.02, rel=0.001)
    lifetime = steady_shop.one(
        "select * from rel_lifetime where is_chosen and step = 'purchase' and cohort_type = 'all'"
    )
    mean = sum(row["expected_purchases"] for row in rows) / len(rows)
    assert lifetime["expected_purchases"] == pytest.approx(mean, abs=1e-6)
    assert 1 > lifetime["model_beyond_1"] > lifetime["model_beyond_2"] > 0


def test_the_deviation_is_that_of_the_model(steady_shop: Ledger) -> None:
    """Against a million draws from the same posterior."""
    fits = {row["model"]: row for row in steady_shop.rows("select * from rel_value_model")}
    bg, gg = fits["bg_nbd"], fits["gamma_gamma"]
    row = steady_shop.one(
        "select v.*, h.repeats, h.recency_days, h.age_days, s.repeat_spend::double as spent "
        "from rel_value v join int_purchases__histories h using (as_of, basis, party_id) "
        "join int_spending__histories s using (as_of, basis, party_id, currency) "
        "where h.repeats between 3 and 6 order by party_id limit 1"
    )
    rng, draws = np.random.default_rng(1), 400_000
    x, age = row["repeats"], row["age_days"] / 7
    rate = rng.gamma(bg["r"] + x, 1 / (bg["alpha"] + age), draws)
    stops = rng.beta(bg["a"], bg["b"] + x, draws)
    came = np.minimum(rng.poisson(rate * 26), rng.geometric(stops))
    came = np.where(rng.random(draws) < row["p_alive"], came, 0)
    scale = rng.gamma(gg["p"] * x + gg["q"], 1 / (gg["gamma"] + row["spent"]), draws)
    spend = np.where(came > 0, rng.gamma(gg["p"] * np.maximum(came, 1)) / scale, 0)
    assert row["expected_purchases"] == pytest.approx(came.mean(), rel=0.02)
    assert float(row["expected_spend"]) == pytest.approx(spend.mean(), rel=0.02)
    assert float(row["expected_spend_deviation"]) == pytest.approx(spend.std(), rel=0.04)
