{{ config(materialized='table', contract={'enforced': false}) }}

with

snapshots as (

    {{ snapshots() }}

),

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

    select * from {{ source('control', 'tier_measures') }}

),

shares as (

    select * from {{ source('control', 'tier_shares') }}

),

rules as (

    select * from {{ source('control', 'tier_rules') }}

),

changes as (

    select * from {{ ref('int_tiers__changes') }}

),

---------- at reviews: what changed since the one before counts at the next

reviewed_changes as (

    select
        changes.programme,
        changes.measure,
        changes.person_id,
        {{ next_review('changes.day', 'programmes') }} as day,
        changes.value_change,
        changes.known_change
    from changes
    inner join programmes on changes.programme = programmes.programme

),

reviews as (

    select
        reviewed_changes.programme,
        reviewed_changes.person_id,
        reviewed_changes.day
    from reviewed_changes
    cross join run
    where reviewed_changes.day <= run.as_of
    group by
        reviewed_changes.programme,
        reviewed_changes.person_id,
        reviewed_changes.day

),

review_sums as (

    select
        programme,
        measure,
        person_id,
        day,
        sum(value_change) as value_change,
        sum(known_change) as known_change
    from reviewed_changes
    group by programme, measure, person_id, day

),

at_reviews as (

    select
        'review' as look,
        reviews.programme,
        measures.measure,
        measures.origin,
        reviews.person_id,
        reviews.day,
        sum(coalesce(review_sums.value_change, 0)) over (
            partition by reviews.programme, measures.measure, reviews.person_id
            order by reviews.day rows between unbounded preceding and current row
        ) as value,
        sum(coalesce(review_sums.known_change, 0)) over (
            partition by reviews.programme, measures.measure, reviews.person_id
            order by reviews.day rows between unbounded preceding and current row
        ) as known
    from reviews
    inner join measures on reviews.programme = measures.programme
    -- one or none: summed by the same key
    left join review_sums
        on
            reviews.programme = review_sums.programme
            and measures.measure = review_sums.measure
            and reviews.person_id = review_sums.person_id
            and reviews.day = review_sums.day

),

---------- on the day of each snapshot: how they stand between reviews

days as (

    select as_of
    from snapshots
    group by as_of

),

today_sums as (

    select
        days.as_of,
        changes.programme,
        changes.measure,
        changes.person_id,
        sum(changes.value_change) as value,
        sum(changes.known_change) as known
    from days
    inner join changes on changes.day <= days.as_of
    group by days.as_of, changes.programme, changes.measure, changes.person_id

),

today as (

    select
        'today' as look,
        members.programme,
        measures.measure,
        measures.origin,
        members.person_id,
        days.as_of as day,
        coalesce(today_sums.value, 0) as value,
        coalesce(today_sums.known, 0) as known
    from days
    inner join members on members.first_day <= days.as_of
    inner join measures on members.programme = measures.programme
    -- one or none: summed by the same key
    left join today_sums
        on
            days.as_of = today_sums.as_of
            and members.programme = today_sums.programme
            and measures.measure = today_sums.measure
            and members.person_id = today_sums.person_id

),

---------- numbers, then shares of them

plain as (

    select
        looks.look,
        looks.programme,
        looks.measure,
        looks.person_id,
        looks.day,
        case
            when looks.origin = 'since'
                then cast({{ days_between('members.created_day', 'looks.day') }} as decimal(28, 9))
            when looks.known > 0 then cast(looks.value as decimal(28, 9))
        end as value
    from (
        select * from at_reviews
        union all
        select * from today
    ) as looks
    inner join members
        on looks.programme = members.programme and looks.person_id = members.person_id

),

divided as (

    select
        parts.look,
        parts.programme,
        shares.measure,
        parts.person_id,
        parts.day,
        shares.prior_n,
        shares.prior_share,
        case
            when short_wholes.value >= shares.short_at_least then short_parts.value
            else parts.value
        end as part,
        case
            when short_wholes.value >= shares.short_at_least then short_wholes.value
            else wholes.value
        end as whole
    from shares
    inner join plain as parts on shares.programme = parts.programme and shares.part = parts.measure
    {%- for name, measure in [
        ('wholes', 'whole'), ('short_parts', 'short_part'), ('short_wholes', 'short_whole')
    ] %}
    left join plain as {{ name }}
        on
            shares.programme = {{ name }}.programme
            and shares.{{ measure }} = {{ name }}.measure
            and parts.person_id = {{ name }}.person_id
            and parts.look = {{ name }}.look
            and parts.day = {{ name }}.day
    {%- endfor %}

),

numbers as (

    select
        look,
        programme,
        measure,
        person_id,
        day,
        value,
        cast(null as decimal(28, 9)) as part
    from plain

    union all

    select
        look,
        programme,
        measure,
        person_id,
        day,
        case
            when whole + prior_n > 0
                then cast(
                    round(
                        (cast(part as double) + cast(prior_n as double) * cast(prior_share as double))
                        / cast(whole + prior_n as double),
                        9
                    ) as decimal(28, 9)
                )
        end as value,
        part
    from divided

),

final as (

    select
        numbers.look,
        numbers.programme,
        numbers.person_id,
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
