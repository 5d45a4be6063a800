{{ config(materialized='table', contract={'enforced': false}) }}

{%- set snapshot_segment = ['as_of', 'basis', 'window_days', 'segment_type', 'segment'] %}

with

-- Four weeks; for the whole community also a year of weeks, and longer than any lives.
windows as (

    select
        as_of,
        basis,
        window_days,
        {{ days_after('as_of', '-window_days') }} as starts_after
    from (
        {{ snapshots() }}
    ) as snapshots
    cross join (
        select 28 as window_days
        union all
        select 364 as window_days
        union all
        select 36400 as window_days
    ) as lengths

),

questions as (

    select * from {{ ref('int_questions__answered') }}

),

memberships as (

    select * from {{ ref('int_memberships__ranged') }}

),

---------- questions asked in the window

first_days as (

    select
        actor_person_id as person_id,
        min(day) as first_day
    from {{ ref('int_acts__counted') }}
    where is_community and actor_person_id is not null
    group by actor_person_id

),

asked as (

    select
        windows.as_of,
        windows.basis,
        windows.window_days,
        questions.silo,
        questions.place,
        questions.asker_person_id,
        {{ utc_day('questions.first_answered_at') }} <= windows.as_of as is_answered_or_null,
        {{ utc_day('questions.first_member_answered_at') }} <= windows.as_of
            as is_answered_by_member_or_null,
        {{ utc_day('questions.solved_at') }} <= windows.as_of as is_solved_or_null,
        questions.accepts_since <= windows.as_of as is_solvable_or_null,
        {{ seconds_between('questions.asked_at', 'questions.first_answered_at') }}
            as answered_after,
        {{ seconds_between('questions.asked_at', end_of_day('windows.as_of')) }} as seen_for,
        first_days.first_day > windows.starts_after as is_newcomer_or_null
    from windows
    inner join questions
        on questions.day <= windows.as_of and questions.day > windows.starts_after
    left join first_days on questions.asker_person_id = first_days.person_id

),

waits as (

    select
        *,
        coalesce(is_answered_or_null, false) as is_answered,
        coalesce(is_answered_by_member_or_null, false) as is_answered_by_member,
        coalesce(is_solvable_or_null, false) as is_solvable,
        coalesce(is_solved_or_null, false) as is_solved,
        coalesce(is_newcomer_or_null, false) as is_newcomer,
        case when is_answered_or_null then answered_after else seen_for end as wait_seconds,
        -- seven days must have passed before a question can count as not answered in seven days
        seen_for >= 7 * 86400 as is_ripe,
        coalesce(is_answered_or_null and answered_after <= 7 * 86400, false) as is_answered_7d
    from asked

),

segmented_waits as (

    {{ in_segments('waits', 'asker_person_id') }}

),

waited as (

    select * from segmented_waits
    where window_days = 28 or segment_type = 'all'

),

question_counts as (

    select
        {{ snapshot_segment | join(', ') }},
        count(*) as questions,
        count(*) filter (where is_answered) as questions_answered,
        count(*) filter (where is_answered_by_member) as questions_answered_by_members,
        count(*) filter (where is_ripe) as questions_ripe,
        count(*) filter (where is_ripe and is_answered_7d) as questions_answered_7d,
        count(*) filter (where is_solvable) as questions_solvable,
        count(*) filter (where is_solvable and is_solved) as questions_solved,
        count(*) filter (where is_newcomer and is_ripe) as newcomer_questions,
        count(*) filter (where is_newcomer and is_ripe and is_answered_7d)
            as newcomer_questions_answered
    from waited
    group by {{ snapshot_segment | join(', ') }}

),

first_responses as (

    {{ product_limit('waited', snapshot_segment, 'wait_seconds', 'is_answered') }}

),

---------- answers given in the window, and by whom

answer_days as (

    select
        answers.actor_person_id as helper_id,
        answers.is_by_staff,
        answers.silo,
        answers.place,
        answers.day,
        count(*) as answers
    from {{ ref('int_acts__counted') }} as answers
    inner join questions
        -- many to one: the question of the thread
        on answers.thread_id = questions.thread_id
    where
        answers.is_community
        and answers.kind in ('answer', 'reply')
        and not answers.is_by_bot
        and answers.occurred_at >= questions.asked_at
        and (
            answers.actor_person_id is null
            or questions.asker_person_id is null
            or answers.actor_person_id <> questions.asker_person_id
        )
    group by
        answers.actor_person_id,
        answers.is_by_staff,
        answers.silo,
        answers.place,
        answers.day

),

helped_in_places as (

    select
        windows.as_of,
        windows.basis,
        windows.window_days,
        answers.silo,
        answers.place,
        answers.helper_id,
        bool_or(answers.is_by_staff) as is_staff,
        sum(answers.answers) as answers
    from windows
    inner join answer_days as answers
        on answers.day <= windows.as_of and answers.day > windows.starts_after
    group by
        windows.as_of,
        windows.basis,
        windows.window_days,
        answers.silo,
        answers.place,
        answers.helper_id

),

