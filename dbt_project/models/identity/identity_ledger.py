"""The ids of the last published run, handed on to what holds together now."""

from rapport.identity.ledger import COMPONENTS, LEDGER, assign
from rapport.identity.parts import begin, with_hashes

HELD = "key_hash in (select key_hash from identity_held)"


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    [(at,)] = dbt.source("control", "run").project("known_at").fetchall()
    previous, held = dbt.source("control", "identity_ledger"), dbt.ref("identity_held")
    components = dbt.ref("identity_component")
    dbt.ref("identity_delta")  # asked by name
    if begin(dbt, session, HELD):
        previous = held.filter("id is not null")
        components = components.filter(HELD)
    ledger = assign(
        previous.project(", ".join(LEDGER.names)).to_arrow_table(),
        components.project(", ".join(COMPONENTS.names)).to_arrow_table(),
        at,
    )
    return with_hashes(session, ledger, key_hash="profile_key", id_hash="id")
