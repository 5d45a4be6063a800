{#
  What an act weighs and how it fades.

  Belongs here: the decay of one day's acts, each weight's class, and where weights come from.
  Does not belong here: which acts count (`int_acts__counted`).
#}

{#
  One row per behavior: `weight`, `half_life_days`, `words`. The strategy's word comes first, then
  its `default` half-life, then the seed's; a behavior that neither names weighs 1.
#}
{% macro behavior_weights() %}
    select
        coalesce(chosen.behavior, defaults.behavior) as behavior,
        cast(coalesce(chosen.weight, defaults.weight, 1) as decimal(9, 3)) as weight,
        cast(
            coalesce(chosen.half_life_days, common.half_life_days, defaults.half_life_days, 62)
            as decimal(9, 3)
        ) as half_life_days,
        coalesce(defaults.words, chosen.behavior) as words
    from {{ ref('default_behavior_weights') }} as defaults
    full outer join {{ source('control', 'behavior_weights') }} as chosen
        on defaults.behavior = chosen.behavior
    cross join (
        select
            max(case when name = 'half_life_days' then cast(value as decimal(9, 3)) end)
                as half_life_days
        from {{ source('control', 'settings') }}
    ) as common
{% endmacro %}


{# One row: what a behavior counts that nobody named; `weights` is the relation of all others. #}
{% macro unnamed_behavior(weights) %}
    select
        coalesce(max(weight), 1) as weight,
        coalesce(max(half_life_days), 62) as half_life_days
    from {{ weights }}
    where behavior = 'other'
{% endmacro %}


{# Points that are left of `points` after `days`: half of them after each half-life; six decimals. #}
{% macro decayed(points, days, half_life_days) -%}
cast(
    round(
        cast({{ points }} as double)
        * power(0.5, cast({{ days }} as double) / cast({{ half_life_days }} as double)),
        6
    ) as decimal(18, 6)
)
{%- endmacro %}


{# How deep an act goes, by its weight: 1 easy, 2 an effort, 3 a gift, 4 the most there is. #}
{% macro commitment_class(weight) -%}
case
    when {{ weight }} >= 10 then 4
    when {{ weight }} >= 7 then 3
    when {{ weight }} >= 4 then 2
    when {{ weight }} > 0 then 1
    else 0
end
{%- endmacro %}


{#
  Level 1 (leading) to 4 (exploring), by the share of people with a lower score. The strategy says
  from which share on.
#}
{% macro engagement_level(percentile) -%}
case
    when {{ percentile }} >= 100 * leading_share then 1
    when {{ percentile }} >= 100 * contributing_share then 2
    when {{ percentile }} >= 100 * participating_share then 3
    when {{ percentile }} is not null then 4
end
{%- endmacro %}
