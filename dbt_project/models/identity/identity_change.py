"""What became of ids since the last published run."""

from rapport.identity.ledger import LEDGER, changes
from rapport.identity.parts import is_part, with_an_end_in

# Events are kept for years: what people wrote as a reason stays in its line.
WITHOUT_REASONS = (
    "case when refusal like 'kept apart by %' or refusal like 'people say: %' "
    "then split_part(refusal, ': ', 1) else refusal end"
)


def model(dbt, session):
    dbt.config(materialized="table")
    [(at,)] = dbt.source("control", "run").project("known_at").fetchall()
    previous, held = dbt.source("control", "identity_ledger"), dbt.ref("identity_held")
    ledger, edges = dbt.ref("identity_ledger"), dbt.ref("identity_edge")
    dbt.ref("identity_delta")  # asked by name
    if is_part(dbt):
        previous = held.filter("id is not null")
        ledger = ledger.filter("key_hash in (select key_hash from identity_held)")
        edges = with_an_end_in(edges, "identity_held")
    columns = ", ".join(LEDGER.names)
    edges = edges.project(f"left_key, right_key, rule_id, state, {WITHOUT_REASONS} as refusal")
    return changes(
        previous.project(columns).to_arrow_table(),
        ledger.project(columns).to_arrow_table(),
        edges.to_arrow_table(),
        at,
    )
