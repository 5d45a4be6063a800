{{ config(**snapshot_table()) }}

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

people as (

    select * from {{ ref('int_people__numbered') }}
    where not coalesce(is_staff, false) and not coalesce(is_bot, false)

),

organizations as (

    select * from {{ ref('dim_organization') }}

),

person_days as (

    select
        person_number,
        day,
        gap
    from {{ ref('int_people__days') }}
    where is_first_of_day

),

importance as (

    select
        ranked.as_of,
        ranked.basis,
        ranked.person_id,
        ranked.importance
    from {{ ref('rel_importance') }} as ranked
    inner join snapshots on ranked.as_of = snapshots.as_of and ranked.basis = snapshots.basis

),

---------- everybody's state on each snapshot's day and 28 days before it

scored_days as (

    select as_of as scored_on
    from snapshots
    union
    select {{ days_after('as_of', -28) }} as scored_on
    from snapshots

),

states as (

    {{ silence_states('person_days', 'person_number', 'scored_days') }}

),

scored as (

    {{ silence_scores('states') }}

),

scores as (

    select
        *,
        cast(
            100 * percent_rank() over (partition by scored_on order by score desc) as decimal(5, 2)
        ) as risk,
        count(*) over (partition by scored_on) as people
    from scored

),

---------- chance of coming back: what became of equal scores 28 days ago, made monotone

outcomes as (

    {{ return_outcomes('scored', 'person_number') }}

),

chances as (

    {{ return_chances('outcomes') }}

),

calibrated_on as (

    select
        as_of,
        basis,
        max(people_in_all) as people
    from outcomes
    group by as_of, basis

),

---------- which silo a person left first

silo_states as (

    select
        snapshots.as_of,
        snapshots.basis,
        silo_days.person_number,
        silo_days.silo,
        max(silo_days.day) as last_day,
        {{ days_between('max(silo_days.day)', 'snapshots.as_of') }} as days_quiet,
        max(silo_days.last_act_at) as last_act_at,
        count(silo_days.silo_gap) as gaps,
        {{ whole_median('silo_days.silo_gap') }} as usual_gap
    from snapshots
    inner join {{ ref('int_people__days') }} as silo_days on silo_days.day <= snapshots.as_of
    group by snapshots.as_of, snapshots.basis, silo_days.person_number, silo_days.silo

),

-- A silo is quiet when the person has been away for more than twice their usual gap there.
quiet_silos as (

    select
        *,
        row_number() over (
            partition by as_of, basis, person_number
            order by
                case when gaps >= 2 and days_quiet > 2 * usual_gap then 0 else 1 end,
                last_day,
                silo
        ) as quiet_rank,
        count(*) over (partition by as_of, basis, person_number) as silos,
        max(last_act_at) over (partition by as_of, basis, person_number) as last_act_anywhere_at,
        gaps >= 2 and days_quiet > 2 * usual_gap as is_quiet
    from silo_states

),

first_quiet as (

    select
        as_of,
        basis,
        person_number,
        silos,
        last_act_anywhere_at as last_act_at,
        case when is_quiet then silo end as first_quiet_silo,
        case when is_quiet then days_quiet end as first_quiet_days
    from quiet_silos
    where quiet_rank = 1

),

---------- which channels they take, in the last 56 days and in the 364 before

channel_days as (

    select
        actor_number as person_number,
        channel,
        day
    from {{ ref('int_acts__counted') }}
    where
        actor_number is not null
        and channel is not null
        and not is_by_staff
        and not is_by_bot
    group by actor_number, channel, day

),

channel_counts as (

    select
        snapshots.as_of,
        snapshots.basis,
        channel_days.person_number,
        channel_days.channel,
        count(case when channel_days.day > {{ days_after('snapshots.as_of', -56) }} then 1 end)
            as recent_days,
        count(case when channel_days.day <= {{ days_after('snapshots.as_of', -56) }} then 1 end)
            as usual_days
    from snapshots
    inner join channel_days
        on
            channel_days.day <= snapshots.as_of
            and channel_days.day > {{ days_after('snapshots.as_of', -420) }}
    group by snapshots.as_of, snapshots.basis, channel_days.person_number, channel_days.channel

),

