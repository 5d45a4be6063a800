{#
    What the later models read of a profile beside its own fields, whose digest stands in
    `identity_profile`: what its organization is known by, what is claimed of it, whom it is like,
    what people say of values (`flags`), and what concerns all (`all`).
#}
with shared_names as (
    {{ shared_company_names() }}
),

places as (
    select
        profiles.reference_key,
        {{ company_key('profiles.display_name') }} as company_key,
        profiles.domain,
        people_domains.domain as people_domain,
        profiles.phone,
        profiles.further_phone,
        shared_names.company_key is not null as is_name_shared
    from {{ ref('identity_profile') }} as profiles
    left join {{ ref('identity_people_domain') }} as people_domains
        on profiles.profile_key = people_domains.profile_key
    left join shared_names
        on {{ company_key('profiles.display_name') }} = shared_names.company_key
    where profiles.entity = 'organization'
),

place_digests as (
    select reference_key, company_key, {{ row_digest('places') }} as digest from places
),

claims as (
    select * from {{ ref('identity_claim') }}
),

likenesses as (
    select * from {{ ref('identity_likeness') }}
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

digests as (
    select 'place' as kind, reference_key as name, digest from place_digests
    union all
    select 'company', company_key, digest from place_digests where company_key is not null
    union all
    select 'claim', record_key, {{ row_digest('claims') }} from claims
    union all
    select 'claim', handle_key, {{ row_digest('claims') }} from claims where handle_key is not null
    union all
    select 'likeness', left_key, {{ row_digest('likenesses') }} from likenesses
    union all
    select 'likeness', right_key, {{ row_digest('likenesses') }} from likenesses
    union all
    select 'flags', '', {{ row_digest('flags') }} from flags
    union all
    select 'all', '', {{ row_digest('rules') }} from rules
    union all
    select 'all', '', {{ row_digest('nicknames') }} from nicknames
    union all
    select 'all', '', {{ row_digest('mailbox_words') }} from mailbox_words
    union all
    select 'all', '', {{ row_digest('free_mail_domains') }} from free_mail_domains
    union all
    select 'all', '', {{ row_digest('policies') }} from policies
    union all
    select 'all', '', {{ row_digest('settings') }} from settings
)

select kind, name, {{ rows_digest('digest') }} as digest
from digests
group by kind, name
