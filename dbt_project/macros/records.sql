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
with landed as (
    {{ newly_landed(landed) }}
),

parsed as (
    select
        *,
        {{ parse_record('record', declarations, custom) }}
    from landed
),

typed as (
    select
        *,
        {%- for column, field, type in declarations %}
        {{ typed_value(parsed_value(field, type), type) }} as {{ column }},
        {%- endfor %}
        {{ custom_object(custom) }} as custom
    from parsed
),

checked as (
    select * {{- parse_what_is_missing('record', declarations) }}
    from typed
)

select
    {{ version_columns() }},
    record is null as _is_tombstone,
    {%- for column, field, type in declarations %}
    {{ column }},
    {%- endfor %}
    custom,
    {{ first_errors(untyped_checks(declarations, custom)) }} as _error
from checked
{% endmacro %}


{# A staging model over a mapping's canonical columns, which arrive as text. What refers to a person
   is of the type `person`, or `address` for the address that it refers by, if it does. #}
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
        {{ field }} as _raw_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from landed
)

{%- set checks = [] %}
{%- for column, field, type in declarations if type not in ('text', 'person', 'address') %}
{%- do checks.append([field, type, '_raw_' ~ column ~ ' is not null and ' ~ column ~ ' is null']) %}
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
{{ number_text(parsed_value(field, type)) }}
{%- elif type == 'boolean' -%}
cast({{ parsed_value(field, type) }} as {{ dbt.type_string() }})
{%- else -%}
{{ raw_value(field) }}
{%- endif -%}
{%- endmacro %}


