"""How many of how many, and how sure that is. Small: whoever measures memory takes it in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Share:
    """How many of how many."""

    right: int = 0
    of: int = 0

    def add(self, is_right: bool) -> None:
        self.right += is_right
        self.of += 1

    @property
    def share(self) -> float:
        return self.right / self.of if self.of else math.nan

    @property
    def low(self) -> float:
        """The lower end of the 95 % Wilson interval."""
        if not self.of:
            return 0.0
        z, n, p = 1.959964, self.of, self.share
        spread = z * math.sqrt((p * (1 - p) + z * z / 4 / n) / n)
        return (p + z * z / 2 / n - spread) / (1 + z * z / n)
