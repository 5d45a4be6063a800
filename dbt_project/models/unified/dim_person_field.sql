{% set criteria = [
    'pinned', 'own_mailbox', 'own_number', 'current_job', 'live', 'verified', 'unconverted',
    'whole_name', 'confirmed', 'told_apart', 'source_rank', 'staff_record', 'latest', 'oldest',
] %}
{# Field, where a profile tells it, what its spellings have in common, and with what it is confirmed:
   who tells a whole name confirms its parts. #}
{% set nothing = 'cast(null as ' ~ dbt.type_string() ~ ')' %}
{% set fields = [
    ('display_name', 'display_name', 'profiles.name_key', 'profiles.name_key'),
    ('given_name', 'given_name', nothing, 'profiles.name_key'),
    ('family_name', 'family_name', nothing, 'profiles.name_key'),
    ('primary_email', 'email', 'profiles.mailbox', nothing),
    ('primary_phone', 'phone', nothing, nothing),
    ('title', 'title', nothing, nothing),
] %}

with orders as (
    {{ golden_orders('person') }}
),

maps as (
    select * from {{ ref('identity_person_map') }}
),

profiles as (
    select
        maps.person_id,
        profiles.profile_key,
        profiles.source,
        profiles.display_name,
        -- a whole name of two words tells both, too
        coalesce(
            profiles.given_name,
            case when words.are_two then split_part(trim(profiles.full_name), ' ', 1) end
        ) as given_name,
        coalesce(
            profiles.family_name,
            case when words.are_two then split_part(trim(profiles.full_name), ' ', 2) end
        ) as family_name,
        profiles.email,
        coalesce(phones.e164, profiles.phone, profiles.further_phone) as phone,
        profiles.title,
        words.name_key,
        {{ mailbox('profiles.email') }} as mailbox,
        1 as pinned,
        case when words.name_key is not null then 0 else 1 end as whole_name,
        case when words.are_two then 1 else 0 end as told_apart,
        case when own_numbers.value is not null then 0 else 1 end as own_number,
        case when profiles.is_deleted then 1 else 0 end as live,
        case when profiles.is_email_verified then 0 else 1 end as verified,
        case when profiles.converted_into is not null then 1 else 0 end as unconverted,
        {{ silo_rank('profiles.silo') }} as source_rank,
        case when profiles.is_staff then 0 else 1 end as staff_record,
        rank() over (
            partition by maps.person_id order by profiles.last_seen_at desc nulls last
        ) as latest,
        rank() over (
            partition by maps.person_id order by profiles.created_at nulls last
        ) as oldest
    from {{ ref('identity_profile') }} as profiles
    inner join maps on profiles.profile_key = maps.profile_key
    left join {{ ref('identity_phone') }} as phones
        on coalesce(profiles.phone, profiles.further_phone) = phones.phone
    left join (
        select value from {{ ref('identity_identifier_book') }}
        where id_type = 'phone' and flag = 'ok'
    ) as own_numbers
        on phones.e164 = own_numbers.value
    -- at most one: names that could be read
    left join (
        select
            names.profile_key,
            names.name_key,
            told.given_name is null
            and told.family_name is null
            and trim(told.full_name) like '_% _%'
            and trim(told.full_name) not like '% % %'
            and told.full_name not like '%,%' as are_two
        from {{ ref('identity_name') }} as names
        inner join {{ ref('identity_profile') }} as told on names.profile_key = told.profile_key
        where names.name_key is not null
    ) as words
        on profiles.profile_key = words.profile_key
),

own_mailboxes as (
    select value from {{ ref('identity_identifier_book') }} where id_type = 'email' and flag = 'ok'
),

jobs as (
    select person_id, title
    from (
        select
            person_id,
            title,
            row_number() over (
                partition by person_id
                order by basis = 'email_domain', valid_from desc, organization_id
            ) as rank
        from {{ ref('bridge_person_organization') }}
        where is_current
    ) as current_jobs
    where rank = 1 and title is not null
),

pins as (
    {{ golden_pins('person', 'person_id', fields | map(attribute=0)) }}
),

told as (
    {%- for field, column, reading, whole in fields %}
    select
        profiles.person_id,
        profiles.profile_key,
        profiles.source,
        '{{ field }}' as field,
        profiles.{{ column }} as value,
        {{ reading }} as reading,
        {{ whole }} as whole,
        profiles.pinned,
        {{ 'case when own_mailboxes.value is not null then 0 else 1 end'
            if field == 'primary_email' else '0' }} as own_mailbox,
        profiles.own_number,
        {{ 'case when jobs.title is not null then 0 else 1 end'
            if field == 'title' else '0' }} as current_job,
        profiles.live,
        profiles.verified,
        profiles.unconverted,
        profiles.whole_name,
        profiles.told_apart,
        profiles.source_rank,
        profiles.staff_record,
        profiles.latest,
        profiles.oldest
    from profiles
    {%- if field == 'primary_email' %}
    left join own_mailboxes on profiles.mailbox = own_mailboxes.value
    {%- elif field == 'title' %}
    left join jobs on profiles.person_id = jobs.person_id and profiles.title = jobs.title
    {%- endif %}
    where profiles.{{ column }} is not null

    union all
    {% endfor %}
    -- a title of the job that no record shows any more
    select
        person_id, null, null, 'title', title, null, null,
        1, 0, 0, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0
    from jobs

    union all

    select
        person_id, profile_key, null, field, value, null, null,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, oldest
    from pins
    where person_id is not null
),

{{ golden_record('person_id', 'told', criteria) }}
