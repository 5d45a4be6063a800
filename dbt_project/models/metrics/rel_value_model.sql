{{ config(**snapshot_table()) }}

with

snapshots as (

    {{ snapshots() }}

),

seen as (

    {{ silos_seen(['orders']) }}

),

fits as (

    select
        as_of,
        basis,
        model,
        'any' as currency,
        state,
        r,
        alpha,
        a,
        b,
        cast(null as double) as p,
        cast(null as double) as q,
        cast(null as double) as gamma,
        log_likelihood,
        parties
    from {{ ref('int_purchases__fits') }}
    union all
    select
        as_of,
        basis,
        'gamma_gamma' as model,
        currency,
        state,
        cast(null as double) as r,
        cast(null as double) as alpha,
        cast(null as double) as a,
        cast(null as double) as b,
        p,
        q,
        gamma,
        log_likelihood,
        parties
    from {{ ref('int_spending__fits') }}

),

final as (

    select
        ---------- grain
        fits.as_of,
        fits.basis,
        fits.model,
        fits.currency,

        ---------- the fit
        fits.state,
        {%- for name in ['r', 'alpha', 'a', 'b', 'p', 'q', 'gamma'] %}
        fits.{{ name }},
        {%- endfor %}
        fits.log_likelihood,
        case fits.state
            when 'too few' then 'fewer than 100 buyers, or than 30 who bought again'
            when 'at a bound' then 'the data ask for a parameter without end'
            when 'no convergence' then 'the search found no greatest likelihood'
        end as reason_1,

        ---------- provenance
        fits.parties as n,
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at,
        {{ metric_version() }} as metric_version
    from fits
    inner join snapshots on fits.as_of = snapshots.as_of and fits.basis = snapshots.basis
    left join seen on fits.as_of = seen.as_of and fits.basis = seen.basis

)

select * from final
