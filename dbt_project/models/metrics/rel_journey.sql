{{ config(**snapshot_table()) }}

{%- set process = ['as_of', 'basis', 'window_days', 'process'] %}
{%- set grain = process + ['from_step', 'to_step'] %}
{#- Fewer colleagues than this have nobody to share a step with. -#}
{%- set team = 3 %}

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

windows as (

    select
        as_of,
        basis,
        window_days,
        {{ days_after('as_of', '-window_days') }} as starts_after
    from snapshots
    cross join (
        select 28 as window_days
        union all
        select 364 as window_days
    ) as lengths

),

steps as (

    select * from {{ ref('int_journeys__steps') }}

),

---------- from step to step

moves as (

    select
        windows.as_of,
        windows.basis,
        windows.window_days,
        steps.process,
        steps.from_step,
        steps.step as to_step,
        steps.journey_id,
        steps.step_number,
        steps.side,
        steps.colleague_id,
        steps.is_hand_off,
        steps.is_return,
        steps.wait_seconds
    from windows
    inner join steps
        on
            steps.day <= windows.as_of
            and steps.day > windows.starts_after
            and steps.from_step is not null

),

-- How long it usually takes until one of us acts, when nobody hands over.
usual as (

    select
        {{ process | join(', ') }},
        {{ exact_median('wait_seconds') }} as usual_wait
    from moves
    where colleague_id is not null and not is_hand_off
    group by {{ process | join(', ') }}

),

edges as (

    select
        {%- for column in grain %}
        moves.{{ column }},
        {%- endfor %}
        count(*) as moves,
        count(distinct moves.journey_id) as journeys,
        {{ exact_median('moves.wait_seconds') }} as median_wait,
        {{ exact_quantile('moves.wait_seconds', 0.9) }} as p90_wait,
        cast(sum(moves.wait_seconds) as bigint) as wait,
        count(case when moves.is_hand_off then 1 end) as hand_offs,
        count(case when moves.is_return then 1 end) as returns,
        cast(sum(case when moves.is_hand_off then moves.wait_seconds else 0 end) as bigint)
            as hand_off_wait,
        -- beyond what our next act takes otherwise
        greatest(
            sum(case when moves.is_hand_off then moves.wait_seconds - usual.usual_wait end), 0
        ) as hand_off_cost,
        count(distinct moves.colleague_id) as people,
        count(moves.colleague_id) as acts_by_us
    from moves
    left join usual
        on
            {%- for column in process %}
            {% if not loop.first %}and {% endif %}moves.{{ column }} = usual.{{ column }}
            {%- endfor %}
    group by
        {%- for column in grain %}
        moves.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}

),

---------- is a step one person's, and slow?

busiest as (

    select
        {{ grain | join(', ') }},
        max(acts) as top_acts
    from (
        select
            {{ grain | join(', ') }},
            colleague_id,
            count(*) as acts
        from moves
        where colleague_id is not null
        group by {{ grain | join(', ') }}, colleague_id
    ) as shares
    group by {{ grain | join(', ') }}

),

processes as (

    select
        {{ process | join(', ') }},
        cast(sum(wait_seconds) as bigint) as wait,
        {{ exact_quantile('wait_seconds', 0.75) }} as p75_wait,
        count(distinct colleague_id) as team
    from moves
    group by {{ process | join(', ') }}

),

---------- the whole of each journey that was closed in the window

journeys as (

    select
        windows.as_of,
        windows.basis,
        windows.window_days,
        steps.process,
        steps.journey_id,
        windows.starts_after,
        cast(max(case when steps.is_closing then steps.day end) as date) as closed_on,
        cast(
            max(case when steps.is_closing then steps.occurred_at end) as {{ type_moment() }}
        ) as closed_at,
        min(steps.occurred_at) as opened_at,
        count(distinct steps.colleague_id) as people,
        count(case when steps.is_hand_off then 1 end) as hand_offs,
        count(case when steps.is_return then 1 end) as returns,
        count(steps.colleague_id) as acts_by_us
    from windows
    inner join steps on steps.day <= windows.as_of
    group by
        windows.as_of,
        windows.basis,
        windows.window_days,
        windows.starts_after,
        steps.process,
        steps.journey_id

),

