with whole as (
    select * from {{ ref('int_stays__joined') }}
),

people as (
    select * from {{ ref('identity_person_map') }}
),

profiles as (
    select * from {{ ref('identity_profile') }} where entity = 'person'
),

domains as (
    select * from {{ ref('identity_organization_domain') }}
),

-- An address that nobody took away says less than a record that the stay is over.
gone as (
    select
        person_id,
        organization_id
    from {{ ref('int_stays__told') }}
    where has_left
    group by person_id, organization_id
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
