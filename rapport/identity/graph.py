"""From pairs that share a value to profiles that hold together.

Belongs here: refusing a pair, joining the rest, and cutting what was joined too far. Does not
belong here: which pairs meet, and what a rule is called (`identity_rule`).

A wrong join is worse than a missed one: it shows one person's data as another's. So every
doubt refuses, and the refusal is kept with its reason.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import Generic, Literal, TypeVar

from rapport.identity.names import UNKNOWN, Name, Nicknames, Verdict, levenshtein, verdict

LARGEST_PERSON = 12
"""Profiles; what would be larger is held for review instead of joined."""

MOST_OF_ONE_STREAM = 2
"""Profiles of one stream that evidence may join; more are held for review."""

SYSTEM_TIER = 2
"""Rules up to this tier repeat what a system already knows to be one; names do not undo them."""

CUT_ROUNDS = 6
"""Shortest paths between two who contradict each other are cut so often, then all of the tier."""

Band = Literal["auto", "suggest", "off"]
Key = TypeVar("Key", str, int)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two profiles that a rule would join.

    Attributes:
        left, right: profile keys, left < right.
        tier: strength of the rule, 1 strongest.
        needs_agreement: the rule joins only names that agree; others only need not disagree.
        refusal: why the pair was refused before names were read, or None.
        band: what the rule may do: join, only suggest, nothing.
        asks_in_doubt: where names or guards speak against it, people are asked instead.
    """

    left: str
    right: str
    tier: int
    needs_agreement: bool = False
    refusal: str | None = None
    band: Band = "auto"
    asks_in_doubt: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What of a profile can contradict another's.

    Attributes:
        name: as read, or `UNKNOWN`.
        account_of: the place where it is the only account a person has.
        stream: the list it comes from, where that lists each person about once.
        mailboxes: normalized addresses of nobody else's.
    """

    name: Name = UNKNOWN
    account_of: str | None = None
    stream: str | None = None
    mailboxes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of a pair; `component` is the smallest key of what a live pair belongs to."""

    state: Literal["live", "refused", "suggested", "vetoed"]
    names: Verdict
    refusal: str | None
    component: str | None


def decide(
    pairs: Sequence[Pair],
    traits: Mapping[str, Traits],
    nicknames: Nicknames,
    vetoes: Mapping[tuple[str, str], str] | None = None,
    compared: Mapping[tuple[Name, Name], Verdict] | None = None,
) -> list[Decision]:
    """Decide every pair, in the order given; the outcome does not depend on that order.

    Args:
        traits: profile key -> what is known of it; missing means nothing.
        vetoes: pairs that people keep apart, smaller key first -> the refusal to give.
        compared: verdicts that are known already.
    """
    guards = _Guards(traits, nicknames, vetoes or {}, dict(compared or {}))
    verdicts = [guards.names(pair.left, pair.right) for pair in pairs]
    refusals = [
        guards.vetoes.get((pair.left, pair.right)) or _refusal(pair, found)
        for pair, found in zip(pairs, verdicts, strict=True)
    ]
    is_open = [
        refusal is None and pair.band == "auto"
        for pair, refusal in zip(pairs, refusals, strict=True)
    ]

    components = Components()
    for tier in sorted({pair.tier for pair in pairs}):
        indexes = [
            index for index, pair in enumerate(pairs) if pair.tier == tier and is_open[index]
        ]
        if tier <= SYSTEM_TIER:
            held_back = _join_told(pairs, indexes, components, guards)
            guards.tell(components)
        else:
            held_back = _join_tier(pairs, indexes, components, guards)
        for index, reason in held_back.items():
            refusals[index] = reason
            is_open[index] = False
    reasons_of_people = set(guards.vetoes.values())
    return [
        Decision(
            state="live" if live else _state(pair, refusal, reasons_of_people),
            names=found,
            refusal=refusal,
            component=components.find(pair.left) if live else None,
        )
        for pair, found, refusal, live in zip(pairs, verdicts, refusals, is_open, strict=True)
    ]


