{% set criteria = [
    'pinned', 'own_domain', 'whole_name', 'live', 'confirmed', 'source_rank', 'latest', 'oldest',
] %}
{# Field, and what a profile tells of it, as text. #}
{% set fields = {
    'name': 'profiles.display_name',
    'domain': 'profiles.domain',
    'industry': 'profiles.industry',
    'renewal_date': 'cast(profiles.renewal_date as ' ~ dbt.type_string() ~ ')',
    'renewal_amount': 'cast(profiles.renewal_amount as ' ~ dbt.type_string() ~ ')',
    'owner': 'profiles.owner_profile_key',
} %}

with orders as (
    {{ golden_orders('organization') }}
),

maps as (
    select * from {{ ref('identity_organization_map') }}
),

profiles as (
    select
        maps.organization_id,
        profiles.profile_key,
        profiles.source,
        {%- for field, value in fields.items() %}
        {{ value }} as {{ field }},
        {%- endfor %}
        1 as pinned,
        case when domains.domain is not null then 0 else 1 end as own_domain,
        -- records that a vendor makes of an address alone are called like its domain
        case when {{ lower_case('profiles.display_name') }} = profiles.domain then 1 else 0 end
            as whole_name,
        case when profiles.is_deleted then 1 else 0 end as live,
        {{ silo_rank('profiles.silo') }} as source_rank,
        rank() over (
            partition by maps.organization_id order by profiles.last_seen_at desc nulls last
        ) as latest,
        rank() over (
            partition by maps.organization_id order by profiles.created_at nulls last
        ) as oldest
    from {{ ref('identity_profile') }} as profiles
    inner join maps on profiles.profile_key = maps.profile_key
    -- at most one: a domain shows one organization
    left join {{ ref('identity_organization_domain') }} as domains
        on maps.organization_id = domains.organization_id and profiles.domain = domains.domain
),

pins as (
    {{ golden_pins('organization', 'organization_id', ['name', 'industry']) }}
),

told as (
    {%- for field in fields %}
    select
        organization_id,
        profile_key,
        source,
        '{{ field }}' as field,
        {{ field }} as value,
        {{ company_key('name') if field == 'name'
            else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as reading,
        cast(null as {{ dbt.type_string() }}) as whole,
        pinned,
        own_domain,
        whole_name,
        live,
        source_rank,
        latest,
        oldest
    from profiles
    where {{ field }} is not null

    union all
    {% endfor %}
    select
        organization_id, profile_key, null, field, value, null, null,
        0, 0, 0, 0, 0, 0, oldest
    from pins
    where organization_id is not null
),

{{ golden_record('organization_id', 'told', criteria) }}
