select
    _source || ':users:' || _key as profile_key,
    email,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_discourse__users')) }} as users
