{#
    From a landed record to typed columns, parsed once.

    A declaration is [column, field, type]; type is text, integer, decimal, boolean, timestamp,
    date or json; `a.b` reaches one level down. Types are decided here, once, by declared types.
#}

{#
    A staging model: every version of every source's records, typed. A value that cannot be
    typed is named in `_error` (field and expected type, never the value). `custom_in` is what a
    record keeps custom fields in, for example `properties`.
#}
{% macro stage_records(landed, declarations, custom_in=none) %}
{%- set custom = custom_fields(landed.identifier, custom_in) -%}
{%- set fields = declarations + custom -%}
with landed as (
    {{ newly_landed(landed) }}
),

parsed as (
    select
        *,
        {{ parse_record('record', fields) }}
    from landed
),

typed as (
    select
        *,
        {%- for column, field, type in declarations %}
        {{ typed_value(parsed_value(field), type) }} as {{ column }},
        {%- endfor %}
        {{ custom_object(custom) }} as custom
    from parsed
)

select
    {{ version_columns() }},
    record is null as _is_tombstone,
    {%- for column, field, type in declarations %}
    {{ column }},
    {%- endfor %}
    custom,
    {{ first_errors(untyped_checks(declarations, custom)) }} as _error
from typed
{% endmacro %}


{# A staging model over a mapping's canonical columns, which arrive as text. #}
{% macro stage_mapped(landed, declarations) %}
with landed as (
    {{ newly_landed(landed) }}
),

typed as (
    select
        {{ version_columns() }},
        _op = 'delete' and id is null as _is_tombstone,
        {%- for column, field, type in declarations %}
        {{ typed_text(field, type) }} as {{ column }},
        {{ field }} as _raw_{{ field }}{{ ',' if not loop.last }}
        {%- endfor %}
    from landed
)

{%- set checks = [] %}
{%- for column, field, type in declarations if type != 'text' %}
{%- do checks.append([field, type, '_raw_' ~ field ~ ' is not null and ' ~ column ~ ' is null']) %}
{%- endfor %}

select
    {{ version_columns() }},
    _is_tombstone,
    {%- for column, field, type in declarations %}
    {{ column }},
    {%- endfor %}
    {{ first_errors(checks) }} as _error
from typed
{% endmacro %}


{% macro version_columns() -%}
    _source, _stream, _key, _seq, _op, _merged_into, _version, _loaded_at
{%- endmacro %}


{# Rows above the greatest `_seq` held per stream: safe, `_seq` is given at commit under a lock. #}
{% macro newly_landed(landed) -%}
select landed.*
    from {{ landed }} as landed
    {%- if is_incremental() %}
    left join (
        select _source, _stream, max(_seq) as _seq from {{ this }} group by _source, _stream
    ) as held
        on landed._source = held._source and landed._stream = held._stream
    where landed._seq > coalesce(held._seq, -1)
    {%- endif %}
{%- endmacro %}


{#
    Fields that rapport.yml adds to this stream in any source, as declarations. A query, because
    parameters travel as tables and a changed variable would make dbt parse everything again.
#}
{% macro custom_fields(landed_name, custom_in) %}
{%- if not execute -%}{{ return([]) }}{%- endif -%}
{%- set source_type, stream = landed_name.split('__') -%}
{%- set streams = "'" ~ stream ~ "'" -%}
{%- if stream == 'custom_objects' -%}
    {%- set streams = 'select stream from ' ~ source('control', 'custom_objects') -%}
{%- endif -%}
{# Objects may use one name for different things: then its typed value is told apart later. #}
{%- set found = run_query(
    "select field, case when count(distinct type) = 1 then min(type) else 'text' end as type from "
    ~ source('control', 'custom_fields')
    ~ " where stream in (" ~ streams ~ ") and source in (select source from "
    ~ source('control', 'sources') ~ " where source_type = '" ~ source_type ~ "')"
    ~ " group by field order by field"
) -%}
{%- set fields = [] -%}
{%- for field, type in found.rows -%}
    {%- do fields.append([field, custom_in ~ '.' ~ field if custom_in else field, type]) -%}
{%- endfor -%}
{{ return(fields) }}
{% endmacro %}


{# The custom fields that a record carries, as a JSON object. #}
{% macro custom_object(fields) -%}
{%- if not fields -%}
cast(null as {{ dbt.type_string() }})
{%- else -%}
nullif('{' || concat_ws(', '
        {%- for column, field, type in fields -%}
        , '"{{ column }}": ' || {{ json_value(field, type) }}
        {%- endfor -%}
        ) || '}', '{}')
{%- endif -%}
{%- endmacro %}

{# A field as JSON; numbers from their decimal, because JSON's own numbers are floats. #}
{% macro json_value(field, type) -%}
{%- if type in ('integer', 'decimal') -%}
regexp_replace(cast({{ parsed_value(field) }} as {{ dbt.type_string() }}), '[.]?0+$', '')
{%- elif type == 'boolean' -%}
cast({{ parsed_value(field) }} as {{ dbt.type_string() }})
{%- else -%}
{{ raw_value(field) }}
{%- endif -%}
{%- endmacro %}


{% macro untyped_checks(declarations, custom) %}
{%- set checks = [] -%}
{%- for column, field, type in declarations if type not in ('text', 'json') -%}
    {%- do checks.append([field, type, is_given(field) ~ ' and ' ~ column ~ ' is null']) -%}
{%- endfor -%}
{%- for column, field, type in custom if type not in ('text', 'json') -%}
    {%- do checks.append(
        [
            field, type,
            is_given(field) ~ ' and (' ~ typed_value(parsed_value(field), type) ~ ') is null',
        ]
    ) -%}
{%- endfor -%}
{{ return(checks) }}
{% endmacro %}


{% macro first_errors(checks) -%}
{%- if not checks -%}
cast(null as {{ dbt.type_string() }})
{%- else -%}
nullif(concat_ws('; '
        {%- for field, type, is_wrong in checks %},
        case when {{ is_wrong }} then '{{ field }} is not a {{ type }}' end
        {%- endfor %}
    ), '')
{%- endif -%}
{%- endmacro %}


{% macro is_given(field) -%}
({{ raw_value(field) }} is not null and {{ raw_value(field) }} <> '""')
{%- endmacro %}


{#
    Parse once: `_values` with the declared types, `_raw` with each field's own text, which
    tells a value that does not fit from one that is not there.
#}
{% macro parse_record(record, fields) -%}
{{ adapter.dispatch('parse_record', 'rapport')(record, fields) }}
{%- endmacro %}

{% macro default__parse_record(record, fields) -%}
from_json({{ record }}, '{{ record_shape(fields) }}') as _values,
        from_json({{ record }}, '{{ record_shape(fields, 'JSON') }}') as _raw
{%- endmacro %}

{# Integers are read as decimals: reading them as integers would round 1.5 to 2 in silence. #}
{% macro record_shape(fields, only=none) %}
{%- set types = {
    'text': 'VARCHAR', 'integer': 'DECIMAL(38,9)', 'decimal': 'DECIMAL(38,9)',
    'boolean': 'BOOLEAN', 'timestamp': 'VARCHAR', 'date': 'VARCHAR', 'json': 'JSON',
} -%}
{%- set shape = {} -%}
{%- for column, field, type in fields -%}
    {%- set outer, _, inner = field.partition('.') -%}
    {%- if inner -%}
        {%- do shape.setdefault(outer, {}).update({inner: only or types[type]}) -%}
    {%- else -%}
        {%- do shape.update({outer: only or types[type]}) -%}
    {%- endif -%}
{%- endfor -%}
{{ return(tojson(shape)) }}
{% endmacro %}

{% macro parsed_value(field) -%}
_values."{{ field | replace('.', '"."') }}"
{%- endmacro %}

{% macro raw_value(field) -%}
cast(_raw."{{ field | replace('.', '"."') }}" as {{ dbt.type_string() }})
{%- endmacro %}


{# Column of the declared type from a value read by `parse_record`; null where it does not fit. #}
{% macro typed_value(value, type) -%}
{%- if type == 'timestamp' -%} {{ try_timestamp(value) }}
{%- elif type == 'date' -%} {{ try_date(value) }}
{%- elif type == 'integer' -%}
case when {{ value }} = floor({{ value }}) then cast({{ value }} as bigint) end
{%- elif type == 'json' -%} cast({{ value }} as {{ dbt.type_string() }})
{%- else -%} {{ value }}
{%- endif -%}
{%- endmacro %}


{# The same from text. #}
{% macro typed_text(value, type) -%}
{%- if type == 'timestamp' -%} {{ try_timestamp(value) }}
{%- elif type == 'date' -%} {{ try_date(value) }}
{%- elif type == 'decimal' -%} try_cast({{ value }} as decimal(38, 9))
{%- elif type == 'boolean' -%} try_cast({{ value }} as boolean)
{%- else -%} {{ value }}
{%- endif -%}
{%- endmacro %}


{# ISO 8601 with `Z`, an offset with or without colon, or the day alone; UTC where none is told. #}
{% macro try_timestamp(text) -%}
case when {{ text }} like '____-__-__%' then try_cast({{ text }} as timestamptz) end
{%- endmacro %}

{% macro try_date(text) -%}
case when {{ text }} like '____-__-__%' then try_cast(substr({{ text }}, 1, 10) as date) end
{%- endmacro %}
