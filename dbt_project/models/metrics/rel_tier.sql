{{ config(**snapshot_table()) }}

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

tiers as (

    select
        *,
        max(tier_rank) over (partition by programme) as top_rank
    from {{ source('control', 'tiers') }}

),

members as (

    select * from {{ ref('int_tiers__members') }}

),

people as (

    select * from {{ ref('dim_person') }}

),

rules as (

    select * from {{ ref('int_tiers__rules') }}

),

today as (

    select
        ranked.*,
        told.words,
        told.comparison,
        told.threshold,
        told.or_count,
        told.keep_threshold,
        told.keep_count
    from (
        select
            *,
            -- of the rules of a clause the one nearest to holding, and the one that holds most
            row_number() over (
                partition by programme, person_id, day, tier_rank, clause
                order by meets desc nulls last, margin desc nulls last, rule
            ) as nearest,
            row_number() over (
                partition by programme, person_id, day, tier_rank, clause
                order by keeps desc nulls last, keep_margin desc nulls last, rule
            ) as safest,
            count(*) over (partition by programme, person_id, day, tier_rank, clause) as n_rules
        -- from the table, for two readers all looks would be kept in memory
        from {{ ref('int_tiers__rules') }}
        where look = 'today'
    ) as ranked
    inner join {{ source('control', 'tier_rules') }} as told
        on
            ranked.programme = told.programme
            and ranked.tier_rank = told.tier_rank
            and ranked.clause = told.clause
            and ranked.rule = told.rule

),

---------- does a look meet a tier, and would it keep it? Null where what is unknown decides

clauses as (

    select
        look,
        programme,
        person_id,
        day,
        tier_rank,
        clause,
        {%- for verdict in ['meets', 'keeps'] %}
        case
            when bool_or({{ verdict }}) then true
            when count({{ verdict }}) = count(*) then false
        end as {{ verdict }}{{ ',' if not loop.last }}
        {%- endfor %}
    from rules
    group by look, programme, person_id, day, tier_rank, clause

),

counted as (

    select
        look,
        programme,
        person_id,
        day,
        tier_rank,
        count(*) as asks,
        {%- for verdict in ['meets', 'keeps'] %}
        count(case when {{ verdict }} then 1 end) as holds_{{ verdict }},
        count(case when not {{ verdict }} then 1 end) as fails_{{ verdict }}{{ ',' if not loop.last }}
        {%- endfor %}
    from clauses
    group by look, programme, person_id, day, tier_rank

),

-- Most people never meet what any tier asks for, and so never had one.
candidates as (

    select
        programme,
        person_id
    from counted
    where look = 'review' and asks = holds_meets
    group by programme, person_id

),

-- A tier asks for what the ones below it ask for, too.
looks as (

    select
        counted.look,
        counted.programme,
        counted.person_id,
        counted.day,
        counted.tier_rank,
        {%- for verdict in ['meets', 'keeps'] %}
        case
            when sum(counted.fails_{{ verdict }}) over ranks > 0 then false
            when sum(counted.asks) over ranks = sum(counted.holds_{{ verdict }}) over ranks
                then true
        end as {{ verdict }}{{ ',' if not loop.last }}
        {%- endfor %}
    from counted
    inner join candidates
        on counted.programme = candidates.programme and counted.person_id = candidates.person_id
    window ranks as (
        partition by counted.look, counted.programme, counted.person_id, counted.day
        order by counted.tier_rank
        rows between unbounded preceding and current row
    )

),

---------- from review to review: a look stands until the one before which something changed

standing as (

    select
        looks.*,
        {{ review_before('looks.next_day', 'programmes') }} as until_day
    from (
        select
            *,
            lead(day) over (partition by programme, person_id, tier_rank order by day) as next_day
        from looks
        where look = 'review'
    ) as looks
    inner join programmes on looks.programme = programmes.programme

),

