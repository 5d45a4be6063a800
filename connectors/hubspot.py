"""HubSpot: people, organizations, deals, tickets and engagements of an account.

Speaks the CRM API v3 (associations v4) through hubspot-api-client, which knows paths, parameters
and the bearer header: its typed endpoints build each request, our session sends it, and what
they return is the answer's bytes (`_Ride`). Three calls are ours: the client has the retired
form of one (the OAuth token) and lacks the others (the account's details, consents v4).
https://developers.hubspot.com/docs/api/overview

Auth: a service key (or the token of a private app, which can no longer be made), or OAuth with
a refresh token (access lasts 30 minutes).
https://developers.hubspot.com/changelog/legacy-private-app-creation-sunset
Scopes: `crm.objects.{contacts,companies,deals,owners,feedback_submissions}.read`, `tickets`,
`sales-email-read`, `content`, `communication_preferences.{read,statuses.batch.read}`; streams of
products that many accounts lack stay empty without theirs, and say so.
Limits: 100 calls per 10 s and app (more on higher plans: `calls_per_10_s`), searches 5 per
second and account, a number per day. A 429 names its policy and brings no `Retry-After`.
Deletes: archived records have a list of their own; a merge leaves the old ids in a property of
the record that took their place; an erased contact leaves nothing: a weekly complete list finds
what is no longer there, and what was restored.
Never taken: any text (bodies, notes, subjects, comments of a survey).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec
import requests

from connectors import redaction
from connectors.base import (
    Check,
    CustomField,
    Page,
    Policy,
    State,
    Stream,
    Tombstone,
    Window,
    by_field,
    with_fields,
)
from connectors.discovery import (
    Discovery,
    FoundField,
    FoundObject,
    FoundStream,
    guess_pii,
    taken,
    taken_fields,
)
from connectors.errors import AuthError, BadRequest, ConfigError, RapportError, ServerError
from connectors.incremental import ChangeWalk
from connectors.pagination import LoopGuard
from connectors.records import parse_stamp, pick, split, values
from connectors.session import Limit, Session

if TYPE_CHECKING:
    from hubspot import HubSpot as Client

TYPE = "hubspot"
SILO = "crm"

API = "https://api.hubapi.com"
TOKEN_PATH = "/oauth/2026-03/token"
ACCOUNT_PATH = "/account-info/v3/details"
CONSENT_PATH = "/communication-preferences/v4/statuses/batch/read?channel=EMAIL"
ROWS_PER_LIST = 100
ROWS_PER_SEARCH = 200
INPUTS_PER_ASSOCIATION_CALL = 1_000
INPUTS_PER_CONSENT_CALL = 100
CALLS_PER_10_S = 100
SEARCHES_PER_S = 4  # of 5, which all integrations of the account share
MAX_PROPERTIES_BYTES = 6_000  # of a list's address; more are read in a second call
ROLLING_LIMIT_WAIT_S = 10.0
SECOND_LIMIT_WAIT_S = 1.0
LOCKED_WAIT_S = 2.0
TOKEN_MARGIN_S = 60.0
LAG = timedelta(minutes=1)
LOOKBACK = timedelta(hours=1)  # how far the search index has been seen behind
CENSUS_EVERY = timedelta(days=7)
CENSUS_OF_SURPLUS_EVERY = timedelta(days=1)
COUNT_EVERY = timedelta(days=1)
_REREAD_EVERY = {"associations": timedelta(days=1), "subscription_statuses": timedelta(days=7)}
PUNCTUAL = timedelta(hours=1)  # a daily sync that starts a little earlier is still a day later

POLICY = Policy(
    link_bases=("email", "phone", "crm_field", "manual"),
    terms_url="https://legal.hubspot.com/developer-terms",
    terms_date="2026-11-01",
)

_TYPES = by_field(
    timestamp="createdate lastmodifieddate hs_lastmodifieddate hs_createdate closedate closed_date "
    "hs_timestamp hs_meeting_start_time hs_meeting_end_time hs_task_completion_date "
    "hs_submission_timestamp first_agent_reply_date last_reply_date",
    decimal="amount hs_value hs_deal_stage_probability",
    integer="numberofemployees hs_call_duration hs_object_id",
    boolean="hs_email_optout hs_is_closed hs_is_closed_won",
)
_PII = by_field(
    direct="email hs_additional_emails firstname lastname phone mobilephone hs_email_from_email "
    "hs_email_to_email",
)
_ENVELOPE = ("id", "createdAt", "updatedAt", "archived")
_ENVELOPE_TYPES = by_field(timestamp="createdAt updatedAt", boolean="archived")


def _properties(names: Iterable[str], of: Mapping[str, str]) -> dict[str, str]:
    return {f"properties.{name}": of[name] for name in names if name in of}


def _object(name: str, properties: str, object_name: str = "") -> Stream:
    names = properties.split()
    return Stream(
        name=name,
        object_name=object_name or name,
        key=("id",),
        fields=(*_ENVELOPE, *(f"properties.{name}" for name in names)),
        cursor="updatedAt",
        lag=LAG,
        lookback=LOOKBACK,
        deletes="archived",
        types=_ENVELOPE_TYPES | _properties(names, _TYPES),
        pii=_properties(names, _PII),
    )


def _list(name: str, fields: str, *, key: str = "id", pii: str = "", json: str = "") -> Stream:
    """Declare a list that is short, cannot say what changed, and is read whole."""
    return Stream(
        name=name,
        object_name=name,
        key=tuple(key.split()),
        fields=tuple(fields.split()),
        sync_mode="full",
        deletes="census",
        types={
            field: kind
            for field, kind in (
                _ENVELOPE_TYPES
                | by_field(timestamp="publishDate", boolean="isActive isDefault isInternal")
                | by_field(json=json)
            ).items()
            if field in fields.split()
        },
        pii=by_field(direct=pii),
    )


STREAMS: tuple[Stream, ...] = (
    _object(
        "contacts",
        "email hs_additional_emails firstname lastname phone mobilephone jobtitle company "
        "associatedcompanyid hubspot_owner_id lifecyclestage hs_lead_status country industry "
        "hs_email_optout hs_email_hard_bounce_reason_enum hs_legal_basis createdate "
        "lastmodifieddate",
    ),
    _object(
        "companies",
        "name domain website phone industry type lifecyclestage country numberofemployees "
        "hubspot_owner_id hs_parent_company_id createdate hs_lastmodifieddate",
    ),
    _object(
        "deals",
        "dealname dealstage pipeline dealtype amount deal_currency_code closedate hs_is_closed "
        "hs_is_closed_won hs_deal_stage_probability hubspot_owner_id createdate "
        "hs_lastmodifieddate",
    ),
    _object(
        "tickets",
        "hs_pipeline hs_pipeline_stage hs_ticket_priority hs_ticket_category source_type "
        "hubspot_owner_id hs_is_closed closed_date first_agent_reply_date last_reply_date "
        "createdate hs_lastmodifieddate",
    ),
    _object(
        "calls",
        "hs_timestamp hs_call_direction hs_call_status hs_call_disposition hs_call_duration "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "emails",
        "hs_timestamp hs_email_direction hs_email_status hs_email_from_email hs_email_to_email "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "meetings",
        "hs_timestamp hs_meeting_start_time hs_meeting_end_time hs_meeting_outcome "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object("notes", "hs_timestamp hubspot_owner_id hs_createdate hs_lastmodifieddate"),
    _object(
        "tasks",
        "hs_timestamp hs_task_status hs_task_type hs_task_priority hs_task_completion_date "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "communications",
        "hs_timestamp hs_communication_channel_type hs_communication_logged_from "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "feedback_submissions",
        "hs_survey_type hs_survey_id hs_survey_name hs_survey_channel hs_value hs_sentiment "
        "hs_response_group hs_submission_timestamp hs_contact_id hs_createdate "
        "hs_lastmodifieddate",
    ),
    Stream(
        name="associations",
        key=("fromType", "fromId", "toType"),
        fields=("fromType", "fromId", "toType", "to.toObjectId", "to.associationTypes"),
        lag=LAG,
        lookback=LOOKBACK,
        deletes="census",
        types={"to": "json"},
        coverage="a link that changes without its record is noticed within a day",
    ),
    Stream(
        name="subscription_statuses",
        key=("contactId",),
        fields=(
            "contactId",
            *(
                f"statuses.{field}"
                for field in ("subscriptionId", "status", "source", "timestamp", "legalBasis")
            ),
        ),
        lag=LAG,
        lookback=LOOKBACK,
        deletes="census",
        types={"statuses": "json"},
        coverage="a consent that changes without its contact is noticed within 7 days",
    ),
    _list(
        "owners",
        "id email firstName lastName userId userIdIncludingInactive type archived createdAt "
        "updatedAt",
        pii="email firstName lastName",
    ),
    _list(
        "pipelines",
        "objectType id label displayOrder archived stages createdAt updatedAt",
        key="objectType id",
        json="stages",
    ),
    _list(
        "marketing_emails",
        "id name state type publishDate createdAt updatedAt archived campaign subscriptionDetails",
        json="subscriptionDetails",
    ),
    _list(
        "subscription_types",
        "id name purpose communicationMethod isActive isDefault isInternal createdAt updatedAt",
    ),
)

_ENGAGEMENTS = ("calls", "emails", "meetings", "notes", "tasks", "communications")
_LINKED: Mapping[str, Sequence[str]] = {
    "contacts": ("companies",),
    "deals": ("contacts", "companies"),
    "tickets": ("contacts", "companies"),
    **dict.fromkeys(_ENGAGEMENTS, ("contacts", "companies", "deals", "tickets")),
}
"""Object type -> the types whose links to it are read."""
_TYPE_OF = by_field(decimal="number", boolean="bool", timestamp="datetime", date="date")
"""The vendor's types of properties -> ours; all others are text."""
_NOT_READ = (
    FoundObject(name="postal_mail", label="Postal mail", note="not built"),
    FoundObject(name="lists", label="Lists and their members", note="not built"),
    FoundObject(name="forms", label="Forms and what was submitted", note="not built"),
    FoundObject(name="campaigns", label="Campaigns", note="not built"),
)
_MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids")
_CHANGED = {"contacts": "lastmodifieddate"}  # all others: hs_lastmodifieddate
_CREATED = dict.fromkeys(("contacts", "companies", "deals", "tickets"), "createdate")
_SCOPES = {
    "tickets": "tickets",
    "emails": "sales-email-read",
    "feedback_submissions": "crm.objects.feedback_submissions.read",
    "marketing_emails": "content",
    "subscription_types": "communication_preferences.read",
    "subscription_statuses": "communication_preferences.statuses.batch.read",
    **{
        name: f"crm.objects.{name}.read"
        for name in ("contacts", "companies", "deals", "owners", "custom")
    },
    **dict.fromkeys(("calls", "meetings", "notes", "tasks"), "crm.objects.contacts.read"),
    "communications": "crm.objects.contacts.read",
    "pipelines": "crm.objects.deals.read` and `tickets",
    "associations": "crm.objects.contacts.read",
}
_OPTIONAL = {
    *("tickets", "emails", "communications", "feedback_submissions", "marketing_emails"),
    *("subscription_types", "subscription_statuses"),
}
"""Streams that many accounts do not have: a missing scope is coverage there, not a mistake."""


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `hubspot` in rapport.yml.

    Attributes:
        access_token: a service key, or the token of a private app.
        client_id, client_secret, refresh_token: instead of it, OAuth.
        url: where to send every call instead: the sandbox, or a proxy.
        calls_per_10_s: calls the plan allows in 10 seconds: 100, 190 or 250.
        searches_per_s: searches to leave in a second; the account's 5 are shared by all.
        fields: stream -> further properties to take.
        objects: custom objects, by name or type id (`2-123456`).
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


