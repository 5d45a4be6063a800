"""Names of people as different systems write them, and whether two can be one person's.

Belongs here: reading a name and comparing two. Does not belong here: the nicknames themselves
(a seed of the dbt project) or what a verdict leads to (`graph`).

A verdict is about names only. `disagree` is the strong word: it keeps records apart that share
a mailbox, so it is said only of two full names that cannot be reconciled.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

Verdict = Literal["agree", "unknown", "disagree"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TITLES = frozenset("mr mrs ms miss mx dr prof sir jr sr ii iii iv phd md".split())
_PLACEHOLDERS = frozenset("test dummy unknown anonymous noname".split())
"""Who writes one of these words into a name tells no name."""
_NEVER_IN_NAMES = frozenset("_@<>{}[];:=/\\|")
_CONTROLS = frozenset(("Cc", "Cf"))
"""Unicode categories of characters that show nothing; who writes them into a name hides it."""
_JOINERS = frozenset("\u200c\u200d")
"""Of these only they belong into names (Persian and Indic scripts)."""
LONGEST_NAME = 200
"""Characters; of what is longer nothing is read."""
_LETTERS_PER_TYPO = 5
"""A word may hold one typo for every so many letters: none in a short one."""
_MOST_TYPOS = 2


_WHOLE_LETTERS = str.maketrans(
    dict(zip("øłđðħıŋ", "olddhin", strict=True)) | {"æ": "ae", "œ": "oe", "þ": "th"}
)
"""Latin letters that Unicode does not take apart."""
_LATIN = str.maketrans(
    # Cyrillic as passports write it, without the signs; accents are gone before
    dict(zip("абвгдезиклмнопрстуфыэіґє", "abvgdeziklmnoprstufyeige", strict=True))
    | {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": ""}
    | {"ю": "yu", "я": "ya"}
    # Greek, letter by letter
    | dict(zip("αβγδεζηικλμνξοπρστυφω", "avgdeziiklmnxoprstyfo", strict=True))
    | {"θ": "th", "χ": "ch", "ψ": "ps"}
)
"""Letters of other scripts in Latin ones."""


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


class Nicknames:
    """Familiar forms of given names, in comparable words.

    Two forms of one name fit (Bob, Rob: Robert), two names that share a form do not
    (Christine, Christopher: Chris).
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """Take pairs of a familiar form and the name it stands for."""
        self._formal: defaultdict[str, set[str]] = defaultdict(set)
        self._familiar: defaultdict[str, set[str]] = defaultdict(set)
        for familiar, formal in pairs:
            self._formal[familiar].add(formal)
            self._familiar[formal].add(familiar)

    def fit(self, one: str, other: str) -> bool:
        """Say whether two words can be the given name of one person; one may be an initial."""
        if len(one) == 1 or len(other) == 1:
            return not self._initials(one).isdisjoint(self._initials(other))
        return _alike(one, other) or not self._names(one).isdisjoint(self._names(other))

    def formal(self, word: str) -> str:
        """Return the name a familiar form stands for; the word itself if it may be several."""
        names = self._formal.get(word, set())
        return next(iter(names)) if len(names) == 1 else word

    def _names(self, word: str) -> set[str]:
        return {word} | self._formal.get(word, set())

    def _initials(self, word: str) -> set[str]:
        names = self._names(word)
        return {form[0] for name in names for form in {name} | self._familiar.get(name, set())}


def read_name(given: str | None, family: str | None, full: str | None) -> Name:
    """Return the name told by its parts, else by the whole ("Last, First" and "First Last")."""
    if given and family and len(given) + len(family) <= LONGEST_NAME:
        name = Name(words_of(given), words_of(family))
        if name.is_full:
            return _unless_placeholder(name)
    if (
        not full
        or len(full) > LONGEST_NAME
        or any(char.isdigit() or char in _NEVER_IN_NAMES for char in full)
        or _holds_controls(full)
    ):
        return UNKNOWN
    before, comma, after = full.partition(",")
    if comma and words_of(before) and words_of(after):
        return _unless_placeholder(Name(words_of(after), words_of(before)))
    words = words_of(full)
    if len(words) < 2 or words in (words_of(given or ""), words_of(family or "")):
        return UNKNOWN  # the whole is one part, perhaps of two words
    return _unless_placeholder(Name(words[:-1], words[-1:]))


def verdict(left: Name, right: Name, nicknames: Nicknames) -> Verdict:
    """Say whether two names can be one person's; the order of the two does not matter.

    `agree`: family and given names fit, allowing nicknames, initials, typos, further names and
    the two parts swapped. `unknown`: a part is missing, or only the given names fit (people
    change their family names), one initial stands against another (B. can be Robert's), or the
    names are written in scripts that no table brings together. `disagree`: two full names that do
    not fit.
    """
    if not (left.is_full and right.is_full):
        return "unknown"
    if _scripts(left).isdisjoint(_scripts(right)):
        # there is more than one way to write a name in letters that it was not made of
        in_latin = _same_script_verdict(_in_latin(left), _in_latin(right), nicknames)
        return "agree" if in_latin == "agree" else "unknown"
    return _same_script_verdict(left, right, nicknames)


def is_shown_as_another(shown: str, name: Name, nicknames: Nicknames) -> bool:
    """Say whether no word of what an account shows as its name fits any word of a full name.

    What shows no word, or other letters, contradicts nothing.
    """
    words, told = _in_latin(Name(words_of(shown), ())), _in_latin(name)
    if not (words.given and told.is_full) or _scripts(words).isdisjoint(_scripts(told)):
        return False
    return not any(
        nicknames.fit(word, other) for word in words.given for other in told.given + told.family
    )


