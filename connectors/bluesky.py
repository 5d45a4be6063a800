"""Bluesky: posts about us and by us, who told us of one, and who these people are.

XRPC as of 2026-11: https://docs.bsky.app/docs/advanced-guides/api-directory and the lexicons
of https://github.com/bluesky-social/atproto.

Auth: an app password (Settings > Privacy and security > App passwords); no scopes. What the
public host gives without a login is asked there; searching and notifications need one.
Limits: 3,000 calls/5 min per address; 30 logins/5 min and 300 a day per account. Tokens live
in memory only, so each process logs in once, for all streams of the account, and refreshes
from then on. A run every 5 minutes takes 288 logins of the 300: schedule no more often, and
count processes that sync one stream each as one login each.
Deletes: nothing is reported. `getPosts` and `getProfiles` leave out what is gone in silence;
what they left out twice, at least an hour apart, is deleted. They are asked without a login,
where blocking us does not make a post look deleted.
Clocks: `createdAt` is what a client claims, `indexedAt` when the network saw it. The earlier
of both orders posts (https://docs.bsky.app/docs/advanced-guides/timestamps); both are kept.
Never taken: text, pictures, descriptions, followers, and posts that are not about us.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
import requests

from connectors import redaction
from connectors.base import Check, Page, Policy, State, Stream, Tombstone, Window, by_field
from connectors.errors import AuthError, BadRequest, ConfigError, RapportError
from connectors.incremental import ChangeWalk, NewestFirstWalk
from connectors.pagination import LoopGuard
from connectors.records import parse_stamp, pick, split, values
from connectors.session import Limit, Session

TYPE = "bluesky"
SILO = "social"

CALLS_PER_WINDOW = ((3_000, 300),)
PER_PAGE = 100
PER_BATCH = 25
LONGEST_SLICE = timedelta(days=30)
SHORTEST_SLICE = timedelta(minutes=1)
INDEXING = timedelta(minutes=2)
LATE = timedelta(days=2)
TAIL = timedelta(days=14)
REREAD_EVERY = timedelta(days=1)
PUNCTUAL = timedelta(hours=1)  # a daily sync that starts a little earlier is still a day later
SURE_AFTER = timedelta(hours=1)
SURE_OF_MANY_AFTER = timedelta(days=1)
MANY, MANY_SHARE = 20, 0.20
REASONS = ("mention", "reply", "quote")
NO_UNAUTHENTICATED = "!no-unauthenticated"

CREATE_SESSION = "com.atproto.server.createSession"
REFRESH_SESSION = "com.atproto.server.refreshSession"
POSTS_BY_URI, PROFILES_BY_DID = ("uris", "posts", "uri"), ("actors", "profiles", "did")
"""Parameter, list in the answer, and key of the two methods that leave out what is gone."""

LOGIN_HINT = (
    "The account refused `handle` with `app_password`. Make an app password under Settings > "
    "Privacy and security; the account's own password is not for programs."
)

POLICY = Policy(
    link_bases=("crm_field", "self_link", "manual"),
    text_retention_days=30,
    terms_url="https://docs.bsky.app/docs/support/developer-guidelines",
    terms_date="2026-11-01",
)

STREAMS: tuple[Stream, ...] = (
    Stream(
        name="posts",
        key=("uri",),
        fields=(
            *("uri", "cid", "author.did", "record.createdAt", "record.reply", "indexedAt"),
            *("replyCount", "repostCount", "likeCount", "quoteCount", "about"),
        ),
        cursor="indexedAt",
        cursor_trusted=False,  # an edit and a counter leave it alone
        lag=INDEXING,
        lookback=LATE,
        deletes="reread",
        types=by_field(
            integer="replyCount repostCount likeCount quoteCount",
            timestamp="indexedAt",
            json="author record about",
        ),
        pii=by_field(pseudonym="uri author record"),
        coverage="what the vendor's search shows: it may leave posts out, hides those of accounts "
        "that block us, and finds a post dated back by more than 2 days only as a notification; "
        "edits, likes and deletions are noticed within 1 day for 14 days, then not any more",
    ),
    Stream(
        name="notifications",
        key=("uri",),  # a post notifies an account once, by its nearest reason
        fields=(
            *("uri", "cid", "author.did", "reason", "reasonSubject", "record.createdAt"),
            *("record.reply", "indexedAt"),
        ),
        cursor="indexedAt",
        cursor_trusted=False,
        lookback=PUNCTUAL,
        deletes="reread",
        types=by_field(timestamp="indexedAt", json="author record"),
        pii=by_field(pseudonym="uri author reasonSubject record"),
        coverage="mentions, replies and quotes as far back as the vendor lists them, without "
        "accounts that block us; deletions are noticed within 1 day for 14 days, then not any more",
    ),
    Stream(
        name="profiles",
        key=("did",),
        fields=("did", "handle", "displayName", "ours"),
        lag=INDEXING,
        lookback=LATE,
        deletes="reread",
        types=by_field(boolean="ours"),
        pii=by_field(pseudonym="did", direct="handle displayName"),
        coverage="accounts whose posts are about us; those that ask not to be shown to people who "
        f"are not logged in (`{NO_UNAUTHENTICATED}`) without handle and name",
    ),
)


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `bluesky` in rapport.yml.

    Attributes:
        handle: our account, such as `acme.com`.
        app_password: an app password of that account.
        domains: posts that link there are about us, sub-domains included.
        tags: posts with such a tag are about us; without `#`.
        words: posts with this text are about us, although they do not turn to us: only for
            names that mean nothing else.
        history_days: how far back the first sync searches.
        url: host of the account.
        public_url: host that answers without a login.
    """

    handle: str
    app_password: str
    domains: list[str] = []
    tags: list[str] = []
    words: list[str] = []
    history_days: int = 365
    url: str = "https://bsky.social"
    public_url: str = "https://public.api.bsky.app"


