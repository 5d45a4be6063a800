{#
    Where people write from, from version to version: an address at an organization's own domain
    is a stay there until the profile shows another address.
#}
with told as (
    {{ told_addresses() }}
),

-- A version without an address takes none away.
versions as (
    select
        told.profile_key,
        domains.organization_id,
        told._version,
        told._seq,
        row_number() over by_profile = 1 as is_first,
        lag(domains.organization_id) over by_profile as earlier_organization_id,
        case
            when row_number() over by_profile = 1
                then least(told._version, coalesce(told.created_at, told._version))
            else told._version
        end as valid_from
    from told
    left join {{ ref('identity_organization_domain') }} as domains
        on {{ email_domain('trim(told.email)') }} = domains.domain
    where told.email is not null
    window by_profile as (partition by told.profile_key order by told._version, told._seq)
),

changes as (
    select
        *,
        lead(valid_from) over (partition by profile_key order by _version, _seq) as valid_to
    from versions
    where is_first or organization_id is distinct from earlier_organization_id
)

select
    profile_key,
    organization_id,
    -- an address that came after a private one says nothing of an employer before
    case when not is_first then earlier_organization_id end as left_organization_id,
    valid_from,
    valid_to
from changes
where organization_id is not null
