{#
    Which organization an e-mail domain shows. A domain that two organizations use shows none, nor
    does one from which mostly people of several others write (an agency's, a provider's), or one
    that a slip of the hand made of a provider's.
#}
{% set organizations_of_a_provider = 3 %}
{# shorter ones are also a slip away from companies' names #}
{% set shortest_mistyped_provider = 9 %}

with profiles as (
    select * from {{ ref('identity_profile') }} where not is_deleted
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

placeholders as (
    select value from {{ ref('identity_identifier_book') }}
    where id_type = 'email' and flag in ('placeholder', 'blocked')
),

web_addresses as (
    select organizations.organization_id, profiles.domain
    from profiles
    inner join organizations on profiles.profile_key = organizations.profile_key
    where profiles.domain is not null
    group by organizations.organization_id, profiles.domain
),

addresses as (
    select
        organizations.organization_id,
        {{ email_domain('profiles.email') }} as domain,
        count(*) as n_people
    from profiles
    inner join organizations on profiles.organization_key = organizations.reference_key
    left join placeholders on {{ mailbox('profiles.email') }} = placeholders.value
    where profiles.entity = 'person' and profiles.email is not null and placeholders.value is null
    group by organizations.organization_id, {{ email_domain('profiles.email') }}
),

used as (
    select
        coalesce(web_addresses.domain, addresses.domain) as domain,
        coalesce(web_addresses.organization_id, addresses.organization_id) as organization_id,
        web_addresses.domain is not null as is_web_address,
        coalesce(addresses.n_people, 0) as n_people
    from web_addresses
    full outer join addresses
        on web_addresses.domain = addresses.domain
        and web_addresses.organization_id = addresses.organization_id
),

counted as (
    select
        domain,
        min(organization_id) as organization_id,
        count(*) as n_organizations,
        count(case when n_people > 0 then 1 end) as n_of_people,
        sum(n_people) as n_people,
        -- a web address outweighs the addresses of people who came from elsewhere
        count(case when is_web_address then 1 end) as n_by_web,
        min(case when is_web_address then organization_id end) as organization_by_web,
        sum(case when is_web_address then n_people else 0 end) as n_people_by_web
    from used
    where domain is not null
        and domain not in (select domain from {{ ref('free_mail_domain') }})
        and domain not in (select word from {{ ref('mailbox_word') }} where usage = 'domain')
    group by domain
),

slips as (
    select counted.domain
    from counted
    inner join {{ ref('free_mail_domain') }} as providers
        on length(counted.domain) between length(providers.domain) - 2 and length(providers.domain) + 2
        and levenshtein(counted.domain, providers.domain) <= 2
    where counted.n_by_web = 0
        and counted.n_organizations = 1
        and length(providers.domain) >= {{ shortest_mistyped_provider }}
    group by counted.domain
)

select
    domain,
    coalesce(organization_by_web, organization_id) as organization_id,
    case when n_by_web = 1 then 'web_address' else 'addresses_of_people' end as basis
from counted
where (
    (n_by_web = 0 and n_organizations = 1)
    or (
        n_by_web = 1
        and (
            n_of_people < {{ organizations_of_a_provider }}
            or n_people_by_web * 2 >= n_people
        )
    )
)
and domain not in (select domain from slips)
