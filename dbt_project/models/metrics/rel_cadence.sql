{{ config(**snapshot_table()) }}

{%- set last_ordinal = 8 %}
{%- set grain = ['as_of', 'basis', 'step', 'segment_type', 'segment', 'ordinal'] %}

with

snapshots as (

    {{ snapshots() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support', 'orders']) }}

),

---------- one row per party with the days of its first steps

numbered as (

    select
        step,
        is_community_only,
        party_id,
        day,
        steps as ordinal
    from {{ ref('int_parties__steps') }}
    where step <> 'any act'

),

ladders as (

    select
        step,
        is_community_only,
        party_id,
        {%- for n in range(1, last_ordinal + 1) %}
        max(case when ordinal = {{ n }} then day end) as day_{{ n }}{{ ',' if not loop.last }}
        {%- endfor %}
    from numbered
    where ordinal <= {{ last_ordinal }}
    group by step, is_community_only, party_id

),

climbs as (

    {%- for n in range(2, last_ordinal + 1) %}
    select
        step,
        is_community_only,
        party_id,
        {{ n }} as ordinal,
        day_1 as first_day,
        {{ 'day_' ~ (n - 2) if n > 2 else 'cast(null as date)' }} as day_before_last,
        day_{{ n - 1 }} as last_day,
        day_{{ n }} as day
    from ladders
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

---------- everybody, and the segments that strategy.yml names

segments as (

    select
        person_id as party_id,
        segment_type,
        segment
    from {{ ref('bridge_person_segment') }}
    union all
    select
        organization_id as party_id,
        segment_type,
        segment
    from {{ ref('bridge_organization_segment') }}

),

segmented as (

    select
        'all' as segment_type,
        'all' as segment,
        climbs.*
    from climbs

    union all

    select
        rules.segment_type,
        coalesce(segments.segment, 'unknown') as segment,
        climbs.*
    from climbs
    cross join {{ source('control', 'segment_rules') }} as rules
    -- a row per segment of the party, which has at least one per rule
    left join segments
        on rules.segment_type = segments.segment_type and climbs.party_id = segments.party_id

),

---------- how far each had come on the snapshot's day

states as (

    select
        snapshots.as_of,
        snapshots.basis,
        segmented.step,
        segmented.is_community_only,
        segmented.segment_type,
        segmented.segment,
        segmented.ordinal,
        coalesce(segmented.day <= snapshots.as_of, false) as is_reached,
        {{ days_between(
            'segmented.first_day',
            'case when segmented.day <= snapshots.as_of then segmented.day else snapshots.as_of end',
        ) }} as wait,
        case
            when segmented.day <= snapshots.as_of
                then {{ days_between('segmented.last_day', 'segmented.day') }}
        end as gap,
        case
            when segmented.day <= snapshots.as_of
                then {{ days_between('segmented.day_before_last', 'segmented.last_day') }}
        end as previous_gap,
        case
            when
                segmented.last_day <= snapshots.as_of
                and not coalesce(segmented.day <= snapshots.as_of, false)
                then {{ days_between('segmented.last_day', 'snapshots.as_of') }}
        end as waiting_days
    from snapshots
    inner join segmented on segmented.first_day <= snapshots.as_of

),

counts as (

    select
        {{ grain | join(', ') }},
        bool_or(is_community_only) as is_community_only,
        count(*) as started,
        count(*) filter (where is_reached) as reached,
        count(waiting_days) as waiting,
        {%- for name, share in [('p25', 0.25), ('median', 0.5), ('p75', 0.75)] %}
        cast(
            {{ exact_quantile('case when is_reached then wait end', share) }} as decimal(10, 1)
        ) as {{ name }}_days,
        {%- endfor %}
        cast({{ exact_median('gap') }} as decimal(10, 1)) as median_gap_days,
        cast({{ exact_median('previous_gap') }} as decimal(10, 1)) as median_previous_gap_days,
        cast({{ exact_quantile('gap', 0.8) }} as decimal(10, 1)) as trip_wire_days
    from states
    group by {{ grain | join(', ') }}

),

late as (

    select
        {%- for column in grain %}
        states.{{ column }},
        {%- endfor %}
        count(*) as past_trip_wire
    from states
    inner join counts
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}states.{{ column }} = counts.{{ column }}
            {%- endfor %}
    where states.waiting_days > counts.trip_wire_days
    group by
        {%- for column in grain %}
        states.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}

),

reached_by as (

    {{ product_limit_shares('states', grain, 'wait', 'is_reached', [90, 180, 365]) }}

),

joined as (

    select
        counts.*,
        reached_by.share_by_90,
        reached_by.share_by_180,
        reached_by.share_by_365,
        case
            when counts.trip_wire_days is not null then coalesce(late.past_trip_wire, 0)
        end as past_trip_wire,
        snapshots.known_at,
        case
            when counts.step = 'purchase' then case when seen.sees_orders then 1.0 else 0.0 end
            when counts.is_community_only then case when seen.sees_forum then 1.0 else 0.0 end
            else cast(
                case when seen.sees_crm then 1 else 0 end
                + case when seen.sees_forum then 1 else 0 end
                + case when seen.sees_support then 1 else 0 end as double
            ) / 3
        end as coverage
    from counts
    inner join snapshots
        on counts.as_of = snapshots.as_of and counts.basis = snapshots.basis
    inner join reached_by
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}counts.{{ column }} = reached_by.{{ column }}
            {%- endfor %}
    left join late
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}counts.{{ column }} = late.{{ column }}
            {%- endfor %}
    left join seen on counts.as_of = seen.as_of and counts.basis = seen.basis

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        step,
        segment_type,
        segment,
        ordinal,

        ---------- how many get there
        started,
        reached,
        {{ share('reached', 'started') }} as reached_share,
        share_by_90 as reached_share_90d,
        share_by_180 as reached_share_180d,
        share_by_365 as reached_share_365d,

        ---------- how long it takes those who do
        p25_days,
        median_days,
        p75_days,

        ---------- from the step before
        median_gap_days,
        median_previous_gap_days,
        cast(
            cast(median_previous_gap_days as double) / cast(median_gap_days as double)
            as decimal(10, 2)
        ) as acceleration,
        trip_wire_days,
        waiting,
        past_trip_wire,

        ---------- in words
        case
            when reached > 0
                then {{ ordinal_word('ordinal') }} || ' ' || step || ': reached by '
                    || cast(reached as string) || ' of ' || cast(started as string)
                    || ', half of them within '
                    || {{ rounded_days('median_days') }}
            else {{ ordinal_word('ordinal') }} || ' ' || step || ': reached by nobody of '
                || cast(started as string)
        end as reason_1,
        case
            when past_trip_wire > 0
                then cast(past_trip_wire as string)
                    || case when past_trip_wire = 1 then ' waits' else ' wait' end
                    || ' for it longer than the '
                    || {{ rounded_days('trip_wire_days') }}
                    || ' that 4 of 5 needed'
        end as reason_2,

        ---------- provenance
        started as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from joined

)

select * from final
