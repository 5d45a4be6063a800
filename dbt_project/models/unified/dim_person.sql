with profiles as (
    select
        maps.person_id,
        profiles.*,
        row_number() over (
            partition by maps.person_id
            order by
                profiles.is_deleted,
                profiles.converted_into is not null,
                {{ silo_rank('profiles.silo') }},
                not profiles.is_staff,
                profiles.created_at nulls last,
                profiles.profile_key
        ) as rank
    from {{ ref('identity_profile') }} as profiles
    inner join {{ ref('identity_person_map') }} as maps
        on profiles.profile_key = maps.profile_key
),

-- What is shown of several values, field by field.
fields as (
    select
        person_id
        {%- for field in [
            'display_name', 'given_name', 'family_name', 'primary_email', 'primary_phone', 'title',
        ] %},
        max(case when field = '{{ field }}' then value end) as {{ field }}
        {%- endfor %}
    from {{ ref('dim_person_field') }}
    group by person_id
),

memberships as (
    select person_id, organization_id
    from {{ ref('bridge_person_organization') }}
    where is_current and is_primary
),

organizations as (
    select organization_id, party_kind from {{ ref('dim_organization') }}
),

buyers as (
    select distinct person_id from {{ ref('fct_purchase') }}
),

golden as (
    select
        profiles.person_id,
        min({{ party_rank('profiles.party_kind') }}) as party_rank,
        bool_or(profiles.is_staff) as is_staff,
        bool_or(profiles.is_bot) as is_bot,
        min_by(profiles.owner_profile_key, profiles.rank)
            filter (where profiles.owner_profile_key is not null) as owner_profile_key,
        count(case when not profiles.is_deleted then 1 end) as n_profiles,
        count(distinct profiles.silo) as n_silos,
        {{ sorted_list('profiles.silo') }} as silos,
        min(profiles.created_at) as created_at,
        min(profiles.first_seen_at) as first_seen_at,
        max(profiles.last_seen_at) as last_seen_at
    from profiles
    group by profiles.person_id
),

custom_fields as (
    {{ custom_of('profiles', 'person_id') }}
),

owners as (
    select maps.profile_key, maps.person_id, fields.display_name
    from {{ ref('identity_person_map') }} as maps
    left join fields on maps.person_id = fields.person_id
)

select
    golden.person_id,
    fields.display_name,
    fields.given_name,
    fields.family_name,
    fields.primary_email,
    fields.primary_phone,
    case
        when golden.is_staff then 'staff'
        when golden.is_bot then 'unknown'
        else {{ party_kind_of(
            'least(golden.party_rank, '
            ~ 'coalesce(nullif(' ~ party_rank('organizations.party_kind') ~ ', 1), 7), '
            ~ 'case when buyers.person_id is not null then ' ~ party_rank("'customer'") ~ ' else 7 end)'
        ) }}
    end as party_kind,
    golden.is_staff,
    golden.is_bot,
    memberships.organization_id,
    fields.title,
    owners.person_id as owner_person_id,
    owners.display_name as owner_name,
    golden.n_profiles,
    golden.n_silos,
    golden.silos,
    golden.n_silos > 1 as is_linked,
    golden.created_at,
    golden.first_seen_at,
    golden.last_seen_at,
    custom_fields.custom
from golden
left join fields on golden.person_id = fields.person_id
left join memberships on golden.person_id = memberships.person_id
left join organizations on memberships.organization_id = organizations.organization_id
left join buyers on golden.person_id = buyers.person_id
left join owners on golden.owner_profile_key = owners.profile_key
left join custom_fields on golden.person_id = custom_fields.person_id