def connect(name: str, settings: Settings, session: Session) -> Bluesky:
    """Return the account as a source; nothing is asked of it yet."""
    session.base_url = settings.url.rstrip("/")
    return Bluesky(name, settings, session)


class Bluesky:
    """One account. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        self._did: str | None = None
        self._search_is_closed = False
        self._unsplit: list[str] = []

    def streams(self) -> Sequence[Stream]:
        """Return the streams; they are the same for every account."""
        return STREAMS

    def check(self) -> Check:
        """Log in, and ask whether searching works."""
        did = pick(self._get_signed("com.atproto.server.getSession"), "did")
        self._search_page({"mentions": did, "limit": 1})
        where = "after a login" if self._search_is_closed else "without a login"
        return Check(
            ok=True,
            account=f"{did} at {self.session.base_url}",
            detail=f"app password accepted; search readable {where}",
            clock_skew_s=(self.session.server_now() - datetime.now(UTC)).total_seconds(),
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        if stream.name == "posts":
            return self._posts(stream, dict(state), window)
        if stream.name == "notifications":
            return self._notifications(stream, dict(state), window)
        return self._profiles(stream, dict(state), window)

    # Posts

    def _posts(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read our own posts, search slice by slice for those about us, then ask again.

        State: that of `ChangeWalk` (position: up to where slices are done) and of `_reread`.
        """
        self._unsplit = []
        walk = ChangeWalk.begin(stream, state, window)
        start = self._start(walk, window)
        if walk.position is None:
            for rows in self._own_posts(start):
                records = self._about_us(rows, state, window)
                yield Page(records=records, state=walk.at(None))
        for done_to, rows in self._slices(start, walk.end):
            records = self._about_us(rows, state, window)
            yield Page(records=records, state=walk.at(done_to.isoformat()))
        again, gone = self._reread("app.bsky.feed.getPosts", POSTS_BY_URI, state, window)
        yield Page(
            records=self._about_us(again, state, window),
            tombstones=gone,
            state=walk.done(),
            notes=self._unsplit,
        )

    def _start(self, walk: ChangeWalk, window: Window) -> datetime:
        if walk.position is not None:
            return datetime.fromisoformat(walk.position)
        return walk.start or window.now - timedelta(days=self._settings.history_days)

    def _own_posts(self, start: datetime) -> Iterator[list[bytes]]:
        asked = {"actor": self._us(), "filter": "posts_with_replies", "limit": PER_PAGE}
        for body in self._pages("app.bsky.feed.getAuthorFeed", asked):
            items = [_members(row) for row in split(body, "feed")]
            # a repost has a reason; what has no post goes on, to be quarantined
            rows = [bytes(item.get("post", b"{}")) for item in items if "reason" not in item]
            young = [row for row in rows if _sort_at(row) >= start]
            yield young
            if rows and not young:
                return

    def _slices(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, list[bytes]]]:
        """Yield (end of the slice, posts that any of our questions found in it), oldest first."""
        while start < end:
            until = min(start + LONGEST_SLICE, end)
            found: dict[str, bytes] = {}
            for question in self._questions():
                for row in self._search(question, start, until):
                    found[str(values(row, "uri")[0])] = row
            yield until, list(found.values())
            start = until

    def _questions(self) -> list[dict[str, Any]]:
        asked = self._settings
        return [
            {"mentions": self._us()},
            *({"domain": domain} for domain in asked.domains),
            *({"tag": tag.lstrip("#")} for tag in asked.tags),
            *({"q": '"' + word.replace('"', "") + '"'} for word in asked.words),
        ]

    def _search(self, question: Mapping[str, Any], start: datetime, until: datetime) -> list[bytes]:
        """Search a slice of time, in halves if the pages stop before its beginning.

        "It may not be possible to paginate through all hits" says the lexicon, and no answer
        tells that it was not: a full page without a cursor does.
        """
        rows, is_whole = self._search_once(question, start, until)
        if is_whole:
            return rows
        if until - start <= SHORTEST_SLICE:
            self._unsplit = ["the search shows more posts of one minute than it lets us read"]
            return rows
        middle = start + (until - start) / 2
        return self._search(question, start, middle) + self._search(question, middle, until)

    def _search_once(
        self, question: Mapping[str, Any], start: datetime, until: datetime
    ) -> tuple[list[bytes], bool]:
        asked = {"since": start.isoformat(), "until": until.isoformat(), **question}
        guard = LoopGuard(self.session.place)
        rows: list[bytes] = []
        while True:
            body = self._search_page(asked)
            page, cursor = split(body, "posts"), pick(body, "cursor")
            # Some servers do not know `since`: then we notice that we are below it.
            young = [row for row in page if _sort_at(row) >= start]
            rows += young
            if page and not young:
                return rows, True
            if cursor is None:
                lacks = len(rows) >= PER_PAGE and (pick(body, "hitsTotal") or 0) > len(rows)
                return rows, len(page) < PER_PAGE and not lacks
            guard.check(cursor)
            asked["cursor"] = cursor

    def _search_page(self, asked: Mapping[str, Any]) -> bytes:
        nsid = "app.bsky.feed.searchPosts"
        asked = {"q": "*", "sort": "latest", "limit": PER_PAGE, **asked}
        if not self._search_is_closed:
            try:
                return self._get(nsid, asked)
            except AuthError:  # "may require authentication", says the lexicon
                self._search_is_closed = True
        return self._get_signed(nsid, asked)

    def _about_us(self, rows: Sequence[bytes], state: State, window: Window) -> list[bytes]:
        """Keep the posts about us, each with the reasons, and note the young ones in `tail`."""
        records = []
        tail = dict(state.get("tail", {}))
        for row in rows:
            post = _post(row)
            if post is None:  # goes on, to be quarantined
                records.append(row)
                continue
            about = self._reasons(post)
            if about:
                records.append(_with(row, {"about": about}))
                tail[post.uri] = post.indexedAt
        state["tail"] = _younger(tail, window.now - TAIL)
        return records

    def _reasons(self, post: _Post) -> list[str]:
        """Tell why a post is about us; searches are not trusted to keep to what was asked."""
        us, asked, record = self._us(), self._settings, post.record
        features = [feature for facet in record.facets for feature in facet.features]
        cards = [
            embed.external.uri
            for embed in (record.embed, record.embed.media if record.embed else None)
            if embed and embed.external
        ]
        hosts = [_host(link) for link in (*(feature.uri for feature in features), *cards)]
        tags = {tag.lower() for tag in (*(f.tag for f in features), *record.tags)}
        text = record.text.lower()
        ours = f"at://{us}/"
        reasons = {
            "own": post.author.did == us,
            "mention": any(feature.did == us for feature in features),
            "reply": record.reply is not None and record.reply.parent.uri.startswith(ours),
            "quote": record.embed is not None and record.embed.quoted.startswith(ours),
            "link": any(_is_under(host, domain) for host in hosts for domain in asked.domains),
            "tag": any(tag.lstrip("#").lower() in tags for tag in asked.tags),
            "word": any(word.lower() in text for word in asked.words),
        }
        return [reason for reason, holds in reasons.items() if holds]

    # Notifications

    def _notifications(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read what is new, newest first; a walk that broke off begins at the top again.

        The vendor answers an old cursor with HTTP 500, so no state holds one.
        State: that of `NewestFirstWalk` and of `_reread`.
        """
        walk = NewestFirstWalk.begin(stream, state, window)
        tail = dict(state.get("tail", {}))
        for number, rows in enumerate(self._told(parse_stamp(walk.floor) if walk.floor else None)):
            for row in rows:
                uri, at = values(row, "uri", "indexedAt")
                if isinstance(uri, str) and isinstance(at, str):
                    tail[uri] = at
                    if number == 0:
                        walk.see(at)
            yield Page(records=rows)
        state["tail"] = _younger(tail, window.now - TAIL)
        _, gone = self._reread("app.bsky.feed.getPosts", POSTS_BY_URI, state, window)
        yield Page(tombstones=gone, state=walk.done())

    def _told(self, floor: datetime | None) -> Iterator[list[bytes]]:
        """Yield pages of mentions, replies and quotes, newest first, down to `floor`."""
        asked = {"reasons": REASONS, "limit": PER_PAGE}
        for body in self._pages("app.bsky.notification.listNotifications", asked, signed=True):
            rows = split(body, "notifications")
            young = [row for row in rows if floor is None or _indexed_at(row) >= floor]
            yield young
            if rows and not young:
                return

    # Profiles

    def _profiles(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read who wrote what is new about us, then ask again for everybody known.

        State: that of `ChangeWalk` and of `_reread`, whose tail holds everybody.
        """
        self._unsplit = []
        walk = ChangeWalk.begin(stream, state, window)
        start = self._start(walk, window)
        known = dict(state.get("tail", {}))
        now = window.now.isoformat()

        def taken(authors: Sequence[bytes]) -> list[bytes]:
            records = [self._profile(author) for author in authors]
            dids = (values(record, "did")[0] for record in records)
            known.update((did, now) for did in dids if isinstance(did, str))
            state["tail"] = dict(known)
            return records

        if walk.position is None:
            us = self._get("app.bsky.actor.getProfile", {"actor": self._us()})
            yield Page(records=taken([us]), state=walk.at(None))
            for rows in self._told(start):
                yield Page(records=taken([_author(row) for row in rows]), state=walk.at(None))
        for done_to, rows in self._slices(start, walk.end):
            authors = [_author(row) for row in rows if (post := _post(row)) and self._reasons(post)]
            yield Page(records=taken(authors), state=walk.at(done_to.isoformat()))
        again, gone = self._reread("app.bsky.actor.getProfiles", PROFILES_BY_DID, state, window)
        records = [self._profile(row) for row in again]
        yield Page(records=records, tombstones=gone, state=walk.done(), notes=self._unsplit)

    def _profile(self, view: bytes) -> bytes:
        """Reduce a view of an account to what we take, in one order whatever the view's."""
        members = _members(view)
        names = ("did", "handle", "displayName") if _is_for_everybody(view) else ("did",)
        kept = {name: members[name] for name in names if name in members}
        is_ours = values(view, "did")[0] == self._us()
        return msgspec.json.encode({**kept, "ours": is_ours})

    # What is gone

    def _reread(
        self, nsid: str, names: tuple[str, str, str], state: State, window: Window
    ) -> tuple[list[bytes], list[Tombstone]]:
        """Ask once a day for everything in `tail`, and sooner for what was left out last time.

        Returns what is there and tombstones of what is not. When much is missing at once, an
        outage is likelier than deletions: then a day must lie between, not an hour.
        State: `tail` (key -> time), `missing` (key -> left out since), `reread_at`.
        """
        if window.since is not None or window.until is not None:
            return [], []
        parameter, listed, key = names
        now, tail = window.now, state.get("tail", {})
        missing = {name: at for name, at in state.get("missing", {}).items() if name in tail}
        last = state.get("reread_at")
        if last is None or now - datetime.fromisoformat(last) >= REREAD_EVERY - PUNCTUAL:
            asked = list(tail)
            state["reread_at"] = now.isoformat()
        else:
            asked = list(_older(missing, now - SURE_AFTER))
        shown: dict[str, bytes] = {}
        for first in range(0, len(asked), PER_BATCH):
            batch = {parameter: asked[first : first + PER_BATCH]}
            for row in split(self._get(nsid, batch), listed):
                shown[str(values(row, key)[0])] = row
        omitted = [name for name in asked if name not in shown]
        is_mass = len(omitted) >= MANY and len(omitted) > MANY_SHARE * len(asked)
        sure = _older(missing, now - (SURE_OF_MANY_AFTER if is_mass else SURE_AFTER))
        gone = [name for name in omitted if name in sure]
        kept = {name: at for name, at in missing.items() if name not in shown and name not in gone}
        state["missing"] = {name: now.isoformat() for name in omitted if name not in gone} | kept
        state["tail"] = {name: at for name, at in tail.items() if name not in gone}
        return list(shown.values()), [Tombstone(key=name) for name in gone]

    # Requests

    def _us(self) -> str:
        if self._did is None:
            handle = self._settings.handle.removeprefix("@")
            try:
                profile = self._get("app.bsky.actor.getProfile", {"actor": handle})
            except BadRequest:
                raise ConfigError(
                    f"{self.session.place}: the network shows no account `{handle}`. "
                    "Check `handle` in rapport.yml."
                ) from None
            self._did = str(pick(profile, "did"))
        return self._did

    def _pages(
        self, nsid: str, asked: Mapping[str, Any], *, signed: bool = False
    ) -> Iterator[bytes]:
        guard = LoopGuard(self.session.place)
        cursor: dict[str, str] = {}
        while True:
            body = (self._get_signed if signed else self._get)(nsid, {**asked, **cursor})
            yield body
            following = pick(body, "cursor")
            if following is None:
                return
            guard.check(following)
            cursor = {"cursor": following}

    def _get(self, nsid: str, asked: Any = None) -> bytes:
        """Ask the public host, as nobody: it sees what everybody sees, blocked or not."""
        address = f"{self._settings.public_url.rstrip('/')}/xrpc/{nsid}"
        return self.session.fetch("GET", address, params=asked)

    def _get_signed(self, nsid: str, asked: Any = None) -> bytes:
        """Ask the account's host; a token whose time is over is refreshed, once."""
        token = self._token()
        try:
            return self._fetch_signed("GET", nsid, token, asked)
        except _Expired:
            return self._fetch_signed("GET", nsid, self._token(spent=token), asked)

    def _fetch_signed(self, method: str, nsid: str, token: str, asked: Any = None) -> bytes:
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.fetch(
            method, f"/xrpc/{nsid}", params=asked, headers=headers, refusal=_refusal(self.session)
        )

    def _token(self, spent: str | None = None) -> str:
        """Return the access token that this process has, or the one after `spent`."""
        asked = self._settings
        login = _LOGINS.setdefault((asked.url, asked.handle, asked.app_password), _Login())
        with login.lock:
            if not login.access or login.access == spent:
                body = self._refreshed(login) or self.session.fetch(
                    "POST",
                    f"/xrpc/{CREATE_SESSION}",
                    json={"identifier": asked.handle, "password": asked.app_password},
                    hint=LOGIN_HINT,
                )
                login.access, login.refresh = values(body, "accessJwt", "refreshJwt")
                redaction.register((login.access, login.refresh))
            return login.access

    def _refreshed(self, login: _Login) -> bytes | None:
        """Refresh a session, which spends both its tokens; None if a new login is needed."""
        if not login.refresh:
            return None
        try:
            return self._fetch_signed("POST", REFRESH_SESSION, login.refresh)
        except _Expired:
            return None


@dataclass
class _Login:
    """The tokens of one account: in memory only, shared by its streams in this process."""

    access: str = ""
    refresh: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


_LOGINS: dict[tuple[str, str, str], _Login] = {}


class _Expired(RapportError):
    """A token is not, or no longer, accepted."""


def limits(answer: requests.Response) -> Limit | None:
    """Tell the quota of logins a day, which is not worth waiting for, from the short limits.

    https://docs.bsky.app/docs/advanced-guides/rate-limits
    """
    is_login = answer.url.endswith(CREATE_SESSION)
    policy = answer.headers.get("RateLimit-Policy", "")
    if answer.status_code == requests.codes.too_many_requests and is_login and "w=86400" in policy:
        return Limit(None, spent=True, reason="the 300 logins a day of this account are used up")
    return None


def _refusal(session: Session) -> Callable[[requests.Response], RapportError]:
    def read(answer: requests.Response) -> RapportError:
        if pick(answer.content, "error") in ("ExpiredToken", "InvalidToken"):
            return _Expired(f"{session.place}: the session is over.")
        try:
            session.check(answer, LOGIN_HINT)
        except RapportError as error:
            return error
        raise AssertionError("only answers of 400 and above are refusals")

    return read


# What a post holds, as far as it tells whether it is about us


class _Ref(msgspec.Struct):
    uri: str = ""


class _Quoted(msgspec.Struct):
    uri: str = ""
    record: _Ref | None = None


class _Embed(msgspec.Struct):
    """A card, a quote, or a quote with something else."""

    external: _Ref | None = None
    record: _Quoted | None = None
    media: _Embed | None = None

    @property
    def quoted(self) -> str:
        if self.record is None:
            return ""
        return self.record.record.uri if self.record.record else self.record.uri


class _Feature(msgspec.Struct):
    did: str = ""
    uri: str = ""
    tag: str = ""


class _Facet(msgspec.Struct):
    features: list[_Feature] = []


class _Reply(msgspec.Struct):
    parent: _Ref


class _Record(msgspec.Struct):
    text: str = ""
    facets: list[_Facet] = []
    tags: list[str] = []
    embed: _Embed | None = None
    reply: _Reply | None = None


class _Author(msgspec.Struct):
    did: str


class _Post(msgspec.Struct):
    uri: str
    author: _Author
    record: _Record
    indexedAt: str


class _Label(msgspec.Struct):
    val: str


class _Labeled(msgspec.Struct):
    labels: list[_Label] = []


_DECODE_POST = msgspec.json.Decoder(_Post).decode


def _post(row: bytes) -> _Post | None:
    try:
        return _DECODE_POST(row)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_for_everybody(view: bytes) -> bool:
    try:
        labels = msgspec.json.decode(view, type=_Labeled).labels
    except (msgspec.DecodeError, RecursionError):
        return False
    return all(label.val != NO_UNAUTHENTICATED for label in labels)


def _members(row: bytes) -> dict[str, msgspec.Raw]:
    """Return the members of an object; none of what is no object, which then has no key."""
    try:
        return msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return {}


def _author(row: bytes) -> bytes:
    return bytes(_members(row).get("author", b"{}"))


def _with(row: bytes, more: Mapping[str, Any]) -> bytes:
    """Put our own fields behind the vendor's, whose bytes stay."""
    return msgspec.json.encode({**_members(row), **more})


def _indexed_at(row: bytes) -> datetime:
    """Return when the network saw a post; what cannot be read counts as new."""
    stamp = values(row, "indexedAt")[0]
    return (parse_stamp(stamp) if isinstance(stamp, str) else None) or datetime.max.replace(
        tzinfo=UTC
    )


def _sort_at(row: bytes) -> datetime:
    claimed = pick(row, "record", "createdAt")
    at = parse_stamp(claimed) if isinstance(claimed, str) else None
    return min(at or _indexed_at(row), _indexed_at(row))


def _host(link: str) -> str:
    try:
        return urlsplit(link).hostname or ""
    except ValueError:  # anybody can write anything
        return ""


def _is_under(host: str, domain: str) -> bool:
    domain = domain.lower().removeprefix("www.")
    return host == domain or host.endswith(f".{domain}")


def _younger(stamps: Mapping[str, str], than: datetime) -> dict[str, str]:
    return {name: at for name, at in stamps.items() if _moment(at) >= than}


def _older(stamps: Mapping[str, str], than: datetime) -> dict[str, str]:
    return {name: at for name, at in stamps.items() if _moment(at) <= than}


def _moment(stamp: str) -> datetime:
    return parse_stamp(stamp) or datetime.min.replace(tzinfo=UTC)
