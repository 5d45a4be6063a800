{#
  Published numbers against those of this build, the same way for every snapshot table.

  Belongs here: which tables keep snapshots, and what of a row has changed.
  Does not belong here: why (`ops_restatement`), or what was published (`rapport.restatement`).
#}

{# Every table that keeps a slice per `as_of`, written as config(**snapshot_table()). #}
{% macro snapshot_tables() %}
    {{ return([
        'rel_bond', 'rel_bond_organization', 'rel_cadence', 'rel_community_health',
        'rel_data_trust', 'rel_disengagement', 'rel_disengagement_check', 'rel_engagement',
        'rel_engagement_segment', 'rel_importance', 'rel_journey', 'rel_journey_case',
        'rel_lifetime', 'rel_organization', 'rel_scoreboard', 'rel_tier', 'rel_tier_flow', 'rel_track',
        'rel_value', 'rel_value_model', 'rel_value_segment',
    ]) }}
{% endmacro %}


{# Where records of a table came from and when, to tell those that came late. #}
{% macro late_sources() %}
    {{ return([
        ('fct_interaction', 'interaction_id', 'occurred_at'),
        ('fct_purchase', 'purchase_id', 'occurred_at'),
        ('fct_case', 'case_id', 'opened_at'),
        ('fct_case_event', 'case_event_id', 'occurred_at'),
        ('fct_deal', 'deal_id', 'created_at'),
        ('fct_commitment', 'commitment_id', 'made_at'),
        ('fct_consent', 'profile_key', 'occurred_at'),
        ('fct_message_sent', 'message_sent_id', 'occurred_at'),
        ('fct_message_response', 'message_response_id', 'occurred_at'),
        ('fct_login', 'login_id', 'occurred_at'),
    ]) }}
{% endmacro %}


{#
  Queries, one per table of which something was published: a row per cell that is other now.

  Of a row that came or went one cell `*` stands for all. Only DuckDB keeps snapshots from build to
  build (`snapshot_table`), so nothing is compared elsewhere, and what compares may be its dialect.
#}
{% macro restated_cells() %}
    {% set queries = [] %}
    {% if execute and target.type == 'duckdb' %}
        {% for table in snapshot_tables() %}
            {% if adapter.get_relation(this.database, 'published', table) %}
                {% do queries.append(restated_cells_of(table)) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(queries) }}
{% endmacro %}


{% macro restated_cells_of(table) %}
    {%- set node = graph.nodes['model.rapport.' ~ table] -%}
    {%- set grain = graph.nodes.values() | selectattr('resource_type', 'equalto', 'test')
        | selectattr('attached_node', 'equalto', node.unique_id)
        | selectattr('test_metadata.name', 'equalto', 'primary_key') | list -%}
    {%- set keys = grain[0].test_metadata.kwargs['columns'] | reject('in', ['as_of', 'basis']) | list -%}
    {%- set was = adapter.get_columns_in_relation(
        adapter.get_relation(this.database, 'published', table)
    ) | map(attribute='name') | list -%}
    {%- set columns = node.columns.keys()
        | reject('in', keys + ['as_of', 'basis', 'known_at']) | select('in', was) | list %}
    select
        '{{ table }}' as table_name,
        told.as_of,
        told.basis_before,
        told.known_at_before,
        told.grain_key,
        cells.cell.column_name,
        cells.cell.value_before,
        cells.cell.value_after
    from (
        select
            days.as_of,
            days.basis as basis_before,
            days.known_at as known_at_before,
            concat_ws(
                ', '
                {%- for key in keys %},
                '{{ key }}=' || cast(coalesce(old.{{ key }}, new.{{ key }}) as string)
                {%- endfor %}
            ) as grain_key,
            case
                when old.as_of is null
                    then [{'column_name': '*', 'value_before': null, 'value_after': 'a row'}]
                when new.as_of is null
                    then [{'column_name': '*', 'value_before': 'a row', 'value_after': null}]
                else [
                    {%- for column in columns %}
                    {
                        'column_name': '{{ column }}',
                        'value_before': cast(old.{{ column }} as string),
                        'value_after': cast(new.{{ column }} as string)
                    }{{ ',' if not loop.last }}
                    {%- endfor %}
                ]
            end as cells
        from (select * from published.{{ table }}) as old
        full join (
            select *
            from {{ ref(table) }}
            where basis = 'backcast' and as_of in (select as_of from {{ source('control', 'published_snapshots') }})
        ) as new
            on
                old.as_of = new.as_of
                {%- for key in keys %}
                and old.{{ key }} = new.{{ key }}
                {%- endfor %}
        inner join {{ source('control', 'published_snapshots') }} as days
            on days.as_of = coalesce(old.as_of, new.as_of)
        where
            (
                {%- for column in columns %}
                {{ 'or ' if not loop.first }}old.{{ column }} is distinct from new.{{ column }}
                {%- endfor %}
            )
            -- a part of a build may have left this table out: what stands is what was published
            and (old.basis is distinct from 'as_known' or new.as_of is not null or old.as_of in (
                select as_of from {{ ref(table) }} where basis = 'backcast'
            ))
    ) as told,
    unnest(told.cells) as cells(cell)
    where cells.cell.value_before is distinct from cells.cell.value_after
{% endmacro %}


{# Pre-hook of `ops_restatement`: what a build said that was not published after all. #}
{% macro forget_unpublished_restatements() %}
    {% if is_incremental() %}
        delete from {{ this }}
        where exists (
            select 1
            from {{ source('control', 'published_snapshots') }} as published
            where
                published.as_of = {{ this }}.as_of
                and published.basis = {{ this }}.basis_before
                and published.known_at = {{ this }}.known_at_before
        )
    {% endif %}
{% endmacro %}
