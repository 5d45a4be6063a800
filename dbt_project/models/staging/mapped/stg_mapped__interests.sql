{{ stage_mapped(source('landing', 'mapped__interests'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['interest', 'interest', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
]) }}
