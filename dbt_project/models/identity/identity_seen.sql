{{ kept_but('identity_delta', ['profile_key']) }}
-- last of all that is kept: {{ ref('identity_person_map') }},
-- {{ ref('identity_organization_map') }}, {{ ref('identity_event') }}, {{ ref('identity_workplace') }}
select profile_key, digest
from {{ ref('identity_digest') }}
where true {{ only_if_touched('profile_key', 'identity_delta') }}
{%- if is_part_run() and is_incremental() %} or profile_key = ''{% endif %}
