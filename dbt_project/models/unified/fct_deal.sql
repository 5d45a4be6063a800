select
    cast(null as varchar) as deal_id,
    cast(null as varchar) as source,
    cast(null as varchar) as organization_id,
    cast(null as varchar) as owner_person_id,
    cast(null as varchar) as name,
    cast(null as varchar) as stage,
    cast(null as decimal(18,2)) as amount,
    cast(null as varchar) as currency,
    cast(null as boolean) as is_closed,
    cast(null as boolean) as is_won,
    cast(null as timestamptz) as created_at,
    cast(null as timestamptz) as closed_at,
    cast(null as date) as expected_close_date,
    cast(null as boolean) as is_deleted,
    cast(null as timestamptz) as loaded_at
where false
