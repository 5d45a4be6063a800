{{ kept_but('identity_delta', also="kind <> 'profile'") }}
-- last of all that is kept: {{ ref('identity_person_map') }},
-- {{ ref('identity_organization_map') }}, {{ ref('identity_event') }}, {{ ref('identity_workplace') }}
select 'profile' as kind, profile_key as name, digest, key_hash
from {{ ref('identity_profile') }}
where true {{ only_if_touched('key_hash', 'identity_delta') }}

union all

select kind, name, digest, {{ key_hash('name') }} from {{ ref('identity_digest') }}

union all

-- by which a publication says whose ids it has
select 'run', '{{ invocation_id }}', null, null
