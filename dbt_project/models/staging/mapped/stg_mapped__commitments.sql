{{ stage_mapped(source('landing', 'mapped__commitments'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'text'],
    ['organization_key', 'organization', 'text'],
    ['owner_key', 'owner', 'text'],
    ['kind', 'kind', 'text'],
    ['made_by', 'made_by', 'text'],
    ['made_at', 'made_at', 'timestamp'],
    ['due_at', 'due_at', 'timestamp'],
    ['fulfilled_at', 'fulfilled_at', 'timestamp'],
    ['is_fulfilled', 'is_fulfilled', 'boolean'],
    ['is_called_off', 'is_called_off', 'boolean'],
]) }}
