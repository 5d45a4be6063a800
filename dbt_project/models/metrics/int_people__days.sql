{{ config(materialized='table', contract={'enforced': false}) }}

with

acts as (

    select * from {{ ref('int_acts__counted') }}
    where actor_person_id is not null and not is_by_staff and not is_by_bot

),

people as (

    select * from {{ ref('dim_person') }}
    where not coalesce(is_staff, false) and not coalesce(is_bot, false)

),

days as (

    select
        acts.actor_person_id as person_id,
        acts.silo,
        acts.day,
        max(acts.occurred_at) as last_act_at
    from acts
    inner join people on acts.actor_person_id = people.person_id
    group by acts.actor_person_id, acts.silo, acts.day

),

numbered as (

    select
        *,
        lag(day) over (partition by person_id, silo order by day) as previous_silo_day,
        lag(day) over (partition by person_id order by day, silo) as previous_day
    from days

),

final as (

    select
        person_id,
        silo,
        day,
        {{ days_between('previous_silo_day', 'day') }} as silo_gap,
        case when previous_day < day then {{ days_between('previous_day', 'day') }} end as gap,
        previous_day is null or previous_day < day as is_first_of_day,
        last_act_at
    from numbered

)

select * from final
