{#
  Cohorts of parties: everybody, the segments that strategy.yml names, and who came at one time.

  Belongs here: who is in which cohort. Does not belong here: what is measured of it.
#}

{#
  Lengths in days of the spans, counted back from the snapshot's day, in which arrivals are one;
  all consist of whole ones of the first length.
#}
{% macro arrival_spans() %}{{ return([28, 84, 364]) }}{% endmacro %}


{# One row per party of `parties` and cohort that does not depend on the day. #}
{% macro lasting_cohorts(parties) %}
    select
        party_id,
        'all' as cohort_type,
        'all' as cohort
    from {{ parties }}

    union all

    select
        {{ parties }}.party_id,
        rules.segment_type as cohort_type,
        coalesce(segments.segment, 'unknown') as cohort
    from {{ parties }}
    cross join {{ source('control', 'segment_rules') }} as rules
    -- a row per segment of the party, which has at least one per rule
    left join (
        select
            person_id as party_id,
            segment_type,
            segment
        from {{ ref('bridge_person_segment') }}
        union all
        select
            organization_id as party_id,
            segment_type,
            segment
        from {{ ref('bridge_organization_segment') }}
    ) as segments
        on rules.segment_type = segments.segment_type
        and {{ parties }}.party_id = segments.party_id
{% endmacro %}


{#
  The rows of `relation` in every cohort of theirs: as they stand, and those of everybody once more
  per span. Columns: `columns`, `span_days` (0 in cohorts that do not depend on the day), and
  `cohort_number`: `number` of `relation`, or how many spans ago they came, from 1. `relation` is
  counted by `first_span`, see below: so few rows stand for many parties.
#}
{% macro in_cohorts(relation, columns) %}
    select
        {{ columns | join(', ') }},
        0 as span_days,
        number as cohort_number
    from {{ relation }}
    {%- for span in arrival_spans() %}

    union all

    select
        {{ columns | join(', ') }},
        {{ span }} as span_days,
        cast(1 + floor((first_span - 1) / {{ span // arrival_spans()[0] }}) as int)
            as cohort_number
    from {{ relation }}
    where first_span is not null
    {%- endfor %}
{% endmacro %}

{# How many of the shortest spans ago a party of everybody came, from 1; null in other cohorts. #}
{% macro first_span(day, as_of) -%}
case
            when cohorts.is_everybody
                then cast(1 + floor({{ days_between(day, as_of) }} / {{ arrival_spans()[0] }}) as int)
        end
{%- endmacro %}


{# Days of a life that fall in the first `horizon` of them; all of the living were watched so long. #}
{% macro cut(lived, horizon) -%}
cast(least({{ lived }}, {{ horizon }}) as bigint)
{%- endmacro %}
