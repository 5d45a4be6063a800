{{ config(materialized='table', contract={'enforced': false}) }}

-- Numbers in the order of the ids, so that whatever is ordered by one is ordered by the other.
select
    cast(row_number() over (order by person_id) as int) as person_number,
    person_id,
    organization_id,
    owner_person_id,
    party_kind,
    silos,
    is_staff,
    is_bot
from {{ ref('dim_person') }}
