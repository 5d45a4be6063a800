with roles as (
    select
        {{ profile_key('opportunities', 'opportunity_id') }} as deal_id,
        {{ profile_key('contacts', 'contact_id') }} as profile_key,
        coalesce(role, 'contact') as role,
        coalesce(is_primary, false) as is_primary
    from {{ current(ref('stg_salesforce__opportunity_contact_roles')) }} as roles
    where not _is_deleted

    union all

    select
        {{ profile_key('deals', 'from_id') }},
        {{ profile_key('contacts', 'to_id') }},
        coalesce(label, 'contact'),
        link_rank = 1
    from {{ hubspot_links('contacts') }} as links
    where from_type = 'deals'

    union all

    select _source || ':' || _stream || ':' || _key, person_key, 'contact', true
    from {{ current(ref('stg_mapped__deals')) }} as deals
    where not _is_deleted
),

people as (
    select * from {{ ref('identity_person_map') }}
),

deals as (
    select * from {{ ref('fct_deal') }}
)

select
    roles.deal_id,
    people.person_id,
    roles.role,
    bool_or(roles.is_primary) as is_primary
from roles
inner join people on roles.profile_key = people.profile_key
inner join deals on roles.deal_id = deals.deal_id
group by roles.deal_id, people.person_id, roles.role
