"""What people said of pairs of profiles: `identity/reviews.csv`.

Belongs here: reading the file. Does not belong here: asking and appending (`reviews`), what a
verdict does to a pair (`identity_override`) or says of a rule (`identity_rule_standing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConfigError
from rapport.identity.lines import FOLDER, choice, day, profile_key, rows

REVIEWS = f"{FOLDER}/reviews.csv"
COLUMNS = ("rule_id", "left", "right", "verdict", "reason", "author", "date")
VERDICTS = ("yes", "no", "unsure")
ACTIONS = {"yes": "link", "no": "unlink"}
"""Verdict -> what it does; who is unsure does nothing."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One line of reviews.csv: whether two profiles, left < right, are one.

    `rules` are those that the pair stands for in their samples.
    """

    line: int
    rules: Sequence[str]
    left: str
    right: str
    verdict: str
    reason: str


def load(folder: Path) -> list[Review]:
    """Read the file of a configuration's folder.

    Raises:
        ConfigError: a line cannot be understood.
    """
    return [review(line, row) for line, row in rows(folder, REVIEWS, COLUMNS)]


def review(line: int, row: Mapping[str, str], name: str = REVIEWS) -> Review:
    """Return what a line of a file of verdicts says; errors name the file `name`.

    Raises:
        ConfigError: it cannot be understood.
    """
    where = f"{name}:{line}"
    choice(where, "verdict", row["verdict"], VERDICTS)
    left, right = sorted(profile_key(where, side, row[side]) for side in ("left", "right"))
    if left == right:
        raise ConfigError(f"{where}: `left` and `right` are the same. Remove the line.")
    day(where, "date", row["date"])
    return Review(line=line, rules=tuple(row["rule_id"].split()), left=left, right=right,
                  verdict=row["verdict"], reason=row["reason"])  # fmt: skip
