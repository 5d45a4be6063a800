"""Organizations and people outside: how each relationship stands, and which ones need somebody.

Belongs here: one row per organization and per person, the bounds from which on one stands on a
list, and the order of the lists: by how much contact a relationship carried, never by money.
Does not belong here: what only one page shows (`dossiers`), sentences (`words`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rapport.report.warehouse import Query, Row

REGULAR_DAYS = 5  # active days within a year from which on absence says something
FEW_CONTACTS = 5  # with fewer contacts in 180 days, one person carrying them says little
WAITING = 2  # messages without an answer that make an organization wait
OLD_CASE_DAYS = 7
SLOW_HOURS = 24
HELP_DAYS = 90
HELP_ANSWERS = 3  # answers in that time from which on somebody counts as a helper
THANKED_DAYS = 28  # a word of ours within so many days counts as one
CONCERNS = ("champion", "quiet", "slow", "single")  # most pressing first

_KNOWN = {  # what has to be known of some organization for a concern to be countable
    "champion": "champion_left is not null",
    "quiet": "current_gap_days is not null",
    "slow": "requests_90d > 0 or open_cases is not null",
    "single": "is_single_threaded is not null",
}

# Who was never in touch, or is silent for so long that it counts as gone, is no concern for
# this week: that is decided elsewhere (`gone`).
_JUDGED = f"""
create temp table judged as
with known as (
    select * exclude (known_at, last_inbound_at, last_outbound_at),
        last_inbound_at::date as last_inbound_on, last_outbound_at::date as last_outbound_on,
        coalesce(current_gap_days >= $quiet, true) as is_gone
    from rel_organization
    where as_of <= $as_of
    qualify row_number() over (
        partition by organization_id, as_of order by basis = 'as_known' desc
    ) = 1
)
select *,
    not is_gone and coalesce(champion_left, false) as is_champion,
    not is_gone and current_gap_days > coalesce($slowing * greatest(usual_gap_days, 7), 90)
        as is_quiet,
    not is_gone and (
        coalesce(unanswered_90d >= {WAITING} and 2 * unanswered_90d >= requests_90d, false)
        or coalesce(oldest_open_case_days > {OLD_CASE_DAYS}, false)
        or coalesce(median_first_response_hours > {SLOW_HOURS}, false)
    ) as is_slow,
    not is_gone and coalesce(is_single_threaded, false) and n >= {FEW_CONTACTS} as is_single
from known"""


@dataclass(frozen=True, kw_only=True)
class Organization:
    """One organization as it stands on the published day.

    Attributes:
        row: columns of `rel_organization` and `dim_organization`, `owner_name`,
            `champion_name` and `top_name` (None for accounts that no record claims).
        concerns: of `CONCERNS`, most pressing first.
    """

    id: str
    row: Row
    concerns: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person outside, as they stand on the published day.

    Attributes:
        name: None where nobody told it, and for an account of a social network that no
            record of ours claims: such a handle is shown nowhere.
        row: columns of `dim_person`, `rel_disengagement` and `rel_engagement`,
            `organization_name`, `owner_name`; `answering_id` and `answering_name` of who looks
            after them or else after their organization.
        is_anonymous: known from social networks alone.
        is_drifting: a regular who is away for longer than usual, but not yet gone.
    """

    id: str
    name: str | None
    row: Row
    is_anonymous: bool
    is_drifting: bool


@dataclass(frozen=True, kw_only=True)
class Helper:
    """Somebody outside who answers others.

    Attributes:
        answers: in `HELP_DAYS` days, to `helped` people.
        accepted: how many of these the askers accepted; None where that cannot be known.
        is_thanked: whether anybody ever liked or accepted something of theirs; None where no
            source tells.
        last_word_on: when one of us last addressed them; None: never on record.
    """

    person: Person
    answers: int
    helped: int
    accepted: int | None
    is_thanked: bool | None
    last_word_on: date | None


def judge(query: Query, as_of: date, *, quiet_days: int, slowing: float) -> None:
    """Lay down, for every snapshot and organization, what concerns there are about it."""
    query.run(_JUDGED, as_of=as_of, quiet=quiet_days, slowing=slowing)


