with told as (
    select * from {{ ref('int_salesforce__memberships') }}
    union all
    select * from {{ ref('int_hubspot__memberships') }}
    union all
    select * from {{ ref('int_mapped__memberships') }}
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

profiles as (
    select * from {{ ref('identity_profile') }} where entity = 'person'
),

-- Some keep a record whose person has left, and write so where the title stood.
departures as (
    select told.title
    from told
    inner join {{ ref('departure_phrase') }} as phrases
        on position(phrases.phrase in lower(told.title)) > 0
    group by told.title
),

-- A record was true from its creation, a change from the version that shows it.
versions as (
    select
        told.profile_key,
        organizations.organization_id,
        told.title,
        departures.title is not null as has_left,
        told._version,
        told._seq,
        row_number() over by_profile = 1 as is_first,
        lag(organizations.organization_id) over by_profile as earlier_organization_id,
        lag(departures.title is not null) over by_profile as had_left,
        case
            when row_number() over by_profile = 1
                then least(told._version, coalesce(told.created_at, told._version))
            else told._version
        end as valid_from
    from told
    left join organizations on told.organization_key = organizations.reference_key
    left join departures on told.title = departures.title
    window by_profile as (partition by told.profile_key order by told._version, told._seq)
),

changes as (
    select *
    from versions
    where
        is_first
        or organization_id is distinct from earlier_organization_id
        or has_left <> had_left
),

stays as (
    select
        changes.profile_key,
        changes.organization_id,
        changes._seq,
        changes.is_first,
        changes.has_left,
        changes.valid_from,
        -- the first version we saw may show that it was over by then
        case
            when changes.has_left then changes._version
            else lead(changes.valid_from) over (
                partition by changes.profile_key order by changes._version, changes._seq
            )
        end as valid_to
    from changes
),

titles as (
    select profile_key, organization_id, max_by(title, _version) as title
    from versions
    where organization_id is not null and title is not null and not has_left
    group by profile_key, organization_id
),

told_relations as (
    select * from {{ ref('int_salesforce__relations') }}
    union all
    select * from {{ ref('int_hubspot__relations') }}
    union all
    select * from {{ ref('int_mapped__relations') }}
),

records as (
    select
        people.person_id,
        stays.organization_id,
        split_part(stays.profile_key, ':', 1) as source,
        titles.title,
        'record' as basis,
        stays.valid_from,
        stays.valid_to,
        stays.has_left,
        not stays.is_first as is_start_known,
        profiles.merged_into is not null as is_merged,
        stays.is_first or not stays.has_left as is_stay,
        true as is_of_record
    from stays
    inner join people on stays.profile_key = people.profile_key
    inner join profiles on stays.profile_key = profiles.profile_key
    left join titles
        on stays.profile_key = titles.profile_key
        and stays.organization_id = titles.organization_id
    where stays.organization_id is not null
),

-- Whom a source relates to further organizations is there beside the employer.
relations as (
    select
        people.person_id,
        organizations.organization_id,
        case when told_relations.is_direct then split_part(told_relations.profile_key, ':', 1) end
            as source,
        told_relations.title,
        case when told_relations.is_direct then 'record' else 'relation' end as basis,
        told_relations.valid_from,
        told_relations.valid_to,
        told_relations.has_left,
        told_relations.is_start_known,
        false as is_merged,
        not told_relations.is_direct or told_relations.is_start_known as is_stay,
        false as is_of_record
    from told_relations
    inner join people on told_relations.profile_key = people.profile_key
    inner join organizations on told_relations.organization_key = organizations.reference_key
)

select * from records
union all
select * from relations
