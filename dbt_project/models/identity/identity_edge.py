"""Every pair of profiles that a rule looked at, joined or refused, with the reason."""

import pyarrow

from rapport.identity.graph import Pair, decide
from rapport.identity.names import Nicknames, read_name

SCHEMA = pyarrow.schema(
    [
        (name, pyarrow.string())
        for name in (
            "left_key", "right_key", "entity", "rule_id", "id_type", "evidence", "names",
            "state", "refusal", "component_key",
        )
    ]
)  # fmt: skip


def model(dbt, session):
    dbt.config(materialized="table")
    candidates = dbt.ref("identity_candidate")
    profiles = dbt.ref("identity_profile")
    nicknames = Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall())

    rows = (
        candidates.project(
            "left_key, right_key, entity, rule_id, id_type, evidence, tier, needs_agreement, "
            "refusal"
        )
        .order("left_key, right_key, tier, rule_id, evidence")
        .fetchall()
    )
    concerned = {key for row in rows for key in row[:2]}
    people = [
        row
        for row in profiles.filter("entity = 'person'")
        .project("profile_key, given_name, family_name, full_name, is_single_account, source")
        .fetchall()
        if row[0] in concerned
    ]
    decisions = decide(
        [
            Pair(left=row[0], right=row[1], tier=row[6], needs_agreement=row[7], refusal=row[8])
            for row in rows
        ],
        names={key: read_name(given, family, full) for key, given, family, full, _, _ in people},
        accounts={key: source for key, _, _, _, is_account, source in people if is_account},
        nicknames=nicknames,
    )
    return pyarrow.Table.from_pylist(
        [
            dict(
                zip(
                    SCHEMA.names,
                    (*row[:6], made.names, made.state, made.refusal, made.component),
                    strict=True,
                )
            )
            for row, made in zip(rows, decisions, strict=True)
        ],
        schema=SCHEMA,
    )
