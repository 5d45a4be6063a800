{#
    What holds together now, before it has an id. The anchor is the profile that was there first:
    a new id is made from it, so that the same landing gives the same ids. The weight decides who
    goes on under an id when profiles part: a system of record and a proven address count more.
#}
{{ kept_but('identity_reach') }}
with profiles as (
    select
        *,
        coalesce(created_at, first_seen_at) as since
    from {{ ref('identity_profile') }}
    where true {{ only_if_touched('key_hash', 'identity_reach') }}
),

joined as (
    select left_hash as key_hash, component_key
    from {{ ref('identity_edge') }}
    where state = 'live' {{ only_if_touched('left_hash', 'identity_reach') }}
    union
    select right_hash, component_key
    from {{ ref('identity_edge') }}
    where state = 'live' {{ only_if_touched('right_hash', 'identity_reach') }}
),

profiles_joined as (
    select
        profiles.*,
        joined.component_key,
        case profiles.silo when 'crm' then 2 else 1 end
        * case when profiles.is_email_verified then 2 else 1 end as weight
    from profiles
    -- a profile is in one component
    left join joined on profiles.key_hash = joined.key_hash
)

-- who is alone need not be looked for among others
select
    entity,
    profile_key,
    reference_key,
    profile_key as component_key,
    profile_key as anchor_key,
    cast(1 as bigint) as n_profiles,
    cast(weight as bigint) as weight,
    key_hash
from profiles_joined
where component_key is null

union all

select
    entity,
    profile_key,
    reference_key,
    component_key,
    first_value(profile_key) over (
        partition by entity, component_key order by since nulls last, profile_key
    ),
    count(*) over (partition by entity, component_key),
    cast(weight as bigint),
    key_hash
from profiles_joined
where component_key is not null
