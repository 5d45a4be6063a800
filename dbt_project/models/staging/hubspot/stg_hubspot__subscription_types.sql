{{ stage_records(source('landing', 'hubspot__subscription_types'), [
    ['subscription_type_id', 'id', 'text'],
    ['name', 'name', 'text'],
    ['purpose', 'purpose', 'text'],
    ['method', 'communicationMethod', 'text'],
    ['is_active', 'isActive', 'boolean'],
    ['is_internal', 'isInternal', 'boolean'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
