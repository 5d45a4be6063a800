"""Rows of the published warehouse as dictionaries.

Belongs here: running a query. Does not belong here: any query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb

Row = Mapping[str, Any]


class Query:
    """A connection to the warehouse, opened for reading."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def run(self, sql: str, **parameters: object) -> None:
        """Execute a statement that returns nothing."""
        self._connection.execute(sql, parameters or None)

    def rows(self, sql: str, **parameters: object) -> list[dict[str, Any]]:
        """Return all rows."""
        cursor = self._connection.execute(sql, parameters or None)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, **parameters: object) -> dict[str, Any]:
        """Return the only row."""
        return self.rows(sql, **parameters)[0]

    def by(self, key: str, sql: str, **parameters: object) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of each value of the column `key`, in the query's order."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows(sql, **parameters):
            found[row[key]].append(row)
        return found

    def has_table(self, name: str) -> bool:
        """Tell whether the warehouse was built with a table of that name."""
        return bool(self.rows("select 1 from duckdb_tables() where table_name = $name", name=name))
