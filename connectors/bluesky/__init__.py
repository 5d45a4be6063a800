"""Bluesky: posts about us and by us, who told us of one, and who these people are.

XRPC as of 2026-11: https://docs.bsky.app/docs/advanced-guides/api-directory and the lexicons
of https://github.com/bluesky-social/atproto.

Auth: an app password (Settings > Privacy and security > App passwords); no scopes. What the
public host gives without a login is asked there; searching and notifications need one.
Limits: 3,000 calls/5 min per address; 30 logins/5 min and 300 a day per account. So a session
is kept: its refresh token, which works once, is on disk before the session is used, in a file
that only its owner reads, and each process goes on with it. Access tokens live in memory only.
Deletes: nothing is reported. `getPosts` and `getProfiles` leave out what is gone in silence;
what they left out twice, at least an hour apart, is deleted. They are asked without a login,
where blocking us does not make a post look deleted.
Clocks: `createdAt` is what a client claims, `indexedAt` when the network saw it. The earlier
of both orders posts (https://docs.bsky.app/docs/advanced-guides/timestamps); both are kept.
Never taken: text, pictures, descriptions, followers, posts that are not about us, and who liked
what of others.

    streams   what is read, as tables     reads   how each stream is read
    client    calls, logins, limits       posts   what a post holds, and whether it is about us
    discover, plan
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from connectors.base import VOLUNTEERED, Check, Page, Policy, State, Stream, Window
from connectors.bluesky.client import Network, limits
from connectors.bluesky.discover import discovered
from connectors.bluesky.plan import Planner
from connectors.bluesky.reads import Reader
from connectors.bluesky.streams import STREAMS
from connectors.discovery import Discovery
from connectors.planning import Allowance, Cost
from connectors.records import pick
from connectors.session import Session

__all__ = ["CALLS_PER_WINDOW", "POLICY", "SILO", "STREAMS", "TYPE", "Bluesky", "Settings",
           "connect", "limits"]  # fmt: skip

TYPE = "bluesky"
SILO = "social"

CALLS_PER_WINDOW = ((3_000, 300),)

POLICY = Policy(
    is_own_space=False,
    link_bases=VOLUNTEERED,
    text_retention_days=30,
    terms_url="https://docs.bsky.app/docs/support/developer-guidelines",
    terms_date="2026-11-01",
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
        likers: take who liked and reposted our posts, and their profiles.
        history_days: how far back the first sync searches.
        url: host of the account.
        public_url: host that answers without a login.
    """

    handle: str
    app_password: str
    domains: list[str] = []
    tags: list[str] = []
    words: list[str] = []
    likers: bool = False
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
        self._network = Network(settings, session)
        self._reader = Reader(self._network, settings)
        self._planner = Planner(self._network, settings)

    def streams(self) -> Sequence[Stream]:
        """Return the streams, without what the settings do not ask for."""
        return tuple(
            stream for stream in STREAMS if stream.name != "reactions" or self._settings.likers
        )

    def check(self) -> Check:
        """Log in, and ask whether searching works."""
        did = pick(self._network.get_signed("com.atproto.server.getSession"), "did")
        self._network.search_page({"mentions": did, "limit": 1})
        where = "after a login" if self._network.search_is_closed else "without a login"
        return Check(
            ok=True,
            account=f"{did} at {self.session.base_url}",
            detail=f"app password accepted; search readable {where}",
            clock_skew_s=self.session.clock_skew_s,
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream. See `reads`."""
        return self._reader.read(stream, dict(state), window)

    def discover(self) -> Discovery:
        """Look at one of our posts, at what others told us, and at who we are."""
        return discovered(self._network, self.streams())

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, by the hits of searches and our number of posts."""
        return self._planner.plan(stream, dict(state), window)

    def allowance(self) -> Allowance:
        """Return the limit per address: there is no quota of a day but that of logins."""
        return self._planner.allowance()
