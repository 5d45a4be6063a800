{#
    Whatever the later models read of a profile stands in its digest: its own fields, what its
    organization is known by, what is claimed of it, and whom it is like. What concerns all stands under the key ''.
#}
with places as (
    select
        profiles.reference_key,
        {{ company_key('profiles.display_name') }} as company_key,
        profiles.domain,
        people_domains.domain as people_domain,
        profiles.phone,
        profiles.further_phone
    from {{ ref('identity_profile') }} as profiles
    left join {{ ref('identity_people_domain') }} as people_domains
        on profiles.profile_key = people_domains.profile_key
    where profiles.entity = 'organization'
),

place_digests as (
    select reference_key, company_key, {{ row_digest('places') }} as digest from places
),

places_by_key as (
    select reference_key, {{ sorted_list('digest') }} as digest
    from place_digests
    group by reference_key
),

places_by_company as (
    select company_key, {{ sorted_list('digest') }} as digest
    from place_digests
    where company_key is not null
    group by company_key
),

claims as (
    select * from {{ ref('identity_claim') }}
),

claimed as (
    select profile_key, {{ sorted_list('digest') }} as digest
    from (
        select record_key as profile_key, {{ row_digest('claims') }} as digest from claims
        union all
        select handle_key, {{ row_digest('claims') }} from claims
    ) as ends
    group by profile_key
),

likenesses as (
    select * from {{ ref('identity_likeness') }}
),

alike as (
    select profile_key, {{ sorted_list('digest') }} as digest
    from (
        select left_key as profile_key, {{ row_digest('likenesses') }} as digest from likenesses
        union all
        select right_key, {{ row_digest('likenesses') }} from likenesses
    ) as ends
    group by profile_key
),

facts as (
    select
        profiles.profile_key,
        profiles.digest as own,
        own_place.digest as own_place,
        place_by_key.digest as place_by_key,
        place_by_company.digest as place_by_company,
        claimed.digest as claims,
        alike.digest as likenesses
    from {{ ref('identity_profile') }} as profiles
    left join places_by_key as own_place
        on profiles.reference_key = own_place.reference_key and profiles.entity = 'organization'
    left join places_by_key as place_by_key
        on profiles.organization_key = place_by_key.reference_key
    left join places_by_company as place_by_company
        on {{ company_key('profiles.organization_name') }} = place_by_company.company_key
    left join claimed on profiles.profile_key = claimed.profile_key
    left join alike on profiles.profile_key = alike.profile_key
),

rules as (
    select rule_id, tier, needs_agreement, band from {{ ref('identity_rule_standing') }}
),

nicknames as (
    select * from {{ ref('nickname') }}
),

mailbox_words as (
    select * from {{ ref('mailbox_word') }}
),

free_mail_domains as (
    select * from {{ ref('free_mail_domain') }}
),

policies as (
    select * from {{ source('control', 'link_policy') }}
),

settings as (
    select * from {{ source('control', 'settings') }} where name = 'phone_region'
),

flags as (
    select * from {{ source('control', 'identity_identifier_flag') }}
),

of_all as (
    select {{ row_digest('rules') }} as digest from rules
    union all
    select {{ row_digest('nicknames') }} from nicknames
    union all
    select {{ row_digest('mailbox_words') }} from mailbox_words
    union all
    select {{ row_digest('free_mail_domains') }} from free_mail_domains
    union all
    select {{ row_digest('policies') }} from policies
    union all
    select {{ row_digest('settings') }} from settings
)

select profile_key, {{ row_digest('facts') }} as digest from facts
union all
select '', {{ sha256_of(sorted_list('digest')) }} from of_all
union all
select '#flags', coalesce({{ sorted_list('digest') }}, '')
from (select {{ row_digest('flags') }} as digest from flags) as lines
