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
    select held.key_hash, held.value
    from {{ identifiers_beside() }} as held
    inner join {{ ref('identity_identifier_book') }} as book
        on held.value_hash = book.value_hash and held.id_type = book.id_type
    where held.entity = 'person' and held.id_type = 'email' and book.flag in ('ok', 'reissued')
        {{ only_if_touched('held.key_hash', 'identity_touched') }}
),

-- Lists are made of the few that have several.
several as (
    select key_hash from addresses group by key_hash having count(*) > 1
),

mailboxes as (
    select key_hash, value as addresses
    from addresses
    where key_hash not in (select key_hash from several)

    union all

    select key_hash, {{ sorted_list('value') }}
    from addresses
    where key_hash in (select key_hash from several)
    group by key_hash
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
