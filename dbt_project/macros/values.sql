{#
    Values that DuckDB and Spark would read or write differently.

    Belongs here: one macro per difference, DuckDB first. Does not belong here: days and
    durations (`metrics/dates`), or what a table is made of.
#}

{# A moment: a point in time to the microsecond, in UTC. #}
{% macro type_moment() -%}
{{ adapter.dispatch('type_moment', 'rapport')() }}
{%- endmacro %}

{% macro default__type_moment() -%} timestamptz {%- endmacro %}

{% macro spark__type_moment() -%} timestamp {%- endmacro %}


{# ISO 8601 with `Z`, an offset with or without colon, or the day alone; UTC where none is told. #}
{% macro try_timestamp(text) -%}
{{ adapter.dispatch('try_timestamp', 'rapport')(text) }}
{%- endmacro %}

{% macro default__try_timestamp(text) -%}
case when {{ text }} like '____-__-__%' then try_cast({{ text }} as timestamptz) end
{%- endmacro %}

{# Spark also takes an hour alone, a blank before the offset, and an offset of one digit. #}
{% macro spark__try_timestamp(text) -%}
case when {{ text }} rlike '^.{4}-..-..' and not {{ text }} rlike
            '^.{10}[T ][0-9]+($|[^0-9:])|[0-9.] +([+-]|Z$)|[+-][0-9]$|[0-9]UTC$'
            then try_cast({{ text }} as timestamp) end
{%- endmacro %}


{% macro try_date(text) -%}
case when {{ text }} like '____-__-__%' then try_cast(substr({{ text }}, 1, 10) as date) end
{%- endmacro %}


{% macro try_decimal(text) -%}
{{ adapter.dispatch('try_decimal', 'rapport')(text) }}
{%- endmacro %}

{% macro default__try_decimal(text) -%}
try_cast({{ text }} as decimal(38, 9))
{%- endmacro %}

{# Spark also takes digits of other scripts, and no `_` between thousands. #}
{% macro spark__try_decimal(text) -%}
case when {{ text }} rlike '^[ -~\\s]*$' then
            try_cast(regexp_replace({{ text }}, '(?<=[0-9])_(?=[0-9])', '') as decimal(38, 9)) end
{%- endmacro %}


{# Whether a decimal of nine digits has no fraction. #}
{% macro is_whole(value) -%}
{{ adapter.dispatch('is_whole', 'rapport')(value) }}
{%- endmacro %}

{% macro default__is_whole(value) -%}
{{ value }} = floor({{ value }})
{%- endmacro %}

{# Spark drops the ninth digit to compare a decimal with its floor. #}
{% macro spark__is_whole(value) -%}
{{ value }} % 1 = 0
{%- endmacro %}


{% macro try_boolean(text) -%}
{{ adapter.dispatch('try_boolean', 'rapport')(text) }}
{%- endmacro %}

{% macro default__try_boolean(text) -%}
try_cast({{ text }} as boolean)
{%- endmacro %}

{# Spark also takes blanks around it. #}
{% macro spark__try_boolean(text) -%}
case when not {{ text }} rlike '^\\s|\\s$' then try_cast({{ text }} as boolean) end
{%- endmacro %}


{# A decimal of nine digits as text, without trailing zeros; digits that a float would lose stay. #}
{% macro number_text(value) -%}
{{ adapter.dispatch('number_text', 'rapport')(value) }}
{%- endmacro %}

{% macro default__number_text(value) -%}
regexp_replace(cast({{ value }} as {{ dbt.type_string() }}), '[.]?0+$', '')
{%- endmacro %}

{# Spark writes 0.000000000 as `0E-9`. #}
{% macro spark__number_text(value) -%}
format_number({{ value }}, '0.#########')
{%- endmacro %}


{# Letter by letter: `ß` stays one letter, `İ` loses its dot, `Σ` has one small form. #}
{% macro lower_case(text) -%}
{{ adapter.dispatch('lower_case', 'rapport')(text) }}
{%- endmacro %}

{% macro default__lower_case(text) -%}
lower({{ text }})
{%- endmacro %}

{% macro spark__lower_case(text) -%}
lower(translate({{ text }}, 'İΣ', 'iσ'))
{%- endmacro %}


{# A text as JSON, in quotes and escaped. #}
{% macro json_text(text) -%}
{{ adapter.dispatch('json_text', 'rapport')(text) }}
{%- endmacro %}

{% macro default__json_text(text) -%}
cast(to_json({{ text }}) as {{ dbt.type_string() }})
{%- endmacro %}

{% macro spark__json_text(text) -%}
to_json(cast({{ text }} as variant))
{%- endmacro %}


{# Whether a text is JSON itself. #}
{% macro is_json(text) -%}
{{ adapter.dispatch('is_json', 'rapport')(text) }}
{%- endmacro %}

{% macro default__is_json(text) -%}
json_valid({{ text }})
{%- endmacro %}

{# Spark's parser ends behind the first value; what follows cannot stand in a list and in an object. #}
{% macro spark__is_json(text) -%}
coalesce(
            json_array_length('[' || {{ text }} || ']') = 1
            and json_object_keys('{"v": ' || {{ text }} || '}') is not null,
            false
        )
{%- endmacro %}


{# The texts of a group, comma separated in the order of a key. #}
{% macro joined(text, key) -%}
{{ adapter.dispatch('joined', 'rapport')(text, key) }}
{%- endmacro %}

{% macro default__joined(text, key) -%}
string_agg({{ text }}, ', ' order by {{ key }})
{%- endmacro %}

{% macro spark__joined(text, key) -%}
array_join(
            transform(
                array_sort(collect_list(struct({{ key }} as k, {{ text }} as v))), told -> told.v
            ),
            ', '
        )
{%- endmacro %}
