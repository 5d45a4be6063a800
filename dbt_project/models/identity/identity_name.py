"""Every person's name in comparable words: one row per profile whose name could be read."""

import pyarrow

from rapport.identity.names import Nicknames, name_key, read_name, telling_words
from rapport.identity.parts import begin

SCHEMA = pyarrow.schema(
    [
        ("key_hash", pyarrow.uint64()),
        *(
            (name, pyarrow.string())
            for name in ("profile_key", "given", "family", "name_key", "given_word", "family_word")
        ),
    ]
)
ROWS_AT_ONCE = 50_000


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    dbt.ref("identity_delta_value")  # reads what the last run left here
    profiles = dbt.ref("identity_profile").filter("entity = 'person'")
    delta = dbt.ref("identity_delta")
    if begin(dbt, session, "key_hash in (select key_hash from identity_delta)"):
        profiles = profiles.join(delta.project("key_hash"), "key_hash", how="semi")
    nicknames = Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall())
    # Equal names follow each other: each is read once, and none is kept.
    ordered = profiles.project("key_hash, profile_key, given_name, family_name, full_name").order(
        "given_name, family_name, full_name, profile_key"
    )
    batches = ordered.to_arrow_reader(ROWS_AT_ONCE)
    return pyarrow.Table.from_batches([_read(batch, nicknames) for batch in batches], SCHEMA)


def _read(batch, nicknames):
    """Return the names of a batch of profiles."""
    columns = [[] for _ in SCHEMA]
    before, read = None, None
    for key_hash, profile_key, *texts in zip(
        *(column.to_pylist() for column in batch.columns), strict=True
    ):
        if texts != before:
            before, read = texts, _columns(read_name(*texts), nicknames)
        if read is not None:
            for column, value in zip(columns, (key_hash, profile_key, *read), strict=True):
                column.append(value)
    return pyarrow.record_batch(columns, schema=SCHEMA)


def _columns(name, nicknames):
    """Return all columns but those of the key; None for a name that is not full."""
    if not name.is_full:
        return None
    return (
        " ".join(name.given),
        " ".join(name.family),
        name_key(name, nicknames),
        *(telling_words(name, nicknames) or (None, None)),
    )
