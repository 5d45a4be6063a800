"""The emulated organization's records, with the vendor's write semantics.

Belongs here: inserts, updates, soft and hard deletes, merges, lead conversion, the
system fields they move (and the changes that move none), what a reader can see when.
Does not belong here: SOQL (`soql`), HTTP (`http`), who the people are (`sandbox.world`).

A row is a plain dict of wire values (what REST would answer) that is never changed in
place: every write puts a new dict, so readers may keep the ones they hold.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.salesforce import schema
from sandbox.salesforce.schema import FieldDescription, SObject

Row = dict[str, Any]

RECYCLE_BIN = timedelta(days=15)
MERGED_AT_ONCE = 3
"""A merge takes the winner and at most two losers."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SHORT_TEXT = {"string", "email", "phone", "url", "picklist", "multipicklist", "combobox"}
_LEAD_TO_ACCOUNT = ("Phone", "Website", "Industry", "AnnualRevenue", "NumberOfEmployees")
_LEAD_TO_CONTACT = (
    "FirstName", "LastName", "Salutation", "Title", "Email", "Phone", "MobilePhone", "LeadSource",
    "HasOptedOutOfEmail", "DoNotCall",
)  # fmt: skip
_HISTORY_TYPES = {
    "currency": "Currency", "double": "Number", "int": "Number", "percent": "Number",
    "picklist": "EnumOrId", "reference": "EnumOrId", "date": "DateOnly", "boolean": "Boolean",
}  # fmt: skip
_CLOSED_LEAD = "Closed - Converted"
_CASE_NUMBERS_START = 1000


