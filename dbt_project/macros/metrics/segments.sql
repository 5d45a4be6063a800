{#
  The zoom levels of community health: everything, one silo, one place in it.

  One row of `relation` (which carries `silo` and `place`) becomes one row per level, so that sums
  over the silos, or over the places, equal the whole.
#}
{% macro in_segments(relation) %}
    select
        'all' as segment_type,
        'all' as segment,
        *
    from {{ relation }}

    union all

    select
        'silo' as segment_type,
        silo as segment,
        *
    from {{ relation }}

    union all

    select
        'place' as segment_type,
        silo || '/' || coalesce(place, '(no place)') as segment,
        *
    from {{ relation }}
{% endmacro %}
