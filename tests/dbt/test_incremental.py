"""A run that does again only what is touched leaves what a run of everything leaves.

Belongs here: random histories of profiles and of what people say, on the identity models alone.
Does not belong here: which profiles become one person (`test_identity`).
"""

from __future__ import annotations

import json
import os
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rapport.identity.state import TABLES
from tests.dbt.build import PROJECT, _manifest
from tests.dbt.landing_fixture import AS_OF, KNOWN_AT, Landing

pytestmark = pytest.mark.dbt

KEPT = (
    "identity_phone",
    "identity_name",
    "identity_identifier",
    "identity_identifier_book",
    "identity_workplace",
    "identity_trait",
    "identity_candidate",
    "identity_edge",
    "identity_component",
    "identity_ledger",
    "identity_change",
    "identity_event",
    "identity_person_map",
    "identity_organization_map",
)
SEEDS = ("free_mail_domain", "identity_rule", "mailbox_word", "nickname")
TOLD_FROM_OUTSIDE = ("identity_profile", "identity_handle", "identity_attribute")

PROFILE = {
    "profile_key": "varchar", "reference_key": "varchar", "source": "varchar",
    "source_type": "varchar", "silo": "varchar", "stream": "varchar", "native_id": "varchar",
    "entity": "varchar", "display_name": "varchar", "full_name": "varchar",
    "given_name": "varchar", "family_name": "varchar", "email": "varchar",
    "is_email_verified": "boolean", "further_emails": "varchar", "past_emails": "varchar",
    "is_address_only": "boolean", "phone": "varchar", "further_phone": "varchar",
    "external_id": "varchar", "alternate_id": "varchar", "is_numbered": "boolean",
    "organization_key": "varchar",
    "organization_name": "varchar", "domain": "varchar", "is_bot": "boolean",
    "is_single_account": "boolean", "is_known_by_name": "boolean", "is_deleted": "boolean",
    "merged_into": "varchar", "converted_into": "varchar", "created_at": "timestamptz",
    "first_seen_at": "timestamptz", "last_seen_at": "timestamptz", "custom": "varchar",
}  # fmt: skip
SOURCES = {
    "crm": ("salesforce", "crm"),
    "hub": ("hubspot", "crm"),
    "club": ("files", "forum"),
    "desk": ("files", "help_desk"),
    "net": ("bluesky", "social"),
}
GIVEN = ("Ann", "Anna", "Bob", "Robert", "Cleo", "Dan")
FAMILY = ("Lee", "Stone", "Rivers", "Quillfeather", "Oakley", "Leigh", "Ward")
LOCAL = ("ann", "a.lee", "bob", "bob.stone", "danward", "danwrad", "info", "cleo", "q7")
DOMAINS = ("gmail.com", "gmial.com", "acme.example", "mill.example", "loom.example", "test.com")
PHONES = tuple(f"+1 415 555 01{number:02}" for number in range(12))
COMPANIES = ("Acme", "Mill Ltd", "Loom", "Dye & Co")
ATTRIBUTES = """
create or replace table identity_attribute as
select
    profile_key, given_name, family_name, full_name,
    '1970-01-0' || (hash(full_name || coalesce(phone, '')) % 9 + 1) as birth_date,
    cast(null as varchar) as personal_number,
    (hash(full_name) % 30)::varchar as house_number,
    'Street ' || (hash(full_name) % 50) as street,
    (1000 + hash(full_name) % 40)::varchar as postcode,
    cast(null as varchar) as city
from identity_profile
where entity = 'person' and source = 'desk' and not is_bot and full_name is not null
"""
"""One list tells a birthday and an address, which are alike where names and numbers are."""
COPIES = (
    "select count(*) from duckdb_tables() where starts_with(table_name, 'identity_name__dbt_tmp')"
)
DELTA = """
select count(*), count(*) filter (change = 'whole'),
    (select count(*) from identity_edge where state = 'live')
from identity_delta
"""


