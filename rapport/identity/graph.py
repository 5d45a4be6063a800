"""From pairs that share a value to profiles that hold together.

Belongs here: refusing a pair, joining the rest, and cutting what was joined too far. Does not
belong here: which pairs meet, and what a rule is called (`identity_rule`).

A wrong join is worse than a missed one: it shows one person's data as another's. So every
doubt refuses, and the refusal is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from rapport.identity.names import UNKNOWN, Name, Nicknames, Verdict, verdict

LARGEST_PERSON = 12
"""Profiles; what would be larger is held for review instead of joined."""

SYSTEM_TIER = 2
"""Rules up to this tier repeat what a system already knows to be one; names do not undo them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two profiles that a rule would join.

    Attributes:
        left, right: profile keys, left < right.
        tier: strength of the rule, 1 strongest.
        needs_agreement: the rule joins only names that agree; others only need not disagree.
        refusal: why the pair was refused before names were read, or None.
    """

    left: str
    right: str
    tier: int
    needs_agreement: bool = False
    refusal: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of a pair; `component` is the smallest key of what a live pair belongs to."""

    state: Literal["live", "refused"]
    names: Verdict
    refusal: str | None
    component: str | None


def decide(
    pairs: Sequence[Pair],
    names: Mapping[str, Name],
    accounts: Mapping[str, str],
    nicknames: Nicknames,
) -> list[Decision]:
    """Decide every pair, in the order given; the outcome does not depend on that order.

    Args:
        names: profile key -> name; missing means not known.
        accounts: profile key -> the place where it is the only account a person has.
    """

    # A few distinct names meet again and again: comparing them is what costs most.
    known: dict[tuple[Name, Name], Verdict] = {}

    def compare(left: str, right: str) -> Verdict:
        both = names.get(left, UNKNOWN), names.get(right, UNKNOWN)
        found = known.get(both)
        if found is None:
            found = known[both] = verdict(*both, nicknames)
        return found

    verdicts = [compare(pair.left, pair.right) for pair in pairs]
    refusals = [_refusal(pair, found) for pair, found in zip(pairs, verdicts, strict=True)]

    told = Components()
    for pair, refusal in zip(pairs, refusals, strict=True):
        if refusal is None and pair.tier <= SYSTEM_TIER:
            told.join(pair.left, pair.right)

    def contradiction(members: Sequence[str]) -> str | None:
        for left, right in combinations(members, 2):
            if told.find(left) == told.find(right):
                continue
            place = accounts.get(left)
            if place is not None and place == accounts.get(right):
                return f"it would give one person two accounts of {place}"
            if compare(left, right) == "disagree":
                return "it would join profiles whose names disagree"
        return None

    _cut(pairs, refusals, contradiction)
    components = _joined(pairs, refusals)
    return [
        Decision(
            state="live" if refusal is None else "refused",
            names=found,
            refusal=refusal,
            component=components.find(pair.left) if refusal is None else None,
        )
        for pair, found, refusal in zip(pairs, verdicts, refusals, strict=True)
    ]


class Components:
    """Sets of keys that grow together; each is named by its smallest key."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, key: str) -> str:
        """Return the smallest key of the set that holds `key`."""
        root = key
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while key != root:
            self._parent[key], key = root, self._parent.get(key, root)
        return root

    def join(self, left: str, right: str) -> None:
        """Make the sets of two keys one."""
        first, second = sorted((self.find(left), self.find(right)))
        self._parent[second] = first

    def members(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """Return name -> sorted members, of the sets that hold any of `keys`."""
        found: dict[str, list[str]] = {}
        for key in sorted(set(keys)):
            found.setdefault(self.find(key), []).append(key)
        return found


def _refusal(pair: Pair, names: Verdict) -> str | None:
    if pair.refusal is not None or pair.tier <= SYSTEM_TIER:
        return pair.refusal
    if names == "disagree":
        return "the names disagree"
    if pair.needs_agreement and names != "agree":
        return "the names do not agree fully"
    return None


def _joined(pairs: Sequence[Pair], refusals: Sequence[str | None]) -> Components:
    components = Components()
    for pair, refusal in zip(pairs, refusals, strict=True):
        if refusal is None:
            components.join(pair.left, pair.right)
    return components


def _cut(
    pairs: Sequence[Pair],
    refusals: list[str | None],
    contradiction: Callable[[Sequence[str]], str | None],
) -> None:
    """Refuse the weakest tier of every component that is too large or contradicts itself.

    Repeats until none is left; ends, because each round refuses pairs for good.
    """
    while True:
        components = _joined(pairs, refusals)
        live = [index for index, refusal in enumerate(refusals) if refusal is None]
        within: dict[str, list[int]] = {}
        for index in live:
            within.setdefault(components.find(pairs[index].left), []).append(index)
        keys = [key for index in live for key in (pairs[index].left, pairs[index].right)]
        cut = False
        for name, members in components.members(keys).items():
            weakest = max(pairs[index].tier for index in within[name])
            if weakest <= SYSTEM_TIER:
                continue
            if len(members) > LARGEST_PERSON:
                reason: str | None = f"held for review: it would join {len(members)} profiles"
            else:
                reason = contradiction(members)
            if reason is None:
                continue
            cut = True
            for index in within[name]:
                if pairs[index].tier == weakest:
                    refusals[index] = reason
        if not cut:
            return
