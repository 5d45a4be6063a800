{{ config(materialized='table', contract={'enforced': false}) }}

with

memberships as (

    select
        person_id,
        organization_id,
        {{ utc_day('valid_from') }} as valid_from_day,
        {{ utc_day('valid_to') }} as valid_to_day
    from {{ ref('bridge_person_organization') }}
    where is_primary

),

-- Of several memberships that end on one day the last one carries the acts.
chosen as (

    select
        person_id,
        organization_id,
        valid_to_day
    from (
        select
            *,
            row_number() over (
                partition by person_id, valid_to_day
                order by valid_from_day desc nulls last, organization_id
            ) as choice
        from memberships
    ) as ranked
    where choice = 1

),

-- Every day of a person's life belongs to the membership that ended next: first notice of an
-- employer is often much later than the employment, so the first membership reaches back.
final as (

    select
        person_id,
        organization_id,
        lag(valid_to_day) over (
            partition by person_id order by valid_to_day nulls last
        ) as from_day,
        valid_to_day as until_day
    from chosen

)

select * from final
