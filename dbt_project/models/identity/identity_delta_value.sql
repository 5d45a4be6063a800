{# Empty where all is done anew. Of names the key; `said` are profiles that people wrote of. #}
{%- set needed = [ref('identity_delta')] %}
{%- set identifiers = left_by_last_run('identity_identifier') -%}
{%- if is_part_run() -%}
select identifiers.entity, identifiers.id_type, identifiers.value
from {{ identifiers }} as identifiers
inner join {{ ref('identity_delta') }} as delta on identifiers.key_hash = delta.key_hash

union

select 'person', 'name_key', names.name_key
from {{ left_by_last_run('identity_name') }} as names
inner join {{ ref('identity_delta') }} as delta on names.key_hash = delta.key_hash
where names.name_key is not null

union

select entity, 'said', left_key from {{ left_by_last_run('identity_override') }}
union
select entity, 'said', right_key from {{ left_by_last_run('identity_override') }}
union
select 'person', 'said', profile_key from {{ left_by_last_run('identity_suppression') }}
{%- else -%}
select
    cast(null as {{ dbt.type_string() }}) as entity,
    cast(null as {{ dbt.type_string() }}) as id_type,
    cast(null as {{ dbt.type_string() }}) as value
from {{ ref('identity_delta') }}
where false
{%- endif %}