-- Lost at the first review after the days of grace at which the rules for staying do not hold.
-- Until it is over, a look at which the tier is met is as long as the last review.
losses as (

    select
        met.*,
        {{ next_review(
            'greatest(met.day, ' ~ days_after('met.met_until', 'programmes.grace_days + 1') ~ ')',
            'programmes'
        ) }} as lost_on
    from (
        select
            *,
            max(case when meets then until_day end) over (
                partition by programme, person_id, tier_rank order by day
                rows between unbounded preceding and 1 preceding
            ) as met_until
        from standing
    ) as met
    inner join programmes on met.programme = programmes.programme

),

turns as (

    select
        programme,
        person_id,
        tier_rank,
        day,
        meets,
        until_day,
        case
            when not keeps and met_until is not null and (until_day is null or lost_on <= until_day)
                then lost_on
        end as lost_on
    from losses

),

---------- who has which tier, on the day of the snapshot and 28 days before

asked_days as (

    select as_of as asked_on
    from snapshots
    union
    select {{ days_after('as_of', -28) }} as asked_on
    from snapshots

),

lost as (

    select
        asked_days.asked_on,
        turns.programme,
        turns.person_id,
        turns.tier_rank,
        max(case when turns.lost_on <= asked_days.asked_on then turns.lost_on end) as lost_on
    from asked_days
    inner join turns on turns.day <= asked_days.asked_on
    group by asked_days.asked_on, turns.programme, turns.person_id, turns.tier_rank

),

held as (

    select
        lost.asked_on,
        turns.programme,
        turns.person_id,
        turns.tier_rank,
        min(turns.day) as since,
        -- the last review by then at which it was met
        max(
            least(
                coalesce(
                    turns.until_day,
                    {{ review_before(days_after('lost.asked_on', 1), 'programmes') }}
                ),
                {{ review_before(days_after('lost.asked_on', 1), 'programmes') }}
            )
        ) as met_until
    from lost
    inner join turns
        on
            lost.programme = turns.programme
            and lost.person_id = turns.person_id
            and lost.tier_rank = turns.tier_rank
            and turns.day <= lost.asked_on
            and turns.meets
            and (lost.lost_on is null or turns.day > lost.lost_on)
    inner join programmes on lost.programme = programmes.programme
    group by lost.asked_on, turns.programme, turns.person_id, turns.tier_rank

),

highest as (

    select
        asked_on,
        programme,
        person_id,
        max(tier_rank) as tier_rank
    from held
    group by asked_on, programme, person_id

),

---------- every member of each snapshot

placed as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        members.programme,
        members.person_id,
        programmes.owner,
        programmes.grace_days,
        coalesce(highest.tier_rank, 0) as tier_rank,
        coalesce(earlier.tier_rank, 0) as previous_rank,
        held.since,
        {{ next_review(days_after('snapshots.as_of', 1), 'programmes') }} as next_review_on,
        case
            when not keeping.keeps
                then {{ next_review(
                    'greatest(' ~ days_after('snapshots.as_of', 1) ~ ', '
                    ~ days_after('held.met_until', 'programmes.grace_days + 1') ~ ')',
                    'programmes'
                ) }}
        end as losing_on
    from snapshots
    inner join members on members.first_day <= snapshots.as_of
    inner join programmes on members.programme = programmes.programme
    left join highest
        on
            snapshots.as_of = highest.asked_on
            and members.programme = highest.programme
            and members.person_id = highest.person_id
    left join highest as earlier
        on
            earlier.asked_on = {{ days_after('snapshots.as_of', -28) }}
            and members.programme = earlier.programme
            and members.person_id = earlier.person_id
    left join held
        on
            highest.asked_on = held.asked_on
            and highest.programme = held.programme
            and highest.person_id = held.person_id
            and highest.tier_rank = held.tier_rank
    left join looks as keeping
        on
            keeping.look = 'today'
            and keeping.day = snapshots.as_of
            and keeping.programme = highest.programme
            and keeping.person_id = highest.person_id
            and keeping.tier_rank = highest.tier_rank

),

