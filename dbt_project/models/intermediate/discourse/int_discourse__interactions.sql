with topics as (
    select * from {{ current(ref('stg_discourse__topics')) }} as topics
),

users as (
    select * from {{ current(ref('stg_discourse__users')) }} as users
),

categories as (
    select * from {{ current(ref('stg_discourse__categories')) }} as categories
),

-- The vendor nests at most three deep.
places as (
    select
        categories._source,
        categories.category_id,
        concat_ws(' > ', grandparents.name, parents.name, categories.name) as place
    from categories
    left join categories as parents
        on categories._source = parents._source
        and categories.parent_category_id = parents.category_id
    left join categories as grandparents
        on parents._source = grandparents._source
        and parents.parent_category_id = grandparents.category_id
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
        coalesce(places.place, cast(topics.category_id as {{ dbt.type_string() }})) as place,
        posts._is_deleted
        or posts.deleted_at is not null
        or coalesce(posts.is_deleted_by_author, false)
        or coalesce(topics._is_deleted or topics.deleted_at is not null, false) as is_gone
    from {{ current(ref('stg_discourse__posts')) }} as posts
    left join topics on posts._source = topics._source and posts.topic_id = topics.topic_id
    left join places
        on topics._source = places._source and topics.category_id = places.category_id
    -- 1 is a post, 2 a moderator's; small actions and whispers are not for here
    where posts.post_type in (1, 2)
        and coalesce(topics.archetype, 'regular') <> 'private_message'
),

openings as (
    select * from posts where post_number = 1
),

-- Who quotes somebody of the same topic answers there: of several, the one who wrote last.
quotes as (
    select
        citing._source,
        citing.post_id,
        max(quoted.post_number) as quoted_number
    from (
        select *, {{ text_list('quotes') }} as quote
        from posts
        where quotes is not null
    ) as citing
    inner join posts as quoted
        on citing._source = quoted._source
        and citing.topic_id = quoted.topic_id
        and {{ custom_value('citing.quote', "'topic'") }}
            = cast(quoted.topic_id as {{ dbt.type_string() }})
        and {{ custom_value('citing.quote', "'post'") }}
            = cast(quoted.post_number as {{ dbt.type_string() }})
        and citing.author_key <> quoted.author_key
    group by citing._source, citing.post_id
),

-- Names ignore case. A post that mentions several people turns to none of them.
mentions as (
    select
        mentioning._source,
        mentioning.post_id,
        max(users.user_id) as user_id
    from (
        select *, {{ text_list('mentions') }} as mention
        from posts
        where mentions is not null
    ) as mentioning
    inner join users
        on mentioning._source = users._source
        and {{ lower_case('mentioning.mention') }} = {{ lower_case('users.username') }}
        and mentioning.user_id <> users.user_id
    group by mentioning._source, mentioning.post_id
    having count(distinct users.user_id) = 1
),

-- Since when each answer has been accepted, as far as we saw: the source does not tell.
accepted as (
    select _source, post_id, min(_loaded_at) as accepted_seen_at
    from (
        select
            *,
            max(case when not coalesce(is_accepted, false) then _seq end)
                over (partition by _source, post_id) as open_seq
        from {{ known(ref('stg_discourse__posts')) }} as versions
    ) as versions
    where is_accepted and _seq > coalesce(open_seq, -1)
    group by _source, post_id
),

-- A post that names none, or one we do not hold, answers the topic.
threaded as (
    select
        posts.*,
        accepted.accepted_seen_at,
        openings.interaction_id as thread_id,
        openings.author_key as opener_key,
        openings.is_ours as is_opened_by_us,
        coalesce(parents.interaction_id, openings.interaction_id) as parent_id,
        coalesce(
            parents.author_key,
            {{ profile_key('users', 'cast(mentions.user_id as ' ~ dbt.type_string() ~ ')',
                'mentions._source') }},
            openings.author_key
        ) as parent_author_key,
        parents.interaction_id is null or parents.post_number = 1 as is_direct
    from posts
    left join openings
        on posts._source = openings._source and posts.topic_id = openings.topic_id
    left join quotes
        on posts._source = quotes._source and posts.post_id = quotes.post_id
    left join mentions
        on posts._source = mentions._source and posts.post_id = mentions.post_id
    left join accepted
        on posts._source = accepted._source and posts.post_id = accepted.post_id
    left join posts as parents
        on posts._source = parents._source
        and posts.topic_id = parents.topic_id
        and coalesce(posts.reply_to_post_number, quotes.quoted_number) = parents.post_number
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
    'channel': "'forum'", 'place': 'place', 'kind': 'kind', 'thread_id': 'thread_id',
    'in_reply_to_interaction_id': 'case when post_number > 1 then parent_id end',
    'actor_profile_key': 'author_key',
    'target_profile_key': 'case when post_number > 1 then parent_author_key end',
    'is_accepted': "case when kind in ('answer', 'reply')
        and sources_with_solutions._source is not null then coalesce(is_accepted, false) end",
    'accepted_seen_at': "case when kind in ('answer', 'reply') and is_accepted
        then accepted_seen_at end",
    'visibility': "'public'", 'occurred_at': 'created_at', 'source_seen_at': 'created_at',
    'loaded_at': '_first_loaded_at', 'is_deleted': 'is_gone',
}) }}
from kinds
left join sources_with_solutions on kinds._source = sources_with_solutions._source