def concerns(query: Query) -> list[dict[str, object]]:
    """Return per snapshot, oldest first, how many organizations each concern is about.

    A count is null where no record could show the concern for any organization.
    """
    counts = ", ".join(
        f"case when bool_or({known}) then count(*) filter (where is_{name}) end as {name}"
        for name, known in _KNOWN.items()
    )
    return query.rows(
        f"""
        select as_of, basis, min(coverage) as coverage, {counts},
            count(*) filter (where not is_gone) as living, count(*) filter (where is_gone) as gone
        from judged group by all order by as_of
        """
    )


def organizations(query: Query, as_of: date) -> list[Organization]:
    """Return every organization, those with most contact in 180 days first."""
    rows = query.rows(
        """
        select
            judged.* exclude (organization_id, party_kind, owner_person_id, renewal_date,
                renewal_amount, days_to_renewal),
            organizations.* exclude (
                created_at, party_kind, owner_name, owner_person_id, renewal_date, renewal_amount),
            coalesce(judged.party_kind, organizations.party_kind) as party_kind,
            coalesce(judged.renewal_date, organizations.renewal_date) as renewal_date,
            coalesce(judged.renewal_amount, organizations.renewal_amount) as renewal_amount,
            coalesce(judged.renewal_date, organizations.renewal_date) - $as_of::date
                as renewal_in_days,
            organizations.created_at::date as created_on,
            coalesce(owners.display_name, organizations.owner_name) as owner_name,
            case when champions.silos = 'social' then null else champions.display_name end
                as champion_name,
            case when tops.silos = 'social' then null else tops.display_name end as top_name
        from dim_organization as organizations
        left join judged
            on organizations.organization_id = judged.organization_id and judged.as_of = $as_of
        left join dim_person as owners
            on coalesce(judged.owner_person_id, organizations.owner_person_id) = owners.person_id
        left join dim_person as champions on judged.champion_person_id = champions.person_id
        left join dim_person as tops on judged.top_person_id = tops.person_id
        order by coalesce(judged.n, 0) desc, judged.score, organizations.organization_id
        """,
        as_of=as_of,
    )
    return [
        Organization(
            id=row["organization_id"],
            row=row,
            concerns=[name for name in CONCERNS if row[f"is_{name}"]],
        )
        for row in rows
    ]


def people(query: Query, as_of: date, *, quiet_days: int, slowing: float) -> dict[str, Person]:
    """Return everybody who is neither staff nor a bot, by person_id."""
    rows = query.rows(
        f"""
        with drifting as (
            select * exclude (last_act_at, known_at), last_act_at::date as last_act_on
            from rel_disengagement where as_of = $as_of
            qualify row_number() over (partition by person_id order by basis = 'as_known' desc) = 1
        ),
        engaged as (
            select * from rel_engagement where as_of = $as_of
            qualify row_number() over (partition by person_id order by basis = 'as_known' desc) = 1
        )
        select
            people.* exclude (created_at, first_seen_at, last_seen_at, owner_name),
            coalesce(owners.display_name, people.owner_name) as owner_name,
            organizations.name as organization_name,
            answering.person_id as answering_id, answering.display_name as answering_name,
            drifting.* exclude (person_id, organization_id, owner_person_id, party_kind, silos,
                score, level, previous_level),
            drifting.level as silence, drifting.silos as silos_acted_in,
            engaged.level, engaged.previous_level, engaged.score, engaged.percentile,
            engaged.streak_weeks, engaged.active_days_90d, engaged.importance_in_life,
            engaged.reason_1 as engaged_1, engaged.reason_2 as engaged_2,
            engaged.reason_3 as engaged_3,
            coalesce(
                active_days >= {REGULAR_DAYS} and gaps >= 2
                and drifting.current_gap_days > $slowing * greatest(usual_gap_days, 7)
                and drifting.current_gap_days < $quiet,
                false
            ) as is_drifting
        from dim_person as people
        left join drifting on people.person_id = drifting.person_id
        left join engaged on people.person_id = engaged.person_id
        left join dim_organization as organizations
            on people.organization_id = organizations.organization_id
        left join dim_person as owners on people.owner_person_id = owners.person_id
        left join dim_person as answering
            on coalesce(people.owner_person_id, organizations.owner_person_id)
                = answering.person_id
        where not coalesce(people.is_staff, false) and not coalesce(people.is_bot, false)
        order by people.person_id
        """,
        as_of=as_of,
        quiet=quiet_days,
        slowing=slowing,
    )
    found = {}
    for row in rows:
        anonymous = row["silos"] == "social"
        found[row["person_id"]] = Person(
            id=row["person_id"],
            name=None if anonymous else row["display_name"],
            row=row,
            is_anonymous=anonymous,
            is_drifting=row["is_drifting"],
        )
    return found


