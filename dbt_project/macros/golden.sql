{#
    Which of several values of a field is shown.

    Belongs here: the order that the seed `golden_rule` declares, as SQL. Does not belong here: what
    a criterion of a value is (the model that lists the values).
#}

{# One per criterion that a field may have. #}
{% macro golden_places() -%}
{{ return(range(1, 13)) }}
{%- endmacro %}

{# One row per field: its criteria in their order, `criterion_1` first, null behind the last. #}
{% macro golden_orders(entity) -%}
select
    field
    {%- for place in golden_places() %},
    max(case when place = {{ place }} then criterion end) as criterion_{{ place }}
    {%- endfor %}
from {{ ref('golden_rule') }}
where entity = '{{ entity }}'
group by field
{%- endmacro %}

{#
    `score_1`, `score_2` and so on: how far behind the best a value is by each criterion of its
    field. `criteria` are columns of whole numbers, 0 or the least for the best.
#}
{% macro golden_scores(orders, values, criteria) -%}
{%- for place in golden_places() %}
    case {{ orders }}.criterion_{{ place }}
        {%- for criterion in criteria %}
        when '{{ criterion }}' then {{ values }}.{{ criterion }}
        {%- endfor %}
        else 0
    end as score_{{ place }}{{ ',' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{% macro golden_order() -%}
{%- for place in golden_places() %}score_{{ place }}, {% endfor %}profile_key nulls last, value
{%- endmacro %}

{#
    One row per id and field: the value shown, from where, by which criterion, the runner-up, and
    how many other values there are.

    `told` names a CTE with one row per value and profile: `{{ id_column }}`, profile_key, source,
    field, value, reading (what all spellings of a value have in common; null: but for case and
    blanks around it there is one), whole (what is confirmed with the value, in whatever field it is
    told, null: the value alone) and the `criteria` as whole numbers, 0 or the least for the best; of them
    `confirmed` is counted here. `orders` is a CTE of `golden_orders`.
#}
{% macro golden_record(id_column, told, criteria) %}
{%- set folded = lower_case('trim(value)') -%}
{%- set agreement = "coalesce('whole ' || readings.whole, readings.field || ' ' || readings.read_as)" -%}
readings as (
    select
        *,
        coalesce(
            reading,
            min(reading) over (partition by {{ id_column }}, field, {{ folded }}),
            {{ folded }}
        ) as read_as
    from {{ told }}
),

-- A source says a thing once, however many of its records repeat it.
confirmations as (
    select
        {{ id_column }},
        {{ agreement }} as agreement,
        count(distinct source) as n_sources
    from readings
    where live = 0
    group by {{ id_column }}, {{ agreement }}
),

weighed as (
    select readings.*, -coalesce(confirmations.n_sources, 0) as confirmed
    from readings
    left join confirmations
        on readings.{{ id_column }} = confirmations.{{ id_column }}
        and {{ agreement }} = confirmations.agreement
),

scored as (
    select
        weighed.{{ id_column }},
        weighed.field,
        weighed.value,
        weighed.profile_key,
        weighed.pinned,
        weighed.read_as,
        {{ golden_scores('orders', 'weighed', criteria) }}
    from weighed
    inner join orders on weighed.field = orders.field
),

-- Profiles that tell the same contradict nobody: the best of them stands for all.
different as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by {{ id_column }}, field, read_as order by {{ golden_order() }}
            ) as copy
        from scored
    ) as copies
    where copy = 1
),

ranked as (
    select
        *,
        row_number() over (
            partition by {{ id_column }}, field order by {{ golden_order() }}
        ) as rank,
        count(*) over (partition by {{ id_column }}, field) - 1 as n_contradicting
    from different
)

select
    best.{{ id_column }},
    best.field,
    best.value,
    best.profile_key,
    case
        when best.pinned = 0 then 'pinned'
        when runner_up.value is null then 'agreed'
        {%- for place in golden_places() %}
        when best.score_{{ place }} <> runner_up.score_{{ place }} then orders.criterion_{{ place }}
        {%- endfor %}
        else 'profile_key'
    end as rule,
    runner_up.value as runner_up_value,
    runner_up.profile_key as runner_up_profile_key,
    cast(best.n_contradicting as bigint) as n_contradicting
from ranked as best
inner join orders on best.field = orders.field
left join ranked as runner_up
    on best.{{ id_column }} = runner_up.{{ id_column }}
    and best.field = runner_up.field
    and runner_up.rank = 2
where best.rank = 1
{% endmacro %}

{#
    Pins by whom they mean now, `subject` being a profile or an id, retired or not; the last word
    where several turned out to be of one.
#}
{% macro golden_pins(entity, id_column, fields) -%}
select
    coalesce(maps.{{ id_column }}, redirects.current_id, known.{{ id_column }}) as {{ id_column }},
    maps.profile_key,
    pins.field,
    pins.value,
    row_number() over (
        partition by
            coalesce(maps.{{ id_column }}, redirects.current_id, known.{{ id_column }}), pins.field
        order by pins.since desc, pins.line desc
    ) as oldest
from {{ source('control', 'identity_pin') }} as pins
left join maps on pins.subject = maps.profile_key
left join {{ ref('identity_redirect') }} as redirects
    on pins.subject = redirects.old_id and redirects.entity = '{{ entity }}'
left join (select {{ id_column }} from maps group by {{ id_column }}) as known
    on pins.subject = known.{{ id_column }}
where pins.field in ('{{ fields | join("', '") }}')
{%- endmacro %}
