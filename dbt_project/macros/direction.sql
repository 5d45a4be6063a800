{#
    Which way an act goes between us (staff and our programs) and outsiders. What the source
    says counts first; an act towards nobody is towards everybody, but a reply to nobody known
    is towards somebody. `actor_is_ours` and `target_is_ours` are null where nobody is known.
#}
{% macro direction(told, actor_is_ours, target_is_ours, is_reply) -%}
case
        when {{ told }} in ('inbound', 'outbound', 'peer', 'internal') then {{ told }}
        when ({{ actor_is_ours }}) and ({{ target_is_ours }}) then 'internal'
        when ({{ actor_is_ours }}) then 'outbound'
        when not ({{ actor_is_ours }}) and ({{ target_is_ours }}) then 'inbound'
        when not ({{ actor_is_ours }}) and not ({{ target_is_ours }}) then 'peer'
        when not ({{ actor_is_ours }}) and not ({{ is_reply }}) then 'inbound'
        else 'unknown'
    end
{%- endmacro %}
