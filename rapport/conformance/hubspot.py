"""The stage of a HubSpot account: contacts, what lies beside them, what they sent and were sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from starlette.types import ASGIApp

from connectors.base import CustomField
from rapport.conformance.stage import Emulated, Rewrite, Truth
from sandbox import hubspot
from sandbox.hubspot import Portal

_TYPES = {"integer": "number", "decimal": "number", "boolean": "bool", "timestamp": "datetime",
          "date": "date"}  # fmt: skip


class Stage(Emulated):
    """A portal whose contacts are linked to one company and came by a form, and two owners.

    Each contact is looked into by a lead, got an e-mail and visited a page. What was submitted,
    sent and done stays so, whatever becomes of them.
    """

    type = vendor = "hubspot"
    streams = (
        *("contacts", "leads", "associations", "owners"),
        *("form_submissions", "email_events", "behavior_events"),
    )
    kinds: ClassVar = {
        "limited": ("limit_ten_secondly", "limit_secondly", "423", "477"),
        "refused_token": ("expired_token",),
        "quota": ("limit_daily",),
        "lost_place": ("cursor_gone",),
    }
    beside = ("associations", "form_submissions", "email_events")
    lists = (("results",), ("events",))
    pointers = (("paging", "next", "after"), ("offset",))
    totals = (("total",),)
    retyped = (("properties", "jobtitle"), ("properties", "phone"), ("lastName",))
    stamps = (("updatedAt",), ("properties", "lastmodifieddate"), ("created",), ("occurredAt",))
    wrong: ClassVar = {"status": "error", "message": "internal error", "category": "INTERNAL_ERROR"}
    lacks: ClassVar = {
        "restores": "left to the machines: a restored contact may have lost its e-mail address",
        **dict.fromkeys(
            ("email_events.purges", "behavior_events.purges"),
            "what happened to a contact goes with them, and no log tells: what was landed stays",
        ),
    }
    settling = (timedelta(hours=2), timedelta(days=8))

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.portal = Portal()
        self.portal.calls_per_10_s = self.portal.searches_per_second = 1_000_000
        self.secrets |= {self.portal.client_secret}
        self.settings = {
            "client_id": self.portal.client_id,
            "client_secret": self.portal.client_secret,
            "refresh_token": self.portal.refresh_token,
            "calls_per_10_s": 1_000_000,
            "searches_per_s": 1_000_000,
            "email_events": True,
            "events": ["e_visited_page"],
            "fields": settings.get("fields", {}),
            "objects": list(dict.fromkeys([*settings.get("objects", ()), "leads"])),
        }
        for name in set(settings.get("objects", ())) - self.portal.tables.keys():
            self.portal.add_custom_object(name, singular=name, properties=())
        for name, fields in settings.get("fields", {}).items():
            for field in fields:
                self._add_property(name, field)
        at = self.clock.now()
        self.company = self.portal.create("companies", {"name": "Loom"}, at)
        for name in ("Ada", "Bo"):
            self.portal.add_owner(f"{name}@example.com", name, "Owner", at)
        self.form = self.portal.add_form("Sign up", at)
        self.submitted: dict[str, str] = {}
        self.mail = self.portal.add_marketing_email("Hello", "Hello", at)
        self.noted: dict[str, str] = {}
        self.visits: dict[str, str] = {}
        self.leads: dict[str, str] = {}

    def _add_property(self, name: str, field: str | Mapping[str, str]) -> None:
        given = CustomField(name=field) if isinstance(field, str) else CustomField(**field)  # type: ignore[arg-type]
        kind = self.portal.table(name).kind
        if given.name not in kind.properties:
            described = {"name": given.name, "type": _TYPES.get(given.type, "string")}
            self.portal.add_property(name, described)

    def emulator(self) -> ASGIApp:
        return hubspot.app(self.portal, self.clock, self.faults)

    def connect_to(self, url: str) -> None:
        self.settings["url"] = url

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made = []
        for _ in range(count):
            number = self.portal.tables["contacts"].minted + 1
            at = self._now(tied)
            properties = {"lastname": f"Weaver {number}", "email": f"weaver{number}@example.com"}
            key = self.portal.create("contacts", properties, at)
            self.portal.associate("contacts", key, "companies", self.company, at)
            made.append(key)
            submission = self.portal.submit_form(self.form, {"email": properties["email"]}, at)
            self.submitted[submission] = self.form
            self.portal.note_delivery(self.mail, key, "sent", at)
            visit = self.portal.note_occurrence("e_visited_page", "contacts", key, at)
            self.visits[visit] = key
            lead = {"hs_lead_name": properties["lastname"]}
            self.leads[key] = self.portal.create("leads", lead, at)
        self.noted |= {key: event.kind for key, event in self.portal.email_events.items()}
        self.portal.add_owner(f"o{len(self.portal.owners)}@example.com", "New", "Owner", at)
        return made

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        for name in names:
            at = self._now(tied)
            changed = f"changed {at:%d %H:%M:%S}"
            self.portal.update("contacts", name, {"jobtitle": changed}, at)
            if name in self.leads:
                self.portal.update("leads", self.leads[name], {"hs_lead_name": changed}, at)

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            self.portal.archive("contacts", name, self._now(False))
            if name in self.leads:
                self.portal.archive("leads", self.leads[name], self._now(False))

    def purge(self, names: Collection[str]) -> None:
        """Erase records: they leave no trace."""
        for name in names:
            self.portal.erase(name, self._now(False))

    def restore(self, names: Collection[str]) -> None:
        for name in names:
            self.portal.restore("contacts", name, self._now(False))
            if name in self.leads:
                self.portal.restore("leads", self.leads[name], self._now(False))

    def merge(self, names: Sequence[str]) -> str:
        """Merge into the first, which gets another id; return that."""
        last = names[0]
        for loser in names[1:]:
            last = self.portal.merge("contacts", last, loser, self._now(False))
        return last

    def heirs(self, stream: str) -> dict[str, str]:
        table = self.portal.tables["contacts"]
        if stream != "contacts":
            return {}
        found = {str(key): table.get(key) for key in table.heirs}
        return {
            key: str(heir.id)
            for key, heir in found.items()
            if heir is not None and heir.archived_at is None
        }

    def living(self) -> list[str]:
        return [str(key) for key in self.portal.tables["contacts"].live]

    def truth(self, stream: str) -> Truth:
        portal = self.portal
        if stream == "owners":
            return portal.owners
        if stream == "form_submissions":
            return self.submitted
        if stream == "email_events":
            return self.noted
        if stream == "behavior_events":
            return self.visits
        table = portal.tables["leads" if stream == "leads" else "contacts"]
        if stream in ("contacts", "leads"):
            return {str(key): table.records[key].properties for key in table.live}
        return {
            f'["contacts","{key}","companies"]': {other for other, _ in links}
            for key in table.live
            if (links := portal.links("contacts", key, "companies"))
        }

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        if stream == "form_submissions":
            return bool(record["formId"] == true)
        if stream == "email_events":
            return bool(record["type"] == true)
        if stream == "behavior_events":
            return bool(record["objectId"] == true)
        if stream == "owners":
            return all(true.get(name) == value for name, value in record.items())
        if stream in ("contacts", "leads"):
            return all(true.get(name) == value for name, value in record["properties"].items()
                       if name not in _WORKED_OUT)  # fmt: skip
        return bool({link["toObjectId"] for link in record["to"]} == true)

    def late(self, seconds: float) -> None:
        """Let the search index take further writes only so long after their stamps."""
        self.portal.index_lag_s = seconds

    def empty_page(self) -> Rewrite:
        """Answer the first page of a list with nothing, and lead to it once more."""
        seen: dict[str, int] = {}

        def empty(path: str, body: Any) -> Any:
            if isinstance(body, dict) and "paging" in body and not seen.setdefault(path, 0):
                seen[path] = 1
                hides = "/form" in path or "/events" in path  # the number, in a cursor
                start = "MA==" if hides else "0"
                return {**body, "results": [], "paging": {"next": {"after": start}}}
            if isinstance(body, dict) and "events" in body and not seen.setdefault(path, 0):
                seen[path] = 1
                return {"events": [], "hasMore": True, "offset": _AT_THE_TOP}
            return body

        return empty

    def _now(self, tied: bool) -> Any:
        return self.clock.now() if tied else self.clock.advance(seconds=1)


_AT_THE_TOP = b64encode(b"9999-12-31T00:00:00+00:00 ").decode()
"""A cursor of the log of e-mails before everything in it."""

_WORKED_OUT = {"hs_object_id", "createdate", "hs_createdate", "associatedcompanyid"}


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for a source with these settings."""
    return Stage(settings)
