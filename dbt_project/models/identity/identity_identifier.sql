{{ kept_but('identity_delta') }}
-- after {{ ref('identity_delta_value') }}, which reads what the last run left here
with profiles as (
    select *
    from {{ ref('identity_profile') }}
    where not is_bot {{ only_if_touched('key_hash', 'identity_delta') }}
),

phones as (
    select * from {{ ref('identity_phone') }} where e164 is not null
),

-- One row per number, not one join on either: that would compare every profile with every number.
numbers as (
    select profile_key, entity, phone from profiles where phone is not null
    union all
    select profile_key, entity, further_phone from profiles where further_phone is not null
),

identifiers as (
    select
        profile_key, entity, 'email' as id_type, {{ mailbox('email') }} as value,
        email as written, coalesce(is_email_verified, false) as is_verified
    from profiles
    where entity = 'person'

    union all

    -- further addresses are confirmed like the first
    select
        profile_key, entity, 'email', {{ mailbox('further_email') }},
        {{ lower_case('trim(further_email)') }}, coalesce(is_email_verified, false)
    from (
        select profiles.*, {{ text_list('further_emails') }} as further_email
        from profiles
        where further_emails is not null
    ) as spread

    union all

    -- a type of its own: it counts neither as anybody's own nor as shared with who has it now
    select
        profile_key, entity, 'past_email', {{ mailbox('past_email') }}, past_email, false
    from (
        select profiles.*, {{ text_list('past_emails') }} as past_email
        from profiles
        where past_emails is not null
    ) as spread
    where {{ mailbox('past_email') }} <> coalesce({{ mailbox('email') }}, '')

    union all

    select numbers.profile_key, numbers.entity, 'phone', phones.e164, phones.phone, false
    from numbers
    inner join phones on numbers.phone = phones.phone
    where numbers.entity = 'person'

    union all

    select profile_key, entity, 'external_id', external_id, external_id, is_single_account
    from profiles
    where external_id is not null

    union all

    -- the id by which a system of record knows somebody, in its long and its short form; a mere
    -- number is also the id of others elsewhere
    select profile_key, entity, 'record_id', native_id, native_id, true
    from profiles
    where silo = 'crm' and not is_address_only and not is_numbered

    union all

    select profile_key, entity, 'record_id', alternate_id, alternate_id, true
    from profiles
    where silo = 'crm' and alternate_id <> native_id

    union all

    select profile_key, entity, 'domain', domain, domain, false
    from profiles
    where entity = 'organization'

    union all

    select profile_key, 'organization', 'people_domain', domain, domain, false
    from {{ ref('identity_people_domain') }}

    union all

    select profile_key, entity, 'name', {{ lower_case('trim(display_name)') }}, display_name,
        false
    from profiles
    where entity = 'organization' and is_known_by_name
)

select
    identifiers.profile_key,
    identifiers.entity,
    identifiers.id_type,
    identifiers.value,
    min(identifiers.written) as written,
    bool_or(identifiers.is_verified) as is_verified,
    min(coalesce(profiles.created_at, profiles.first_seen_at)) as first_seen_at,
    max(profiles.last_seen_at) as last_seen_at,
    {{ key_hash('identifiers.profile_key') }} as key_hash,
    {{ value_hash('identifiers') }} as value_hash
from identifiers
inner join profiles on identifiers.profile_key = profiles.profile_key
where identifiers.value is not null and identifiers.value <> ''
group by identifiers.profile_key, identifiers.entity, identifiers.id_type, identifiers.value
