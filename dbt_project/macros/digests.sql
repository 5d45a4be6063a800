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

{#
    The key of a person of whom a record knows nothing but an address: keys outlive what they stand
    for (in ledgers, events, links of people), so that the address itself is in none.
#}
{% macro address_key(beginning, address) -%}
{{ beginning }} || 'mailto:' || {{ sha256_of(lower_case('trim(' ~ address ~ ')')) }}
{%- endmacro %}

{# A mapping refers to a person as `<source>:<stream>:<key>` or, by an address,
   `<source>:<stream>:mailto:<address>`; no key of the first kind holds an `@`. #}
{% macro referred_address(reference) -%}
case
        when {{ reference }} like '%:mailto:%@%'
        then substr({{ reference }}, position(':mailto:' in {{ reference }}) + 8)
    end
{%- endmacro %}

{% macro referred_key(reference) -%}
case
        when {{ reference }} like '%:mailto:%@%'
        then {{ address_key(
            'substr(' ~ reference ~ ", 1, position(':mailto:' in " ~ reference ~ '))',
            referred_address(reference)
        ) }}
        else {{ reference }}
    end
{%- endmacro %}