-- Only of who was seen often enough, then and now, can it be said.
channel_sums as (

    select
        as_of,
        basis,
        person_number,
        sum(recent_days) as all_recent_days,
        sum(usual_days) as all_usual_days
    from channel_counts
    group by as_of, basis, person_number
    having sum(recent_days) >= 3 and sum(usual_days) >= 3

),

channel_ranks as (

    select
        channel_counts.*,
        channel_sums.all_recent_days,
        channel_sums.all_usual_days,
        {%- for name in ['recent', 'usual'] %}
        row_number() over (
            partition by
                channel_counts.as_of, channel_counts.basis, channel_counts.person_number
            order by channel_counts.{{ name }}_days desc, channel_counts.channel
        ) as {{ name }}_rank{{ ',' if not loop.last }}
        {%- endfor %}
    from channel_counts
    inner join channel_sums
        on
            channel_counts.as_of = channel_sums.as_of
            and channel_counts.basis = channel_sums.basis
            and channel_counts.person_number = channel_sums.person_number

),

-- Half of what the shares differ: 0 the same mix, 1 no channel in common.
channels as (

    select
        as_of,
        basis,
        person_number,
        max(case when recent_rank = 1 then channel end) as recent_channel,
        max(case when usual_rank = 1 then channel end) as usual_channel,
        cast(
            sum(
                cast(
                    abs(
                        cast(recent_days as double) / cast(all_recent_days as double)
                        - cast(usual_days as double) / cast(all_usual_days as double)
                    ) as decimal(18, 9)
                )
            ) / 2 as decimal(5, 4)
        ) as channel_shift
    from channel_ranks
    group by as_of, basis, person_number

),

joined as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        people.person_id,
        people.organization_id,
        coalesce(people.owner_person_id, organizations.owner_person_id) as owner_person_id,
        people.party_kind,
        coalesce(people.silos = 'social', false) as is_nameless,
        settings.has_strategy,
        settings.owner_of_relationships,
        settings.save_list,
        settings.quiet_days,
        settings.slowing_gap_ratio,
        settings.quiet_gap_ratio,
        scores.active_days,
        scores.active_days_28d,
        scores.days_quiet,
        scores.gaps,
        scores.usual_gap,
        scores.frequency_part,
        scores.recency_part,
        scores.score,
        case when scores.people > 1 then scores.risk end as risk,
        scores.bin,
        first_quiet.last_act_at,
        -- who has no tie to anybody is important to nobody
        coalesce(importance.importance, 0) as importance,
        first_quiet.silos,
        first_quiet.first_quiet_silo,
        first_quiet.first_quiet_days,
        channels.usual_channel,
        channels.recent_channel,
        channels.channel_shift,
        previous.risk as previous_risk,
        previous.days_quiet as previous_days_quiet,
        previous.usual_gap as previous_usual_gap,
        previous.gaps as previous_gaps,
        coalesce(seen.coverage, 0) as coverage
    from snapshots
    cross join settings
    inner join scores on snapshots.as_of = scores.scored_on
    inner join people on scores.person_number = people.person_number
    left join organizations on people.organization_id = organizations.organization_id
    inner join first_quiet
        on
            snapshots.as_of = first_quiet.as_of
            and snapshots.basis = first_quiet.basis
            and scores.person_number = first_quiet.person_number
    left join channels
        on
            snapshots.as_of = channels.as_of
            and snapshots.basis = channels.basis
            and scores.person_number = channels.person_number
    left join importance
        on
            snapshots.as_of = importance.as_of
            and snapshots.basis = importance.basis
            and people.person_id = importance.person_id
    left join scores as previous
        on
            scores.person_number = previous.person_number
            and previous.scored_on = {{ days_after('snapshots.as_of', -28) }}
    left join seen on snapshots.as_of = seen.as_of and snapshots.basis = seen.basis

),