{% macro untyped_checks(declarations, custom) %}
{%- set checks = [] -%}
{%- for column, field, type in fields_that_can_fail(declarations) -%}
    {%- set is_wrong = is_given(missing_value(field)) ~ ' and ' ~ column ~ ' is null' -%}
    {%- do checks.append([field, type, is_wrong]) -%}
{%- endfor -%}
{%- for column, field, type in fields_that_can_fail(custom) -%}
    {%- do checks.append(
        [
            field, type,
            is_given(raw_value(field)) ~ ' and (' ~ typed_value(parsed_value(field, type), type) ~ ') is null',
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


{% macro is_given(raw) -%}
({{ raw }} is not null and {{ raw }} <> '""')
{%- endmacro %}

{# Any value fits a text, or what stays JSON. #}
{% macro fields_that_can_fail(fields) -%}
{{ return(fields | rejectattr(2, 'in', ('text', 'json')) | list) }}
{%- endmacro %}


{#
    `_values` holds a record's fields in the declared types, `_raw` each field's own text. The text
    of declared fields tells a value that does not fit from one that is not there; where it costs
    a second parse, it is looked at only in records that miss one (`parse_what_is_missing`).
#}
{% macro parse_record(record, declarations, custom) -%}
{{ adapter.dispatch('parse_record', 'rapport')(record, declarations, custom) }}
{%- endmacro %}

{% macro default__parse_record(record, declarations, custom) -%}
from_json({{ record }}, '{{ tojson(record_shape(declarations + custom)) }}') as _values
        {%- if custom -%}
        , from_json({{ record }}, '{{ tojson(record_shape(custom, 'JSON')) }}') as _raw
        {%- endif -%}
{%- endmacro %}

{# A text keeps the order of an object's fields, a variant keeps the digits of a number. #}
{% macro spark__parse_record(record, declarations, custom) -%}
{%- set fields = declarations + custom -%}
from_json({{ record }}, '{{ spark_shape(record_shape(fields, 'string')) }}') as _values,
        from_json({{ record }}, '{{ spark_shape(record_shape(fields, 'variant')) }}') as _raw
{%- endmacro %}

{# After `_values` are typed: the text of declared fields, where one of them came out null. #}
{% macro parse_what_is_missing(record, declarations) -%}
{{ adapter.dispatch('parse_what_is_missing', 'rapport')(record, declarations) }}
{%- endmacro %}

{% macro default__parse_what_is_missing(record, declarations) -%}
{%- set fields = fields_that_can_fail(declarations) -%}
{%- if fields -%}
,
        case
            when {{ fields | map(attribute=0) | join(' is null or ') }} is null
            then from_json({{ record }}, '{{ tojson(record_shape(fields, 'JSON')) }}')
        end as _missing
{%- endif -%}
{%- endmacro %}

{% macro spark__parse_what_is_missing(record, declarations) -%}{%- endmacro %}

{% macro missing_value(field) -%}
{{ adapter.dispatch('missing_value', 'rapport')(field) }}
{%- endmacro %}

{% macro default__missing_value(field) -%}
cast({{ field_of('_missing', field) }} as {{ dbt.type_string() }})
{%- endmacro %}

{% macro spark__missing_value(field) -%}
{{ raw_value(field) }}
{%- endmacro %}

{% macro spark_shape(shape) -%}
{%- for field, type in shape.items() -%}
`{{ field }}` {{ 'struct<' ~ spark_shape(type) ~ '>' if type is mapping else type }}
{{- ', ' if not loop.last }}
{%- endfor -%}
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
{{ return(shape) }}
{% endmacro %}

{# What `parse_record` read, in the type in which it was read. #}
{% macro parsed_value(field, type) -%}
{{ adapter.dispatch('parsed_value', 'rapport')(field, type) }}
{%- endmacro %}

{% macro default__parsed_value(field, type) -%}
{{ field_of('_values', field) }}
{%- endmacro %}

{% macro spark__parsed_value(field, type) -%}
{%- set text, raw = field_of('_values', field), field_of('_raw', field) -%}
{%- set is_text = "schema_of_variant(" ~ raw ~ ") = 'STRING'" -%}
{%- if type in ('integer', 'decimal') -%}
case when {{ is_text }} then {{ try_decimal(text) }}
            else try_variant_get({{ raw }}, '$', 'decimal(38, 9)') end
{%- elif type == 'boolean' -%}
case when {{ is_text }} then {{ try_boolean(text) }}
            else try_variant_get({{ raw }}, '$', 'boolean') end
{%- elif type == 'json' -%}
case when {{ is_text }} then to_json({{ raw }}) else {{ text }} end
{%- else -%}
{{ text }}
{%- endif -%}
{%- endmacro %}

{# A field as the JSON text it is; null where it is not there. #}
{% macro raw_value(field) -%}
{{ adapter.dispatch('raw_value', 'rapport')(field) }}
{%- endmacro %}

{% macro default__raw_value(field) -%}
cast({{ field_of('_raw', field) }} as {{ dbt.type_string() }})
{%- endmacro %}

{% macro spark__raw_value(field) -%}
{{ spark__parsed_value(field, 'json') }}
{%- endmacro %}

{% macro field_of(parsed, field) -%}
{{ parsed }}
{%- for name in field.split('.') %}.{{ adapter.quote(name) }}{% endfor %}
{%- endmacro %}


{# Column of the declared type from a value read by `parse_record`; null where it does not fit. #}
{% macro typed_value(value, type) -%}
{%- if type == 'timestamp' -%} {{ try_timestamp(value) }}
{%- elif type == 'date' -%} {{ try_date(value) }}
{%- elif type == 'integer' -%}
case when {{ is_whole(value) }} then cast({{ value }} as bigint) end
{%- elif type == 'json' -%} cast({{ value }} as {{ dbt.type_string() }})
{%- else -%} {{ value }}
{%- endif -%}
{%- endmacro %}


{# The same from text. #}
{% macro typed_text(value, type) -%}
{%- if type == 'timestamp' -%} {{ try_timestamp(value) }}
{%- elif type == 'date' -%} {{ try_date(value) }}
{%- elif type == 'decimal' -%} {{ try_decimal(value) }}
{%- elif type == 'boolean' -%} {{ try_boolean(value) }}
{%- elif type == 'person' -%} {{ referred_key(value) }}
{%- elif type == 'address' -%} {{ referred_address(value) }}
{%- else -%} {{ value }}
{%- endif -%}
{%- endmacro %}
