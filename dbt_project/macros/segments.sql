{#
    Segments that strategy.yml names: the values of a person (or organization) by a rule.

    Belongs here: how a rule finds its value. Does not belong here: which rules there are
    (`control.segment_rules`) or what is counted by them (`macros/metrics/segments.sql`).
#}

{#
    Custom fields of one entity as told by its most recently seen profile, else by the latest
    record of a custom object that refers to it.
    Columns: `entity_id`, `field`, `value`.
#}
{% macro custom_values(entity) %}
    select
        entity_id,
        field,
        value_text as value
    from (
        select
            custom_fields.entity_id,
            custom_fields.field,
            custom_fields.value_text,
            row_number() over (
                partition by custom_fields.entity_id, custom_fields.field
                order by
                    custom_fields.record_key <> custom_fields.profile_key,
                    custom_fields.record_changed_at desc nulls last,
                    profiles.last_seen_at desc nulls last,
                    custom_fields.profile_key,
                    custom_fields.record_key
            ) as choice
        from {{ ref('dim_custom_field') }} as custom_fields
        inner join {{ ref('dim_profile') }} as profiles
            on custom_fields.profile_key = profiles.profile_key
        where custom_fields.entity = '{{ entity }}' and custom_fields.pii = 'none'
    ) as ranked
    where choice = 1
{% endmacro %}


{#
    What the rules found, in a form that can be groups: vendors write several choices in one field
    as `dyeing;knitting`, which is two segments; nothing reads `unknown`.

    `relation` has one row per `id` and `segment_type` with its `value`. Columns: `id`,
    `segment_type`, `segment`.
#}
{% macro segments_of(relation, id) %}
    select distinct
        {{ id }},
        segment_type,
        trim(choice) as segment
    from (
        select
            {{ id }},
            segment_type,
            {{ choices("case when trim(replace(value, ';', ' ')) <> '' then value else 'unknown' end") }}
                as choice
        from {{ relation }}
    ) as chosen
    where trim(choice) <> ''
{% endmacro %}


{# One row per choice of a field. #}
{% macro choices(value) -%}
{{ adapter.dispatch('choices', 'rapport')(value) }}
{%- endmacro %}

{% macro default__choices(value) -%}
unnest(string_split({{ value }}, ';'))
{%- endmacro %}

{% macro spark__choices(value) -%}
explode(split({{ value }}, ';'))
{%- endmacro %}
