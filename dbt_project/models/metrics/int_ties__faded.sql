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
        false as is_thread
    from {{ ref('int_ties__turned') }}
    where day > (select after from horizon)

),

---------- threads in which both spoke

spoken as (

    select
        thread_id,
        actor_number as person_number,
        min(silo) as silo,
        min(place) as place,
        min(day) as day,
        min(occurred_at) as joined_at
    from acts
    group by thread_id, actor_number

),

crowded as (

    select thread_id
    from spoken
    group by thread_id
    having count(*) > {{ seats }}

),

-- Seats are counted only where they are not enough for all.
seated as (

    select
        spoken.thread_id,
        spoken.person_number,
        spoken.silo,
        spoken.place,
        spoken.day
    from spoken
    left join crowded on spoken.thread_id = crowded.thread_id
    where crowded.thread_id is null
    union all
    select
        thread_id,
        person_number,
        silo,
        place,
        day
    from (
        select
            spoken.*,
            row_number() over (
                partition by spoken.thread_id order by spoken.joined_at, spoken.person_number
            ) as seat
        from spoken
        inner join crowded on spoken.thread_id = crowded.thread_id
    ) as in_order
    where seat <= {{ seats }}

),

-- A thread long closed brings nobody together.
met as (

    select
        one.person_number as one_number,
        other.person_number as other_number,
        least(one.silo, other.silo) as silo,
        coalesce(least(one.place, other.place), one.place, other.place) as place,
        greatest(one.day, other.day) as day,
        false as is_from_one,
        false as is_from_other,
        true as is_thread
    from seated as one
    -- a row per pair of the first people in a thread
    inner join seated as other
        on one.thread_id = other.thread_id and one.person_number < other.person_number
    where greatest(one.day, other.day) > (select after from horizon)

),

---------- by day: what one did towards the other, and threads in which both had come to speak

days as (

    select
        one_number,
        other_number,
        silo,
        place,
        day,
        count(case when is_from_one then 1 end) as from_one,
        count(case when is_from_other then 1 end) as from_other,
        count(case when is_thread then 1 end) as threads_met
    from (
        select * from turned_to
        union all
        select * from met
    ) as occasions
    group by one_number, other_number, silo, place, day

),

---------- what is left of it on the day of each snapshot

sums as (

    select
        snapshots.as_of,
        snapshots.basis,
        days.one_number,
        days.other_number,
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
    group by snapshots.as_of, snapshots.basis, days.one_number, days.other_number

),

---------- the few who met in several places: a day is one day, in however many of them

spread_days as (

    select
        sums.as_of,
        sums.basis,
        sums.one_number,
        sums.other_number,
        days.silo,
        days.place,
        days.day,
        days.from_one + days.from_other > 0 as is_turned_to
    from sums
    inner join days
        on
            sums.one_number = days.one_number
            and sums.other_number = days.other_number
            and days.day <= sums.as_of
            and days.day > {{ days_after('sums.as_of', -364) }}
    where sums.is_spread

),

spread_places as (

    select
        as_of,
        basis,
        one_number,
        other_number,
        count(*) as places,
        {{ sorted_list('silo') }} as silos
    from (
        select
            as_of,
            basis,
            one_number,
            other_number,
            silo,
            place
        from spread_days
        group by as_of, basis, one_number, other_number, silo, place
    ) as places
    group by as_of, basis, one_number, other_number

),

spread_turns as (

    select
        as_of,
        basis,
        one_number,
        other_number,
        count(*) as days_turned_to,
        sum({{ faded(10, days_between('day', 'as_of')) }}) as direct_points
    from (
        select
            as_of,
            basis,
            one_number,
            other_number,
            day
        from spread_days
        where is_turned_to
        group by as_of, basis, one_number, other_number, day
    ) as days_turned_to
    group by as_of, basis, one_number, other_number

),

final as (

    select
        sums.as_of,
        sums.basis,
        sums.one_number,
        sums.other_number,
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
            and sums.one_number = {{ table }}.one_number
            and sums.other_number = {{ table }}.other_number
    {%- endfor %}

)

select * from final
