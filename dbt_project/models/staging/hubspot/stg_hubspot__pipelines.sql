{{ stage_records(source('landing', 'hubspot__pipelines'), [
    ['object_type', 'objectType', 'text'],
    ['pipeline_id', 'id', 'text'],
    ['label', 'label', 'text'],
    ['stages', 'stages', 'json'],
    ['is_archived', 'archived', 'boolean'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
