"""A small organization's landing and control schemas, written straight into a DuckDB file.

Belongs here: hand-made records with every trap that staging, identity and the unified tables
must stand, and the shapes of the two schemas that dbt reads. Does not belong here: what must
come out (`test_golden`), or a generated world (the sandbox).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from connectors.base import LINK_BASES, VOLUNTEERED
from tests.dbt.control import control_columns

AS_OF = date(2026, 6, 30)
KNOWN_AT = datetime(2026, 7, 1, 6, tzinfo=UTC)
FIRST_SYNC = datetime(2026, 6, 1, tzinfo=UTC)

RECORD_STREAMS: Mapping[str, Sequence[str]] = {
    "salesforce": (
        "accounts", "contacts", "leads", "opportunities", "opportunity_contact_roles", "cases",
        "case_comments", "tasks", "events", "users", "campaigns", "campaign_members",
        "individuals", "contact_point_emails", "contact_point_phones", "contact_point_consents",
        "contact_point_type_consents", "account_contact_relations", "event_relations",
        "task_relations", "email_messages", "email_message_relations", "opportunity_history",
        "opportunity_field_history", "case_history", "account_history", "contact_history",
        "lead_history", "custom_objects",
    ),
    "hubspot": (
        "contacts", "companies", "deals", "tickets", "calls", "emails", "meetings", "notes",
        "tasks", "communications", "feedback_submissions", "associations", "subscription_statuses",
        "owners", "pipelines", "property_history", "subscription_types", "marketing_emails",
        "postal_mail", "campaigns", "lists", "list_memberships", "forms", "form_submissions",
        "email_events", "leads", "behavior_events", "custom_objects",
    ),
    "discourse": ("users", "topics", "posts", "categories", "likes", "revisions"),
    "bluesky": ("posts", "notifications", "reactions", "profiles"),
}  # fmt: skip
MAPPED_COLUMNS: Mapping[str, Sequence[str]] = {
    "people": "id name given_name family_name email email_verified phone external_id birth_date"
    " personal_number house_number street postcode city organization kind is_staff is_bot owner"
    " created_at custom".split(),
    "organizations": "id name domain kind parent owner industry renewal_date renewal_amount"
    " created_at custom".split(),
    "interactions": "id person to_person organization occurred_at kind channel place direction"
    " in_reply_to thread accepts visibility prompted".split(),
    "purchases": "id person organization occurred_at amount currency".split(),
    "logins": "id person organization occurred_at product".split(),
    "cases": "id person organization owner opened_at closed_at status priority channel".split(),
    "deals": "id organization person owner name stage amount currency is_closed is_won"
    " created_at closed_at".split(),
    "survey_answers": "id person organization occurred_at survey kind question score scale_low"
    " scale_high channel".split(),
    "commitments": "id person organization owner kind made_by made_at due_at fulfilled_at"
    " is_fulfilled is_called_off".split(),
    "messages_sent": "id person organization occurred_at message campaign channel".split(),
    "message_responses": "id person organization occurred_at kind message_sent"
    " is_automatic".split(),
    "interests": "id person interest occurred_at".split(),
    "memberships": "id person organization role started_at ended_at".split(),
}
_LANDED = {
    "_source": "varchar",
    "_stream": "varchar",
    "_key": "varchar",
    "_seq": "bigint",
    "_op": "varchar",
    "_merged_into": "varchar",
    "_version": "timestamptz",
    "_loaded_at": "timestamptz",
    "_sync_id": "varchar",
}


def by_address(beginning: str, address: str) -> str:
    """Return the profile key of somebody of whom an address is all that is known."""
    return f"{beginning}:mailto:{hashlib.sha256(address.encode()).hexdigest()}"


@dataclass
class Landing:
    """Rows for the `landing` views and `control` tables of one build.

    `add` and `delete` take a view (`salesforce__contacts`), so a test reads like a log.
    """

    sources: Mapping[str, tuple[str, str]]
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    control: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    _seq: int = 0

    def add(
        self,
        view: str,
        record: Mapping[str, Any] | str,
        *,
        key: str | None = None,
        source: str | None = None,
        stream: str | None = None,
        version: datetime = FIRST_SYNC,
        loaded_at: datetime = FIRST_SYNC,
    ) -> None:
        """Land one version of a record; a text is taken as the record's JSON as it stands."""
        kind, target = view.split("__")
        values = json.loads(record) if isinstance(record, str) else record
        name = key or str(values.get("Id", values.get("id")))
        content: tuple[Any, ...] = (
            tuple(values.get(column) for column in MAPPED_COLUMNS[target])
            if kind == "mapped"
            else (record if isinstance(record, str) else json.dumps(record),)
        )
        at = (version, loaded_at)
        self._land(view, source, stream or target, name, "upsert", None, *at, content)

    def delete(
        self,
        view: str,
        key: str,
        *,
        merged_into: str | None = None,
        source: str | None = None,
        stream: str | None = None,
        at: datetime = FIRST_SYNC + timedelta(days=1),
    ) -> None:
        """Land a tombstone."""
        kind, target = view.split("__")
        content = (None,) * (len(MAPPED_COLUMNS[target]) if kind == "mapped" else 1)
        name = stream or target
        self._land(view, source, name, key, "delete", merged_into, at, at, content)

    def add_file(self, view: str, path: Path, *, loaded_at: datetime) -> None:
        """Land what a sync landed, as if at this time.

        What has no stamp of the source's own is versioned by the time of reading.
        """
        source, stream = path.parts[-3:-1]
        for row in pq.read_table(path).to_pylist():
            is_read = row["_version"] == row["_loaded_at"]
            version = loaded_at if is_read else row["_version"]
            at = (version, loaded_at)
            op, merged_into = row["_op"], row["_merged_into"]
            self._land(view, source, stream, row["_key"], op, merged_into, *at, (row["record"],))

    def _land(
        self,
        view: str,
        source: str | None,
        stream: str,
        key: str,
        op: str,
        merged_into: str | None,
        version: datetime,
        loaded_at: datetime,
        content: tuple[Any, ...],
    ) -> None:
        kind = view.split("__")[0]
        name = source or next(
            name for name, (source_type, _) in self.sources.items()
            if source_type == ("files" if kind == "mapped" else kind)
        )  # fmt: skip
        self._seq += 1
        self.rows.setdefault(view, []).append(
            (name, stream, key, self._seq, op, merged_into, version, loaded_at, "s1", *content)
        )

    def write(self, database: Path) -> None:
        """Create or replace both schemas in `database`; tables without rows are typed and empty."""
        with duckdb.connect(str(database)) as connection:
            connection.execute("set timezone = 'UTC'")
            for schema in ("landing", "control"):
                connection.execute(f"create schema if not exists {schema}")
            for view, columns in _landing_columns():
                _table(connection, f"landing.{view}", columns, self.rows.get(view, []))
            control = {
                "run": [(AS_OF, KNOWN_AT)],
                "snapshots": [(AS_OF, "as_known")],
                "sources": [
                    (name, source_type, silo, name.title(), KNOWN_AT, True)
                    for name, (source_type, silo) in self.sources.items()
                ],
                "link_policy": [
                    (name, silo != "social", basis)
                    for name, (_, silo) in self.sources.items()
                    for basis in (VOLUNTEERED if silo == "social" else LINK_BASES)
                ],
                **self.control,
            }
            for name, columns in control_columns().items():
                _table(connection, f"control.{name}", columns, control.get(name, []))


