{{ config(materialized='table', contract={'enforced': false}) }}

{#- Whoever joins a thread later has come to a crowd, not to people. -#}
{%- set seats = 20 %}

with

snapshots as (

    {{ snapshots() }}

),

acts as (

    {{ tying_acts() }}

),

turned_to as (

    select
        *,
        0 as threads_met
    from {{ ref('int_ties__turned') }}

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

---------- by day: what one did towards the other, and threads in which both had come to speak

days as (

    select
        one_id,
        other_id,
        silo,
        place,
        day,
        sum(from_one) as from_one,
        sum(from_other) as from_other,
        sum(threads_met) as threads_met
    from (
        select * from turned_to
        union all
        select * from met
    ) as occasions
    where day > (select {{ days_after('min(as_of)', -364) }} from snapshots)
    group by one_id, other_id, silo, place, day

),

---------- what is left of it on the day of each snapshot

places as (

    select
        snapshots.as_of,
        snapshots.basis,
        days.one_id,
        days.other_id,
        days.silo,
        days.place,
        sum(days.from_one) as from_one,
        sum(days.from_other) as from_other,
        sum(days.threads_met) as threads_met,
        max(days.day) as last_day,
        sum({{ faded('days.threads_met', days_between('days.day', 'snapshots.as_of')) }})
            as indirect_points
    from snapshots
    inner join days
        on
            days.day <= snapshots.as_of
            and days.day > {{ days_after('snapshots.as_of', -364) }}
    group by
        snapshots.as_of,
        snapshots.basis,
        days.one_id,
        days.other_id,
        days.silo,
        days.place

),

sums as (

    select
        as_of,
        basis,
        one_id,
        other_id,
        cast(sum(from_one) as bigint) as from_one,
        cast(sum(from_other) as bigint) as from_other,
        cast(sum(threads_met) as bigint) as threads_met,
        max(last_day) as last_day,
        count(*) as places,
        {{ sorted_list('silo') }} as silos,
        sum(indirect_points) as indirect_points
    from places
    group by as_of, basis, one_id, other_id

),

-- A day is one day, in however many places they turned to each other; its points are those of days
-- on which both did.
turned_to_days as (

    select
        snapshots.as_of,
        snapshots.basis,
        days_turned_to.one_id,
        days_turned_to.other_id,
        count(*) as days_turned_to,
        sum({{ faded(10, days_between('days_turned_to.day', 'snapshots.as_of')) }})
            as direct_points
    from snapshots
    inner join (
        select
            one_id,
            other_id,
            day
        from days
        where from_one + from_other > 0
        group by one_id, other_id, day
    ) as days_turned_to
        on
            days_turned_to.day <= snapshots.as_of
            and days_turned_to.day > {{ days_after('snapshots.as_of', -364) }}
    group by
        snapshots.as_of,
        snapshots.basis,
        days_turned_to.one_id,
        days_turned_to.other_id

),

final as (

    select
        sums.as_of,
        sums.basis,
        sums.one_id,
        sums.other_id,
        sums.from_one,
        sums.from_other,
        sums.threads_met,
        coalesce(turned_to_days.days_turned_to, 0) as days_turned_to,
        sums.last_day,
        sums.places,
        sums.silos,
        sums.from_one > 0 and sums.from_other > 0 as is_direct,
        cast(
            least(
                10,
                sums.indirect_points
                + case
                    when sums.from_one > 0 and sums.from_other > 0 then turned_to_days.direct_points
                    else 0
                end
            ) as decimal(9, 6)
        ) as strength
    from sums
    left join turned_to_days
        on
            sums.as_of = turned_to_days.as_of
            and sums.basis = turned_to_days.basis
            and sums.one_id = turned_to_days.one_id
            and sums.other_id = turned_to_days.other_id

)

select * from final