judged as (

    select
        *,
        cast(cast(days_quiet as double) / cast(usual_gap as double) as decimal(10, 2))
            as gap_ratio,
        case
            when has_strategy
                then {{ quiet_level('days_quiet', 'usual_gap', 'gaps') }}
        end as level,
        case
            when has_strategy and previous_days_quiet is not null
                then {{ quiet_level(
                    'previous_days_quiet', 'previous_usual_gap', 'previous_gaps'
                ) }}
        end as previous_level
    from joined

),

told_apart as (

    select
        *,
        cast(risk * importance / 100 as decimal(5, 2)) as priority,
        coalesce(level in ('slowing', 'quiet') and gaps >= 2 and not is_nameless, false)
            as can_be_saved
    from judged

),

-- Regulars who can still be saved, in the order that `rel_disengagement_check` holds to account.
places as (

    select
        as_of,
        basis,
        person_id,
        row_number() over (
            partition by as_of, basis, owner_person_id order by score, person_id
        ) as place,
        row_number() over (
            partition by as_of, basis, owner_person_id
            order by priority desc nulls last, score, person_id
        ) as priority_place
    from told_apart
    where can_be_saved

),

queued as (

    select
        told_apart.*,
        case
            when told_apart.has_strategy and told_apart.owner_person_id is null
                then told_apart.owner_of_relationships
        end as owner,
        places.place,
        places.priority_place
    from told_apart
    left join places
        on
            told_apart.as_of = places.as_of
            and told_apart.basis = places.basis
            and told_apart.person_id = places.person_id

),

-- What is said of them comes last: texts are not carried through the orders above.
worded as (

    select
        queued.*,
        chances.p_return,
        calibrated_on.people as calibrated_people,
        case
            when gaps >= 2 and days_quiet > usual_gap
                then 'usually ' || {{ every_days('usual_gap') }} || ', now '
                    || {{ counted('days_quiet', 'day') }} || ' quiet'
            when gaps >= 2
                then 'usually ' || {{ every_days('usual_gap') }} || ', last seen '
                    || {{ counted('days_quiet', 'day') }} || ' ago'
            else 'too few visits to know a rhythm, last seen '
                || {{ counted('days_quiet', 'day') }} || ' ago'
        end as rhythm_reason,
        case
            when first_quiet_silo is not null and silos > 1
                then first_quiet_silo || ' went quiet first, '
                    || {{ counted('first_quiet_days', 'day') }} || ' ago'
        end as silo_reason,
        'active on ' || {{ counted('active_days', 'day') }} || ' of the last 365' as days_reason
    from queued
    left join calibrated_on
        on queued.as_of = calibrated_on.as_of and queued.basis = calibrated_on.basis
    -- at most one row: the ranges of bins do not overlap
    left join chances
        on
            queued.as_of = chances.as_of
            and queued.basis = chances.basis
            and (chances.from_bin is null or chances.from_bin <= queued.bin)
            and (chances.until_bin is null or chances.until_bin > queued.bin)

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
        first_quiet_silo,

        ---------- score
        score,
        frequency_part,
        recency_part,
        risk,
        previous_risk,
        p_return,
        28 as p_return_days,

        ---------- rhythm
        cast(active_days as bigint) as active_days,
        cast(active_days_28d as bigint) as active_days_28d,
        cast(silos as bigint) as silos,
        cast(gaps as bigint) as gaps,
        usual_gap as usual_gap_days,
        cast(days_quiet as bigint) as current_gap_days,
        gap_ratio,
        last_act_at,
        usual_channel,
        recent_channel,
        channel_shift,

        ---------- judgment
        level,
        previous_level,
        cast(case when place <= save_list then place end as bigint) as save_rank,
        priority,
        cast(case when priority_place <= save_list then priority_place end as bigint)
            as priority_rank,
        owner,
        case level
            when 'slowing' then 'look in'
            when 'quiet' then 'get in touch personally'
            when 'gone' then 'decide: win back or let go'
            else cast(null as string)
        end as action,
        {%- for n in [1, 2, 3] %}
        {{ nth_reason(['rhythm_reason', 'silo_reason', 'days_reason'], n) }} as reason_{{ n }},
        {%- endfor %}

        ---------- provenance
        cast(coalesce(calibrated_people, 0) as bigint) as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from worded

)

select * from final
