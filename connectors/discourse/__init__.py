"""Discourse: users, topics, posts and categories of a forum, who liked what, and who edited it.

https://docs.discourse.org/ and, where that is silent, the server's source.

Auth: an API key of type "All users" or "Single user" with `api_username`. Users come from the
admin lists, so that user must be staff; topics and posts need read access only.
Limits: per instance, by default 60 calls/min for admin keys, 50/10 s and 200/min per address.
No header tells what is left; a 429 comes as text with `Retry-After` or as JSON.
Deletes: nothing is reported. A user is gone when a complete list lacks them; a topic or a post
when it left its list or its topic's `stream` and asking for it by id confirms it.
Never taken: private messages, whispers, small actions, and any text: of a post's, only whom it
quotes and mentions is kept, of an edit, if asked for, the reason that was given.

    streams   what is read, as tables    reads      how each stream is read
    client    calls and limits           links      whom a post turns to
    beside    what takes calls per post  likes      who liked a post
    discover, plan                       revisions  who edited it
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from connectors.base import Check, Page, Policy, State, Stream, Window
from connectors.discourse.client import ADMIN_HINT, Forum, limits
from connectors.discourse.discover import discovered
from connectors.discourse.plan import Planner
from connectors.discourse.reads import Reader
from connectors.discourse.streams import STREAMS
from connectors.discovery import Discovery
from connectors.errors import AuthError
from connectors.planning import Allowance, Cost
from connectors.session import Session

__all__ = ["POLICY", "SILO", "STREAMS", "TYPE", "Discourse", "Settings", "connect", "limits"]

TYPE = "discourse"
SILO = "forum"

POLICY = Policy(
    text_retention_days=365,
    terms_url="https://www.discourse.org/terms",
    terms_date="2026-11-01",
)


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `discourse` in rapport.yml.

    Attributes:
        url: address of the forum, sub-folder included.
        api_key: API key.
        api_username: user that the key acts as; staff, without muted categories or tags.
        show_emails: take users' e-mail addresses; the forum logs each such call of staff.
        sso: take the id that the forum's single sign-on knows a user by: one call per new or
            changed user.
        likers: take who liked and reacted to which post: one call per post that anybody liked,
            again when its count changes.
        revisions: take who edited which post, when, and the reason given: one call per edit.
    """

    url: str
    api_key: str
    api_username: str = "system"
    show_emails: bool = False
    sso: bool = False
    likers: bool = False
    revisions: bool = False


def connect(name: str, settings: Settings, session: Session) -> Discourse:
    """Return the forum as a source; nothing is asked of it yet."""
    session.base_url = settings.url.rstrip("/")
    session.headers.update(
        {
            "Api-Key": settings.api_key,
            "Api-Username": settings.api_username,
            "Accept": "application/json",
        }
    )
    return Discourse(name, settings, session)


class Discourse:
    """One forum. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        self._forum = Forum(settings, session)
        self._reader = Reader(self._forum, settings)
        self._planner = Planner(self._forum, settings)

    def streams(self) -> Sequence[Stream]:
        """Return the streams, without what the settings do not ask for."""
        unasked = set()
        if not self._settings.show_emails:
            unasked |= {"email", "secondary_emails"}  # staff sees some of them unasked
        if not self._settings.sso:
            unasked.add("single_sign_on_record.external_id")
        beside = {"likes": self._settings.likers, "revisions": self._settings.revisions}
        return tuple(
            dataclasses.replace(stream, fields=tuple(f for f in stream.fields if f not in unasked))
            for stream in STREAMS
            if beside.get(stream.name, True)
        )

    def check(self) -> Check:
        """Ask who we are, and whether the admin lists are open to us."""
        user = self._forum.who()
        try:
            self._forum.user_page(1)
            detail = "admin lists readable"
        except AuthError:
            detail = ADMIN_HINT
        return Check(
            ok=detail != ADMIN_HINT,
            account=f"user {user.get('id')} at {self.session.base_url}",
            detail=detail,
            clock_skew_s=self.session.clock_skew_s,
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream. See `reads`."""
        return self._reader.read(stream, dict(state), window)

    def discover(self) -> Discovery:
        """Look at one page of each list: a forum does not describe itself."""
        return discovered(self._forum, self.streams())

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, from the site's counts and the first lists."""
        return self._planner.plan(stream, state, window)

    def allowance(self) -> Allowance:
        """Return the usual limit of an admin key: no answer tells what is left."""
        return self._planner.allowance()