class _TokenExpired(AuthError):
    """The access token no longer holds; a new one may help."""


class _ScopeMissing(AuthError):
    """The token may not see this stream."""


class _Ride(NamedTuple):
    """Stands where a client's API object keeps its HTTP: sends through our session.

    What an endpoint returns with `_preload_content=False` is then the answer's bytes.
    """

    send: Callable[..., bytes]

    def GET(self, url: str, *, headers: Any = None, query_params: Any = None, **_: Any) -> bytes:
        return self.send("GET", url, headers=headers, params=query_params)

    def POST(
        self, url: str, *, headers: Any = None, query_params: Any = None, body: Any = None, **_: Any
    ) -> bytes:
        return self.send("POST", url, headers=headers, params=query_params, json=body)


class HubSpot:
    """One HubSpot account. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        self._streams = _with_custom(name, settings)
        self._client_and_end: tuple[Client, datetime | None] | None = None
        self._refresh_token = settings.refresh_token
        self._quota_left: int | None = None
        session.hooks["response"].append(self._note_quota)

    def streams(self) -> Sequence[Stream]:
        """Return the standard streams with configured properties, then the custom objects."""
        return self._streams

    def check(self) -> Check:
        """Ask every kind of record for one, and name scopes and properties that are missing."""
        account = pick(self._ask_path("GET", ACCOUNT_PATH), "portalId")
        missing = {}
        for stream in self._streams:
            try:
                if stream.name == "owners":
                    next(self._owners())
                elif stream.cursor:
                    self._list_page(stream.object_name, ["hs_object_id"], None, limit=1)
                    if unknown := self._unknown_properties(stream):
                        missing[stream.name] = f"no such property: {', '.join(unknown)}"
            except _ScopeMissing:
                missing[stream.name] = f"needs the scope `{_scope(stream.name)}`"
        return Check(
            ok=missing.keys() <= _OPTIONAL,
            account=f"portal {account}",
            detail="; ".join(f"{name}: {text}" for name, text in missing.items())
            or "every kind of record is readable",
            clock_skew_s=(self.session.server_now() - datetime.now(UTC)).total_seconds(),
            quota_left=self._quota_left,
        )

    def discover(self) -> Discovery:
        """List the properties of every kind of record that is read."""
        return Discovery(
            streams=tuple(self._found(stream) for stream in self._streams),
            objects=_NOT_READ,
            how="what HubSpot is known to have; custom objects are named under `objects`",
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        lists = {
            "owners": self._owners,
            "pipelines": self._pipelines,
            "marketing_emails": self._marketing_emails,
            "subscription_types": self._subscription_types,
        }
        try:
            if stream.name in lists:
                yield from lists[stream.name]()
                yield Page(state={}, census_complete=True)
            elif stream.name == "associations":
                yield from self._beside(
                    stream, dict(state), window, list(_LINKED), "hs_object_id", self._links
                )
            elif stream.name == "subscription_statuses":
                yield from self._beside(
                    stream, dict(state), window, ["contacts"], "email", self._consents
                )
            else:
                yield from self._objects(stream, dict(state), window)
        except _ScopeMissing:
            if stream.name not in _OPTIONAL:
                raise
            yield Page(notes=(f"not visible: needs the scope `{_scope(stream.name)}`",))

    # Records with a change stamp

    def _objects(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Read what changed by search; at first and weekly everything by list; then the archive.

        State: that of `ChangeWalk`, `since` (where the user let history begin), `archived_to`
        (when the archive was read), `counted` (by the source, at `counted_at`; it holds while
        nothing changes) and `census_at`.
        """
        is_first = "cursor" not in state and "walk" not in state
        is_asked = window.since is not None or window.until is not None
        is_census = "walk" not in state and not is_asked and _census_is_due(state, window)
        if is_first:  # what is read as a whole has lost nothing yet
            state |= dict.fromkeys(("census_at", "archived_to"), _text(window.now))
            if window.since:
                state["since"] = _text(window.since)
        shown = 0
        while True:
            walk = ChangeWalk.begin(stream, state, window)
            is_new = walk.position is None
            position = walk.position or ({"list": None} if is_census else {"search": "0"})
            for records, at in self._pages(stream.object_name, _wanted(stream), walk, position):
                kept = [row for row in records if _is_since(row, state.get("since"))]
                shown += len(kept)
                yield Page(
                    records=kept,
                    tombstones=[gone for row in kept for gone in _merges(row)],
                    seen_keys=[str(_id(row)) for row in records if len(kept) < len(records)],
                    state=walk.at(at) if at else None,
                )
            state = walk.done()
            if is_new:
                break
        listed = shown
        if not is_first:
            gone = list(self._archived(stream, _since(state["archived_to"]) - LOOKBACK))
            shown += len(gone)
            state |= {"archived_to": _text(window.now)}
            yield Page(tombstones=gone, state=state)
        if is_census:
            state |= {"census_at": _text(window.now), "counted": listed}
            state["counted_at"] = state["census_at"]
        elif shown or _is_due(state, "counted_at", COUNT_EVERY, window):
            state |= {"counted": self._count(stream, state), "counted_at": _text(window.now)}
        yield Page(
            state=state,
            source_count=None if is_census else state.get("counted"),
            census_complete=is_census,
        )

    def _pages(
        self, object_type: str, names: Sequence[str], walk: ChangeWalk, position: Mapping[str, Any]
    ) -> Iterator[tuple[list[bytes], dict[str, Any] | None]]:
        """Yield (records, position behind them or None at the end) from a position on.

        A list shows all live records, by id. A search shows those changed in the walk's window;
        it stops at 10,000 and many records can share a stamp, so each page is a search of its
        own, for the ids above the last one.
        """
        guard = LoopGuard(self.session.place)
        while True:
            if "list" in position:
                body = self._list_page(object_type, names, position["list"])
                records = split(body, "results")
                after = pick(body, "paging", "next", "after")
                position = {"list": after}
            else:
                found = self._search(object_type, names, walk, above=position["search"])
                records = split(found, "results")
                after = max((_id(row) for row in records), default=None)
                if pick(found, "paging", "next") is None:
                    after = None
                position = {"search": str(after)}
            if after is None:
                yield records, None
                return
            guard.check(str(after))
            yield records, dict(position)

    def _list_page(
        self,
        object_type: str,
        names: Sequence[str],
        after: str | None,
        *,
        archived: bool | None = None,
        limit: int = ROWS_PER_LIST,
    ) -> bytes:
        """Return a page of a list, read again in a batch if its properties do not fit a URL."""
        is_long = sum(len(name) + len("&properties=") for name in names) > MAX_PROPERTIES_BYTES
        body = self._ask(
            lambda client: client.crm.objects.basic_api.get_page(
                object_type,
                limit=limit,
                after=after,
                properties=["hs_object_id"] if is_long else list(names),
                archived=archived,
                _preload_content=False,
            )
        )
        if not is_long or not (rows := split(body, "results")):
            return body
        asked = {
            "properties": list(names),
            "propertiesWithHistory": [],
            "inputs": [{"id": str(_id(row))} for row in rows],
        }
        whole = self._ask(
            lambda client: client.crm.objects.batch_api.read(
                object_type, asked, _preload_content=False
            )
        )
        return msgspec.json.encode(
            {"results": _raw(whole, "results"), "paging": _raw(body, "paging")}
        )

    def _search(
        self, object_type: str, names: Sequence[str], walk: ChangeWalk, *, above: str
    ) -> bytes:
        changed = _CHANGED.get(object_type, "hs_lastmodifieddate")
        filters = [_filter("hs_object_id", "GT", above), _filter(changed, "LT", _ms(walk.end))]
        if walk.start is not None:
            filters.append(_filter(changed, "GTE", _ms(walk.start)))
        return self._find(object_type, names, filters, ROWS_PER_SEARCH)

    def _count(self, stream: Stream, state: State) -> int | None:
        """Return how many live records the source has, as far as they are to be held."""
        kind = stream.object_name
        end = _ms(_since(state["cursor"]))
        filters = [_filter(_CREATED.get(kind, "hs_createdate"), "LT", end)]
        if "since" in state:
            changed = _CHANGED.get(kind, "hs_lastmodifieddate")
            filters.append(_filter(changed, "GTE", _ms(_since(state["since"]))))
        count = pick(self._find(kind, ["hs_object_id"], filters, 1), "total")
        return int(count) if count is not None else None

    def _find(
        self, object_type: str, names: Sequence[str], filters: list[dict[str, str]], limit: int
    ) -> bytes:
        asked = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": list(names),
            "limit": limit,
            "after": "0",
        }
        self.session.await_slot(self._searches, "the budget of searches")
        return self._ask(
            lambda client: client.crm.objects.search_api.do_search(
                object_type, asked, _preload_content=False
            )
        )

    def _archived(self, stream: Stream, since: datetime) -> Iterator[Tombstone]:
        """Yield what was archived from `since` on; the list knows no such filter."""
        guard = LoopGuard(self.session.place)
        after = None
        while True:
            body = self._list_page(stream.object_name, ["hs_object_id"], after, archived=True)
            for row in split(body, "results"):
                key, stamp = values(row, "id", "archivedAt")
                at = parse_stamp(stamp or "")
                if key and (at is None or at >= since):
                    yield Tombstone(key=str(key), at=at)
            after = pick(body, "paging", "next", "after")
            if after is None:
                return
            guard.check(after)

    # What lies beside records and changes without them

    def _beside(
        self,
        stream: Stream,
        state: State,
        window: Window,
        kinds: Sequence[str],
        name: str,
        fetch: Callable[[str, Sequence[bytes]], tuple[list[bytes], list[Tombstone]]],
    ) -> Iterator[Page]:
        """Read what belongs to changed records; after `_REREAD_EVERY` to all of them.

        Args:
            kinds: kinds of records to go through.
            name: the property of a record that `fetch` needs.
            fetch: (kind, records) -> (what belongs to them, keys to which nothing belongs).

        State: that of `ChangeWalk`, and `whole_at`.
        """
        notes: list[str] = []
        is_asked = window.since is not None or window.until is not None
        is_whole = (
            "walk" not in state
            and not is_asked
            and _is_due(state, "whole_at", _REREAD_EVERY[stream.name], window)
        )
        while True:
            walk = ChangeWalk.begin(stream, state, window)
            way: dict[str, Any] = {"list": None} if is_whole else {"search": "0"}
            start = walk.position or {"kind": kinds[0], **way}
            if "list" in start:
                way = {"list": None}
            for kind in kinds[kinds.index(start["kind"]) :]:
                position = start if kind == start["kind"] else way
                try:
                    for rows, at in self._gathered(kind, name, walk, position):
                        records, tombstones = fetch(kind, rows)
                        here = walk.at({"kind": kind} | at) if at else None
                        yield Page(records=records, tombstones=tombstones, state=here)
                except _ScopeMissing:
                    scope = _scope(kind if len(kinds) > 1 else stream.name)
                    notes.append(f"{kind}: not visible: needs the scope `{scope}`")
            state = walk.done()
            if "list" in start:
                state["whole_at"] = _text(window.now)
            if walk.position is None:
                break
        yield Page(state=state, census_complete=is_whole and not notes, notes=notes)

    def _gathered(
        self, kind: str, name: str, walk: ChangeWalk, position: Mapping[str, Any]
    ) -> Iterator[tuple[list[bytes], dict[str, Any] | None]]:
        """Yield as many records as one call takes ids, and the position behind them."""
        rows: list[bytes] = []
        for records, at in self._pages(kind, [name], walk, position):
            rows += records
            if at is None or len(rows) + ROWS_PER_SEARCH > INPUTS_PER_ASSOCIATION_CALL:
                yield rows, at
                rows = []

    def _consents(self, kind: str, rows: Sequence[bytes]) -> tuple[list[bytes], list[Tombstone]]:
        """Return what contacts said to each kind of e-mail, by contact in place of address.

        Version 4 alone tells `no` from `never asked`; the client library has version 3.
        """
        records = []
        found = [values(row, "id", "properties") for row in rows]
        ids = {told["email"].lower(): str(key) for key, told in found if told and told.get("email")}
        emails = list(ids)
        for at in range(0, len(emails), INPUTS_PER_CONSENT_CALL):
            body = self._ask_path(
                "POST", CONSENT_PATH, json={"inputs": emails[at : at + INPUTS_PER_CONSENT_CALL]}
            )
            for row in split(body, "results"):
                email = str(values(row, "subscriberIdString")[0]).lower()
                records.append(_spliced(row, contactId=ids.get(email, "")))
        silent = {str(key) for key, _ in found} - {*ids.values()}
        return records, [Tombstone(key=key) for key in sorted(silent)]

    def _links(self, kind: str, rows: Sequence[bytes]) -> tuple[list[bytes], list[Tombstone]]:
        """Return the links of these records, and tombstones for those that have none.

        One record holds all links of one record to one kind of others: `fromType`, `fromId`,
        `toType` and the rows of the answer.
        """
        ids = [str(_id(row)) for row in rows]
        records, tombstones = [], []
        for other in _LINKED[kind] if ids else ():
            linked: dict[str, list[msgspec.Raw]] = {}
            unclear: set[str] = set()
            inputs: list[dict[str, str]] = [{"id": key} for key in ids]
            while inputs:
                body = self._ask(self._batch(kind, other, inputs))
                unclear |= _failed(body)
                inputs = []
                for row in split(body, "results"):
                    key = str(pick(row, "from", "id"))
                    linked.setdefault(key, []).extend(map(msgspec.Raw, split(row, "to")))
                    if after := pick(row, "paging", "next", "after"):
                        inputs.append({"id": key, "after": after})
            for key, links in linked.items():
                # the order means nothing and differs from call to call
                links.sort(key=lambda link: int(values(bytes(link), "toObjectId")[0] or 0))
                records.append(
                    msgspec.json.encode(
                        {"fromType": kind, "fromId": key, "toType": other, "to": links}
                    )
                )
            tombstones += [
                Tombstone(key=msgspec.json.encode([kind, key, other]).decode())
                for key in ids
                if key not in linked and key not in unclear
            ]
        return records, tombstones

    @staticmethod
    def _batch(kind: str, other: str, inputs: list[dict[str, str]]) -> Callable[[Client], bytes]:
        return lambda client: client.crm.associations.v4.batch_api.get_page(
            kind, other, {"inputs": inputs}, _preload_content=False
        )

    # Short lists

    def _owners(self) -> Iterator[Page]:
        """Read the active owners, then the deactivated: they still own what they owned."""
        for archived in (None, True):

            def page(client: Client, after: str | None, archived: bool | None = archived) -> Any:
                return client.crm.owners.owners_api.get_page(
                    limit=ROWS_PER_LIST, after=after, archived=archived, _preload_content=False
                )

            yield from self._whole(page)

    def _pipelines(self) -> Iterator[Page]:
        for kind in ("deals", "tickets"):

            def ask(client: Client, kind: str = kind) -> Any:
                return client.crm.pipelines.pipelines_api.get_all(kind, _preload_content=False)

            rows = split(self._ask(ask), "results")
            yield Page(records=[_spliced(row, objectType=kind) for row in rows])

    def _marketing_emails(self) -> Iterator[Page]:
        yield from self._whole(
            lambda client, after: client.marketing.emails.marketing_emails_api.get_page(
                limit=ROWS_PER_LIST, after=after, _preload_content=False
            )
        )

    def _subscription_types(self) -> Iterator[Page]:
        body = self._ask(
            lambda client: client.communication_preferences.definition_api.get_page(
                _preload_content=False
            )
        )
        yield Page(records=split(body, "subscriptionDefinitions"))

    def _whole(self, call: Callable[..., bytes]) -> Iterator[Page]:
        guard = LoopGuard(self.session.place)
        after: str | None = None
        while True:
            body = self._ask(partial(call, after=after))
            yield Page(records=split(body, "results"))
            after = pick(body, "paging", "next", "after")
            if after is None:
                return
            guard.check(after)

    # Requests

    def _ask(self, call: Callable[[Client], bytes]) -> bytes:
        """Return what an endpoint of the client library answers; renew the token once."""
        for is_last_try in (False, True):
            try:
                return call(self._client())
            except _TokenExpired:
                if is_last_try or self._refresh_token is None:
                    raise
                self._client_and_end = None
        raise AssertionError("the loop returns or raises")

    def _ask_path(self, method: str, path: str, **what: Any) -> bytes:
        """Ask what the client library does not know."""
        return self._ask(
            lambda client: self._send(
                method, path, headers={"Authorization": f"Bearer {client.access_token}"}, **what
            )
        )

    def _send(self, method: str, url: str, **what: Any) -> bytes:
        return self.session.fetch(method, url, refusal=self._refusal, **what)

    def _client(self) -> Client:
        """Return the client library, with a token that holds for a minute at least."""
        if self._client_and_end is not None:
            client, end = self._client_and_end
            if end is None or datetime.now(UTC) < end:
                return client
        from hubspot import HubSpot as Client

        token, end = self._token()
        apis: dict[tuple[str, str], Any] = {}

        def api(package: Any, name: str, config: Mapping[str, Any]) -> Any:
            """Build an API object once, and put our session where it keeps its own HTTP."""
            place = (package.__name__, name)
            if place not in apis:
                configuration = package.Configuration(host=config["host"])
                configuration.access_token = config["access_token"]
                made = package.ApiClient(configuration=configuration)
                made.rest_client = _Ride(self._send)
                apis[place] = getattr(package, name)(api_client=made)
            return apis[place]

        client = Client(access_token=token, host=self.session.base_url, api_factory=api)
        self._client_and_end = (client, end)
        return client

    def _token(self) -> tuple[str, datetime | None]:
        """Return an access token, and when it stops being used; the client's own way is retired.

        https://developers.hubspot.com/changelog/v1-oauth-api-deprecation
        """
        settings = self._settings
        if settings.access_token:
            return settings.access_token, None
        body = self.session.fetch(
            "POST",
            TOKEN_PATH,
            data={
                "grant_type": "refresh_token",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret,
                "refresh_token": self._refresh_token,
            },
            refusal=self._login_refusal,
        )
        token, lasts_s, refresh_token = values(body, "access_token", "expires_in", "refresh_token")
        if not isinstance(token, str):
            raise self._foreign()
        redaction.register([text for text in (token, refresh_token) if text])
        self._refresh_token = refresh_token or self._refresh_token
        end = datetime.now(UTC) + timedelta(seconds=float(lasts_s or 0) - TOKEN_MARGIN_S)
        return token, end

    @cached_property
    def _searches(self) -> Any:
        return self.session.budget_of("searches", ((self._settings.searches_per_s, 1.0),))

    def _note_quota(self, answer: requests.Response, **_: Any) -> None:
        left = answer.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "")
        if left.isdigit():
            self._quota_left = int(left)

    def _unknown_properties(self, stream: Stream) -> list[str]:
        """Return the configured properties that the account does not have."""
        asked = self._settings.fields.get(stream.object_name, ())
        known = {told["name"] for told in self._described(stream)} if asked else set()
        names = [field if isinstance(field, str) else field.name for field in asked]
        return [name for name in names if name not in known]

    def _described(self, stream: Stream) -> list[dict[str, Any]]:
        """Return the properties that the account has, sensitive ones left out by the vendor."""
        body = self._ask(
            lambda client: client.crm.properties.core_api.get_all(
                stream.object_name, _preload_content=False
            )
        )
        return pick(body, "results") or []

    def _found(self, stream: Stream) -> FoundStream:
        if stream.cursor is None:
            return FoundStream(
                stream=stream,
                fields=taken_fields(stream),
                how="cannot tell: these records have no properties",
                is_complete=False,
            )
        try:
            described = {told["name"]: told for told in self._described(stream)}
        except _ScopeMissing:
            return FoundStream(
                stream=stream,
                fields=taken_fields(stream),
                how=f"not visible: needs the scope `{_scope(stream.name)}`",
                is_complete=False,
            )
        names = [field.removeprefix("properties.") for field in stream.fields[len(_ENVELOPE) :]]
        return FoundStream(
            stream=stream,
            fields=(
                *(taken(stream, name) for name in _ENVELOPE),
                *(
                    _found_field(stream, described[name])
                    for name in (*names, *(n for n in described if n not in names))
                    if name in described
                ),
            ),
            how="the account's own list of properties, without sensitive ones",
            is_complete=True,
            unseen=tuple(name for name in names if name not in described),
            fields_key=stream.object_name,
        )

    # Refusals

    def _refusal(self, answer: requests.Response) -> RapportError:
        place, status = self.session.place, answer.status_code
        category = _word(answer.content, "category") or "without a category"
        told = f"HubSpot answered HTTP {status} `{category}`"
        if status == requests.codes.unauthorized:
            return _TokenExpired(
                f"{place}: {told}. The token of source `{self.name}` was refused: check "
                f"`{'refresh_token' if self._refresh_token else 'access_token'}`."
            )
        if status == requests.codes.forbidden:
            scope = _scope(place.partition(".")[2])
            return _ScopeMissing(
                f"{place}: {told}. The token of source `{self.name}` needs the scope `{scope}`."
            )
        return BadRequest(
            f"{place}: {told}. Compare `fields` and `objects` in rapport.yml with the account: "
            f"`rapport check {self.name}`.",
            place=place,
            status=status,
        )

    def _login_refusal(self, answer: requests.Response) -> RapportError:
        word = _word(answer.content, "error") or _word(answer.content, "status") or "without a code"
        return AuthError(
            f"{self.session.place}: HubSpot refused the refresh token with HTTP "
            f"{answer.status_code} `{word}`. Check `client_id`, `client_secret` and "
            f"`refresh_token` of source `{self.name}`."
        )

    def _foreign(self) -> ServerError:
        return ServerError(
            f"{self.session.place}: `{self.session.base_url}` answers something that is not "
            "HubSpot's API. Check `url` in rapport.yml.",
            place=self.session.place,
        )