---------- what is missing for the next tier, and what could take the one they have

-- Of several clauses about one measure the one that asks for most.
asked as (

    select
        placed.as_of,
        placed.basis,
        placed.programme,
        placed.person_id,
        rules.measure,
        rules.meets,
        rules.margin,
        {{ rule_words() }} as words,
        row_number() over (
            partition by placed.as_of, placed.basis, placed.programme, placed.person_id,
                rules.meets is null, rules.measure
            order by rules.margin nulls last, rules.tier_rank desc, rules.clause
        ) as place
    from placed
    inner join today as rules
        on
            rules.nearest = 1
            and placed.as_of = rules.day
            and placed.programme = rules.programme
            and placed.person_id = rules.person_id
            and rules.tier_rank <= placed.tier_rank + 1
    where rules.meets is null or not rules.meets

),

missing as (

    select
        as_of,
        basis,
        programme,
        person_id,
        count(case when not meets then 1 end) as rules_missing,
        count(case when meets is null then 1 end) as rules_unknown,
        max(case when not meets then -margin end) as next_gap,
        {%- for n in [1, 2, 3] %}
        max(case when nth = {{ n }} then words end) as missing_{{ n }},
        {%- endfor %}
        min(case when meets is null then measure end) as unknown_measure
    from (
        select
            *,
            row_number() over (
                partition by as_of, basis, programme, person_id
                order by meets is null, margin nulls last, measure
            ) as nth
        from asked
        where place = 1
    ) as ordered
    group by as_of, basis, programme, person_id

),

kept as (

    select
        as_of,
        basis,
        programme,
        person_id,
        keep_margin,
        words
    from (
        select
            placed.as_of,
            placed.basis,
            placed.programme,
            placed.person_id,
            rules.keep_margin,
            {{ keep_words() }} as words,
            row_number() over (
                partition by placed.as_of, placed.basis, placed.programme, placed.person_id
                order by rules.keep_margin nulls last, rules.tier_rank desc, rules.clause
            ) as nth
        from placed
        inner join today as rules
            on
                rules.safest = 1
                and placed.as_of = rules.day
                and placed.programme = rules.programme
                and placed.person_id = rules.person_id
                and rules.tier_rank <= placed.tier_rank
        where rules.keeps is not null
    ) as ordered
    where nth = 1

),

---------- how fast they answer others

-- The first answer of each to each question of somebody else.
answers as (

    select
        acts.actor_person_id as person_id,
        questions.question_id,
        min(acts.day) as day,
        min({{ seconds_between('questions.asked_at', 'acts.occurred_at') }}) as seconds
    from {{ ref('int_acts__counted') }} as acts
    inner join {{ ref('int_questions__answered') }} as questions
        on acts.thread_id = questions.thread_id and acts.occurred_at >= questions.asked_at
    where
        acts.is_community
        and acts.kind in ('answer', 'reply')
        and acts.actor_person_id is not null
        and (
            questions.asker_person_id is null
            or questions.asker_person_id <> acts.actor_person_id
        )
    group by acts.actor_person_id, questions.question_id

),

answering as (

    select
        holders.as_of,
        holders.person_id,
        count(*) as questions_answered,
        cast({{ exact_median('answers.seconds') }} as double) / 3600 as median_hours
    from (
        select distinct
            as_of,
            person_id
        from placed
        where tier_rank > 0
    ) as holders
    inner join answers
        on
            holders.person_id = answers.person_id
            and answers.day <= holders.as_of
            and answers.day > {{ days_after('holders.as_of', -364) }}
    group by holders.as_of, holders.person_id

),

---------- when anybody last thanked them, by a reaction to something of theirs

