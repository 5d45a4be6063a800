"""No secret leaves the process, however it is spelled."""

from __future__ import annotations

import base64
import json
import logging
import re
from functools import partial
from unittest import mock
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
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


SECRETS = st.text(min_size=8, max_size=24)
AROUND = st.text(max_size=12)
URLS = {
    "plain": str,
    "quoted": quote,
    "quoted whole": lambda text: quote(text, safe=""),
    "quoted in lower case": lambda text: re.sub(
        "%..", lambda found: found[0].lower(), quote(text, safe="")
    ),
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "quoted in a form": quote_plus,
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON that is not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "in JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "in a Python value": lambda text: repr([text])[2:-2],
}


def masked_alone(text, secret):
    """Mask `text` as a process does that knows only this secret."""
    with mock.patch.object(redaction, "_patterns", {}):
        redaction.register([secret])
        return redaction.mask(text)


@pytest.mark.parametrize("form", URLS)
@given(secret=SECRETS, before=AROUND, after=AROUND)
@example(secret='a"b\\c/d e+f', before="\\", after="%")
def test_no_trace_of_a_secret_remains_in_any_spelling(form, secret, before, after):
    spelled = URLS[form](secret)
    masked = masked_alone(f"{before}{spelled}{after}", secret)
    assert spelled not in masked
    assert len(masked.replace(redaction.MASK, "")) <= len(before) + len(after)


@given(
    secret=SECRETS,
    before=AROUND,
    after=AROUND,
    alphabet=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
    travels=st.sampled_from([str, partial(quote, safe=""), lambda text: json.dumps(text)[1:-1]]),
)
@example(
    secret="0" * 8,
    before="\x80",
    after="",
    alphabet=base64.b64encode,
    encoding="utf-8",
    travels=str,
)
@example(secret="secret-1", before="me:", after="", alphabet=base64.b64encode,
         encoding="utf-8", travels=str)  # fmt: skip
def test_no_bit_of_a_secret_remains_inside_base64(
    secret, before, after, alphabet, encoding, travels
):
    """`Basic` is the base64 of user and secret, which begins at any of three offsets."""
    parts = [part.encode(encoding, "ignore") for part in (before, secret, after)]
    if parts[1].decode(encoding) != secret:
        return  # cannot travel so
    encoded = alphabet(b"".join(parts)).decode()
    start, end = 8 * len(parts[0]), 8 * len(parts[0] + parts[1])
    own, others = (
        encoded[start // 6 : -(-end // 6)],
        encoded[: start // 6] + encoded[-(-end // 6) :],
    )
    masked = masked_alone(travels(encoded), secret)
    assert own not in masked
    assert len(masked.replace(redaction.MASK, "")) <= len(travels(others))


def test_the_longer_of_two_secrets_is_masked_whole():
    assert redaction.mask("a s3cr3t-1-longer b s3cr3t-1 c") == "a *** b *** c"


@pytest.mark.parametrize("pair", ["s3cr3t-1:s3cr3t-1-longer", "s3cr3t-1-longer:s3cr3t-1"])
def test_of_two_secrets_in_one_base64_text_neither_remains(pair):
    masked = redaction.mask(f"Basic {base64.b64encode(pair.encode()).decode()}")
    assert set(masked.removeprefix("Basic ")) <= {"*", "="}


def test_a_renewed_token_costs_only_itself():
    with mock.patch.object(redaction, "_spellings", wraps=redaction._spellings) as spelled:
        redaction.register(["token-one", "token-two"])
        redaction.register(["token-two", "token-three"])
    assert spelled.call_count == 3
    assert redaction.mask("token-one token-two token-three") == "*** *** ***"


def test_what_was_registered_in_a_world_that_is_gone_is_forgotten():
    with redaction.forgetting():
        redaction.register(["t0ken-of-a-world"])
        assert redaction.mask(f"t0ken-of-a-world {SECRET}") == "*** ***"
    assert redaction.mask(f"t0ken-of-a-world {SECRET}") == "t0ken-of-a-world ***"


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


def test_a_file_name_a_note_and_the_members_of_a_group_are_masked():
    inner = FileNotFoundError(2, "No such file", f"/keys/{SECRET}.pem")
    inner.add_note(f"looked for {SECRET}")
    group = ExceptionGroup("two", [inner, ValueError(f"and {SECRET}")])
    redaction.mask_exception(group)
    told = f"{inner} {inner.__notes__} {group.exceptions[1]}"
    assert SECRET not in told
    assert told == "[Errno 2] No such file: '/keys/***.pem' ['looked for ***'] and ***"


def test_what_an_exception_keeps_in_a_mapping_is_masked():
    class Foreign(Exception):
        def __str__(self):
            return f"refused {self.headers}"

    error = Foreign()
    error.headers = {"Authorization": f"Bearer {SECRET}"}
    redaction.mask_exception(error)
    assert str(error) == "refused {'Authorization': 'Bearer ***'}"


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
