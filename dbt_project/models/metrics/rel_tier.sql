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

    select * from {{ source('control', 'tiers') }}

),

members as (

    select * from {{ ref('int_tiers__members') }}

),

people as (

    select * from {{ ref('dim_person') }}

),

today as (

    select * from {{ ref('int_tiers__rules') }}
    where look = 'today'

),

told as (

    {{ counted_rules() }}

),

---------- from review to review: a look stands until the one before which something changed

-- Most people never meet what any tier asks for, and so never had one.
candidates as (

    select
        member,
        max(met_rank) as best_rank
    from {{ ref('int_tiers__reviews') }}
    group by member
    having max(met_rank) > 0

),

standing as (

    select
        looks.member,
        looks.programme,
        looks.day,
        looks.met_rank,
        looks.lost_rank,
        looks.best_rank,
        {{ review_before('looks.next_day', 'programmes') }} as until_day
    from (
        select
            reviews.*,
            members.programme,
            candidates.best_rank,
            lead(reviews.day) over (partition by reviews.member order by reviews.day) as next_day
        from {{ ref('int_tiers__reviews') }} as reviews
        inner join candidates on reviews.member = candidates.member
        inner join members on candidates.member = members.member
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
            standing.*,
            tiers.tier_rank,
            max(case when standing.met_rank >= tiers.tier_rank then standing.until_day end) over (
                partition by standing.member, tiers.tier_rank order by standing.day
                rows between unbounded preceding and 1 preceding
            ) as met_until
        from standing
        inner join tiers
            on standing.programme = tiers.programme and standing.best_rank >= tiers.tier_rank
    ) as met
    inner join programmes on met.programme = programmes.programme

),

turns as (

    select
        member,
        programme,
        tier_rank,
        day,
        met_rank >= tier_rank as meets,
        case
            when lost_rank <= tier_rank and met_until is not null
                and (until_day is null or lost_on <= until_day)
                then lost_on
        end as lost_on
    from losses

),

-- From the first review at which a tier was met to the next loss.
spells as (

    select
        member,
        programme,
        tier_rank,
        min(case when meets then day end) as since,
        max(lost_on) as lost_on
    from (
        select
            *,
            max(lost_on) over (
                partition by member, tier_rank order by day
                rows between unbounded preceding and 1 preceding
            ) as lost_before
        from turns
        where meets or lost_on is not null
    ) as turned
    group by member, programme, tier_rank, lost_before
    having min(case when meets then day end) is not null

),

---------- who has which tier, on the day of the snapshot and 28 days before

days as (

    select as_of
    from snapshots
    group by as_of

),

asked_days as (

    select as_of as asked_on
    from days
    union
    select {{ days_after('as_of', -28) }} as asked_on
    from days

),

highest as (

    select
        asked_days.asked_on,
        spells.member,
        spells.programme,
        max(spells.tier_rank) as tier_rank,
        max_by(spells.since, spells.tier_rank) as since
    from asked_days
    inner join spells
        on
            asked_days.asked_on >= spells.since
            and (spells.lost_on is null or asked_days.asked_on < spells.lost_on)
    group by asked_days.asked_on, spells.member, spells.programme

),

---------- what is missing for the next tier

asked as (

    select
        ranked.*,
        -- of several clauses about one measure the one that asks for most
        row_number() over (
            partition by member, day, meets is null, measure
            order by margin nulls last, tier_rank desc, clause
        ) as place
    from (
        select
            today.*,
            -- of the rules of a clause the one nearest to holding
            row_number() over (
                partition by today.member, today.day, today.tier_rank, today.clause
                order by today.meets desc nulls last, today.margin desc nulls last, today.rule
            ) as nearest
        from today
        left join highest on today.day = highest.asked_on and today.member = highest.member
        where today.tier_rank <= coalesce(highest.tier_rank, 0) + 1
    ) as ranked
    where nearest = 1 and (meets is null or not meets)

),

missing as (

    select
        member,
        day,
        count(case when not meets then 1 end) as rules_missing,
        count(case when meets is null then 1 end) as rules_unknown,
        max(case when not meets then -margin end) as next_gap,
        {%- for n in [1, 2, 3] %}
        max(case when nth = {{ n }} then words end) as missing_{{ n }},
        {%- endfor %}
        min(case when meets is null then measure end) as unknown_measure
    from (
        select
            rules.*,
            {{ rule_words() }} as words
        from (
            select
                *,
                row_number() over (
                    partition by member, day order by meets is null, margin nulls last, measure
                ) as nth
            from asked
            where place = 1
        ) as rules
        inner join told
            on
                rules.programme = told.programme
                and rules.tier_rank = told.tier_rank
                and rules.clause = told.clause
                and rules.rule = told.rule
    ) as worded
    group by member, day

),

