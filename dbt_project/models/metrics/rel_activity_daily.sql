{{ config(materialized='table') }}

with

run as (

    select * from {{ source('control', 'run') }}

),

acts as (

    select * from {{ ref('int_acts__counted') }}

),

weights as (

    {{ behavior_weights() }}

),

unnamed as (

    {{ unnamed_behavior('weights') }}

),

-- Each act once for who did it, and once more for the outsider at whom our side aimed it.
sides as (

    select
        actor_person_id as person_id,
        day,
        silo,
        behavior,
        'actor' as role,
        is_by_staff as is_staff,
        is_by_bot as is_bot,
        is_by_staff,
        is_prompted
    from acts

    union all

    select
        target_person_id as person_id,
        day,
        silo,
        behavior,
        'target' as role,
        false as is_staff,
        is_to_bot as is_bot,
        is_by_staff,
        is_prompted
    from acts
    where is_by_staff and not is_to_staff and target_person_id is not null

),

counted as (

    select
        person_id,
        case when person_id is null then is_staff end as is_unknown_staff,
        day,
        silo,
        behavior,
        role,
        bool_or(is_staff) as is_staff,
        bool_or(is_bot) as is_bot,
        case when bool_or(is_by_staff) then 'us' else 'them' end as initiated_by,
        count(*) as events,
        -- unknown (null) as long as no act of the day says whether it was prompted
        sum(case when is_prompted then 1 when not is_prompted then 0 end) as prompted_events
    from sides
    group by
        person_id,
        case when person_id is null then is_staff end,
        day,
        silo,
        behavior,
        role

),

final as (

    select
        ---------- ids
        coalesce(
            counted.person_id,
            case when counted.is_unknown_staff then 'unknown-staff' else 'unknown' end
        ) as actor_key,
        counted.person_id,

        ---------- grain
        counted.day,
        counted.silo,
        counted.behavior,
        counted.role,

        ---------- text
        counted.initiated_by,

        ---------- numbers
        cast(counted.events as bigint) as events,
        cast(counted.prompted_events as bigint) as prompted_events,
        -- what happened to them is not their doing: it weighs nothing
        cast(
            case
                when counted.role = 'target' then 0
                else coalesce(weights.weight, unnamed.weight)
            end as decimal(9, 3)
        ) as weight,
        cast(
            case
                when counted.role = 'target' then 0
                else coalesce(weights.weight, unnamed.weight) * counted.events
            end as decimal(18, 3)
        ) as weighted_events,

        ---------- booleans
        counted.is_staff,
        counted.is_bot,

        ---------- provenance
        run.as_of,
        run.known_at,
        {{ metric_version() }} as metric_version
    from counted
    -- many to one: a behavior has one weight
    left join weights on counted.behavior = weights.behavior
    cross join unnamed
    cross join run

)

select * from final
