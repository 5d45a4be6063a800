"""Lists that somebody works through: whom to keep and whom to thank, one CSV file per owner.

Belongs here: who answers for whom, and the files. Does not belong here: who is on a list and in
which order (`rel_disengagement.save_rank`, `relations`), sentences (`advice`).

    lists/save-<owner>.csv     regulars who drift away, at most as many as an owner can handle
    lists/thank-<owner>.csv    who helps others and was not thanked
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapport.report import advice, words
from rapport.report.relations import Helper, Person

FOLDER = "lists"
_SAVE = ("place", "person", "organization", "why", "also", "what_to_do", "usual_gap_days",
         "days_quiet", "chance_of_return_28d", "page")  # fmt: skip
_THANK = ("place", "person", "organization", "why", "also", "what_to_do", "page")
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for one


@dataclass(frozen=True, kw_only=True)
class OwnerList:
    """One file.

    Attributes:
        path: relative to the report's folder.
        owner: a name, or the role of strategy.yml that answers where the record names nobody.
        lines: the heads, then a line per person.
    """

    path: str
    owner: str
    lines: Sequence[Sequence[str]]

    @property
    def people(self) -> int:
        """How many are on it."""
        return len(self.lines) - 1


def save_lists(people: Iterable[Person], role: str, pages: Mapping[str, str]) -> list[OwnerList]:
    """Return the save list of each owner, by name; places are those of `save_rank`.

    Args:
        role: who answers for people without an owner.
        pages: person_id -> path of the page, for those who have one.
    """
    listed = [one for one in people if one.row["save_rank"] is not None]
    lines = {
        one.id: (
            *_who(one),
            one.row["reason_1"],
            "; ".join(filter(None, (one.row["reason_2"], one.row["reason_3"]))),
            one.row["action"],
            one.row["usual_gap_days"],
            one.row["current_gap_days"],
            one.row["p_return"] if one.row["p_return"] is None else f"{one.row['p_return']:.2f}",
            pages.get(one.id),
        )
        for one in listed
    }
    listed.sort(key=lambda one: (one.row["save_rank"], one.id))
    return _per_owner("save", _SAVE, listed, lines, role)


def thank_lists(
    helpers: Sequence[Helper], role: str, pages: Mapping[str, str], *, knows_staff: bool
) -> list[OwnerList]:
    """Return the recognition list of each owner, by name; in the order of `helpers`."""
    lines = {
        one.person.id: (
            *_who(one.person),
            advice.helped(one),
            advice.last_word(one, knows_staff=knows_staff),
            "Say thank you, personally",
            pages.get(one.person.id),
        )
        for one in helpers
    }
    return _per_owner("thank", _THANK, [one.person for one in helpers], lines, role)


def write(folder: Path, found: Iterable[OwnerList]) -> None:
    """Write the files into the report's folder, such that a spreadsheet reads their letters."""
    (folder / FOLDER).mkdir()
    for one in found:
        with (folder / one.path).open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(one.lines)


def _who(one: Person) -> tuple[str | None, str | None]:
    return words.name(one.name, one.id), one.row["organization_name"]


def _per_owner(
    kind: str,
    heads: Sequence[str],
    people: Iterable[Person],
    lines: Mapping[str, Sequence[object]],
    role: str,
) -> list[OwnerList]:
    owned: dict[str, list[Person]] = {}
    for one in people:
        owned.setdefault(one.row["answering_id"] or "", []).append(one)
    taken: set[str] = set()
    found = []
    for owner_id, theirs in sorted(owned.items()):
        owner = words.name(theirs[0].row["answering_name"], owner_id) if owner_id else role
        slug = _slug(owner)
        if not slug or slug in taken:
            slug = f"{slug}-{owner_id}".strip("-")
        taken.add(slug)
        rows = [
            [str(place), *map(_cell, lines[one.id])] for place, one in enumerate(theirs, start=1)
        ]
        path = f"{FOLDER}/{kind}-{slug}.csv"
        found.append(OwnerList(path=path, owner=owner, lines=[heads, *rows]))
    return sorted(found, key=lambda one: (one.owner.casefold(), one.path))


def _cell(value: object) -> str:
    """Return a value on one line; a text of strangers must not be run as a formula."""
    text = words.name(value, "", 300)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")[:40]
