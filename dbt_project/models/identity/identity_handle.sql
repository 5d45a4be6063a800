{# Of the sources alone whose handles somebody claims. #}
with networks as (
    select network from {{ source('control', 'handle_fields') }}
    union
    select network from {{ source('control', 'identity_claim') }} where network is not null
),

profiles as (
    select * from {{ ref('identity_profile') }} where entity = 'person'
),

handles as (
    select * from {{ ref('int_discourse__handles') }}
    union all
    select * from {{ ref('int_bluesky__handles') }}
    union all
    -- an export knows an account by the key of its record
    select source, profile_key, {{ lower_case('native_id') }} as handle
    from profiles
    where source_type in ('files', 'sql', 'rest')
)

select handles.source, handles.profile_key, handles.handle
from handles
inner join networks on handles.source = networks.network
inner join profiles on handles.profile_key = profiles.profile_key
where handles.handle is not null
group by handles.source, handles.profile_key, handles.handle
