{{ config(materialized='table', contract={'enforced': false}) }}

with

acts as (

    select
        *,
        -- what came from them, or needed both at once; a note of ours is not contact
        not is_by_staff or kind in ('call', 'meeting') as is_two_way_or_theirs,
        is_by_staff and not is_internal and kind not in ('task', 'note') as is_ours,
        not is_by_staff and silo not in ('forum', 'social', 'orders') as asks_us
    from {{ ref('int_acts__counted') }}
    where not is_by_bot

),

-- When our side next turned to the same person, or took part in the same thread.
answered as (

    select
        *,
        min(case when is_ours and not is_to_staff then occurred_at end) over (
            partition by outside_person_id order by occurred_at, act_id
            rows between 1 following and unbounded following
        ) as next_to_person_at,
        min(case when is_ours then occurred_at end) over (
            partition by thread_id order by occurred_at, act_id
            rows between 1 following and unbounded following
        ) as next_in_thread_at
    from acts

),

final as (

    select
        act_id,
        organization_id,
        outside_person_id as person_id,
        silo,
        day,
        occurred_at,
        not is_by_staff as is_theirs,
        is_ours,
        is_two_way_or_theirs as is_sign_of_life,
        is_contact,
        asks_us,
        case
            when outside_person_id is null then next_in_thread_at
            else least(
                coalesce(next_to_person_at, next_in_thread_at),
                coalesce(next_in_thread_at, next_to_person_at)
            )
        end as answered_at
    from answered
    where organization_id is not null

)

select * from final
