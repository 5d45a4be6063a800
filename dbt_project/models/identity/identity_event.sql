{{ kept_in_a_part() }}
select run_id, occurred_at, entity, event, id, other_id, cause from {{ ref('identity_change') }}
{%- if not (is_part_run() and is_incremental()) %}
union all
select run_id, occurred_at, entity, event, id, other_id, cause from {{ source('control', 'identity_event') }}
{%- endif %}
