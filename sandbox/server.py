"""Serves a world: one emulated vendor per port, on loopback.

Belongs here: ports, server threads, the shop's file, what a client needs to connect.
Does not belong here: what the vendors answer.
"""

from __future__ import annotations

import contextlib
import difflib
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox import bluesky, discourse, hubspot, salesforce, shop
from sandbox.crm_life import SUBSCRIPTION
from sandbox.faults import Faults
from sandbox.people import OWN_DOMAINS
from sandbox.social_life import APP_PASSWORD, HANDLE, HANDLE_FIELD, TAG
from sandbox.world import API_KEY, API_USERNAME, DAYS, PORTAL_LIMITS, VENDORS, World

BASE_PORT = 8800
PORTS = {"salesforce": 0, "hubspot": 1, "discourse": 2, "bluesky": 3}
"""Vendor -> offset from the base port."""

CREDENTIALS_PATH = "/sandbox/credentials"
START_S = 10.0

CUSTOM_FIELDS_TAKEN: dict[str, list[dict[str, str]]] = {
    "Account": [
        {"name": "Tier__c"},
        {"name": "Renewal_Date__c", "type": "date", "meaning": "renewal_date"},
        {"name": "Renewal_Amount__c", "type": "decimal", "meaning": "renewal_amount"},
        {"name": "Open_Cases__c", "type": "decimal"},
        {"name": "Remarks__c", "pii": "text"},
    ],
    "Subscription__c": [
        {"name": "Account__c", "pii": "pseudonym"},
        {"name": "Plan__c"},
        {"name": "Seats__c", "type": "integer"},
        {"name": "Monthly_Price__c", "type": "decimal"},
        {"name": "Starts_On__c", "type": "date"},
        {"name": "Auto_Renews__c", "type": "boolean"},
    ],
    "Contact": [
        {"name": "Community_Handle__c", "pii": "direct", "meaning": "handle", "network": "forum"},
        {"name": "Forum_SSO_Id__c", "pii": "pseudonym", "meaning": "external_id"},
    ],
}
"""What the rapport.yml of a sandbox takes from the CRM beyond the standard fields."""

PORTAL_FIELDS_TAKEN: dict[str, list[dict[str, str]]] = {
    "contacts": [
        {"name": "favorite_crafts", "meaning": "interest"},
        {"name": "community_handle", "pii": "direct", "meaning": "handle", "network": "forum"},
        {"name": "salesforcecontactid", "pii": "pseudonym", "meaning": "external_id"},
    ],
    "companies": [
        {"name": "support_plan"},
        {"name": "loom_minutes", "type": "decimal"},
        {"name": "next_service_on", "type": "date"},
    ],
    "tickets": [{"name": "loom_model"}],
}
"""The same for the portal; what people told about their health (`accessibility_needs`) is not."""

MACHINE_FIELDS_TAKEN: list[dict[str, str]] = [
    {"name": "model"},
    {"name": "installed_on", "type": "date"},
    {"name": "firmware"},
]
"""What is taken of a custom object of the portal, beyond what each has."""


