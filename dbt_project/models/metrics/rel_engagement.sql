{{ config(**snapshot_table()) }}

{%- set silo_parts = ['crm', 'forum', 'support', 'social', 'other'] %}

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

silos as (

    select
        as_of,
        basis,
        count(*) filter (where is_seen) as silos_seen,
        bool_or(is_seen and silo = 'social') as sees_social,
        bool_or(is_seen and silo not in ('crm', 'forum', 'support', 'social')) as sees_other
    from {{ ref('int_silos__seen') }}
    group by as_of, basis

),

weights as (

    {{ behavior_weights() }}

),

unnamed as (

    {{ unnamed_behavior('weights') }}

),

people as (

    select * from {{ ref('int_people__numbered') }}
    where not coalesce(is_staff, false) and not coalesce(is_bot, false)

),

person_days as (

    select
        person_number,
        day
    from {{ ref('int_people__days') }}
    where is_first_of_day

),

act_days as (

    select
        actor_number as person_number,
        case
            when silo in ('crm', 'forum', 'support', 'social') then silo
            else 'other'
        end as silo_part,
        behavior,
        day,
        count(*) as events,
        count(is_prompted) as events_known,
        count(*) filter (where not is_prompted) as events_unprompted
    from {{ ref('int_acts__counted') }}
    where actor_number is not null and not is_by_staff and not is_by_bot
    group by
        actor_number,
        case
            when silo in ('crm', 'forum', 'support', 'social') then silo
            else 'other'
        end,
        behavior,
        day

),

scored_days as (

    select as_of as scored_on
    from snapshots
    union
    select {{ days_after('as_of', -28) }} as scored_on
    from snapshots

),

---------- what is left of everything they did

faded as (

    select
        scored_days.scored_on,
        act_days.person_number,
        act_days.behavior,
        act_days.silo_part,
        act_days.day > {{ days_after('scored_days.scored_on', -90) }} as is_recent,
        act_days.events,
        act_days.events_known,
        act_days.events_unprompted,
        coalesce(weights.weight, unnamed.weight) as weight,
        {{ decayed(
            'coalesce(weights.weight, unnamed.weight) * act_days.events',
            days_between('act_days.day', 'scored_days.scored_on'),
            'coalesce(weights.half_life_days, unnamed.half_life_days)',
        ) }} as points
    from scored_days
    inner join act_days on act_days.day <= scored_days.scored_on
    -- many to one: a behavior has one weight
    left join weights on act_days.behavior = weights.behavior
    cross join unnamed

),

by_behavior as (

    select
        scored_on,
        person_number,
        behavior,
        max(weight) as weight,
        sum(points) as points,
        {%- for silo in silo_parts %}
        sum(case when silo_part = '{{ silo }}' then points end) as {{ silo }}_points,
        {%- endfor %}
        sum(events) as events,
        {%- for column in ['events', 'events_known', 'events_unprompted'] %}
        sum(case when is_recent then {{ column }} else 0 end) as {{ column }}_90d
        {{- ',' if not loop.last }}
        {%- endfor %}
    from faded
    group by scored_on, person_number, behavior

),

scores as (

    select
        scored_on,
        person_number,
        cast(sum(points) as decimal(18, 6)) as score,
        {%- for silo in silo_parts %}
        cast(coalesce(sum({{ silo }}_points), 0) as decimal(18, 6)) as {{ silo }}_points,
        {%- endfor %}
        max({{ commitment_class('weight') }}) as commitment,
        count(*) filter (where events_90d > 0) as behaviors_90d,
        sum(events) as events,
        sum(events_90d) as events_90d,
        sum(events_known_90d) as events_known_90d,
        sum(events_unprompted_90d) as events_unprompted_90d
    from by_behavior
    group by scored_on, person_number

),

-- What carries most of the score; of what they did before nobody asks.
top_behaviors as (

    select
        ranked.scored_on,
        ranked.person_number,
        ranked.behavior,
        coalesce(weights.words, ranked.behavior) as words,
        ranked.events_90d
    from (
        select
            by_behavior.scored_on,
            by_behavior.person_number,
            by_behavior.behavior,
            by_behavior.events_90d,
            row_number() over (
                partition by by_behavior.scored_on, by_behavior.person_number
                order by by_behavior.points desc, by_behavior.behavior
            ) as choice
        from by_behavior
        where
            by_behavior.weight > 0
            and by_behavior.points > 0
            and by_behavior.scored_on in (select snapshots.as_of from snapshots)
    ) as ranked
    left join weights on ranked.behavior = weights.behavior
    where ranked.choice = 1

),

