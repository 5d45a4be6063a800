with fields as (
    select * from {{ source('control', 'custom_fields') }}
),

profiles as (
    select
        profile_key,
        entity,
        coalesce(person_id, organization_id) as entity_id,
        source,
        stream,
        custom
    from {{ ref('dim_profile') }}
    where not is_deleted
),

referring as (
    select * from {{ ref('int_salesforce__custom_records') }}
    union all
    select * from {{ ref('int_hubspot__custom_records') }}
),

-- A profile's own record, and those of custom objects that refer to it.
records as (
    select
        profiles.*,
        profile_key as record_key,
        cast(null as {{ type_moment() }}) as record_changed_at
    from profiles
    where custom is not null

    union all

    select
        profiles.profile_key,
        profiles.entity,
        profiles.entity_id,
        referring.source,
        referring.stream,
        referring.custom,
        referring.source || ':' || referring.stream || ':' || referring.native_id as record_key,
        referring.changed_at as record_changed_at
    from referring
    inner join profiles on referring.profile_key = profiles.profile_key
),

told as (
    select
        records.entity,
        records.entity_id,
        records.profile_key,
        records.record_key,
        records.record_changed_at,
        records.source,
        records.stream,
        fields.field,
        fields.type,
        fields.pii,
        nullif(trim({{ custom_value('records.custom', 'fields.field') }}), '') as text,
        {{ custom_number('records.custom', 'fields.field') }} as number
    from records
    inner join fields
        on records.source = fields.source and records.stream = fields.stream
),

-- As text, too, a number keeps its digits.
worded as (
    select
        *,
        case
            when type in ('integer', 'decimal')
                then {{ number_text('number') }}
            else text
        end as value_text
    from told
)

select
    entity,
    entity_id,
    profile_key,
    record_key,
    record_changed_at,
    source,
    stream,
    field,
    type,
    value_text,
    case when type in ('integer', 'decimal') then number end as value_number,
    case when type in ('date', 'timestamp') then {{ try_date('value_text') }} end as value_date,
    case when type = 'boolean' then try_cast(value_text as boolean) end as value_boolean,
    pii
from worded
where value_text is not null and entity_id is not null
