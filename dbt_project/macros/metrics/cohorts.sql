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
  per span. Columns: `columns`, `cohort_type`, `cohort`, and `span_number`: how many spans ago they
  came, from 1; null in the other cohorts. `relation` is counted by `first_span`, the number of the
  shortest spans, of which the others consist: so few rows stand for many parties.
#}
{% macro in_cohorts(relation, columns) %}
    select
        {{ columns | join(', ') }},
        cohort_type,
        cohort,
        cast(null as int) as span_number
    from {{ relation }}
    {%- for span in arrival_spans() %}

    union all

    select
        {{ columns | join(', ') }},
        'arrival_{{ span }}d' as cohort_type,
        cast(span_number as string) as cohort,
        span_number
    from (
        select
            *,
            cast(1 + floor((first_span - 1) / {{ span // arrival_spans()[0] }}) as int)
                as span_number
        from {{ relation }}
        where cohort_type = 'all'
    ) as arrivals_{{ span }}
    {%- endfor %}
{% endmacro %}

{# How many of the shortest spans ago a party of everybody came, from 1; null in other cohorts. #}
{% macro first_span(day, as_of) -%}
case
            when cohorts.cohort_type = 'all'
                then cast(1 + floor({{ days_between(day, as_of) }} / {{ arrival_spans()[0] }}) as int)
        end
{%- endmacro %}


{# Length in days of the span that `cohort_type` names. #}
{% macro span_length() -%}
(case cohort_type
    {%- for span in arrival_spans() %} when 'arrival_{{ span }}d' then {{ span }}{% endfor %} end)
{%- endmacro %}


{# Days of a life that fall in the first `horizon` of them; all of the living were watched so long. #}
{% macro cut(lived, horizon) -%}
cast(least({{ lived }}, {{ horizon }}) as bigint)
{%- endmacro %}
