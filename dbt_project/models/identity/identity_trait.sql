{{ kept_but('identity_touched', ['profile_key']) }}
with profiles as (
    select *
    from {{ ref('identity_profile') }}
    where entity = 'person' {{ only_if_touched('profile_key', 'identity_touched') }}
),

names as (
    select *
    from {{ ref('identity_name') }}
    where true {{ only_if_touched('profile_key', 'identity_touched') }}
),

addresses as (
    select profile_key, value
    from {{ identifiers_beside() }}
    where entity = 'person' and id_type = 'email'
        {{ only_if_touched('profile_key', 'identity_touched') }}
),

mailboxes as (
    select addresses.profile_key, {{ sorted_list('addresses.value') }} as addresses
    from addresses
    inner join {{ ref('identity_identifier_book') }} as book
        on book.entity = 'person' and book.id_type = 'email' and addresses.value = book.value
    where book.flag in ('ok', 'reissued')
    group by addresses.profile_key
)

select
    profiles.profile_key,
    names.given,
    names.family,
    case when profiles.is_single_account then profiles.source end as account_of,
    case when not profiles.is_address_only then profiles.source || ':' || profiles.stream end
        as stream,
    replace(mailboxes.addresses, ',', ' ') as mailboxes
from profiles
left join names on profiles.profile_key = names.profile_key
left join mailboxes on profiles.profile_key = mailboxes.profile_key
