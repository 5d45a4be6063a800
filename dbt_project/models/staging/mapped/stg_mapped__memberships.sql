{{ stage_mapped(source('landing', 'mapped__memberships'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['role', 'role', 'text'],
    ['started_at', 'started_at', 'timestamp'],
    ['ended_at', 'ended_at', 'timestamp'],
]) }}
