{{ stage_records(source('landing', 'hubspot__emails'), [
    ['email_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['direction', 'properties.hs_email_direction', 'text'],
    ['status', 'properties.hs_email_status', 'text'],
    ['from_email', 'properties.hs_email_from_email', 'text'],
    ['to_email', 'properties.hs_email_to_email', 'text'],
    ['occurred_at', 'properties.hs_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
