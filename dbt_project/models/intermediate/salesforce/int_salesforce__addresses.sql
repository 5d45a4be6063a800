select
    _source || ':contacts:' || _key as profile_key,
    email,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_salesforce__contacts')) }} as contacts
