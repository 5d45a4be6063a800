with companies as (
    select * from {{ current(ref('stg_hubspot__companies')) }} as companies
),

contacts as (
    select * from {{ current(ref('stg_hubspot__contacts')) }} as contacts
),

-- A queue is nobody.
owners as (
    select * from {{ current(ref('stg_hubspot__owners')) }} as owners
    where coalesce(owner_type, 'PERSON') = 'PERSON'
),

employers as (
    select * from {{ hubspot_links('companies') }} as links
    where from_type = 'contacts' and link_rank = 1
),

party_kind_words as (
    select * from {{ ref('party_kind_word') }}
)

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'organization'",
    'display_name': 'name', 'full_name': 'name', 'is_numbered': 'true', 'phone': 'phone',
    'domain': 'coalesce(' ~ web_domain('domain') ~ ', ' ~ web_domain('website') ~ ')',
    'industry': 'industry', 'parent_key': profile_key('companies', 'parent_company_id'),
    'owner_profile_key': profile_key('owners', 'owner_id'),
    'party_kind': 'coalesce(kinds.party_kind, stages.party_kind)',
    'is_deleted': '_is_deleted', 'merged_into': profile_key('companies', '_now_merged_into'),
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from companies
left join party_kind_words as kinds on lower(companies.company_type) = kinds.word
left join party_kind_words as stages on lower(companies.lifecycle_stage) = stages.word

union all

select {{ profile_row({
    'source': 'contacts._source', 'stream': '_stream', 'native_id': '_key', 'entity': "'person'",
    'display_name': "nullif(concat_ws(' ', given_name, family_name), '')",
    'given_name': 'given_name', 'family_name': 'family_name', 'is_numbered': 'true',
    'email': 'email', 'is_email_verified': 'false',
    'further_emails': "'[\"' || replace(nullif(trim(further_emails), ''), ';', '\",\"') || '\"]'",
    'phone': "coalesce(nullif(mobile_phone, ''), phone)", 'further_phone': 'phone',
    'organization_key': profile_key(
        'companies', 'coalesce(employers.to_id, company_id)', 'contacts._source'
    ),
    'organization_name': 'company', 'title': 'title', 'industry': 'industry',
    'owner_profile_key': profile_key('owners', 'owner_id', 'contacts._source'),
    'party_kind': 'party_kind_words.party_kind',
    'is_deleted': '_is_deleted',
    'merged_into': profile_key('contacts', '_now_merged_into', 'contacts._source'),
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from contacts
left join employers
    on contacts._source = employers._source and contacts.contact_id = employers.from_id
left join party_kind_words on lower(contacts.lifecycle_stage) = party_kind_words.word

union all

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'person'",
    'display_name': "coalesce(nullif(concat_ws(' ', given_name, family_name), ''), email)",
    'given_name': 'given_name', 'family_name': 'family_name', 'is_numbered': 'true',
    'email': 'email', 'is_email_verified': 'false', 'is_staff': 'true',
    'is_deleted': '_is_deleted', 'created_at': 'created_at',
    'first_seen_at': '_first_loaded_at', 'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from owners
