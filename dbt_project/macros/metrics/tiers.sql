{#
  What tiers need: the days of reviews, and which columns can be measured.

  Belongs here: calendar of reviews, rules as words, columns, the same as in `rapport/tiers.py`.
  Does not belong here: what a tier asks for (data: strategy.yml), who has which (`rel_tier`).
#}

{#
  Table -> every number per person that a measure can be. Written out, because a build of a parsed
  project does not know the columns of other models; `tests/dbt/test_tiers.py` holds the list
  against `rapport/tiers.py`.
#}
{% macro tier_columns() %}
    {{ return({
        'rel_disengagement': [
            'score', 'frequency_part', 'recency_part', 'risk', 'previous_risk', 'p_return',
            'active_days', 'active_days_28d', 'silos', 'gaps', 'usual_gap_days',
            'current_gap_days', 'gap_ratio', 'channel_shift', 'save_rank', 'priority',
            'priority_rank',
        ],
        'rel_engagement': [
            'score', 'crm_part', 'forum_part', 'support_part', 'social_part', 'other_part',
            'percentile', 'previous_score', 'active_days_28d', 'active_days_90d', 'streak_weeks',
            'current_gap_days', 'behaviors_90d', 'silos_90d', 'commitment', 'importance_in_life',
            'importance_active_part', 'importance_silos_part', 'importance_unprompted_part',
            'unprompted_share', 'months_active', 'months_known', 'consistency', 'level',
            'previous_level',
        ],
        'rel_importance': [
            'reach', 'ties', 'two_way_ties', 'second_degree_ties', 'pagerank', 'betweenness',
            'betweenness_pivots', 'importance', 'reach_part', 'attention_part', 'bridge_part',
            'engagement_part', 'rank', 'ranked_people', 'buying_percentile', 'people_depending',
            'people_without_other', 'organizations_depending', 'answers', 'answers_share',
            'questions_alone', 'days_quiet',
        ],
    }) }}
{% endmacro %}


{# The programmes, their numbers as those of days. #}
{% macro tier_programmes() %}
    select
        programme,
        owner,
        segment_type,
        segment,
        review_every,
        cast(review_day as int) as review_day,
        cast(grace_days as int) as grace_days
    from {{ source('control', 'tier_programmes') }}
{% endmacro %}


{# The measures, numbered: a number is sorted and grouped several times faster than two names. #}
{% macro numbered_measures() %}
    select
        *,
        row_number() over (order by programme, measure) as number
    from {{ source('control', 'tier_measures') }}
{% endmacro %}


{# The rules, and of how many their clause consists. #}
{% macro counted_rules() %}
    select
        *,
        count(*) over (partition by programme, tier_rank, clause) as n_rules
    from {{ source('control', 'tier_rules') }}
{% endmacro %}


{# First day of the month or quarter that a day is in. #}
{% macro first_day_of(period, day) -%}
cast(date_trunc('{{ period }}', {{ day }}) as date)
{%- endmacro %}

{# The review of the month or quarter that a day is in. #}
{% macro review_within(period, day, programmes) -%}
{{ days_after(first_day_of(period, day), programmes ~ '.review_day - 1') }}
{%- endmacro %}


{# The first review on a day or after it. #}
{% macro next_review(day, programmes) -%}
(case {{ programmes }}.review_every
    {%- for period, longest in [('month', 31), ('quarter', 92)] %}
    when '{{ period }}' then case
        when {{ day }} <= {{ review_within(period, day, programmes) }}
            then {{ review_within(period, day, programmes) }}
        else {{ review_within(
            period, days_after(first_day_of(period, day), longest), programmes
        ) }}
    end
    {%- endfor %}
    else {{ day }}
end)
{%- endmacro %}


{# The last review before a day. #}
{% macro review_before(day, programmes) -%}
(case {{ programmes }}.review_every
    {%- for period in ['month', 'quarter'] %}
    when '{{ period }}' then case
        when {{ review_within(period, day, programmes) }} < {{ day }}
            then {{ review_within(period, day, programmes) }}
        else {{ review_within(period, days_after(first_day_of(period, day), -1), programmes) }}
    end
    {%- endfor %}
    else {{ days_after(day, -1) }}
end)
{%- endmacro %}


{#
  The numbers of a look with the shares of them: columns `look`, `measure`, `value` and, of a share,
  the count that is its `part`. `plain` has one row per look and measure that is no share.
#}
{% macro with_shares(plain, look) %}
    select
        {{ look | join(', ') }},
        measure,
        value,
        cast(null as decimal(28, 9)) as part
    from {{ plain }}

    union all

    select
        {{ look | join(', ') }},
        measure,
        case
            when whole + prior_n > 0
                then cast(
                    round(
                        (cast(part as double) + cast(prior_n as double) * cast(prior_share as double))
                        / cast(whole + prior_n as double),
                        9
                    ) as decimal(28, 9)
                )
        end as value,
        part
    from (
        select
            {%- for column in look %}
            found.{{ column }},
            {%- endfor %}
            shares.measure,
            shares.prior_n,
            shares.prior_share,
            {%- for side in ['part', 'whole'] %}
            case
                when found.short_whole >= shares.short_at_least then found.short_{{ side }}
                else found.{{ side }}
            end as {{ side }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                {%- for column in look %}
                numbers.{{ column }},
                {%- endfor %}
                roles.share
                {%- for role in ['part', 'whole', 'short_part', 'short_whole'] %},
                max(case when roles.role = '{{ role }}' then numbers.value end) as {{ role }}
                {%- endfor %}
            from (
                {%- for role in ['part', 'whole', 'short_part', 'short_whole'] %}
                select
                    programme,
                    measure as share,
                    '{{ role }}' as role,
                    {{ role }} as measure
                from shares
                {{ 'union all' if not loop.last }}
                {%- endfor %}
            ) as roles
            inner join {{ plain }} as numbers
                on roles.programme = numbers.programme and roles.measure = numbers.measure
            group by
                {%- for column in look %}
                numbers.{{ column }},
                {%- endfor %}
                roles.share
        ) as found
        inner join shares on found.programme = shares.programme and found.share = shares.measure
    ) as divided
{% endmacro %}


{# Whether a value keeps a rule; null where the value, and the count that does, too, are unknown. #}
{% macro rule_holds(threshold, count) -%}
case
    when rules.comparison in ('>=', '>') and numbers.part >= rules.{{ count }} then true
    when rules.comparison in ('<=', '<') and numbers.part <= rules.{{ count }} then true
    {%- for comparison in ['>=', '>', '<=', '<'] %}
    when rules.comparison = '{{ comparison }}' then numbers.value {{ comparison }} rules.{{ threshold }}
    {%- endfor %}
end
{%- endmacro %}


{#
  How far a value lies on the right side of a threshold, as a share of the larger of the two: 0 at
  it, negative on the wrong side.
#}
{% macro rule_margin(threshold) -%}
cast(
    case
        when numbers.value is null then null
        when numbers.value = rules.{{ threshold }} then 0
        else case when rules.comparison in ('>=', '>') then 1 else -1 end
            * cast(numbers.value - rules.{{ threshold }} as double)
            / greatest(
                abs(cast(numbers.value as double)), abs(cast(rules.{{ threshold }} as double))
            )
    end
    as decimal(12, 6)
)
{%- endmacro %}


{# A number of nine decimals as people write it. #}
{% macro plain_number(number) -%}
{{ number_text('cast(' ~ number ~ ' as decimal(38, 9))') }}
{%- endmacro %}


{# A rule and where it stands: `sales 80, at least 100 needed, or 1 other rule`. #}
{% macro rule_words() -%}
told.words || ' ' || coalesce({{ plain_number('rules.value') }}, 'unknown') || ', '
        || {{ bound_words('threshold', 'or_count') }} || ' needed'
        || case
            when told.n_rules > 1
                then ', or ' || {{ counted('told.n_rules - 1', 'other rule') }}
            else ''
        end
{%- endmacro %}


{# The same of staying: `sales 95, stays from at least 90 on`. #}
{% macro keep_words() -%}
told.words || ' ' || coalesce({{ plain_number('rules.value') }}, 'unknown') || ', '
            || {{ bound_words('keep_threshold', 'keep_count') }} || ' keeps it'
{%- endmacro %}


{% macro bound_words(threshold, count) -%}
case told.comparison
            when '>=' then 'at least '
            when '>' then 'more than '
            when '<=' then 'at most '
            else 'less than '
        end
        || {{ plain_number('told.' ~ threshold) }}
        || coalesce(
            case when told.comparison in ('>=', '>') then ' (or at least ' else ' (or at most ' end
            || {{ plain_number('told.' ~ count) }} || ' of them)',
            ''
        )
{%- endmacro %}
