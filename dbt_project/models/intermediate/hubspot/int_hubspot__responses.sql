with events as (
    select
        events.*,
        coalesce(merges.contact_id, events.contact_id) as current_contact_id,
        case
            when event_type = 'OPEN' then 'open'
            when event_type = 'CLICK' then 'click'
            when event_type = 'REPLY' then 'reply'
            when event_type = 'FORWARD' then 'forward'
            when event_type = 'PRINT' then 'print'
            when event_type = 'BOUNCE' then 'bounce'
            when event_type = 'SPAMREPORT' then 'complaint'
            when event_type = 'UNSUBSCRIBED' then 'unsubscribe'
            when event_type = 'STATUSCHANGE'
                and (status_of_all = 'UNSUBSCRIBED' or statuses like '%"UNSUBSCRIBED"%')
                then 'unsubscribe'
        end as kind
    from {{ current(ref('stg_hubspot__email_events')) }} as events
    left join {{ hubspot_merges() }} as merges
        on events._source = merges._source and events.contact_id = merges._key
    where not events._is_deleted
),

messages as (
    select * from {{ ref('int_hubspot__messages') }}
),

-- Where an event does not say which message it is about, the last one of that sending.
last_messages as (
    select _source, sending_id, contact_id, max_by(message_sent_id, occurred_at) as message_sent_id
    from messages
    where contact_id is not null
    group by _source, sending_id, contact_id
),

placed as (
    select
        events.*,
        coalesce(messages.message_sent_id, last_messages.message_sent_id) as message_sent_id
    from events
    left join messages
        on events._source = messages._source and events.sent_by_id = messages.email_event_id
    left join last_messages
        on events._source = last_messages._source
        and events.sending_id = last_messages.sending_id
        and events.current_contact_id = last_messages.contact_id
    where events.kind is not null
)

select
    {{ profile_key('email_events', '_key') }} as message_response_id,
    _source,
    message_sent_id,
    {{ profile_key('contacts', 'current_contact_id') }} as person_key,
    kind,
    is_filtered as is_automatic,
    occurred_at,
    _first_loaded_at
from placed
-- what staff or an import changed was no answer to a message
where event_type <> 'STATUSCHANGE' or message_sent_id is not null
