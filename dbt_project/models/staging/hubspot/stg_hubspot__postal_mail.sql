{{ stage_records(source('landing', 'hubspot__postal_mail'), [
    ['postal_mail_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['occurred_at', 'properties.hs_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
