{% set criteria = [
    'pinned', 'own_mailbox', 'current_job', 'live', 'verified', 'unconverted', 'source_rank',
    'staff_record', 'oldest',
] %}

with orders as (
    {{ golden_orders() }}
),

maps as (
    select * from {{ ref('identity_person_map') }}
),

profiles as (
    select
        maps.person_id,
        profiles.profile_key,
        profiles.display_name,
        profiles.given_name,
        profiles.family_name,
        profiles.email,
        coalesce(phones.e164, profiles.phone, profiles.further_phone) as phone,
        profiles.title,
        1 as pinned,
        case when profiles.is_deleted then 1 else 0 end as live,
        case when profiles.is_email_verified then 0 else 1 end as verified,
        case when profiles.converted_into is not null then 1 else 0 end as unconverted,
        {{ silo_rank('profiles.silo') }} as source_rank,
        case when profiles.is_staff then 0 else 1 end as staff_record,
        rank() over (
            partition by maps.person_id order by profiles.created_at nulls last
        ) as oldest
    from {{ ref('identity_profile') }} as profiles
    inner join maps on profiles.profile_key = maps.profile_key
    left join {{ ref('identity_phone') }} as phones
        on coalesce(profiles.phone, profiles.further_phone) = phones.phone
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

redirects as (
    select old_id, current_id from {{ ref('identity_redirect') }} where entity = 'person'
),

-- The last word where several pins turned out to be of one person.
pins as (
    select
        coalesce(maps.person_id, redirects.current_id, people.person_id) as person_id,
        maps.profile_key,
        pins.field,
        pins.value,
        row_number() over (
            partition by coalesce(maps.person_id, redirects.current_id, people.person_id), pins.field
            order by pins.since desc, pins.line desc
        ) as oldest
    from {{ source('control', 'identity_pin') }} as pins
    left join maps on pins.subject = maps.profile_key
    left join redirects on pins.subject = redirects.old_id
    left join (select person_id from maps group by person_id) as people
        on pins.subject = people.person_id
),

told as (
    {%- for field, column in [
        ('display_name', 'display_name'), ('given_name', 'given_name'),
        ('family_name', 'family_name'), ('primary_email', 'email'), ('primary_phone', 'phone'),
        ('title', 'title'),
    ] %}
    select
        profiles.person_id,
        profiles.profile_key,
        '{{ field }}' as field,
        profiles.{{ column }} as value,
        profiles.pinned,
        {% if field == 'primary_email' -%}
        case when own_mailboxes.value is not null then 0 else 1 end as own_mailbox,
        {%- else -%}
        0 as own_mailbox,
        {%- endif %}
        {% if field == 'title' -%}
        case when jobs.title is not null then 0 else 1 end as current_job,
        {%- else -%}
        0 as current_job,
        {%- endif %}
        profiles.live,
        profiles.verified,
        profiles.unconverted,
        profiles.source_rank,
        profiles.staff_record,
        profiles.oldest
    from profiles
    {%- if field == 'primary_email' %}
    left join own_mailboxes on {{ mailbox('profiles.email') }} = own_mailboxes.value
    {%- elif field == 'title' %}
    left join jobs on profiles.person_id = jobs.person_id and profiles.title = jobs.title
    {%- endif %}
    where profiles.{{ column }} is not null

    union all
    {% endfor %}
    -- a title of the job that no record shows any more
    select person_id, null, 'title', title, 1, 0, 0, 0, 1, 0, 9, 1, 0
    from jobs

    union all

    select person_id, profile_key, field, value, 0, 0, 0, 0, 0, 0, 0, 0, oldest
    from pins
    where person_id is not null
),

scored as (
    select
        told.person_id,
        told.field,
        told.value,
        told.profile_key,
        told.pinned,
        {{ lower_case('trim(told.value)') }} as folded,
        {{ golden_scores('orders', 'told', criteria) }}
    from told
    inner join orders on told.field = orders.field
),

-- Profiles that tell the same contradict nobody: the best of them stands for all.
different as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by person_id, field, folded order by {{ golden_order() }}
            ) as copy
        from scored
    ) as copies
    where copy = 1
),

ranked as (
    select
        *,
        row_number() over (partition by person_id, field order by {{ golden_order() }}) as rank,
        count(*) over (partition by person_id, field) - 1 as n_contradicting
    from different
)

select
    best.person_id,
    best.field,
    best.value,
    best.profile_key,
    case
        when best.pinned = 0 then 'pinned'
        when runner_up.value is null then 'agreed'
        {%- for place in golden_places() %}
        when best.score_{{ place }} <> runner_up.score_{{ place }} then orders.criterion_{{ place }}
        {%- endfor %}
        else 'profile_key'
    end as rule,
    runner_up.value as runner_up_value,
    runner_up.profile_key as runner_up_profile_key,
    cast(best.n_contradicting as bigint) as n_contradicting
from ranked as best
inner join orders on best.field = orders.field
left join ranked as runner_up
    on best.person_id = runner_up.person_id and best.field = runner_up.field and runner_up.rank = 2
where best.rank = 1
