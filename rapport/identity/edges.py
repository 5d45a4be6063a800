"""What becomes of all pairs of a run: the many plain ones in bulk, the few others one by one.

Belongs here: deciding tables of pairs, and which of them need no thought. Does not belong here:
what a pair is judged by (`graph`), or which pairs meet (`identity_candidate`).

Most people are plain: none of their profiles contradicts another, and they are not too many. Of
those every pair that its own names allow is live, whatever the order, so DuckDB tells that of all
of them at once; `graph.decide` sees the rest. The outcome is that of `decide` on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import duckdb
import pyarrow as pa

from rapport.identity.graph import (
    LARGEST_PERSON,
    MOST_OF_ONE_STREAM,
    SYSTEM_TIER,
    Components,
    Pair,
    Traits,
    decide,
)
from rapport.identity.names import UNKNOWN, Name, Nicknames, verdict
from rapport.identity.parts import ROW_GROUP

PAIRS = pa.schema(
    [
        ("left_key", pa.string()),
        ("right_key", pa.string()),
        ("entity", pa.string()),
        ("rule_id", pa.string()),
        ("id_type", pa.string()),
        ("evidence", pa.string()),
        ("tier", pa.int64()),
        ("needs_agreement", pa.bool_()),
        ("refusal", pa.string()),
        ("band", pa.string()),
        ("asks_in_doubt", pa.bool_()),
    ]
)
"""One row per pair of profiles, rule and evidence; `graph.Pair` tells the columns."""

TRAITS = pa.schema(
    [
        (name, pa.string())
        for name in ("profile_key", "given", "family", "account_of", "stream", "mailboxes")
    ]
)
"""One row per profile: what of it can contradict another's; words and mailboxes between blanks."""

EDGES = pa.schema(
    [
        (name, pa.string())
        for name in (
            "left_key", "right_key", "entity", "rule_id", "id_type", "evidence", "names",
            "state", "refusal", "component_key",
        )
    ]
)  # fmt: skip
"""The pairs with what became of them (`graph.Decision`)."""

_PAIRS = """
create table pairs as
select
    given_pairs.* replace (
        coalesce(out_left.reason, out_right.reason, refusal) as refusal,
        case when asks_in_doubt and doubtful_pairs.left_key is not null then 'suggest' else band end
            as band
    ),
    row_number() over () as row_id
from given_pairs
left join kept_out as out_left on given_pairs.left_key = out_left.profile_key
left join kept_out as out_right on given_pairs.right_key = out_right.profile_key
left join doubtful_pairs
    on given_pairs.left_key = doubtful_pairs.left_key
    and given_pairs.right_key = doubtful_pairs.right_key
"""

# Equal names agree, and a name that is not full agrees with nothing: no need to compare.
_MET = """
create table met as
select
    left_key,
    right_key,
    case
        when one.family is null or other.family is null then 'unknown'
        when one.given = other.given and one.family = other.family then 'agree'
    end as told_names,
    one.given as given, one.family as family,
    other.given as other_given, other.family as other_family
from (select distinct left_key, right_key from pairs) as distinct_pairs
left join traits as one on left_key = one.profile_key
left join traits as other on right_key = other.profile_key
"""

_UNLIKE = """
select distinct given, family, other_given, other_family from met where told_names is null
"""

_JUDGED = """
create table judged as
select
    pairs.*,
    coalesce(told_names, compared.names) as names,
    case
        when vetoes.reason is not null then vetoes.reason
        when pairs.refusal is not null or tier <= $system_tier then pairs.refusal
        when coalesce(told_names, compared.names) = 'disagree' then 'the names disagree'
        when needs_agreement and coalesce(told_names, compared.names) <> 'agree'
            then 'the names do not agree fully'
    end as found_refusal,
    vetoes.reason is not null as is_vetoed,
    found_refusal is null and band = 'auto' as is_open
from pairs
inner join met using (left_key, right_key)
left join compared using (given, family, other_given, other_family)
left join vetoes using (left_key, right_key)
"""

_MEMBERS = """
create table members as
select component_key, profile_key, given, family, account_of, stream, mailboxes
from found
left join traits using (profile_key)
"""

# Doubtful is more than contradicting: what is listed here is looked at again.
_DOUBTFUL = f"""
create table doubtful as
select component_key from members
group by component_key
having count(*) > {LARGEST_PERSON}
union
select component_key from members
where stream is not null
group by component_key, stream
having count(*) > {MOST_OF_ONE_STREAM}
union
select component_key from members
where profile_key in (select left_key from vetoes union select right_key from vetoes)
union
select one.component_key
from members as one
inner join members as other
    on one.component_key = other.component_key and one.profile_key < other.profile_key
where one.component_key not in (
    select component_key from members group by component_key having count(*) > {LARGEST_PERSON}
)
and (
    one.account_of = other.account_of
    or one.given <> other.given
    or one.family <> other.family
    or (
        not list_has_any(string_split(one.mailboxes, ' '), string_split(other.mailboxes, ' '))
        and list_has_any(
            regexp_extract_all(one.mailboxes, '@[^ ]*'),
            regexp_extract_all(other.mailboxes, '@[^ ]*')
        )
    )
)
"""

