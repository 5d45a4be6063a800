with cases as (
    select * from {{ ref('int_salesforce__cases') }}
    union all
    select * from {{ ref('int_hubspot__cases') }}
    union all
    select * from {{ ref('int_mapped__cases') }}
),

interactions as (
    select * from {{ ref('fct_interaction') }} where not is_deleted
),

assignments as (
    select * from {{ ref('int_salesforce__assignments') }}
),

people as (
    select profiles.profile_key, people.person_id, people.is_staff
    from {{ ref('identity_person_map') }} as profiles
    inner join {{ ref('dim_person') }} as people on profiles.person_id = people.person_id
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
    cast(null as {{ dbt.type_string() }}) as assigned_person_id,
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
    cast(null as {{ dbt.type_string() }}),
    true,
    closed_at,
    loaded_at
from cases
where closed_at is not null and not is_deleted

union all

select
    assignments.assignment_id,
    cases.case_id,
    'assigned',
    actors.person_id,
    actors.is_staff,
    owners.person_id,
    false,
    assignments.occurred_at,
    assignments.loaded_at
from assignments
inner join cases on assignments.case_id = cases.case_id
left join people as actors on assignments.actor_key = actors.profile_key
left join people as owners on assignments.owner_key = owners.profile_key
where not cases.is_deleted
