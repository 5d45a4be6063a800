{{ config(**snapshot_table()) }}

{%- set parts = ['reach', 'attention', 'bridge', 'engagement'] %}

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

    {{ silos_seen(['orders']) }}

),

people as (

    select * from {{ ref('dim_person') }}

),

engagement as (

    select
        scores.as_of,
        scores.basis,
        scores.person_id,
        scores.percentile
    from {{ ref('rel_engagement') }} as scores
    inner join snapshots on scores.as_of = snapshots.as_of and scores.basis = snapshots.basis

),

centrality as (

    select * from {{ ref('int_people__centrality') }}

),

acts as (

    select * from {{ ref('int_acts__counted') }}
    where not is_by_bot and actor_person_id is not null

),

---------- ties, seen from each end

ends as (

    select
        as_of,
        basis,
        one_id as person_id,
        other_id as other_person_id,
        strength,
        is_direct
    from {{ ref('int_ties__faded') }}
    where strength > 0
    union all
    select
        as_of,
        basis,
        other_id as person_id,
        one_id as other_person_id,
        strength,
        is_direct
    from {{ ref('int_ties__faded') }}
    where strength > 0

),

reaches as (

    select
        as_of,
        basis,
        person_id,
        sum(strength) as reach,
        count(*) as ties,
        count(case when is_direct then 1 end) as two_way_ties
    from ends
    group by as_of, basis, person_id

),

-- Whom a person knows, and on whom of them most of it hangs.
known as (

    select
        ends.as_of,
        ends.basis,
        ends.person_id,
        ends.other_person_id,
        others.ties - 1 as ties_beyond,
        ends.is_direct and 2 * ends.strength >= own.reach as hangs_on_other,
        ends.is_direct and own.ties = 1 as has_no_other
    from ends
    inner join reaches as own
        on
            ends.as_of = own.as_of
            and ends.basis = own.basis
            and ends.person_id = own.person_id
    inner join reaches as others
        on
            ends.as_of = others.as_of
            and ends.basis = others.basis
            and ends.other_person_id = others.person_id

),

beyond as (

    select
        as_of,
        basis,
        person_id,
        cast(sum(ties_beyond) as bigint) as second_degree_ties
    from known
    group by as_of, basis, person_id

),

leaned_on as (

    select
        as_of,
        basis,
        other_person_id as person_id,
        count(case when hangs_on_other then 1 end) as people_depending,
        count(case when has_no_other then 1 end) as people_without_other
    from known
    group by as_of, basis, other_person_id

),

strands as (

    select bonds.*
    from {{ ref('rel_bond_organization') }} as bonds
    inner join snapshots
        on
            bonds.as_of = snapshots.as_of
            and bonds.basis = snapshots.basis
    where bonds.other_organization_id = 'us'

),

organizations as (

    select
        as_of,
        basis,
        person_id,
        count(distinct organization_id) as organizations_depending
    from (
        select
            as_of,
            basis,
            top_person_id as person_id,
            organization_id
        from strands
        where absence_factor = 1
        union all
        select
            as_of,
            basis,
            top_other_person_id as person_id,
            organization_id
        from strands
        where other_absence_factor = 1
    ) as carriers
    group by as_of, basis, person_id

),

---------- help in the community

answers as (

    select
        acts.thread_id,
        acts.actor_person_id as person_id,
        acts.day
    from acts
    inner join {{ ref('int_questions__answered') }} as questions
        on acts.thread_id = questions.thread_id
    where
        acts.is_community
        and acts.kind in ('answer', 'reply')
        and (
            questions.asker_person_id is null
            or questions.asker_person_id <> acts.actor_person_id
        )

),

answers_in_a_year as (

    select
        snapshots.as_of,
        snapshots.basis,
        answers.thread_id,
        answers.person_id
    from snapshots
    inner join answers
        on
            answers.day <= snapshots.as_of
            and answers.day > {{ days_after('snapshots.as_of', -364) }}

),

help as (

    select
        as_of,
        basis,
        person_id,
        count(*) as answers,
        sum(count(*)) over (partition by as_of, basis) as all_answers
    from answers_in_a_year
    group by as_of, basis, person_id

),

alone as (

    select
        as_of,
        basis,
        person_id,
        count(*) as questions_alone
    from (
        select
            as_of,
            basis,
            min(person_id) as person_id
        from answers_in_a_year
        group by as_of, basis, thread_id
        having min(person_id) = max(person_id)
    ) as threads
    group by as_of, basis, person_id

),

---------- when they were last seen, and on how many days they bought

person_days as (

    select
        actor_person_id as person_id,
        day,
        bool_or(kind = 'purchase') as bought
    from acts
    group by actor_person_id, day

),

lately as (

    select
        snapshots.as_of,
        snapshots.basis,
        person_days.person_id,
        {{ days_between('max(person_days.day)', 'max(snapshots.as_of)') }} as days_quiet,
        count(
            case
                when
                    person_days.bought
                    and person_days.day > {{ days_after('snapshots.as_of', -364) }}
                    then 1
            end
        ) as purchase_days
    from snapshots
    inner join person_days on person_days.day <= snapshots.as_of
    group by snapshots.as_of, snapshots.basis, person_days.person_id

),

---------- one row per person with a tie

