with recursive profiles as (
    select * from {{ ref('identity_profile') }}
),

phones as (
    select * from {{ ref('identity_phone') }}
),

-- Where each merged record ended, through all merges; the depth guards against a circle.
merges as (
    select profile_key, merged_into, 1 as depth
    from profiles
    where merged_into is not null

    union all

    select merges.profile_key, profiles.merged_into, merges.depth + 1
    from merges
    inner join profiles on merges.merged_into = profiles.profile_key
    where profiles.merged_into is not null and merges.depth < 20
),

survivors as (
    select profile_key, max_by(merged_into, depth) as merged_into
    from merges
    group by profile_key
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
)

select
    profiles.profile_key,
    profiles.source,
    profiles.source_type,
    profiles.silo,
    profiles.stream,
    profiles.native_id,
    profiles.entity,
    people.person_id,
    organizations.organization_id,
    profiles.party_kind,
    profiles.display_name,
    profiles.given_name,
    profiles.family_name,
    profiles.email,
    coalesce(profiles.is_email_verified, false) and profiles.email is not null as is_email_verified,
    coalesce(phones.e164, profiles.phone, profiles.further_phone) as phone,
    profiles.external_id,
    coalesce(employers.profile_key, profiles.organization_key) as organization_key,
    profiles.organization_name,
    profiles.owner_profile_key,
    profiles.is_staff,
    profiles.is_bot,
    profiles.is_deleted,
    survivors.merged_into,
    profiles.created_at,
    profiles.first_seen_at,
    profiles.last_seen_at,
    profiles.custom
from profiles
left join phones on coalesce(profiles.phone, profiles.further_phone) = phones.phone
left join survivors on profiles.profile_key = survivors.profile_key
left join people on profiles.profile_key = people.profile_key
left join organizations on profiles.profile_key = organizations.profile_key
left join organizations as employers on profiles.organization_key = employers.reference_key
