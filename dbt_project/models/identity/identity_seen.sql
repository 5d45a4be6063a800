{{ kept_but('identity_delta', ['name'], also="kind <> 'profile'") }}
-- last of all that is kept: {{ ref('identity_person_map') }},
-- {{ ref('identity_organization_map') }}, {{ ref('identity_event') }}, {{ ref('identity_workplace') }}
select 'profile' as kind, profile_key as name, digest
from {{ ref('identity_profile') }}
where true {{ only_if_touched('profile_key', 'identity_delta') }}

union all

select kind, name, digest from {{ ref('identity_digest') }}

union all

-- by which a publication says whose ids it has
select 'run', '{{ invocation_id }}', null
