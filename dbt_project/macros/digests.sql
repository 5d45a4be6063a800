{#
    Digests that stand for values which must not be kept.
#}

{# SHA-256 of a text in UTF-8, in small hexadecimal digits. #}
{% macro sha256_of(text) -%}
{{ adapter.dispatch('sha256_of', 'rapport')(text) }}
{%- endmacro %}

{% macro default__sha256_of(text) -%}
sha256({{ text }})
{%- endmacro %}

{% macro spark__sha256_of(text) -%}
sha2({{ text }}, 256)
{%- endmacro %}
