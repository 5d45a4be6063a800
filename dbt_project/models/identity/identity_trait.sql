{{ kept_but('identity_touched') }}
with profiles as (
    select *
    from {{ ref('identity_profile') }}
    where entity = 'person' {{ only_if_touched('key_hash', 'identity_touched') }}
),

names as (
    select *
    from {{ ref('identity_name') }}
    where true {{ only_if_touched('key_hash', 'identity_touched') }}
),

addresses as (
    select key_hash, value_hash, value
    from {{ identifiers_beside() }}
    where entity = 'person' and id_type = 'email'
        {{ only_if_touched('key_hash', 'identity_touched') }}
),

mailboxes as (
    select addresses.key_hash, {{ sorted_list('addresses.value') }} as addresses
    from addresses
    inner join {{ ref('identity_identifier_book') }} as book
        on book.id_type = 'email' and addresses.value_hash = book.value_hash
    where book.flag in ('ok', 'reissued')
    group by addresses.key_hash
)

select
    profiles.profile_key,
    names.given,
    names.family,
    case when profiles.is_single_account then profiles.source end as account_of,
    case when not profiles.is_address_only then profiles.source || ':' || profiles.stream end
        as stream,
    replace(mailboxes.addresses, ',', ' ') as mailboxes,
    profiles.key_hash
from profiles
left join names on profiles.key_hash = names.key_hash
left join mailboxes on profiles.key_hash = mailboxes.key_hash
