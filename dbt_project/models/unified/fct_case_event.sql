select
    cast(null as varchar) as case_event_id,
    cast(null as varchar) as case_id,
    cast(null as varchar) as kind,
    cast(null as varchar) as actor_person_id,
    cast(null as boolean) as is_staff,
    cast(null as boolean) as is_public,
    cast(null as timestamptz) as occurred_at,
    cast(null as timestamptz) as loaded_at
where false
