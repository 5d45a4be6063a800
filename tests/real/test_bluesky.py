"""A real PDS and AppView of Bluesky's developers, read by a rapport.yml that names them.

Their search is simpler than that of the hosted network: it takes `q` for a piece of text, and
heeds nothing else. We ask for `*`, so posts that it is to find have an asterisk in them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests

from connectors import SyncResult, sync_stream
from connectors.base import Source, Window
from connectors.bluesky import Bluesky, client, reads
from connectors.errors import AuthError, RateLimited, ServerError
from connectors.session import Session, default_limit
from rapport import config
from sandbox.bluesky.store import iso
from tests.connectors.conftest import CURRENT
from tests.real.conftest import Network

pytestmark = pytest.mark.real

POST = "app.bsky.feed.post"
SEEN_S = 30
NUMBERS = count(1)


@dataclass
class Person:
    """An account, and what its owner does through the servers' own API."""

    network: Network
    handle: str
    did: str = ""
    token: str = ""

    def __post_init__(self) -> None:
        asked = {"handle": self.handle, "email": f"{self.handle}@example.com", "password": "pw"}
        made = self.ask("com.atproto.server.createAccount", asked)
        self.did, self.token = made["did"], made["accessJwt"]

    def ask(self, nsid: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        told = requests.post(
            f"{self.network.pds}/xrpc/{nsid}", json=body, headers=headers, timeout=60
        )
        assert told.ok, told.text
        return told.json() if told.content else None

    def write(self, collection: str, **record: Any) -> dict[str, str]:
        record = {"$type": collection, "createdAt": iso(datetime.now(UTC)), **record}
        body = {"repo": self.did, "collection": collection, "record": record}
        told = self.ask("com.atproto.repo.createRecord", body)
        return {"uri": told["uri"], "cid": told["cid"]}

    def post(self, text: str, mention: Person | None = None, **more: Any) -> dict[str, str]:
        """Write a post; a person mentioned is named in front, as an app would do it."""
        if mention is not None:
            end = len(f"@{mention.handle}")
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": mention.did}
            more["facets"] = [{"index": {"byteStart": 0, "byteEnd": end}, "features": [feature]}]
            text = f"@{mention.handle} {text}"
        return self.write(POST, text=text, **more)

    def delete(self, uri: str) -> None:
        collection, key = uri.split("/")[-2:]
        body = {"repo": self.did, "collection": collection, "rkey": key}
        self.ask("com.atproto.repo.deleteRecord", body)


@dataclass
class Site:
    """A company on the network, who writes about it, and what Rapport holds of that."""

    network: Network
    home: Path
    us: Person
    ann: Person
    bob: Person
    app_password: str
    ahead: timedelta = timedelta(0)

    def open(self, **changed: Any) -> Bluesky:
        entry = {
            "type": "bluesky",
            "url": self.network.pds,
            "public_url": self.network.appview,
            "handle": self.us.handle,
            "app_password": self.app_password,
            "history_days": 45,
            **changed,
        }
        tree = {"home": str(self.home), "sources": {"social": entry}}
        source = config.parse(tree, self.home / "rapport.yml").open("social")
        assert isinstance(source, Bluesky)
        source.session.backoff_s = 0.01
        return source

    def sync(self, name: str, **more: Any) -> SyncResult:
        source = self.open()
        return sync_stream(source, stream_of(source, name), self.home, **more)

    def held(self, name: str) -> dict[str, Any]:
        files = str(self.home / "landing/social" / name / "*.parquet")
        rows = duckdb.execute(CURRENT, [files]).fetchall()
        return {key: json.loads(r["record"]) for key, r in rows if r["op"] == "upsert"}

    def shown(self, nsid: str, **asked: Any) -> Any:
        told = requests.get(f"{self.network.appview}/xrpc/{nsid}", params=asked, timeout=60)
        return told.json()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the AppView has heard what the PDS told it."""
        for _ in range(SEEN_S * 5):
            if holds():
                return
            time.sleep(0.2)
        raise AssertionError("the AppView never showed it")

    def settled(self, *posts: dict[str, str]) -> None:
        uris = [post["uri"] for post in posts]
        self.until(
            lambda: len(self.shown("app.bsky.feed.getPosts", uris=uris)["posts"]) == len(uris)
        )


def stream_of(source: Source, name: str) -> Any:
    return next(stream for stream in source.streams() if stream.name == name)


@pytest.fixture
def site(bluesky: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    number = next(NUMBERS)
    us, ann, bob = (Person(bluesky, f"{name}{number}.test") for name in ("looms", "anna", "bobby"))
    asked = {"name": "Rapport", "privileged": False}
    password = us.ask("com.atproto.server.createAppPassword", asked)["password"]
    made = Site(bluesky, tmp_path, us, ann, bob, password)
    now = Session.server_now
    monkeypatch.setattr(Session, "server_now", lambda session: now(session) + made.ahead)
    return made


def quoting(post: dict[str, str]) -> dict[str, Any]:
    return {"embed": {"$type": "app.bsky.embed.record", "record": post}}


def answering(post: dict[str, str], root: dict[str, str] | None = None) -> dict[str, Any]:
    return {"reply": {"parent": post, "root": root or post}}


def test_what_was_written_about_us_arrives_and_a_second_sync_lands_nothing(site: Site) -> None:
    us, ann, bob = site.us, site.ann, site.bob
    news = us.post("News")
    mention = ann.post("SECRET *", us)
    reply = ann.post("nice *", **answering(news))
    quote = bob.post("look *", **quoting(news))
    ann.post("about nobody *")
    us.write("app.bsky.feed.repost", subject=mention)
    like = bob.write("app.bsky.feed.like", subject=news)
    site.settled(news, mention, reply, quote)
    counted = ("likeCount", "replyCount", "quoteCount", "repostCount")
    site.until(lambda: counts(site, news) == (1, 1, 1, 0))

    check = site.open().check()
    assert check.ok
    assert us.did in (check.account or "")
    for name in ("posts", "notifications", "profiles"):
        site.sync(name)
    posts = site.held("posts")
    assert {uri: row["about"] for uri, row in posts.items()} == {
        news["uri"]: ["own"],
        mention["uri"]: ["mention"],
        reply["uri"]: ["reply"],
        quote["uri"]: ["quote"],
    }
    assert {uri: row["cid"] for uri, row in posts.items()} == {
        post["uri"]: post["cid"] for post in (news, mention, reply, quote)
    }
    assert tuple(posts[news["uri"]][name] for name in counted) == (1, 1, 1, 0)
    told = site.held("notifications")
    assert {uri: (row["reason"], row.get("reasonSubject")) for uri, row in told.items()} == {
        mention["uri"]: ("mention", None),
        reply["uri"]: ("reply", news["uri"]),
        quote["uri"]: ("quote", news["uri"]),
    }
    assert site.held("profiles") == {
        person.did: {"did": person.did, "handle": person.handle, "ours": person is us}
        for person in (us, ann, bob)
    }
    assert "SECRET" not in json.dumps([posts, told])
    for name in ("posts", "notifications", "profiles"):
        again = site.sync(name)
        assert (again.rows, again.deletes) == (0, 0)

    bob.delete(like["uri"])
    site.until(lambda: counts(site, news) == (0, 1, 1, 0))
    site.ahead = timedelta(days=1)
    assert site.sync("posts").rows == 1
    assert site.held("posts")[news["uri"]]["likeCount"] == 0


def counts(site: Site, post: dict[str, str]) -> tuple[int, ...]:
    [view] = site.shown("app.bsky.feed.getPosts", uris=[post["uri"]])["posts"]
    return tuple(view[f"{name}Count"] for name in ("like", "reply", "quote", "repost"))


def test_small_pages_bring_the_same_as_large_ones(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list ends with a page that is empty, after a cursor that promised more."""
    own = [site.us.post(f"News {number}") for number in range(7)]
    mentions = [site.ann.post(f"{number} *", site.us) for number in range(5)]
    site.bob.write("app.bsky.feed.like", subject=own[0])
    site.settled(*own, *mentions)
    for module in (client, reads):
        monkeypatch.setattr(module, "PER_PAGE", 2)
    assert site.sync("posts").requests > 3 + 6  # own posts, and searches
    assert site.held("posts").keys() == {post["uri"] for post in (*own, *mentions)}
    assert site.sync("notifications").pages > 3
    assert site.held("notifications").keys() == {post["uri"] for post in mentions}


@pytest.mark.parametrize("name", ["posts", "notifications"])
def test_a_deleted_post_is_deleted_here_when_it_is_left_out_twice(site: Site, name: str) -> None:
    kept, gone = (site.ann.post(f"{number} *", site.us) for number in range(2))
    site.settled(kept, gone)
    site.sync(name)
    site.ann.delete(gone["uri"])
    asked = {"uris": [gone["uri"]]}
    site.until(lambda: not site.shown("app.bsky.feed.getPosts", **asked)["posts"])
    site.ahead = timedelta(days=1)
    assert site.sync(name).deletes == 0
    site.ahead += timedelta(minutes=90)
    assert site.sync(name).deletes == 1
    assert site.held(name).keys() == {kept["uri"]}
    site.ahead += timedelta(days=1)
    assert site.sync(name).deletes == 0


def test_accounts_are_renamed_closed_and_shy_and_blocking_is_not_leaving(site: Site) -> None:
    us, ann, bob = site.us, site.ann, site.bob
    site.settled(*[person.post("*", us) for person in (ann, bob)])
    assert site.sync("profiles").rows == 3
    renamed = f"new-{ann.handle}"
    ann.ask("com.atproto.identity.updateHandle", {"handle": renamed})
    ann.write("app.bsky.graph.block", subject=us.did)
    bob.ask("com.atproto.server.deactivateAccount", {})
    profiles = "app.bsky.actor.getProfiles"
    dids = [ann.did, bob.did]
    site.until(
        lambda: [
            one["handle"] for one in site.shown(profiles, actors=dids)["profiles"]
        ] == [renamed]
    )  # fmt: skip
    for hours in (24, 2):
        site.ahead += timedelta(hours=hours)
        last = site.sync("profiles")
    assert last.deletes == 1
    assert site.held("profiles")[ann.did]["handle"] == renamed
    assert site.held("profiles").keys() == {us.did, ann.did}

    labels = {"$type": "com.atproto.label.defs#selfLabels",
              "values": [{"val": "!no-unauthenticated"}]}  # fmt: skip
    record = {"$type": "app.bsky.actor.profile", "displayName": "Ann", "labels": labels}
    ann.ask("com.atproto.repo.putRecord", {
        "repo": ann.did, "collection": record["$type"], "rkey": "self", "record": record,
    })  # fmt: skip
    site.until(lambda: bool(site.shown("app.bsky.actor.getProfile", actor=ann.did)["labels"]))
    site.ahead += timedelta(days=1)
    site.sync("profiles")
    assert site.held("profiles")[ann.did] == {"did": ann.did, "ours": False}


KILLED = """
import json, os, signal, sys
from pathlib import Path
from connectors import open_source, sync_stream
from connectors.bluesky import client, reads
client.PER_PAGE = reads.PER_PAGE = 2
entry, home, name = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
source = open_source("social", "bluesky", entry, home=home)
[stream] = [stream for stream in source.streams() if stream.name == name]

def kill(progress):
    if progress.pages == 4:
        os.kill(os.getpid(), signal.SIGKILL)

sync_stream(source, stream, home, on_progress=kill, checkpoint_bytes=1)
"""


@pytest.mark.parametrize("name", ["posts", "notifications"])
def test_a_sync_that_was_killed_goes_on_and_nothing_is_missing_or_twice(
    site: Site, name: str
) -> None:
    posts = [site.us.post(f"News {number}") for number in range(9)]
    told = [site.ann.post(f"{number} *", site.us) for number in range(9)]
    site.settled(*posts, *told)
    entry = {"url": site.network.pds, "public_url": site.network.appview,
             "handle": site.us.handle, "app_password": site.app_password}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(entry), str(site.home), name],
        env={**os.environ, "PYTHONPATH": "."}, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    before = site.held(name).keys()
    wanted = {post["uri"] for post in (told if name == "notifications" else (*posts, *told))}
    assert before
    assert before < wanted
    result = site.sync(name)
    assert result.rows == len(wanted) - len(before)
    assert site.held(name).keys() == wanted


