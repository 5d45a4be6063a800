{{ stage_mapped(source('landing', 'mapped__organizations'), [
    ['id', 'id', 'text'],
    ['name', 'name', 'text'],
    ['domain', 'domain', 'text'],
    ['kind', 'kind', 'text'],
    ['parent_key', 'parent', 'text'],
    ['owner_key', 'owner', 'person'],
    ['owner_address', 'owner', 'address'],
    ['industry', 'industry', 'text'],
    ['renewal_date', 'renewal_date', 'date'],
    ['renewal_amount', 'renewal_amount', 'decimal'],
    ['created_at', 'created_at', 'timestamp'],
    ['custom', 'custom', 'text'],
]) }}
