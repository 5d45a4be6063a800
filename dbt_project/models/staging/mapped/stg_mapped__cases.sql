{{ stage_mapped(source('landing', 'mapped__cases'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'text'],
    ['organization_key', 'organization', 'text'],
    ['owner_key', 'owner', 'text'],
    ['opened_at', 'opened_at', 'timestamp'],
    ['closed_at', 'closed_at', 'timestamp'],
    ['status', 'status', 'text'],
    ['priority', 'priority', 'text'],
    ['channel', 'channel', 'text'],
]) }}
