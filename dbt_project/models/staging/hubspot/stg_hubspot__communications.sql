{{ stage_records(source('landing', 'hubspot__communications'), [
    ['communication_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['channel_type', 'properties.hs_communication_channel_type', 'text'],
    ['logged_from', 'properties.hs_communication_logged_from', 'text'],
    ['occurred_at', 'properties.hs_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