def helpers(query: Query, as_of: date, known: Mapping[str, Person]) -> list[Helper]:
    """Return who outside answers others, most answers in `HELP_DAYS` days first."""
    rows = query.rows(
        """
        with answered as (
            select
                actor_person_id as person_id, count(*) as answers,
                count(distinct target_person_id) as helped,
                case when count(is_accepted) > 0 then count(*) filter (where is_accepted) end
                    as accepted
            from fct_interaction
            where kind = 'answer' and not coalesce(is_deleted, false)
              and occurred_at::date between $since and $as_of
            group by all having count(*) >= $least
        ),
        words as (
            select target_person_id as person_id, max(occurred_at)::date as last_word_on
            from fct_interaction
            where is_staff_actor and not coalesce(is_deleted, false)
              and occurred_at::date <= $as_of
            group by all
        ),
        liked as (
            select interaction_id from fct_reaction
            where polarity = 'positive' and observed_at::date <= $as_of
            group by all having sum(n_change) > 0
            union
            select interaction_id from fct_reaction_given
            where polarity = 'positive' and taken_back_at is null
        ),
        thanked as (
            select actor_person_id as person_id,
                bool_or(coalesce(is_accepted, false) or liked.interaction_id is not null)
                    as is_thanked,
                bool_or(bool_or(is_accepted is not null or liked.interaction_id is not null))
                    over () as is_told
            from fct_interaction left join liked using (interaction_id)
            where not coalesce(is_deleted, false) and occurred_at::date <= $as_of
            group by all
        )
        select answered.*, case when is_told then is_thanked end as is_thanked,
            words.last_word_on
        from answered
        left join words on answered.person_id = words.person_id
        left join thanked on answered.person_id = thanked.person_id
        order by answers desc, helped desc, answered.person_id
        """,
        as_of=as_of,
        since=as_of - timedelta(days=HELP_DAYS - 1),
        least=HELP_ANSWERS,
    )
    return [
        Helper(person=known[row["person_id"]], **{k: v for k, v in row.items() if k != "person_id"})
        for row in rows
        if row["person_id"] in known and not known[row["person_id"]].is_anonymous
    ]


def to_look_after(found: Iterable[Organization]) -> list[Organization]:
    """Return living relationships that something happened to; the busiest first."""
    return [one for one in found if {"champion", "quiet", "slow"} & set(one.concerns)]


def to_keep(found: Iterable[Person]) -> list[Person]:
    """Return regulars who are drifting away; who came most often first."""
    drifting = [one for one in found if one.is_drifting and not one.is_anonymous]
    return sorted(
        drifting, key=lambda one: (-one.row["active_days"], -(one.row["gap_ratio"] or 0), one.id)
    )


def to_thank(found: Iterable[Helper], as_of: date) -> list[Helper]:
    """Return helpers whom nobody ever thanked, or none of us addressed lately.

    Who was never thanked comes first, then who was never addressed.
    """
    since = as_of - timedelta(days=THANKED_DAYS)
    missed = [
        one
        for one in found
        if one.is_thanked is False or one.last_word_on is None or one.last_word_on < since
    ]
    return sorted(
        missed, key=lambda one: (one.is_thanked is not False, one.last_word_on is not None)
    )


def risen(found: Iterable[Person]) -> list[Person]:
    """Return who reached one of the two closest levels within 28 days; closest first."""
    up = [
        one
        for one in found
        if one.row["level"] is not None
        and one.row["level"] <= 2
        and one.row["previous_level"] is not None
        and one.row["level"] < one.row["previous_level"]
        and not one.is_anonymous
    ]
    return sorted(up, key=lambda one: (one.row["level"], -float(one.row["score"]), one.id))
