with counted as (
    select * from {{ ref('int_discourse__reactions') }}
    union all
    select * from {{ ref('int_bluesky__reactions') }}
),

interactions as (
    select * from {{ ref('fct_interaction') }} where not is_deleted
),

looks as (
    select distinct interaction_id, look, observed_at from counted
),

kinds as (
    select distinct interaction_id, kind from counted
),

-- A kind that a look does not show has fallen to none.
readings as (
    select
        looks.interaction_id,
        kinds.kind,
        looks.look,
        looks.observed_at,
        coalesce(counted.n_reactions, 0) as n_reactions
    from looks
    inner join kinds on looks.interaction_id = kinds.interaction_id
    left join counted
        on looks.interaction_id = counted.interaction_id
        and looks.look = counted.look
        and kinds.kind = counted.kind
),

changes as (
    select
        *,
        n_reactions - lag(n_reactions, 1, 0) over (
            partition by interaction_id, kind order by look
        ) as n_change
    from readings
),

observations as (
    select
        *,
        lead(observed_at) over (partition by interaction_id, kind order by look) as next_observed_at
    from changes
    where n_change <> 0
)

select
    observations.interaction_id
    || '#' || observations.kind
    || '#' || cast(observations.look as {{ dbt.type_string() }}) as observation_id,
    observations.interaction_id,
    observations.kind,
    {{ polarity('observations.kind') }} as polarity,
    observations.n_reactions,
    observations.n_change,
    interactions.actor_person_id as person_id,
    interactions.organization_id,
    observations.observed_at,
    observations.next_observed_at is null as is_current
from observations
inner join interactions on observations.interaction_id = interactions.interaction_id
