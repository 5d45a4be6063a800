"""Ids as stored state: which id a component goes on under, and what became of every other.

Belongs here: handing the ids of the last published run on to the components of this one, and
telling what changed. Does not belong here: how components come about (`graph`), or where the
state lies between two runs (`rapport.publish` writes it, `rapport.build` reads it).

An id that is computed from its members changes when they do. Here the components of a run inherit
ids by overlap with the run before, so that an id changes only where people were really joined or
taken apart, and each such change is an event. Tables come and go as Arrow; DuckDB joins them in
memory, and only components whose claims contend are walked through one by one.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa

from rapport.identity.parts import ROW_GROUP

PREFIXES = {"person": "per", "organization": "org"}
"""Entity -> what its ids begin with."""

COMPONENTS = pa.schema(
    [
        ("entity", pa.string()),
        ("profile_key", pa.string()),
        ("component_key", pa.string()),
        ("anchor_key", pa.string()),
        ("weight", pa.int64()),
    ]
)
"""One row per profile: the component it is in, that component's anchor, and how much the profile
counts when components contend for an id."""

LEDGER = pa.schema(
    [
        ("entity", pa.string()),
        ("id", pa.string()),
        ("profile_key", pa.string()),
        ("minted_at", pa.timestamp("us", tz="UTC")),
        ("retired_at", pa.timestamp("us", tz="UTC")),
        ("current_id", pa.string()),
    ]
)
"""One row per id ever given and profile that it has now or, once retired, had last.

`current_id` is where a retired id leads: the living id with most of its profiles; null when none
of them is left. A living id leads to itself, and its `retired_at` is null.
"""

EVENTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("occurred_at", pa.timestamp("us", tz="UTC")),
        ("entity", pa.string()),
        ("event", pa.string()),
        ("id", pa.string()),
        ("other_id", pa.string()),
        ("cause", pa.string()),
    ]
)

_NAME = "prefix || '_' || substr(md5({}), 1, 16)"

_CONCERNED = f"""
create temp table concerned as
with recursive retired as (select * from {{ledger}} where retired_at is not null),
-- Ids that had a profile one after the other, or that lead to each other.
ties as (
    select retired.id_hash, shared.id_hash as other_hash
    from retired
    inner join {{ledger}} as shared
        on retired.key_hash = shared.key_hash and retired.entity = shared.entity
    where retired.id_hash <> shared.id_hash
    union
    select id_hash, hash(current_id) from retired where current_id is not null
),
steps as (
    from ties
    union all
    select other_hash, id_hash from ties
),
concerned as (
    select id_hash
    from {{ledger}} as ledger
    semi join {{touched}} as touched on ledger.key_hash = touched.key_hash
    union
    -- whose name a new id would have
    select hash({_NAME.format("profile_key")}) from {{touched}} cross join prefixes
    union
    select steps.other_hash
    from concerned
    inner join steps on concerned.id_hash = steps.id_hash
)
from concerned
"""

# A statement of its own: of a table DuckDB knows that it is small, and looks for it in the large.
_HELD = f"""
with held as (
    select ledger.*
    from {{ledger}} as ledger
    semi join concerned on ledger.id_hash = concerned.id_hash
)
select {", ".join(LEDGER.names)} from held
union all by name
select profile_key from {{touched}} as touched
anti join held on touched.key_hash = held.key_hash
"""

_CLAIMS = """
create table claims as
select
    components.entity,
    components.component_key,
    previous.id,
    min(previous.minted_at) as minted_at,
    sum(components.weight)::bigint as weight,
    count(*) over (partition by components.entity, components.component_key) as n_ids,
    count(*) over (partition by components.entity, previous.id) as n_components
from components
inner join previous
    on components.profile_key = previous.profile_key and components.entity = previous.entity
