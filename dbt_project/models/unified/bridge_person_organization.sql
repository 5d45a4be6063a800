with told as (
    select * from {{ ref('int_salesforce__memberships') }}
    union all
    select * from {{ ref('int_hubspot__memberships') }}
    union all
    select * from {{ ref('int_mapped__memberships') }}
),

people as (
    select * from {{ ref('identity_person_map') }}
),

organizations as (
    select * from {{ ref('identity_organization_map') }}
),

profiles as (
    select * from {{ ref('identity_profile') }} where entity = 'person'
),

domains as (
    select * from {{ ref('identity_organization_domain') }}
),

-- Some keep a record whose person has left, and write so where the title stood.
departures as (
    select told.title
    from told
    inner join {{ ref('departure_phrase') }} as phrases
        on position(phrases.phrase in lower(told.title)) > 0
    group by told.title
),

-- A record was true from its creation, a change from the version that shows it.
versions as (
    select
        told.profile_key,
        organizations.organization_id,
        told.title,
        departures.title is not null as has_left,
        told._version,
        told._seq,
        row_number() over by_profile = 1 as is_first,
        lag(organizations.organization_id) over by_profile as earlier_organization_id,
        lag(departures.title is not null) over by_profile as had_left,
        case
            when row_number() over by_profile = 1
                then least(told._version, coalesce(told.created_at, told._version))
            else told._version
        end as valid_from
    from told
    left join organizations on told.organization_key = organizations.reference_key
    left join departures on told.title = departures.title
    window by_profile as (partition by told.profile_key order by told._version, told._seq)
),

changes as (
    select *
    from versions
    where
        is_first
        or organization_id is distinct from earlier_organization_id
        or has_left <> had_left
),

stays as (
    select
        changes.profile_key,
        changes.organization_id,
        changes._seq,
        changes.is_first,
        changes.has_left,
        changes.valid_from,
        -- the first version we saw may show that it was over by then
        case
            when changes.has_left then changes._version
            else lead(changes.valid_from) over (
                partition by changes.profile_key order by changes._version, changes._seq
            )
        end as valid_to
    from changes
),

titles as (
    select profile_key, organization_id, max_by(title, _version) as title
    from versions
    where organization_id is not null and title is not null and not has_left
    group by profile_key, organization_id
),

told_relations as (
    select * from {{ ref('int_salesforce__relations') }}
    union all
    select * from {{ ref('int_hubspot__relations') }}
    union all
    select * from {{ ref('int_mapped__relations') }}
),

relations as (
    select
        people.person_id,
        organizations.organization_id,
        told_relations.*
    from told_relations
    inner join people on told_relations.profile_key = people.profile_key
    inner join organizations on told_relations.organization_key = organizations.reference_key
),

-- Who wrote that somebody left looked; another record of theirs was only not touched since.
gone as (
    select person_id, organization_id, max(left_at) as left_at
    from (
        select people.person_id, stays.organization_id, stays.valid_to as left_at
        from stays
        inner join people on stays.profile_key = people.profile_key
        where stays.has_left
        union all
        select person_id, organization_id, valid_to from relations where has_left
    ) as departed
    group by person_id, organization_id
),

record_stays as (
    select
        people.person_id,
        stays.organization_id,
        split_part(stays.profile_key, ':', 1) as source,
        cast(null as {{ dbt.type_string() }}) as left_organization_id,
        titles.title,
        'record' as basis,
        stays.valid_from,
        least(
            stays.valid_to, case when gone.left_at > stays.valid_from then gone.left_at end
        ) as valid_to,
        not stays.is_first as is_start_known,
        profiles.merged_into is not null as is_merged
    from stays
    inner join people on stays.profile_key = people.profile_key
    inner join profiles on stays.profile_key = profiles.profile_key
    left join gone
        on people.person_id = gone.person_id and stays.organization_id = gone.organization_id
    left join titles
        on stays.profile_key = titles.profile_key
        and stays.organization_id = titles.organization_id
    where stays.organization_id is not null and (stays.is_first or not stays.has_left)
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
                and people.person_id not in (select person_id from record_stays)
            )
        )
),

