{#
  Days that repeat: whatever a party does of one kind on a day is one step.

  Belongs here: which acts make a step and whose it is, for ladders and lifetimes alike.
  Does not belong here: what is counted of the steps.
#}

{#
  One row per step, party and day: `step`, `is_community_only`, `party_id`, `day`. Purchases, and
  the steps of strategy.yml. Who buys is a person, or an organization where no person is known.
#}
{% macro step_days(acts) %}
    select
        step,
        is_community_only,
        party_id,
        day
    from (
        select
            steps.step,
            steps.is_community_only,
            {{ stepping_party(acts, "steps.step = 'purchase'") }} as party_id,
            {{ acts }}.day
        from {{ acts }}
        inner join (
            select
                'purchase' as step,
                'purchase' as behavior,
                false as is_community_only
            union all
            select
                step,
                behavior,
                is_community_only
            from {{ source('control', 'cadence_steps') }}
        ) as steps on {{ acts }}.behavior = steps.behavior
        where {{ acts }}.is_community or not steps.is_community_only
    ) as told
    where party_id is not null
    group by step, is_community_only, party_id, day
{% endmacro %}


{# Whose act a step is. #}
{% macro stepping_party(acts, is_purchase) -%}
coalesce({{ acts }}.actor_person_id, case when {{ is_purchase }} then {{ acts }}.organization_id end)
{%- endmacro %}
