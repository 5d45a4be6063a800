{{ stage_records(source('landing', 'hubspot__associations'), [
    ['from_type', 'fromType', 'text'],
    ['from_id', 'fromId', 'text'],
    ['to_type', 'toType', 'text'],
    ['links', 'to', 'json'],
]) }}
