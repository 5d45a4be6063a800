{#
    Custom fields and custom objects as JSON.

    Belongs here: what stands in `custom` of a person or an organization. Does not belong here:
    which record tells about whom (`dim_custom_field`), or the JSON of one record (`records`).
#}

{#
    One JSON object per person or organization: each custom field as the strongest profile tells
    it, and under the name of each custom object the list of its records, which name themselves
    in `_record_key`. An object's name is never a field's: there the field gives way.

    `profiles` has one row per `profile_key`, with `id` and `rank` (the strongest is first).
    Columns: `id`, `custom`.
#}
{% macro custom_of(profiles, id) %}
    with told as (
        select
            {{ profiles }}.{{ id }},
            {{ profiles }}.rank,
            fields.record_key,
            fields.field,
            objects.object_name,
            {{ json_text('fields.field') }} || ': ' || {{ json_of_custom('fields') }} as member
        from {{ ref('dim_custom_field') }} as fields
        inner join {{ profiles }} on fields.profile_key = {{ profiles }}.profile_key
        left join {{ source('control', 'custom_objects') }} as objects
            on fields.source = objects.source and fields.stream = objects.stream
    ),

    own as (
        select
            {{ id }},
            field as name,
            member,
            row_number() over (partition by {{ id }}, field order by rank) as place
        from told
        where object_name is null
            and field not in (select object_name from {{ source('control', 'custom_objects') }})
    ),

    -- once, though it may refer to several profiles of one
    records as (
        select
            {{ id }},
            object_name,
            record_key,
            '{"_record_key": ' || {{ json_text('record_key') }} || ', '
            || {{ joined('member', 'field') }} || '}' as record
        from (
            select distinct {{ id }}, object_name, record_key, field, member
            from told
            where object_name is not null
        ) as referring
        group by {{ id }}, object_name, record_key
    ),

    members as (
        select {{ id }}, name, member from own where place = 1

        union all

        select
            {{ id }},
            object_name as name,
            {{ json_text('object_name') }} || ': [' || {{ joined('record', 'record_key') }} || ']'
                as member
        from records
        group by {{ id }}, object_name
    )

    select
        {{ id }},
        '{' || {{ joined('member', 'name') }} || '}' as custom
    from members
    group by {{ id }}
{% endmacro %}


{# A row of `dim_custom_field` as the JSON of its type; a number keeps its digits. #}
{% macro json_of_custom(told) -%}
case
                when {{ told }}.type in ('integer', 'decimal') then {{ told }}.value_text
                when {{ told }}.type = 'boolean'
                    then cast({{ told }}.value_boolean as {{ dbt.type_string() }})
                when {{ told }}.type = 'json' and {{ is_json(told ~ '.value_text') }}
                    then {{ told }}.value_text
                else {{ json_text(told ~ '.value_text') }}
            end
{%- endmacro %}
