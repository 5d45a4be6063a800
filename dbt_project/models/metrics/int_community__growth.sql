{{ config(materialized='table', contract={'enforced': false}) }}

with

snapshots as (

    {{ snapshots() }}

),

acts as (

    select * from {{ ref('int_acts__counted') }}
    where is_community

),

profiles as (

    select * from {{ ref('dim_profile') }}
    where
        entity = 'person'
        and person_id is not null
        and not coalesce(is_deleted, false)
        and not coalesce(is_bot, false)

),

people as (

    select * from {{ ref('dim_person') }}

),

members_acts as (

    select
        actor_person_id as person_id,
        silo,
        place,
        day
    from acts
    where actor_person_id is not null and not is_by_staff and not is_by_bot

),

---------- the first day of each in each segment, and the days that the snapshots look at

first_places as (

    select
        person_id,
        silo,
        place,
        min(day) as first_day
    from members_acts
    group by person_id, silo, place

),

segmented_first_places as (

    {{ in_segments('first_places', 'person_id') }}

),

first_days as (

    select
        segment_type,
        segment,
        person_id,
        min(first_day) as first_day
    from segmented_first_places
    group by segment_type, segment, person_id

),

person_days as (

    select
        person_id,
        silo,
        place,
        day,
        count(*) as acts
    from members_acts
    where day > (select {{ days_after('min(as_of)', -56) }} from snapshots)
    group by person_id, silo, place, day

),

segmented_days as (

    {{ in_segments('person_days', 'person_id') }}

),

active_days as (

    select
        segment_type,
        segment,
        person_id,
        day,
        sum(acts) as acts
    from segmented_days
    group by segment_type, segment, person_id, day

),

---------- who belongs: has acted here, or has a profile in a source that carries this silo

silos_of_sources as (

    select
        source,
        silo
    from acts
    group by source, silo

),

registered as (

    select
        profiles.person_id,
        silos_of_sources.silo,
        min({{ utc_day('coalesce(profiles.created_at, profiles.first_seen_at)') }}) as since_day
    from profiles
    inner join people on profiles.person_id = people.person_id
    -- several to several: a source may carry a forum and more; the group makes one row each
    inner join silos_of_sources on profiles.source = silos_of_sources.source
    where not coalesce(people.is_staff, false) and not coalesce(people.is_bot, false)
    group by profiles.person_id, silos_of_sources.silo

),

registered_by_segment as (

    {{ by_person_segment('registered', 'person_id') }}

),

belonging as (

    select
        'all' as segment_type,
        'all' as segment,
        person_id,
        since_day
    from registered
    union all
    select
        segment_type,
        segment,
        person_id,
        since_day
    from registered_by_segment
    union all
    select
        'silo' as segment_type,
        silo as segment,
        person_id,
        since_day
    from registered
    union all
    select
        segment_type,
        segment,
        person_id,
        first_day as since_day
    from first_days

),

joined_on as (

    select
        segment_type,
        segment,
        since_day,
        count(*) as people
    from (
        select
            segment_type,
            segment,
            person_id,
            min(since_day) as since_day
        from belonging
        group by segment_type, segment, person_id
    ) as members
    group by segment_type, segment, since_day

),

members as (

    select
        snapshots.as_of,
        snapshots.basis,
        joined_on.segment_type,
        joined_on.segment,
        sum(joined_on.people) as members
    from snapshots
    inner join joined_on on joined_on.since_day <= snapshots.as_of
    group by snapshots.as_of, snapshots.basis, joined_on.segment_type, joined_on.segment

),

---------- who is active in the trailing 28 days and in the 28 days before

states as (

    select
        snapshots.as_of,
        snapshots.basis,
        active_days.segment_type,
        active_days.segment,
        active_days.person_id,
        bool_or(active_days.day > {{ days_after('snapshots.as_of', -28) }}) as is_active,
        bool_or(active_days.day <= {{ days_after('snapshots.as_of', -28) }}) as was_active,
        bool_or(active_days.day > {{ days_after('snapshots.as_of', -7) }}) as is_active_7d,
        count(*) filter (
            where active_days.day > {{ days_after('snapshots.as_of', -28) }}
        ) as active_days,
        sum(
            case
                when active_days.day > {{ days_after('snapshots.as_of', -28) }}
                    then active_days.acts
                else 0
            end
        ) as acts
    from snapshots
    inner join active_days
        on
            active_days.day <= snapshots.as_of
            and active_days.day > {{ days_after('snapshots.as_of', -56) }}
    group by
        snapshots.as_of,
        snapshots.basis,
        active_days.segment_type,
        active_days.segment,
        active_days.person_id

),

arrivals as (

    select
        states.*,
        first_days.first_day > {{ days_after('states.as_of', -28) }} as is_new
    from states
    -- one to one: who was active has a first day
    inner join first_days
        on
            states.segment_type = first_days.segment_type
            and states.segment = first_days.segment
            and states.person_id = first_days.person_id

),

growth as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        count(*) filter (where is_active) as active,
        count(*) filter (where was_active) as previous_active,
        count(*) filter (where is_active and is_new) as new_members,
        count(*) filter (where is_active and was_active) as retained,
        count(*) filter (where is_active and not was_active and not is_new) as resurrected,
        count(*) filter (where was_active and not is_active) as churned,
        count(*) filter (where is_active_7d) as wau,
        sum(active_days) as person_days,
        sum(acts) as contributions
    from arrivals
    group by as_of, basis, segment_type, segment

),

final as (

    select
        members.as_of,
        members.basis,
        members.segment_type,
        members.segment,
        cast(members.members as bigint) as members,
        cast(coalesce(growth.contributions, 0) as bigint) as contributions,
        coalesce(growth.active, 0) as active,
        coalesce(growth.previous_active, 0) as previous_active,
        coalesce(growth.new_members, 0) as new_members,
        coalesce(growth.retained, 0) as retained,
        coalesce(growth.resurrected, 0) as resurrected,
        coalesce(growth.churned, 0) as churned,
        coalesce(growth.wau, 0) as wau,
        cast(coalesce(growth.person_days, 0) as bigint) as person_days
    from members
    -- one to one: nobody is active without belonging; a quiet segment has no growth row
    left join growth
        on
            members.as_of = growth.as_of
            and members.basis = growth.basis
            and members.segment_type = growth.segment_type
            and members.segment = growth.segment

)

select * from final
