{{ stage_records(source('landing', 'hubspot__meetings'), [
    ['meeting_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['outcome', 'properties.hs_meeting_outcome', 'text'],
    ['start_at', 'properties.hs_meeting_start_time', 'timestamp'],
    ['end_at', 'properties.hs_meeting_end_time', 'timestamp'],
    ['occurred_at', 'properties.hs_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
