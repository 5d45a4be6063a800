"""What people know better: reviewed CSV files beside rapport.yml that win over every rule.

Belongs here: all that people wrote, `identity/links.csv` and `identity/identifiers.csv`, and saying
at which line one is wrong or contradicts another. Does not belong here: the other files (`claims`,
`suppressions`, `pins`, `verdicts`), what a link does to a component (`graph`), or which profiles
hold an identifier (`identity_override`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from connectors.errors import ConfigError
from rapport.identity import claims, pins, suppressions, verdicts
from rapport.identity.claims import Claim
from rapport.identity.lines import FOLDER, choice, day, digested, rows
from rapport.identity.pins import Pin
from rapport.identity.suppressions import Suppression
from rapport.identity.verdicts import ACTIONS, REVIEWS, Review

LINKS, IDENTIFIERS = f"{FOLDER}/links.csv", f"{FOLDER}/identifiers.csv"
ID_TYPES = ("email", "phone", "external_id", "domain")
FLAGS = {"role": "role", "shared": "shared", "block": "blocked", "trust": "ok",
         "reissued": "reissued"}  # fmt: skip
"""Word in the file -> flag in `identity_identifier_book`."""
MOST_PROFILES_OF_AN_IDENTIFIER = 12
"""Of more, whoever links by it hardly means all of them."""

FILES = (*(LINKS, IDENTIFIERS, claims.CLAIMS, suppressions.SUPPRESSIONS, pins.PINS, REVIEWS),)
_LINK_COLUMNS = ("action", "left", "right", "reason", "author", "date", "expires")
_FLAG_COLUMNS = ("id_type", "value", "flag", "reason", "author", "date")
_LEAST_OF_A_PATTERN = 3


@dataclass(frozen=True, kw_only=True)
class Link:
    """One line of links.csv: `left` and `right` are one (`link`) or never are (`unlink`).

    Each side is a profile key, or `<id type>:<value>` for all profiles that hold the value.
    """

    line: int
    action: str
    left: str
    right: str
    reason: str
    expires: date | None


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One line of identifiers.csv: what a value is, or all values like `support@*`."""

    line: int
    id_type: str
    value: str
    flag: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """All that people wrote and is in force, and claims that are over; in the order of lines."""

    links: Sequence[Link]
    flags: Sequence[Flag]
    claims: Sequence[Claim] = field(default_factory=list)
    suppressions: Sequence[Suppression] = field(default_factory=list)
    pins: Sequence[Pin] = field(default_factory=list)
    reviews: Sequence[Review] = field(default_factory=list)

    def counts(self) -> str:
        """Return how many there are of each kind that there are, in words."""
        actions = [link.action for link in self.links]
        kinds = {"link": actions.count("link"), "unlink": actions.count("unlink"),
                 "identifier": len(self.flags), "claim": len(self.claims),
                 "suppression": len(self.suppressions), "pin": len(self.pins),
                 "review": len(self.reviews)}  # fmt: skip
        told = [f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.items() if count]
        return ", ".join(told) or "no lines"


def load(folder: Path, on: date) -> Overrides:
    """Read the files of a configuration's folder; a file that is not there says nothing.

    Args:
        folder: where rapport.yml lies.
        on: links that expired before this day are left out.

    Raises:
        ConfigError: a line cannot be understood, or contradicts another.
    """
    links = [
        link
        for line, row in rows(folder, LINKS, _LINK_COLUMNS, optional=("expires",))
        if (link := _link(line, row)).expires is None or link.expires >= on
    ]
    reviews = verdicts.load(folder)
    refuse_contradictions(said(links, reviews))
    return Overrides(
        links=links,
        flags=_flags(folder),
        claims=claims.load(folder),
        suppressions=suppressions.load(folder),
        pins=pins.load(folder),
        reviews=reviews,
    )


