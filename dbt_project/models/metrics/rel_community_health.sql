{{ config(**snapshot_table()) }}

with

snapshots as (

    {{ snapshots() }}

),

settings as (

    {{ metric_settings() }}

),

seen as (

    {{ silos_seen(['forum']) }}

),

growth as (

    select * from {{ ref('int_community__growth') }}

),

every_help as (

    select * from {{ ref('int_community__help') }}

),

help as (

    select * from every_help
    where window_days = 28

),

-- Small communities are judged over longer times; the longest window is all there ever was.
longer_help as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        {%- for name, days in [('364d', 364), ('ever', 36400)] %}
        {%- for column in [
            'questions', 'questions_answered', 'questions_solvable', 'questions_solved', 'answers',
            'median_first_response_seconds', 'helpers', 'helper_answers', 'top_helper_answers',
            'helper_absence_factor',
        ] %}
        max(case when window_days = {{ days }} then {{ column }} end) as {{ column }}_{{ name }},
        {%- endfor %}
        {%- endfor %}
        count(*) as windows
    from every_help
    group by as_of, basis, segment_type, segment

),

-- The whole has a row in every snapshot, also when there is no community to look at.
segments as (

    select
        as_of,
        basis,
        'all' as segment_type,
        'all' as segment
    from snapshots
    union
    select
        as_of,
        basis,
        segment_type,
        segment
    from growth
    union
    select
        as_of,
        basis,
        segment_type,
        segment
    from longer_help

),

