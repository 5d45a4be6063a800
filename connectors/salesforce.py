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
merge) and become tombstones. What left the bin or never went there is found by a census of ids.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter

from connectors.base import Check, Page, Policy, State, Stream, Tombstone, Window, by_field
from connectors.discovery import Discovery, FoundField, FoundObject, FoundStream, guess_pii, taken
from connectors.errors import AuthError, BadRequest, ConfigError, RapportError, ServerError
from connectors.incremental import ChangeWalk
from connectors.pagination import LoopGuard, next_links
from connectors.planning import ALWAYS, Allowance, Cost, Step, pages
from connectors.records import parse_stamp, pick, split, values
from connectors.session import Limit, Session

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce as Client

TYPE = "salesforce"
SILO = "crm"

API_VERSION = "62.0"
ROWS_PER_PAGE = 2_000
ROWS_PER_PAGE_USUALLY = 1_500  # Salesforce fills a page as far as it likes
MAX_URL_BYTES = 16_000
CONCURRENT_LIMIT_WAIT_S = 5.0
LAG = timedelta(minutes=1)
LOOKBACK = timedelta(minutes=10)
CENSUS_EVERY = timedelta(days=7)
PUNCTUAL = timedelta(hours=1)  # a daily sync that starts a little earlier is still a day later
CENSUS_OF_SURPLUS_EVERY = timedelta(days=1)

POLICY = Policy(
    link_bases=("email", "phone", "crm_field", "manual"),
    terms_url="https://www.salesforce.com/company/legal/agreements/",
    terms_date="2026-11-01",
)

_TYPES = by_field(
    timestamp="ActivityDateTime ClosedDate CompletedDateTime CreatedDate EndDateTime "
    "StartDateTime SystemModstamp",
    date="ActivityDate CloseDate ConvertedDate",
    decimal="Amount Probability",
    integer="CallDurationInSeconds DurationInMinutes NumberOfEmployees",
    boolean="DoNotCall HasOptedOutOfEmail IsActive IsAllDayEvent IsArchived IsChild IsClosed "
    "IsConverted IsEscalated IsGroupEvent IsPersonAccount IsPrimary IsPrivate IsPublished IsWon "
    "PersonHasOptedOutOfEmail",
)
_PII = by_field(
    direct="Email FirstName LastName MobilePhone PersonEmail PersonMobilePhone Phone "
    "SuppliedEmail SuppliedName",
)
_STREAMS_OF_NAMES = ("accounts", "contacts", "leads", "users")  # an account can be a person
_ONLY_IN_SOME_ORGS = {
    "Account": "FirstName LastName IsPersonAccount PersonContactId PersonEmail "
    "PersonMobilePhone PersonTitle PersonHasOptedOutOfEmail",
    "Contact": "IsPersonAccount",
    "Opportunity": "CurrencyIsoCode",
}
"""Fields of features an org may not have: their absence hides nothing."""
_HEAD = ("Id", "SystemModstamp", "IsDeleted", "MasterRecordId")
_TYPE_OF = by_field(
    integer="int long",
    decimal="double currency percent",
    boolean="boolean",
    date="date",
    timestamp="datetime",
    json="address location",
)
"""Describe's types -> ours; any other is text."""
_COMPOUND = ("address", "location")
_PEOPLE = {"Contact", "Individual", "Lead", "User"}
_OF_THE_SYSTEM = re.compile(r"(History|Share|Feed|Tag|ChangeEvent|__e|__mdt)$")


def _stream(name: str, object_name: str, fields: str) -> Stream:
    taken = ("Id", *fields.split(), "CreatedDate", "SystemModstamp")
    pii = _PII | ({"Name": "direct"} if name in _STREAMS_OF_NAMES else {})
    return Stream(
        name=name,
        object_name=object_name,
        key=("Id",),
        fields=taken,
        cursor="SystemModstamp",
        lag=LAG,
        lookback=LOOKBACK,
        deletes="tombstones",
        types={field: _TYPES[field] for field in taken if field in _TYPES},
        pii={field: pii[field] for field in taken if field in pii},
    )


