"""Dice that do not read everything each time they are thrown."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sandbox.timeline import Lottery

changes = st.lists(st.tuples(st.integers(0, 300), st.sampled_from([0.0, 1.0, 2.5, 7.0])))


@given(changes, st.integers())
def test_a_lottery_draws_what_random_choices_would(
    puts: list[tuple[int, float]], seed: int
) -> None:
    lottery: Lottery[int] = Lottery()
    weights: dict[int, float] = {}
    for item, weight in puts:
        lottery.put(item, weight)
        weights[item] = weight
    assert bool(lottery) == any(weights.values())
    if lottery:
        one, other = random.Random(seed), random.Random(seed)
        drawn = [lottery.draw(one) for _ in range(20)]
        assert drawn == other.choices(list(weights), list(weights.values()), k=20)
        assert all(weights[item] for item in drawn)
