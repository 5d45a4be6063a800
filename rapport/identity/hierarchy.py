"""From what records say of a parent to a hierarchy of organizations that has a top.

Belongs here: what to make of parents that nobody holds and of circles. Does not belong here: whose
word counts where sources differ (`identity_organization_parent`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where an organization stands.

    Attributes:
        parent: what it is directly part of, or None at the top.
        ultimate_parent: the top of the hierarchy, itself where it is the top.
        depth: steps to the top, 0 at the top.
    """

    parent: str | None
    ultimate_parent: str
    depth: int


def hierarchy(parents: Mapping[str, str | None]) -> dict[str, Place]:
    """Return every organization's place, in the order given.

    A parent that is no organization here is none. Of a circle (each says that it is part of the
    next) the one that comes first in `parents` becomes the top; the others keep their parent.
    """
    kept = _without_circles(parents)
    places: dict[str, Place] = {}
    for organization in parents:
        way = [organization]
        while way[-1] not in places and (parent := kept[way[-1]]) is not None:
            way.append(parent)
        for one in reversed(way):
            if one not in places:
                above = kept[one]
                places[one] = (
                    Place(None, one, 0)
                    if above is None
                    else Place(above, places[above].ultimate_parent, places[above].depth + 1)
                )
    return {organization: places[organization] for organization in parents}


def ancestors(places: Mapping[str, Place]) -> Iterator[tuple[str, str, int]]:
    """Yield (organization, what it is part of, steps between), itself at 0 steps first."""
    for organization in places:
        above: str | None = organization
        steps = 0
        while above is not None:
            yield organization, above, steps
            above = places[above].parent
            steps += 1


def _without_circles(parents: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the parents that exist, each circle opened at its first member."""
    kept = {
        organization: parent if parent in parents else None
        for organization, parent in parents.items()
    }
    seniority = {organization: place for place, organization in enumerate(parents)}
    clear: set[str] = set()
    for start in parents:
        way: dict[str, None] = {}
        one: str | None = start
        while one is not None and one not in clear and one not in way:
            way[one] = None
            one = kept[one]
        if one is not None and one in way:
            members = list(way)
            circle = members[members.index(one) :]
            kept[min(circle, key=seniority.__getitem__)] = None
        clear |= way.keys()
    return kept
