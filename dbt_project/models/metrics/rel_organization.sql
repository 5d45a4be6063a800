{{ config(**snapshot_table()) }}

with

snapshots as (

    {{ snapshots() }}

),

settings as (

    {{ metric_settings() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support']) }}

),

organizations as (

    select * from {{ ref('dim_organization') }}

),

people as (

    select * from {{ ref('dim_person') }}

),

-- Whole stays, primary or not.
stays as (

    select
        parts.person_id,
        parts.organization_id,
        parts.basis,
        {{ utc_day('parts.stay_from') }} as from_day,
        case
            when count(*) = count(parts.valid_to) then max({{ utc_day('parts.valid_to') }})
        end as until_day
    from {{ ref('bridge_person_organization') }} as parts
    inner join people on parts.person_id = people.person_id
    where not coalesce(people.is_staff, false) and not coalesce(people.is_bot, false)
    group by parts.person_id, parts.organization_id, parts.basis, parts.stay_from

),

cases as (

    select
        cases.case_id,
        cases.organization_id,
        cases.opened_at,
        cases.first_response_at,
        {{ utc_day('cases.opened_at') }} as opened_day,
        {{ utc_day('cases.first_response_at') }} as first_response_day,
        {{ utc_day('cases.closed_at') }} as closed_day,
        coalesce(cases.is_closed, false) and cases.closed_at is null as is_closed_some_day
    from {{ ref('fct_case') }} as cases
    cross join {{ source('control', 'run') }} as run
    where
        cases.organization_id is not null
        and not coalesce(cases.is_deleted, false)
        and cases.loaded_at <= run.known_at

),

deals as (

    select
        deals.deal_id,
        deals.organization_id,
        deals.amount,
        deals.currency,
        {{ utc_day('deals.created_at') }} as created_day,
        {{ utc_day('deals.closed_at') }} as closed_day,
        coalesce(deals.is_closed, false) as is_closed
    from {{ ref('fct_deal') }} as deals
    cross join {{ source('control', 'run') }} as run
    where
        deals.organization_id is not null
        and not coalesce(deals.is_deleted, false)
        and deals.loaded_at <= run.known_at

),

---------- how long they have been silent: days of contact are read where they are needed, not kept

live_days as (

    select
        organization_id,
        day,
        {{ days_between('lag(day) over (partition by organization_id order by day)', 'day') }}
            as gap
    from (
        select
            organization_id,
            day
        from {{ ref('int_organizations__contact') }}
        where is_sign_of_life
        group by organization_id, day
    ) as days

),

-- On each snapshot's day, and 28 days before it: what became of equal silences since.
scored_days as (

    select as_of as scored_on
    from snapshots
    union
    select {{ days_after('as_of', -28) }} as scored_on
    from snapshots

),

states as (

    {{ silence_states('live_days', 'organization_id', 'scored_days') }}

),

silences as (

    {{ silence_scores('states') }}

),

outcomes as (

    {{ return_outcomes('silences', 'organization_id') }}

),

chances as (

    {{ return_chances('outcomes') }}

),

rhythms as (

    select
        snapshots.as_of,
        snapshots.basis,
        silences.organization_id,
        silences.days_quiet,
        silences.gaps,
        silences.usual_gap,
        chances.p_return
    from snapshots
    inner join silences on snapshots.as_of = silences.scored_on
    -- at most one row: the ranges of bins do not overlap
    left join chances
        on
            snapshots.as_of = chances.as_of
            and snapshots.basis = chances.basis
            and (chances.from_bin is null or chances.from_bin <= silences.bin)
            and (chances.until_bin is null or chances.until_bin > silences.bin)

),

last_contacts as (

    select
        snapshots.as_of,
        snapshots.basis,
        person_days.organization_id,
        max(person_days.last_inbound_at) as last_inbound_at,
        max(person_days.last_outbound_at) as last_outbound_at
    from snapshots
    inner join {{ ref('int_organizations__contact') }} as person_days
        on person_days.day <= snapshots.as_of
    group by snapshots.as_of, snapshots.basis, person_days.organization_id

),

---------- the people: who acts where, who carries the contact

person_states as (

    select
        snapshots.as_of,
        snapshots.basis,
        person_days.organization_id,
        person_days.person_id,
        {%- for silo in ['crm', 'forum', 'support'] %}
        bool_or(
            person_days.silo = '{{ silo }}'
            and person_days.their_acts > 0
            and person_days.day > {{ days_after('snapshots.as_of', -90) }}
        ) as is_active_{{ silo }},
        {%- endfor %}
        bool_or(
            person_days.their_acts > 0
            and person_days.day > {{ days_after('snapshots.as_of', -28) }}
        ) as is_active_28d,
        bool_or(
            person_days.their_acts > 0
            and person_days.day > {{ days_after('snapshots.as_of', -90) }}
        ) as is_active_90d,
        sum(
            case
                when person_days.day > {{ days_after('snapshots.as_of', -180) }}
                    then person_days.contacts
                else 0
            end
        ) as contacts_180d,
        sum(person_days.contacts) as contacts_365d,
        sum(person_days.direct_contacts) as direct_contacts_365d,
        max(case when person_days.direct_contacts > 0 then person_days.day end)
            as last_direct_day
    from snapshots
    inner join {{ ref('int_organizations__contact') }} as person_days
        on
            person_days.day <= snapshots.as_of
            and person_days.day > {{ days_after('snapshots.as_of', -365) }}
            and person_days.person_id is not null
    group by
        snapshots.as_of,
        snapshots.basis,
        person_days.organization_id,
        person_days.person_id

),

ranked_people as (

    select
        *,
        row_number() over (
            partition by as_of, basis, organization_id order by contacts_180d desc, person_id
        ) as rank_180d,
        row_number() over (
            partition by as_of, basis, organization_id
            order by direct_contacts_365d desc, contacts_365d desc, person_id
        ) as rank_365d
    from person_states

),

activity as (

    select
        as_of,
        basis,
        organization_id,
        count(*) as people_known_by_acts,
        count(*) filter (where is_active_28d) as people_active_28d,
        count(*) filter (where is_active_90d) as people_active_90d,
        count(*) filter (where is_active_crm) as people_active_90d_crm,
        count(*) filter (where is_active_forum) as people_active_90d_forum,
        count(*) filter (where is_active_support) as people_active_90d_support,
        count(*) filter (where contacts_180d > 0) as people_in_contact_180d,
        cast(sum(contacts_180d) as bigint) as contacts_180d,
        cast(max(contacts_180d) as bigint) as top_contacts_180d,
        max(case when rank_180d = 1 and contacts_180d > 0 then person_id end) as top_person_id,
        max(case when rank_365d = 1 and contacts_365d > 0 then person_id end)
            as champion_person_id,
        max(case when rank_365d = 1 then last_direct_day end) as champion_last_direct_day
    from ranked_people
    group by as_of, basis, organization_id

),

-- A source that names organizations and no people outside cannot tell who is there.
naming_sources as (

    select distinct profiles.source
    from {{ ref('dim_profile') }} as profiles
    inner join people on profiles.person_id = people.person_id
    where
        profiles.entity = 'person'
        and not coalesce(profiles.is_deleted, false)
        and not coalesce(people.is_staff, false)
        and not coalesce(people.is_bot, false)

),

nameless as (

    select profiles.organization_id
    from {{ ref('dim_profile') }} as profiles
    left join naming_sources on profiles.source = naming_sources.source
    where profiles.entity = 'organization'
    group by profiles.organization_id
    having count(naming_sources.source) = 0

),

known_people as (

    select
        snapshots.as_of,
        snapshots.basis,
        stays.organization_id,
        count(distinct stays.person_id) as people_known
    from snapshots
    inner join stays
        on
            (stays.from_day is null or stays.from_day <= snapshots.as_of)
            and (stays.until_day is null or stays.until_day > snapshots.as_of)
    group by snapshots.as_of, snapshots.basis, stays.organization_id

),

-- A champion has left when every stay there that had begun is over, or when a newer record of another
-- source names another organization and four weeks have passed without a word from here.
champion_stays as (

    select
        activity.as_of,
        activity.basis,
        activity.organization_id,
        activity.champion_last_direct_day,
        min(case when stays.organization_id = activity.organization_id then stays.from_day end)
            as began_here_on,
        max(case when stays.organization_id = activity.organization_id then stays.until_day end)
            as ended_here_on,
        bool_or(
            stays.organization_id = activity.organization_id
            and (stays.until_day is null or stays.until_day > activity.as_of)
        ) as is_still_here,
        bool_or(stays.organization_id = activity.organization_id) as was_here,
        max(
            case
                when stays.organization_id <> activity.organization_id and stays.basis = 'record'
                    then stays.from_day
            end
        ) as began_elsewhere_on
    from activity
    inner join stays
        on
            activity.champion_person_id = stays.person_id
            and (stays.from_day is null or stays.from_day <= activity.as_of)
    group by
        activity.as_of,
        activity.basis,
        activity.organization_id,
        activity.champion_last_direct_day

),

champions as (

    select
        as_of,
        basis,
        organization_id,
        case
            when not is_still_here then ended_here_on
            when
                began_elsewhere_on > began_here_on
                and began_elsewhere_on <= {{ days_after('as_of', -28) }}
                and coalesce(champion_last_direct_day < began_elsewhere_on, true)
                then began_elsewhere_on
        end as left_on
    from champion_stays
    where was_here

),

---------- our side: open cases, first answers, requests that wait

case_states as (

    select
        snapshots.as_of,
        snapshots.basis,
        cases.organization_id,
        cases.opened_day,
        not cases.is_closed_some_day
        and (cases.closed_day is null or cases.closed_day > snapshots.as_of) as is_open,
        cases.opened_day > {{ days_after('snapshots.as_of', -90) }} as is_recent,
        coalesce(cases.first_response_day <= snapshots.as_of, false) as is_answered,
        case
            when cases.first_response_day <= snapshots.as_of
                then {{ seconds_between('cases.opened_at', 'cases.first_response_at') }}
            else {{ seconds_between('cases.opened_at', end_of_day('snapshots.as_of')) }}
        end as wait_seconds
    from snapshots
    inner join cases on cases.opened_day <= snapshots.as_of

),

open_cases as (

    select
        as_of,
        basis,
        organization_id,
        count(*) filter (where is_open) as open_cases,
        {{ days_between('min(case when is_open then opened_day end)', 'as_of') }}
            as oldest_open_case_days,
        count(*) filter (where is_recent) as cases_90d
    from case_states
    group by as_of, basis, organization_id

),

recent_cases as (

    select * from case_states
    where is_recent

),

first_responses as (

    {{ product_limit(
        'recent_cases', ['as_of', 'basis', 'organization_id'], 'wait_seconds', 'is_answered'
    ) }}

),

requests as (

    select
        snapshots.as_of,
        snapshots.basis,
        person_days.organization_id,
        cast(sum(person_days.requests) as bigint) as requests_90d,
        cast(
            sum(
                case
                    when person_days.answered_day <= snapshots.as_of then 0
                    else person_days.requests
                end
            ) as bigint
        ) as unanswered_90d
    from snapshots
    inner join {{ ref('int_organizations__contact') }} as person_days
        on
            person_days.day <= snapshots.as_of
            and person_days.day > {{ days_after('snapshots.as_of', -90) }}
            and person_days.requests > 0
    group by snapshots.as_of, snapshots.basis, person_days.organization_id

),

---------- money, shown beside the score

open_deals as (

    select
        snapshots.as_of,
        snapshots.basis,
        deals.organization_id,
        count(*) as open_deals,
        -- amounts in several currencies have no sum
        case
            when count(distinct coalesce(deals.currency, '')) = 1
                then cast(sum(deals.amount) as decimal(18, 2))
        end as open_deal_amount
    from snapshots
    inner join deals
        on
            (deals.created_day is null or deals.created_day <= snapshots.as_of)
            and (
                (not deals.is_closed and deals.closed_day is null)
                or deals.closed_day > snapshots.as_of
            )
    group by snapshots.as_of, snapshots.basis, deals.organization_id

),

-- No deal anywhere yet: the sources cannot tell.
first_deal as (

    select min(coalesce(created_day, closed_day)) as first_day
    from deals

),

---------- one row per organization that existed

first_signs as (

    select
        organization_id,
        min(day) as first_day
    from {{ ref('int_organizations__contact') }}
    group by organization_id

),

spine as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        organizations.organization_id,
        organizations.owner_person_id,
        organizations.party_kind,
        organizations.renewal_date,
        organizations.renewal_amount
    from snapshots
    cross join organizations
    left join first_signs on organizations.organization_id = first_signs.organization_id
    where
        organizations.created_at is null
        or {{ utc_day('organizations.created_at') }} <= snapshots.as_of
        or first_signs.first_day <= snapshots.as_of

),

joined as (

    select
        spine.*,
        settings.has_strategy,
        settings.owner_of_relationships,
        settings.quiet_days,
        settings.slowing_gap_ratio,
        settings.quiet_gap_ratio,
        coalesce(seen.sees_crm, false) as sees_crm,
        coalesce(seen.sees_forum, false) as sees_forum,
        coalesce(seen.sees_support, false) as sees_support,
        coalesce(seen.coverage, 0) as coverage,
        coalesce(seen.sees_crm or seen.sees_forum or seen.sees_support, false) as sees_any,
        -- unless another source shows somebody there
        nameless.organization_id is null
        or known_people.people_known > 0
        or coalesce(activity.people_known_by_acts, 0) > 0 as names_people,
        coalesce(known_people.people_known, 0) as people_known,
        coalesce(activity.people_active_28d, 0) as people_active_28d,
        coalesce(activity.people_active_90d, 0) as people_active_90d,
        coalesce(activity.people_active_90d_crm, 0) as people_active_90d_crm,
        coalesce(activity.people_active_90d_forum, 0) as people_active_90d_forum,
        coalesce(activity.people_active_90d_support, 0) as people_active_90d_support,
        coalesce(activity.people_in_contact_180d, 0) as people_in_contact_180d,
        coalesce(activity.contacts_180d, 0) as contacts_180d,
        activity.top_contacts_180d,
        activity.top_person_id,
        activity.champion_person_id,
        case
            when activity.champion_person_id is not null
                then champions.left_on is not null
        end as champion_left,
        champions.left_on as champion_left_on,
        rhythms.days_quiet,
        rhythms.gaps,
        rhythms.usual_gap,
        rhythms.p_return,
        last_contacts.last_inbound_at,
        last_contacts.last_outbound_at,
        coalesce(open_cases.open_cases, 0) as open_cases,
        open_cases.oldest_open_case_days,
        coalesce(open_cases.cases_90d, 0) as cases_90d,
        first_responses.median_wait as median_first_response_seconds,
        coalesce(requests.requests_90d, 0) as requests_90d,
        coalesce(requests.unanswered_90d, 0) as unanswered_90d,
        open_deals.open_deals,
        open_deals.open_deal_amount,
        coalesce(first_deal.first_day <= spine.as_of, false) as sees_deals
    from spine
    cross join settings
    cross join first_deal
    left join seen on spine.as_of = seen.as_of and spine.basis = seen.basis
    left join nameless on spine.organization_id = nameless.organization_id
    {%- for part in [
        'known_people', 'activity', 'champions', 'rhythms', 'last_contacts', 'open_cases',
        'first_responses', 'requests', 'open_deals',
    ] %}
    left join {{ part }}
        on
            spine.as_of = {{ part }}.as_of
            and spine.basis = {{ part }}.basis
            and spine.organization_id = {{ part }}.organization_id
    {%- endfor %}

),

measured as (

    select
        *,
        cast(cast(days_quiet as double) / cast(usual_gap as double) as decimal(10, 2))
            as gap_ratio,
        case
            when people_in_contact_180d > 0
                then people_in_contact_180d = 1 or 5 * top_contacts_180d >= 4 * contacts_180d
        end as is_single_threaded,
        {{ patience('usual_gap', 'gaps') }} as patience,
        {{ quiet_level('days_quiet', 'usual_gap', 'gaps') }} as level,
        -- each alone; what is not known does not wait
        coalesce(unanswered_90d >= 2 and 2 * unanswered_90d >= requests_90d, false)
        or coalesce(sees_support and oldest_open_case_days > 7, false)
        or coalesce(median_first_response_seconds > 24 * 3600, false) as waits_for_us
    from joined

),

---------- score: points out of what can be known, each part rescaled to its share of 100

points as (

    select
        *,
        case when days_quiet is not null then 20 * (180 - least(days_quiet, 180)) / 180.0 end
            as recency_points,
        case
            when gaps >= 2
                then 40 * least(greatest(4 - days_quiet / cast(patience as double), 0) / 3, 1)
        end as rhythm_points,
        case
            when sees_any and names_people and days_quiet is not null
                then 20 * least(people_active_90d, 3) / 3.0
        end as breadth_points,
        case
            when requests_90d > 0 then 20.0 * (requests_90d - unanswered_90d) / requests_90d
        end as response_points
    from measured

),

possible as (

    select
        *,
        case when recency_points is not null then 20 else 0 end
        + case when rhythm_points is not null then 40 else 0 end
        + case when breadth_points is not null then 20 else 0 end
        + case when response_points is not null then 20 else 0 end as possible_points
    from points

),

scored as (

    select
        *,
        {%- for part in ['recency', 'rhythm', 'breadth', 'response'] %}
        -- cut, not rounded: the parts of a full score sum to 100 and never above
        cast(
            floor(10000 * cast({{ part }}_points as double) / nullif(possible_points, 0)) / 100
            as decimal(7, 2)
        ) as {{ part }}_part{{ ',' if not loop.last }}
        {%- endfor %}
    from possible

),

summed as (

    select
        *,
        case
            when possible_points > 0
                then
                    coalesce(recency_part, 0)
                    + coalesce(rhythm_part, 0)
                    + coalesce(breadth_part, 0)
                    + coalesce(response_part, 0)
        end as score,
        case
            when champion_left
                then 'the person with most contact left '
                    || {{ counted(days_between('champion_left_on', 'as_of'), 'day') }} || ' ago'
        end as champion_reason,
        case
            when gaps >= 2 and level <> 'active'
                then 'usually in touch ' || {{ every_days('usual_gap') }} || ', now '
                    || {{ counted('days_quiet', 'day') }} || ' quiet'
            when level <> 'active'
                then 'quiet for ' || {{ counted('days_quiet', 'day') }}
        end as quiet_reason,
        case
            when unanswered_90d > 0
                then {{ counted('unanswered_90d', 'message') }} || ' of theirs without an answer'
        end as unanswered_reason,
        case
            when sees_support and open_cases > 0 and oldest_open_case_days > 7
                then {{ counted('open_cases', 'open case') }} || ', the oldest '
                    || {{ counted('oldest_open_case_days', 'day') }} || ' old'
        end as cases_reason,
        case
            when median_first_response_seconds > 24 * 3600
                then 'first answers took ' || {{ rounded_days(in_days('median_first_response_seconds')) }}
                    || ' in the middle'
        end as slow_reason,
        case
            when is_single_threaded and people_in_contact_180d = 1
                then 'only one person there is in contact with us'
            when is_single_threaded
                then 'one person there carries '
                    || cast(cast(round(100 * top_contacts_180d / contacts_180d) as int) as string)
                    || ' % of the contact'
        end as single_reason,
        case when sees_any and days_quiet is null then 'no contact on record' end as none_reason
    from scored

),

judged as (

    select
        *,
        case
            when not has_strategy or days_quiet is null then cast(null as string)
            when
                level in ('quiet', 'gone')
                or (
                    case when level = 'slowing' then 1 else 0 end
                    + case when coalesce(champion_left, false) then 1 else 0 end
                    + case when waits_for_us then 1 else 0 end
                ) >= 2
                then 'at risk'
            when level = 'slowing' or coalesce(champion_left, false) or waits_for_us
                then 'watch'
            else 'healthy'
        end as verdict
    from summed

),

final as (

    select
        ---------- ids
        as_of,
        basis,
        organization_id,
        owner_person_id,
        top_person_id,
        champion_person_id,

        ---------- text
        party_kind,

        ---------- people
        {%- for column in ['people_known', 'people_active_28d', 'people_active_90d'] %}
        cast(case when sees_any and names_people then {{ column }} end as bigint)
            as {{ column }},
        {%- endfor %}
        {%- for silo in ['crm', 'forum', 'support'] %}
        cast(
            case when sees_{{ silo }} and names_people then people_active_90d_{{ silo }} end
            as bigint
        ) as people_active_90d_{{ silo }},
        {%- endfor %}
        is_single_threaded,
        {{ share('top_contacts_180d', 'contacts_180d') }} as top_person_share,
        champion_left,

        ---------- rhythm
        usual_gap as usual_gap_days,
        cast(days_quiet as bigint) as current_gap_days,
        gap_ratio,
        p_return,
        case when p_return is not null then 28 end as p_return_days,
        last_inbound_at,
        last_outbound_at,

        ---------- our side
        cast(case when sees_support then open_cases end as bigint) as open_cases,
        cast(case when sees_support then oldest_open_case_days end as bigint)
            as oldest_open_case_days,
        cast(case when sees_support then cases_90d end as bigint) as cases_90d,
        cast(median_first_response_seconds as double) / 3600 as median_first_response_hours,
        cast(case when sees_crm or sees_support then requests_90d end as bigint) as requests_90d,
        cast(case when sees_crm or sees_support then unanswered_90d end as bigint)
            as unanswered_90d,

        ---------- score
        cast(score as decimal(7, 2)) as score,
        recency_part,
        rhythm_part,
        breadth_part,
        response_part,

        ---------- judgment
        verdict,
        {%- for n in [1, 2, 3] %}
        {{ nth_reason([
            'champion_reason', 'quiet_reason', 'unanswered_reason', 'cases_reason',
            'slow_reason', 'single_reason', 'none_reason',
        ], n) }} as reason_{{ n }},
        {%- endfor %}
        case when verdict in ('at risk', 'watch') and owner_person_id is null
            then owner_of_relationships
        end as owner,
        case
            when coalesce(verdict, '') not in ('at risk', 'watch') then cast(null as string)
            when champion_left then 'ask who follows the person with most contact, and meet them'
            when level = 'gone' then 'decide: win back or let go'
            when level in ('quiet', 'slowing') then 'call the person there with most contact'
            when unanswered_90d >= 2 and 2 * unanswered_90d >= requests_90d
                then 'answer their messages'
            when oldest_open_case_days > 7 then 'close the oldest case, or say when'
            else 'find out where first answers get stuck'
        end as action,

        ---------- money and dates beside the score
        renewal_date,
        {{ days_between('as_of', 'renewal_date') }} as days_to_renewal,
        renewal_amount,
        cast(
            case when sees_deals or open_deals is not null then coalesce(open_deals, 0) end as bigint
        ) as open_deals,
        open_deal_amount,

        ---------- provenance
        cast(case when sees_any then contacts_180d end as bigint) as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from judged

)

select * from final
