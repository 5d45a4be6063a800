{{ config(materialized='table', contract={'enforced': false}) }}

with

run as (

    select * from {{ source('control', 'run') }}

),

acts as (

    select * from {{ ref('int_acts__counted') }}
    where kind not in ('purchase', 'login')

),

cases as (

    select
        cases.*,
        {{ utc_day('cases.closed_at') }} as day
    from {{ ref('fct_case') }} as cases
    cross join run
    where
        not coalesce(cases.is_deleted, false)
        and cases.loaded_at <= run.known_at
        and {{ utc_day('cases.closed_at') }} <= run.as_of

),

-- A journey begins when somebody outside asks for something.
openings as (

    select
        act_id as journey_id,
        source || case when kind = 'question' then ': questions' else ': cases' end as process,
        actor_person_id as opened_by,
        organization_id,
        place
    from acts
    where act_id = thread_id and kind in ('case_opened', 'question') and not is_by_staff

),

steps as (

    select
        openings.journey_id,
        acts.act_id as step_id,
        case
            when acts.act_id = openings.journey_id then 'they'
            when acts.is_by_bot then 'program'
            when acts.is_by_staff then 'we'
            when acts.is_community and acts.actor_person_id <> openings.opened_by then 'member'
            else 'they'
        end as side,
        case
            when acts.kind = 'case_opened' then 'opened'
            when acts.act_id = openings.journey_id then 'asked'
            when acts.kind = 'case_comment' and acts.is_internal then 'note'
            when acts.kind = 'case_comment' then 'comment'
            else replace(acts.kind, '_', ' ')
        end
        -- where the source tells who in the house has it
        || case when acts.place <> openings.place then ' @ ' || acts.place else '' end as act,
        acts.actor_person_id,
        case when acts.act_id = openings.journey_id then 0 else 1 end as place_in_time,
        acts.day,
        acts.occurred_at
    from openings
    inner join acts on openings.journey_id = acts.thread_id

    union all

    select
        openings.journey_id,
        openings.journey_id || '#closed' as step_id,
        'we' as side,
        'closed' as act,
        cast(null as string) as actor_person_id,
        2 as place_in_time,
        cases.day,
        cases.closed_at as occurred_at
    from openings
    inner join cases on openings.journey_id = cases.case_id

),

-- What is dated before the opening was noted on the journey later, and is no part of it.
numbered as (

    select
        *,
        row_number() over (
            partition by journey_id order by occurred_at, place_in_time, step_id
        ) as step_number
    from (
        select
            steps.*,
            min(case when place_in_time = 0 then occurred_at end) over (partition by journey_id)
                as opened_at
        from steps
    ) as dated
    where occurred_at >= opened_at

),

followed as (

    select
        *,
        side || ': ' || act as step,
        lag(side || ': ' || act) over (partition by journey_id order by step_number)
            as from_step,
        lag(occurred_at) over (partition by journey_id order by step_number) as from_at,
        side = 'we' and actor_person_id is not null as is_ours
    from numbered

),

-- Among our own acts: who of us had it before.
carried as (

    select
        *,
        lag(actor_person_id) over (partition by journey_id, is_ours order by step_number)
            as had_it_before,
        row_number() over (
            partition by journey_id, is_ours, actor_person_id order by step_number
        ) as turn
    from followed

),

final as (

    select
        carried.journey_id,
        openings.process,
        openings.opened_by,
        openings.organization_id,
        cast(carried.step_number as bigint) as step_number,
        carried.side,
        carried.step,
        carried.act = 'closed' as is_closing,
        carried.from_step,
        case when carried.is_ours then carried.actor_person_id end as colleague_id,
        coalesce(carried.is_ours and carried.had_it_before <> carried.actor_person_id, false)
            as is_hand_off,
        coalesce(
            carried.is_ours
            and carried.had_it_before <> carried.actor_person_id
            and carried.turn > 1,
            false
        ) as is_return,
        carried.day,
        carried.occurred_at,
        cast({{ seconds_between('carried.from_at', 'carried.occurred_at') }} as bigint)
            as wait_seconds
    from carried
    inner join openings on carried.journey_id = openings.journey_id

)

select * from final
