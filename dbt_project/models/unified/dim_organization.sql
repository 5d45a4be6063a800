with profiles as (
    select
        maps.organization_id,
        profiles.*,
        -- whose custom field counts
        row_number() over (
            partition by maps.organization_id
            order by
                profiles.is_deleted,
                {{ silo_rank('profiles.silo') }},
                profiles.created_at nulls last,
                profiles.profile_key
        ) as rank
    from {{ ref('identity_profile') }} as profiles
    inner join {{ ref('identity_organization_map') }} as maps
        on profiles.profile_key = maps.profile_key
),

-- What is shown of several values, field by field.
fields as (
    select
        organization_id
        {%- for field in ['name', 'domain', 'industry', 'renewal_date', 'renewal_amount', 'owner'] %},
        max(case when field = '{{ field }}' then value end) as {{ field }}
        {%- endfor %}
    from {{ ref('dim_organization_field') }}
    group by organization_id
),

hierarchy as (
    select
        organization_id,
        max(case when distance = 1 then ancestor_organization_id end) as parent_organization_id,
        max(case when distance = depth then ancestor_organization_id end)
            as ultimate_parent_organization_id,
        max(depth) as depth
    from {{ ref('identity_organization_ancestor') }}
    group by organization_id
),

people as (
    select * from {{ ref('identity_person_map') }}
),

domains as (
    select organization_id, min(domain) as domain
    from {{ ref('identity_organization_domain') }}
    group by organization_id
),

own_domains as (
    select distinct lower(domain) as domain from {{ source('control', 'own_domains') }}
),

deals as (
    select
        organization_id,
        bool_or(is_won) as has_won_deal,
        bool_or(not is_closed) as has_open_deal,
        max_by(owner_person_id, (not is_closed, created_at, deal_id))
            filter (where owner_person_id is not null) as owner_person_id
    from {{ ref('fct_deal') }}
    where not is_deleted
    group by organization_id
),

buyers as (
    select distinct organization_id from {{ ref('fct_purchase') }}
),

golden as (
    select
        organization_id,
        min({{ party_rank('party_kind') }}) as party_rank,
        count(case when not is_deleted then 1 end) as n_profiles,
        min(created_at) as created_at
    from profiles
    group by organization_id
),

custom_fields as (
    {{ custom_of('profiles', 'organization_id') }}
),

names as (
    select person_id, value as display_name
    from {{ ref('dim_person_field') }}
    where field = 'display_name'
)

select
    golden.organization_id,
    fields.name,
    domains.domain,
    case
        when own_domains.domain is not null then 'staff'
        when deals.has_won_deal or buyers.organization_id is not null
            then {{ party_kind_of('least(golden.party_rank, ' ~ party_rank("'customer'") ~ ')') }}
        when deals.has_open_deal
            then {{ party_kind_of('least(golden.party_rank, ' ~ party_rank("'prospect'") ~ ')') }}
        else {{ party_kind_of('golden.party_rank') }}
    end as party_kind,
    hierarchy.parent_organization_id,
    hierarchy.ultimate_parent_organization_id,
    hierarchy.depth,
    fields.industry,
    -- where its record names nobody: who works on its deals
    coalesce(owners.person_id, deals.owner_person_id) as owner_person_id,
    names.display_name as owner_name,
    cast(fields.renewal_date as date) as renewal_date,
    cast(fields.renewal_amount as decimal(18, 2)) as renewal_amount,
    case when fields.renewal_amount is not null then {{ home_currency() }} end as currency,
    golden.n_profiles,
    golden.created_at,
    custom_fields.custom
from golden
left join fields on golden.organization_id = fields.organization_id
left join domains on golden.organization_id = domains.organization_id
left join own_domains on fields.domain = own_domains.domain
left join deals on golden.organization_id = deals.organization_id
left join buyers on golden.organization_id = buyers.organization_id
left join hierarchy on golden.organization_id = hierarchy.organization_id
left join people as owners on fields.owner = owners.profile_key
left join names on coalesce(owners.person_id, deals.owner_person_id) = names.person_id
left join custom_fields on golden.organization_id = custom_fields.organization_id
