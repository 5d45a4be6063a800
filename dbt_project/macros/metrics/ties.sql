{#
  What a tie between two people is worth.

  Belongs here: how a tie fades.
  Does not belong here: what makes a tie (`int_ties__faded`).
#}

{# Points that are left after `days`: a tenth less with each 30 of them; six decimals. #}
{% macro faded(points, days) -%}
cast(
    round(cast({{ points }} as double) * power(0.9, cast({{ days }} as double) / 30), 6)
    as decimal(18, 6)
)
{%- endmacro %}