def limits(answer: requests.Response) -> Limit | None:
    """Tell the limits apart: none brings `Retry-After`, and only the day's is worth giving up.

    https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
    """
    if answer.status_code == requests.codes.locked:
        return Limit(LOCKED_WAIT_S, reason="HubSpot has locked the records")
    if answer.status_code == 477:  # the account moves to another data center
        wait = answer.headers.get("Retry-After", "")
        return Limit(float(wait) if wait.isdigit() else None, reason="the account is being moved")
    if answer.status_code != requests.codes.too_many_requests or "Retry-After" in answer.headers:
        return None
    told = " ".join(_word(answer.content, name) for name in ("policyName", "message")).upper()
    if "DAILY" in told:
        return Limit(None, spent=True, reason="the account's API calls of this day")
    if "TEN_SECONDLY" in told:
        return Limit(ROLLING_LIMIT_WAIT_S, reason="the calls of 10 seconds")
    return Limit(SECOND_LIMIT_WAIT_S, reason="the calls of a second")


def _found_field(stream: Stream, told: Mapping[str, Any]) -> FoundField:
    """Return a property as ours, those outside the allow-list with a guess at `pii`."""
    facts: dict[str, Any] = {
        "vendor_type": told["type"],
        "label": told.get("label", ""),
        "is_custom": not told.get("hubspotDefined"),
        "note": "calculated: seen when the record changes, or weekly"
        if told.get("calculated")
        else "",
    }
    if f"properties.{told['name']}" in stream.fields:
        field = taken(stream, f"properties.{told['name']}", **facts)
        return dataclasses.replace(field, name=told["name"])
    kind = "phone" if told["type"] == "phone_number" else str(told.get("fieldType"))
    pii, basis = guess_pii(told["name"], kind)
    return FoundField(
        name=told["name"],
        is_taken=False,
        type=_TYPE_OF.get(told["type"], "text"),
        pii=pii,
        pii_basis=basis,
        **facts,
    )


