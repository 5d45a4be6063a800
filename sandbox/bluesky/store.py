"""The network itself: accounts, posts and what each act does to them.

Belongs here: repositories and the index over them, with the network's write semantics:
what an edit changes, what a deletion takes along, whom a post notifies, which time a post
is sorted by. Does not belong here: JSON shapes, sessions and limits
(`sandbox.bluesky.http`), and who does what when (`sandbox.social_life`).

Every write takes `at`, timezone-aware UTC: when the index sees it. What a client claims as
`createdAt` is a text of its own. Identifiers are made from counters and times, so two
networks that were written alike are alike.

Sources: https://atproto.com/specs (did, handle, tid, cid),
https://docs.bsky.app/docs/advanced-guides/timestamps, the lexicons of bluesky-social/atproto.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

INVALID_HANDLE = "handle.invalid"
NO_UNAUTHENTICATED = "!no-unauthenticated"
POST, LIKE, REPOST = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost"

_TID_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_HANDLE = re.compile(r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$")
_MENTION = re.compile(r"(?<![\w@.])@([a-zA-Z0-9][a-zA-Z0-9.-]*\.[a-zA-Z][a-zA-Z0-9-]*)")
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")
_TAG = re.compile(r"(?<!\w)#(\w*[^\W\d]\w*)")


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How the servers behave.

    Attributes:
        calls_per_5_min: requests of one address.
        logins_per_5_min, logins_per_day: `createSession` calls of one account.
        access_minutes, refresh_days: how long tokens live.
        search_needs_login: whether searching without a session is refused.
        search_depth: after so many results a search's cursor stops, whatever is left.
        own_search: search as the open-source server does it: `since` is ignored, letter case
            counts, no hits are told, and a cursor is `<milliseconds>__<cid>`.
    """

    calls_per_5_min: int = 3_000
    logins_per_5_min: int = 30
    logins_per_day: int = 300
    access_minutes: int = 120
    refresh_days: int = 90
    search_needs_login: bool = True
    search_depth: int = 1_000
    own_search: bool = False


@dataclass(slots=True)
class Account:
    """One account. `did` stays, `handle` may change and may stop resolving.

    Attributes:
        status: `active`, or why it is not served: deactivated, suspended, takendown, deleted.
        password: an app password, for accounts that somebody logs in with.
        labels: self labels, such as `!no-unauthenticated`.
        blocks: DIDs this account has blocked.
    """

    did: str
    handle: str
    display_name: str | None
    created_at: datetime
    description: str = ""
    password: str | None = None
    status: str = "active"
    labels: tuple[str, ...] = ()
    blocks: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Post:
    """One post. `record` is what its author's client wrote; `cid` is the hash of that.

    Attributes:
        indexed_at: when the index first saw it; `sort_at`: the earlier of it and the claimed
            `createdAt`.
        parent, root, quoted: URIs, if it is a reply or a quote.
        likes, reposts: DID -> (URI of the like or repost, when).
    """

    uri: str
    cid: str
    did: str
    record: dict[str, Any]
    indexed_at: datetime
    sort_at: datetime
    parent: str | None = None
    root: str | None = None
    quoted: str | None = None
    mentions: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    likes: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    reposts: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Notification:
    """What an account is told: `reason` (mention, reply, quote, like, repost), by whom, about what.

    `indexed_at` is what the vendor calls it: it is the `sort_at` of the post, like or repost, in
    the AppView's source and, of posts, as seen on a real one. `claimed_at` is what a like's or
    repost's client claims; a post has its own record.
    """

    reason: str
    uri: str
    did: str
    subject: str | None
    indexed_at: datetime
    claimed_at: str = ""


