{#
    Companies that a contact is linked with beside its main one, from the version of its links that
    shows them first to the one that does so no more. Who is unlinked, or linked as the main one
    then, did not leave by that.
#}
with contacts as (
    select * from {{ current(ref('stg_hubspot__contacts')) }} as contacts
),

links as (
    select * from {{ ref('int_hubspot__contact_companies') }}
),

versions as (
    select
        _source,
        contact_id,
        version_number,
        _version,
        lead(_version) over (
            partition by _source, contact_id order by version_number
        ) as next_version
    from links
    where link_rank = 1
),

-- Versions that follow each other show one relation.
beside as (
    select
        *,
        version_number - row_number() over (
            partition by _source, contact_id, company_id order by version_number
        ) as relation
    from links
    where link_rank > 1
),

told as (
    select
        beside._source,
        beside.contact_id,
        beside.company_id,
        min(beside.version_number) > 1 as is_start_known,
        min(versions._version) as first_version,
        case when count(*) = count(versions.next_version) then max(versions.next_version) end
            as valid_to
    from beside
    inner join versions
        on beside._source = versions._source
        and beside.contact_id = versions.contact_id
        and beside.version_number = versions.version_number
    group by beside._source, beside.contact_id, beside.company_id, beside.relation
)

select
    told._source || ':contacts:' || told.contact_id as profile_key,
    {{ profile_key('companies', 'told.company_id', 'told._source') }} as organization_key,
    cast(null as {{ dbt.type_string() }}) as title,
    false as is_direct,
    told.is_start_known,
    case
        when told.is_start_known then told.first_version
        else least(told.first_version, coalesce(contacts.created_at, told.first_version))
    end as valid_from,
    told.valid_to,
    false as has_left
from told
inner join contacts
    on told._source = contacts._source and told.contact_id = contacts.contact_id
