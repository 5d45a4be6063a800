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

domains as (
    select * from {{ ref('identity_organization_domain') }}
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

-- Who wrote that somebody left looked; another record of theirs was only not touched since.
gone as (
    select people.person_id, stays.organization_id, max(stays.valid_to) as left_at
    from stays
    inner join people on stays.profile_key = people.profile_key
    where stays.has_left
    group by people.person_id, stays.organization_id
),

stays_of_people as (
    select
        people.person_id,
        stays.organization_id,
        titles.title,
        stays.valid_from,
        least(
            stays.valid_to, case when gone.left_at > stays.valid_from then gone.left_at end
        ) as valid_to
    from stays
    inner join people on stays.profile_key = people.profile_key
    left join gone
        on people.person_id = gone.person_id and stays.organization_id = gone.organization_id
    left join titles
        on stays.profile_key = titles.profile_key
        and stays.organization_id = titles.organization_id
    where stays.organization_id is not null and (stays.is_first or not stays.has_left)
),

-- Several records of a person in one organization are one stay where they touch.
starts as (
    select
        *,
        case
            when valid_from <= max(coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))) over (
                partition by person_id, organization_id
                order by valid_from, coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))
                rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as is_start
    from stays_of_people
),

numbered as (
    select
        *,
        sum(is_start) over (
            partition by person_id, organization_id
            order by valid_from, coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))
            rows between unbounded preceding and current row
        ) as stay
    from starts
),

by_record as (
    select
        person_id,
        organization_id,
        max_by(title, valid_from) filter (where title is not null) as title,
        'record' as basis,
        min(valid_from) as valid_from,
        case when count(*) = count(valid_to) then max(valid_to) end as valid_to
    from numbered
    group by person_id, organization_id, stay
),

-- An address at an organization's own domain, for people of whom no record says more.
by_address as (
    select
        people.person_id,
        domains.organization_id,
        max_by(profiles.title, profiles.last_seen_at) filter (where profiles.title is not null)
            as title,
        'email_domain' as basis,
        min(coalesce(profiles.created_at, profiles.first_seen_at)) as valid_from,
        cast(null as {{ type_moment() }}) as valid_to
    from profiles
    inner join people on profiles.profile_key = people.profile_key
    inner join domains on {{ email_domain('profiles.email') }} = domains.domain
    left join gone
        on people.person_id = gone.person_id
        and domains.organization_id = gone.organization_id
    where not profiles.is_deleted
        and not profiles.is_staff
        and people.person_id not in (select person_id from by_record where valid_to is null)
        -- an address that nobody took away says less than a record that the stay is over
        and gone.person_id is null
    group by people.person_id, domains.organization_id
),

united as (
    select * from by_record
    union all
    select * from by_address
)

select
    person_id,
    organization_id,
    title,
    basis,
    valid_from,
    valid_to,
    valid_to is null as is_current
from united
where valid_to is null or valid_to > valid_from
