-- Who takes a like back and gives it again has made two records of one like.
with ranked as (
    select
        *,
        {{ try_timestamp('claimed_at') }} as claimed,
        row_number() over (
            partition by _source, post_uri, author_did, reason
            order by _is_deleted, indexed_at desc, uri desc
        ) as nth
    from {{ current(ref('stg_bluesky__reactions')) }} as reactions
)

-- The earlier clock counts, but one that shows a year before the web is none.
select {{ given_reaction_row({
    'source': '_source',
    'interaction_id': profile_key('posts', 'post_uri'),
    'actor_profile_key': profile_key('profiles', 'author_did'),
    'kind': 'reason',
    'occurred_at': "case
        when claimed >= cast('1990-01-01' as " ~ type_moment() ~ ") and claimed < indexed_at
            then claimed
        when indexed_at >= cast('1990-01-01' as " ~ type_moment() ~ ") then indexed_at
    end",
    'first_seen_at': '_first_loaded_at',
    'taken_back_at': 'case when _is_deleted then _last_loaded_at end',
}) }}
from ranked
where nth = 1