class Components(Generic[Key]):
    """Sets of keys that grow together; each is named by its smallest key."""

    def __init__(self) -> None:
        self._parent: dict[Key, Key] = {}
        self._members: dict[Key, list[Key]] = {}

    def find(self, key: Key) -> Key:
        """Return the smallest key of the set that holds `key`."""
        root = key
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while key != root:
            self._parent[key], key = root, self._parent.get(key, root)
        return root

    def join(self, left: Key, right: Key) -> None:
        """Make the sets of two keys one."""
        first, second = sorted((self.find(left), self.find(right)))
        if first != second:
            self._parent[second] = first
            held = self._members.setdefault(first, [first])
            held.extend(self._members.pop(second, (second,)))

    def copy(self) -> Components[Key]:
        """Return the same sets, to grow apart from these."""
        twin = Components[Key]()
        twin._parent = dict(self._parent)
        twin._members = {root: list(held) for root, held in self._members.items()}
        return twin

    def members_of(self, root: Key) -> Sequence[Key]:
        """Return the keys of the set that `root` names."""
        return self._members.get(root, (root,))

    def memberships(self) -> list[tuple[Key, Key]]:
        """Return (name of the set, key) for every key in a set of several."""
        return [(root, key) for root, held in self._members.items() for key in held]

    def members(self, keys: Iterable[Key]) -> dict[Key, list[Key]]:
        """Return name -> sorted members, of the sets that hold any of `keys`."""
        found: dict[Key, list[Key]] = {}
        for key in sorted(set(keys)):
            found.setdefault(self.find(key), []).append(key)
        return found


@dataclass(slots=True)
class _Guards:
    """What says that two profiles, or many, cannot be one person."""

    traits: Mapping[str, Traits]
    nicknames: Nicknames
    vetoes: Mapping[tuple[str, str], str]
    verdicts: dict[tuple[Name, Name], Verdict] = field(default_factory=dict)
    _told: Components[str] = field(default_factory=Components)
    _opponents: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for (left, right), reason in self.vetoes.items():
            self._opponents.setdefault(left, {})[right] = reason
            self._opponents.setdefault(right, {})[left] = reason

    def of(self, key: str) -> Traits:
        return self.traits.get(key, _NOTHING)

    def names(self, left: str, right: str) -> Verdict:
        # A few distinct names meet again and again: comparing them is what costs most.
        both = self.of(left).name, self.of(right).name
        found = self.verdicts.get(both)
        if found is None:
            found = self.verdicts[both] = verdict(*both, self.nicknames)
        return found

    def veto(self, left: Sequence[str], right: Sequence[str]) -> str | None:
        """Say why people keep some member of one set apart from some member of the other."""
        if not self._opponents:
            return None
        return min(
            (
                reason
                for one in left
                for other, reason in self._opponents.get(one, {}).items()
                if other in right
            ),
            default=None,
        )

    def tell(self, components: Components[str]) -> None:
        """Take over what systems know to be one: it contradicts nothing."""
        self._told = components.copy()

    def contradiction(self, left: Sequence[str], right: Sequence[str]) -> str | None:
        """Say why no member of one set can be one person with some member of the other."""
        if reason := self.veto(left, right):
            return reason
        for one in left:
            for other in right:
                if self._told.find(one) != self._told.find(other) and (
                    reason := self._between(one, other)
                ):
                    return reason
        return None

    def _between(self, left: str, right: str) -> str | None:
        one, other = self.of(left), self.of(right)
        if one.account_of is not None and one.account_of == other.account_of:
            return f"it would give one person two accounts of {one.account_of}"
        names = self.names(left, right)
        if names == "disagree":
            return "it would join profiles whose names disagree"
        if (
            names == "unknown"
            and one.stream is not None
            and one.stream == other.stream
            and one.name.is_full
            and other.name.is_full
        ):
            return f"it would join two records of {one.stream} under different names"
        if one.mailboxes and other.mailboxes and not set(one.mailboxes) & set(other.mailboxes):
            for mine in one.mailboxes:
                for theirs in other.mailboxes:
                    if _are_two_of_a_domain(mine, theirs):
                        domain = mine.partition("@")[2]
                        return f"it would give one person two mailboxes of {domain}"
        return None

    def excess(self, members: Sequence[str]) -> str | None:
        """Say why so many profiles are looked at by people first."""
        if len(members) > LARGEST_PERSON:
            return f"held for review: it would join {len(members)} profiles"
        distinct = {
            (stream, self._told.find(key))
            for key in members
            if (stream := self.of(key).stream) is not None
        }
        for stream, count in sorted(Counter(stream for stream, _ in distinct).items()):
            if count > MOST_OF_ONE_STREAM:
                return f"held for review: it would join {count} profiles of {stream}"
        return None


_NOTHING = Traits()


def is_mistyped(one: str, other: str) -> bool:
    """Say whether two texts differ by one slip: a letter more, less, other, or two swapped.

    Digits and signs must be the same: `ann.lee2` is somebody else than `ann.lee`.
    """
    if one == other or _without_letters(one) != _without_letters(other):
        return False
    edits = levenshtein(one, other, 2)
    return edits == 1 or (edits == 2 and len(one) == len(other) and sorted(one) == sorted(other))


def _without_letters(text: str) -> str:
    return "".join(char for char in text if not char.isalpha())


