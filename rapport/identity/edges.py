"""What becomes of all pairs of a run: the many plain ones in bulk, the few others one by one.

Belongs here: deciding tables of pairs, and which of them need no thought. Does not belong here:
what a pair is judged by (`graph`), or which pairs meet (`identity_candidate`).

Most people are plain: none of their profiles contradicts another, and they are not too many. Of
those every pair that its own names allow is live, whatever the order, so DuckDB tells that of all
of them at once; `graph.decide` sees the rest. The outcome is that of `decide` on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
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
from rapport.identity.names import UNKNOWN, Name, Nicknames, Verdict, verdict
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

# Profiles meet by numbers of their keys, and names by numbers of theirs: texts of one number are
# alike. What is long is read again for those rows alone that it decides.
_KNOWN = """
create table known as
select
    hash(profile_key) as key_hash,
    case when given is not null and family is not null then hash(given, family) end as name_hash
from traits
"""

_PAIRS = """
create table pairs as
select
    row_id,
    hash(given_pairs.left_key) as left_hash,
    hash(given_pairs.right_key) as right_hash,
    tier,
    needs_agreement,
    asks_in_doubt,
    coalesce(out_left.reason, out_right.reason, refusal) as refusal,
    case when asks_in_doubt and doubtful_pairs.left_key is not null then 'suggest' else band end
        as band,
    vetoes.reason as veto
from given_pairs
left join kept_out as out_left on given_pairs.left_key = out_left.profile_key
left join kept_out as out_right on given_pairs.right_key = out_right.profile_key
left join doubtful_pairs
    on given_pairs.left_key = doubtful_pairs.left_key
    and given_pairs.right_key = doubtful_pairs.right_key
left join vetoes
    on given_pairs.left_key = vetoes.left_key
    and given_pairs.right_key = vetoes.right_key
"""

_MET = """
create table met as
select pairs.*, one.name_hash as left_name, other.name_hash as right_name
from pairs
left join known as one on pairs.left_hash = one.key_hash
left join known as other on pairs.right_hash = other.key_hash
"""

# Equal names agree, and a name that is not full agrees with nothing: no need to compare.
_UNLIKE = """
with unlike as (
    select distinct left_name, right_name from met where left_name <> right_name
),
names as (
    select distinct hash(given, family) as name_hash, given, family
    from traits
    where hash(given, family) in (
        select left_name from unlike union all select right_name from unlike
    )
)
select left_name, right_name, one.given, one.family, other.given, other.family
from unlike
inner join names as one on unlike.left_name = one.name_hash
inner join names as other on unlike.right_name = other.name_hash
"""

_JUDGED = """
create table judged as
select
    met.*,
    case
        when left_name is null or right_name is null then 'unknown'
        when left_name = right_name then 'agree'
        else compared.names
    end as found_names,
    case
        when veto is not null then veto
        when refusal is not null or tier <= $system_tier then refusal
        when found_names = 'disagree' then 'the names disagree'
        when needs_agreement and found_names <> 'agree' then 'the names do not agree fully'
    end as found_refusal,
    found_refusal is null and band = 'auto' as is_open
from met
left join compared using (left_name, right_name)
"""

_LINKS = """
create table links as
select left_hash, right_hash, min(row_id) as row_id
from judged
where is_open
group by left_hash, right_hash
"""

# Whoever is linked is under the smallest number around it: most components are told by that.
_ROOTS = """
create table roots as
select key_hash, min(root) as root
from (
    select left_hash as key_hash, least(left_hash, right_hash) as root from links
    union all
    select right_hash, least(left_hash, right_hash) from links
)
group by key_hash
"""

# The others are joined by those of whom one is under this number and one under that.
_BRIDGES = """
select distinct one.root, other.root
from links
inner join roots as one on links.left_hash = one.key_hash
inner join roots as other on links.right_hash = other.key_hash
where one.root <> other.root
"""

_FOUND = """
create table found as
select key_hash, coalesce(joined.component, roots.root) as component
from roots
left join joined on roots.root = joined.root
"""

# a component is named by its smallest key, which is the left one of a pair
_NAMED = """
create table named as
select found.component, min(given_pairs.left_key) as component_key
from links
inner join found on links.left_hash = found.key_hash
inner join given_pairs on links.row_id = given_pairs.row_id
group by found.component
"""

_MEMBERS = """
create table members as
select
    found.component,
    found.key_hash,
    known.name_hash,
    traits.account_of,
    traits.stream,
    traits.mailboxes
