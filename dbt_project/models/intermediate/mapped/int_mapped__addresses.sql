select
    _source || ':' || _stream || ':' || _key as profile_key,
    email,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_mapped__people')) }} as people
