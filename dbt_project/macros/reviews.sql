{#
    What verdicts of people prove.

    Belongs here: the bounds of a share. Does not belong here: which rules there are
    (`identity_rule`), or what a verdict does to a pair (`identity_override`).
#}

{# The lower end of the 95 % Wilson interval of a share; null without trials. #}
{% macro wilson_low(successes, trials) -%}
{%- set z = 1.959964 -%}
{%- set n = 'cast(nullif(' ~ trials ~ ', 0) as double)' -%}
(
        {{ successes }} / {{ n }} + {{ z * z / 2 }} / {{ n }}
        - {{ z }} * sqrt(
            ({{ successes }} / {{ n }} * (1 - {{ successes }} / {{ n }}) + {{ z * z / 4 }} / {{ n }})
            / {{ n }}
        )
    ) / (1 + {{ z * z }} / {{ n }})
{%- endmacro %}
