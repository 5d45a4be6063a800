select
    cast(null as varchar) as purchase_id,
    cast(null as varchar) as source,
    cast(null as varchar) as person_id,
    cast(null as varchar) as organization_id,
    cast(null as timestamptz) as occurred_at,
    cast(null as decimal(18,2)) as amount,
    cast(null as varchar) as currency,
    cast(null as timestamptz) as loaded_at
where false
