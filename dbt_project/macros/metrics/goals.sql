{#
  What goals of the strategy need: the numbers of a table as rows.

  Belongs here: which columns take goals, as in `rapport/goals.py`, which reads the same YAML.
  Does not belong here: how a goal fares (`rel_scoreboard`).
#}

{# Name of every column of a table per segment that a goal can be about. #}
{% macro goal_columns(table) %}
    {%- set names = [] -%}
    {%- for node in graph.get('nodes', {}).values()
        if node.name == table and node.resource_type == 'model' -%}
        {%- for column in node.columns.values() -%}
            {%- set meta = column.config.meta -%}
            {%- if 'additivity' in meta and meta.unit != 'money'
                and column.name not in ('n', 'coverage', 'window_days') -%}
                {%- do names.append(column.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{#
  One row per goal, snapshot and segment: the number that the goal is about, for the segment of
  the goal and, where that is everybody, for every other one.
#}
{% macro goal_numbers(tables) %}
    {%- for table in tables %}
    select
        goals.goal,
        numbers.as_of,
        numbers.basis,
        numbers.segment_type,
        numbers.segment,
        numbers.segment_type = goals.segment_type and numbers.segment = goals.segment as is_whole,
        numbers.n,
        numbers.coverage,
        case goals.metric
            {%- for name in goal_columns(table) %}
            when '{{ name }}' then cast(numbers.{{ name }} as double)
            {%- endfor %}
            else cast(null as double)
        end as number
    from {{ ref(table) }} as numbers
    inner join {{ source('control', 'goals') }} as goals
        on goals.metric_table = '{{ table }}'
        and (
            goals.segment_type = 'all'
            or (goals.segment_type = numbers.segment_type and goals.segment = numbers.segment)
        )
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
