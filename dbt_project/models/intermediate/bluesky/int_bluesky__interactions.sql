with posts as (
    select * from {{ current(ref('stg_bluesky__posts')) }} as posts
),

notifications as (
    select * from {{ current(ref('stg_bluesky__notifications')) }} as notifications
),

ours as (
    select distinct _source, did
    from {{ current(ref('stg_bluesky__profiles')) }} as profiles
    where is_ours
),

-- One post, whether a search or a notification showed it first; gone when either says so.
acts as (
    select
        posts._source, posts.uri, posts.author_did, posts.claimed_at, posts.indexed_at,
        posts.reply,
        coalesce(posts.about like '%"own"%', false) as is_ours,
        coalesce(posts.about like '%"reply"%' or notifications.reason = 'reply', false)
            as replies_to_us,
        coalesce(posts.about like '%"quote"%' or notifications.reason = 'quote', false)
            as quotes_us,
        coalesce(posts.about like '%"mention"%' or notifications.reason = 'mention', false)
            as mentions_us,
        least(posts._first_loaded_at, notifications._first_loaded_at) as loaded_at,
        posts._is_deleted or coalesce(notifications._is_deleted, false) as is_gone
    from posts
    left join notifications
        on posts._source = notifications._source and posts.uri = notifications.uri

    union all

    select
        _source, uri, author_did, claimed_at, indexed_at, reply, false,
        reason = 'reply', reason = 'quote', reason = 'mention', _first_loaded_at, _is_deleted
    from notifications
    where not exists (
        select 1
        from posts
        where posts._source = notifications._source and posts.uri = notifications.uri
    )
),

-- A notification calls `indexedAt` the earlier clock: what claims the year 1 was seen in the year 1.
threaded as (
    select
        acts.*,
        ours.did as our_did,
        case
            when indexed_at >= cast('1990-01-01' as {{ type_moment() }}) then indexed_at
            else loaded_at
        end as seen_at,
        {{ try_timestamp('acts.claimed_at') }} as claimed,
        {{ custom_value(custom_value('acts.reply', "'parent'"), "'uri'") }} as parent_uri,
        {{ custom_value(custom_value('acts.reply', "'root'"), "'uri'") }} as root_uri
    from acts
    left join ours on acts._source = ours._source
),

kinds as (
    select
        *,
        case
            when is_ours and parent_uri is null then 'announcement'
            when is_ours or replies_to_us then 'reply'
            when quotes_us then 'quote'
            when mentions_us then 'mention'
            when parent_uri is not null then 'reply'
            else 'post'
        end as kind
    from threaded
)

-- A URI names the author: at://<did>/<collection>/<key>. Who turns to us in a post of their own
-- does so unasked. The earlier clock counts, but one that shows a year before the web is none.
select {{ interaction_row({
    'source': '_source', 'stream': "'posts'",
    'interaction_id': profile_key('posts', 'uri'),
    'channel': "'social'", 'kind': 'kind',
    'thread_id': profile_key('posts', 'coalesce(root_uri, uri)'),
    'in_reply_to_interaction_id': profile_key('posts', 'parent_uri'),
    'actor_profile_key': profile_key('profiles', 'author_did'),
    'target_profile_key': "case
        when kind = 'reply' then " ~ profile_key('profiles', "split_part(parent_uri, '/', 3)") ~ "
        when kind in ('mention', 'quote') then " ~ profile_key('profiles', 'our_did') ~ "
    end",
    'is_prompted': "case when kind in ('mention', 'post') and parent_uri is null then false end",
    'visibility': "'public'",
    'occurred_at': "case
        when claimed >= cast('1990-01-01' as " ~ type_moment() ~ ") and claimed < seen_at
            then claimed
        else seen_at
    end",
    'source_seen_at': 'seen_at', 'loaded_at': 'loaded_at', 'is_deleted': 'is_gone',
}) }}
from kinds
