{#
    A name that no organization bears (`(private)`) shows no place, and one that several bear shows
    one of several: `is_shared`. Deleted records still show where somebody was.
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

shared_names as (
    {{ shared_company_names() }}
),

told as (
    select
        profile_key, 'domain' as place_type, {{ email_domain('email') }} as place,
        cast(null as {{ dbt.type_string() }}) as by_name
    from people

    union all

    select
        people.profile_key, known_by.place_type, known_by.place,
        case when known_by.place_type = 'company' then known_by.company_key end
    from people
    inner join known_by on people.organization_key = known_by.reference_key

    union all

    select people.profile_key, known_by.place_type, known_by.place, known_by.company_key
    from people
    inner join known_by on {{ company_key('people.organization_name') }} = known_by.company_key
)

select
    told.profile_key,
    told.place_type,
    told.place,
    bool_and(shared_names.company_key is not null) as is_shared,
    {{ key_hash('told.profile_key') }} as key_hash
from told
left join shared_names on told.by_name = shared_names.company_key
where told.place is not null
    and told.place not in (select domain from free_mail_domains)
    and told.place not in (select word from {{ ref('mailbox_word') }} where usage = 'domain')
group by told.profile_key, told.place_type, told.place