thanks as (

    select
        person_id,
        day
    from (
        select
            given.target_person_id as person_id,
            {{ utc_day('coalesce(given.occurred_at, given.first_seen_at)') }} as day
        from {{ ref('fct_reaction_given') }} as given
        cross join run
        where
            given.polarity = 'positive'
            and given.first_seen_at <= run.known_at
            and coalesce(given.actor_person_id, '') <> given.target_person_id
        union all
        -- a counter that rose, seen on that day
        select
            counters.person_id,
            {{ utc_day('counters.observed_at') }} as day
        from {{ ref('fct_reaction') }} as counters
        where counters.polarity = 'positive' and counters.n_change > 0
    ) as reactions
    where person_id is not null
    group by person_id, day

),

thanked as (

    select
        holders.as_of,
        holders.person_id,
        max(thanks.day) as last_day
    from (
        select distinct
            as_of,
            person_id
        from placed
        where tier_rank > 0
    ) as holders
    inner join thanks
        on holders.person_id = thanks.person_id and thanks.day <= holders.as_of
    group by holders.as_of, holders.person_id

),

-- Where nobody tells of thanks, nobody knows who got none.
thanks_told as (

    select min(day) as since
    from thanks

),

known as (

    select
        programme,
        person_id,
        day,
        count(*) as n_rules,
        count(meets) as n_known
    from today
    group by programme, person_id, day

),

judged as (

    select
        placed.*,
        case
            when placed.losing_on is not null then 'at risk'
            when placed.tier_rank < placed.previous_rank then 'moved down'
            when placed.tier_rank > placed.previous_rank then 'moved up'
            when placed.tier_rank > 0 then 'held'
            when missing.rules_missing = 0 and missing.rules_unknown > 0 then 'cannot tell'
            else 'none'
        end as status,
        missing.rules_missing,
        missing.rules_unknown,
        missing.next_gap,
        missing.missing_1,
        missing.missing_2,
        missing.missing_3,
        missing.unknown_measure,
        kept.keep_margin,
        kept.words as kept_words,
        known.n_rules,
        known.n_known,
        {{ days_between('thanked.last_day', 'placed.as_of') }} as days_since_thanked,
        placed.tier_rank > 0
        and coalesce(thanks_told.since <= placed.as_of, false)
        and coalesce({{ days_between('thanked.last_day', 'placed.as_of') }} > 90, true)
            as awaits_thanks,
        answering.median_hours,
        case
            when answering.median_hours is not null
                then row_number() over (
                    partition by
                        placed.as_of,
                        placed.basis,
                        placed.programme,
                        placed.tier_rank,
                        answering.median_hours is null
                    order by
                        answering.median_hours,
                        answering.questions_answered desc,
                        placed.person_id
                )
        end as directory_rank
    from placed
    left join missing
        on
            placed.as_of = missing.as_of
            and placed.basis = missing.basis
            and placed.programme = missing.programme
            and placed.person_id = missing.person_id
    left join kept
        on
            placed.as_of = kept.as_of
            and placed.basis = kept.basis
            and placed.programme = kept.programme
            and placed.person_id = kept.person_id
    left join answering
        on placed.as_of = answering.as_of and placed.person_id = answering.person_id
    cross join thanks_told
    left join thanked
        on placed.as_of = thanked.as_of and placed.person_id = thanked.person_id
    left join known
        on
            placed.as_of = known.day
            and placed.programme = known.programme
            and placed.person_id = known.person_id

),

named as (

    select
        judged.*,
        tiers.tier,
        tiers.perks,
        next_tiers.tier as next_tier,
        earlier_tiers.tier as previous_tier,
        coalesce(judged.rules_missing, 0) = 0 and coalesce(judged.rules_unknown, 0) = 0
            as meets_next
    from judged
    left join tiers
        on judged.programme = tiers.programme and judged.tier_rank = tiers.tier_rank
    left join tiers as next_tiers
        on judged.programme = next_tiers.programme and judged.tier_rank + 1 = next_tiers.tier_rank
    left join tiers as earlier_tiers
        on
            judged.programme = earlier_tiers.programme
            and judged.previous_rank = earlier_tiers.tier_rank

),

