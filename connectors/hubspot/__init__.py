"""HubSpot: people, organizations, deals, tickets and engagements of an account.

Speaks the CRM API v3 (associations v4) through hubspot-api-client, which knows paths, parameters
and the bearer header: its typed endpoints build each request, our session sends it, and what
they return is the answer's bytes. Some calls are ours: the client has the retired form of one
(the OAuth token) and lacks the others (the account's details and usage, consents v4, campaigns,
submissions, the log of e-mail events).
https://developers.hubspot.com/docs/api/overview

Auth: a service key (or the token of a private app, which can no longer be made), or OAuth with
a refresh token (access lasts 30 minutes).
https://developers.hubspot.com/changelog/legacy-private-app-creation-sunset
Scopes: `crm.objects.{contacts,companies,deals,owners,feedback_submissions}.read`, `tickets`,
`sales-email-read`, `content`, `communication_preferences.{read,statuses.batch.read}`; streams of
products that many accounts lack stay empty without theirs, and say so. `crm.objects.leads.read`
and `crm.objects.custom.read` where `objects` asks for them.
Limits: 100 calls per 10 s and app (more on higher plans: `calls_per_10_s`), searches 5 per
second and account, a number per day. A 429 names its policy and brings no `Retry-After`.
Deletes: archived records have a list of their own; a merge leaves the old ids in a property of
the record that took their place; an erased contact leaves nothing: a weekly complete list finds
what is no longer there, and what was restored.
Never taken: any text (bodies, notes, subjects, comments of a survey).

    streams   what is read, as tables         reads     how each stream is read
    client    single calls and their errors   objects   records with a change stamp
    discover, plan                            beside    links, consents, history of properties
                                              forms     what was submitted
                                              mailings  what became of each message
                                              behavior  what people did elsewhere
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from connectors.base import Check, CustomField, Page, Policy, State, Stream, Window, with_configured
from connectors.discovery import Discovery
from connectors.errors import ConfigError
from connectors.hubspot.beside import Beside
from connectors.hubspot.client import ACCOUNT_PATH, Account, ScopeMissing, limits, usages
from connectors.hubspot.discover import discovered
from connectors.hubspot.plan import Planner
from connectors.hubspot.reads import Reader
from connectors.hubspot.streams import (
    BEHAVIOR,
    EMAIL_EVENTS,
    LEADS,
    LINKED,
    LINKED_TO_CUSTOM,
    MEMBERSHIPS,
    OPTIONAL,
    STREAMS,
    TYPE_IDS,
    custom_object,
    has_properties,
    scope_of,
    with_history,
)
from connectors.planning import Allowance, Cost
from connectors.records import pick
from connectors.session import Session

__all__ = ["POLICY", "SILO", "STREAMS", "TYPE", "HubSpot", "Settings", "connect", "limits",
           "usages"]  # fmt: skip

TYPE = "hubspot"
SILO = "crm"

API = "https://api.hubapi.com"
CALLS_PER_10_S = 100
SEARCHES_PER_S = 4  # of 5, which all integrations of the account share

POLICY = Policy(
    terms_url="https://legal.hubspot.com/developer-terms",
    terms_date="2026-11-01",
)


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `hubspot` in rapport.yml.

    Attributes:
        access_token: a service key, or the token of a private app.
        client_id, client_secret, refresh_token: instead of it, OAuth.
        url: where to send every call instead: the sandbox, or a proxy.
        calls_per_10_s: calls the plan allows in 10 seconds: 100, 190 or 250.
        searches_per_s: searches to leave in a second; the account's 5 are shared by all.
        fields: stream -> further properties to take.
        objects: custom objects, by name or type id (`2-123456`); `leads`, too.
        history: stream -> properties whose earlier values are read, too.
        members_of: names of lists whose members are read; `*` stands for any text.
        email_events: read what became of each marketing e-mail at each recipient.
        events: types of events of behavior that are read, for example `e_visited_page`.
    """

    access_token: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None
    url: str | None = None
    calls_per_10_s: int = CALLS_PER_10_S
    searches_per_s: int = SEARCHES_PER_S
    fields: dict[str, list[str | CustomField]] = {}
    objects: list[str] = []
    history: dict[str, list[str]] = {}
    members_of: list[str] = []
    email_events: bool = False
    events: list[str] = []


