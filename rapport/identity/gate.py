"""The gate before publication: a run that makes too many people one is not published.

Belongs here: what too many is, and saying what is to blame. Does not belong here: refusing a
single pair (`graph`), or the copy that waits behind the gate (`rapport.publish`).

One wrong flag, or a form that writes one value into every record, can join thousands at once, and
whoever opens the tables next sees one person's data as another's. What was published stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from connectors.errors import PublishError

MOST_MERGED = 0.005
"""Share of the people that were published that one run may merge into others."""

MOST_MERGED_WITH_A_NEW_SOURCE = 0.05
"""The same when a source is there for the first time: it knows of two others that they are one.
In generated companies of 20,000 that is 2 to 3 % (a CRM, a forum)."""

LEAST_MERGED = 20
"""Of so few nothing is refused: half a percent of a small company is nobody."""

MOST_OVER_ONE_VALUE = 20
"""People that were published that one run may merge over one identifier, into one or into many."""

_TABLES = ("identity_change", "identity_edge", "identity_identifier", "identity_ledger")

# Links of people are meant. Who was published is in `control`, so that a build which nobody has
# published yet is held against the last that was.
_MERGED = """
create temp table merged as
select id, other_id
from build.main.identity_change
inner join (
    select distinct entity, id from build.control.identity_ledger where retired_at is null
) as published using (entity, id)
where entity = 'person' and event = 'merge' and cause is distinct from 'override_link'
"""

# What a value joins: pairs that hold it and were two people or nobody's before. Evidence is masked,
# so that different values can look alike there.
_JOINED = """
create temp table joined as
with before as (
    select profile_key, id from build.control.identity_ledger where retired_at is null
)
select edges.id_type, one_held.value, edges.rule_id, edges.evidence, one.id, other.id as other_id
from build.main.identity_edge as edges
left join before as one on edges.left_key = one.profile_key
left join before as other on edges.right_key = other.profile_key
inner join build.main.identity_identifier as one_held
    on edges.left_key = one_held.profile_key and edges.id_type = one_held.id_type
inner join build.main.identity_identifier as other_held
    on edges.right_key = other_held.profile_key and edges.id_type = other_held.id_type
    and one_held.value = other_held.value
where edges.state = 'live' and one.id is distinct from other.id
"""

_OVER_ONE_VALUE = """
create temp table over_one_value as
select id_type, value, count(distinct id) as n_ids
from (
    select id_type, value, id from joined
    union all
    select id_type, value, other_id from joined
) as ends
where id in (select id from merged union all select other_id from merged)
group by id_type, value
"""

_COUNTS = """
select
    (
        select count(distinct id) from build.control.identity_ledger
        where retired_at is null and entity = 'person'
    ),
    (select count(*) from merged),
    (select coalesce(max(n_ids), 0) from over_one_value),
    exists (
        select split_part(profile_key, ':', 1) from build.main.identity_ledger
        where retired_at is null
        except
        select split_part(profile_key, ':', 1) from build.control.identity_ledger
    )
"""

_BLAME = """
with before as (
    select profile_key, id from build.control.identity_ledger where retired_at is null
),
now as (
    select profile_key from build.main.identity_ledger
    where retired_at is null and id in (select other_id from merged)
)
select
    edges.rule_id,
    coalesce(edges.evidence, 'what a source says') as told,
    count(*) as n_pairs,
    sum(n_pairs) over (partition by edges.rule_id) as n_of_rule