joined as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        settings.has_strategy,
        reaches.person_id,
        people.organization_id,
        people.owner_person_id,
        coalesce(people.party_kind, 'unknown') as party_kind,
        coalesce(people.is_staff, false) as is_staff,
        cast(reaches.reach as decimal(18, 6)) as reach,
        reaches.ties,
        reaches.two_way_ties,
        beyond.second_degree_ties,
        centrality.pagerank,
        centrality.betweenness,
        centrality.pivots,
        coalesce(leaned_on.people_depending, 0) as people_depending,
        coalesce(leaned_on.people_without_other, 0) as people_without_other,
        coalesce(organizations.organizations_depending, 0) as organizations_depending,
        case when seen.sees_forum then coalesce(help.answers, 0) end as answers,
        case when seen.sees_forum then coalesce(alone.questions_alone, 0) end as questions_alone,
        {{ share('help.answers', 'help.all_answers') }} as answers_share,
        lately.days_quiet,
        coalesce(lately.purchase_days, 0) as purchase_days,
        coalesce(silos.sees_orders, false) as sees_orders,
        coalesce(seen.coverage, 0) as coverage,
        engagement.percentile as engagement_percentile
    from reaches
    inner join snapshots
        on reaches.as_of = snapshots.as_of and reaches.basis = snapshots.basis
    cross join settings
    {%- for table in ['beyond', 'centrality', 'leaned_on', 'organizations', 'help', 'alone', 'lately', 'engagement'] %}
    left join {{ table }}
        on
            reaches.as_of = {{ table }}.as_of
            and reaches.basis = {{ table }}.basis
            and reaches.person_id = {{ table }}.person_id
    {%- endfor %}
    left join people on reaches.person_id = people.person_id
    left join seen on reaches.as_of = seen.as_of and reaches.basis = seen.basis
    left join silos on reaches.as_of = silos.as_of and reaches.basis = silos.basis

),

-- Ours are compared with ours, everybody else with everybody else.
placed as (

    select
        *,
        {%- for part, column in [
            ('reach', 'reach'), ('attention', 'pagerank'), ('bridge', 'betweenness'),
        ] %}
        100 * percent_rank() over (
            partition by as_of, basis, is_staff order by {{ column }} nulls first
        ) as {{ part }}_percentile,
        {%- endfor %}
        case
            when sees_orders and not is_staff
                then cast(
                    100 * percent_rank() over (
                        partition by as_of, basis, is_staff order by purchase_days
                    ) as decimal(5, 2)
                )
        end as buying_percentile
    from joined

),

weighed as (

    select
        *,
        {%- for part in parts %}
        -- cut, not rounded: the parts sum to 100 and never above
        cast(
            floor(
                100 * {{ part }}_percentile
                / (case when engagement_percentile is not null then 4 else 3 end)
            ) / 100 as decimal(5, 2)
        ) as {{ part }}_part{{ ',' if not loop.last }}
        {%- endfor %}
    from placed

),

scored as (

    select
        *,
        cast(
            reach_part + attention_part + bridge_part + coalesce(engagement_part, 0)
            as decimal(6, 2)
        ) as importance
    from weighed

),

ranked as (

    select
        *,
        rank() over (partition by as_of, basis, is_staff order by importance desc) as rank,
        count(*) over (partition by as_of, basis, is_staff) as ranked_people
    from scored

),

worded as (

    select
        *,
        case
            when questions_alone > 0
                then 'the only one to answer ' || {{ counted('questions_alone', 'question') }}
                    || ' in a year'
                    || case
                        when answers_share >= 0.05
                            then ', with '
                                || cast(cast(round(100 * answers_share) as bigint) as string)
                                || ' % of all answers'
                        else ''
                    end
        end as help_reason,
        case
            when people_depending > 0
                then 'half or more of the ties of '
                    || case
                        when people_depending = 1 then '1 person'
                        else cast(people_depending as string) || ' people'
                    end
                    || ' lead here'
        end as people_reason,
        case
            when organizations_depending > 0
                then 'carries half or more of what we have with '
                    || {{ counted('organizations_depending', 'organization') }}
        end as organizations_reason,
        case
            when bridge_percentile >= 90 and betweenness > 0
                then 'joins people who have no shorter way to each other'
        end as bridge_reason,
        case
            when days_quiet > 28 then 'silent for ' || {{ counted('days_quiet', 'day') }}
        end as quiet_reason
    from ranked

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

        ---------- where they stand
        reach,
        ties,
        two_way_ties,
        second_degree_ties,
        pagerank,
        betweenness,
        pivots as betweenness_pivots,

        ---------- importance
        importance,
        {%- for part in parts %}
        {{ part }}_part,
        {%- endfor %}
        rank,
        ranked_people,
        buying_percentile,

        ---------- who would miss them
        people_depending,
        people_without_other,
        organizations_depending,
        answers,
        answers_share,
        questions_alone,
        days_quiet,

        ---------- judgment
        case
            when not has_strategy or buying_percentile is null then cast(null as string)
            when rank <= 0.25 * ranked_people and buying_percentile >= 75
                then 'important and buying'
            when rank <= 0.25 * ranked_people then 'important beyond buying'
            when buying_percentile >= 75 then 'buying'
            else 'neither'
        end as quadrant,
        {%- for n in [1, 2, 3] %}
        {{ nth_reason(
            [
                'help_reason', 'organizations_reason', 'people_reason', 'bridge_reason',
                'quiet_reason',
            ],
            n,
        ) }} as reason_{{ n }},
        {%- endfor %}

        ---------- provenance
        ties as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from worded

)

select * from final
