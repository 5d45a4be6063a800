{{ stage_records(source('landing', 'hubspot__tickets'), [
    ['ticket_id', 'id', 'text'],
    ['pipeline', 'properties.hs_pipeline', 'text'],
    ['stage', 'properties.hs_pipeline_stage', 'text'],
    ['priority', 'properties.hs_ticket_priority', 'text'],
    ['category', 'properties.hs_ticket_category', 'text'],
    ['origin', 'properties.source_type', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['is_closed', 'properties.hs_is_closed', 'boolean'],
    ['closed_at', 'properties.closed_date', 'timestamp'],
    ['first_agent_reply_at', 'properties.first_agent_reply_date', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
