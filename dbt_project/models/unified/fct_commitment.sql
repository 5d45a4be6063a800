with commitments as (
    select * from {{ ref('int_salesforce__commitments') }}
    union all
    select * from {{ ref('int_hubspot__commitments') }}
    union all
    select * from {{ ref('int_mapped__commitments') }}
),

placed as (
    {{ with_parties('commitments', 'commitment_id') }}
),

owners as (
    select * from {{ ref('identity_person_map') }}
)

select
    placed.commitment_id,
    placed.source,
    placed.kind,
    placed.is_ours,
    placed.person_id,
    placed.organization_id,
    owners.person_id as owner_person_id,
    placed.case_id,
    placed.made_at,
    placed.due_at,
    placed.fulfilled_at,
    case
        when placed.is_called_off then 'called_off'
        -- nobody promises something for a time that is over
        when placed.due_at < placed.made_at then 'unknown'
        when placed.fulfilled_at <= placed.due_at then 'kept'
        when placed.fulfilled_at > placed.due_at then 'late'
        when placed.is_fulfilled then 'unknown'
        else 'open'
    end as outcome,
    placed.loaded_at
from placed
left join owners on placed.owner_key = owners.profile_key