def _landing_columns() -> Iterable[tuple[str, str]]:
    head = ", ".join(f"{name} {kind}" for name, kind in _LANDED.items())
    for source_type, streams in RECORD_STREAMS.items():
        for stream in streams:
            yield f"{source_type}__{stream}", f"{head}, record varchar"
    for target, columns in MAPPED_COLUMNS.items():
        yield f"mapped__{target}", head + "".join(f", {name} varchar" for name in columns)


def _table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: str,
    rows: Sequence[tuple[Any, ...]],
) -> None:
    connection.execute(f"create or replace table {name} ({columns})")
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"insert into {name} values ({marks})", rows)


def sf_id(prefix: str, number: int) -> str:
    """Return an 18-character id of an object; the last three only look like a checksum."""
    return f"{prefix}gL0{number:09d}AAA"


def sf_time(text: str) -> str:
    """Return a time as Salesforce writes it, from `2026-01-31 09:12`."""
    return text.replace(" ", "T") + ":00.000+0000"


ACCOUNT, CONTACT, LEAD, DEAL, CASE, TASK, EVENT, USER, GUEST = (
    "001", "003", "00Q", "006", "500", "00T", "00U", "005", "0RE",
)  # fmt: skip


def tricky() -> Landing:
    """Return the organization whose expected tables `test_golden` holds."""
    landing = Landing(
        {
            "crm": ("salesforce", "crm"),
            "old_crm": ("salesforce", "crm"),
            "forum": ("discourse", "forum"),
            "shop": ("files", "orders"),
        }
    )
    landing.control = {
        "own_domains": [("acme.com",)],
        "settings": [("phone_region", "US"), ("currency", "EUR")],
        "segment_rules": [("tier", "custom", "Tier__c"), ("kind", "column", "party_kind")],
        "custom_fields": [
            ("crm", "accounts", "Renewal_Date__c", "date", "none"),
            ("crm", "accounts", "Renewal_Amount__c", "decimal", "none"),
            ("crm", "accounts", "Tier__c", "text", "none"),
            ("crm", "accounts", "Plan__c", "text", "none"),
            ("crm", "contacts", "Level__c", "text", "none"),
            ("crm", "contacts", "Nick__c", "text", "direct"),
            ("crm", "leads", "Level__c", "text", "none"),
            ("crm", "leads", "Origin__c", "json", "none"),
            ("crm", "plan__c", "Account__c", "text", "pseudonym"),
            ("crm", "plan__c", "Buyer__c", "text", "pseudonym"),
            ("crm", "plan__c", "Lead__c", "text", "pseudonym"),
            ("crm", "plan__c", "Price__c", "decimal", "none"),
            ("crm", "plan__c", "Seats__c", "integer", "none"),
            ("crm", "plan__c", "Is_Trial__c", "boolean", "none"),
            ("crm", "plan__c", "Ends_On__c", "date", "none"),
            ("old_crm", "plan__c", "Account__c", "text", "pseudonym"),
            ("old_crm", "plan__c", "Seats__c", "text", "none"),
            ("shop", "members", "hobbies", "text", "none"),
            ("shop", "members", "about", "text", "text"),
        ],
        # two sources call an object by the name of one's field
        "private_stems": [("religion", "church"), ("politics", "democrat")],
        "custom_objects": [
            ("crm", "plan__c", "Plan__c"),
            ("old_crm", "plan__c", "Plan__c"),
        ],
        "column_meanings": [
            ("crm", "accounts", "Renewal_Date__c", "renewal_date"),
            ("crm", "accounts", "Renewal_Amount__c", "renewal_amount"),
            ("shop", "members", "hobbies", "interest"),
            ("shop", "members", "about", "interest"),
        ],
    }
    _crm(landing)
    _activities(landing)
    _forum(landing)
    _shop(landing)
    return landing


