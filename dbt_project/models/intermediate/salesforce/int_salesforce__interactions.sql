with cases as (
    select * from {{ ref('int_salesforce__cases') }}
),

case_comments as (
    select
        *,
        {{ profile_key('case_comments', '_key') }} as interaction_id,
        {{ profile_key('cases', 'case_id') }} as thread_id,
        {{ salesforce_person('created_by_id') }} as actor_profile_key,
        coalesce(is_published, false) as is_public
    from {{ current(ref('stg_salesforce__case_comments')) }} as case_comments
),

opportunities as (
    select
        {{ profile_key('opportunities', '_key') }} as deal_key,
        {{ profile_key('accounts', 'account_id') }} as organization_key
    from {{ current(ref('stg_salesforce__opportunities')) }} as opportunities
),

words as (
    select * from {{ ref('channel_word') }} where usage = 'activity'
),

-- An open task is a plan, not an act; the copies of a meeting in other calendars are one meeting.
activities as (
    select
        _source, _stream, _is_deleted, _first_loaded_at, who_id, what_id, account_id, owner_id,
        {{ profile_key('tasks', '_key') }} as interaction_id,
        lower(coalesce(nullif(task_subtype, 'Task'), task_type, 'task')) as word,
        coalesce(call_type = 'Inbound', false) as is_inbound,
        false as is_private,
        coalesce(completed_at, cast(activity_date as {{ type_moment() }}), created_at) as occurred_at,
        created_at
    from {{ current(ref('stg_salesforce__tasks')) }} as tasks
    where is_closed

    union all

    select
        _source, _stream, _is_deleted, _first_loaded_at, who_id, what_id, account_id, owner_id,
        {{ profile_key('events', '_key') }} as interaction_id,
        lower(coalesce(event_type, 'meeting')) as word,
        false as is_inbound,
        coalesce(is_private, false) as is_private,
        coalesce(start_at, activity_at, cast(activity_date as {{ type_moment() }})) as occurred_at,
        created_at
    from {{ current(ref('stg_salesforce__events')) }} as events
    where not coalesce(is_child, false)
),

addressed_activities as (
    select
        *,
        {{ salesforce_user('owner_id') }} as inside_key,
        {{ salesforce_person('who_id') }} as outside_key,
        coalesce(
            {{ profile_key('accounts', 'account_id') }},
            case when what_id like '001%' then {{ profile_key('accounts', 'what_id') }} end
        ) as account_key,
        case when what_id like '006%' then {{ profile_key('opportunities', 'what_id') }} end
            as deal_key,
        case when what_id like '500%' then {{ profile_key('cases', 'what_id') }} end as case_key
    from activities
),

-- Whom a merge or a conversion leaves: records that pointed to who went may do so for good.
standing as (
    select profile_key, coalesce(merged_into, converted_into, profile_key) as person_key
    from (
        select source || ':' || stream || ':' || native_id as profile_key, merged_into, converted_into
        from {{ ref('int_salesforce__profiles') }}
        where entity = 'person'
    ) as people
),

relations as (
    select
        _source, _stream, _is_deleted, _first_loaded_at, created_at,
        {{ profile_key('event_relations', '_key') }} as interaction_id,
        {{ profile_key('events', 'event_id') }} as activity_id,
        {{ salesforce_person('relation_id') }} as profile_key
    from {{ current(ref('stg_salesforce__event_relations')) }} as event_relations
    where not coalesce(is_what, false) and coalesce(status, 'New') <> 'Declined'

    union all

    select
        _source, _stream, _is_deleted, _first_loaded_at, created_at,
        {{ profile_key('task_relations', '_key') }},
        {{ profile_key('tasks', 'task_id') }},
        {{ salesforce_person('relation_id') }}
    from {{ current(ref('stg_salesforce__task_relations')) }} as task_relations
    where not coalesce(is_what, false)
),