def _word(body: bytes, name: str) -> str:
    try:
        word = msgspec.json.decode(body)[name]
    except (msgspec.MsgspecError, KeyError, TypeError, IndexError):
        return ""
    return str(word)[:80]


def _wanted(stream: Stream) -> list[str]:
    names = [field.partition(".")[2] for field in stream.fields if field.startswith("properties.")]
    return ["hs_object_id", *names, *_MERGED]


def _merges(record: bytes) -> Iterator[Tombstone]:
    """Yield what was merged into this record: `1;2`, for contacts also `1:epoch_ms;2:epoch_ms`.

    A merge makes a new record, and nothing else tells of the old ones.
    """
    key, properties = values(record, "id", "properties")
    gone: dict[str, datetime | None] = {}
    for name in _MERGED:
        told = (properties or {}).get(name) if isinstance(properties, dict) else None
        for part in str(told or "").split(";"):
            old, _, stamp = part.strip().partition(":")
            if old and old != key:
                gone[old] = parse_stamp(stamp) or gone.get(old)
    for old, at in gone.items():
        yield Tombstone(key=old, merged_into=str(key), at=at)


def _failed(body: bytes) -> set[str]:
    """Return the ids that a 207 answer says nothing sure about: not those without any link."""
    return {
        str(key)
        for error in pick(body, "errors") or ()
        if "NO_ASSOCIATIONS_FOUND" not in str(error.get("subCategory"))
        for keys in (error.get("context") or {}).values()
        for key in (keys if isinstance(keys, list) else [keys])
    }


