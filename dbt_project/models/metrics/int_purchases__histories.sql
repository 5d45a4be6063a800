{{ config(materialized='table', contract={'enforced': false}) }}

with

snapshots as (

    {{ snapshots() }}

),

purchase_days as (

    select * from {{ ref('int_parties__steps') }}
    where step = 'purchase'

),

final as (

    select
        snapshots.as_of,
        snapshots.basis,
        purchase_days.party_id,
        purchase_days.first_day,
        cast(max(purchase_days.steps) - 1 as int) as repeats,
        cast({{ days_between('purchase_days.first_day', 'max(purchase_days.day)') }} as int)
            as recency_days,
        cast({{ days_between('purchase_days.first_day', 'snapshots.as_of') }} as int) as age_days
    from snapshots
    inner join purchase_days on purchase_days.day <= snapshots.as_of
    group by
        snapshots.as_of,
        snapshots.basis,
        purchase_days.party_id,
        purchase_days.first_day

)

select * from final
