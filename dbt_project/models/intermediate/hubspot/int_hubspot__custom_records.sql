with records as (
    select objects.*, control.object_name
    from {{ current(ref('stg_hubspot__custom_objects')) }} as objects
    inner join {{ source('control', 'custom_objects') }} as control
        on objects._source = control.source and objects._stream = control.stream
    where not objects._is_deleted
),

links as (
    select
        _source,
        from_type,
        from_id,
        {{ profile_key('companies', 'to_id') }} as profile_key
    from {{ hubspot_links('companies') }} as companies

    union all

    select
        _source,
        from_type,
        from_id,
        {{ profile_key('contacts', 'to_id') }} as profile_key
    from {{ hubspot_links('contacts') }} as contacts
)

select
    records._source as source,
    records._stream as stream,
    records._key as native_id,
    links.profile_key,
    records.custom,
    records._version as changed_at
from records
inner join links
    on records._source = links._source
    and records.object_name = links.from_type
    and records._key = links.from_id
