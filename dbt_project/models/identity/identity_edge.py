"""Every pair of profiles that a rule looked at, joined or refused, with the reason."""

import pyarrow

from rapport.identity.edges import PAIRS, TRAITS, edges, name_of
from rapport.identity.names import Nicknames, is_shown_as_another
from rapport.identity.overrides import refuse_contradictions, refuse_crowds
from rapport.identity.parts import begin, with_an_end_in, with_hashes
from rapport.identity.suppressions import kept_off, kept_out

# What somebody told us, or a whole record says, is asked about before it is thrown away.
ASKING_RULES = "('claimed_handle', 'likely_records')"
REACHED = "in (select key_hash from identity_reach)"
OVERRIDE_TIER = 0  # above every rule: neither names nor sizes undo it


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="append")
    nicknames = Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall())
    traits = dbt.ref("identity_trait")
    links, vetoes = overrides(dbt.ref("identity_override"))
    candidates = dbt.ref("identity_candidate")
    dbt.ref("identity_delta"), dbt.ref("identity_reach")  # asked by name
    does_part = begin(dbt, session, f"left_hash {REACHED}", f"right_hash {REACHED}")
    if does_part:
        candidates = with_an_end_in(candidates, "identity_reach")
    candidates = (
        candidates.project(f"*, rule_id in {ASKING_RULES} as asks_in_doubt")
        .project(", ".join(PAIRS.names))
        .to_arrow_table()
    )
    pairs = pyarrow.concat_tables([candidates.cast(PAIRS), links])
    if does_part:
        keys = [*pairs["left_key"].chunks, *pairs["right_key"].chunks]
        ends = pyarrow.table({"profile_key": pyarrow.chunked_array(keys, pyarrow.string())})
        ends = with_hashes(session, ends, key_hash="profile_key").project("key_hash")
        traits = traits.join(ends, "key_hash", how="semi")
    suppressed = dbt.ref("identity_suppression").project("profile_key, scope, place").fetchall()
    networks = dbt.source("control", "link_policy").filter("not is_own_space")
    vetoes |= kept_off(
        suppressed,
        _unrefused(dbt.ref("identity_candidate"), links),
        {source for (source,) in networks.project("source").fetchall()},
    )
    decided = edges(
        pairs,
        traits.project(", ".join(TRAITS.names)).to_arrow_table(),
        nicknames,
        vetoes,
        kept_out=kept_out(suppressed),
        doubtful=doubtful(traits, dbt.ref("identity_claim"), nicknames),
    )
    return with_hashes(session, decided, left_hash="left_key", right_hash="right_key")


def _unrefused(candidates, links):
    """Yield all pairs that could join, in a part of a run too: ways lead beyond what it does."""
    yield from candidates.filter("refusal is null").project("left_key, right_key").fetchall()
    for pair in links.to_pylist():
        if pair["refusal"] is None:
            yield pair["left_key"], pair["right_key"]


def doubtful(traits, claims, nicknames):
    """Return the claims whose account shows another name: a handle is given on, a note stays."""
    shown = (
        claims.filter("state = 'in_force' and shown_name is not null")
        .project("handle_key, record_key as profile_key, shown_name")
        .join(traits, "profile_key")
        .project("handle_key, profile_key, shown_name, given, family")
        .fetchall()
    )
    return {
        (min(handle, record), max(handle, record))
        for handle, record, name, given, family in shown
        if is_shown_as_another(name, name_of(given, family), nicknames)
    }


def overrides(lines):
    """Return what people link as pairs, and the pairs that they keep apart with the refusal."""
    found = (
        lines.project(
            "action, left_key, right_key, place, entity, reason, n_left, n_right, refusal"
        )
        .order("place, left_key, right_key")
        .fetchall()
    )
    crowds = {(place, "left"): n_left for _, _, _, place, _, _, n_left, *_ in found}
    crowds |= {(place, "right"): n_right for _, _, _, place, _, _, _, n_right, _ in found}
    refuse_crowds(crowds)
    refuse_contradictions(row[:4] for row in found)
    vetoes = {
        (left, right): f"kept apart by {place}: {reason}"
        for action, left, right, place, _, reason, *_ in found
        if action == "unlink"
    }
    rows = [
        {
            "left_key": left, "right_key": right, "entity": entity, "rule_id": f"override_{action}",
            "evidence": place, "tier": OVERRIDE_TIER, "needs_agreement": False,
            "refusal": refusal, "band": "auto", "asks_in_doubt": False,
        }
        for action, left, right, place, entity, *_, refusal in found
    ]  # fmt: skip
    return pyarrow.Table.from_pylist(rows, schema=PAIRS), vetoes
