{#
  Published numbers against those of this build, the same way for every snapshot table.

  Belongs here: which tables keep snapshots, and what of a row has changed.
  Does not belong here: why (`ops_restatement`), or what was published (`rapport.restatement`).
#}

{#
  Every table that keeps a slice per `as_of`, written as config(**snapshot_table()) -> the columns that
  name a row within one. Written out, because a build of a parsed project does not know what other
  models declare; `tests/dbt/test_metrics_build.py` holds the list against it.
#}
{% macro snapshot_tables() %}
    {{ return({
        'rel_bond': ['person_id', 'other_person_id'],
        'rel_bond_organization': ['organization_id', 'other_organization_id'],
        'rel_cadence': ['step', 'segment_type', 'segment', 'ordinal'],
        'rel_community_health': ['segment_type', 'segment'],
        'rel_data_trust': ['source', 'stream', 'field'],
        'rel_disengagement': ['person_id'],
        'rel_disengagement_check': ['horizon_days', 'population'],
        'rel_engagement': ['person_id'],
        'rel_engagement_segment': ['segment_type', 'segment'],
        'rel_importance': ['person_id'],
        'rel_journey': ['window_days', 'process', 'from_step', 'to_step'],
        'rel_journey_case': ['journey_id'],
        'rel_lifetime': ['step', 'quiet_days', 'cohort_type', 'cohort'],
        'rel_organization': ['organization_id'],
        'rel_part_correlation': ['score', 'part', 'other_part'],
        'rel_scoreboard': ['goal'],
        'rel_tier': ['programme', 'person_id'],
        'rel_tier_flow': ['programme', 'from_tier', 'to_tier'],
        'rel_tier_service': ['programme', 'tier'],
        'rel_track': ['quality', 'party_kind', 'indicator', 'given_by'],
        'rel_value': ['party_id', 'currency'],
        'rel_value_model': ['model', 'currency'],
        'rel_value_segment': ['segment_type', 'segment', 'currency'],
    }) }}
{% endmacro %}


{# Columns that tell of the moment of the build: they move with the clock and restate nothing. #}
{% macro told_of_the_build() %}
    {{ return(['known_at', 'freshness_hours']) }}
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
        {% for table, keys in snapshot_tables().items() %}
            {% set published = adapter.get_relation(this.database, 'published', table) %}
            {% if published %}
                {% do queries.append(restated_cells_of(table, keys, published)) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(queries) }}
{% endmacro %}


{% macro restated_cells_of(table, keys, published) %}
    {%- set now = adapter.get_columns_in_relation(ref(table)) | map(attribute='name') | list -%}
    {%- set columns = adapter.get_columns_in_relation(published) | map(attribute='name')
        | reject('in', keys + ['as_of', 'basis'] + told_of_the_build()) | select('in', now) | list %}
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
        from {{ published }} as old
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