from build.main.identity_edge as edges
inner join now on edges.left_key = now.profile_key
left join before as one on edges.left_key = one.profile_key
left join before as other on edges.right_key = other.profile_key
where edges.state = 'live' and one.id is distinct from other.id
group by edges.rule_id, edges.evidence
order by n_of_rule desc, n_pairs desc, edges.rule_id, told
limit 1
"""

_BLAME_VALUE = """
select id_type, evidence, rule_id, count(*) as n_pairs
from joined
inner join over_one_value using (id_type, value)
group by id_type, value, evidence, rule_id, n_ids
order by n_ids desc, value, n_pairs desc, rule_id
limit 1
"""


@dataclass(frozen=True, kw_only=True)
class Merges:
    """What a build would merge of what was published.

    Attributes:
        n_before: people that were published.
        n_merged: how many of them would go on under another's id.
        most_over_one_value: how many of them one identifier joins with others, 0 if none does.
        has_new_source: a source shows profiles for the first time.
    """

    n_before: int
    n_merged: int
    most_over_one_value: int
    has_new_source: bool

    @property
    def limit(self) -> float:
        """The share of people that may be merged."""
        return MOST_MERGED_WITH_A_NEW_SOURCE if self.has_new_source else MOST_MERGED

    @property
    def are_too_many(self) -> bool:
        """Whether so many people are merged that somebody should look first."""
        return self.n_merged > max(LEAST_MERGED, self.limit * self.n_before)

    @property
    def are_of_one_value(self) -> bool:
        """Whether one identifier joins so many people that it is likely nobody's own."""
        return self.most_over_one_value > MOST_OVER_ONE_VALUE


_NOTHING = Merges(n_before=0, n_merged=0, most_over_one_value=0, has_new_source=False)


class MergesRefused(PublishError):
    """A run would make too many people one."""


def merges(build: Path) -> Merges:
    """Count what a build would merge; a build without identity merges nothing."""
    if not build.exists():
        return _NOTHING
    with _opened(build) as connection:
        return _counted(connection)


def refuse_bad_merges(build: Path) -> None:
    """Hold a build against what was published before it.

    Raises:
        MergesRefused: it merges too many people, or too many over one identifier.
    """
    with _opened(build) as connection:
        found = _counted(connection)
        if found.are_of_one_value:
            # there is one: it was counted
            [(id_type, value, rule, n)] = connection.execute(_BLAME_VALUE).fetchall()
            raise MergesRefused(
                f"{found.most_over_one_value} people that were published would be merged over one "
                f"identifier, `{id_type}:{value}`, which is more than {MOST_OVER_ONE_VALUE}; the "
                f"previous warehouse stays. It joins {n} pairs by the rule `{rule}`. Say in "
                "identity/identifiers.csv what that value is, or run "
                "`rapport build --accept-merges` once if they are right."
            )
        if found.are_too_many:
            rule, value = _blamed(connection)
            raise MergesRefused(
                f"{found.n_merged} of {found.n_before} people that were published would be merged "
                f"into others, which is more than {found.limit:.1%}; the previous warehouse stays. "
                f"Most are joined by the rule {rule}, most of those by {value}. Look at "
                "`identity_edge` in build.duckdb; run `rapport build --accept-merges` once if they "
                "are right."
            )


def _opened(build: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    path = str(build).replace("'", "''")
    connection.execute(f"attach '{path}' as build (read_only)")
    return connection


def _counted(connection: duckdb.DuckDBPyConnection) -> Merges:
    built = connection.execute(
        "select table_name from duckdb_tables() "
        "where database_name = 'build' and schema_name = 'main'"
    ).fetchall()
    if not {(name,) for name in _TABLES} <= set(built):
        return _NOTHING
    for step in (_MERGED, _JOINED, _OVER_ONE_VALUE):
        connection.execute(step)
    [counts] = connection.execute(_COUNTS).fetchall()
    n_before, n_merged, most_over_one_value, has_new_source = counts
    return Merges(
        n_before=n_before,
        n_merged=n_merged,
        most_over_one_value=most_over_one_value,
        has_new_source=has_new_source,
    )


def _blamed(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Name the rule and the masked value that join most pairs of the merged."""
    # there is one: two ids come together over a pair that was not one before
    [(rule, value, of_value, of_rule)] = connection.execute(_BLAME).fetchall()
    return f"`{rule}` ({of_rule} pairs)", f"`{value}` ({of_value})"
