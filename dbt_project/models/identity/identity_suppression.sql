{# Whom `all` names is not among the profiles any more. #}
with lines as (
    select * from {{ source('control', 'identity_suppression') }} where scope <> 'all'
),

profiles as (
    select profile_key, reference_key from {{ ref('identity_profile') }}
)

select lines.place, lines.scope, lines.basis, profiles.profile_key
from lines
inner join profiles
    on lines.profile_key = profiles.profile_key or lines.profile_key = profiles.reference_key

union

select lines.place, lines.scope, lines.basis, identifiers.profile_key
from lines
inner join {{ ref('identity_identifier') }} as identifiers
    on identifiers.id_type in ('email', 'past_email')
    and lines.digest in (
        {{ sha256_of('identifiers.value') }}, {{ sha256_of('identifiers.written') }}
    )
