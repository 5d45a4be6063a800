"""How much attention flows to each person, and how many ways lead over them, on two-way ties."""

import hashlib

import numpy as np
import pyarrow
import pyarrow.compute as pc

from rapport.network import betweenness, pagerank

EXACT_PEOPLE = 300
"""Up to so many people betweenness is exact; above, it is estimated from so many pivots."""
PIVOTS = 100
MANY_TIES = 100_000
FEW_PIVOTS = 32
"""Pivots where there are more ties than `MANY_TIES`."""

SCHEMA = pyarrow.schema(
    [
        ("as_of", pyarrow.date32()),
        ("basis", pyarrow.string()),
        ("person_id", pyarrow.string()),
        ("pagerank", pyarrow.float64()),
        ("betweenness", pyarrow.float64()),
        ("pivots", pyarrow.int64()),
    ]
)


def model(dbt, session):
    dbt.config(materialized="table")
    people = dbt.ref("int_people__numbered")
    ties = (
        dbt.ref("int_ties__faded")
        .filter("is_direct and strength > 0")
        .set_alias("ties")
        .join(people.set_alias("one"), "ties.one_number = one.person_number")
        .join(people.set_alias("other"), "ties.other_number = other.person_number")
        .project("as_of, basis, strength, one.person_id as one_id, other.person_id as other_id")
    )
    days = ties.project("as_of, basis").distinct().order("as_of, basis").fetchall()
    parts = [
        _placed(
            as_of,
            basis,
            ties.filter(f"as_of = date '{as_of}' and basis = '{basis}'")
            .project("one_id, other_id, cast(strength as double) as strength")
            .order("one_id, other_id")
            .to_arrow_table(),
        )
        for as_of, basis in days
    ]
    return pyarrow.concat_tables(parts) if parts else SCHEMA.empty_table()


def _placed(as_of, basis, ties):
    """Return the rows of one snapshot."""
    ends = pyarrow.chunked_array(
        [*ties["one_id"].chunks, *ties["other_id"].chunks], pyarrow.string()
    )
    people = pc.unique(ends)
    numbers = pc.index_in(ends, people).to_numpy().astype(np.int64)
    one, other = numbers[: len(ties)], numbers[len(ties) :]
    size = len(people)
    pivots = _pivots(people.to_pylist(), len(ties))
    rank = pagerank(size, one, other, ties["strength"].to_numpy())
    between = betweenness(size, one, other, pivots)
    return pyarrow.table(
        [
            pyarrow.array([as_of] * size),
            pyarrow.array([basis] * size),
            people,
            pyarrow.array(np.round(rank, 12)),
            pyarrow.array(np.round(between, 9)),
            pyarrow.array([len(pivots)] * size),
        ],
        schema=SCHEMA,
    )


def _pivots(people, n_ties):
    """Return the numbers of the people from whom ways are taken: the same ones day after day."""
    if len(people) <= EXACT_PEOPLE:
        return np.arange(len(people))
    drawn = sorted(
        range(len(people)), key=lambda number: hashlib.md5(people[number].encode()).digest()
    )
    return np.sort(np.array(drawn[: FEW_PIVOTS if n_ties > MANY_TIES else PIVOTS]))
