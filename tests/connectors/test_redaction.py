"""No secret leaves the process, however it is spelled."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import redaction

SECRET = 'k3y+with/odd =chars"é'
redaction.register([SECRET, "s3cr3t-1", "s3cr3t-1-longer"])


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_every_spelling_is_masked_inside_longer_text(spelling):
    masked = redaction.mask(f"https://forum/x?key={spelling}&page=2")
    assert spelling not in masked
    assert masked.startswith("https://forum/x?key=***")
    assert masked.endswith("&page=2")


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_secret_inside_base64_is_masked_at_any_offset(before, after):
    encoded = base64.b64encode(f"{before}{SECRET}{after}".encode()).decode()
    left = redaction.mask(encoded).replace("***", "")
    # What is left besides the mask covers the neighbours and at most a letter on either side.
    assert len(left) * 6 / 8 <= len(before.encode()) + len(after.encode()) + 6


def test_the_longer_of_two_secrets_is_masked_whole():
    assert redaction.mask("a s3cr3t-1-longer b s3cr3t-1 c") == "a *** b *** c"


def test_very_short_values_are_left_alone():
    redaction.register(["ab", ""])
    assert redaction.mask("about") == "about"


def test_exceptions_are_masked_with_all_their_causes():
    class Foreign(Exception):
        def __init__(self, url):
            super().__init__("call failed", url, {"url": url})
            self.url = url

    try:
        try:
            raise ValueError(f"inner {SECRET}")
        except ValueError as inner:
            raise Foreign(f"https://x/?k={quote(SECRET, safe='')}") from inner
    except Foreign as error:
        redaction.mask_exception(error)
        told = f"{error!r} {error.url} {error.__cause__!r}"
    assert SECRET not in told
    assert quote(SECRET, safe="") not in told
    assert "https://x/?k=***" in told


def test_logs_are_masked_with_arguments_and_traceback(caplog):
    with caplog.at_level(logging.DEBUG, "connectors"):
        try:
            raise RuntimeError(f"broken with {SECRET}")
        except RuntimeError:
            redaction.logger.exception("asked %s", SECRET)
    assert SECRET not in caplog.text
    assert "asked ***" in caplog.text
    assert "broken with ***" in caplog.text


def test_what_the_http_library_logs_is_masked(caplog):
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        logging.getLogger("urllib3.connectionpool").debug("GET /x?key=%s", quote_plus(SECRET))
    assert "GET /x?key=***" in caplog.text
