with fields as (
    select * from {{ source('control', 'custom_fields') }}
),

profiles as (
    select *
    from {{ ref('dim_profile') }}
    where not is_deleted and custom is not null
),

told as (
    select
        profiles.entity,
        coalesce(profiles.person_id, profiles.organization_id) as entity_id,
        profiles.profile_key,
        profiles.source,
        profiles.stream,
        fields.field,
        fields.type,
        fields.pii,
        nullif(trim({{ custom_value('profiles.custom', 'fields.field') }}), '') as text,
        {{ custom_number('profiles.custom', 'fields.field') }} as number
    from profiles
    inner join fields
        on profiles.source = fields.source and profiles.stream = fields.stream
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
