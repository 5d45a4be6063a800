{#
    Profile keys from Salesforce ids: the first three characters tell the object.
    An owner can be a queue, which is nobody.
#}

{% macro salesforce_user(id, source='_source') -%}
case when {{ id }} like '005%' then {{ profile_key('users', id, source) }} end
{%- endmacro %}

{% macro salesforce_person(id) -%}
case
        when {{ id }} like '003%' then {{ profile_key('contacts', id) }}
        when {{ id }} like '00Q%' then {{ profile_key('leads', id) }}
        when {{ id }} like '005%' then {{ profile_key('users', id) }}
    end
{%- endmacro %}


{# Whom a lookup refers to: a person or an organization. #}
{% macro salesforce_party(id) -%}
case
        when {{ id }} like '001%' then {{ profile_key('accounts', id) }}
        else {{ salesforce_person(id) }}
    end
{%- endmacro %}


{# A user that is a program: by the vendor's types, or by the name that an integration's own user
   usually has. What arrives by mail is noted by such a user, and is no act of ours. #}
{% macro salesforce_program() -%}
user_type in ('AutomatedProcess', 'CloudIntegrationUser')
        or lower(split_part(email, '@', 1)) in ('integration', 'integrations')
{%- endmacro %}
