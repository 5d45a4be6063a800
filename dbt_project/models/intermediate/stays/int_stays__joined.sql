with told as (
    select * from {{ ref('int_stays__told') }}
),

people as (
    select * from {{ ref('identity_person_map') }}
),

profiles as (
    select * from {{ ref('identity_profile') }} where entity = 'person'
),

-- Who wrote that somebody left looked; another record of theirs was only not touched since.
gone as (
    select
        person_id,
        organization_id,
        max(valid_to) as left_at
    from told
    where has_left
    group by person_id, organization_id
),

-- Where a record tells who is where, an address says more only when it moves on to another
-- organization: the record was not touched since.
address_stays as (
    select
        people.person_id,
        addresses.organization_id,
        cast(null as {{ dbt.type_string() }}) as source,
        addresses.left_organization_id,
        cast(null as {{ dbt.type_string() }}) as title,
        'email_domain' as basis,
        addresses.valid_from,
        addresses.valid_to,
        addresses.left_organization_id is not null as is_start_known,
        false as is_merged
    from {{ ref('identity_address_stay') }} as addresses
    inner join people on addresses.profile_key = people.profile_key
    inner join profiles on addresses.profile_key = profiles.profile_key
    where not profiles.is_staff
        and (
            addresses.left_organization_id is not null
            or (
                addresses.valid_to is not null
                and people.person_id not in (
                    select person_id from told where is_of_record and is_stay
                )
            )
        )
),

told_stays as (
    select
        told.person_id,
        told.organization_id,
        told.source,
        cast(null as {{ dbt.type_string() }}) as left_organization_id,
        told.title,
        told.basis,
        told.valid_from,
        least(
            told.valid_to,
            case when told.is_of_record and gone.left_at > told.valid_from then gone.left_at end
        ) as valid_to,
        told.is_start_known,
        told.is_merged
    from told
    left join gone
        on told.person_id = gone.person_id and told.organization_id = gone.organization_id
    where told.is_stay
    union all
    select * from address_stays
),

-- A source knows one employer of a person: what it tells later ends what it told before, but not
-- what it told of a record that another took the place of. An address that moved on ends the stay
-- where it was, whoever told it. Of two sources that differ neither ends the other's.
endings as (
    select
        earlier.person_id,
        earlier.organization_id,
        earlier.source,
        earlier.valid_from,
        min(later.valid_from) as replaced_at
    from told_stays as earlier
    inner join told_stays as later
        on earlier.person_id = later.person_id
        and earlier.organization_id <> later.organization_id
        and earlier.valid_from < later.valid_from
    where (earlier.source = later.source and not later.is_merged)
        or later.left_organization_id = earlier.organization_id
        or (
            earlier.basis = 'email_domain' and later.basis <> 'relation' and later.is_start_known
        )
    group by
        earlier.person_id, earlier.organization_id, earlier.source, earlier.valid_from
),

ended as (
    select
        told_stays.person_id,
        told_stays.organization_id,
        told_stays.title,
        told_stays.basis,
        told_stays.is_start_known,
        told_stays.valid_from,
        least(told_stays.valid_to, endings.replaced_at) as valid_to
    from told_stays
    -- stays of one source that begin together end together
    left join endings
        on told_stays.person_id = endings.person_id
        and told_stays.organization_id = endings.organization_id
        and told_stays.source is not distinct from endings.source
        and told_stays.valid_from = endings.valid_from
),

-- Several stays of a person in one organization are one where they touch.
starts as (
    select
        *,
        case
            when valid_from <= max(coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))) over (
                partition by person_id, organization_id
                order by valid_from, coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))
                rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as is_start
    from ended
    where valid_to is null or valid_to > valid_from
),

numbered as (
    select
        *,
        sum(is_start) over (
            partition by person_id, organization_id
            order by valid_from, coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))
            rows between unbounded preceding and current row
        ) as stay
    from starts
)

select
    person_id,
    organization_id,
    max_by(title, valid_from) filter (where title is not null) as title,
    -- the strongest of what told the same
    case
        when bool_or(basis = 'record') then 'record'
        when bool_or(basis = 'relation') then 'relation'
        else 'email_domain'
    end as basis,
    min_by(is_start_known, (valid_from, is_start_known)) as is_start_known,
    min(valid_from) as valid_from,
    case when count(*) = count(valid_to) then max(valid_to) end as valid_to,
    -- who was only related before or after is one of theirs in between
    min(case when basis <> 'relation' then valid_from end) as employed_from,
    max(
        case
            when basis <> 'relation'
                then coalesce(valid_to, cast('9999-12-31' as {{ type_moment() }}))
        end
    ) as employed_to
from numbered
group by person_id, organization_id, stay