where previous.retired_at is null
group by components.entity, components.component_key, previous.id
"""

_CONTENDED = """
select entity, component_key, id, weight, minted_at from claims where n_ids > 1 or n_components > 1
"""

# Retired ids half of whose last profiles stand in a component without an undisputed claim.
_RETURNS = """
with known as (
    select
        components.entity,
        components.component_key,
        previous.profile_key,
        previous.id,
        previous.retired_at
    from components
    inner join previous
        on components.profile_key = previous.profile_key and components.entity = previous.entity
    anti join (from claims where n_ids = 1 and n_components = 1) as settled
        on components.entity = settled.entity and components.component_key = settled.component_key
),
components_known as (
    select
        entity,
        component_key,
        count(distinct profile_key) as n_known,
        bool_or(retired_at is null) as has_claim
    from known
    group by entity, component_key
),
retired as (
    select entity, id, count(*) as n_profiles, max(retired_at) as retired_at
    from previous
    where retired_at is not null
    group by entity, id
),
shared as (
    select entity, component_key, id, count(*) as n_shared
    from known
    where retired_at is not null
    group by entity, component_key, id
)
select entity, component_key, id, n_shared, n_profiles, n_known, retired_at
from shared
inner join retired using (entity, id)
inner join components_known using (entity, component_key)
where 2 * n_shared >= n_profiles and (not has_claim or 2 * n_shared >= n_known)
"""

_LEDGER = f"""
with inherited as (
    select entity, component_key, id from claims where n_ids = 1 and n_components = 1
    union all
    from decided
),
ids as (
    select entity, id, min(minted_at) as minted_at, max(current_id) as current_id
    from previous
    group by entity, id
),
anchors as (
    select entity, component_key, min(anchor_key) as anchor_key
    from components
    anti join inherited using (entity, component_key)
    group by entity, component_key
),
-- An id that was ever given is another's: the anchor is told apart by the run.
minted as (
    select
        anchors.entity,
        component_key,
        {_NAME.format("anchor_key || case when ids.id is null then '' else '#' || $run_id end")}
            as id
    from anchors
    inner join prefixes on anchors.entity = prefixes.entity
    left join ids
        on anchors.entity = ids.entity
        and ids.id = {_NAME.format("anchor_key")}
),
given as (
    from inherited
    union all
    from minted
),
living as (
    select
        components.entity,
        given.id,
        components.profile_key,
        coalesce(ids.minted_at, $at) as minted_at,
        components.weight
    from components
    inner join given using (entity, component_key)
    left join ids on given.entity = ids.entity and given.id = ids.id
),
retired as (
    from previous anti join given on previous.entity = given.entity and previous.id = given.id
),
holders as (
    select entity, id, arg_min(holder_id, (-weight, minted_at, holder_id)) as holder_id
    from (
        select
            retired.entity,
            retired.id,
            living.id as holder_id,
            min(living.minted_at) as minted_at,
            sum(living.weight) as weight
        from retired
        inner join living
            on retired.entity = living.entity and retired.profile_key = living.profile_key
        group by retired.entity, retired.id, living.id
    ) as shares
    group by entity, id
),
-- An id whose profiles are all gone leads where the id leads that it led to before.
led as (
    select
        ids.entity,
        ids.id,
        coalesce(
            own.holder_id,
            case when given.id is not null then given.id else next.holder_id end
        ) as current_id
    from (select distinct entity, id from retired) as gone
    inner join ids using (entity, id)
    left join holders as own on ids.entity = own.entity and ids.id = own.id
    left join given on ids.entity = given.entity and ids.current_id = given.id
    left join holders as next on ids.entity = next.entity and ids.current_id = next.id
)
select entity, id, profile_key, minted_at, null::timestamptz as retired_at, id as current_id
from living
union all
select
    retired.entity, retired.id, profile_key, minted_at, coalesce(retired_at, $at), led.current_id