closed as (

    select
        *,
        'all' as from_step,
        'all' as to_step,
        hand_offs > 0 as is_handed_on,
        {{ seconds_between('opened_at', 'closed_at') }} as duration
    from journeys
    where closed_on > starts_after

),

whole as (

    select
        {{ grain | join(', ') }},
        count(*) as moves,
        count(*) as journeys,
        {{ exact_median('duration') }} as median_wait,
        {{ exact_quantile('duration', 0.9) }} as p90_wait,
        cast(sum(duration) as bigint) as wait,
        cast(sum(hand_offs) as bigint) as hand_offs,
        cast(sum(returns) as bigint) as returns,
        cast(sum(acts_by_us) as bigint) as acts_by_us,
        count(case when is_handed_on then 1 end) as handed_on,
        {{ share('sum(people)', 'count(*)') }} as mean_people,
        max(people) as max_people,
        count(case when people >= 10 then 1 end) as with_ten
    from closed
    group by {{ grain | join(', ') }}

),

-- Among journeys in which we acted as often: who acts more often hands over more often.
tested as (

    {{ rank_sum('closed', grain, 'acts_by_us', 'duration', 'is_handed_on') }}

),

---------- both in one shape

joined as (

    select
        {%- for column in grain %}
        edges.{{ column }},
        {%- endfor %}
        edges.moves,
        edges.journeys,
        edges.median_wait,
        edges.p90_wait,
        edges.wait,
        {{ share('edges.wait', 'processes.wait') }} as wait_share,
        edges.acts_by_us,
        edges.hand_offs,
        edges.returns,
        edges.hand_off_wait,
        edges.hand_off_cost,
        case when edges.acts_by_us > 0 then edges.people end as people,
        case
            when processes.team >= {{ team }}
                then {{ share('busiest.top_acts', 'edges.acts_by_us') }}
        end as top_person_share,
        edges.median_wait > processes.p75_wait as is_slow,
        cast(null as double) as mean_people,
        cast(null as bigint) as max_people,
        cast(null as double) as ten_people_share,
        cast(null as bigint) as handed_on,
        tested.median_one,
        tested.median_other,
        tested.z
    from edges
    inner join processes
        on
            {%- for column in process %}
            {% if not loop.first %}and {% endif %}edges.{{ column }} = processes.{{ column }}
            {%- endfor %}
    left join busiest
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}edges.{{ column }} = busiest.{{ column }}
            {%- endfor %}
    -- one row per process
    left join tested
        on
            {%- for column in process %}
            {% if not loop.first %}and {% endif %}edges.{{ column }} = tested.{{ column }}
            {%- endfor %}

    union all

    select
        {%- for column in grain %}
        whole.{{ column }},
        {%- endfor %}
        whole.moves,
        whole.journeys,
        whole.median_wait,
        whole.p90_wait,
        whole.wait,
        cast(null as double) as wait_share,
        whole.acts_by_us,
        whole.hand_offs,
        whole.returns,
        cast(null as bigint) as hand_off_wait,
        greatest(whole.handed_on * (tested.median_one - tested.median_other), 0) as hand_off_cost,
        cast(null as bigint) as people,
        cast(null as double) as top_person_share,
        cast(null as boolean) as is_slow,
        whole.mean_people,
        whole.max_people,
        {{ share('whole.with_ten', 'whole.journeys') }} as ten_people_share,
        whole.handed_on,
        tested.median_one,
        tested.median_other,
        tested.z
    from whole
    inner join tested
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}whole.{{ column }} = tested.{{ column }}
            {%- endfor %}

),

judged as (

    select
        *,
        to_step = 'all' as is_whole,
        case when z is not null then z >= 3.09 and median_one > median_other end as costs
    from joined

),

ranked as (

    select
        *,
        case
            when costs and hand_off_cost > 0 and not is_whole
                then row_number() over (
                    partition by {{ process | join(', ') }}, is_whole
                    order by hand_off_cost desc nulls last, from_step, to_step
                )
        end as removal_rank
    from judged

),

