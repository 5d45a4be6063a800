with logins as (
    select *
    from {{ current(ref('stg_mapped__logins')) }} as logins
    where not _is_deleted and occurred_at is not null
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
)

select
    logins._source || ':' || logins._stream || ':' || logins._key as login_id,
    logins._source as source,
    people.person_id,
    organizations.organization_id,
    logins.product,
    logins.occurred_at,
    logins._first_loaded_at as loaded_at
from logins
left join people on logins.person_key = people.profile_key
left join organizations on logins.organization_key = organizations.reference_key
