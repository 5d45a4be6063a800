{{ config(materialized='table', contract={'enforced': false}) }}

{#- Written where it is read: a common one would be kept in memory whole for its many readers. -#}
{%- set acts -%}
(
        select
            *,
            {{ outsider('counted') }} as outside_person_id
        from {{ ref('int_acts__counted') }} as counted
        where kind not in ('purchase', 'login', 'survey', 'note', 'task') and not is_by_bot
    ) as acts
{%- endset %}
{%- set one_day = 24 * 3600 %}
{%- set one_week = 7 * one_day %}

with

run as (

    select * from {{ source('control', 'run') }}

),

---------- who asks, who answers

debuts as (

    select min_by(act_id, (occurred_at, act_id)) as act_id
    from {{ acts }}
    where is_community and not is_by_staff and actor_person_id is not null
    group by actor_person_id

),

openings as (

    select
        acts.*,
        debuts.act_id is not null as is_debut
    from {{ acts }}
    left join debuts on acts.act_id = debuts.act_id
    where
        acts.act_id = acts.thread_id
        and (
            acts.kind in ('question', 'case_opened', 'email', 'mention')
            or (acts.kind = 'post' and debuts.act_id is not null)
        )

),

-- Among questions of a community comments ask back; a note on a case is not seen by who waits.
replies as (

    select
        openings.act_id as request_id,
        acts.is_by_staff,
        coalesce(acts.actor_person_id, '') = coalesce(openings.actor_person_id, '')
        and acts.is_by_staff = openings.is_by_staff as is_by_asker,
        not openings.is_community
        or openings.kind = 'post'
        or acts.kind in ('answer', 'reply') as answers,
        acts.occurred_at
    from openings
    inner join {{ acts }}
        on
            openings.act_id = acts.thread_id
            and openings.act_id <> acts.act_id
            and acts.occurred_at >= openings.occurred_at
            and not (acts.kind = 'case_comment' and acts.is_internal)

),

answered as (

    select
        request_id,
        min(case when answers and not is_by_asker and is_by_staff then occurred_at end) as by_us,
        min(case when answers and not is_by_asker and not is_by_staff then occurred_at end)
            as by_outside,
        min(case when is_by_asker then occurred_at end) as asked_again_at
    from replies
    group by request_id

),

-- Where no act of a kind was ever answered, the source does not tell what belongs together.
telling_threads as (

    select
        openings.source,
        openings.kind
    from openings
    inner join answered on openings.act_id = answered.request_id
    where answered.by_us is not null or answered.by_outside is not null
    group by openings.source, openings.kind

),

requests as (

    select
        openings.act_id as request_id,
        openings.kind,
        openings.actor_person_id,
        openings.outside_person_id,
        openings.organization_id,
        openings.is_by_staff,
        openings.is_to_staff,
        openings.is_community,
        openings.is_debut,
        openings.day,
        openings.occurred_at,
        answered.by_us,
        answered.by_outside,
        answered.asked_again_at
    from openings
    inner join telling_threads
        on openings.source = telling_threads.source and openings.kind = telling_threads.kind
    left join answered on openings.act_id = answered.request_id

),

-- Who waits, and for whom: one row per side that owes an answer.
waits as (

    select
        *,
        'us' as given_by,
        actor_person_id as person_id,
        by_us as answered_at,
        case when is_community then by_outside end as spared_at
    from requests
    where not is_by_staff or is_to_staff

    union all

    select
        *,
        'others' as given_by,
        actor_person_id as person_id,
        by_outside as answered_at,
        by_us as spared_at
    from requests
    where is_community and not is_to_staff and not (is_by_staff and outside_person_id is not null)

    union all

    select
        *,
        'them' as given_by,
        outside_person_id as person_id,
        by_outside as answered_at,
        cast(null as {{ type_moment() }}) as spared_at
    from requests
    where is_by_staff and outside_person_id is not null

),

-- In a community the first answer spares the other side its own.
timed as (

    select
        *,
        {{ seconds_between('occurred_at', 'answered_at') }} as seconds,
        {{ seconds_between('occurred_at', 'asked_again_at') }} as asked_again_seconds,
        {{ seconds_between('occurred_at', 'spared_at') }} as spared_seconds,
        spared_at is not null and (answered_at is null or spared_at < answered_at) as is_spared
    from waits

),

---------- reactions

contributions as (

    select *
    from {{ acts }}
    where is_community and kind in ('post', 'question', 'answer', 'reply', 'comment')

),

-- Counters of a source that tells likes alone say nothing about unkindness.
reactions as (

    select
        contributions.act_id,
        contributions.source,
        sum(case when reactions.polarity = 'positive' then reactions.n_change else 0 end)
            as positive,
        sum(case when reactions.polarity = 'negative' then reactions.n_change else 0 end)
            as negative,
        count(case when reactions.polarity = 'negative' then 1 end) as negative_looks
    from {{ ref('fct_reaction') }} as reactions
    inner join contributions on reactions.interaction_id = contributions.act_id
    cross join run
    where reactions.observed_at <= run.known_at
    group by contributions.act_id, contributions.source

),

reacting_sources as (

    select
        source,
        sum(negative_looks) > 0 as tells_negative
    from reactions
    group by source

),

given as (

    select
        given.interaction_id,
        given.actor_person_id,
        given.source
    from {{ ref('fct_reaction_given') }} as given
    cross join run
    where
        given.polarity = 'positive'
        and given.first_seen_at <= run.known_at
        and (given.taken_back_at is null or given.taken_back_at > run.known_at)
    group by given.interaction_id, given.actor_person_id, given.source

),

thanking_sources as (

    select source
    from given
    group by source

    union

    select source
    from contributions
    where is_accepted
    group by source

),

-- One row per answer in somebody else's question.
answers as (

    select
        contributions.act_id,
        contributions.actor_person_id as answerer_id,
        contributions.is_by_staff,
        contributions.organization_id,
        contributions.day,
        coalesce(contributions.is_accepted, false) or given.interaction_id is not null
            as is_thanked,
        openings.actor_person_id as asker_id,
        openings.organization_id as asker_organization_id,
        openings.is_by_staff as is_asked_by_staff
    from contributions
    inner join openings
        on
            contributions.thread_id = openings.act_id
            and openings.kind = 'question'
            and openings.actor_person_id <> contributions.actor_person_id
    inner join thanking_sources on contributions.source = thanking_sources.source
    -- at most one row per answer and who reacted
    left join given
        on
            contributions.act_id = given.interaction_id
            and openings.actor_person_id = given.actor_person_id
    where contributions.kind in ('answer', 'reply')

),

liked as (

    select
        contributions.*,
        coalesce(reactions.positive, 0) > 0 as is_thanked,
        coalesce(reactions.negative, 0) > 0 as is_disliked,
        reacting_sources.tells_negative
    from contributions
    inner join reacting_sources on contributions.source = reacting_sources.source
    left join reactions on contributions.act_id = reactions.act_id

),

---------- promises, cases, messages, surveys

promises as (

    select
        promises.*,
        {{ utc_day('promises.due_at') }} as due_day,
        promises.fulfilled_at is not null
        and {{ seconds_between('promises.due_at', 'promises.fulfilled_at') }} <= {{ one_week }}
            as is_done_soon
    from {{ ref('fct_commitment') }} as promises
    cross join run
    where
        promises.outcome in ('kept', 'late', 'open')
        and promises.due_at is not null
        and promises.loaded_at <= run.known_at

),

closings as (

    select
        cases.case_id,
        cases.person_id,
        cases.organization_id,
        events.occurred_at,
        {{ utc_day('events.occurred_at') }} as day
    from {{ ref('fct_case_event') }} as events
    inner join {{ ref('fct_case') }} as cases on events.case_id = cases.case_id
    cross join run
    where
        events.kind = 'closed'
        and not coalesce(cases.is_deleted, false)
        and events.loaded_at <= run.known_at

),

gone_on as (

    select
        closings.case_id,
        closings.occurred_at
    from closings
    inner join {{ ref('fct_case_event') }} as events
        on
            closings.case_id = events.case_id
            and events.kind = 'comment'
            and not events.is_staff
            and events.occurred_at > closings.occurred_at
            and {{ seconds_between('closings.occurred_at', 'events.occurred_at') }} <= {{ one_week }}
    group by closings.case_id, closings.occurred_at

),

handled as (

    select
        journey_id,
        opened_by,
        organization_id,
        max(case when is_closing then day end) as day,
        max(case when is_hand_off then 1 else 0 end) as hand_offs
    from {{ ref('int_journeys__steps') }}
    group by journey_id, opened_by, organization_id
    having count(colleague_id) > 0

),

messages as (

    select
        messages.message_sent_id,
        messages.source,
        messages.person_id,
        messages.organization_id,
        messages.channel,
        messages.occurred_at,
        {{ utc_day('messages.occurred_at') }} as day
    from {{ ref('fct_message_sent') }} as messages
    cross join run
    where messages.loaded_at <= run.known_at

),

consents as (

    select consents.*
    from {{ ref('fct_consent') }} as consents
    cross join run
    where consents.loaded_at <= run.known_at and consents.person_id is not null

),

-- The last answer of each profile for each purpose and channel before the message went out.
standing as (

    select
        messages.message_sent_id,
        consents.purpose_id,
        consents.answer,
        consents.valid_until is not null and consents.valid_until <= messages.occurred_at
            as is_over,
        row_number() over (
            partition by
                messages.message_sent_id, consents.profile_key, consents.purpose_id,
                consents.channel
            order by consents.occurred_at desc, consents.answer desc
        ) as turn
    from messages
    inner join consents
        on
            messages.person_id = consents.person_id
            and consents.channel in ('any', messages.channel)
            and consents.occurred_at <= messages.occurred_at

),

-- A refusal for all purposes goes before a narrower consent.
asked as (

    select
        message_sent_id,
        count(case when answer = 'refused' then 1 end) as refusals,
        count(case when answer = 'refused' and purpose_id = 'all' then 1 end) as refusals_of_all,
        count(case when answer = 'granted' then 1 end) as grants
    from standing
    where turn = 1 and not is_over
    group by message_sent_id

),

consent_since as (

    select min(occurred_at) as first_at
    from consents

),

responses as (

    select
        messages.message_sent_id,
        max(
            case
                when responses.kind in ('unsubscribe', 'complaint') then 0
                when responses.kind = 'bounce' or coalesce(responses.is_automatic, false) then 0
                else 1
            end
        ) as responded,
        max(case when responses.kind in ('unsubscribe', 'complaint') then 1 else 0 end)
            as opted_out
    from messages
    inner join {{ ref('fct_message_response') }} as responses
        on
            messages.message_sent_id = responses.message_sent_id
            and responses.occurred_at >= messages.occurred_at
            and {{ seconds_between('messages.occurred_at', 'responses.occurred_at') }}
            <= {{ one_week }}
    cross join run
    where responses.loaded_at <= run.known_at
    group by messages.message_sent_id

),

responding_sources as (

    select source
    from {{ ref('fct_message_response') }}
    group by source

),

surveys as (

    select
        surveys.person_id,
        surveys.organization_id,
        {{ utc_day('surveys.occurred_at') }} as day,
        cast(
            round(
                cast(surveys.score - surveys.scale_low as double)
                / cast(surveys.scale_high - surveys.scale_low as double),
                6
            ) as decimal(18, 6)
        ) as value
    from {{ ref('fct_survey_answer') }} as surveys
    cross join run
    where
        surveys.scale_high > surveys.scale_low
        and surveys.score between surveys.scale_low and surveys.scale_high
        and surveys.loaded_at <= run.known_at

),

---------- one row per occasion, on the day on which its value is settled

occasions as (
    {%- set promised = [
        ('promises_kept', 'due_day', one_if("outcome = 'kept'")),
        ('promises_overdue', days_after('due_day', 7), one_if('not is_done_soon')),
    ] %}
    {%- for indicator, day, value in promised %}

    select
        '{{ indicator }}' as indicator,
        case when is_ours then 'us' else 'them' end as given_by,
        person_id,
        organization_id,
        {{ day }} as day,
        {{ value }} as value
    from promises

    union all
    {%- endfor %}

    select
        'cases_reopened' as indicator,
        'us' as given_by,
        closings.person_id,
        closings.organization_id,
        {{ days_after('closings.day', 7) }} as day,
        {{ one_if('gone_on.case_id is not null') }} as value
    from closings
    left join gone_on
        on closings.case_id = gone_on.case_id and closings.occurred_at = gone_on.occurred_at

    union all

    select
        'handed_on' as indicator,
        'us' as given_by,
        opened_by as person_id,
        organization_id,
        day,
        {{ one_if('hand_offs > 0') }} as value
    from handled
    where day is not null
    {%- for indicator, condition in [
        (
            'written_with_consent',
            'coalesce(asked.grants, 0) > 0 and coalesce(asked.refusals_of_all, 0) = 0',
        ),
        (
            'written_despite_refusal',
            'asked.refusals_of_all > 0 or (asked.refusals > 0 and asked.grants = 0)',
        ),
    ] %}

    union all

    select
        '{{ indicator }}' as indicator,
        'us' as given_by,
        messages.person_id,
        messages.organization_id,
        messages.day,
        {{ one_if(condition) }} as value
    from messages
    inner join consent_since on messages.occurred_at >= consent_since.first_at
    left join asked on messages.message_sent_id = asked.message_sent_id
    {%- endfor %}
    {%- for indicator, column in [
        ('mailings_responded', 'responded'),
        ('mailings_opted_out', 'opted_out'),
    ] %}

    union all

    select
        '{{ indicator }}' as indicator,
        'them' as given_by,
        messages.person_id,
        messages.organization_id,
        {{ days_after('messages.day', 7) }} as day,
        {{ one_if('responses.' ~ column ~ ' = 1') }} as value
    from messages
    inner join responding_sources on messages.source = responding_sources.source
    left join responses on messages.message_sent_id = responses.message_sent_id
    {%- endfor %}

    union all

    select
        'survey_satisfaction' as indicator,
        'them' as given_by,
        person_id,
        organization_id,
        day,
        value
    from surveys
    {%- set waited = [
        (
            'answered_within_day', 1, 'coalesce(seconds <= ' ~ one_day ~ ', false)',
            "kind <> 'post'",
        ),
        (
            'left_unanswered', 7, 'coalesce(seconds > ' ~ one_week ~ ', true)',
            "kind <> 'post'",
        ),
        ('newcomers_answered', 1, 'coalesce(seconds <= ' ~ one_day ~ ', false)', 'is_debut'),
        (
            'asked_again', 7,
            'asked_again_seconds <= ' ~ one_week
            ~ ' and (seconds is null or asked_again_seconds < seconds)',
            "kind <> 'post' and not is_community",
        ),
        (
            'questions_helped', 7, 'coalesce(seconds <= ' ~ one_week ~ ', false)',
            "kind = 'question' and given_by = 'others'",
        ),
    ] %}
    {%- for indicator, days, condition, where in waited %}

    union all

    select
        '{{ indicator }}' as indicator,
        given_by,
        person_id,
        organization_id,
        {{ days_after('day', days) }} as day,
        {{ one_if(condition) }} as value
    from timed
    where {{ where }} and not (is_spared and spared_seconds <= {{ days * one_day }})
    {%- endfor %}

    union all

    select
        'newcomers_ignored' as indicator,
        'anyone' as given_by,
        actor_person_id as person_id,
        organization_id,
        {{ days_after('day', 7) }} as day,
        {{ one_if(
            'coalesce(' ~ seconds_between('occurred_at', 'least(by_us, by_outside)')
            ~ ' > ' ~ one_week ~ ', true)'
        ) }} as value
    from requests
    where is_debut

    union all

    select
        'response_hours' as indicator,
        given_by,
        person_id,
        organization_id,
        {{ utc_day('answered_at') }} as day,
        cast(round(cast(seconds as double) / 3600, 6) as decimal(18, 6)) as value
    from timed
    where kind <> 'post' and answered_at is not null and not is_spared
    {%- for given_by, condition in [('us', 'is_by_staff'), ('them', 'not is_by_staff')] %}

    union all

    select
        'conversations_begun' as indicator,
        '{{ given_by }}' as given_by,
        outside_person_id as person_id,
        organization_id,
        day,
        {{ one_if(condition) }} as value
    from {{ acts }}
    where
        act_id = thread_id
        and outside_person_id is not null
        and not is_community
        and not is_internal
    {%- endfor %}
    {%- for given_by, prefix, condition in [
        ('us', 'answerer', 'is_asked_by_staff'),
        ('others', 'answerer', 'not is_asked_by_staff'),
        ('them', 'asker', 'is_by_staff and not is_asked_by_staff'),
    ] %}

    union all

    select
        'answers_thanked' as indicator,
        '{{ given_by }}' as given_by,
        {{ prefix }}_id as person_id,
        {{ 'asker_organization_id' if prefix == 'asker' else 'organization_id' }},
        {{ days_after('day', 7) }} as day,
        {{ one_if('is_thanked') }} as value
    from answers
    where {{ condition }}
    {%- endfor %}
    {%- for indicator, condition, where in [
        ('contributions_thanked', 'is_thanked', 'true'),
        ('accepted_never_thanked', 'not is_thanked', 'is_accepted'),
        ('reactions_unkind', 'is_disliked', 'tells_negative'),
    ] %}

    union all

    select
        '{{ indicator }}' as indicator,
        'anyone' as given_by,
        actor_person_id as person_id,
        organization_id,
        {{ days_after('day', 7) }} as day,
        {{ one_if(condition) }} as value
    from liked
    where {{ where }}
    {%- endfor %}

),

people as (

    select * from {{ ref('dim_person') }}

),

organizations as (

    select * from {{ ref('dim_organization') }}

),

kinds as (

    select
        occasions.*,
        case
            when people.is_staff then 'staff'
            when people.party_kind <> 'unknown' then people.party_kind
            else coalesce(organizations.party_kind, 'unknown')
        end as party_kind
    from occasions
    cross join run
    -- one row each: keys of the dimensions
    left join people on occasions.person_id = people.person_id
    left join organizations on occasions.organization_id = organizations.organization_id
    -- one condition, as in `int_acts__counted`
    where case when not coalesce(people.is_bot, false) then occasions.day <= run.as_of end

),

final as (

    select
        person_id,
        indicator,
        -- what a colleague does to colleagues, we do
        case when party_kind = 'staff' and given_by = 'them' then 'us' else given_by end
            as given_by,
        party_kind,
        day,
        value
    from kinds

)

select * from final
