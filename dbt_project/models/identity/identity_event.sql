select run_id, occurred_at, entity, event, id, other_id, cause from {{ source('control', 'identity_event') }}
union all
select run_id, occurred_at, entity, event, id, other_id, cause from {{ ref('identity_change') }}
