{{ config(materialized='table', contract={'enforced': false}) }}

with

snapshots as (

    {{ snapshots() }}

),

run as (

    select * from {{ source('control', 'run') }}

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

    select * from {{ source('control', 'tier_rules') }}

),

---------- the day of each snapshot, and the last reviews 90 and 180 days before the build

reviews as (

    select
        reviews.member,
        max(reviews.day) as day,
        max(case when reviews.day <= {{ days_after('run.as_of', -180) }} then reviews.day end)
            as earlier_day
    from {{ ref('int_tiers__reviews') }} as reviews
    cross join run
    where reviews.day <= {{ days_after('run.as_of', -90) }}
    group by reviews.member, run.as_of
    having max(reviews.day) > {{ days_after('run.as_of', -180) }}

),

looks as (

    select
        'today' as look,
        members.programme,
        members.member,
        days.as_of as day,
        members.created_day
    from (
        select as_of
        from snapshots
        group by as_of
    ) as days
    inner join members on members.first_day <= days.as_of
    {%- for look, day in [('later', 'day'), ('earlier', 'earlier_day')] %}

    union all

    select
        '{{ look }}' as look,
        members.programme,
        members.member,
        reviews.{{ day }} as day,
        members.created_day
    from reviews
    inner join members on reviews.member = members.member
    {%- if look == 'earlier' %}
    where reviews.earlier_day is not null
    {%- endif %}
    {%- endfor %}

),

---------- the numbers then

-- Whoever is a member by then has a row without a measure.
summed as (

    select
        looks.look,
        looks.member,
        looks.day,
        measures.number,
        sum(case when changes.measure = measures.measure then changes.value_change else 0 end)
            as value,
        sum(case when changes.measure = measures.measure then changes.known_change else 0 end)
            as known
    from looks
    inner join {{ ref('int_tiers__changes') }} as changes
        on looks.member = changes.member and changes.day <= looks.day
    inner join measures on changes.programme = measures.programme and measures.origin <> 'since'
    group by looks.look, looks.member, looks.day, measures.number

),

plain as (

    select
        summed.look,
        measures.programme,
        summed.member,
        summed.day,
        measures.measure,
        case when summed.known > 0 then cast(summed.value as decimal(28, 9)) end as value
    from summed
    inner join measures on summed.number = measures.number

    union all

    select
        looks.look,
        looks.programme,
        looks.member,
        looks.day,
        measures.measure,
        cast({{ days_between('looks.created_day', 'looks.day') }} as decimal(28, 9)) as value
    from looks
    inner join measures on looks.programme = measures.programme and measures.origin = 'since'

),

numbers as (

    {{ with_shares('plain', ['look', 'programme', 'member', 'day']) }}

),

final as (

    select
        numbers.look,
        numbers.programme,
        numbers.member,
        numbers.day,
        rules.tier_rank,
        rules.clause,
        rules.rule,
        rules.measure,
        numbers.value,
        {{ rule_holds('threshold', 'or_count') }} as meets,
        {{ rule_holds('keep_threshold', 'keep_count') }} as keeps,
        {{ rule_margin('threshold') }} as margin,
        {{ rule_margin('keep_threshold') }} as keep_margin
    from numbers
    -- many to many: a measure stands in several rules
    inner join rules
        on numbers.programme = rules.programme and numbers.measure = rules.measure

)

select * from final
