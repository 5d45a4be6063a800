"""Every phone number as written, and in E.164: one row per text."""

import pyarrow

from rapport.identity.parts import begin
from rapport.identity.phones import e164

NOBODY_HAS_IT = """phone not in (
    select phone from identity_profile where phone is not null
    union all
    select further_phone from identity_profile where further_phone is not null
)"""


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    profiles, delta = dbt.ref("identity_profile"), dbt.ref("identity_delta")
    does_part = begin(dbt, session, NOBODY_HAS_IT)
    if does_part:
        profiles = profiles.join(delta.project("key_hash"), "key_hash", how="semi")
    written = profiles.query(
        "profiles",
        "select phone from profiles where phone is not null union "
        "select further_phone from profiles where further_phone is not null order by 1",
    )
    if does_part:
        written = written.join(session.sql(f"select phone from {dbt.this}"), "phone", how="anti")
    phones = [text for (text,) in written.fetchall()]
    settings = dict(dbt.source("control", "settings").project("name, value").fetchall())
    region = settings.get("phone_region", "US")
    return pyarrow.table(
        {"phone": phones, "e164": [e164(text, region) for text in phones]},
        schema=pyarrow.schema([("phone", pyarrow.string()), ("e164", pyarrow.string())]),
    )
