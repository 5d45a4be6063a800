{# Profile -> id of what it belongs to now; `reference_key` is how other records refer to it. #}
{% macro resolved(entity, id_column) %}
{{ kept_but('identity_held') }}
select
    components.profile_key,
    components.reference_key,
    ledger.id as {{ id_column }},
    components.anchor_key,
    components.n_profiles,
    components.key_hash
from {{ ref('identity_component') }} as components
-- every profile has one living id
inner join {{ ref('identity_ledger') }} as ledger
    on components.key_hash = ledger.key_hash
    and ledger.entity = '{{ entity }}'
    and ledger.retired_at is null
    {{ only_if_touched('ledger.key_hash', 'identity_held') }}
where components.entity = '{{ entity }}'
    {{ only_if_touched('components.key_hash', 'identity_held') }}
{% endmacro %}

{# Every version of a profile, with the e-mail address it told. #}
{% macro told_addresses() -%}
select * from {{ ref('int_salesforce__addresses') }}
    union all
    select * from {{ ref('int_hubspot__addresses') }}
    union all
    select * from {{ ref('int_discourse__addresses') }}
    union all
    select * from {{ ref('int_mapped__addresses') }}
{%- endmacro %}
