"""Where the picture of a person puts profiles, links and what was not joined."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rapport.report.joined import APART, WIDTH, Picture, because, picture

ANN = "per_ann"


def profile(key: str) -> dict[str, Any]:
    return {"profile_key": key, "silo": "crm", "display_name": f"name of {key}"}


def pair(left: str, right: str, far: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "left_key": left, "right_key": right, "left_id": ANN, "right_id": ANN, "left_name": left,
        "right_name": right, "state": "live", "far_key": far, "words": "same address", "tier": 3,
        "evidence": None, "refusal": None, **more,
    }  # fmt: skip


def drawn(profiles: list[str], pairs: list[dict[str, Any]]) -> Picture:
    found = picture(ANN, [profile(key) for key in profiles], pairs, {"a": "Archive"})
    assert found is not None
    return found


def test_a_tree_begins_with_who_was_there_first() -> None:
    found = drawn(["a:x:1", "a:x:2", "a:x:3"], [pair("a:x:1", "a:x:3", "a:x:3"),
                                               pair("a:x:2", "a:x:3", "a:x:2")])  # fmt: skip
    assert [(node.key, node.x) for node in found.nodes] == [
        ("a:x:1", 10), ("a:x:3", 30), ("a:x:2", 50),
    ]  # fmt: skip
    assert found.nodes[0].source == "Archive"
    assert [text for _, text in found.nodes[0].lines] == ["there first"]
    assert [line.kind for line in found.lines] == ["live", "live"]


def test_one_more_link_between_two_who_are_joined_is_a_line_and_no_node() -> None:
    found = drawn(["a:x:1", "a:x:2"], [
        pair("a:x:1", "a:x:2", "a:x:2"),
        pair("a:x:1", "a:x:2", words="same phone"),
        pair("a:x:1", "a:x:2", state="refused", refusal="a number of a house"),
    ])  # fmt: skip
    assert len(found.nodes) == 2
    assert [line.kind for line in found.lines] == ["live"], "one line per pair"
    round_trip = drawn(["a:x:1", "a:x:2", "a:x:3"], [
        pair("a:x:1", "a:x:2", "a:x:2"), pair("a:x:1", "a:x:3", "a:x:3"), pair("a:x:2", "a:x:3"),
    ])  # fmt: skip
    assert [line.kind for line in round_trip.lines] == ["live", "live", "further"]


def test_what_was_not_joined_hangs_dotted_where_it_was_looked_at() -> None:
    others = [
        pair("a:x:2", f"b:y:{n}", state="refused", right_id=f"per_{n}", refusal="names disagree")
        for n in range(APART)
    ]
    others.append(pair("a:x:1", "b:y:9", state="vetoed", right_id="per_9", refusal="kept apart"))
    found = drawn(["a:x:1", "a:x:2"], [pair("a:x:1", "a:x:2", "a:x:2"), *others])
    assert found.unshown == 1
    apart = [node for node in found.nodes if node.kind == "apart"]
    assert (len(apart), apart[0].key) == (APART, "b:y:9"), "what people say comes first"
    assert [text for _, text in apart[0].lines] == ["same address", "vetoed: kept apart"]


def test_a_deleted_profile_on_the_way_is_shown_as_such() -> None:
    found = drawn(["a:x:1"], [pair("a:x:1", "a:x:2", "a:x:2")])
    assert found.nodes[1].name == "deleted there"


def test_nobody_is_drawn_alone() -> None:
    alone = pair("a:x:1", "b:y:1", state="refused", refusal="no", right_id="per_b")
    assert picture(ANN, [profile("a:x:1")], [alone], {}) is None
    assert because([alone]) == []


@given(st.lists(st.text(max_size=300), min_size=1, max_size=12))
def test_words_of_strangers_stay_in_the_picture_and_rows_apart(names: list[str]) -> None:
    keys = [f"a:x:{n:02}" for n in range(len(names) + 1)]
    profiles = [{"profile_key": key, "silo": "crm", "display_name": name}
                for key, name in zip(keys, ["first", *names], strict=True)]  # fmt: skip
    pairs = [
        pair(left, right, right, evidence=name, words="same address")
        for left, right, name in zip(keys, keys[1:], names, strict=False)
    ]
    found = picture(ANN, profiles, pairs, {})
    assert found is not None
    assert len(found.nodes) == len(keys)
    rows = [y for node in found.nodes for y in (node.y, node.name_y, *dict(node.lines))]
    assert rows == sorted(set(rows))
    assert rows[-1] < found.height
    for node in found.nodes:
        for text in (node.source, node.name, *(line for _, line in node.lines)):
            assert node.x + 13 + 6 * len(text) < WIDTH
            assert not set(text) & {"\n", "\x1b", "\u202e"}
