-- Fields that the configuration says people fill with their interests, and nothing else of a record.
with fields as (
    select * from {{ source('control', 'column_meanings') }} where meaning = 'interest'
),

people as (
    select * from {{ ref('identity_person_map') }}
),

told as (
    select
        values_told.entity_id as person_id,
        values_told.source,
        values_told.value_text as text,
        values_told.record_changed_at as told_at
    from {{ ref('dim_custom_field') }} as values_told
    inner join fields
        on values_told.source = fields.source
        and values_told.stream = fields.stream
        and values_told.field = fields.field
    where values_told.entity = 'person' and values_told.pii = 'none'

    union all

    select people.person_id, interests._source, interests.interest, interests.occurred_at
    from {{ current(ref('stg_mapped__interests')) }} as interests
    inner join people on interests.person_key = people.profile_key
    where not interests._is_deleted and interests.interest is not null
),

spread as (
    select
        person_id,
        source,
        told_at,
        {{ lower_case('trim(choice)') }} as interest
    from (
        select person_id, source, told_at, {{ choices('text') }} as choice
        from told
    ) as chosen
    where trim(choice) <> ''
),

lasting as (
    select
        person_id,
        interest,
        source,
        max(told_at) as told_at
    from spread
    group by person_id, interest, source
),

-- What the names of fields are refused for is refused where somebody writes it as an interest.
private as (
    select interests.interest
    from (
        select
            interest,
            translate(plain, translate(plain, 'abcdefghijklmnopqrstuvwxyz', ''), '') as letters
        from (
            select
                interest,
                translate(
                    interest,
                    '0134578@$!áàâäãåéèêëíìîïóòôöõúùûüñç',
                    'oieastbasiaaaaaaeeeeiiiiooooouuuunc'
                ) as plain
            from lasting
            group by interest
        ) as spelled
    ) as interests
    inner join {{ source('control', 'private_stems') }} as stems
        on interests.letters like '%' || stems.stem || '%'
    group by interests.interest
),

dated as (
    select
        lasting.*,
        {{ days_after(utc_day('lasting.told_at'), 'settings.volunteered_expiry_days') }}
            as expires_on
    from lasting
    cross join ({{ metric_settings() }}) as settings
    left join private on lasting.interest = private.interest
    where private.interest is null
)

select
    dated.person_id,
    dated.interest,
    dated.source,
    dated.told_at,
    dated.expires_on
from dated
cross join {{ source('control', 'run') }} as run
where dated.expires_on is null or dated.expires_on >= run.as_of
