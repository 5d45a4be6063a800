{#
    A link to a company changes without its contact: the record of all links of a contact has
    versions of its own, and ends as a tombstone, which knows its key alone.
#}
with links as (
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

spread as (
    select _source, contact_id, _version, _seq, {{ text_list('links') }} as link
    from links
    where from_type = 'contacts' and to_type = 'companies'
),

read as (
    select
        _source,
        contact_id,
        {{ custom_value('link', "'toObjectId'") }} as company_id,
        {{ hubspot_is_primary('link') }} as is_primary,
        _version,
        _seq
    from spread
)

select
    _source,
    contact_id,
    company_id,
    -- the main one, else the oldest, as in `hubspot_links`
    row_number() over (
        partition by _source, contact_id, _version, _seq
        order by coalesce(is_primary, false) desc, length(company_id), company_id
    ) as link_rank,
    dense_rank() over (partition by _source, contact_id order by _version, _seq) as version_number,
    _version,
    _seq
from read
