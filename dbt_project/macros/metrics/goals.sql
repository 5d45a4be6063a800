{#
  What goals of the strategy need: the numbers of a table as rows.

  Belongs here: which columns take goals, the same as in `rapport/goals.py`.
  Does not belong here: how a goal fares (`rel_scoreboard`).
#}

{#
  Table -> every column of it that a goal can be about. Written out, because a build of a parsed
  project does not know the columns of other models; `tests/dbt/test_scoreboard.py` holds the list
  against `rapport/goals.py`.
#}
{% macro goal_columns() %}
    {{ return({
        'rel_community_health': [
            'members', 'active', 'previous_active', 'new_members', 'retained', 'resurrected',
            'churned', 'contributions', 'quick_ratio', 'dau', 'wau', 'mau', 'stickiness',
            'questions', 'answered_share', 'questions_7d', 'answered_7d_share',
            'unanswered_share', 'median_first_response_hours', 'p90_first_response_hours',
            'solved_share', 'assist_ratio', 'newcomer_questions_7d',
            'newcomer_answered_7d_share', 'first_helped', 'first_helped_back_share', 'answers',
            'member_answers_share', 'helpers',
            'top_helper_share', 'top_5_helpers_share', 'helper_gini', 'helper_absence_factor',
            'elephant_factor', 'organization_known_share', 'questions_364d',
            'answered_share_364d', 'median_first_response_hours_364d', 'solved_share_364d',
            'answers_364d', 'helpers_364d', 'top_helper_share_364d',
            'helper_absence_factor_364d', 'questions_ever', 'answered_share_ever',
            'median_first_response_hours_ever', 'solved_share_ever', 'answers_ever',
            'helpers_ever', 'top_helper_share_ever', 'helper_absence_factor_ever',
            'reciprocity', 'ties', 'member_tie_share',
        ],
        'rel_engagement_segment': [
            'people', 'people_364d', 'people_90d', 'people_28d', 'score', 'p25_score',
            'median_score', 'p75_score', 'median_importance_in_life', 'people_leading',
            'people_contributing', 'people_participating', 'people_exploring', 'moved_up',
            'held', 'moved_down', 'commitment', 'gravity', 'newcomers_tied',
            'newcomers_tied_reaching_share', 'newcomers_untied',
            'newcomers_untied_reaching_share', 'acts_28d',
            'acts_but_purchases_share_28d', 'tied_pairs', 'interest_tie_share', 'older_ties',
            'older_ties_alive_share',
        ],
    }) }}
{% endmacro %}


{#
  One row per goal, snapshot and segment: the number that the goal is about, for the segment of
  the goal and, where that is everybody, for every other one.
#}
{% macro goal_numbers() %}
    {%- for table, names in goal_columns().items() %}
    select
        goals.goal,
        numbers.as_of,
        numbers.basis,
        numbers.segment_type,
        numbers.segment,
        numbers.segment_type = goals.segment_type and numbers.segment = goals.segment as is_whole,
        numbers.n,
        numbers.coverage,
        case goals.metric
            {%- for name in names %}
            when '{{ name }}' then cast(numbers.{{ name }} as double)
            {%- endfor %}
            else cast(null as double)
        end as number
    from {{ ref(table) }} as numbers
    inner join {{ source('control', 'goals') }} as goals
        on goals.metric_table = '{{ table }}'
        and (
            goals.segment_type = 'all'
            or (goals.segment_type = numbers.segment_type and goals.segment = numbers.segment)
        )
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
