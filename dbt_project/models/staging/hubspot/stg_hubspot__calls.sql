{{ stage_records(source('landing', 'hubspot__calls'), [
    ['call_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['direction', 'properties.hs_call_direction', 'text'],
    ['status', 'properties.hs_call_status', 'text'],
    ['disposition', 'properties.hs_call_disposition', 'text'],
    ['duration_ms', 'properties.hs_call_duration', 'integer'],
    ['occurred_at', 'properties.hs_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
