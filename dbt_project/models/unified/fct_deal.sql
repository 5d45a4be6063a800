with deals as (
    select * from {{ ref('int_salesforce__deals') }}
    union all
    select * from {{ ref('int_hubspot__deals') }}
    union all
    select * from {{ ref('int_mapped__deals') }}
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
)

select
    deals.deal_id,
    deals.source,
    organizations.organization_id,
    people.person_id as owner_person_id,
    deals.name,
    deals.stage,
    deals.amount,
    coalesce(deals.currency, {{ home_currency() }}) as currency,
    deals.is_closed,
    deals.is_won,
    deals.created_at,
    deals.closed_at,
    deals.expected_close_date,
    deals.is_deleted,
    deals.loaded_at
from deals
left join organizations on deals.organization_key = organizations.reference_key
left join people on deals.owner_key = people.profile_key
