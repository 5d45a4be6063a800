{#
    Which evidence counts first, where several records show one person or organization.
#}

{# Kinds of parties: of several that are told the first counts. Staff comes first, so that nobody of
   ours is taken for a customer; whoever bought is a customer, whatever else. #}
{% macro party_kinds() -%}
{{ return(['staff', 'customer', 'partner', 'supplier', 'press', 'prospect']) }}
{%- endmacro %}

{% macro party_rank(party_kind) -%}
case {{ party_kind }}
        {%- for kind in party_kinds() %} when '{{ kind }}' then {{ loop.index }}{% endfor %} else 7
    end
{%- endmacro %}

{% macro party_kind_of(rank) -%}
case {{ rank }}
        {%- for kind in party_kinds() %} when {{ loop.index }} then '{{ kind }}'{% endfor %}
        else 'unknown'
    end
{%- endmacro %}

{# Systems of record before what people write about themselves. #}
{% macro silo_rank(silo) -%}
case {{ silo }}
        when 'crm' then 1 when 'support' then 2 when 'orders' then 3 when 'forum' then 4
        when 'social' then 5 else 6
    end
{%- endmacro %}
