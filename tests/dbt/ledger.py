"""A small warehouse in memory on which the compiled metric models run, without dbt in between.

Belongs here: the empty unified tables and control tables, rows of a hand-made world, and running
the compiled SQL of the metric models in their order.
Does not belong here: what the numbers should be (the tests say that).
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

CONTROL = {
    "run": "as_of date, known_at timestamptz",
    "snapshots": "as_of date, basis varchar",
    "sources": (
        "source varchar, source_type varchar, silo varchar, label varchar, "
        "last_sync_at timestamptz, is_configured boolean"
    ),
    "streams": (
        "source varchar, stream varchar, source_type varchar, rows bigint, deletes bigint, "
        "quarantined bigint, late bigint, last_sync_at timestamptz, finished boolean, "
        "source_count bigint, held_count bigint, coverage varchar"
    ),
    "behavior_weights": "behavior varchar, weight double, half_life_days double",
    "segment_rules": "segment_type varchar, origin varchar, field varchar",
    "cadence_steps": "step varchar, behavior varchar, is_community_only boolean",
    "settings": "name varchar, value varchar",
    "column_meanings": "source varchar, stream varchar, field varchar, meaning varchar",
}
"""Columns of the control tables that the metric models read."""

SNAPSHOT_TABLES = (
    "rel_bond",
    "rel_bond_organization",
    "rel_cadence",
    "rel_community_health",
    "rel_disengagement",
    "rel_engagement",
    "rel_engagement_segment",
    "rel_importance",
    "rel_journey",
    "rel_journey_case",
    "rel_organization",
    "rel_data_trust",
)


class Models:
    """The compiled metric models of one dbt project, in an order in which they can run."""

    def __init__(self, manifest: Path, seeds: Path) -> None:
        nodes = json.loads(manifest.read_text())["nodes"]
        self.sql: dict[str, str] = {}
        self.python: dict[str, Path] = {}
        self.order: list[str] = []
        self.needs: dict[str, set[str]] = {}
        self.tables: dict[str, str] = {}
        self.columns: dict[str, dict[str, Any]] = {}
        self.seeds: dict[str, Path] = {}
        waiting: dict[str, dict[str, Any]] = {}
        for node in nodes.values():
            if node["resource_type"] == "seed":
                self.seeds[node["name"]] = seeds / f"{node['name']}.csv"
            elif node["resource_type"] != "model":
                continue
            elif "metrics" in node["fqn"]:
                waiting[node["unique_id"]] = node
            elif "unified" in node["fqn"]:
                self.tables[node["name"]] = ", ".join(
                    f"{name} {column['data_type']}" for name, column in node["columns"].items()
                )
        while waiting:
            ready = [
                key
                for key, node in waiting.items()
                if not waiting.keys() & node["depends_on"]["nodes"]
            ]
            for key in sorted(ready):
                node = waiting.pop(key)
                self.order.append(node["name"])
                above = {name.split(".")[-1] for name in node["depends_on"]["nodes"]}
                self.needs[node["name"]] = above.union(*(self.needs.get(n, ()) for n in above))
                if node["language"] == "python":
                    self.python[node["name"]] = seeds.parent / node["original_file_path"]
                else:
                    self.sql[node["name"]] = node["compiled_code"]
                if node["name"].startswith("rel_"):
                    self.columns[node["name"]] = node["columns"]


class Ledger:
    """Rows of a world and the tables that the models make of them.

    Rows are given as mappings; columns left out are null. Times are UTC.
    """

    def __init__(self, models: Models, as_of: date, *, backcast: Sequence[date] = ()) -> None:
        self.models = models
        self.waiting: dict[str, list[Mapping[str, Any]]] = {}
        self.con = duckdb.connect()
        self.con.execute("set timezone = 'UTC'; attach ':memory:' as build; use build")
        self.con.execute("create schema build.control")
        for name, columns in models.tables.items():
            self.con.execute(f"create table {name} ({columns})")
        for name, columns in CONTROL.items():
            self.con.execute(f"create table control.{name} ({columns})")
        for name, path in models.seeds.items():
            self.con.execute(f"create table {name} as select * from read_csv('{path}')")
        self.known_at = datetime(2030, 1, 1, tzinfo=UTC)
        self.add("control.run", {"as_of": as_of, "known_at": self.known_at})
        self.add("control.snapshots", {"as_of": as_of, "basis": "as_known"})
        self.add("control.snapshots", *({"as_of": day, "basis": "backcast"} for day in backcast))

    def add(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Append rows to a unified table or to `control.<name>`."""
        self.waiting.setdefault(table, []).extend(rows)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """Run a statement after all rows added so far are in (one insert per table is quick)."""
        for table, rows in self.waiting.items():
            columns = list(dict.fromkeys(name for row in rows for name in row))
            marks = ", ".join(f"({', '.join('?' for _ in columns)})" for _ in rows)
            self.con.execute(
                f"insert into {table} ({', '.join(columns)}) values {marks}",
                [row.get(name) for row in rows for name in columns],
            )
        self.waiting.clear()
        return self.con.execute(sql, values)

    def configure(self, **silos: str) -> None:
        """Say that sources were read: `crm="crm"` is a source called crm in the silo crm."""
        for source, silo in silos.items():
            self.add(
                "control.sources",
                {
                    "source": source,
                    "source_type": silo,
                    "silo": silo,
                    "last_sync_at": self.known_at - timedelta(hours=3),
                    "is_configured": True,
                },
            )

    def person(self, person_id: str, **columns: Any) -> None:
        row = {"person_id": person_id, "is_staff": False, "is_bot": False, **columns}
        self.add("dim_person", row)

    def act(self, key: str, actor: str | None, at: datetime, kind: str, **columns: Any) -> None:
        """One forum act unless `silo` and `channel` say otherwise."""
        row = {
            "interaction_id": key,
            "source": "forum",
            "silo": "forum",
            "channel": "forum",
            "kind": kind,
            "actor_person_id": actor,
            "occurred_at": at,
            "loaded_at": datetime(2029, 1, 1, tzinfo=UTC),
            "visibility": "public",
            "is_deleted": False,
            **columns,
        }
        self.add("fct_interaction", row)

    def build(self, *tables: str) -> Ledger:
        """Run every metric model, or `tables` and what they need."""
        needed = set(tables).union(*(self.models.needs[name] for name in tables))
        for name in self.models.order:
            if tables and name not in needed:
                continue
            if name in self.models.python:
                made = runpy.run_path(str(self.models.python[name]))["model"](self, self.con)
                self.con.register("made", made)
                self.execute(f"create or replace table {name} as from made")
            else:
                self.execute(f"create or replace table {name} as {self.models.sql[name]}")
        return self

    def config(self, **settings: Any) -> None:
        """What a model in Python tells dbt; here it is always a table."""

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """What a model in Python asks dbt for."""
        return self.con.table(name)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query as dictionaries."""
        cursor = self.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str) -> dict[str, Any]:
        """The only row of a query."""
        rows = self.rows(sql)
        assert len(rows) == 1, rows
        return rows[0]


def noon(day: date) -> datetime:
    """The middle of a UTC day."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def contents(ledger: Ledger, tables: Iterable[str], without: Iterable[str] = ()) -> dict[str, Any]:
    """Whole tables as sorted text rows, for comparisons byte by byte."""
    dropped = set(without)
    result = {}
    for table in tables:
        rows = ledger.rows(f"select * from {table}")
        result[table] = sorted(
            repr([(name, value) for name, value in row.items() if name not in dropped])
            for row in rows
        )
    return result
