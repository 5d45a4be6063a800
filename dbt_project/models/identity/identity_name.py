"""Every person's name in comparable words: one row per profile whose name could be read."""

import pyarrow

from rapport.identity.names import (
    LONGEST_NAME,
    Nicknames,
    family_part,
    given_part,
    name_key,
    read_name,
    telling_words,
    words_of,
)
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
PARTS = pyarrow.schema(
    [
        ("text", pyarrow.string()),
        ("words", pyarrow.string()),
        ("key_words", pyarrow.list_(pyarrow.string())),
        ("telling_word", pyarrow.string()),
        ("is_placeholder", pyarrow.bool_()),
    ]
)
ROWS_AT_ONCE = 50_000

# Most names are told by their parts, of which there are few: each is read once.
OF_PARTS = f"""
    length(given_name) + length(family_name) <= {LONGEST_NAME}
    and givens.words <> '' and families.words <> ''
"""
NAMES = """
    key_hash,
    profile_key,
    givens.words as given,
    families.words as family,
    array_to_string(list_sort(givens.key_words || families.key_words), ' ') as name_key,
    case when families.telling_word is not null then givens.telling_word end as given_word,
    case when givens.telling_word is not null then families.telling_word end as family_word
"""


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    dbt.ref("identity_delta_value")  # reads what the last run left here
    profiles = dbt.ref("identity_profile").filter("entity = 'person'")
    delta = dbt.ref("identity_delta")
    does_part = begin(dbt, session, "key_hash in (select key_hash from identity_delta)")
    if does_part:
        profiles = profiles.join(delta.project("key_hash"), "key_hash", how="semi")
    profiles = profiles.project("key_hash, profile_key, given_name, family_name, full_name")
    if does_part:
        # few, looked for once
        profiles = session.from_arrow(profiles.to_arrow_table())
    nicknames = Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall())
    givens = _parts(profiles, "given_name", lambda words: given_part(words, nicknames))
    families = _parts(profiles, "family_name", family_part)
    parted = profiles.join(
        session.from_arrow(givens).set_alias("givens"), "given_name = givens.text", how="left"
    ).join(
        session.from_arrow(families).set_alias("families"),
        "family_name = families.text",
        how="left",
    )
    of_parts = parted.filter(OF_PARTS).filter(
        "not (givens.is_placeholder or families.is_placeholder)"
    )
    # Equal names follow each other: each is read once, and none is kept.
    others = (
        parted.filter(f"({OF_PARTS}) is not true")
        .project("key_hash, profile_key, given_name, family_name, full_name")
        .order("given_name, family_name, full_name, profile_key")
        .to_arrow_reader(ROWS_AT_ONCE)
    )
    others = pyarrow.Table.from_batches([_read(batch, nicknames) for batch in others], SCHEMA)
    names = of_parts.project(NAMES).union(session.from_arrow(others))
    return names.project("*, case when name_key is not null then hash(name_key) end as name_hash")


def _parts(profiles, column, read):
    """Return what every text of a column says."""
    told = profiles.filter(f"{column} <> ''").project(column).distinct().fetchall()
    rows = []
    for (text,) in told:
        # what is longer is part of no name
        part = read(words_of(text) if len(text) <= LONGEST_NAME else ())
        rows.append((text, " ".join(part.words), *part[1:], part.is_placeholder))
    columns = list(zip(*rows, strict=True)) or [()] * len(PARTS)
    return pyarrow.table(columns, schema=PARTS)


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
