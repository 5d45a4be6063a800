{{ config(**snapshot_table()) }}

with

snapshots as (

    {{ snapshots() }}

),

tiers as (

    select * from {{ source('control', 'tiers') }}

),

members as (

    select
        rel_tier.*,
        coalesce(tiers.tier_rank, 0) as previous_rank
    from {{ ref('rel_tier') }} as rel_tier
    inner join snapshots
        on rel_tier.as_of = snapshots.as_of and rel_tier.basis = snapshots.basis
    left join tiers
        on rel_tier.programme = tiers.programme and rel_tier.previous_tier = tiers.tier

),

pairs as (

    select
        as_of,
        basis,
        programme,
        owner,
        known_at,
        coalesce(previous_tier, 'none') as from_tier,
        coalesce(tier, 'none') as to_tier,
        previous_rank,
        tier_rank,
        count(*) as people,
        cast(sum(cast(coverage as decimal(18, 6))) as double) / count(*) as coverage
    from members
    group by as_of, basis, programme, owner, known_at, previous_tier, tier, previous_rank, tier_rank

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        programme,
        from_tier,
        to_tier,

        ---------- the move
        case
            when tier_rank = previous_rank then 'held'
            when previous_rank = 0 then 'entry'
            when tier_rank = 0 then 'exit'
            when tier_rank > previous_rank then 'promotion'
            else 'demotion'
        end as movement,
        owner,
        cast(people as bigint) as people,
        {{ share('people', 'sum(people) over (partition by as_of, basis, programme, from_tier)') }}
            as from_share,

        ---------- provenance
        cast(sum(people) over (partition by as_of, basis, programme) as bigint) as n,
        cast(28 as bigint) as window_days,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from pairs

)

select * from final
