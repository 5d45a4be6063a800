{{ stage_records(source('landing', 'hubspot__tasks'), [
    ['task_id', 'id', 'text'],
    ['owner_id', 'properties.hubspot_owner_id', 'text'],
    ['status', 'properties.hs_task_status', 'text'],
    ['task_type', 'properties.hs_task_type', 'text'],
    ['priority', 'properties.hs_task_priority', 'text'],
    ['completed_at', 'properties.hs_task_completion_date', 'timestamp'],
    ['due_at', 'properties.hs_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
