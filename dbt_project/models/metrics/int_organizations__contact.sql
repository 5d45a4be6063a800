{{ config(materialized='table', contract={'enforced': false}) }}

with

acts as (

    select
        acts.*,
        acts.is_by_staff and not acts.is_internal and acts.kind not in ('task', 'note') as is_ours,
        -- in the open, what asks nobody in particular asks everybody: the community answers
        asking_kinds.kind is not null
        and not acts.is_by_staff
        and (acts.is_to_staff or not acts.is_community) as asks_us
    from {{ ref('int_acts__counted') }} as acts
    left join {{ ref('asking_kind') }} as asking_kinds on acts.kind = asking_kinds.kind
    where not acts.is_by_bot

),

-- When our side next turned to the same person, took part in the same thread, or, where nobody
-- knows which person asked, turned to the organization. Looked at from the end, where a running
-- minimum costs less than one of all that follows; and only at what asks or can be an answer.
followed as (

    select
        act_id,
        outside_person_id,
        asks_us,
        min(case when is_ours and not is_to_staff then occurred_at end) over (
            partition by outside_person_id order by occurred_at desc, act_id desc
            rows between unbounded preceding and 1 preceding
        ) as next_to_person_at,
        min(case when is_ours then occurred_at end) over (
            partition by thread_id order by occurred_at desc, act_id desc
            rows between unbounded preceding and 1 preceding
        ) as next_in_thread_at,
        min(case when is_ours then occurred_at end) over (
            partition by organization_id order by occurred_at desc, act_id desc
            rows between unbounded preceding and 1 preceding
        ) as next_to_organization_at
    from acts
    where asks_us or is_ours

),

answered as (

    select
        act_id,
        case
            when outside_person_id is null then next_to_organization_at
            else least(
                coalesce(next_to_person_at, next_in_thread_at),
                coalesce(next_in_thread_at, next_to_person_at)
            )
        end as answered_at
    from followed
    where asks_us

),

final as (

    select
        acts.act_id,
        acts.organization_id,
        acts.outside_person_id as person_id,
        acts.silo,
        acts.day,
        acts.occurred_at,
        not acts.is_by_staff as is_theirs,
        acts.is_ours,
        -- an order shows that they are there, though it is no contact
        acts.is_contact or not acts.is_by_staff as is_sign_of_life,
        acts.is_contact,
        acts.is_contact and not acts.is_community as is_direct_contact,
        acts.asks_us,
        answered.answered_at
    from acts
    left join answered on acts.act_id = answered.act_id
    where acts.organization_id is not null

)

select * from final
