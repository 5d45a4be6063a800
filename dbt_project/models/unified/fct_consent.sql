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
),

placed as (
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
),

refusals_of_all as (
    select placed.person_id, placed.channel
    from placed
    cross join {{ source('control', 'run') }} as run
    where placed.is_current and placed.answer = 'refused' and placed.purpose_id = 'all'
        and (placed.valid_until is null or placed.valid_until > run.known_at)
    group by placed.person_id, placed.channel
)

select
    placed.source,
    placed.profile_key,
    placed.person_id,
    placed.purpose_id,
    placed.purpose,
    placed.channel,
    placed.answer,
    placed.legal_basis,
    placed.is_current,
    placed.is_current
    and placed.answer = 'granted'
    and (by_channel.person_id is not null or by_any.person_id is not null) as is_overruled,
    placed.occurred_at,
    placed.valid_until,
    placed.loaded_at
from placed
left join refusals_of_all as by_channel
    on placed.person_id = by_channel.person_id and placed.channel = by_channel.channel
left join refusals_of_all as by_any
    on placed.person_id = by_any.person_id
    and by_any.channel = 'any'
    and placed.channel <> 'any'
