with versions as (
    select
        *,
        {{ profile_key('posts', 'uri') }} as interaction_id
    from {{ known(ref('stg_bluesky__posts')) }} as versions
    where not _is_tombstone
)

{% for kind, count in [('like', 'n_likes'), ('repost', 'n_reposts')] -%}
select {{ reaction_row({
    'interaction_id': 'interaction_id', 'kind': "'" ~ kind ~ "'",
    'n_reactions': 'coalesce(' ~ count ~ ', 0)', 'look': '_seq', 'observed_at': '_loaded_at',
}) }}
from versions
{{ 'union all' if not loop.last }}
{% endfor %}