def connect(name: str, settings: Settings, session: Session) -> HubSpot:
    """Return the account as a source; nothing is asked of the vendor yet."""
    has_oauth = settings.client_id and settings.client_secret and settings.refresh_token
    if not (settings.access_token or has_oauth):
        raise ConfigError(
            f"{name}: `access_token` is missing. Add a service key, or `client_id` with "
            "`client_secret` and `refresh_token`."
        )
    session.base_url = (settings.url or API).rstrip("/")
    session.calls_per_window = ((settings.calls_per_10_s, 10.0),)
    session.only_asks = True
    return HubSpot(name, settings, session)


class HubSpot:
    """One HubSpot account. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        objects = [TYPE_IDS.get(name, name) for name in settings.objects]
        asked_for = {
            LEADS: LEADS in objects,
            MEMBERSHIPS: bool(settings.members_of),
            EMAIL_EVENTS: settings.email_events,
            BEHAVIOR: bool(settings.events),
        }
        declared = [stream for stream in STREAMS if asked_for.get(stream.name, True)]
        streams = with_configured(
            name, declared, settings.fields, objects, custom_object, inside="properties."
        )
        self._streams = with_history(name, streams, settings.history)
        self._account = Account(name, settings, session)
        linked = dict.fromkeys(objects, LINKED_TO_CUSTOM) | LINKED
        beside = Beside(linked, settings.history)
        named = settings.members_of, settings.events
        self._reader = Reader(self._account, beside, *named)
        self._planner = Planner(self._account, self._reader, beside, *named)

    def streams(self) -> Sequence[Stream]:
        """Return the standard streams with configured properties, then the custom objects."""
        return self._streams

    def check(self) -> Check:
        """Ask every kind of record for one, and name scopes and properties that are missing."""
        account = pick(self._account.ask_path("GET", ACCOUNT_PATH), "portalId")
        missing = {}
        for stream in self._streams:
            try:
                if stream.name == "owners":
                    next(self._reader.read(stream, {}, Window(now=self.session.server_now())))
                elif has_properties(stream):
                    self._account.list_page(stream.object_name, ["hs_object_id"], None, limit=1)
                    if unknown := self._unknown_properties(stream):
                        missing[stream.name] = f"no such property: {', '.join(unknown)}"
            except ScopeMissing:
                missing[stream.name] = f"needs the scope `{scope_of(stream.name)}`"
        return Check(
            ok=missing.keys() <= OPTIONAL,
            account=f"portal {account}",
            detail="; ".join(f"{name}: {text}" for name, text in missing.items())
            or "every kind of record is readable",
            clock_skew_s=self.session.clock_skew_s,
            quota_left=self._account.quota_left,
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream. See `reads`."""
        return self._reader.read(stream, dict(state), window)

    def discover(self) -> Discovery:
        """List the properties of every kind of record that is read."""
        return discovered(self._account, self._streams)

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, by the totals of searches."""
        return self._planner.plan(stream, dict(state), window)

    def allowance(self) -> Allowance:
        """Read the account's usage of today."""
        return self._planner.allowance()

    def _unknown_properties(self, stream: Stream) -> list[str]:
        """Return the configured properties that the account does not have."""
        asked = [
            *self._settings.fields.get(stream.object_name, ()),
            *self._settings.history.get(stream.object_name, ()),
        ]
        known = (
            {told["name"] for told in self._account.properties(stream.object_name)} if asked else ()
        )
        names = [field if isinstance(field, str) else field.name for field in asked]
        return [name for name in names if name not in known]
