{{ kept_but('identity_touched', ['profile_key']) }}
with profiles as (
    select *
    from {{ ref('identity_profile') }}
    where entity = 'person' {{ only_if_touched('profile_key', 'identity_touched') }}
),

mailboxes as (
    select identifiers.profile_key, {{ sorted_list('identifiers.value') }} as addresses
    from {{ ref('identity_identifier') }} as identifiers
    inner join {{ ref('identity_identifier_book') }} as book
        on identifiers.entity = book.entity
        and identifiers.id_type = book.id_type
        and identifiers.value = book.value
    where identifiers.id_type = 'email' and book.flag in ('ok', 'reissued')
        {{ only_if_touched('identifiers.profile_key', 'identity_touched') }}
    group by identifiers.profile_key
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
left join {{ ref('identity_name') }} as names on profiles.profile_key = names.profile_key
left join mailboxes on profiles.profile_key = mailboxes.profile_key
