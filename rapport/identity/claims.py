"""Who said that a handle is theirs, and what may follow from it.

Belongs here: reading `identity/claims.csv`, and on what basis a claim joins a profile of which
source. Does not belong here: claims that a source holds in a field, and what a claim is worth
today (`identity_claim`).

On somebody else's network a profile joins nobody but by a claim: a person said so themselves, and
the source's policy allows the basis. A claim that is revoked takes back exactly what it joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from connectors import registry
from connectors.base import LINK_BASES, VOLUNTEERED
from rapport.config import SourceConfig
from rapport.identity.lines import FOLDER, choice, day, profile_key, rows

CLAIMS = f"{FOLDER}/claims.csv"
FOREIGN_SILO = "social"
"""An export or database of this silo shows somebody else's network, whatever its connector is."""

_COLUMNS = ("profile_left", "profile_right", "basis", "evidence", "asserted_at", "expires_at",
            "revoked_at", "author")  # fmt: skip
_OPTIONAL = ("expires_at", "revoked_at")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One line of claims.csv: the profile `left` belongs to whom the profile `right` shows.

    Attributes:
        left: a profile key, or `<source>:@<handle>`.
        expires_at: the last day it holds; None: it holds until it is revoked.
        revoked_at: the first day it holds no more.
    """

    line: int
    left: str
    right: str
    basis: str
    evidence: str
    asserted_at: date
    expires_at: date | None
    revoked_at: date | None
    author: str

    @property
    def handle(self) -> tuple[str, str] | None:
        """Return (source, handle in small letters) if the left side is one, else None."""
        source, _, handle = self.left.partition(":@")
        return (source, handle.lower()) if handle else None


def load(folder: Path) -> list[Claim]:
    """Read the file; claims that are over are among them.

    Raises:
        ConfigError: a line cannot be understood.
    """
    return [_claim(line, row) for line, row in rows(folder, CLAIMS, _COLUMNS, optional=_OPTIONAL)]


def place(line: int) -> str:
    """Return where a claim stands."""
    return f"{CLAIMS}:{line}"


def policies(sources: Iterable[SourceConfig]) -> list[tuple[str, bool, str]]:
    """Return (source, whether it is a space of our own, basis that a claim may have) of each."""
    return [
        (source.name, is_own, basis)
        for source in sources
        for is_own, bases in [_policy(source.type, source.silo)]
        for basis in bases
    ]


def _policy(source_type: str, silo: str) -> tuple[bool, tuple[str, ...]]:
    policy = registry.module(source_type).POLICY
    if policy.is_own_space and silo == FOREIGN_SILO:
        return False, VOLUNTEERED
    return policy.is_own_space, policy.link_bases


def _claim(line: int, row: dict[str, str]) -> Claim:
    where = place(line)
    if ":@" not in row["profile_left"]:
        profile_key(where, "profile_left", row["profile_left"])
    choice(where, "basis", row["basis"], LINK_BASES)
    return Claim(
        line=line,
        left=row["profile_left"],
        right=profile_key(where, "profile_right", row["profile_right"]),
        basis=row["basis"],
        evidence=row["evidence"],
        asserted_at=day(where, "asserted_at", row["asserted_at"]),
        expires_at=day(where, "expires_at", row["expires_at"]) if row["expires_at"] else None,
        revoked_at=day(where, "revoked_at", row["revoked_at"]) if row["revoked_at"] else None,
        author=row["author"],
    )
