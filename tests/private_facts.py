"""Private facts in every place of the sandbox's vendors that can hold one, and where they turn up.

Belongs here: planting them, and reading all that a home holds. Does not belong here: what may be
there (the tests say that).

A planted text names its place, so that a leak says where it came from. Only fields are planted
that nobody configured: what the emulators serve beyond what connectors take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import duckdb

from connectors import hubspot, salesforce
from sandbox.server import Sandbox
from sandbox.world import World

Fields = Mapping[str, list[dict[str, str]]]
"""Object -> the fields that rapport.yml takes of it beyond the standard ones."""

MARK = "nobodys-business"
FACTS = ("votes Green", "sings in the church choir", "has asthma", "has two children", "Bulls fan")
UNTAKEN_FIELDS = ("Religion__c", "R3l1gion__c", "Kids__c", "Code_7__c", "Favorite_Team__c")
"""Custom fields that an administrator made and rapport.yml does not name."""


def planted(place: str, longest: int = 0) -> str:
    """Return a private fact that says where it was put; the same place has the same one.

    Args:
        longest: how many characters there is room for; 0: any number. Where there is little room,
            the mark alone, or nothing.
    """
    fact = f"{FACTS[sum(map(ord, place)) % len(FACTS)]} ({MARK} {place})"
    return next((text for text in (fact, MARK) if not longest or len(text) <= longest), "")


def plant(sandbox: Sandbox) -> int:
    """Put a private fact into every text that its rapport.yml does not take; return how many."""
    world, sources = sandbox.world, sandbox.credentials["sources"]
    return sum(
        (
            _plant_crm(world, sources["crm"]["fields"]),
            _plant_portal(world, sources["hub"]["fields"]),
            _plant_forum(world),
            _plant_social(world),
        )
    )


def _plant_crm(world: World, configured: Fields) -> int:
    taken = {one.object_name or one.name: set(one.fields) for one in salesforce.STREAMS}
    count = 0
    for name in ("Contact", "Lead"):
        for field in UNTAKEN_FIELDS:
            world.org.add_custom_field(name, {"name": field, "type": "string", "length": 255})
    for sobject in world.org.sobjects():
        custom = {field["name"] for field in configured.get(sobject.name, ())}
        facts = {
            field["name"]: planted(f"{sobject.name}.{field['name']}", field["length"])
            for field in sobject.fields.values()
            if field["type"] in ("string", "textarea")
            and not field["calculated"]
            and field["name"] not in taken.get(sobject.name, set()) | custom
        }
        for row in world.org.table(sobject.name).rows.values():
            for field, fact in facts.items():
                if fact and not row.get(field):
                    row[field] = fact
                    count += 1
    return count


def _plant_portal(world: World, configured: Fields) -> int:
    taken = {one.object_name or one.name: set(one.fields) for one in hubspot.STREAMS}
    for field in UNTAKEN_FIELDS:
        world.portal.add_property("contacts", {"name": field.lower()})
    count = 0
    for name, table in world.portal.tables.items():
        known = taken.get(name, set()) | {
            f"properties.{field['name']}"
            for field in configured.get(table.kind.fully_qualified_name, configured.get(name, ()))
        }
        fields = [
            field
            for field, described in table.kind.properties.items()
            if described["type"] == "string"
            and not described["calculated"]
            and not field.startswith("hs_")
            and f"properties.{field}" not in known
        ]
        body = {"hs_note_body": planted("notes.hs_note_body")} if name == "notes" else {}
        texts = {field: planted(f"{name}.{field}") for field in fields}
        for key, record in table.records.items():
            table.records[key] = replace(record, properties=texts | record.properties | body)
            count += len(texts) + len(body)
    return count


def _plant_forum(world: World) -> int:
    for user in world.forum.users.values():
        user.title = planted("user.title")
        user.bio = planted("user.bio")
        user.user_fields = {"1": planted("user.user_fields")}
    for topic in world.forum.topics.values():
        topic.title = planted("topic.title")
    for post in world.forum.posts.values():
        post.raw += "\n\n" + planted("post.raw")
    return 3 * len(world.forum.users) + len(world.forum.topics) + len(world.forum.posts)


def _plant_social(world: World) -> int:
    for account in world.network.accounts.values():
        account.description = planted("account.description")
    for post in world.network.posts.values():
        post.record["text"] += " " + planted("post.text")
    return len(world.network.accounts) + len(world.network.posts)


def leaks(home: Path, *, but: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield each place below `home` where a planted fact stands: `file` or `file: table.column`.

    Databases and Parquet files are read value by value, all other files byte by byte.

    Args:
        but: folders of the home that are left out.
    """
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if not path.is_file() or name.startswith(but):
            continue
        if path.suffix == ".duckdb":
            yield from (f"{name}: {place}" for place in _in_database(path))
        elif path.suffix == ".parquet":
            with duckdb.connect() as connection:
                if _rows_with_mark(connection, f"read_parquet('{path}')"):
                    yield name
        elif MARK.encode() in path.read_bytes():
            yield name


def _in_database(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
        for schema, table in tables:
            if found := _rows_with_mark(connection, f'"{schema}"."{table}"'):
                yield f"{table} ({found} rows)"


def _rows_with_mark(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    [(found,)] = connection.execute(
        f"select count(*) from {relation} as t where contains(cast(t as varchar), '{MARK}')"
    ).fetchall()
    return int(found)
