"""What became of ids since the last published run."""

from rapport.identity.ledger import LEDGER, changes


def model(dbt, session):
    dbt.config(materialized="table")
    [(at,)] = dbt.source("control", "run").project("known_at").fetchall()
    columns = ", ".join(LEDGER.names)
    previous = dbt.source("control", "identity_ledger").project(columns)
    ledger = dbt.ref("identity_ledger").project(columns)
    edges = dbt.ref("identity_edge").project("left_key, right_key, rule_id, state, refusal")
    return changes(previous.to_arrow_table(), ledger.to_arrow_table(), edges.to_arrow_table(), at)
