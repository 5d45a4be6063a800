{{ config(materialized='table', contract={'enforced': false}) }}

with

snapshots as (

    select
        as_of,
        basis
    from {{ source('control', 'snapshots') }}

),

acts as (

    select * from {{ ref('int_acts__counted') }}

),

cases as (

    select * from {{ ref('fct_case') }}

),

-- A silo is there when a source of its kind has been read, or when mapped rows belong to it.
configured as (

    select silo
    from {{ source('control', 'sources') }}
    where is_configured and last_sync_at is not null
    group by silo

),

first_days as (

    select
        silo,
        min(day) as first_day
    from (
        select
            silo,
            day
        from acts
        union all
        select
            'support' as silo,
            {{ utc_day('opened_at') }} as day
        from cases
        where opened_at is not null
    ) as days
    group by silo

),

silos as (

    select
        coalesce(configured.silo, first_days.silo) as silo,
        first_days.first_day
    from configured
    full outer join first_days on configured.silo = first_days.silo

),

final as (

    select
        snapshots.as_of,
        snapshots.basis,
        silos.silo,
        silos.first_day,
        -- before its first act a silo may have been there or not: it cannot be reconstructed
        coalesce(silos.first_day <= snapshots.as_of, snapshots.basis = 'as_known') as is_seen
    from snapshots
    cross join silos

)

select * from final
