{{ stage_mapped(source('landing', 'mapped__purchases'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
    ['amount', 'amount', 'decimal'],
    ['currency', 'currency', 'text'],
]) }}
