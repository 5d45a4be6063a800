"""Phone numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.identity.phones import e164


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
