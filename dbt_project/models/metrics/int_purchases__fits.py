"""The buying models, fitted to everybody's purchases as of each snapshot."""

import pyarrow
import pyarrow.compute as pc

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
    counted = (
        dbt.ref("int_purchases__histories")
        .aggregate("as_of, basis, repeats, recency_days, age_days, count(*) as parties")
        .to_arrow_table()
    )
    found = {}
    for key in counted.group_by(["as_of", "basis"]).aggregate([]).sort_by("as_of").to_pylist():
        snapshot = counted.filter(
            (pc.field("as_of") == key["as_of"]) & (pc.field("basis") == key["basis"])
        )
        repeats, recency, age, parties = (
            snapshot[name].to_numpy().astype(float)
            for name in ("repeats", "recency_days", "age_days", "parties")
        )
        found[key["as_of"], key["basis"]] = (
            repeats, recency / lifetime.DAYS_PER_WEEK, age / lifetime.DAYS_PER_WEEK, parties,
        )  # fmt: skip
    return found
