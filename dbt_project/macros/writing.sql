{#
    How a model's rows are written on DuckDB: at once and under the table's own name.

    dbt-duckdb 1.11 writes a table beside the one that stands, renames both and drops the old one
    after the commit, and asks for the columns before each comment. DuckDB takes back all of a
    transaction, so none of this is needed, and for a small company it cost as much as its rows.

    Belongs here: materializations, and dbt's own macros where one statement will do for many.
    Does not belong here: which rows; Spark (`spark.sql`).
#}

{# A table that each build replaces. What reads it meanwhile sees it as it was. #}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set before, table = load_cached_relation(this), this.incorporate(type='table') -%}
    {%- if before is not none and not before.is_table -%}
        {%- do adapter.drop_relation(before) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement('main', language=model.language) -%}
        {%- if model.language == 'sql' -%} drop table if exists {{ table }}; {% endif -%}
        {{ create_table_as(False, table, compiled_code, model.language) }}
    {%- endcall -%}
    {%- do persist_docs(table, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}


{#
    A contract is held while the rows are written: the types of columns are known when a query is
    bound, so that asking costs nothing, while dbt has each query bound once more to be told them.
    A column that the contract does not name comes last and finds no place.
#}
{% macro duckdb__get_assert_columns_equivalent(sql) %}{% endmacro %}

{% macro duckdb__get_select_subquery(sql) %}
    {%- set told = model.columns | join(', ') %}
    select {{ told }}, * exclude ({{ told }})
    from (
        {{ sql }}
    ) as told
    where
        case
            {%- for name, column in model.columns.items() %}
            when typeof({{ name }}) <> typeof(cast(null as {{ column.data_type }}))
                then error('data type mismatch: {{ name }} is ' || typeof({{ name }}))
            {%- endfor %}
            else true
        end
{% endmacro %}


{# A model in Python writes through a connection of its own, so outside the transaction. #}
{% macro py_write_table(temporary, relation, compiled_code, partitioned_by=none, sorted_by=none) %}
{{ compiled_code }}

def materialize(rows, connection):
    connection.register('{{ relation.identifier }}__rows', rows)
    connection.execute(
        'create or replace table {{ relation }} as from {{ relation.identifier }}__rows'
    )
    connection.unregister('{{ relation.identifier }}__rows')
{% endmacro %}


{# All comments of a table in one statement. Columns under a contract are there. #}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.append((relation.type ~ ' ' ~ relation, model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() and config.get('contract').enforced -%}
        {%- for name, column in model.columns.items() -%}
            {%- do comments.append(('column ' ~ relation ~ '.' ~ name, column.description)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}
        {%- call statement('comments') -%}
            {%- for what, words in comments -%}
                comment on {{ what }} is '{{ words | replace("'", "''") }}';
            {% endfor -%}
        {%- endcall -%}
    {%- endif -%}
{% endmacro %}