STREAMS: tuple[Stream, ...] = (
    _stream(
        "accounts",
        "Account",
        "Name Type ParentId OwnerId Website Industry Phone NumberOfEmployees BillingCountry "
        "FirstName LastName IsPersonAccount PersonContactId PersonEmail PersonMobilePhone "
        "PersonTitle PersonHasOptedOutOfEmail",
    ),
    _stream(
        "contacts",
        "Contact",
        "AccountId OwnerId ReportsToId FirstName LastName Name Email Phone MobilePhone Title "
        "Department LeadSource MailingCountry HasOptedOutOfEmail DoNotCall IsPersonAccount",
    ),
    _stream(
        "leads",
        "Lead",
        "OwnerId FirstName LastName Name Company Title Email Phone MobilePhone Website Country "
        "LeadSource Status Industry HasOptedOutOfEmail DoNotCall IsConverted ConvertedDate "
        "ConvertedContactId ConvertedAccountId ConvertedOpportunityId",
    ),
    _stream(
        "opportunities",
        "Opportunity",
        "AccountId OwnerId Name StageName Amount CurrencyIsoCode Probability CloseDate IsClosed "
        "IsWon Type LeadSource",
    ),
    _stream(
        "opportunity_contact_roles",
        "OpportunityContactRole",
        "OpportunityId ContactId Role IsPrimary",
    ),
    _stream(
        "cases",
        "Case",
        "CaseNumber AccountId ContactId OwnerId ParentId CreatedById Status Priority Origin Type "
        "Reason IsClosed IsEscalated ClosedDate SuppliedEmail SuppliedName",
    ),
    _stream("case_comments", "CaseComment", "ParentId CreatedById IsPublished"),
    _stream(
        "tasks",
        "Task",
        "WhoId WhatId AccountId OwnerId CreatedById Status Priority Type TaskSubtype CallType "
        "CallDurationInSeconds ActivityDate CompletedDateTime IsClosed IsArchived",
    ),
    _stream(
        "events",
        "Event",
        "WhoId WhatId AccountId OwnerId CreatedById Type EventSubtype ActivityDate "
        "ActivityDateTime StartDateTime EndDateTime DurationInMinutes IsAllDayEvent IsPrivate "
        "IsChild IsGroupEvent IsArchived",
    ),
    _stream(
        "users",
        "User",
        "Name FirstName LastName Email Title Department ManagerId IsActive UserType",
    ),
)


class CustomField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A field beyond the allow-list, as `fields:` in rapport.yml names it.

    Attributes:
        name: the API name, custom (`Tier__c`) or standard.
        type: text, integer, decimal, boolean, timestamp, date or json.
        pii: none, pseudonym, direct or text.
        meaning: the unified column it fills, for example `renewal_date`.
    """

    name: str
    type: Literal["text", "integer", "decimal", "boolean", "timestamp", "date", "json"] = "text"
    pii: Literal["none", "pseudonym", "direct", "text"] = "none"
    meaning: str | None = None


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


def connect(name: str, settings: Settings, session: Session) -> Salesforce:
    """Return the org as a source; nothing is asked of the vendor yet."""
    return Salesforce(name, settings, session)


class _SessionEnded(AuthError):
    """The access token no longer holds; a new login may help."""


class _Refused(BadRequest):
    """A refusal with the vendor's error codes, for callers that know what to do about one."""

    codes: tuple[str, ...] = ()


