{{ config(**snapshot_table()) }}

{#- Fewer questions than this, in the tier or below it, tell nothing. -#}
{%- set few = 10 %}
{#- Who misses or meets all that a tier asks for by no more than this share is near its bound. -#}
{%- set near = 0.2 %}

with

snapshots as (

    {{ snapshots() }}

),

seen as (

    {{ silos_seen(['forum']) }}

),

tiers as (

    select * from {{ source('control', 'tiers') }}

),

members as (

    select rel_tier.*
    from {{ ref('rel_tier') }} as rel_tier
    inner join snapshots
        on rel_tier.as_of = snapshots.as_of and rel_tier.basis = snapshots.basis

),

people as (

    select
        row_number() over (order by as_of, basis, programme, tier_rank) as place,
        as_of,
        basis,
        programme,
        tier_rank,
        count(*) as people,
        count(case when days_since_thanked <= 90 then 1 end) as people_thanked_90d,
        {{ exact_median('days_since_thanked') }} as median_days_since_thanked
    from members
    group by as_of, basis, programme, tier_rank

),

---------- how long their questions wait, and those of everybody below

waited as (

    select
        people.place,
        coalesce({{ utc_day('questions.first_answered_at') }} <= members.as_of, false)
            as is_answered,
        case
            when {{ utc_day('questions.first_answered_at') }} <= members.as_of
                then {{ seconds_between('questions.asked_at', 'questions.first_answered_at') }}
            else {{ seconds_between('questions.asked_at', end_of_day('members.as_of')) }}
        end as wait_seconds
    from members
    inner join {{ ref('int_questions__answered') }} as questions
        on
            members.person_id = questions.asker_person_id
            and questions.day <= members.as_of
            and questions.day > {{ days_after('members.as_of', -364) }}
    inner join people
        on
            members.as_of = people.as_of
            and members.basis = people.basis
            and members.programme = people.programme
            and members.tier_rank = people.tier_rank

),

waits as (

    {{ product_limit('waited', ['place'], 'wait_seconds', 'is_answered') }}

),

-- A question of a lower tier once for each tier above it.
waited_below as (

    select
        pairs.place,
        waited.is_answered,
        waited.wait_seconds
    from waited
    inner join (
        select
            above.place,
            below.place as place_below
        from people as above
        inner join people as below
            on
                above.as_of = below.as_of
                and above.basis = below.basis
                and above.programme = below.programme
                and above.tier_rank > below.tier_rank
    ) as pairs
        on waited.place = pairs.place_below

),

waits_below as (

    {{ product_limit('waited_below', ['place'], 'wait_seconds', 'is_answered') }}

),

counts_below as (

    select
        place,
        count(*) as questions
    from waited_below
    group by place

),

-- Half of those below wait longer than their median; how many of the tier do?
compared as (

    select
        waited.place,
        count(*) as questions,
        count(case when waited.wait_seconds > below.median_wait then 1 end) as longer,
        count(
            case
                when waited.is_answered or waited.wait_seconds > below.median_wait then 1
            end
        ) as told
    from waited
    left join waits_below as below on waited.place = below.place
    group by waited.place

),

---------- what a tier changes: who met its bound 90 days ago, just so, beside who just missed it

run as (

    select * from {{ source('control', 'run') }}

),

-- Of the rules of a clause the nearest; its sign tells whether it held.
clauses as (

    select
        look,
        programme,
        member,
        tier_rank,
        clause,
        max(
            case
                when meets then greatest(margin, 0)
                when not meets then least(margin, -0.000001)
            end
        ) as margin
    from {{ ref('int_tiers__rules') }}
    where look in ('later', 'earlier')
    group by look, programme, member, tier_rank, clause

),

-- A tier asks for what the ones below it ask for, too.
margins as (

    select
        clauses.programme,
        clauses.member,
        tiers.tier_rank,
        min(case when clauses.look = 'later' then clauses.margin end) as margin,
        count(case when clauses.look = 'later' and clauses.margin is null then 1 end) as unknown,
        min(case when clauses.look = 'earlier' then clauses.margin end) as earlier_margin
    from clauses
    inner join tiers
        on clauses.programme = tiers.programme and clauses.tier_rank <= tiers.tier_rank
    group by clauses.programme, clauses.member, tiers.tier_rank

),

neighbors as (

    select
        margins.programme,
        margins.tier_rank,
        members.person_id,
        margins.margin >= 0 as is_above
    from margins
    inner join {{ ref('int_tiers__members') }} as members on margins.member = members.member
    where
        margins.unknown = 0
        and margins.margin between -{{ near }} and {{ near }}
        and coalesce(margins.earlier_margin, -1) < 0

),

changes as (

    select
        neighbors.programme,
        neighbors.tier_rank,
        neighbors.person_id,
        neighbors.is_above,
        count(case when days.day > {{ days_after('run.as_of', -90) }} then 1 end)
        - count(case when days.day <= {{ days_after('run.as_of', -90) }} then 1 end) as change
    from neighbors
    cross join run
    inner join {{ ref('int_people__numbered') }} as numbered
        on neighbors.person_id = numbered.person_id
    left join {{ ref('int_people__days') }} as days
        on
            numbered.person_number = days.person_number
            and days.is_first_of_day
            and days.day <= run.as_of
            and days.day > {{ days_after('run.as_of', -180) }}
    group by
        neighbors.programme, neighbors.tier_rank, neighbors.person_id, neighbors.is_above

),

sides as (

    select
        run.as_of,
        changes.programme,
        changes.tier_rank,
        {%- for side, which in [('above', 'is_above'), ('below', 'not is_above')] %}
        count(case when {{ which }} then 1 end) as n_{{ side }},
        cast(sum(case when {{ which }} then change end) as double) as sum_{{ side }},
        cast(sum(case when {{ which }} then change * change end) as double) as squares_{{ side }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from changes
    cross join run
    group by run.as_of, changes.programme, changes.tier_rank

),

effects as (

    select
        as_of,
        programme,
        tier_rank,
        n_above,
        n_below,
        case when least(n_above, n_below) >= {{ few }} then sum_above / n_above end as change_above,
        case when least(n_above, n_below) >= {{ few }} then sum_below / n_below end as change_below,
        case
            when least(n_above, n_below) >= {{ few }}
                then 1.96 * sqrt(
                    {%- for side in ['above', 'below'] %}
                    greatest(squares_{{ side }} - sum_{{ side }} * sum_{{ side }} / n_{{ side }}, 0)
                    / (n_{{ side }} - 1) / n_{{ side }}{{ ' +' if not loop.last }}
                    {%- endfor %}
                )
        end as half_width
    from sides

),

joined as (

    select
        people.*,
        effects.n_above,
        effects.n_below,
        effects.change_above,
        effects.change_below,
        effects.half_width,
        programmes.owner,
        tiers.tier,
        coalesce(compared.questions, 0) as questions,
        compared.longer,
        compared.told,
        coalesce(seen.coverage, 0) as coverage,
        coalesce(seen.sees_forum, false) as is_known,
        waits.median_wait,
        coalesce(counts_below.questions, 0) as questions_below,
        waits_below.median_wait as median_wait_below,
        case
            when people.tier_rank = 0 or not coalesce(seen.sees_forum, false)
                then cast(null as string)
            when least(compared.told, counts_below.questions) >= {{ few }}
                and waits_below.median_wait is not null
                -- two standard deviations of a fair coin
                then case
                    when 2 * compared.longer - compared.told > 2 * sqrt(compared.told) then 'worse'
                    when compared.told - 2 * compared.longer > 2 * sqrt(compared.told) then 'better'
                    else 'alike'
                end
            else 'too few to tell'
        end as service
    from people
    inner join {{ source('control', 'tier_programmes') }} as programmes
        on people.programme = programmes.programme
    left join tiers on people.programme = tiers.programme and people.tier_rank = tiers.tier_rank
    -- for the day of the build alone
    left join effects
        on
            people.as_of = effects.as_of
            and people.programme = effects.programme
            and people.tier_rank = effects.tier_rank
    left join seen on people.as_of = seen.as_of and people.basis = seen.basis
    {%- for table in ['compared', 'waits', 'counts_below', 'waits_below'] %}
    left join {{ table }} on people.place = {{ table }}.place
    {%- endfor %}

),

final as (

    select
        ---------- grain
        joined.as_of,
        joined.basis,
        joined.programme,
        coalesce(joined.tier, 'none') as tier,
        cast(joined.tier_rank as bigint) as tier_rank,

        ---------- how long they wait
        cast(joined.people as bigint) as people,
        cast(case when joined.is_known then joined.questions end as bigint) as questions_364d,
        cast(joined.median_wait as double) / 3600 as median_wait_hours_364d,
        cast(case when joined.is_known then joined.questions_below end as bigint)
            as questions_below_364d,
        cast(joined.median_wait_below as double) / 3600 as median_wait_hours_below_364d,

        ---------- whether they are thanked
        case when joined.tier_rank > 0 then cast(joined.people_thanked_90d as bigint) end
            as people_thanked_90d,
        cast(joined.median_days_since_thanked as double) as median_days_since_thanked,

        ---------- what having it changes
        cast(joined.n_above as bigint) as people_just_above,
        cast(joined.n_below as bigint) as people_just_below,
        joined.change_above as change_just_above,
        joined.change_below as change_just_below,
        joined.change_above - joined.change_below as tier_effect,
        joined.change_above - joined.change_below - joined.half_width as tier_effect_low,
        joined.change_above - joined.change_below + joined.half_width as tier_effect_high,

        ---------- judgment
        joined.service,
        case
            when joined.service = 'worse'
                then cast(joined.longer as string) || ' of '
                || {{ counted('joined.told', 'question') }} || ' waited longer than '
                || {{ plain_number('round(cast(joined.median_wait_below as double) / 3600, 1)') }}
                || ' hours; of those below, half did'
        end as reason_1,
        case when joined.service = 'worse' then 'answer ' || joined.tier || ' first' end as action,
        joined.owner,

        ---------- provenance
        cast(joined.questions as bigint) as n,
        joined.coverage,
        snapshots.known_at,
        {{ metric_version() }} as metric_version
    from joined
    inner join snapshots
        on joined.as_of = snapshots.as_of and joined.basis = snapshots.basis

)

select * from final