def fingerprint(folder: Path) -> str:
    """Return a digest of the files as they are written."""
    digest = hashlib.sha256()
    for name in FILES:
        path = folder / name
        digest.update(name.encode() + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return digest.hexdigest()


def said(
    links: Iterable[Link], reviews: Iterable[Review], name: str = REVIEWS
) -> Iterable[tuple[str, str, str, str]]:
    """Yield (action, left, right, place) of what joins two profiles or keeps them apart.

    Args:
        name: the file that the verdicts stand in.
    """
    for link in links:
        yield link.action, link.left, link.right, f"{LINKS}:{link.line}"
    for one in reviews:
        if one.verdict in ACTIONS:
            yield ACTIONS[one.verdict], one.left, one.right, f"{name}:{one.line}"


def side(text: str) -> tuple[str, str]:
    """Return what a side of a link is, `profile` or the type of its identifier, and which."""
    kind, _, value = text.partition(":")
    return (kind, value) if kind in ID_TYPES else ("profile", text)


def pattern(value: str) -> tuple[str | None, str | None, str | None]:
    """Return a value as (value, beginning, ending): alone, or what stands around its `*`."""
    beginning, star, ending = value.partition("*")
    return (None, beginning, ending) if star else (value, None, None)


def refuse_contradictions(lines: Iterable[tuple[str, str, str, str]]) -> None:
    """Hold (action, left, right, place) of links and unlinks against each other.

    Raises:
        ConfigError: an unlink names two that links join, be it over others.
    """
    known = sorted(set(lines), key=lambda known: (_in_order(known[3]), known))
    neighbors: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for action, left, right, place in known:
        if action == "link":
            neighbors[left].setdefault(right, place)
            neighbors[right].setdefault(left, place)
    for action, left, right, place in known:
        if action == "unlink" and (way := _way(neighbors, left, right)):
            told = ", ".join(sorted(set(way), key=_in_order))
            raise ConfigError(
                f"{place}: it keeps `{left}` and `{right}` apart, which these lines make one: "
                f"{told}. Remove one of them."
            )


def _in_order(place: str) -> tuple[int, str]:
    return len(place), place  # line 9 before line 10


def refuse_crowds(holders: Mapping[tuple[str, str], int]) -> None:
    """Hold the number of profiles that a side of a line stands for, (place, side) -> profiles.

    Raises:
        ConfigError: an identifier is of so many that they cannot all be meant.
    """
    for (place, side), count in sorted(holders.items()):
        if count > MOST_PROFILES_OF_AN_IDENTIFIER:
            raise ConfigError(
                f"{place}: `{side}` is an identifier of more than "
                f"{MOST_PROFILES_OF_AN_IDENTIFIER} profiles. Name the profiles instead."
            )


def _way(neighbors: Mapping[str, Mapping[str, str]], start: str, end: str) -> list[str]:
    """Return the places on a shortest way between two; empty if there is none."""
    ways: dict[str, list[str]] = {start: []}
    for here in (queue := [start]):
        for there, place in neighbors.get(here, {}).items():
            if there not in ways:
                ways[there] = [*ways[here], place]
                queue.append(there)
    return ways.get(end, [])


def _link(line: int, row: Mapping[str, str]) -> Link:
    where = f"{LINKS}:{line}"
    choice(where, "action", row["action"], ("link", "unlink"))
    for side in ("left", "right"):
        kind, _, value = row[side].partition(":")
        if not value or (kind not in ID_TYPES and ":" not in value):
            raise ConfigError(
                f"{where}: `{side}` is `{row[side]}`; write a profile key like "
                "`crm:contacts:0035g00000AbCdEEAV` or an identifier like `email:ann@acme.com`."
            )
    if row["left"] == row["right"]:
        raise ConfigError(f"{where}: `left` and `right` are the same. Remove the line.")
    day(where, "date", row["date"])
    return Link(
        line=line,
        action=row["action"],
        left=digested(row["left"]),
        right=digested(row["right"]),
        reason=row["reason"],
        expires=day(where, "expires", row["expires"]) if row["expires"] else None,
    )


def _flags(folder: Path) -> list[Flag]:
    flags: dict[tuple[str, str], Flag] = {}
    for line, row in rows(folder, IDENTIFIERS, _FLAG_COLUMNS):
        where = f"{IDENTIFIERS}:{line}"
        choice(where, "id_type", row["id_type"], ID_TYPES)
        choice(where, "flag", row["flag"], tuple(FLAGS))
        day(where, "date", row["date"])
        value = row["value"].lower() if row["id_type"] in ("email", "domain") else row["value"]
        written = len(value.replace("*", ""))
        if value.count("*") > 1 or ("*" in value and written < _LEAST_OF_A_PATTERN):
            raise ConfigError(
                f"{where}: `value` is `{row['value']}`; write a value, or one `*` beside at least "
                f"{_LEAST_OF_A_PATTERN} characters for all values like it."
            )
        flag = Flag(line=line, id_type=row["id_type"], value=value, flag=FLAGS[row["flag"]],
                    reason=row["reason"])  # fmt: skip
        other = flags.setdefault((flag.id_type, flag.value), flag)
        if other.flag != flag.flag:
            raise ConfigError(
                f"{where}: `{row['value']}` has another flag in line {other.line}. "
                "Remove one of them."
            )
    return list(flags.values())