def _crm(landing: Landing) -> None:
    created = {"CreatedDate": sf_time("2024-01-10 08:00")}
    dana, robot = sf_id(USER, 1), sf_id(USER, 2)
    landing.add(
        "salesforce__users",
        {
            "Id": dana,
            "Name": "Dana Scully",
            "FirstName": "Dana",
            "LastName": "Scully",
            "Email": "dana@acme.com",
            "UserType": "Standard",
            **created,
        },
    )
    landing.add(
        "salesforce__users",
        {"Id": robot, "Name": "Automated Process", "UserType": "AutomatedProcess", **created},
    )

    globex, initech, old_globex, older_globex = (sf_id(ACCOUNT, n) for n in (1, 2, 3, 4))
    # digits that a float would lose, and no zero dropped
    landing.add(
        "salesforce__accounts",
        f'{{"Id": "{globex}", "Name": "Globex", "Type": "Customer - Direct", "OwnerId": "{dana}", '
        '"Website": "https://www.Globex.com/about", "Renewal_Date__c": "2026-09-30", '
        '"Renewal_Amount__c": 1234567890123456.78, "Tier__c": "Gold \\"A\\"", "Plan__c": "Mill", '
        '"CreatedDate": "2024-01-10T08:00:00.000+0000"}',
    )
    landing.add(
        "salesforce__accounts",
        {
            "Id": initech,
            "Name": "Initech",
            "Type": "Prospect",
            "OwnerId": "00GgL0000000001AAA",
            "Website": "gmail.com",
            **created,
        },
    )
    for number, name in ((old_globex, "Globex Inc"), (older_globex, "Globex Corp")):
        landing.add("salesforce__accounts", {"Id": number, "Name": name, **created})
    landing.delete("salesforce__accounts", older_globex, merged_into=old_globex)
    landing.delete("salesforce__accounts", old_globex, merged_into=globex)

    def contact(number: int, **more: Any) -> dict[str, Any]:
        given = {"Id": sf_id(CONTACT, number), "AccountId": globex, "OwnerId": dana, **created}
        return given | more

    robert = contact(
        1,
        Name="Robert Miller",
        FirstName="Robert",
        LastName="Miller",
        Email="bob.miller@globex.com",
        Title="CTO",
        Level__c="Ä \t1",
    )
    landing.add("salesforce__contacts", robert)
    # a later version cannot be typed: the first stays current
    landing.add(
        "salesforce__contacts",
        robert | {"Title": "CEO", "CreatedDate": "yesterday"},
        version=FIRST_SYNC + timedelta(days=3),
        loaded_at=FIRST_SYNC + timedelta(days=3),
    )
    ann = contact(2, Name="Ann Lee", FirstName="Ann", LastName="Lee", Email="ann.lee@globex.com")
    landing.add("salesforce__contacts", ann)
    moved = datetime(2026, 6, 10, tzinfo=UTC)
    landing.add(
        "salesforce__contacts", ann | {"AccountId": initech}, version=moved, loaded_at=moved
    )
    # known only after `known_at`
    landing.add(
        "salesforce__contacts",
        ann | {"Title": "from the future"},
        version=KNOWN_AT + timedelta(days=1),
        loaded_at=KNOWN_AT + timedelta(days=1),
    )
    landing.add(
        "salesforce__contacts",
        contact(
            3, Name="Jonathan Smith", FirstName="Jonathan", LastName="Smith", Phone="(415) 555-2671"
        ),
    )
    landing.add(
        "salesforce__contacts",
        contact(
            4,
            Name="Maria Garcia",
            FirstName="Maria",
            LastName="Garcia",
            Email="support@globex.com",
            Phone="+1 415 555 2671",
        ),
    )
    landing.add(
        "salesforce__contacts",
        contact(
            5,
            Name="R. Miller",
            FirstName="R.",
            LastName="Miller",
            Email="r.miller@initech.com",
            Nick__c="Rob",
        ),
    )
    landing.delete("salesforce__contacts", sf_id(CONTACT, 5), merged_into=sf_id(CONTACT, 1))
    # two who left and whose records stayed: one left before we looked, one came back
    gone = {"Title": "No longer with the company"}
    hans = contact(6, Name="Hans Weber", LastName="Weber", Email="hans.weber@globex.com")
    noted = datetime(2026, 3, 1, tzinfo=UTC)
    landing.add("salesforce__contacts", hans | gone, version=noted, loaded_at=FIRST_SYNC)
    nora = contact(7, Name="Nora Berg", LastName="Berg", Email="nora.berg@globex.com")
    for day, more in ((1, {"Title": "Buyer"}), (10, gone), (20, {"Title": "Head of Buying"})):
        at = datetime(2026, 6, day, tzinfo=UTC)
        landing.add("salesforce__contacts", nora | more, version=at, loaded_at=at)

    landing.add(
        "salesforce__leads",
        {
            "Id": sf_id(LEAD, 1),
            "Name": "Bob Miller",
            "FirstName": "Bob",
            "LastName": "Miller",
            "Company": "Globex",
            "IsConverted": True,
            "ConvertedContactId": sf_id(CONTACT, 1),
            "ConvertedAccountId": globex,
            "Level__c": "2",
            "Origin__c": {"fair": ["Köln", 2026]},
            "CreatedDate": sf_time("2023-12-01 08:00"),
        },
    )
    landing.add(
        "salesforce__leads",
        {
            "Id": sf_id(LEAD, 2),
            "Name": "Smith, Jon",
            "Company": "Smith & Co",
            "Phone": "1-415-555-2671",
            "OwnerId": dana,
            **created,
        },
    )
    landing.add(
        "salesforce__leads",
        {
            "Id": sf_id(LEAD, 3),
            "Name": "Ann",
            "LastName": "Ann",
            "Email": "ann.lee@globex.com",
            **created,
        },
    )

    _plans(landing, globex)
    landing.add(
        "salesforce__opportunities",
        {
            "Id": sf_id(DEAL, 1),
            "AccountId": globex,
            "OwnerId": dana,
            "Name": "Renewal",
            "StageName": "Closed Won",
            "Amount": 1000.5,
            "CloseDate": "2026-05-01",
            "IsClosed": True,
            "IsWon": True,
            **created,
        },
    )
    landing.add(
        "salesforce__opportunities",
        {
            "Id": sf_id(DEAL, 2),
            "AccountId": initech,
            "OwnerId": dana,
            "Name": "New",
            "StageName": "Prospecting",
            "Amount": None,
            "CloseDate": "2026-12-01",
            "IsClosed": False,
            "IsWon": False,
            **created,
        },
    )
    landing.add(
        "salesforce__opportunity_contact_roles",
        {
            "Id": "00K1",
            "OpportunityId": sf_id(DEAL, 1),
            "ContactId": sf_id(CONTACT, 1),
            "Role": "Decision Maker",
            "IsPrimary": True,
        },
    )


