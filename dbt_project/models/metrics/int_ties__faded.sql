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

horizon as (

    select {{ days_after('min(as_of)', -364) }} as after
    from snapshots

),

turned_to as (

    select
        *,
        0 as threads_met
    from {{ ref('int_ties__turned') }}
    where day > (select after from horizon)

),

---------- threads in which both spoke

-- Whoever speaks alone meets nobody, and a thread long closed brings nobody together.
threads as (

    select
        thread_id,
        count(*) as acts
    from acts
    group by thread_id
    having count(*) > 1 and max(day) > (select after from horizon)

),

joined_threads as (

    select
        acts.thread_id,
        acts.actor_person_id as person_id,
        min(acts.silo) as silo,
        min(acts.place) as place,
        min(acts.day) as day,
        min(acts.occurred_at) as joined_at,
        max(threads.acts) as acts
    from acts
    inner join threads on acts.thread_id = threads.thread_id
    group by acts.thread_id, acts.actor_person_id

),

-- Seats are counted only where they may not be enough for all.
seated as (

    select
        thread_id,
        person_id,
        silo,
        place,
        day
    from joined_threads
    where acts <= {{ seats }}
    union all
    select
        thread_id,
        person_id,
        silo,
        place,
        day
    from (
        select
            *,
            row_number() over (partition by thread_id order by joined_at, person_id) as seat
        from joined_threads
        where acts > {{ seats }}
    ) as crowded
    where seat <= {{ seats }}

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
    where greatest(one.day, other.day) > (select after from horizon)

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
    group by one_id, other_id, silo, place, day

),

---------- what is left of it on the day of each snapshot

sums as (

    select
        snapshots.as_of,
        snapshots.basis,
        days.one_id,
        days.other_id,
        cast(sum(days.from_one) as bigint) as from_one,
        cast(sum(days.from_other) as bigint) as from_other,
        cast(sum(days.threads_met) as bigint) as threads_met,
        count(case when days.from_one + days.from_other > 0 then 1 end) as days_turned_to,
        max(days.day) as last_day,
        min(days.silo) as silo,
        min(days.silo) < max(days.silo)
        or coalesce(min(days.place) < max(days.place), false)
        or count(days.place) between 1 and count(*) - 1 as is_spread,
        sum({{ faded('days.threads_met', days_between('days.day', 'snapshots.as_of')) }})
            as indirect_points,
        sum(
            case
                when days.from_one + days.from_other > 0
                    then {{ faded(10, days_between('days.day', 'snapshots.as_of')) }}
            end
        ) as direct_points
    from snapshots
    inner join days
        on
            days.day <= snapshots.as_of
            and days.day > {{ days_after('snapshots.as_of', -364) }}
    group by snapshots.as_of, snapshots.basis, days.one_id, days.other_id

),

---------- the few who met in several places: a day is one day, in however many of them

spread_days as (

    select
        sums.as_of,
        sums.basis,
        sums.one_id,
        sums.other_id,
        days.silo,
        days.place,
        days.day,
        days.from_one + days.from_other > 0 as is_turned_to
    from sums
    inner join days
        on
            sums.one_id = days.one_id
            and sums.other_id = days.other_id
            and days.day <= sums.as_of
            and days.day > {{ days_after('sums.as_of', -364) }}
    where sums.is_spread

),

spread_places as (

    select
        as_of,
        basis,
        one_id,
        other_id,
        count(*) as places,
        {{ sorted_list('silo') }} as silos
    from (
        select
            as_of,
            basis,
            one_id,
            other_id,
            silo,
            place
        from spread_days
        group by as_of, basis, one_id, other_id, silo, place
    ) as places
    group by as_of, basis, one_id, other_id

),

spread_turns as (

    select
        as_of,
        basis,
        one_id,
        other_id,
        count(*) as days_turned_to,
        sum({{ faded(10, days_between('day', 'as_of')) }}) as direct_points
    from (
        select
            as_of,
            basis,
            one_id,
            other_id,
            day
        from spread_days
        where is_turned_to
        group by as_of, basis, one_id, other_id, day
    ) as days_turned_to
    group by as_of, basis, one_id, other_id

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
        coalesce(spread_turns.days_turned_to, sums.days_turned_to) as days_turned_to,
        sums.last_day,
        coalesce(spread_places.places, 1) as places,
        case when sums.is_spread then spread_places.silos else sums.silo end as silos,
        sums.from_one > 0 and sums.from_other > 0 as is_direct,
        cast(
            least(
                10,
                sums.indirect_points
                + case
                    when sums.from_one > 0 and sums.from_other > 0
                        then coalesce(spread_turns.direct_points, sums.direct_points)
                    else 0
                end
            ) as decimal(9, 6)
        ) as strength
    from sums
    {%- for table in ['spread_places', 'spread_turns'] %}
    -- one to one: a pair of a snapshot
    left join {{ table }}
        on
            sums.as_of = {{ table }}.as_of
            and sums.basis = {{ table }}.basis
            and sums.one_id = {{ table }}.one_id
            and sums.other_id = {{ table }}.other_id
    {%- endfor %}

)

select * from final
