{# Columns that refer to a person or an organization; whom a record names as owner is one of us. #}
{% set references = {
    'people': ['organization_key', 'owner_key'],
    'organizations': ['parent_key', 'owner_key'],
    'interactions': ['person_key', 'to_person_key', 'organization_key'],
    'purchases': ['person_key', 'organization_key'],
    'logins': ['person_key', 'organization_key'],
    'cases': ['person_key', 'organization_key', 'owner_key'],
    'deals': ['person_key', 'organization_key', 'owner_key'],
    'survey_answers': ['person_key', 'organization_key'],
    'commitments': ['person_key', 'organization_key', 'owner_key'],
    'messages_sent': ['person_key', 'organization_key'],
    'message_responses': ['person_key', 'organization_key'],
    'interests': ['person_key'],
    'memberships': ['person_key', 'organization_key'],
} %}

with people as (
    select * from {{ current(ref('stg_mapped__people')) }} as people
),

organizations as (
    select * from {{ current(ref('stg_mapped__organizations')) }} as organizations
),

mentions as (
    {%- for stream, columns in references.items() %}
    {%- set outer_loop = loop %}
    {%- for column in columns %}
    select
        {{ "'organization'" if column in ('organization_key', 'parent_key') else "'person'" }}
            as entity,
        {{ column }} as profile_key,
        {{ 'cast(null as ' ~ dbt.type_string() ~ ')'
            if column in ('organization_key', 'parent_key')
            else column | replace('_key', '_address') }} as address,
        {{ 'true' if column == 'owner_key' else 'false' }} as is_staff,
        _first_loaded_at,
        _last_loaded_at
    from {{ current(ref('stg_mapped__' ~ stream)) }} as {{ stream }}
    where {{ column }} is not null
    {{ 'union all' if not (loop.last and outer_loop.last) }}
    {%- endfor %}
    {%- endfor %}
),

held as (
    select 'person' as entity, _source || ':' || _stream || ':' || _key as profile_key from people
    union all
    select 'organization', _source || ':' || _stream || ':' || _key from organizations
),

owners as (
    select distinct profile_key from mentions where is_staff
),

-- Who is only referred to: known by the reference alone, an address or a name that is the key.
mentioned as (
    select
        mentions.profile_key,
        mentions.entity,
        split_part(mentions.profile_key, ':', 1) as source,
        split_part(mentions.profile_key, ':', 2) as stream,
        substr(
            mentions.profile_key,
            length(split_part(mentions.profile_key, ':', 1))
            + length(split_part(mentions.profile_key, ':', 2)) + 3
        ) as native_id,
        -- one key is one address
        min({{ lower_case('trim(mentions.address)') }}) as address,
        bool_or(mentions.is_staff) as is_staff,
        min(mentions._first_loaded_at) as _first_loaded_at,
        max(mentions._last_loaded_at) as _last_loaded_at
    from mentions
    left join held
        on mentions.entity = held.entity and mentions.profile_key = held.profile_key
    where held.profile_key is null
    group by mentions.profile_key, mentions.entity
),

-- A key is a name where it has letters.
named as (
    select
        *,
        case
            when address is null and lower(native_id) <> upper(native_id)
                then native_id
        end as name
    from mentioned
)

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'person'",
    'display_name': "coalesce(name, nullif(concat_ws(' ', given_name, family_name), ''))",
    'full_name': 'name', 'given_name': 'given_name', 'family_name': 'family_name',
    'email': 'email', 'is_email_verified': 'coalesce(is_email_verified, false)', 'phone': 'phone',
    'external_id': 'external_id', 'organization_key': 'organization_key',
    'owner_profile_key': 'owner_key', 'party_kind': 'lower(kind)',
    'is_staff':
        "coalesce(is_staff, false) or lower(kind) = 'staff' or owners.profile_key is not null",
    'is_bot': 'coalesce(is_bot, false)', 'is_deleted': '_is_deleted',
    'merged_into': "_source || ':' || _stream || ':' || _now_merged_into",
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from people
left join owners
    on people._source || ':' || people._stream || ':' || people._key = owners.profile_key

union all

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'organization'",
    'display_name': 'name', 'full_name': 'name', 'domain': web_domain('domain'),
    'parent_key': 'parent_key', 'owner_profile_key': 'owner_key', 'party_kind': 'lower(kind)',
    'is_known_by_name': 'true', 'industry': 'industry',
    'renewal_date': 'renewal_date', 'renewal_amount': 'renewal_amount', 'is_deleted': '_is_deleted',
    'merged_into': "_source || ':' || _stream || ':' || _now_merged_into",
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from organizations

union all

select {{ profile_row({
    'source': 'source', 'stream': 'stream', 'native_id': 'native_id', 'entity': 'entity',
    'display_name': 'name', 'full_name': 'name',
    'email': 'address',
    'is_email_verified': 'false', 'is_staff': 'is_staff', 'is_known_by_name': 'true',
    'is_deleted': 'false',
    'first_seen_at': '_first_loaded_at', 'last_seen_at': '_last_loaded_at',
}) }}
from named
