{{ stage_mapped(source('landing', 'mapped__deals'), [
    ['id', 'id', 'text'],
    ['organization_key', 'organization', 'text'],
    ['person_key', 'person', 'text'],
    ['owner_key', 'owner', 'text'],
    ['name', 'name', 'text'],
    ['stage', 'stage', 'text'],
    ['amount', 'amount', 'decimal'],
    ['currency', 'currency', 'text'],
    ['is_closed', 'is_closed', 'boolean'],
    ['is_won', 'is_won', 'boolean'],
    ['created_at', 'created_at', 'timestamp'],
    ['closed_at', 'closed_at', 'timestamp'],
]) }}
