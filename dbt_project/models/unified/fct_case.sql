with cases as (
    select * from {{ ref('int_salesforce__cases') }}
    union all
    select * from {{ ref('int_hubspot__cases') }}
    union all
    select * from {{ ref('int_mapped__cases') }}
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

openings as (
    select interaction_id, organization_id
    from {{ ref('fct_interaction') }}
    where kind = 'case_opened'
),

-- An act dated before the opening is an earlier act noted on the case, not an answer to it.
responses as (
    select
        events.case_id,
        min(case when events.kind = 'comment' and events.is_staff
            and events.occurred_at >= cases.opened_at then events.occurred_at end)
            as first_response_at,
        -- who only gave it to somebody did nothing about it
        count(distinct case when events.is_staff and events.kind <> 'assigned'
            then events.actor_person_id end) as n_staff
    from {{ ref('fct_case_event') }} as events
    inner join cases on events.case_id = cases.case_id
    group by events.case_id
),

-- Of a source that tells of no act on any case nobody knows who acted.
telling as (
    select cases.source
    from {{ ref('fct_case_event') }} as events
    inner join cases on events.case_id = cases.case_id
    where events.kind in ('comment', 'note')
    group by cases.source
)

select
    cases.case_id,
    cases.source,
    coalesce(organizations.organization_id, openings.organization_id) as organization_id,
    people.person_id,
    owners.person_id as owner_person_id,
    cases.channel,
    cases.status,
    cases.priority,
    cases.opened_at,
    cases.closed_at,
    cases.is_closed,
    responses.first_response_at,
    case when telling.source is not null then coalesce(responses.n_staff, 0) end as n_staff,
    cases.is_deleted,
    cases.loaded_at
from cases
left join openings on cases.case_id = openings.interaction_id
left join organizations on cases.organization_key = organizations.reference_key
left join people on cases.person_key = people.profile_key
left join people as owners on cases.owner_key = owners.profile_key
left join responses on cases.case_id = responses.case_id
left join telling on cases.source = telling.source