segmented_help as (

    {{ in_segments('helped_in_places', 'helper_id') }}

),

helped as (

    select
        {{ snapshot_segment | join(', ') }},
        helper_id,
        bool_or(is_staff) as is_staff,
        cast(sum(answers) as bigint) as answers
    from segmented_help
    where window_days = 28 or segment_type = 'all'
    group by {{ snapshot_segment | join(', ') }}, helper_id

),

answer_counts as (

    select
        {{ snapshot_segment | join(', ') }},
        sum(answers) as answers,
        sum(case when is_staff then answers else 0 end) as staff_answers
    from helped
    group by {{ snapshot_segment | join(', ') }}

),

known_helpers as (

    select * from helped
    where helper_id is not null

),

helper_concentration as (

    {{ concentration('known_helpers', snapshot_segment, 'helper_id', 'answers') }}

),

helpers_with_organization as (

    select
        known_helpers.as_of,
        known_helpers.basis,
        known_helpers.window_days,
        known_helpers.segment_type,
        known_helpers.segment,
        -- our own people count as one organization
        case
            when known_helpers.is_staff then 'us' else memberships.organization_id
        end as organization_id,
        known_helpers.answers
    from known_helpers
    left join memberships
        on
            known_helpers.helper_id = memberships.person_id
            and (memberships.from_day is null or memberships.from_day <= known_helpers.as_of)
            and (memberships.until_day is null or memberships.until_day > known_helpers.as_of)
    where known_helpers.window_days = 28

),

helping_organizations as (

    select
        {{ snapshot_segment | join(', ') }},
        organization_id,
        cast(sum(answers) as bigint) as answers
    from helpers_with_organization
    where organization_id is not null
    group by {{ snapshot_segment | join(', ') }}, organization_id

),

organization_concentration as (

    {{ concentration('helping_organizations', snapshot_segment, 'organization_id', 'answers') }}

),

---------- members who did both in the last 28 days: ask and help

askers as (

    select
        {{ snapshot_segment | join(', ') }},
        asker_person_id as person_id
    from waited
    where asker_person_id is not null and window_days = 28
    group by {{ snapshot_segment | join(', ') }}, asker_person_id

),

two_roles as (

    select
        askers.as_of,
        askers.basis,
        askers.window_days,
        askers.segment_type,
        askers.segment,
        count(*) as members_in_both_roles
    from askers
    -- one to one: both sides hold a person once per snapshot, window and segment
    inner join known_helpers
        on
            askers.as_of = known_helpers.as_of
            and askers.basis = known_helpers.basis
            and askers.window_days = known_helpers.window_days
            and askers.segment_type = known_helpers.segment_type
            and askers.segment = known_helpers.segment
            and askers.person_id = known_helpers.helper_id
    where not known_helpers.is_staff
    group by
        askers.as_of,
        askers.basis,
        askers.window_days,
        askers.segment_type,
        askers.segment

),

---------- ties of the last 28 days: pairs of people of whom one spoke to the other

ties_in_places as (

    select
        windows.as_of,
        windows.basis,
        windows.window_days,
        least(acts.actor_person_id, acts.target_person_id) as one_id,
        greatest(acts.actor_person_id, acts.target_person_id) as other_id,
        acts.silo,
        acts.place,
        bool_or(acts.is_by_staff or acts.is_to_staff) as touches_staff
    from windows
    inner join {{ ref('int_acts__counted') }} as acts
        on
            acts.day <= windows.as_of
            and acts.day > windows.starts_after
            and windows.window_days = 28
    where
        acts.is_community
        and acts.actor_person_id <> acts.target_person_id
        and not acts.is_by_bot
        and not acts.is_to_bot
    group by
        windows.as_of,
        windows.basis,
        windows.window_days,
        least(acts.actor_person_id, acts.target_person_id),
        greatest(acts.actor_person_id, acts.target_person_id),
        acts.silo,
        acts.place

),

-- A tie belongs to the segment of each of its ends.
ends_of_ties as (

    select
        one_id as end_id,
        *
    from ties_in_places
    union all
    select
        other_id as end_id,
        *
    from ties_in_places

),

segmented_ends as (

    {{ by_person_segment('ends_of_ties', 'end_id') }}

),

segmented_ties as (

    {{ in_places('ties_in_places') }}

    union all

    select
        segment_type,
        segment,
        as_of,
        basis,
        window_days,
        one_id,
        other_id,
        silo,
        place,
        touches_staff
    from segmented_ends

),

ties as (

    select
        {{ snapshot_segment | join(', ') }},
        one_id,
        other_id,
        bool_or(touches_staff) as touches_staff
    from segmented_ties
    group by {{ snapshot_segment | join(', ') }}, one_id, other_id

),

tie_counts as (

    select
        {{ snapshot_segment | join(', ') }},
        count(*) as ties,
        count(*) filter (where not touches_staff) as member_ties
    from ties
    group by {{ snapshot_segment | join(', ') }}

),

---------- who got their first answer 90 days before the window's days, and whether they came back

