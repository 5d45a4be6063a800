"""Every phone number as written, and in E.164: one row per text."""

import pyarrow

from rapport.identity.phones import e164


def model(dbt, session):
    dbt.config(materialized="table")
    profiles = dbt.ref("identity_profile")
    settings = dict(dbt.source("control", "settings").project("name, value").fetchall())
    region = settings.get("phone_region", "US")
    phones = [
        text
        for (text,) in profiles.query(
            "profiles",
            "select phone from profiles where phone is not null union "
            "select further_phone from profiles where further_phone is not null order by 1",
        ).fetchall()
    ]
    return pyarrow.table(
        {"phone": phones, "e164": [e164(text, region) for text in phones]},
        schema=pyarrow.schema([("phone", pyarrow.string()), ("e164", pyarrow.string())]),
    )
