{{ stage_records(source('landing', 'hubspot__custom_objects'), [
    ['record_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
