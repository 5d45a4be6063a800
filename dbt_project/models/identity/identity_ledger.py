"""The ids of the last published run, handed on to what holds together now."""

from rapport.identity.ledger import COMPONENTS, LEDGER, assign
from rapport.identity.parts import begin

HELD = "profile_key in (select profile_key from identity_held)"


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    [(at,)] = dbt.source("control", "run").project("known_at").fetchall()
    previous, held = dbt.source("control", "identity_ledger"), dbt.ref("identity_held")
    components = dbt.ref("identity_component")
    dbt.ref("identity_delta")  # asked by name
    if begin(dbt, session, HELD):
        previous = held.filter("id is not null")
        components = components.filter(HELD)
    return assign(
        previous.project(", ".join(LEDGER.names)).to_arrow_table(),
        components.project(", ".join(COMPONENTS.names)).to_arrow_table(),
        at,
    )
