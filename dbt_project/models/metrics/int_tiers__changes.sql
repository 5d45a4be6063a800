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

rules as (

    select * from {{ source('control', 'tier_rules') }}

),

---------- what they did, by day

acts as (

    select * from {{ ref('rel_activity_daily') }}
    where role = 'actor' and person_id is not null and not is_staff and not is_bot

),

behaviors as (

    select
        programme,
        measure,
        behavior
    from {{ source('control', 'tier_behaviors') }}
    where behavior <> 'any'

    union all

    select
        asked.programme,
        asked.measure,
        known.behavior
    from {{ source('control', 'tier_behaviors') }} as asked
    cross join (
        select behavior
        from acts
        group by behavior
    ) as known
    where asked.behavior = 'any'

),

counted as (

    select
        measures.programme,
        measures.measure,
        measures.days,
        acts.person_id,
        acts.day,
        cast(
            case when measures.origin = 'acts' then sum(acts.events) else 1 end
            as decimal(28, 9)
        ) as value
    from measures
    inner join behaviors
        on measures.programme = behaviors.programme and measures.measure = behaviors.measure
    inner join acts on behaviors.behavior = acts.behavior
    group by
        measures.programme,
        measures.measure,
        measures.origin,
        measures.days,
        acts.person_id,
        acts.day

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

counted_of_members as (

    select
        counted.programme,
        counted.measure,
        counted.days,
        members.member,
        counted.day,
        counted.value
    from counted
    inner join members
        on counted.programme = members.programme and counted.person_id = members.person_id

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
        lag(value) over (partition by measure, member order by day) as previous_value
    from (
        select
            observed.*,
            members.member,
            row_number() over (
                partition by observed.measure, members.member, observed.day
                order by observed.basis
            ) as choice
        from observed
        inner join members
            on observed.programme = members.programme and observed.person_id = members.person_id
    ) as ranked
    where choice = 1

),

---------- every day on which a number changes, or a rule about it turns

changes as (

    select
        programme,
        measure,
        member,
        day,
        value as value_change,
        0 as known_change
    from counted_of_members

    union all

    select
        programme,
        measure,
        member,
        {{ days_after('day', 'days') }} as day,
        -value as value_change,
        0 as known_change
    from counted_of_members
    where days is not null

    union all

    select
        members.programme,
        told_since.measure,
        members.member,
        greatest(told_since.day, members.first_day) as day,
        0 as value_change,
        1 as known_change
    from members
    inner join told_since on members.programme = told_since.programme

    union all

    select
        programme,
        measure,
        member,
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
        members.member,
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
        member,
        first_day as day,
        0 as value_change,
        0 as known_change
    from members

),

final as (

    select
        changes.programme,
        changes.measure,
        changes.member,
        changes.day,
        cast(sum(changes.value_change) as decimal(28, 9)) as value_change,
        cast(sum(changes.known_change) as int) as known_change
    from changes
    cross join run
    where changes.day <= run.as_of
    group by changes.programme, changes.measure, changes.member, changes.day

)

select * from final