-- Whom a source relates to further organizations is there beside the employer.
relation_stays as (
    select
        person_id,
        organization_id,
        case when is_direct then split_part(profile_key, ':', 1) end as source,
        cast(null as {{ dbt.type_string() }}) as left_organization_id,
        title,
        case when is_direct then 'record' else 'relation' end as basis,
        valid_from,
        valid_to,
        is_start_known,
        false as is_merged
    from relations
    where not is_direct or is_start_known
),

told_stays as (
    select * from record_stays
    union all
    select * from relation_stays
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
),

whole as (
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
),

-- An address at an organization's own domain, for people of whom nothing says more.
by_address as (
    select
        people.person_id,
        domains.organization_id,
        max_by(profiles.title, profiles.last_seen_at) filter (where profiles.title is not null)
            as title,
        'email_domain' as basis,
        false as is_start_known,
        greatest(
            min(coalesce(profiles.created_at, profiles.first_seen_at)),
            max(earlier.valid_to)
        ) as valid_from,
        cast(null as {{ type_moment() }}) as valid_to,
        greatest(
            min(coalesce(profiles.created_at, profiles.first_seen_at)),
            max(earlier.valid_to)
        ) as employed_from,
        cast('9999-12-31' as {{ type_moment() }}) as employed_to
    from profiles
    inner join people on profiles.profile_key = people.profile_key
    inner join domains on {{ email_domain('profiles.email') }} = domains.domain
    left join gone
        on people.person_id = gone.person_id
        and domains.organization_id = gone.organization_id
    left join whole as earlier
        on people.person_id = earlier.person_id
        and domains.organization_id = earlier.organization_id
    where not profiles.is_deleted
        and not profiles.is_staff
        and people.person_id not in (select person_id from whole where valid_to is null)
        -- an address that nobody took away says less than a record that the stay is over
        and gone.person_id is null
    group by people.person_id, domains.organization_id
),

united as (
    select * from whole
    union all
    select * from by_address
),

-- Nothing begins or ends within a span, so that one stay is the primary one all through it.
moments as (
    select person_id, valid_from as span_from from united
    union
    select person_id, valid_to from united where valid_to is not null
    union
    select person_id, employed_from from united where employed_from is not null
    union
    select person_id, employed_to from united where employed_to < cast('9999-12-31' as {{ type_moment() }})
),

spans as (
    select
        person_id,
        span_from,
        lead(span_from) over (partition by person_id order by span_from) as span_to
    from moments
),

parts as (
    select
        united.person_id,
        united.organization_id,
        united.title,
        case
            when spans.span_from >= united.employed_from and spans.span_from < united.employed_to
                then united.basis
            else 'relation'
        end as basis,
        united.is_start_known,
        united.valid_from,
        united.employed_from,
        spans.span_from,
        spans.span_to
    from united
    -- a stay spans one stretch or more
    inner join spans
        on united.person_id = spans.person_id
        and united.valid_from <= spans.span_from
        and (united.valid_to is null or united.valid_to > spans.span_from)
),

chosen as (
    select
        *,
        row_number() over (
            partition by person_id, span_from
            order by
                case
                    when basis = 'relation' then 1
                    when basis = 'email_domain' and not is_start_known then 2
                    else 0
                end,
                case when basis = 'relation' then valid_from else employed_from end desc,
                organization_id
        ) = 1 as is_primary
    from parts
),

runs as (
    select
        *,
        row_number() over (
            partition by person_id, organization_id, valid_from order by span_from
        ) - row_number() over (
            partition by person_id, organization_id, valid_from, basis, is_primary
            order by span_from
        ) as run
    from chosen
)

select
    person_id,
    organization_id,
    title,
    basis,
    is_primary,
    valid_from as stay_from,
    is_start_known,
    min(span_from) as valid_from,
    case when count(*) = count(span_to) then max(span_to) end as valid_to,
    count(*) > count(span_to) as is_current
from runs
group by
    person_id, organization_id, title, basis, is_primary, valid_from, is_start_known, run
