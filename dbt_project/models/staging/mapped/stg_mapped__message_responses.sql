{{ stage_mapped(source('landing', 'mapped__message_responses'), [
    ['id', 'id', 'text'],
    ['person_key', 'person', 'person'],
    ['person_address', 'person', 'address'],
    ['organization_key', 'organization', 'text'],
    ['occurred_at', 'occurred_at', 'timestamp'],
    ['kind', 'kind', 'text'],
    ['message_sent_id', 'message_sent', 'text'],
    ['is_automatic', 'is_automatic', 'boolean'],
]) }}