def _plans(landing: Landing, globex: str) -> None:
    """Land a custom object of two sources, and the other's record of the organization."""
    old = sf_id(ACCOUNT, 9)
    account = {"Id": old, "Name": "GLOBEX", "Website": "globex.com"}
    landing.add("salesforce__accounts", account, source="old_crm")

    def plan(number: int, source: str, fields: str) -> None:
        record = f'{{"Id": "{sf_id("a0P", number)}", {fields}}}'
        landing.add("salesforce__custom_objects", record, source=source, stream="plan__c")

    plan(2, "crm", f'"Account__c": "{globex}", "Seats__c": 3.0, "Is_Trial__c": false')
    plan(
        1,
        "crm",
        f'"Account__c": "{globex}", "Buyer__c": "{sf_id(CONTACT, 1)}", '
        f'"Lead__c": "{sf_id(LEAD, 1)}", "Price__c": 1234567890123456.78, "Seats__c": 12, '
        '"Is_Trial__c": true, "Ends_On__c": "2026-09-30"',
    )
    plan(3, "old_crm", f'"Account__c": "{old}", "Seats__c": "some \\"seats\\""')
    plan(4, "crm", f'"Account__c": "{globex}", "Seats__c": 4')
    landing.delete("salesforce__custom_objects", sf_id("a0P", 4), source="crm", stream="plan__c")


