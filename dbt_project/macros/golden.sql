{#
    Which of several values of a field is shown.

    Belongs here: the order that the seed `golden_rule` declares, as SQL. Does not belong here: what
    a criterion of a value is (the model that lists the values).
#}

{# One per criterion that a field may have. #}
{% macro golden_places() -%}
{{ return(range(1, 9)) }}
{%- endmacro %}

{# One row per field: its criteria in their order, `criterion_1` first, null behind the last. #}
{% macro golden_orders() -%}
select
    field
    {%- for place in golden_places() %},
    max(case when place = {{ place }} then criterion end) as criterion_{{ place }}
    {%- endfor %}
from {{ ref('golden_rule') }}
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
