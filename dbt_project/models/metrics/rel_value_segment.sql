{{ config(**snapshot_table()) }}

{%- set grain = ['as_of', 'basis', 'segment_type', 'segment', 'currency'] %}
{%- set top_percents = [1, 10, 20] %}

with

snapshots as (

    {{ snapshots() }}

),

-- Of the table that keeps all snapshots, those of this build.
valued as (

    select rel_value.*
    from {{ ref('rel_value') }} as rel_value
    inner join snapshots
        on rel_value.as_of = snapshots.as_of and rel_value.basis = snapshots.basis

),

parties as (

    select party_id
    from valued
    group by party_id

),

segments as (

    {{ lasting_cohorts('parties') }}

),

in_segments as (

    select
        segments.cohort_type as segment_type,
        segments.cohort as segment,
        valued.*,
        cast(floor(100 * greatest(valued.spend, 0)) as bigint) as cents
    from valued
    inner join segments on valued.party_id = segments.party_id

),

sums as (

    select
        {{ grain | join(', ') }},
        count(*) as parties,
        count(*) filter (where purchase_days > 0) as buyers,
        {%- for column in [
            'spend', 'spend_365d', 'margin', 'margin_365d', 'cost_to_serve', 'cost_to_serve_365d',
            'profit', 'profit_365d', 'expected_spend', 'expected_margin',
        ] %}
        cast(sum({{ column }}) as decimal(18, 2)) as {{ column }},
        {%- endfor %}
        sum(
            cast(expected_spend_deviation as decimal(18, 2))
            * cast(expected_spend_deviation as decimal(18, 2))
        ) as expected_variance,
        count(expected_spend) as expected_of,
        count(expected_spend_deviation) as deviation_of,
        max(expected_within_days) as expected_within_days,
        max(coverage) as coverage
    from in_segments
    group by {{ grain | join(', ') }}

),

---------- how much hangs on how few

ranked as (

    select
        {{ grain | join(', ') }},
        cents,
        count(*) over (partition by {{ grain | join(', ') }}) as parties,
        row_number() over (
            partition by {{ grain | join(', ') }} order by cents desc, party_id
        ) as rank_down,
        row_number() over (
            partition by {{ grain | join(', ') }} order by cents, party_id desc
        ) as rank_up
    from in_segments
    where purchase_days > 0

),

concentrated as (

    select
        {{ grain | join(', ') }},
        {%- for percent in top_percents %}
        -- a part of a party counts as one
        {{ share('sum(case when 100 * (rank_down - 1) < ' ~ percent ~ ' * parties then cents else 0 end)',
            'sum(cents)') }} as top_{{ percent }}_share,
        {%- endfor %}
        {{ share('sum((2 * rank_up - parties - 1) * cents)', 'max(parties) * sum(cents)') }}
            as gini
    from ranked
    group by {{ grain | join(', ') }}

),

---------- what a party brings on average, drawn toward everybody's where few stand behind it

means as (

    select
        {{ grain | join(', ') }},
        cast(count(*) as double) as n,
        cast(sum(cents) as double) / count(*) as mean,
        var_samp(cast(cents as double)) as variance
    from in_segments
    where purchase_days > 0
    group by {{ grain | join(', ') }}

),

spreads as (

    select
        as_of,
        basis,
        segment_type,
        currency,
        -- variance of a party around its segment, and of the segments beyond what that explains
        sum((n - 1) * variance) / nullif(sum(n - 1), 0) as within,
        greatest(
            (
                sum(n * mean * mean) - power(sum(n * mean), 2) / sum(n)
                - (count(*) - 1) * sum((n - 1) * variance) / nullif(sum(n - 1), 0)
            ) / nullif(sum(n) - sum(n * n) / sum(n), 0),
            0
        ) as between_segments,
        sum(n * mean) / sum(n) as overall,
        count(*) as segments
    from means
    group by as_of, basis, segment_type, currency

),

shrunk as (

    select
        means.as_of,
        means.basis,
        means.segment_type,
        means.segment,
        means.currency,
        means.mean / 100 as mean_spend,
        case
            when spreads.segments > 1 and spreads.within > 0
                then round(
                    (
                        spreads.overall
                        + (means.mean - spreads.overall) * spreads.between_segments
                        / (spreads.between_segments + spreads.within / means.n)
                    ) / 100,
                    6
                )
        end as shrunk_mean_spend
    from means
    inner join spreads
        on
            means.as_of = spreads.as_of
            and means.basis = spreads.basis
            and means.segment_type = spreads.segment_type
            and means.currency = spreads.currency

),

joined as (

    select
        sums.*,
        {%- for percent in top_percents %}
        concentrated.top_{{ percent }}_share,
        {%- endfor %}
        concentrated.gini,
        shrunk.mean_spend,
        shrunk.shrunk_mean_spend,
        snapshots.known_at
    from sums
    inner join snapshots on sums.as_of = snapshots.as_of and sums.basis = snapshots.basis
    {%- for part in ['concentrated', 'shrunk'] %}
    left join {{ part }}
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}sums.{{ column }} = {{ part }}.{{ column }}
            {%- endfor %}
    {%- endfor %}

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        segment_type,
        segment,
        currency,
        parties,
        buyers,

        ---------- so far
        spend,
        spend_365d,
        margin,
        margin_365d,
        cost_to_serve,
        cost_to_serve_365d,
        profit,
        profit_365d,
        mean_spend,
        shrunk_mean_spend,
        case
            when shrunk_mean_spend is not null
                then cast(rank() over (
                    partition by as_of, basis, segment_type, currency
                    order by shrunk_mean_spend desc nulls last
                ) as bigint)
        end as spend_rank,

        ---------- how much hangs on how few
        gini,
        {%- for percent in top_percents %}
        top_{{ percent }}_share,
        {%- endfor %}

        ---------- expected
        expected_spend,
        {%- for end, sign in [('low', '-'), ('high', '+')] %}
        case
            when expected_spend is not null and deviation_of = expected_of
                then cast(
                    round(
                        greatest(
                            cast(expected_spend as double)
                            {{ sign }} 1.959964 * sqrt(cast(expected_variance as double)),
                            0
                        ),
                        2
                    ) as decimal(18, 2)
                )
        end as expected_spend_{{ end }},
        {%- endfor %}
        expected_margin,
        expected_within_days,

        ---------- in words
        case
            when top_20_share is not null
                then 'a fifth of the buyers brought '
                    || cast(cast(round(100 * top_20_share) as int) as string) || ' % of what was spent'
        end as reason_1,

        ---------- provenance
        buyers as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from joined

)

select * from final
