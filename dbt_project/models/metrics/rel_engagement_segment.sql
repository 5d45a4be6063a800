{{ config(**snapshot_table()) }}

{%- set levels = [
    (1, 'people_leading'),
    (2, 'people_contributing'),
    (3, 'people_participating'),
    (4, 'people_exploring'),
] %}

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

people as (

    select
        engagement.*,
        engagement.current_gap_days < 364 as is_current
    from {{ ref('rel_engagement') }} as engagement
    inner join snapshots
        on engagement.as_of = snapshots.as_of and engagement.basis = snapshots.basis

),

people_by_segment as (

    {{ by_person_segment('people', 'person_id') }}

),

segmented as (

    select
        'all' as segment_type,
        'all' as segment,
        *
    from people

    union all

    select * from people_by_segment

),

counted_people as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        count(*) as people,
        count(*) filter (where is_current) as people_364d,
        count(*) filter (where active_days_90d > 0) as people_90d,
        count(*) filter (where active_days_28d > 0) as people_28d,
        cast(sum(score) as decimal(18, 6)) as score,
        {%- for name, share in [('p25', 0.25), ('median', 0.5), ('p75', 0.75)] %}
        cast(
            {{ exact_quantile('case when is_current then score end', share) }} as decimal(18, 6)
        ) as {{ name }}_score,
        {%- endfor %}
        cast(
            {{ exact_median('case when is_current then importance_in_life end') }} as decimal(9, 2)
        ) as median_importance_in_life,
        {%- for level, name in levels %}
        count(*) filter (where level = {{ level }}) as {{ name }},
        {%- endfor %}
        count(*) filter (where level < previous_level) as moved_up,
        count(*) filter (where level = previous_level) as held,
        count(*) filter (where level > previous_level) as moved_down
    from segmented
    group by as_of, basis, segment_type, segment

),

final as (

    select
        ---------- grain
        counted_people.as_of,
        counted_people.basis,
        counted_people.segment_type,
        counted_people.segment,

        ---------- people
        counted_people.people,
        counted_people.people_364d,
        counted_people.people_90d,
        counted_people.people_28d,

        ---------- how close
        counted_people.score,
        counted_people.p25_score,
        counted_people.median_score,
        counted_people.p75_score,
        counted_people.median_importance_in_life,

        ---------- judgment
        {%- for name in [
            'people_leading', 'people_contributing', 'people_participating', 'people_exploring',
            'moved_up', 'held', 'moved_down',
        ] %}
        case when settings.has_strategy then counted_people.{{ name }} end as {{ name }},
        {%- endfor %}

        ---------- provenance
        counted_people.people_364d as n,
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at,
        {{ metric_version() }} as metric_version
    from counted_people
    inner join snapshots
        on counted_people.as_of = snapshots.as_of and counted_people.basis = snapshots.basis
    cross join settings
    left join seen
        on counted_people.as_of = seen.as_of and counted_people.basis = seen.basis

)

select * from final
