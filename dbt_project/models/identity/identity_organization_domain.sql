{#
    Which organization an e-mail domain shows. A domain that two organizations use shows none.
#}
with profiles as (
    select * from {{ ref('identity_profile') }} where not is_deleted
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

told as (
    select organizations.organization_id, profiles.domain, 'web_address' as basis
    from profiles
    inner join organizations on profiles.profile_key = organizations.profile_key
    where profiles.domain is not null

    union all

    select
        organizations.organization_id, {{ email_domain('profiles.email') }}, 'addresses_of_people'
    from profiles
    inner join organizations on profiles.organization_key = organizations.reference_key
    where profiles.entity = 'person' and profiles.email is not null
),

counted as (
    select
        domain,
        min(organization_id) as organization_id,
        count(distinct organization_id) as n_organizations,
        -- a web address outweighs the addresses of people who came from elsewhere
        count(distinct case when basis = 'web_address' then organization_id end) as n_by_web,
        min(case when basis = 'web_address' then organization_id end) as organization_by_web
    from told
    where domain is not null
        and domain not in (select domain from {{ ref('free_mail_domain') }})
    group by domain
)

select
    domain,
    coalesce(organization_by_web, organization_id) as organization_id,
    case when n_by_web = 1 then 'web_address' else 'addresses_of_people' end as basis
from counted
where n_by_web = 1 or (n_by_web = 0 and n_organizations = 1)
