"""How models in Python do again only what is touched, as the macros of `parts.sql` do in SQL.

Belongs here: whether a run does a part, and taking away what a kept model is about to add again.
Does not belong here: what is touched (`identity_delta`, `identity_touched`, `identity_reach`).
"""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

ROW_GROUP = 122_880
"""Rows that DuckDB keeps together in a table. A table that comes in batches of as many is kept as
it comes; other batches leave small groups beside full ones, all written again after a change."""


def is_part(dbt: Any) -> bool:
    """Tell whether this run does only what is touched."""
    return not dbt.ref("identity_delta").filter("change = 'whole'").fetchall()


def left_by_last_run(dbt: Any, name: str) -> str:
    """Return the name of a table as the last run left it, before this one touches it."""
    return f"{dbt.this.schema}.{name}"


def with_an_end_in(pairs: duckdb.DuckDBPyRelation, keys: str) -> duckdb.DuckDBPyRelation:
    """Return the pairs of which an end is listed; `keys` is a table with `key_hash`."""
    listed = f"in (select key_hash from {keys})"
    return pairs.filter(f"left_hash {listed}").union(
        pairs.filter(f"right_hash {listed}").filter(f"left_hash not {listed}")
    )


def with_hashes(
    session: duckdb.DuckDBPyConnection, table: pa.Table, **hashes: str
) -> duckdb.DuckDBPyRelation:
    """Return a table with one more column for each text to be looked for, name=column."""
    told = ", ".join(f"hash({column}) as {name}" for name, column in hashes.items())
    return session.from_arrow(table).project(f"*, {told}")


def begin(dbt: Any, session: duckdb.DuckDBPyConnection, *touched: str) -> bool:
    """Take away the rows of a kept model that this run makes anew; tell if it makes only a part.

    With them goes the table through which dbt wrote the rows of the last run: it leaves one for
    every run (dbt-duckdb 1.11, `incremental.sql`: what is written by Python is not temporary).

    Args:
        dbt: what dbt gives the model.
        session: likewise.
        touched: which rows those are in a part, as conditions in SQL of which one holds; else they
            all are. Each is asked by itself, because a list alone is looked up as rows are read.
    """
    does_part = dbt.is_incremental and is_part(dbt)
    if dbt.is_incremental:
        copies = session.execute(
            "select table_name from duckdb_tables() "
            "where schema_name = ? and starts_with(table_name, ?)",
            [dbt.this.schema, f"{dbt.this.identifier}__dbt_tmp"],
        ).fetchall()
        for (copy,) in copies:
            session.execute(f"drop table {dbt.this.schema}.{copy}")
        for condition in touched if does_part else ("true",):
            session.execute(f"delete from {dbt.this} where {condition}")
    return does_part
