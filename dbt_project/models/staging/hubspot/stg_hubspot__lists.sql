{{ stage_records(source('landing', 'hubspot__lists'), [
    ['list_id', 'listId', 'text'],
    ['name', 'name', 'text'],
    ['object_type_id', 'objectTypeId', 'text'],
    ['processing_type', 'processingType', 'text'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
