"""What people know better: reviewed CSV files beside rapport.yml that win over every rule.

Belongs here: reading `identity/links.csv` and `identity/identifiers.csv`, and saying at which line
one is wrong or contradicts another. Does not belong here: what a link does to a component
(`graph`), or which profiles hold an identifier (`identity_override`).
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
ID_TYPES = ("email", "phone", "external_id", "domain")
FLAGS = {"role": "role", "shared": "shared", "block": "blocked", "trust": "ok",
         "reissued": "reissued"}  # fmt: skip
"""Word in the file -> flag in `identity_identifier_book`."""
MOST_PROFILES_OF_AN_IDENTIFIER = 12
"""Of more, whoever links by it hardly means all of them."""

_COLUMNS = {
    LINKS: ("action", "left", "right", "reason", "author", "date", "expires"),
    IDENTIFIERS: ("id_type", "value", "flag", "reason", "author", "date"),
}
_OPTIONAL = ("expires",)
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
    """All that people wrote that is in force, in the order of the lines."""

    links: Sequence[Link]
    flags: Sequence[Flag]

    def counts(self) -> str:
        """Return how many there are of each kind, in words."""
        actions = [link.action for link in self.links]
        kinds = {"link": actions.count("link"), "unlink": actions.count("unlink"),
                 "identifier": len(self.flags)}  # fmt: skip
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
        for line, row in _rows(folder, LINKS)
        if (link := _link(line, row)).expires is None or link.expires >= on
    ]
    refuse_contradictions((link.action, link.left, link.right, link.line) for link in links)
    return Overrides(links=links, flags=_flags(folder))


def fingerprint(folder: Path) -> str:
    """Return a digest of the files as they are written."""
    digest = hashlib.sha256()
    for name in _COLUMNS:
        path = folder / name
        digest.update(name.encode() + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return digest.hexdigest()


def place(line: int) -> str:
    """Return where a line of links.csv stands."""
    return f"{LINKS}:{line}"


def side(text: str) -> tuple[str, str]:
    """Return what a side of a link is, `profile` or the type of its identifier, and which."""
    kind, _, value = text.partition(":")
    return (kind, value) if kind in ID_TYPES else ("profile", text)


def pattern(value: str) -> tuple[str | None, str | None, str | None]:
    """Return a value as (value, beginning, ending): alone, or what stands around its `*`."""
    beginning, star, ending = value.partition("*")
    return (None, beginning, ending) if star else (value, None, None)


def refuse_contradictions(lines: Iterable[tuple[str, str, str, int]]) -> None:
    """Hold (action, left, right, line) of links and unlinks against each other.

    Raises:
        ConfigError: an unlink names two that links join, be it over others.
    """
    known = sorted(set(lines), key=lambda known: (known[3], known))
    neighbors: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for action, left, right, line in known:
        if action == "link":
            neighbors[left].setdefault(right, line)
            neighbors[right].setdefault(left, line)
    for action, left, right, line in known:
        if action == "unlink" and (way := _way(neighbors, left, right)):
            told = ", ".join(map(str, sorted(set(way))))
            raise ConfigError(
                f"{place(line)}: it keeps `{left}` and `{right}` apart, which the lines joined by "
                f"`link` make one: {told}. Remove one of them."
            )


def refuse_crowds(holders: Mapping[tuple[int, str], int]) -> None:
    """Hold the number of profiles that a side of a line stands for, (line, side) -> profiles.

    Raises:
        ConfigError: an identifier is of so many that they cannot all be meant.
    """
    for (line, side), count in sorted(holders.items()):
        if count > MOST_PROFILES_OF_AN_IDENTIFIER:
            raise ConfigError(
                f"{place(line)}: `{side}` is an identifier of more than "
                f"{MOST_PROFILES_OF_AN_IDENTIFIER} profiles. Name the profiles instead."
            )


def _way(neighbors: Mapping[str, Mapping[str, int]], start: str, end: str) -> list[int]:
    """Return the lines on a shortest way between two; empty if there is none."""
    ways: dict[str, list[int]] = {start: []}
    for here in (queue := [start]):
        for there, line in neighbors.get(here, {}).items():
            if there not in ways:
                ways[there] = [*ways[here], line]
                queue.append(there)
    return ways.get(end, [])


def _link(line: int, row: Mapping[str, str]) -> Link:
    where = place(line)
    _choice(where, "action", row["action"], ("link", "unlink"))
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


def _flags(folder: Path) -> list[Flag]:
    flags: dict[tuple[str, str], Flag] = {}
    for line, row in _rows(folder, IDENTIFIERS):
        where = f"{IDENTIFIERS}:{line}"
        _choice(where, "id_type", row["id_type"], ID_TYPES)
        _choice(where, "flag", row["flag"], tuple(FLAGS))
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


def _rows(folder: Path, name: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield (line, column -> text without blanks around it) of a file, empty lines left out."""
    path, columns = folder / name, _COLUMNS[name]
    if not path.is_file():
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: it is not UTF-8 text. Save it as CSV in UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip() for cell in next(reader, columns)]
    for column in header:
        if column not in columns:
            raise ConfigError(
                f"{name}:1: unknown column `{column}`.{suggestion(column, columns)} "
                f"Columns: {', '.join(columns)}."
            )
    for column in columns:
        if column not in header and column not in _OPTIONAL:
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
        row = dict.fromkeys(_OPTIONAL, "") | {
            column: cell.strip() for column, cell in zip(header, cells, strict=True)
        }
        for column in columns:
            if not row[column] and column not in _OPTIONAL:
                raise ConfigError(f"{name}:{line}: `{column}` is empty. Fill it in.")
        yield line, row


def _choice(where: str, column: str, value: str, known: Sequence[str]) -> None:
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
