-- A contact whose links are not known tells the company in its own versions.
with contacts as (
    select * from {{ current(ref('stg_hubspot__contacts')) }} as contacts
),

told as (
    select * from {{ ref('int_hubspot__contact_companies') }} where link_rank = 1
)

select
    told._source || ':contacts:' || told.contact_id as profile_key,
    {{ profile_key('companies', 'told.company_id', 'told._source') }} as organization_key,
    contacts.title,
    contacts.created_at,
    told._version,
    told._seq
from told
inner join contacts
    on told._source = contacts._source and told.contact_id = contacts.contact_id

union all

select
    _source || ':contacts:' || _key as profile_key,
    case when _op <> 'delete' then {{ profile_key('companies', 'company_id') }} end
        as organization_key,
    title,
    created_at,
    _version,
    _seq
from {{ known(ref('stg_hubspot__contacts')) }} as contact_versions
where not exists (
    select 1
    from told
    where told._source = contact_versions._source and told.contact_id = contact_versions._key
)