def _activities(landing: Landing) -> None:
    dana, robot = sf_id(USER, 1), sf_id(USER, 2)
    opened = sf_time("2026-06-01 10:00")
    landing.add(
        "salesforce__cases",
        {
            "Id": sf_id(CASE, 1),
            "AccountId": sf_id(ACCOUNT, 3),
            "ContactId": sf_id(CONTACT, 1),
            "OwnerId": dana,
            "Status": "Closed",
            "Priority": "High",
            "Origin": "Email",
            "IsClosed": True,
            "CreatedDate": opened,
            "ClosedDate": sf_time("2026-06-02 10:00"),
        },
    )
    landing.add(
        "salesforce__cases",
        {
            "Id": sf_id(CASE, 2),
            "OwnerId": "00GgL0000000001AAA",
            "Status": "New",
            "Origin": "Web",
            "IsClosed": False,
            "SuppliedName": "B. Miller",
            "SuppliedEmail": "BOB.Miller@globex.com",
            "CreatedDate": opened,
        },
    )
    for number, author, published, minute in (
        (1, robot, True, "01"), (2, dana, False, "05"), (3, dana, True, "30"),
    ):  # fmt: skip
        landing.add(
            "salesforce__case_comments",
            {
                "Id": f"00a{number}",
                "ParentId": sf_id(CASE, 1),
                "CreatedById": author,
                "IsPublished": published,
                "CreatedDate": sf_time(f"2026-06-01 10:{minute}"),
            },
        )
    common = {"OwnerId": dana, "IsClosed": True, "CreatedDate": sf_time("2026-05-05 12:00")}
    landing.add(
        "salesforce__tasks",
        {
            "Id": sf_id(TASK, 1),
            "WhoId": sf_id(CONTACT, 2),
            "TaskSubtype": "Call",
            "CallType": "Inbound",
            "ActivityDate": "2026-05-04",
            **common,
        },
    )
    landing.add(
        "salesforce__tasks",
        {
            "Id": sf_id(TASK, 2),
            "WhoId": sf_id(CONTACT, 2),
            "TaskSubtype": "Email",
            "CompletedDateTime": "2026-06-20T09:00:00.000Z",
            **common,
        },
    )
    landing.add(
        "salesforce__tasks",
        {
            "Id": sf_id(TASK, 3),
            "WhoId": sf_id(CONTACT, 2),
            "TaskSubtype": "Task",
            "ActivityDate": "2026-07-30",
            **common,
            "IsClosed": False,
        },
    )
    landing.add(
        "salesforce__events",
        {
            "Id": sf_id(EVENT, 1),
            "WhoId": sf_id(LEAD, 2),
            "WhatId": sf_id(DEAL, 2),
            "OwnerId": dana,
            "StartDateTime": sf_time("2026-07-15 09:00"),
            "CreatedDate": sf_time("2026-06-15 09:00"),
        },
    )
    landing.add(
        "salesforce__events",
        {
            "Id": sf_id(EVENT, 2),
            "IsChild": True,
            "OwnerId": dana,
            "StartDateTime": sf_time("2026-07-15 09:00"),
        },
    )
    # whom the event itself names, what it is about, two records of one person, one who will not
    # come, one who was taken off, a room, a program, and its owner
    for number, (who, more) in enumerate(
        (
            (sf_id(LEAD, 2), {"IsParent": True}),
            (sf_id(DEAL, 2), {"IsParent": True, "IsWhat": True}),
            (sf_id(CONTACT, 1), {"Status": "Accepted"}),
            (sf_id(CONTACT, 5), {}),
            (sf_id(CONTACT, 2), {"Status": "Declined"}),
            (sf_id(CONTACT, 3), {}),
            ("023gL0000000001AAA", {}),
            (robot, {}),
            (dana, {}),
            (sf_id(CONTACT, 4), {"Status": "New"}),
        ),
        start=1,
    ):
        relation = {"Id": sf_id(GUEST, number), "EventId": sf_id(EVENT, 1), "RelationId": who}
        landing.add("salesforce__event_relations", relation | more)
    landing.delete("salesforce__event_relations", sf_id(GUEST, 6))
    for number, task in enumerate((1, 2, 3), start=1):
        shared = {
            "Id": f"0RT{number}",
            "TaskId": sf_id(TASK, task),
            "RelationId": sf_id(CONTACT, 3),
        }
        landing.add("salesforce__task_relations", shared | {"CreatedDate": opened})
    for number, (changed, old, new) in enumerate(
        (
            ("created", None, None),
            ("Owner", "00GgL0000000001AAA", dana[:15]),
            ("Owner", "Support", "Dana Scully"),
            ("Status", "New", "Working on it"),
            ("ownerEscalated", dana, "00GgL0000000001AAA"),
            ("Owner", "Dana Scully", "Dr. Dana Scully, MD"[:18]),
        )
    ):
        change = {"CaseId": sf_id(CASE, 1), "Field": changed, "OldValue": old, "NewValue": new}
        stamp = {"CreatedById": robot, "CreatedDate": sf_time(f"2026-06-01 10:1{number}")}
        landing.add("salesforce__case_history", {"Id": f"017{number}"} | change | stamp)


