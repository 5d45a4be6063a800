{#
  Reasons in words, for the people who act on a row.

  Belongs here: how numbers read inside a sentence.
  Does not belong here: which reasons a table gives (its model lists them, most urgent first).
#}

{# `9`, `4.5`, `46`: a decimal only below ten, a half rounded up, as in `rapport/report/words.py`. #}
{% macro days_number(days) -%}
(case
    when {{ days }} >= 10 or {{ days }} = floor({{ days }})
        then cast(cast(round({{ days }}) as bigint) as string)
    else cast(cast({{ days }} as decimal(10, 1)) as string)
end)
{%- endmacro %}

{# Seconds as days, with one decimal. #}
{% macro in_days(seconds) -%}
cast(round(cast({{ seconds }} as double) / 86400, 1) as decimal(18, 1))
{%- endmacro %}

{# `1 day`, `4.5 days`, `46 days`. #}
{% macro rounded_days(days) -%}
({{ days_number(days) }} || case when {{ days }} = 1 then ' day' else ' days' end)
{%- endmacro %}

{# `every day`, `every 9 days`, `every 4.5 days`. #}
{% macro every_days(days) -%}
(case when {{ days }} = 1 then 'every day' else 'every ' || {{ days_number(days) }} || ' days' end)
{%- endmacro %}

{# `84 %`, `6`, `4.25`: a number in its unit; below nothing, and of a share above all, is the end. #}
{% macro in_unit(number, unit) -%}
(case
    when {{ unit }} = 'share'
        then cast(cast(round(100 * least(greatest({{ number }}, 0), 1)) as bigint) as string) || ' %'
    else {{ number_text('cast(round(greatest(' ~ number ~ ', 0), 2) as decimal(28, 9))') }}
end)
{%- endmacro %}

{# `1 day`, `41 days`: a count with its noun (regular plural). #}
{% macro counted(number, noun) -%}
(cast({{ number }} as string) || case when {{ number }} = 1 then ' {{ noun }}' else ' {{ noun }}s' end)
{%- endmacro %}

{# The n-th sentence of a list in which nulls are skipped; null when there are fewer. #}
{% macro nth_reason(reasons, n) -%}
nullif(split_part(concat_ws('|', {{ reasons | join(', ') }}), '|', {{ n }}), '')
{%- endmacro %}

{# `once`, `twice`, `12 times`. #}
{% macro times(number) -%}
(case {{ number }}
    when 1 then 'once'
    when 2 then 'twice'
    else cast({{ number }} as string) || ' times'
end)
{%- endmacro %}

{# `2nd`, `3rd`, `4th`: of numbers from 2 to 9. #}
{% macro ordinal_word(number) -%}
(cast({{ number }} as string) || case {{ number }} when 2 then 'nd' when 3 then 'rd' else 'th' end)
{%- endmacro %}
