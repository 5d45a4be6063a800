select {{ given_reaction_row({
    'source': '_source',
    'interaction_id': profile_key('posts', 'cast(post_id as ' ~ dbt.type_string() ~ ')'),
    'actor_profile_key': profile_key('users', 'cast(user_id as ' ~ dbt.type_string() ~ ')'),
    'kind': "case when coalesce(emoji, 'heart') = 'heart' then 'like' else emoji end",
    'first_seen_at': '_first_loaded_at',
    'taken_back_at': 'case when _is_deleted then _last_loaded_at end',
}) }}
from {{ current(ref('stg_discourse__likes')) }} as likes
