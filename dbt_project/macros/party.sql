{#
    Which evidence counts first, where several records show one person or organization.
#}

{% macro party_rank(party_kind) -%}
case {{ party_kind }}
        when 'staff' then 1 when 'customer' then 2 when 'partner' then 3 when 'supplier' then 4
        when 'press' then 5 when 'prospect' then 6 else 7
    end
{%- endmacro %}

{% macro party_kind_of(rank) -%}
case {{ rank }}
        when 1 then 'staff' when 2 then 'customer' when 3 then 'partner' when 4 then 'supplier'
        when 5 then 'press' when 6 then 'prospect' else 'unknown'
    end
{%- endmacro %}

{# Systems of record before what people write about themselves. #}
{% macro silo_rank(silo) -%}
case {{ silo }}
        when 'crm' then 1 when 'support' then 2 when 'orders' then 3 when 'forum' then 4
        when 'social' then 5 else 6
    end
{%- endmacro %}
