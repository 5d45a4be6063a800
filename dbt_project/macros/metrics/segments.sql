{#
  The zoom levels of community health: everything, one silo, one place in it, and the segments of
  people that strategy.yml names.

  One row of `relation` (which carries `silo` and `place`) becomes one row per level, so that sums
  over the silos, over the places, or over the segments of one rule, equal the whole (a person
  with several choices in one field counts in each). `person` is
  the column that says whose segment it is.
#}
{% macro in_segments(relation, person) %}
    {{ in_places(relation) }}

    union all

    {{ by_person_segment(relation, person) }}
{% endmacro %}


{# The levels that need no person. #}
{% macro in_places(relation) %}
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


{# One row per row of `relation` and segment rule; who is not known is in segment `unknown`. #}
{% macro by_person_segment(relation, person) %}
    select
        rules.segment_type,
        coalesce(segments.segment, 'unknown') as segment,
        {{ relation }}.*
    from {{ relation }}
    cross join {{ source('control', 'segment_rules') }} as rules
    -- a row per segment of the person, who has at least one per rule
    left join {{ ref('bridge_person_segment') }} as segments
        on
            rules.segment_type = segments.segment_type
            and {{ relation }}.{{ person }} = segments.person_id
{% endmacro %}
