{#
    Whose word counts where records of one organization name different parents: a system of
    record's before others', then that of the oldest record. A parent that is not held, or that is
    the same organization, is none.
#}
with profiles as (
    select * from {{ ref('identity_profile') }} where entity = 'organization'
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

told as (
    select
        organizations.organization_id,
        parents.organization_id as parent_organization_id,
        row_number() over (
            partition by organizations.organization_id
            order by
                profiles.is_deleted,
                {{ silo_rank('profiles.silo') }},
                profiles.created_at nulls last,
                profiles.profile_key
        ) as rank
    from profiles
    inner join organizations on profiles.profile_key = organizations.profile_key
    inner join organizations as parents
        on profiles.parent_key = parents.reference_key
        and organizations.organization_id <> parents.organization_id
)

select
    seen.organization_id,
    told.parent_organization_id,
    seen.since
from (
    select
        organizations.organization_id,
        min(coalesce(profiles.created_at, profiles.first_seen_at)) as since
    from profiles
    inner join organizations on profiles.profile_key = organizations.profile_key
    group by organizations.organization_id
) as seen
left join told on seen.organization_id = told.organization_id and told.rank = 1
