{#
    HubSpot keeps links and stages as lists inside records.
#}

{#
    One row per current link between records that are there: `from_type`, `from_id`, `to_id`,
    its label, and its place among the links of a record: the primary one first, then the oldest.
#}
{% macro hubspot_links(to_type) %}
(
    select
        _source,
        from_type,
        from_id,
        to_id,
        nullif(nullif(label, ''), 'Primary') as label,
        row_number() over (
            partition by _source, from_type, from_id
            order by is_primary desc, length(to_id), to_id
        ) as link_rank
    from (
        select
            _source,
            from_type,
            from_id,
            {{ custom_value('link', "'toObjectId'") }} as to_id,
            regexp_extract(link, '"label": ?"([^"]+)"', 1) as label,
            {{ hubspot_is_primary('link') }} as is_primary
        from (
            select _source, from_type, from_id, {{ text_list('links') }} as link
            from {{ current(ref('stg_hubspot__associations')) }} as associations
            where to_type = '{{ to_type }}' and not _is_deleted
        ) as spread
    ) as told
)
{% endmacro %}

{% macro hubspot_is_primary(link) -%}
replace({{ link }}, '": ', '":') like '%"label":"Primary"%'
{%- endmacro %}

{# One row per stage of the pipelines of deals or tickets. #}
{% macro hubspot_stages(object_type) %}
(
    select
        _source,
        pipeline_id,
        {{ custom_value('stage', "'id'") }} as stage_id,
        {{ custom_value('stage', "'label'") }} as label,
        {{ custom_value(custom_value('stage', "'metadata'"), "'isClosed'") }} = 'true' as is_closed,
        {{ custom_value(custom_value('stage', "'metadata'"), "'probability'") }} = '1.0' as is_won
    from (
        select _source, pipeline_id, {{ text_list('stages') }} as stage
        from {{ current(ref('stg_hubspot__pipelines')) }} as pipelines
        where object_type = '{{ object_type }}' and not _is_deleted
    ) as spread
)
{% endmacro %}


{# Current deals or tickets, with what their stage says and the company they are about. #}
{% macro hubspot_in_stages(object_type, id) %}
    select
        records.*,
        coalesce(stages.label, records.stage) as stage_label,
        stages.is_closed as is_stage_closed,
        stages.is_won as is_stage_won,
        companies.to_id as company_id
    from {{ current(ref('stg_hubspot__' ~ object_type)) }} as records
    left join {{ hubspot_stages(object_type) }} as stages
        on records._source = stages._source
        and records.pipeline = stages.pipeline_id
        and records.stage = stages.stage_id
    left join {{ hubspot_links('companies') }} as companies
        on records._source = companies._source
        and records.{{ id }} = companies.from_id
        and companies.from_type = '{{ object_type }}'
        and companies.link_rank = 1
{% endmacro %}


{# Which contact an id that was merged away now is: one row per (_source, _key), `contact_id`. #}
{% macro hubspot_merges() %}
(
    select _source, _key, max_by(_merged_into, _seq) as contact_id
    from {{ known(ref('stg_hubspot__contacts')) }} as versions
    where _merged_into is not null
    group by _source, _key
)
{% endmacro %}
