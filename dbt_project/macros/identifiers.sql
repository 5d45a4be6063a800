{#
    Addresses and domains in comparable form.
#}

{# Domains by which providers know one mailbox, after the one it is written with here. #}
{% macro mail_aliases() -%}
{{ return({
    'gmail.com': ['googlemail.com'],
    'icloud.com': ['me.com', 'mac.com'],
    'proton.me': ['protonmail.com', 'protonmail.ch', 'pm.me'],
    'yandex.ru': ['ya.ru', 'yandex.com', 'yandex.by', 'yandex.kz'],
}) }}
{%- endmacro %}

{#
    The mailbox an address leads to, as its provider sees it: lower case, no `+tag`, one domain
    of several, Gmail's dots removed, Yandex's hyphens as dots; null for what is no address.
#}
{% macro mailbox(email) -%}
{%- set local = lower_case("split_part(split_part(" ~ email ~ ", '@', 1), '+', 1)") -%}
{%- set domain = lower_case("split_part(" ~ email ~ ", '@', 2)") -%}
{%- set aliased = [] -%}
{%- for main, others in mail_aliases().items() -%}
    {%- do aliased.extend([main] + others) -%}
{%- endfor -%}
case
        when not {{ is_address(email) }} then null
        -- nearly all: told first, since each further case looks at the address again
        when {{ domain }} not in ('{{ aliased | join("', '") }}')
            then {{ local }} || '@' || {{ domain }}
        {%- for main, others in mail_aliases().items() %}
        when {{ domain }} in ('{{ ([main] + others) | join("', '") }}')
            then {{
                "replace(" ~ local ~ ", '.', '')" if main == 'gmail.com'
                else "replace(" ~ local ~ ", '-', '.')" if main == 'yandex.ru'
                else local
            }} || '@{{ main }}'
        {%- endfor %}
    end
{%- endmacro %}

{# Whether a text is an address, so that a mailbox is told by it. #}
{% macro is_address(email) -%}
({{ email }} like '%_@_%._%' and {{ email }} not like '% %')
{%- endmacro %}

{# The part before the `@` of such a mailbox, without digits and signs. #}
{% macro bare_mailbox(mailbox) -%}
translate(split_part({{ mailbox }}, '@', 1), '._-0123456789', '')
{%- endmacro %}

{% macro email_domain(email) -%}
case when {{ email }} like '%_@_%._%'
        then {{ lower_case("split_part(" ~ email ~ ", '@', 2)") }} end
{%- endmacro %}

{# Domain of a web address: no scheme, `www.`, port or path; null if there is no dot in it. #}
{% macro web_domain(address) -%}
case when {{ address }} like '%_._%' then
        split_part(split_part(regexp_replace(
            regexp_replace(
                {{ lower_case("trim(" ~ address ~ ")") }}, '^[a-z]+://', ''
            ), '^www[.]', ''
        ), '/', 1), ':', 1)
    end
{%- endmacro %}

{# An organization's name without case, blanks and signs; null where nothing is left. #}
{% macro company_key(name) -%}
nullif(translate({{ lower_case(name) }}, ' .,;:/()"&-_', ''), '')
{%- endmacro %}

{#
  Names that several organizations of one source bear, by their domains: who tells such a name and
  nothing else may be of any of them.
#}
{% macro shared_company_names() -%}
select company_key
    from (
        select
            profiles.source,
            {{ company_key('profiles.display_name') }} as company_key,
            coalesce(profiles.domain, people_domains.domain) as domain
        from {{ ref('identity_profile') }} as profiles
        left join {{ ref('identity_people_domain') }} as people_domains
            on profiles.profile_key = people_domains.profile_key
        where profiles.entity = 'organization' and not profiles.is_bot
    ) as organizations
    where company_key is not null
    group by company_key
    having count(distinct source || ' ' || domain)
        > count(distinct case when domain is not null then source end)
{%- endmacro %}

{# What a person may see of an identifier that joined two profiles. #}
{% macro masked(value) -%}
case
        when {{ value }} like '%@%'
            then substr({{ value }}, 1, 1) || '***@' || split_part({{ value }}, '@', 2)
        else '***' || substr({{ value }}, greatest(length({{ value }}) - 2, 1))
    end
{%- endmacro %}

{# A custom field's value as text; null where there is no object or no such field. #}
{% macro custom_value(custom, field) -%}
{{ adapter.dispatch('custom_value', 'rapport')(custom, field) }}
{%- endmacro %}

{% macro default__custom_value(custom, field) -%}
json_extract_string({{ custom }}, '$."' || {{ field }} || '"')
{%- endmacro %}

{% macro spark__custom_value(custom, field) -%}
get_json_object({{ custom }}, '$[\'' || {{ field }} || '\']')
{%- endmacro %}

{# A custom field's number with all its digits: JSON's own numbers are floats. Keys stand in
   unescaped quotes, which no text inside a value can show. #}
{% macro custom_number(custom, field) -%}
try_cast(
            nullif(regexp_extract({{ custom }}, '"' || {{ field }} || '": ?"?([-0-9.]+)', 1), '')
            as decimal(38, 9)
        )
{%- endmacro %}

{# One row per text of a JSON list of texts. #}
{% macro text_list(json_list) -%}
{{ adapter.dispatch('text_list', 'rapport')(json_list) }}
{%- endmacro %}

{% macro default__text_list(json_list) -%}
unnest(from_json({{ json_list }}, '["VARCHAR"]'))
{%- endmacro %}

{% macro spark__text_list(json_list) -%}
explode(from_json({{ json_list }}, 'array<string>'))
{%- endmacro %}

{# The different values of a group, comma separated in alphabetical order. #}
{% macro sorted_list(value) -%}
{{ adapter.dispatch('sorted_list', 'rapport')(value) }}
{%- endmacro %}

{% macro default__sorted_list(value) -%}
{#- not `string_agg(distinct ...)`, which sorts and joins the whole relation once more -#}
nullif(array_to_string(list_sort(list_distinct(list({{ value }}))), ','), '')
{%- endmacro %}

{% macro spark__sorted_list(value) -%}
nullif(array_join(array_sort(collect_set({{ value }})), ','), '')
{%- endmacro %}
