select
    cast(null as varchar) as person_id,
    cast(null as varchar) as organization_id,
    cast(null as varchar) as title,
    cast(null as varchar) as basis,
    cast(null as timestamptz) as valid_from,
    cast(null as timestamptz) as valid_to,
    cast(null as boolean) as is_current
where false
