{# Profile -> id of what it belongs to now; `reference_key` is how other records refer to it. #}
{% macro resolved(entity, id_column) %}
select
    components.profile_key,
    components.reference_key,
    ledger.id as {{ id_column }},
    components.anchor_key,
    components.n_profiles
from {{ ref('identity_component') }} as components
-- every profile has one living id
inner join {{ ref('identity_ledger') }} as ledger
    on components.profile_key = ledger.profile_key
    and ledger.entity = '{{ entity }}'
    and ledger.retired_at is null
where components.entity = '{{ entity }}'
{% endmacro %}
