with answers as (
    select * from {{ ref('int_hubspot__survey_answers') }}
    union all
    select * from {{ ref('int_mapped__survey_answers') }}
),

-- An answer is an act, too: who it is of, and which organization's, is told there.
acts as (
    select * from {{ ref('fct_interaction') }}
    where kind = 'survey' and not is_deleted
)

select
    answers.survey_answer_id,
    answers.source,
    acts.actor_person_id as person_id,
    acts.organization_id,
    answers.survey_id,
    answers.survey,
    coalesce(answers.kind, 'other') as kind,
    answers.question,
    answers.channel,
    answers.score,
    answers.scale_low,
    answers.scale_high,
    answers.answer_group,
    acts.occurred_at,
    acts.source_seen_at,
    acts.loaded_at
from answers
inner join acts on answers.survey_answer_id = acts.interaction_id
