"""The picture of why profiles are one person: a tree of links from the one that was there first.

Belongs here: where nodes, lines and words stand. Does not belong here: markup (`templates`), why
anything was joined (`identity_explanation`).

A tree that grows downwards, as wide as a phone, whose words are set at their size on every screen
and on paper: with twelve profiles at most a person needs no more, and nothing needs a script.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rapport.report import words
from rapport.report.warehouse import Row

WIDTH = 348  # of a phone's page; lengths are CSS pixels
APART = 5  # shown of what was looked at and not joined
_INDENT, _DEEPEST = 20, 6
_LINE, _GAP = 15, 12
_RADIUS = 6
_LETTER = 6.9  # width of a letter, with some room
_SILOS = {"crm", "forum", "support", "social", "orders"}


@dataclass(frozen=True, kw_only=True)
class Node:
    """A profile: a dot with its source, its name, and lines on the link above it.

    `kind` is its silo, or `apart` for a profile of somebody else. `lines` are (y, text).
    """

    x: int
    y: int
    kind: str
    key: str
    source: str
    name: str
    name_y: int
    lines: Sequence[tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A link: an SVG path, `live`, `further` (one more between two that are joined) or `apart`."""

    path: str
    kind: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything to draw, and how much that was not joined is not drawn."""

    height: int
    nodes: Sequence[Node]
    lines: Sequence[Line]
    unshown: int


def picture(
    person_id: str, profiles: Sequence[Row], pairs: Sequence[Row], labels: Mapping[str, str]
) -> Picture | None:
    """Lay out a person; None where no link joins anything.

    Args:
        profiles: rows `profile_key`, `source`, `silo`, `display_name`.
        pairs: the person's rows of `identity_explanation`, with `left_name` and `right_name`.
        labels: source -> how people call it.
    """
    branches: dict[str, list[tuple[str, Row]]] = {}
    far = set()
    for pair in pairs:
        if pair["far_key"]:
            far.add(pair["far_key"])
            branches.setdefault(_other(pair, pair["far_key"]), []).append((pair["far_key"], pair))
    roots = [key for key in branches if key not in far]
    if not roots:
        return None
    drawing = _Drawing(person_id, profiles, labels, _apart(pairs))
    drawing.grow(roots[0], branches)
    return drawing.finished([pair for pair in pairs if pair["state"] == "live"])


def because(pairs: Sequence[Row]) -> list[str]:
    """Return the rules that join a person, in words, strongest first."""
    ways = sorted((pair for pair in pairs if pair["far_key"]), key=lambda pair: pair["tier"])
    return list(dict.fromkeys(pair["words"] for pair in ways))


def _other(pair: Row, key: str) -> str:
    return str(pair["right_key"] if pair["left_key"] == key else pair["left_key"])


def _apart(pairs: Sequence[Row]) -> list[Row]:
    """Return what was not joined, one row per pair: what people say first, then by strength."""
    live = {(pair["left_key"], pair["right_key"]) for pair in pairs if pair["state"] == "live"}
    order = ("vetoed", "suggested", "refused")
    found: dict[tuple[str, str], Row] = {}
    for pair in sorted(
        (pair for pair in pairs if pair["state"] in order),
        key=lambda pair: (order.index(pair["state"]), pair["tier"], pair["left_key"]),
    ):
        both = (pair["left_key"], pair["right_key"])
        if both not in live:
            found.setdefault(both, pair)
    return list(found.values())


@dataclass
class _Drawing:
    person_id: str
    profiles: Sequence[Row]
    labels: Mapping[str, str]
    apart: Sequence[Row]
    nodes: list[Node] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    y: int = _LINE

    def grow(self, root: str, branches: Mapping[str, Sequence[tuple[str, Row]]]) -> None:
        """Set a profile, what it joins and what was kept from it, and go on below."""
        known = {row["profile_key"]: row for row in self.profiles}
        hanging: dict[str, list[Row]] = {}
        for kept in self.apart[:APART]:
            side = "left_key" if kept["left_id"] == self.person_id else "right_key"
            hanging.setdefault(kept[side], []).append(kept)
        waiting: list[tuple[str, Row | None, Node | None, int]] = [(root, None, None, 0)]
        while waiting:
            key, pair, above, depth = waiting.pop()
            shown = known.get(key)
            node = self._set(
                key, depth, kind=str(shown["silo"]) if shown else "other",
                name=words.name(shown["display_name"]) if shown else "deleted there",
                says=_because(pair) if pair else ["there first"],
            )  # fmt: skip
            if above and pair:
                self._link(above, node, "live", _because(pair))
            for kept in hanging.get(key, ()):
                other = _other(kept, key)
                name = kept["right_name"] if other == kept["right_key"] else kept["left_name"]
                says = _because(kept, kept["refusal"] or "waits for a yes or no")
                self._link(
                    node, self._set(other, depth + 1, kind="apart", name=words.name(name),
                                    says=says), "apart", says,
                )  # fmt: skip
            below = sorted(branches.get(key, ()), key=lambda branch: branch[0], reverse=True)
            waiting += [(child, link, node, depth + 1) for child, link in below]

    def finished(self, live: Sequence[Row]) -> Picture:
        """Add the links beside the tree, and close the picture."""
        places = {node.key: node for node in self.nodes if node.kind != "apart"}
        drawn: set[tuple[str, str]] = set()
        for pair in live:
            if pair["far_key"]:
                drawn.add((pair["left_key"], pair["right_key"]))
        for pair in live:
            both = (pair["left_key"], pair["right_key"])
            if both in drawn or not set(both) <= places.keys():
                continue
            drawn.add(both)
            one, other = sorted(places[key].y for key in both)
            path = f"M{WIDTH - 12} {one}C{WIDTH + 2} {one + 14} {WIDTH + 2} {other - 14} " \
                f"{WIDTH - 12} {other}"  # fmt: skip
            self.lines.append(Line(path=path, kind="further", says=" ".join(_because(pair))))
        unshown = max(len(self.apart) - APART, 0)
        return Picture(height=self.y, nodes=self.nodes, lines=self.lines, unshown=unshown)

    def _set(self, key: str, depth: int, *, kind: str, name: str, says: Sequence[str]) -> Node:
        x = 10 + _INDENT * min(depth, _DEEPEST)
        room = int((WIDTH - x - 14 - 16) / _LETTER)
        source = key.partition(":")[0]
        y = self.y
        lines = [line for text in says for line in _wrapped(text, room)]
        name_y = y + _LINE + 4
        below = name_y + _LINE
        node = Node(
            x=x, y=y, kind=kind if kind in _SILOS | {"apart"} else "other", key=key,
            source=_fitting(words.name(self.labels.get(source, source)), room),
            name=_fitting(name, room), name_y=name_y,
            lines=[(below + _LINE * number, line) for number, line in enumerate(lines)],
        )  # fmt: skip
        self.y = below + _LINE * len(lines) + _GAP
        self.nodes.append(node)
        return node

    def _link(self, above: Node, node: Node, kind: str, says: Sequence[str]) -> None:
        if node.x > above.x:
            path = f"M{above.x} {above.y + _RADIUS + 1}V{node.y}H{node.x - _RADIUS - 1}"
        else:  # too deep to indent further
            path = f"M{above.x} {above.y + _RADIUS + 1}V{node.y - _RADIUS - 1}"
        self.lines.append(Line(path=path, kind=kind, says=" ".join(says)))


def _because(pair: Row, refusal: str | None = None) -> list[str]:
    """Say which rule looked at a pair, at what, and what came of it."""
    evidence = words.name(pair["evidence"], "")
    said = [words.name(pair["words"], limit=200) + (f": {evidence}" if evidence else "")]
    if refusal:
        said.append(f"{pair['state']}: {words.name(refusal, limit=120)}")
    return said


def _wrapped(text: str, room: int) -> Iterator[str]:
    for line in textwrap.wrap(text, room):
        yield _fitting(line, room)


def _fitting(text: str, room: int) -> str:
    """Return as much of a text as there is room for; some letters take the room of two."""
    taken = 0
    for place, letter in enumerate(text):
        taken += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if taken > room:
            return text[: place - 1].rstrip() + "…"
    return text