first_helps as (

    select
        *,
        {{ utc_day('first_answered_at') }} as helped_on,
        row_number() over (
            partition by asker_person_id order by first_answered_at, question_id
        ) as nth
    from questions
    where asker_person_id is not null and first_answered_at is not null

),

-- Thanks in the same thread are no coming back.
comebacks as (

    select
        first_helps.asker_person_id,
        first_helps.silo,
        first_helps.place,
        first_helps.helped_on,
        min(acts.day) as back_on
    from first_helps
    inner join (
        select
            {{ days_after('min(starts_after)', -90) }} as helped_after,
            {{ days_after('max(as_of)', -90) }} as helped_until
        from windows
        where window_days = 28
    ) as asked_about
        on
            first_helps.helped_on > asked_about.helped_after
            and first_helps.helped_on <= asked_about.helped_until
    left join {{ ref('int_acts__counted') }} as acts
        on
            acts.is_community
            and first_helps.asker_person_id = acts.actor_person_id
            and first_helps.helped_on < acts.day
            and first_helps.thread_id <> coalesce(acts.thread_id, '')
    where first_helps.nth = 1
    group by
        first_helps.asker_person_id,
        first_helps.silo,
        first_helps.place,
        first_helps.helped_on

),

segmented_comebacks as (

    {{ in_segments('comebacks', 'asker_person_id') }}

),

comeback_counts as (

    select
        windows.as_of,
        windows.basis,
        windows.window_days,
        comebacks.segment_type,
        comebacks.segment,
        count(*) as first_helped,
        count(case when comebacks.back_on <= {{ days_after('comebacks.helped_on', 90) }} then 1 end)
            as first_helped_back
    from windows
    inner join segmented_comebacks as comebacks
        on
            comebacks.helped_on <= {{ days_after('windows.as_of', -90) }}
            and comebacks.helped_on > {{ days_after('windows.starts_after', -90) }}
            and windows.window_days = 28
    group by
        windows.as_of,
        windows.basis,
        windows.window_days,
        comebacks.segment_type,
        comebacks.segment

),

---------- all of it, one row per snapshot, window and segment in which anything happened

spine as (

    select {{ snapshot_segment | join(', ') }} from question_counts
    union
    select {{ snapshot_segment | join(', ') }} from answer_counts
    union
    select {{ snapshot_segment | join(', ') }} from tie_counts
    union
    select {{ snapshot_segment | join(', ') }} from comeback_counts

),

final as (

    select
        spine.as_of,
        spine.basis,
        spine.window_days,
        spine.segment_type,
        spine.segment,
        coalesce(question_counts.questions, 0) as questions,
        coalesce(question_counts.questions_answered, 0) as questions_answered,
        coalesce(question_counts.questions_answered_by_members, 0)
            as questions_answered_by_members,
        coalesce(question_counts.questions_ripe, 0) as questions_ripe,
        coalesce(question_counts.questions_answered_7d, 0) as questions_answered_7d,
        coalesce(question_counts.questions_solvable, 0) as questions_solvable,
        coalesce(question_counts.questions_solved, 0) as questions_solved,
        coalesce(question_counts.newcomer_questions, 0) as newcomer_questions,
        coalesce(question_counts.newcomer_questions_answered, 0)
            as newcomer_questions_answered,
        first_responses.median_wait as median_first_response_seconds,
        first_responses.p90_wait as p90_first_response_seconds,
        cast(coalesce(answer_counts.answers, 0) as bigint) as answers,
        cast(coalesce(answer_counts.staff_answers, 0) as bigint) as staff_answers,
        coalesce(helpers.n_parts, 0) as helpers,
        cast(coalesce(helpers.total, 0) as bigint) as helper_answers,
        helpers.top_1 as top_helper_answers,
        cast(helpers.top_5 as bigint) as top_5_helper_answers,
        helpers.gini as helper_gini,
        helpers.n_for_half as helper_absence_factor,
        coalesce(organizations.n_parts, 0) as helping_organizations,
        cast(coalesce(organizations.total, 0) as bigint) as organization_answers,
        organizations.n_for_half as elephant_factor,
        coalesce(two_roles.members_in_both_roles, 0) as members_in_both_roles,
        coalesce(tie_counts.ties, 0) as ties,
        coalesce(tie_counts.member_ties, 0) as member_ties,
        coalesce(comeback_counts.first_helped, 0) as first_helped,
        coalesce(comeback_counts.first_helped_back, 0) as first_helped_back
    from spine
    {%- for part, name in [
        ('question_counts', 'question_counts'),
        ('first_responses', 'first_responses'),
        ('answer_counts', 'answer_counts'),
        ('helper_concentration', 'helpers'),
        ('organization_concentration', 'organizations'),
        ('two_roles', 'two_roles'),
        ('tie_counts', 'tie_counts'),
        ('comeback_counts', 'comeback_counts'),
    ] %}
    left join {{ part }}{% if part != name %} as {{ name }}{% endif %}
        on
            {%- for column in snapshot_segment %}
            {% if not loop.first %}and {% endif %}spine.{{ column }} = {{ name }}.{{ column }}
            {%- endfor %}
    {%- endfor %}

)

select * from final
