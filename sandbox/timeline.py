"""The order in which things happen: acts waiting for their time, and the day's dice.

Belongs here: the queue, the random numbers, the shapes of random delays.
Does not belong here: what the acts do (`sandbox.crm_life`, `sandbox.forum_life`).
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Generic, TypeVar

Act = Callable[..., None]
"""Called with the moment it happens, then with its arguments."""

DAY = timedelta(days=1)

T = TypeVar("T")


class Dice:
    """Random numbers, and delays and moments of the shapes that life has.

    Args:
        rng: drawn from; may be replaced.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def chance(self, share: float) -> bool:
        """Return True in `share` of the calls."""
        return self.rng.random() < share

    def poisson(self, mean: float) -> int:
        """Return how many events of this mean happen."""
        if mean <= 0:
            return 0
        if mean > 30:
            return max(0, round(self.rng.gauss(mean, math.sqrt(mean))))
        limit, product, count = math.exp(-mean), self.rng.random(), 0
        while product > limit:
            product *= self.rng.random()
            count += 1
        return count

    def waits(self, days: float) -> timedelta:
        """Return an exponential delay of this mean, at least a minute."""
        return timedelta(seconds=60 + int(self.rng.expovariate(1 / (days * 86_400))))

    def lognormal(self, median_h: float, sigma: float) -> timedelta:
        """Return a log-normal delay, seconds and milliseconds, at least half a minute."""
        seconds = median_h * 3600 * math.exp(self.rng.gauss(0, sigma))
        return timedelta(milliseconds=30_000 + int(min(seconds, 200 * 86_400) * 1000))

    def moment(self, midnight: datetime) -> datetime:
        """Return a time of this day, mostly around the early afternoon, UTC."""
        hour = self.rng.gauss(14.0, 4.0) % 24.0
        return midnight + timedelta(milliseconds=int(hour * 3_600_000))

    def office_hour(self, midnight: datetime) -> datetime:
        """Return a time between 8 and 18 o'clock, in whole seconds."""
        return midnight + timedelta(seconds=self.rng.randrange(8 * 3600, 18 * 3600))


class Lottery(Generic[T]):
    """Draws one of many by weights that change: the one that `random.choices` would draw.

    Kept in blocks, so that neither a draw nor a change reads them all.
    """

    _BLOCK = 128

    def __init__(self) -> None:
        self._place: dict[T, int] = {}
        self._items: list[T] = []
        self._weights: list[float] = []
        self._sums: list[float] = []

    def put(self, item: T, weight: float) -> None:
        """Give something its weight; what is new comes last, what weighs 0 is never drawn."""
        place = self._place.setdefault(item, len(self._items))
        if place == len(self._items):
            self._items.append(item)
            self._weights.append(weight)
        self._weights[place] = weight
        block = place // self._BLOCK
        start = block * self._BLOCK
        self._sums[block : block + 1] = [sum(self._weights[start : start + self._BLOCK])]

    def draw(self, rng: Random) -> T:
        """Return one of them; something must weigh more than 0."""
        sums = list(accumulate(self._sums))
        left = rng.random() * sums[-1]
        block = bisect(sums, left, 0, len(sums) - 1)
        start = block * self._BLOCK
        weights = list(accumulate(self._weights[start : start + self._BLOCK]))
        left -= sums[block] - weights[-1]
        return self._items[start + bisect(weights, left, 0, len(weights) - 1)]

    def __bool__(self) -> bool:
        return any(self._sums)


class Timeline(Dice):
    """Acts in order of time; a new random sequence each day, seeded by (seed, day).

    Because the sequence is only drawn from while acts run, and acts run in order of
    time, it makes no difference in how many steps time is moved.

    Args:
        seed: of the whole world.
        start: when the first day begins.
        plan_day: called at each midnight, before anything else of that day.
    """

    def __init__(self, seed: int, start: datetime, plan_day: Act) -> None:
        super().__init__(Random(f"{seed}/founding"))
        self.seed = seed
        self.start = start
        self._plan_day = plan_day
        self._queue: list[tuple[datetime, int, Act, tuple[Any, ...]]] = []
        self._count = 0
        self.at(start, self._begin_day)

    def at(self, when: datetime, act: Act, *arguments: Any) -> None:
        """Let `act(when, *arguments)` happen; of two at one moment, the first given is first."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, act, arguments))

    def run(self, until: datetime) -> None:
        """Let everything happen whose time is not after `until`."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            when, _, act, arguments = heapq.heappop(queue)
            act(when, *arguments)

    def day(self, when: datetime) -> int:
        """Return the number of whole days since the start."""
        return (when - self.start) // DAY

    def _begin_day(self, midnight: datetime) -> None:
        self.rng = Random(f"{self.seed}/{self.day(midnight)}")
        self.at(midnight + DAY, self._begin_day)
        self._plan_day(midnight)
