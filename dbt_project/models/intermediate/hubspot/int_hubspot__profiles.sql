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

leads as (
    select * from {{ current(ref('stg_hubspot__leads')) }} as leads
),

-- Whom a lead is about; of one that is gone, whom it was about.
lead_links as (
    select _source, from_id, max_by(links, _seq) as links
    from {{ known(ref('stg_hubspot__associations')) }} as associations
    where from_type = 'leads' and to_type = 'contacts' and _op <> 'delete'
    group by _source, from_id
),

lead_contacts as (
    select
        _source,
        from_id,
        min_by(
            {{ custom_value('link', "'toObjectId'") }},
            case when {{ hubspot_is_primary('link') }} then 0 else 1 end
        ) as contact_id
    from (
        select _source, from_id, {{ text_list('links') }} as link from lead_links
    ) as spread
    group by _source, from_id
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

union all

-- A lead has no address of its own: it is its contact, as far as people go.
select {{ profile_row({
    'source': 'leads._source', 'stream': 'leads._stream', 'native_id': 'leads._key', 'entity': "'person'",
    'display_name': 'leads.name', 'is_numbered': 'true', 'party_kind': "'prospect'",
    'owner_profile_key': profile_key('owners', 'leads.owner_id', 'leads._source'),
    'converted_into': profile_key(
        'contacts', 'coalesce(merges.contact_id, lead_contacts.contact_id)', 'leads._source'
    ),
    'is_deleted': 'leads._is_deleted', 'created_at': 'leads.created_at',
    'first_seen_at': 'leads._first_loaded_at', 'last_seen_at': 'leads._last_loaded_at',
    'custom': 'leads.custom',
}) }}
from leads
left join lead_contacts
    on leads._source = lead_contacts._source and leads.lead_id = lead_contacts.from_id
left join {{ hubspot_merges() }} as merges
    on lead_contacts._source = merges._source and lead_contacts.contact_id = merges._key
