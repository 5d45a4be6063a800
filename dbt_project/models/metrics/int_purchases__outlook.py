"""What is expected of every history of purchases, by each buying model that could be fitted."""

import numpy
import pyarrow

from rapport import lifetime

KEY = ("repeats", "recency_days", "age_days")
SCHEMA = pyarrow.schema(
    [
        ("as_of", pyarrow.date32()),
        ("basis", pyarrow.string()),
        ("model", pyarrow.string()),
        *((name, pyarrow.int32()) for name in KEY),
        *((name, pyarrow.float64()) for name in ("p_alive", "expected", "variance")),
        *((name, pyarrow.int32()) for name in ("low", "high")),
    ]
)
DIGITS = 9


def model(dbt, session):
    dbt.config(materialized="table")
    weeks = outlook_days(dbt) / lifetime.DAYS_PER_WEEK
    fits = dbt.ref("int_purchases__fits").filter("state = 'fitted'")
    histories = dbt.ref("int_purchases__histories")
    tables = [SCHEMA.empty_table()]
    for as_of, basis, name, *values in (
        fits.project("as_of, basis, model, r, alpha, a, b").order("1, 2, 3").fetchall()
    ):
        found = (
            histories.filter(f"as_of = date '{as_of}' and basis = '{basis}'")
            .project(", ".join(KEY))
            .distinct()
            .order("1, 2, 3")
            .fetchnumpy()
        )
        repeats, recency, age = (numpy.asarray(found[key], dtype=float) for key in KEY)
        told = lifetime.outlook(
            name,
            dict(zip(("r", "alpha", "a", "b"), values, strict=True)),
            repeats,
            recency / lifetime.DAYS_PER_WEEK,
            age / lifetime.DAYS_PER_WEEK,
            weeks,
        )
        columns = {
            "as_of": [as_of] * len(age),
            "basis": [basis] * len(age),
            "model": [name] * len(age),
            **{key: found[key] for key in KEY},
            "p_alive": told.p_alive.round(DIGITS),
            "expected": told.expected.round(DIGITS),
            "variance": told.variance.round(DIGITS),
            "low": told.low.astype(int),
            "high": told.high.astype(int),
        }
        tables.append(pyarrow.Table.from_pydict(columns, schema=SCHEMA))
    return pyarrow.concat_tables(tables)


def outlook_days(dbt):
    """Return how far the strategy looks ahead."""
    found = dbt.source("control", "settings").filter("name = 'outlook_days'").fetchall()
    return int(found[0][1]) if found else lifetime.OUTLOOK_DAYS
