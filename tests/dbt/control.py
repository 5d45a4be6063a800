"""The tables of the `control` schema, as a build makes them.

Belongs here: their names and columns, asked of a build that has no source. Does not belong here:
rows (`landing_fixture`, `ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from rapport import build, config


@cache
def control_columns() -> Mapping[str, str]:
    """Return each table with its columns and their types, as `create table` takes them."""
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        nothing = config.parse({"sources": {}}, Path(folder) / "rapport.yml")
        build.write_schemas(connection, nothing, build.plan(nothing))
        return dict(
            connection.execute(
                "select table_name, string_agg(column_name || ' ' || data_type, ', ' "
                "order by ordinal_position) from information_schema.columns "
                "where table_schema = 'control' group by 1"
            ).fetchall()
        )
