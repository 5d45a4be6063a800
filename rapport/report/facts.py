"""What the report and the headlines say, read from the published warehouse.

Belongs here: every query on `warehouse.duckdb`, the order of the two lists, and why a number is
unknown. Does not belong here: words for one value (`words`), drawing (`charts`), or any
definition of a metric (`dbt_project/models/metrics`).

Lists are ordered by how much contact the relationship carried, never by money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from connectors.errors import BuildError
from rapport import strategy
from rapport.config import Config
from rapport.publish import WAREHOUSE_NAME
from rapport.status import stream_lines
from rapport.strategy import Strategy

LIST_LIMIT = 50
PLACES = 8
STEP_DAYS = 28
STEPS = 14  # today and 13 steps back: the last twelve months
ACTIVE_DAYS = 90  # who counts as active when silos are compared
DEFAULT_QUIET_DAYS = 180  # without a strategy: silent for so long is gone
EARLIER_DAYS = 84  # the snapshot that today's score is compared with
REGULAR_DAYS = 5  # active days within a year from which on absence says something
SANDBOX_MARK = "# Written for a sandbox"  # first line of a rapport.yml made for one

Row = Mapping[str, Any]

# Without moments: the driver hands them over in a form that needs one more package.
_HEALTH = """* exclude (known_at),
    round(answers * member_answers_share)::bigint as member_answers"""

# Living relationships that something happened to; the busiest first. Who was never in touch, or
# is silent for so long that it counts as gone, is counted beside the list, and so is who only
# shows a lesser reason.
ORGANIZATIONS_SQL = """\
from rel_organization
where as_of = date '{as_of}' and basis = '{basis}'
  and reason_1 is not null and current_gap_days < {quiet}
  and (
    champion_left
    or current_gap_days > coalesce(2 * greatest(usual_gap_days, 7), 90)
    or (unanswered_90d >= 2 and 2 * unanswered_90d >= requests_90d)
  )
order by n desc, score, organization_id"""

# Regulars away for more than twice their usual gap (at least a week), and not yet for so long
# that they count as gone: who came most often first.
PEOPLE_SQL = """\
from rel_disengagement
where as_of = date '{as_of}' and basis = '{basis}'
  and active_days >= {regular} and gaps >= 2
  and current_gap_days > 2 * greatest(usual_gap_days, 7) and current_gap_days < {quiet}
order by active_days desc, gap_ratio desc, person_id"""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """The first rows of a list, how many there are in all, and the SQL that shows all."""

    rows: Sequence[Row]
    total: int
    sql: str


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A number that cannot be told, and why."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that is said about one published day.

    Attributes:
        as_of: the day whose end the numbers describe (UTC).
        basis: `as_known`, or `backcast` for a past day rebuilt from what is known later.
        known_at: nothing loaded later is in the numbers, `YYYY-MM-DD HH:MM` UTC.
        strategy: None when no strategy.yml is written.
        totals: people, staff, bots, organizations, interactions, purchases, cases, deals.
        kinds: rows `kind`, `n`, most frequent first.
        forum_linked: `n` active people of the forum, `linked` of them with a CRM profile.
        linked_by_silo: rows `silo`, `n` people, `linked_share` of them seen in another silo.
        community: the current row of `rel_community_health` for everything, or None.
        history: the newest snapshot of each of the last 14 steps of 28 days, oldest first;
            None where there is none.
        places: current rows of `rel_community_health` per place, most active first.
        organizations: to look after.
        lesser_organizations: in touch, with a reason that is not enough for the list.
        gone_organizations: never in touch, or silent for `quiet_days` and more.
        quiet_days: silence from which on somebody counts as gone.
        people: regulars who are drifting away.
        fourth_purchase: how many buyers came so far and how long it took, or None.
        streams: one row per stream: what `rapport status` says, and `profiles`, `linked_share`.
        quarantine: source.stream -> reason -> records.
        silos: silos that the data carries.
        unknown: what cannot be told and why.
    """

    as_of: date
    basis: str
    known_at: str
    metric_version: str
    strategy: Strategy | None
    totals: Row
    kinds: Sequence[Row]
    forum_linked: Row
    linked_by_silo: Sequence[Row]
    community: Row | None
    history: Sequence[Row | None]
    places: Ranked
    organizations: Ranked
    lesser_organizations: int
    gone_organizations: int
    quiet_days: int
    people: Ranked
    fourth_purchase: Row | None
    streams: Sequence[Row]
    quarantine: Mapping[str, Mapping[str, int]]
    silos: frozenset[str]
    unknown: Sequence[Unknown]