class Salesforce:
    """One Salesforce org. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self._settings = settings
        self.session = session
        self._streams = _with_custom(name, settings)
        self._domain = _domain(name, settings)
        self._logged_in: Client | None = None
        session.base_url = f"https://{self._domain}.salesforce.com"
        if settings.url:
            session.trust_env = False
            session.mount("https://", _Redirect(settings.url))

    def streams(self) -> Sequence[Stream]:
        """Return the standard streams with configured fields, then the configured objects."""
        return self._streams

    def check(self) -> Check:
        """Log in, read the quota, and name the objects and fields the user cannot see."""
        hidden = [text for stream in self._streams if (text := self._visible(stream)[1])]
        quota = self._ask(lambda client: client.limits()) or {}
        return Check(
            ok=True,
            account=self._client().sf_instance,
            detail=f"API v{self._settings.api_version}, "
            + ("; ".join(hidden) or "every object and field is readable"),
            clock_skew_s=(self.session.server_now() - datetime.now(UTC)).total_seconds(),
            quota_left=quota.get("DailyApiRequests", {}).get("Remaining"),
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield changes by (SystemModstamp, Id); then the source's count, sometimes a census.

        State: that of `ChangeWalk`, `since` (where the user let history begin), `counted`
        (by the source, when the last sync ended) and `census_at`.
        """
        fields, coverage = self._visible(stream)
        if not fields:
            yield Page(notes=(str(coverage),))
            return
        state = dict(state)
        is_first = "cursor" not in state
        if window.since and is_first:
            state["since"] = _literal(window.since)
        is_census = "walk" not in state and _census_is_due(state, window)
        if is_first:  # what was just read as a whole has lost nothing yet
            state["census_at"] = _literal(window.now)
        while True:
            walk = ChangeWalk.begin(stream, state, window)
            is_new = walk.position is None
            yield from self._walk(stream, fields, walk)
            state = walk.done()
            if is_new:
                break
        count = self._count(stream, fields, state, is_first)
        state["counted"] = count
        yield Page(state=state, source_count=count, notes=(coverage,) if coverage else ())
        if is_census:
            yield from self._census(stream)
            state = state | {"census_at": _literal(window.now)}
            yield Page(state=state, census_complete=True)

    def discover(self) -> Discovery:
        """Describe every object that is read, and list those that could be."""
        streams = tuple(self._found(stream) for stream in self._streams)
        told = self._ask(lambda client: client.restful("sobjects")) or {}
        read = {stream.object_name for stream in self._streams}
        listed = [o for o in told.get("sobjects", ()) if o["queryable"] and o["name"] not in read]
        shown = [o for o in listed if not _OF_THE_SYSTEM.search(o["name"])]
        shown = [o for o in shown if not (o["deprecatedAndHidden"] or o["customSetting"])]
        return Discovery(
            streams=streams,
            objects=tuple(
                FoundObject(
                    name=told["name"],
                    label=told["label"],
                    is_custom=told["custom"],
                    can_be_read=True,
                )
                for told in shown
            ),
            how=f"the list of objects, API v{self._settings.api_version}; left out: "
            f"{len(listed) - len(shown)} histories, shares, feeds and settings",
        )

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, by the same conditions with `COUNT()`."""
        fields, coverage = self._visible(stream)
        steps = [Step(what="describe", calls=1, how=ALWAYS)]
        if not fields:
            return Cost(steps=tuple(steps), records=0, notes=(str(coverage),))
        records = 0
        state = dict(state)
        if window.since and "cursor" not in state:
            state["since"] = _literal(window.since)
        if "walk" not in state and _census_is_due(state, window):
            steps.append(_page_step("census of ids", self._count_where(stream, [])))
        while True:
            walk = ChangeWalk.begin(stream, state, window)
            due = self._count_where(stream, _conditions(walk, walk.position))
            steps.append(_page_step("pages of changed records", due))
            records += due
            state = walk.done()
            if walk.position is None:
                break
        steps.append(Step(what="count", calls=1, how=ALWAYS))
        return Cost(
            steps=tuple(steps), records=records, records_how="COUNT(), those in the bin included"
        )

    def allowance(self) -> Allowance:
        """Read `limits`; logging in counts toward nothing."""
        told = self._ask(lambda client: client.limits()) or {}
        daily = told.get("DailyApiRequests", {})
        return Allowance(
            per_day=daily.get("Max"),
            left=daily.get("Remaining"),
            opening=(
                Step(what="clock", calls=1, how=ALWAYS, is_metered=False),
                Step(what="login", calls=1, how=ALWAYS, is_metered=False),
            ),
            how="`limits`: calls of the whole org in the last 24 hours",
        )

    def _walk(self, stream: Stream, fields: Sequence[str], walk: ChangeWalk) -> Iterator[Page]:
        """Yield the rows of a window; behind the last one if the query's locator expired."""
        guard = LoopGuard(self.session.place)
        position = walk.position
        path = first = self._changes(stream, fields, walk, position)
        while path:
            guard.check(path)
            try:
                body = self._get(path)
            except _Refused as refusal:
                if path == first or "INVALID_QUERY_LOCATOR" not in refusal.codes:
                    raise
                path = first = self._changes(stream, fields, walk, position)
                continue
            records, tombstones = [], []
            for record in split(body, "records"):
                key, stamp, gone, master = values(record, *_HEAD)
                if gone is True and key:
                    at = parse_stamp(stamp or "")
                    tombstones.append(Tombstone(key=key, merged_into=master, at=at))
                else:
                    records.append(record)
                if key and stamp:
                    position = [stamp.replace("+0000", "Z"), key]
            yield Page(records=records, tombstones=tombstones, state=walk.at(position))
            path = pick(body, "nextRecordsUrl")

    def _changes(
        self, stream: Stream, fields: Sequence[str], walk: ChangeWalk, position: Any
    ) -> str:
        """Return the path of the query for a window, or for what is left of it."""
        path = self._query(
            f"SELECT {', '.join(fields)} FROM {stream.object_name} "
            f"WHERE {' AND '.join(_conditions(walk, position))} ORDER BY SystemModstamp, Id"
        )
        if len(path) > MAX_URL_BYTES:
            raise ConfigError(
                f"{self.name}.{stream.name}: {len(fields)} fields make a query of `{len(path)}` "
                f"bytes; Salesforce takes {MAX_URL_BYTES}. "
                f"Name fewer under `fields: {stream.object_name}` in rapport.yml."
            )
        return path

    def _count(self, stream: Stream, fields: Sequence[str], state: State, is_first: bool) -> int:
        """Return how many live records the source has, as far as they are to be held.

        By `queryAll`, for `query` leaves out archived activities. What the lag held back is
        new to us after a first sync, later mostly a change of what we hold.
        """
        end = _literal(datetime.fromisoformat(state["cursor"]))
        conditions = [f"{'SystemModstamp' if is_first else 'CreatedDate'} < {end}"]
        if "since" in state:
            conditions.append(f"SystemModstamp >= {state['since']}")
        if "IsDeleted" in fields:
            conditions.append("IsDeleted = false")
        return self._count_where(stream, conditions)

    def _count_where(self, stream: Stream, conditions: Sequence[str]) -> int:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        soql = f"SELECT COUNT() FROM {stream.object_name}{where}"
        count = pick(self._get(self._query(soql)), "totalSize")
        if count is None:
            raise self._foreign()
        return int(count)

    def _census(self, stream: Stream) -> Iterator[Page]:
        """Yield every id the org still has, those in the bin too: their tombstones say more."""
        pages = next_links(
            self._get,
            self._query(f"SELECT Id FROM {stream.object_name}"),
            lambda body: pick(body, "nextRecordsUrl"),
            place=self.session.place,
        )
        for body, _ in pages:
            keys = (values(record, "Id")[0] for record in split(body, "records"))
            yield Page(seen_keys=[key for key in keys if key])

    def _query(self, soql: str) -> str:
        return f"/services/data/v{self._settings.api_version}/queryAll/?{urlencode({'q': soql})}"

    def _get(self, path: str) -> bytes:
        """Return a page of a query; a session that ran out is renewed once."""
        for is_last_try in (False, True):
            client = self._client()
            try:
                return self.session.fetch(
                    "GET",
                    f"https://{client.sf_instance}{path}",
                    headers=client.headers | {"Sforce-Query-Options": f"batchSize={ROWS_PER_PAGE}"},
                    refusal=lambda answer: self._refusal(answer.status_code, answer.content),
                )
            except _SessionEnded:
                if is_last_try:
                    raise
                self._logged_in = None
        raise AssertionError("the loop returns or raises")

    def _client(self) -> Client:
        """Return the logged-in client; log in first if there is none."""
        if self._logged_in is None:
            from simple_salesforce.api import Salesforce as Client
            from simple_salesforce.exceptions import SalesforceAuthenticationFailed

            settings = self._settings
            try:
                self._logged_in = Client(
                    username=settings.username,
                    consumer_key=settings.client_id,
                    consumer_secret=None if settings.private_key else settings.client_secret,
                    privatekey=settings.private_key,
                    domain=self._domain,
                    version=settings.api_version,
                    session=self.session,
                )
            except (AttributeError, ValueError):
                raise self._foreign() from None
            except SalesforceAuthenticationFailed as refusal:
                if isinstance(refusal.code, int):  # no JSON, only a status
                    raise self._foreign() from None
                raise AuthError(
                    f"{self.session.place}: Salesforce refused the login with "
                    f"`{refusal.code}`. Check `client_id`, `client_secret` and `domain` of "
                    f"source `{self.name}`, and that the app has a run-as user."
                ) from None
        return self._logged_in

    def _ask(self, call: Callable[[Client], Any]) -> Any:
        """Return what the client library answers, None for what the user cannot see."""
        from simple_salesforce.exceptions import SalesforceError, SalesforceResourceNotFound

        try:
            return call(self._client())
        except SalesforceResourceNotFound:
            return None
        except SalesforceError as refusal:
            raise self._refusal(refusal.status, msgspec.json.encode(refusal.content)) from None
        except (KeyError, TypeError, ValueError):  # how the library takes foreign answers
            raise self._foreign() from None

    def _foreign(self) -> ServerError:
        return ServerError(
            f"{self.session.place}: `{self._domain}` answers something that is not Salesforce's "
            "API. Check `domain` and `url` in rapport.yml, or try again after a maintenance.",
            place=self.session.place,
        )

    def _visible(self, stream: Stream) -> tuple[tuple[str, ...], str | None]:
        """Return the fields to ask for, and in words what this user or the API withholds.

        Field-level security removes a field from describe, and asking for it all the same
        is an error for the whole query.
        """
        described = self._described(stream)
        if "SystemModstamp" not in described:
            return (), f"{stream.object_name}: not visible to this user"
        extras = tuple(name for name in ("IsDeleted", "MasterRecordId") if name in described)
        taken = tuple(name for name in stream.fields if name in described)
        optional = _ONLY_IN_SOME_ORGS.get(stream.object_name, "").split()
        hidden = [f for f in stream.fields if f not in described and f not in optional]
        formulas = [f for f in taken if described[f].get("calculatedFormula")]
        notes = []
        if hidden:
            notes.append(f"not visible to this user: {', '.join(hidden)}")
        if formulas:
            notes.append(f"formulas, seen only when the record changes: {', '.join(formulas)}")
        return taken + extras, f"{stream.object_name}: {'; '.join(notes)}" if notes else None

    def _described(self, stream: Stream) -> dict[str, Any]:
        """Return name -> description of the fields this user can see; empty without any."""
        # Not `client.Account.describe()`: on a steady 401 that logs in for ever.
        told = self._ask(lambda client: client.restful(f"sobjects/{stream.object_name}/describe"))
        return {field["name"]: field for field in (told or {}).get("fields", ())}

    def _found(self, stream: Stream) -> FoundStream:
        described = self._described(stream)
        names = [name for name in stream.fields if name in described]
        names += [name for name in described if name not in stream.fields]
        optional = _ONLY_IN_SOME_ORGS.get(stream.object_name, "").split()
        return FoundStream(
            stream=stream,
            fields=tuple(_found_field(stream, described[name]) for name in names),
            how=f"describe, API v{self._settings.api_version}, as the run-as user sees it",
            is_complete=bool(described),
            unseen=tuple(f for f in stream.fields if f not in described and f not in optional),
            fields_key=stream.object_name,
            note="" if described else f"{stream.object_name}: not visible to this user",
        )

    def _refusal(self, status: int, body: bytes) -> RapportError:
        place, codes = self.session.place, _codes(body)
        told = f"HTTP {status} `{', '.join(codes) or 'without a code'}`"
        if "QUERY_TIMEOUT" in codes:
            return ServerError(
                f"{place}: Salesforce gave up on a query ({told}). Run the sync again later.",
                place=place,
                status=status,
            )
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            kind = _SessionEnded if "INVALID_SESSION_ID" in codes else AuthError
            return kind(
                f"{place}: Salesforce answered {told}. The run-as user of source "
                f"`{self.name}` needs `API Enabled` and read access to the object."
            )
        refused = _Refused(
            f"{place}: Salesforce refused a query with {told}. "
            "Compare `fields` and `objects` in rapport.yml with what the org describes.",
            place=place,
            status=status,
        )
        refused.codes = codes
        return refused