final as (

    select
        ---------- grain
        ranked.as_of,
        ranked.basis,
        ranked.window_days,
        ranked.process,
        ranked.from_step,
        ranked.to_step,

        ---------- how often, how long
        ranked.moves,
        ranked.journeys,
        {%- for name in ['median_wait', 'p90_wait', 'wait'] %}
        cast(ranked.{{ name }} as double) / 3600 as {{ name }}_hours,
        {%- endfor %}
        ranked.wait_share,
        ranked.acts_by_us,

        ---------- how many hands
        ranked.hand_offs,
        ranked.returns,
        ranked.people,
        ranked.top_person_share,
        case
            when ranked.top_person_share is not null and ranked.acts_by_us >= 10
                then ranked.top_person_share > 0.8 and ranked.is_slow
        end as is_single_person_bottleneck,
        ranked.mean_people,
        ranked.max_people,
        ranked.ten_people_share,

        ---------- what a hand-off costs
        cast(ranked.hand_off_wait as double) / 3600 as hand_off_wait_hours,
        cast(
            case when ranked.costs and ranked.hand_offs > 0 then ranked.hand_off_cost end as double
        ) / 3600 as hand_off_cost_hours,
        case when ranked.is_whole then ranked.handed_on end as journeys_with_hand_off,
        cast(case when ranked.is_whole then ranked.median_one end as double) / 3600
            as median_hours_with_hand_off,
        cast(case when ranked.is_whole then ranked.median_other end as double) / 3600
            as median_hours_without_hand_off,
        case when ranked.is_whole then ranked.z end as hand_off_z,
        case when ranked.is_whole then ranked.costs end as hand_offs_cost_time,
        cast(ranked.removal_rank as bigint) as removal_rank,

        ---------- in words
        case
            when ranked.is_whole and ranked.costs
                then 'with a hand-off it takes '
                    || {{ rounded_days(in_days('ranked.median_one')) }}
                    || ', without one '
                    || {{ rounded_days(in_days('ranked.median_other')) }}
            when ranked.is_whole and ranked.costs is null and ranked.handed_on > 0
                then 'too few to tell what hand-offs cost'
            when ranked.is_whole and not ranked.costs and ranked.handed_on > 0
                then 'hand-offs cost no more time than chance would have it'
            when ranked.removal_rank = 1
                then 'remove this hand-off first: ' || {{ counted('ranked.hand_offs', 'time') }}
                    || ' it cost '
                    || {{ rounded_days(in_days('ranked.hand_off_cost')) }}
                    || ' more than our next act usually takes'
        end as reason_1,
        case
            when
                ranked.top_person_share > 0.8 and ranked.is_slow and ranked.acts_by_us >= 10
                then 'waits for one person, who does '
                    || cast(cast(round(100 * ranked.top_person_share) as bigint) as string)
                    || ' % of it'
            when ranked.returns > 0
                then 'went back ' || {{ times('ranked.returns') }} || ' to somebody who had it before'
        end as reason_2,

        ---------- what to do
        case
            when not settings.has_strategy then cast(null as string)
            when ranked.is_whole and ranked.costs then 'remove the hand-off that costs most first'
            when ranked.removal_rank = 1 then 'let whoever has it finish it, or decide at once whose it is'
            when
                ranked.top_person_share > 0.8 and ranked.is_slow and ranked.acts_by_us >= 10
                then 'let a second person learn this step'
        end as action,
        case
            when
                settings.has_strategy
                and (
                    (ranked.is_whole and ranked.costs)
                    or ranked.removal_rank = 1
                    or (ranked.top_person_share > 0.8 and ranked.is_slow and ranked.acts_by_us >= 10)
                )
                then settings.owner_of_processes
        end as owner,

        ---------- provenance
        ranked.journeys as n,
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at,
        {{ metric_version() }} as metric_version
    from ranked
    inner join snapshots on ranked.as_of = snapshots.as_of and ranked.basis = snapshots.basis
    cross join settings
    left join seen on ranked.as_of = seen.as_of and ranked.basis = seen.basis

)

select * from final
