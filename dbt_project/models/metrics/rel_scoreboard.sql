{{ config(**snapshot_table()) }}

{%- set periods = [1, 2, 3] %}

with

snapshots as (

    {{ snapshots() }}

),

goals as (

    select * from {{ source('control', 'goals') }}

),

-- Two goals are against each other where no number can meet both.
contrary as (

    select
        goals.goal,
        min(others.goal) as contrary_goal
    from goals
    inner join goals as others
        on
            goals.metric = others.metric
            and goals.segment_type = others.segment_type
            and goals.segment = others.segment
            and goals.direction <> others.direction
            and case
                when goals.direction = 'at least' then goals.target > others.target
                else goals.target < others.target
            end
    group by goals.goal

),

-- Kinds are a segment where strategy.yml divides people by `party_kind`.
kinds as (

    select
        goals.goal,
        coalesce(min(case when rules.segment_type is not null then goals.segment end), 'all')
            as party_kind
    from goals
    left join {{ source('control', 'segment_rules') }} as rules
        on goals.segment_type = rules.segment_type
        and rules.origin = 'column'
        and rules.field = 'party_kind'
    group by goals.goal

),

numbers as (

    {{ goal_numbers() }}

),

-- The newest snapshot of each span of 28 days before; one built on its day before a rebuilt one.
earlier as (

    select
        snapshots.as_of,
        snapshots.basis,
        numbers.goal,
        numbers.as_of as earlier_as_of,
        numbers.basis as earlier_basis,
        numbers.number,
        cast(floor({{ days_between('numbers.as_of', 'snapshots.as_of') }} / 28) as int) as period,
        row_number() over (
            partition by
                snapshots.as_of,
                snapshots.basis,
                numbers.goal,
                floor({{ days_between('numbers.as_of', 'snapshots.as_of') }} / 28)
            order by numbers.as_of desc, numbers.basis
        ) as nth
    from snapshots
    inner join numbers
        on numbers.is_whole
        and numbers.as_of <= {{ days_after('snapshots.as_of', '-28') }}
        and numbers.as_of > {{ days_after('snapshots.as_of', '-112') }}

),

past as (

    select
        as_of,
        basis,
        goal,
        {%- for period in periods %}
        max(case when period = {{ period }} then number end) as number_{{ period }},
        {%- endfor %}
        max(case when period = 1 then earlier_as_of end) as earlier_as_of,
        max(case when period = 1 then earlier_basis end) as earlier_basis
    from earlier
    where nth = 1
    group by as_of, basis, goal

),

measured as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        goals.*,
        numbers.number as actual,
        numbers.n,
        numbers.coverage,
        {%- for period in periods %}
        past.number_{{ period }},
        {%- endfor %}
        past.earlier_as_of,
        past.earlier_basis,
        case when goals.direction = 'at least' then 1 else -1 end as sense,
        -- from the oldest of the four numbers that is known
        case
            when past.number_3 is not null then (numbers.number - past.number_3) / 3
            when past.number_2 is not null then (numbers.number - past.number_2) / 2
            else numbers.number - past.number_1
        end as change_per_period
    from snapshots
    cross join goals
    -- one or none: the goal's own segment
    left join numbers
        on snapshots.as_of = numbers.as_of
        and snapshots.basis = numbers.basis
        and goals.goal = numbers.goal
        and numbers.is_whole
    left join past
        on snapshots.as_of = past.as_of
        and snapshots.basis = past.basis
        and goals.goal = past.goal

),

-- How far each other segment went the way the whole went, since the period before. Sums take each
-- as it is, everything else by its weight in the whole.
moved as (

    select
        measured.as_of,
        measured.basis,
        measured.goal,
        parts.segment_type,
        parts.segment,
        earlier_parts.number as number_before,
        parts.number as number_now,
        row_number() over (
            partition by measured.as_of, measured.basis, measured.goal
            order by
                (parts.number - earlier_parts.number)
                * case when measured.actual > measured.number_1 then 1 else -1 end
                * case
                    when measured.is_additive then 1
                    else cast(parts.n as double) / measured.n
                end desc,
                parts.segment_type,
                parts.segment
        ) as nth
    from measured
    -- many per goal: every other segment
    inner join numbers as parts
        on measured.as_of = parts.as_of
        and measured.basis = parts.basis
        and measured.goal = parts.goal
        and not parts.is_whole
    inner join numbers as earlier_parts
        on measured.earlier_as_of = earlier_parts.as_of
        and measured.earlier_basis = earlier_parts.basis
        and measured.goal = earlier_parts.goal
        and parts.segment_type = earlier_parts.segment_type
        and parts.segment = earlier_parts.segment
    where
        -- a segment that holds everybody is no part
        parts.n < measured.n
        and (parts.number - earlier_parts.number) * (measured.actual - measured.number_1) > 0

),

