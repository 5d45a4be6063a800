{{ config(materialized='table', contract={'enforced': false}) }}

with

run as (

    select * from {{ source('control', 'run') }}

),

programmes as (

    {{ tier_programmes() }}

),

members as (

    select * from {{ ref('int_tiers__members') }}

),

measures as (

    {{ numbered_measures() }}

),

shares as (

    select * from {{ source('control', 'tier_shares') }}

),

rules as (

    {{ counted_rules() }}

),

-- What changed since the review before counts at the next.
changes as (

    select
        changes.programme,
        changes.member,
        changes.measure,
        {{ next_review('changes.day', 'programmes') }} as day,
        changes.value_change,
        changes.known_change
    from {{ ref('int_tiers__changes') }} as changes
    inner join programmes on changes.programme = programmes.programme

),

-- Each measure at each review at which any of them changed.
changed as (

    select
        changes.member,
        measures.number,
        changes.day,
        sum(case when changes.measure = measures.measure then changes.value_change else 0 end)
            as value_change,
        cast(
            sum(case when changes.measure = measures.measure then changes.known_change else 0 end)
            as int
        ) as known_change
    from changes
    inner join measures on changes.programme = measures.programme and measures.origin <> 'since'
    cross join run
    where changes.day <= run.as_of
    group by changes.member, measures.number, changes.day

),

summed as (

    select
        member,
        number,
        day,
        sum(value_change) over days as value,
        sum(known_change) over days as known
    from changed
    window days as (
        partition by member, number order by day
        rows between unbounded preceding and current row
    )

),

plain as (

    select
        measures.programme,
        summed.member,
        measures.measure,
        summed.day,
        case when summed.known > 0 then cast(summed.value as decimal(28, 9)) end as value
    from summed
    inner join measures on summed.number = measures.number

    union all

    select
        changes.programme,
        changes.member,
        measures.measure,
        changes.day,
        cast({{ days_between('members.created_day', 'changes.day') }} as decimal(28, 9)) as value
    from changes
    inner join measures on changes.programme = measures.programme and measures.origin = 'since'
    inner join members on changes.member = members.member
    cross join run
    where changes.day <= run.as_of
    group by
        changes.programme, changes.member, measures.measure, changes.day, members.created_day

),

numbers as (

    {{ with_shares('plain', ['programme', 'member', 'day']) }}

),

judged as (

    select
        numbers.member,
        numbers.day,
        rules.tier_rank,
        rules.clause,
        rules.n_rules,
        coalesce({{ rule_holds('threshold', 'or_count') }}, false) as meets,
        -- unknown is not lost
        coalesce(not {{ rule_holds('keep_threshold', 'keep_count') }}, false) as loses
    from numbers
    -- many to many: a measure stands in several rules
    inner join rules
        on numbers.programme = rules.programme and numbers.measure = rules.measure

),

-- Most clauses are a rule of their own: what need not be put together is not.
clauses as (

    select
        member,
        day,
        tier_rank,
        meets,
        loses
    from judged
    where n_rules = 1

    union all

    select
        member,
        day,
        tier_rank,
        bool_or(meets) as meets,
        bool_and(loses) as loses
    from judged
    where n_rules > 1
    group by member, day, tier_rank, clause

),

-- A tier asks for what the ones below it ask for, too.
final as (

    select
        member,
        day,
        coalesce(min(case when not meets then tier_rank end) - 1, max(tier_rank)) as met_rank,
        min(case when loses then tier_rank end) as lost_rank
    from clauses
    group by member, day

)

select * from final
