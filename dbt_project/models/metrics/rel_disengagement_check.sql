{{ config(**snapshot_table()) }}

{%- set grain = ['as_of', 'basis', 'horizon_days', 'population'] %}
{%- set orders = ['score', 'recency'] %}

with

snapshots as (

    {{ snapshots() }}

),

settings as (

    {{ metric_settings() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support']) }}

),

people as (

    select * from {{ ref('int_people__numbered') }}
    where not coalesce(is_staff, false) and not coalesce(is_bot, false)

),

person_days as (

    select * from {{ ref('int_people__days') }}
    where is_first_of_day

),

---------- the last window of each length that is over, and how everybody stood when it began

-- Whole steps of 28 days, so that snapshots share the days on which people are scored.
horizons as (

    select outlook_days as horizon_days from settings
    {%- for days in [28, 84, 168] %}
    union
    select {{ days }} as horizon_days
    {%- endfor %}

),

windows as (

    select
        snapshots.as_of,
        snapshots.basis,
        cast(horizons.horizon_days as int) as horizon_days,
        {{ days_after('snapshots.as_of', '-horizons.horizon_days') }} as scored_on
    from snapshots
    cross join horizons

),

scored_days as (

    select scored_on
    from windows
    group by scored_on

),

states as (

    {{ silence_states('person_days', 'person_number', 'scored_days') }}

),

scores as (

    {{ silence_scores('states') }}

),

next_days as (

    select
        scored_days.scored_on,
        person_days.person_number,
        min(person_days.day) as next_day
    from scored_days
    inner join person_days on person_days.day > scored_days.scored_on
    group by scored_days.scored_on, person_days.person_number

),

told_apart as (

    select
        scores.scored_on,
        scores.person_number,
        coalesce(people.owner_person_id, organizations.owner_person_id) as owner_person_id,
        scores.gaps >= 1 as has_come_again,
        -- still to be saved: a regular, away for longer than is usual for them, not yet gone
        scores.gaps >= 2
        and scores.days_quiet < settings.quiet_days
        and scores.days_quiet
        >= settings.slowing_gap_ratio * {{ patience('scores.usual_gap', 'scores.gaps') }}
            as is_drifting,
        -- the larger, the more at risk
        -scores.score as by_score,
        scores.days_quiet as by_recency
    from scores
    cross join settings
    inner join people on scores.person_number = people.person_number
    left join {{ ref('dim_organization') }} as organizations
        on people.organization_id = organizations.organization_id

),

in_populations as (

    {%- for name, condition in [
        ('everybody', 'true'), ('came again', 'has_come_again'), ('drifting', 'is_drifting'),
    ] %}
    select
        '{{ name }}' as population,
        scored_on,
        person_number,
        owner_person_id,
        by_score,
        by_recency
    from told_apart
    where {{ condition }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

-- The first few of every owner's list, by either order: a day's, whatever window begins on it.
listed as (

    select
        *,
        {%- for order in orders %}
        row_number() over (
            partition by scored_on, population, owner_person_id
            order by by_{{ order }} desc, person_number
        ) as place_by_{{ order }}{{ ',' if not loop.last }}
        {%- endfor %}
    from in_populations

),

judged as (

    select
        windows.as_of,
        windows.basis,
        windows.horizon_days,
        listed.population,
        {%- for order in orders %}
        listed.by_{{ order }},
        listed.place_by_{{ order }} <= settings.save_list as is_listed_by_{{ order }},
        {%- endfor %}
        coalesce(next_days.next_day <= windows.as_of, false) as has_returned,
        settings.save_list
    from windows
    cross join settings
    inner join listed on windows.scored_on = listed.scored_on
    left join next_days
        on listed.scored_on = next_days.scored_on and listed.person_number = next_days.person_number

),

---------- in order at all: the chance that of two, one who came back stands after one who did not

{%- for order in orders %}

equals_by_{{ order }} as (

    select
        {{ grain | join(', ') }},
        by_{{ order }},
        count(*) filter (where not has_returned) as lost,
        count(*) filter (where has_returned) as returned
    from judged
    group by {{ grain | join(', ') }}, by_{{ order }}

),

order_by_{{ order }} as (

    select
        {{ grain | join(', ') }},
        {{ share(
            'sum(lost * (2 * returned_below + returned))', '2 * sum(lost) * sum(returned)'
        ) }} as auc
    from (
        select
            *,
            sum(returned) over (
                partition by {{ grain | join(', ') }} order by by_{{ order }}
                rows between unbounded preceding and current row
            ) - returned as returned_below
        from equals_by_{{ order }}
    ) as ranked
    group by {{ grain | join(', ') }}

),
{%- endfor %}

counts as (

    select
        {{ grain | join(', ') }},
        count(*) as people,
        count(*) filter (where has_returned) as returned,
        {%- for order in orders %}
        count(*) filter (where is_listed_by_{{ order }}) as listed_by_{{ order }},
        count(*) filter (where is_listed_by_{{ order }} and not has_returned)
            as lost_by_{{ order }},
        count(*) filter (
            where is_listed_by_{{ order }} and not (is_listed_by_score and is_listed_by_recency)
        ) as only_by_{{ order }},
        count(*) filter (
            where is_listed_by_{{ order }} and not has_returned
                and not (is_listed_by_score and is_listed_by_recency)
        ) as lost_only_by_{{ order }},
        {%- endfor %}
        max(save_list) as save_list
    from judged
    group by {{ grain | join(', ') }}

),

joined as (

    select
        counts.*,
        {%- for order in orders %}
        order_by_{{ order }}.auc as auc_by_{{ order }},
        {{ share('counts.lost_by_' ~ order, 'counts.listed_by_' ~ order) }}
            as precision_by_{{ order }},
        {%- endfor %}
        -- lists of one length that share some people: only the others make a difference
        sqrt(
            {%- for order in orders %}
            coalesce(
                cast(counts.lost_only_by_{{ order }} as double)
                * (counts.only_by_{{ order }} - counts.lost_only_by_{{ order }})
                / nullif(counts.only_by_{{ order }}, 0),
                0
            ) {{ '+' if not loop.last }}
            {%- endfor %}
        ) / counts.listed_by_score as error,
        snapshots.known_at,
        coalesce(seen.coverage, 0) as coverage
    from counts
    inner join snapshots on counts.as_of = snapshots.as_of and counts.basis = snapshots.basis
    {%- for order in orders %}
    inner join order_by_{{ order }}
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}counts.{{ column }} = order_by_{{ order }}.{{ column }}
            {%- endfor %}
    {%- endfor %}
    left join seen on counts.as_of = seen.as_of and counts.basis = seen.basis

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        horizon_days,
        population,

        ---------- who
        {{ days_after('as_of', '-horizon_days') }} as scored_on,
        people,
        returned,

        ---------- the order of everybody
        auc_by_score,
        auc_by_recency,

        ---------- the first of every owner's list
        save_list,
        listed_by_score as listed,
        precision_by_score,
        {{ wilson('lost_by_score', 'listed_by_score', '-') }} as precision_by_score_low,
        {{ wilson('lost_by_score', 'listed_by_score', '+') }} as precision_by_score_high,
        precision_by_recency,
        {{ wilson('lost_by_recency', 'listed_by_recency', '-') }} as precision_by_recency_low,
        {{ wilson('lost_by_recency', 'listed_by_recency', '+') }} as precision_by_recency_high,
        precision_by_score - precision_by_recency as gain,
        precision_by_score - precision_by_recency - 1.959964 * error as gain_low,
        precision_by_score - precision_by_recency + 1.959964 * error as gain_high,
        {{ share('people - returned', 'people') }} as lost_share,

        ---------- in words
        cast(lost_by_score as string) || ' of the ' || cast(listed_by_score as string)
        || ' that the lists named did not come within ' || {{ counted('horizon_days', 'day') }}
        || '; by recency alone ' || cast(lost_by_recency as string) as reason_1,

        ---------- provenance
        people as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from joined

)

select * from final
