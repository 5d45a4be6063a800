"""Every pair of profiles that a rule looked at, joined or refused, with the reason."""

import pyarrow

from rapport.identity.graph import Pair, Traits, decide
from rapport.identity.names import UNKNOWN, Name, Nicknames, is_shown_as_another
from rapport.identity.overrides import refuse_contradictions, refuse_crowds
from rapport.identity.suppressions import kept_off, kept_out

SCHEMA = pyarrow.schema(
    [
        (name, pyarrow.string())
        for name in (
            "left_key", "right_key", "entity", "rule_id", "id_type", "evidence", "names",
            "state", "refusal", "component_key",
        )
    ]
)  # fmt: skip

ASKING_RULES = {"claimed_handle"}  # what somebody told us is asked about before it is thrown away
OVERRIDE_TIER = 0  # above every rule: neither names nor sizes undo it


def model(dbt, session):
    dbt.config(materialized="table")
    candidates = dbt.ref("identity_candidate")
    nicknames = Nicknames(dbt.ref("nickname").project("familiar, formal").fetchall())

    rows = (
        candidates.project(
            "left_key, right_key, entity, rule_id, id_type, evidence, tier, needs_agreement, "
            "refusal, band"
        )
        .order("left_key, right_key, tier, rule_id, evidence")
        .fetchall()
    )
    links, vetoes = overrides(dbt.ref("identity_override"))
    rows += links
    suppressed = dbt.ref("identity_suppression").project("profile_key, scope, place").fetchall()
    out = kept_out(suppressed)
    networks = dbt.source("control", "link_policy").filter("not is_own_space")
    vetoes |= kept_off(
        suppressed,
        [row[:2] for row in rows if row[8] is None],
        networks={source for (source,) in networks.project("source").fetchall()},
    )
    traits = _traits(dbt.ref("identity_trait"), {key for row in rows for key in row[:2]})
    claims = dbt.ref("identity_claim").filter("state = 'in_force' and shown_name is not null")
    shown = dict(claims.project("handle_key, shown_name").fetchall())
    decisions = decide(
        [
            Pair(
                left=row[0],
                right=row[1],
                tier=row[6],
                needs_agreement=row[7],
                refusal=out.get(row[0]) or out.get(row[1]) or row[8],
                band="suggest" if _is_doubtful(row, shown, traits, nicknames) else row[9],
                asks_in_doubt=row[3] in ASKING_RULES,
            )
            for row in rows
        ],
        traits=traits,
        nicknames=nicknames,
        vetoes=vetoes,
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


def _is_doubtful(row, shown, traits, nicknames):
    """Say whether a claimed account shows another name: a handle is given on, a note stays."""
    left, right, _, rule, *_ = row
    return rule in ASKING_RULES and any(
        is_shown_as_another(shown[account], traits[record].name, nicknames)
        for account, record in ((left, right), (right, left))
        if account in shown and record in traits
    )


def _traits(traits, concerned):
    """Return profile key -> what of it can contradict another's."""
    return {
        key: Traits(
            name=Name(tuple(given.split()), tuple(family.split())) if family else UNKNOWN,
            account_of=account_of,
            stream=stream,
            mailboxes=tuple(mailboxes.split()) if mailboxes else (),
        )
        for key, given, family, account_of, stream, mailboxes in traits.project(
            "profile_key, given, family, account_of, stream, mailboxes"
        ).fetchall()
        if key in concerned
    }


def overrides(lines):
    """Return rows for the links of people, as of candidates, and the pairs that they keep apart."""
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
        (
            *(left, right, entity, f"override_{action}", None, place),
            *(OVERRIDE_TIER, False, refusal, "auto"),
        )
        for action, left, right, place, entity, *_, refusal in found
    ]
    return rows, vetoes
