"""What is true of the whole business on the published day, read from the warehouse.

Belongs here: opening `warehouse.duckdb`, and every number that is not about one organization or
one person. Does not belong here: those (`relations`), where numbers come from (`trust`), words
for a value (`words`), drawing (`charts`), any definition of a metric
(`dbt_project/models/metrics`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from connectors.errors import BuildError
from rapport import strategy
from rapport.build import WAREHOUSE_NAME
from rapport.config import Config
from rapport.report import relations, trust
from rapport.report.relations import Organization, Person
from rapport.report.trust import Stream, Unknown
from rapport.report.warehouse import Query, Row
from rapport.strategy import Strategy

STEP_DAYS = 28
STEPS = 14  # today and 13 steps back: the last twelve months
ACTIVE_DAYS = 90  # who counts as active when silos are compared
PLACES = 8
DEFAULT_QUIET_DAYS = 180  # without a strategy: silent for so long is gone
DEFAULT_SLOWING = 2.0
SANDBOX_MARK = "# Written for a sandbox"  # first line of a rapport.yml made for one

# Without moments: the driver hands them over in a form that needs one more package.
_HEALTH = """* exclude (known_at),
    round(answers * member_answers_share)::bigint as member_answers"""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that is said about one published day, but for one page's details.

    Attributes:
        as_of: the day whose end the numbers describe (UTC).
        basis: `as_known`, or `backcast` for a past day rebuilt from what is known later.
        known_at: nothing loaded later is in the numbers, `YYYY-MM-DD HH:MM` UTC.
        strategy: None when no strategy.yml is written.
        quiet_days: silence from which on somebody counts as gone.
        totals: people, staff, bots, organizations, interactions, purchases, logins (None where
            no table holds them), cases, deals.
        kinds: rows `kind`, `n`, most frequent first.
        forum_linked: `n` active people of the forum, `linked` of them with a CRM profile.
        forum_known: rows `source` (None: any of them), `n` active people of the forum, `share` of
            them known there, too.
        linked_by_silo: rows `silo`, `n` people, `linked_share` of them seen in another silo.
        community: the current row of `rel_community_health` for everything, or None.
        history: the newest snapshot of each of the last 14 steps of 28 days, oldest first;
            None where there is none.
        places: current rows of `rel_community_health` per place, most active first.
        places_total: how many places were active.
        organizations: all of them, most contact first.
        concerns: per step as `history`: how many organizations went quiet, lost their champion,
            hang on one contact, wait for us.
        people: everybody outside, by person_id.
        engagement: current rows of `rel_engagement_segment`, all first.
        engaged: its rows for everybody, per step as `history`.
        cadence: current rows of `rel_cadence` in order of step, segment and ordinal.
        streams: one per stream that was read.
        silos: silos that the data carries.
        unknown: what cannot be told, why, and what would change that.
    """

    as_of: date
    basis: str
    known_at: str
    metric_version: str
    strategy: Strategy | None
    quiet_days: int
    totals: Row
    kinds: Sequence[Row]
    forum_linked: Row
    forum_known: Sequence[Row]
    linked_by_silo: Sequence[Row]
    community: Row | None
    history: Sequence[Row | None]
    places: Sequence[Row]
    places_total: int
    organizations: Sequence[Organization]
    concerns: Sequence[Row | None]
    people: Mapping[str, Person]
    engagement: Sequence[Row]
    engaged: Sequence[Row | None]
    cadence: Sequence[Row]
    streams: Sequence[Stream]
    silos: frozenset[str]
    unknown: Sequence[Unknown]


@contextmanager
def opened(config: Config) -> Iterator[Query]:
    """Open the published warehouse for reading.

    Raises:
        BuildError: nothing is published, or it was written by a version that knew other tables.
    """
    warehouse = config.home / WAREHOUSE_NAME
    if not warehouse.exists():
        raise BuildError(
            f"no `{warehouse.name}` to read. Run `rapport run` or `rapport build` first."
        )
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            yield Query(connection)
    except duckdb.Error as error:
        raise BuildError(
            f"`{warehouse.name}` cannot be read: {error}. Run `rapport build` again."
        ) from error


def read(config: Config) -> Facts:
    """Return what is published.

    Raises:
        BuildError: nothing is published, or it cannot be read.
        ConfigError: strategy.yml is wrong.
    """
    with opened(config) as query:
        return gather(query, config)