def test_a_stale_cursor_ends_a_sync_and_the_next_one_is_complete(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AppView answers HTTP 500, and 502 through the PDS, to a cursor it does not know."""
    posts = [site.ann.post(f"{number} *", site.us) for number in range(5)]
    site.settled(*posts)
    for module in (client, reads):
        monkeypatch.setattr(module, "PER_PAGE", 2)
    with monkeypatch.context() as patch:
        for method in ("get", "get_signed"):
            patch.setattr(client.Network, method, gone_stale(getattr(client.Network, method)))
        for name, status in (("posts", 500), ("notifications", 502)):
            source = site.open()
            with pytest.raises(ServerError, match=f"HTTP {status} from .* 5 times"):
                sync_stream(source, stream_of(source, name), site.home)
            # a list is begun again once: that led no further down
            assert source.session.requests_made < 2 * (5 + 1) + 8
    for name in ("posts", "notifications"):
        site.sync(name)
        assert site.held(name).keys() == {post["uri"] for post in posts}


def gone_stale(ask: Callable[..., bytes]) -> Callable[..., bytes]:
    def asking(network: client.Network, nsid: str, asked: Any = None) -> bytes:
        return ask(network, nsid, {**asked, "cursor": "gone"} if "cursor" in asked else asked)

    return asking


def test_what_was_dated_back_is_told_a_day_later(site: Site) -> None:
    """The list of notifications is ordered by what posts claim, and shows nothing else."""
    site.settled(site.ann.post("first", site.us))
    site.sync("notifications")
    week_ago = iso(datetime.now(UTC) - timedelta(days=7))
    late = site.ann.post("late", site.us, createdAt=week_ago)
    site.settled(late)
    assert site.sync("notifications").rows == 0
    site.ahead = timedelta(days=1)
    assert site.sync("notifications").rows == 1
    assert site.held("notifications")[late["uri"]]["indexedAt"] == week_ago
    [view] = site.shown("app.bsky.feed.getPosts", uris=[late["uri"]])["posts"]
    assert view["indexedAt"] > week_ago


def test_a_spent_session_is_refreshed_and_a_wrong_password_is_told(site: Site) -> None:
    site.settled(site.ann.post("*", site.us))
    site.open(handle=f"@{site.us.handle}").check()
    for login in client.LOGINS.values():
        login.access += "x"
    assert site.sync("notifications").rows == 1
    with pytest.raises(AuthError, match="Make an app password"):
        site.open(app_password="abcd-efgh-ijkl-mnop").check()


def test_too_many_logins_are_told_and_no_password_is_tried_on(site: Site) -> None:
    """Thirty in five minutes; the reset is an epoch second, which would be waited for."""
    asked = {"identifier": site.us.handle, "password": "wrong"}
    for _ in range(31):
        address = f"{site.network.pds}/xrpc/{client.CREATE_SESSION}"
        last = requests.post(address, json=asked, timeout=60)
    assert last.status_code == 429
    source = site.open()
    source.session.max_wait_s = 1
    with pytest.raises(RateLimited, match="longer than the 1 s we wait"):
        source.check()
    left = int(last.headers["RateLimit-Reset"]) - time.time()
    found = client.limits(last) or default_limit(last)
    assert found is not None
    assert not found.spent
    assert found.wait_s == pytest.approx(left, abs=5)


def test_what_a_server_without_hits_can_tell_is_planned_and_discovered(site: Site) -> None:
    site.settled(site.us.post("News"), site.ann.post("*", site.us))
    source = site.open()
    found = {one.stream.name: one for one in source.discover().streams}
    assert {"record.text", "author.handle"} <= {one.name for one in found["posts"].fields}
    assert found.keys() == {"posts", "notifications", "profiles"}
    for name in found:
        cost = source.plan(stream_of(source, name), {}, Window(now=source.session.server_now()))
        assert cost.calls > 0
