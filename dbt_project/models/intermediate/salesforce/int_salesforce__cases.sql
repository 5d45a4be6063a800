with cases as (
    select * from {{ current(ref('stg_salesforce__cases')) }} as cases
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'case_origin'
)

select {{ case_row({
    'case_id': profile_key('cases', '_key'), 'source': '_source',
    'organization_key': profile_key('accounts', 'account_id'),
    'person_key': "coalesce(" ~ profile_key('contacts', 'contact_id') ~ ", case when supplied_email"
        ~ " like '%_@_%._%' then " ~ address_key("_source || ':cases:'", 'supplied_email') ~ ' end)',
    'owner_key': salesforce_user('owner_id'),
    'channel': "coalesce(words.channel, 'other')", 'status': 'status', 'priority': 'priority',
    'opened_at': 'created_at', 'closed_at': 'case when is_closed then closed_at end',
    'is_closed': 'coalesce(is_closed, false)', 'is_deleted': '_is_deleted',
    'loaded_at': '_first_loaded_at',
}) }}
from cases
left join words on lower(cases.origin) = words.word
