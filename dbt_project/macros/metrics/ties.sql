{#
  What ties between two people are made of, and what they are worth.

  Belongs here: which acts can tie, and how a tie fades.
  Does not belong here: who is tied with whom (`int_ties__turned`, `int_ties__faded`).
#}

{# Points that are left after `days`: a tenth less with each 30 of them; six decimals. #}
{% macro faded(points, days) -%}
cast(
    round(cast({{ points }} as double) * power(0.9, cast({{ days }} as double) / 30), 6)
    as decimal(18, 6)
)
{%- endmacro %}

{# Acts of people towards people: no bot's, and none that is somebody's alone. #}
{% macro tying_acts() -%}
select * from {{ ref('int_acts__counted') }}
    where
        actor_number is not null
        and not is_by_bot
        and kind not in ('purchase', 'login', 'task', 'note')
{%- endmacro %}
