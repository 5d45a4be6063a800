with cases as (
    select * from {{ ref('int_hubspot__cases') }}
),

deals as (
    select * from {{ ref('int_hubspot__deals') }}
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'activity'
),

contacts as (
    select * from {{ current(ref('stg_hubspot__contacts')) }} as contacts
),

-- Drafts, plans, open tasks and what was called off are no acts.
activities as (
    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, 'call' as word,
        case when direction = 'INBOUND' then 'inbound' else 'outbound' end as direction,
        cast(null as {{ dbt.type_string() }}) as address, occurred_at, created_at
    from {{ current(ref('stg_hubspot__calls')) }} as calls
    where coalesce(status, 'COMPLETED') in ('COMPLETED', 'BUSY', 'MISSED', 'NO_ANSWER')

    union all

    -- what staff forwarded to the CRM was sent by nobody known
    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, 'email',
        case direction when 'INCOMING_EMAIL' then 'inbound' when 'EMAIL' then 'outbound' end,
        lower(case direction when 'INCOMING_EMAIL' then from_email else to_email end),
        occurred_at, created_at
    from {{ current(ref('stg_hubspot__emails')) }} as emails
    where coalesce(direction, 'EMAIL') <> 'DRAFT_EMAIL'
        and coalesce(status, 'SENT') not in ('FAILED', 'SCHEDULED')

    union all

    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, 'meeting', 'outbound',
        null, coalesce(start_at, occurred_at), created_at
    from {{ current(ref('stg_hubspot__meetings')) }} as meetings
    where coalesce(outcome, 'SCHEDULED') in ('SCHEDULED', 'COMPLETED')

    union all

    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, 'note', 'internal',
        null, occurred_at, created_at
    from {{ current(ref('stg_hubspot__notes')) }} as notes

    union all

    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, 'task', 'outbound',
        null, coalesce(completed_at, due_at), created_at
    from {{ current(ref('stg_hubspot__tasks')) }} as tasks
    where status = 'COMPLETED'

    union all

    -- who wrote whom is not told
    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, lower(channel_type),
        null, null, occurred_at, created_at
    from {{ current(ref('stg_hubspot__communications')) }} as communications

    union all

    select
        _source, _stream, _key, _is_deleted, _first_loaded_at, owner_id, 'postal_mail',
        null, null, occurred_at, created_at
    from {{ current(ref('stg_hubspot__postal_mail')) }} as letters
),

people as (
    select links.*, lower(contacts.email) as email
    from {{ hubspot_links('contacts') }} as links
    left join contacts on links._source = contacts._source and links.to_id = contacts._key
),

-- Of several people the one at whose address it was, else the one who was there first.
parties as (
    select *
    from (
        select
            activities._source,
            activities._stream,
            activities._key,
            people.to_id,
            row_number() over (
                partition by activities._source, activities._stream, activities._key
                order by coalesce(people.email = activities.address, false) desc, people.link_rank
            ) as party_rank
        from activities
        inner join people
            on activities._source = people._source
            and activities._stream = people.from_type
            and activities._key = people.from_id
    ) as ranked
    where party_rank = 1
),

addressed as (
    select
        activities.*,
        {{ profile_key('owners', 'activities.owner_id', 'activities._source') }} as inside_key,
        {{ profile_key('contacts', 'parties.to_id', 'activities._source') }} as outside_key,
        {{ profile_key('companies', 'companies.to_id', 'activities._source') }} as company_key,
        {{ profile_key('deals', 'deal_links.to_id', 'activities._source') }} as deal_key,
        {{ profile_key('tickets', 'ticket_links.to_id', 'activities._source') }} as case_key
    from activities
    left join parties
        on activities._source = parties._source
        and activities._stream = parties._stream
        and activities._key = parties._key
    {%- for links, to_type in [
        ('companies', 'companies'), ('deal_links', 'deals'), ('ticket_links', 'tickets')
    ] %}
    left join {{ hubspot_links(to_type) }} as {{ links }}
        on activities._source = {{ links }}._source
        and activities._stream = {{ links }}.from_type
        and activities._key = {{ links }}.from_id
        and {{ links }}.link_rank = 1
    {%- endfor %}
),

