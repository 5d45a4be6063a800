{{ config(**snapshot_table()) }}

{%- set grain = ['as_of', 'basis', 'organization_id', 'other_organization_id'] %}

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

organizations as (

    select * from {{ ref('dim_organization') }}

),

memberships as (

    select * from {{ ref('int_memberships__ranged') }}

),

---------- for whom each stood on the snapshot's day; ours stand for us

members as (

    select
        snapshots.as_of,
        snapshots.basis,
        people.person_number,
        case
            when people.is_staff then 'us'
            else memberships.organization_id
        end as organization_id
    from people
    cross join snapshots
    -- at most one row: the ranges of a person do not overlap
    left join memberships
        on
            people.person_id = memberships.person_id
            and (memberships.from_day is null or memberships.from_day <= snapshots.as_of)
            and (memberships.until_day is null or memberships.until_day > snapshots.as_of)

),

across as (

    select
        ties.*,
        one.organization_id as one_organization_id,
        other.organization_id as other_organization_id
    from {{ ref('int_ties__faded') }} as ties
    inner join members as one
        on ties.as_of = one.as_of and ties.basis = one.basis and ties.one_number = one.person_number
    inner join members as other
        on ties.as_of = other.as_of and ties.basis = other.basis and ties.other_number = other.person_number
    where ties.strength > 0 and one.organization_id <> other.organization_id

),

-- Of two organizations the first is the one that sorts first; we are always the other one.
strands as (

    select
        as_of,
        basis,
        case when is_turned then other_organization_id else one_organization_id end
            as organization_id,
        case when is_turned then one_organization_id else other_organization_id end
            as other_organization_id,
        case when is_turned then other_number else one_number end as person_number,
        case when is_turned then one_number else other_number end as other_person_number,
        strength,
        is_direct,
        last_day
    from (
        select
            *,
            one_organization_id = 'us'
            or (
                other_organization_id <> 'us'
                and one_organization_id > other_organization_id
            ) as is_turned
        from across
    ) as directed

),

whole as (

    select
        {{ grain | join(', ') }},
        count(*) as ties,
        count(case when is_direct then 1 end) as two_way_ties,
        sum(strength) as strength,
        max(last_day) as last_day,
        min(person_number) as person_number,
        min(person_number) < max(person_number) as has_several,
        min(other_person_number) as other_person_number,
        min(other_person_number) < max(other_person_number) as has_several_others
    from strands
    group by {{ grain | join(', ') }}

),

---------- on whom it hangs, on either side: a question only where several are there

{%- for side, person, has_several in [
    ('own', 'person_number', 'has_several'), ('other', 'other_person_number', 'has_several_others'),
] %}

{{ side }}_people as (

    select
        strands.{{ grain | join(', strands.') }},
        strands.{{ person }} as member_number,
        cast(sum(strands.strength) * 1000000 as bigint) as points
    from strands
    inner join whole
        on
            {%- for column in grain %}
            strands.{{ column }} = whole.{{ column }} and
            {%- endfor %}
            whole.{{ has_several }}
    group by strands.{{ grain | join(', strands.') }}, strands.{{ person }}

),

{{ side }}_concentration as (

    {{ concentration(side ~ '_people', grain, 'member_number', 'points') }}

),
{%- endfor %}

joined as (

    select
        whole.*,
        organizations.owner_person_id,
        coalesce(organizations.party_kind, 'unknown') as party_kind,
        case
            when whole.other_organization_id = 'us' then 'staff'
            else coalesce(others.party_kind, 'unknown')
        end as other_party_kind,
        {{ days_between('whole.last_day', 'whole.as_of') }} as days_since,
        {%- for side, prefix in [('own', ''), ('other', 'other_')] %}
        coalesce({{ side }}_concentration.n_parts, 1) as {{ prefix }}people,
        coalesce(cast({{ side }}_concentration.n_for_half as bigint), 1)
            as {{ prefix }}absence_factor,
        coalesce(
            {{ share(side ~ '_concentration.top_1', side ~ '_concentration.total') }}, 1
        ) as top_{{ prefix }}person_share,
        {{ side }}_top.person_id as top_{{ prefix }}person_id,
        {%- endfor %}
        coalesce(seen.coverage, 0) as coverage,
        snapshots.known_at
    from whole
    inner join snapshots on whole.as_of = snapshots.as_of and whole.basis = snapshots.basis
    {%- for side, prefix in [('own', ''), ('other', 'other_')] %}
    left join {{ side }}_concentration
        on
            {%- for column in grain %}
            {% if not loop.first %}and {% endif %}whole.{{ column }} = {{ side }}_concentration.{{ column }}
            {%- endfor %}
    left join people as {{ side }}_top
        on
            coalesce(
                {{ side }}_concentration.top_part, whole.{{ prefix }}person_number
            ) = {{ side }}_top.person_number
    {%- endfor %}
    left join organizations on whole.organization_id = organizations.organization_id
    left join organizations as others on whole.other_organization_id = others.organization_id
    left join seen on whole.as_of = seen.as_of and whole.basis = seen.basis

),

final as (

    select
        ---------- grain
        as_of,
        basis,
        organization_id,
        other_organization_id,

        ---------- whom it joins
        party_kind,
        other_party_kind,
        case
            when party_kind <= other_party_kind then party_kind || '-' || other_party_kind
            else other_party_kind || '-' || party_kind
        end as kind_pair,
        owner_person_id,

        ---------- how many strands it has
        ties,
        two_way_ties,
        people,
        other_people,
        cast(strength as decimal(18, 6)) as strength,
        days_since,

        ---------- on whom it hangs
        absence_factor,
        top_person_share,
        top_person_id,
        other_absence_factor,
        top_other_person_share,
        top_other_person_id,

        ---------- in words
        case
            when ties = 1 then 'it hangs on one tie between two people'
            when other_organization_id = 'us' and other_absence_factor = 1 and other_people > 1
                then 'one of us carries half or more of it'
            when other_organization_id = 'us' and other_people = 1
                then 'only one of us is in touch'
        end as reason_1,
        case
            when people = 1 and ties > 1 then 'only one of their people is in touch'
            when absence_factor = 1 and people > 1
                then 'one of their ' || cast(people as string) || ' people carries half or more'
        end as reason_2,

        ---------- provenance
        ties as n,
        coverage,
        known_at,
        {{ metric_version() }} as metric_version
    from joined

)

select * from final
