with cases as (
    select * from {{ ref('int_salesforce__cases') }}
    union all
    select * from {{ ref('int_hubspot__cases') }}
    union all
    select * from {{ ref('int_mapped__cases') }}
),

interactions as (
    select * from {{ ref('fct_interaction') }} where not is_deleted
)

select
    interactions.interaction_id as case_event_id,
    cases.case_id,
    case
        when interactions.kind = 'case_opened' then 'opened'
        when interactions.visibility = 'public' then 'comment'
        else 'note'
    end as kind,
    interactions.actor_person_id,
    case when interactions.actor_person_id is not null
        then interactions.is_staff_actor and not interactions.is_bot_actor end as is_staff,
    interactions.visibility = 'public' as is_public,
    interactions.occurred_at,
    interactions.loaded_at
from interactions
inner join cases on interactions.thread_id = cases.case_id

union all

select
    case_id || '#closed',
    case_id,
    'closed',
    cast(null as {{ dbt.type_string() }}),
    cast(null as boolean),
    true,
    closed_at,
    loaded_at
from cases
where closed_at is not null and not is_deleted
