{{ stage_mapped(source('landing', 'mapped__logins'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
    ['product', 'product', 'text'],
]) }}
