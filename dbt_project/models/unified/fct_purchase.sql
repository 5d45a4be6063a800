with purchases as (
    {{ mapped_acts('purchases', 'purchase_id') }}
)

select
    purchase_id,
    _source as source,
    person_id,
    organization_id,
    occurred_at,
    cast(amount as decimal(18, 2)) as amount,
    coalesce(upper(currency), {{ home_currency() }}) as currency,
    _first_loaded_at as loaded_at
from purchases
where amount is not null