def limits(answer: requests.Response) -> Limit | None:
    """Tell a spent day from a short jam: both come as 403, neither with `Retry-After`."""
    if answer.status_code != requests.codes.forbidden:
        return None
    if "REQUEST_LIMIT_EXCEEDED" not in _codes(answer.content):
        return None
    if b"Concurrent" in answer.content:
        return Limit(CONCURRENT_LIMIT_WAIT_S, reason="too many long calls at once")
    return Limit(None, spent=True, reason="the org's API calls of the last 24 hours")


class _Redirect(HTTPAdapter):
    """Sends calls to another address: simple-salesforce can say nothing but https."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._to = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        asked = urlsplit(str(request.url))
        request.headers["Host"] = asked.netloc
        request.url = asked._replace(scheme=self._to.scheme, netloc=self._to.netloc).geturl()
        return super().send(request, *args, **more)


def _codes(body: bytes) -> tuple[str, ...]:
    """Return the error codes of a refusal: `[{"errorCode": ..., "message": ...}]`."""
    try:
        errors = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return ()
    errors = errors if isinstance(errors, list) else [errors]
    return tuple(e["errorCode"] for e in errors if isinstance(e, dict) and "errorCode" in e)


def _conditions(walk: ChangeWalk, position: Any) -> list[str]:
    """Return what is true of the records of a window, or of what is left of it."""
    conditions = [f"SystemModstamp < {_literal(walk.end)}"]
    if position is not None:
        stamp, key = position
        conditions.append(
            f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{key}'))"
        )
    elif walk.start is not None:
        conditions.append(f"SystemModstamp >= {_literal(walk.start)}")
    return conditions


def _page_step(what: str, records: int) -> Step:
    calls = pages(records, ROWS_PER_PAGE_USUALLY)
    how = f"{records:,} records by COUNT(), about {ROWS_PER_PAGE_USUALLY:,} a page"
    if records <= ROWS_PER_PAGE_USUALLY:
        how = f"{records:,} records by COUNT(), one page"
    return Step(what=what, calls=calls, how=how)


def _found_field(stream: Stream, told: dict[str, Any]) -> FoundField:
    """Return a field of describe as ours, those outside the allow-list with a guess at `pii`."""
    notes = []
    if told["name"] in ("IsDeleted", "MasterRecordId"):
        notes.append("asked for to tell deletes, not kept")
    if told.get("calculated"):
        notes.append("formula: seen only when the record itself changes")
    if told["type"] in _COMPOUND:
        notes.append("compound: take its parts instead")
    if told["type"] == "base64":
        notes.append("content of a file")
    if told["referenceTo"]:
        notes.append(f"refers to {', '.join(told['referenceTo'])}")
    facts = {
        "vendor_type": told["type"],
        "label": told["label"],
        "is_custom": told["custom"],
        "note": "; ".join(notes),
        "can_be_taken": told["type"] not in (*_COMPOUND, "base64"),
    }
    if told["name"] in stream.fields:
        return taken(stream, told["name"], **facts)
    if _PEOPLE & {*told["referenceTo"]}:
        pii, basis = "pseudonym", "guess: refers to a person's record"
    else:
        pii, basis = guess_pii(told["name"], told["type"], told["length"])
    return FoundField(
        name=told["name"],
        is_taken=False,
        type=_TYPE_OF.get(told["type"], "text"),
        pii=pii,
        pii_basis=basis,
        **facts,
    )


def _literal(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _census_is_due(state: State, window: Window) -> bool:
    """Look for records that left without a trace: weekly, and daily while we hold too many."""
    last = state.get("census_at")
    if last is None:
        return window.full_refresh
    counted = state.get("counted")
    has_extra = counted is not None and window.held_count and window.held_count() > counted
    every = CENSUS_OF_SURPLUS_EVERY if has_extra else CENSUS_EVERY
    return window.now - datetime.fromisoformat(last) >= every - PUNCTUAL


def _domain(name: str, settings: Settings) -> str:
    """Return My Domain as simple-salesforce wants it: without scheme and `.salesforce.com`."""
    domain = re.sub(r"^https?://|\.salesforce\.com/?$", "", settings.domain or "")
    if domain in ("login", "test") and not settings.private_key:
        raise ConfigError(
            f"{name}: `domain: {domain}` does not know the client credentials flow. "
            "Write your My Domain, for example `acme.my`."
        )
    if not (settings.client_secret or (settings.username and settings.private_key)):
        raise ConfigError(
            f"{name}: `client_secret` is missing. Add it, or `username` with `private_key`."
        )
    if not domain and not settings.url:
        raise ConfigError(f"{name}: `domain` is missing. Write your My Domain, like `acme.my`.")
    return domain or "org.my"


def _with_custom(name: str, settings: Settings) -> tuple[Stream, ...]:
    """Return the declared streams plus the configured fields and objects."""
    declared = {stream.object_name: stream for stream in STREAMS}
    for object_name in settings.objects:
        if object_name not in declared:
            declared[object_name] = _stream(object_name.lower(), object_name, "Name OwnerId")
    for object_name, fields in settings.fields.items():
        if object_name not in declared:
            close = difflib.get_close_matches(object_name, declared, n=1)
            meant = f" Did you mean `{close[0]}`?" if close else ""
            raise ConfigError(
                f"{name}: `fields: {object_name}` names an object that is not read.{meant} "
                f"Add it under `objects` first."
            )
        declared[object_name] = _extended(declared[object_name], fields)
    return tuple(declared.values())


def _extended(stream: Stream, fields: Sequence[str | CustomField]) -> Stream:
    more = [CustomField(name=field) if isinstance(field, str) else field for field in fields]
    return dataclasses.replace(
        stream,
        fields=tuple(dict.fromkeys((*stream.fields, *(field.name for field in more)))),
        types={**stream.types, **{f.name: f.type for f in more if f.type != "text"}},
        pii={**stream.pii, **{f.name: f.pii for f in more if f.pii != "none"}},
        text_fields=(*stream.text_fields, *(f.name for f in more if f.pii == "text")),
    )
