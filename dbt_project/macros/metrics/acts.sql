{#
  What follows from an act's columns, said where it is read: written out, it costs more than it saves.

  Belongs here: words about one row of `int_acts__counted`. Does not belong here: which acts count.
#}

{# Who of those outside acted, or at whom our side aimed the act; null among ours or if unknown. #}
{% macro outsider(acts) -%}
case
    when not {{ acts }}.is_by_staff then {{ acts }}.actor_person_id
    when not {{ acts }}.is_to_staff then {{ acts }}.target_person_id
end
{%- endmacro %}