worded as (

    select
        *,
        case status
            when 'at risk'
                then tier || ' is lost in ' || {{ counted(days_between('as_of', 'losing_on'), 'day') }}
                || ' if nothing changes'
            when 'moved down'
                then previous_tier || ' until less than 28 days ago, now ' || coalesce(tier, 'no tier')
            when 'moved up'
                then tier || ' for ' || {{ counted(days_between('since', 'as_of'), 'day') }}
            when 'held'
                then tier || ' for ' || {{ counted(days_between('since', 'as_of'), 'day') }}
        end as status_reason,
        case
            when next_tier is not null and meets_next
                then 'meets all that ' || next_tier || ' asks for; the review is in '
                || {{ counted(days_between('as_of', 'next_review_on'), 'day') }}
            when next_tier is not null and missing_1 is not null then 'for ' || next_tier || ': ' || missing_1
        end as next_reason
    from named

),

final as (

    select
        ---------- ids
        worded.as_of,
        worded.basis,
        worded.programme,
        worded.person_id,
        people.organization_id,
        people.owner_person_id,

        ---------- text
        people.party_kind,

        ---------- the tier
        worded.tier,
        cast(worded.tier_rank as bigint) as tier_rank,
        worded.since as tier_since,
        worded.previous_tier,
        worded.status,
        nullif(worded.perks, '') as perks,
        worded.median_hours as median_answer_hours_364d,
        cast(worded.directory_rank as bigint) as directory_rank,
        cast(worded.days_since_thanked as bigint) as days_since_thanked,

        ---------- the next one
        worded.next_tier,
        case
            when worded.next_tier is not null then cast(coalesce(worded.rules_missing, 0) as bigint)
        end as rules_missing,
        case
            when worded.next_tier is not null then cast(coalesce(worded.rules_unknown, 0) as bigint)
        end as rules_unknown,
        case when worded.next_tier is not null then worded.next_gap end as next_gap,
        {%- for n in [1, 2, 3] %}
        case when worded.next_tier is not null then worded.missing_{{ n }} end as missing_{{ n }},
        {%- endfor %}

        ---------- losing it
        worded.keep_margin,
        case when worded.losing_on is not null or worded.tier_rank > 0 then worded.kept_words end
            as closest_rule,
        cast({{ days_between('worded.as_of', 'worded.losing_on') }} as bigint) as days_to_loss,
        cast({{ days_between('worded.as_of', 'worded.next_review_on') }} as bigint) as days_to_review,

        ---------- what to do
        case worded.status
            when 'at risk' then 'tell them what is missing, while they have it'
            when 'moved down' then 'thank them for what was, and say what leads back'
            when 'moved up' then 'thank them, and give what belongs to it'
            when 'cannot tell'
                then 'find out which source would tell ' || replace(worded.unknown_measure, '_', ' ')
            when 'held'
                then case
                    when worded.awaits_thanks
                        then 'thank them: nobody has '
                        || coalesce(
                            'for ' || {{ counted('worded.days_since_thanked', 'day') }}, 'ever'
                        )
                end
        end as action,
        worded.owner,
        {%- for n in [1, 2, 3] %}
        {{ nth_reason(['worded.status_reason', 'worded.kept_reason', 'worded.next_reason'], n) }}
            as reason_{{ n }},
        {%- endfor %}

        ---------- provenance
        cast(coalesce(worded.n_known, 0) as bigint) as n,
        {{ share('coalesce(worded.n_known, 0)', 'worded.n_rules') }} as coverage,
        worded.known_at,
        {{ metric_version() }} as metric_version
    from (
        select
            *,
            case when status = 'at risk' then kept_words end as kept_reason
        from worded
    ) as worded
    inner join people on worded.person_id = people.person_id

)

select * from final
