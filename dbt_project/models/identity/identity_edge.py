"""Every pair of profiles that a rule looked at, joined or refused, with the reason."""

import pyarrow

from rapport.identity.edges import PAIRS, TRAITS, edges
from rapport.identity.names import Nicknames
from rapport.identity.overrides import place, refuse_contradictions, refuse_crowds

OVERRIDE_TIER = 0  # above every rule: neither names nor sizes undo it


def model(dbt, session):
    dbt.config(materialized="table")
    candidates = dbt.ref("identity_candidate").project(", ".join(PAIRS.names)).to_arrow_table()
    links, vetoes = overrides(dbt.ref("identity_override"))
    return edges(
        pyarrow.concat_tables([candidates.cast(PAIRS), links]),
        dbt.ref("identity_trait").project(", ".join(TRAITS.names)).to_arrow_table(),
        Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall()),
        vetoes,
    )


def overrides(lines):
    """Return what people link as pairs, and the pairs that they keep apart with the refusal."""
    found = (
        lines.project("action, left_key, right_key, line, entity, reason, n_left, n_right")
        .order("line, left_key, right_key")
        .fetchall()
    )
    crowds = {(line, "left"): n_left for _, _, _, line, _, _, n_left, _ in found}
    crowds |= {(line, "right"): n_right for _, _, _, line, _, _, _, n_right in found}
    refuse_crowds(crowds)
    refuse_contradictions(row[:4] for row in found)
    vetoes = {
        (left, right): f"kept apart by {place(line)}: {reason}"
        for action, left, right, line, _, reason, *_ in found
        if action == "unlink"
    }
    rows = [
        {
            "left_key": left, "right_key": right, "entity": entity, "rule_id": f"override_{action}",
            "evidence": place(line), "tier": OVERRIDE_TIER, "needs_agreement": False,
            "band": "auto",
        }
        for action, left, right, line, entity, *_ in found
    ]  # fmt: skip
    return pyarrow.Table.from_pylist(rows, schema=PAIRS), vetoes
