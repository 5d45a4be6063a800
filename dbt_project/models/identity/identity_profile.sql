{{ kept_while_alike() }}
with profiles as (
    select * from {{ ref('int_salesforce__profiles') }}
    union all
    select * from {{ ref('int_hubspot__profiles') }}
    union all
    select * from {{ ref('int_discourse__profiles') }}
    union all
    select * from {{ ref('int_bluesky__profiles') }}
    union all
    select * from {{ ref('int_mapped__profiles') }}
),

sources as (
    select * from {{ source('control', 'sources') }}
),

-- Custom fields that mean a unified column, one row per stream.
meanings as (
    select
        source,
        stream,
        max(case when meaning = 'external_id' then field end) as external_id_field,
        max(case when meaning = 'party_kind' then field end) as party_kind_field,
        max(case when meaning = 'renewal_date' then field end) as renewal_date_field,
        max(case when meaning = 'renewal_amount' then field end) as renewal_amount_field
    from {{ source('control', 'column_meanings') }}
    group by source, stream
),

own_domains as (
    select distinct lower(domain) as domain from {{ source('control', 'own_domains') }}
),

cleaned as (
    select
        profiles.*,
        profiles.source || ':' || profiles.stream || ':' || profiles.native_id as reference_key,
        count(*) over (
            partition by profiles.source, profiles.stream, profiles.native_id
        ) > 1 as shows_both_entities,
        nullif({{ lower_case('trim(profiles.email)') }}, '') as clean_email,
        {{ custom_value('profiles.custom', 'meanings.external_id_field') }} as told_external_id,
        {{ custom_value('profiles.custom', 'meanings.party_kind_field') }} as told_party_kind,
        {{ try_date(custom_value('profiles.custom', 'meanings.renewal_date_field')) }}
            as told_renewal_date,
        {{ custom_number('profiles.custom', 'meanings.renewal_amount_field') }}
            as told_renewal_amount
    from profiles
    left join meanings
        on profiles.source = meanings.source and profiles.stream = meanings.stream
),

-- What records told before of people, and tell no more.
past_addresses as (
    select
        cleaned.reference_key,
        {{ lower_case('trim(told.email)') }} as email
    from cleaned
    inner join ({{ told_addresses() }}) as told on cleaned.reference_key = told.profile_key
    where cleaned.entity = 'person'
        and told.email like '%_@_%._%'
        and {{ lower_case('trim(told.email)') }} <> coalesce(cleaned.clean_email, '')
    group by cleaned.reference_key, {{ lower_case('trim(told.email)') }}
),

past_lists as (
    select
        reference_key,
        '[' || {{ sorted_list(json_text('email')) }} || ']' as past_emails
    from past_addresses
    group by reference_key
),

suppressions as (
    select profile_key, digest
    from {{ source('control', 'identity_suppression') }}
    where scope = 'all'
),

addresses as (
    select reference_key, clean_email as email
    from cleaned
    where entity = 'person'

    union all

    select reference_key, {{ text_list('further_emails') }}
    from cleaned
    where further_emails is not null

    union all

    select reference_key, email from past_addresses
),

-- Who asked to be in no table: what their records told stays with nobody.
suppressed as (
    select addresses.reference_key
    from addresses
    inner join suppressions
        on suppressions.digest in (
            {{ sha256_of(lower_case('addresses.email')) }},
            {{ sha256_of(mailbox('addresses.email')) }}
        )

    union

    select profile_key from suppressions where profile_key is not null
),

told as (
    select
        -- one record of an import can show a person and their organization
        cleaned.reference_key
        || case when cleaned.shows_both_entities and cleaned.entity = 'organization'
            then '#organization' else '' end as profile_key,
        cleaned.reference_key,
        cleaned.source,
        coalesce(sources.source_type, 'unknown') as source_type,
        coalesce(sources.silo, 'other') as silo,
        cleaned.stream,
        cleaned.native_id,
        cleaned.entity,
        cleaned.display_name,
        cleaned.full_name,
        cleaned.given_name,
        cleaned.family_name,
        cleaned.clean_email as email,
        cleaned.is_email_verified,
        cleaned.further_emails,
        past_lists.past_emails,
        cleaned.native_id like 'mailto:%' as is_address_only,
        cleaned.phone,
        cleaned.further_phone,
        nullif(coalesce(cleaned.external_id, cleaned.told_external_id), '') as external_id,
        cleaned.alternate_id,
        coalesce(cleaned.is_numbered, false) as is_numbered,
        cleaned.organization_key,
        cleaned.organization_name,
        cleaned.domain,
        cleaned.parent_key,
        cleaned.owner_profile_key,
        coalesce(cleaned.is_bot, false) as is_bot,
        -- an address of our own shows one of us, and only the list of people can show a program
        (coalesce(cleaned.is_staff, false) or own_domains.domain is not null)
        and not coalesce(cleaned.is_bot, false) as is_staff,
        case
            when cleaned.is_bot then 'unknown'
            when cleaned.is_staff or own_domains.domain is not null then 'staff'
            -- a field that was named for it before the vendor's own
            when party_kind_words.party_kind is not null then party_kind_words.party_kind
            when cleaned.party_kind in ('{{ party_kinds() | join("', '") }}') then cleaned.party_kind
            else 'unknown'
        end as party_kind,
        cleaned.title,
        cleaned.industry,
        coalesce(cleaned.renewal_date, cleaned.told_renewal_date) as renewal_date,
        cast(coalesce(cleaned.renewal_amount, cleaned.told_renewal_amount) as decimal(18, 2))
            as renewal_amount,
        coalesce(cleaned.is_single_account, false) as is_single_account,
        coalesce(cleaned.is_known_by_name, false) as is_known_by_name,
        coalesce(cleaned.is_deleted, false) as is_deleted,
        cleaned.merged_into,
        cleaned.converted_into,
        cleaned.created_at,
        cleaned.first_seen_at,
        cleaned.last_seen_at,
        cleaned.custom
    from cleaned
    left join sources on cleaned.source = sources.source
    left join {{ ref('party_kind_word') }} as party_kind_words
        on {{ lower_case('trim(cleaned.told_party_kind)') }} = party_kind_words.word
    left join own_domains
        on own_domains.domain = case
            when cleaned.entity = 'person' then {{ email_domain('cleaned.clean_email') }}
            else cleaned.domain
        end
    left join past_lists
        on cleaned.reference_key = past_lists.reference_key and cleaned.entity = 'person'
    left join suppressed
        on cleaned.reference_key = suppressed.reference_key and cleaned.entity = 'person'
    where suppressed.reference_key is null
)

{{ changed_rows('told') }}
