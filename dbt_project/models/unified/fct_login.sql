with logins as (
    {{ mapped_acts('logins', 'login_id') }}
)

select
    login_id,
    _source as source,
    person_id,
    organization_id,
    product,
    occurred_at,
    _first_loaded_at as loaded_at
from logins
