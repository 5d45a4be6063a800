"""Names of people as different systems write them, and whether two can be one person's.

Belongs here: reading a name and comparing two. Does not belong here: the nicknames themselves
(a seed of the dbt project) or what a verdict leads to (`graph`).

A verdict is about names only. `disagree` is the strong word: it keeps records apart that share
a mailbox, so it is said only of two full names that cannot be reconciled.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

Verdict = Literal["agree", "unknown", "disagree"]
Nicknames = Mapping[str, Collection[str]]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TITLES = frozenset("mr mrs ms miss mx dr prof sir jr sr ii iii iv phd md".split())
_LETTERS_PER_TYPO = 5
"""A word may hold one typo for every so many letters: none in a short one."""
_MOST_TYPOS = 2


class Name(NamedTuple):
    """A name in comparable words: lower case, no accents, no titles.

    `given` and `family` are empty where the text does not tell them apart or holds fewer than
    two words: such a name is compared with nothing.
    """

    given: tuple[str, ...]
    family: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        """Whether both parts are known."""
        return bool(self.given and self.family)


UNKNOWN = Name((), ())


def read_name(given: str | None, family: str | None, full: str | None) -> Name:
    """Return the name told by its parts, else by the whole ("Last, First" and "First Last")."""
    if given and family:
        name = Name(_words(given), _words(family))
        if name.is_full:
            return name
    if not full or any(char.isdigit() or char in "_@" for char in full):
        return UNKNOWN
    before, comma, after = full.partition(",")
    if comma and _words(before) and _words(after):
        return Name(_words(after), _words(before))
    words = _words(full)
    return Name(words[:-1], words[-1:]) if len(words) > 1 else UNKNOWN


def verdict(left: Name, right: Name, nicknames: Nicknames) -> Verdict:
    """Say whether two names can be one person's; the order of the two does not matter.

    `agree`: family and given names fit, allowing nicknames, initials, typos, further names and
    the two parts swapped. `unknown`: a part is missing, or only the given names fit (people
    change their family names). `disagree`: two full names that do not fit.

    Args:
        nicknames: familiar form -> names it can stand for, all in comparable words.
    """
    if not (left.is_full and right.is_full):
        return "unknown"
    givens_fit = _givens_fit(left.given, right.given, nicknames)
    if _any_alike(left.family, right.family) and givens_fit:
        return "agree"
    if _any_alike(left.family, right.given) and _any_alike(left.given, right.family):
        return "agree"
    return (
        "unknown" if givens_fit and _longest(left.given) > 1 < _longest(right.given) else "disagree"
    )


def levenshtein(left: str, right: str, limit: int) -> int:
    """Return the edits between two words, or `limit` + 1 as soon as there are more."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    above = list(range(len(right) + 1))
    for row, char in enumerate(left, start=1):
        current = [row]
        for column, other in enumerate(right, start=1):
            current.append(
                min(above[column] + 1, current[-1] + 1, above[column - 1] + (char != other))
            )
        if min(current) > limit:
            return limit + 1
        above = current
    return min(above[-1], limit + 1)


def comparable(text: str) -> str:
    """Return text in lower case without accents (`Müller` -> `muller`, `Strauß` -> `strauss`)."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _words(text: str) -> tuple[str, ...]:
    words = (re.sub(r"['’]", "", word) for word in _WORD.findall(comparable(text)))
    return tuple(word for word in words if word not in _TITLES)


def _givens_fit(left: Sequence[str], right: Sequence[str], nicknames: Nicknames) -> bool:
    return any(
        one[0] == other[0]
        if len(one) == 1 or len(other) == 1
        else _alike(one, other) or not _forms(one, nicknames).isdisjoint(_forms(other, nicknames))
        for one in left
        for other in right
    )


def _forms(word: str, nicknames: Nicknames) -> set[str]:
    return {word, *nicknames.get(word, ())}


def _any_alike(left: Sequence[str], right: Sequence[str]) -> bool:
    return any(len(one) > 1 and _alike(one, other) for one in left for other in right)


def _alike(left: str, right: str) -> bool:
    typos = min(_MOST_TYPOS, min(len(left), len(right)) // _LETTERS_PER_TYPO)
    return levenshtein(left, right, typos) <= typos

