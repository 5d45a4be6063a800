{{ config(**snapshot_table()) }}

{%- set grain = ['as_of', 'basis', 'house', 'other_house'] %}

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

-- Numbers in the order of the ids; ours come last.
houses as (

    select
        named.organization_id,
        cast(
            row_number() over (
                order by named.organization_id = 'us', named.organization_id
            ) as int
        ) as house,
        organizations.owner_person_id,
        case
            when named.organization_id = 'us' then 'staff'
            else coalesce(organizations.party_kind, 'unknown')
        end as party_kind
    from (
        select organization_id from members
        where organization_id is not null
        group by organization_id
    ) as named
    left join organizations on named.organization_id = organizations.organization_id

),

stands as (

    select
        members.as_of,
        members.basis,
        members.person_number,
        houses.house
    from members
    inner join houses on members.organization_id = houses.organization_id

),

-- Of two organizations the first is the one that sorts first; we are always the other one.
strands as (

    select
        ties.as_of,
        ties.basis,
        least(one.house, other.house) as house,
        greatest(one.house, other.house) as other_house,
        case when one.house < other.house then ties.one_number else ties.other_number end
            as person_number,
        case when one.house < other.house then ties.other_number else ties.one_number end
            as other_person_number,
        ties.strength,
        ties.is_direct,
        ties.last_day
    from {{ ref('int_ties__faded') }} as ties
    inner join stands as one
        on
            ties.as_of = one.as_of
            and ties.basis = one.basis
            and ties.one_number = one.person_number
    inner join stands as other
        on
            ties.as_of = other.as_of
            and ties.basis = other.basis
            and ties.other_number = other.person_number
    where ties.strength > 0 and one.house <> other.house

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
        houses.organization_id,
        houses.owner_person_id,
        houses.party_kind,
        others.organization_id as other_organization_id,
        others.party_kind as other_party_kind,
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
    inner join houses on whole.house = houses.house
    inner join houses as others on whole.other_house = others.house
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