class Network:
    """All accounts and posts, as one server shows them.

    Args:
        settings: the vendor's own unless given.
    """

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        self.lock = threading.RLock()
        """Held by whoever reads or writes several things that must fit together."""
        self.settings = settings or NetworkSettings()
        self.accounts: dict[str, Account] = {}
        self.posts: dict[str, Post] = {}
        self.notifications: dict[str, list[Notification]] = {}
        self._by_handle: dict[str, str] = {}
        self._by_time: list[tuple[datetime, str]] = []
        self._last_tid = 0

    # Accounts

    def create_account(
        self,
        handle: str,
        at: datetime,
        *,
        display_name: str | None = None,
        password: str | None = None,
        labels: Iterable[str] = (),
        description: str = "",
    ) -> str:
        """Open an account and return its DID."""
        digest = hashlib.sha256(f"{len(self.accounts)}/{handle}".encode()).digest()
        did = f"did:plc:{_base32(digest)[:24]}"
        self._claim(handle, did)
        self.accounts[did] = Account(
            did, handle, display_name, at, description, password, labels=tuple(labels)
        )
        self.notifications[did] = []
        return did

    def account(self, actor: str) -> Account | None:
        """Return the account of a DID or a handle, whatever its status."""
        return self.accounts.get(self._by_handle.get(actor.lower(), actor))

    def free_handle(self, wanted: str, domain: str = "bsky.social") -> str:
        """Return a handle like the one wanted that nobody has."""
        stem = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:18] or "somebody"
        handle, number = f"{stem}.{domain}", 1
        while handle in self._by_handle:
            number += 1
            handle = f"{stem}{number}.{domain}"
        return handle

    def change_handle(self, did: str, handle: str) -> None:
        """Give an account another handle; posts and mentions follow, for they hold the DID."""
        account = self.accounts[did]
        self._by_handle.pop(account.handle, None)
        self._claim(handle, did)
        account.handle = handle

    def break_handle(self, did: str) -> None:
        """Let a handle stop resolving: everybody then sees `handle.invalid`."""
        account = self.accounts[did]
        self._by_handle.pop(account.handle, None)
        account.handle = INVALID_HANDLE

    def set_status(self, did: str, status: str) -> None:
        """Deactivate, suspend, take down or delete an account, or bring it back (`active`)."""
        self.accounts[did].status = status
        if status == "deleted":
            for uri in [uri for uri, post in self.posts.items() if post.did == did]:
                self.delete(uri)

    def block(self, did: str, other: str) -> None:
        """Let one account block another: neither sees the other's posts when logged in."""
        self.accounts[did].blocks.add(other)

    # Posts

    def post(
        self,
        did: str,
        text: str,
        at: datetime,
        *,
        reply_to: str | None = None,
        quote: str | None = None,
        card: str | None = None,
        created_at: str | None = None,
        langs: Sequence[str] = ("en",),
    ) -> str:
        """Write a post and return its URI.

        Args:
            did: the author's.
            text: mentions (`@handle`), links and tags in it become facets.
            at: when the index sees it.
            reply_to, quote: URI of the post answered or quoted.
            card: address of a page shown as a card below the text.
            created_at: what the client claims; default: `at`.
            langs: languages.
        """
        record = self._record(text, reply_to, quote, card, created_at or iso(at), langs)
        uri = f"at://{did}/{POST}/{self._tid(at)}"
        post = Post(uri, cid_of(record), did, record, at, _sort_at(record["createdAt"], at))
        if reply_to is not None:
            post.parent = reply_to
            post.root = record["reply"]["root"]["uri"]
        post.quoted = quote
        self._index_text(post)
        self.posts[uri] = post
        insort(self._by_time, (post.sort_at, uri))
        self._notify(post)
        return uri

    def edit(self, uri: str, text: str, at: datetime) -> None:
        """Change a text: the `cid` changes, `uri`, `createdAt` and `indexedAt` do not."""
        post = self.posts[uri]
        post.record = {**post.record, "text": text, "facets": self._facets(text)}
        if not post.record["facets"]:
            del post.record["facets"]
        post.cid = cid_of(post.record)
        self._index_text(post)

    def delete(self, uri: str) -> None:
        """Delete a post: it leaves every list, and what it notified of goes with it."""
        post = self.posts.pop(uri)
        del self._by_time[bisect_left(self._by_time, (post.sort_at, uri))]
        for holder, kin in ((post.parent, "replies"), (post.quoted, "quotes")):
            if holder in self.posts:
                getattr(self.posts[holder], kin).remove(uri)

    def like(
        self, did: str, uri: str, at: datetime, *, created_at: str | None = None
    ) -> str | None:
        """Like a post, once; return the like's URI, None if there is one already or it is theirs.

        `created_at` is what the client claims; default: `at`.
        """
        return self._react("like", LIKE, did, uri, at, created_at)

    def unlike(self, did: str, uri: str) -> None:
        """Take a like back."""
        self.posts[uri].likes.pop(did, None)

    def repost(
        self, did: str, uri: str, at: datetime, *, created_at: str | None = None
    ) -> str | None:
        """Repost a post, as `like` likes one."""
        return self._react("repost", REPOST, did, uri, at, created_at)

    def unrepost(self, did: str, uri: str) -> None:
        """Take a repost back."""
        self.posts[uri].reposts.pop(did, None)

    # Reading

    def is_served(self, did: str) -> bool:
        """Whether an account's content is shown at all."""
        return self.accounts[did].status == "active"

    def are_apart(self, one: str | None, other: str) -> bool:
        """Whether either of two accounts has blocked the other."""
        if one is None or one == other:
            return False
        return other in self.accounts[one].blocks or one in self.accounts[other].blocks

    def newest_first(self) -> Iterable[Post]:
        """Return all posts by `sort_at`, newest first."""
        return (self.posts[uri] for _, uri in reversed(self._by_time))

    # Inside

    def _claim(self, handle: str, did: str) -> None:
        if not _HANDLE.match(handle) or handle in self._by_handle:
            raise ValueError(f"the handle {handle!r} is invalid or taken")
        self._by_handle[handle] = did

    def _tid(self, at: datetime) -> str:
        """Return a record key: microseconds since 1970 in 53 bits, a clock's number in 10."""
        number = max(int(at.timestamp() * 1_000_000) << 10, self._last_tid + 1)
        self._last_tid = number
        return "".join(_TID_LETTERS[number >> shift & 31] for shift in range(60, -1, -5))

    def _record(
        self,
        text: str,
        reply_to: str | None,
        quote: str | None,
        card: str | None,
        created_at: str,
        langs: Sequence[str],
    ) -> dict[str, Any]:
        record: dict[str, Any] = {"$type": POST, "createdAt": created_at}
        if quote is not None:
            record["embed"] = {"$type": "app.bsky.embed.record", "record": self._ref(quote)}
        elif card is not None:
            external = {"uri": card, "title": "Harbor Looms", "description": "Looms and drafts"}
            record["embed"] = {"$type": "app.bsky.embed.external", "external": external}
        if facets := self._facets(text):
            record["facets"] = facets
        record["langs"] = list(langs)
        if reply_to is not None:
            parent = self._ref(reply_to)
            above = self.posts[reply_to].record.get("reply", {})
            record["reply"] = {"parent": parent, "root": above.get("root", parent)}
        return {**record, "text": text}

    def _ref(self, uri: str) -> dict[str, str]:
        return {"cid": self.posts[uri].cid, "uri": uri}

    def _facets(self, text: str) -> list[dict[str, Any]]:
        """Return mentions, links and tags with their places, counted in UTF-8 bytes."""
        found: list[tuple[int, int, dict[str, str]]] = []
        for match in _LINK.finditer(text):
            feature = {"$type": "app.bsky.richtext.facet#link", "uri": match[0]}
            found.append((*match.span(), feature))
        for match in _MENTION.finditer(text):
            account = self.account(match[1])
            if account is not None:
                feature = {"$type": "app.bsky.richtext.facet#mention", "did": account.did}
                found.append((*match.span(), feature))
        for match in _TAG.finditer(text):
            feature = {"$type": "app.bsky.richtext.facet#tag", "tag": match[1]}
            found.append((*match.span(), feature))
        return [
            {
                "features": [feature],
                "index": {
                    "byteEnd": len(text[:end].encode()),
                    "byteStart": len(text[:start].encode()),
                },
            }
            for start, end, feature in sorted(found, key=lambda entry: entry[0])
        ]

    @staticmethod
    def _index_text(post: Post) -> None:
        features = [
            feature for facet in post.record.get("facets", ()) for feature in facet["features"]
        ]
        post.mentions = frozenset(f["did"] for f in features if "did" in f)
        post.tags = frozenset(f["tag"].lower() for f in features if "tag" in f)
        card = post.record.get("embed", {}).get("external", {}).get("uri")
        post.links = (*(f["uri"] for f in features if "uri" in f), *([card] if card else ()))

    def _react(
        self, kind: str, collection: str, did: str, uri: str, at: datetime, created_at: str | None
    ) -> str | None:
        post = self.posts[uri]
        given = post.likes if kind == "like" else post.reposts
        if did in given or did == post.did:
            return None
        record, claimed = f"at://{did}/{collection}/{self._tid(at)}", created_at or iso(at)
        given[did] = (record, at)
        told = Notification(kind, record, did, uri, _sort_at(claimed, at), claimed)
        self._tell(post.did, told)
        return record

    def _notify(self, post: Post) -> None:
        """Tell those mentioned, quoted and answered; once each, in this order."""
        told: dict[str, tuple[str, str | None]] = dict.fromkeys(post.mentions, ("mention", None))
        if post.quoted in self.posts:
            quoted = self.posts[post.quoted]
            quoted.quotes.append(post.uri)
            told.setdefault(quoted.did, ("quote", quoted.uri))
        if post.parent in self.posts:
            parent = self.posts[post.parent]
            parent.replies.append(post.uri)
            told.setdefault(parent.did, ("reply", parent.uri))
        for did in sorted(told):
            reason, subject = told[did]
            self._tell(did, Notification(reason, post.uri, post.did, subject, post.sort_at))

    def _tell(self, did: str, notification: Notification) -> None:
        if did != notification.did:
            insort(self.notifications[did], notification, key=lambda one: one.indexed_at)


def iso(at: datetime) -> str:
    """Return UTC with milliseconds and Z, as clients and servers of the network write it."""
    return f"{at.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z"


def host_of(address: str) -> str:
    """Return the host that a link leads to, without `www.`."""
    return (urlsplit(address).hostname or "").removeprefix("www.")


def cid_of(record: object) -> str:
    """Return a version-1 CID (dag-cbor, SHA-256); here of the record's repr, not of its CBOR."""
    digest = hashlib.sha256(repr(record).encode("utf-8", "surrogatepass")).digest()
    return f"b{_base32(bytes((1, 0x71, 0x12, 0x20)) + digest)}"


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().lower().rstrip("=")


def _sort_at(created_at: str, indexed_at: datetime) -> datetime:
    try:
        claimed = datetime.fromisoformat(created_at)
    except ValueError:
        return indexed_at
    if claimed.tzinfo is None:
        claimed = claimed.replace(tzinfo=UTC)
    return min(claimed, indexed_at)