def gather(query: Query, config: Config) -> Facts:
    """Return what an open warehouse says; errors as `read`."""
    chosen = strategy.load(config.strategy_path)
    published = query.row(
        "select as_of, strftime(known_at, '%Y-%m-%d %H:%M') as known_at from publication"
    )
    as_of: date = published["as_of"]
    snapshot = query.rows(
        "select basis, metric_version from rel_community_health where as_of = $as_of "
        "order by basis = 'as_known' desc limit 1",
        as_of=as_of,
    )
    basis = snapshot[0]["basis"] if snapshot else "as_known"
    quiet_days = chosen.event_definitions.defection.quiet_days if chosen else DEFAULT_QUIET_DAYS
    slowing = chosen.disengagement.slowing if chosen else DEFAULT_SLOWING
    silos = _silos(query)
    totals = _totals(query, as_of)
    community = _community(query, as_of, basis)
    relations.judge(query, as_of, quiet_days=quiet_days, slowing=slowing)
    places = query.rows(
        f"select {_HEALTH} from rel_community_health where as_of = $as_of and basis = $basis "
        "and segment_type = 'place' and active > 0 order by active desc, segment",
        as_of=as_of,
        basis=basis,
    )
    return Facts(
        as_of=as_of,
        basis=basis,
        known_at=published["known_at"],
        metric_version=snapshot[0]["metric_version"] if snapshot else "",
        strategy=chosen,
        quiet_days=quiet_days,
        totals=totals,
        kinds=_kinds(query, as_of),
        forum_linked=_forum_linked(query, as_of),
        forum_known=_forum_known(query, as_of, basis),
        linked_by_silo=_linked_by_silo(query),
        community=community,
        history=_history(query, as_of),
        places=places[:PLACES],
        places_total=len(places),
        organizations=relations.organizations(query, as_of),
        concerns=steps(relations.concerns(query), as_of),
        people=relations.people(query, as_of, quiet_days=quiet_days, slowing=slowing),
        engagement=_engagement(query, as_of, basis),
        engaged=_engaged(query, as_of),
        cadence=_cadence(query, as_of, basis),
        streams=trust.streams(query, as_of, basis),
        silos=silos,
        unknown=trust.unknown(silos, totals, community, has_strategy=chosen is not None),
    )


def _silos(query: Query) -> frozenset[str]:
    """Return the silos that profiles, acts or cases come from."""
    rows = query.rows(
        "select distinct silo from dim_profile union select distinct silo from rel_activity_daily "
        "union select 'support' from fct_case where not coalesce(is_deleted, false)"
    )
    return frozenset(row["silo"] for row in rows if row["silo"])


def _totals(query: Query, as_of: date) -> Row:
    found = query.row(
        """
        select
            count(*) filter (where not coalesce(is_staff, false) and not coalesce(is_bot, false))
                as people,
            count(*) filter (where is_staff and not coalesce(is_bot, false)) as staff,
            count(*) filter (where is_bot) as bots,
            (select count(*) from dim_organization) as organizations,
            (
                select count(*) from fct_interaction
                where not coalesce(is_deleted, false) and occurred_at::date <= $as_of
            ) as interactions,
            (select count(*) from fct_purchase where occurred_at::date <= $as_of) as purchases,
            (select count(*) from fct_case where not coalesce(is_deleted, false)) as cases,
            (select count(*) from fct_deal where not coalesce(is_deleted, false)) as deals
        from dim_person
        """,
        as_of=as_of,
    )
    logins = None
    if query.has_table("fct_login"):
        logins = query.row("select count(*) as n from fct_login")["n"]
    return found | {"logins": logins}


def _kinds(query: Query, as_of: date) -> list[dict[str, Any]]:
    return query.rows(
        "select coalesce(kind, 'other') as kind, count(*) as n from fct_interaction "
        "where not coalesce(is_deleted, false) and occurred_at::date <= $as_of "
        "group by all order by n desc, kind",
        as_of=as_of,
    )


def _forum_linked(query: Query, as_of: date) -> Row:
    return query.row(
        """
        with active as (
            select distinct person_id
            from rel_activity_daily
            where silo = 'forum' and role = 'actor' and person_id is not null
              and not is_staff and not is_bot and day between $since and $as_of
        ),
        in_crm as (
            select distinct person_id
            from dim_profile
            where silo = 'crm' and entity = 'person' and not coalesce(is_deleted, false)
        )
        select count(*) as n, count(in_crm.person_id) as linked
        from active left join in_crm on active.person_id = in_crm.person_id
        """,
        as_of=as_of,
        since=as_of - timedelta(days=ACTIVE_DAYS - 1),
    )