def _forum(landing: Landing) -> None:
    def user(number: int, username: str, **more: Any) -> None:
        landing.add(
            "discourse__users",
            {
                "id": number,
                "username": username,
                "active": True,
                "created_at": "2025-03-01T00:00:00.000Z",
            }
            | more,
        )

    user(-1, "system", name="system")
    user(1, "bobby", name="Bob Miller", email="Bob.Miller+forum@globex.com")
    user(2, "eve", name="Eve Adams", email="ann.lee@globex.com")  # the address was given on
    user(
        3,
        "annie",
        email="annie@gmail.com",
        single_sign_on_record={"external_id": sf_id(CONTACT, 2)[:15]},
    )
    user(4, "late", name="Lena Late", email="lena@initech.com", active=False)
    user(5, "dscully", name="Dana Scully", email="dana@acme.com", moderator=True)
    user(6, "helper", name="Globex Support", email="support@globex.com")
    user(7, "wen", name="Wen Wu", email="wen@globex.com")
    user(8, "newbie", email="N.ew+forum@googlemail.com")

    def topic(number: int, **more: Any) -> None:
        landing.add(
            "discourse__topics",
            {
                "id": number,
                "category_id": 4,
                "archetype": "regular",
                "has_accepted_answer": False,
                "created_at": "2026-06-01T00:00:00.000Z",
            }
            | more,
        )

    for number, name, parent in ((3, "Help", None), (4, "Warping", 3)):
        more = {"parent_category_id": parent} if parent else {}
        landing.add("discourse__categories", {"id": number, "name": name, **more})

    topic(10, has_accepted_answer=True)
    topic(11, category_id=9)
    topic(12, archetype="private_message")

    def post(key: int, number: int, user_id: int, topic_id: int = 10, **more: Any) -> None:
        landing.add(
            "discourse__posts",
            {
                "id": key,
                "topic_id": topic_id,
                "post_number": number,
                "user_id": user_id,
                "post_type": 1,
                "username": f"u{user_id}",
                "created_at": f"2026-06-02T{number:02d}:00:00.000Z",
            }
            | more,
        )

    post(100, 1, 1)
    post(101, 2, 2, accepted_answer=True)
    post(102, 3, 5, reply_to_post_number=2, moderator=True, staff=True)
    post(103, 4, 99)  # an author whom the list does not show
    post(104, 5, 1, reply_to_post_number=2)
    post(105, 6, 5, post_type=4)  # a whisper
    post(106, 7, -1, post_type=3)
    post(107, 8, 7, reply_to_post_number=50)  # what it replied to is gone
    post(108, 9, -1)
    post(109, 10, 7, deleted_at="2026-06-03T00:00:00.000Z")
    post(110, 1, 5, topic_id=11, staff=True)
    post(111, 2, 7, topic_id=11)
    post(120, 1, 1, topic_id=12)
    landing.delete("discourse__posts", "103")