def _are_two_of_a_domain(one: str, other: str) -> bool:
    local, _, domain = one.partition("@")
    other_local, _, other_domain = other.partition("@")
    return domain == other_domain and local != other_local and not is_mistyped(local, other_local)


def _refusal(pair: Pair, names: Verdict) -> str | None:
    if pair.refusal is not None or pair.tier <= SYSTEM_TIER:
        return pair.refusal
    if names == "disagree":
        return "the names disagree"
    if pair.needs_agreement and names != "agree":
        return "the names do not agree fully"
    return None


def _state(
    pair: Pair, refusal: str | None, reasons_of_people: Set[str]
) -> Literal["refused", "suggested", "vetoed"]:
    """Return what a pair is that joins nothing."""
    if refusal is None:
        return "suggested"
    if refusal in reasons_of_people:
        return "vetoed"
    return "suggested" if pair.asks_in_doubt and pair.refusal is None else "refused"


def _join_told(
    pairs: Sequence[Pair], indexes: Iterable[int], components: Components[str], guards: _Guards
) -> dict[int, str]:
    """Join the pairs of a tier that systems tell; return index -> refusal of what people veto."""
    vetoed: dict[int, str] = {}
    for index in sorted(indexes, key=lambda i: (pairs[i].left, pairs[i].right)):
        left, right = components.find(pairs[index].left), components.find(pairs[index].right)
        reason = guards.veto(components.members_of(left), components.members_of(right))
        if left != right and reason is not None:
            vetoed[index] = reason
        else:
            components.join(left, right)
    return vetoed


def _join_tier(
    pairs: Sequence[Pair], indexes: Sequence[int], components: Components[str], guards: _Guards
) -> dict[int, str]:
    """Join the pairs of one tier to what stronger ones joined; return index -> refusal of others.

    What stronger tiers joined are the nodes here. Where two nodes that contradict each other
    would come together, only the pairs on the shortest ways between them are refused.
    """
    refused: dict[int, str] = {}
    ends = {
        index: (components.find(pairs[index].left), components.find(pairs[index].right))
        for index in indexes
    }
    left_over = {index for index, (one, other) in ends.items() if one != other}
    for round_number in range(CUT_ROUNDS + 1):
        if not left_over:
            break
        again: set[int] = set()
        for nodes, inside in _groups(left_over, ends):
            members = [key for node in nodes for key in components.members_of(node)]
            reason = guards.excess(members)
            if reason is not None:
                refused |= dict.fromkeys(inside, reason)
                continue
            cut = _cuts(nodes, inside, ends, components, guards)
            if cut:
                if round_number == CUT_ROUNDS:
                    cut = dict.fromkeys(inside, min(cut.values()))
                refused |= cut
                again |= inside - cut.keys()
        left_over = again
    for index in indexes:
        if index not in refused:
            components.join(pairs[index].left, pairs[index].right)
    return refused


def _groups(
    indexes: Iterable[int], ends: Mapping[int, tuple[str, str]]
) -> list[tuple[list[str], set[int]]]:
    """Return the nodes that the pairs bring together, with the pairs, per group."""
    joined = Components()
    for index in indexes:
        joined.join(*ends[index])
    inside: dict[str, set[int]] = {}
    for index in indexes:
        inside.setdefault(joined.find(ends[index][0]), set()).add(index)
    return [(sorted(joined.members_of(root)), found) for root, found in sorted(inside.items())]


def _cuts(
    nodes: Sequence[str],
    inside: Iterable[int],
    ends: Mapping[int, tuple[str, str]],
    components: Components[str],
    guards: _Guards,
) -> dict[int, str]:
    """Return the pairs on the shortest ways between nodes that contradict each other."""
    ways: dict[str, list[str]] = {}
    for index in inside:
        one, other = ends[index]
        ways.setdefault(one, []).append(other)
        ways.setdefault(other, []).append(one)
    cut: dict[int, str] = {}
    for one, other in combinations(nodes, 2):
        reason = guards.contradiction(components.members_of(one), components.members_of(other))
        if reason is None:
            continue
        from_one, from_other = _distances(one, ways), _distances(other, ways)
        length = from_one[other]
        for index in inside:
            left, right = ends[index]
            if length in (
                from_one[left] + 1 + from_other[right],
                from_one[right] + 1 + from_other[left],
            ):
                cut.setdefault(index, reason)
    return cut


def _distances(start: str, ways: Mapping[str, Sequence[str]]) -> dict[str, int]:
    found = {start: 0}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for next_node in ways[node]:
            if next_node not in found:
                found[next_node] = found[node] + 1
                waiting.append(next_node)
    return found
