{{ stage_records(source('landing', 'hubspot__owners'), [
    ['owner_id', 'id', 'text'],
    ['email', 'email', 'text'],
    ['given_name', 'firstName', 'text'],
    ['family_name', 'lastName', 'text'],
    ['owner_type', 'type', 'text'],
    ['is_archived', 'archived', 'boolean'],
    ['created_at', 'createdAt', 'timestamp'],
]) }}
