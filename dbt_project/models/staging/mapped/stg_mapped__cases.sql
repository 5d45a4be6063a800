{{ stage_mapped(source('landing', 'mapped__cases'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['owner_key', 'owner', 'person'],
    ['owner_address', 'owner', 'address'],
    ['opened_at', 'opened_at', 'timestamp'],
    ['closed_at', 'closed_at', 'timestamp'],
    ['status', 'status', 'text'],
    ['priority', 'priority', 'text'],
    ['channel', 'channel', 'text'],
]) }}