from retired
inner join led on retired.entity = led.entity and retired.id = led.id
"""

_EVENTS = """
with ids_before as (
    select entity, id, max(retired_at) as retired_at, max(current_id) as current_id
    from previous
    group by entity, id
),
ids_after as (
    select entity, id, max(retired_at) as retired_at, max(current_id) as current_id
    from ledger
    group by entity, id
),
held_before as (select * from previous where retired_at is null),
held_after as (select * from ledger where retired_at is null),
moved as (
    select held_before.entity, profile_key, held_before.id, held_after.id as other_id
    from held_before
    inner join held_after using (entity, profile_key)
    where held_before.id <> held_after.id
),
meetings as (
    select moved.entity, moved.id, moved.other_id, pairs.*
    from moved
    inner join (
        select left_key as profile_key, right_key as met_key, rule_id, state, refusal from edges
        union all
        select right_key, left_key, rule_id, state, refusal from edges
    ) as pairs using (profile_key)
),
causes as (
    select
        meetings.entity,
        meetings.id,
        meetings.other_id,
        string_agg(distinct rule_id, ', ' order by rule_id) filter (
            state = 'live'
            and held_after.id = meetings.other_id
            and held_before.id is distinct from meetings.id
        ) as joined_by,
        string_agg(distinct refusal, ', ' order by refusal) filter (
            state <> 'live'
            and held_before.id = meetings.id
            and held_after.id is distinct from meetings.other_id
        ) as parted_by
    from meetings
    left join held_before
        on meetings.entity = held_before.entity and met_key = held_before.profile_key
    left join held_after
        on meetings.entity = held_after.entity and met_key = held_after.profile_key
    group by meetings.entity, meetings.id, meetings.other_id
),
flows as (
    select
        flow.entity,
        flow.id,
        flow.other_id,
        -- what is left of an id that nobody goes on under is one with where it leads
        gone.retired_at is not null and gone.current_id = flow.other_id as is_merge,
        joined_by,
        parted_by
    from (select distinct entity, id, other_id from moved) as flow
    inner join ids_after as gone on flow.entity = gone.entity and flow.id = gone.id
    left join causes
        on flow.entity = causes.entity
        and flow.id = causes.id
        and flow.other_id = causes.other_id
),
told as (
    select 'mint' as event, entity, id, null as other_id, null as cause
    from ids_after
    anti join ids_before using (entity, id)

    union all

    select 'restore', ids_after.entity, ids_after.id, ids_before.current_id, null
    from ids_after
    inner join ids_before using (entity, id)
    where ids_after.retired_at is null and ids_before.retired_at is not null

    union all

    select 'retire', ids_after.entity, ids_after.id, null, 'none of its profiles is left'
    from ids_after
    inner join ids_before using (entity, id)
    where ids_after.retired_at is not null
        and ids_before.retired_at is null
        and ids_after.current_id is null

    union all

    select 'merge', entity, id, other_id, joined_by from flows where is_merge

    union all

    select 'split', entity, id, other_id, coalesce(parted_by, 'no link is left')
    from flows
    where not is_merge
)
select $run_id as run_id, $at as occurred_at, entity, event, id, other_id, cause
from told
order by entity, event, id, other_id
"""


def run_id(at: datetime) -> str:
    """Return what a run that knows everything landed until `at` is called."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S%f}"


def assign(previous: pa.Table, components: pa.Table, at: datetime) -> pa.Table:
    """Give every component an id; return the ledger after this run.

    A component goes on under the id that most of its weight had; the older id wins a tie. The
    ids that come out empty-handed retire and lead to the component that has most of them. When
    an id's profiles part, a part that is half or more of what a retired id last had, and of
    which that is half, goes back to it; so does a component without any claim. What is left gets
    a new id, made from its anchor: without a ledger the same components give the same ids.

    Args:
        previous: the ledger of the last published run, as `LEDGER`; empty before the first.
        components: every profile there is, as `COMPONENTS`.
        at: the moment of the run, with a time zone; later than the runs in `previous`.

    Returns:
        As `LEDGER`, in no order. Does not depend on the order of the rows given.
    """
    with _database(previous=previous, components=components) as database:
        database.execute(_CLAIMS)
        decided = _decide(
            database.execute(_CONTENDED).fetchall(), database.execute(_RETURNS).fetchall()
        )
        # names that SQL finds by themselves
        database.register("decided", _rows(decided, ("entity", "component_key", "id")))
        database.register("prefixes", _rows(PREFIXES.items(), ("entity", "prefix")))
        return _answer(database, _LEDGER, LEDGER, at)


