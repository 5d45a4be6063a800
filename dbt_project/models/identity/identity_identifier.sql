{{ kept_but('identity_delta') }}
-- after {{ ref('identity_delta_value') }}, which reads what the last run left here
with profiles as (
    select *, coalesce(created_at, first_seen_at) as since
    from {{ ref('identity_profile') }}
    where not is_bot {{ only_if_touched('key_hash', 'identity_delta') }}
),

phones as (
    select * from {{ ref('identity_phone') }} where e164 is not null
),

-- One row per number, not one join on either: that would compare every profile with every number.
numbers as (
    select
        profile_key, entity, phone, since, last_seen_at, key_hash,
        further_phone is not null as is_of_several
    from profiles
    where phone is not null

    union all

    select profile_key, entity, further_phone, since, last_seen_at, key_hash, true
    from profiles
    where further_phone is not null
),

-- `is_of_several`: the profile may tell the same value once more, written otherwise
identifiers as (
    select
        profile_key, entity, 'email' as id_type, {{ mailbox('email') }} as value,
        email as written, coalesce(is_email_verified, false) as is_verified,
        since, last_seen_at, key_hash, further_emails is not null as is_of_several
    from profiles
    where entity = 'person' and {{ is_address('email') }}

    union all

    -- further addresses are confirmed like the first
    select
        profile_key, entity, 'email', {{ mailbox('further_email') }},
        {{ lower_case('trim(further_email)') }}, coalesce(is_email_verified, false),
        since, last_seen_at, key_hash, true
    from (
        select profiles.*, {{ text_list('further_emails') }} as further_email
        from profiles
        where further_emails is not null
    ) as spread
    where {{ is_address('further_email') }}

    union all

    -- a type of its own: it counts neither as anybody's own nor as shared with who has it now
    select
        profile_key, entity, 'past_email', {{ mailbox('past_email') }}, past_email, false,
        since, last_seen_at, key_hash, true
    from (
        select profiles.*, {{ text_list('past_emails') }} as past_email
        from profiles
        where past_emails is not null
    ) as spread
    where {{ mailbox('past_email') }} <> coalesce({{ mailbox('email') }}, '')

    union all

    select
        numbers.profile_key, numbers.entity, 'phone', phones.e164, phones.phone, false,
        numbers.since, numbers.last_seen_at, numbers.key_hash, numbers.is_of_several
    from numbers
    inner join phones on numbers.phone = phones.phone
    where numbers.entity = 'person'

    union all

    select
        profile_key, entity, 'external_id', external_id, external_id, is_single_account,
        since, last_seen_at, key_hash, false
    from profiles
    where external_id <> ''

    union all

    -- the id by which a system of record knows somebody, in its long and its short form; a mere
    -- number is also the id of others elsewhere
    select
        profile_key, entity, 'record_id', native_id, native_id, true,
        since, last_seen_at, key_hash, false
    from profiles
    where silo = 'crm' and not is_address_only and not is_numbered and native_id <> ''

    union all

    select
        profile_key, entity, 'record_id', alternate_id, alternate_id, true,
        since, last_seen_at, key_hash, false
    from profiles
    where silo = 'crm' and alternate_id <> native_id and alternate_id <> ''

    union all

    select
        profile_key, entity, 'domain', domain, domain, false,
        since, last_seen_at, key_hash, false
    from profiles
    where entity = 'organization' and domain <> ''

    union all

    select
        profiles.profile_key, 'organization', 'people_domain', people_domains.domain,
        people_domains.domain, false,
        profiles.since, profiles.last_seen_at, profiles.key_hash, false
    from {{ ref('identity_people_domain') }} as people_domains
    inner join profiles on people_domains.profile_key = profiles.profile_key
    where people_domains.domain <> ''

    union all

    select
        profile_key, entity, 'name', {{ lower_case('trim(display_name)') }}, display_name, false,
        since, last_seen_at, key_hash, false
    from profiles
    where entity = 'organization' and is_known_by_name and trim(display_name) <> ''
),

different as (
    select
        profile_key, entity, id_type, value, written, is_verified, since, last_seen_at, key_hash
    from identifiers
    where not is_of_several

    union all

    select
        profile_key, entity, id_type, value, min(written), bool_or(is_verified),
        since, last_seen_at, key_hash
    from identifiers
    where is_of_several
    group by profile_key, entity, id_type, value, since, last_seen_at, key_hash
)

select
    profile_key,
    entity,
    id_type,
    value,
    written,
    is_verified,
    since as first_seen_at,
    last_seen_at,
    key_hash,
    {{ value_hash('different') }} as value_hash
from different
