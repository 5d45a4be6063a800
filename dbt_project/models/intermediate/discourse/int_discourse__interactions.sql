with topics as (
    select * from {{ current(ref('stg_discourse__topics')) }} as topics
),

-- Sources where answers can be accepted: only there does "not accepted" mean something.
sources_with_solutions as (
    select distinct _source from topics where has_accepted_answer is not null
),

posts as (
    select
        posts.*,
        {{ profile_key('posts', 'posts._key', 'posts._source') }} as interaction_id,
        posts._source || ':users:' || cast(posts.user_id as {{ dbt.type_string() }})
            as author_key,
        coalesce(posts.is_staff or posts.is_admin or posts.is_moderator or posts.user_id < 0, false)
            as is_ours,
        topics.category_id,
        posts._is_deleted
        or posts.deleted_at is not null
        or coalesce(posts.is_deleted_by_author, false)
        or coalesce(topics._is_deleted or topics.deleted_at is not null, false) as is_gone
    from {{ current(ref('stg_discourse__posts')) }} as posts
    left join topics on posts._source = topics._source and posts.topic_id = topics.topic_id
    -- 1 is a post, 2 a moderator's; small actions and whispers are not for here
    where posts.post_type in (1, 2)
        and coalesce(topics.archetype, 'regular') <> 'private_message'
),

openings as (
    select * from posts where post_number = 1
),

-- A post without a number replied to, or to one we do not hold, answers the topic.
threaded as (
    select
        posts.*,
        openings.interaction_id as thread_id,
        openings.author_key as opener_key,
        openings.is_ours as is_opened_by_us,
        coalesce(parents.interaction_id, openings.interaction_id) as parent_id,
        coalesce(parents.author_key, openings.author_key) as parent_author_key,
        parents.interaction_id is null or parents.post_number = 1 as is_direct
    from posts
    left join openings
        on posts._source = openings._source and posts.topic_id = openings.topic_id
    left join posts as parents
        on posts._source = parents._source
        and posts.topic_id = parents.topic_id
        and posts.reply_to_post_number = parents.post_number
),

kinds as (
    select
        *,
        case
            when post_number = 1 and is_ours then 'announcement'
            when post_number = 1 then 'question'
            when is_direct and not is_opened_by_us and author_key <> opener_key then 'answer'
            else 'reply'
        end as kind
    from threaded
)

select {{ interaction_row({
    'source': 'kinds._source', 'stream': '_stream', 'interaction_id': 'interaction_id',
    'channel': "'forum'", 'place': 'category_id', 'kind': 'kind', 'thread_id': 'thread_id',
    'in_reply_to_interaction_id': 'case when post_number > 1 then parent_id end',
    'actor_profile_key': 'author_key',
    'target_profile_key': 'case when post_number > 1 then parent_author_key end',
    'is_accepted': "case when kind in ('answer', 'reply')
        and sources_with_solutions._source is not null then coalesce(is_accepted, false) end",
    'visibility': "'public'", 'occurred_at': 'created_at', 'source_seen_at': 'created_at',
    'loaded_at': '_first_loaded_at', 'is_deleted': 'is_gone',
}) }}
from kinds
left join sources_with_solutions on kinds._source = sources_with_solutions._source