---------- how regularly they are there

-- Months of four weeks are counted back from the snapshot's day, as weeks are.
months as (

    select
        scored_days.scored_on,
        person_days.person_number,
        max(person_days.day) as last_day,
        min(person_days.day) as first_day,
        {%- for days in [28, 90] %}
        count(*) filter (
            where person_days.day > {{ days_after('scored_days.scored_on', -days) }}
        ) as active_days_{{ days }}d{{ ',' if not loop.last }}
        {%- endfor %}
    from scored_days
    inner join person_days on person_days.day <= scored_days.scored_on
    group by
        scored_days.scored_on,
        person_days.person_number,
        floor({{ days_between('person_days.day', 'scored_days.scored_on') }} / 28.0)

),

presence as (

    select
        scored_on,
        person_number,
        {{ days_between('max(last_day)', 'scored_on') }} as days_quiet,
        {{ days_between('min(first_day)', 'scored_on') }} as days_known,
        cast(sum(active_days_28d) as bigint) as active_days_28d,
        cast(sum(active_days_90d) as bigint) as active_days_90d,
        count(*) as months_active
    from months
    group by scored_on, person_number

),

recent_silos as (

    select
        scored_on,
        person_number,
        count(*) as silos_90d
    from (
        select
            scored_days.scored_on,
            silo_days.person_number,
            silo_days.silo
        from scored_days
        inner join {{ ref('int_people__days') }} as silo_days
            on
                silo_days.day <= scored_days.scored_on
                and silo_days.day > {{ days_after('scored_days.scored_on', -90) }}
        group by scored_days.scored_on, silo_days.person_number, silo_days.silo
    ) as silos
    group by scored_on, person_number

),

-- Week 0 are the last seven days; who was away in them has no streak.
weeks as (

    select
        presence.scored_on,
        presence.person_number,
        floor({{ days_between('person_days.day', 'presence.scored_on') }} / 7.0) as week
    from presence
    inner join person_days
        on presence.person_number = person_days.person_number and person_days.day <= presence.scored_on
    where presence.days_quiet < 7
    group by
        presence.scored_on,
        presence.person_number,
        floor({{ days_between('person_days.day', 'presence.scored_on') }} / 7.0)

),

streaks as (

    select
        scored_on,
        person_number,
        count(*) filter (where week = place - 1) as streak_weeks
    from (
        select
            *,
            row_number() over (partition by scored_on, person_number order by week) as place
        from weeks
    ) as placed
    group by scored_on, person_number

),

---------- against everybody who did something within a year

ranked as (

    select
        scores.*,
        presence.days_quiet,
        presence.days_known,
        presence.active_days_28d,
        presence.active_days_90d,
        coalesce(recent_silos.silos_90d, 0) as silos_90d,
        presence.months_active,
        cast(floor(presence.days_known / 28.0) as bigint) + 1 as months_known,
        coalesce(streaks.streak_weeks, 0) as streak_weeks,
        case
            when
                presence.days_quiet < 364
                and count(*) over (
                    partition by scores.scored_on, presence.days_quiet < 364
                ) > 1
                then cast(
                    100 * percent_rank() over (
                        partition by scores.scored_on, presence.days_quiet < 364
                        order by scores.score
                    ) as decimal(5, 2)
                )
        end as percentile
    from scores
    inner join people on scores.person_number = people.person_number
    -- one to one: who has acts has days
    inner join presence
        on scores.scored_on = presence.scored_on and scores.person_number = presence.person_number
    left join recent_silos
        on
            scores.scored_on = recent_silos.scored_on
            and scores.person_number = recent_silos.person_number
    left join streaks
        on scores.scored_on = streaks.scored_on and scores.person_number = streaks.person_number

),

joined as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        people.person_id,
        people.organization_id,
        people.owner_person_id,
        people.party_kind,
        settings.has_strategy,
        settings.leading_share,
        settings.contributing_share,
        settings.participating_share,
        ranked.*,
        coalesce(seen.sees_crm, false) as sees_crm,
        coalesce(seen.sees_forum, false) as sees_forum,
        coalesce(seen.sees_support, false) as sees_support,
        coalesce(silos.sees_social, false) as sees_social,
        coalesce(silos.sees_other, false) as sees_other,
        coalesce(seen.coverage, 0) as coverage,
        -- a silo in use is there, whoever configured what
        greatest(coalesce(silos.silos_seen, 0), ranked.silos_90d) as silos_seen,
        top_behaviors.behavior as top_behavior,
        top_behaviors.words as top_words,
        top_behaviors.events_90d as top_events_90d,
        previous.score as previous_score,
        previous.percentile as previous_percentile
    from snapshots
    cross join settings
    inner join ranked on snapshots.as_of = ranked.scored_on
    inner join people on ranked.person_number = people.person_number
    left join top_behaviors
        on
            ranked.scored_on = top_behaviors.scored_on
            and ranked.person_number = top_behaviors.person_number
    left join ranked as previous
        on
            ranked.person_number = previous.person_number
            and previous.scored_on = {{ days_after('snapshots.as_of', -28) }}
    left join seen on snapshots.as_of = seen.as_of and snapshots.basis = seen.basis
    left join silos on snapshots.as_of = silos.as_of and snapshots.basis = silos.basis

),

