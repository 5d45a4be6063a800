{{ config(materialized='table', contract={'enforced': false}) }}

with

programmes as (

    {{ tier_programmes() }}

),

run as (

    select * from {{ source('control', 'run') }}

),

people as (

    select
        *,
        {{ utc_day('created_at') }} as created_day
    from {{ ref('dim_person') }}
    where not coalesce(is_staff, false) and not coalesce(is_bot, false)

),

segments as (

    select * from {{ ref('bridge_person_segment') }}

),

first_acts as (

    select
        person_id,
        min(day) as first_day
    from {{ ref('rel_activity_daily') }}
    where role = 'actor' and person_id is not null
    group by person_id

),

final as (

    select
        programmes.programme,
        people.person_id,
        people.created_day,
        least(
            coalesce(people.created_day, first_acts.first_day, run.as_of),
            coalesce(first_acts.first_day, people.created_day, run.as_of)
        ) as first_day
    from programmes
    cross join people
    cross join run
    left join first_acts on people.person_id = first_acts.person_id
    -- one or none: a person has a segment once
    left join segments
        on
            programmes.segment_type = segments.segment_type
            and programmes.segment = segments.segment
            and people.person_id = segments.person_id
    where programmes.segment_type = 'all' or segments.person_id is not null

)

-- A number is read, sorted and joined many times faster than two texts.
select
    cast(row_number() over (order by programme, person_id) as bigint) as member,
    programme,
    person_id,
    created_day,
    first_day
from final
where first_day <= (select as_of from run)
