{{ config(materialized='table', contract={'enforced': false}) }}

with

run as (

    select * from {{ source('control', 'run') }}

),

members as (

    select * from {{ ref('int_tiers__members') }}

),

measures as (

    select
        programme,
        measure,
        origin,
        field,
        cast(days as int) as days
    from {{ source('control', 'tier_measures') }}

),

behaviors as (

    select * from {{ source('control', 'tier_behaviors') }}

),

rules as (

    select * from {{ source('control', 'tier_rules') }}

),

---------- what they did, by day

daily as (

    select
        person_id,
        behavior,
        day,
        sum(events) as events
    from {{ ref('rel_activity_daily') }}
    where role = 'actor' and person_id is not null and not is_staff and not is_bot
    group by person_id, behavior, day

),

behaved as (

    select * from daily

    union all

    select
        person_id,
        'any' as behavior,
        day,
        sum(events) as events
    from daily
    group by person_id, day

),

counted as (

    select
        measures.programme,
        measures.measure,
        measures.days,
        behaved.person_id,
        behaved.day,
        cast(
            case when measures.origin = 'acts' then sum(behaved.events) else 1 end
            as decimal(28, 9)
        ) as value
    from measures
    inner join behaviors
        on measures.programme = behaviors.programme and measures.measure = behaviors.measure
    inner join behaved on behaviors.behavior = behaved.behavior
    group by
        measures.programme,
        measures.measure,
        measures.origin,
        measures.days,
        behaved.person_id,
        behaved.day

    union all

    select
        programme,
        measure,
        cast(days as int) as days,
        person_id,
        day,
        paid as value
    from {{ ref('int_tiers__paid') }}

    union all

    select
        measures.programme,
        measures.measure,
        measures.days,
        occasions.person_id,
        occasions.day,
        cast(
            case when measures.origin = 'occasions' then count(*) else sum(occasions.value) end
            as decimal(28, 9)
        ) as value
    from measures
    inner join {{ ref('int_track__occasions') }} as occasions
        on measures.field = occasions.indicator
    where
        measures.origin in ('occasions', 'successes')
        and occasions.given_by in ('them', 'anyone')
        and occasions.person_id is not null
    group by
        measures.programme,
        measures.measure,
        measures.origin,
        measures.days,
        occasions.person_id,
        occasions.day

),

-- What nobody ever did before that day is unknown, from then on it is a number: nought for most.
told_since as (

    select
        programme,
        measure,
        min(day) as day
    from counted
    group by programme, measure

),

---------- numbers that stood in a table on some days

observed as (
    {%- for table, columns in tier_columns().items() %}
    {%- for column in columns %}

    select
        measures.programme,
        measures.measure,
        seen.person_id,
        seen.as_of as day,
        seen.basis,
        cast(seen.{{ column }} as decimal(28, 9)) as value
    from measures
    inner join {{ ref(table) }} as seen on measures.field = '{{ table }}.{{ column }}'
    where measures.origin = 'column'

    union all
    {%- endfor %}
    {%- endfor %}

    select
        measures.programme,
        measures.measure,
        told.person_id,
        told.as_of as day,
        told.basis,
        cast(told.value as decimal(28, 9)) as value
    from measures
    inner join {{ ref('int_tiers__custom') }} as told on measures.field = told.field
    where measures.origin = 'custom'

),

seen_once as (

    select
        *,
        lag(value) over (
            partition by programme, measure, person_id order by day
        ) as previous_value
    from (
        select
            *,
            row_number() over (
                partition by programme, measure, person_id, day order by basis
            ) as choice
        from observed
    ) as ranked
    where choice = 1

),

---------- every day on which a number changes, or a rule about it turns

changes as (

    select
        programme,
        measure,
        person_id,
        day,
        value as value_change,
        0 as known_change
    from counted

    union all

    select
        programme,
        measure,
        person_id,
        {{ days_after('day', 'days') }} as day,
        -value as value_change,
        0 as known_change
    from counted
    where days is not null

    union all

    select
        members.programme,
        told_since.measure,
        members.person_id,
        greatest(told_since.day, members.first_day) as day,
        0 as value_change,
        1 as known_change
    from members
    inner join told_since on members.programme = told_since.programme

    union all

    select
        programme,
        measure,
        person_id,
        day,
        coalesce(value, 0) - coalesce(previous_value, 0) as value_change,
        case when value is null then 0 else 1 end
        - case when previous_value is null then 0 else 1 end as known_change
    from seen_once

    union all

    -- days since something grow by themselves: a rule about them turns on one day, or the next
    select
        members.programme,
        measures.measure,
        members.person_id,
        {{ days_after('members.created_day', 'turns.days') }} as day,
        0 as value_change,
        0 as known_change
    from members
    inner join measures on members.programme = measures.programme and measures.origin = 'since'
    inner join (
        {%- for threshold in ['threshold', 'keep_threshold'] %}
        {%- for later in [0, 1] %}
        select
            programme,
            measure,
            cast(ceil({{ threshold }}) as int) + {{ later }} as days
        from rules
        {{ 'union' if not (loop.last and threshold == 'keep_threshold') }}
        {%- endfor %}
        {%- endfor %}
    ) as turns on measures.programme = turns.programme and measures.measure = turns.measure
    where members.created_day is not null

    union all

    -- whoever never did anything is looked at once
    select
        programme,
        cast(null as string) as measure,
        person_id,
        first_day as day,
        0 as value_change,
        0 as known_change
    from members

),

final as (

    select
        changes.programme,
        changes.measure,
        changes.person_id,
        changes.day,
        cast(sum(changes.value_change) as decimal(28, 9)) as value_change,
        cast(sum(changes.known_change) as int) as known_change
    from changes
    cross join run
    inner join members
        on changes.programme = members.programme and changes.person_id = members.person_id
    where changes.day <= run.as_of
    group by changes.programme, changes.measure, changes.person_id, changes.day

)

select * from final
