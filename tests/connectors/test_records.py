"""What a record must be, and what is left of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Rejected, Stream
from connectors.records import (
    MAX_DEPTH,
    Projected,
    Records,
    UnexpectedShape,
    _project_clean,
    is_balanced,
    is_whole,
    parse_stamp,
    pick,
    project,
    project_page,
    split,
    values,
)

POSTS = Stream(
    name="posts", key=("id",), fields=("id", "name", "price", "user.name", "tags.id"), cursor="at"
)


def reason(record: bytes, stream: Stream = POSTS) -> str:
    found = project(record, stream)
    assert isinstance(found, Rejected)
    return found.reason


def text(record: bytes, stream: Stream = POSTS) -> bytes:
    found = project(record, stream)
    assert isinstance(found, Projected)
    return found.text


def test_digits_are_untouched():
    record = b'{"id": 12345678901234567890, "price": 1.10, "name": "1e2"}'
    assert text(record) == b'{"id":12345678901234567890,"price":1.10,"name":"1e2"}'
    assert project(record, POSTS).key == "12345678901234567890"


def test_a_field_not_on_the_list_is_removed_at_every_level():
    record = b"""{"id": 1, "email": "a@b.c", "user": {"name": "Ada", "email": "a@b.c"},
                  "tags": [{"id": 7, "by": "a@b.c"}, "a@b.c"], "na\\u006de": "x"}"""
    assert json.loads(text(record)) == {
        "id": 1,
        "user": {"name": "Ada"},
        "tags": [{"id": 7}, None],
        "name": "x",
    }


names = st.sampled_from(["id", "name", "price", "user", "tags", "email", "a.b", "ID", "na\u0131me"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)
)


def leaf_paths(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaf_paths(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaf_paths(inner, path)
    else:
        yield path, value


@given(st.dictionaries(names, trees, max_size=6), st.booleans())
def test_whatever_comes_only_allowed_paths_are_kept(record, ascii_only):
    found = project(json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", "ignore"), POSTS)
    kept = json.loads(found.text) if found.text else {}
    for path, value in leaf_paths(kept):
        whole_allowed = path[0] in ("id", "name", "price")
        assert whole_allowed or value is None or path[:2] in (("user", "name"), ("tags", "id"))
    if isinstance(found, Projected):
        assert kept["id"] == record["id"]
        assert kept.get("price") == record.get("price")


# A page at once

pieces = st.sampled_from(
    [
        *(
            '"id":"a"',
            '"id":"b"',
            '"id": 7',
            '"id":7',
            '"id":-0',
            '"id":1.10',
            '"id":true',
            '"id":""',
        ),
        *('"name":"x"', '"name" :"y"', '"n\\u0061me":"z"', '"name":"\\u0022:"', '"name":"\\":"'),
        *('"name":"\\u003a"', '"name":":"', '"name":"\\u0000"', '"name":"\\\\u0000"'),
        *('"name":"\\ud83d"', '"name":"\\ud83d\\ude00"', '"name":"😀"', '"name":"\\u00e9"'),
        *('"price":1.10', '"price":1e5', '"price":01', '"price":12345678901234567890123', '"":1'),
        *('"user":{"name":1,"mail":2}', '"user":{"name":1,"name":2}', '"user":[{"name": 1}]'),
        *(
            '"user":{"name":{"a":1,"a":1}}',
            '"user":null',
            '"user":{}',
            '"mail":"secret"',
            '"mail":{}',
        ),
        *('"at":"2026-01-31T09:12:00Z"', '"at":"2026-01-31"', '"at":1769850720', '"at":null'),
        *('"at":"2026-01-31T10:12:00+01:00"', '"at":"20260131"', '"at":"\\u0032026-01-31"'),
        *('"tags":' + "[" * 60 + "]" * 60, '"name":' + '{"a":' * 60 + "1" + "}" * 60),
    ]
)
hostile = st.one_of(
    st.tuples(st.lists(pieces, max_size=5), st.sampled_from([",", ", ", ",\n "])).map(
        lambda made: "{" + made[1].join(made[0]) + "}"
    ),
    st.tuples(st.dictionaries(names, trees, max_size=4), st.booleans(), st.booleans()).map(
        lambda made: json.dumps(
            made[0], ensure_ascii=made[1], separators=(",", ":") if made[2] else None
        )
    ),
    st.sampled_from(["17", "[1]", " ", '{"id":1}x', '{"id":"a"', "null", ' {"id":"a"} ']),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
broken = st.tuples(hostile, st.binary(max_size=2), st.integers(0, 40)).map(
    lambda made: made[0][: made[2]] + made[1] + made[0][made[2] :]
)


@given(
    st.lists(st.one_of(hostile, hostile, broken), min_size=1, max_size=3),
    st.sampled_from([POSTS.fields, ("*",), ("id", "user", "name", "price", "at", "mail", "tags")]),
)
def test_a_page_at_once_gives_what_its_records_give_one_by_one(page, fields):
    stream = replace(POSTS, fields=fields)
    one_by_one = [project(record, stream) for record in page]
    records, rejected = project_page(page, stream)
    assert list(records) == [found for found in one_by_one if isinstance(found, Projected)]
    assert rejected == [found for found in one_by_one if isinstance(found, Rejected)]


@pytest.mark.parametrize(
    "odd", [b'{"id":"c"}\n{"id":"d"}', b'{"id":"c"}\n', b"", b"\n", b'{"id":\n"c"}']
)
def test_a_line_break_does_not_make_two_records_of_one(odd):
    page = [b'{"id":"a"}', odd, b'{"id":"b"}']
    one_by_one = [project(record, POSTS) for record in page]
    records, rejected = project_page(page, POSTS)
    assert list(records) == [found for found in one_by_one if isinstance(found, Projected)]
    assert rejected == [found for found in one_by_one if isinstance(found, Rejected)]


def test_pages_of_changing_shape_stay_what_they_are():
    shapes = [b'{"id":"%d"}', b'{"id":"%d","name":null}', b'{"name":"n","id":"%d"}']
    kept = Records()
    pages = [[shape % n for n in range(3)] for shape in [*shapes, *reversed(shapes)]]
    for page in pages:
        kept.extend(project_page(page, POSTS)[0])
    everything = [record for page in pages for record in page]
    assert [found.text for found in kept] == everything
    assert [found.text for found in kept[2:11]] == everything[2:11]
    assert kept[2:11].keys == kept.keys[2:11]


@pytest.mark.parametrize(
    "page",
    [
        [b'{"id":"a","name":"\xc3\xa9\\n","price":1.5,"user":{"name":null},"tags":[{"id":1}]}'] * 2,
        [b'{"id": "a", "name": "\\u00e9", "price": 1.10, "mail": {"a": ":"}}', b'{"id":"b"}'],
        [b'{"id":1,"at":"2026-01-31T09:12:00.123Z"}', b'{"id":2,"at":null}'],
    ],
    ids=["plain", "spaces, escapes and digits", "numbers"],
)
def test_what_vendors_send_is_taken_a_page_at_once(page):
    assert _project_clean(page, POSTS) is not None
    records, rejected = project_page(page, POSTS)
    assert (list(records), rejected) == ([project(record, POSTS) for record in page], [])


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b'{"id": 1, "name": NaN}', "invalid_json"),
        (b'{"id": 1, "name": }', "invalid_json"),
        (b'{"id": 1, "name": "\xff"}', "invalid_json"),
        (b'{"id": 1, "name": "a\nb"}', "invalid_json"),
        (b'{"id": 1, "name": 01}', "invalid_json"),
        (b'{"id": 1, "id": 2}', "duplicate_name"),
        (b'{"id": 1, "user": {"name": 1, "n\\u0061me": 2}}', "duplicate_name"),
        (b'{"id": 1, "name": "\\ud83d"}', "lone_surrogate"),
        (b'{"id": 1, "name": "\\udc00x"}', "lone_surrogate"),
        (b'{"id": 1, "name": "a\\u0000b"}', "nul"),
        (b'{"id": 1, "name": "a\x00b"}', "nul"),
        (b'{"name": "x"}', "no_key"),
        (b'{"id": null}', "no_key"),
        (b'{"id": ""}', "no_key"),
        (b'{"id": {"a": 1}}', "no_key"),
        (b"[1]", "not_an_object"),
        (b"17", "not_an_object"),
        (b'{"id": 1, "name": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
    ],
)
def test_a_bad_record_has_a_reason(record, expected):
    assert reason(record) == expected


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert('x')</script>",
        "\"quoted\" and 'single' \\ back",
        "line\nbreak\r\n\ttab \u2028",
        "😀 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "\\u0000 written out",
        "x" * 10_000_000,
    ],
    ids=["html", "quotes", "newlines", "emoji", "escaped escape", "10 MB"],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_hostile_text_is_kept_as_it_is(name, ascii_only):
    record = json.dumps({"id": 1, "name": name}, ensure_ascii=ascii_only).encode()
    kept = text(record).decode()
    assert json.loads(kept)["name"] == name
    found = duckdb.execute('select from_json(?, \'{"name":"VARCHAR"}\').name', [kept]).fetchall()
    assert found == [(name,)]


def test_the_deepest_record_that_is_kept_can_be_read_by_the_warehouse():
    nested = b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    kept = text(b'{"id": 1, "name": ' + nested + b"}").decode()
    assert duckdb.execute("select json_valid(?)", [kept]).fetchall() == [(True,)]


def test_the_text_of_a_rejected_record_holds_allowed_fields_only():
    found = project(b'{"id": 5, "email": "a@b.c", "name": "x\\ud800", "user": {"email": 1}}', POSTS)
    assert found.key == "5"
    assert found.text == b'{"id":5,"name":"x\\ud800"}'


def test_a_rejected_record_without_an_end_keeps_nothing():
    assert project(b'{"id": 5, "email": "a@b.c', POSTS).text == b""


@pytest.mark.parametrize(
    ("key", "record", "expected"),
    [
        (("id",), b'{"id": "a b"}', "a b"),
        (("id",), b'{"id": 1.10}', "1.10"),
        (("id",), b'{"id": "\\u00e9\\"q"}', 'é"q'),
        (("id", "name"), b'{"name": "x", "id": 3}', '[3,"x"]'),
    ],
)
def test_keys_are_text(key, record, expected):
    stream = Stream(name="s", key=key, fields=("id", "name"))
    assert project(record, stream).key == expected


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-01-31T09:12:00.000+0000", datetime(2026, 1, 31, 9, 12, tzinfo=UTC)),
        ("2026-01-31T09:12:00Z", datetime(2026, 1, 31, 9, 12, tzinfo=UTC)),
        ("2026-01-31T09:12:00+02:00", datetime(2026, 1, 31, 7, 12, tzinfo=UTC)),
        ("2026-01-31 09:12", datetime(2026, 1, 31, 9, 12, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("1769850720", datetime(2026, 1, 31, 9, 12, tzinfo=UTC)),
        ("1769850720000", datetime(2026, 1, 31, 9, 12, tzinfo=UTC)),
        ("31.01.2026", None),
        ("null", None),
        ("", None),
    ],
)
def test_stamps_are_read_as_utc(stamp, expected):
    assert parse_stamp(stamp) == expected


stamps = st.from_regex(
    r"\A(0000|0001|2026|9999)-(01|02|12)-(01|30|31)([T ](00|09|23|24)(:(12|60)(:(00|60)"
    r"([.,]\d{1,9})?)?)?)?( |z|Z|[+-]\d\d(:?(00|30|60))?)?\Z"
) | st.sampled_from(["0", "20260131", "1769850720000", "-1", "", "null"])


@given(st.lists(stamps, min_size=1, max_size=3))
def test_stamps_of_a_page_are_read_as_one_by_one(texts):
    page = [b'{"id":1,"at":"%b"}' % text.encode() for text in texts]
    records, _ = project_page(page, POSTS)
    assert [found.version for found in records] == [parse_stamp(text) for text in texts]


def test_a_stamp_without_zone_belongs_to_the_streams_zone():
    assert parse_stamp("2026-07-01 12:00", "Europe/Berlin") == datetime(2026, 7, 1, 10, tzinfo=UTC)


@given(st.dictionaries(names, trees, max_size=3), st.lists(names, min_size=1, max_size=2))
def test_what_lies_at_a_path_is_what_parsing_all_of_it_says(told, path):
    page = json.dumps(told).encode()
    there = told
    for name in path:
        there = there.get(name) if isinstance(there, dict) else None
    assert is_whole(page)
    assert pick(page, *path) == there
    if isinstance(there, list):
        assert [json.loads(item) for item in split(page, *path)] == there
    elif there is not None:
        with pytest.raises(UnexpectedShape):
            split(page, *path)


def test_a_page_is_cut_into_the_records_own_bytes():
    page = b'{"data": {"posts": [{"id":1 ,"a":1.10}, {"id":2}]}, "more": "/next"}'
    assert split(page, "data", "posts") == [b'{"id":1 ,"a":1.10}', b'{"id":2}']
    assert pick(page, "more") == "/next"
    assert pick(page, "data", "nothing") is None
    assert split(b'{"posts": null}', "posts") == []
    assert values(b'{"id":1,"t":"x"}', "t", "id", "none") == ("x", 1, None)


def test_what_steers_a_walk_is_found_in_a_record_that_is_broken_elsewhere():
    for broken in (b'"\\ud83d"', b"NaN", b'"\xff"'):
        record = b'{"id":7,"t":%s}' % broken
        assert values(record, "id", "t") == (7, None)
    assert values(b"[1]", "id") == (None,)


def test_one_broken_record_does_not_spoil_its_page():
    page = b'{"posts": [{"id":1}, {"id":2,"x":"a],}\\"" , "y":NaN}, {"id":3},, 7], "more": 4}'
    cut = split(page, "posts")
    assert cut == [b'{"id":1}', b'{"id":2,"x":"a],}\\"" , "y":NaN}', b'{"id":3}', b"7"]
    assert pick(page, "more") == 4


@given(st.lists(st.dictionaries(names, trees, max_size=3), max_size=4), st.integers(0, 60))
def test_a_cut_off_page_is_never_taken_for_a_whole_one(items, cut):
    body = json.dumps({"items": items}).encode()
    assert is_balanced(body)
    assert not is_balanced(body[: -1 - cut])


def test_a_name_that_is_not_text_does_not_spoil_its_page():
    page = b'{"\xff": 1, "posts": [{"id":1}], "more": 4}'
    assert is_whole(page)
    assert split(page, "posts") == [b'{"id":1}']
    assert pick(page, "more") == 4


@pytest.mark.parametrize("page", [b"[1]", b'{"a": 1}', b'{"posts": {"id": 1}}', b'"text"'])
def test_a_page_without_the_list_is_an_unexpected_shape(page):
    with pytest.raises(UnexpectedShape, match="no list at `posts`"):
        split(page, "posts")
