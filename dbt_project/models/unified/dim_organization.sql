select
    cast(null as varchar) as organization_id,
    cast(null as varchar) as name,
    cast(null as varchar) as domain,
    cast(null as varchar) as party_kind,
    cast(null as varchar) as parent_organization_id,
    cast(null as varchar) as industry,
    cast(null as varchar) as owner_person_id,
    cast(null as varchar) as owner_name,
    cast(null as date) as renewal_date,
    cast(null as decimal(18,2)) as renewal_amount,
    cast(null as varchar) as currency,
    cast(null as bigint) as n_profiles,
    cast(null as timestamptz) as created_at,
    cast(null as varchar) as custom
where false