_THOUGHT = """
select row_id, left_key, right_key, tier, needs_agreement, asks_in_doubt
from judged
inner join found on left_key = found.profile_key
inner join doubtful using (component_key)
where is_open
order by left_key, right_key, tier, rule_id, evidence
"""

_EDGES = """
select
    left_key,
    right_key,
    entity,
    rule_id,
    id_type,
    evidence,
    names,
    case
        when decided.row_id is not null then decided.state
        when is_vetoed then 'vetoed'
        when found_refusal is not null and not (asks_in_doubt and judged.refusal is null)
            then 'refused'
        when is_open then 'live'
        else 'suggested'
    end as state,
    coalesce(decided.refusal, found_refusal) as refusal,
    case
        when decided.row_id is not null then decided.component_key
        when is_open then found.component_key
    end as component_key
from judged
left join decided using (row_id)
left join found on left_key = found.profile_key
"""


def edges(
    pairs: pa.Table,
    traits: pa.Table,
    nicknames: Nicknames,
    vetoes: Mapping[tuple[str, str], str],
    *,
    kept_out: Mapping[str, str] | None = None,
    doubtful: Set[tuple[str, str]] = frozenset(),
) -> pa.Table:
    """Decide every pair; the outcome does not depend on the order of the rows given.

    Args:
        pairs: as `PAIRS`, left_key < right_key.
        traits: as `TRAITS`; a profile that is missing has none.
        vetoes: pairs that people keep apart, smaller key first -> the refusal to give.
        kept_out: profiles that join nobody -> the refusal to give.
        doubtful: pairs, smaller key first, of which a rule that asks in doubt asks.

    Returns:
        As `EDGES`, in no order.
    """
    with duckdb.connect() as session:
        session.register("given_pairs", pairs.cast(PAIRS))
        session.register("traits", traits.cast(TRAITS))
        _fill(session, "kept_out", ("profile_key", "reason"), [*(kept_out or {}).items()])
        _fill(session, "doubtful_pairs", ("left_key", "right_key"), [*doubtful])
        session.execute(_PAIRS)
        _fill(session, "vetoes", ("left_key", "right_key", "reason"),
              [(*pair, reason) for pair, reason in vetoes.items()])  # fmt: skip
        session.execute(_MET)
        _fill(
            session,
            "compared",
            ("given", "family", "other_given", "other_family", "names"),
            [
                (*row, verdict(name_of(*row[:2]), name_of(*row[2:]), nicknames))
                for row in session.execute(_UNLIKE).fetchall()
            ],
        )
        session.execute(_JUDGED, {"system_tier": SYSTEM_TIER})
        session.execute("drop table pairs; drop table met")
        components = Components()
        keys = session.execute("select distinct left_key, right_key from judged where is_open")
        for left, right in keys.fetchall():
            components.join(left, right)
        _fill(session, "found", ("component_key", "profile_key"), components.memberships())
        session.execute(_MEMBERS)
        session.execute(_DOUBTFUL)
        _fill(session, "decided", ("row_id", "state", "refusal", "component_key"),
              _thought(session, nicknames, vetoes), {"row_id": pa.int64()})  # fmt: skip
        return session.sql(_EDGES).to_arrow_table(ROW_GROUP).cast(EDGES)


def _thought(
    session: duckdb.DuckDBPyConnection,
    nicknames: Nicknames,
    vetoes: Mapping[tuple[str, str], str],
) -> list[tuple[int, str, str | None, str | None]]:
    """Return row_id, state, refusal and component of what could not be told in bulk."""
    rows = session.execute(_THOUGHT).fetchall()
    known = session.execute(
        "select profile_key, given, family, account_of, stream, mailboxes from members "
        "inner join doubtful using (component_key)"
    ).fetchall()
    decisions = decide(
        [
            Pair(
                left=left,
                right=right,
                tier=tier,
                needs_agreement=needs_agreement,
                asks_in_doubt=asks_in_doubt,
            )
            for _, left, right, tier, needs_agreement, asks_in_doubt in rows
        ],
        {
            key: Traits(
                name=name_of(given, family),
                account_of=account_of,
                stream=stream,
                mailboxes=tuple(mailboxes.split()) if mailboxes else (),
            )
            for key, given, family, account_of, stream, mailboxes in known
        },
        nicknames,
        vetoes,
    )
    return [
        (row[0], made.state, made.refusal, made.component)
        for row, made in zip(rows, decisions, strict=True)
    ]


def name_of(given: str | None, family: str | None) -> Name:
    """Return a name as the table of traits holds it; one that is not full is unknown."""
    return Name(tuple(given.split()), tuple(family.split())) if given and family else UNKNOWN


def _fill(
    session: duckdb.DuckDBPyConnection,
    name: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    kinds: Mapping[str, pa.DataType] | None = None,
) -> None:
    """Register rows as a table; columns hold text but for those in `kinds`."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    session.register(
        name,
        pa.table(
            {
                column: pa.array(held, (kinds or {}).get(column, pa.string()))
                for column, held in zip(columns, values, strict=True)
            }
        ),
    )
