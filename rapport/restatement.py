"""What dbt needs to tell which published numbers of a past day a build changes, and why.

Belongs here: the rows as they were published, and what has landed since. Does not belong here:
comparing them and naming the cause (`ops_restatement`).

The published rows and not those of the last build: a build that failed or was refused may have
replaced a snapshot that nobody has seen. A day that is not over is filled up, not restated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import duckdb

SCHEMA = "published"
_CONTROL = {
    "published_snapshots": "as_of date, basis varchar, known_at timestamptz, is_read_anew boolean",
    "landed_since": "since timestamptz, place varchar, records bigint",
}

# Of a day the snapshot that was rebuilt before, or else the one that was computed on it.
_BEFORE = """
    select * from warehouse.main.{table} as told
    where as_of in (select as_of from control.snapshots where basis = 'backcast')
        and (basis = 'backcast' or as_of not in (
            select as_of from warehouse.main.{table} where basis = 'backcast'
        ))
"""


def load(
    connection: duckdb.DuckDBPyConnection,
    warehouse: Path,
    files: Mapping[str, Iterable[Path]],
    *,
    reads_anew: bool,
) -> None:
    """Make `control.published_snapshots`, `control.landed_since` and the schema `published`.

    The schema has the rows of every snapshot table that this build replaces or stands beside, and
    is absent where there are none.

    Args:
        connection: the database of the build, with `control.snapshots`; the published one stays
            attached to it as `warehouse`, which a transaction cannot let go of.
        warehouse: the published one; it may be absent.
        files: `source.stream` -> what has landed of it.
        reads_anew: sources, mappings or models are others than in what is published.
    """
    for name, shape in _CONTROL.items():
        connection.execute(f"create or replace table control.{name} ({shape})")
    connection.execute(f"drop schema if exists {SCHEMA} cascade")
    past = "select 1 from control.snapshots where basis = 'backcast' limit 1"
    if not warehouse.exists() or not connection.execute(past).fetchall():
        return
    connection.execute(f"attach '{_escaped(warehouse)}' as warehouse (read_only)")
    tables = _snapshot_tables(connection)
    if tables:
        told = " union ".join(
            f"select as_of, basis, known_at from ({_BEFORE.format(table=table)})"
            for table in tables
        )
        connection.execute(
            "insert into control.published_snapshots select as_of, "
            "max_by(basis, known_at), max(known_at), ? "
            f"from ({told}) group by as_of",
            [reads_anew],
        )
    moments = connection.execute(
        "select distinct known_at from control.published_snapshots order by 1"
    ).fetchall()
    if moments:
        connection.execute(f"create schema {SCHEMA}")
        for table in tables:
            connection.execute(f"create table {SCHEMA}.{table} as {_BEFORE.format(table=table)}")
        for (since,) in moments:
            _count_landed(connection, since, files)


def _snapshot_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select table_name from duckdb_columns() where database_name = 'warehouse' "
        "and schema_name = 'main' and starts_with(table_name, 'rel_') "
        "and column_name in ('as_of', 'basis', 'known_at') "
        "group by table_name having count(*) = 3 order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def _count_landed(
    connection: duckdb.DuckDBPyConnection, since: datetime, files: Mapping[str, Iterable[Path]]
) -> None:
    for place, paths in files.items():
        listing = ", ".join(f"'{_escaped(path)}'" for path in paths)
        if listing:
            connection.execute(
                "insert into control.landed_since select ?, ?, count(*) "
                f"from read_parquet([{listing}]) where _loaded_at > ? having count(*) > 0",
                [since, place, since],
            )


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
