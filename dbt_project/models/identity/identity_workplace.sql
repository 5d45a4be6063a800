{#
    A name that no organization bears (`(private)`) shows no place. Deleted records still show
    where somebody was.
#}
{{ kept_but('identity_delta') }}
with free_mail_domains as (
    select * from {{ ref('free_mail_domain') }}
),

organizations as (
    select profile_key, reference_key, domain, {{ company_key('display_name') }} as company_key
    from {{ ref('identity_profile') }}
    where entity = 'organization' and not is_bot
),

people as (
    select *
    from {{ ref('identity_profile') }}
    where entity = 'person' and not is_bot {{ only_if_touched('key_hash', 'identity_delta') }}
),

people_domains as (
    select * from {{ ref('identity_people_domain') }}
),

-- What an organization goes by.
known_by as (
    select profile_key, reference_key, company_key, 'company' as place_type, company_key as place
    from organizations
    union all
    select profile_key, reference_key, company_key, 'domain', domain
    from organizations
    union all
    select
        organizations.profile_key, organizations.reference_key, organizations.company_key,
        'domain', people_domains.domain
    from organizations
    inner join people_domains on organizations.profile_key = people_domains.profile_key
),

told as (
    select profile_key, 'domain' as place_type, {{ email_domain('email') }} as place
    from people

    union all

    select people.profile_key, known_by.place_type, known_by.place
    from people
    inner join known_by on people.organization_key = known_by.reference_key

    union all

    select people.profile_key, known_by.place_type, known_by.place
    from people
    inner join known_by on {{ company_key('people.organization_name') }} = known_by.company_key
)

select profile_key, place_type, place, {{ key_hash('profile_key') }} as key_hash
from told
where place is not null
    and place not in (select domain from free_mail_domains)
    and place not in (select word from {{ ref('mailbox_word') }} where usage = 'domain')
group by profile_key, place_type, place
