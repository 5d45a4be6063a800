{#
    What people said of pairs that rules joined or would join.

    Belongs here: reading the verdicts, and what they prove. Does not belong here: which rules
    there are (`identity_rule`).
#}

{# `rule_id` and `verdict` (yes, no, unsure) of every reviewed pair; no rows before the first. #}
{% macro reviews() -%}
{%- set held = none -%}
{%- if execute -%}
    {%- set held = adapter.get_relation(database=target.database, schema='control', identifier='reviews') -%}
{%- endif -%}
{%- if held is none -%}
select
        cast(null as {{ dbt.type_string() }}) as rule_id,
        cast(null as {{ dbt.type_string() }}) as verdict
    where 1 = 0
{%- else -%}
select rule_id, verdict from {{ held }}
{%- endif -%}
{%- endmacro %}

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