class ApiError(Exception):
    """A refusal, as every REST resource words it: `[{message, errorCode, fields?}]`."""

    def __init__(self, status: int, code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = list(fields)


def wire_datetime(moment: datetime) -> str:
    """Return `2024-01-31T09:12:00.000+0000`: UTC, whole seconds, no colon in the offset.

    Texts of this form sort as the moments do.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse_datetime(text: str) -> datetime:
    """Return the moment of a wire or ISO 8601 text; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Binned:
    """A record in the recycle bin: since when, and by deleting which record."""

    at: datetime
    root: str


class Table:
    """The records of one object."""

    def __init__(self, sobject: SObject) -> None:
        self.sobject = sobject
        self.rows: dict[str, Row] = {}
        self.bin: dict[str, _Binned] = {}
        self.deletions: dict[str, datetime] = {}
        """Id -> when it was deleted; what `deleted/` answers from."""
        self.log_from = datetime.min.replace(tzinfo=UTC)
        """Since when that log is whole: what grew too long is cut at its old end."""
        self.blank: Row = {}
        self.minted = 0
        self._pointing: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._pointers: list[str] = []
        self._unseen: dict[str, tuple[datetime, Row | None]] = {}
        self._ordered: list[Row] | None = None
        self.take_fields()

    def take_fields(self) -> None:
        """Give every row the fields the object has by now."""
        self.blank = {
            name: False if described["type"] == "boolean" else None
            for name, described in self.sobject.fields.items()
            if described["type"] != "address"
        }
        self.rows = {key: self.blank | row for key, row in self.rows.items()}
        self._unseen = {
            key: (visible_at, row and self.blank | row)
            for key, (visible_at, row) in self._unseen.items()
        }
        self._pointers = [
            described["name"]
            for described in self.sobject.references()
            if described["referenceTo"] != ["User"]
        ]
        self._ordered = None

    def pointing(self, field: str, id: str) -> list[Row]:
        """Return the rows whose `field` holds `id`, deleted ones included, oldest first."""
        keys: Iterable[str] = self.rows
        if field in self._pointers:
            # Every row that ever pointed there is known, in whichever field.
            keys = sorted(key for key in self._pointing.get(id, ()) if key in self.rows)
        return [row for row in map(self.rows.__getitem__, keys) if row[field] == id]

    def put(self, row: Row, visible_at: datetime | None = None) -> None:
        """Store a row; readers go on seeing the one before until `visible_at`."""
        key = row["Id"]
        if visible_at is not None:
            before = self._unseen[key][1] if key in self._unseen else self.rows.get(key)
            self._unseen[key] = (visible_at, before)
        self.rows[key] = row
        for name in self._pointers:
            if (target := row[name]) is not None:
                self._pointing[target][key] = None
        self._changed()

    def remove(self, key: str) -> None:
        """Forget a row altogether."""
        del self.rows[key]
        self.bin.pop(key, None)
        self._unseen.pop(key, None)
        self._changed()

    def _changed(self) -> None:
        self._ordered = None

    def oldest_unseen(self, now: datetime) -> str | None:
        """Return the earliest SystemModstamp of a write readers cannot see yet, if any."""
        waiting = (key for key, (visible_at, _) in self._unseen.items() if visible_at > now)
        return min((self.rows[key]["SystemModstamp"] for key in waiting), default=None)

    def visible(self, now: datetime) -> list[Row]:
        """Return the rows a reader sees, deleted ones included, by (SystemModstamp, Id).

        Records whose time in the recycle bin is over are gone from then on.
        """
        for key in [k for k, binned in self.bin.items() if binned.at + RECYCLE_BIN <= now]:
            self.remove(key)
        for key in [k for k, (visible_at, _) in self._unseen.items() if visible_at <= now]:
            del self._unseen[key]
            self._ordered = None
        if self._ordered is None:
            current: Iterable[Row] = self.rows.values()
            if self._unseen:
                unseen = self._unseen
                held = (row for _, row in unseen.values() if row is not None)
                current = [*(r for r in current if r["Id"] not in unseen), *held]
            self._ordered = sorted(current, key=_stamp_and_id)
        return self._ordered


def _stamp_and_id(row: Row) -> tuple[str, str]:
    return row["SystemModstamp"], row["Id"]


class Org:
    """One Salesforce organization, kept in memory.

    Every write takes `at`, the moment it is made (timezone-aware; kept in whole seconds),
    and optionally `by`, the Id of the user who makes it. Ids come from a counter per
    object, so the same writes give the same ids. Field values may be Python dates,
    datetimes and decimals or wire texts; they are checked as the vendor checks them, and
    a refusal raises `ApiError`.

    Attributes:
        client_id, client_secret, domain: what an integration logs in with.
        certificate: public key of the app in PEM, with which the JWT bearer flow is open to any
            active user; None: that flow is closed.
        user_id: the integration's own user, made with the org; writes without `by`, and
            records without OwnerId, are its.
        hidden_fields: object -> fields that field-level security keeps from the API.
        absent_objects: objects whose feature this org has not switched on.
        late_visible_s: a write shows in queries only this many seconds after its
            SystemModstamp, as rows of a transaction that takes its time do.
        late_every: only every n-th write is late; 1: each.
        tracked_fields: object -> fields whose changes its history keeps (see
            `schema.FIELD_HISTORY`); OpportunityHistory keeps its own without being told.
        archive_after: closed tasks and past events older than this leave `query` and stay
            in `queryAll`; None: never.
        shared_activities: whether tasks and events may have several contacts.
        merge_moves_children: whether a merge moves the SystemModstamp of the children it
            gives to the winner; by default it does not.
        session_lifetime: how long an access token lives after its last use.
        daily_limit: API calls in 24 hours.
        locator_lifetime: how long the next pages of a query can be fetched.
        open_cursors: queries that can have next pages at a time; more close the one
            unused for longest.
        not_replicated: objects without `updated/` and `deleted/`.
        replicated_ids: most ids that either of these answers.
        not_in_bulk: objects that the Bulk API does not know.
        bulk_looks: how often a bulk job is looked at until it is done.
        bulk_failures: how many bulk jobs to come end as failed.
        bulk_daily_jobs, bulk_daily_kb: bulk jobs, and results fetched, in 24 hours.
        bulk_page_rows: rows of a page of bulk results, whatever more was asked for.
    """

    def __init__(
        self,
        *,
        client_id: str = "3MVG9sandbox.client",
        client_secret: str = "sandbox-secret",
        domain: str = "rapport-sandbox.my",
        founded: datetime = datetime(2018, 1, 2, 9, tzinfo=UTC),
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.domain = domain
        self.certificate: str | None = None
        self.id = schema.mint_id("00D", 1)
        self.hidden_fields: dict[str, set[str]] = {}
        self.absent_objects: set[str] = set()
        self.late_visible_s = 0.0
        self.late_every = 1
        self.tracked_fields: dict[str, set[str]] = {}
        self.archive_after: timedelta | None = timedelta(days=365)
        self.shared_activities = False
        self.merge_moves_children = False
        self.session_lifetime = timedelta(hours=2)
        self.daily_limit = 100_000
        self.locator_lifetime = timedelta(days=2)
        self.open_cursors = 10
        self.not_replicated: set[str] = set()
        self.replicated_ids = 600_000
        self.not_in_bulk: set[str] = set()
        self.bulk_looks = 2
        self.bulk_failures = 0
        self.bulk_daily_jobs = 10_000
        self.bulk_daily_kb = 1_000_000_000
        self.bulk_page_rows = 250_000
        self.lock = threading.RLock()
        self._tables = {name: Table(o) for name, o in schema.standard_objects().items()}
        # Histories share a prefix; nothing refers to them.
        self._by_prefix = {t.sobject.prefix: t for t in self._tables.values()}
        self._minted: Counter[str] = Counter()
        self._lower_names = {name.lower(): name for name in self._tables}
        self._described_at = founded
        self._writes = 0
        self._copies: dict[str, str] = {}
        """Relation of an invited user -> the event's copy in that user's calendar."""
        self.user_id = schema.mint_id("005", 1)
        self.insert(
            "User",
            {
                "Username": f"integration@{domain.removesuffix('.my')}.example",
                "LastName": "Integration User",
                "Email": f"integration@{domain.removesuffix('.my')}.example",
                "Alias": "integ",
                "CommunityNickname": "integration",
            },
            founded,
        )

    # What there is

    def sobjects(self) -> list[SObject]:
        """Return the objects, in the order they were declared."""
        there = (table.sobject for table in self._tables.values())
        return [sobject for sobject in there if self.has(sobject.name)]

    def sobject(self, name: str) -> SObject:
        """Return an object by name, whatever its case; ApiError NOT_FOUND without one."""
        return self.table(name).sobject

    def table(self, name: str) -> Table:
        """Return the records of an object, whatever the name's case."""
        if not self.has(name):
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        return self._tables[self._lower_names[name.lower()]]

    def has(self, name: str) -> bool:
        """Return whether there is an object of this name, whatever its case."""
        exact = self._lower_names.get(name.lower())
        if exact is None or exact in self.absent_objects:
            return False
        return self.shared_activities or exact not in schema.ONLY_WITH_SHARED_ACTIVITIES

    def readable_fields(self, name: str) -> dict[str, FieldDescription]:
        """Return the fields the integration's user may see, by name."""
        fields = self.sobject(name).fields
        hidden = self.unseen_fields(name)
        return {n: f for n, f in fields.items() if n not in hidden} if hidden else fields

    def unseen_fields(self, name: str) -> set[str]:
        """Return the fields of an object that nobody, or not this user, gets to see."""
        hidden = self.hidden_fields.get(name, set())
        if self.shared_activities or name not in schema.FIELDS_OF_SHARED_ACTIVITIES:
            return hidden
        return hidden | schema.FIELDS_OF_SHARED_ACTIVITIES[name]

    def rows(self, name: str) -> list[Row]:
        """Return every record of an object as it truly is: deleted and unseen ones too.

        Ordered by Id, that is by creation. For the sandbox's truth; clients see `query`.
        """
        with self.lock:
            return [row for _, row in sorted(self.table(name).rows.items())]

    def get(self, name: str, id: str) -> Row:
        """Return one record as it truly is, deleted or not."""
        row = self.table(name).rows.get(schema.long_id(id))
        if row is None:
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        return row

    def find(self, id: str | None) -> Row | None:
        """Return the record an 18-character id names, of whatever object; None without one."""
        table = self._by_prefix.get(id[:3]) if id else None
        return None if table is None else table.rows.get(str(id))

    def type_of(self, id: str) -> str:
        """Return the object an id belongs to."""
        return self._by_prefix[id[:3]].sobject.name

    def archive_cutoff(self, now: datetime) -> str:
        """Return the first day (wire date) whose activities are not yet archived."""
        return (now - self.archive_after).date().isoformat() if self.archive_after else ""

    @staticmethod
    def is_archived(row: Row, cutoff: str) -> bool:
        """Return whether a task or event has aged out of `query`; this moves no stamp.

        An event by its date, a task only when closed, by its date or else its creation.
        """
        return bool((row["ActivityDate"] or row["CreatedDate"]) < cutoff) and bool(
            row.get("IsClosed", True)
        )

    @property
    def described_at(self) -> datetime:
        """When objects or fields were last declared."""
        return self._described_at

    # Declarations

    def add_custom_object(
        self, name: str, *, prefix: str, label: str | None = None, at: datetime | None = None
    ) -> SObject:
        """Declare an object such as `Survey__c`; `prefix`: three characters, vendor's a00-aZZ."""
        with self.lock:
            if prefix in self._by_prefix or self.has(name):
                raise ValueError(f"{name} or its prefix {prefix} is already taken")
            sobject = schema.custom_object(name, prefix, label)
            table = Table(sobject)
            self._tables[name] = table
            self._by_prefix[prefix] = table
            self._lower_names[name.lower()] = name
            self._described_at = at or self._described_at
            return sobject

    def add_custom_field(
        self, name: str, described: FieldDescription, at: datetime | None = None
    ) -> None:
        """Declare a field on an object; records that are there take null (false).

        Args:
            name: the object.
            described: `name` and `type`, and any other key of a describe entry, for
                example `length`, `label`, `picklistValues` (plain strings will do),
                `referenceTo`, `calculated`. A calculated field is a formula or a roll-up:
                set it with `touch_formula` or `roll_up`.
            at: when, for `If-Modified-Since` on describe.
        """
        with self.lock:
            table = self.table(name)
            given = {"label": described["name"].removesuffix("__c").replace("_", " "), **described}
            table.sobject.add(schema.describe_field(given))
            table.take_fields()
            self._described_at = at or self._described_at

    # Writes

    def insert(
        self, name: str, fields: Mapping[str, Any], at: datetime, *, by: str | None = None
    ) -> str:
        """Create a record and return its 18-character Id.

        `CreatedDate`, `CreatedById` and `LastModifiedDate` may be given (the vendor lets
        an integration set audit fields on insert); SystemModstamp is always `at`.
        """
        with self.lock:
            table = self.table(name)
            name = table.sobject.name
            if not schema.is_written_by_users(name):
                message = f"entity type cannot be inserted: {table.sobject.label}"
                raise ApiError(400, "INVALID_TYPE_FOR_OPERATION", message)
            stamp, user = wire_datetime(at), by or self.user_id
            row = table.blank | schema.DEFAULTS.get(name, {})
            row.update(self._checked(table, fields, on_insert=True))
            if "OwnerId" in row and row["OwnerId"] is None:
                row["OwnerId"] = user
            row["CreatedDate"] = row["CreatedDate"] or stamp
            row["CreatedById"] = row["CreatedById"] or user
            row["LastModifiedDate"] = row["LastModifiedDate"] or stamp
            row["LastModifiedById"] = user
            row["SystemModstamp"] = stamp
            self._require(table, row)
            table.minted += 1
            row["Id"] = self._mint(table)
            self._derive(table, row, None, at)
            self._commit(table, row, at)
            self._remember(table, row, None, at, user)
            self._relate(table, row, None, at, user)
            return str(row["Id"])

    def update(
        self,
        name: str,
        id: str,
        fields: Mapping[str, Any],
        at: datetime,
        *,
        by: str | None = None,
    ) -> None:
        """Change a record as a user does: SystemModstamp and LastModifiedDate move."""
        with self.lock:
            table = self.table(name)
            if not schema.is_written_by_users(table.sobject.name):
                message = f"entity type cannot be updated: {table.sobject.label}"
                raise ApiError(400, "INVALID_TYPE_FOR_OPERATION", message)
            before = self._live(table, id)
            if table.sobject.name == "Lead" and before["IsConverted"]:
                raise ApiError(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted "
                               "lead")  # fmt: skip
            row = before | self._checked(table, fields)
            self._require(table, row)
            self._stamp(row, at, by)
            self._derive(table, row, before, at)
            self._commit(table, row, at)
            self._remember(table, row, before, at, by or self.user_id)
            self._relate(table, row, before, at, by or self.user_id)

    def log_in(self, user_id: str, at: datetime) -> None:
        """Let a user log in: LoginHistory has a row of it, with LoginTime as its only stamp."""
        with self.lock:
            told = {"LoginType": "Application", "Status": "Success"}
            told |= {"UserId": user_id, "LoginTime": wire_datetime(at)}
            self._write(self.table("LoginHistory"), told, at, user_id)

    def roll_up(self, name: str, id: str, field: str, value: Any, at: datetime) -> None:
        """Set a roll-up summary: the system writes it, so only SystemModstamp moves."""
        with self.lock:
            table = self.table(name)
            value = self._coerced(table.sobject.fields[field], value)
            stamp = {"SystemModstamp": wire_datetime(at)}
            self._commit(table, self._live(table, id) | {field: value} | stamp, at)

    def touch_formula(self, name: str, id: str, field: str, value: Any) -> None:
        """Let a formula field come to another value: no stamp moves."""
        with self.lock:
            table = self.table(name)
            value = self._coerced(table.sobject.fields[field], value)
            table.put(self._live(table, id) | {field: value})

    def delete(self, name: str, id: str, at: datetime, *, by: str | None = None) -> None:
        """Put a record, and the children that go with it, into the recycle bin.

        ApiError DELETE_FAILED where the vendor refuses: a user, or an account or contact
        that still has cases (delete or close those relations first).
        """
        with self.lock:
            table = self.table(name)
            row = self._live(table, id)
            if not schema.is_deletable(table.sobject.name):
                raise ApiError(400, "DELETE_FAILED", f"DML operation DELETE not allowed on {name}")
            going: dict[str, Table] = {row["Id"]: table}
            queue = [row["Id"]]
            while queue:
                for child_table, child, described in self._children_of(queue.pop()):
                    if described.get("restrict") and child["Id"] not in going:
                        raise ApiError(
                            400,
                            "DELETE_FAILED",
                            f"Your attempt to delete {row.get('Name') or row['Id']} could not be "
                            "completed because it is associated with the following cases.: "
                            f"{child['CaseNumber']}",
                        )
                    if described.get("cascade") and child["Id"] not in going:
                        going[child["Id"]] = child_table
                        queue.append(child["Id"])
                        if (copy := self._copies.get(child["Id"])) is not None:
                            going[copy] = self._tables["Event"]
            is_relation = table.sobject.name in schema.RELATIONS.values()
            for key, its_table in going.items():
                is_root = key == row["Id"]
                if its_table.sobject.name in schema.SKIPS_BIN or (is_relation and is_root):
                    self.purge(its_table.sobject.name, key, at)
                else:
                    self._bin(its_table, its_table.rows[key], at, by, root=row["Id"])
            if is_relation:
                self._part(table, row, at, by)

    def undelete(self, name: str, id: str, at: datetime, *, by: str | None = None) -> None:
        """Take a record, and what was deleted with it, out of the recycle bin."""
        with self.lock:
            root = schema.long_id(id)
            if root not in self.table(name).bin:
                raise ApiError(400, "UNDELETE_FAILED", "Entity is not in the recycle bin")
            for table in self._tables.values():
                for key in [k for k, binned in table.bin.items() if binned.root == root]:
                    row = table.rows[key] | {"IsDeleted": False}
                    if "MasterRecordId" in row:
                        row["MasterRecordId"] = None
                    self._stamp(row, at, by)
                    del table.bin[key]
                    del table.deletions[key]
                    self._commit(table, row, at)

    def purge(self, name: str, id: str, at: datetime | None = None) -> None:
        """Remove a record at once and for good (hard delete, or the bin being emptied).

        No query shows it any more; only the delete log (`deleted/`) does for 15 days.
        """
        with self.lock:
            table = self.table(name)
            row = self.get(name, id)
            when = at or parse_datetime(row["SystemModstamp"])
            table.deletions.setdefault(row["Id"], when)
            table.remove(row["Id"])

    def cut_delete_log(self, name: str, before: datetime) -> None:
        """Forget the deletions of an object that are older, as the vendor does with a long log."""
        with self.lock:
            table = self.table(name)
            table.log_from = max(table.log_from, before)

    def merge(
        self,
        name: str,
        master_id: str,
        loser_ids: Sequence[str],
        at: datetime,
        *,
        fields: Mapping[str, Any] | None = None,
        by: str | None = None,
    ) -> None:
        """Merge one or two records into another of the same object.

        The losers go to the bin with `MasterRecordId` naming the winner; what pointed to
        them points to the winner, and its SystemModstamp stays where it was unless
        `merge_moves_children`; `fields` are written to the winner, whose stamps move.
        """
        with self.lock:
            table = self.table(name)
            if not table.sobject.merges:
                raise ApiError(400, "INVALID_OPERATION", f"merge not supported for {name}")
            if not 1 <= len(loser_ids) < MERGED_AT_ONCE:
                raise ApiError(400, "MAX_MERGE_RECORDS", "merge takes one or two records")
            master = self._live(table, master_id)
            losers = [self._live(table, loser) for loser in loser_ids]
            if master["Id"] in {loser["Id"] for loser in losers}:
                raise ApiError(400, "INVALID_OPERATION", "a record cannot be merged into itself")
            for loser in losers:
                self._give_children(loser["Id"], master["Id"], at)
                row = table.rows[loser["Id"]] | {"MasterRecordId": master["Id"]}
                self._bin(table, row, at, by, root=row["Id"])
            self.update(name, master["Id"], fields or {}, at, by=by)

    def convert_lead(
        self,
        lead_id: str,
        at: datetime,
        account_id: str | None = None,
        opportunity: Mapping[str, Any] | None = None,
        *,
        contact_id: str | None = None,
        by: str | None = None,
    ) -> dict[str, str | None]:
        """Convert a lead and return `{account_id, contact_id, opportunity_id}`.

        Args:
            account_id: an account to use; without it one is made of the lead's company.
            opportunity: fields of the opportunity to create (defaults: the company as
                name, first stage, closing in 90 days); None creates none.
            contact_id: a contact to use; without it one is made of the lead.

        The lead stays, read only; its tasks and events go to the contact unstamped.
        """
        with self.lock:
            table = self.table("Lead")
            lead = self._live(table, lead_id)
            if lead["IsConverted"]:
                raise ApiError(400, "CANNOT_UPDATE_CONVERTED_LEAD", "lead already converted")
            owner = {"OwnerId": lead["OwnerId"]}
            if account_id is None:
                account = {k: lead[k] for k in _LEAD_TO_ACCOUNT} | {"Name": lead["Company"]} | owner
                account_id = self.insert("Account", account, at, by=by)
            if contact_id is None:
                contact = {k: lead[k] for k in _LEAD_TO_CONTACT} | {"AccountId": account_id} | owner
                for part, _ in schema.ADDRESS_PARTS:
                    contact[f"Mailing{part}"] = lead[part]
                contact_id = self.insert("Contact", contact, at, by=by)
            opportunity_id = None
            if opportunity is not None:
                defaults = {
                    "Name": lead["Company"],
                    "StageName": "Prospecting",
                    "CloseDate": (at + timedelta(days=90)).date(),
                    "LeadSource": lead["LeadSource"],
                }
                given = defaults | owner | dict(opportunity) | {"AccountId": account_id}
                opportunity_id = self.insert("Opportunity", given, at, by=by)
                role = {"OpportunityId": opportunity_id, "ContactId": contact_id}
                self.insert("OpportunityContactRole", role | {"IsPrimary": True}, at, by=by)
            self._give_children(lead["Id"], contact_id, at)
            row = table.rows[lead["Id"]] | {
                "IsConverted": True,
                "Status": _CLOSED_LEAD,
                "ConvertedDate": at.astimezone(UTC).date().isoformat(),
                "ConvertedAccountId": schema.long_id(account_id),
                "ConvertedContactId": schema.long_id(contact_id),
                "ConvertedOpportunityId": opportunity_id,
            }
            self._stamp(row, at, by)
            self._commit(table, row, at)
            return {
                "account_id": account_id,
                "contact_id": contact_id,
                "opportunity_id": opportunity_id,
            }

    # Who else an activity is with

    def _relate(self, table: Table, row: Row, before: Row | None, at: datetime, user: str) -> None:
        """Keep the relations of an activity in step with its fields, and those with calendars.

        With Shared Activities who and what it is about are relations, too. A user who is invited
        has a copy of the event, which is a child of it.
        """
        name = table.sobject.name
        if name == "EventRelation" and before is None and row["IsInvitee"]:
            self._invite(row, at, user)
        if not self.shared_activities or name not in schema.RELATIONS or row.get("IsChild"):
            return
        relations = self._tables[schema.RELATIONS[name]]
        activity = f"{name}Id"
        held = {r["RelationId"]: r for r in relations.pointing(activity, row["Id"])}
        for field in ("WhoId", "WhatId"):
            old, new = before and before[field], row[field]
            if old is not None and old != new and old in held:
                self.purge(relations.sobject.name, held[old]["Id"], at)
            if new is not None and new != old and new not in held:
                parent = {"IsParent": True} if name == "Event" else {}
                related = {activity: row["Id"], "RelationId": new, **parent}
                self.insert(relations.sobject.name, related, at, by=user)

    def _invite(self, relation: Row, at: datetime, user: str) -> None:
        """Make a group event of an event, and put a copy into the calendar of an invited user."""
        events = self._tables["Event"]
        event = events.rows[relation["EventId"]]
        if not event["IsGroupEvent"]:
            event = event | {"IsGroupEvent": True}
            self._stamp(event, at, user)
            self._commit(events, event, at)
        if relation["RelationId"].startswith("005"):
            copy = event | {"Id": self._mint(events), "OwnerId": relation["RelationId"]}
            copy |= {"IsChild": True, "CreatedDate": wire_datetime(at), "CreatedById": user}
            self._stamp(copy, at, user)
            self._commit(events, copy, at)
            self._copies[relation["Id"]] = copy["Id"]

    def _part(self, table: Table, relation: Row, at: datetime, by: str | None) -> None:
        """Let an activity know that a relation of it was deleted.

        Another person takes the place of the one it was with (Object Reference: EventRelation).
        """
        name = table.sobject.name.removesuffix("Relation")
        activities = self._tables[name]
        if (copy := self._copies.pop(relation["Id"], None)) is not None:
            self.delete("Event", copy, at, by=by)
        row = activities.rows[relation[f"{name}Id"]]
        for field in ("WhoId", "WhatId"):
            if row[field] == relation["RelationId"]:
                left = [
                    other["RelationId"]
                    for other in table.pointing(f"{name}Id", row["Id"])
                    if field == "WhoId" and not other["IsWhat"] and other.get("IsParent", True)
                ]
                row = row | {field: left[0] if left else None}
                row["AccountId"] = self._account_of(row)
                self._stamp(row, at, by)
                self._commit(activities, row, at)

    # What the system writes down by itself

    def _remember(
        self, table: Table, row: Row, before: Row | None, at: datetime, user: str
    ) -> None:
        """Keep a change in the histories: per tracked field, and an opportunity's snapshot."""
        name = table.sobject.name
        if name == "Opportunity" and (
            before is None or any(before[field] != row[field] for field in schema.SNAPSHOTS)
        ):
            taken = {field: row[field] for field in schema.SNAPSHOTS}
            history = self.table("OpportunityHistory")
            self._write(history, taken | {"OpportunityId": row["Id"]}, at, user)
        tracked = self.tracked_fields.get(name)
        if not tracked:
            return
        history = self.table(schema.FIELD_HISTORY[name])
        parent = {f"{name}Id": row["Id"]}
        if before is None:
            self._write(history, parent | {"Field": "created", "DataType": "Text"}, at, user)
            return
        for field in sorted(tracked):
            if before[field] == row[field]:
                continue
            kind = table.sobject.fields[field]["type"]
            told = {"Field": field, "DataType": _HISTORY_TYPES.get(kind, "Text")}
            pairs = [(before[field], row[field])]
            if kind == "reference":  # once by id, once by name
                told["Field"] = field.removesuffix("Id")
                pairs.append((self._name_of(before[field]), self._name_of(row[field])))
            for old, new in pairs:
                self._write(history, parent | told | {"OldValue": old, "NewValue": new}, at, user)

    def _name_of(self, id: str | None) -> str | None:
        found = self.find(id)
        return None if found is None else found.get("Name")

    def _write(self, table: Table, fields: Row, at: datetime, user: str) -> None:
        row = table.blank | fields | {"Id": self._mint(table)}
        if "CreatedDate" in table.blank:
            row |= {"CreatedDate": wire_datetime(at), "CreatedById": user}
        # Kept for the order of rows; what describe does not show cannot be asked for.
        table.put(row | {"SystemModstamp": wire_datetime(at)})

    # How writes are made

    def _mint(self, table: Table) -> str:
        prefix = table.sobject.prefix
        self._minted[prefix] += 1
        return schema.mint_id(prefix, self._minted[prefix])

    def _commit(self, table: Table, row: Row, at: datetime) -> None:
        self._writes += 1
        late = self.late_visible_s > 0 and self._writes % self.late_every == 0
        table.put(row, at + timedelta(seconds=self.late_visible_s) if late else None)

    def _live(self, table: Table, id: str) -> Row:
        row = table.rows.get(schema.long_id(id))
        if row is None:
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        if row.get("IsDeleted"):
            raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
        return row

    def _stamp(self, row: Row, at: datetime, by: str | None) -> None:
        row["SystemModstamp"] = row["LastModifiedDate"] = wire_datetime(at)
        row["LastModifiedById"] = by or self.user_id

    def _bin(self, table: Table, row: Row, at: datetime, by: str | None, *, root: str) -> None:
        row = row | {"IsDeleted": True}
        self._stamp(row, at, by)
        table.bin[row["Id"]] = _Binned(at, root)
        table.deletions[row["Id"]] = at
        self._commit(table, row, at)

    def _children_of(self, id: str) -> Iterator[tuple[Table, Row, FieldDescription]]:
        """Yield live records that point to this one, each with the field that does."""
        target = self._by_prefix[id[:3]].sobject.name
        for table in self._tables.values():
            for described in table.sobject.references():
                if target in described["referenceTo"] and described["name"] != "MasterRecordId":
                    name = described["name"]
                    for row in table.pointing(name, id):
                        if not row.get("IsDeleted"):
                            yield table, row, described

    def _give_children(self, from_id: str, to_id: str, at: datetime) -> None:
        to_type = self._by_prefix[to_id[:3]].sobject.name
        for table, row, described in self._children_of(from_id):
            converted = described["name"].startswith("Converted")
            if to_type not in described["referenceTo"] or converted:
                continue
            # A record may point twice (who and account): start from what is there by now.
            given = table.rows[row["Id"]] | {described["name"]: to_id}
            if self.merge_moves_children:
                given["SystemModstamp"] = wire_datetime(at)
            table.put(given)

    def _checked(self, table: Table, fields: Mapping[str, Any], *, on_insert: bool = False) -> Row:
        """Return wire values of what a writer gave, or refuse them as the vendor does."""
        sobject = table.sobject
        checked: Row = {}
        unseen = self.unseen_fields(sobject.name)
        for given_name, value in fields.items():
            name = sobject.by_lower_name.get(given_name.lower())
            if name is None or name in unseen:
                raise ApiError(
                    400,
                    "INVALID_FIELD",
                    f"No such column '{given_name}' on sobject of type {sobject.name}",
                )
            described = sobject.fields[name]
            audit = name in {"CreatedDate", "CreatedById", "LastModifiedDate"} and on_insert
            if not (described["updateable"] or audit):
                raise ApiError(
                    400,
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {name}. Please check the security settings "
                    "of this field and verify that it is read/write for your profile or "
                    "permission set.",
                    [name],
                )
            checked[name] = self._coerced(described, value)
        return checked

    def _coerced(self, described: FieldDescription, value: Any) -> Any:
        kind, name = described["type"], described["name"]
        if kind == "boolean":
            return bool(value)
        if value is None or value == "":
            return None
        if kind == "datetime":
            return wire_datetime(value if isinstance(value, datetime) else parse_datetime(value))
        if kind == "date":
            if isinstance(value, datetime):
                value = value.astimezone(UTC).date()
            return (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()
        if kind in {"currency", "double", "percent"}:
            return round(float(value), described["scale"] or 2)
        if kind == "int":
            return int(value)
        if kind in {"reference", "id"}:
            return self._reference(described, str(value))
        text = str(value).strip() if kind in _SHORT_TEXT else str(value)
        if described["length"] and len(text) > described["length"]:
            raise ApiError(
                400,
                "STRING_TOO_LONG",
                f"{described['label']}: data value too large: {text[:80]} "
                f"(max length={described['length']})",
                [name],
            )
        if kind == "email" and text and not _EMAIL.fullmatch(text):
            message = f"{described['label']}: invalid email address: {text}"
            raise ApiError(400, "INVALID_EMAIL_ADDRESS", message, [name])
        return text or None

    def _reference(self, described: FieldDescription, text: str) -> str:
        name = described["name"]
        if len(text) not in {15, 18} or not text.isalnum():
            message = f"{described['label']}: id value of incorrect type: {text}"
            raise ApiError(400, "MALFORMED_ID", message, [name])
        key = schema.long_id(text)
        target = self._by_prefix.get(key[:3])
        if target is None or target.sobject.name not in described["referenceTo"]:
            message = f"{described['label']}: id value of incorrect type: {text}"
            raise ApiError(400, "FIELD_INTEGRITY_EXCEPTION", message, [name])
        # The first user is created by itself.
        if key not in target.rows and key != self.user_id:
            raise ApiError(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [name])
        return key

    def _require(self, table: Table, row: Row) -> None:
        missing = [
            name
            for name, described in table.sobject.fields.items()
            if not described["nillable"]
            and described["createable"]
            and described["type"] != "boolean"
            and row[name] is None
        ]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise ApiError(400, "REQUIRED_FIELD_MISSING", message, missing)

    def _derive(self, table: Table, row: Row, before: Row | None, at: datetime) -> None:
        """Fill in what the vendor computes from the fields just written."""
        if "FirstName" in row:
            row["Name"] = " ".join(part for part in (row["FirstName"], row["LastName"]) if part)
        match table.sobject.name:
            case "Opportunity":
                self._derive_opportunity(row, before, at)
            case "Case":
                row["CaseNumber"] = row["CaseNumber"] or f"{_CASE_NUMBERS_START + table.minted:08d}"
                closed = row["Status"].startswith("Closed")
                if not closed:
                    row["ClosedDate"] = None
                elif not row["IsClosed"]:
                    row["ClosedDate"] = wire_datetime(at)
                row["IsClosed"] = closed
                if row["AccountId"] is None and row["ContactId"] is not None:
                    row["AccountId"] = self._tables["Contact"].rows[row["ContactId"]]["AccountId"]
            case "Task":
                closed = row["Status"] == "Completed"
                if not closed:
                    row["CompletedDateTime"] = None
                elif not row["IsClosed"]:
                    row["CompletedDateTime"] = wire_datetime(at)
                row["IsClosed"] = closed
                row["IsHighPriority"] = row["Priority"] == "High"
                row["AccountId"] = self._account_of(row)
                if closed:
                    self._mark_activity(row, at)
            case "Event":
                self._derive_event(row)
                row["AccountId"] = self._account_of(row)
                self._mark_activity(row, at)
            case "EventRelation" | "TaskRelation":
                row["IsWhat"] = not row["RelationId"].startswith(("003", "00Q", "005"))
                if table.sobject.name == "EventRelation" and row["IsWhat"]:
                    row["IsParent"] = True
                elif table.sobject.name == "EventRelation":
                    row["IsInvitee"] = row["IsInvitee"] or not row["IsParent"]
            case "CampaignMember":
                responded = row["Status"] == "Responded"
                if responded and not row["HasResponded"]:
                    row["FirstRespondedDate"] = at.astimezone(UTC).date().isoformat()
                row["HasResponded"] = responded
            case _:
                pass

    def _derive_opportunity(self, row: Row, before: Row | None, at: datetime) -> None:
        stage = row["StageName"]
        if before is None or before["StageName"] != stage:
            probability, category = schema.STAGES.get(stage, (0, "Pipeline"))
            if before is not None or row["Probability"] is None:
                row["Probability"] = float(probability)
            row["ForecastCategory"] = category
            row["IsClosed"] = stage in {"Closed Won", "Closed Lost"}
            row["IsWon"] = stage == "Closed Won"
            if before is not None:
                row["LastStageChangeDate"] = wire_datetime(at)
        amount = row["Amount"]
        row["ExpectedRevenue"] = None if amount is None else float(
            round(Decimal(str(amount)) * Decimal(str(row["Probability"] or 0)) / 100, 2)
        )  # fmt: skip
        year, month = int(row["CloseDate"][:4]), int(row["CloseDate"][5:7])
        row["FiscalYear"], row["FiscalQuarter"] = year, (month - 1) // 3 + 1

    def _derive_event(self, row: Row) -> None:
        start = row["StartDateTime"] or row["ActivityDateTime"]
        if start is None:
            message = "Required fields are missing: [StartDateTime]"
            raise ApiError(400, "REQUIRED_FIELD_MISSING", message, ["StartDateTime"])
        begins = parse_datetime(start)
        if row["EndDateTime"] is None:
            row["EndDateTime"] = wire_datetime(begins + timedelta(minutes=row["DurationInMinutes"]))
        length = parse_datetime(row["EndDateTime"]) - begins
        row["DurationInMinutes"] = int(length.total_seconds() // 60)
        row["StartDateTime"] = start
        row["ActivityDateTime"] = None if row["IsAllDayEvent"] else start
        row["ActivityDate"] = start[:10]

    def _account_of(self, row: Row) -> str | None:
        """Return the account an activity counts for: of what it is about, else of whom."""
        for key in (row["WhatId"], row["WhoId"]):
            if key is not None and key.startswith("001"):
                return str(key)
            if key is not None:
                account = self._by_prefix[key[:3]].rows[key].get("AccountId")
                if account is not None:
                    return str(account)
        return None

    def _mark_activity(self, row: Row, at: datetime) -> None:
        """Move the parents' LastActivityDate, which moves no stamp of theirs."""
        day = row["ActivityDate"]
        if day is None or day > at.astimezone(UTC).date().isoformat():
            return
        for key in {row["WhoId"], row["WhatId"], row["AccountId"]} - {None}:
            table = self._by_prefix[key[:3]]
            parent = table.rows[key]
            if "LastActivityDate" in parent and (parent["LastActivityDate"] or "") < day:
                table.put(parent | {"LastActivityDate": day})
