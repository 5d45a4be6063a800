"""How models in Python do again only what is touched, as the macros of `parts.sql` do in SQL.

Belongs here: whether a run does a part, and taking away what a kept model is about to add again.
Does not belong here: what is touched (`identity_delta`, `identity_touched`, `identity_reach`).
"""

from __future__ import annotations

from typing import Any

import duckdb


def begin(dbt: Any, session: duckdb.DuckDBPyConnection, touched: str) -> bool:
    """Take away the rows of a kept model that this run makes anew; tell if it makes only a part.

    Args:
        dbt: what dbt gives the model.
        session: likewise.
        touched: which rows those are in a part, as a condition in SQL; else they all are.
    """
    delta = dbt.ref("identity_delta")
    if not dbt.is_incremental:
        return False
    is_part = not delta.filter("change = 'whole'").fetchall()
    session.execute(f"delete from {dbt.this} where {touched if is_part else 'true'}")
    return is_part
