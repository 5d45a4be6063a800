{{ stage_records(source('landing', 'hubspot__campaigns'), [
    ['campaign_id', 'id', 'text'],
    ['name', 'properties.hs_name', 'text'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
