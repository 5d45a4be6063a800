with profiles as (
    select * from {{ ref('identity_profile') }} where not is_bot
),

-- Who writes from where, per organization of a source.
writers as (
    select
        source,
        organization_key,
        {{ email_domain('email') }} as domain,
        count(*) as n_people,
        sum(count(*)) over (
            partition by source, {{ email_domain('email') }}
        ) as n_people_of_domain,
        count(*) over (partition by source, organization_key) as n_domains
    from profiles
    where entity = 'person'
        and not is_deleted
        and organization_key is not null
        and {{ email_domain('email') }} not in (select domain from {{ ref('free_mail_domain') }})
    group by source, organization_key, {{ email_domain('email') }}
)

-- An organization without a web address of its own is known by where its people write from: if
-- that is one place, if most who write from there are its people (not an agency's), and if they
-- are several or the place is called like it.
select organizations.profile_key, writers.domain
from profiles as organizations
inner join writers
    on organizations.source = writers.source
    and organizations.reference_key = writers.organization_key
where organizations.entity = 'organization'
    and organizations.domain is null
    and writers.n_domains = 1
    and writers.n_people * 2 > writers.n_people_of_domain
    and (
        writers.n_people > 1
        or position(
            {{ company_key("split_part(writers.domain, '.', 1)") }}
            in {{ company_key('organizations.display_name') }}
        ) > 0
        or position(
            {{ company_key('organizations.display_name') }}
            in {{ company_key("split_part(writers.domain, '.', 1)") }}
        ) > 0
    )
