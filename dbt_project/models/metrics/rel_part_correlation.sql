{{ config(**snapshot_table()) }}

{#- Score -> its parts. -#}
{%- set scores = {
    'rel_engagement.score': [
        'crm_part', 'forum_part', 'support_part', 'social_part', 'other_part',
    ],
    'rel_engagement.importance_in_life': [
        'importance_active_part', 'importance_silos_part', 'importance_unprompted_part',
    ],
    'rel_disengagement.score': ['frequency_part', 'recency_part'],
    'rel_importance.importance': ['reach_part', 'attention_part', 'bridge_part', 'engagement_part'],
} %}

with

-- The day of the build alone: what it was on earlier days stands in the rows of their builds.
newest as (

    select snapshots.*
    from (
        {{ snapshots() }}
    ) as snapshots
    inner join {{ source('control', 'run') }} as run on snapshots.as_of = run.as_of

),

{%- for score, parts in scores.items() %}
{%- set number = loop.index %}

scored_{{ number }} as (

    select
        newest.*,
        scored.coverage,
        {%- for part in parts %}
        scored.{{ part }},
        count(scored.{{ part }}) over (partition by newest.as_of, newest.basis) as n_{{ part }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from newest
    inner join {{ ref(score.split('.')[0]) }} as scored
        on newest.as_of = scored.as_of and newest.basis = scored.basis

),

-- Twice the middle of the places that equal values share, a whole number.
ranks_{{ number }} as (

    select
        as_of,
        basis,
        known_at,
        coverage,
        {%- for part in parts %}
        case
            when {{ part }} is not null
                then rank() over (partition by as_of, basis order by {{ part }})
                + count(*) over (partition by as_of, basis order by {{ part }})
        end as {{ part }}{{ ',' if not loop.last }}
        {%- endfor %}
    from scored_{{ number }}
    -- who has every part that anybody has
    where
        {%- for part in parts %}
        {{ 'and ' if not loop.first }}({{ part }} is not null or n_{{ part }} = 0)
        {%- endfor %}

),

pairs_{{ number }} as (

    {%- for part in parts %}
    {%- set place = loop.index %}
    {%- for other in parts[place:] %}
    select
        as_of,
        basis,
        known_at,
        max(coverage) as coverage,
        '{{ score }}' as score,
        '{{ part }}' as part,
        '{{ other }}' as other_part,
        count(*) as n,
        cast(sum({{ part }}) as double) as a,
        cast(sum({{ other }}) as double) as b,
        cast(sum({{ part }} * {{ part }}) as double) as aa,
        cast(sum({{ other }} * {{ other }}) as double) as bb,
        cast(sum({{ part }} * {{ other }}) as double) as ab
    from ranks_{{ number }}
    where {{ part }} is not null and {{ other }} is not null
    group by as_of, basis, known_at
    {{ 'union all' if not (loop.last and place == parts | length - 1) }}
    {%- endfor %}
    {%- endfor %}

),
{%- endfor %}

pairs as (

    {%- for score in scores %}
    select * from pairs_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

final as (

    select
        as_of,
        basis,
        score,
        part,
        other_part,
        -- a part that is the same of everybody goes with nothing
        cast(
            case
                when n * aa > a * a * (1 + 1e-12) and n * bb > b * b * (1 + 1e-12)
                    then (n * ab - a * b) / (sqrt(n * aa - a * a) * sqrt(n * bb - b * b))
            end as decimal(9, 6)
        ) as correlation,
        cast(n as bigint) as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from pairs

)

select * from final
