{{ config(materialized='table', contract={'enforced': false}) }}

with

acts as (

    select * from {{ ref('int_acts__counted') }}
    where actor_number is not null and not is_by_staff and not is_by_bot

),

days as (

    select
        actor_number as person_number,
        silo,
        day,
        max(occurred_at) as last_act_at
    from acts
    group by actor_number, silo, day

),

numbered as (

    select
        *,
        lag(day) over (partition by person_number, silo order by day) as previous_silo_day,
        lag(day) over (partition by person_number order by day, silo) as previous_day
    from days

),

final as (

    select
        person_number,
        silo,
        day,
        {{ days_between('previous_silo_day', 'day') }} as silo_gap,
        case when previous_day < day then {{ days_between('previous_day', 'day') }} end as gap,
        previous_day is null or previous_day < day as is_first_of_day,
        last_act_at
    from numbered

)

select * from final