def _forum_known(query: Query, as_of: date, basis: str) -> list[dict[str, Any]]:
    """Return for each other source, in the end for any, which share of the forum it knows."""
    return query.rows(
        "select nullif(source, '*') as source, active_forum_people as n, "
        "active_forum_people_share as share from rel_data_trust "
        "where as_of = $as_of and basis = $basis and stream = '*' "
        "order by source = '*', source",
        as_of=as_of,
        basis=basis,
    )


def _linked_by_silo(query: Query) -> list[dict[str, Any]]:
    """Return people per silo; the share is null where no second silo could show them."""
    return query.rows(
        """
        with people as (
            select distinct profiles.person_id, profiles.silo, people.is_linked
            from dim_profile as profiles
            inner join dim_person as people on profiles.person_id = people.person_id
            where profiles.entity = 'person' and not coalesce(profiles.is_deleted, false)
              and not coalesce(people.is_staff, false) and not coalesce(people.is_bot, false)
        )
        select
            silo, count(*) as n,
            case when count(*) over () > 1 then count(*) filter (where is_linked) / count(*) end
                as linked_share
        from people group by silo order by silo
        """
    )


def _community(query: Query, as_of: date, basis: str) -> Row | None:
    rows = query.rows(
        f"select {_HEALTH} from rel_community_health "
        "where as_of = $as_of and basis = $basis and segment_type = 'all'",
        as_of=as_of,
        basis=basis,
    )
    return rows[0] if rows else None


def _history(query: Query, as_of: date) -> list[Row | None]:
    """Return one snapshot per step of 28 days: the newest in it, as known before backcast."""
    rows = query.rows(
        f"select {_HEALTH} from rel_community_health where segment_type = 'all' "
        "order by as_of, basis = 'as_known'"
    )
    return steps(rows, as_of)


def steps(rows: Iterable[Row], as_of: date) -> list[Row | None]:
    """Lay snapshots, oldest first, on 14 steps of 28 days that end with `as_of`."""
    found: list[Row | None] = [None] * STEPS
    for row in rows:
        back = (as_of - row["as_of"]).days
        if 0 <= back < STEP_DAYS * STEPS:
            found[STEPS - 1 - back // STEP_DAYS] = row
    return found


def _engagement(query: Query, as_of: date, basis: str) -> list[dict[str, Any]]:
    return query.rows(
        "select * exclude (known_at) from rel_engagement_segment "
        "where as_of = $as_of and basis = $basis "
        "order by segment_type <> 'all', segment_type, segment = 'unknown', people desc, segment",
        as_of=as_of,
        basis=basis,
    )


def _engaged(query: Query, as_of: date) -> list[Row | None]:
    rows = query.rows(
        "select * exclude (known_at) from rel_engagement_segment where segment_type = 'all' "
        "order by as_of, basis = 'as_known'"
    )
    return steps(rows, as_of)


def _cadence(query: Query, as_of: date, basis: str) -> list[dict[str, Any]]:
    return query.rows(
        "select * exclude (known_at) from rel_cadence where as_of = $as_of and basis = $basis "
        "order by step <> 'purchase', step, segment_type <> 'all', segment_type, "
        "segment = 'unknown', segment, ordinal",
        as_of=as_of,
        basis=basis,
    )


def has_community(found: Facts) -> bool:
    """Tell whether a forum or another community could be looked at."""
    return found.community is not None and found.community["active"] is not None


def forum_linked_share(found: Facts) -> float | None:
    """Return the share of active forum people whom the CRM knows; None when it cannot be told."""
    if not {"crm", "forum"} <= found.silos or not found.forum_linked["n"]:
        return None
    share: float = found.forum_linked["linked"] / found.forum_linked["n"]
    return share


def database_path(config: Config) -> Path:
    """Return the file analysts open."""
    return config.home / WAREHOUSE_NAME


def is_sandbox(config: Config) -> bool:
    """Tell whether the data was generated: the configuration was written for a sandbox."""
    return config.path.is_file() and config.path.read_text(encoding="utf-8").startswith(
        SANDBOX_MARK
    )
