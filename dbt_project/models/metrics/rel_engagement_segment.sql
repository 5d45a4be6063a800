{{ config(**snapshot_table()) }}

{%- set levels = [
    (1, 'people_leading', 10),
    (2, 'people_contributing', 7),
    (3, 'people_participating', 4),
    (4, 'people_exploring', 1),
] %}

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

    select
        engagement.*,
        engagement.current_gap_days < 364 as is_current
    from {{ ref('rel_engagement') }} as engagement
    inner join snapshots
        on engagement.as_of = snapshots.as_of and engagement.basis = snapshots.basis

),

people_by_segment as (

    {{ by_person_segment('people', 'person_id') }}

),

segmented as (

    select
        'all' as segment_type,
        'all' as segment,
        *
    from people

    union all

    select * from people_by_segment

),

counted_people as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        count(*) as people,
        count(*) filter (where is_current) as people_364d,
        count(*) filter (where active_days_90d > 0) as people_90d,
        count(*) filter (where active_days_28d > 0) as people_28d,
        cast(sum(score) as decimal(18, 6)) as score,
        {%- for name, share in [('p25', 0.25), ('median', 0.5), ('p75', 0.75)] %}
        cast(
            {{ exact_quantile('case when is_current then score end', share) }} as decimal(18, 6)
        ) as {{ name }}_score,
        {%- endfor %}
        cast(
            {{ exact_median('case when is_current then importance_in_life end') }} as decimal(9, 2)
        ) as median_importance_in_life,
        {%- for level, name, _ in levels %}
        count(*) filter (where level = {{ level }}) as {{ name }},
        {%- endfor %}
        {%- for column in ['level', 'previous_level'] %}
        cast(sum(
            case {{ column }}
                {%- for level, _, weight in levels %}
                when {{ level }} then {{ weight * weight }}
                {%- endfor %}
                else 0
            end
        ) as bigint) as {{ 'previous_' if column != 'level' }}commitment,
        {%- endfor %}
        count(*) filter (where level < previous_level) as moved_up,
        count(*) filter (where level = previous_level) as held,
        count(*) filter (where level > previous_level) as moved_down
    from segmented
    group by as_of, basis, segment_type, segment

),

---------- what they do, and what joins them

-- Where nothing was ever bought nobody tells of purchases.
bought_since as (

    select min(day) as first_day
    from {{ ref('rel_activity_daily') }}
    where behavior = 'purchase'

),

acts as (

    select
        snapshots.as_of,
        snapshots.basis,
        ledger.person_id,
        sum(ledger.events) as acts,
        sum(case when ledger.behavior = 'purchase' then 0 else ledger.events end)
            as acts_but_purchases
    from snapshots
    inner join {{ ref('rel_activity_daily') }} as ledger
        on
            ledger.day <= snapshots.as_of
            and ledger.day > {{ days_after('snapshots.as_of', -28) }}
            and ledger.role = 'actor'
            and ledger.person_id is not null
            and not ledger.is_staff
            and not ledger.is_bot
    group by snapshots.as_of, snapshots.basis, ledger.person_id

),

acts_by_segment as (

    {{ by_person_segment('acts', 'person_id') }}

),

act_counts as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        sum(acts) as acts_28d,
        sum(acts_but_purchases) as acts_but_purchases_28d
    from (
        select 'all' as segment_type, 'all' as segment, * from acts
        union all
        select * from acts_by_segment
    ) as segmented_acts
    group by as_of, basis, segment_type, segment

),

bonds as (

    select
        bonds.as_of,
        bonds.basis,
        bonds.person_id,
        bonds.other_person_id,
        bonds.mutual_interests,
        bonds.is_two_way
    from {{ ref('rel_bond') }} as bonds
    inner join snapshots
        on bonds.as_of = snapshots.as_of and bonds.basis = snapshots.basis
    where bonds.strength > 0

),

tied as (

    select person_id from bonds
    union
    select other_person_id as person_id from bonds

),

tied_by_segment as (

    {{ by_person_segment('tied', 'person_id') }}

),

