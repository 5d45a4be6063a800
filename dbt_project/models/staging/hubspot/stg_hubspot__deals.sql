{{ stage_records(source('landing', 'hubspot__deals'), [
    ['deal_id', 'id', 'text'],
    ['name', 'properties.dealname', 'text'],
    ['pipeline', 'properties.pipeline', 'text'],
    ['stage', 'properties.dealstage', 'text'],
    ['amount', 'properties.amount', 'decimal'],
    ['currency', 'properties.deal_currency_code', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['is_closed', 'properties.hs_is_closed', 'boolean'],
    ['is_won', 'properties.hs_is_closed_won', 'boolean'],
    ['close_at', 'properties.closedate', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
