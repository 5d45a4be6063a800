"""The stage of a Bluesky account: posts about it, what it is told, who wrote and who liked."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from unittest import mock

from starlette.types import ASGIApp

from connectors.bluesky.client import LOGINS
from rapport.conformance.stage import Emulated, Rewrite, Truth
from sandbox import bluesky
from sandbox.bluesky import Network, NetworkSettings

HANDLE, PASSWORD = "loom.example", "stag-epas-swor-d123"
AUTHORS = 5
YEARS = timedelta(days=5 * 365)  # a fault sets the stage's clock so far ahead of its first posts
_UNLIMITED = 1_000_000


class Stage(Emulated):
    """A network of some authors who mention one account, and like and repost what it writes.

    The verbs' names are addresses of posts; each author keeps a first post for good.
    """

    type = vendor = "bluesky"
    streams = ("posts", "notifications", "reactions", "profiles")
    kinds: ClassVar = {"limited": ("429",), "refused_token": ("expired_token",)}
    beside = ("profiles",)
    lists = (("posts",), ("notifications",), ("profiles",))
    pointers = (("cursor",),)
    totals = (("hitsTotal",),)
    retyped = (("displayName",), ("replyCount",), ("reasonSubject",))
    wrong: ClassVar = {"error": "InternalServerError", "message": "Internal Server Error"}
    lacks: ClassVar = {
        "resumes": "a list is begun at its top again",
        "lost_place": "no state holds a cursor: the vendor answers an old one with 500",
        "quota": "the only quota of a day is that of logins, and a session is kept",
        "stamps": "no stamp of the network is trusted to order versions",
        "late": "what the index takes late is dated by the index",
        "merges": "accounts and posts are never merged",
        "restores": "a deleted post does not come back",
        "purges": "every deletion of the network is one without a trace",
    }
    settling = (timedelta(hours=26), timedelta(hours=26), timedelta(hours=26))

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        LOGINS.clear()
        self.network = Network(
            NetworkSettings(
                calls_per_5_min=_UNLIMITED, logins_per_5_min=_UNLIMITED, logins_per_day=_UNLIMITED
            )
        )
        at = self.clock.now() - timedelta(days=1)
        self.us = self.network.create_account(HANDLE, at, password=PASSWORD)
        self.secrets.add(PASSWORD)
        self.settings = {
            "handle": HANDLE,
            "app_password": PASSWORD,
            "history_days": YEARS.days,
            "likers": True,
        }
        self.authors = [
            self.network.create_account(f"author{number}.example", at, display_name="Author")
            for number in range(AUTHORS)
        ]
        self.firsts = {
            self.network.post(did, f"Hello @{HANDLE}", self.clock.advance(seconds=1))
            for did in self.authors
        }

    def emulator(self) -> ASGIApp:
        return bluesky.app(self.network, self.clock, self.faults)

    def connect_to(self, url: str) -> None:
        self.settings |= {"url": url, "public_url": url}

    @contextlib.contextmanager
    def playing(self) -> Iterator[None]:
        with (
            mock.patch("connectors.bluesky.reads.LONGEST_SLICE", YEARS / 4),
            mock.patch("connectors.bluesky.reads.TAIL", YEARS),
        ):
            yield

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made, network = [], self.network
        for _ in range(count):
            at, number = self._now(tied), len(network.posts)
            if number % 4 == 0:
                made.append(network.post(self.us, f"News {number}", at))
            else:
                author = self.authors[number % AUTHORS]
                made.append(network.post(author, f"Note {number} to @{HANDLE}", at))
                self._react(author, number, at)
        return made

    def _react(self, author: str, number: int, at: Any) -> None:
        """Let an author like or repost one of our newest posts."""
        ours = [uri for uri, post in self.network.posts.items() if post.did == self.us]
        if ours:
            react = self.network.like if number % 3 else self.network.repost
            react(author, ours[-1 - number % min(3, len(ours))], at)

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        """Edit posts, let an author take another handle, and one like our posts once more."""
        for name in names:
            at = self._now(tied)
            self.network.edit(name, f"Changed {at:%d %H:%M:%S} @{HANDLE}", at)
            did = self.network.posts[name].did
            if did == self.us:
                for liker in list(self.network.posts[name].likes)[:1]:
                    self.network.unlike(liker, name)
                    self.network.like(liker, name, at)
            else:
                self.network.change_handle(did, f"{at:x%d-%H-%M-%S}.{did[-6:]}.example")

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            self.network.delete(name)

    def living(self) -> list[str]:
        return [uri for uri in self.network.posts if uri not in self.firsts]

    def truth(self, stream: str) -> Truth:
        if stream == "posts":
            return dict(self.network.posts)
        if stream == "profiles":
            return {did: self.network.accounts[did] for did in (self.us, *self.authors)}
        if stream == "reactions":
            return {
                uri: (reason, name)
                for name, post in self.network.posts.items()
                for reason, given in (("like", post.likes), ("repost", post.reposts))
                for uri, _ in given.values()
                if post.did == self.us
            }
        told = self.network.notifications[self.us]
        return {one.uri: one for one in told if one.uri in self.network.posts}

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        if stream == "posts":
            return bool(record["cid"] == true.cid)
        if stream == "profiles":
            return bool(record["handle"] == true.handle)
        if stream == "reactions":
            return bool((record["reason"], record["reasonSubject"]) == true)
        return bool(record["reason"] == true.reason)

    def empty_page(self) -> Rewrite:
        """Answer the first page of a list with nothing, and lead to it once more."""
        seen: set[str] = set()

        def empty(path: str, body: Any) -> Any:
            name = next((n for n in ("notifications", "posts", "feed") if n in body), None)
            if name and body.get("cursor") and path not in seen:
                seen.add(path)
                return {**body, name: [], "cursor": "0"}
            return body

        return empty

    def _now(self, tied: bool) -> Any:
        return self.clock.now() if tied else self.clock.advance(seconds=1)


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for a source with these settings."""
    return Stage(settings)
