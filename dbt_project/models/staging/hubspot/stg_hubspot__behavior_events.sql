{{ stage_records(source('landing', 'hubspot__behavior_events'), [
    ['behavior_event_id', 'id', 'text'],
    ['event_type', 'eventType', 'text'],
    ['object_type', 'objectType', 'text'],
    ['object_id', 'objectId', 'text'],
    ['occurred_at', 'occurredAt', 'timestamp'],
]) }}
