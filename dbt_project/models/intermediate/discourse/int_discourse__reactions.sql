with versions as (
    select
        *,
        {{ profile_key('posts', '_key') }} as interaction_id,
        coalesce(reactions like '%"id"%', false) as has_reactions
    from {{ known(ref('stg_discourse__posts')) }} as versions
    where not _is_tombstone
),

-- Where people react with emoji, a like is the heart among them, and the vendor may count the
-- others as likes a second time.
counted as (
    select
        _source,
        _stream,
        _seq,
        {{ custom_value('reaction', "'id'") }} as emoji,
        {{ try_decimal(custom_value('reaction', "'count'")) }} as n_reactions
    from (
        select *, {{ text_list('reactions') }} as reaction from versions where has_reactions
    ) as with_reactions

    union all

    select
        _source,
        _stream,
        _seq,
        'heart',
        {{ try_decimal(custom_value('action', "'count'")) }}
    from (
        select *, {{ text_list('actions') }} as action from versions where not has_reactions
    ) as with_actions
    where {{ custom_value('action', "'id'") }} = '2'
)

select {{ reaction_row({
    'interaction_id': 'versions.interaction_id', 'kind': "'like'",
    'n_reactions': 'coalesce(counted.n_reactions, 0)',
    'look': 'versions._seq', 'observed_at': 'versions._loaded_at',
}) }}
from versions
left join counted
    on versions._source = counted._source
    and versions._stream = counted._stream
    and versions._seq = counted._seq
    and counted.emoji = 'heart'

union all

select {{ reaction_row({
    'interaction_id': 'versions.interaction_id', 'kind': 'counted.emoji',
    'n_reactions': 'coalesce(counted.n_reactions, 0)',
    'look': 'versions._seq', 'observed_at': 'versions._loaded_at',
}) }}
from versions
inner join counted
    on versions._source = counted._source
    and versions._stream = counted._stream
    and versions._seq = counted._seq
    and counted.emoji <> 'heart'
