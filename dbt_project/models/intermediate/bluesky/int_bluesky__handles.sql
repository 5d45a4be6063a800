-- Every name that an account ever went by: what somebody wrote down may be an earlier one.
with versions as (
    select * from {{ known(ref('stg_bluesky__profiles')) }} as versions
    where not _is_tombstone
)

select
    _source as source,
    {{ profile_key('profiles', 'did') }} as profile_key,
    {{ lower_case('handle') }} as handle
from versions
where handle <> 'handle.invalid'

union all

select _source, {{ profile_key('profiles', 'did') }}, {{ lower_case('did') }}
from versions
