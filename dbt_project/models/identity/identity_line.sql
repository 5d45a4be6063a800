{#
    What people wrote that means nobody, or of which nothing came. Whom `all` suppressions name is
    meant to be gone, so these say nothing here.
#}
with links as (
    select * from {{ source('control', 'identity_link') }}
),

suppressions as (
    select * from {{ source('control', 'identity_suppression') }} where scope <> 'all'
),

profiles as (
    select profile_key, reference_key from {{ ref('identity_profile') }}
),

book as (
    select id_type, value from {{ ref('identity_identifier_book') }}
),

sides as (
    select line, action, 'left' as side, left_type as id_type, left_value as value from links
    union all
    select line, action, 'right', right_type, right_value from links
),

known_sides as (
    select sides.line, sides.side
    from sides
    inner join profiles on sides.value = profiles.profile_key
    where sides.id_type = 'profile'

    union

    select sides.line, sides.side
    from sides
    inner join profiles on sides.value = profiles.reference_key
    where sides.id_type = 'profile'

    union

    select sides.line, sides.side
    from sides
    inner join book
        on book.id_type in (
            sides.id_type, case when sides.action = 'unlink' then 'past_' || sides.id_type end
        )
        and book.value
        = case sides.id_type when 'email' then {{ mailbox('sides.value') }} else sides.value end
),

-- A field tells which of the two a record means that shows both.
pins as (
    select
        *,
        case when field in ('name', 'industry') then 'organization' else 'person' end as entity
    from {{ source('control', 'identity_pin') }}
),

known_subjects as (
    select 'person' as entity, profile_key as subject from {{ ref('identity_person_map') }}
    union
    select 'person', person_id from {{ ref('identity_person_map') }}
    union
    select 'organization', profile_key from {{ ref('identity_organization_map') }}
    union
    select 'organization', organization_id from {{ ref('identity_organization_map') }}
    union
    select entity, old_id from {{ ref('identity_redirect') }} where current_id is not null
),

known_flags as (
    select flags.line
    from {{ source('control', 'identity_identifier_flag') }} as flags
    inner join book on {{ is_flagged('book', 'flags') }}
    group by flags.line
)

select
    'identity/links.csv' as file,
    sides.line,
    sides.side || ' is nobody known' as problem
from sides
left join known_sides on sides.line = known_sides.line and sides.side = known_sides.side
where known_sides.line is null

union

select split_part(place, ':', 1), cast(split_part(place, ':', 2) as bigint), refusal
from {{ ref('identity_override') }}
where refusal is not null

union

select 'identity/identifiers.csv', flags.line, 'nobody has such a value'
from {{ source('control', 'identity_identifier_flag') }} as flags
left join known_flags on flags.line = known_flags.line
where known_flags.line is null

union

select 'identity/claims.csv', lines.line, claims.refusal
from {{ ref('identity_claim') }} as claims
inner join {{ source('control', 'identity_claim') }} as lines on claims.place = lines.place
where claims.state in ('ambiguous', 'unknown_handle', 'unknown_profile', 'not_allowed')

union

select 'identity/suppressions.csv', suppressions.line, 'nobody known is meant'
from suppressions
left join {{ ref('identity_suppression') }} as met on suppressions.place = met.place
where met.place is null

union

select 'identity/pins.csv', pins.line, 'nobody known is meant'
from pins
left join known_subjects
    on pins.entity = known_subjects.entity and pins.subject = known_subjects.subject
where known_subjects.subject is null
