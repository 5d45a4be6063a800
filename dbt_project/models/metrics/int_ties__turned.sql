{{ config(materialized='view', contract={'enforced': false}) }}

with

acts as (

    {{ tying_acts() }}

),

addressed as (

    select
        acts.*,
        -- Who asks everybody has turned to whoever answers; in a meeting both are there.
        acts.kind = 'meeting' or coalesce(asked.actor_person_id = acts.target_person_id, false)
            as is_two_way
    from acts
    -- at most one row: `act_id` is the key
    left join {{ ref('int_acts__counted') }} as asked
        on acts.thread_id = asked.act_id and asked.kind in ('question', 'case_opened')
    where
        acts.target_person_id is not null
        and acts.target_person_id <> acts.actor_person_id
        and not acts.is_to_bot

),

final as (

    select
        least(actor_person_id, target_person_id) as one_id,
        greatest(actor_person_id, target_person_id) as other_id,
        silo,
        place,
        day,
        case when actor_person_id < target_person_id or is_two_way then 1 else 0 end as from_one,
        case when actor_person_id > target_person_id or is_two_way then 1 else 0 end as from_other
    from addressed

)

select * from final
