{{ stage_mapped(source('landing', 'mapped__logins'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'text'],
    ['organization_key', 'organization', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
    ['product', 'product', 'text'],
]) }}
