"""Phone numbers as people write them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.identity.phones import e164

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
EXAMPLES = [
    phonenumbers.format_number(number, style)
    for region in REGIONS
    for kind in (0, 1, 2, 3, 4, 6, 7)
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    for style in (0, 1, 2)
]


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("(415) 555-2671", "US", "+14155552671"),
        ("+1 415.555.2671 ext. 12", "DE", "+14155552671"),
        ("1-415-555-2671", "US", "+14155552671"),
        ("030 901820", "DE", "+4930901820"),
        ("0044 20 7946 0958", "DE", "+442079460958"),
        ("555-2671", "US", None),
        ("n/a", "US", None),
        ("", "US", None),
        (None, "US", None),
        ("1" * 10_000, "US", None),
    ],
)
def test_numbers_are_read_or_refused(text: str | None, region: str, expected: str | None) -> None:
    assert e164(text, region) == expected


@given(st.text(max_size=80))
def test_what_is_read_is_read_again_as_the_same(text: str) -> None:
    number = e164(text, "US")
    assert number is None or e164(number, "DE") == number


@given(
    st.sampled_from(EXAMPLES),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("0123456789")), max_size=2),
    st.sampled_from(["US", "DE", "GB", "IT", "AR", *REGIONS]),
)
def test_what_is_plain_is_read_as_the_library_reads_it(
    text: str, changes: list[tuple[int, str]], region: str
) -> None:
    for place, digit in changes:
        place %= len(text)
        text = text[:place] + digit + text[place + 1 :]
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        expected = None
    else:
        is_valid = phonenumbers.is_valid_number(number)
        expected = phonenumbers.format_number(number, 0) if is_valid else None
    assert e164(text, region) == expected
