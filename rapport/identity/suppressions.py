"""Who asked not to be put together, or not to be shown at all.

Belongs here: reading `identity/suppressions.csv`, and which pairs of profiles it forbids. Does not
belong here: which profiles a line means (`identity_suppression`).

Only a key or a digest stands in the file, so that it may be kept when everything else is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from connectors.errors import ConfigError
from rapport.identity.graph import Components
from rapport.identity.lines import FOLDER, choice, day, rows

SUPPRESSIONS = f"{FOLDER}/suppressions.csv"
SCOPES = ("link_social", "profile", "all")

_COLUMNS = ("subject", "scope", "basis", "date")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """One line of suppressions.csv.

    Attributes:
        profile_key: the profile meant, or None where `digest` says which.
        digest: SHA-256, in hexadecimal, of an e-mail address in small letters; None otherwise.
        scope: `link_social` (joins no profile of somebody else's network), `profile` (joins
            nobody) or `all` (its rows leave every table of people).
        basis: on whose wish, in words.
    """

    line: int
    profile_key: str | None
    digest: str | None
    scope: str
    basis: str
    since: date


def load(folder: Path) -> list[Suppression]:
    """Read the file.

    Raises:
        ConfigError: a line cannot be understood.
    """
    return [_suppression(line, row) for line, row in rows(folder, SUPPRESSIONS, _COLUMNS)]


def place(line: int) -> str:
    """Return where a suppression stands."""
    return f"{SUPPRESSIONS}:{line}"


def kept_out(suppressed: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Return profile key -> why it joins nobody, of (profile key, scope, place)."""
    return {
        key: f"it joins nobody by {where}"
        for key, scope, where in sorted(suppressed)
        if scope == "profile"
    }


def kept_off(
    suppressed: Iterable[tuple[str, str, str]],
    pairs: Iterable[tuple[str, str]],
    networks: Set[str],
) -> dict[tuple[str, str], str]:
    """Return the pairs that must not become one, smaller key first, with the reason.

    Whoever is not to be linked with another network is kept off each of its profiles that any way
    of `pairs` leads to; a profile of such a network, off everybody who is not there.

    Args:
        suppressed: (profile key, scope, place).
        pairs: all pairs that could join.
        networks: the sources that are somebody else's network.
    """
    subjects = sorted((key, where) for key, scope, where in suppressed if scope == "link_social")
    if not subjects:
        return {}
    groups = Components()
    for left, right in pairs:
        groups.join(left, right)

    def is_foreign(key: str) -> bool:
        return key.partition(":")[0] in networks

    return {
        (min(key, other), max(key, other)): f"kept off other networks by {where}"
        for key, where in subjects
        for other in groups.members_of(groups.find(key))
        if is_foreign(key) != is_foreign(other)
    }


def _suppression(line: int, row: dict[str, str]) -> Suppression:
    where, subject = place(line), row["subject"]
    digest = subject.lower() if _DIGEST.fullmatch(subject.lower()) else None
    if digest is None and (subject.count(":") < 2 or "@" in subject):
        raise ConfigError(
            f"{where}: `subject` is neither a profile key like `crm:contacts:0035g00000AbCdEEAV` "
            "nor the SHA-256 of an e-mail address in small letters, 64 hexadecimal digits. "
            "Write one of them: an address itself must not stand here."
        )
    choice(where, "scope", row["scope"], SCOPES)
    return Suppression(
        line=line,
        profile_key=None if digest else subject,
        digest=digest,
        scope=row["scope"],
        basis=row["basis"],
        since=day(where, "date", row["date"]),
    )