-- A tie between two segments belongs to both; within one it would be counted at each end. Of
-- everybody together each is one, which nobody needs to be looked up for.
tie_counts as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        sum(times) as tied_pairs,
        -- as long as nobody told us of an interest it is not known
        sum(case when mutual_interests is not null then times else 0 end) as ties_told,
        sum(case when mutual_interests > 0 then times else 0 end) as interest_ties
    from (
        select
            bonds.*,
            'all' as segment_type,
            'all' as segment,
            1 as times
        from bonds
        union all
        {%- for column in ['person_id', 'other_person_id'] %}
        select
            bonds.*,
            ends.segment_type,
            ends.segment,
            1 as times
        from bonds
        inner join tied_by_segment as ends on bonds.{{ column }} = ends.person_id
        union all
        {%- endfor %}
        select
            bonds.*,
            ends.segment_type,
            ends.segment,
            -1 as times
        from bonds
        inner join tied_by_segment as ends on bonds.person_id = ends.person_id
        inner join tied_by_segment as others
            on
                bonds.other_person_id = others.person_id
                and ends.segment_type = others.segment_type
                and ends.segment = others.segment
    ) as counted
    group by as_of, basis, segment_type, segment

),

---------- newcomers of 63 to 90 days ago, with a tie to somebody who leads or contributes, or without

first_days as (

    select
        people.person_id,
        first_days.first_day
    from (
        select
            person_number,
            min(day) as first_day
        from {{ ref('int_people__days') }}
        group by person_number
    ) as first_days
    inner join {{ ref('int_people__numbered') }} as people
        on first_days.person_number = people.person_number

),

tied_to_leaders as (

    {%- for one, other in [('person_id', 'other_person_id'), ('other_person_id', 'person_id')] %}
    select
        bonds.as_of,
        bonds.basis,
        bonds.{{ one }} as person_id
    from bonds
    inner join people as leaders
        on
            bonds.as_of = leaders.as_of
            and bonds.basis = leaders.basis
            and bonds.{{ other }} = leaders.person_id
            and leaders.level <= 2
    where bonds.is_two_way
    {{ 'union' if not loop.last }}
    {%- endfor %}

),

newcomers as (

    select
        people.as_of,
        people.basis,
        people.person_id,
        people.level <= 3 as reaches,
        tied_to_leaders.person_id is not null as is_tied
    from people
    inner join first_days
        on
            people.person_id = first_days.person_id
            and first_days.first_day <= {{ days_after('people.as_of', -63) }}
            and first_days.first_day > {{ days_after('people.as_of', -91) }}
    left join tied_to_leaders
        on
            people.as_of = tied_to_leaders.as_of
            and people.basis = tied_to_leaders.basis
            and people.person_id = tied_to_leaders.person_id

),

newcomers_by_segment as (

    {{ by_person_segment('newcomers', 'person_id') }}

),

newcomer_counts as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        {%- for name, which in [('tied', 'is_tied'), ('untied', 'not is_tied')] %}
        count(case when {{ which }} then 1 end) as newcomers_{{ name }},
        count(case when {{ which }} and reaches then 1 end) as newcomers_{{ name }}_reaching
        {{- ',' if not loop.last }}
        {%- endfor %}
    from (
        select 'all' as segment_type, 'all' as segment, * from newcomers
        union all
        select * from newcomers_by_segment
    ) as segmented_newcomers
    group by as_of, basis, segment_type, segment

),

---------- ties that are older than a year, and whether both still turn to each other

two_way_since as (

    select
        one_number,
        other_number,
        greatest(
            min(case when is_from_one then day end), min(case when is_from_other then day end)
        ) as day
    from {{ ref('int_ties__turned') }}
    where day <= (select {{ days_after('max(as_of)', -364) }} from snapshots)
    group by one_number, other_number
    having bool_or(is_from_one) and bool_or(is_from_other)

),

older_ties as (

    select
        snapshots.as_of,
        snapshots.basis,
        one.person_id as one_id,
        other.person_id as other_id,
        bonds.person_id is not null as is_alive
    from snapshots
    inner join two_way_since
        on
            two_way_since.day <= {{ days_after('snapshots.as_of', -364) }}
            and two_way_since.day > {{ days_after('snapshots.as_of', -728) }}
    inner join {{ ref('int_people__numbered') }} as one
        on two_way_since.one_number = one.person_number
    inner join {{ ref('int_people__numbered') }} as other
        on two_way_since.other_number = other.person_number
    -- one or none: the pair in the 364 days since
    left join {{ ref('rel_bond') }} as bonds
        on
            snapshots.as_of = bonds.as_of
            and snapshots.basis = bonds.basis
            and one.person_id = bonds.person_id
            and other.person_id = bonds.other_person_id
            and bonds.is_two_way

),

