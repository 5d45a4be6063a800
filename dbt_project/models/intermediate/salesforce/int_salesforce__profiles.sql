{# What every record tells, and every record of a person. #}
{% set record = {
    'source': '_source', 'stream': '_stream', 'native_id': '_key',
    'alternate_id': 'substr(_key, 1, 15)', 'is_deleted': '_is_deleted',
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
} %}
{% set person = dict(record, **{
    'entity': "'person'",
    'display_name': "coalesce(name, nullif(concat_ws(' ', given_name, family_name), ''))",
    'full_name': 'name', 'given_name': 'given_name', 'family_name': 'family_name',
    'email': 'email', 'is_email_verified': 'false', 'title': 'title',
}) %}

with accounts as (
    select * from {{ current(ref('stg_salesforce__accounts')) }} as accounts
    where not coalesce(is_person_account, false) -- its shadow contact is the person
),

contacts as (
    select * from {{ current(ref('stg_salesforce__contacts')) }} as contacts
),

leads as (
    select * from {{ current(ref('stg_salesforce__leads')) }} as leads
),

users as (
    select * from {{ current(ref('stg_salesforce__users')) }} as users
),

party_kind_words as (
    select * from {{ ref('party_kind_word') }}
),

-- Who wrote to us by e-mail or web form and is nobody's contact yet.
senders as (
    select
        _source,
        lower(trim(supplied_email)) as address,
        max(supplied_name) as name,
        min(created_at) as created_at,
        min(_first_loaded_at) as _first_loaded_at,
        max(_last_loaded_at) as _last_loaded_at
    from {{ current(ref('stg_salesforce__cases')) }} as cases
    where contact_id is null and supplied_email like '%_@_%._%'
    group by _source, lower(trim(supplied_email))
)

select {{ profile_row(dict(record, **{
    'entity': "'organization'", 'display_name': 'name', 'full_name': 'name',
    'phone': 'phone', 'domain': web_domain('website'), 'industry': 'industry',
    'parent_key': profile_key('accounts', 'parent_account_id'),
    'owner_profile_key': salesforce_user('owner_id'),
    'party_kind': 'party_kind_words.party_kind',
    'merged_into': profile_key('accounts', '_now_merged_into'),
})) }}
from accounts
left join party_kind_words on lower(accounts.account_type) = party_kind_words.word

union all

select {{ profile_row(dict(person, **{
    'phone': 'mobile_phone', 'further_phone': 'phone',
    'organization_key': profile_key('accounts', 'account_id'),
    'owner_profile_key': salesforce_user('owner_id'),
    'merged_into': profile_key('contacts', '_now_merged_into'),
})) }}
from contacts

union all

select {{ profile_row(dict(person, **{
    'phone': 'mobile_phone', 'further_phone': 'phone',
    'organization_key': profile_key('accounts', 'converted_account_id'),
    'organization_name': 'company', 'industry': 'industry',
    'owner_profile_key': salesforce_user('owner_id'), 'party_kind': "'prospect'",
    'merged_into': profile_key('leads', '_now_merged_into'),
    'converted_into': profile_key('contacts', 'converted_contact_id'),
})) }}
from leads

union all

-- A user of another type is a customer or partner with a login.
select {{ profile_row(dict(person, **{
    'is_staff': "coalesce(user_type, 'Standard') = 'Standard'",
    'is_bot': salesforce_program(),
})) }}
from users

union all

select {{ profile_row({
    'source': '_source', 'stream': "'cases'", 'native_id': address_key("''", 'address'),
    'entity': "'person'", 'display_name': 'name', 'full_name': 'name',
    'email': 'address', 'is_email_verified': 'false', 'is_deleted': 'false',
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at',
}) }}
from senders
