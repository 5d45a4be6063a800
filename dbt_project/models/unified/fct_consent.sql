with told as (
    select * from {{ ref('int_hubspot__consents') }}
    union all
    select * from {{ ref('int_salesforce__consents') }}
),

answers as (
    select
        source,
        profile_key,
        purpose_id,
        max(purpose) as purpose,
        channel,
        answer,
        max(legal_basis) as legal_basis,
        occurred_at,
        max(valid_until) as valid_until,
        min(loaded_at) as loaded_at
    from told
    group by source, profile_key, purpose_id, channel, answer, occurred_at
),

people as (
    select * from {{ ref('identity_person_map') }}
)

select
    answers.source,
    answers.profile_key,
    people.person_id,
    answers.purpose_id,
    coalesce(answers.purpose, answers.purpose_id) as purpose,
    answers.channel,
    answers.answer,
    answers.legal_basis,
    -- of two answers in one moment the refusal counts
    row_number() over (
        partition by answers.profile_key, answers.purpose_id, answers.channel
        order by answers.occurred_at desc, answers.answer desc
    ) = 1 as is_current,
    answers.occurred_at,
    answers.valid_until,
    answers.loaded_at
from answers
inner join people on answers.profile_key = people.profile_key
