with users as (
    select
        *,
        -- an erased person keeps the account, with an address that is none
        email like '%@anonymized.invalid' as is_anonymized
    from {{ current(ref('stg_discourse__users')) }} as users
),

-- Authors whom the list of users does not show, as their newest post shows them.
authors as (
    select *
    from (
        select
            *,
            min(_first_loaded_at) over (partition by _source, user_id) as _author_first_loaded_at,
            max(_last_loaded_at) over (partition by _source, user_id) as _author_last_loaded_at,
            row_number() over (partition by _source, user_id order by post_id desc) as _place
        from {{ current(ref('stg_discourse__posts')) }} as posts
        where user_id is not null
    ) as ranked
    where _place = 1
        and not exists (
            select 1
            from users
            where users._source = ranked._source and users.user_id = ranked.user_id
        )
)

select {{ profile_row({
    'source': '_source', 'stream': '_stream', 'native_id': '_key', 'entity': "'person'",
    'display_name': "coalesce(nullif(trim(name), ''), username)",
    'full_name': "nullif(trim(name), username)",
    'email': 'case when not is_anonymized then email end',
    'further_emails': 'case when not is_anonymized then secondary_emails end',
    'is_email_verified': 'coalesce(is_active, true) and not coalesce(is_staged, false)',
    'external_id': 'external_id',
    'is_staff': '(coalesce(is_admin, false) or coalesce(is_moderator, false)) and user_id > 0',
    'is_bot': 'user_id < 0', 'is_single_account': 'user_id > 0', 'is_deleted': '_is_deleted',
    'created_at': 'created_at', 'first_seen_at': '_first_loaded_at',
    'last_seen_at': '_last_loaded_at', 'custom': 'custom',
}) }}
from users

union all

select {{ profile_row({
    'source': '_source', 'stream': "'users'",
    'native_id': 'cast(user_id as ' ~ dbt.type_string() ~ ')',
    'entity': "'person'", 'display_name': 'username',
    'is_staff': 'coalesce(is_staff, false) and user_id > 0', 'is_bot': 'user_id < 0',
    'is_single_account': 'user_id > 0', 'is_deleted': 'false',
    'first_seen_at': '_author_first_loaded_at', 'last_seen_at': '_author_last_loaded_at',
}) }}
from authors
