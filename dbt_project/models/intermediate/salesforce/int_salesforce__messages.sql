with members as (
    select * from {{ current(ref('stg_salesforce__campaign_members')) }} as members
    where not _is_deleted
),

campaigns as (
    select * from {{ current(ref('stg_salesforce__campaigns')) }} as campaigns
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'campaign'
)

select
    {{ profile_key('campaign_members', 'members._key', 'members._source') }} as message_sent_id,
    members._source,
    -- a lead that became a contact keeps both
    coalesce(
        {{ profile_key('contacts', 'members.contact_id', 'members._source') }},
        {{ profile_key('leads', 'members.lead_id', 'members._source') }}
    ) as person_key,
    members.campaign_id,
    campaigns.name,
    coalesce(words.channel, 'other') as channel,
    -- who was chosen before the campaign began was written to when it began
    greatest(members.created_at, cast(campaigns.start_date as {{ type_moment() }})) as sent_at,
    coalesce(members.has_responded, false) as has_responded,
    cast(members.first_responded_date as {{ type_moment() }}) as responded_at,
    members._first_loaded_at
from members
left join campaigns
    on members._source = campaigns._source and members.campaign_id = campaigns._key
left join words on lower(campaigns.campaign_type) = words.word
where coalesce(campaigns.status, 'unknown') <> 'Planned'
