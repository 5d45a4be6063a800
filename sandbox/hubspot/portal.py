"""The emulated portal's records, with the vendor's write semantics.

Belongs here: creating, changing, archiving, merging and erasing records, the links
between them, owners, consents, marketing e-mails and lists, what a write moves and what
moves nothing. Does not belong here: search (`search`), HTTP (`http`), who the people
are (`sandbox.world`).

Values are texts, as the API answers them; a property without one is absent here and null
there. A record is never changed in place: every write puts a new one, so readers may
keep the ones they hold.
"""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sandbox.hubspot import schema
from sandbox.hubspot.schema import AssociationType, InvalidValue, ObjectType, iso

ARCHIVE_KEPT = timedelta(days=90)
"""How long an archived record can be listed and restored."""

ID_STEP = 50
"""Ids of one object grow by this much, and so in length: as texts they do not sort."""

_CONTACTING = ("calls", "emails", "meetings", "communications")
"""Activities that move the counters of the contacts they are logged on."""

_STATES = ("NOT_SPECIFIED", "SUBSCRIBED", "UNSUBSCRIBED")


class ApiError(Exception):
    """A refusal, as every resource words it.

    Args:
        status: of HTTP; `category`, `sub_category`, `context`, `errors`, `links`: keys of
            the body that the vendor sends where it has something to say there.
    """

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        sub_category: str | None = None,
        context: Mapping[str, list[str]] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        links: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.sub_category = sub_category
        self.context = dict(context or {})
        self.errors = list(errors)
        self.links = dict(links or {})