def _shop(landing: Landing) -> None:
    landing.add(
        "mapped__purchases",
        {
            "id": "1",
            "person": "shop:orders:mailto:bob.miller@globex.com",
            "occurred_at": "2026-06-05T10:00:00Z",
            "amount": "19.99",
        },
        stream="orders",
    )
    landing.add(
        "mapped__purchases",
        {
            "id": "2",
            "person": "shop:orders:mailto:new@gmail.com",
            "occurred_at": "2026-06-06T10:00:00Z",
            "amount": "5",
            "currency": "usd",
        },
        stream="orders",
    )
    landing.add(
        "mapped__purchases",
        {"id": "3", "person": "shop:orders:77", "occurred_at": "2026-06-07", "amount": "a lot"},
        stream="orders",
    )
    landing.add(
        "mapped__purchases",
        {
            "id": "4",
            "person": "shop:orders:mailto:bob.miller@globex.com",
            "organization": "shop:firms:Hooli",
            "occurred_at": "2026-06-06T10:00:00Z",
            "amount": "7",
        },
        stream="orders",
    )
    for key, at in (("l1", "2026-06-05T08:00:00Z"), ("l2", "soon"), ("l3", "2026-06-06T08:00:00Z")):
        login = {"person": "shop:orders:mailto:bob.miller@globex.com", "product": "Editor"}
        landing.add("mapped__logins", {"id": key, "occurred_at": at, **login}, stream="logins")
    landing.delete("mapped__logins", "l3")
    landing.add(
        "mapped__organizations",
        {"id": "Hooli", "name": "Hooli", "kind": "customer", "owner": "shop:agents:Gavin Belson"},
        stream="firms",
    )
    landing.add(
        "mapped__deals",
        {
            "id": "d1",
            "organization": "shop:firms:Hooli",
            "owner": "shop:agents:Gavin Belson",
            "stage": "Won",
            "amount": "12",
            "is_closed": "true",
            "is_won": "true",
            "created_at": "2026-01-01",
            "closed_at": "2026-02-01",
        },
        stream="deals",
    )
    for key, record in {
        "q1": {"person": "shop:members:1", "kind": "question", "channel": "forum",
               "occurred_at": "2026-06-01T10:00:00Z", "accepts": "shop:qa:a2"},
        "a1": {"person": "shop:members:2", "kind": "answer", "channel": "forum",
               "occurred_at": "2026-06-01T11:00:00Z", "in_reply_to": "shop:qa:q1"},
        "a2": {"person": "shop:members:3", "kind": "answer", "channel": "forum",
               "occurred_at": "2026-06-01T12:00:00Z", "in_reply_to": "shop:qa:q1"},
        # the asker's account is gone
        "q2": {"kind": "question", "channel": "forum", "occurred_at": "2026-06-02T10:00:00Z"},
        "a3": {"person": "shop:members:2", "kind": "answer", "channel": "forum",
               "occurred_at": "2026-06-02T11:00:00Z", "in_reply_to": "shop:qa:q2"},
        "c1": {"person": "shop:members:1", "kind": "comment", "channel": "forum",
               "occurred_at": "2026-06-01T13:00:00Z", "in_reply_to": "shop:qa:a1"},
    }.items():  # fmt: skip
        landing.add("mapped__interactions", {"id": key, **record}, stream="qa")
    told = json.dumps({"hobbies": "Chess; sea Kayaking;;chess", "about": "I am tired"})
    landing.add(
        "mapped__people", {"id": "1", "name": "Nora Quill", "custom": told}, stream="members"
    )
    for key, (interest, day) in {
        "i1": ("chess", "2026-06-02"),
        "i2": ("Dyeing", None),
        "i3": (" ", "2026-06-02"),
        "i4": ("weaving", "2024-06-29"),  # two years and a day ago
        "i5": ("lace", "2024-06-30"),
        "i6": ("Chùrch-choir", "2026-06-02"),
        "i7": ("d3m0crats; felting", "2026-06-02"),
    }.items():
        told_us = {"id": key, "person": "shop:members:1", "interest": interest, "occurred_at": day}
        landing.add("mapped__interests", told_us, stream="hobbies")
    _survey(landing)
    _promises(landing)
    _mailings(landing)
    _consents(landing)
    # one row of an export that shows a firm and its only person
    landing.add("mapped__organizations", {"id": "ALFKI", "name": "Alfreds"}, stream="customers")
    landing.add(
        "mapped__people",
        {"id": "ALFKI", "name": "Maria Anders", "organization": "shop:customers:ALFKI"},
        stream="customers",
    )


def _survey(landing: Landing) -> None:
    """Let four answers come in: one without a name, one without a time, one taken back."""
    for key, more in {
        "s1": {"person": "shop:orders:mailto:bob.miller@globex.com", "score": "10", "kind": "NPS"},
        "s2": {"score": "4", "kind": "CSAT", "scale_low": "1", "scale_high": "5"},
        "s3": {"person": "shop:members:1", "score": "much"},
        "s4": {"person": "shop:members:1", "occurred_at": None},
        "s5": {"person": "shop:members:1"},
    }.items():
        answer = {"id": key, "survey": "2026", "occurred_at": "2026-06-08T10:00:00Z", **more}
        landing.add("mapped__survey_answers", answer, stream="survey")
    landing.delete("mapped__survey_answers", "s5", stream="survey")


def _promises(landing: Landing) -> None:
    """Let tasks be done at the end of the day they were due, just after it, and as a log alone."""
    for number, more in enumerate(
        [
            {"CompletedDateTime": "2026-06-10T22:00:00.000Z"},
            {"CompletedDateTime": "2026-06-11T00:30:00.000Z"},
            {"CompletedDateTime": "2026-06-01T08:00:20.000Z"},  # logged when it was over
            {"CompletedDateTime": "2026-06-10T09:00:00.000Z", "WhoId": None},  # about nobody
            {"ActivityDate": "1900-01-01", "IsClosed": False},
        ],
        start=11,
    ):
        task = {
            "Id": sf_id(TASK, number),
            "WhoId": sf_id(CONTACT, 2),
            "OwnerId": sf_id(USER, 1),
            "TaskSubtype": "Task",
            "ActivityDate": "2026-06-10",
            "CreatedDate": sf_time("2026-06-01 08:00"),
            "IsClosed": True,
        }
        landing.add("salesforce__tasks", task | more)
    for key, promise in {
        "p1": {"due_at": "2026-06-10", "fulfilled_at": "2026-06-09", "made_by": "them"},
        "p2": {"due_at": "2026-06-10", "is_fulfilled": "true"},
        "p3": {"due_at": "2026-06-10", "is_called_off": "true", "fulfilled_at": "2026-06-09"},
        "p4": {"due_at": None},
        "p5": {"due_at": "2026-06-10"},
    }.items():
        record = {"id": key, "organization": "shop:firms:Hooli", "kind": "Delivery", **promise}
        landing.add("mapped__commitments", record, stream="promises")
    landing.delete("mapped__commitments", "p5", stream="promises")
    # a desk that exports its cases and nothing that is done on them
    case = {"person": "shop:members:1", "opened_at": "2026-06-09T09:00:00Z", "status": "new"}
    landing.add("mapped__cases", {"id": "k1", **case}, stream="desk")


