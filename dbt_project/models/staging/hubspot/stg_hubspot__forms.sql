{{ stage_records(source('landing', 'hubspot__forms'), [
    ['form_id', 'id', 'text'],
    ['name', 'name', 'text'],
    ['form_type', 'formType', 'text'],
    ['is_archived', 'archived', 'boolean'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
