{#
  What every relationship snapshot shares: which dates are built, what replaces what, coverage.

  Belongs here: the common columns and the rules about them.
  Does not belong here: numbers.
#}

{# Raised by one whenever a definition changes, so that old rows stay readable as what they are. #}
{% macro metric_version() -%}'1'{%- endmacro %}


{# One row per snapshot of this build: `as_of`, `basis`, `known_at`. #}
{% macro snapshots() %}
    select
        snapshots.as_of,
        snapshots.basis,
        run.known_at
    from {{ source('control', 'snapshots') }} as snapshots
    cross join {{ source('control', 'run') }} as run
{% endmacro %}


{# One row: the settings that the relationship tables read, with their defaults. #}
{% macro metric_settings() %}
    select
        coalesce(max(case when name = 'has_strategy' then value end), 'false') = 'true'
            as has_strategy,
        {%- for name, type, default in [
            ('quiet_days', 'int', 180),
            ('slowing_gap_ratio', 'decimal(9, 3)', 2),
            ('quiet_gap_ratio', 'decimal(9, 3)', 4),
            ('thriving_quick_ratio', 'decimal(9, 3)', 1),
            ('thriving_answered_share', 'decimal(9, 3)', 0.8),
            ('thriving_absence_factor', 'int', 5),
            ('leading_share', 'decimal(9, 6)', 0.98),
            ('contributing_share', 'decimal(9, 6)', 0.9),
            ('participating_share', 'decimal(9, 6)', 0.6),
            ('outlook_days', 'int', 365),
            ('save_list', 'int', 20),
            ('volunteered_expiry_days', 'int', 730),
            ('owner_of_relationships', 'string', "'leadership'"),
            ('owner_of_community', 'string', "'leadership'"),
            ('owner_of_processes', 'string', "'leadership'"),
            ('owner_of_qualities', 'string', "'leadership'"),
        ] %}
        coalesce(
            cast(max(case when name = '{{ name }}' then value end) as {{ type }}), {{ default }}
        ) as {{ name }},
        {%- endfor %}
        -- without a default: what nobody says is unknown
        {%- for name in ['margin_share', 'service_hour'] %}
        cast(max(case when name = '{{ name }}' then value end) as decimal(18, 6)) as {{ name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ source('control', 'settings') }}
{% endmacro %}


{#
  One row per snapshot: which silos could be seen by then, and the share of the needed ones.

  A silo that was never read is unknown, not empty: its numbers are null.
#}
{% macro silos_seen(needed) %}
    select
        as_of,
        basis,
        {%- for silo in needed %}
        coalesce(bool_or(is_seen) filter (where silo = '{{ silo }}'), false) as sees_{{ silo }},
        {%- endfor %}
        cast(count(*) filter (where is_seen and silo in ('{{ needed | join("', '") }}')) as double)
            / {{ needed | length }} as coverage
    from {{ ref('int_silos__seen') }}
    group by as_of, basis
{% endmacro %}


{#
  Config of every snapshot table, written as config(**snapshot_table()). Spark's plain tables cannot
  delete rows: there each build stands in the place of the last.
#}
{% macro snapshot_table() %}
    {{ return({'materialized': 'snapshots' if target.type == 'duckdb' else 'table'}) }}
{% endmacro %}


{#
  A table of snapshots: exactly those that this build computes are replaced, in one transaction, so
  that a reader sees the old rows or the new ones. History is kept: a full refresh would lose
  snapshots that cannot be computed again as they were known. Columns that are new are null in it,
  and those that are no more stay.
#}
{% materialization snapshots, adapter='duckdb' %}
    {%- set kept, table = load_cached_relation(this), this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if kept is none -%}
        {%- call statement('main') -%}
            {{ create_table_as(False, table, compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- set contract = config.get('contract').enforced -%}
        {%- set rows = get_select_subquery(compiled_code) if contract else compiled_code -%}
        {%- set told = model.columns.values() if contract else get_column_schema_from_query(compiled_code) -%}
        {%- set there = get_column_schema_from_query('select * from ' ~ table) | map(attribute='name') | list -%}
        {%- call statement('main') -%}
            {%- for column in told if column.name not in there -%}
                alter table {{ table }} add column {{ column.name }} {{ column.data_type }};
            {% endfor -%}
            delete from {{ table }}
            where exists (
                select 1
                from {{ source('control', 'snapshots') }} as snapshots
                where snapshots.as_of = {{ table }}.as_of and snapshots.basis = {{ table }}.basis
            );
            insert into {{ table }} by name (
                {{ rows }}
            )
        {%- endcall -%}
    {%- endif -%}
    {%- do persist_docs(table, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}
