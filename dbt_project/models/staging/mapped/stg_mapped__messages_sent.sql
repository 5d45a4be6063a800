{{ stage_mapped(source('landing', 'mapped__messages_sent'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
    ['message', 'message', 'text'],
    ['campaign', 'campaign', 'text'],
    ['channel', 'channel', 'text'],
]) }}
