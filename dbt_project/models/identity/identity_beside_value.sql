{# A table for its size: joined with the book, few rows know their way better than a long filter. #}
{% set needed = [ref('identity_beside'), ref('identity_identifier')] %}
select
    identifiers.profile_key, identifiers.entity, identifiers.id_type, identifiers.value,
    identifiers.is_verified, identifiers.key_hash, identifiers.value_hash
from {{ ref('identity_identifier') }} as identifiers
where {% if is_part_run() %}identifiers.key_hash in (select key_hash from {{ ref('identity_beside') }})
    {%- else %}false{% endif %}
