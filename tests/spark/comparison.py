"""A table as two engines built it, compared row by row.

Belongs here: types, rows and a readable difference. Does not belong here: which tables.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa


def differences(database: Path, table: str, other: pa.Table) -> list[str]:
    """Return what differs between a table of a DuckDB file and the same table as Arrow.

    Names, order and types of columns (to the digits of a decimal), the number of rows, and for
    each column the values that only one of them has. Moments are compared in UTC.
    """
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{database}' as built (read_only)")
        connection.register("other", other)
        one = f"built.main.{table}"
        types, other_types = (
            {name: kind for name, kind, *_ in connection.execute(f"describe {of}").fetchall()}
            for of in (one, "other")
        )
        if list(types) != list(other_types):
            return [f"columns {list(types)}, on Spark {list(other_types)}"]
        told = [
            f"{name} is {kind}, on Spark {other_types[name]}"
            for name, kind in types.items()
            if kind != other_types[name]
        ]

        def only(left: str, right: str, columns: str) -> list[tuple[object, ...]]:
            return connection.execute(
                f"select {columns} from {left} except all select {columns} from {right}"
            ).fetchall()

        if only(one, "other", "*") or only("other", one, "*"):
            for name in types:
                mine, theirs = only(one, "other", f'"{name}"'), only("other", one, f'"{name}"')
                if mine or theirs:
                    told.append(f"{name}: {mine[:3]}, on Spark {theirs[:3]}")
            told = told or ["the same values stand in other rows"]
        return told
