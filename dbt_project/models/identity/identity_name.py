"""Every person's name in comparable words: one row per profile whose name could be read."""

import pyarrow

from rapport.identity.names import Nicknames, name_key, read_name

SCHEMA = pyarrow.schema(
    [(name, pyarrow.string()) for name in ("profile_key", "given", "family", "name_key")]
)


def model(dbt, session):
    dbt.config(materialized="table")
    profiles = dbt.ref("identity_profile")
    nicknames = Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall())

    columns = [[] for _ in SCHEMA]
    known = {}
    for profile_key, *texts in (
        profiles.filter("entity = 'person'")
        .project("profile_key, given_name, family_name, full_name")
        .order("profile_key")
        .fetchall()
    ):
        texts = tuple(texts)
        if texts not in known:
            name = read_name(*texts)
            known[texts] = (
                " ".join(name.given), " ".join(name.family), name_key(name, nicknames)
            ) if name.is_full else None  # fmt: skip
        if known[texts] is not None:
            for column, value in zip(columns, (profile_key, *known[texts]), strict=True):
                column.append(value)
    return pyarrow.table(columns, schema=SCHEMA)
