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

MOST_IN_ONE = 20
"""People that were published that one run may make one."""

_TABLES = ("identity_change", "identity_edge", "identity_ledger")

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

_COUNTS = """
select
    (
        select count(distinct id) from build.control.identity_ledger
        where retired_at is null and entity = 'person'
    ),
    (select count(*) from merged),
    (select coalesce(max(n_ids), 0) + 1 from (
        select count(*) as n_ids from merged group by other_id
    ) as sizes),
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
largest as (
    select other_id, count(*) as n_ids from merged group by other_id
    order by n_ids desc, other_id
    limit $people
),
now as (
    select profile_key, id from build.main.identity_ledger
    where retired_at is null and id in (select other_id from largest)
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


@dataclass(frozen=True, kw_only=True)
class Merges:
    """What a build would merge of what was published.

    Attributes:
        n_before: people that were published.
        n_merged: how many of them would go on under another's id.
        most_in_one: how many would become one person; 1 if nobody is merged.
        has_new_source: a source shows profiles for the first time.
    """

    n_before: int
    n_merged: int
    most_in_one: int
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
    def are_too_large(self) -> bool:
        """Whether one person would be made of too many."""
        return self.most_in_one > MOST_IN_ONE


_NOTHING = Merges(n_before=0, n_merged=0, most_in_one=1, has_new_source=False)


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
        MergesRefused: it merges too many people, or makes one of too many.
    """
    with _opened(build) as connection:
        found = _counted(connection)
        if found.are_too_large:
            rule, value = _blamed(connection, 1)
            raise MergesRefused(
                f"{found.most_in_one} people that were published would become one, which is more "
                f"than {MOST_IN_ONE}; the previous warehouse stays. Most are joined by the rule "
                f"{rule}, most of those by {value}. Say in identity/identifiers.csv what that "
                "value is, or run `rapport build --accept-merges` once if they are one."
            )
        if found.are_too_many:
            rule, value = _blamed(connection, found.n_merged)
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
    connection.execute(_MERGED)
    [counts] = connection.execute(_COUNTS).fetchall()
    return Merges(**dict(zip(("n_before", "n_merged", "most_in_one", "has_new_source"), counts,
                             strict=True)))  # fmt: skip


def _blamed(connection: duckdb.DuckDBPyConnection, people: int) -> tuple[str, str]:
    """Name the rule and the masked value that join most pairs of the largest of the merged."""
    # there is one: two ids come together over a pair that was not one before
    [(rule, value, of_value, of_rule)] = connection.execute(_BLAME, {"people": people}).fetchall()
    return f"`{rule}` ({of_rule} pairs)", f"`{value}` ({of_value})"
