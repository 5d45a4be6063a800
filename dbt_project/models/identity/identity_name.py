"""Every person's name in comparable words: one row per profile whose name could be read."""

import pyarrow

from rapport.identity.names import Nicknames, name_key, read_name, telling_words

SCHEMA = pyarrow.schema(
    [
        (name, pyarrow.string())
        for name in ("profile_key", "given", "family", "name_key", "given_word", "family_word")
    ]
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
            known[texts] = _columns(read_name(*texts), nicknames)
        if known[texts] is not None:
            for column, value in zip(columns, (profile_key, *known[texts]), strict=True):
                column.append(value)
    return pyarrow.table(columns, schema=SCHEMA)


def _columns(name, nicknames):
    """Return all columns but the key; None for a name that is not full."""
    if not name.is_full:
        return None
    return (
        " ".join(name.given),
        " ".join(name.family),
        name_key(name, nicknames),
        *(telling_words(name, nicknames) or (None, None)),
    )
