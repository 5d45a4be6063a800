{#
  Dates and times of the relationship tables. A day is a UTC day everywhere.

  Belongs here: what DuckDB and Spark write differently about days, seconds and medians.
  Does not belong here: windows and definitions of a metric (they stand in its model).
#}

{# The UTC day of a moment (timestamptz -> date). #}
{% macro utc_day(moment) %}{{ return(adapter.dispatch('utc_day')(moment)) }}{% endmacro %}

{% macro default__utc_day(moment) -%}
cast({{ moment }} at time zone 'UTC' as date)
{%- endmacro %}

{% macro spark__utc_day(moment) -%}
to_date({{ moment }})
{%- endmacro %}


{# The moment at which a UTC day is over (date -> timestamptz). #}
{% macro end_of_day(day) %}{{ return(adapter.dispatch('end_of_day')(day)) }}{% endmacro %}

{% macro default__end_of_day(day) -%}
(cast({{ day }} + 1 as timestamp) at time zone 'UTC')
{%- endmacro %}

{% macro spark__end_of_day(day) -%}
cast(date_add({{ day }}, 1) as timestamp)
{%- endmacro %}


{# A date moved by whole days. #}
{% macro days_after(day, days) %}{{ return(adapter.dispatch('days_after')(day, days)) }}{% endmacro %}

{% macro default__days_after(day, days) -%}
({{ day }} + ({{ days }}))
{%- endmacro %}

{% macro spark__days_after(day, days) -%}
date_add({{ day }}, {{ days }})
{%- endmacro %}


{# Whole days from one date to a later one; negative when it is earlier. #}
{% macro days_between(first, last) %}{{ return(adapter.dispatch('days_between')(first, last)) }}{% endmacro %}

{% macro default__days_between(first, last) -%}
date_diff('day', {{ first }}, {{ last }})
{%- endmacro %}

{% macro spark__days_between(first, last) -%}
cast(datediff({{ last }}, {{ first }}) as bigint)
{%- endmacro %}


{# Elapsed seconds between two moments, cut to whole seconds (not boundaries crossed). #}
{% macro seconds_between(first, last) %}{{ return(adapter.dispatch('seconds_between')(first, last)) }}{% endmacro %}

{% macro default__seconds_between(first, last) -%}
((epoch_us({{ last }}) - epoch_us({{ first }})) // 1000000)
{%- endmacro %}

{% macro spark__seconds_between(first, last) -%}
((unix_micros({{ last }}) - unix_micros({{ first }})) div 1000000)
{%- endmacro %}


{# Exact median; of an even number of values the mean of the middle two. #}
{% macro exact_median(value) %}{{ return(exact_quantile(value, 0.5)) }}{% endmacro %}


{#
  Exact median of a group's whole numbers, of which there are few: whole or a half. Of many groups
  DuckDB's own quantile holds a block of memory each when rows come sorted by group, as windows give
  them: a gigabyte for a hundred thousand organizations, and most of the time goes into it.
#}
{% macro whole_median(value) %}{{ return(adapter.dispatch('whole_median')(value)) }}{% endmacro %}

{% macro default__whole_median(value) -%}
list_aggregate(list({{ value }}), 'quantile_cont', 0.5)
{%- endmacro %}

{% macro spark__whole_median(value) -%}
percentile({{ value }}, 0.5)
{%- endmacro %}


{#
  Exact quantile, between two values by straight interpolation; nine digits. DuckDB interpolates
  decimals in their own digits and cuts what comes after, Spark as floats.
#}
{% macro exact_quantile(value, share) %}{{ return(adapter.dispatch('exact_quantile')(value, share)) }}{% endmacro %}

{% macro default__exact_quantile(value, share) -%}
quantile_cont(cast({{ value }} as decimal(38, 9)), {{ share }})
{%- endmacro %}

{% macro spark__exact_quantile(value, share) -%}
cast(percentile({{ value }}, {{ share }}) as decimal(38, 9))
{%- endmacro %}
