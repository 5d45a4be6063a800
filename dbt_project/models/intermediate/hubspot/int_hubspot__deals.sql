with in_stages as (
    {{ hubspot_in_stages('deals', 'deal_id') }}
),

deals as (
    select
        *,
        coalesce(is_closed, is_stage_closed, false) as is_closed_now,
        coalesce(is_won, is_stage_won, false) as is_won_now
    from in_stages
)

select {{ deal_row({
    'deal_id': profile_key('deals', '_key'), 'source': '_source',
    'organization_key': profile_key('companies', 'company_id'),
    'owner_key': profile_key('owners', 'owner_id'), 'name': 'name',
    'stage': 'stage_label', 'amount': 'amount', 'currency': 'currency',
    'is_closed': 'is_closed_now', 'is_won': 'is_won_now', 'created_at': 'created_at',
    'closed_at': 'case when is_closed_now then close_at end', 'expected_close_date': 'close_at',
    'is_deleted': '_is_deleted', 'loaded_at': '_first_loaded_at',
}) }}
from deals
