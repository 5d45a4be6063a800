with rules as (
    select * from {{ source('control', 'segment_rules') }}
),

people as (
    select * from {{ ref('dim_person') }}
),

organizations as (
    select * from {{ ref('dim_organization') }}
),

custom_of_people as (
    {{ custom_values('person') }}
),

custom_of_organizations as (
    {{ custom_values('organization') }}
),

told as (
    select
        people.person_id,
        rules.segment_type,
        -- a person's own value, else their organization's
        case
            when rules.origin = 'custom'
                then coalesce(custom_of_people.value, custom_of_organizations.value)
            when rules.field = 'party_kind' then people.party_kind
            when rules.field = 'industry' then organizations.industry
            when rules.field = 'owner'
                then coalesce(people.owner_person_id, organizations.owner_person_id)
        end as value
    from people
    cross join rules
    left join organizations on people.organization_id = organizations.organization_id
    left join custom_of_people
        on people.person_id = custom_of_people.entity_id and rules.field = custom_of_people.field
    left join custom_of_organizations
        on people.organization_id = custom_of_organizations.entity_id
        and rules.field = custom_of_organizations.field
)

{{ segments_of('told', 'person_id') }}
