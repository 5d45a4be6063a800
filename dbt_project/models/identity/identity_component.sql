{#
    What holds together now, before it has an id. The anchor is the profile that was there first:
    a new id is made from it, so that the same landing gives the same ids. The weight decides who
    goes on under an id when profiles part: a system of record and a proven address count more.
#}
{{ kept_but('identity_reach', ['profile_key']) }}
with profiles as (
    select
        *,
        coalesce(created_at, first_seen_at) as since
    from {{ ref('identity_profile') }}
    where true {{ only_if_touched('profile_key', 'identity_reach') }}
),

joined as (
    select left_key as profile_key, component_key
    from {{ ref('identity_edge') }}
    where state = 'live' {{ only_if_touched('left_key', 'identity_reach') }}
    union
    select right_key, component_key
    from {{ ref('identity_edge') }}
    where state = 'live' {{ only_if_touched('right_key', 'identity_reach') }}
),

components as (
    select
        profiles.entity,
        profiles.profile_key,
        profiles.reference_key,
        coalesce(joined.component_key, profiles.profile_key) as component_key,
        profiles.since,
        case profiles.silo when 'crm' then 2 else 1 end
        * case when profiles.is_email_verified then 2 else 1 end as weight
    from profiles
    -- a profile is in one component
    left join joined on profiles.profile_key = joined.profile_key
)

select
    entity,
    profile_key,
    reference_key,
    component_key,
    first_value(profile_key) over (
        partition by entity, component_key order by since nulls last, profile_key
    ) as anchor_key,
    count(*) over (partition by entity, component_key) as n_profiles,
    cast(weight as bigint) as weight
from components
