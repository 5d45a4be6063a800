with

versions as (

    select * from {{ source('control', 'strategy_versions') }}

),

final as (

    select
        ---------- grain
        number,

        ---------- when
        version,
        since,
        lead(since) over (order by number) as until,

        ---------- what
        fingerprint,
        changes
    from versions

)

select * from final