@dataclass
class Sandbox:
    """A running sandbox.

    Attributes:
        world: what is served; `urls`: vendor -> base address, of the shop that of its database.
        faults: what goes wrong, settable while it runs.
    """

    world: World
    urls: dict[str, str]
    faults: Faults

    @property
    def now(self) -> datetime:
        """The world's time, UTC."""
        return self.world.clock.now()

    @property
    def credentials(self) -> dict[str, Any]:
        """What a client needs, as every port answers to `GET /sandbox/credentials`.

        `now`: the world's time, ISO; `own_domains`: the company's own mail domains;
        `sources`: the entries of a rapport.yml that reads everything there is, but for who liked
        which post and who is on which list.
        """
        org = self.world.org
        sources: dict[str, dict[str, Any]] = {}
        if "salesforce" in self.urls:
            sources["crm"] = {
                "type": "salesforce",
                "url": self.urls["salesforce"],
                "domain": org.domain,
                "client_id": org.client_id,
                "client_secret": org.client_secret,
                "fields": CUSTOM_FIELDS_TAKEN,
                "objects": [SUBSCRIPTION],
            }
        if "hubspot" in self.urls:
            machines = self.world.portal.table("machines").kind.fully_qualified_name
            sources["hub"] = {
                "type": "hubspot",
                "url": self.urls["hubspot"],
                "access_token": self.world.portal.access_token,
                "objects": [machines, "leads"],
                "email_events": True,
                "fields": {**PORTAL_FIELDS_TAKEN, machines: MACHINE_FIELDS_TAKEN},
            }
            if not self.world.vendor_limits:  # as somebody on a higher plan would write down
                calls, searches = PORTAL_LIMITS
                sources["hub"] |= {"calls_per_10_s": calls, "searches_per_s": searches}
        if "discourse" in self.urls:
            sources["forum"] = {
                "type": "discourse",
                "url": self.urls["discourse"],
                "api_key": API_KEY,
                "api_username": API_USERNAME,
                "show_emails": True,
                "sso": True,
            }
        if "bluesky" in self.urls:
            sources["social"] = {
                "type": "bluesky",
                "url": self.urls["bluesky"],
                "public_url": self.urls["bluesky"],
                "handle": HANDLE,
                "app_password": APP_PASSWORD,
                "domains": list(OWN_DOMAINS),
                "tags": [TAG],
                "history_days": DAYS,
            }
            if "crm" in sources:
                handle = {"name": HANDLE_FIELD, "pii": "direct", "meaning": "handle"}
                taken = [*CUSTOM_FIELDS_TAKEN["Contact"], handle | {"network": "social"}]
                sources["crm"]["fields"] = {**CUSTOM_FIELDS_TAKEN, "Contact": taken}
        if "shop" in self.urls:
            sources["shop"] = shop.source(self.urls["shop"])
        for source in sources.values():
            if "fields" in source:
                source["fields"] = _claiming(source["fields"], sources)
        return {
            "now": self.now.isoformat(),
            "own_domains": list(OWN_DOMAINS),
            "sources": sources,
        }

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Let time pass in the world and return the new time."""
        return self.world.advance(days=days, seconds=seconds)

    def write_truth(self, folder: Path | str) -> None:
        """Write what is true now to `folder/*.parquet` (see `sandbox.truth`)."""
        self.world.write_truth(folder)


def _claiming(
    fields: Mapping[str, list[dict[str, str]]], sources: Collection[str]
) -> dict[str, list[dict[str, str]]]:
    """Return the fields as taken where only `sources` run: no handle of another claims anything."""
    return {
        name: [
            {"name": field["name"], "pii": field["pii"]}
            if "network" in field and field["network"] not in sources
            else field
            for field in taken
        ]
        for name, taken in fields.items()
    }


def chosen_vendors(text: str) -> tuple[str, ...]:
    """Return the vendors of a comma list; raise `ValueError` for one that nobody emulates."""
    named = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in named:
        if name not in VENDORS:
            close = difflib.get_close_matches(name, VENDORS, n=1)
            meant = f" Did you mean `{close[0]}`?" if close else ""
            raise ValueError(f"no vendor `{name}`.{meant} Vendors: {', '.join(VENDORS)}.")
    if not named:
        raise ValueError(f"no vendor is named. Vendors: {', '.join(VENDORS)}.")
    return named


@contextlib.contextmanager
def serve(
    people: int = 2000,
    seed: int = 7,
    port: int = BASE_PORT,
    now: datetime | None = None,
    faults: Faults | Mapping[str, Sequence[Any]] | None = None,
    *,
    vendor_limits: bool = False,
    vendors: Collection[str] = VENDORS,
    world: World | None = None,
    data: Path | None = None,
) -> Iterator[Sandbox]:
    """Serve a world until the block ends.

    Args:
        people, seed, now, vendor_limits, vendors: see `World`.
        port: base port (Salesforce there, the others above: `PORTS`); 0 picks free ones.
        faults: what goes wrong, see `sandbox.faults`.
        world: serve this one, with the vendors it has, instead of making one.
        data: folder of the shop's database, which is left there; without one it is gone when
            the block ends.

    Raises:
        OSError: a port is taken.
    """
    world = world or World(
        people=people, seed=seed, now=now, vendor_limits=vendor_limits, vendors=vendors
    )
    plan = faults if isinstance(faults, Faults) else Faults(faults)
    sandbox = Sandbox(world, {}, plan)
    apps: dict[str, Callable[[], ASGIApp]] = {
        "salesforce": lambda: salesforce.app(world.org, world.clock, plan),
        "discourse": lambda: discourse.app(world.forum, world.clock, plan),
        "bluesky": lambda: bluesky.app(world.network, world.clock, plan),
        "hubspot": lambda: hubspot.app(world.portal, world.clock, plan),
    }
    with contextlib.ExitStack() as stack:
        for vendor in world.vendors:
            if vendor == "shop":
                folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
                address = world.shop.served_from(folder / shop.FILE_NAME)
            else:
                app = _WithCredentials(apps[vendor](), sandbox)
                address = running(app, port and port + PORTS[vendor])
            sandbox.urls[vendor] = stack.enter_context(address)
        yield sandbox


def sigterm_is_ctrl_c() -> None:
    """Let SIGTERM interrupt as Ctrl-C does. Must be called in the main thread."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def until_stopped(ready: Callable[[], object]) -> None:
    """Say that all is ready, and wait for Ctrl-C or SIGTERM. Must be called in the main thread.

    Nothing is raised, since that could tear what is being said.
    """
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: came.append(number))
    ready()
    while not came:
        time.sleep(0.1)
    for number in (signal.SIGINT, signal.SIGTERM):  # a second one ends what lets itself be asked
        signal.signal(number, signal.default_int_handler)


class _WithCredentials:
    """Answers `GET /sandbox/credentials` for all vendors at once, on each port."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == CREDENTIALS_PATH:
            body = msgspec.json.format(msgspec.json.encode(self.sandbox.credentials), indent=2)
            await Response(body, media_type="application/json")(scope, receive, send)
        else:
            await self.app(scope, receive, send)


@contextlib.contextmanager
def running(app: ASGIApp, port: int) -> Iterator[str]:
    """Run one server in a thread and yield its address; port 0 picks a free one."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"port {port} on 127.0.0.1 is taken; choose another one with --port"
        ) from error
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    give_up = time.monotonic() + START_S
    while not server.started and thread.is_alive() and time.monotonic() < give_up:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
