{#
  The disengagement formulas, each in one place: two dates of one person use them, and silence
  means the same for organizations.

  Belongs here: score, its parts, bins and levels, and the chance of coming back that the last
  window showed. Does not belong here: which acts count (see `rel_disengagement`).
#}

{#
  Everybody's silence on each day of `dates` (`scored_on`), from `days` (`day`, `gap` to the one
  before): one row per day and `party` with a day by then.
#}
{% macro silence_states(days, party, dates) %}
    select
        {{ dates }}.scored_on,
        {{ days }}.{{ party }},
        max({{ days }}.day) as last_day,
        {{ days_between('max(' ~ days ~ '.day)', dates ~ '.scored_on') }} as days_quiet,
        count(*) filter (
            where {{ days }}.day > {{ days_after(dates ~ '.scored_on', -365) }}
        ) as active_days,
        count(*) filter (
            where {{ days }}.day > {{ days_after(dates ~ '.scored_on', -28) }}
        ) as active_days_28d,
        count({{ days }}.gap) as gaps,
        cast({{ whole_median(days ~ '.gap') }} as decimal(10, 1)) as usual_gap
    from {{ dates }}
    inner join {{ days }} on {{ days }}.day <= {{ dates }}.scored_on
    group by {{ dates }}.scored_on, {{ days }}.{{ party }}
{% endmacro %}


{# The states of `silence_states` with their score, its parts and its bin. #}
{% macro silence_scores(states) %}
    select
        *,
        frequency_part + recency_part as score,
        {{ score_bin('frequency_part + recency_part') }} as bin
    from (
        select
            *,
            {{ frequency_part('active_days') }} as frequency_part,
            {{ recency_part('days_quiet') }} as recency_part
        from {{ states }}
    ) as parts
{% endmacro %}


{#
  Chance of an act within 28 days by bin of the score: what became of equal scores 28 days before
  each snapshot (`outcomes`, of `return_outcomes`), made monotone.

  One row per snapshot and range of bins: `from_bin` (null: from the lowest) up to `until_bin`
  (null: to the highest), `p_return`; no row where fewer than 100 parties or 10 returns would stand
  behind it. Isotonic regression in closed form: the greatest, over all starts up to here, of the
  least mean from that start to any end from here on.
#}
{% macro return_chances(outcomes) %}
    select
        as_of,
        basis,
        case when row_number() over (partition by as_of, basis order by bin) > 1 then bin end
            as from_bin,
        lead(bin) over (partition by as_of, basis order by bin) as until_bin,
        max(least_mean) as p_return
    from (
        select
            here.as_of,
            here.basis,
            here.bin,
            starts.bin as start_bin,
            min(
                cast(ends.returned_up_to - starts.returned_up_to + starts.returned as double)
                / cast(ends.people_up_to - starts.people_up_to + starts.people as double)
            ) as least_mean
        from {{ outcomes }} as here
        inner join {{ outcomes }} as starts
            on here.as_of = starts.as_of and here.basis = starts.basis and starts.bin <= here.bin
        inner join {{ outcomes }} as ends
            on here.as_of = ends.as_of and here.basis = ends.basis and ends.bin >= here.bin
        -- fewer than this and a chance would be a guess
        where here.people_in_all >= 100 and here.returned_in_all >= 10
        group by here.as_of, here.basis, here.bin, starts.bin
    ) as least_means
    group by as_of, basis, bin
{% endmacro %}


{#
  Per snapshot and bin: who was in it 28 days before (`people`), and how many of these came since
  (`returned`); both summed up to this bin, and in all. `scores` has the days of the `snapshots` and
  those 28 days earlier.
#}
{% macro return_outcomes(scores, party) %}
    select
        *,
        {%- for count in ['people', 'returned'] %}
        sum({{ count }}) over (
            partition by as_of, basis order by bin
            rows between unbounded preceding and current row
        ) as {{ count }}_up_to,
        sum({{ count }}) over (partition by as_of, basis) as {{ count }}_in_all
        {{- ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            snapshots.as_of,
            snapshots.basis,
            earlier.bin,
            count(*) as people,
            count(*) filter (where later.days_quiet < 28) as returned
        from snapshots
        inner join {{ scores }} as earlier
            on earlier.scored_on = {{ days_after('snapshots.as_of', -28) }}
        -- one to one: who had a state then has one now
        inner join {{ scores }} as later
            on later.scored_on = snapshots.as_of and earlier.{{ party }} = later.{{ party }}
        group by snapshots.as_of, snapshots.basis, earlier.bin
    ) as outcomes
{% endmacro %}

{# Points for having been active often: ln(1 + active days), six decimals. #}
{% macro frequency_part(active_days) -%}
cast(round(ln(1 + {{ active_days }}), 6) as decimal(18, 6))
{%- endmacro %}

{# Points lost by being away: -ln(1 + days / 30), six decimals. #}
{% macro recency_part(days_quiet) -%}
cast(-round(ln(1 + cast({{ days_quiet }} as double) / 30), 6) as decimal(18, 6))
{%- endmacro %}

{# Scores in steps of one half; people of one bin share one chance of coming back. #}
{% macro score_bin(score) -%}
cast(floor(({{ score }}) * 2) as int)
{%- endmacro %}

{# Patience in days: the own usual gap, at least a week; four weeks while too few gaps are known. #}
{% macro patience(usual_gap, gaps) -%}
(case when {{ gaps }} >= 2 then greatest({{ usual_gap }}, 7) else 28 end)
{%- endmacro %}

{#
  Level by patience, of a person or an organization. How many of them make slowing and quiet, and when somebody is gone, the strategy says.
#}
{% macro quiet_level(days_quiet, usual_gap, gaps) -%}
case
    when {{ days_quiet }} >= quiet_days then 'gone'
    when {{ days_quiet }} >= quiet_gap_ratio * {{ patience(usual_gap, gaps) }} then 'quiet'
    when {{ days_quiet }} >= slowing_gap_ratio * {{ patience(usual_gap, gaps) }} then 'slowing'
    else 'active'
end
{%- endmacro %}
