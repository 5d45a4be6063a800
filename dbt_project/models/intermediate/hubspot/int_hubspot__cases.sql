with tickets as (
    select * from {{ current(ref('stg_hubspot__tickets')) }} as tickets
),

stages as (
    select * from {{ hubspot_stages('tickets') }} as stages
),

people as (
    select * from {{ hubspot_links('contacts') }} as links
    where from_type = 'tickets' and link_rank = 1
),

organizations as (
    select * from {{ hubspot_links('companies') }} as links
    where from_type = 'tickets' and link_rank = 1
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'case_origin'
),

staged as (
    select
        tickets.*,
        coalesce(stages.label, tickets.stage) as status,
        coalesce(tickets.is_closed, stages.is_closed, tickets.closed_at is not null)
            as is_closed_now
    from tickets
    left join stages
        on tickets._source = stages._source
        and tickets.pipeline = stages.pipeline_id
        and tickets.stage = stages.stage_id
)

select {{ case_row({
    'case_id': profile_key('tickets', '_key', 'staged._source'), 'source': 'staged._source',
    'organization_key': profile_key('companies', 'organizations.to_id', 'staged._source'),
    'person_key': profile_key('contacts', 'people.to_id', 'staged._source'),
    'owner_key': profile_key('owners', 'owner_id', 'staged._source'),
    'channel': "coalesce(words.channel, 'other')", 'status': 'status',
    'priority': 'lower(priority)', 'opened_at': 'created_at',
    'closed_at': 'case when is_closed_now then closed_at end', 'is_closed': 'is_closed_now',
    'is_deleted': '_is_deleted', 'loaded_at': '_first_loaded_at',
}) }}
from staged
left join people on staged._source = people._source and staged.ticket_id = people.from_id
left join organizations
    on staged._source = organizations._source and staged.ticket_id = organizations.from_id
left join words on lower(staged.origin) = words.word
