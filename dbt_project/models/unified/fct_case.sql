select
    cast(null as varchar) as case_id,
    cast(null as varchar) as source,
    cast(null as varchar) as organization_id,
    cast(null as varchar) as person_id,
    cast(null as varchar) as owner_person_id,
    cast(null as varchar) as channel,
    cast(null as varchar) as status,
    cast(null as varchar) as priority,
    cast(null as timestamptz) as opened_at,
    cast(null as timestamptz) as closed_at,
    cast(null as boolean) as is_closed,
    cast(null as timestamptz) as first_response_at,
    cast(null as bigint) as n_staff,
    cast(null as boolean) as is_deleted,
    cast(null as timestamptz) as loaded_at
where false
