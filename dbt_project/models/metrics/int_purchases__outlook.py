"""What is expected of every history of purchases, by each buying model that could be fitted."""

import pyarrow
import pyarrow.compute as pc

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
    fits = dbt.ref("int_purchases__fits").filter("state = 'fitted'").set_alias("fits")
    alike = dbt.ref("int_purchases__histories").project(f"as_of, basis, {', '.join(KEY)}")
    asked = (
        fits.join(
            alike.distinct().set_alias("alike"),
            "fits.as_of = alike.as_of and fits.basis = alike.basis",
        )
        .project(
            "fits.as_of, fits.basis, model, "
            f"{', '.join(KEY)}, {', '.join(lifetime.BUYING_PARAMETERS)}"
        )
        .order(f"model, as_of, basis, {', '.join(KEY)}")
        .to_arrow_table()
    )
    return pyarrow.concat_tables(
        expected(name, asked.filter(pc.equal(asked["model"], name)), weeks)
        for name in ("bg_nbd", "mbg_nbd")
    )


def expected(name, asked, weeks):
    """Return the rows of one model."""
    repeats, recency, age = (asked[key].to_numpy().astype(float) for key in KEY)
    told = lifetime.outlook(
        name,
        {key: asked[key].to_numpy() for key in lifetime.BUYING_PARAMETERS},
        repeats,
        recency / lifetime.DAYS_PER_WEEK,
        age / lifetime.DAYS_PER_WEEK,
        weeks,
    )
    columns = {
        **{key: asked[key] for key in ("as_of", "basis", "model", *KEY)},
        "p_alive": told.p_alive.round(DIGITS),
        "expected": told.expected.round(DIGITS),
        "variance": told.variance.round(DIGITS),
        "low": told.low.astype(int),
        "high": told.high.astype(int),
    }
    return pyarrow.Table.from_pydict(columns, schema=SCHEMA)


def outlook_days(dbt):
    """Return how far the strategy looks ahead."""
    found = dbt.source("control", "settings").filter("name = 'outlook_days'").fetchall()
    return int(found[0][1]) if found else lifetime.OUTLOOK_DAYS
