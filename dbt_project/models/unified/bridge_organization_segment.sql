with rules as (
    select * from {{ source('control', 'segment_rules') }}
),

organizations as (
    select * from {{ ref('dim_organization') }}
),

custom_of_organizations as (
    {{ custom_values('organization') }}
),

told as (
    select
        organizations.organization_id,
        rules.segment_type,
        case
            when rules.origin = 'custom' then custom_of_organizations.value
            when rules.field = 'party_kind' then organizations.party_kind
            when rules.field = 'industry' then organizations.industry
            when rules.field = 'owner' then organizations.owner_person_id
        end as value
    from organizations
    cross join rules
    left join custom_of_organizations
        on organizations.organization_id = custom_of_organizations.entity_id
        and rules.field = custom_of_organizations.field
)

{{ segments_of('told', 'organization_id') }}
