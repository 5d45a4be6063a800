{{ config(materialized='table', contract={'enforced': false}) }}

with

run as (

    select * from {{ source('control', 'run') }}

),

interactions as (

    select * from {{ ref('fct_interaction') }}

),

purchases as (

    select * from {{ ref('fct_purchase') }}

),

logins as (

    select * from {{ ref('fct_login') }}

),

sources as (

    select * from {{ source('control', 'sources') }}

),

people as (

    select * from {{ ref('int_people__numbered') }}

),

memberships as (

    select * from {{ ref('int_memberships__ranged') }}

),

-- What had happened and was known, as one condition: of two comparisons DuckDB would expect to let
-- through a handful of rows, and build its hash tables on all acts instead of on people.
counted_interactions as (

    select
        interactions.interaction_id as act_id,
        interactions.actor_person_id,
        interactions.target_person_id,
        interactions.organization_id,
        interactions.source,
        -- where the act happened counts, not which software exported it: a CRM's cases are support
        case
            when interactions.channel = 'case' then 'support'
            when interactions.channel = 'forum' then 'forum'
            when interactions.channel = 'social' then 'social'
            else interactions.silo
        end as silo,
        interactions.channel,
        interactions.place,
        interactions.kind,
        interactions.direction,
        coalesce(
            interactions.thread_id,
            interactions.in_reply_to_interaction_id,
            interactions.interaction_id
        ) as thread_id,
        interactions.is_staff_actor,
        interactions.is_bot_actor,
        interactions.is_accepted,
        interactions.is_prompted,
        coalesce(interactions.visibility, 'public') = 'public' as is_public,
        interactions.occurred_at
    from interactions
    cross join run
    where
        case
            when
                interactions.loaded_at <= run.known_at
                and not coalesce(interactions.is_deleted, false)
                then {{ utc_day('interactions.occurred_at') }} <= run.as_of
        end

),

-- A purchase is an act of the person; what it cost is nobody's business here.
counted_purchases as (

    select
        purchases.purchase_id as act_id,
        purchases.person_id as actor_person_id,
        cast(null as string) as target_person_id,
        purchases.organization_id,
        purchases.source,
        'orders' as silo,
        'order' as channel,
        cast(null as string) as place,
        'purchase' as kind,
        'inbound' as direction,
        purchases.purchase_id as thread_id,
        false as is_staff_actor,
        false as is_bot_actor,
        cast(null as boolean) as is_accepted,
        cast(null as boolean) as is_prompted,
        false as is_public,
        purchases.occurred_at
    from purchases
    cross join run
    where
        case
            when purchases.loaded_at <= run.known_at
                then {{ utc_day('purchases.occurred_at') }} <= run.as_of
        end

),

counted_logins as (

    select
        logins.login_id as act_id,
        logins.person_id as actor_person_id,
        cast(null as string) as target_person_id,
        logins.organization_id,
        logins.source,
        coalesce(sources.silo, 'other') as silo,
        'product' as channel,
        logins.product as place,
        'login' as kind,
        'inbound' as direction,
        logins.login_id as thread_id,
        false as is_staff_actor,
        false as is_bot_actor,
        cast(null as boolean) as is_accepted,
        cast(null as boolean) as is_prompted,
        false as is_public,
        logins.occurred_at
    from logins
    cross join run
    -- one row each: `source` is the key of `control.sources`
    left join sources on logins.source = sources.source
    where
        case
            when logins.loaded_at <= run.known_at
                then {{ utc_day('logins.occurred_at') }} <= run.as_of
        end

),

acts as (

    select * from counted_interactions
    union all
    select * from counted_purchases
    union all
    select * from counted_logins

),

with_parties as (

    select
        acts.*,
        {{ utc_day('acts.occurred_at') }} as day,
        -- an outbound act of nobody known is ours all the same
        coalesce(
            actors.is_staff or (acts.actor_person_id is null and acts.direction = 'outbound'),
            acts.is_staff_actor,
            false
        ) as is_by_staff,
        coalesce(actors.is_bot, acts.is_bot_actor, false) as is_by_bot,
        actors.person_number as actor_number,
        targets.person_number as target_number,
        coalesce(targets.is_staff, false) as is_to_staff,
        coalesce(targets.is_bot, false) as is_to_bot
    from acts
    -- one row each: `person_id` is a key of `int_people__numbered`
    left join people as actors on acts.actor_person_id = actors.person_id
    left join people as targets on acts.target_person_id = targets.person_id

),

final as (

    select
        ---------- ids
        acts.act_id,
        acts.thread_id,
        acts.actor_person_id,
        acts.target_person_id,
        acts.actor_number,
        acts.target_number,
        coalesce(acts.organization_id, memberships.organization_id) as organization_id,

        ---------- text
        acts.source,
        acts.silo,
        acts.channel,
        acts.place,
        acts.kind,
        case
            when acts.kind in ('answer', 'reply') and acts.is_accepted then 'accepted_answer'
            else coalesce(acts.kind, 'other')
        end as behavior,

        ---------- booleans
        acts.is_by_staff,
        acts.is_by_bot,
        acts.is_to_staff,
        acts.is_to_bot,
        acts.is_accepted,
        acts.is_prompted,
        coalesce(acts.direction = 'internal', false) as is_internal,
        acts.is_public and acts.silo in ('forum', 'social') as is_community,
        -- contact: something they did towards us, or a meeting; our calls and mails are attempts
        acts.kind not in ('purchase', 'login')
        and (not acts.is_by_staff or acts.kind = 'meeting') as is_contact,

        ---------- times
        acts.day,
        acts.occurred_at
    from with_parties as acts
    -- at most one row: the ranges of a person do not overlap
    left join memberships
        on
            case when acts.organization_id is null then {{ outsider('acts') }} end
            = memberships.person_id
            and (memberships.from_day is null or memberships.from_day <= acts.day)
            and (memberships.until_day is null or memberships.until_day > acts.day)

)

select * from final
