{{ config(materialized='table', contract={'enforced': false}) }}

with

questions as (

    select * from {{ ref('int_acts__counted') }}
    where is_community and kind = 'question' and not is_by_staff and not is_by_bot

),

-- Comments ask back or thank; only an answer or a reply is help. Bots and the asker do not count.
answers as (

    select
        questions.act_id as question_id,
        acts.occurred_at as answered_at,
        acts.is_by_staff
    from questions
    inner join {{ ref('int_acts__counted') }} as acts
        on
            questions.thread_id = acts.thread_id
            and acts.is_community
            and acts.kind in ('answer', 'reply')
            and acts.occurred_at >= questions.occurred_at
            and not acts.is_by_bot
            and (
                acts.actor_person_id is null
                or questions.actor_person_id is null
                or acts.actor_person_id <> questions.actor_person_id
            )

),

answered as (

    select
        question_id,
        min(answered_at) as first_answered_at,
        min(case when not is_by_staff then answered_at end) as first_member_answered_at
    from answers
    group by question_id

),

-- An accepted answer solves the question, also when the asker wrote it.
solved as (

    select
        thread_id,
        min(occurred_at) as solved_at
    from {{ ref('int_acts__counted') }}
    where is_community and kind in ('answer', 'reply') and is_accepted
    group by thread_id

),

-- A source in which nothing was ever accepted cannot tell whether anything is solved.
accepting_sources as (

    select
        source,
        min(day) as accepts_since
    from {{ ref('int_acts__counted') }}
    where is_community and is_accepted
    group by source

),

final as (

    select
        questions.act_id as question_id,
        questions.thread_id,
        questions.actor_person_id as asker_person_id,
        questions.silo,
        questions.place,
        questions.day,
        questions.occurred_at as asked_at,
        answered.first_answered_at,
        answered.first_member_answered_at,
        solved.solved_at,
        accepting_sources.accepts_since
    from questions
    left join answered on questions.act_id = answered.question_id
    left join solved on questions.thread_id = solved.thread_id
    left join accepting_sources on questions.source = accepting_sources.source

)

select * from final
