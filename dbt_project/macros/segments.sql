{#
    Segments that strategy.yml names: one value per person (or organization) and rule.

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


{# What a rule found, in a form that can be a group; nothing reads `unknown`. #}
{% macro segment_of(value) -%}
coalesce(nullif(trim({{ value }}), ''), 'unknown')
{%- endmacro %}