from found
inner join traits on found.key_hash = hash(traits.profile_key)
inner join known on found.key_hash = known.key_hash
"""

# Doubtful is more than contradicting: what is listed here is looked at again.
_DOUBTFUL = f"""
create table doubtful as
with several as (
    select distinct component, mailboxes
    from members
    where component in (
        select component from members
        group by component
        having min(mailboxes) <> max(mailboxes) and count(*) <= {LARGEST_PERSON}
    )
)
select component from found
group by component
having count(*) > {LARGEST_PERSON}
union
select component from members
group by component
having min(name_hash) <> max(name_hash)
union
select component from members
where stream is not null
group by component, stream
having count(*) > {MOST_OF_ONE_STREAM}
union
select component from members
where account_of is not null
group by component, account_of
having count(*) > 1
union
select component from found
where key_hash in (select hash(left_key) from vetoes union all select hash(right_key) from vetoes)
union
select one.component
from several as one
inner join several as other
    on one.component = other.component and one.mailboxes < other.mailboxes
where not list_has_any(string_split(one.mailboxes, ' '), string_split(other.mailboxes, ' '))
    and list_has_any(
        regexp_extract_all(one.mailboxes, '@[^ ]*'), regexp_extract_all(other.mailboxes, '@[^ ]*')
    )
"""

_THOUGHT = """
select
    judged.row_id, given_pairs.left_key, given_pairs.right_key, judged.tier,
    judged.needs_agreement, judged.asks_in_doubt
from judged
inner join found on judged.left_hash = found.key_hash
inner join doubtful using (component)
inner join given_pairs on judged.row_id = given_pairs.row_id
where judged.is_open
order by left_key, right_key, judged.tier, rule_id, evidence
"""

_THOUGHT_OF = """
select profile_key, given, family, account_of, stream, mailboxes
from traits
inner join found on hash(profile_key) = found.key_hash
inner join doubtful using (component)
"""

_EDGES = """
select
    given_pairs.left_key,
    given_pairs.right_key,
    given_pairs.entity,
    given_pairs.rule_id,
    given_pairs.id_type,
    given_pairs.evidence,
    judged.found_names as names,
    case
        when decided.row_id is not null then decided.state
        when judged.veto is not null then 'vetoed'
        when found_refusal is not null and not (judged.asks_in_doubt and judged.refusal is null)
            then 'refused'
        when is_open then 'live'
        else 'suggested'
    end as state,
    coalesce(decided.refusal, found_refusal) as refusal,
    case
        when decided.row_id is not null then decided.component_key
        when is_open then named.component_key
    end as component_key
from given_pairs
inner join judged on given_pairs.row_id = judged.row_id
left join decided on judged.row_id = decided.row_id
left join found on judged.left_hash = found.key_hash
left join named on found.component = named.component
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
        told = pairs.cast(PAIRS)
        rows = pa.array(range(told.num_rows), pa.int64())
        session.register("given_pairs", told.append_column("row_id", rows))
        session.register("traits", traits.cast(TRAITS))
        _fill(session, "kept_out", ("profile_key", "reason"), [*(kept_out or {}).items()])
        _fill(session, "doubtful_pairs", ("left_key", "right_key"), [*doubtful])
        _fill(session, "vetoes", ("left_key", "right_key", "reason"),
              [(*pair, reason) for pair, reason in vetoes.items()])  # fmt: skip
        session.execute(_KNOWN)
        session.execute(_PAIRS)
        session.execute(_MET)
        number = pa.uint64()
        verdicts: dict[tuple[Name, Name], Verdict] = {}
        compared = []
        for left, right, *names in session.execute(_UNLIKE).fetchall():
            both = name_of(*names[:2]), name_of(*names[2:])
            verdicts[both] = verdict(*both, nicknames)
            compared.append((left, right, verdicts[both]))
        _fill(session, "compared", ("left_name", "right_name", "names"), compared,
              {"left_name": number, "right_name": number})  # fmt: skip
        session.execute(_JUDGED, {"system_tier": SYSTEM_TIER})
        session.execute(_LINKS)
        session.execute(_ROOTS)
        components: Components[int] = Components()
        for one, other in session.execute(_BRIDGES).fetchall():
            components.join(one, other)
        _fill(session, "joined", ("component", "root"), components.memberships(),
              {"component": number, "root": number})  # fmt: skip
        session.execute(_FOUND)
        session.execute(_NAMED)
        session.execute(_MEMBERS)
        session.execute(_DOUBTFUL)
        _fill(session, "decided", ("row_id", "state", "refusal", "component_key"),
              _thought(session, nicknames, vetoes, verdicts), {"row_id": pa.int64()})  # fmt: skip
        return session.sql(_EDGES).to_arrow_table(ROW_GROUP).cast(EDGES)


def _thought(
    session: duckdb.DuckDBPyConnection,
    nicknames: Nicknames,
    vetoes: Mapping[tuple[str, str], str],
    verdicts: Mapping[tuple[Name, Name], Verdict],
) -> list[tuple[int, str, str | None, str | None]]:
    """Return row_id, state, refusal and component of what could not be told in bulk."""
    rows = session.execute(_THOUGHT).fetchall()
    known = session.execute(_THOUGHT_OF).fetchall()
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
        verdicts,
    )
    return [
        (row[0], made.state, made.refusal, made.component)
        for row, made in zip(rows, decisions, strict=True)
    ]


@lru_cache(maxsize=1 << 16)  # a name meets several others
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