def _spliced(record: bytes, **more: str) -> bytes:
    """Put what the address told in front of a record's own bytes."""
    return msgspec.json.encode({**more, **msgspec.json.decode(record, type=dict[str, msgspec.Raw])})


def _raw(body: bytes, name: str) -> msgspec.Raw | None:
    return msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get(name)


def _id(record: bytes) -> int:
    """Return a record's id; ids are compared as numbers."""
    key = values(record, "id")[0]
    return int(key) if str(key).isdigit() else 0


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": value}


def _ms(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def _text(at: datetime) -> str:
    return at.isoformat()


def _since(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_since(record: bytes, since: str | None) -> bool:
    at = parse_stamp(str(values(record, "updatedAt")[0])) if since else None
    return since is None or at is None or at >= _since(since)


def _is_due(state: State, name: str, every: timedelta, window: Window) -> bool:
    last = state.get(name)
    return last is None or window.now - _since(last) >= every - PUNCTUAL


def _census_is_due(state: State, window: Window) -> bool:
    """Read everything at first, weekly, and daily while we hold more than there is."""
    if "cursor" not in state:
        return True
    counted = state.get("counted")
    has_extra = counted is not None and window.held_count and window.held_count() > counted
    return _is_due(
        state, "census_at", CENSUS_OF_SURPLUS_EVERY if has_extra else CENSUS_EVERY, window
    )


def _scope(stream_name: str) -> str:
    return _SCOPES.get(stream_name, _SCOPES["custom"])


def _with_custom(name: str, settings: Settings) -> tuple[Stream, ...]:
    """Return the declared streams plus the configured properties and custom objects."""
    declared = {stream.object_name or stream.name: stream for stream in STREAMS}
    for object_name in settings.objects:
        if object_name not in declared:
            stream_name = object_name.lower().replace("-", "_")
            declared[object_name] = _object(
                f"object_{stream_name}" if stream_name[:1].isdigit() else stream_name,
                "hubspot_owner_id hs_createdate hs_lastmodifieddate",
                object_name,
            )
    for object_name, fields in settings.fields.items():
        stream = declared.get(object_name)
        if stream is None or stream.cursor is None:
            known = [kind for kind, stream in declared.items() if stream.cursor]
            close = difflib.get_close_matches(object_name, known, n=1)
            meant = f" Did you mean `{close[0]}`?" if close else ""
            raise ConfigError(
                f"{name}: `fields: {object_name}` names an object without properties that are "
                f"read.{meant} Custom objects go under `objects` first."
            )
        declared[object_name] = with_fields(stream, fields, inside="properties.")
    return tuple(declared.values())