unknown as (

    select
        member,
        day,
        count(*) as n_unknown
    from today
    where meets is null
    group by member, day

),

---------- what could take the tier they have

keeping as (

    select
        *,
        row_number() over (
            partition by member, day, safest, keeps is null
            order by keep_margin nulls last, tier_rank desc, clause
        ) as nth
    from (
        select
            today.*,
            highest.tier_rank as held_rank,
            -- of the rules of a clause the one that holds most; it is lost where none does
            row_number() over (
                partition by today.member, today.day, today.tier_rank, today.clause
                order by today.keeps desc nulls last, today.keep_margin desc nulls last, today.rule
            ) as safest,
            bool_and(coalesce(not today.keeps, false)) over (
                partition by today.member, today.day, today.tier_rank, today.clause
            ) as loses
        from today
        inner join highest on today.day = highest.asked_on and today.member = highest.member
        where today.tier_rank <= highest.tier_rank
    ) as ranked

),

kept as (

    select
        rules.member,
        rules.day,
        rules.held_rank,
        bool_or(rules.loses) as loses,
        max(case when rules.is_closest then rules.keep_margin end) as keep_margin,
        max(case when rules.is_closest then {{ keep_words() }} end) as words
    from (
        select
            *,
            safest = 1 and nth = 1 and keeps is not null as is_closest
        from keeping
    ) as rules
    inner join told
        on
            rules.programme = told.programme
            and rules.tier_rank = told.tier_rank
            and rules.clause = told.clause
            and rules.rule = told.rule
    group by rules.member, rules.day, rules.held_rank

),

losing as (

    select
        met.member,
        met.day,
        {{ next_review(
            'greatest(' ~ days_after('met.day', 1) ~ ', '
            ~ days_after('met.met_until', 'programmes.grace_days + 1') ~ ')',
            'programmes'
        ) }} as losing_on
    from (
        select
            kept.member,
            kept.day,
            standing.programme,
            -- the last review by then at which it was met
            max(
                least(
                    coalesce(
                        standing.until_day,
                        {{ review_before(days_after('kept.day', 1), 'programmes') }}
                    ),
                    {{ review_before(days_after('kept.day', 1), 'programmes') }}
                )
            ) as met_until
        from kept
        inner join standing
            on
                kept.member = standing.member
                and kept.day >= standing.day
                and kept.held_rank <= standing.met_rank
        inner join programmes on standing.programme = programmes.programme
        where kept.loses
        group by kept.member, kept.day, standing.programme
    ) as met
    inner join programmes on met.programme = programmes.programme

),

---------- how fast those who have a tier answer others

holders as (

    select
        days.as_of,
        members.person_id
    from days
    inner join highest on days.as_of = highest.asked_on
    inner join members on highest.member = members.member
    group by days.as_of, members.person_id

),

-- The first answer of each to each question of somebody else.
answers as (

    select
        acts.actor_person_id as person_id,
        questions.question_id,
        min(acts.day) as day,
        min({{ seconds_between('questions.asked_at', 'acts.occurred_at') }}) as seconds
    from (
        select person_id
        from holders
        group by person_id
    ) as answerers
    inner join {{ ref('int_acts__counted') }} as acts
        on answerers.person_id = acts.actor_person_id
    inner join {{ ref('int_questions__answered') }} as questions
        on acts.thread_id = questions.thread_id and acts.occurred_at >= questions.asked_at
    where
        acts.is_community
        and acts.kind in ('answer', 'reply')
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
    from holders
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

),

thanked as (

    select
        holders.as_of,
        holders.person_id,
        max(thanks.day) as last_day
    from holders
    inner join thanks
        on holders.person_id = thanks.person_id and thanks.day <= holders.as_of
    group by holders.as_of, holders.person_id

),

-- Where nobody tells of thanks, nobody knows who got none.
thanks_told as (

    select min(day) as since
    from thanks

),