def concerned(session: duckdb.DuckDBPyConnection, ledger: str, touched: str) -> pa.Table:
    """Return what of a ledger can be another one when only some components are.

    `assign` of these rows and of the components of their profiles gives the rows to put in their
    place: all others stay as they are.

    Args:
        session: where the two tables are.
        ledger: the name of the ledger of the last run, as `LEDGER`, with DuckDB's `hash` of
            `profile_key` as `key_hash`, and that of `id` as `id_hash`.
        touched: the name of a table with the `profile_key` and `key_hash` of whoever is or was in
            a component that came, changed or went since.

    Returns:
        As `LEDGER`; a touched profile that no id had stands alone in its row.
    """
    session.register("prefixes", _rows(PREFIXES.items(), ("entity", "prefix")))
    try:
        session.execute(_CONCERNED.format(ledger=ledger, touched=touched))
        query = _HELD.format(ledger=ledger, touched=touched)
        return session.sql(query).to_arrow_table().cast(LEDGER)
    finally:
        session.execute("drop table if exists concerned")
        session.unregister("prefixes")


def changes(previous: pa.Table, ledger: pa.Table, edges: pa.Table, at: datetime) -> pa.Table:
    """Tell what became of ids between two ledgers.

    `mint`: a new id. `merge`: `id` is now `other_id`. `split`: `id` gave profiles to `other_id`
    and did not become it. `restore`: a retired id is in use again; it led to `other_id`.
    `retire`: nobody is left. So every profile whose id changed is told by a merge or a split.

    Args:
        previous: the ledger of the last published run, as `LEDGER`.
        ledger: the one after it.
        edges: pairs of profiles with `left_key`, `right_key`, `rule_id`, `state` and `refusal`;
            they tell the cause: of a merge the rules that joined, of a split what parted.
        at: the moment of the run.

    Returns:
        As `EVENTS`, ordered by entity, event and ids.
    """
    with _database(previous=previous, ledger=ledger, edges=edges) as database:
        return _answer(database, _EVENTS, EVENTS, at)


def _decide(
    claims: list[tuple[Any, ...]], returns: list[tuple[Any, ...]]
) -> list[tuple[str, str, str]]:
    """Give ids where components contend for one, several stand in one, or one was retired."""
    claimants: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    claimed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entity, component, id_, _, _ in claims:
        claimants[entity, id_].add(component)
        claimed[entity, component].append(id_)

    given: dict[tuple[str, str], str] = {}
    taken: set[tuple[str, str]] = set()

    def likeness(row: tuple[Any, ...]) -> tuple[Any, ...]:
        entity, component, id_, n_shared, n_profiles, n_known, retired_at = row
        shared = Fraction(n_shared, n_profiles + n_known - n_shared)
        return (-shared, -retired_at.timestamp(), entity, id_, component)

    for entity, component, id_, *_ in sorted(returns, key=likeness):
        ids = claimed[entity, component]
        # the last part of a living id goes on under it
        is_last = any(len(claimants[entity, living]) == 1 for living in ids)
        if (entity, component) in given or (entity, id_) in taken or is_last:
            continue
        given[entity, component] = id_
        taken.add((entity, id_))
        for living in ids:
            claimants[entity, living].discard(component)

    for entity, component, id_, _, _ in sorted(
        claims, key=lambda row: (-row[3], row[4], row[0], row[2], row[1])
    ):
        if (entity, component) not in given and (entity, id_) not in taken:
            given[entity, component] = id_
            taken.add((entity, id_))
    return sorted((*key, id_) for key, id_ in given.items())


def _database(**tables: pa.Table) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'")
    for name, table in tables.items():
        database.register(name, table)
    return database


def _rows(rows: Any, names: tuple[str, ...]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
    )


def _answer(
    database: duckdb.DuckDBPyConnection, query: str, shape: pa.Schema, at: datetime
) -> pa.Table:
    asked = {"at": at, "run_id": run_id(at)}
    parameters = {name: value for name, value in asked.items() if f"${name}" in query}
    return database.sql(query, params=parameters).to_arrow_table(ROW_GROUP).cast(shape)
