{{ config(materialized='table', contract={'enforced': false}) }}

with

acts as (

    select * from {{ ref('int_acts__counted') }}
    where not is_by_staff and not is_by_bot

),

step_days as (

    {{ step_days('acts') }}

),

all_days as (

    select
        {{ stepping_party('acts', "acts.behavior = 'purchase'") }} as party_id,
        day
    from acts

),

named as (

    select * from step_days
    union all
    select
        'any act' as step,
        false as is_community_only,
        party_id,
        day
    from all_days
    where party_id is not null
    group by party_id, day

),

final as (

    select
        step,
        is_community_only,
        party_id,
        day,
        min(day) over (partition by step, party_id) as first_day,
        cast(row_number() over (partition by step, party_id order by day) as bigint) as steps,
        lead(day) over (partition by step, party_id order by day) as next_day
    from named

)

select * from final
