-- An erased person had no address.
with versions as (
    select
        *,
        max(case when email like '%@anonymized.invalid' then 1 else 0 end)
            over (partition by _source, _key) as is_anonymized
    from {{ known(ref('stg_discourse__users')) }} as users
)

select
    _source || ':users:' || _key as profile_key,
    email,
    created_at,
    _version,
    _seq
from versions
where is_anonymized = 0
