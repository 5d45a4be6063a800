{#
    What dbt needs told about a Spark session.

    Belongs here: dbt's own macros, where Spark needs others. Does not belong here: how a value
    is computed on Spark; that stands beside the same on DuckDB.
#}

{# Before a build: the views that stand for landing files and parameters. #}
{% macro run_statements(statements) %}
    {%- for statement in statements -%}
        {%- do run_query(statement) -%}
    {%- endfor -%}
{% endmacro %}


{# Contracts name types as DuckDB does. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set names = {'varchar': 'string', 'timestamptz': 'timestamp'} -%}
    {%- set told = {} -%}
    {%- for name, column in columns.items() -%}
        {%- set type = column['data_type'] -%}
        {%- do told.update({name: dict(column, data_type=names.get(type, type))}) -%}
    {%- endfor -%}
    {{ return(default__get_empty_schema_sql(told)) }}
{%- endmacro %}


{#
    dbt-spark writes the texts of a seed into its SQL as they are. dbt reads the word `null` as
    none; no cell of a seed is empty.
#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set statements = [] -%}
    {%- for chunk in agate_table.rows | batch(get_batch_size()) -%}
        {%- set statement -%}
            insert into {{ this.render() }} values
            {%- for row in chunk %}
            (
                {%- for name in agate_table.column_names -%}
                {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
                {%- set value = row[loop.index0] -%}
                cast('{{ escape_single_quotes((value if value is not none else 'null') | string) }}' as {{ type }})
                {{- ', ' if not loop.last -}}
                {%- endfor -%}
            ){{ ',' if not loop.last }}
            {%- endfor %}
        {%- endset -%}
        {%- do run_query(statement) -%}
        {%- do statements.append(statement) -%}
    {%- endfor -%}
    {{ return(statements[0]) }}
{% endmacro %}
