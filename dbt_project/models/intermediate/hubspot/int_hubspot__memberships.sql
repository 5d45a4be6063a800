{#
    A link to a company changes without its contact, so its own versions tell who was where and
    when; a contact whose links are not known tells the company in its own versions.
#}
with contacts as (
    select * from {{ current(ref('stg_hubspot__contacts')) }} as contacts
),

-- The record of all links ends as a tombstone, which knows its key alone.
links as (
    select
        _source,
        max(from_type) over by_key as from_type,
        max(from_id) over by_key as contact_id,
        max(to_type) over by_key as to_type,
        case when _op <> 'delete' then links else '[null]' end as links,
        _version,
        _seq
    from {{ known(ref('stg_hubspot__associations')) }} as associations
    window by_key as (partition by _source, _key)
),

versions as (
    select _source, contact_id, _version, _seq, {{ text_list('links') }} as link
    from links
    where from_type = 'contacts' and to_type = 'companies'
),

told as (
    select
        versions._source,
        versions.contact_id,
        min_by(
            {{ custom_value('link', "'toObjectId'") }},
            case when {{ hubspot_is_primary('link') }} then 0 else 1 end
        ) as company_id,
        versions._version,
        versions._seq
    from versions
    group by versions._source, versions.contact_id, versions._version, versions._seq
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