def _mailings(landing: Landing) -> None:
    """Let a campaign run and another be planned, and a mailing's results be exported."""
    for number, status in ((1, "Completed"), (2, "Planned")):
        campaign = {"Name": f"Spring {number}", "Type": "Webinar", "StartDate": "2026-05-10"}
        record = {"Id": sf_id("701", number), **campaign, "Status": status}
        landing.add("salesforce__campaigns", record)
    for number, more in enumerate(
        [
            # asked on the first day, answered on it
            {"ContactId": sf_id(CONTACT, 2), "HasResponded": True,
             "FirstRespondedDate": "2026-05-10"},
            # a late guest, asked when the campaign ran
            {"LeadId": sf_id(LEAD, 1), "CreatedDate": sf_time("2026-05-12 10:00")},
            {"CampaignId": sf_id("701", 2), "ContactId": sf_id(CONTACT, 2)},
            {"ContactId": sf_id(CONTACT, 1)},
        ],
        start=1,
    ):  # fmt: skip
        member = {"Id": sf_id("00v", number), "CampaignId": sf_id("701", 1),
                  "CreatedDate": sf_time("2026-05-01 10:00")}  # fmt: skip
        landing.add("salesforce__campaign_members", member | more)
    landing.delete("salesforce__campaign_members", sf_id("00v", 4))
    bob = "shop:orders:mailto:bob.miller@globex.com"
    sent = {"person": bob, "message": "June news", "occurred_at": "2026-06-15T09:00:00Z"}
    landing.add("mapped__messages_sent", {"id": "m1", **sent}, stream="mails")
    for key, more in {
        "r1": {"kind": "Open", "message_sent": "shop:mails:m1", "is_automatic": "true"},
        "r2": {"kind": "click", "message_sent": "shop:mails:m0"},
        "r3": {"kind": "click", "message_sent": "shop:mails:m1", "occurred_at": "later"},
    }.items():
        response = {"id": key, "occurred_at": "2026-06-15T09:00:02Z", **more}
        landing.add("mapped__message_responses", response, stream="events")


def _consents(landing: Landing) -> None:
    """Let a lead be taken off the list and put back, and an individual answer three times."""
    individual, lead = sf_id("0PK", 1), {"Name": "Ida Falk", "IndividualId": sf_id("0PK", 1)}
    for day, is_out in ((2, False), (3, True), (4, True), (5, False)):
        at = datetime(2026, 6, day, tzinfo=UTC)
        flags = {"HasOptedOutOfEmail": is_out, "DoNotCall": False}
        record = {"Id": sf_id(LEAD, 11), **lead, **flags}
        landing.add("salesforce__leads", record, version=at, loaded_at=at)
    landing.add("salesforce__individuals", {"Id": individual, "HasOptedOutProfiling": True})
    landing.add(
        "salesforce__contact_point_phones",
        {"Id": sf_id("0OX", 1), "ParentId": individual, "TelephoneNumber": "+14155550199"},
    )
    captured = {"CaptureDate": sf_time("2026-05-01 10:00")}
    for number, more in enumerate(
        [
            {"ContactPointId": sf_id("0OX", 1), "PrivacyConsentStatus": "OptIn",
             "EffectiveTo": sf_time("2026-12-31 00:00")},
            {"ContactPointId": sf_id(LEAD, 11), "PrivacyConsentStatus": "Seen"},
            {"ContactPointId": sf_id(LEAD, 11), "PrivacyConsentStatus": "OptOut"},
        ],
        start=1,
    ):  # fmt: skip
        consent = {"Id": sf_id("0ZU", number), "DataUsePurposeId": sf_id("0ZW", 1), **captured}
        landing.add("salesforce__contact_point_consents", consent | more)
    landing.add(
        "salesforce__contact_point_type_consents",
        {"Id": sf_id("0ZX", 1), "PartyId": individual, "ContactPointType": "Web",
         "PrivacyConsentStatus": "OptIn", **captured},
    )  # fmt: skip
