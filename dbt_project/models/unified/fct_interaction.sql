with interactions as (
    select * from {{ ref('int_salesforce__interactions') }}
    union all
    select * from {{ ref('int_hubspot__interactions') }}
    union all
    select * from {{ ref('int_discourse__interactions') }}
    union all
    select * from {{ ref('int_bluesky__interactions') }}
    union all
    select * from {{ ref('int_mapped__interactions') }}
),

profiles as (
    select * from {{ ref('dim_profile') }} where entity = 'person'
),

-- One of us stays one of us in a profile that does not show it.
sides as (
    select
        profile_key,
        person_id,
        is_bot,
        bool_or(is_staff) over (partition by person_id) and not is_bot as is_staff
    from profiles
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

sources as (
    select * from {{ source('control', 'sources') }}
),

sided as (
    select
        interactions.*,
        actors.person_id as actor_person_id,
        targets.person_id as target_person_id,
        coalesce(actors.is_staff, false) as is_staff_actor,
        coalesce(actors.is_bot, false) as is_bot_actor,
        {{ direction(
            'interactions.direction',
            'actors.is_staff or actors.is_bot',
            'targets.is_staff or targets.is_bot',
            'interactions.in_reply_to_interaction_id is not null',
        ) }} as resolved_direction,
        -- the outside party, whose organization this is about
        case
            when not (actors.is_staff or actors.is_bot) then actors.person_id
            when not (targets.is_staff or targets.is_bot) then targets.person_id
        end as outside_person_id
    from interactions
    left join sides as actors on interactions.actor_profile_key = actors.profile_key
    left join sides as targets on interactions.target_profile_key = targets.profile_key
),

memberships as (
    {{ organization_at('sided', 'interaction_id', 'outside_person_id') }}
)

select
    sided.interaction_id,
    sided.source,
    coalesce(sources.source_type, 'unknown') as source_type,
    coalesce(sources.silo, 'other') as silo,
    sided.stream,
    sided.channel,
    sided.place,
    sided.kind,
    sided.resolved_direction as direction,
    sided.thread_id,
    sided.in_reply_to_interaction_id,
    sided.actor_profile_key,
    sided.actor_person_id,
    sided.target_profile_key,
    sided.target_person_id,
    coalesce(organizations.organization_id, memberships.organization_id) as organization_id,
    sided.is_staff_actor,
    sided.is_bot_actor,
    sided.is_accepted,
    sided.accepted_seen_at,
    sided.is_prompted,
    sided.visibility,
    sided.occurred_at,
    sided.source_seen_at,
    sided.loaded_at,
    coalesce(sided.is_deleted, false) as is_deleted
from sided
left join memberships on sided.interaction_id = memberships.interaction_id
left join organizations on sided.organization_key = organizations.reference_key
left join sources on sided.source = sources.source
where sided.occurred_at is not null
