with records as (
    select * from {{ current(ref('stg_salesforce__custom_objects')) }} as objects
    where not _is_deleted
),

fields as (
    select * from {{ source('control', 'custom_fields') }}
),

-- What a record says, field by field: a lookup is a field that holds an id.
told as (
    select
        records._source,
        records._stream,
        records._key,
        records._version,
        records.custom,
        {{ custom_value('records.custom', 'fields.field') }} as value
    from records
    inner join fields
        on records._source = fields.source and records._stream = fields.stream
),

referring as (
    select
        *,
        {{ salesforce_party('value') }} as profile_key
    from told
    where length(value) = 18
)

select distinct
    _source as source,
    _stream as stream,
    _key as native_id,
    profile_key,
    custom,
    _version as changed_at
from referring
where profile_key is not null
