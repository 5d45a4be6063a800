"""The model of spending, fitted per currency to those who bought again as of each snapshot."""

import pyarrow

from rapport import lifetime

SCHEMA = pyarrow.schema(
    [
        ("as_of", pyarrow.date32()),
        ("basis", pyarrow.string()),
        ("currency", pyarrow.string()),
        ("state", pyarrow.string()),
        *((name, pyarrow.float64()) for name in ("p", "q", "gamma", "log_likelihood")),
        ("parties", pyarrow.int64()),
    ]
)
KEY = "as_of, basis, currency"
DIGITS = 9  # fewer than machines differ in


def model(dbt, session):
    dbt.config(materialized="table")
    spent = (
        dbt.ref("int_spending__histories")
        .filter("repeat_days > 0 and repeat_spend > 0")
        .project(
            f"{KEY}, cast(repeat_days as double) as days, "
            "cast(repeat_spend as double) / repeat_days as mean_spend"
        )
        .aggregate(f"{KEY}, days, mean_spend, cast(count(*) as double) as parties")
    )
    rows = []
    for key in spent.project(KEY).distinct().order(KEY).fetchall():
        as_of, basis, currency = key
        found = spent.filter(
            f"as_of = date '{as_of}' and basis = '{basis}' "
            f"and currency = '{currency.replace(chr(39), chr(39) * 2)}'"
        ).fetchnumpy()
        fit = lifetime.fit_spending(
            *(found[name].astype("float64") for name in ("days", "mean_spend", "parties"))
        )
        rows.append(
            {
                "as_of": as_of,
                "basis": basis,
                "currency": currency,
                "state": fit.state,
                "parties": fit.parties,
                **{name: round(value, DIGITS) for name, value in fit.parameters.items()},
                "log_likelihood": round(fit.log_likelihood, 6) if fit.parameters else None,
            }
        )
    return pyarrow.Table.from_pylist(rows, schema=SCHEMA)
