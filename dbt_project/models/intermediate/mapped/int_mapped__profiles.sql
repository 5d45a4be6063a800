with people as (
    select * from {{ current(ref('stg_mapped__people')) }} as people
),

organizations as (
    select * from {{ current(ref('stg_mapped__organizations')) }} as organizations
),

mentions as (
    select 'person' as entity, person_key as profile_key, false as is_staff, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_mapped__interactions')) }} as interactions
    union all
    select 'person', to_person_key, false, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_mapped__interactions')) }} as interactions
    union all
    select 'organization', organization_key, false, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_mapped__interactions')) }} as interactions
    {%- for stream, owner in [('purchases', none), ('cases', 'owner_key'), ('deals', 'owner_key')] %}
    union all
    select 'person', person_key, false, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_mapped__' ~ stream)) }} as {{ stream }}
    union all
    select 'organization', organization_key, false, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_mapped__' ~ stream)) }} as {{ stream }}
    {%- if owner %}
    union all
    select 'person', owner_key, true, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_mapped__' ~ stream)) }} as {{ stream }}
    {%- endif %}
    {%- endfor %}
    union all
    select 'organization', organization_key, false, _first_loaded_at, _last_loaded_at from people
    union all
    select 'person', owner_key, true, _first_loaded_at, _last_loaded_at from people
    union all
    select 'organization', parent_key, false, _first_loaded_at, _last_loaded_at from organizations
    union all
    select 'person', owner_key, true, _first_loaded_at, _last_loaded_at from organizations
),

-- Who is only referred to: known by the reference alone, an address or a name that is the key.
mentioned as (
    select
        profile_key,
        entity,
        bool_or(is_staff) as is_staff,
        min(_first_loaded_at) as _first_loaded_at,
        max(_last_loaded_at) as _last_loaded_at,
        split_part(profile_key, ':', 1) as source,
        split_part(profile_key, ':', 2) as stream,
        substr(
            profile_key,
            length(split_part(profile_key, ':', 1)) + length(split_part(profile_key, ':', 2)) + 3
        ) as native_id
    from mentions
    where profile_key is not null
        and (
            (entity = 'person'
                and profile_key not in (select _source || ':' || _stream || ':' || _key from people))
            or (entity = 'organization'
                and profile_key not in (
                    select _source || ':' || _stream || ':' || _key from organizations
                ))
        )
    group by profile_key, entity
)

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'person'",
    'display_name': "coalesce(name, nullif(concat_ws(' ', given_name, family_name), ''))",
    'full_name': 'name', 'given_name': 'given_name', 'family_name': 'family_name',
    'email': 'email', 'is_email_verified': 'coalesce(is_email_verified, false)', 'phone': 'phone',
    'external_id': 'external_id', 'organization_key': 'organization_key',
    'owner_profile_key': 'owner_key', 'party_kind': 'lower(kind)',
    'is_staff': "coalesce(is_staff, false) or lower(kind) = 'staff'",
    'is_bot': 'coalesce(is_bot, false)', 'is_deleted': '_is_deleted',
    'merged_into': "_source || ':' || _stream || ':' || _now_merged_into",
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from people

union all

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'organization'",
    'display_name': 'name', 'full_name': 'name', 'domain': web_domain('domain'),
    'parent_key': 'parent_key', 'owner_profile_key': 'owner_key', 'party_kind': 'lower(kind)',
    'is_known_by_name': 'true', 'industry': 'industry', 'renewal_date': 'renewal_date', 'renewal_amount': 'renewal_amount',
    'is_deleted': '_is_deleted',
    'merged_into': "_source || ':' || _stream || ':' || _now_merged_into",
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from organizations

union all

select {{ profile_row({
    'source': 'source', 'stream': 'stream', 'native_id': 'native_id', 'entity': 'entity',
    'display_name': "case when native_id not like 'mailto:%' then native_id end",
    'full_name': "case when native_id not like 'mailto:%' then native_id end",
    'email': "case when native_id like 'mailto:%' then substr(native_id, 8) end",
    'is_email_verified': 'false', 'is_staff': 'is_staff', 'is_known_by_name': 'true',
    'is_deleted': 'false', 'first_seen_at': '_first_loaded_at', 'last_seen_at': '_last_loaded_at',
}) }}
from mentioned
