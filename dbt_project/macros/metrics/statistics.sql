{#
  Statistics that more than one relationship table uses, as SQL over a relation.

  Belongs here: formulas with a published definition. Each returns a whole `select`, so that a
  model writes `name as ({{ product_limit(...) }})`.
  Does not belong here: what is counted (the models say that).
#}

{# Share as a double; null when there is nothing to share. #}
{% macro share(part, whole) -%}
(case when {{ whole }} > 0 then cast({{ part }} as double) / cast({{ whole }} as double) end)
{%- endmacro %}


{#
  Median and ninth decile of a waiting time, some of which has not ended (Kaplan-Meier).

  One row per group: `median_wait`, `p90_wait` in the unit of `wait`, null while the curve has not
  come down that far. `is_over` says that the wait ended; otherwise it is only known to be longer.
  The logarithm of survival is compared with 1e-9 of room, so that 3/4 * 2/3 counts as one half.
#}
{% macro product_limit(relation, groups, wait, is_over) %}
    select
        {{ groups | join(', ') }},
        min(case when log_survival <= ln(0.5) + 1e-9 then wait end) as median_wait,
        min(case when log_survival <= ln(0.1) + 1e-9 then wait end) as p90_wait
    from (
        {{ survival_curve(counted_waits(relation, groups, wait, is_over), groups) }}
    ) as curve
    group by {{ groups | join(', ') }}
{% endmacro %}


{#
  Share whose wait was over by each of `horizons` (Kaplan-Meier), nine decimals.

  One row per group: `share_by_<horizon>`, null where nobody was watched for that long while some
  still waited.
#}
{% macro product_limit_shares(relation, groups, wait, is_over, horizons) %}
    select
        {{ groups | join(', ') }},
        {%- for horizon in horizons %}
        case
            when max(wait) >= {{ horizon }} or min(log_survival) <= -1000
                then round(
                    1 - exp(
                        coalesce(min(case when wait <= {{ horizon }} then log_survival end), 0)
                    ),
                    9
                )
        end as share_by_{{ horizon }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ survival_curve(counted_waits(relation, groups, wait, is_over), groups) }}
    ) as curve
    group by {{ groups | join(', ') }}
{% endmacro %}


{# Per group and length of a wait how many there are (`n_waits`), and how many ended (`n_over`). #}
{% macro counted_waits(relation, groups, wait, is_over) %}
            (
                select
                    {{ groups | join(', ') }},
                    {{ wait }} as wait,
                    count(*) as n_waits,
                    count(case when {{ is_over }} then 1 end) as n_over
                from {{ relation }}
                group by {{ groups | join(', ') }}, {{ wait }}
            ) as waits
{%- endmacro %}


{#
  The Kaplan-Meier curve of what `counted_waits` counts: per group and length of a wait the
  logarithm of the share that waits longer (at most -1000 where nobody does), and of how many
  (`n_at_risk`) waits ended (`n_over`). Lengths at which none ended are left out, but for the
  longest. `log_before` and `wait_before` are those of the row before: before the first wait ends
  all are there, whose logarithm is 0.
#}
{% macro survival_curve(counted, groups) %}
        select
            {{ groups | join(', ') }},
            wait,
            n_over,
            n_at_risk,
            sum(log_share) over (
                partition by {{ groups | join(', ') }} order by wait
                rows between unbounded preceding and current row
            ) as log_survival,
            coalesce(
                sum(log_share) over (
                    partition by {{ groups | join(', ') }} order by wait
                    rows between unbounded preceding and 1 preceding
                ),
                0
            ) as log_before,
            coalesce(
                lag(wait) over (partition by {{ groups | join(', ') }} order by wait), 0
            ) as wait_before
        from (
            select
                *,
                case
                    when n_over = n_at_risk then -1000.0
                    else ln(1.0 - cast(n_over as double) / cast(n_at_risk as double))
                end as log_share
            from (
                select
                    {{ groups | join(', ') }},
                    wait,
                    n_over,
                    n_waits,
                    sum(n_waits) over (
                        partition by {{ groups | join(', ') }} order by wait desc
                        rows between unbounded preceding and current row
                    ) as n_at_risk
                from {{ counted }}
            ) as risks
            where n_over > 0 or n_waits = n_at_risk
        ) as shares
{% endmacro %}


{#
  Points of Kaplan-Meier curves, and means of the waits cut at each of `horizons`.

  `curves` has the columns of `survival_curve`. One row per group: `median_wait`;
  `share_beyond_<point>`, nine decimals; `mean_<horizon>` in the unit of `wait`, the area under the
  curve, and its `variance_<horizon>` (Greenwood). Null where nobody was watched for that long
  while some still waited.
#}
{% macro survival_points(curves, groups, points, horizons) %}
    select
        {{ groups | join(', ') }},
        min(case when log_survival <= ln(0.5) + 1e-9 then wait end) as median_wait,
        {%- for point in points %}
        case
            when max(wait) >= {{ point }} or min(survival) = 0
                then coalesce(min(case when wait <= {{ point }} then survival end), 1)
        end as share_beyond_{{ point }},
        {%- endfor %}
        {%- for horizon in horizons %}
        max(mean_{{ horizon }}) as mean_{{ horizon }},
        sum(
            case
                when n_over > 0 and n_over < n_at_risk and wait < {{ horizon }}
                    then cast(
                        power(cast(mean_{{ horizon }} - area as double), 2)
                        * cast(n_over as double)
                        / (cast(n_at_risk as double) * cast(n_at_risk - n_over as double))
                        as decimal(28, 12)
                    )
                else 0
            end
        ) as variance_{{ horizon }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            *,
            sum(piece) over (
                partition by {{ groups | join(', ') }} order by wait
                rows between unbounded preceding and current row
            ) as area,
            {%- for horizon in horizons %}
            case
                when
                    max(wait) over (partition by {{ groups | join(', ') }}) >= {{ horizon }}
                    or min(survival) over (partition by {{ groups | join(', ') }}) = 0
                    then sum(
                        (least(wait, {{ horizon }}) - least(wait_before, {{ horizon }}))
                        * survival_before
                    ) over (partition by {{ groups | join(', ') }})
            end as mean_{{ horizon }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                *,
                (wait - wait_before) * survival_before as piece
            from (
                select
                    {{ groups | join(', ') }},
                    cast(wait as int) as wait,
                    n_over,
                    n_at_risk,
                    log_survival,
                    {{ curve_share('log_survival') }} as survival,
                    {{ curve_share('log_before') }} as survival_before,
                    cast(wait_before as int) as wait_before
                from {{ curves }}
            ) as steps
        ) as pieces
    ) as areas
    group by {{ groups | join(', ') }}
{% endmacro %}


{# The share that a curve's logarithm stands for, as a decimal: sums of it are exact. #}
{% macro curve_share(log_survival) -%}
cast(
    case when {{ log_survival }} > -1000 then round(exp({{ log_survival }}), 9) else 0 end
    as decimal(10, 9)
)
{%- endmacro %}


{#
  Standard deviations that a normal value exceeds, above, with the small `chance`
  (Abramowitz and Stegun 26.2.23; right to 0.00045).
#}
{% macro normal_beyond(chance) -%}
(
    sqrt(-2 * ln({{ chance }}))
    - (2.515517 + 0.802853 * sqrt(-2 * ln({{ chance }})) + 0.010328 * (-2 * ln({{ chance }})))
    / (
        1 + 1.432788 * sqrt(-2 * ln({{ chance }})) + 0.189269 * (-2 * ln({{ chance }}))
        + 0.001308 * power(sqrt(-2 * ln({{ chance }})), 3)
    )
)
{%- endmacro %}


{#
  How much of a total hangs on how few.

  One row per group: `n_parts`, `total`, `top_1`, `top_5` (quantities), `top_part` (of the largest the
  first), `gini` (0 alike .. near 1), `n_for_half`: the fewest parts that make at least half of the
  total (CHAOSS contributor absence factor for people, elephant factor for organizations).
  `quantity` is a whole number above 0.
#}
{% macro concentration(relation, groups, part, quantity) %}
    -- parts of one size stand in one row: `many` of them, after `before` larger ones
    select
        {{ groups | join(', ') }},
        max(n_parts) as n_parts,
        max(total) as total,
        max(quantity) as top_1,
        max(case when before = 0 then first_part end) as top_part,
        sum(greatest(least(5 - before, many), 0) * quantity) as top_5,
        cast(sum(many * (n_parts - 2 * before - many) * quantity) as double)
            / cast(max(n_parts) * max(total) as double) as gini,
        min(
            case
                when 2 * running >= total
                    then before + greatest(
                        1,
                        cast(
                            ceil(
                                cast(total - 2 * (running - many * quantity) as double)
                                / (2 * quantity)
                            ) as bigint
                        )
                    )
            end
        ) as n_for_half
    from (
        select
            *,
            cast(sum(many) over (partition by {{ groups | join(', ') }}) as bigint) as n_parts,
            sum(many * quantity) over (partition by {{ groups | join(', ') }}) as total,
            cast(
                sum(many) over (
                    partition by {{ groups | join(', ') }} order by quantity desc
                    rows between unbounded preceding and current row
                ) - many as bigint
            ) as before,
            sum(many * quantity) over (
                partition by {{ groups | join(', ') }} order by quantity desc
                rows between unbounded preceding and current row
            ) as running
        from (
            select
                {{ groups | join(', ') }},
                {{ quantity }} as quantity,
                count(*) as many,
                min({{ part }}) as first_part
            from {{ relation }}
            group by {{ groups | join(', ') }}, {{ quantity }}
        ) as sizes
    ) as ranked
    group by {{ groups | join(', ') }}
{% endmacro %}


{# An end (`-` or `+`) of the 95 % interval of a share (Wilson). #}
{% macro wilson(part, whole, sign) -%}
(case
    when {{ whole }} > 0
        then (
            cast({{ part }} as double) / {{ whole }} + 1.920729440648 / {{ whole }}
            {{ sign }} 1.959964 * sqrt(
                (
                    cast({{ part }} as double) * ({{ whole }} - {{ part }})
                    / (cast({{ whole }} as double) * {{ whole }}) + 0.960364720324 / {{ whole }}
                ) / {{ whole }}
            )
        ) / (1 + 3.841458881296 / {{ whole }})
end)
{%- endmacro %}

{#
  Do values of one kind tend to be larger than the others in the same stratum (van Elteren, 1960:
  the test of Wilcoxon, Mann and Whitney in each stratum, put together)?

  One row per group: `n_one`, `n_other`, `median_one`, `median_other` over all strata, and `z`, how
  many standard deviations the ranks of the values marked by `is_one` lie above what chance gives,
  equal values taken as tied; null while fewer than `at_least` have somebody to be compared with.
  By chance alone z exceeds 3.09 once in a thousand. `value` is a whole number.
#}
{% macro rank_sum(relation, groups, stratum, value, is_one, at_least=5) %}
    select
        medians.*,
        strata.z
    from (
        select
            {{ groups | join(', ') }},
            count(case when {{ is_one }} then 1 end) as n_one,
            count(case when not {{ is_one }} then 1 end) as n_other,
            {{ exact_median('case when ' ~ is_one ~ ' then ' ~ value ~ ' end') }} as median_one,
            {{ exact_median('case when not ' ~ is_one ~ ' then ' ~ value ~ ' end') }}
                as median_other
        from {{ relation }}
        group by {{ groups | join(', ') }}
    ) as medians
    inner join (
        select
            {{ groups | join(', ') }},
            case
                when sum(least(n_one, n_all - n_one)) >= {{ at_least }} and sum(variance) > 0
                    then cast(round(sum(surplus) / sqrt(sum(variance)), 3) as decimal(9, 3))
            end as z
        from (
            select
                {{ groups | join(', ') }},
                n_one,
                n_all,
                ranks_one / (n_all + 1) - n_one / 2 as surplus,
                -- each of t equal values takes (t * t - 1) off
                n_one * (n_all - n_one) / 12
                * (n_all + 1 - ties / greatest(n_all * (n_all - 1), 1))
                / ((n_all + 1) * (n_all + 1)) as variance
            from (
                select
                    {{ groups | join(', ') }},
                    {{ stratum }},
                    cast(count(*) as double) as n_all,
                    cast(count(case when {{ is_one }} then 1 end) as double) as n_one,
                    cast(sum(case when {{ is_one }} then place else 0 end) as double) as ranks_one,
                    cast(sum(alike * alike - 1) as double) as ties
                from (
                    select
                        *,
                        rank() over (
                            partition by {{ groups | join(', ') }}, {{ stratum }}
                            order by {{ value }}
                        )
                        + (
                            count(*) over (
                                partition by {{ groups | join(', ') }}, {{ stratum }}, {{ value }}
                            ) - 1
                        ) / 2.0 as place,
                        count(*) over (
                            partition by {{ groups | join(', ') }}, {{ stratum }}, {{ value }}
                        ) as alike
                    from {{ relation }}
                ) as placed
                group by {{ groups | join(', ') }}, {{ stratum }}
            ) as counted
        ) as compared
        group by {{ groups | join(', ') }}
    ) as strata
        on
            {%- for column in groups %}
            {% if not loop.first %}and {% endif %}medians.{{ column }} = strata.{{ column }}
            {%- endfor %}
{% endmacro %}


{# 1 where a condition holds, else 0, so that a mean of them is a share. #}
{% macro one_if(condition) -%}
cast(case when {{ condition }} then 1 else 0 end as decimal(18, 6))
{%- endmacro %}
