"""The buying models, fitted to everybody's purchases as of each snapshot."""

import pyarrow

from rapport import lifetime

SCHEMA = pyarrow.schema(
    [
        ("as_of", pyarrow.date32()),
        ("basis", pyarrow.string()),
        ("model", pyarrow.string()),
        ("state", pyarrow.string()),
        *((name, pyarrow.float64()) for name in ("r", "alpha", "a", "b", "log_likelihood")),
        ("parties", pyarrow.int64()),
    ]
)
DIGITS = 9  # fewer than machines differ in


def model(dbt, session):
    dbt.config(materialized="table")
    rows = []
    for (as_of, basis), history in histories(dbt).items():
        for name in ("bg_nbd", "mbg_nbd"):
            fit = lifetime.fit_buying(name, *history)
            rows.append(
                {
                    "as_of": as_of,
                    "basis": basis,
                    "model": name,
                    "state": fit.state,
                    "parties": fit.parties,
                    **{key: round(value, DIGITS) for key, value in fit.parameters.items()},
                    "log_likelihood": round(fit.log_likelihood, 6) if fit.parameters else None,
                }
            )
    return pyarrow.Table.from_pylist(rows, schema=SCHEMA)


def histories(dbt):
    """Return (as_of, basis) -> repeats, recency and age in weeks, and how many have these."""
    counted = dbt.ref("int_purchases__histories").aggregate(
        "as_of, basis, cast(repeats as double) as repeats, "
        f"recency_days / {lifetime.DAYS_PER_WEEK}.0 as recency, "
        f"age_days / {lifetime.DAYS_PER_WEEK}.0 as age, cast(count(*) as double) as parties"
    )
    found = {}
    for as_of, basis in counted.project("as_of, basis").distinct().order("1, 2").fetchall():
        snapshot = counted.filter(f"as_of = date '{as_of}' and basis = '{basis}'").fetchnumpy()
        found[as_of, basis] = [
            snapshot[name].astype("float64") for name in ("repeats", "recency", "age", "parties")
        ]
    return found
