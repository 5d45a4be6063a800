{{ config(materialized='table', contract={'enforced': false}) }}

with

buyers as (

    select * from {{ ref('int_purchases__histories') }}

),

purchases as (

    select
        coalesce(purchases.person_id, purchases.organization_id) as party_id,
        coalesce(purchases.currency, 'unknown') as currency,
        {{ utc_day('purchases.occurred_at') }} as day,
        purchases.amount
    from {{ ref('fct_purchase') }} as purchases
    cross join {{ source('control', 'run') }} as run
    where purchases.loaded_at <= run.known_at

),

days as (

    select
        party_id,
        currency,
        day,
        sum(amount) as spend,
        min(day) over (partition by party_id, currency) as first_day
    from purchases
    group by party_id, currency, day

),

-- who counts as a buyer on the snapshot's day: neither staff nor bots
final as (

    select
        buyers.as_of,
        buyers.basis,
        buyers.party_id,
        days.currency,
        cast(count(*) as int) as days,
        cast(sum(days.spend) as decimal(18, 2)) as spend,
        cast(
            sum(case when days.day > {{ days_after('buyers.as_of', -365) }} then days.spend else 0 end)
            as decimal(18, 2)
        ) as spend_365d,
        cast(count(*) filter (where days.day > days.first_day) as int) as repeat_days,
        cast(
            sum(case when days.day > days.first_day then days.spend else 0 end) as decimal(18, 2)
        ) as repeat_spend
    from buyers
    inner join days on buyers.party_id = days.party_id and days.day <= buyers.as_of
    group by buyers.as_of, buyers.basis, buyers.party_id, days.currency

)

select * from final
