with recursive interactions as (
    select
        *,
        _source || ':' || _stream || ':' || _key as interaction_id
    from {{ current(ref('stg_mapped__interactions')) }} as interactions
    where occurred_at is not null
),

-- From what opens a thread down to the last reply, where the source does not name the thread.
threads as (
    select
        interactions.interaction_id,
        coalesce(
            interactions.thread_id,
            interactions.in_reply_to_id,
            case when lower(interactions.kind) in ('question', 'post', 'announcement')
                then interactions.interaction_id end
        ) as thread_id
    from interactions
    left join interactions as parents on interactions.in_reply_to_id = parents.interaction_id
    where parents.interaction_id is null

    union all

    select
        interactions.interaction_id,
        coalesce(interactions.thread_id, threads.thread_id, threads.interaction_id)
    from threads
    inner join interactions on threads.interaction_id = interactions.in_reply_to_id
),

-- Accepting is told by the question; a source that never tells leaves it unknown.
accepted as (
    select distinct accepted_id from interactions where accepted_id is not null
),

sources_with_acceptance as (
    select distinct _source from interactions where accepted_id is not null
),

cases as (
    select * from {{ ref('int_mapped__cases') }}
),

answers as (
    select * from {{ ref('int_mapped__survey_answers') }}
)

select {{ interaction_row({
    'source': 'interactions._source', 'stream': 'interactions._stream',
    'interaction_id': 'interactions.interaction_id',
    'channel': "coalesce(lower(interactions.channel), 'other')", 'place': 'interactions.place',
    'kind': "coalesce(lower(interactions.kind), 'other')",
    'direction': 'lower(interactions.direction)',
    'thread_id': 'coalesce(threads.thread_id, interactions.thread_id)',
    'in_reply_to_interaction_id': 'interactions.in_reply_to_id',
    'actor_profile_key': 'interactions.person_key',
    'target_profile_key': 'coalesce(interactions.to_person_key, parents.person_key)',
    'organization_key': 'interactions.organization_key',
    'is_accepted': "case when lower(interactions.kind) in ('answer', 'reply')
        and sources_with_acceptance._source is not null
        then accepted.accepted_id is not null end",
    'is_prompted': 'interactions.is_prompted',
    'visibility': "coalesce(lower(interactions.visibility), 'public')",
    'occurred_at': 'interactions.occurred_at', 'source_seen_at': 'interactions.occurred_at',
    'loaded_at': 'interactions._first_loaded_at', 'is_deleted': 'interactions._is_deleted',
}) }}
from interactions
left join interactions as parents on interactions.in_reply_to_id = parents.interaction_id
left join threads on interactions.interaction_id = threads.interaction_id
left join accepted on interactions.interaction_id = accepted.accepted_id
left join sources_with_acceptance on interactions._source = sources_with_acceptance._source

union all

select {{ interaction_row({
    'source': 'source', 'stream': "split_part(case_id, ':', 2)", 'interaction_id': 'case_id',
    'channel': "'case'", 'place': 'channel', 'kind': "'case_opened'", 'direction': "'inbound'",
    'thread_id': 'case_id', 'actor_profile_key': 'person_key',
    'organization_key': 'organization_key', 'visibility': "'public'", 'occurred_at': 'opened_at',
    'source_seen_at': 'opened_at', 'loaded_at': 'loaded_at', 'is_deleted': 'is_deleted',
}) }}
from cases

union all

select {{ interaction_row({
    'source': 'source', 'stream': 'stream', 'interaction_id': 'survey_answer_id',
    'channel': "'survey'", 'place': 'kind', 'kind': "'survey'", 'direction': "'inbound'",
    'actor_profile_key': 'person_key', 'organization_key': 'organization_key',
    'is_prompted': 'true', 'visibility': "'private'", 'occurred_at': 'occurred_at',
    'source_seen_at': 'source_seen_at', 'loaded_at': 'loaded_at', 'is_deleted': 'is_deleted',
}) }}
from answers
