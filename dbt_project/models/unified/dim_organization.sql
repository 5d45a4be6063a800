with profiles as (
    select
        maps.organization_id,
        profiles.*,
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
        min_by(display_name, rank) filter (where display_name is not null) as name,
        min_by(domain, rank) filter (where domain is not null) as told_domain,
        min({{ party_rank('party_kind') }}) as party_rank,
        min_by(industry, rank) filter (where industry is not null) as industry,
        min_by(owner_profile_key, rank) filter (where owner_profile_key is not null)
            as owner_profile_key,
        min_by(renewal_date, rank) filter (where renewal_date is not null) as renewal_date,
        min_by(renewal_amount, rank) filter (where renewal_amount is not null) as renewal_amount,
        count(case when not is_deleted then 1 end) as n_profiles,
        min(created_at) as created_at
    from profiles
    group by organization_id
),

custom_fields as (
    {{ custom_of('profiles', 'organization_id') }}
),

owner_names as (
    select
        people.person_id,
        min_by(profiles.display_name, {{ silo_rank('profiles.silo') }})
            filter (where profiles.display_name is not null) as owner_name
    from {{ ref('identity_profile') }} as profiles
    inner join people on profiles.profile_key = people.profile_key
    where profiles.is_staff
    group by people.person_id
)

select
    golden.organization_id,
    golden.name,
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
    golden.industry,
    -- where its record names nobody: who works on its deals
    coalesce(owners.person_id, deals.owner_person_id) as owner_person_id,
    owner_names.owner_name,
    golden.renewal_date,
    golden.renewal_amount,
    case when golden.renewal_amount is not null then {{ home_currency() }} end as currency,
    golden.n_profiles,
    golden.created_at,
    custom_fields.custom
from golden
left join domains on golden.organization_id = domains.organization_id
left join own_domains on golden.told_domain = own_domains.domain
left join deals on golden.organization_id = deals.organization_id
left join buyers on golden.organization_id = buyers.organization_id
left join hierarchy on golden.organization_id = hierarchy.organization_id
left join people as owners on golden.owner_profile_key = owners.profile_key
left join owner_names
    on coalesce(owners.person_id, deals.owner_person_id) = owner_names.person_id
left join custom_fields on golden.organization_id = custom_fields.organization_id
