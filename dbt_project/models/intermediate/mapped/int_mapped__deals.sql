select {{ deal_row({
    'deal_id': "_source || ':' || _stream || ':' || _key", 'source': '_source',
    'organization_key': 'organization_key', 'owner_key': 'owner_key', 'name': 'name',
    'stage': 'stage', 'amount': 'amount', 'currency': 'upper(currency)',
    'is_closed': 'coalesce(is_closed, closed_at is not null)', 'is_won': 'coalesce(is_won, false)',
    'created_at': 'created_at',
    'closed_at': 'case when coalesce(is_closed, closed_at is not null) then closed_at end',
    'expected_close_date': 'cast(closed_at as date)', 'is_deleted': '_is_deleted',
    'loaded_at': '_first_loaded_at',
}) }}
from {{ current(ref('stg_mapped__deals')) }} as deals
