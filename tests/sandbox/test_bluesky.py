"""The network's emulator against its lexicons and what the vendor documents, over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bluesky import Network, NetworkSettings, app
from sandbox.bluesky.store import NO_UNAUTHENTICATED, iso
from sandbox.clock import Clock
from sandbox.faults import Faults
from tests.sandbox.lexicons import Lexicons

OnStage = Callable[[Any], str]
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
PASSWORD = "abcd-efgh-ijkl-mnop"

needs_lexicons = pytest.mark.skipif(
    not Lexicons.are_here(), reason="the network's lexicons do not lie beside the project"
)


class Client:
    """A network on a free port and one who asks it."""

    def __init__(self, on_stage: OnStage, **settings: Any) -> None:
        self.clock = Clock(START)
        self.faults = Faults()
        self.network = Network(NetworkSettings(**settings))
        self.us = self.network.create_account(
            "looms.example", START, display_name="Looms", password=PASSWORD
        )
        self.ann = self.network.create_account("ann.bsky.social", START, display_name="Ann")
        self.bob = self.network.create_account("bob.bsky.social", START)
        self.url = on_stage(app(self.network, self.clock, self.faults))
        self.token: str | None = None

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def post(self, text: str, did: str | None = None, **more: Any) -> str:
        """Let a minute pass and somebody post."""
        self.clock.advance(seconds=60)
        return self.network.post(did or self.ann, text, self.now, **more)

    def ask(self, nsid: str, **params: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"{self.url}/xrpc/{nsid}"
        return requests.get(url, params=params, headers=headers, timeout=10)

    def get(self, nsid: str, **params: Any) -> Any:
        answer = self.ask(nsid, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, nsid: str, token: str | None = None, **body: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.url}/xrpc/{nsid}"
        return requests.post(url, json=body or None, headers=headers, timeout=10)

    def login(self, password: str = PASSWORD) -> requests.Response:
        return self.call(
            "com.atproto.server.createSession", identifier="looms.example", password=password
        )

    def log_in(self) -> dict[str, Any]:
        session: dict[str, Any] = self.login().json()
        self.token = session["accessJwt"]
        return session

    def found(self, **params: Any) -> list[str]:
        answer = self.get("app.bsky.feed.searchPosts", **{"q": "*", **params})
        return [post["uri"] for post in answer["posts"]]

    def error(self, nsid: str, **params: Any) -> tuple[int, str]:
        answer = self.ask(nsid, **params)
        return answer.status_code, answer.json()["error"]


@pytest.fixture
def client(on_stage: OnStage) -> Client:
    return Client(on_stage)


# Shapes


@needs_lexicons
def test_every_answer_is_valid_against_its_lexicon(client):
    lexicons = Lexicons()
    news = client.post("New: draft editor 🧵 #weaving https://looms.example/new", client.us)
    mention = client.post("Hi @looms.example, love it 🎉 https://blog.looms.example/a?b=c")
    reply = client.post("Thanks @ann.bsky.social!", client.us, reply_to=mention)
    client.post("You are welcome", client.ann, reply_to=reply)
    quote = client.post("Look at this", client.bob, quote=news)
    client.post("A card", client.bob, card="https://looms.example/card")
    gone = client.post("gone", client.us)
    client.post("I quote what is gone", client.bob, quote=gone)
    client.network.delete(gone)
    client.network.like(client.ann, news, client.now)
    client.network.repost(client.bob, news, client.now)
    client.network.edit(quote, "Look at this!", client.now)
    client.network.break_handle(client.bob)
    client.network.accounts[client.bob].labels = (NO_UNAUTHENTICATED,)

    def check() -> None:
        for nsid, params in {
            "app.bsky.feed.searchPosts": {"q": "*", "limit": 100},
            "app.bsky.feed.getPosts": {"uris": [news, mention, reply, quote]},
            "app.bsky.feed.getAuthorFeed": {"actor": "looms.example"},
            "app.bsky.feed.getLikes": {"uri": news},
            "app.bsky.feed.getQuotes": {"uri": news},
            "app.bsky.feed.getRepostedBy": {"uri": news},
            "app.bsky.feed.getPostThread": {"uri": reply},
            "app.bsky.notification.listNotifications": {"limit": 2},
            "app.bsky.actor.getProfile": {"actor": "ann.bsky.social"},
            "app.bsky.actor.getProfiles": {"actors": [client.ann, client.bob]},
            "com.atproto.sync.getRepoStatus": {"did": client.ann},
            "com.atproto.server.getSession": {},
        }.items():
            lexicons.answer(nsid, client.get(nsid, **params))

    session = client.log_in()
    lexicons.answer("com.atproto.server.createSession", session)
    refreshed = client.call("com.atproto.server.refreshSession", session["refreshJwt"]).json()
    lexicons.answer("com.atproto.server.refreshSession", refreshed)
    client.token = refreshed["accessJwt"]
    check()
    client.network.block(client.bob, client.us)
    check()
    client.network.set_status(client.bob, "deactivated")
    check()
    lexicons.answer(
        "com.atproto.sync.getRepoStatus",
        client.get("com.atproto.sync.getRepoStatus", did=client.bob),
    )


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_facets_count_bytes_whatever_stands_before_them(before):
    network = Network()
    did = network.create_account("looms.example", START)
    text = f"{before} @looms.example {before} https://looms.example/a #warp"
    uri = network.post(did, text, START)
    data = text.encode()
    marked = [
        (data[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(), feature)
        for facet in network.posts[uri].record["facets"]
        for feature in facet["features"]
    ]
    assert [text for text, feature in marked if feature.get("did") == did][-1] == "@looms.example"
    assert "https://looms.example/a" in [text for text, feature in marked if "uri" in feature]
    assert marked[-1][0] == "#warp" and marked[-1][1]["tag"] == "warp"


# Sessions


def test_a_session_is_refreshed_with_the_refresh_token_only_and_both_rotate(client):
    session = client.log_in()
    wrong = client.call("com.atproto.server.refreshSession", session["accessJwt"])
    assert (wrong.status_code, wrong.json()["error"]) == (400, "InvalidToken")
    new = client.call("com.atproto.server.refreshSession", session["refreshJwt"]).json()
    assert {new["accessJwt"], new["refreshJwt"]}.isdisjoint(
        {session["accessJwt"], session["refreshJwt"]}
    )
    again = client.call("com.atproto.server.refreshSession", session["refreshJwt"]).json()
    assert again == new  # who lost the answer asks once more
    client.get("com.atproto.server.getSession")  # with the first access token
    client.clock.advance(seconds=2 * 3600)
    spent = client.call("com.atproto.server.refreshSession", session["refreshJwt"])
    assert (spent.status_code, spent.json()["error"]) == (400, "ExpiredToken")


def test_an_access_token_lives_two_hours(client):
    client.log_in()
    client.get("com.atproto.server.getSession")
    client.clock.advance(seconds=2 * 3600)
    assert client.error("com.atproto.server.getSession") == (400, "ExpiredToken")


def test_refusals_have_the_vendors_shapes(client):
    wrong = client.login("wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "AuthenticationRequired")
    assert client.error("app.bsky.notification.listNotifications") == (401, "AuthMissing")
    assert client.error("app.bsky.feed.searchPosts", q="*") == (401, "AuthMissing")
    client.token = "made-up"
    assert client.error("com.atproto.server.getSession") == (400, "InvalidToken")
    client.token = None
    assert client.error("app.bsky.feed.getNothing") == (501, "MethodNotImplemented")
    assert client.error("app.bsky.feed.getPosts", uris=["at://x"] * 26) == (400, "InvalidRequest")
    assert client.error("com.atproto.sync.getRepoStatus", did="did:plc:x") == (400, "RepoNotFound")
    client.log_in()
    assert client.error("app.bsky.feed.searchPosts", q="*", limit=101) == (400, "InvalidRequest")
    assert client.error("app.bsky.feed.searchPosts", q="*", cursor="made-up")[0] == 500


def test_logins_are_limited_per_five_minutes_and_per_day(client):
    for _ in range(30):
        assert client.login().status_code == 200
    refused = client.login()
    assert (refused.status_code, refused.json()["error"]) == (429, "RateLimitExceeded")
    assert refused.headers["ratelimit-policy"] == "30;w=300"
    reset = int(refused.headers["ratelimit-reset"]) - client.now.timestamp()
    assert 0 < reset <= 302
    client.clock.advance(seconds=reset + 1)
    assert client.login().status_code == 200
    for _ in range(12):
        client.clock.advance(seconds=301)
        for _ in range(30):
            last = client.login()
    assert last.status_code == 429
    assert last.headers["ratelimit-policy"] == "300;w=86400"
    client.clock.advance(days=1)
    assert client.login().status_code == 200


def test_every_answer_tells_what_is_left(on_stage: OnStage):
    client = Client(on_stage, calls_per_5_min=3)
    answers = [client.ask("app.bsky.actor.getProfile", actor=client.ann) for _ in range(4)]
    assert [a.headers["ratelimit-remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]


# Search


def test_search_finds_by_mention_link_tag_and_words(client):
    mention = client.post("🧶🧶 @looms.example hello")
    link = client.post("see https://www.looms.example/x.", client.bob)
    sub = client.post("see https://blog.looms.example", client.bob)
    card = client.post("see below", client.bob, card="https://looms.example/shop")
    client.post("see https://notlooms.example", client.bob)
    tag = client.post("my #Weaving day")
    client.log_in()
    assert client.found(mentions="looms.example") == [mention]
    assert client.found(mentions=client.us) == [mention]
    assert client.found(domain="looms.example") == [card, sub, link]
    assert client.found(url="https://www.looms.example/x") == [link]
    assert client.found(tag="weaving") == [tag]
    assert client.found(q="HELLO") == [mention]
    assert client.found(author="ann.bsky.social") == [tag, mention]


def test_since_counts_and_until_does_not_on_the_earlier_of_both_clocks(client):
    true = client.post("#x at its time")
    year_one = client.post("#x long ago", created_at="0001-01-01T00:00:00Z")
    future = client.post("#x to come", created_at="2199-01-01T00:00:00Z")
    at = client.network.posts[true].sort_at
    client.log_in()
    assert client.found(tag="x") == [future, true, year_one]
    assert client.found(tag="x", since=iso(at)) == [future, true]
    assert client.found(tag="x", until=iso(at)) == [year_one]
    shown = client.get("app.bsky.feed.getPosts", uris=[future])["posts"][0]
    assert shown["record"]["createdAt"] == "2199-01-01T00:00:00Z"
    assert shown["indexedAt"] == iso(client.now)


def test_a_search_cursor_stops_early_and_does_not_say_so(on_stage: OnStage):
    client = Client(on_stage, search_depth=5)
    posts = [client.post(f"#x {number}") for number in range(9)]
    client.log_in()
    first = client.get("app.bsky.feed.searchPosts", q="*", tag="x", limit=3)
    rest = client.get("app.bsky.feed.searchPosts", q="*", tag="x", limit=3, cursor=first["cursor"])
    assert "cursor" not in rest
    shown = [post["uri"] for post in first["posts"] + rest["posts"]]
    assert shown == posts[:-6:-1]


def test_the_open_source_search_is_simpler(on_stage: OnStage):
    client = Client(on_stage, own_search=True)
    posts = [client.post(f"#x Loom {number}") for number in range(3)]
    client.log_in()
    assert client.found(tag="x", since="2030-01-01T00:00:00Z") == posts[::-1]
    assert client.found(q="Loom 1") == [posts[1]] and client.found(q="loom 1") == []
    first = client.get("app.bsky.feed.searchPosts", q="*", tag="x", limit=2)
    assert "hitsTotal" not in first
    milliseconds, cid = first["cursor"].split("__")
    assert (int(milliseconds) > 10**12, cid) == (True, first["posts"][-1]["cid"])
    rest = client.get("app.bsky.feed.searchPosts", q="*", tag="x", limit=2, cursor=first["cursor"])
    assert [post["uri"] for post in rest["posts"]] == posts[:1] and "cursor" not in rest
    asked = {"q": "*", "tag": "x", "cursor": "made-up"}
    assert client.error("app.bsky.feed.searchPosts", **asked) == (500, "InternalServerError")
    asked = {"q": "*", "tag": "x", "limit": 101}
    assert client.error("app.bsky.feed.searchPosts", **asked) == (400, "InvalidRequest")


# What changes and what goes


def test_an_edit_changes_the_cid_alone(client):
    uri = client.post("Helo")
    [before] = client.get("app.bsky.feed.getPosts", uris=[uri])["posts"]
    client.clock.advance(days=1)
    client.network.edit(uri, "Hello", client.now)
    [after] = client.get("app.bsky.feed.getPosts", uris=[uri])["posts"]
    assert after["record"]["text"] == "Hello"
    assert before["cid"] != after["cid"]
    assert before["indexedAt"] == after["indexedAt"]


def test_what_is_gone_is_left_out_in_silence(client):
    uri = client.post("@looms.example bye")
    reply = client.post("why?", client.us, reply_to=uri)
    client.log_in()
    assert client.get("app.bsky.notification.listNotifications")["notifications"]
    client.network.delete(uri)
    assert client.get("app.bsky.feed.getPosts", uris=[uri, reply])["posts"][0]["uri"] == reply
    assert client.get("app.bsky.notification.listNotifications")["notifications"] == []
    assert client.error("app.bsky.feed.getPostThread", uri=uri) == (400, "NotFound")
    above = client.get("app.bsky.feed.getPostThread", uri=reply)["thread"]["parent"]
    assert above["$type"] == "app.bsky.feed.defs#notFoundPost"


def test_who_blocked_us_is_hidden_from_us_and_not_from_others(client):
    uri = client.post("@looms.example you again")
    client.network.block(client.ann, client.us)
    assert client.get("app.bsky.feed.getPosts", uris=[uri])["posts"]
    client.log_in()
    assert client.get("app.bsky.feed.getPosts", uris=[uri])["posts"] == []
    assert client.found(mentions=client.us) == []
    thread = client.get("app.bsky.feed.getPostThread", uri=uri)["thread"]
    assert thread["$type"] == "app.bsky.feed.defs#blockedPost"
    feed = "app.bsky.feed.getAuthorFeed"
    assert client.error(feed, actor=client.ann) == (400, "BlockedByActor")
    client.network.block(client.us, client.bob)
    assert client.error(feed, actor=client.bob) == (400, "BlockedActor")
    status = client.get("com.atproto.sync.getRepoStatus", did=client.ann)
    assert status["active"]


def test_an_account_that_is_not_served_says_why(client):
    uri = client.post("hello")
    client.network.set_status(client.ann, "deactivated")
    assert client.get("app.bsky.feed.getPosts", uris=[uri])["posts"] == []
    assert client.get("app.bsky.actor.getProfiles", actors=[client.ann])["profiles"] == []
    status = client.get("com.atproto.sync.getRepoStatus", did=client.ann)
    assert status == {"did": client.ann, "active": False, "status": "deactivated"}
    client.network.set_status(client.ann, "active")
    assert client.get("app.bsky.feed.getPosts", uris=[uri])["posts"]


def test_a_handle_changes_and_the_did_stays(client):
    uri = client.post("hello")
    client.network.change_handle(client.ann, "ann.example")
    [post] = client.get("app.bsky.feed.getPosts", uris=[uri])["posts"]
    assert (post["author"]["did"], post["author"]["handle"]) == (client.ann, "ann.example")
    client.network.break_handle(client.ann)
    profile = client.get("app.bsky.actor.getProfile", actor=client.ann)
    assert profile["handle"] == "handle.invalid"


def test_notifications_come_newest_first_with_their_reason(client):
    news = client.post("News", client.us)
    client.post("hi @looms.example")
    client.post("nice", client.bob, reply_to=news)
    client.post("see", client.bob, quote=news)
    client.network.like(client.ann, news, client.now + timedelta(seconds=1))
    client.log_in()

    def told(**params: Any) -> list[str]:
        answer = client.get("app.bsky.notification.listNotifications", **params)
        return [entry["reason"] for entry in answer["notifications"]]

    assert told() == ["like", "quote", "reply", "mention"]
    assert told(reasons=["reply", "mention"]) == ["reply", "mention"]
    client.post("nice, @looms.example", client.bob, reply_to=news)
    assert told()[0] == "mention"


def test_likes_and_reposts_notify_once_at_the_earlier_clock_until_they_are_taken_back(client):
    news = client.post("News", client.us)
    like = client.network.like(client.ann, news, client.now)
    dated = "2026-01-05T00:00:00.000Z"
    repost = client.network.repost(client.bob, news, client.now, created_at=dated)
    assert client.network.like(client.ann, news, client.now) is None
    client.log_in()

    def told() -> list[dict[str, Any]]:
        params = {"reasons": ["like", "repost"]}
        answer = client.get("app.bsky.notification.listNotifications", **params)
        return answer["notifications"]

    def givers() -> tuple[list[str], list[str], tuple[int, int]]:
        likes = client.get("app.bsky.feed.getLikes", uri=news)["likes"]
        reposts = client.get("app.bsky.feed.getRepostedBy", uri=news)["repostedBy"]
        [post] = client.get("app.bsky.feed.getPosts", uris=[news])["posts"]
        counts = (post["likeCount"], post["repostCount"])
        return [row["actor"]["did"] for row in likes], [row["did"] for row in reposts], counts

    assert [(one["uri"], one["reason"], one["reasonSubject"]) for one in told()] == [
        (like, "like", news),
        (repost, "repost", news),
    ]
    assert told()[1]["indexedAt"] == told()[1]["record"]["createdAt"] == dated
    assert givers() == ([client.ann], [client.bob], (1, 1))
    client.network.unrepost(client.bob, news)
    client.network.unlike(client.ann, news)
    again = client.network.like(client.ann, news, client.now)
    assert again != like
    assert [one["uri"] for one in told()] == [again]
    assert givers() == ([client.ann], [], (1, 0))


def test_a_notification_of_a_post_that_was_dated_back_lies_and_looks_as_old_as_it_claims(client):
    """So does the AppView of `@atproto/dev-env`: the list is ordered by `sortAt`, and shows it."""
    client.post("@looms.example today")
    client.post("@looms.example long ago", created_at="2020-01-01T00:00:00.000Z")
    client.log_in()
    told = client.get("app.bsky.notification.listNotifications")["notifications"]
    assert [entry["record"]["text"] for entry in told] == [
        "@looms.example today", "@looms.example long ago",
    ]  # fmt: skip
    assert told[1]["indexedAt"] == "2020-01-01T00:00:00.000Z"


def test_a_query_is_asked_with_get_and_a_procedure_with_post(client):
    for answer in (
        client.call("app.bsky.feed.searchPosts"),
        client.ask("com.atproto.server.createSession"),
    ):
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("Incorrect HTTP method (")


def test_likes_and_quotes_are_listed(client):
    news = client.post("News", client.us)
    quote = client.post("see", client.bob, quote=news)
    client.network.like(client.ann, news, client.now)
    likes = client.get("app.bsky.feed.getLikes", uri=news)["likes"]
    assert [like["actor"]["did"] for like in likes] == [client.ann]
    quotes = client.get("app.bsky.feed.getQuotes", uri=news)["posts"]
    assert [post["uri"] for post in quotes] == [quote]
    [post] = client.get("app.bsky.feed.getPosts", uris=[news])["posts"]
    assert (post["likeCount"], post["quoteCount"], post["replyCount"]) == (1, 1, 0)


# An independent client

PROGRAM = """
import json, sys
from atproto import Client
client = Client(base_url=sys.argv[1] + "/xrpc")
me = client.login("looms.example", sys.argv[2])
found = client.app.bsky.feed.search_posts({"q": "*", "mentions": me.did})
told = client.app.bsky.notification.list_notifications({"reasons": ["mention"]})
posts = client.get_posts([post.uri for post in found.posts])
thread = client.get_post_thread(found.posts[0].uri)
likes = client.get_likes(found.posts[0].uri)
print(json.dumps({
    "did": me.did, "texts": [post.record.text for post in found.posts],
    "facet": found.posts[0].record.facets[0].index.byte_start,
    "told": [n.reason for n in told.notifications], "posts": len(posts.posts),
    "thread": thread.thread.post.uri == found.posts[0].uri, "likes": len(likes.likes),
    "handle": client.get_profile("ann.bsky.social").handle,
}))
"""


@pytest.mark.skipif(
    "ATPROTO_PYTHON" not in os.environ,
    reason="ATPROTO_PYTHON names no interpreter that has the package atproto",
)
def test_the_unmodified_atproto_client_reads_it(client):
    uri = client.post("🧵 @looms.example hello")
    client.network.like(client.bob, uri, client.now)
    done = subprocess.run(
        [os.environ["ATPROTO_PYTHON"], "-c", PROGRAM, client.url, PASSWORD],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "did": client.us,
        "texts": ["🧵 @looms.example hello"],
        "facet": 5,
        "told": ["mention"],
        "posts": 1,
        "thread": True,
        "likes": 1,
        "handle": "ann.bsky.social",
    }
