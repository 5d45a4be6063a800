{# Only where more is told than how somebody is reached and where they work. #}
with people as (
    select * from {{ current(ref('stg_mapped__people')) }} as people
),

profiles as (
    select profile_key, given_name, family_name, full_name
    from {{ ref('identity_profile') }}
    where entity = 'person' and not is_bot
)

select
    profiles.profile_key,
    profiles.given_name,
    profiles.family_name,
    profiles.full_name,
    {{ lower_case('people.birth_date') }} as birth_date,
    {{ lower_case('people.personal_number') }} as personal_number,
    {{ lower_case('people.house_number') }} as house_number,
    {{ lower_case('people.street') }} as street,
    {{ lower_case('people.postcode') }} as postcode,
    {{ lower_case('people.city') }} as city
from people
inner join profiles
    on people._source || ':' || people._stream || ':' || people._key = profiles.profile_key
where coalesce(people.birth_date, people.personal_number, people.street) is not null
