with accounts as (
    select * from {{ current(ref('stg_bluesky__profiles')) }} as accounts
),

acts as (
    select _source, author_did, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_bluesky__posts')) }} as posts
    union all
    select _source, author_did, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_bluesky__notifications')) }} as notifications
    union all
    select _source, author_did, _first_loaded_at, _last_loaded_at
    from {{ current(ref('stg_bluesky__reactions')) }} as reactions
),

-- Authors, and who liked our posts, whose account was never shown to us.
authors as (
    select
        _source,
        author_did as did,
        min(_first_loaded_at) as first_loaded_at,
        max(_last_loaded_at) as last_loaded_at
    from acts
    where author_did is not null
        and not exists (
            select 1
            from accounts
            where accounts._source = acts._source and accounts.did = acts.author_did
        )
    group by _source, author_did
)

-- Nothing here identifies a person: a handle links to nobody who did not give it to us.
select {{ profile_row({
    'source': '_source', 'stream': "'profiles'", 'native_id': 'did', 'entity': "'person'",
    'display_name': "coalesce(
        nullif(trim(display_name), ''), nullif(handle, 'handle.invalid'), did
    )",
    'is_staff': 'is_ours', 'is_bot': 'false', 'is_deleted': '_is_deleted',
    'first_seen_at': '_first_loaded_at', 'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from accounts

union all

select {{ profile_row({
    'source': '_source', 'stream': "'profiles'", 'native_id': 'did', 'entity': "'person'",
    'display_name': 'did', 'is_bot': 'false', 'is_deleted': 'false',
    'first_seen_at': 'first_loaded_at', 'last_seen_at': 'last_loaded_at',
}) }}
from authors