class World:
    """Profiles and what people say of them, as chance changes them."""

    def __init__(self, seed: int, size: int) -> None:
        self.chance = random.Random(seed)
        self.profiles: dict[str, dict[str, Any]] = {}
        self.landing = Landing(SOURCES, control={"run": [(AS_OF, KNOWN_AT)]})
        self.n_given = 0
        for _ in range(size // 12):
            self.add_organization()
        for _ in range(size):
            self.add_person()
        self.say()

    def maybe(self, share: float, value: Any) -> Any:
        return value if self.chance.random() < share else None

    def one_of(self, entity: str) -> str | None:
        keys = [key for key, told in self.profiles.items() if told["entity"] == entity]
        return self.chance.choice(keys) if keys else None

    def _base(self, entity: str) -> dict[str, Any]:
        self.n_given += 1
        source = self.chance.choice(list(SOURCES))
        source_type, silo = SOURCES[source]
        stream = "people" if entity == "person" else "organizations"
        native = f"{'mailto:' if self.chance.random() < 0.05 else ''}{self.n_given}"
        key = f"{source}:{stream}:{native}"
        return dict.fromkeys(PROFILE) | {
            "profile_key": key, "reference_key": key, "source": source,
            "source_type": source_type, "silo": silo, "stream": stream, "native_id": native,
            "entity": entity, "is_address_only": native.startswith("mailto:"),
            "is_numbered": self.chance.random() < 0.5, "is_bot": self.chance.random() < 0.03,
            "is_deleted": False, "is_single_account": False, "is_known_by_name": False,
            "first_seen_at": f"2026-01-{1 + self.n_given % 28:02} 00:00:00Z",
        }  # fmt: skip

    def add_person(self) -> None:
        profile = self._base("person")
        self.profiles[profile["profile_key"]] = profile
        self.tell_person(profile)

    def add_organization(self) -> None:
        profile = self._base("organization")
        self.profiles[profile["profile_key"]] = profile
        self.tell_organization(profile)

    def email(self) -> str:
        return f"{self.chance.choice(LOCAL)}@{self.chance.choice(DOMAINS)}"

    def tell_person(self, profile: dict[str, Any]) -> None:
        chance = self.chance
        given, family = chance.choice(GIVEN), chance.choice(FAMILY)
        organization = self.profiles.get(self.one_of("organization") or "", {})
        profile.update(
            display_name=f"{given} {family}",
            full_name=self.maybe(0.85, f"{given} {family}"),
            given_name=self.maybe(0.5, given),
            family_name=self.maybe(0.5, family),
            email=self.maybe(0.8, self.email()),
            is_email_verified=chance.random() < 0.3,
            further_emails=self.maybe(0.1, json.dumps([self.email()])),
            past_emails=self.maybe(0.3, json.dumps([self.email()])),
            phone=self.maybe(0.4, chance.choice(PHONES)),
            further_phone=self.maybe(0.1, chance.choice(PHONES)),
            external_id=self.maybe(0.15, str(chance.randrange(1, 60))),
            alternate_id=self.maybe(0.1, str(chance.randrange(1, 60))),
            organization_key=self.maybe(0.5, organization.get("reference_key")),
            organization_name=self.maybe(0.2, chance.choice(COMPANIES)),
            is_single_account=chance.random() < 0.1,
            is_deleted=chance.random() < 0.05,
            merged_into=self.maybe(0.04, self.one_of("person")),
            converted_into=self.maybe(0.03, self.one_of("person")),
            last_seen_at=f"2026-02-{chance.randrange(1, 28):02} 00:00:00Z",
        )

    def tell_organization(self, profile: dict[str, Any]) -> None:
        chance = self.chance
        profile.update(
            display_name=chance.choice(COMPANIES),
            domain=self.maybe(0.5, chance.choice(DOMAINS)),
            phone=self.maybe(0.4, chance.choice(PHONES)),
            is_known_by_name=chance.random() < 0.4,
        )

    def say(self) -> None:
        """Write other lines than before, now and then."""
        chance, control = self.chance, self.landing.control
        if chance.random() < 0.5:
            control["identity_identifier_flag"] = [
                (n, "email", email, None, None, chance.choice(("blocked", "shared", "ok")), "so")
                for n, email in enumerate({self.email() for _ in range(chance.randrange(3))})
            ]
        people = [key for key, told in self.profiles.items() if told["entity"] == "person"]
        if chance.random() < 0.5:
            control["identity_link"] = [
                (1, "identity/links.csv:1", "link", "profile", chance.choice(people), "profile",
                 chance.choice(people), "met"),
                (2, "identity/links.csv:2", "link", "email", self.email(), "profile",
                 chance.choice(people), "met"),
            ][: chance.randrange(3)]  # fmt: skip
        if chance.random() < 0.5:
            control["identity_suppression"] = [
                (n, f"identity/suppressions.csv:{n}", chance.choice(people), None, scope, "asked")
                for n, scope in enumerate(("profile", "link_social"))
            ][: chance.randrange(3)]
        if chance.random() < 0.5:
            control["identity_claim"] = [
                (n, f"identity/claims.csv:{n}", None, None, chance.choice(people),
                 chance.choice(people), "self_declared_form", None, None, None, None, None)
                for n in range(chance.randrange(4))
            ]  # fmt: skip

    def advance(self) -> None:
        """Let a few profiles come, change and go, and people say something else, a day later."""
        [(as_of, known_at)] = self.landing.control["run"]
        self.landing.control["run"] = [(as_of, known_at + timedelta(days=1))]
        for _ in range(self.chance.randrange(4)):
            self.add_person()
        for _ in range(self.chance.randrange(2)):
            self.add_organization()
        for key in self.chance.sample(sorted(self.profiles), self.chance.randrange(6)):
            profile = self.profiles[key]
            if self.chance.random() < 0.3:
                del self.profiles[key]
            elif profile["entity"] == "person":
                self.tell_person(profile)
            else:
                self.tell_organization(profile)
        self.say()

    def write(self, database: Path) -> None:
        self.landing.write(database)
        marks = ", ".join(f"?::{kind}" for kind in PROFILE.values())
        columns = ", ".join(f"{name} {kind}" for name, kind in PROFILE.items())
        with duckdb.connect(str(database)) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"create or replace temp table told ({columns})")
            connection.execute(
                "create or replace table identity_handle "
                "(source varchar, profile_key varchar, handle varchar)"
            )
            for profile in self.profiles.values():
                connection.execute(
                    f"insert into told values ({marks})",
                    [profile[name] for name in PROFILE],
                )
            connection.execute(
                "create or replace table identity_profile as "
                "select *, hash(told) as digest, hash(profile_key) as key_hash from told"
            )
            connection.execute(ATTRIBUTES)

    def publish(self, database: Path) -> None:
        """Let the next run go on from the ids of this one."""
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            for table, shape in TABLES.items():
                rows = connection.execute(f"select {', '.join(shape.names)} from {table}")
                self.landing.control[table] = rows.fetchall()
            runs = connection.execute("select name from identity_seen where kind = 'run'")
            self.landing.control["identity_published"] = runs.fetchall()


