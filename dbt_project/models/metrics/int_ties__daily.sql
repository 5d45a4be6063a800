{{ config(materialized='table', contract={'enforced': false}) }}

{#- Whoever joins a thread later has come to a crowd, not to people. -#}
{%- set seats = 20 %}

with

acts as (

    select * from {{ ref('int_acts__counted') }}
    where
        actor_person_id is not null
        and not is_by_bot
        and kind not in ('purchase', 'login', 'task', 'note')

),

---------- what one did towards the other

addressed as (

    select
        acts.*,
        -- Who asks everybody has turned to whoever answers; in a meeting both are there.
        acts.kind = 'meeting' or coalesce(asked.actor_person_id = acts.target_person_id, false)
            as is_two_way
    from acts
    -- at most one row: `act_id` is the key
    left join acts as asked
        on acts.thread_id = asked.act_id and asked.kind in ('question', 'case_opened')
    where
        acts.target_person_id is not null
        and acts.target_person_id <> acts.actor_person_id
        and not acts.is_to_bot

),

turned_to as (

    select
        least(actor_person_id, target_person_id) as one_id,
        greatest(actor_person_id, target_person_id) as other_id,
        silo,
        place,
        day,
        case when actor_person_id < target_person_id or is_two_way then 1 else 0 end as from_one,
        case when actor_person_id > target_person_id or is_two_way then 1 else 0 end as from_other,
        0 as threads_met
    from addressed

),

---------- threads in which both spoke

seated as (

    select
        *,
        row_number() over (partition by thread_id order by joined_at, person_id) as seat
    from (
        select
            thread_id,
            actor_person_id as person_id,
            min(silo) as silo,
            min(place) as place,
            min(day) as day,
            min(occurred_at) as joined_at
        from acts
        group by thread_id, actor_person_id
    ) as joined_threads

),

met as (

    select
        one.person_id as one_id,
        other.person_id as other_id,
        least(one.silo, other.silo) as silo,
        coalesce(least(one.place, other.place), one.place, other.place) as place,
        greatest(one.day, other.day) as day,
        0 as from_one,
        0 as from_other,
        1 as threads_met
    from seated as one
    -- a row per pair of the first people in a thread
    inner join seated as other
        on one.thread_id = other.thread_id and one.person_id < other.person_id
    where one.seat <= {{ seats }} and other.seat <= {{ seats }}

),

final as (

    select
        one_id,
        other_id,
        silo,
        place,
        day,
        cast(sum(from_one) as bigint) as from_one,
        cast(sum(from_other) as bigint) as from_other,
        cast(sum(threads_met) as bigint) as threads_met
    from (
        select * from turned_to
        union all
        select * from met
    ) as occasions
    group by one_id, other_id, silo, place, day

)

select * from final
