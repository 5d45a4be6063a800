"""What people know better: reviewed CSV files beside rapport.yml that win over every rule.

Belongs here: reading `identity/links.csv`, `identity/identifiers.csv` and `identity/reviews.csv`,
and saying at which line one is wrong or contradicts another. Does not belong here: what a link does
to a component (`graph`), which profiles hold an identifier (`identity_override`), or asking for
verdicts (`reviews`).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from connectors.errors import ConfigError, suggestion

FOLDER = "identity"
LINKS, IDENTIFIERS = f"{FOLDER}/links.csv", f"{FOLDER}/identifiers.csv"
REVIEWS = f"{FOLDER}/reviews.csv"
ID_TYPES = ("email", "phone", "external_id", "domain")
FLAGS = {"role": "role", "shared": "shared", "block": "blocked", "trust": "ok",
         "reissued": "reissued"}  # fmt: skip
"""Word in the file -> flag in `identity_identifier_book`."""
VERDICTS = ("yes", "no", "unsure")
MOST_PROFILES_OF_AN_IDENTIFIER = 12
"""Of more, whoever links by it hardly means all of them."""
ACTIONS = {"yes": "link", "no": "unlink"}
"""Verdict -> what it does; who is unsure does nothing."""

_COLUMNS = {
    LINKS: ("action", "left", "right", "reason", "author", "date", "expires"),
    IDENTIFIERS: ("id_type", "value", "flag", "reason", "author", "date"),
    REVIEWS: ("rule_id", "left", "right", "verdict", "reason", "author", "date"),
}
_OPTIONAL = ("expires",)
_LEAST_OF_A_PATTERN = 3
_COLONS_OF_A_KEY = 2


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


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """All that people wrote that is in force, in the order of the lines."""

    links: Sequence[Link]
    flags: Sequence[Flag]
    reviews: Sequence[Review]

    def counts(self) -> str:
        """Return how many there are of each kind, in words."""
        actions = [link.action for link in self.links]
        kinds = {"link": actions.count("link"), "unlink": actions.count("unlink"),
                 "identifier": len(self.flags), "review": len(self.reviews)}  # fmt: skip
        return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in kinds.items())


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
        for line, row in rows(folder, LINKS)
        if (link := _link(line, row)).expires is None or link.expires >= on
    ]
    reviews = [review(line, row) for line, row in rows(folder, REVIEWS)]
    refuse_contradictions(said(links, reviews))
    return Overrides(links=links, flags=_flags(folder), reviews=reviews)


def fingerprint(folder: Path) -> str:
    """Return a digest of the files as they are written."""
    digest = hashlib.sha256()
    for name in _COLUMNS:
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


def columns(name: str) -> tuple[str, ...]:
    """Return the columns of a file, in the order in which they are written."""
    return _COLUMNS[name]


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
    _day(where, "date", row["date"])
    return Link(
        line=line,
        action=row["action"],
        left=row["left"],
        right=row["right"],
        reason=row["reason"],
        expires=_day(where, "expires", row["expires"]) if row["expires"] else None,
    )


def review(line: int, row: Mapping[str, str], name: str = REVIEWS) -> Review:
    """Return what a line of a file of verdicts says.

    Raises:
        ConfigError: it cannot be understood.
    """
    where = f"{name}:{line}"
    choice(where, "verdict", row["verdict"], VERDICTS)
    for column in ("left", "right"):
        if row[column].count(":") < _COLONS_OF_A_KEY:
            raise ConfigError(
                f"{where}: `{column}` is `{row[column]}`; write a profile key like "
                "`crm:contacts:0035g00000AbCdEEAV`."
            )
    if row["left"] == row["right"]:
        raise ConfigError(f"{where}: `left` and `right` are the same. Remove the line.")
    _day(where, "date", row["date"])
    left, right = sorted((row["left"], row["right"]))
    return Review(line=line, rules=tuple(row["rule_id"].split()), left=left, right=right,
                  verdict=row["verdict"], reason=row["reason"])  # fmt: skip


def _flags(folder: Path) -> list[Flag]:
    flags: dict[tuple[str, str], Flag] = {}
    for line, row in rows(folder, IDENTIFIERS):
        where = f"{IDENTIFIERS}:{line}"
        choice(where, "id_type", row["id_type"], ID_TYPES)
        choice(where, "flag", row["flag"], tuple(FLAGS))
        _day(where, "date", row["date"])
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


def rows(folder: Path, name: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield (line, column -> text without blanks around it) of a file, empty lines left out.

    Raises:
        ConfigError: it is no such file; one that is not there has no lines.
    """
    path = folder / name
    if path.is_file():
        yield from read(path, name, _COLUMNS[name], _OPTIONAL)


def read(
    path: Path,
    name: str,
    columns: Sequence[str],
    optional: Sequence[str],
    *,
    ignores_others: bool = False,
) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield (line, column -> text without blanks around it) of a CSV file; errors say `name`.

    Args:
        columns: those it has.
        optional: those of them that may be empty or not there; they read as empty.
        ignores_others: further columns are for the reader's eye and left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: it is not UTF-8 text. Save it as CSV in UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip() for cell in next(reader, columns)]
    for column in header:
        if column not in columns and not ignores_others:
            raise ConfigError(
                f"{name}:1: unknown column `{column}`.{suggestion(column, columns)} "
                f"Columns: {', '.join(columns)}."
            )
    for column in columns:
        if column not in header and column not in optional:
            raise ConfigError(f"{name}:1: the column `{column}` is missing. Add it.")
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise ConfigError(
                f"{name}:{line}: {len(cells)} cells under {len(header)} columns. Put quotes around "
                "text that holds a comma."
            )
        row = dict.fromkeys(optional, "") | {
            column: cell.strip()
            for column, cell in zip(header, cells, strict=True)
            if column in columns
        }
        for column in columns:
            if not row[column] and column not in optional:
                raise ConfigError(f"{name}:{line}: `{column}` is empty. Fill it in.")
        yield line, row


def choice(where: str, column: str, value: str, known: Sequence[str]) -> None:
    """Refuse a word that is not known there.

    Raises:
        ConfigError: it is not.
    """
    if value not in known:
        raise ConfigError(
            f"{where}: `{column}` is `{value}`.{suggestion(value, known)} "
            f"Write one of: {', '.join(known)}."
        )


def _day(where: str, column: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ConfigError(
            f"{where}: `{column}` is `{value}`; write a day like `2026-06-30`."
        ) from None