def read(config: Config) -> Facts:
    """Read what is published, and how the streams stand in landing/ and quarantine/.

    Raises:
        BuildError: nothing is published, or it was written by a version that knew other tables.
        ConfigError: strategy.yml is wrong.
    """
    chosen = strategy.load(config.strategy_path)
    warehouse = config.home / WAREHOUSE_NAME
    if not warehouse.exists():
        raise BuildError(
            f"no `{warehouse.name}` to read. Run `rapport run` or `rapport build` first."
        )
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return _read(_Query(connection), config, chosen)
    except duckdb.Error as error:
        raise BuildError(
            f"`{warehouse.name}` cannot be read: {error}. Run `rapport build` again."
        ) from error


class _Query:
    """Rows as dictionaries, and single rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, **parameters: object) -> list[dict[str, Any]]:
        cursor = self._connection.execute(sql, parameters or None)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, **parameters: object) -> dict[str, Any]:
        return self.rows(sql, **parameters)[0]


def _read(query: _Query, config: Config, chosen: Strategy | None) -> Facts:
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
    quiet = chosen.event_definitions.defection.quiet_days if chosen else DEFAULT_QUIET_DAYS
    silos = _silos(query)
    totals = _totals(query, as_of)
    community = _community(query, as_of, basis)
    forum_linked = _forum_linked(query, as_of)
    organizations = _organizations(query, as_of, basis, quiet)
    streams = _streams(query, config, as_of, basis)
    return Facts(
        as_of=as_of,
        basis=basis,
        known_at=published["known_at"],
        metric_version=snapshot[0]["metric_version"] if snapshot else "",
        strategy=chosen,
        totals=totals,
        kinds=_kinds(query, as_of),
        forum_linked=forum_linked,
        linked_by_silo=_linked_by_silo(query),
        community=community,
        history=_history(query, as_of),
        places=_places(query, as_of, basis),
        organizations=organizations,
        lesser_organizations=_reasoned_organizations(query, as_of, basis, quiet)
        - organizations.total,
        gone_organizations=_gone_organizations(query, as_of, basis, quiet),
        quiet_days=quiet,
        people=_people(query, as_of, basis, quiet),
        fourth_purchase=_fourth_purchase(query, as_of, basis),
        streams=streams,
        quarantine={line["place"]: line["quarantined"] for line in streams if line["quarantined"]},
        silos=silos,
        unknown=_unknown(silos, totals, community, chosen),
    )


def _silos(query: _Query) -> frozenset[str]:
    """Return the silos that profiles, acts or cases come from."""
    rows = query.rows(
        "select distinct silo from dim_profile union select distinct silo from rel_activity_daily "
        "union select 'support' from fct_case where not coalesce(is_deleted, false)"
    )
    return frozenset(row["silo"] for row in rows if row["silo"])


def _totals(query: _Query, as_of: date) -> Row:
    return query.row(
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


def _kinds(query: _Query, as_of: date) -> list[dict[str, Any]]:
    return query.rows(
        "select coalesce(kind, 'other') as kind, count(*) as n from fct_interaction "
        "where not coalesce(is_deleted, false) and occurred_at::date <= $as_of "
        "group by all order by n desc, kind",
        as_of=as_of,
    )


def _forum_linked(query: _Query, as_of: date) -> Row:
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


def _linked_by_silo(query: _Query) -> list[dict[str, Any]]:
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


def _community(query: _Query, as_of: date, basis: str) -> Row | None:
    rows = query.rows(
        f"select {_HEALTH} from rel_community_health "
        "where as_of = $as_of and basis = $basis and segment_type = 'all'",
        as_of=as_of,
        basis=basis,
    )
    return rows[0] if rows else None


def _history(query: _Query, as_of: date) -> list[Row | None]:
    """Return one snapshot per step of 28 days: the newest in it, as known before backcast."""
    rows = query.rows(
        f"select {_HEALTH} from rel_community_health "
        "where segment_type = 'all' and as_of > $since and as_of <= $as_of "
        "order by as_of, basis = 'as_known'",
        as_of=as_of,
        since=as_of - timedelta(days=STEP_DAYS * STEPS),
    )
    steps: list[Row | None] = [None] * STEPS
    for row in rows:
        steps[STEPS - 1 - (as_of - row["as_of"]).days // STEP_DAYS] = row
    return steps


def _places(query: _Query, as_of: date, basis: str) -> Ranked:
    sql = (
        f"from rel_community_health\nwhere as_of = date '{as_of}' and basis = '{basis}' "
        "and segment_type = 'place' and active > 0\norder by active desc, segment"
    )
    rows = query.rows(f"select {_HEALTH} {sql} limit {PLACES}")
    return Ranked(rows=rows, total=_total(query, sql), sql=f"select *\n{sql};")


def _organizations(query: _Query, as_of: date, basis: str, quiet: int) -> Ranked:
    sql = ORGANIZATIONS_SQL.format(as_of=as_of, basis=basis, quiet=quiet)
    rows = query.rows(
        f"""
        with listed as (
            select *, row_number() over (order by n desc, score, organization_id) as rank
            from (select * exclude (last_inbound_at, last_outbound_at, known_at),
                      last_inbound_at::date as last_inbound_on
                  {sql} limit {LIST_LIMIT})
        ),
        earlier as (
            select organization_id, score
            from rel_organization
            where as_of = $earlier
            qualify row_number() over (
                partition by organization_id order by basis = 'as_known' desc) = 1
        )
        select
            listed.*, organizations.name, organizations.currency,
            coalesce(owners.display_name, organizations.owner_name) as owner_name,
            earlier.score as earlier_score
        from listed
        left join earlier on listed.organization_id = earlier.organization_id
        left join dim_organization as organizations
            on listed.organization_id = organizations.organization_id
        left join dim_person as owners on listed.owner_person_id = owners.person_id
        order by listed.rank
        """,
        earlier=as_of - timedelta(days=EARLIER_DAYS),
    )
    return Ranked(rows=rows, total=_total(query, sql), sql=f"select *\n{sql};")


def _reasoned_organizations(query: _Query, as_of: date, basis: str, quiet: int) -> int:
    reasoned: int = query.row(
        "select count(*) as n from rel_organization where as_of = $as_of and basis = $basis "
        "and reason_1 is not null and current_gap_days < $quiet",
        as_of=as_of,
        basis=basis,
        quiet=quiet,
    )["n"]
    return reasoned


def _gone_organizations(query: _Query, as_of: date, basis: str, quiet: int) -> int:
    gone: int = query.row(
        "select count(*) as n from rel_organization where as_of = $as_of and basis = $basis "
        "and (current_gap_days is null or current_gap_days >= $quiet)",
        as_of=as_of,
        basis=basis,
        quiet=quiet,
    )["n"]
    return gone


def _people(query: _Query, as_of: date, basis: str, quiet: int) -> Ranked:
    sql = PEOPLE_SQL.format(as_of=as_of, basis=basis, regular=REGULAR_DAYS, quiet=quiet)
    rows = query.rows(
        f"""
        with listed as (
            select
                *,
                row_number() over (order by active_days desc, gap_ratio desc, person_id) as rank
            from (select * exclude (last_act_at, known_at) {sql} limit {LIST_LIMIT})
        )
        select
            listed.*, people.display_name as name, people.silos as seen_in,
            organizations.name as organization_name,
            coalesce(owners.display_name, people.owner_name) as owner_name
        from listed
        left join dim_person as people on listed.person_id = people.person_id
        left join dim_organization as organizations
            on listed.organization_id = organizations.organization_id
        left join dim_person as owners on listed.owner_person_id = owners.person_id
        order by listed.rank
        """
    )
    return Ranked(rows=rows, total=_total(query, sql), sql=f"select *\n{sql};")


def _fourth_purchase(query: _Query, as_of: date, basis: str) -> Row | None:
    rows = query.rows(
        "select started, reached, reached_share_365d, p25_days::double as p25_days, "
        "median_days::double as median_days, p75_days::double as p75_days "
        "from rel_cadence where as_of = $as_of and basis = $basis and step = 'purchase' "
        "and segment_type = 'all' and ordinal = 4",
        as_of=as_of,
        basis=basis,
    )
    return rows[0] if rows else None


def _total(query: _Query, sql: str) -> int:
    total: int = query.row(f"select count(*) as n from (select * {sql})")["n"]
    return total


def _streams(query: _Query, config: Config, as_of: date, basis: str) -> list[dict[str, Any]]:
    """Return how each stream stands now, with the share of its people seen in another silo."""
    linked = {
        f"{row['source']}.{row['stream']}": row
        for row in query.rows(
            "select source, stream, profiles, linked_share from rel_data_trust "
            "where as_of = $as_of and basis = $basis and field = '*'",
            as_of=as_of,
            basis=basis,
        )
    }
    nothing = {"profiles": None, "linked_share": None}
    return [nothing | line | linked.get(line["place"], {}) for line in stream_lines(config)]


def _unknown(
    silos: frozenset[str],
    totals: Row,
    community: Row | None,
    chosen: Strategy | None,
) -> list[Unknown]:
    """Return what the data cannot tell, most far-reaching first."""
    found = []
    if "crm" not in silos:
        found.append(
            Unknown(
                what="owners, renewals, and which people of the forum are customers",
                why="no CRM is connected",
            )
        )
    if "forum" not in silos:
        found.append(
            Unknown(
                what="community health: who comes, who stays, whether questions get answered",
                why="no forum is connected",
            )
        )
    if not totals["people"]:
        found.append(
            Unknown(
                what="who drifts away, and who of an organization takes part",
                why="no source names people outside",
            )
        )
    if not totals["organizations"]:
        found.append(
            Unknown(
                what="how the relationship with each organization fares",
                why="no source names organizations",
            )
        )
    if "support" not in silos:
        found.append(
            Unknown(what="open cases and how fast they are answered", why="no cases are connected")
        )
    if not totals["purchases"]:
        found.append(Unknown(what="purchases", why="no orders are connected"))
    if not totals["staff"]:
        found.append(
            Unknown(
                what="which answers come from us and which from members",
                why="no source marks staff; name your own e-mail domains as `own_domains`",
            )
        )
    if community and "forum" in silos:
        found += _unknown_in(community)
    if chosen is None:
        found.append(
            Unknown(
                what="verdicts, levels and proposed actions",
                why="no strategy.yml is written: it says what the relationships are for",
            )
        )
    return found  # fmt: skip


def _unknown_in(community: Row) -> list[Unknown]:
    found = []
    if community["questions"] and community["median_first_response_hours"] is None:
        found.append(
            Unknown(
                what="the median first response",
                why="more than half of the questions still wait, so it has no end yet",
            )
        )
    if community["questions"] == 0:
        found.append(
            Unknown(
                what="answered share and first response", why="nobody asked in the last 28 days"
            )
        )
    if community["questions"] and community["solved_share"] is None:
        found.append(
            Unknown(
                what="the share of questions that were solved",
                why="no answer was ever marked as accepted",
            )
        )
    if community["answers"] == 0:
        found.append(
            Unknown(what="who carries the community", why="nobody answered in the last 28 days")
        )
    return found  # fmt: skip


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
