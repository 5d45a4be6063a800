select
    cast(null as varchar) as deal_id,
    cast(null as varchar) as person_id,
    cast(null as varchar) as role,
    cast(null as boolean) as is_primary
where false
