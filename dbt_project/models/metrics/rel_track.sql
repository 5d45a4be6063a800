{{ config(**snapshot_table()) }}

{%- set grain = ['as_of', 'basis', 'indicator', 'given_by', 'party_kind'] %}
{#- Below so many occasions in either window a difference is not tested. -#}
{%- set enough = 10 %}

with

snapshots as (

    {{ snapshots() }}

),

settings as (

    {{ metric_settings() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support']) }}

),

indicators as (

    select * from {{ ref('track_indicator') }}

),

chosen as (

    select * from {{ source('control', 'qualities') }}

),

-- A quality that strategy.yml names has the indicators that it names.
qualities as (

    select
        quality,
        indicator
    from {{ ref('track_quality') }}
    where quality not in (select quality from chosen)

    union all

    select
        quality,
        indicator
    from chosen

),

occasions as (

    select * from {{ ref('int_track__occasions') }}

),

-- These four always have their rows: what nobody tells of them is unknown, not left out.
kinds as (

    select party_kind
    from occasions
    group by party_kind
    {%- for kind in ['customer', 'partner', 'staff', 'supplier'] %}

    union

    select '{{ kind }}' as party_kind
    {%- endfor %}

),

-- Among colleagues there is one side: ours.
grid as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        qualities.quality,
        indicators.indicator,
        case
            when kinds.party_kind = 'staff' and indicators.given_by = 'them' then 'us'
            else indicators.given_by
        end as given_by,
        kinds.party_kind,
        indicators.direction,
        indicators.unit,
        min(indicators.lit_by) as lit_by,
        min(indicators.action) as action
    from snapshots
    cross join kinds
    cross join indicators
    inner join qualities on indicators.indicator = qualities.indicator
    group by
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        qualities.quality,
        indicators.indicator,
        case
            when kinds.party_kind = 'staff' and indicators.given_by = 'them' then 'us'
            else indicators.given_by
        end,
        kinds.party_kind,
        indicators.direction,
        indicators.unit

),

windowed as (

    select
        snapshots.as_of,
        snapshots.basis,
        occasions.indicator,
        occasions.given_by,
        occasions.party_kind,
        occasions.value,
        -- a double has room for what a decimal's product has not
        cast(round(power(cast(occasions.value as double), 2), 6) as decimal(38, 6)) as square,
        occasions.day > {{ days_after('snapshots.as_of', -28) }} as is_now
    from snapshots
    inner join occasions
        on
            occasions.day <= snapshots.as_of
            and occasions.day > {{ days_after('snapshots.as_of', -56) }}

),

measured as (

    select
        {{ grain | join(', ') }},
        count(case when is_now then 1 end) as n,
        count(case when not is_now then 1 end) as previous_n,
        {%- for name, condition in [('', 'is_now'), ('previous_', 'not is_now')] %}
        cast(sum(case when {{ condition }} then value end) as double) as {{ name }}total,
        {{ exact_median('case when ' ~ condition ~ ' then value end') }} as {{ name }}median,
        {%- endfor %}
        cast(sum(value) as double) as sum_of_both,
        cast(sum(square) as double) as squares_of_both
    from windowed
    group by {{ grain | join(', ') }}

),

valued as (

    select
        grid.*,
        coalesce(measured.n, 0) as n,
        coalesce(measured.previous_n, 0) as previous_n,
        {%- for name in ['', 'previous_'] %}
        case
            when grid.unit = 'hours' then cast(measured.{{ name }}median as double)
            else {{ share('measured.' ~ name ~ 'total', 'measured.' ~ name ~ 'n') }}
        end as {{ name }}value,
        {{ share('measured.' ~ name ~ 'total', 'measured.' ~ name ~ 'n') }} as {{ name }}mean,
        {%- endfor %}
        -- variance of both windows together, as if nothing had changed
        (
            measured.squares_of_both
            - measured.sum_of_both * measured.sum_of_both / (measured.n + measured.previous_n)
        ) / nullif(measured.n + measured.previous_n - 1, 0) as variance
    from grid
    left join measured
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}grid.{{ column }} = measured.{{ column }}
            {%- endfor %}

),

tested as (

    select
        *,
        case
            when n < {{ enough }} or previous_n < {{ enough }} then cast(null as double)
            -- rounding leaves a little of nothing
            when variance <= 1e-9 then 0
            else (mean - previous_mean)
                / sqrt(variance * (1 / cast(n as double) + 1 / cast(previous_n as double)))
        end as z
    from valued

),

judged as (

    select
        *,
        case
            when z is not null
                then case
                    when abs(z) < 1.96 then 'holds'
                    when (direction = 'supports') = (z > 0) then 'strengthened'
                    else 'weakened'
                end
        end as effect
    from tested

),

final as (

    select
        ---------- grain
        judged.as_of,
        judged.basis,
        judged.quality,
        judged.party_kind,
        judged.indicator,
        judged.given_by,

        ---------- how it stands
        judged.direction,
        judged.unit,
        judged.value,
        judged.previous_value,
        judged.value - judged.previous_value as change,
        judged.z,
        case
            when judged.z >= 1.96 then 'rises'
            when judged.z <= -1.96 then 'falls'
            when judged.z is not null then 'steady'
        end as trend,
        judged.effect,
        case when judged.value is null then judged.lit_by end as lit_by,

        ---------- what to do
        case
            when judged.effect = 'weakened' and judged.unit = 'hours'
                then {{ days_number('cast(round(judged.previous_value, 1) as decimal(18, 1))') }}
                    || ' hours before, now '
                    || {{ days_number('cast(round(judged.value, 1) as decimal(18, 1))') }}
                    || ': more than chance would have it'
            when judged.effect = 'weakened'
                then cast(cast(round(100 * judged.previous_value) as bigint) as string)
                    || ' % before, now '
                    || cast(cast(round(100 * judged.value) as bigint) as string)
                    || ' %: more than chance would have it'
        end as reason_1,
        case when judged.effect = 'weakened' and settings.has_strategy then judged.action end
            as action,
        case
            when judged.effect = 'weakened' and settings.has_strategy
                then settings.owner_of_qualities
        end as owner,

        ---------- provenance
        judged.previous_n,
        judged.n,
        coalesce(seen.coverage, 0) as coverage,
        judged.known_at,
        {{ metric_version() }} as metric_version
    from judged
    cross join settings
    left join seen on judged.as_of = seen.as_of and judged.basis = seen.basis

)

select * from final
