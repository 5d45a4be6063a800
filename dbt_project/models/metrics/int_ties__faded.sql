{{ config(materialized='table', contract={'enforced': false}) }}

with

snapshots as (

    {{ snapshots() }}

),

-- A day is one day, in however many places they turned to each other.
days as (

    select
        *,
        from_one + from_other > 0
        and row_number() over (
            partition by one_id, other_id, day
            order by case when from_one + from_other > 0 then 0 else 1 end, silo, place
        ) = 1 as opens_day
    from {{ ref('int_ties__daily') }}

),

-- What is left of it on the snapshot's day; the days, as if both had turned to each other.
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
        count(case when days.opens_day then 1 end) as days_turned_to,
        max(days.day) as last_day,
        sum(
            case
                when days.opens_day
                    then {{ faded(10, days_between('days.day', 'snapshots.as_of')) }}
                else 0
            end
        ) as direct_points,
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
        cast(sum(days_turned_to) as bigint) as days_turned_to,
        max(last_day) as last_day,
        count(*) as places,
        {{ sorted_list('silo') }} as silos,
        sum(direct_points) as direct_points,
        sum(indirect_points) as indirect_points
    from places
    group by as_of, basis, one_id, other_id

),

final as (

    select
        as_of,
        basis,
        one_id,
        other_id,
        from_one,
        from_other,
        threads_met,
        days_turned_to,
        last_day,
        places,
        silos,
        from_one > 0 and from_other > 0 as is_direct,
        cast(
            least(
                10,
                indirect_points
                + case when from_one > 0 and from_other > 0 then direct_points else 0 end
            ) as decimal(9, 6)
        ) as strength
    from sums

)

select * from final