def _same_script_verdict(left: Name, right: Name, nicknames: Nicknames) -> Verdict:
    givens_fit = any(nicknames.fit(one, other) for one in left.given for other in right.given)
    families_fit = _any_alike(left.family, right.family)
    if families_fit and givens_fit:
        return "agree"
    if _any_alike(left.family, right.given) and _any_alike(left.given, right.family):
        return "agree"
    left_initials, right_initials = _only_initials(left.given), _only_initials(right.given)
    if families_fit and left_initials and right_initials:
        return "unknown"
    if givens_fit and not (left_initials or right_initials):
        return "unknown"
    return "disagree"


class Part(NamedTuple):
    """What a given or a family name says by itself, whatever stands beside it.

    Attributes:
        words: as in `Name`.
        key_words: of them those of `name_key`; None where one is an initial.
        telling_word: of them that of `telling_words`; None where it tells nobody apart.
    """

    words: tuple[str, ...]
    key_words: tuple[str, ...] | None
    telling_word: str | None

    @property
    def is_placeholder(self) -> bool:
        """Whether a full name that it is part of is none."""
        return not _PLACEHOLDERS.isdisjoint(self.words)


def given_part(words: tuple[str, ...], nicknames: Nicknames) -> Part:
    """Return what a given name says; a familiar form counts as the name it stands for."""
    return _part(words, tuple(map(nicknames.formal, _words_in_latin(words))), 0)


def family_part(words: tuple[str, ...]) -> Part:
    """Return what a family name says."""
    return _part(words, _words_in_latin(words), -1)


def _part(words: tuple[str, ...], latin: tuple[str, ...], telling: int) -> Part:
    word = latin[telling] if latin else None
    return Part(
        words=words,
        key_words=None if any(len(word) == 1 for word in words) else latin,
        telling_word=word if word is not None and len(word) != 1 and word.isascii() else None,
    )


def name_key(name: Name, nicknames: Nicknames) -> str | None:
    """Return words that profiles of one full name share, whatever the order of its parts.

    A familiar given name counts as the one it stands for, where that is one alone. None for a
    name that is not full or holds an initial.
    """
    given, family = given_part(name.given, nicknames).key_words, family_part(name.family).key_words
    if not name.is_full or given is None or family is None:
        return None
    return " ".join(sorted((*given, *family)))


def telling_words(name: Name, nicknames: Nicknames) -> tuple[str, str] | None:
    """Return the first given and the last family name in Latin letters.

    Two people none of whose telling words is in the other's name are strangers. None for a name
    that is not full, holds an initial there or cannot be brought into Latin letters.
    """
    given = given_part(name.given, nicknames).telling_word
    family = family_part(name.family).telling_word
    return (given, family) if given is not None and family is not None else None


def levenshtein(left: str, right: str, limit: int) -> int:
    """Return the edits between two words, or `limit` + 1 as soon as there are more."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    if left == right:
        return 0
    # what both begin and end with costs nothing, and most words differ in their middle or not
    begin, end, most = 0, 0, min(len(left), len(right))
    while begin < most and left[begin] == right[begin]:
        begin += 1
    while end < most - begin and left[-1 - end] == right[-1 - end]:
        end += 1
    left, right = left[begin : len(left) - end], right[begin : len(right) - end]
    # their ends differ now, so that one edit makes them equal only where one letter is left
    if limit <= 1 or not (left and right):
        return min(max(len(left), len(right)), limit + 1)
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
    """Return text in lower case without accents (`Müller` -> `muller`, `Łuczak` -> `luczak`)."""
    if text.isascii():
        return text.lower()
    # Twice, since taking signs apart can set capitals free (The Unicode Standard, D146).
    decomposed = unicodedata.normalize("NFD", text)
    for _ in range(2):
        decomposed = unicodedata.normalize("NFKD", decomposed.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return bare.translate(_WHOLE_LETTERS)


def _unless_placeholder(name: Name) -> Name:
    return name if _PLACEHOLDERS.isdisjoint(name.given + name.family) else UNKNOWN


def _holds_controls(text: str) -> bool:
    return not text.isprintable() and any(
        unicodedata.category(char) in _CONTROLS and char not in _JOINERS for char in text
    )


@lru_cache(maxsize=1 << 16)  # a few given and family names meet again and again
def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a name or a part of one, in comparable letters and without titles."""
    words = (re.sub(r"['’]", "", word) for word in _WORD.findall(comparable(text)))
    return tuple(word for word in words if word not in _TITLES)


def _in_latin(name: Name) -> Name:
    return Name(_words_in_latin(name.given), _words_in_latin(name.family))


def _words_in_latin(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words with Cyrillic and Greek letters in Latin ones; other scripts stay."""
    if "".join(words).isascii():
        return words
    return tuple(word.translate(_LATIN) for word in words)


def _any_alike(left: Sequence[str], right: Sequence[str]) -> bool:
    return any(_alike(one, other) for one in left for other in right)


def _alike(left: str, right: str) -> bool:
    if left == right:
        return True
    typos = min(_MOST_TYPOS, min(len(left), len(right)) // _LETTERS_PER_TYPO)
    return typos > 0 and levenshtein(left, right, typos) <= typos


def _only_initials(words: Sequence[str]) -> bool:
    return max(map(len, words)) == 1


def _scripts(name: Name) -> set[str]:
    """Return the writing systems of a name, by the first word of its letters' Unicode names."""
    letters = "".join(name.given + name.family)
    if letters.isascii():
        return {"LATIN"}
    return {unicodedata.name(letter, "?").partition(" ")[0] for letter in letters}
