with purchases as (
    select
        _source || ':' || _stream || ':' || _key as purchase_id,
        *
    from {{ current(ref('stg_mapped__purchases')) }} as purchases
    where not _is_deleted and occurred_at is not null and amount is not null
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

of_people as (
    select
        purchases.purchase_id,
        people.person_id,
        purchases.occurred_at
    from purchases
    inner join people on purchases.person_key = people.profile_key
),

memberships as (
    {{ organization_at('of_people', 'purchase_id', 'person_id') }}
)

select
    purchases.purchase_id,
    purchases._source as source,
    people.person_id,
    coalesce(organizations.organization_id, memberships.organization_id) as organization_id,
    purchases.occurred_at,
    cast(purchases.amount as decimal(18, 2)) as amount,
    coalesce(upper(purchases.currency), {{ home_currency() }}) as currency,
    purchases._first_loaded_at as loaded_at
from purchases
left join people on purchases.person_key = people.profile_key
left join organizations on purchases.organization_key = organizations.reference_key
left join memberships on purchases.purchase_id = memberships.purchase_id