-- In every programme that they are in, also in those of which they have no tier.
served as (

    select
        holders.as_of,
        members.member,
        thanked.last_day,
        answering.median_hours,
        case
            when answering.median_hours is not null
                then row_number() over (
                    partition by
                        holders.as_of,
                        members.programme,
                        highest.tier_rank,
                        answering.median_hours is null
                    order by
                        answering.median_hours,
                        answering.questions_answered desc,
                        members.person_id
                )
        end as directory_rank
    from holders
    inner join members
        on holders.person_id = members.person_id and members.first_day <= holders.as_of
    left join highest
        on holders.as_of = highest.asked_on and members.member = highest.member
    left join answering
        on holders.as_of = answering.as_of and holders.person_id = answering.person_id
    left join thanked
        on holders.as_of = thanked.as_of and holders.person_id = thanked.person_id

),

-- Of most members nothing of this is known: they are joined once.
distinguished as (

    select
        rows_of.as_of,
        rows_of.member,
        coalesce(highest.tier_rank, 0) as tier_rank,
        coalesce(earlier.tier_rank, 0) as previous_rank,
        highest.since,
        kept.keep_margin,
        kept.words as kept_words,
        losing.losing_on,
        {{ days_between('served.last_day', 'rows_of.as_of') }} as days_since_thanked,
        served.median_hours,
        served.directory_rank
    from (
        select
            asked_on as as_of,
            member
        from highest
        union
        select
            {{ days_after('asked_on', 28) }} as as_of,
            member
        from highest
        union
        select
            as_of,
            member
        from served
    ) as rows_of
    left join highest on rows_of.as_of = highest.asked_on and rows_of.member = highest.member
    left join highest as earlier
        on
            earlier.asked_on = {{ days_after('rows_of.as_of', -28) }}
            and rows_of.member = earlier.member
    left join kept on rows_of.as_of = kept.day and rows_of.member = kept.member
    left join losing on rows_of.as_of = losing.day and rows_of.member = losing.member
    left join served on rows_of.as_of = served.as_of and rows_of.member = served.member

),

---------- every member of each snapshot

days_of_programmes as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        programmes.programme,
        programmes.owner,
        {{ next_review(days_after('snapshots.as_of', 1), 'programmes') }} as next_review_on,
        asked.n_rules
    from snapshots
    cross join programmes
    inner join (
        select
            programme,
            count(*) as n_rules
        from told
        group by programme
    ) as asked
        on programmes.programme = asked.programme

),

members_told as (

    select
        members.member,
        members.programme,
        members.person_id,
        members.first_day,
        people.organization_id,
        people.owner_person_id,
        people.party_kind
    from members
    inner join people on members.person_id = people.person_id

),

placed as (

    select
        days.as_of,
        days.basis,
        days.known_at,
        days.programme,
        days.owner,
        days.next_review_on,
        days.n_rules,
        members.person_id,
        members.organization_id,
        members.owner_person_id,
        members.party_kind,
        coalesce(distinguished.tier_rank, 0) as tier_rank,
        coalesce(distinguished.previous_rank, 0) as previous_rank,
        distinguished.since,
        distinguished.losing_on,
        missing.rules_missing,
        missing.rules_unknown,
        missing.next_gap,
        missing.missing_1,
        missing.missing_2,
        missing.missing_3,
        missing.unknown_measure,
        distinguished.keep_margin,
        distinguished.kept_words,
        days.n_rules - coalesce(unknown.n_unknown, 0) as n_known,
        distinguished.days_since_thanked,
        distinguished.median_hours,
        distinguished.directory_rank
    from days_of_programmes as days
    inner join members_told as members
        on days.programme = members.programme and days.as_of >= members.first_day
    {%- for table in ['missing', 'unknown'] %}
    left join {{ table }}
        on days.as_of = {{ table }}.day and members.member = {{ table }}.member
    {%- endfor %}
    left join distinguished
        on days.as_of = distinguished.as_of and members.member = distinguished.member

),

judged as (

    select
        placed.*,
        case
            when losing_on is not null then 'at risk'
            when tier_rank < previous_rank then 'moved down'
            when tier_rank > previous_rank then 'moved up'
            when tier_rank > 0 then 'held'
            when rules_missing = 0 and rules_unknown > 0 then 'cannot tell'
            else 'none'
        end as status,
        tier_rank > 0
        and coalesce(thanks_told.since <= as_of, false)
        and coalesce(days_since_thanked > 90, true) as awaits_thanks
    from placed
    cross join thanks_told

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
        worded.organization_id,
        worded.owner_person_id,

        ---------- text
        worded.party_kind,

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

)

select * from final