projected as (

    select
        measured.*,
        actual + change_per_period * {{ days_between('as_of', 'due_on') }} / 28 as projection,
        (actual - target) * sense >= 0 as is_reached
    from measured

),

judged as (

    select
        projected.*,
        case
            when metric is null then 'no goal'
            when actual is null then 'cannot tell'
            when is_reached then 'reached'
            when as_of > due_on then 'missed'
            when change_per_period is null then 'too early'
            when (projection - target) * sense >= 0 then 'on course'
            else 'off course'
        end as status
    from projected

),

final as (

    select
        ---------- grain
        judged.as_of,
        judged.basis,
        judged.goal,

        ---------- the goal
        judged.relationship,
        judged.why,
        judged.metric_table,
        judged.metric,
        judged.unit,
        judged.segment_type,
        judged.segment,
        judged.direction,
        judged.target,
        judged.due_on,
        judged.owner,
        judged.horizon,
        judged.serves,
        judged.signed_off_on,
        contrary.contrary_goal,
        kinds.party_kind,
        {{ share(
            'count(judged.metric) over (partition by judged.as_of, judged.basis, kinds.party_kind)',
            'count(judged.metric) over (partition by judged.as_of, judged.basis)',
        ) }} as party_kind_goals_share,

        ---------- how it stands
        judged.actual,
        case
            when judged.is_reached then 0
            else (judged.target - judged.actual) * judged.sense
        end as gap,
        {%- for period in periods %}
        judged.number_{{ period }} as actual_{{ period }}_ago,
        {%- endfor %}
        judged.change_per_period,
        judged.projection,
        judged.status,

        ---------- what moved it
        moved.segment_type as cause_segment_type,
        moved.segment as cause_segment,
        moved.number_before as cause_before,
        moved.number_now as cause_now,

        ---------- what to do
        case
            when contrary.contrary_goal is not null
                then 'settle which of the two holds: no number meets this goal and '
                || contrary.contrary_goal
            when judged.status = 'off course'
                then 'do something else, or set another target: the last periods lead to '
                || {{ in_unit('judged.projection', 'judged.unit') }}
            when judged.status = 'missed'
                then 'say why it was missed, then set a new day or let it go'
            when judged.status = 'cannot tell'
                then 'find out which source would tell ' || judged.metric
            when judged.status = 'no goal'
                then 'set a goal: what is to become of it, by when, and who answers for it'
        end as action,
        case
            when judged.metric is null then 'the strategy names no goal for it'
            when moved.segment is not null
                then moved.segment_type || ' ' || moved.segment || ' moved most: from '
                || {{ in_unit('moved.number_before', 'judged.unit') }} || ' to '
                || {{ in_unit('moved.number_now', 'judged.unit') }}
            when judged.actual is null then 'no number of ' || judged.metric || ' is known'
            when judged.number_1 is null then 'there is no number of 28 days ago'
            when judged.actual = judged.number_1 then 'nothing moved in 28 days'
            when judged.segment_type = 'all' then 'no single segment moved that way'
            else 'the segment as a whole moved'
        end as reason_1,

        ---------- provenance
        coalesce(judged.n, 0) as n,
        coalesce(judged.coverage, 0) as coverage,
        judged.known_at,
        {{ metric_version() }} as metric_version
    from judged
    inner join kinds on judged.goal = kinds.goal
    left join contrary on judged.goal = contrary.goal
    left join moved
        on judged.as_of = moved.as_of
        and judged.basis = moved.basis
        and judged.goal = moved.goal
        and moved.nth = 1

)

select * from final
