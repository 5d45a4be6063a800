{{ config(materialized='table', contract={'enforced': false}) }}

with

run as (

    select * from {{ source('control', 'run') }}

),

-- Without a rule about money there is no row, and no tier has read an amount.
measures as (

    select * from {{ source('control', 'tier_measures') }}
    where origin = 'paid'

),

purchases as (

    select
        person_id,
        {{ utc_day('occurred_at') }} as day,
        amount,
        loaded_at
    from {{ ref('fct_purchase') }}
    where person_id is not null and coalesce(currency, '') = coalesce({{ home_currency() }}, '')

),

final as (

    select
        measures.programme,
        measures.measure,
        measures.days,
        purchases.person_id,
        purchases.day,
        cast(sum(purchases.amount) as decimal(28, 9)) as paid
    from measures
    cross join run
    inner join purchases on purchases.loaded_at <= run.known_at and purchases.day <= run.as_of
    group by
        measures.programme,
        measures.measure,
        measures.days,
        purchases.person_id,
        purchases.day

)

select * from final
