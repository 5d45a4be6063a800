with in_stages as (
    {{ hubspot_in_stages('tickets', 'ticket_id') }}
),

tickets as (
    select
        *,
        coalesce(is_closed, is_stage_closed, closed_at is not null) as is_closed_now
    from in_stages
),

people as (
    select * from {{ hubspot_links('contacts') }} as links
    where from_type = 'tickets' and link_rank = 1
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'case_origin'
)

select {{ case_row({
    'case_id': profile_key('tickets', '_key', 'tickets._source'), 'source': 'tickets._source',
    'organization_key': profile_key('companies', 'company_id', 'tickets._source'),
    'person_key': profile_key('contacts', 'people.to_id', 'tickets._source'),
    'owner_key': profile_key('owners', 'owner_id', 'tickets._source'),
    'channel': "coalesce(words.channel, 'other')", 'status': 'stage_label',
    'priority': 'lower(priority)', 'opened_at': 'created_at',
    'closed_at': 'case when is_closed_now then closed_at end', 'is_closed': 'is_closed_now',
    'is_deleted': '_is_deleted', 'loaded_at': '_first_loaded_at',
}) }}
from tickets
left join people on tickets._source = people._source and tickets.ticket_id = people.from_id
left join words on lower(tickets.origin) = words.word
