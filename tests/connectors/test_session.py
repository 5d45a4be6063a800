"""Requests that fail, wait, repeat and tell the truth about it."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import (
    AuthError,
    BadRequest,
    ConfigError,
    Fatal,
    QuotaSpent,
    RateLimited,
    Retriable,
    ServerError,
    Unreachable,
)
from connectors.session import Limit, Session, seconds_until

KEY = "s3cret+Key/with=signs"


@pytest.fixture
def session(vendor):
    made = Session("forum", secrets=[KEY], base_url=vendor.url, backoff_s=0.001)
    made.place = "forum.posts"
    return made


def test_a_body_is_returned_without_byte_order_mark(session, vendor, answer):
    vendor.answer = lambda path: answer(b'\xef\xbb\xbf {"a": 1}\n')
    assert session.fetch("GET", "/posts.json") == b'{"a": 1}'
    assert session.requests_made == 1


def test_gzip_is_known_by_its_first_bytes(session, vendor, answer):
    vendor.answer = lambda path: answer(gzip.compress(b"[1]"))
    assert session.fetch("GET", "/") == b"[1]"


def test_a_failing_server_is_asked_again(session, vendor, answer):
    vendor.in_turn(answer(status=500), answer(status=502), answer(b"[]"))
    assert session.fetch("GET", "/") == b"[]"
    assert session.requests_made == 3
    assert session.waits_s > 0


def test_a_server_that_keeps_failing_is_named(session, vendor, answer):
    vendor.answer = lambda path: answer(b"<html>oops</html>", status=503)
    with pytest.raises(ServerError) as caught:
        session.fetch("GET", "/posts.json?email=a@b.c")
    assert str(caught.value) == (
        "forum.posts: HTTP 503 from `/posts.json`, 5 times. Try again later."
    )
    assert (caught.value.place, caught.value.status) == ("forum.posts", 503)
    assert isinstance(caught.value, Retriable)


def test_a_post_that_may_have_been_carried_out_is_not_repeated(session, vendor, answer):
    vendor.answer = lambda path: answer(status=500)
    with pytest.raises(ServerError):
        session.post(vendor.url + "/token")
    assert len(vendor.requests) == 1


def test_a_post_of_a_source_that_only_asks_is_repeated(session, vendor, answer):
    session.only_asks = True
    vendor.in_turn(answer(status=502), answer(b"[]"))
    assert session.fetch("POST", "/search") == b"[]"


@pytest.mark.parametrize(
    ("headers", "least"), [({"Retry-After": "0.2"}, 0.2), ({"X-RateLimit-Reset": "0.1"}, 0.1)]
)
def test_a_limit_waits_as_long_as_the_vendor_says(session, vendor, answer, headers, least):
    waits = []
    session.on_wait = lambda seconds, reason: waits.append((seconds, reason))
    vendor.in_turn(answer(b"Slow down", status=429, headers=headers), answer(b"[]"))
    began = time.monotonic()
    assert session.fetch("GET", "/") == b"[]"
    assert time.monotonic() - began >= least
    assert any(seconds >= least and reason == "the vendor's limit" for seconds, reason in waits)


def test_a_vendors_own_limit_shape_is_obeyed(session, vendor, answer):
    def limits(response):
        return Limit(0.1, reason="concurrent calls") if b"Concurrent" in response.content else None

    session.limits = limits
    vendor.in_turn(answer(b'[{"errorCode":"ConcurrentRequests"}]', status=403), answer(b"[]"))
    assert session.fetch("GET", "/") == b"[]"


def test_a_spent_quota_ends_at_once(session, vendor, answer):
    session.limits = lambda response: Limit(None, spent=True, reason="the daily quota is used up")
    with pytest.raises(QuotaSpent, match=r"forum\.posts: the daily quota is used up") as caught:
        session.fetch("GET", "/")
    assert isinstance(caught.value, Fatal)
    assert len(vendor.requests) == 1


def test_a_limit_without_end_is_given_up(session, vendor, answer):
    session.max_wait_s = 0.2
    vendor.answer = lambda path: answer(status=429, headers={"Retry-After": "0.1"})
    with pytest.raises(RateLimited) as caught:
        session.fetch("GET", "/")
    assert str(caught.value) == (
        "forum.posts: the vendor limits our calls (HTTP 429 from `/`), and would for longer than "
        "the 0.2 s we wait. Try again later."
    )


def test_a_vendor_that_is_away_for_long_is_not_said_to_limit_us(session, vendor, answer):
    session.max_wait_s = 0.2
    vendor.answer = lambda path: answer(status=503, headers={"Retry-After": "0.1"})
    with pytest.raises(ServerError) as caught:
        session.fetch("GET", "/")
    assert str(caught.value) == (
        "forum.posts: the vendor says that it is not available (HTTP 503 from `/`), for longer "
        "than the 0.2 s we wait. Try again later."
    )


def test_a_page_that_is_not_json_is_named_with_its_facts(session, vendor, answer):
    vendor.answer = lambda path: answer(
        b"<html>Log in</html>", headers={"Content-Type": "text/html; charset=utf-8"}
    )
    with pytest.raises(ServerError) as caught:
        session.fetch("GET", "/posts.json")
    assert str(caught.value) == (
        "forum.posts: `/posts.json` answered HTTP 200 with `text/html` (19 bytes), which is not "
        "JSON. Is the address right, or does a login page or a proxy stand in the way?"
    )


def test_a_body_cut_off_on_the_way_is_asked_again(session, vendor, answer):
    vendor.in_turn(answer(b'{"a": [1, 2', lie=5), answer(b'{"a": [1, 2'), answer(b'{"a": [1, 2]}'))
    assert session.fetch("GET", "/") == b'{"a": [1, 2]}'


def test_a_body_that_always_ends_in_the_middle_is_an_error(session, vendor, answer):
    vendor.answer = lambda path: answer(b'{"a": [1, {"b": "x')
    with pytest.raises(ServerError, match=r"ended in the middle, 5 times \(the last after 18"):
        session.fetch("GET", "/")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_says_what_it_needs(session, vendor, answer, status):
    vendor.answer = lambda path: answer(status=status)
    with pytest.raises(AuthError) as caught:
        session.fetch("GET", "/posts.json", hint="The key needs the scope `read`.")
    assert str(caught.value) == (
        f"forum.posts: HTTP {status} from `/posts.json`. The key needs the scope `read`."
    )


def test_a_refused_request_carries_its_status(session, vendor, answer):
    vendor.answer = lambda path: answer(status=404)
    with pytest.raises(BadRequest) as caught:
        session.fetch("GET", "/nowhere.json")
    assert caught.value.status == 404


def test_an_unreachable_host_is_named(answer):
    session = Session("forum", base_url="http://127.0.0.1:9", backoff_s=0.001)
    with pytest.raises(Unreachable) as caught:
        session.fetch("GET", "/posts.json")
    assert str(caught.value) == (
        "forum: `127.0.0.1:9` cannot be reached: the connection is refused. "
        "Check `url` in rapport.yml and the network."
    )
    assert session.requests_made == 5


@pytest.mark.parametrize("url", ["nonsense", "ftp://forum/x", "http://"])
def test_an_address_that_is_none_is_a_mistake_in_the_configuration(url):
    with pytest.raises(ConfigError, match="Check `url`"):
        Session("forum").fetch("GET", url)


def test_a_credential_that_cannot_travel_is_a_mistake_and_is_not_shown(session):
    for value in ("s3cret-broken\n", "s3cret-brоken"):  # a line break, a Cyrillic letter
        with pytest.raises(ConfigError, match="cannot travel in a request") as caught:
            session.fetch("GET", "/", headers={"Api-Key": value})
        assert "s3cret" not in str(caught.value)


def test_redirects_in_circles_end(session, vendor, answer):
    vendor.answer = lambda path: answer(status=302, headers={"Location": "/"})
    with pytest.raises(ServerError, match="redirects in circles"):
        session.fetch("GET", "/")


def test_a_broken_gzip_is_not_json(session, vendor, answer):
    vendor.answer = lambda path: answer(gzip.compress(b"[1]")[:-6])
    with pytest.raises(ServerError, match="which is not JSON"):
        session.fetch("GET", "/")


def test_a_silent_server_does_not_hold_us_for_ever(vendor, answer):
    def slow(path):
        time.sleep(0.4)
        return answer()

    vendor.answer = slow
    session = Session("forum", base_url=vendor.url, timeout=(1, 0.05), attempts=2, backoff_s=0.001)
    with pytest.raises(Unreachable, match="no answer in time"):
        session.fetch("GET", "/")


def test_the_clock_is_the_servers(session, vendor, answer):
    vendor.answer = lambda path: answer(headers={"Date": "Mon, 05 Jan 2026 10:00:00 GMT"})
    now = session.server_now()
    assert timedelta(0) <= now - datetime(2026, 1, 5, 10, tzinfo=UTC) < timedelta(seconds=5)
    assert vendor.requests[0][0] == "HEAD"


def test_a_secret_header_does_not_follow_a_redirect_to_another_host(session, vendor, answer):
    elsewhere = vendor.url.replace("127.0.0.1", "localhost")
    vendor.answer = lambda path: (
        answer(status=302, headers={"Location": f"{elsewhere}/b"}) if path == "/a" else answer()
    )
    session.fetch("GET", "/a", headers={"Api-Key": KEY, "X-Other": "kept"})
    first, second = (headers for _, _, headers in vendor.requests)
    assert first["Api-Key"] == KEY
    assert "Api-Key" not in second
    assert second["X-Other"] == "kept"


def test_a_password_in_netrc_does_not_replace_our_credential(
    session, vendor, monkeypatch, tmp_path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session.fetch("GET", "/", headers={"Authorization": "Bearer ours"})
    assert vendor.requests[0][2]["Authorization"] == "Bearer ours"


SLOTS = (3, 3_600.0)


def _spend(folder: str, url: str) -> None:
    session = Session(
        "forum", secrets=[KEY], base_url=url, calls_per_window=(SLOTS,), budget_dir=Path(folder)
    )
    session.sleep = lambda seconds: None  # what counts is which slots were booked
    for _ in range(4):
        session.fetch("GET", "/")


def test_two_processes_share_one_budget(vendor, tmp_path):
    began = time.time()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_spend, args=(str(tmp_path), vendor.url)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(vendor.requests) == 8
    [file] = tmp_path.glob("*.json")
    # The eighth call lies in the third window; of a budget of its own the fourth is in the second.
    last = max(json.loads(file.read_bytes())["calls"])
    assert 2 * SLOTS[1] <= last - began <= 2 * SLOTS[1] + (time.time() - began)
    assert all(KEY not in path.name for path in tmp_path.iterdir())


NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


def test_calls_of_one_kind_have_a_budget_besides_the_common_one(tmp_path):
    slots = ((1, 0.2),)
    sessions = [Session("crm", secrets=[KEY], budget_dir=tmp_path) for _ in range(2)]
    began = time.monotonic()
    for session in sessions:
        session.await_slot(session.budget_of("searches", slots), "the budget of searches")
    assert time.monotonic() - began >= 0.15
    assert sessions[0].budget.book() == 0


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("30", 30),
        ("1.5", 1.5),
        (str(int(NOW.timestamp()) + 60), 60),
        (str((int(NOW.timestamp()) + 60) * 1000), 60),
        ("2026-01-31T09:01:00Z", 60),
        ("Sat, 31 Jan 2026 09:01:00 GMT", 60),
        ("2020-01-01T00:00:00Z", 0),
        ("soon", None),
    ],
)
def test_the_four_kinds_of_reset_clock_are_read(reset, seconds):
    assert seconds_until(reset, NOW) == seconds
