"""A table as two engines built it, compared row by row.

Belongs here: types, rows and a readable difference. Does not belong here: which tables.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

TOLERANCE = 1e-9
"""How far two floats may lie apart, as a share of the larger one (below 1: of 1)."""

OWN = ("_hash", "digest")
"""How names of columns end whose numbers each engine makes of texts in its own way. They say which
rows belong together, within one engine; whether they did is told by all other columns."""

_FLOATS = ("FLOAT", "DOUBLE")


def differences(database: Path, table: str, other: pa.Table) -> list[str]:
    """Return what differs between a table of a DuckDB file and the same table as Arrow.

    Names, order and types of columns (to the digits of a decimal), the number of rows, and for
    each column the values that only one of them has. Moments are compared in UTC; floats, row by
    row, to `TOLERANCE`: engines add them up in orders of their own. Of columns that are an
    engine's `OWN` only the names.
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
            if kind != other_types[name] and not name.endswith(OWN)
        ]
        types = {name: kind for name, kind in types.items() if not name.endswith(OWN)}
        exact = [name for name, kind in types.items() if kind not in _FLOATS]

        def only(left: str, right: str, columns: str) -> list[tuple[object, ...]]:
            return connection.execute(
                f"select {columns} from {left} except all select {columns} from {right}"
            ).fetchall()

        whole = _listed(exact) or "count(*)"
        if only(one, "other", whole) or only("other", one, whole):
            for name in exact:
                mine, theirs = only(one, "other", f'"{name}"'), only("other", one, f'"{name}"')
                if mine or theirs:
                    told.append(f"{name}: {mine[:3]}, on Spark {theirs[:3]}")
            return told or ["the same values stand in other rows"]

        # the rows are the same but for their floats: each beside its own
        rows = "select *, row_number() over (order by {by}) as place from {of}"
        by = _listed([*exact, *(name for name in types if name not in exact)])
        for name in types:
            if name not in exact:
                apart = connection.execute(
                    f'select one."{name}", other."{name}" '
                    f"from ({rows.format(by=by, of=one)}) as one "
                    f"inner join ({rows.format(by=by, of='other')}) as other using (place) "
                    f'where one."{name}" is distinct from other."{name}" and not coalesce('
                    f'abs(one."{name}" - other."{name}") <= {TOLERANCE} * '
                    f'greatest(1, abs(one."{name}"), abs(other."{name}")), false)'
                ).fetchall()
                if apart:
                    told.append(f"{name}: {len(apart)} apart, such as {apart[:3]} (DuckDB, Spark)")
        return told


def _listed(columns: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
