{{ config(**snapshot_table()) }}

{%- set grain = ['as_of', 'basis', 'journey_id'] %}

with

snapshots as (

    {{ snapshots() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support']) }}

),

steps as (

    select * from {{ ref('int_journeys__steps') }}

),

-- What was going on in the 28 days before: something happened, or a case was still open.
spans as (

    select
        snapshots.as_of,
        snapshots.basis,
        steps.journey_id,
        max(steps.step_number) as last_step,
        max(steps.day) as last_day,
        max(case when steps.is_closing then steps.occurred_at end) as closed_at
    from snapshots
    inner join steps on steps.day <= snapshots.as_of
    group by snapshots.as_of, snapshots.basis, steps.journey_id, steps.process
    having
        max(steps.day) > {{ days_after('snapshots.as_of', -28) }}
        or (steps.process like '%: cases' and count(case when steps.is_closing then 1 end) = 0)

),

walked as (

    select
        spans.as_of,
        spans.basis,
        spans.closed_at,
        steps.*,
        steps.step_number = spans.last_step and spans.closed_at is null as waits_now,
        {{ seconds_between('steps.occurred_at', end_of_day('spans.as_of')) }} as waited_since
    from spans
    -- a row per step that had been made
    inner join steps on spans.journey_id = steps.journey_id and steps.day <= spans.as_of

),

sums as (

    select
        {{ grain | join(', ') }},
        min(process) as process,
        min(opened_by) as opened_by,
        min(organization_id) as organization_id,
        min(occurred_at) as opened_at,
        max(closed_at) as closed_at,
        max(occurred_at) as last_step_at,
        count(*) as steps,
        count(case when side in ('they', 'program') then 1 end) as acts_by_them,
        count(case when side = 'we' and not is_closing then 1 end) as acts_by_us,
        count(distinct colleague_id) as people,
        count(case when is_hand_off then 1 end) as hand_offs,
        count(case when is_return then 1 end) as returns,
        min(case when side = 'we' and not is_closing then occurred_at end) as first_by_us_at,
        max(case when side in ('they', 'program') then occurred_at end) as last_by_them_at,
        cast(sum(case when side = 'we' then wait_seconds else 0 end) as bigint)
        + cast(sum(case when side <> 'we' and waits_now then waited_since else 0 end) as bigint)
            as on_us,
        cast(sum(case when side <> 'we' then wait_seconds else 0 end) as bigint)
        + cast(sum(case when side = 'we' and waits_now then waited_since else 0 end) as bigint)
            as on_them,
        bool_or(waits_now and side = 'we') as waits_for_them
    from walked
    group by {{ grain | join(', ') }}

),

joined as (

    select
        sums.*,
        sums.process like '%: cases' as is_case,
        {{ seconds_between('sums.opened_at', end_of_day('sums.as_of')) }} as age,
        {{ seconds_between('sums.opened_at', 'sums.closed_at') }} as duration,
        {{ seconds_between('sums.opened_at', 'sums.first_by_us_at') }} as first_answer,
        {{ seconds_between('sums.closed_at', end_of_day('sums.as_of')) }} >= 7 * 86400 as is_ripe,
        {{ seconds_between('sums.closed_at', 'sums.last_by_them_at') }} between 1 and 7 * 86400
            as came_back,
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at
    from sums
    inner join snapshots on sums.as_of = snapshots.as_of and sums.basis = snapshots.basis
    left join seen on sums.as_of = seen.as_of and sums.basis = seen.basis

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        journey_id,

        ---------- whose
        process,
        opened_by as person_id,
        organization_id,

        ---------- from end to end
        opened_at,
        closed_at,
        last_step_at,
        case when is_case then closed_at is not null end as is_closed,
        cast(case when is_case then coalesce(duration, age) end as double) / 3600 as age_hours,
        cast(first_answer as double) / 3600 as first_answer_hours,
        cast(case when is_case then on_us end as double) / 3600 as wait_on_us_hours,
        cast(case when is_case then on_them end as double) / 3600 as wait_on_them_hours,
        case
            when not is_case or closed_at is not null then cast(null as string)
            when waits_for_them then 'them'
            else 'us'
        end as waits_for,

        ---------- the effort of it
        steps,
        acts_by_them,
        acts_by_us,
        people,
        hand_offs,
        returns,
        case
            when is_case and is_ripe
                then people = 1 and hand_offs = 0 and not coalesce(came_back, false)
        end as is_solved_at_first_contact,

        ---------- in words
        case
            when is_case and closed_at is null and not waits_for_them
                then 'waits for us'
            when is_case and closed_at is null then 'waits for them'
        end as reason_1,
        case
            when returns > 0
                then 'through the hands of ' || cast(people as string)
                    || ' people, and back ' || {{ times('returns') }}
            when people > 1 then 'through the hands of ' || cast(people as string) || ' people'
        end as reason_2,

        ---------- provenance
        steps as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from joined

)

select * from final
