{#
    What people say of a value in `identity/identifiers.csv`.
#}

{# Whether a line there, of a value or of all with one beginning and ending, means this value. #}
{% macro is_flagged(values, flags) -%}
case {{ values }}.id_type when 'past_email' then 'email' else {{ values }}.id_type end
            = {{ flags }}.id_type
            and (
                {{ values }}.value
                = case {{ flags }}.id_type
                    when 'email' then {{ mailbox(flags ~ '.value') }} else {{ flags }}.value
                end
                or (
                    length({{ values }}.value)
                    >= length({{ flags }}.beginning || {{ flags }}.ending)
                    and substr({{ values }}.value, 1, length({{ flags }}.beginning))
                    = {{ flags }}.beginning
                    and substr(
                        {{ values }}.value,
                        length({{ values }}.value) - length({{ flags }}.ending) + 1
                    ) = {{ flags }}.ending
                )
            )
{%- endmacro %}
