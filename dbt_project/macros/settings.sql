{# The currency of amounts that name none; null where the configuration names none either. #}
{% macro home_currency() -%}
(select max(value) from {{ source('control', 'settings') }} where name = 'currency')
{%- endmacro %}
