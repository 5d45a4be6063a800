"""What every organization is part of, directly or not, itself included."""

import pyarrow

from rapport.identity.hierarchy import ancestors, hierarchy

SCHEMA = pyarrow.schema(
    [
        ("organization_id", pyarrow.string()),
        ("ancestor_organization_id", pyarrow.string()),
        ("distance", pyarrow.int64()),
        ("depth", pyarrow.int64()),
    ]
)


def model(dbt, session):
    dbt.config(materialized="table")
    # of a circle the organization that was there first is the top
    parents = dict(
        dbt.ref("identity_organization_parent")
        .order("since nulls last, organization_id")
        .project("organization_id, parent_organization_id")
        .fetchall()
    )
    places = hierarchy(parents)
    rows = [(*row, places[row[0]].depth) for row in ancestors(places)]
    columns = list(zip(*rows, strict=True)) or [() for _ in SCHEMA]
    return pyarrow.table(columns, schema=SCHEMA)