Version = tuple[str | None, datetime, str, int | None]
"""A value a property has had: the value, since when, how it came, by whose userId.

Plain tuples of plain values: there are hundreds of thousands, and the garbage collector
leaves these alone.
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A record at one time."""

    id: int
    properties: dict[str, str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class Table:
    """The records of one object."""

    def __init__(self, kind: ObjectType) -> None:
        self.kind = kind
        self.records: dict[int, Record] = {}
        self.live: list[int] = []
        self.archived: list[int] = []
        self.histories: dict[int, dict[str, tuple[Version, ...]]] = {}
        """Record -> property -> its versions, newest first."""
        self.heirs: dict[int, int] = {}
        """Merged away -> the record that goes on."""
        self.minted = 0
        self._unindexed: dict[int, tuple[datetime, Record | None]] = {}

    def mint(self) -> int:
        """Return an id nobody has had."""
        self.minted += 1
        return 1 + ID_STEP * self.minted

    def put(self, record: Record, indexed_at: datetime | None = None) -> None:
        """Store a record; search goes on knowing the one before until `indexed_at`."""
        before = self.records.get(record.id)
        if indexed_at is not None:
            waiting = self._unindexed.get(record.id)
            self._unindexed[record.id] = (indexed_at, waiting[1] if waiting else before)
        self.records[record.id] = record
        was, now = (before is None or before.archived_at), record.archived_at
        if before is not None and bool(was) == bool(now):
            return
        if before is not None:
            _drop(self.archived if was else self.live, record.id)
        insort(self.archived if now else self.live, record.id)

    def remove(self, key: int) -> None:
        """Forget a record altogether."""
        record = self.records.pop(key)
        self.histories.pop(key, None)
        _drop(self.archived if record.archived_at else self.live, key)
        self._unindexed.pop(key, None)

    def get(self, key: int) -> Record | None:
        """Return the record an id leads to, by way of merges."""
        while key in self.heirs:
            key = self.heirs[key]
        return self.records.get(key)

    def expire(self, now: datetime) -> None:
        """Forget what was archived too long ago."""
        for key in list(self.archived):
            archived_at = self.records[key].archived_at
            if archived_at is not None and archived_at + ARCHIVE_KEPT <= now:
                self.remove(key)

    def settle(self, now: datetime) -> None:
        """Let the index take what has waited long enough."""
        for key in [k for k, (at, _) in self._unindexed.items() if at <= now]:
            del self._unindexed[key]

    def indexed(self) -> Iterator[Record]:
        """Yield what search knows of the live records, by id; see `settle`."""
        for key in self.live:
            record: Record | None = self.records[key]
            if key in self._unindexed:
                record = self._unindexed[key][1]
            if record is not None and record.archived_at is None:
                yield record


def _drop(ids: list[int], key: int) -> None:
    at = bisect_left(ids, key)
    if at < len(ids) and ids[at] == key:
        del ids[at]


@dataclass
class MarketingEmail:
    """An e-mail to many; `counters`: what became of it, by the vendor's names.

    `sending`: the id by which the events of its sending name it (`emailCampaignId`).
    """

    id: str
    sending: int
    name: str
    subject: str
    state: str
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    subscription_id: int | None
    campaign_id: str | None
    from_name: str
    reply_to: str
    counters: Counter[str] = field(default_factory=Counter)
    archived: bool = False


@dataclass(frozen=True, slots=True)
class EmailEvent:
    """What became of one e-mail at one recipient; an event is known by its id and its moment.

    `email`: the mailing; `sent`: id and moment of the message it is about, None where this is
    its sending; `obsolete`: of the event that overrules this one; `more`: what its kind has.
    """

    id: str
    at: datetime
    kind: str
    recipient: str
    email: str
    sent: tuple[str, datetime] | None
    more: Mapping[str, Any]
    obsolete: tuple[str, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that a record did, by the vendor's name for it (`e_visited_page`)."""

    id: str
    at: datetime
    kind: str
    object_type: str
    object_id: int
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Submission:
    """A form somebody filled in; `values`: field -> what they wrote."""

    id: str
    at: datetime
    values: dict[str, str]
    page_url: str


@dataclass
class Form:
    """A form on a website, with what was submitted, oldest first; `kind`: the vendor's word."""

    id: str
    name: str
    kind: str
    fields: tuple[str, ...]
    created_at: datetime
    submissions: list[Submission] = field(default_factory=list)
    archived_at: datetime | None = None


@dataclass(frozen=True)
class Campaign:
    """What mailings and pages may belong to."""

    id: str
    properties: dict[str, str]
    created_at: datetime
    updated_at: datetime


@dataclass
class ContactList:
    """A list of records; `members`: record -> since when; `removed_at`: when one last left."""

    id: str
    name: str
    object_type_id: str
    processing: str
    created_at: datetime
    updated_at: datetime
    members: dict[int, datetime] = field(default_factory=dict)
    removed_at: datetime | None = None


@dataclass(frozen=True)
class Consent:
    """What somebody said to one kind of e-mail, last."""

    status: str
    at: datetime
    source: str
    legal_basis: str | None = None
    explanation: str | None = None


class Portal:
    """One HubSpot account, kept in memory.

    Every write takes `at`, the moment it is made (timezone-aware; kept in milliseconds),
    and optionally `by`, the userId of who makes it, and `source`, the vendor's word for
    the way it came. Ids are texts and come from a counter per object, so the same writes
    give the same ids. A refusal raises `ApiError`.

    Attributes:
        access_token: of the private app; client_id, client_secret, refresh_token: of an
            OAuth app on the same portal.
        scopes: what both may do; take one away to see a 403.
        index_lag_s: a write shows in search only this many seconds later; `index_lag_every`:
            only every n-th write is late, 1: each.
        links_move_stamps: whether linking moves the stamp of the records linked; by default
            it does not.
        links_per_row: associations in one row of a batch read before it pages.
        results_max: how many results a search shows in all its pages.
        failing: id or address -> how many batches still fail for it alone, inside a 207.
        calls_per_10_s, searches_per_second, daily_limit: of the account; the first two
            run on the real clock, the day on the portal's.
        token_lifetime: of an OAuth access token.
        time_zone: in which the day of the daily limit begins.
        blocked_emails: addresses that must not come back after an erasure.
    """

    def __init__(
        self,
        *,
        portal_id: int = 20262026,
        access_token: str = "pat-na1-5ec2e7ab-0000-4000-8000-a0b0c0d0e0f0",
        client_id: str = "11111111-2222-4333-8444-555555555555",
        client_secret: str = "sandbox-hubspot-secret",
        refresh_token: str = "na1-sandbox-refresh-token",
        time_zone: str = "America/New_York",
        founded: datetime = datetime(2019, 3, 4, 9, tzinfo=UTC),
    ) -> None:
        self.portal_id = portal_id
        self.access_token = access_token
        self.client_id = client_id
        self.client_secret = client_secret
        self.refresh_token = refresh_token
        self.time_zone = time_zone
        self.founded = founded
        self.index_lag_s = 0.0
        self.index_lag_every = 1
        self.links_move_stamps = False
        self.links_per_row = 500
        self.results_max = 10_000
        self.failing: Counter[str] = Counter()
        self.calls_per_10_s = 190
        self.searches_per_second = 5
        self.daily_limit = 625_000
        self.token_lifetime = timedelta(seconds=1800)
        self.blocked_emails: set[str] = set()
        self.lock = threading.RLock()
        self.writes = 0
        self.tables = {name: Table(kind) for name, kind in schema.object_types().items()}
        self.association_types = schema.association_types()
        self.pipelines = schema.pipelines(founded)
        self.owners: dict[str, dict[str, Any]] = {}
        self.teams: list[dict[str, Any]] = []
        self.subscriptions: dict[int, dict[str, Any]] = {}
        self.consents: dict[tuple[str, int], Consent] = {}
        self.opt_outs: dict[str, Consent] = {}
        self.marketing_emails: dict[str, MarketingEmail] = {}
        self.email_events: dict[str, EmailEvent] = {}
        self.occurrences: list[Occurrence] = []
        self._noted = 0
        self._log: tuple[tuple[int, int], list[EmailEvent]] = (0, 0), []
        self._messages: dict[tuple[str, int], dict[str, str]] = {}
        self.lists: dict[str, ContactList] = {}
        self.forms: dict[str, Form] = {}
        self.campaigns: dict[str, Campaign] = {}
        self._submitted = 0
        self._links: dict[tuple[str, str], dict[int, dict[int, frozenset[int]]]] = {}
        self._link_kinds: dict[frozenset[int], frozenset[int]] = {}
        self._by_unique: dict[tuple[str, str, str], int] = {}
        self._names: dict[str, str] = {}
        for name, table in self.tables.items():
            self._name(name, table.kind)
        self._names |= schema.ALSO_CALLED
        self.scopes = {
            "oauth",
            "content",
            "forms",
            "marketing.campaigns.read",
            "crm.lists.read",
            "crm.objects.owners.read",
            "communication_preferences.read",
            "communication_preferences.statuses.batch.read",
        }
        for table in self.tables.values():
            self.scopes |= {table.kind.scope, table.kind.write_scope}

    # What there is

    def _name(self, name: str, kind: ObjectType) -> None:
        for called in (name, kind.singular, kind.type_id, kind.fully_qualified_name):
            if called:
                self._names[called.lower()] = name

    def table(self, name: str) -> Table:
        """Return the records of an object by any of its names; ApiError 400 without one."""
        known = self._names.get(name.lower())
        if known is None:
            raise ApiError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        return self.tables[known]

    def get(self, name: str, id: str | int) -> Record:
        """Return the record an id leads to, archived or not; ApiError 404 without one."""
        record = self.table(name).get(_number(id))
        if record is None:
            raise not_found()
        return record

    def find(self, name: str, value: str, by: str | None = None) -> Record | None:
        """Return a record by id, or by the value of a property that is unique."""
        table = self.table(name)
        if by is None or by == "hs_object_id":
            return table.get(int(value)) if value.isdigit() else None
        if by not in table.kind.unique:
            raise ApiError(400, "VALIDATION_ERROR", f"The property {by} is not a unique property")
        if by == "email":
            value = value.strip().lower()
        key = self._by_unique.get((table.kind.name, by, value))
        return None if key is None else table.get(key)

    def value(self, table: Table, record: Record, name: str) -> str | None:
        """Return a property's value, worked out where the portal works it out."""
        work_out = _WORKED_OUT.get(name)
        if work_out is not None and name in table.kind.properties:
            return work_out(self, table, record)
        return record.properties.get(name)

    def links(self, source: str, id: int, target: str) -> list[tuple[int, list[AssociationType]]]:
        """Return what a record is linked to, by id, with the kinds of each link."""
        found = self._links.get((source, target), {}).get(id, {})
        kinds = self.association_types.get((source, target), {})
        records = self.tables[target].records
        return [
            (other, [kinds[kind] for kind in sorted(type_ids, reverse=True)])
            for other, type_ids in sorted(found.items())
            if other in records and records[other].archived_at is None
        ]

    # Declarations

    def add_property(
        self, name: str, described: Mapping[str, Any], at: datetime | None = None
    ) -> None:
        """Declare a property on an object.

        Args:
            described: `name`, and any of the arguments of `schema.describe`.
        """
        given = {"groupName": "harbor", **described}
        kind = self.table(name).kind
        made = schema.describe(**given, at=at or self.founded)
        kind.properties[made["name"]] = made
        if made["hasUniqueValue"]:
            kind.unique = (*kind.unique, made["name"])

    def add_custom_object(
        self,
        name: str,
        *,
        singular: str,
        properties: Sequence[Mapping[str, Any]],
        linked_to: Sequence[str] = (),
        at: datetime | None = None,
    ) -> ObjectType:
        """Declare an object of the portal's own, such as `machines`."""
        number = sum(table.kind.type_id.startswith("2-") for table in self.tables.values())
        known = {
            prop: schema.describe(prop, type, hubspot_defined=True, readOnlyValue=True)
            for prop, type in (
                ("hs_object_id", "number"),
                ("hs_createdate", "datetime"),
                ("hs_lastmodifieddate", "datetime"),
            )
        }
        known["hubspot_owner_id"] = schema.describe(
            "hubspot_owner_id", "enumeration", hubspot_defined=True, referencedObjectType="OWNER"
        )
        kind = ObjectType(
            name=name,
            singular=singular,
            type_id=f"2-{self.portal_id % 10_000 * 1000 + number}",
            properties=known,
            default=("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
            scope="crm.objects.custom.read",
            write_scope="crm.objects.custom.write",
            fully_qualified_name=f"p{self.portal_id}_{singular}",
            labels={"singular": singular.capitalize(), "plural": name.capitalize()},
        )
        self.tables[name] = Table(kind)
        self._name(name, kind)
        self.scopes |= {kind.scope, kind.write_scope}
        for described in properties:
            self.add_property(name, described, at)
        for target in linked_to:
            self._add_types(name, target, None, None, category="USER_DEFINED")
        return kind

    def add_label(self, source: str, target: str, label: str, inverse: str | None = None) -> int:
        """Declare a label for links between two objects; return its type id from `source`."""
        return self._add_types(source, target, label, inverse or label, category="USER_DEFINED")

    def _add_types(
        self, source: str, target: str, label: str | None, inverse: str | None, *, category: str
    ) -> int:
        one, other = self.table(source).kind, self.table(target).kind
        taken = {
            kind.type_id
            for kinds in self.association_types.values()
            for kind in kinds.values()
            if kind.category == category
        }
        here = max(taken, default=0) + 1
        # A link of one's own type must not be taken for one of the vendor's of that number.
        here = max(here, 1001)
        there = here if (source == target and label == inverse) else here + 1
        for start, end, mine, theirs, text in (
            (one, other, here, there, label),
            (other, one, there, here, inverse),
        ):
            suffix = f"_{text.lower().replace(' ', '_')}" if text else ""
            self.association_types.setdefault((start.name, end.name), {})[mine] = AssociationType(
                mine, category, text, theirs, f"{start.singular}_to_{end.singular}{suffix}"
            )
        return here

    def add_pipeline(
        self,
        name: str,
        key: str,
        label: str,
        stages: Iterable[tuple[str, str, Mapping[str, str]]],
        at: datetime,
    ) -> None:
        """Add a pipeline; `stages`: (id, label, metadata)."""
        known = self.pipelines.setdefault(self.table(name).kind.name, [])
        known.append(schema.pipeline(key, label, stages, at, len(known)))

    # Owners

    def add_owner(
        self,
        email: str,
        first_name: str,
        last_name: str,
        at: datetime,
        *,
        team: str | None = None,
    ) -> str:
        """Add a user who can own records; return the owner's id, which is not the userId."""
        with self.lock:
            self.writes += 1
            number = len(self.owners) + 1
            owner: dict[str, Any] = {
                "id": str(60_000_000 + 17 * number),
                "email": email,
                "type": "PERSON",
                "firstName": first_name,
                "lastName": last_name,
                "userId": 2_000_000 + 31 * number,
                "userIdIncludingInactive": 2_000_000 + 31 * number,
                "createdAt": iso(at),
                "updatedAt": iso(at),
                "archived": False,
            }
            if team is not None:
                known = {team["name"]: team for team in self.teams}
                if team not in known:
                    known[team] = {"id": str(700 + len(self.teams)), "name": team}
                    self.teams.append(known[team])
                owner["teams"] = [{**known[team], "primary": True}]
            self.owners[owner["id"]] = owner
            return str(owner["id"])

    def deactivate_owner(self, id: str, at: datetime) -> None:
        """Take a user's seat away: listed as archived, without `userId`; owns on."""
        with self.lock:
            self.writes += 1
            owner = {key: value for key, value in self.owners[id].items() if key != "userId"}
            self.owners[id] = owner | {"archived": True, "updatedAt": iso(at)}

    # Records

    def create(
        self,
        name: str,
        properties: Mapping[str, Any],
        at: datetime,
        *,
        by: int | None = None,
        source: str = "CRM_UI",
        system: bool = False,
    ) -> str:
        """Make a record and return its id.

        Args:
            system: the portal itself writes, and so what users must not.

        Raises:
            ApiError: 400 for values or names that do not do; 409 for a unique value that
                another record has.
        """
        with self.lock:
            table = self.table(name)
            kind = table.kind
            values = self._checked(kind, properties, system)
            self._keep_unique(table, values, None)
            if values.get("email") in self.blocked_emails:
                raise ApiError(
                    400,
                    "VALIDATION_ERROR",
                    f"{values['email']} was permanently deleted and cannot be added again",
                )
            key = table.mint()
            source_values = {kind.born: iso(at), "hs_object_source": source}
            if by is not None:
                source_values["hs_created_by_user_id"] = str(by)
            values = {
                **{k: v for k, v in source_values.items() if k in kind.properties},
                **self._follow(kind, values, {}, at, at),
            }
            record = Record(key, {}, at, at, None)
            self._put(table, record, values, at, by, source)
            return str(key)

    def update(
        self,
        name: str,
        id: str | int,
        properties: Mapping[str, Any],
        at: datetime,
        *,
        by: int | None = None,
        source: str = "CRM_UI",
        system: bool = False,
    ) -> str:
        """Change a live record and return its id; values it has already move nothing."""
        with self.lock:
            table = self.table(name)
            record = self.get(name, id)
            if record.archived_at is not None:
                raise not_found()
            given = self._checked(table.kind, properties, system)
            values = {k: v for k, v in given.items() if record.properties.get(k) != v}
            if values:
                self._keep_unique(table, values, record.id)
                values = self._follow(table.kind, values, record.properties, record.created_at, at)
                self._put(table, record, values, at, by, source)
            return str(record.id)

    def update_all(self, name: str, properties: Mapping[str, Any], at: datetime) -> int:
        """Change all live records in one stroke, so that they bear one stamp; return how many."""
        with self.lock:
            keys = list(self.table(name).live)
            for key in keys:
                self.update(name, key, properties, at, source="BULK_UPDATE", system=True)
            return len(keys)

    def _checked(
        self, kind: ObjectType, properties: Mapping[str, Any], system: bool
    ) -> dict[str, str | None]:
        """Return the values as they are kept; refuse names and values that do not do."""
        values: dict[str, str | None] = {}
        faults: list[dict[str, Any]] = []
        for name, value in properties.items():
            described = kind.properties.get(name)
            try:
                if described is None:
                    raise InvalidValue("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
                if described["modificationMetadata"]["readOnlyValue"] and not system:
                    raise InvalidValue(
                        "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot '
                        "be set."
                    )  # fmt: skip
                values[name] = schema.written(described, value)
                self._check_stage(kind, name, values)
            except InvalidValue as error:
                faults.append(
                    {"isValid": False, "message": str(error), "error": error.error, "name": name}
                )
        if faults:
            raise ApiError(
                400,
                "VALIDATION_ERROR",
                f"Property values were not valid: {_json_text(faults)}",
                errors=[
                    {
                        "message": fault["message"],
                        "code": fault["error"],
                        "context": {"propertyName": [fault["name"]]},
                    }
                    for fault in faults
                ],
            )
        return values

    def _check_stage(self, kind: ObjectType, name: str, values: Mapping[str, str | None]) -> None:
        if name in ("dealstage", "hs_pipeline_stage") and values[name] is not None:
            known = {stage["id"] for line in self.pipelines[kind.name] for stage in line["stages"]}
            if values[name] not in known:
                raise InvalidValue("INVALID_OPTION", f"{values[name]} was not one of the allowed "
                                   f"options: [{', '.join(sorted(known))}]")  # fmt: skip

    def _keep_unique(self, table: Table, values: Mapping[str, str | None], own: int | None) -> None:
        name = table.kind.name
        for prop in table.kind.unique:
            value = values.get(prop)
            holder = None if value is None else self._by_unique.get((name, prop, value))
            if holder is not None and holder != own:
                subject = table.kind.singular.capitalize()
                raise ApiError(409, "CONFLICT", f"{subject} already exists. Existing ID: {holder}")

    def _follow(
        self,
        kind: ObjectType,
        values: dict[str, str | None],
        before: Mapping[str, str],
        created_at: datetime,
        at: datetime,
    ) -> dict[str, str | None]:
        """Add what the portal writes by itself when these values change."""
        follow: dict[str, str | None] = {}
        if "hubspot_owner_id" in values and "hubspot_owner_assigneddate" in kind.properties:
            follow["hubspot_owner_assigneddate"] = iso(at) if values["hubspot_owner_id"] else None
        if kind.name == "contacts" and "email" in values:
            email = values["email"]
            follow["hs_email_domain"] = email.partition("@")[2] if email else None
        if kind.name == "tickets" and "hs_pipeline_stage" in values:
            closed = self.is_closed(kind.name, values["hs_pipeline_stage"])
            if closed and not before.get("closed_date"):
                follow["closed_date"] = iso(at)
                took = schema.epoch_ms(at) - schema.epoch_ms(created_at)
                follow["time_to_close"] = str(took)
            elif not closed and before.get("closed_date"):
                follow["closed_date"] = follow["time_to_close"] = None
        return {**follow, **values}

    def is_closed(self, name: str, stage: str | None) -> bool:
        """Whether a stage of a pipeline is an end."""
        return any(
            known["id"] == stage and known["metadata"]["isClosed"] == "true"
            for line in self.pipelines[name]
            for known in line["stages"]
        )

    def _put(
        self,
        table: Table,
        record: Record,
        values: Mapping[str, str | None],
        at: datetime,
        by: int | None,
        source: str,
    ) -> Record:
        """Store a record with other values; this moves its stamp."""
        self.writes += 1
        kind = table.kind
        properties = dict(record.properties)
        history = table.histories.setdefault(record.id, {})
        kept = schema.HISTORY_KEPT.get(kind.name, schema.HISTORY_KEPT_ELSEWHERE)
        for prop, value in values.items():
            history[prop] = ((value, at, source, by), *history.get(prop, ())[:kept])
            if value is None:
                properties.pop(prop, None)
            else:
                properties[prop] = value
        properties[kind.stamp] = iso(at)
        changed = Record(record.id, properties, record.created_at, at, record.archived_at)
        if not values.keys().isdisjoint(kind.unique):
            self._release(kind, record)
            self._claim(kind, changed)
        late = self.index_lag_s > 0 and self.writes % self.index_lag_every == 0
        table.put(changed, at + timedelta(seconds=self.index_lag_s) if late else None)
        return changed

    def _claim(self, kind: ObjectType, record: Record) -> None:
        """Let a record alone have its unique values."""
        for key in _unique_keys(kind, record):
            self._by_unique[key] = record.id

    def _release(self, kind: ObjectType, record: Record) -> None:
        """Let others have a record's unique values."""
        for key in _unique_keys(kind, record):
            if self._by_unique.get(key) == record.id:
                del self._by_unique[key]

    def archive(self, name: str, id: str | int, at: datetime) -> None:
        """Archive a record: gone from lists and search, kept in the archived list."""
        with self.lock:
            table = self.table(name)
            record = table.get(_number(id))
            if record is None or record.archived_at is not None:
                return
            self.writes += 1
            self._release(table.kind, record)
            table.put(replace(record, archived_at=at, updated_at=at))

    def restore(self, name: str, id: str | int, at: datetime) -> None:
        """Bring an archived record back under its id."""
        with self.lock:
            table = self.table(name)
            record = replace(self.get(name, id), archived_at=None)
            self._keep_unique(table, record.properties, record.id)
            self._claim(table.kind, record)
            self._put(table, record, {}, at, None, "RESTORE")

    def merge(
        self,
        name: str,
        primary_id: str | int,
        other_id: str | int,
        at: datetime,
        *,
        by: int | None = None,
    ) -> str:
        """Merge two records into a new one and return its id.

        The primary's values win; both old ids lead to the new record from now on and are in
        no list any more, not even the archived one. `hs_merged_object_ids` names all that
        ever went into it, `hs_calculated_merged_vids` the two of this merge only
        (fivetran/dbt_hubspot#168). Links move over without moving a stamp.
        """
        with self.lock:
            table = self.table(name)
            if table.kind.name not in schema.MAY_MERGE:
                raise ApiError(
                    400, "VALIDATION_ERROR", f"Merging {table.kind.name} is not supported"
                )
            primary, other = self.get(name, primary_id), self.get(name, other_id)
            if primary.id == other.id or primary.archived_at or other.archived_at:
                raise ApiError(
                    400,
                    "VALIDATION_ERROR",
                    f"Could not merge {table.kind.singular} {other_id} into {primary_id}",
                )
            values: dict[str, str | None] = {**other.properties, **primary.properties}
            merged = [primary.id, other.id]
            for record in (primary, other):
                before = record.properties.get("hs_merged_object_ids", "")
                merged += [int(old) for old in before.split(";") if old]
            values["hs_merged_object_ids"] = ";".join(map(str, sorted(merged)))
            created_at = min(primary.created_at, other.created_at)
            values[table.kind.born] = iso(created_at)
            if table.kind.name == "contacts":
                stamp = schema.epoch_ms(at)
                values["hs_calculated_merged_vids"] = f"{primary.id}:{stamp};{other.id}:{stamp}"
                values["hs_additional_emails"] = _other_emails(primary, other, values.get("email"))
            woven = {**table.histories[other.id], **table.histories[primary.id]}
            for record in (primary, other):
                self._release(table.kind, record)
                table.remove(record.id)
            key = table.mint()
            table.histories[key] = woven
            new = {k: v for k, v in values.items() if k != table.kind.stamp and v is not None}
            moved = {k: v for k, v in new.items() if k not in woven or woven[k][0][0] != v}
            kept = {k: v for k, v in new.items() if k not in moved}
            fresh = Record(key, kept, created_at, at, None)
            self._put(table, fresh, moved, at, by, "MERGE_OBJECTS")
            self._claim(table.kind, table.records[key])
            for record in (primary, other):
                table.heirs[record.id] = key
                self._move_links(table.kind.name, record.id, key)
                for members in (known.members for known in self.lists.values()
                                if known.object_type_id == table.kind.type_id):  # fmt: skip
                    if record.id in members:
                        members[key] = min(members.pop(record.id), members.get(key, at))
            return str(key)

    def erase(self, value: str, at: datetime, *, by_email: bool = False) -> None:
        """Delete a contact for good, as the law asks: nothing is left, not even a trace.

        An address nobody has is put on the list of those that must not be added.
        """
        with self.lock:
            self.writes += 1
            record = self.find("contacts", value, "email" if by_email else None)
            if record is None:
                if not by_email:
                    raise not_found()
                self.blocked_emails.add(value.strip().lower())
                return
            table = self.tables["contacts"]
            for _, _, email in list(_unique_keys(table.kind, record)):
                self.blocked_emails.add(email)
                self.opt_outs.pop(email, None)
                for held in [key for key in self.consents if key[0] == email]:
                    del self.consents[held]
            self._release(table.kind, record)
            table.remove(record.id)
            for old in [old for old, heir in table.heirs.items() if heir == record.id]:
                del table.heirs[old]
            for source, target in list(self._links):
                if source == "contacts":
                    for other in list(self._links[source, target].get(record.id, {})):
                        self._unlink(source, record.id, target, other)
            for known in self.lists.values():
                if known.object_type_id == table.kind.type_id:
                    known.members.pop(record.id, None)
            emails = {email for _, _, email in _unique_keys(table.kind, record)}
            for form in self.forms.values():
                form.submissions = [
                    one for one in form.submissions
                    if one.values.get("email", "").lower() not in emails
                ]  # fmt: skip
            self.email_events = {
                id: one for id, one in self.email_events.items() if one.recipient not in emails
            }
            self.occurrences = [
                one for one in self.occurrences
                if (one.object_type, one.object_id) != ("CONTACT", record.id)
            ]  # fmt: skip
            self._messages = {
                key: known for key, known in self._messages.items() if known.get("to") not in emails
            }

    # Links

    def associate(
        self,
        source: str,
        source_id: str | int,
        target: str,
        target_id: str | int,
        at: datetime,
        *,
        types: Iterable[int] = (),
    ) -> None:
        """Link two live records; a labelled link is also a plain one.

        The first company of a record is its primary one until another is. Activities
        logged on a contact move its counters, and so its stamp; a link alone moves none.

        Args:
            types: type ids as seen from `source`; none: the plain link.
        """
        with self.lock:
            one, other = self.table(source), self.table(target)
            here, there = one.kind.name, other.kind.name
            kinds = self.association_types.get((here, there))
            if not kinds:
                raise ApiError(
                    400, "VALIDATION_ERROR", f"No association type between {source} and {target}"
                )
            start, end = self.get(source, source_id), self.get(target, target_id)
            wanted = {schema.plain_type(kinds).type_id, *types}
            if unknown := wanted - set(kinds):
                raise ApiError(
                    400, "VALIDATION_ERROR", f"invalid association type {sorted(unknown)}"
                )
            self.writes += 1
            if there == "companies" or here == "companies":
                wanted |= self._primary(here, start.id, there, end.id, wanted)
            self._link(here, start.id, there, end.id, wanted)
            if self.links_move_stamps:
                self._put(one, self.get(here, start.id), {}, at, None, "ASSOCIATION")
                self._put(other, self.get(there, end.id), {}, at, None, "ASSOCIATION")
            if here in _CONTACTING and there == "contacts":
                self._count_contact(start, end, at)

    def _count_contact(self, activity: Record, contact: Record, at: datetime) -> None:
        happened = activity.properties.get("hs_timestamp") or iso(activity.created_at)
        count = int(contact.properties.get("num_contacted_notes", "0")) + 1
        values: dict[str, str | None] = {"num_contacted_notes": str(count)}
        last = contact.properties.get("notes_last_contacted")
        if last is None or datetime.fromisoformat(last) < datetime.fromisoformat(happened):
            values["notes_last_contacted"] = happened
        self._put(self.tables["contacts"], contact, values, at, None, "CALCULATED")

    def _primary(self, here: str, start: int, there: str, end: int, wanted: set[int]) -> set[int]:
        """Return the primary link where there is none yet; take it from where it was."""
        kinds = self.association_types[here, there]
        primary = next((k for k in kinds.values() if k.label == "Primary"), None)
        if primary is None:
            return set()
        member, company = ((here, start), (there, end))
        inward = primary.type_id
        if here == "companies":
            member, company, inward = company, member, primary.inverse
        held = self._links.get((member[0], "companies"), {}).get(member[1], {})
        holder = next((other for other, types in held.items() if inward in types), None)
        if primary.type_id in wanted and holder is not None and holder != company[1]:
            back = self.association_types[member[0], "companies"][inward].inverse
            held[holder] -= {inward}
            self._links["companies", member[0]][holder][member[1]] -= {back}
            holder = None
        return {primary.type_id} if holder is None else set()

    def _link(self, here: str, start: int, there: str, end: int, types: Iterable[int]) -> None:
        kinds = self.association_types[here, there]
        self._add_link(here, start, there, end, frozenset(types))
        self._add_link(there, end, here, start, frozenset(kinds[kind].inverse for kind in types))

    def _add_link(self, here: str, start: int, there: str, end: int, types: frozenset[int]) -> None:
        held = self._links.setdefault((here, there), {}).setdefault(start, {})
        known = held.get(end, frozenset()) | types
        # One set for all links of a kind: there are many links and few kinds.
        held[end] = self._link_kinds.setdefault(known, known)

    def _unlink(self, here: str, start: int, there: str, end: int) -> None:
        self._links[here, there].get(start, {}).pop(end, None)
        self._links[there, here].get(end, {}).pop(start, None)

    def dissociate(
        self, source: str, source_id: str | int, target: str, target_id: str | int, at: datetime
    ) -> None:
        """Take a link away, with all its labels."""
        with self.lock:
            here, there = self.table(source).kind.name, self.table(target).kind.name
            self.writes += 1
            start, end = self.get(source, source_id), self.get(target, target_id)
            if end.id in self._links.get((here, there), {}).get(start.id, {}):
                self._unlink(here, start.id, there, end.id)

    def _move_links(self, name: str, old: int, new: int) -> None:
        for (here, there), links in list(self._links.items()):
            if here != name:
                continue
            for other, types in list(links.get(old, {}).items()):
                self._unlink(here, old, there, other)
                if other != new:
                    self._link(here, new, there, other, types)
            links.pop(old, None)

    # Consent

    def add_subscription(self, id: int, name: str, description: str, at: datetime) -> None:
        """Add a kind of e-mail that people subscribe to."""
        self.subscriptions[id] = {
            "id": str(id),
            "name": name,
            "description": description,
            "purpose": "Marketing",
            "communicationMethod": "Email",
            "isActive": True,
            "isDefault": not self.subscriptions,
            "isInternal": False,
            "createdAt": iso(at),
            "updatedAt": iso(at),
        }

    def set_consent(
        self,
        email: str,
        subscription: int,
        status: str,
        at: datetime,
        *,
        source: str = "Form",
        legal_basis: str | None = None,
        explanation: str | None = None,
    ) -> None:
        """Note what somebody said: `SUBSCRIBED` or `UNSUBSCRIBED`."""
        if status not in _STATES:
            raise ValueError(f"no such status: {status}")
        with self.lock:
            self.writes += 1
            self.consents[email.lower(), subscription] = Consent(
                status, at, source, legal_basis, explanation
            )

    def opt_out(self, email: str, at: datetime) -> None:
        """Note that somebody wants no marketing e-mail at all; this moves their contact."""
        with self.lock:
            self.opt_outs[email.lower()] = Consent("UNSUBSCRIBED", at, "Preference page")
            record = self.find("contacts", email, "email")
            if record is not None:
                values = {"hs_email_optout": True}
                self.update("contacts", record.id, values, at, source="EMAIL", system=True)

    def consent(self, email: str, subscription: int) -> Consent:
        """Return what somebody said last; `NOT_SPECIFIED` when they never did."""
        email = email.lower()
        said = self.consents.get((email, subscription))
        if email in self.opt_outs and (said is None or said.at <= self.opt_outs[email].at):
            return self.opt_outs[email]
        return said or Consent("NOT_SPECIFIED", self.founded, "")

    # Marketing

    def add_marketing_email(
        self,
        name: str,
        subject: str,
        at: datetime,
        *,
        subscription: int | None = None,
        campaign: str | None = None,
        from_name: str = "Harbor Looms",
        reply_to: str = "hello@harborlooms.example",
    ) -> str:
        """Draft an e-mail to many and return its id."""
        with self.lock:
            self.writes += 1
            id = str(150_000_001 + 137 * len(self.marketing_emails))
            sending = 90_000_003 + 211 * len(self.marketing_emails)
            self.marketing_emails[id] = MarketingEmail(
                id, sending, name, subject, "DRAFT", at, at, None, subscription, campaign,
                from_name, reply_to,
            )  # fmt: skip
            return id

    def publish(self, email_id: str, at: datetime) -> None:
        """Let an e-mail be sent."""
        with self.lock:
            self.writes += 1
            email = self.marketing_emails[email_id]
            email.state, email.published_at, email.updated_at = "PUBLISHED", at, at

    def note_delivery(
        self,
        email_id: str,
        contact: str | int,
        event: str,
        at: datetime,
        *,
        is_filtered: bool = False,
        is_wide: bool = False,
    ) -> None:
        """Note what became of an e-mail at one contact; this moves the contact's stamp.

        Args:
            event: `sent` (and delivered), `bounce`, `open`, `click`, `unsubscribed` or
                `spamreport`.
            is_filtered: a program did it, which the portal knows and leaves out of its
                counters, and of the contact's.
            is_wide: of `unsubscribed`: from all e-mail.
        """
        with self.lock:
            table = self.tables["contacts"]
            record = table.get(_number(contact))
            email = self.marketing_emails[email_id]
            self._note_events(email, _number(contact), record, event, at, is_filtered, is_wide)
            if is_filtered:
                return
            email.counters[event] += 1
            if event == "sent":
                email.counters["delivered"] += 1
            elif event == "bounce":
                email.counters["delivered"] -= 1
                email.counters["hardbounced"] += 1
            if record is None or record.archived_at is not None:
                return
            counter, moment = _DELIVERY.get(event, ("", ""))
            values: dict[str, str | None] = {}
            if counter:
                values[counter] = str(int(record.properties.get(counter, "0")) + 1)
            if moment:
                values[moment] = iso(at)
            if event == "bounce":
                values["hs_email_hard_bounce_reason_enum"] = "UNKNOWN_USER"
            if values:
                self._put(table, record, values, at, None, "EMAIL")

    def _note_events(
        self,
        email: MarketingEmail,
        contact: int,
        record: Record | None,
        event: str,
        at: datetime,
        is_filtered: bool,
        is_wide: bool,
    ) -> None:
        """Write the log of events; a contact keeps the address that the message went to."""
        known = self._messages.setdefault((email.id, contact), {})
        if event == "sent" and record is not None:
            known["to"] = record.properties.get("email", "")
        if "to" not in known:
            return

        def note(kind: str, at: datetime, more: Mapping[str, Any]) -> str:
            self._noted += 1
            id = _uuid(f"event:{self.portal_id}:{self._noted}")
            sent = self.email_events[known["SENT"]] if "SENT" in known else None
            of = (sent.id, sent.at) if sent is not None else None
            event = EmailEvent(id, at, kind, known["to"], email.id, of, more)
            self.email_events[id] = event
            return id

        if event == "sent":
            known["SENT"] = note("SENT", at, {})
            known["DELIVERED"] = note("DELIVERED", at + timedelta(seconds=2), _ACCEPTED)
        elif event == "bounce":
            bounce = note("BOUNCE", at, _NOBODY_THERE)
            told = self.email_events[known["DELIVERED"]]
            self.email_events[told.id] = replace(told, obsolete=(bounce, at))
        elif event == "unsubscribed":
            of_one = email.subscription_id is not None
            left = [{"id": email.subscription_id, "status": "UNSUBSCRIBED"}] * of_one
            status = "UNSUBSCRIBED" if is_wide else "SUBSCRIBED"
            more = {"portalSubscriptionStatus": status, "subscriptions": left}
            note("STATUSCHANGE", at, {"source": "SOURCE_RECIPIENT", **more})
        elif event == "spamreport":
            note("SPAMREPORT", at, {})
        else:
            note(event.upper(), at, _BY_A_PROGRAM if is_filtered else _BY_A_PERSON)

    def note_occurrence(
        self, kind: str, name: str, id: str | int, at: datetime, **properties: str
    ) -> str:
        """Note that a record did something; this moves nothing of the record."""
        with self.lock:
            self._noted += 1
            key = _uuid(f"occurrence:{self.portal_id}:{self._noted}")
            of = self.table(name).kind.singular.upper()
            self.occurrences.append(Occurrence(key, at, kind, of, _number(id), properties))
            return key

    def email_log(self) -> list[EmailEvent]:
        """Return the events of e-mails, oldest first."""
        state = self._noted, len(self.email_events)
        if self._log[0] != state:
            events = sorted(self.email_events.values(), key=lambda one: (one.at, one.id))
            self._log = state, events
        return self._log[1]

    def add_campaign(self, name: str, at: datetime, **properties: str) -> str:
        """Add a campaign and return its id."""
        with self.lock:
            self.writes += 1
            id = _uuid(f"campaign:{self.portal_id}:{len(self.campaigns)}")
            values = {"hs_name": name, **properties}
            self.campaigns[id] = Campaign(id, values, at, at)
            return id

    # Forms

    def add_form(
        self, name: str, at: datetime, *, fields: Sequence[str] = ("email",), kind: str = "hubspot"
    ) -> str:
        """Put a form on the website and return its id."""
        with self.lock:
            self.writes += 1
            id = _uuid(f"form:{self.portal_id}:{len(self.forms)}")
            self.forms[id] = Form(id, name, kind, tuple(fields), at)
            return id

    def archive_form(self, id: str, at: datetime) -> None:
        """Take a form away; what was submitted goes with it."""
        with self.lock:
            self.writes += 1
            self.forms[id].archived_at = at

    def submit_form(
        self,
        id: str,
        values: Mapping[str, str],
        at: datetime,
        *,
        page_url: str = "https://harborlooms.example/",
    ) -> str:
        """Note what somebody filled in; what a contact is made of it is another write."""
        with self.lock:
            self.writes += 1
            self._submitted += 1  # an erasure takes submissions away, and no id comes twice
            key = _uuid(f"submission:{self.portal_id}:{self._submitted}")
            self.forms[id].submissions.append(Submission(key, at, dict(values), page_url))
            return key

    # Lists

    def add_list(
        self, name: str, at: datetime, *, object_name: str = "contacts", processing: str = "MANUAL"
    ) -> str:
        """Add a list and return its id."""
        with self.lock:
            self.writes += 1
            id = str(max(map(int, self.lists), default=0) + 1)
            type_id = self.table(object_name).kind.type_id
            self.lists[id] = ContactList(id, name, type_id, processing, at, at)
            return id

    def add_to_list(self, list_id: str, record: str | int, at: datetime) -> None:
        """Put a record on a list; this moves nothing of the record."""
        with self.lock:
            self.writes += 1
            self.lists[list_id].members.setdefault(_number(record), at)

    def take_off_list(self, list_id: str, record: str | int, at: datetime) -> None:
        """Take a record off a list; this moves nothing of the record."""
        with self.lock:
            self.writes += 1
            if self.lists[list_id].members.pop(_number(record), None) is not None:
                self.lists[list_id].removed_at = at

    def delete_list(self, list_id: str) -> None:
        """Delete a list; its members stay."""
        with self.lock:
            self.writes += 1
            del self.lists[list_id]


# What events have besides: there are many of them, and few of these.
_ACCEPTED = {"response": "250 2.0.0 OK"}
_NOBODY_THERE = {
    "category": "UNKNOWN_USER",
    "status": "5.1.1",
    "response": "550 5.1.1 The account does not exist",
}
_BY_A_PROGRAM = {"filteredEvent": True, "deviceType": "UNKNOWN"}
_BY_A_PERSON = {"filteredEvent": False, "deviceType": "COMPUTER"}

_DELIVERY = {
    "sent": ("hs_email_delivered", "hs_email_last_send_date"),
    "open": ("hs_email_open", "hs_email_last_open_date"),
    "click": ("hs_email_click", "hs_email_last_click_date"),
    "bounce": ("hs_email_bounce", ""),
}


def not_found() -> ApiError:
    """Return what the vendor says of a record that is not there."""
    return ApiError(404, "OBJECT_NOT_FOUND", "resource not found")


def _number(id: str | int) -> int:
    if isinstance(id, int):
        return id
    if not id.isdigit():
        raise ApiError(404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
    return int(id)


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _unique_keys(kind: ObjectType, record: Record) -> Iterator[tuple[str, str, str]]:
    """Yield what no other record may have; a contact's other addresses are its own too."""
    for prop in kind.unique:
        value = record.properties.get(prop)
        if value is not None:
            yield kind.name, prop, value
    for email in record.properties.get("hs_additional_emails", "").split(";"):
        if email and kind.name == "contacts":
            yield kind.name, "email", email


def _other_emails(primary: Record, other: Record, email: str | None) -> str | None:
    """Return the addresses of a merged contact besides its first."""
    known = {
        address
        for record in (primary, other)
        for address in (
            record.properties.get("email"),
            *record.properties.get("hs_additional_emails", "").split(";"),
        )
        if address and address != email
    }
    return ";".join(sorted(known)) or None


# What the portal works out when asked

WorkOut = Callable[[Portal, Table, Record], str | None]


def _first_primary(portal: Portal, table: Table, record: Record) -> str | None:
    for company, kinds in portal.links(table.kind.name, record.id, "companies"):
        if any(kind.label == "Primary" for kind in kinds):
            return str(company)
    return None


def _parent(portal: Portal, table: Table, record: Record) -> str | None:
    for company, kinds in portal.links("companies", record.id, "companies"):
        if any(kind.label == "Parent Company" for kind in kinds):
            return str(company)
    return None


def _count_of(target: str) -> WorkOut:
    def count(portal: Portal, table: Table, record: Record) -> str | None:
        n = len(portal.links(table.kind.name, record.id, target))
        return str(n) if n else None

    return count


def _stage(table: Table, record: Record) -> str | None:
    return record.properties.get("dealstage" if table.kind.name == "deals" else "hs_pipeline_stage")


def _is_closed(portal: Portal, table: Table, record: Record) -> str | None:
    return str(portal.is_closed(table.kind.name, _stage(table, record))).lower()


def _probability(portal: Portal, table: Table, record: Record) -> str | None:
    stage = _stage(table, record)
    for line in portal.pipelines["deals"]:
        for known in line["stages"]:
            if known["id"] == stage:
                return str(known["metadata"]["probability"])
    return None


def _is_won(portal: Portal, table: Table, record: Record) -> str | None:
    return str(_probability(portal, table, record) == "1.0").lower()


_WORKED_OUT: dict[str, WorkOut] = {
    "hs_object_id": lambda portal, table, record: str(record.id),
    "hs_ticket_id": lambda portal, table, record: str(record.id),
    "associatedcompanyid": _first_primary,
    "hs_parent_company_id": _parent,
    "num_associated_contacts": _count_of("contacts"),
    "num_associated_deals": _count_of("deals"),
    "hs_is_closed": _is_closed,
    "hs_is_closed_won": _is_won,
    "hs_deal_stage_probability": _probability,
}