joined as (

    select
        segments.as_of,
        segments.basis,
        segments.segment_type,
        segments.segment,
        snapshots.known_at,
        settings.has_strategy,
        settings.owner_of_community,
        settings.thriving_quick_ratio,
        settings.thriving_answered_share,
        settings.thriving_absence_factor,
        coalesce(seen.coverage, 0) as coverage,
        -- a community nobody has looked at, or had not begun yet, is unknown and not empty
        coalesce(seen.sees_forum, false) or growth.as_of is not null or longer_help.as_of is not null
            as is_known,
        {%- for column in [
            'members', 'contributions', 'active', 'previous_active', 'new_members', 'retained',
            'resurrected', 'churned', 'wau', 'person_days',
        ] %}
        coalesce(growth.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        {%- for column in [
            'questions', 'questions_answered', 'questions_answered_by_members',
            'questions_ripe', 'questions_answered_7d', 'questions_solvable', 'questions_solved',
            'newcomer_questions', 'newcomer_questions_answered', 'answers', 'staff_answers',
            'helpers', 'helper_answers', 'helping_organizations', 'organization_answers',
            'members_in_both_roles', 'ties', 'member_ties', 'first_helped', 'first_helped_back',
        ] %}
        coalesce(help.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        help.median_first_response_seconds,
        help.p90_first_response_seconds,
        help.top_helper_answers,
        help.top_5_helper_answers,
        help.helper_gini,
        help.helper_absence_factor,
        help.elephant_factor,
        {%- for name in ['364d', 'ever'] %}
        {%- for column in [
            'questions', 'questions_answered', 'questions_solvable', 'questions_solved', 'answers',
            'helpers', 'helper_answers',
        ] %}
        coalesce(longer_help.{{ column }}_{{ name }}, 0) as {{ column }}_{{ name }},
        {%- endfor %}
        {%- for column in [
            'median_first_response_seconds', 'top_helper_answers', 'helper_absence_factor',
        ] %}
        longer_help.{{ column }}_{{ name }}{{ ',' if not (loop.last and name == 'ever') }}
        {%- endfor %}
        {%- endfor %}
    from segments
    inner join snapshots
        on segments.as_of = snapshots.as_of and segments.basis = snapshots.basis
    cross join settings
    left join seen on segments.as_of = seen.as_of and segments.basis = seen.basis
    left join growth
        on
            segments.as_of = growth.as_of
            and segments.basis = growth.basis
            and segments.segment_type = growth.segment_type
            and segments.segment = growth.segment
    left join help
        on
            segments.as_of = help.as_of
            and segments.basis = help.basis
            and segments.segment_type = help.segment_type
            and segments.segment = help.segment
    left join longer_help
        on
            segments.as_of = longer_help.as_of
            and segments.basis = longer_help.basis
            and segments.segment_type = longer_help.segment_type
            and segments.segment = longer_help.segment

),

judged as (

    select
        *,
        case when new_members + resurrected >= thriving_quick_ratio * churned then 1 else 0 end
        + case
            when questions_answered_7d >= thriving_answered_share * questions_ripe then 1 else 0
        end
        + case when helper_absence_factor >= thriving_absence_factor then 1 else 0 end
            as bounds_met,
        case
            when questions_ripe > questions_answered_7d
                then cast(questions_ripe - questions_answered_7d as string) || ' of '
                    || {{ counted('questions_ripe', 'question') }}
                    || ' got no answer within 7 days'
        end as waiting_reason,
        case
            when churned > new_members + resurrected
                then {{ counted('churned', 'member') }} || ' went quiet, '
                    || cast(new_members + resurrected as string) || ' came or came back'
        end as shrinking_reason,
        case
            when helper_answers >= 10 and helper_absence_factor <= 2
                then case
                    when helper_absence_factor = 1 then 'one person gives half of all answers'
                    else 'two people give half of all answers'
                end
        end as dependence_reason,
        case
            when not has_strategy then cast(null as string)
            when new_members + resurrected < thriving_quick_ratio * churned
                then cast(new_members + resurrected as string) || ' came or came back, '
                    || cast(churned as string) || ' went quiet: less than the strategy asks for'
            when helper_absence_factor is null then 'nobody gave an answer'
            when helper_absence_factor < thriving_absence_factor
                then 'half of all answers come from '
                    || cast(helper_absence_factor as string)
                    || ' people, fewer than the strategy asks for'
        end as bound_reason
    from joined

),

called as (

    select
        *,
        case
            when not has_strategy or not is_known then cast(null as string)
            when active + previous_active < 10 or questions_ripe < 10 then 'too few to tell'
            when bounds_met = 3 then 'thriving'
            when bounds_met > 0 then 'mixed'
            else 'struggling'
        end as verdict
    from judged

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        segment_type,
        segment,
        28 as window_days,

        ---------- growth (people)
        {%- for column in [
            'members', 'active', 'previous_active', 'new_members', 'retained', 'resurrected',
            'churned', 'contributions',
        ] %}
        cast(case when is_known then {{ column }} end as bigint) as {{ column }},
        {%- endfor %}
        {{ share('new_members + resurrected', 'churned') }} as quick_ratio,
        cast(case when is_known then person_days end as double) / 28 as dau,
        cast(case when is_known then wau end as bigint) as wau,
        cast(case when is_known then active end as bigint) as mau,
        {{ share('person_days', '28 * active') }} as stickiness,

        ---------- questions
        cast(case when is_known then questions end as bigint) as questions,
        {{ share('questions_answered', 'questions') }} as answered_share,
        cast(case when is_known then questions_ripe end as bigint) as questions_7d,
        {{ share('questions_answered_7d', 'questions_ripe') }} as answered_7d_share,
        {{ share('questions - questions_answered', 'questions') }} as unanswered_share,
        cast(median_first_response_seconds as double) / 3600 as median_first_response_hours,
        cast(p90_first_response_seconds as double) / 3600 as p90_first_response_hours,
        {{ share('questions_solved', 'questions_solvable') }} as solved_share,
        {{ share('questions_answered_by_members', 'questions_answered') }} as assist_ratio,
        cast(case when is_known then newcomer_questions end as bigint) as newcomer_questions_7d,
        {{ share('newcomer_questions_answered', 'newcomer_questions') }}
            as newcomer_answered_7d_share,
        cast(case when is_known then first_helped end as bigint) as first_helped,
        {{ share('first_helped_back', 'first_helped') }} as first_helped_back_share,

        ---------- helpers
        cast(case when is_known then answers end as bigint) as answers,
        {{ share('answers - staff_answers', 'answers') }} as member_answers_share,
        cast(case when is_known then helpers end as bigint) as helpers,
        {{ share('top_helper_answers', 'helper_answers') }} as top_helper_share,
        {{ share('top_5_helper_answers', 'helper_answers') }} as top_5_helpers_share,
        helper_gini,
        cast(helper_absence_factor as bigint) as helper_absence_factor,
        cast(elephant_factor as bigint) as elephant_factor,
        {{ share('organization_answers', 'helper_answers') }} as organization_known_share,

        ---------- help over longer times, for the whole community
        {%- for name in ['364d', 'ever'] %}
        cast(case when is_known and segment = 'all' then questions_{{ name }} end as bigint)
            as questions_{{ name }},
        {{ share('questions_answered_' ~ name, 'questions_' ~ name) }} as answered_share_{{ name }},
        cast(median_first_response_seconds_{{ name }} as double) / 3600
            as median_first_response_hours_{{ name }},
        {{ share('questions_solved_' ~ name, 'questions_solvable_' ~ name) }}
            as solved_share_{{ name }},
        cast(case when is_known and segment = 'all' then answers_{{ name }} end as bigint)
            as answers_{{ name }},
        cast(case when is_known and segment = 'all' then helpers_{{ name }} end as bigint)
            as helpers_{{ name }},
        {{ share('top_helper_answers_' ~ name, 'helper_answers_' ~ name) }}
            as top_helper_share_{{ name }},
        cast(helper_absence_factor_{{ name }} as bigint) as helper_absence_factor_{{ name }},
        {%- endfor %}

        ---------- ties
        {{ share('members_in_both_roles', 'active') }} as reciprocity,
        cast(case when is_known then ties end as bigint) as ties,
        {{ share('member_ties', 'ties') }} as member_tie_share,

        ---------- judgment
        verdict,
        {%- for n in [1, 2, 3] %}
        {{ nth_reason(
            ['waiting_reason', 'shrinking_reason', 'dependence_reason', 'bound_reason'], n
        ) }} as reason_{{ n }},
        {%- endfor %}
        case when verdict in ('mixed', 'struggling') then owner_of_community end as owner,
        case
            when coalesce(verdict, '') not in ('mixed', 'struggling') then cast(null as string)
            when questions_answered_7d < thriving_answered_share * questions_ripe
                then 'see to it that every question gets an answer within 7 days'
            when helper_absence_factor is null or helper_absence_factor < thriving_absence_factor
                then 'ask two more members to answer, and thank those who do'
            else 'ask who went quiet why, and greet who comes'
        end as action,

        ---------- provenance
        cast(case when is_known then active end as bigint) as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from called

)

select * from final