def run(world: World, database: Path, *but: str) -> None:
    """Build the identity models on the profiles of a world, in process, but for some."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    is_gone_on_with = database.exists()
    database.parent.mkdir(exist_ok=True)
    world.write(database)
    os.environ["RAPPORT_BUILD_DB"] = str(database)
    folders = [
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(database.parent), "--log-path", str(database.parent)),
    ]
    result = dbtRunner(manifest=_manifest(tuple(folders))).invoke(
        [
            *("build", "--quiet", "--exclude-resource-type", "test", "unit_test"),
            *("--select", "+identity_seen,path:models/identity"),
            *([] if is_gone_on_with else SEEDS),
            *("--exclude", *TOLD_FROM_OUTSIDE, *but),
            *folders,
        ]
    )
    DuckDBConnectionManager.env().close()
    if result.exception is not None:
        raise result.exception
    failed = {run.node.name: run.message for run in result.result if run.status != "success"}
    assert not failed, failed


def differences(one: Path, other: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return table -> rows that only one of two builds has."""
    found = {}
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{one}' as one (read_only); attach '{other}' as other (read_only)"
        )
        for table in KEPT:
            rows = connection.execute(
                f"select 'one', * from (from one.main.{table} except all from other.main.{table})"
                " union all select 'other', * from "
                f"(from other.main.{table} except all from one.main.{table})"
            ).fetchall()
            if rows:
                found[table] = rows
    return found


def ask(database: Path, query: str) -> tuple[Any, ...]:
    """Return the one row of a query."""
    with duckdb.connect(str(database), read_only=True) as connection:
        [row] = connection.execute(query).fetchall()
    return tuple(row)


@pytest.mark.parametrize("seed", [4])
def test_a_part_of_a_run_leaves_what_a_whole_run_leaves(tmp_path: Path, seed: int) -> None:
    world = World(seed, 60)
    kept, whole = (tmp_path / name / "build.duckdb" for name in ("kept", "whole"))
    run(world, kept)
    for _ in range(3):
        world.publish(kept)
        world.advance()
        run(world, kept)
        n_new, n_whole, n_live = ask(kept, DELTA)
        assert n_new < len(world.profiles) / 2 and n_whole == 0 and n_live > 5
    assert ask(kept, COPIES)[0] <= 1  # dbt leaves one with every run
    run(world, whole)
    assert differences(kept, whole) == {}


@pytest.mark.parametrize("but", [["identity_candidate+"], []], ids=["failed", "unpublished"])
def test_what_a_run_left_that_failed_or_was_not_published_is_made_anew_as_a_whole(
    tmp_path: Path, but: list[str]
) -> None:
    world = World(5, 30)
    kept, whole = (tmp_path / name / "build.duckdb" for name in ("kept", "whole"))
    run(world, kept)
    world.publish(kept)
    world.advance()
    run(world, kept, *but)
    world.advance()
    run(world, kept)
    assert ask(kept, DELTA)[1] == 1
    run(world, whole)
    assert differences(kept, whole) == {}
