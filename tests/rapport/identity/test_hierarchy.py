"""A hierarchy has a top, whatever records say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rapport.identity.hierarchy import Place, ancestors, hierarchy

PARENTS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([None, *"abcdefghxy"]))


def test_every_part_knows_its_parent_and_the_top() -> None:
    assert hierarchy({"plant": "country", "country": "group", "group": None}) == {
        "plant": Place("country", "group", 2),
        "country": Place("group", "group", 1),
        "group": Place(None, "group", 0),
    }


def test_a_parent_that_nobody_holds_is_none() -> None:
    assert hierarchy({"plant": "purged"}) == {"plant": Place(None, "plant", 0)}


def test_a_circle_opens_at_its_first_member_and_keeps_what_hangs_on_it() -> None:
    assert hierarchy({"leaf": "young", "old": "young", "young": "middle", "middle": "old"}) == {
        "leaf": Place("young", "old", 3),
        "old": Place(None, "old", 0),
        "young": Place("middle", "old", 2),
        "middle": Place("old", "old", 1),
    }
    assert hierarchy({"own": "own"}) == {"own": Place(None, "own", 0)}


def test_a_long_chain_is_no_circle() -> None:
    chain: dict[str, str | None] = {str(number): str(number + 1) for number in range(3000)}
    places = hierarchy({**chain, "3000": None})
    assert places["0"] == Place("1", "3000", 3000)


@given(PARENTS)
def test_every_way_up_ends_at_the_top_and_only_circles_lose_a_parent(
    parents: dict[str, str | None],
) -> None:
    places = hierarchy(parents)
    assert list(places) == list(parents)
    for organization, place in places.items():
        if place.parent is None:
            assert (place.ultimate_parent, place.depth) == (organization, 0)
            assert parents[organization] not in parents or _comes_back(parents, organization)
        else:
            above = places[place.parent]
            assert place.parent == parents[organization]
            assert (place.ultimate_parent, place.depth) == (above.ultimate_parent, above.depth + 1)


@given(PARENTS)
def test_what_is_rolled_up_to_the_tops_is_everything_once(parents: dict[str, str | None]) -> None:
    places = hierarchy(parents)
    rows = list(ancestors(places))
    tops = {organization for organization, place in places.items() if place.parent is None}
    assert sorted(one for one, above, _ in rows if above in tops) == sorted(parents)
    assert {(one, above) for one, above, steps in rows if steps == 1} == {
        (one, place.parent) for one, place in places.items() if place.parent is not None
    }


def _comes_back(parents: dict[str, str | None], start: str) -> bool:
    seen: set[str] = set()
    one = parents[start]
    while one is not None and one in parents and one not in seen:
        if one == start:
            return True
        seen.add(one)
        one = parents[one]
    return False
