with events as (
    select
        events.*,
        coalesce(merges.contact_id, events.contact_id) as current_contact_id
    from {{ current(ref('stg_hubspot__email_events')) }} as events
    left join {{ hubspot_merges() }} as merges
        on events._source = merges._source and events.contact_id = merges._key
    where not events._is_deleted and events.event_type = 'SENT'
),

-- An e-mail is sent under one id or, automated, under several.
sendings as (
    select _source, sending_id, min(_key) as email_id
    from (
        select _source, _key, {{ text_list('sendings') }} as sending_id
        from {{ current(ref('stg_hubspot__marketing_emails')) }} as emails
    ) as spread
    group by _source, sending_id
),

emails as (
    select * from {{ current(ref('stg_hubspot__marketing_emails')) }} as emails
),

campaigns as (
    select * from {{ current(ref('stg_hubspot__campaigns')) }} as campaigns
)

select
    {{ profile_key('email_events', 'events._key', 'events._source') }} as message_sent_id,
    events._source,
    events.email_event_id,
    events.sending_id,
    events.current_contact_id as contact_id,
    {{ profile_key('contacts', 'events.current_contact_id', 'events._source') }} as person_key,
    coalesce(emails._key, events.sending_id) as message_id,
    emails.name,
    campaigns.name as campaign,
    events.occurred_at,
    events._first_loaded_at
from events
left join sendings
    on events._source = sendings._source and events.sending_id = sendings.sending_id
left join emails on sendings._source = emails._source and sendings.email_id = emails._key
left join campaigns on emails._source = campaigns._source and emails.campaign_id = campaigns._key
