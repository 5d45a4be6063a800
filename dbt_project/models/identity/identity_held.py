"""What of the published ids this run can change; nothing where everything is done anew."""

from rapport.identity.ledger import LEDGER, concerned
from rapport.identity.parts import is_part, left_by_last_run, with_hashes


def model(dbt, session):
    dbt.config(materialized="table")
    dbt.ref("identity_delta"), dbt.ref("identity_reach")  # asked by name
    if not is_part(dbt):
        held = LEDGER.empty_table()
    else:
        held = concerned(session, left_by_last_run(dbt, "identity_ledger"), "identity_reach")
    return with_hashes(session, held, key_hash="profile_key", id_hash="id")
