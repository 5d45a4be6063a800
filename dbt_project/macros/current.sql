{#
    The current row per (_source, _stream, _key): greatest (_version, _seq) among what was loaded
    until `known_at` and could be typed. A deleted record keeps its last known values, with
    `_is_deleted`; a tombstone of a record that was never held gives no row. `_first_loaded_at`
    and `_last_loaded_at` span all versions.
#}
{% macro current(staged) %}
(
    select *
    from (
        select
            *,
            first_value(_op) over newest = 'delete' as _is_deleted,
            first_value(_merged_into) over newest as _now_merged_into,
            min(_loaded_at) over (partition by _source, _stream, _key) as _first_loaded_at,
            max(_loaded_at) over (partition by _source, _stream, _key) as _last_loaded_at,
            row_number() over (
                partition by _source, _stream, _key
                order by _is_tombstone, _version desc, _seq desc
            ) as _recency
        from {{ known(staged) }} as versions
        window newest as (
            partition by _source, _stream, _key order by _version desc, _seq desc
        )
    ) as ranked
    where _recency = 1 and not _is_tombstone
)
{% endmacro %}


{# Every version that this build may look at. #}
{% macro known(staged) %}
(
    select *
    from {{ staged }}
    where _error is null and _loaded_at <= (select known_at from {{ source('control', 'run') }})
)
{% endmacro %}


{% macro profile_key(stream, key, source='_source') -%}
case when {{ key }} is not null then {{ source }} || ':{{ stream }}:' || {{ key }} end
{%- endmacro %}
