{#
  The disengagement formulas, each in one place: two dates of one person use them, and silence
  means the same for organizations.

  Belongs here: score, its parts, bins and levels.
  Does not belong here: which acts count (see `rel_disengagement`).
#}

{# Points for having been active often: ln(1 + active days), six decimals. #}
{% macro frequency_part(active_days) -%}
cast(round(ln(1 + {{ active_days }}), 6) as decimal(18, 6))
{%- endmacro %}

{# Points lost by being away: -ln(1 + days / 30), six decimals. #}
{% macro recency_part(days_quiet) -%}
cast(-round(ln(1 + cast({{ days_quiet }} as double) / 30), 6) as decimal(18, 6))
{%- endmacro %}

{# Scores in steps of one half; people of one bin share one chance of coming back. #}
{% macro score_bin(score) -%}
cast(floor(({{ score }}) * 2) as int)
{%- endmacro %}

{# Patience in days: the own usual gap, at least a week; four weeks while too few gaps are known. #}
{% macro patience(usual_gap, gaps) -%}
(case when {{ gaps }} >= 2 then greatest({{ usual_gap }}, 7) else 28 end)
{%- endmacro %}

{#
  Level by patience, of a person or an organization. How many of them make slowing and quiet, and when somebody is gone, the strategy says.
#}
{% macro quiet_level(days_quiet, usual_gap, gaps) -%}
case
    when {{ days_quiet }} >= quiet_days then 'gone'
    when {{ days_quiet }} >= quiet_gap_ratio * {{ patience(usual_gap, gaps) }} then 'quiet'
    when {{ days_quiet }} >= slowing_gap_ratio * {{ patience(usual_gap, gaps) }} then 'slowing'
    else 'active'
end
{%- endmacro %}
