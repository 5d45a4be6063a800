-- Every name that an account ever went by: what somebody wrote down may be an earlier one.
select
    _source as source,
    {{ profile_key('users', '_key') }} as profile_key,
    {{ lower_case('username') }} as handle
from {{ known(ref('stg_discourse__users')) }} as versions
where not _is_tombstone and username is not null