---------- importance in their life: 50, 25 and 25 points, of those that can be known

points as (

    select
        *,
        cast(50 * active_days_28d as double) / 28 as active_points,
        -- with one silo there is no choice that could show anything
        case
            when silos_seen > 1
                then cast(25 * least(silos_90d, silos_seen, 3) as double) / least(silos_seen, 3)
        end as silos_points,
        case
            when events_known_90d > 0
                then cast(25 * events_unprompted_90d as double) / cast(events_known_90d as double)
        end as unprompted_points
    from joined

),

parts as (

    select
        *,
        {%- for part in ['active', 'silos', 'unprompted'] %}
        -- cut, not rounded: the parts of full importance sum to 100 and never above
        cast(
            floor(
                10000 * {{ part }}_points
                / (
                    50
                    + case when silos_points is not null then 25 else 0 end
                    + case when unprompted_points is not null then 25 else 0 end
                )
            ) / 100 as decimal(7, 2)
        ) as {{ part }}_part{{ ',' if not loop.last }}
        {%- endfor %}
    from points

),

worded as (

    select
        *,
        case
            when top_events_90d > 0
                then top_words || ' ' || {{ times('top_events_90d') }} || ' in 90 days'
            when top_words is not null then top_words || ', though not in the last 90 days'
        end as behavior_reason,
        case
            when active_days_28d > 0
                then 'active on ' || {{ counted('active_days_28d', 'day') }} || ' of the last 28'
                    || case
                        when streak_weeks > 1
                            then ', ' || cast(streak_weeks as string) || ' weeks in a row'
                        else ''
                    end
            else 'last seen ' || {{ counted('days_quiet', 'day') }} || ' ago'
        end as presence_reason,
        -- a tenth and a point: below that nobody would call it a change
        case
            when previous_score is null then 'new within 28 days'
            when abs(score - previous_score) >= 1 and abs(score - previous_score) >= 0.1 * previous_score
                then case when score > previous_score then 'up' else 'down' end
                    || ' from ' || cast(cast(previous_score as decimal(18, 1)) as string)
                    || ' to ' || cast(cast(score as decimal(18, 1)) as string)
                    || ' in 28 days'
        end as change_reason
    from parts

),

final as (

    select
        ---------- ids
        as_of,
        basis,
        person_id,
        organization_id,
        owner_person_id,

        ---------- text
        party_kind,

        ---------- score
        score,
        {%- for silo in silo_parts %}
        case when sees_{{ silo }} or {{ silo }}_points > 0 then {{ silo }}_points end
            as {{ silo }}_part,
        {%- endfor %}
        percentile,
        previous_score,

        ---------- presence
        active_days_28d,
        active_days_90d,
        streak_weeks,
        days_quiet as current_gap_days,

        ---------- variety and depth
        behaviors_90d,
        silos_90d,
        cast(commitment as bigint) as commitment,
        top_behavior,

        ---------- importance in their life
        cast(
            active_part + coalesce(silos_part, 0) + coalesce(unprompted_part, 0) as decimal(9, 2)
        ) as importance_in_life,
        active_part as importance_active_part,
        silos_part as importance_silos_part,
        unprompted_part as importance_unprompted_part,
        {{ share('events_unprompted_90d', 'events_known_90d') }} as unprompted_share,

        ---------- consistency
        months_active,
        months_known,
        {{ share('months_active', 'months_known') }} as consistency,

        ---------- judgment
        case when has_strategy then cast({{ engagement_level('percentile') }} as bigint) end
            as level,
        case
            when has_strategy then cast({{ engagement_level('previous_percentile') }} as bigint)
        end as previous_level,
        {%- for n in [1, 2, 3] %}
        {{ nth_reason(['behavior_reason', 'presence_reason', 'change_reason'], n) }}
            as reason_{{ n }},
        {%- endfor %}

        ---------- provenance
        cast(events as bigint) as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from worded

)

select * from final