older_ends as (

    select *, one_id as end_id from older_ties
    union all
    select *, other_id as end_id from older_ties

),

older_ends_by_segment as (

    {{ by_person_segment('older_ends', 'end_id') }}

),

older_tie_counts as (

    select
        as_of,
        basis,
        segment_type,
        segment,
        count(*) as older_ties,
        count(case when is_alive then 1 end) as older_ties_alive
    from (
        select distinct
            segment_type,
            segment,
            as_of,
            basis,
            one_id,
            other_id,
            is_alive
        from (
            select 'all' as segment_type, 'all' as segment, * from older_ends
            union all
            select * from older_ends_by_segment
        ) as segmented_ends
    ) as pairs
    group by as_of, basis, segment_type, segment

),

final as (

    select
        ---------- grain
        counted_people.as_of,
        counted_people.basis,
        counted_people.segment_type,
        counted_people.segment,

        ---------- people
        counted_people.people,
        counted_people.people_364d,
        counted_people.people_90d,
        counted_people.people_28d,

        ---------- how close
        counted_people.score,
        counted_people.p25_score,
        counted_people.median_score,
        counted_people.p75_score,
        counted_people.median_importance_in_life,

        ---------- judgment
        {%- for name in [
            'people_leading', 'people_contributing', 'people_participating', 'people_exploring',
            'moved_up', 'held', 'moved_down', 'commitment',
        ] %}
        case when settings.has_strategy then counted_people.{{ name }} end as {{ name }},
        {%- endfor %}
        case
            when settings.has_strategy
                then {{ share(
                    'counted_people.commitment - counted_people.previous_commitment',
                    levels | map(attribute=1) | map('replace', 'people_', 'counted_people.people_')
                        | join(' + ')
                ) }}
        end as gravity,

        {%- for name in ['tied', 'untied'] %}
        cast(
            case
                when settings.has_strategy then coalesce(newcomer_counts.newcomers_{{ name }}, 0)
            end as bigint
        ) as newcomers_{{ name }},
        case
            when settings.has_strategy
                then {{ share(
                    'newcomer_counts.newcomers_' ~ name ~ '_reaching',
                    'newcomer_counts.newcomers_' ~ name,
                ) }}
        end as newcomers_{{ name }}_reaching_share,
        {%- endfor %}

        ---------- what they do, and what joins them
        cast(coalesce(act_counts.acts_28d, 0) as bigint) as acts_28d,
        case
            when bought_since.first_day <= counted_people.as_of
                then {{ share('act_counts.acts_but_purchases_28d', 'act_counts.acts_28d') }}
        end as acts_but_purchases_share_28d,
        cast(coalesce(tie_counts.tied_pairs, 0) as bigint) as tied_pairs,
        {{ share('tie_counts.interest_ties', 'tie_counts.ties_told') }} as interest_tie_share,
        cast(coalesce(older_tie_counts.older_ties, 0) as bigint) as older_ties,
        {{ share('older_tie_counts.older_ties_alive', 'older_tie_counts.older_ties') }}
            as older_ties_alive_share,

        ---------- provenance
        counted_people.people_364d as n,
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at,
        {{ metric_version() }} as metric_version
    from counted_people
    inner join snapshots
        on counted_people.as_of = snapshots.as_of and counted_people.basis = snapshots.basis
    cross join settings
    cross join bought_since
    {%- for table in ['act_counts', 'tie_counts', 'older_tie_counts', 'newcomer_counts'] %}
    left join {{ table }}
        on
            counted_people.as_of = {{ table }}.as_of
            and counted_people.basis = {{ table }}.basis
            and counted_people.segment_type = {{ table }}.segment_type
            and counted_people.segment = {{ table }}.segment
    {%- endfor %}
    left join seen
        on counted_people.as_of = seen.as_of and counted_people.basis = seen.basis

)

select * from final
