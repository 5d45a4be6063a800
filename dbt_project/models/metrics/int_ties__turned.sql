{{ config(materialized='view', contract={'enforced': false}) }}

with

acts as (

    {{ tying_acts() }}

),

addressed as (

    select
        acts.*,
        -- Who asks everybody has turned to whoever answers; in a meeting both are there.
        acts.kind = 'meeting' or coalesce(asked.actor_number = acts.target_number, false)
            as is_two_way
    from acts
    -- at most one row: `act_id` is the key
    left join {{ ref('int_acts__counted') }} as asked
        on acts.thread_id = asked.act_id and asked.kind in ('question', 'case_opened')
    where
        acts.target_number is not null
        and acts.target_number <> acts.actor_number
        and not acts.is_to_bot

),

final as (

    select
        least(actor_number, target_number) as one_number,
        greatest(actor_number, target_number) as other_number,
        silo,
        place,
        day,
        actor_number < target_number or is_two_way as is_from_one,
        actor_number > target_number or is_two_way as is_from_other
    from addressed

)

select * from final
