"""A small warehouse in memory on which the compiled metric models run, without dbt in between.

Belongs here: the empty unified tables and control tables, rows of a hand-made world, and running
the metric models in their order: compiled SQL, and Python as dbt calls it.
Does not belong here: what the numbers should be (the tests say that).
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from rapport import strategy, tiers
from tests.dbt.control import control_columns

SNAPSHOT_TABLES = (
    "rel_bond",
    "rel_bond_organization",
    "rel_cadence",
    "rel_community_health",
    "rel_disengagement",
    "rel_disengagement_check",
    "rel_engagement",
    "rel_engagement_segment",
    "rel_lifetime",
    "rel_importance",
    "rel_journey",
    "rel_journey_case",
    "rel_organization",
    "rel_data_trust",
    "rel_part_correlation",
    "rel_scoreboard",
    "rel_tier",
    "rel_tier_flow",
    "rel_tier_service",
    "rel_track",
    "rel_value",
    "rel_value_model",
    "rel_value_segment",
)


class Models:
    """The compiled metric models of one dbt project, in an order in which they can run.

    Attributes:
        steps: model -> its SQL, or the file of one in Python.
        needs: model -> the metric models that it reads.
    """

    def __init__(self, manifest: Path, seeds: Path) -> None:
        nodes = json.loads(manifest.read_text())["nodes"]
        self.steps: dict[str, str | Path] = {}
        self.needs: dict[str, list[str]] = {}
        self.tables: dict[str, str] = {}
        self.columns: dict[str, dict[str, Any]] = {}
        self.seeds: dict[str, Path] = {}
        waiting: dict[str, dict[str, Any]] = {}
        metrics = {key for key, node in nodes.items() if "metrics" in node["fqn"]}
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
                read = metrics.intersection(node["depends_on"]["nodes"])
                self.needs[node["name"]] = sorted(nodes[key]["name"] for key in read)
                is_python = node["language"] == "python"
                self.steps[node["name"]] = (
                    seeds.parent / node["original_file_path"]
                    if is_python
                    else node["compiled_code"]
                )
                if node["name"].startswith("rel_"):
                    self.columns[node["name"]] = node["columns"]


class Ledger:
    """Rows of a world and the tables that the models make of them.

    Rows are given as mappings; columns left out are null. Times are UTC.
    """

    def __init__(self, models: Models, as_of: date, *, backcast: Sequence[date] = ()) -> None:
        self.models = models
        self.waiting: dict[str, list[Mapping[str, Any]]] = {}
        self.unmade: set[str] = set()
        self.con = duckdb.connect()
        self.con.execute("set timezone = 'UTC'; attach ':memory:' as build; use build")
        self.con.execute("create schema build.control")
        for name, columns in models.tables.items():
            self.con.execute(f"create table {name} ({columns})")
        for name, columns in control_columns().items():
            self.con.execute(f"create table control.{name} ({columns})")
        for name, path in models.seeds.items():
            self.con.execute(f"create table {name} as select * from read_csv('{path}')")
        self.known_at = datetime(2030, 1, 1, tzinfo=UTC)
        self.add("control.run", {"as_of": as_of, "known_at": self.known_at})
        self.add("control.snapshots", {"as_of": as_of, "basis": "as_known"})
        self.add("control.snapshots", *({"as_of": day, "basis": "backcast"} for day in backcast))

    def add(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Append rows to a unified table or to `control.<name>`."""
        self._make(self.unmade)
        self.waiting.setdefault(table, []).extend(rows)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """Run a statement after all rows added so far are in (one insert per table is quick)."""
        if sql.lstrip().lower().startswith(("select", "with", "from")):
            self._make(self.unmade.intersection(re.findall(r"\w+", sql)))
        else:
            self._make(self.unmade)
        self._insert()
        return self.con.execute(sql, values)

    def _insert(self) -> None:
        for table, rows in self.waiting.items():
            columns = list(dict.fromkeys(name for row in rows for name in row))
            marks = ", ".join(f"({', '.join('?' for _ in columns)})" for _ in rows)
            self.con.execute(
                f"insert into {table} ({', '.join(columns)}) values {marks}",
                [row.get(name) for row in rows for name in columns],
            )
        self.waiting.clear()

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

    def enroll(
        self,
        programmes: Mapping[str, Any],
        members: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Add tier programmes as strategy.yml writes them; those without members are for all."""
        checked = msgspec.convert(programmes, dict[str, tiers.Programme])
        for name, programme in checked.items():
            tiers.check(programme, name)
        rows = tiers.rows(checked, members or {}, strategy.EVERYBODY)
        for field in rows._fields:
            for row in getattr(rows, field):
                name = field if field == "tiers" else f"tier_{field}"
                self.add(f"control.{name}", row._asdict())

    def build(self) -> Ledger:
        """Build every metric model of the rows as they are now, each when it is first asked for."""
        self._insert()
        self.unmade = set(self.models.steps)
        return self

    def _make(self, wanted: Iterable[str]) -> None:
        """Run those of the wanted models that wait, and what they need."""
        needed, found = set(wanted), set[str]()
        while needed:
            found |= needed
            needed = {need for name in needed for need in self.models.needs[name]} - found
        for name, step in self.models.steps.items():
            if name in found and name in self.unmade:
                self.unmade.discard(name)
                if isinstance(step, Path):
                    self.con.register("made", _imported(step).model(_Session(self.con), self.con))
                    step = "select * from made"
                self.con.execute(f"create or replace table {name} as {step}")

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


class _Session:
    """What a model in Python asks dbt for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def config(self, **settings: Any) -> None:
        """Nothing to set: it is always a table."""

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        return self._connection.table(name)

    def source(self, schema: str, name: str) -> duckdb.DuckDBPyRelation:
        return self._connection.table(f"{schema}.{name}")


@cache
def _imported(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noon(day: date) -> datetime:
    """The middle of a UTC day."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def contents(
    ledger: Ledger,
    tables: Iterable[str],
    without: Iterable[str] = (),
    moved: timedelta = timedelta(0),
) -> dict[str, Any]:
    """Whole tables as sorted text rows, for comparisons byte by byte.

    Args:
        without: columns that do not count.
        moved: how far to move every day and moment back, but for that of knowing.
    """
    dropped = set(without)

    def put_back(name: str, value: Any) -> Any:
        return value - moved if isinstance(value, date) and name != "known_at" else value

    result = {}
    for table in tables:
        rows = ledger.rows(f"select * from {table}")
        result[table] = sorted(
            repr([(n, put_back(n, value)) for n, value in row.items() if n not in dropped])
            for row in rows
        )
    return result
