"""The stage of a Salesforce org.

Contacts stand for what goes through the bin, relations of a task for what skips it, the history of
cases for what is only ever added.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from unittest import mock

from starlette.types import ASGIApp

from connectors.base import CustomField
from rapport.conformance.stage import ROWS_PER_PAGE, Emulated, Truth
from sandbox import salesforce
from sandbox.salesforce import Org
from sandbox.salesforce import http as server
from sandbox.salesforce.org import ApiError

_OBJECTS = {"contacts": "Contact", "task_relations": "TaskRelation", "case_history": "CaseHistory"}
_TYPES = {"integer": "int", "decimal": "double", "timestamp": "datetime", "json": "textarea",
          "text": "string"}  # fmt: skip


class Stage(Emulated):
    """An org with contacts, and with the fields and objects that the settings name.

    Each contact shares one task with all the others, and something happens to a case of its own
    whenever it changes. The verbs' names are ids of contacts.
    """

    type = vendor = "salesforce"
    streams = tuple(_OBJECTS)
    kinds: ClassVar = {
        "limited": ("limit_concurrent", "429"),
        "refused_token": ("expired_session",),
        "quota": ("limit_daily",),
        "lost_place": ("expired_locator",),
    }
    lists = (("records",),)
    pointers = (("nextRecordsUrl",),)
    totals = (("totalSize",),)
    retyped = (("Title",), ("Phone",))
    stamps = (("SystemModstamp",),)
    wrong: ClassVar = [
        {"message": "An unexpected error occurred", "errorCode": "UNKNOWN_EXCEPTION"}
    ]
    lacks: ClassVar = {
        "empty_pages": "a page is addressed by its offset, and none is ever empty",
        "case_history.late": "the emulator's histories show what is written at once",
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.org = Org()
        self.org.late_every = 1
        self.org.shared_activities = True
        self.org.tracked_fields = {"Case": {"Priority"}}
        self._task = self.org.insert("Task", {"Subject": "Mail to all"}, self.clock.now())
        self._cases: dict[str, str] = {}
        self.secrets.add(self.org.client_secret)
        self.settings = {
            "client_id": self.org.client_id,
            "client_secret": self.org.client_secret,
            "domain": self.org.domain,
            **{name: settings[name] for name in ("fields", "objects") if name in settings},
        }
        for number, name in enumerate(settings.get("objects", ())):
            if not self.org.has(name):
                self.org.add_custom_object(name, prefix=f"a{number:02d}")
        for name, fields in settings.get("fields", {}).items():
            for field in fields:
                self._add_field(name, field)

    def _add_field(self, name: str, field: str | Mapping[str, str]) -> None:
        given = CustomField(name=field) if isinstance(field, str) else CustomField(**field)  # type: ignore[arg-type]
        if self.org.has(name) and given.name not in self.org.sobject(name).fields:
            kind = _TYPES.get(given.type, given.type)
            described = {"name": given.name, "type": kind, "length": 255, "scale": 2}
            with contextlib.suppress(ApiError):
                self.org.add_custom_field(name, described)

    def emulator(self) -> ASGIApp:
        return salesforce.app(self.org, self.clock, self.faults)

    def connect_to(self, url: str) -> None:
        self.settings["url"] = url

    @contextlib.contextmanager
    def playing(self) -> Iterator[None]:
        with mock.patch.object(server, "BATCH_MIN", ROWS_PER_PAGE):
            yield

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made = []
        for _ in range(count):
            number = len(self.org.rows("Contact")) + 1
            fields = {"LastName": f"Weaver {number}", "Email": f"weaver{number}@example.com"}
            at = self._now(tied)
            made.append(self.org.insert("Contact", fields, at))
            self._relate(made[-1], at)
            self._cases[made[-1]] = self.org.insert("Case", {"Priority": "Low"}, at)
        return made

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        """Change contacts and cases; nobody can change a relation, so another takes its place."""
        for name in names:
            at = self._now(tied)
            self.org.update("Contact", name, {"Title": f"changed {at:%H:%M:%S} {len(name)}"}, at)
            self._part(name, at)
            self._relate(name, at)
            is_high = self.org.get("Case", self._cases[name])["Priority"] == "High"
            urgency = {"Priority": "Low" if is_high else "High"}
            self.org.update("Case", self._cases[name], urgency, at)

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            at = self._now(False)
            self.org.delete("Contact", name, at)
            self._part(name, at)

    def purge(self, names: Collection[str]) -> None:
        """Remove records that leave no trace in any query."""
        for name in names:
            at = self._now(False)
            self.org.purge("Contact", name, at)
            self._part(name, at)

    def restore(self, names: Collection[str]) -> None:
        for name in names:
            at = self._now(False)
            self.org.undelete("Contact", name, at)
            self._relate(name, at)

    def merge(self, names: Sequence[str]) -> str:
        for loser in names[1:]:
            self.org.merge("Contact", names[0], [loser], self._now(False))
        return names[0]

    def heirs(self, stream: str) -> dict[str, str]:
        if stream != "contacts":
            return {}
        masters = {row["Id"]: row["MasterRecordId"] for row in self.org.rows("Contact")}

        def last(key: str) -> str:
            while masters.get(key):
                key = masters[key]
            return key

        return {key: last(master) for key, master in masters.items() if master}

    def living(self) -> list[str]:
        return [row["Id"] for row in self.org.rows("Contact") if not row["IsDeleted"]]

    def truth(self, stream: str) -> Truth:
        rows = self.org.rows(_OBJECTS[stream])
        return {row["Id"]: row for row in rows if not row["IsDeleted"]}

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        """Compare all fields; a merge moves who a relation is to without any stamp."""
        heirs = self.heirs("contacts")
        moved = record.get("RelationId")
        led_on = {"RelationId": heirs.get(moved, moved)} if moved else {}
        return all(true.get(name) == value for name, value in (record | led_on).items())

    def _relate(self, contact: str, at: Any) -> None:
        related = {"TaskId": self._task, "RelationId": contact}
        self.org.insert("TaskRelation", related, at)

    def _part(self, contact: str, at: Any) -> None:
        for row in self.org.rows("TaskRelation"):
            if row["RelationId"] == contact:
                self.org.delete("TaskRelation", row["Id"], at)

    def late(self, seconds: float) -> None:
        """Let further writes show only so long after their stamps."""
        self.org.late_visible_s = seconds

    def _now(self, tied: bool) -> Any:
        return self.clock.now() if tied else self.clock.advance(seconds=1)


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for a source with these settings."""
    return Stage(settings)
