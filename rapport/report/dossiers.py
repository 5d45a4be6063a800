"""What the page of one organization or one person shows beyond its row in a list.

Belongs here: one query per kind of detail, for all pages at once, handed out by id. Does not
belong here: how a relationship is judged (`relations`).

Titles and texts of what people wrote are not read at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rapport.report import relations
from rapport.report.relations import Helper, Person
from rapport.report.warehouse import Query, Row

WEEKS = 52
OUR_SIDE_DAYS = 365
OPEN_CASES = 12  # shown on a page; the number of all stands beside

# Where an act happened, not which software exported it: a CRM's cases are support.
_SILO = """\
case when channel = 'case' then 'support' when channel in ('forum', 'social') then channel
else silo end"""

# Several choices in one field are one line; what is told of no organization at all, a person's
# field, says nothing about one.
_SEGMENTS = """
select {entity}_id, segment_type, string_agg(segment, ', ' order by segment) as segment
from bridge_{entity}_segment
where segment_type in (
    select segment_type from bridge_{entity}_segment where segment <> 'unknown'
)
group by all order by segment_type"""

Weeks = Mapping[tuple[date, str, bool], int]  # first day of seven, silo, theirs -> acts


@dataclass(frozen=True, kw_only=True)
class Details:
    """Everything the pages of organizations and people need, by id.

    Attributes:
        organization_weeks, person_weeks: acts per week of the last 52, silo and side.
        members: stays of people in an organization, current ones first; `stays` the same per
            person.
        our_side: who of us was in touch within a year, per organization.
        cases: open cases, oldest first, per organization.
        deals: open deals per organization.
        scores: snapshots of `rel_organization`, oldest first.
        organization_segments, person_segments: values of the strategy's segments.
        organization_fields, person_fields: custom fields that show nobody in person.
        withheld: how many custom fields stay unshown, per id.
        profiles: per person.
        pairs: rows of `identity_explanation` per person of several profiles, with the names of
            both; of two people the row is in both lists.
        places: where somebody answered others within a year, per person.
        helpers: who answered others in 90 days, most answers first.
    """

    organization_weeks: Mapping[str, Weeks]
    person_weeks: Mapping[str, Weeks]
    members: Mapping[str, Sequence[Row]]
    stays: Mapping[str, Sequence[Row]]
    our_side: Mapping[str, Sequence[Row]]
    cases: Mapping[str, Sequence[Row]]
    deals: Mapping[str, Sequence[Row]]
    scores: Mapping[str, Sequence[Row]]
    organization_segments: Mapping[str, Sequence[Row]]
    person_segments: Mapping[str, Sequence[Row]]
    organization_fields: Mapping[str, Sequence[Row]]
    person_fields: Mapping[str, Sequence[Row]]
    withheld: Mapping[str, int]
    profiles: Mapping[str, Sequence[Row]]
    pairs: Mapping[str, Sequence[Row]]
    places: Mapping[str, Sequence[Row]]
    helpers: Sequence[Helper]


def gather(query: Query, as_of: date, people: Mapping[str, Person]) -> Details:
    """Return the details of all pages."""
    since = as_of - timedelta(days=7 * WEEKS - 1)
    fields = query.rows(
        "select entity, entity_id, source, field, type, value_text, value_number, pii "
        "from dim_custom_field order by field, source, profile_key"
    )
    stays = query.rows(
        """
        select person_id, bridge.organization_id, names.name as organization_name,
            any_value(title) as title, basis, stay_from::date as since,
            case when count(*) = count(valid_to) then max(valid_to)::date end as until,
            bool_or(is_current) as is_current
        from bridge_person_organization as bridge
        left join dim_organization as names on bridge.organization_id = names.organization_id
        group by person_id, bridge.organization_id, names.name, basis, stay_from
        order by is_current desc, stay_from desc, bridge.organization_id, person_id
        """
    )
    return Details(
        organization_weeks=_weeks(
            query.rows(
                f"""
                with acts as (
                    select organization_id, {_SILO} as silo, not is_staff_actor as theirs,
                        occurred_at
                    from fct_interaction
                    where is_staff_actor is not null and direction <> 'internal'
                      and not coalesce(is_deleted, false) and not coalesce(is_bot_actor, false)
                    union all
                    select organization_id, 'orders', true, occurred_at from fct_purchase
                    union all
                    select organization_id, 'product', true, occurred_at from fct_login
                )
                select organization_id as id, silo, theirs,
                    ($as_of::date - occurred_at::date) // 7 as back, count(*) as n
                from acts
                where organization_id is not null and occurred_at::date between $since and $as_of
                group by all
                """,
                as_of=as_of,
                since=since,
            ),
            as_of,
        ),
        person_weeks=_weeks(
            query.rows(
                """
                select person_id as id, silo, role = 'actor' as theirs,
                    ($as_of::date - day) // 7 as back, sum(events)::bigint as n
                from rel_activity_daily
                where person_id is not null and not is_staff and not is_bot
                  and day between $since and $as_of
                group by all
                """,
                as_of=as_of,
                since=since,
            ),
            as_of,
        ),
        members=_grouped(stays, "organization_id"),
        stays=_grouped(stays, "person_id"),
        our_side=query.by(
            "organization_id",
            """
            select acts.organization_id, colleagues.display_name as name, count(*) as n,
                max(occurred_at)::date as last_on
            from fct_interaction as acts
            inner join dim_person as colleagues
                on acts.actor_person_id = colleagues.person_id
                and colleagues.is_staff and not coalesce(colleagues.is_bot, false)
            where acts.organization_id is not null and direction = 'outbound'
              and not coalesce(is_deleted, false)
              and occurred_at::date between $since and $as_of
            group by acts.organization_id, colleagues.person_id, colleagues.display_name
            order by n desc, last_on desc, name
            """,
            as_of=as_of,
            since=as_of - timedelta(days=OUR_SIDE_DAYS - 1),
        ),
        cases=query.by(
            "organization_id",
            """
            select cases.organization_id, status, priority, opened_at::date as opened_on,
                $as_of::date - opened_at::date as age_days, first_response_at::date as answered_on,
                owners.display_name as owner_name, cases.person_id
            from fct_case as cases
            left join dim_person as owners on cases.owner_person_id = owners.person_id
            where cases.organization_id is not null and not coalesce(is_closed, false)
              and not coalesce(is_deleted, false) and opened_at::date <= $as_of
            order by opened_at, case_id
            """,
            as_of=as_of,
        ),
        deals=query.by(
            "organization_id",
            """
            select deals.organization_id, deals.name, stage, amount, currency,
                expected_close_date, owners.display_name as owner_name
            from fct_deal as deals
            left join dim_person as owners on deals.owner_person_id = owners.person_id
            where deals.organization_id is not null and not coalesce(is_closed, false)
              and not coalesce(is_deleted, false) and deals.created_at::date <= $as_of
            order by expected_close_date nulls last, deal_id
            """,
            as_of=as_of,
        ),
        scores=query.by(
            "organization_id",
            "select organization_id, as_of, basis, score, n, coverage from judged order by as_of",
        ),
        organization_segments=query.by("organization_id", _SEGMENTS.format(entity="organization")),
        person_segments=query.by("person_id", _SEGMENTS.format(entity="person")),
        organization_fields=_shown(fields, "organization"),
        person_fields=_shown(fields, "person"),
        withheld=_withheld(fields),
        profiles=query.by(
            "person_id",
            """
            select person_id, profile_key, source, silo, stream, native_id, display_name, email,
                is_email_verified, phone, external_id, organization_name,
                coalesce(created_at, first_seen_at)::date as since, custom
            from dim_profile
            where entity = 'person' and person_id is not null and not coalesce(is_deleted, false)
            order by silo, source, stream, profile_key
            """,
        ),
        pairs=query.by(
            "person_id",
            """
            with several as (
                select person_id from dim_person where n_profiles > 1
            ),
            names as (
                select profile_key, coalesce(display_name, email) as display_name
                from dim_profile where entity = 'person'
            ),
            concerned as (
                select several.person_id, pairs.*
                from identity_explanation as pairs
                inner join several on several.person_id = pairs.left_id
                union all
                select several.person_id, pairs.*
                from identity_explanation as pairs
                inner join several on several.person_id = pairs.right_id
                where pairs.left_id <> pairs.right_id
            )
            select person_id, left_id, right_id, left_key, right_key, state, refusal, words,
                evidence, tier, far_key, one.display_name as left_name,
                other.display_name as right_name
            from concerned
            left join names as one on left_key = one.profile_key
            left join names as other on right_key = other.profile_key
            order by person_id, tier, left_key, right_key, words, evidence
            """,
        ),
        places=query.by(
            "person_id",
            """
            select actor_person_id as person_id, silo, place, count(*) as n,
                count(distinct target_person_id) as helped
            from fct_interaction
            where kind = 'answer' and not is_staff_actor and not coalesce(is_deleted, false)
              and actor_person_id is not null and occurred_at::date between $since and $as_of
            group by all order by n desc, place
            """,
            as_of=as_of,
            since=since,
        ),
        helpers=relations.helpers(query, as_of, people),
    )


def _weeks(rows: Iterable[Row], as_of: date) -> dict[str, dict[tuple[date, str, bool], int]]:
    """Return acts by id, then by week (its first day), silo and side."""
    days = [as_of - timedelta(days=7 * back + 6) for back in range(WEEKS)]
    found: dict[str, dict[tuple[date, str, bool], int]] = {}
    for row in rows:
        found.setdefault(row["id"], {})[days[row["back"]], row["silo"], row["theirs"]] = row["n"]
    return found


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _shown(fields: Iterable[Row], entity: str) -> dict[str, list[Row]]:
    return _grouped(
        (row for row in fields if row["entity"] == entity and row["pii"] == "none"), "entity_id"
    )


def _withheld(fields: Iterable[Row]) -> dict[str, int]:
    """Return how many fields of each id are not shown: what they hold could tell on somebody."""
    found: dict[str, int] = {}
    for row in fields:
        if row["pii"] != "none":
            found[row["entity_id"]] = found.get(row["entity_id"], 0) + 1
    return found