-- Everybody else whom an activity was with, once: the people its own record names are told there.
further_people as (
    select
        relations._source,
        relations._stream,
        relations.interaction_id,
        relations.profile_key,
        relations.profile_key like '%:users:%' as is_inside,
        relations.created_at,
        relations._first_loaded_at,
        relations._is_deleted or activities._is_deleted as is_deleted,
        activities.interaction_id as activity_id,
        activities.word,
        activities.is_inbound,
        activities.is_private,
        activities.occurred_at,
        activities.inside_key,
        activities.outside_key,
        activities.account_key,
        row_number() over (
            partition by activities.interaction_id,
                coalesce(people.person_key, relations.profile_key)
            order by relations._is_deleted, relations.interaction_id
        ) as turn
    from relations
    inner join addressed_activities as activities
        on relations.activity_id = activities.interaction_id
    left join standing as people on relations.profile_key = people.profile_key
    left join standing as those_named on activities.outside_key = those_named.profile_key
    -- a room is nobody
    where relations.profile_key is not null
        and coalesce(people.person_key, relations.profile_key)
            <> coalesce(those_named.person_key, activities.outside_key, '')
        and relations.profile_key <> coalesce(activities.inside_key, '')
)

select {{ interaction_row({
    'source': 'source', 'stream': "'cases'", 'interaction_id': 'case_id', 'channel': "'case'",
    'place': 'channel', 'kind': "'case_opened'", 'direction': "'inbound'", 'thread_id': 'case_id',
    'actor_profile_key': 'person_key', 'organization_key': 'organization_key',
    'visibility': "'public'", 'occurred_at': 'opened_at', 'source_seen_at': 'opened_at',
    'loaded_at': 'loaded_at', 'is_deleted': 'is_deleted',
}) }}
from cases

union all

select {{ interaction_row({
    'source': '_source', 'stream': '_stream', 'interaction_id': 'interaction_id',
    'channel': "'case'", 'place': 'cases.channel', 'kind': "'case_comment'",
    'direction': "case when not is_public then 'internal' end", 'thread_id': 'thread_id',
    'in_reply_to_interaction_id': 'thread_id', 'actor_profile_key': 'actor_profile_key',
    'target_profile_key': 'case when is_public then cases.person_key end',
    'organization_key': 'cases.organization_key',
    'visibility': "case when is_public then 'public' else 'private' end",
    'occurred_at': 'created_at', 'source_seen_at': 'created_at', 'loaded_at': '_first_loaded_at',
    'is_deleted': '_is_deleted or coalesce(cases.is_deleted, false)',
}) }}
from case_comments
left join cases on case_comments.thread_id = cases.case_id

union all

select {{ interaction_row({
    'source': '_source', 'stream': '_stream', 'interaction_id': 'interaction_id',
    'channel': "coalesce(words.channel, 'task')", 'kind': "coalesce(words.kind, 'task')",
    'direction': "case when is_inbound then 'inbound' else 'outbound' end",
    'thread_id': 'case_key', 'in_reply_to_interaction_id': 'case_key',
    'actor_profile_key': 'case when is_inbound then outside_key else inside_key end',
    'target_profile_key': 'case when is_inbound then inside_key else outside_key end',
    'organization_key':
        'coalesce(account_key, opportunities.organization_key, cases.organization_key)',
    'visibility': "case when is_private then 'private' else 'public' end",
    'occurred_at': 'occurred_at', 'source_seen_at': 'created_at', 'loaded_at': '_first_loaded_at',
    'is_deleted': '_is_deleted',
}) }}
from addressed_activities
left join words on addressed_activities.word = words.word
left join opportunities on addressed_activities.deal_key = opportunities.deal_key
left join cases on addressed_activities.case_key = cases.case_id

union all

-- We turn to each of them, or each to us; a colleague who came along turns to whom it was with.
select {{ interaction_row({
    'source': '_source', 'stream': '_stream', 'interaction_id': 'interaction_id',
    'channel': "coalesce(words.channel, 'task')", 'kind': "coalesce(words.kind, 'task')",
    'direction': "case when is_inbound then 'inbound' else 'outbound' end",
    'thread_id': 'activity_id',
    'actor_profile_key': 'case when is_inbound or is_inside then profile_key else inside_key end',
    'target_profile_key': 'case when is_inside then outside_key
        when is_inbound then inside_key else profile_key end',
    'organization_key': 'case when is_inside then account_key end',
    'visibility': "case when is_private then 'private' else 'public' end",
    'occurred_at': 'occurred_at', 'source_seen_at': 'created_at', 'loaded_at': '_first_loaded_at',
    'is_deleted': 'is_deleted',
}) }}
from further_people
left join words on further_people.word = words.word
where turn = 1
