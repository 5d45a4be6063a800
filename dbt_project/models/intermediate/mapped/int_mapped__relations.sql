-- Who belongs where by the word of an import, beside the employer that a person's record names.
select
    person_key as profile_key,
    organization_key,
    role as title,
    false as is_direct,
    started_at is not null as is_start_known,
    coalesce(started_at, _first_loaded_at) as valid_from,
    -- an end to come is none yet
    case
        when ended_at <= run.known_at then ended_at
        when _is_deleted then _last_loaded_at
    end as valid_to,
    coalesce(ended_at <= run.known_at, false) as has_left
from {{ current(ref('stg_mapped__memberships')) }} as memberships
cross join {{ source('control', 'run') }} as run
where person_key is not null and organization_key is not null