answers as (
    select * from {{ ref('int_hubspot__survey_answers') }}
),

-- A submission keeps the id that its contact had then.
submissions as (
    select
        submissions.*,
        forms.name as form_name,
        coalesce(merges.contact_id, submissions.contact_id) as current_contact_id
    from {{ current(ref('stg_hubspot__form_submissions')) }} as submissions
    left join {{ current(ref('stg_hubspot__forms')) }} as forms
        on submissions._source = forms._source and submissions.form_id = forms._key
    left join {{ hubspot_merges() }} as merges
        on submissions._source = merges._source and submissions.contact_id = merges._key
)

select {{ interaction_row({
    'source': 'source', 'stream': "'tickets'", 'interaction_id': 'case_id', 'channel': "'case'",
    'place': 'channel', 'kind': "'case_opened'", 'direction': "'inbound'", 'thread_id': 'case_id',
    'actor_profile_key': 'person_key', 'organization_key': 'organization_key',
    'visibility': "'public'", 'occurred_at': 'opened_at', 'source_seen_at': 'opened_at',
    'loaded_at': 'loaded_at', 'is_deleted': 'is_deleted',
}) }}
from cases

union all

select {{ interaction_row({
    'source': 'addressed._source', 'stream': '_stream',
    'interaction_id': "addressed._source || ':' || _stream || ':' || _key",
    'channel': "coalesce(words.channel, 'other')", 'kind': "coalesce(words.kind, 'other')",
    'direction': 'addressed.direction',
    'thread_id': 'case_key', 'in_reply_to_interaction_id': 'case_key',
    'actor_profile_key': "case when addressed.direction = 'inbound' then outside_key
        when addressed.direction is not null or addressed._stream = 'communications'
        then inside_key end",
    'target_profile_key': "case when addressed.direction = 'inbound' then inside_key
        when addressed.direction = 'outbound' then outside_key end",
    'organization_key':
        'coalesce(company_key, deals.organization_key, cases.organization_key)',
    'visibility': "case when addressed.direction = 'internal' then 'private' else 'public' end",
    'occurred_at': 'coalesce(addressed.occurred_at, addressed.created_at)',
    'source_seen_at': 'addressed.created_at', 'loaded_at': '_first_loaded_at',
    'is_deleted': '_is_deleted',
}) }}
from addressed
left join words on addressed.word = words.word
left join deals on addressed.deal_key = deals.deal_id
left join cases on addressed.case_key = cases.case_id

union all

select {{ interaction_row({
    'source': 'source', 'stream': 'stream', 'interaction_id': 'survey_answer_id',
    'channel': "'survey'", 'place': 'kind', 'kind': "'survey'", 'direction': "'inbound'",
    'actor_profile_key': 'person_key', 'is_prompted': 'true', 'visibility': "'private'",
    'occurred_at': 'occurred_at', 'source_seen_at': 'source_seen_at', 'loaded_at': 'loaded_at',
    'is_deleted': 'is_deleted',
}) }}
from answers

union all

select {{ interaction_row({
    'source': '_source', 'stream': '_stream',
    'interaction_id': profile_key('form_submissions', '_key'), 'channel': "'web'",
    'place': 'form_name', 'kind': "'form'", 'direction': "'inbound'",
    'actor_profile_key': profile_key('contacts', 'current_contact_id'), 'is_prompted': 'false',
    'visibility': "'private'", 'occurred_at': 'submitted_at', 'source_seen_at': 'submitted_at',
    'loaded_at': '_first_loaded_at', 'is_deleted': '_is_deleted',
}) }}
from submissions
