{{ config(**snapshot_table()) }}

{#- An interest that more people than this have brings nobody together who never met. -#}
{%- set few = 10 %}

with

snapshots as (

    {{ snapshots() }}

),

seen as (

    {{ silos_seen(['crm', 'forum', 'support']) }}

),

people as (

    select * from {{ ref('int_people__numbered') }}

),

-- Who looks after whom is known only as it stands now.
kept as (

    select
        snapshots.as_of,
        snapshots.basis,
        least(people.person_number, owners.person_number) as one_number,
        greatest(people.person_number, owners.person_number) as other_number,
        min(people.person_number) as kept_number,
        min(owners.person_number) as owner_number
    from people
    inner join people as owners on people.owner_person_id = owners.person_id
    inner join snapshots on snapshots.basis = 'as_known'
    where people.person_number <> owners.person_number and not coalesce(people.is_staff, false)
    group by
        snapshots.as_of,
        snapshots.basis,
        least(people.person_number, owners.person_number),
        greatest(people.person_number, owners.person_number)

),

---------- interests that people told us themselves

told as (

    select
        snapshots.as_of,
        snapshots.basis,
        interests.person_id,
        people.person_number,
        interests.interest
    from {{ ref('bridge_person_interest') }} as interests
    left join people on interests.person_id = people.person_id
    inner join snapshots
        on
            {{ utc_day('interests.told_at') }} <= snapshots.as_of
            or (interests.told_at is null and snapshots.basis = 'as_known')
    group by
        snapshots.as_of,
        snapshots.basis,
        interests.person_id,
        people.person_number,
        interests.interest

),

tellers as (

    select
        as_of,
        basis,
        count(distinct person_id) as tellers
    from told
    group by as_of, basis

),

-- What everybody has tells nothing: 0 bits. What one in 1,024 has tells 10.
specific as (

    select
        told.as_of,
        told.basis,
        told.interest,
        count(*) as holders,
        cast(
            round(log2(cast(max(tellers.tellers) as double) / cast(count(*) as double)), 3)
            as decimal(9, 3)
        ) as bits
    from told
    inner join tellers on told.as_of = tellers.as_of and told.basis = tellers.basis
    group by told.as_of, told.basis, told.interest

),

kindred as (

    select
        one.as_of,
        one.basis,
        one.person_number as one_number,
        other.person_number as other_number
    from told as one
    inner join specific
        on
            one.as_of = specific.as_of
            and one.basis = specific.basis
            and one.interest = specific.interest
            and specific.holders <= {{ few }}
            and specific.bits > 0
    -- a row per pair of those who have it
    inner join told as other
        on
            one.as_of = other.as_of
            and one.basis = other.basis
            and one.interest = other.interest
            and one.person_number < other.person_number

),

untied as (

    select
        pairs.as_of,
        pairs.basis,
        pairs.one_number,
        pairs.other_number
    from (
        select as_of, basis, one_number, other_number from kept
        union
        select as_of, basis, one_number, other_number from kindred
    ) as pairs
    left join {{ ref('int_ties__faded') }} as ties
        on
            pairs.as_of = ties.as_of
            and pairs.basis = ties.basis
            and pairs.one_number = ties.one_number
            and pairs.other_number = ties.other_number
    where ties.one_number is null

),

shared as (

    select
        pairs.as_of,
        pairs.basis,
        pairs.one_number,
        pairs.other_number,
        count(*) as mutual_interests,
        max(specific.bits) as bits
    from (
        select as_of, basis, one_number, other_number from {{ ref('int_ties__faded') }}
        union all
        select as_of, basis, one_number, other_number from untied
    ) as pairs
    -- a row per interest that both told us
    inner join told as one
        on
            pairs.as_of = one.as_of
            and pairs.basis = one.basis
            and pairs.one_number = one.person_number
    inner join told as other
        on
            pairs.as_of = other.as_of
            and pairs.basis = other.basis
            and pairs.other_number = other.person_number
            and one.interest = other.interest
    inner join specific
        on
            one.as_of = specific.as_of
            and one.basis = specific.basis
            and one.interest = specific.interest
    group by pairs.as_of, pairs.basis, pairs.one_number, pairs.other_number

),

---------- how far it shall go: the owner's word, never ours

stages as (

    select
        people.person_number,
        fields_told.value_text as stage,
        row_number() over (
            partition by fields_told.entity_id
            order by
                fields_told.record_changed_at desc nulls last,
                fields_told.source,
                fields_told.field,
                fields_told.value_text
        ) as choice
    from {{ ref('dim_custom_field') }} as fields_told
    inner join people on fields_told.entity_id = people.person_id
    inner join {{ source('control', 'column_meanings') }} as meanings
        on
            meanings.meaning = 'bond_stage'
            and fields_told.source = meanings.source
            and fields_told.stream = meanings.stream
            and fields_told.field = meanings.field
    where
        fields_told.entity = 'person'
        and fields_told.pii = 'none'
        and fields_told.value_text is not null

),

---------- all of it, one row per pair

pairs as (

    select
        as_of,
        basis,
        one_number,
        other_number,
        strength,
        is_direct,
        from_one,
        from_other,
        days_turned_to,
        threads_met,
        last_day,
        places,
        silos
    from {{ ref('int_ties__faded') }}
    union all
    select
        as_of,
        basis,
        one_number,
        other_number,
        0 as strength,
        false as is_direct,
        0 as from_one,
        0 as from_other,
        0 as days_turned_to,
        0 as threads_met,
        null as last_day,
        0 as places,
        null as silos
    from untied

),

joined as (

    select
        pairs.as_of,
        pairs.basis,
        one.person_id,
        other.person_id as other_person_id,
        coalesce(one.party_kind, 'unknown') as person_kind,
        coalesce(other.party_kind, 'unknown') as other_person_kind,
        cast(pairs.strength as decimal(9, 6)) as strength,
        pairs.is_direct as is_two_way,
        pairs.from_one as acts_from_person,
        pairs.from_other as acts_from_other_person,
        pairs.days_turned_to,
        pairs.threads_met,
        {{ days_between('pairs.last_day', 'pairs.as_of') }} as days_since,
        pairs.places,
        pairs.silos,
        case when tellers.tellers is not null then coalesce(shared.mutual_interests, 0) end
            as mutual_interests,
        shared.bits,
        case
            when kept.owner_number = pairs.one_number then one.person_id
            when kept.owner_number = pairs.other_number then other.person_id
        end as owner_person_id,
        stages.stage,
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at
    from pairs
    inner join snapshots on pairs.as_of = snapshots.as_of and pairs.basis = snapshots.basis
    {%- for table in ['shared', 'kept'] %}
    left join {{ table }}
        on
            pairs.as_of = {{ table }}.as_of
            and pairs.basis = {{ table }}.basis
            and pairs.one_number = {{ table }}.one_number
            and pairs.other_number = {{ table }}.other_number
    {%- endfor %}
    inner join people as one on pairs.one_number = one.person_number
    inner join people as other on pairs.other_number = other.person_number
    left join stages on kept.kept_number = stages.person_number and stages.choice = 1
    left join tellers on pairs.as_of = tellers.as_of and pairs.basis = tellers.basis
    left join seen on pairs.as_of = seen.as_of and pairs.basis = seen.basis

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        person_id,
        other_person_id,

        ---------- whom it joins
        person_kind,
        other_person_kind,
        case
            when person_kind <= other_person_kind then person_kind || '-' || other_person_kind
            else other_person_kind || '-' || person_kind
        end as kind_pair,
        owner_person_id,

        ---------- exchange
        strength,
        is_two_way,
        acts_from_person,
        acts_from_other_person,
        {{ share(
            'least(acts_from_person, acts_from_other_person)',
            'greatest(acts_from_person, acts_from_other_person)',
        ) }} as reciprocity,
        days_turned_to,
        threads_met,
        days_since,
        places,
        silos,

        ---------- what they have in common
        mutual_interests,
        bits as specificity_bits,

        ---------- the owner's word
        stage,

        ---------- in words
        case
            when is_two_way
                then 'turned to each other, on ' || {{ counted('days_turned_to', 'day') }}
                    || ' in a year, last ' || {{ counted('days_since', 'day') }} || ' ago'
            when acts_from_person + acts_from_other_person > 0
                then 'one turned to the other ' || {{
                    times('acts_from_person + acts_from_other_person')
                }} || ' in a year and got no word back'
            when threads_met > 0
                then 'met in ' || {{ counted('threads_met', 'thread') }}
                    || ' in a year, without a word to each other'
        end as reason_1,
        case
            when bits >= 1
                then 'both told us of an interest that 1 in '
                    || cast(cast(round(power(2, cast(bits as double))) as bigint) as string)
                    || ' has'
            when mutual_interests > 0 then 'what they have in common, most people have'
        end as reason_2,

        ---------- provenance
        acts_from_person + acts_from_other_person + threads_met as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from joined

)

select * from final
