select {{ deal_row({
    'deal_id': profile_key('opportunities', '_key'), 'source': '_source',
    'organization_key': profile_key('accounts', 'account_id'),
    'owner_key': salesforce_user('owner_id'), 'name': 'name', 'stage': 'stage',
    'amount': 'amount', 'currency': 'currency',
    'is_closed': 'coalesce(is_closed, false)', 'is_won': 'coalesce(is_won, false)',
    'created_at': 'created_at', 'closed_at': 'case when is_closed then close_date end',
    'expected_close_date': 'close_date', 'is_deleted': '_is_deleted',
    'loaded_at': '_first_loaded_at',
}) }}
from {{ current(ref('stg_salesforce__opportunities')) }} as opportunities
