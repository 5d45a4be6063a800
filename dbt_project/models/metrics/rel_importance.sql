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

    select * from {{ ref('int_people__numbered') }}

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

---------- ties, seen from each end: added up end by end, so that no tie is carried twice

reaches as (

    select
        as_of,
        basis,
        person_number,
        sum(reach) as reach,
        cast(sum(ties) as bigint) as ties,
        cast(sum(two_way_ties) as bigint) as two_way_ties
    from (
        {%- for end in ['one_number', 'other_number'] %}
        select
            as_of,
            basis,
            {{ end }} as person_number,
            sum(strength) as reach,
            count(*) as ties,
            count(case when is_direct then 1 end) as two_way_ties
        from {{ ref('int_ties__faded') }}
        where strength > 0
        group by as_of, basis, {{ end }}
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as ends
    group by as_of, basis, person_number

),

-- Whom a person knows, and on whom of them most of it hangs.
known as (

    select
        ties.as_of,
        ties.basis,
        ties.one_number,
        ties.other_number,
        one.ties as one_ties,
        other.ties as other_ties,
        ties.is_direct and 2 * ties.strength >= one.reach as one_hangs,
        ties.is_direct and 2 * ties.strength >= other.reach as other_hangs,
        ties.is_direct and one.ties = 1 as one_has_no_other,
        ties.is_direct and other.ties = 1 as other_has_no_other
    from {{ ref('int_ties__faded') }} as ties
    inner join reaches as one
        on ties.as_of = one.as_of and ties.basis = one.basis and ties.one_number = one.person_number
    inner join reaches as other
        on ties.as_of = other.as_of and ties.basis = other.basis and ties.other_number = other.person_number
    where ties.strength > 0

),

leaned_on as (

    select
        as_of,
        basis,
        person_number,
        cast(sum(second_degree_ties) as bigint) as second_degree_ties,
        cast(sum(people_depending) as bigint) as people_depending,
        cast(sum(people_without_other) as bigint) as people_without_other
    from (
        {%- for end, far in [('one', 'other'), ('other', 'one')] %}
        select
            as_of,
            basis,
            {{ end }}_number as person_number,
            sum({{ far }}_ties - 1) as second_degree_ties,
            count(case when {{ far }}_hangs then 1 end) as people_depending,
            count(case when {{ far }}_has_no_other then 1 end) as people_without_other
        from known
        group by as_of, basis, {{ end }}_number
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as ends
    group by as_of, basis, person_number

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
        carriers.as_of,
        carriers.basis,
        people.person_number,
        count(distinct carriers.organization_id) as organizations_depending
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
    inner join people on carriers.person_id = people.person_id
    group by carriers.as_of, carriers.basis, people.person_number

),

---------- help in the community

answers as (

    select
        acts.thread_id,
        acts.actor_number as person_number,
        acts.day
    from {{ ref('int_acts__counted') }} as acts
    inner join {{ ref('int_questions__answered') }} as questions
        on acts.thread_id = questions.thread_id
    where
        acts.is_community
        and acts.actor_number is not null
        and not acts.is_by_bot
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
        answers.person_number
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
        person_number,
        count(*) as answers,
        sum(count(*)) over (partition by as_of, basis) as all_answers
    from answers_in_a_year
    group by as_of, basis, person_number

),

alone as (

    select
        as_of,
        basis,
        person_number,
        count(*) as questions_alone
    from (
        select
            as_of,
            basis,
            min(person_number) as person_number
        from answers_in_a_year
        group by as_of, basis, thread_id
        having min(person_number) = max(person_number)
    ) as threads
    group by as_of, basis, person_number

),

---------- when they were last seen, and on how many days they bought

lately as (

    select
        snapshots.as_of,
        snapshots.basis,
        acts.actor_number as person_number,
        {{ days_between('max(acts.day)', 'max(snapshots.as_of)') }} as days_quiet
    from snapshots
    inner join {{ ref('int_acts__counted') }} as acts on acts.day <= snapshots.as_of
    where acts.actor_number is not null and not acts.is_by_bot
    group by snapshots.as_of, snapshots.basis, acts.actor_number

),

purchases as (

    select
        snapshots.as_of,
        snapshots.basis,
        purchase_days.person_number,
        count(*) as purchase_days
    from snapshots
    inner join (
        select
            actor_number as person_number,
            day
        from {{ ref('int_acts__counted') }}
        where kind = 'purchase' and actor_number is not null and not is_by_bot
        group by actor_number, day
    ) as purchase_days
        on
            purchase_days.day <= snapshots.as_of
            and purchase_days.day > {{ days_after('snapshots.as_of', -364) }}
    group by snapshots.as_of, snapshots.basis, purchase_days.person_number

),

---------- one row per person with a tie

joined as (

    select
        snapshots.as_of,
        snapshots.basis,
        snapshots.known_at,
        settings.has_strategy,
        people.person_id,
        people.organization_id,
        people.owner_person_id,
        coalesce(people.party_kind, 'unknown') as party_kind,
        coalesce(people.is_staff, false) as is_staff,
        cast(reaches.reach as decimal(18, 6)) as reach,
        reaches.ties,
        reaches.two_way_ties,
        leaned_on.second_degree_ties,
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
        coalesce(purchases.purchase_days, 0) as purchase_days,
        coalesce(silos.sees_orders, false) as sees_orders,
        coalesce(seen.coverage, 0) as coverage,
        engagement.percentile as engagement_percentile
    from reaches
    inner join snapshots
        on reaches.as_of = snapshots.as_of and reaches.basis = snapshots.basis
    cross join settings
    {%- for table in ['leaned_on', 'organizations', 'help', 'alone', 'lately', 'purchases'] %}
    left join {{ table }}
        on
            reaches.as_of = {{ table }}.as_of
            and reaches.basis = {{ table }}.basis
            and reaches.person_number = {{ table }}.person_number
    {%- endfor %}
    inner join people on reaches.person_number = people.person_number
    {%- for table in ['centrality', 'engagement'] %}
    left join {{ table }}
        on
            reaches.as_of = {{ table }}.as_of
            and reaches.basis = {{ table }}.basis
            and people.person_id = {{ table }}.person_id
    {%- endfor %}
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
        cast(
            rank() over (partition by as_of, basis, is_staff order by importance desc) as bigint
        ) as rank,
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
