with given as (
    select * from {{ ref('int_discourse__given_reactions') }}
    union all
    select * from {{ ref('int_bluesky__given_reactions') }}
),

interactions as (
    select * from {{ ref('fct_interaction') }} where not is_deleted
),

people as (
    select * from {{ ref('identity_person_map') }}
)

select
    given.interaction_id || '#' || given.actor_profile_key || '#' || given.kind as reaction_id,
    given.source,
    given.interaction_id,
    given.kind,
    {{ polarity('given.kind') }} as polarity,
    given.actor_profile_key,
    people.person_id as actor_person_id,
    interactions.actor_person_id as target_person_id,
    interactions.organization_id,
    given.occurred_at,
    given.first_seen_at,
    given.taken_back_at,
    given.taken_back_at is null as is_current
from given
inner join interactions on given.interaction_id = interactions.interaction_id
left join people on given.actor_profile_key = people.profile_key
