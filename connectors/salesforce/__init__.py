"""Salesforce: people, organizations, deals, cases and activities of an org.

Speaks the REST API, version `API_VERSION`, through simple-salesforce: it logs in, describes
and counts limits; records are cut from the bytes of the answers.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/

Auth: an external client app with the client credentials flow and a run-as user (or the JWT
bearer flow with `username` and `private_key`). The user needs `API Enabled` and read access
("View All" where sharing would hide records) on the objects below.
Limits: calls per rolling 24 hours for the whole org (`Sforce-Limit-Info`, `limits`); spent
means 403 `REQUEST_LIMIT_EXCEEDED`, as do 25 long calls at once.
Deletes: rows in the bin come back from `queryAll` with `IsDeleted` (and `MasterRecordId` of a
merge) and become tombstones; `deleted/` adds what never went there, for 15 days. What is left is
found by a census of ids.

    streams   what is read, as tables         reads   changes, deletions, count, census
    shape     what the user sees of it        bulk    large reads as jobs
    client    single calls and their errors   discover, plan
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from connectors.base import Check, CustomField, Page, Policy, State, Stream, Window, with_configured
from connectors.discovery import Discovery
from connectors.planning import Allowance, Cost
from connectors.salesforce.client import Org, limits, usages
from connectors.salesforce.discover import discovered
from connectors.salesforce.plan import Planner
from connectors.salesforce.reads import Reader
from connectors.salesforce.streams import OBJECTS_ONLY_IN_SOME_ORGS, STREAMS, custom_object
from connectors.session import Session

__all__ = ["POLICY", "SILO", "STREAMS", "TYPE", "Salesforce", "Settings", "connect", "limits",
           "usages"]  # fmt: skip

TYPE = "salesforce"
SILO = "crm"

API_VERSION = "62.0"

POLICY = Policy(
    terms_url="https://www.salesforce.com/company/legal/agreements/",
    terms_date="2026-11-01",
)


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `salesforce` in rapport.yml.

    Attributes:
        client_id: consumer key of the external client app.
        client_secret: its secret (client credentials flow).
        domain: My Domain, `acme.my` or `acme.my.salesforce.com`.
        username, private_key: instead of the secret, the JWT bearer flow (PEM text).
        url: where to send every call instead: the sandbox, or a proxy.
        api_version: REST version.
        fields: object name -> further fields to take.
        objects: further objects, custom ones included.
        reread_days: days after which objects of which formulas are taken are read again; 0: never.
    """

    client_id: str
    client_secret: str | None = None
    domain: str | None = None
    username: str | None = None
    private_key: str | None = None
    url: str | None = None
    api_version: str = API_VERSION
    fields: dict[str, list[str | CustomField]] = {}
    objects: list[str] = []
    reread_days: int = 1


def connect(name: str, settings: Settings, session: Session) -> Salesforce:
    """Return the org as a source; nothing is asked of the vendor yet."""
    return Salesforce(name, settings, session)


class Salesforce:
    """One Salesforce org. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        self._streams = with_configured(
            name, STREAMS, settings.fields, settings.objects, custom_object
        )
        self._org = Org(name, settings, session)
        self._reader = Reader(self._org, settings.reread_days)
        self._planner = Planner(self._org, self._reader)

    def streams(self) -> Sequence[Stream]:
        """Return the standard streams with configured fields, then the configured objects."""
        return self._streams

    def check(self) -> Check:
        """Log in, read the quota, and name the objects and fields the user cannot see."""
        shapes = {stream.object_name: self._reader.shape(stream) for stream in self._streams}
        hidden = [
            shape.coverage
            for name, shape in shapes.items()
            if shape.coverage and (shape.fields or name not in OBJECTS_ONLY_IN_SOME_ORGS)
        ]
        quota = self._org.ask(lambda client: client.limits()) or {}
        return Check(
            ok=True,
            account=self._org.client().sf_instance,
            detail=f"API v{self._settings.api_version}, "
            + ("; ".join(hidden) or "every object and field is readable"),
            clock_skew_s=self.session.clock_skew_s,
            quota_left=quota.get("DailyApiRequests", {}).get("Remaining"),
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream. See `reads`."""
        return self._reader.read(stream, state, window)

    def read_span(self, stream: Stream, state: State) -> Iterator[Page]:
        """Yield the pages of a part of a long history. See `reads`."""
        return self._reader.read_span(stream, state)

    def discover(self) -> Discovery:
        """Describe every object that is read, and list those that could be."""
        return discovered(self._org, self._streams)

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, by the same conditions with `COUNT()`."""
        return self._planner.plan(stream, state, window)

    def allowance(self) -> Allowance:
        """Read `limits`; logging in counts toward nothing."""
        return self._planner.allowance()
