with logins as (
    select
        _source || ':' || _stream || ':' || _key as login_id,
        *
    from {{ current(ref('stg_mapped__logins')) }} as logins
    where not _is_deleted and occurred_at is not null
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

of_people as (
    select
        logins.login_id,
        people.person_id,
        logins.occurred_at
    from logins
    inner join people on logins.person_key = people.profile_key
),

memberships as (
    {{ organization_at('of_people', 'login_id', 'person_id') }}
)

select
    logins.login_id,
    logins._source as source,
    people.person_id,
    coalesce(organizations.organization_id, memberships.organization_id) as organization_id,
    logins.product,
    logins.occurred_at,
    logins._first_loaded_at as loaded_at
from logins
left join people on logins.person_key = people.profile_key
left join organizations on logins.organization_key = organizations.reference_key
left join memberships on logins.login_id = memberships.login_id
