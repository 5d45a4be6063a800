"""What became of ids since the last published run."""

from rapport.identity.ledger import LEDGER, changes

# Events are kept for years: what people wrote as a reason stays in its line.
WITHOUT_REASONS = (
    "case when refusal like 'kept apart by %' or refusal like 'people say: %' "
    "then split_part(refusal, ': ', 1) else refusal end"
)


def model(dbt, session):
    dbt.config(materialized="table")
    [(at,)] = dbt.source("control", "run").project("known_at").fetchall()
    columns = ", ".join(LEDGER.names)
    previous = dbt.source("control", "identity_ledger").project(columns)
    ledger = dbt.ref("identity_ledger").project(columns)
    edges = dbt.ref("identity_edge").project(
        f"left_key, right_key, rule_id, state, {WITHOUT_REASONS} as refusal"
    )
    return changes(previous.to_arrow_table(), ledger.to_arrow_table(), edges.to_arrow_table(), at)
