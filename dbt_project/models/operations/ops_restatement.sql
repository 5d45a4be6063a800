{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=target.type == 'spark',
    on_schema_change='append_new_columns',
    pre_hook='{{ forget_unpublished_restatements() }}',
) }}

{% for table in snapshot_tables() -%}
-- depends_on: {{ ref(table) }}
{% endfor %}
with

run as (

    select * from {{ source('control', 'run') }}

),

published as (

    select * from {{ source('control', 'published_snapshots') }}

),

landed as (

    select * from {{ source('control', 'landed_since') }}

),

versions as (

    select * from {{ source('control', 'strategy_versions') }}

),

id_events as (

    select * from {{ ref('identity_event') }}

),

facts as (

    {% for table, id, happened in late_sources() -%}
    select
        split_part({{ id }}, ':', 1) || '.' || split_part({{ id }}, ':', 2) as place,
        {{ happened }} as happened_at,
        loaded_at
    from {{ ref(table) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

---------- what changed

cells as (

    {% for query in restated_cells() -%}
    {{ query }}
    {{ 'union all' if not loop.last }}
    {%- else -%}
    select
        cast(null as string) as table_name,
        as_of,
        basis as basis_before,
        known_at as known_at_before,
        cast(null as string) as grain_key,
        cast(null as string) as column_name,
        cast(null as string) as value_before,
        cast(null as string) as value_after
    from published
    where false
    {%- endfor %}

),

changed as (

    select
        *,
        count(*) over (partition by table_name, as_of, column_name) as rows_changed,
        row_number() over (
            partition by table_name, as_of, column_name
            order by
                abs(
                    {{ try_decimal('value_after') }} - {{ try_decimal('value_before') }}
                ) desc nulls last,
                grain_key
        ) as place
    from cells

),

---------- why

late_places as (

    select
        published.as_of,
        facts.place,
        count(*) as records
    from published
    cross join run
    inner join facts
        on
            facts.loaded_at > published.known_at
            and facts.loaded_at <= run.known_at
            and facts.happened_at < {{ end_of_day('published.as_of') }}
    group by published.as_of, facts.place

),

late as (

    select
        as_of,
        sum(records) as records,
        {{ joined("place || ' ' || cast(records as string)", 'place') }} as places
    from late_places
    group by as_of

),

other as (

    select
        places.as_of,
        sum(places.records) as records,
        {{ joined("places.place || ' ' || cast(places.records as string)", 'places.place') }} as places
    from (
        select
            published.as_of,
            landed.place,
            landed.records - coalesce(late_places.records, 0) as records
        from published
        inner join landed on published.known_at = landed.since
        left join late_places
            on published.as_of = late_places.as_of and landed.place = late_places.place
    ) as places
    where places.records > 0
    group by places.as_of

),

ids as (

    select
        published.as_of,
        count(case when id_events.event = 'merge' then 1 end) as merged,
        count(case when id_events.event = 'split' then 1 end) as split
    from published
    cross join run
    inner join id_events
        on
            id_events.entity = 'person'
            and id_events.occurred_at > published.known_at
            and id_events.occurred_at <= run.known_at
    group by published.as_of

),

strategies as (

    select
        published.as_of,
        max(case when versions.since <= published.known_at then versions.number end) as before,
        max(versions.number) as after
    from published
    cross join run
    inner join versions on versions.since <= run.known_at
    group by published.as_of

),

causes as (

    select
        published.as_of,
        cast(coalesce(late.records, 0) as bigint) as late_records,
        late.places as late_streams,
        cast(coalesce(other.records, 0) as bigint) as other_records,
        other.places as other_streams,
        cast(coalesce(ids.merged, 0) as bigint) as people_merged,
        cast(coalesce(ids.split, 0) as bigint) as people_split,
        strategies.before as strategy_before,
        strategies.after as strategy_after,
        coalesce(
            nullif(
                concat_ws(
                    '; ',
                    {{ counted('late.records', 'late record') }} || ': ' || late.places,
                    case
                        when ids.merged > 0
                            then {{ counted('ids.merged', 'id') }} || ' merged into others'
                    end,
                    case when ids.split > 0 then {{ counted('ids.split', 'id') }} || ' split' end,
                    case
                        when strategies.before is distinct from strategies.after
                            then 'version ' || cast(strategies.after as string) || ' of the strategy, was '
                            || coalesce('version ' || cast(strategies.before as string), 'none')
                    end,
                    case
                        when published.is_read_anew then 'other sources, mappings or models'
                    end,
                    {{ counted('other.records', 'other record') }} || ' landed: ' || other.places
                ),
                ''
            ),
            -- of a past day less is known than on the day itself: how fresh a source was, say
            'rebuilt from what is known now'
        ) as cause
    from published
    left join late on published.as_of = late.as_of
    left join other on published.as_of = other.as_of
    left join ids on published.as_of = ids.as_of
    left join strategies on published.as_of = strategies.as_of

),

final as (

    select
        ---------- grain
        changed.as_of,
        changed.table_name,
        changed.column_name,
        changed.basis_before,
        changed.known_at_before,
        run.known_at as known_at_after,

        ---------- what changed
        cast(changed.rows_changed as bigint) as rows_changed,
        changed.grain_key,
        changed.value_before,
        changed.value_after,

        ---------- why
        causes.cause,
        causes.late_records,
        causes.late_streams,
        causes.other_records,
        causes.other_streams,
        causes.people_merged,
        causes.people_split,
        causes.strategy_before,
        causes.strategy_after
    from changed
    cross join run
    inner join causes on changed.as_of = causes.as_of
    where changed.place = 1

)

select * from final
